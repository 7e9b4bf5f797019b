// SPDX-License-Identifier: GPL-2.0
/*
 * The dma-buf samples, and with them the core between them: bytes through every
 * place a buffer can be in, the records that tell of it, and bad input
 */
#define _GNU_SOURCE

#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/wait.h>

#include "p2p.h"
#include "../kselftest_harness.h"

#define NR_RANGES	3

/*
 * Of each page its two ends are looked at, which is all of a page of 4 KiB: the
 * device takes seconds for one of 64 KiB.
 */
#define PIECE		2048
#define NR_PIECES	(2 * NR_RANGES)
#define LOOK		(NR_PIECES * PIECE)

FIXTURE(p2p) {
	struct p2p_dev bar, edu;
	struct p2p_map where;
	size_t page, size;
	int buf;
	char *map;
	char want[LOOK], got[LOOK];
};

FIXTURE_SETUP(p2p)
{
	self->page = sysconf(_SC_PAGESIZE);
	self->size = NR_RANGES * self->page;
	self->buf = -1;
	self->map = MAP_FAILED;
	if (p2p_open(&self->bar, BAR_NODES) < 0)
		SKIP(return, "no " BAR_NODES "*, is dma-buf-bar loaded?");
	if (p2p_open(&self->edu, EDU_NODES) < 0)
		SKIP(return, "no " EDU_NODES "*, is dma-buf-edu loaded?");

	self->buf = bar_alloc(self->bar.fd, self->size, NR_RANGES);
	ASSERT_GE(self->buf, 0);
	self->map = mmap(NULL, self->size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->buf, 0);
	ASSERT_TRUE(self->map != MAP_FAILED);
}

FIXTURE_TEARDOWN(p2p)
{
	if (self->map != MAP_FAILED)
		munmap(self->map, self->size);
	close(self->buf);
	close(self->edu.fd);
	close(self->bar.fd);
}

static size_t piece_at(size_t page, int i)
{
	return i / 2 * page + (i % 2 ? page - PIECE : 0);
}

/* Reads or writes the pieces as the CPU sees them. */
static int cpu_pieces(int buf, char *map, size_t page, char *data, bool write)
{
	unsigned int flags = write ? DMA_BUF_SYNC_WRITE : DMA_BUF_SYNC_READ;
	int i, ret = p2p_sync(buf, DMA_BUF_SYNC_START | flags);

	for (i = 0; i < NR_PIECES && !ret; i++, data += PIECE) {
		char *at = map + piece_at(page, i);

		memcpy(write ? at : data, write ? data : at, PIECE);
	}
	return ret ?: p2p_sync(buf, DMA_BUF_SYNC_END | flags);
}

/* The same for the device */
static int edu_pieces(int edu, size_t page, char *data, unsigned int flags)
{
	int i, ret = 0;

	for (i = 0; i < NR_PIECES && !ret; i++, data += PIECE)
		ret = edu_dma(edu, piece_at(page, i), data, PIECE, flags);
	return ret;
}

#define CPU_READ(buf, map)	cpu_pieces(buf, map, self->page, self->got, false)
#define CPU_WRITE(buf, map)	cpu_pieces(buf, map, self->page, self->want, true)
#define EDU_READ(fd)		edu_pieces(fd, self->page, self->got, 0)
#define EDU_WRITE(fd)		edu_pieces(fd, self->page, self->want,	\
					   DMA_BUF_EDU_WRITE)

#define EXPECT_SAME()		EXPECT_EQ(0, memcmp(self->want, self->got, LOOK))

/* Random bytes in both directions, all of them compared. */
#define EXPECT_BYTES(buf, map) do {					\
	p2p_random(self->want, LOOK);					\
	ASSERT_EQ(0, CPU_WRITE(buf, map));				\
	ASSERT_EQ(0, EDU_READ(self->edu.fd));				\
	EXPECT_SAME();							\
	p2p_random(self->want, LOOK);					\
	ASSERT_EQ(0, EDU_WRITE(self->edu.fd));				\
	ASSERT_EQ(0, CPU_READ(buf, map));				\
	EXPECT_SAME();							\
} while (0)

/* The importer, fdinfo and what the test expects are of one mind. */
#define EXPECT_INFO(buf, info) do {					\
	ASSERT_EQ(0, edu_query(self->edu.fd, &(info)));			\
	EXPECT_TRUE(p2p_fdinfo_agrees(buf, self->edu.pci, &(info),	\
				      &self->where));			\
} while (0)

