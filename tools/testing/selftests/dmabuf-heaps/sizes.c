// SPDX-License-Identifier: GPL-2.0
/*
 * Sizes that no buffer has: each call fails with an error, the kernel warns of none,
 * and nobody but the caller pays for one that asks for more than there is.
 */
#define _GNU_SOURCE

#include <signal.h>
#include <stdint.h>

#include "p2p.h"
#include "../kselftest_harness.h"

/* Of /proc/meminfo, in KiB */
static long mem_kib(const char *field)
{
	char text[8192], *at;

	if (p2p_read_file("/proc/meminfo", text, sizeof(text)))
		return -1;
	at = strstr(text, field);
	return at ? atol(at + strlen(field)) : -1;
}

/* Has the kernel warned since kmsg_open()? */
static bool kernel_warned(int kmsg)
{
	char record[8192];
	ssize_t n;

	while (kmsg >= 0) {
		n = read(kmsg, record, sizeof(record) - 1);
		if (n < 0 && errno == EPIPE)
			continue;
		if (n <= 0)
			break;
		record[n] = 0;
		if (!(atoi(record) >> 3) &&
		    (strstr(record, "WARNING: ") || strstr(record, "BUG: ")))
			return true;
	}
	return false;
}

/* One piece, from wherever */
static int udmabuf_at(int memfd, uint64_t offset, uint64_t size)
{
	struct udmabuf_create arg = {
		.memfd = memfd, .flags = UDMABUF_FLAGS_CLOEXEC,
		.offset = offset, .size = size,
	};
	int dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC), ret;

	ret = dev < 0 ? -errno : p2p_errno(ioctl(dev, UDMABUF_CREATE, &arg));
	close(dev);
	return ret;
}

FIXTURE(sizes) {
	int kmsg;
};

FIXTURE_SETUP(sizes)
{
	self->kmsg = kmsg_open();
	if (self->kmsg < 0)
		SKIP(return, "takes root, to see what the kernel complains of");
}

FIXTURE_TEARDOWN(sizes)
{
	EXPECT_FALSE(kernel_warned(self->kmsg));
	close(self->kmsg);
}

/* A file with a hole and no memory: its arrays are as large as the caller says. */
TEST_F(sizes, udmabuf_of_terabytes)
{
	uint64_t huge = 1ULL << 41;
	int memfd;

	if (access("/dev/udmabuf", R_OK))
		SKIP(return, "no udmabuf");
	if (sizeof(long) < 8)
		SKIP(return, "no file is that large");
	memfd = udmabuf_memfd(huge, 0);
	ASSERT_GE(memfd, 0);
	EXPECT_LT(udmabuf_at(memfd, 0, huge), 0);
	EXPECT_LT(udmabuf_at(memfd, 0, ~0xfffULL), 0);
	EXPECT_LT(udmabuf_at(memfd, ~0xfffULL, 0x1000), 0);
	EXPECT_LT(udmabuf_at(memfd, 0, 0), 0);
	close(memfd);
}

TEST_F(sizes, heap_of_nothing_and_of_everything)
{
	int ret = heap_alloc("system", sysconf(_SC_PAGESIZE));

	if (ret == -ENOENT || ret == -EACCES)
		SKIP(return, "no system heap");
	ASSERT_GE(ret, 0);
	close(ret);
	EXPECT_LT(heap_alloc("system", 0), 0);
	EXPECT_LT(heap_alloc("system", ~(size_t)0), 0);
	EXPECT_LT(heap_alloc("system", -(size_t)4095), 0);
}

/* The caller may be killed for it, but nobody else, and the memory comes back. */
TEST_F_TIMEOUT(sizes, heap_of_more_than_there_is, 240)
{
	uint64_t len = ((uint64_t)mem_kib("MemTotal:") + 65536) << 10;
	long before = mem_kib("MemAvailable:"), after = 0;
	pid_t bystander, pid;
	int status, i;

	if (access("/dev/dma_heap/system", R_OK))
		SKIP(return, "no system heap");
	if (len > SIZE_MAX)
		SKIP(return, "no address space for that");
	bystander = fork();
	ASSERT_GE(bystander, 0);
	if (!bystander) {
		pause();
		_exit(0);
	}
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		p2p_write_file("/proc/self/oom_score_adj", "1000");
		_exit(heap_alloc("system", len) >= 0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status) || !WEXITSTATUS(status));
	EXPECT_EQ(0, waitpid(bystander, &status, WNOHANG));
	kill(bystander, SIGKILL);
	waitpid(bystander, &status, 0);

	for (i = 0; i < 100 && after < before - before / 10; i++) {
		usleep(100000);
		after = mem_kib("MemAvailable:");
	}
	EXPECT_GE(after, before - before / 10);
}

TEST_HARNESS_MAIN
