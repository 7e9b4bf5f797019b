// SPDX-License-Identifier: GPL-2.0
/*
 * Everything that users of the dma-buf samples can do, all of it at once
 *
 *	p2p-soak [-u] [seconds [seed]]
 *
 * Threads attach, map, do DMA, unmap, detach, close, move buffers between the BAR
 * and system memory and read and write them as the CPU, while others unplug and
 * plug the devices on both sides. What a buffer holds is known at any time, see
 * p2p-soak.h, and whoever reads it compares. Errors have to be those that the
 * operation may return, and -ENODEV needs a device that went away. At the end
 * nothing may be left of it.
 *
 * With -u devices lose their driver, and are not unplugged: they stay where they are
 * on the bus, for an emulator that cannot have them move.
 *
 * The seed decides what each thread tries, not when that happens: the same seed
 * is the same load, not the same run.
 */
#define _GNU_SOURCE

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <time.h>

#include "../kselftest.h"
#include "p2p-debug.h"
#include "p2p-soak.h"

#define MAX_DEVICES	8
#define NR_THREADS	14	/* two of them unplug and plug */
#define NR_BUFFERS	12
#define DEVICE_IMPORTS	3	/* of each importing device */
#define STUCK_SECONDS	100

enum op {
	ATTACH, DETACH, MAP, UNMAP, DMA_READ, DMA_WRITE, DMA_REVOKED, REOPEN,
	CPU_READ, CPU_WRITE, VMAP_READ, VMAP_WRITE, MOVE, CREATE, CLOSE,
	LOOK, YANK, REMOVE_EXPORTER, UNBIND_EXPORTER, REMOVE_IMPORTER,
	UNBIND_IMPORTER, PLUG, NR_OPS, IDLE = NR_OPS
};

/* YANK detaches without asking the thread that uses the import. */
static const char * const op_names[NR_OPS] = {
	"attach", "detach", "map", "unmap", "dma-read", "dma-write",
	"dma-after-revoke", "reopen", "cpu-read", "cpu-write", "vmap-read",
	"vmap-write", "move", "create", "close", "look", "yank",
	"remove-exporter", "unbind-exporter", "remove-importer",
	"unbind-importer", "plug",
};

/* How often a thread picks an operation */
static const unsigned int weights[NR_OPS] = {
	[ATTACH] = 16, [DETACH] = 5, [MAP] = 14, [UNMAP] = 6, [DMA_READ] = 8,
	[DMA_WRITE] = 8, [DMA_REVOKED] = 2, [REOPEN] = 2, [CPU_READ] = 8,
	[CPU_WRITE] = 8, [VMAP_READ] = 4, [VMAP_WRITE] = 4, [MOVE] = 16,
	[CREATE] = 8, [CLOSE] = 3, [LOOK] = 4, [YANK] = 2,
};

/*
 * @gen is odd from before the device is taken away until it is back. What came
 * from the device at another, or at an odd number, may be told -ENODEV.
 */
struct device {
	const char *nodes;
	char pci[32];
	int fd;			/* of an exporter, under @lock */
	pthread_mutex_t lock;
	atomic_uint gen;
	bool translated;
};

/* An open file of an importing device. @lock is not for LOOK and YANK. */
struct import {
	pthread_mutex_t lock;
	struct device *dev;
	unsigned int gen;
	int fd;
	unsigned int flags;
	struct buffer *buf;
};

struct worker {
	pthread_t thread;
	uint64_t rng;
	atomic_int op;		/* enum op */
	atomic_long since;
	atomic_bool done;
};

enum fault { WRONG_BYTES, WRONG_ERROR, NR_FAULTS };

static struct device exporters[MAX_DEVICES], importers[MAX_DEVICES];
static unsigned int nr_exporters, nr_importers, nr_imports;
static struct import imports[MAX_DEVICES * DEVICE_IMPORTS];
static struct worker workers[NR_THREADS];
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static struct buffer *table[NR_BUFFERS];
static uint32_t last_id;

static bool unbinds_only;
static atomic_bool stop;
static atomic_uint faults[NR_FAULTS], last_write;
static atomic_ulong cells_compared;
static atomic_ulong done[NR_OPS], refused[NR_OPS], races[NR_OPS][NR_OPS];
static atomic_uint unplugging[NR_OPS];

static __thread struct worker *self;
static __thread sigjmp_buf on_sigbus;
static __thread atomic_int guarded;