TEST_F(p2p, bytes_arrive_wherever_the_buffer_is)
{
	struct dma_buf_edu_info info;

	ASSERT_EQ(0, edu_attach(self->edu.fd, self->buf, 0));
	EXPECT_BYTES(self->buf, self->map);
	EXPECT_INFO(self->buf, info);
	/* Either it reaches the BAR, or it got system memory and knows why. */
	EXPECT_EQ(info.peer2peer, info.peer);
	EXPECT_STREQ(info.reason, self->where.reason);
	EXPECT_EQ(info.npages, NR_RANGES);
}

static int edu_copy(int edu, const void *from, void *to, size_t len)
{
	struct dma_buf_edu_copy arg = {
		.from = (unsigned long)from, .to = (unsigned long)to, .len = len,
	};

	return p2p_errno(ioctl(edu, DMA_BUF_EDU_COPY, &arg));
}

/* Without a dma-buf: the device copies from page to page, and nothing else changes. */
TEST_F(p2p, user_memory_is_copied)
{
	size_t page = self->page, at = page - 300, from = page - 2500, len = 5000;
	char *map = mmap(NULL, 8 * page, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *want = malloc(8 * page);
	int ret;

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_NE(NULL, want);
	p2p_random(map, 8 * page);
	memcpy(want, map, 8 * page);
	ret = edu_copy(self->edu.fd, map + from, map + 4 * page + at, len);
	if (ret) {
		EXPECT_EQ(-EREMOTEIO, ret);
		EXPECT_EQ(0, memcmp(want, map, 8 * page));
		SKIP(return, "the device is not coherent, or reaches no such memory");
	}
	memcpy(want + 4 * page + at, map + from, len);
	EXPECT_EQ(0, memcmp(want, map, 8 * page));
	EXPECT_EQ(-EINVAL, edu_copy(self->edu.fd, map, map + len - 1, len));
	EXPECT_EQ(-EINVAL, edu_copy(self->edu.fd, map, map + len, 0));
	ASSERT_EQ(0, mprotect(map + 5 * page, page, PROT_READ));
	EXPECT_EQ(-EFAULT, edu_copy(self->edu.fd, map + from, map + 4 * page + at, len));
	EXPECT_EQ(-EFAULT, edu_copy(self->edu.fd, map, (void *)-16UL, len));
	EXPECT_EQ(0, memcmp(want, map, 8 * page));
	munmap(map, 8 * page);
	free(want);
}

/* Whoever has the descriptor may ask first, and is told the truth. */
TEST_F(p2p, answer_comes_true)
{
	struct dma_buf_query_reach answer;
	struct dma_buf_edu_info info;
	char text[4096];

	ASSERT_EQ(0, p2p_ask_as_nobody(self->buf, self->edu.pci, 0, &answer));
	EXPECT_EQ(sizeof(answer), answer.size);
	ASSERT_EQ(0, p2p_fdinfo(self->buf, text, sizeof(text)));
	EXPECT_EQ(NULL, strstr(text, "\nattach:"));

	ASSERT_EQ(0, edu_attach(self->edu.fd, self->buf, 0));
	EXPECT_BYTES(self->buf, self->map);
	EXPECT_INFO(self->buf, info);
	EXPECT_TRUE(p2p_came_true(&answer, info.reason, &self->where, info.nr_ranges));
	/* Now that it was mapped the kernel knows more of the memory. */
	ASSERT_EQ(0, p2p_ask_as_nobody(self->buf, self->edu.pci, 0, &answer));
	EXPECT_TRUE(p2p_came_true(&answer, info.reason, &self->where, info.nr_ranges));
}

TEST_F(p2p, answer_for_a_lesser_importer_comes_true)
{
	struct dma_buf_query_reach answer;
	struct dma_buf_edu_info info;

	ASSERT_EQ(0, p2p_ask(self->buf, self->edu.pci, DMA_BUF_REACH_NO_PEER2PEER,
			     &answer));
	EXPECT_EQ(DMA_BUF_P2P_IMPORTER, answer.reason);
	ASSERT_EQ(0, edu_attach(self->edu.fd, self->buf, DMA_BUF_EDU_NO_PEER2PEER));
	EXPECT_BYTES(self->buf, self->map);
	EXPECT_INFO(self->buf, info);
	EXPECT_TRUE(p2p_came_true(&answer, info.reason, &self->where, info.nr_ranges));
}

/* A failed mapping hides none that there is, and a forged one is none. */
TEST_F(p2p, name_forges_no_importer)
{
	char text[4096], name[32];

	snprintf(name, sizeof(name), "a\nmap:\t%.20s x", self->edu.pci);
	ASSERT_EQ(0, ioctl(self->buf, DMA_BUF_SET_NAME_B, name));
	ASSERT_EQ(0, p2p_fdinfo(self->buf, text, sizeof(text)));
	EXPECT_EQ(NULL, strstr(text, "\nmap:"));
	EXPECT_NE(NULL, strstr(text, "\nname:\ta\\012map:\\011"));
	ASSERT_EQ(0, edu_attach(self->edu.fd, self->buf, 0));
	EXPECT_BYTES(self->buf, self->map);
	ASSERT_EQ(0, p2p_fdinfo(self->buf, text, sizeof(text)));
	EXPECT_NE(NULL, strstr(text, "\nmap:"));
}

/* In a user namespace of its own: what came of it, but not whose device it is. */
TEST_F(p2p, container_sees_no_device)
{
	struct dma_buf_query_reach answer;
	char text[4096];
	int status;
	pid_t pid;

	ASSERT_EQ(0, edu_attach(self->edu.fd, self->buf, 0));
	EXPECT_BYTES(self->buf, self->map);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		if (unshare(CLONE_NEWUSER))
			_exit(4);
		if (p2p_ask(self->buf, self->edu.pci, 0, &answer) != -EPERM)
			_exit(1);
		if (p2p_fdinfo(self->buf, text, sizeof(text)) ||
		    strstr(text, self->edu.pci))
			_exit(2);
		_exit(strstr(text, "\nattach:\t- peer2peer=") &&
		      strstr(text, "\nmap:\t- memory=") ? 0 : 3);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	if (WEXITSTATUS(status) == 4)
		SKIP(return, "no user namespaces");
	EXPECT_EQ(0, WEXITSTATUS(status));
}

TEST_F(p2p, bytes_arrive_at_each_end_and_border)
{
	char data[4], got[4];
	size_t i;

	ASSERT_EQ(0, edu_attach(self->edu.fd, self->buf, 0));
	p2p_random(self->want, LOOK);
	ASSERT_EQ(0, CPU_WRITE(self->buf, self->map));
	for (i = 0; i <= NR_RANGES; i++) {
		size_t at = i * self->page - (i ? 2 : 0);
		size_t len = i && i < NR_RANGES ? 4 : 2;

		p2p_random(data, len);
		memcpy(self->want + 2 * i * PIECE - (i ? 2 : 0), data, len);
		ASSERT_EQ(0, edu_write(self->edu.fd, at, data, len));
		ASSERT_EQ(0, edu_read(self->edu.fd, at, got, len));
		EXPECT_EQ(0, memcmp(got, data, len));
	}
	ASSERT_EQ(0, CPU_READ(self->buf, self->map));
	EXPECT_SAME();
}

TEST_F(p2p, importer_without_the_flag_gets_system_memory)
{
	struct dma_buf_edu_info info;

	ASSERT_EQ(0, edu_attach(self->edu.fd, self->buf,
				DMA_BUF_EDU_NO_PEER2PEER));
	EXPECT_BYTES(self->buf, self->map);
	EXPECT_INFO(self->buf, info);
	EXPECT_EQ(0, info.peer2peer);
	EXPECT_EQ(0, info.peer);
	EXPECT_STREQ("importer", self->where.reason);
}

TEST_F(p2p, static_importer_gets_system_memory)
{
	struct dma_buf_edu_info info;

	ASSERT_EQ(0, edu_attach(self->edu.fd, self->buf, DMA_BUF_EDU_STATIC));
	EXPECT_BYTES(self->buf, self->map);
	EXPECT_INFO(self->buf, info);
	EXPECT_EQ(0, info.peer);
	/* Pinned while it is mapped, so it cannot move away. */
	EXPECT_EQ(-EBUSY, bar_move(self->bar.fd, self->buf,
				   DMA_BUF_BAR_PLACE_BAR));
}

TEST_F(p2p, importer_that_cannot_give_back_gets_system_memory)
{
	struct dma_buf_edu_info info;

	ASSERT_EQ(0, edu_attach(self->edu.fd, self->buf,
				DMA_BUF_EDU_NO_INVALIDATE | DMA_BUF_EDU_PIN));
	EXPECT_BYTES(self->buf, self->map);
	EXPECT_INFO(self->buf, info);
	EXPECT_EQ(0, info.peer2peer);
	EXPECT_EQ(0, info.peer);
	EXPECT_STREQ("not-revocable", info.reason);
}

TEST_F(p2p, pinned_buffer_stays)
{
	ASSERT_EQ(0, edu_attach(self->edu.fd, self->buf, DMA_BUF_EDU_PIN));
	EXPECT_BYTES(self->buf, self->map);
	EXPECT_EQ(-EBUSY, bar_move(self->bar.fd, self->buf,
				   DMA_BUF_BAR_PLACE_SYSTEM) ?:
			  bar_move(self->bar.fd, self->buf,
				   DMA_BUF_BAR_PLACE_BAR));
	EXPECT_EQ(0, ioctl(self->edu.fd, DMA_BUF_EDU_DETACH));
	EXPECT_EQ(0, bar_move(self->bar.fd, self->buf,
			      DMA_BUF_BAR_PLACE_SYSTEM));
}

TEST_F(p2p, buffer_is_pinned_where_all_importers_reach_it)
{
	struct p2p_dev other;

	ASSERT_EQ(0, p2p_open(&other, EDU_NODES));
	ASSERT_EQ(0, edu_attach(other.fd, self->buf, DMA_BUF_EDU_NO_PEER2PEER));
	ASSERT_EQ(0, edu_attach(self->edu.fd, self->buf, DMA_BUF_EDU_PIN));
	EXPECT_BYTES(self->buf, self->map);
	ASSERT_EQ(0, EDU_READ(other.fd));
	EXPECT_SAME();
	close(other.fd);
}

TEST_F(p2p, contents_follow_a_move_under_an_importer)
{
	enum dma_buf_bar_place places[] = {
		DMA_BUF_BAR_PLACE_SYSTEM, DMA_BUF_BAR_PLACE_BAR,
		DMA_BUF_BAR_PLACE_SYSTEM,
	};
	struct dma_buf_edu_info info;
	size_t i;

	ASSERT_EQ(0, edu_attach(self->edu.fd, self->buf, 0));
	EXPECT_BYTES(self->buf, self->map);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, bar_move(self->bar.fd, self->buf, places[i]));
		/* self->want is what was there before the move. */
		ASSERT_EQ(0, CPU_READ(self->buf, self->map));
		EXPECT_SAME();
		ASSERT_EQ(0, EDU_READ(self->edu.fd));
		EXPECT_SAME();
		EXPECT_INFO(self->buf, info);
		if (info.peer2peer) {
			EXPECT_EQ(info.peer, places[i] == DMA_BUF_BAR_PLACE_BAR);
			EXPECT_EQ(info.invalidations, i + 1);
		}
	}
}

