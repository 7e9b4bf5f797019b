// SPDX-License-Identifier: GPL-2.0
/*
 * Every allocation on the way through the dma-buf samples fails once
 *
 * Each test is a system call or two that work, done again and again with the
 * first, second, third allocation in it failing, until there is none left. What
 * fails has to say -ENOMEM and to change nothing: the buffer still holds what it
 * held, it can be mapped, moved and read by DMA, and the IOMMU has not kept
 * anything. Leaks, and mappings that do not match, are for kmemleak, KASAN and
 * DMA_API_DEBUG to find.
 *
 * Some allocations may fail without harm, those of debugging facilities for
 * instance: then the call has to succeed.
 */
#define _GNU_SOURCE

#include <sched.h>

#include "p2p-debug.h"
#include "../kselftest_harness.h"

#define PAGE		4096UL
#define MAX_NTH		2000
#define MAX_SIZE	(600 * PAGE)

static bool have_faults;
static int nth_fd = -1;
static char want[MAX_SIZE], got[MAX_SIZE];

static __attribute__((constructor)) void set_up_faults(void)
{
	cpu_set_t cpus;

	if (!p2p_faults_set_up())
		return;
	/* Each CPU keeps IOVAs for the next user. */
	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	have_faults = true;
	p2p_iommu_watch();
}

/*
 * @n: which allocation fails
 * @failed, @absorbed: how often the call failed, and how often it did not mind
 */
struct sweep {
	const char *name;
	unsigned int n, failed, absorbed;
	long bytes, iovas;
};

FIXTURE(nth) {
	struct p2p_dev bar, edu;
	int buf;
	char *map;
	size_t size;
};

FIXTURE_SETUP(nth)
{
	self->buf = -1;
	self->map = MAP_FAILED;
	if (!have_faults)
		SKIP(return, "no FAILSLAB, FAIL_PAGE_ALLOC and their debugfs");
	if (sysconf(_SC_PAGESIZE) != PAGE)
		SKIP(return, "made for pages of 4 KiB");
	if (p2p_open(&self->bar, BAR_NODES) < 0 ||
	    p2p_open(&self->edu, EDU_NODES) < 0)
		SKIP(return, "no " BAR_NODES "* or " EDU_NODES "*");
	nth_fd = p2p_nth_open();
	ASSERT_GE(nth_fd, 0);
}

FIXTURE_TEARDOWN(nth)
{
	if (self->map != MAP_FAILED)
		munmap(self->map, self->size);
	close(self->buf);
	close(self->edu.fd);
	close(self->bar.fd);
	close(nth_fd);
}

/* self->size bytes of it */
#define NEW_BUFFER(fd) do {						\
	self->buf = (fd);						\
	ASSERT_GE(self->buf, 0);					\
	self->map = mmap(NULL, self->size, PROT_READ | PROT_WRITE,	\
			 MAP_SHARED, self->buf, 0);			\
	ASSERT_NE(self->map, MAP_FAILED);				\
	p2p_random(want, self->size);					\
	ASSERT_EQ(0, cpu_write(self->buf, self->map, want, self->size)); \
} while (0)

#define NEW_BAR_BUFFER(pages, ranges) do {				\
	self->size = (pages) * PAGE;					\
	NEW_BUFFER(bar_alloc(self->bar.fd, self->size, ranges));	\
} while (0)

/* The CPU sees all of it, a device that attaches anew a piece in the middle. */
#define EXPECT_USABLE() do {						\
	size_t middle = self->size / 2 - 32;				\
	struct p2p_dev edu;						\
									\
	EXPECT_EQ(0, cpu_read(self->buf, self->map, got, self->size));	\
	EXPECT_EQ(0, memcmp(want, got, self->size));			\
	ASSERT_EQ(0, p2p_open(&edu, EDU_NODES));			\
	ASSERT_EQ(0, edu_attach(edu.fd, self->buf, 0));			\
	EXPECT_EQ(0, edu_read(edu.fd, middle, got, 64));		\
	EXPECT_EQ(0, memcmp(want + middle, got, 64));			\
	close(edu.fd);							\
} while (0)

/*
 * Does @call again and again; @before puts everything in place for it, @after
 * undoes that and what it did, if it did. The first round is without a fault, so
 * that what is allocated once for all is there.
 */