static long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static __printf(2, 3)
void complain(enum fault fault, const char *fmt, ...)
{
	char text[256];
	va_list args;

	if (atomic_fetch_add(&faults[fault], 1) >= 10)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	ksft_print_msg("WRONG: %s\n", text);
}

/* What goes on, for the watchdog and to know what met what */

static void begin(enum op op, struct buffer *buf)
{
	unsigned int other;

	self->since = now();
	self->op = op;
	for (other = 0; other < NR_OPS; other++)
		if (unplugging[other] || (buf && buf->inflight[other]))
			races[op][other]++;
	if (buf)
		buf->inflight[op]++;
	else if (op >= REMOVE_EXPORTER)
		unplugging[op]++;
}

static void end(enum op op, struct buffer *buf, int ret)
{
	if (buf)
		buf->inflight[op]--;
	else if (op >= REMOVE_EXPORTER)
		unplugging[op]--;
	atomic_fetch_add(ret < 0 ? &refused[op] : &done[op], 1);
	self->op = IDLE;
}

static bool is_doomed(struct buffer *buf)
{
	return buf->exporter >= 0 &&
	       (buf->gen & 1 || exporters[buf->exporter].gen != buf->gen);
}

static bool is_stale(struct import *imp)
{
	return imp->gen & 1 || imp->dev->gen != imp->gen;
}

/*
 * @fate is from before the operation. @imp is NULL if there was none.
 */
static void check_error(enum op op, struct buffer *buf, enum fate fate,
			struct import *imp, int ret)
{
	bool right = false;

	switch (ret < 0 ? -ret : 0) {
	case 0:
		right = fate != FATE_LOST;
		break;
	case ENODEV:
		right = (imp && is_stale(imp)) ||
			(is_doomed(buf) && fate != FATE_SURVIVED) ||
			(op == MOVE && fate == FATE_SURVIVED);
		break;
	case ENOTCONN:		/* yanked */
		right = imp && op != ATTACH;
		break;
	case EREMOTEIO:		/* pinned where the importer does not reach it */
		right = imp;
		break;
	case EBUSY:
	case ENOSPC:
		right = op == MOVE;
		break;
	case ETIME:
		right = op == DMA_REVOKED;
		break;
	}
	if (!right)
		complain(WRONG_ERROR, "%s of buffer %u, %s%s%s: %s", op_names[op],
			 buf->id, fate == FATE_LOST ? "lost" :
			 fate == FATE_SURVIVED ? "without a device" : "open",
			 is_doomed(buf) ? ", doomed" : "",
			 imp && is_stale(imp) ? ", importer gone" : "",
			 ret ? strerror(-ret) : "Success");
}

/* Buffers */

/* Any of those that are open. *fd is the caller's. */
static struct buffer *get_buffer(int *fd)
{
	unsigned int first = pick(&self->rng, NR_BUFFERS), i;
	struct buffer *buf = NULL;

	pthread_mutex_lock(&table_lock);
	for (i = 0; i < NR_BUFFERS && !buf; i++) {
		buf = table[(first + i) % NR_BUFFERS];
		if (buf && buf->fd < 0)
			buf = NULL;
	}
	if (buf) {
		buf->refs++;
		*fd = fcntl(buf->fd, F_DUPFD_CLOEXEC, 0);
	}
	pthread_mutex_unlock(&table_lock);
	return buf;
}

static void put_buffer(struct buffer *buf)
{
	unsigned int i;

	pthread_mutex_lock(&table_lock);
	if (!--buf->refs) {
		for (i = 0; i < NR_BUFFERS; i++)
			if (table[i] == buf)
				table[i] = NULL;
		if (buf->bar >= 0)
			close(buf->bar);
		free(buf);
	}
	pthread_mutex_unlock(&table_lock);
}

static int alloc_bar(struct buffer *buf)
{
	struct device *dev = &exporters[buf->exporter];

	pthread_mutex_lock(&dev->lock);
	buf->gen = dev->gen;
	buf->bar = dev->fd < 0 ? -1 : fcntl(dev->fd, F_DUPFD_CLOEXEC, 0);
	pthread_mutex_unlock(&dev->lock);
	if (buf->bar < 0)
		return -ENODEV;
	return bar_alloc(buf->bar, buf->npages * PAGE,
			 1 + pick(&self->rng, buf->npages));
}

static int alloc_udmabuf(size_t size)
{
	int memfd = udmabuf_memfd(size, 0), fd = udmabuf_alloc(memfd, size, size);

	close(memfd);
	return fd;
}