static int vmap_copy(int fd, unsigned long cmd, void *data, size_t offset,
		     size_t len)
{
	struct dma_buf_vmap_copy arg = {
		.offset = offset, .data = (unsigned long)data, .len = len,
	};

	return p2p_errno(ioctl(fd, cmd, &arg));
}

TEST_F(p2p, kernel_mapping_works_in_both_places)
{
	int place;

	for (place = 0; place < 2; place++) {
		int fd = open("/dev/dma-buf-vmap-test", O_RDWR);

		if (fd < 0)
			SKIP(return, "no /dev/dma-buf-vmap-test");
		ASSERT_EQ(0, bar_move(self->bar.fd, self->buf, place));
		p2p_random(self->want, PIECE);
		/* The memory of a device, or not. */
		EXPECT_EQ(place == DMA_BUF_BAR_PLACE_BAR,
			  p2p_errno(ioctl(fd, DMA_BUF_VMAP, self->buf)));
		EXPECT_EQ(0, vmap_copy(fd, DMA_BUF_VMAP_WRITE, self->want,
				       self->page, PIECE));
		EXPECT_EQ(0, memcmp(self->map + self->page, self->want, PIECE));
		EXPECT_EQ(0, vmap_copy(fd, DMA_BUF_VMAP_READ, self->got,
				       self->page, PIECE));
		EXPECT_EQ(0, memcmp(self->got, self->want, PIECE));
		/* It cannot move away from under the kernel. */
		EXPECT_EQ(-EBUSY, bar_move(self->bar.fd, self->buf, !place));
		close(fd);
	}
}

