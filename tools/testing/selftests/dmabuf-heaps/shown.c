// SPDX-License-Identifier: GPL-2.0
/*
 * What a dma-buf tells of itself, to whom, and what it says to bad questions. Needs
 * udmabuf or the system heap, and any PCI device; no sample.
 */
#define _GNU_SOURCE

#include <dirent.h>
#include <sched.h>
#include <sys/prctl.h>
#include <time.h>

#include "p2p.h"
#include "../kselftest_harness.h"

FIXTURE(shown) {
	size_t size;
	int buf;
	char pci[32];
	char text[8192];
};

/* Any PCI device will do. */
static bool find_pci(char *name, size_t size)
{
	DIR *dir = opendir("/sys/bus/pci/devices");
	struct dirent *entry;
	bool found = false;

	while (dir && !found && (entry = readdir(dir))) {
		found = entry->d_name[0] != '.';
		if (found)
			snprintf(name, size, "%.31s", entry->d_name);
	}
	if (dir)
		closedir(dir);
	return found;
}

FIXTURE_SETUP(shown)
{
	int memfd;

	self->size = 3 * sysconf(_SC_PAGESIZE);
	memfd = udmabuf_memfd(2 * self->size, 0);
	self->buf = udmabuf_alloc(memfd, self->size, self->size / 3);
	close(memfd);
	if (self->buf < 0)
		self->buf = heap_alloc("system", self->size);
	if (self->buf < 0)
		SKIP(return, "neither udmabuf nor a heap");
	find_pci(self->pci, sizeof(self->pci));
}

FIXTURE_TEARDOWN(shown)
{
	close(self->buf);
}

/* How many lines begin like this? */
static int lines_of(const char *text, const char *key)
{
	int n = 0;

	while (text) {
		n += !strncmp(text, key, strlen(key));
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return n;
}

static int lines(const char *text)
{
	return lines_of(text, "");
}

#define FDINFO() ASSERT_EQ(0, p2p_fdinfo(self->buf, self->text, sizeof(self->text)))

TEST_F(shown, name_adds_and_forges_no_line)
{
	static const char * const names[] = {
		"a\nattach:\t0 peer2peer=yes", "a\nmap:\t0 memory=peer",
		"a\nrefused:\t0 error=-1", "a\nfailed:\t0 error=-1",
		"a\nexp_name:\tudmabuf", "a\nsize:\t0", "\nsize:\t1\n",
	};
	size_t i;
	int usual;

	ASSERT_EQ(0, ioctl(self->buf, DMA_BUF_SET_NAME_B, "plain"));
	FDINFO();
	usual = lines(self->text);
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		ASSERT_EQ(0, ioctl(self->buf, DMA_BUF_SET_NAME_B, names[i]));
		FDINFO();
		EXPECT_EQ(usual, lines(self->text));
		EXPECT_EQ(1, lines_of(self->text, "size:"));
		EXPECT_EQ(1, lines_of(self->text, "exp_name:"));
		EXPECT_EQ(0, lines_of(self->text, "attach:"));
		EXPECT_EQ(0, lines_of(self->text, "map:"));
		EXPECT_EQ(0, lines_of(self->text, "refused:"));
		EXPECT_EQ(0, lines_of(self->text, "failed:"));
	}
}

/* Each line is a key, a tab and ASCII, whatever bytes the name has. */
TEST_F(shown, every_byte_of_a_name_is_printable)
{
	int c;

	for (c = 1; c < 256; c++) {
		char name[] = { 'a', c, 'b', 0 }, want[32];
		size_t i;

		ASSERT_EQ(0, ioctl(self->buf, DMA_BUF_SET_NAME_B, name));
		FDINFO();
		if (c >= ' ' && c < 0x7f && c != '\\')
			snprintf(want, sizeof(want), "\nname:\ta%cb\n", c);
		else
			snprintf(want, sizeof(want), "\nname:\ta\\%03ob\n", c);
		EXPECT_NE(NULL, strstr(self->text, want));
		for (i = 0; self->text[i]; i++)
			if (self->text[i] != '\n' && self->text[i] != '\t' &&
			    (self->text[i] < ' ' || self->text[i] > '~'))
				break;
		EXPECT_EQ(0, self->text[i]);
	}
}

TEST_F(shown, name_is_in_no_trace_event)
{
	static const char path[] = "/sys/kernel/tracing/events/dma_buf/enable";
	static char trace[1 << 16];

	if (p2p_write_file(path, "1"))
		SKIP(return, "no tracefs, or not root");
	ASSERT_EQ(0, p2p_write_file("/sys/kernel/tracing/trace", "\n"));
	ASSERT_EQ(0, ioctl(self->buf, DMA_BUF_SET_NAME_B, "forged\nevent"));
	munmap(mmap(NULL, self->size, PROT_READ, MAP_SHARED, self->buf, 0), self->size);
	ASSERT_EQ(0, p2p_write_file(path, "0"));
	ASSERT_EQ(0, p2p_read_file("/sys/kernel/tracing/trace", trace, sizeof(trace)));
	EXPECT_NE(NULL, strstr(trace, "dma_buf_mmap"));
	EXPECT_EQ(NULL, strstr(trace, "forged"));
}