static void create(void)
{
	unsigned int kind = pick(&self->rng, 10), i;
	struct buffer *buf = calloc(1, sizeof(*buf));
	int fd;

	buf->refs = 1;
	buf->fd = -1;
	buf->bar = -1;
	buf->exporter = kind < 8 ? (int)pick(&self->rng, nr_exporters) : -1;
	buf->npages = 1 + pick(&self->rng, MAX_PAGES);
	for (i = 0; i < MAX_PAGES; i++)
		pthread_rwlock_init(&buf->page[i], NULL);

	begin(CREATE, NULL);
	fd = kind < 8 ? alloc_bar(buf) :
	     kind == 8 ? alloc_udmabuf(buf->npages * PAGE) :
	     heap_alloc("system", buf->npages * PAGE);
	end(CREATE, NULL, fd);
	if (fd < 0 && fd != -ENOSPC && !(fd == -ENODEV && is_doomed(buf)))
		complain(WRONG_ERROR, "no new buffer: %s", strerror(-fd));

	pthread_mutex_lock(&table_lock);
	for (i = 0; i < NR_BUFFERS && fd >= 0; i++) {
		if (table[i])
			continue;
		buf->id = ++last_id;
		buf->fd = fd;
		table[i] = buf;
		buf = NULL;
		break;
	}
	pthread_mutex_unlock(&table_lock);
	if (!buf)
		return;
	if (fd >= 0)
		close(fd);
	put_buffer(buf);
}

/* Attachments keep the buffer, and may be the last to let go. */
static void close_buffer(struct buffer *buf)
{
	int fd;

	pthread_mutex_lock(&table_lock);
	fd = buf->fd;
	buf->fd = -1;
	pthread_mutex_unlock(&table_lock);
	if (fd < 0)
		return;

	begin(CLOSE, buf);
	close(fd);
	end(CLOSE, buf, 0);
	put_buffer(buf);
}

/* Access to what is in them */

struct range {
	unsigned int first, nr;
	bool write;
	struct cell cells[PAGE_CELLS];
};

/* Some cells, as many as one DMA takes. False if somebody is there already. */
static bool range_lock(struct range *range, struct buffer *buf, bool write)
{
	unsigned int i;

	range->first = pick(&self->rng, buf->npages * PAGE_CELLS);
	range->nr = 1 + pick(&self->rng, PAGE_CELLS - 1);
	range->write = write;
	if (range->nr > buf->npages * PAGE_CELLS - range->first)
		range->nr = buf->npages * PAGE_CELLS - range->first;
	if (!lock_cells(buf, range->first, range->nr, write))
		return false;

	if (write) {
		uint32_t nr = ++last_write;

		for (i = 0; i < range->nr; i++)
			cell_fill(&range->cells[i], buf->id, range->first + i, nr);
	} else {
		memset(range->cells, 0xff, sizeof(range->cells));
	}
	return true;
}

static void range_unlock(struct range *range, struct buffer *buf, enum op op,
			 bool success)
{
	char why[160];
	unsigned int i;

	for (i = 0; success && i < range->nr; i++) {
		unsigned int index = range->first + i;

		if (range->write) {
			buf->written[index] = range->cells[i].write;
			continue;
		}
		cells_compared++;
		if (!cell_is_wrong(buf, index, &range->cells[i], why, sizeof(why)))
			continue;
		complain(WRONG_BYTES, "%s: %s", op_names[op], why);
		break;
	}
	unlock_cells(buf, range->first, range->nr);
}

static void sigbus(int sig)
{
	if (!guarded) {
		signal(SIGBUS, SIG_DFL);
		return;
	}
	guarded = 0;
	siglongjmp(on_sigbus, 1);
}

/* Copies to or from a mapping. -ENODEV if there is nothing behind it. */
static int guarded_copy(void *dst, const void *src, size_t len)
{
	if (sigsetjmp(on_sigbus, 1))
		return -ENODEV;
	guarded = 1;
	memcpy(dst, src, len);
	guarded = 0;
	return 0;
}

static int cpu_access(int fd, char *map, struct range *range)
{
	unsigned int flags = range->write ? DMA_BUF_SYNC_WRITE : DMA_BUF_SYNC_READ;
	char *at = map + range->first * CELL;
	size_t len = range->nr * CELL;
	int ret, err;

	ret = p2p_sync(fd, DMA_BUF_SYNC_START | flags);
	if (ret)
		return ret;
	ret = range->write ? guarded_copy(at, range->cells, len) :
			     guarded_copy(range->cells, at, len);
	err = p2p_sync(fd, DMA_BUF_SYNC_END | flags);
	return ret ?: err;
}

