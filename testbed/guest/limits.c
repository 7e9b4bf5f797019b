// SPDX-License-Identifier: GPL-2.0
/*
 * What a machine has only so much of is used up:
 *
 *	limits LIMIT...
 *
 *	fds		file descriptors, of this process
 *	memlock		udmabuf pins pages without RLIMIT_MEMLOCK, within limits of its own
 *	memcg		memory of a cgroup, with dma_heap.mem_accounting=1
 *	bounce		bounce buffers: the device reaches no memory, and there are few
 *	iova		addresses behind an IOMMU: the device has few bits
 *
 * Each fails with its errno and changes nothing: a neighbour, mapped before, does DMA as
 * if nothing were, and when all is given back as much fits as the first time.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "guest.h"
#include "../../tools/testing/selftests/dmabuf-heaps/p2p-debug.h"

#define MAX	1024

struct import {
	int buf;
	struct p2p_dev edu;
};

static struct import neighbour;
static char *map;
static size_t size;

static void close_import(struct import *imp)
{
	close(imp->edu.fd);
	close(imp->buf);
}

/* Returns the error of mapping. Detached if that fails, everything else is the end. */
static int map_buffer(struct import *imp, int buf)
{
	struct dma_buf_edu_info info;
	struct p2p_map where;
	char got;
	int ret;

	imp->buf = buf;
	check("no edu", p2p_open(&imp->edu, EDU_NODES));
	check("attaching", edu_attach(imp->edu.fd, buf, 0));
	ret = edu_read(imp->edu.fd, 0, &got, 1);
	check("query", edu_query(imp->edu.fd, &info));
	expect("the error of the DMA is that of the mapping", ret == info.map_error);
	expect("what failed is not mapped", !ret == !!info.npages);
	expect("fdinfo agrees with the importer", p2p_fdinfo_agrees(buf, imp->edu.pci, &info, &where));
	if (ret)
		close_import(imp);
	return ret;
}

static void set_up_neighbour(size_t bytes)
{
	size = bytes;
	check("the neighbour", map_buffer(&neighbour, check("a buffer", heap_alloc("system", size))));
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, neighbour.buf, 0);
	if (map == MAP_FAILED)
		die("mapping the neighbour", -errno);
}

/* Returns how many bytes were right, at both ends. */
static size_t verify_neighbour(void)
{
	size_t places[] = { 0, size - PAGE }, i, right = 0;
	char want[PAGE], got[PAGE];

	for (i = 0; i < 2; i++) {
		p2p_random(want, PAGE);
		check("writing", cpu_write(neighbour.buf, map + places[i], want, PAGE));
		check("DMA of the neighbour", edu_read(neighbour.edu.fd, places[i], got, PAGE));
		expect("the neighbour's device reads what the CPU wrote", !memcmp(want, got, PAGE));
		p2p_random(want, PAGE);
		check("DMA of the neighbour", edu_write(neighbour.edu.fd, places[i], want, PAGE));
		check("reading", cpu_read(neighbour.buf, map + places[i], got, PAGE));
		expect("the CPU reads what the neighbour's device wrote", !memcmp(want, got, PAGE));
		right += 2 * PAGE;
	}
	return right;
}

static void report(const char *limit, int error, int fitted)
{
	printf("result: limit=%s error=%s fitted=%d verified=%zu\n", limit,
	       error ? strerrorname_np(-error) : "none", fitted, verify_neighbour());
	fflush(stdout);
}

/* Maps buffers until there is no room; returns how many fitted, and the error. */
static int fill(size_t bytes, int *error)
{
	static struct import imports[MAX];
	int i, n;

	*error = 0;
	for (n = 0; n < MAX && !*error; n++) {
		*error = map_buffer(&imports[n], check("a buffer", heap_alloc("system", bytes)));
		if (*error)
			break;
	}
	verify_neighbour();
	for (i = 0; i < n; i++)
		close_import(&imports[i]);
	return n;
}