#define SWEEP(what, before, call, after) do {				\
	struct sweep sweep = { .name = what };				\
	int ret;							\
									\
	for (sweep.n = 0; sweep.n < MAX_NTH; sweep.n++) {		\
		bool hit;						\
									\
		before;							\
		p2p_nth_set(nth_fd, sweep.n);				\
		ret = (call);						\
		hit = p2p_nth_reached(nth_fd) && sweep.n;		\
		after;							\
		if (ret >= 0) {						\
			sweep.absorbed += hit;				\
		} else {						\
			EXPECT_TRUE(hit);				\
			EXPECT_EQ(-ENOMEM, ret) {			\
				TH_LOG("%s: allocation %u", sweep.name,	\
				       sweep.n);			\
			}						\
			sweep.failed++;					\
		}							\
		if (self->buf >= 0)					\
			EXPECT_USABLE();				\
		if (!sweep.n) {						\
			sweep.bytes = p2p_iommu_bytes();		\
			sweep.iovas = p2p_count_iovas();		\
			continue;					\
		}							\
		EXPECT_EQ(sweep.bytes, p2p_iommu_bytes());		\
		if (!hit)						\
			break;						\
	}								\
	EXPECT_LT(sweep.n, MAX_NTH);					\
	EXPECT_EQ(0, ret);						\
	EXPECT_LE(p2p_count_iovas(), sweep.iovas);			\
	TH_LOG("points: %-32s %4u failed %4u absorbed, %ld IOVAs",	\
	       sweep.name, sweep.failed, sweep.absorbed, sweep.iovas);	\
} while (0)

#define NOTHING	do { } while (0)

static int closes(int fd)
{
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

TEST_F_TIMEOUT(nth, export, 600)
{
	SWEEP("export of a BAR buffer", NOTHING,
	      closes(bar_alloc(self->bar.fd, 8 * PAGE, 4)), NOTHING);
}

static int detach(int edu)
{
	return p2p_errno(ioctl(edu, DMA_BUF_EDU_DETACH));
}

static int edu_map(int edu)
{
	return p2p_errno(ioctl(edu, DMA_BUF_EDU_MAP));
}

static int edu_unmap(int edu)
{
	return p2p_errno(ioctl(edu, DMA_BUF_EDU_UNMAP));
}

TEST_F_TIMEOUT(nth, attach, 600)
{
	NEW_BAR_BUFFER(3, 3);
	SWEEP("attach", NOTHING, edu_attach(self->edu.fd, self->buf, 0),
	      detach(self->edu.fd));
}

/* Pins, which moves the buffer to system memory first. */
TEST_F_TIMEOUT(nth, attach_and_move, 600)
{
	NEW_BAR_BUFFER(3, 3);
	SWEEP("attach that pins and moves",
	      ASSERT_EQ(0, bar_move(self->bar.fd, self->buf, DMA_BUF_BAR_PLACE_BAR)),
	      edu_attach(self->edu.fd, self->buf,
			 DMA_BUF_EDU_PIN | DMA_BUF_EDU_NO_INVALIDATE),
	      detach(self->edu.fd));
}

/* What @buf is made of does not matter here. */
#define SWEEP_MAP(what) do {						\
	ASSERT_EQ(0, edu_attach(self->edu.fd, self->buf, 0));		\
	SWEEP(what, NOTHING, edu_map(self->edu.fd),			\
	      edu_unmap(self->edu.fd));					\
} while (0)

/* Once more in the BAR each time, for an importer that has to have it moved */
#define SWEEP_MAP_MOVING(what, flags) do {				\
	NEW_BAR_BUFFER(3, 3);						\
	ASSERT_EQ(0, edu_attach(self->edu.fd, self->buf, flags));	\
	SWEEP(what,							\
	      ASSERT_EQ(0, bar_move(self->bar.fd, self->buf,		\
				    DMA_BUF_BAR_PLACE_BAR)),		\
	      edu_map(self->edu.fd), edu_unmap(self->edu.fd));		\
} while (0)

TEST_F_TIMEOUT(nth, map_one_range, 600)
{
	NEW_BAR_BUFFER(3, 1);
	SWEEP_MAP("map one range of a BAR");
}

TEST_F_TIMEOUT(nth, map_ranges, 600)
{
	NEW_BAR_BUFFER(3, 3);
	SWEEP_MAP("map three ranges of a BAR");
}

TEST_F_TIMEOUT(nth, map_many_ranges, 600)
{
	NEW_BAR_BUFFER(600, 600);
	SWEEP_MAP("map 600 ranges of a BAR");
}

TEST_F_TIMEOUT(nth, map_system, 600)
{
	NEW_BAR_BUFFER(600, 1);
	ASSERT_EQ(0, bar_move(self->bar.fd, self->buf, DMA_BUF_BAR_PLACE_SYSTEM));
	SWEEP_MAP("map 600 pages of system memory");
}

TEST_F_TIMEOUT(nth, map_and_move, 600)
{
	SWEEP_MAP_MOVING("map that moves to system memory",
			 DMA_BUF_EDU_NO_PEER2PEER);
}