/* Of an exporter that has nothing but system memory */
#define EXPECT_IMPORTED(new_fd) do {					\
	int buf = (new_fd);						\
	struct dma_buf_edu_info info;					\
	char *map;							\
									\
	ASSERT_GE(buf, 0);						\
	map = mmap(NULL, self->size, PROT_READ | PROT_WRITE, MAP_SHARED, \
		   buf, 0);						\
	ASSERT_TRUE(map != MAP_FAILED);				\
	ASSERT_EQ(0, edu_attach(self->edu.fd, buf, 0));			\
	EXPECT_BYTES(buf, map);						\
	EXPECT_INFO(buf, info);						\
	EXPECT_EQ(0, info.peer);					\
	EXPECT_STREQ("exporter", self->where.reason); \
} while (0)

TEST_F(p2p, udmabuf_is_imported)
{
	int memfd = udmabuf_memfd(self->size, 0);

	if (access("/dev/udmabuf", R_OK))
		SKIP(return, "no /dev/udmabuf");
	EXPECT_IMPORTED(udmabuf_alloc(memfd, self->size, self->size));
}

TEST_F(p2p, heap_is_imported_from_system_memory)
{
	if (access("/dev/dma_heap/system", R_OK))
		SKIP(return, "no /dev/dma_heap/system");
	EXPECT_IMPORTED(heap_alloc("system", self->size));
}