static void access_cpu(struct buffer *buf, int fd, enum op op)
{
	char *map = mmap(NULL, buf->npages * PAGE, PROT_READ | PROT_WRITE,
			 MAP_SHARED, fd, 0);
	int i;

	if (map == MAP_FAILED) {
		complain(WRONG_ERROR, "mmap: %s", strerror(errno));
		return;
	}
	/* Several times, so that it moves away under the mapping. */
	for (i = 0; i < 4 && !stop; i++) {
		enum fate fate = buf->fate;
		struct range range;
		int ret;

		if (!range_lock(&range, buf, op == CPU_WRITE))
			continue;
		begin(op, buf);
		ret = cpu_access(fd, map, &range);
		end(op, buf, ret);
		check_error(op, buf, fate, NULL, ret);
		range_unlock(&range, buf, op, !ret);
		usleep(pick(&self->rng, 3000));
	}
	munmap(map, buf->npages * PAGE);
}

static void access_vmap(struct buffer *buf, int fd, enum op op)
{
	int dev = open("/dev/dma-buf-vmap-test", O_RDWR | O_CLOEXEC);
	struct dma_buf_vmap_copy arg = { };
	enum fate fate = buf->fate;
	struct range range;
	int ret;

	if (dev < 0 || !range_lock(&range, buf, op == VMAP_WRITE))
		goto out;
	arg.offset = range.first * CELL;
	arg.data = (unsigned long)range.cells;
	arg.len = range.nr * CELL;

	begin(op, buf);
	ret = p2p_errno(ioctl(dev, DMA_BUF_VMAP, fd));
	if (ret > 0)
		ret = 0;
	if (!ret)
		ret = p2p_errno(ioctl(dev, op == VMAP_WRITE ? DMA_BUF_VMAP_WRITE :
					   DMA_BUF_VMAP_READ, &arg));
	end(op, buf, ret);
	check_error(op, buf, fate, NULL, ret);
	range_unlock(&range, buf, op, !ret);
out:
	close(dev);
}

static void move(struct buffer *buf, int fd)
{
	enum dma_buf_bar_place place = pick(&self->rng, 2);
	enum fate fate = buf->fate;
	int ret;

	if (buf->bar < 0)
		return;
	begin(MOVE, buf);
	ret = bar_move(buf->bar, fd, place);
	end(MOVE, buf, ret);
	check_error(MOVE, buf, fate, NULL, ret);
}

/* Imports */

static void import_close(struct import *imp)
{
	if (imp->fd >= 0)
		close(imp->fd);
	imp->fd = -1;
	if (imp->buf)
		put_buffer(imp->buf);
	imp->buf = NULL;
}

static void import_open(struct import *imp)
{
	char path[64];

	imp->gen = imp->dev->gen;
	if (imp->gen & 1)
		return;
	snprintf(path, sizeof(path), "%s%s", EDU_NODES, imp->dev->pci);
	imp->fd = open(path, O_RDWR | O_CLOEXEC);
	if (imp->fd < 0 && !is_stale(imp))
		complain(WRONG_ERROR, "open: %s", strerror(errno));
}

/* True if the file is one of the device that is there now. */
static bool import_ready(struct import *imp)
{
	struct dma_buf_edu_info info;

	if (imp->fd >= 0 && !is_stale(imp))
		return true;
	/* A file of a device that is gone, and not just about to go */
	if (imp->fd >= 0 && imp->dev->gen - imp->gen > 1 &&
	    edu_query(imp->fd, &info) != -ENODEV)
		complain(WRONG_ERROR, "a removed importer answers");
	import_close(imp);
	import_open(imp);
	return imp->fd >= 0;
}

static void attach(struct import *imp)
{
	static const unsigned int kinds[] = {
		0, 0, 0, 0, DMA_BUF_EDU_NO_PEER2PEER, DMA_BUF_EDU_STATIC,
		DMA_BUF_EDU_PIN, DMA_BUF_EDU_NO_INVALIDATE | DMA_BUF_EDU_PIN,
		DMA_BUF_EDU_NO_PEER2PEER | DMA_BUF_EDU_PIN,
	};
	struct buffer *buf;
	enum fate fate;
	int fd, ret;

	buf = get_buffer(&fd);
	if (!buf)
		return;
	imp->flags = kinds[pick(&self->rng, ARRAY_SIZE(kinds))];
	fate = buf->fate;
	begin(ATTACH, buf);
	ret = edu_attach(imp->fd, fd, imp->flags);
	end(ATTACH, buf, ret);
	close(fd);
	check_error(ATTACH, buf, fate, imp, ret);
	if (ret)
		put_buffer(buf);
	else
		imp->buf = buf;
}