TEST_F_TIMEOUT(nth, map_static, 600)
{
	SWEEP_MAP_MOVING("map by a static importer", DMA_BUF_EDU_STATIC);
}

TEST_F_TIMEOUT(nth, move_under_an_importer, 600)
{
	NEW_BAR_BUFFER(8, 4);
	ASSERT_EQ(0, edu_attach(self->edu.fd, self->buf, 0));
	SWEEP("move to system memory",
	      ASSERT_EQ(0, bar_move(self->bar.fd, self->buf, DMA_BUF_BAR_PLACE_BAR) ?:
			   edu_map(self->edu.fd)),
	      bar_move(self->bar.fd, self->buf, DMA_BUF_BAR_PLACE_SYSTEM),
	      edu_unmap(self->edu.fd));
	SWEEP("move to the BAR",
	      ASSERT_EQ(0, bar_move(self->bar.fd, self->buf, DMA_BUF_BAR_PLACE_SYSTEM) ?:
			   edu_map(self->edu.fd)),
	      bar_move(self->bar.fd, self->buf, DMA_BUF_BAR_PLACE_BAR),
	      edu_unmap(self->edu.fd));
}

TEST_F_TIMEOUT(nth, dma, 600)
{
	NEW_BAR_BUFFER(3, 3);
	ASSERT_EQ(0, edu_attach(self->edu.fd, self->buf, 0));
	SWEEP("map and DMA", NOTHING,
	      edu_write(self->edu.fd, PAGE - 8, want + PAGE - 8, 16),
	      edu_unmap(self->edu.fd));
}

/* Whoever lets go may not be told that this needs memory. */
TEST_F_TIMEOUT(nth, letting_go_cannot_fail, 600)
{
	NEW_BAR_BUFFER(3, 3);
	SWEEP("unmap", ASSERT_EQ(0, edu_attach(self->edu.fd, self->buf, 0) ?:
				    edu_map(self->edu.fd)),
	      edu_unmap(self->edu.fd), detach(self->edu.fd));
	SWEEP("detach", ASSERT_EQ(0, edu_attach(self->edu.fd, self->buf, 0) ?:
				     edu_map(self->edu.fd)),
	      detach(self->edu.fd), NOTHING);
}

static int vmap_once(int buf)
{
	int fd = open("/dev/dma-buf-vmap-test", O_RDWR | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = p2p_errno(ioctl(fd, DMA_BUF_VMAP, buf));
	close(fd);
	return ret < 0 ? ret : 0;
}

TEST_F_TIMEOUT(nth, vmap, 600)
{
	NEW_BAR_BUFFER(8, 4);
	SWEEP("vmap of the BAR", NOTHING, vmap_once(self->buf), NOTHING);
	ASSERT_EQ(0, bar_move(self->bar.fd, self->buf, DMA_BUF_BAR_PLACE_SYSTEM));
	SWEEP("vmap of system memory", NOTHING, vmap_once(self->buf), NOTHING);
}

/* Page faults that find no memory are tried again. */
static int map_and_touch(int buf, size_t size)
{
	char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, buf, 0);

	if (map == MAP_FAILED)
		return -errno;
	got[0] = *map;
	munmap(map, size);
	return 0;
}

TEST_F_TIMEOUT(nth, mmap, 600)
{
	NEW_BAR_BUFFER(8, 4);
	SWEEP("mmap and fault", NOTHING, map_and_touch(self->buf, self->size),
	      NOTHING);
}

TEST_F_TIMEOUT(nth, udmabuf, 600)
{
	int memfd;

	if (access("/dev/udmabuf", R_OK))
		SKIP(return, "no /dev/udmabuf");
	self->size = 64 * PAGE;
	/* A new one each time, so that it has no pages yet. */
	SWEEP("export of a memfd",
	      ASSERT_LE(0, memfd = udmabuf_memfd(self->size, 0)),
	      closes(udmabuf_alloc(memfd, self->size, self->size)), close(memfd));
	memfd = udmabuf_memfd(self->size, 0);
	NEW_BUFFER(udmabuf_alloc(memfd, self->size, self->size));
	close(memfd);
	SWEEP_MAP("map a memfd");
}

TEST_F_TIMEOUT(nth, heap, 600)
{
	if (access("/dev/dma_heap/system", R_OK))
		SKIP(return, "no /dev/dma_heap/system");
	self->size = 64 * PAGE;
	SWEEP("export of the system heap", NOTHING,
	      closes(heap_alloc("system", self->size)), NOTHING);
	NEW_BUFFER(heap_alloc("system", self->size));
	SWEEP_MAP("map the system heap");
}

TEST_HARNESS_MAIN