/* Others rename it, ask, and close copies of it; a reader gets whole records, soon. */
TEST_F(shown, reading_goes_on_while_others_are_busy)
{
	struct timespec start, end;
	double slowest = 0, took;
	pid_t pid[2];
	int i, status;

	for (i = 0; i < 2; i++) {
		pid[i] = fork();
		ASSERT_GE(pid[i], 0);
		/* Whatever becomes of the parent */
		if (!pid[i])
			prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (!pid[i]) {
			struct dma_buf_query_reach answer;

			ioctl(self->buf, DMA_BUF_SET_NAME_B, i ? "x\ny" : "");
			if (*self->pci)
				p2p_ask(self->buf, self->pci, 0, &answer);
			close(dup(self->buf));
		}
	}
	for (i = 0; i < 2000; i++) {
		clock_gettime(CLOCK_MONOTONIC, &start);
		FDINFO();
		clock_gettime(CLOCK_MONOTONIC, &end);
		took = end.tv_sec - start.tv_sec + (end.tv_nsec - start.tv_nsec) / 1e9;
		slowest = took > slowest ? took : slowest;
		ASSERT_EQ(1, lines_of(self->text, "size:"));
		ASSERT_EQ(1, lines_of(self->text, "count:"));
		ASSERT_EQ(1, lines_of(self->text, "exp_name:"));
		ASSERT_EQ(0, lines_of(self->text, "y"));
	}
	for (i = 0; i < 2; i++) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], &status, 0);
	}
	EXPECT_LT((int)slowest, 2);
}

#define QUERY(arg) p2p_errno(ioctl(self->buf, DMA_BUF_IOCTL_QUERY_REACH, arg))

TEST_F(shown, bad_questions_have_an_error_each)
{
	struct {
		struct dma_buf_query_reach arg;
		__u64 more[2];
	} big;
	struct dma_buf_query_reach good, arg;
	unsigned int domain, bus, dev, fn;

	if (sscanf(self->pci, "%x:%x:%x.%x", &domain, &bus, &dev, &fn) != 4)
		SKIP(return, "no PCI device");
	good = (struct dma_buf_query_reach) {
		.size = sizeof(good), .domain = domain, .bus = bus,
		.devfn = dev << 3 | fn,
	};

	EXPECT_EQ(-EFAULT, QUERY(NULL));
	arg = good;
	EXPECT_EQ(0, QUERY(&arg));
	EXPECT_EQ(sizeof(arg), arg.size);

	arg = good;
	arg.size = 0;
	EXPECT_EQ(-EINVAL, QUERY(&arg));
	arg = good;
	arg.size = DMA_BUF_QUERY_REACH_SIZE_VER0 - 1;
	EXPECT_EQ(-EINVAL, QUERY(&arg));
	arg = good;
	arg.size = 1 << 20;
	EXPECT_EQ(-E2BIG, QUERY(&arg));
	arg = good;
	arg.flags = DMA_BUF_REACH_VALID_FLAGS_MASK + 1;
	EXPECT_EQ(-EINVAL, QUERY(&arg));
	arg = good;
	arg.reserved = 1;
	EXPECT_EQ(-EINVAL, QUERY(&arg));
	arg = good;
	arg.domain = 0xffffffff;
	EXPECT_EQ(-ENODEV, QUERY(&arg));

	/* A program that is newer than the kernel, and one that wants too much */
	memset(&big, 0, sizeof(big));
	big.arg = good;
	big.arg.size = sizeof(big);
	EXPECT_EQ(0, QUERY(&big));
	EXPECT_EQ(sizeof(big.arg), big.arg.size);
	EXPECT_EQ(0, big.more[0] | big.more[1]);
	big.arg = good;
	big.arg.size = sizeof(big);
	big.more[1] = 1;
	EXPECT_EQ(-E2BIG, QUERY(&big));
}

TEST_F(shown, anybody_may_ask)
{
	struct dma_buf_query_reach answer;

	if (!*self->pci)
		SKIP(return, "no PCI device");
	ASSERT_EQ(0, geteuid() ? p2p_ask(self->buf, self->pci, 0, &answer) :
		     p2p_ask_as_nobody(self->buf, self->pci, 0, &answer));
	EXPECT_EQ(DMA_BUF_P2P_EXPORTER, answer.reason);
	EXPECT_TRUE(answer.memory == DMA_BUF_MEMORY_SYSTEM ||
		    answer.memory == DMA_BUF_MEMORY_BOUNCED);

	ASSERT_EQ(0, p2p_ask(self->buf, self->pci, DMA_BUF_REACH_NO_PEER2PEER, &answer));
	EXPECT_EQ(DMA_BUF_P2P_IMPORTER, answer.reason);
}

TEST_F(shown, container_may_not_ask)
{
	struct dma_buf_query_reach answer;
	int status;
	pid_t pid;

	if (!*self->pci)
		SKIP(return, "no PCI device");
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		if (unshare(CLONE_NEWUSER))
			_exit(4);
		_exit(p2p_ask(self->buf, self->pci, 0, &answer) != -EPERM);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	if (WEXITSTATUS(status) == 4)
		SKIP(return, "no user namespaces");
	EXPECT_EQ(0, WEXITSTATUS(status));
}

/* Without the descriptor, and without the right to trace who has it */
TEST_F(shown, lesser_user_sees_nothing)
{
	char path[64], byte;
	int status;
	pid_t pid;

	if (geteuid())
		SKIP(return, "takes root to become somebody else");
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", getpid(), self->buf);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		int fd;

		close(self->buf);
		if (setgroups(0, NULL) || setresgid(65534, 65534, 65534) ||
		    setresuid(65534, 65534, 65534))
			_exit(1);
		fd = open(path, O_RDONLY);
		if (fd >= 0 && read(fd, &byte, 1) >= 0)
			_exit(2);
		_exit(open("/sys/kernel/debug/dma_buf/bufinfo", O_RDONLY) >= 0 ? 3 : 0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
}

TEST_HARNESS_MAIN