static int access_revoked(struct import *imp, struct range *range)
{
	struct dma_buf_edu_dma arg = {
		.offset = range->first * CELL, .data = (unsigned long)range->cells,
		.len = CELL, .flags = DMA_BUF_EDU_WRITE,
	};

	cell_fill(&range->cells[0], 0, range->first, ++last_write);
	return p2p_errno(ioctl(imp->fd, DMA_BUF_EDU_REVOKED, &arg));
}

/*
 * The CPU has to find what a device just wrote, wherever the buffer is by now.
 * Others may not look at it before it is written again.
 */
static void read_back(struct buffer *buf, const struct range *range)
{
	struct range back = { .first = range->first, .nr = range->nr };
	char *map;
	int fd = -1;

	pthread_mutex_lock(&table_lock);
	if (buf->fd >= 0)
		fd = fcntl(buf->fd, F_DUPFD_CLOEXEC, 0);
	pthread_mutex_unlock(&table_lock);
	if (fd < 0)
		return;
	map = mmap(NULL, buf->npages * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	if (!cpu_access(fd, map, &back) &&
	    memcmp(range->cells, back.cells, range->nr * CELL))
		complain(WRONG_BYTES, "buffer %u: no trace of write %u by DMA",
			 buf->id, range->cells[0].write);
	munmap(map, buf->npages * PAGE);
	close(fd);
}

static void access_dma(struct import *imp, enum op op)
{
	struct buffer *buf = imp->buf;
	enum fate fate = buf->fate;
	struct range range;
	int ret;

	/* One device is left to those who map, without the time a DMA takes. */
	if (nr_importers > 1 && imp->dev == &importers[nr_importers - 1])
		return;
	if (op == DMA_REVOKED && (!imp->dev->translated || imp->flags))
		return;
	if (!range_lock(&range, buf, op == DMA_WRITE))
		return;

	begin(op, buf);
	if (op == DMA_REVOKED)
		ret = access_revoked(imp, &range);
	else
		ret = edu_dma(imp->fd, range.first * CELL, range.cells,
			      range.nr * CELL,
			      op == DMA_WRITE ? DMA_BUF_EDU_WRITE : 0);
	end(op, buf, ret);
	check_error(op, buf, fate, imp, ret);
	if (!ret && op == DMA_WRITE)
		read_back(buf, &range);
	range_unlock(&range, buf, op, !ret && op != DMA_REVOKED);
	if (ret == -ENOTCONN) {
		imp->buf = NULL;
		put_buffer(buf);
	}
}

static void map_or_not(struct import *imp, enum op op)
{
	struct buffer *buf = imp->buf;
	enum fate fate = buf->fate;
	int ret;

	begin(op, buf);
	ret = p2p_errno(ioctl(imp->fd, op == MAP ? DMA_BUF_EDU_MAP :
				       op == UNMAP ? DMA_BUF_EDU_UNMAP :
				       DMA_BUF_EDU_DETACH));
	end(op, buf, ret);
	/* Letting go works with whatever became of the buffer. */
	check_error(op, buf, op == MAP ? fate : FATE_OPEN, imp, ret);
	if (op == DETACH || ret == -ENOTCONN) {
		imp->buf = NULL;
		put_buffer(buf);
	}
}

static void use_import(struct import *imp, enum op op)
{
	if (pthread_mutex_trylock(&imp->lock))
		return;
	if (!import_ready(imp)) {
		usleep(1000);
		goto out;
	}
	if (op == REOPEN) {
		struct buffer *buf = imp->buf;

		begin(op, buf);
		close(imp->fd);
		imp->fd = -1;
		end(op, buf, 0);
		import_close(imp);
		import_open(imp);
		goto out;
	}
	if (!imp->buf)
		attach(imp);
	else if (op == MAP || op == UNMAP || op == DETACH)
		map_or_not(imp, op);
	else if (op != ATTACH)
		access_dma(imp, op);
out:
	pthread_mutex_unlock(&imp->lock);
}

/* Does not care who else uses the import, nor what becomes of it. */
static void look(struct import *imp, enum op op)
{
	static __thread char text[1 << 16];
	struct dma_buf_edu_info info;
	int fd, ret;
	struct buffer *buf = get_buffer(&fd);

	if (!buf)
		return;
	begin(op, buf);
	if (op == YANK) {
		ret = ioctl(imp->fd, DMA_BUF_EDU_DETACH);
	} else {
		ret = edu_query(imp->fd, &info);
		if (p2p_fdinfo(fd, text, sizeof(text)) ||
		    p2p_read_file("/sys/kernel/debug/dma_buf/bufinfo", text,
				  sizeof(text)))
			complain(WRONG_ERROR, "fdinfo: %s", strerror(errno));
	}
	end(op, buf, ret);
	close(fd);
	put_buffer(buf);
}

/* Threads */

static void use_buffer(enum op op)
{
	struct buffer *buf;
	int fd;

	buf = get_buffer(&fd);
	if (!buf)
		return;
	switch (op) {
	case CPU_READ:
	case CPU_WRITE:
		access_cpu(buf, fd, op);
		break;
	case VMAP_READ:
	case VMAP_WRITE:
		access_vmap(buf, fd, op);
		break;
	case MOVE:
		move(buf, fd);
		break;
	default:
		close_buffer(buf);
		break;
	}
	close(fd);
	put_buffer(buf);
}

static void *work(void *arg)
{
	unsigned int sum = 0, op;

	self = arg;
	for (op = 0; op < NR_OPS; op++)
		sum += weights[op];

	while (!stop) {
		struct import *imp = &imports[pick(&self->rng, nr_imports)];
		unsigned int n = pick(&self->rng, sum);

		for (op = 0; n >= weights[op]; op++)
			n -= weights[op];
		if (op == CREATE)
			create();
		else if (op == LOOK || op == YANK)
			look(imp, op);
		else if (op <= REOPEN)
			use_import(imp, op);
		else
			use_buffer(op);
	}
	self->done = true;
	return NULL;
}

/* After its device is gone a buffer is either lost or not, and stays so. */
static void judge(struct device *dev)
{
	unsigned int i;

	for (i = 0; i < NR_BUFFERS; i++) {
		struct buffer *buf;
		char byte, *map;
		int fd = -1;

		pthread_mutex_lock(&table_lock);
		buf = table[i];
		if (buf && buf->fd >= 0 && buf->exporter == dev - exporters &&
		    is_doomed(buf) && buf->fate == FATE_OPEN) {
			buf->refs++;
			fd = fcntl(buf->fd, F_DUPFD_CLOEXEC, 0);
		}
		pthread_mutex_unlock(&table_lock);
		if (fd < 0)
			continue;
		map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
		buf->fate = guarded_copy(&byte, map, 1) ? FATE_LOST :
							  FATE_SURVIVED;
		munmap(map, PAGE);
		close(fd);
		put_buffer(buf);
	}
}

/* Whatever way the device went, it comes back. */
static void plug(struct device *dev)
{
	char path[64];
	int fd, i;

	snprintf(path, sizeof(path), "%s%s", dev->nodes, dev->pci);
	begin(PLUG, NULL);
	for (i = 0; i < 500; i++) {
		if (!unbinds_only)
			p2p_pci_write(NULL, "rescan", "1");
		p2p_pci_write(NULL, "drivers_probe", dev->pci);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd >= 0)
			break;
		usleep(20000);
	}
	end(PLUG, NULL, 0);
	if (fd < 0) {
		complain(WRONG_ERROR, "%s does not come back", path);
		return;
	}
	if (strcmp(dev->nodes, BAR_NODES)) {
		close(fd);
		dev->gen++;
		return;
	}
	pthread_mutex_lock(&dev->lock);
	close(dev->fd);
	dev->fd = fd;
	dev->gen++;
	pthread_mutex_unlock(&dev->lock);
}