static void run_out_of_addresses(const char *limit, size_t bytes)
{
	int count, error, again, fitted;
	long iovas;

	set_up_neighbour(bytes);
	/* What the kernel keeps for the next user it has now. */
	fill(bytes, &error);
	count = p2p_count_dma_bufs();
	iovas = p2p_count_iovas();
	fitted = fill(bytes, &error);
	expect("some fit", fitted > 1);
	expect("some do not", error);
	expect("no dma-buf stays", p2p_count_dma_bufs() == count);
	expect("no address stays", p2p_count_iovas() == iovas);
	expect("as many fit again", fill(bytes, &again) == fitted && again == error);
	report(limit, error, fitted);
}

static void limit_bounce(void)
{
	char before[32], after[32];

	check("bounce buffers in use", p2p_read_file("/sys/kernel/debug/swiotlb/io_tlb_used", before, sizeof(before)));
	run_out_of_addresses("bounce", 16 * PAGE);
	close_import(&neighbour);
	munmap(map, size);
	check("bounce buffers in use", p2p_read_file("/sys/kernel/debug/swiotlb/io_tlb_used", after, sizeof(after)));
	expect("no bounce buffer stays in use", !strcmp(before, after));
}

static void limit_iova(void)
{
	run_out_of_addresses("iova", 4UL << 20);
}

/* Leaves exactly as many as @keep, whatever is open. */
static void use_up_fds(int keep)
{
	struct rlimit limit = { 128, 128 };
	int fds[128], n = 0;

	check("rlimit", p2p_errno(setrlimit(RLIMIT_NOFILE, &limit)));
	while (n < 128 && (fds[n] = dup(0)) >= 0)
		n++;
	expect("descriptors are used up", errno == EMFILE && n > keep);
	while (keep--)
		close(fds[--n]);
}

/* Each call that returns a descriptor, when there is none. */
static int try_fds(void *unused)
{
	struct dma_heap_allocation_data data = { .len = PAGE, .fd_flags = O_RDWR | O_CLOEXEC };
	struct dma_buf_export_sync_file fences = { .flags = DMA_BUF_SYNC_RW };
	struct dma_buf_bar_alloc alloc = { .size = PAGE, .nr_ranges = 1 };
	struct udmabuf_create create = { .size = PAGE };
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ };
	int heap, udmabuf, count, i;
	struct p2p_dev bar;

	heap = check("the heap", p2p_errno(open("/dev/dma_heap/system", O_RDONLY | O_CLOEXEC)));
	udmabuf = check("udmabuf", p2p_errno(open("/dev/udmabuf", O_RDWR | O_CLOEXEC)));
	create.memfd = check("memfd", udmabuf_memfd(PAGE, 0));
	check("no bar", p2p_open(&bar, BAR_NODES));
	count = p2p_count_dma_bufs();
	use_up_fds(0);
	for (i = 0; i < 100; i++) {
		expect("heap", p2p_errno(ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data)) == -EMFILE);
		expect("udmabuf", p2p_errno(ioctl(udmabuf, UDMABUF_CREATE, &create)) == -EMFILE);
		expect("bar", p2p_errno(ioctl(bar.fd, DMA_BUF_BAR_ALLOC, &alloc)) == -EMFILE);
		expect("sync_file", p2p_errno(ioctl(neighbour.buf, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &fences)) == -EMFILE);
		expect("a call without descriptor", !ioctl(neighbour.buf, DMA_BUF_IOCTL_SYNC, &sync));
		sync.flags ^= DMA_BUF_SYNC_END;
	}
	close(create.memfd);
	expect("no dma-buf stays", p2p_count_dma_bufs() == count);
	return 0;
}

/* Runs it in a process of its own, returns its status. */
static int in_child(int (*run)(void *), void *arg)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(run(arg));
	check("waiting", p2p_errno(waitpid(pid, &status, 0)));
	return status;
}

static void limit_fds(void)
{
	set_up_neighbour(4 * PAGE);
	expect("all of it fails with EMFILE", !in_child(try_fds, NULL));
	report("fds", -EMFILE, 0);
}

#define UDMABUF_PARAMETER	"/sys/module/udmabuf/parameters/"