TEST_F(p2p, bad_allocations_are_refused)
{
	EXPECT_EQ(-EINVAL, bar_alloc(self->bar.fd, 0, 1));
	EXPECT_EQ(-EINVAL, bar_alloc(self->bar.fd, self->page + 1, 1));
	EXPECT_EQ(-EINVAL, bar_alloc(self->bar.fd, self->page, 0));
	EXPECT_EQ(-EINVAL, bar_alloc(self->bar.fd, self->page, 2));
	EXPECT_EQ(-ENOSPC, bar_alloc(self->bar.fd, 1UL << 40, 1));
	EXPECT_GT(0, bar_alloc(self->bar.fd, -self->page, 1));
	EXPECT_EQ(-1, ioctl(self->bar.fd, DMA_BUF_EDU_DETACH));
	EXPECT_EQ(ENOTTY, errno);
}

TEST_F(p2p, bad_moves_are_refused)
{
	EXPECT_EQ(-EBADF, bar_move(self->bar.fd, -1, DMA_BUF_BAR_PLACE_BAR));
	EXPECT_EQ(-EINVAL, bar_move(self->bar.fd, self->bar.fd,
				    DMA_BUF_BAR_PLACE_BAR));
	EXPECT_EQ(-EINVAL, bar_move(self->bar.fd, self->buf, 2));
	EXPECT_EQ(0, bar_move(self->bar.fd, self->buf, DMA_BUF_BAR_PLACE_BAR));
}

TEST_F(p2p, bad_imports_are_refused)
{
	EXPECT_EQ(-ENOTCONN, edu_read(self->edu.fd, 0, self->got, 1));
	EXPECT_EQ(-EBADF, edu_attach(self->edu.fd, -1, 0));
	EXPECT_EQ(-EINVAL, edu_attach(self->edu.fd, self->edu.fd, 0));
	EXPECT_EQ(-EINVAL, edu_attach(self->edu.fd, self->buf, 1U << 31));
	ASSERT_EQ(0, edu_attach(self->edu.fd, self->buf, 0));
	EXPECT_EQ(-EBUSY, edu_attach(self->edu.fd, self->buf, 0));
}

static int edu_raw(int edu, unsigned long offset, void *data, unsigned int len,
		   unsigned int flags, unsigned long reserved)
{
	struct dma_buf_edu_dma arg = {
		.offset = offset, .data = (unsigned long)data, .len = len,
		.flags = flags, .reserved = reserved,
	};

	return p2p_errno(ioctl(edu, DMA_BUF_EDU_DMA, &arg));
}

TEST_F(p2p, bad_transfers_are_refused_and_change_nothing)
{
	int edu = self->edu.fd;

	ASSERT_EQ(0, edu_attach(edu, self->buf, 0));
	EXPECT_BYTES(self->buf, self->map);
	p2p_random(self->got, LOOK);
	EXPECT_EQ(-EINVAL, edu_raw(edu, 0, self->got, 0, 1, 0));
	EXPECT_EQ(-EINVAL, edu_raw(edu, 0, self->got, 4096, 1, 0));
	EXPECT_EQ(-EINVAL, edu_raw(edu, self->size, self->got, 1, 1, 0));
	EXPECT_EQ(-EINVAL, edu_raw(edu, self->size - 1, self->got, 2, 1, 0));
	EXPECT_EQ(-EINVAL, edu_raw(edu, -1UL, self->got, 2, 1, 0));
	EXPECT_EQ(-EINVAL, edu_raw(edu, 0, self->got, 1, 1U << 31, 0));
	EXPECT_EQ(-EINVAL, edu_raw(edu, 0, self->got, 1, 1, 1));
	EXPECT_EQ(-EFAULT, edu_raw(edu, 0, NULL, 1, 1, 0));
	ASSERT_EQ(0, CPU_READ(self->buf, self->map));
	EXPECT_SAME();
}