static void *unplug(void *arg)
{
	bool is_exporter;

	self = arg;
	is_exporter = self == &workers[0];
	while (!stop) {
		struct device *dev = is_exporter ?
			&exporters[pick(&self->rng, nr_exporters)] :
			&importers[pick(&self->rng, nr_importers)];
		enum op op = REMOVE_EXPORTER + !is_exporter * 2 +
			     (unbinds_only || pick(&self->rng, 2));
		bool removes = op == REMOVE_EXPORTER || op == REMOVE_IMPORTER;

		usleep(200000 + pick(&self->rng, 1500000));
		begin(op, NULL);
		dev->gen++;
		if (p2p_pci_write(dev->pci, removes ? "remove" : "driver/unbind",
				  removes ? "1" : dev->pci))
			complain(WRONG_ERROR, "%s: %s", op_names[op],
				 strerror(errno));
		end(op, NULL, 0);
		if (is_exporter)
			judge(dev);
		usleep(pick(&self->rng, 200000));
		plug(dev);
	}
	self->done = true;
	return NULL;
}

/* The watchdog */

/* Threads that do not return cannot be joined. */
static void report_stuck(struct worker *worker)
{
	char command[64];

	snprintf(command, sizeof(command), "cat /proc/%d/task/*/stack", getpid());
	fflush(stdout);
	if (system(command))
		ksft_print_msg("no stacks to show\n");
	ksft_test_result_fail("no operation gets stuck: %s takes more than %d seconds\n",
			      op_names[worker->op % NR_OPS], STUCK_SECONDS);
	ksft_print_cnts();
	fflush(stdout);
	_exit(KSFT_FAIL);
}