static int try_memlock(void *unused)
{
	struct rlimit none = { 0, 0 };
	int memfd, fd;

	memfd = check("memfd", udmabuf_memfd(8 * PAGE, 0));
	check("rlimit", p2p_errno(setrlimit(RLIMIT_MEMLOCK, &none)));
	/* What it pins counts for the memfd, and for nobody's RLIMIT_MEMLOCK. */
	fd = check("udmabuf", udmabuf_alloc(memfd, 8 * PAGE, 8 * PAGE));
	close(fd);
	check("list_limit", p2p_write_file(UDMABUF_PARAMETER "list_limit", "3"));
	expect("a list that is too long", udmabuf_alloc(memfd, 4 * PAGE, PAGE) == -EINVAL);
	check("size_limit_mb", p2p_write_file(UDMABUF_PARAMETER "size_limit_mb", "0"));
	expect("a buffer that is too large", udmabuf_alloc(memfd, 8 * PAGE, 8 * PAGE) == -EINVAL);
	check("list_limit", p2p_write_file(UDMABUF_PARAMETER "list_limit", "1024"));
	check("size_limit_mb", p2p_write_file(UDMABUF_PARAMETER "size_limit_mb", "1024"));
	return 0;
}

static void limit_memlock(void)
{
	int count;

	set_up_neighbour(4 * PAGE);
	count = p2p_count_dma_bufs();
	expect("udmabuf keeps to its limits", !in_child(try_memlock, NULL));
	expect("no dma-buf stays", p2p_count_dma_bufs() == count);
	report("memlock", -EINVAL, 0);
}

#define CGROUP	"/tmp/cgroup"
#define GROUP	CGROUP "/heaps"
#define LIMIT	(8UL << 20)

static long memory_current(void)
{
	char text[32];

	check("memory.current", p2p_read_file(GROUP "/memory.current", text, sizeof(text)));
	return atol(text);
}

/* @mortal: the OOM killer may have it */
static int try_memcg(void *mortal)
{
	int fits, ret, i;
	long empty;

	check("joining", p2p_write_file(GROUP "/cgroup.procs", "0"));
	if (!mortal)
		check("oom_score_adj", p2p_write_file("/proc/self/oom_score_adj", "-1000"));
	empty = memory_current();
	fits = check("half of the limit", heap_alloc("system", LIMIT / 2));
	expect("the heap's memory counts", memory_current() >= empty + (long)(LIMIT / 2));
	for (i = 0; i < 3; i++) {
		ret = heap_alloc("system", 2 * LIMIT);
		expect("more than the limit fails with ENOMEM", ret == -ENOMEM);
	}
	close(fits);
	/* Or there would not be room for this. */
	for (i = 0; i < 8; i++) {
		fits = check("half of the limit, again", heap_alloc("system", LIMIT / 2));
		close(fits);
	}
	return 0;
}

static void limit_memcg(void)
{
	int count, status;

	mkdir(CGROUP, 0755);
	check("cgroup2", p2p_errno(mount("none", CGROUP, "cgroup2", 0, NULL)));
	check("memory", p2p_write_file(CGROUP "/cgroup.subtree_control", "+memory"));
	check("a group", p2p_errno(mkdir(GROUP, 0755)));
	check("memory.max", p2p_write_file(GROUP "/memory.max", "8388608"));
	set_up_neighbour(4 * PAGE);
	count = p2p_count_dma_bufs();
	expect("who cannot be killed gets ENOMEM", !in_child(try_memcg, NULL));
	status = in_child(try_memcg, &status);
	expect("who can is killed", WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	expect("no dma-buf stays", p2p_count_dma_bufs() == count);
	expect("no memory stays", memory_current() < (long)LIMIT / 4);
	report("memcg", -ENOMEM, 0);
}

static const struct {
	const char *name;
	void (*run)(void);
} limits[] = {
	{ "fds", limit_fds },
	{ "memlock", limit_memlock },
	{ "memcg", limit_memcg },
	{ "bounce", limit_bounce },
	{ "iova", limit_iova },
};

static int run_limit(void *name)
{
	size_t i;

	for (i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		if (!strcmp(limits[i].name, name)) {
			program_invocation_short_name = name;
			limits[i].run();
			fflush(stdout);
			return 0;
		}
	}
	die(name, -ENOENT);
	return 1;
}

int main(int argc, char **argv)
{
	int i, failed = 0;

	for (i = 1; i < argc; i++)
		failed |= in_child(run_limit, argv[i]);
	return !!failed;
}