static sigjmp_buf fault;

static void on_fault(int sig)
{
	siglongjmp(fault, 1);
}

static void import_until_killed(int buf, size_t page)
{
	char data[LOOK];
	struct p2p_dev edu;

	if (p2p_open(&edu, EDU_NODES) || edu_attach(edu.fd, buf, 0))
		exit(1);
	while (!edu_pieces(edu.fd, page, data, 0))
		;
	exit(1);
}

/* In the middle of DMA, most likely: that takes most of the time. */
TEST_F(p2p, killed_importer_lets_go)
{
	char text[4096] = "";
	int i, status;
	pid_t pid;

	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid)
		import_until_killed(self->buf, self->page);
	for (i = 0; i < 1000 && !strstr(text, "\nmap:"); i++) {
		usleep(10000);
		ASSERT_EQ(0, p2p_fdinfo(self->buf, text, sizeof(text)));
	}
	EXPECT_NE(NULL, strstr(text, "\nmap:"));
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));

	ASSERT_EQ(0, p2p_fdinfo(self->buf, text, sizeof(text)));
	EXPECT_EQ(NULL, strstr(text, "\nattach:"));
	ASSERT_EQ(0, edu_attach(self->edu.fd, self->buf, 0));
	EXPECT_BYTES(self->buf, self->map);
}

/* The last ones, since they take devices away. */
TEST_F(p2p, unplugged_importer_lets_go)
{
	ASSERT_EQ(0, edu_attach(self->edu.fd, self->buf, 0));
	EXPECT_BYTES(self->buf, self->map);
	ASSERT_EQ(0, p2p_pci_write(self->edu.pci, "remove", "1"));
	EXPECT_EQ(-ENODEV, edu_read(self->edu.fd, 0, self->got, 1));
	ASSERT_EQ(0, CPU_READ(self->buf, self->map));
	EXPECT_SAME();
	close(self->edu.fd);
	ASSERT_EQ(0, p2p_pci_write(NULL, "rescan", "1"));
	ASSERT_EQ(0, p2p_open(&self->edu, EDU_NODES));
	ASSERT_EQ(0, edu_attach(self->edu.fd, self->buf, 0));
	EXPECT_BYTES(self->buf, self->map);
}

TEST_F(p2p, unplugged_exporter_takes_everything_back)
{
	struct dma_buf_edu_info info;
	int ret;

	ASSERT_EQ(0, edu_attach(self->edu.fd, self->buf, 0));
	EXPECT_BYTES(self->buf, self->map);
	ASSERT_EQ(0, edu_query(self->edu.fd, &info));
	ASSERT_EQ(0, p2p_pci_write(self->bar.pci, "remove", "1"));
	EXPECT_EQ(-ENODEV, bar_alloc(self->bar.fd, self->page, 1));

	ret = EDU_READ(self->edu.fd);
	if (info.peer) {
		char text[4096];

		/* What was in the BAR is gone, and nobody sees anything else. */
		EXPECT_EQ(-ENODEV, ret);
		signal(SIGBUS, on_fault);
		if (!sigsetjmp(fault, 1)) {
			*self->got = *self->map;
			TH_LOG("no SIGBUS");
			EXPECT_TRUE(false);
		}
		signal(SIGBUS, SIG_DFL);
		EXPECT_EQ(0, ioctl(self->edu.fd, DMA_BUF_EDU_DETACH));
		EXPECT_EQ(-ENODEV, edu_attach(self->edu.fd, self->buf, 0));
		ASSERT_EQ(0, p2p_fdinfo(self->buf, text, sizeof(text)));
		EXPECT_NE(NULL, strstr(text, "\nrefused:\t"));
		EXPECT_NE(NULL, strstr(text, "revoked by the exporter"));
	} else {
		/* And what was in system memory outlives the device. */
		EXPECT_EQ(0, ret);
		EXPECT_SAME();
	}
	close(self->bar.fd);
	ASSERT_EQ(0, p2p_pci_write(NULL, "rescan", "1"));
	ASSERT_EQ(0, p2p_open(&self->bar, BAR_NODES));
}

TEST_HARNESS_MAIN