static bool all_done(void)
{
	unsigned int i;

	for (i = 0; i < NR_THREADS; i++) {
		enum op op = workers[i].op;

		if (!workers[i].done && op != IDLE &&
		    now() - workers[i].since > STUCK_SECONDS)
			report_stuck(&workers[i]);
	}
	for (i = 0; i < NR_THREADS; i++)
		if (!workers[i].done)
			return false;
	return true;
}

static void soak(unsigned int seconds)
{
	unsigned int i, fault, bad;
	long start = now();

	for (i = 0; i < NR_THREADS; i++)
		pthread_create(&workers[i].thread, NULL, i < 2 ? unplug : work,
			       &workers[i]);
	while (!all_done()) {
		usleep(200000);
		for (bad = 0, fault = 0; fault < NR_FAULTS; fault++)
			bad += faults[fault];
		/* More of the same tells nothing new. */
		if (now() - start >= seconds || bad > 20)
			stop = true;
	}
	for (i = 0; i < NR_THREADS; i++)
		pthread_join(workers[i].thread, NULL);
}

/* At the end */

/* All there is in a buffer, as the CPU sees it, and the ends of it by DMA */
static void verify(struct buffer *buf, int edu)
{
	unsigned int page, i;

	for (page = 0; page < buf->npages; page++) {
		struct range range = { .first = page * PAGE_CELLS, .nr = PAGE_CELLS };
		bool by_dma = !page || page == buf->npages - 1;
		char *map = mmap(NULL, buf->npages * PAGE, PROT_READ, MAP_SHARED,
				 buf->fd, 0);
		int ret = cpu_access(buf->fd, map, &range);

		munmap(map, buf->npages * PAGE);
		check_error(CPU_READ, buf, buf->fate, NULL, ret);
		if (ret)
			return;
		for (i = 0; i < 2; i++) {
			if (i && by_dma) {
				ret = edu_attach(edu, buf->fd, 0) ?:
				      edu_read(edu, page * PAGE, range.cells, PAGE);
				check_error(DMA_READ, buf, buf->fate, NULL, ret);
				ioctl(edu, DMA_BUF_EDU_DETACH);
			}
			lock_cells(buf, range.first, range.nr, false);
			range_unlock(&range, buf, i ? DMA_READ : CPU_READ, !ret);
		}
	}
}

static void tear_down(void)
{
	unsigned int i;
	struct p2p_dev edu = { .fd = -1 };

	for (i = 0; i < nr_imports; i++)
		import_close(&imports[i]);
	if (p2p_open(&edu, EDU_NODES))
		complain(WRONG_ERROR, "no importer is left");
	for (i = 0; i < NR_BUFFERS; i++) {
		if (!table[i])
			continue;
		verify(table[i], edu.fd);
		close_buffer(table[i]);
	}
	close(edu.fd);
	for (i = 0; i < nr_exporters; i++)
		close(exporters[i].fd);
}

/* Files are put away later than the system call that closes them. */
static int count_left(int before)
{
	int i, left = 0;

	for (i = 0; i < 50; i++) {
		left = p2p_count_dma_bufs() - before;
		if (!left)
			break;
		usleep(100000);
	}
	return left;
}

static unsigned int count_dma_faults(int kmsg)
{
	char text[8192];
	unsigned int nr = 0;
	ssize_t n;

	while ((n = read(kmsg, text, sizeof(text) - 1)) >= 0 || errno == EPIPE) {
		text[n < 0 ? 0 : n] = 0;
		nr += !!strstr(text, "fault addr");
	}
	return nr;
}

static void report(void)
{
	unsigned int op, other, met = 0, possible = 0;

	for (op = 0; op < NR_OPS; op++)
		ksft_print_msg("operation %-16s %8lu done %8lu refused\n",
			       op_names[op], done[op], refused[op]);
	/* Who started while the other went on: each pair counts once. */
	for (op = 0; op < NR_OPS; op++) {
		for (other = 0; other <= op; other++) {
			unsigned long n = races[op][other] +
					  (op != other) * races[other][op];

			if (!done[op] || !done[other])
				continue;
			possible++;
			met += !!n;
		}
	}
	ksft_print_msg("races %u of %u pairs of operations, %lu cells compared\n",
		       met, possible, cells_compared);
}

static unsigned int open_all(struct device *devs, const char *nodes, bool keep)
{
	struct p2p_dev dev;
	unsigned int n;

	for (n = 0; n < MAX_DEVICES && !p2p_open_nth(&dev, nodes, n); n++) {
		devs[n].nodes = nodes;
		devs[n].fd = dev.fd;
		memcpy(devs[n].pci, dev.pci, sizeof(dev.pci));
		devs[n].translated = p2p_translated(dev.pci);
		pthread_mutex_init(&devs[n].lock, NULL);
		if (!keep)
			close(dev.fd);
	}
	return n;
}

int main(int argc, char **argv)
{
	unsigned long seconds, seed;
	int before, left, kmsg = kmsg_open();
	unsigned int i, nr_faults;
	uint64_t rng;
	bool watched;
	long bytes;

	unbinds_only = getopt(argc, argv, "u") == 'u';
	argc -= optind - 1;
	argv += optind - 1;
	seconds = argc > 1 ? strtoul(argv[1], NULL, 0) : 60;
	p2p_random(&seed, sizeof(seed));
	seed = argc > 2 ? strtoul(argv[2], NULL, 0) : seed % 1000000;

	ksft_print_header();
	nr_exporters = open_all(exporters, BAR_NODES, true);
	nr_importers = open_all(importers, EDU_NODES, false);
	if (!nr_exporters || !nr_importers || sysconf(_SC_PAGESIZE) != PAGE)
		ksft_exit_skip("needs both samples, a device for each, and pages of 4 KiB\n");
	ksft_set_plan(6);
	ksft_print_msg("seed %lu, %lu seconds, %u exporters, %u importers\n",
		       seed, seconds, nr_exporters, nr_importers);
	signal(SIGBUS, sigbus);

	rng = seed * 0x9e3779b97f4a7c15ULL | 1;
	for (i = 0; i < NR_THREADS; i++) {
		workers[i].rng = rnd(&rng) | 1;
		workers[i].op = IDLE;
	}
	nr_imports = nr_importers * DEVICE_IMPORTS;
	for (i = 0; i < nr_imports; i++) {
		pthread_mutex_init(&imports[i].lock, NULL);
		imports[i].dev = &importers[i % nr_importers];
		imports[i].fd = -1;
	}

	before = p2p_count_dma_bufs();
	watched = p2p_iommu_watch() && importers[0].translated;
	soak(seconds);
	self = &workers[0];
	tear_down();
	left = count_left(before);
	bytes = p2p_iommu_bytes();
	nr_faults = count_dma_faults(kmsg);

	report();
	ksft_test_result(!faults[WRONG_BYTES] && cells_compared,
			 "whoever reads finds what was written last\n");
	ksft_test_result(!faults[WRONG_ERROR],
			 "operations fail only as they may\n");
	ksft_test_result_pass("no operation gets stuck\n");
	ksft_print_msg("%d dma-bufs left\n", left);
	ksft_test_result(!left, "no dma-buf is left\n");
	ksft_print_msg("%ld bytes left in the IOMMU\n", bytes);
	if (watched)
		ksft_test_result(!bytes, "nothing is left in the IOMMU\n");
	else
		ksft_test_result_skip("nothing is left in the IOMMU\n");
	ksft_print_msg("%u DMA faults\n", nr_faults);
	if (watched && done[DMA_REVOKED])
		ksft_test_result(nr_faults, "DMA after the memory was taken back faults\n");
	else
		ksft_test_result_skip("DMA after the memory was taken back faults\n");
	ksft_finished();
}
