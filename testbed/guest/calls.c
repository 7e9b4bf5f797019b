// SPDX-License-Identifier: GPL-2.0
/*
 * Each call that a dma-buf, a sync_file, a heap or udmabuf has, with the arguments that
 * programs do not give: wrong ones fail with their errno, and what waits for a fence
 * waits until it signals. Then the same with each allocation failing, and without a
 * descriptor that is free. For coverage.sh: sw_sync taints the kernel.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "guest.h"
#include "../../tools/testing/selftests/dmabuf-heaps/p2p-debug.h"

#include <linux/sync_file.h>

#define SYNC	"/sys/kernel/debug/sync/"
#define BAD	((void *)8UL)

/* Not in any header, see drivers/dma-buf/sw_sync.c */
struct sw_sync_create { __u32 value; char name[32]; __s32 fence; };
struct sw_sync_deadline { __u64 deadline_ns; __u32 pad; __s32 fence_fd; };
#define SW_SYNC_CREATE		_IOWR('W', 0, struct sw_sync_create)
#define SW_SYNC_INC		_IOW('W', 1, __u32)
#define SW_SYNC_DEADLINE	_IOWR('W', 2, struct sw_sync_deadline)

static void try(const char *what, int want, int fd, unsigned long request, void *arg)
{
	int ret = p2p_errno(ioctl(fd, request, arg));

	if (ret != want) {
		fprintf(stderr, "%s: %d, not %d\n", what, ret, want);
		exit(1);
	}
}

static int open_timeline(void)
{
	return check("sw_sync", p2p_errno(open(SYNC "sw_sync", O_RDWR | O_CLOEXEC)));
}

static int fence_of(int timeline, __u32 value)
{
	struct sw_sync_create arg = { .value = value, .name = "calls" };

	call("a fence", timeline, SW_SYNC_CREATE, &arg);
	return arg.fence;
}

static void tick(int timeline, __u32 by)
{
	call("inc", timeline, SW_SYNC_INC, &by);
}

static short poll_now(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	return check("poll", p2p_errno(poll(&p, 1, 0))) ? p.revents : 0;
}

static void read_all(const char *path)
{
	static char text[1 << 16];

	check(path, p2p_read_file(path, text, sizeof(text)));
}

static void nothing(int nr)
{
	(void)nr;
}

/* A signal ends what waits for a fence. */
static void try_interrupted(int buf)
{
	struct dma_buf_import_sync_file import = { .flags = DMA_BUF_SYNC_WRITE };
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_READ };
	struct sigaction action = { .sa_handler = nothing };
	struct itimerval soon = { .it_value.tv_usec = 50000, .it_interval.tv_usec = 50000 };
	struct itimerval never = { };
	int timeline = open_timeline();

	import.fd = fence_of(timeline, 1);
	try("a writer", 0, buf, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &import);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	try("sync with a signal", -EINTR, buf, DMA_BUF_IOCTL_SYNC, &sync);
	setitimer(ITIMER_REAL, &never, NULL);
	tick(timeline, 1);
	try("sync after it", 0, buf, DMA_BUF_IOCTL_SYNC, &sync);
	close(import.fd), close(timeline);
}

/* Mapped twice into the kernel, with what the CPU does in between. */
static void try_vmap(int buf)
{
	char text[8];
	struct dma_buf_vmap_copy copy = { .len = sizeof(text), .data = (uintptr_t)text };
	struct dma_buf_sync sync = { };
	int a = check("vmap-test", p2p_errno(open("/dev/dma-buf-vmap-test", O_RDWR | O_CLOEXEC)));
	int b = check("vmap-test", p2p_errno(open("/dev/dma-buf-vmap-test", O_RDWR | O_CLOEXEC)));

	try("vmap", 0, a, DMA_BUF_VMAP, (void *)(long)buf);
	try("vmap again", 0, b, DMA_BUF_VMAP, (void *)(long)buf);
	try("a copy", 0, a, DMA_BUF_VMAP_READ, &copy);
	sync.flags = DMA_BUF_SYNC_RW;
	try("sync", 0, buf, DMA_BUF_IOCTL_SYNC, &sync);
	sync.flags |= DMA_BUF_SYNC_END;
	try("and its end", 0, buf, DMA_BUF_IOCTL_SYNC, &sync);
	close(a), close(b);
	a = check("vmap-test", p2p_errno(open("/dev/dma-buf-vmap-test", O_RDWR | O_CLOEXEC)));
	try("vmap of no dma-buf", -EINVAL, a, DMA_BUF_VMAP, (void *)(long)a);
	try("vmap of nothing", -EBADF, a, DMA_BUF_VMAP, (void *)-1L);
	close(a);
}

/* Bad arguments of a call that may grow, and a user who asks all the time. */
static void try_reach(int buf)
{
	char *map = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct dma_buf_query_reach reach = { .size = sizeof(reach), .bus = 0xff, .devfn = 0xff }, *ask;
	int i, ret = 0;

	try("asking nowhere", -EFAULT, buf, DMA_BUF_IOCTL_QUERY_REACH, BAD);
	try("for no such device", -ENODEV, buf, DMA_BUF_IOCTL_QUERY_REACH, &reach);
	reach.size = 4;
	try("too small", -EINVAL, buf, DMA_BUF_IOCTL_QUERY_REACH, &reach);
	reach.size = PAGE + 1;
	try("too large", -E2BIG, buf, DMA_BUF_IOCTL_QUERY_REACH, &reach);
	reach.size = sizeof(reach), reach.flags = ~0;
	try("flags", -EINVAL, buf, DMA_BUF_IOCTL_QUERY_REACH, &reach);
	reach.flags = 0, reach.size = 2 * sizeof(reach);
	ask = (void *)(map + PAGE);
	memcpy(ask, &reach, sizeof(reach));
	ask[1].size = 1;
	try("of a later kernel", -E2BIG, buf, DMA_BUF_IOCTL_QUERY_REACH, ask);
	munmap(map + 2 * PAGE, PAGE);
	ask = (void *)(map + 2 * PAGE - sizeof(reach));
	memcpy(ask, &reach, sizeof(reach));
	try("that ends nowhere", -EFAULT, buf, DMA_BUF_IOCTL_QUERY_REACH, ask);
	munmap(map, 2 * PAGE);

	/* The host bridge is always there. */
	reach.size = sizeof(reach), reach.bus = 0, reach.devfn = 0;
	try("of the host bridge", 0, buf, DMA_BUF_IOCTL_QUERY_REACH, &reach);
	check("another user", p2p_errno(seteuid(65534)));
	for (i = 0; i < 10000 && !ret; i++)
		ret = p2p_errno(ioctl(buf, DMA_BUF_IOCTL_QUERY_REACH, &reach));
	check("root", p2p_errno(seteuid(0)));
	expect("too often", ret == -EAGAIN);
}

static void try_dma_buf(int buf)
{
	struct dma_buf_export_sync_file export = { .flags = DMA_BUF_SYNC_RW };
	struct dma_buf_import_sync_file import = { .flags = DMA_BUF_SYNC_WRITE, .fd = -1 };
	struct dma_buf_sync sync = { .flags = ~0ULL };
	int timeline = open_timeline(), fence, fence2, epoll, path;
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT };
	char name[64], proc[64];
	void *map;

	try("a call that is not there", -ENOTTY, buf, _IO('b', 99), NULL);
	try("sync", -EFAULT, buf, DMA_BUF_IOCTL_SYNC, BAD);
	try("sync with unknown flags", -EINVAL, buf, DMA_BUF_IOCTL_SYNC, &sync);
	sync.flags = 0;
	try("sync with no direction", -EINVAL, buf, DMA_BUF_IOCTL_SYNC, &sync);
	for (sync.flags = DMA_BUF_SYNC_READ; sync.flags <= (DMA_BUF_SYNC_RW | DMA_BUF_SYNC_END); sync.flags++)
		if (sync.flags & DMA_BUF_SYNC_RW)
			try("sync", 0, buf, DMA_BUF_IOCTL_SYNC, &sync);

	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = 0;
	try("a name that is too long", -EINVAL, buf, DMA_BUF_SET_NAME_B, name);
	try("a name nowhere", -EFAULT, buf, DMA_BUF_SET_NAME_B, BAD);
	try("a name", 0, buf, DMA_BUF_SET_NAME_B, "a name \n");
	try("another", 0, buf, DMA_BUF_SET_NAME_A, "calls");

	expect("the end", lseek(buf, 0, SEEK_END) > 0 && !lseek(buf, 0, SEEK_SET));
	expect("no position", p2p_errno(lseek(buf, 1, SEEK_SET)) == -EINVAL &&
	       p2p_errno(lseek(buf, 0, SEEK_CUR)) == -EINVAL);

	try("exporting no fences", -EINVAL, buf, DMA_BUF_IOCTL_EXPORT_SYNC_FILE,
	    &(struct dma_buf_export_sync_file){ .flags = 8 });
	try("exporting none", -EINVAL, buf, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &(struct dma_buf_export_sync_file){});
	try("exporting to nowhere", -EFAULT, buf, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, BAD);
	try("exporting what is idle", 0, buf, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &export);
	expect("idle", poll_now(export.fd, POLLIN) == POLLIN);
	close(export.fd);
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(map, &export, sizeof(export));
	mprotect(map, PAGE, PROT_READ);
	try("exporting to where nobody writes", -EFAULT, buf, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, map);
	munmap(map, PAGE);
	try("importing from nowhere", -EFAULT, buf, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, BAD);
	try("importing nothing", -EINVAL, buf, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &import);
	import.flags = 8;
	try("importing as what", -EINVAL, buf, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &import);
	import.flags = 0;
	try("importing as nothing", -EINVAL, buf, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &import);

	/* What waits for a fence, by each way there is */
	expect("nothing to wait for", poll_now(buf, POLLIN | POLLOUT) == (POLLIN | POLLOUT));
	expect("nothing asked", !poll_now(buf, POLLPRI));
	import.flags = DMA_BUF_SYNC_READ;
	import.fd = fence = fence_of(timeline, 1);
	try("a reader", 0, buf, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &import);
	expect("readers do not wait for readers", poll_now(buf, POLLIN | POLLOUT) == POLLIN);
	import.flags = DMA_BUF_SYNC_WRITE;
	import.fd = fence2 = fence_of(timeline, 2);
	try("a writer", 0, buf, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &import);
	expect("all wait for a writer", !poll_now(buf, POLLIN | POLLOUT));
	expect("and again", !poll_now(buf, POLLIN | POLLOUT));
	epoll = epoll_create1(EPOLL_CLOEXEC);
	check("epoll", p2p_errno(epoll_ctl(epoll, EPOLL_CTL_ADD, buf, &event)));
	try("exporting what waits", 0, buf, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &export);
	expect("waits", !poll_now(export.fd, POLLIN));
	read_all(SYNC "info");
	read_all("/sys/kernel/debug/dma_buf/bufinfo");
	snprintf(proc, sizeof(proc), "/proc/self/fdinfo/%d", buf);
	read_all(proc);
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", buf);
	path = check("O_PATH", p2p_errno(open(proc, O_PATH | O_CLOEXEC)));
	tick(timeline, 2);
	expect("epoll says so", epoll_wait(epoll, &event, 1, 1000) == 1);
	expect("all is done", poll_now(buf, POLLIN | POLLOUT) == (POLLIN | POLLOUT));
	expect("and known", poll_now(export.fd, POLLIN) == POLLIN);
	close(epoll), close(path), close(fence), close(fence2), close(export.fd), close(timeline);
	expect("its path", readlink(proc, name, sizeof(name)) > 0 && !strncmp(name, "/dmabuf:calls", 13));
	try_interrupted(buf);
	try_vmap(buf);
	try_reach(buf);

	map = mmap(NULL, 1UL << 30, PROT_READ, MAP_SHARED, buf, 0);
	expect("mapping more than there is", map == MAP_FAILED && errno == EINVAL);
	map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, buf, 1L << 62);
	expect("mapping from where nothing is", map == MAP_FAILED);
}

static void try_sync_file(void)
{
	struct sw_sync_deadline deadline = { };
	struct sync_set_deadline set = { .deadline_ns = 5000, .pad = 1 };
	struct sync_fence_info fences[2] = { };
	struct sync_file_info info = { .flags = 1 };
	struct sync_merge_data merge = { .name = "merged", .fd2 = -1 };
	int timeline = open_timeline(), other = open_timeline(), a, b, c;
	char *ro = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *to = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	a = fence_of(timeline, 3), b = fence_of(other, 3), c = fence_of(timeline, 3);
	close(c);
	c = fence_of(timeline, 2);
	try("a call that is not there", -ENOTTY, a, _IO('>', 99), NULL);
	try("the same of a timeline", -ENOTTY, timeline, _IO('W', 99), NULL);
	try("a fence from nowhere", -EFAULT, timeline, SW_SYNC_CREATE, BAD);
	try("a fence to nowhere", -EFAULT, timeline, SW_SYNC_CREATE, ro);
	try("ticks from nowhere", -EFAULT, timeline, SW_SYNC_INC, BAD);
	try("merging from nowhere", -EFAULT, a, SYNC_IOC_MERGE, BAD);
	try("merging to nowhere", -ENOENT, a, SYNC_IOC_MERGE, &merge);
	merge.fd2 = 0;
	try("merging with something else", -ENOENT, a, SYNC_IOC_MERGE, &merge);
	merge.fd2 = b, merge.flags = 1;
	try("merging with flags", -EINVAL, a, SYNC_IOC_MERGE, &merge);
	merge.flags = 0;
	memcpy(to, &merge, sizeof(merge));
	mprotect(to, PAGE, PROT_READ);
	try("merging to where nobody writes", -EFAULT, a, SYNC_IOC_MERGE, to);
	try("merging", 0, a, SYNC_IOC_MERGE, &merge);
	try("info from nowhere", -EFAULT, a, SYNC_IOC_FILE_INFO, BAD);
	try("info with flags", -EINVAL, a, SYNC_IOC_FILE_INFO, &info);
	info.flags = 0;
	try("how many", 0, merge.fence, SYNC_IOC_FILE_INFO, &info);
	expect("two", info.num_fences == 2 && !strcmp(info.name, "merged"));
	info.num_fences = 1;
	try("less than there are", -EINVAL, merge.fence, SYNC_IOC_FILE_INFO, &info);
	info.num_fences = 2;
	try("to nowhere", -EFAULT, merge.fence, SYNC_IOC_FILE_INFO, &info);
	info.sync_fence_info = (uintptr_t)fences;
	try("of both", 0, merge.fence, SYNC_IOC_FILE_INFO, &info);
	expect("neither is done", !info.status && !strcmp(fences[0].driver_name, "sw_sync"));
	try("the name of one that has none", 0, a, SYNC_IOC_FILE_INFO, &(struct sync_file_info){});
	try("to where nobody writes", -EFAULT, a, SYNC_IOC_FILE_INFO, ro);

	try("deadline from nowhere", -EFAULT, a, SYNC_IOC_SET_DEADLINE, BAD);
	try("deadline with a pad", -EINVAL, a, SYNC_IOC_SET_DEADLINE, &set);
	try("which deadline", -EFAULT, timeline, SW_SYNC_DEADLINE, BAD);
	deadline.pad = 1;
	try("which deadline, with a pad", -EINVAL, timeline, SW_SYNC_DEADLINE, &deadline);
	deadline.pad = 0, deadline.fence_fd = -1;
	try("of nothing", -EINVAL, timeline, SW_SYNC_DEADLINE, &deadline);
	deadline.fence_fd = merge.fence;
	try("of what is no fence of sw_sync", -EINVAL, timeline, SW_SYNC_DEADLINE, &deadline);
	deadline.fence_fd = a;
	try("none yet", -ENOENT, timeline, SW_SYNC_DEADLINE, &deadline);
	set.pad = 0;
	try("a deadline", 0, merge.fence, SYNC_IOC_SET_DEADLINE, &set);
	set.deadline_ns = 9000;
	try("a later one", 0, a, SYNC_IOC_SET_DEADLINE, &set);
	set.deadline_ns = 4000;
	try("an earlier one", 0, a, SYNC_IOC_SET_DEADLINE, &set);
	mprotect(to, PAGE, PROT_READ | PROT_WRITE);
	memcpy(to, &deadline, sizeof(deadline));
	mprotect(to, PAGE, PROT_READ);
	try("which, to where nobody writes", -EFAULT, timeline, SW_SYNC_DEADLINE, to);
	try("which", 0, timeline, SW_SYNC_DEADLINE, &deadline);
	expect("the earliest", deadline.deadline_ns == 4000);

	expect("waits", !poll_now(merge.fence, POLLIN));
	tick(timeline, 0x80000000U);
	expect("for both", !poll_now(merge.fence, POLLIN));
	/* A timeline that goes takes its fences with it. */
	close(other);
	expect("an error", poll_now(merge.fence, POLLIN) == POLLIN);
	read_all(SYNC "info");
	info.num_fences = 2;
	try("of both", 0, merge.fence, SYNC_IOC_FILE_INFO, &info);
	expect("which is known", info.status < 0);
	close(merge.fence);
	/* Both have signaled, and only one of two has not. */
	merge.fd2 = b;
	try("merging what is done", 0, a, SYNC_IOC_MERGE, &merge);
	expect("is done", poll_now(merge.fence, POLLIN) == POLLIN);
	try("its name", 0, merge.fence, SYNC_IOC_FILE_INFO, &(struct sync_file_info){});
	close(merge.fence);
	close(c);
	c = fence_of(timeline, 0x80000001U);
	merge.fd2 = c;
	try("merging with one that is not done", 0, a, SYNC_IOC_MERGE, &merge);
	expect("is not done", !poll_now(merge.fence, POLLIN));
	close(a), close(b), close(c), close(merge.fence), close(timeline);
}

static void try_heap(const char *path)
{
	struct { struct dma_heap_allocation_data data; char more[200]; } large = { };
	struct dma_heap_allocation_data data = { .len = PAGE, .fd_flags = O_RDWR, .fd = 1 };
	int heap = check(path, p2p_errno(open(path, O_RDONLY | O_CLOEXEC)));
	char *ro = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *map;

	try("a call that is not there", -EINVAL, heap, _IO('H', 99), NULL);
	try("from nowhere", -EFAULT, heap, DMA_HEAP_IOCTL_ALLOC, BAD);
	try("with a descriptor", -EINVAL, heap, DMA_HEAP_IOCTL_ALLOC, &data);
	data.fd = 0, data.fd_flags = ~0;
	try("flags of the descriptor", -EINVAL, heap, DMA_HEAP_IOCTL_ALLOC, &data);
	data.fd_flags = O_RDWR, data.heap_flags = 1;
	try("flags of the heap", -EINVAL, heap, DMA_HEAP_IOCTL_ALLOC, &data);
	data.heap_flags = 0, data.len = 0;
	try("nothing", -EINVAL, heap, DMA_HEAP_IOCTL_ALLOC, &data);
	data.len = PAGE;
	try("nothing, as it is not read", -EINVAL, heap, _IOR('H', 0, data), &data);
	/* Of the system heap that is for the OOM killer. */
	data.len = 1UL << 40;
	if (!strstr(path, "system"))
		try("more than there is", -ENOMEM, heap, DMA_HEAP_IOCTL_ALLOC, &data);
	data.len = 5 * PAGE;
	memcpy(ro, &data, sizeof(data));
	mprotect(ro, PAGE, PROT_READ);
	try("to nowhere", -EFAULT, heap, DMA_HEAP_IOCTL_ALLOC, ro);
	large.data = data;
	try("of a later kernel", 0, heap, _IOWR('H', 0, large), &large);
	data = large.data;
	map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, data.fd, 3 * PAGE);
	expect("its end", map != MAP_FAILED);
	map[0] = map[PAGE] = 1;
	munmap(map, 2 * PAGE);
	map = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, data.fd, 0);
	if (map != MAP_FAILED)
		munmap(map, PAGE);
	try_dma_buf(data.fd);
	close(data.fd);
	close(heap);
}

/* One page of 2 MiB, which is more than is allowed at first. */
static void try_huge(int dev)
{
	static const char limit[] = "/sys/module/udmabuf/parameters/size_limit_mb";
	struct udmabuf_create create = { .size = 2UL << 20 };
	char *map;
	int fd;

	create.memfd = check("a huge page", p2p_errno(memfd_create("huge", MFD_HUGETLB | MFD_ALLOW_SEALING)));
	check("its size", p2p_errno(ftruncate(create.memfd, create.size)));
	check("its seal", p2p_errno(fcntl(create.memfd, F_ADD_SEALS, F_SEAL_SHRINK)));
	check(limit, p2p_write_file(limit, "1"));
	try("more than is allowed", -EINVAL, dev, UDMABUF_CREATE, &create);
	check(limit, p2p_write_file(limit, "2"));
	fd = call("a huge buffer", dev, UDMABUF_CREATE, &create);
	map = mmap(NULL, create.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	expect("a mapping", map != MAP_FAILED);
	map[create.size - 1] = 1;
	munmap(map, create.size);
	close(fd), close(create.memfd);
}

static void try_udmabuf(void)
{
	int dev = check("udmabuf", p2p_errno(open("/dev/udmabuf", O_RDWR | O_CLOEXEC)));
	int memfd = udmabuf_memfd(4 * PAGE, 0), unsealed = memfd_create("unsealed", MFD_ALLOW_SEALING), fd;
	struct udmabuf_create create = { .memfd = memfd, .offset = 1, .size = PAGE };
	struct udmabuf_create_list list = { .count = ~0 };
	char *map;

	try("a call that is not there", -ENOTTY, dev, _IO('u', 99), NULL);
	try("from nowhere", -EFAULT, dev, UDMABUF_CREATE, BAD);
	try("a list from nowhere", -EFAULT, dev, UDMABUF_CREATE_LIST, BAD);
	try("an endless list", -EINVAL, dev, UDMABUF_CREATE_LIST, &list);
	map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(map + PAGE, PAGE);
	list.count = 3;
	memcpy(map + PAGE - sizeof(list), &list, sizeof(list));
	try("a list that ends nowhere", -EFAULT, dev, UDMABUF_CREATE_LIST, map + PAGE - sizeof(list));
	try("offset", -EINVAL, dev, UDMABUF_CREATE, &create);
	create.offset = 0, create.size = 1;
	try("size", -EINVAL, dev, UDMABUF_CREATE, &create);
	create.size = 0;
	try("nothing", -EINVAL, dev, UDMABUF_CREATE, &create);
	create.size = PAGE, create.memfd = dev;
	try("no memfd", -EBADFD, dev, UDMABUF_CREATE, &create);
	create.memfd = -1;
	try("no file", -EBADFD, dev, UDMABUF_CREATE, &create);
	create.memfd = unsealed;
	try("no seals", -EINVAL, dev, UDMABUF_CREATE, &create);
	create.memfd = memfd, create.offset = 64 * PAGE;
	try("beyond the end", -EINVAL, dev, UDMABUF_CREATE, &create);
	create.offset = PAGE, create.size = 3 * PAGE;
	fd = call("a buffer", dev, UDMABUF_CREATE, &create);
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	expect("no private mapping", map == MAP_FAILED && errno == EINVAL);
	map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, PAGE);
	expect("a mapping", map != MAP_FAILED);
	map[0] = map[PAGE] = 1;
	munmap(map, 2 * PAGE);
	try_dma_buf(fd);
	try_huge(dev);
	close(fd), close(memfd), close(unsealed), close(dev);
}

/* What is done again and again, with the next allocation in it failing each time */
static int nth_open_timeline(int fd)
{
	(void)fd;
	fd = open(SYNC "sw_sync", O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : close(fd);
}

static int nth_fence(int timeline)
{
	struct sw_sync_create arg = { .value = 1000 };
	int ret = p2p_errno(ioctl(timeline, SW_SYNC_CREATE, &arg));

	return ret ?: close(arg.fence);
}

static int other_fence;

static int nth_merge(int fence)
{
	struct sync_merge_data merge = { .fd2 = other_fence };
	int ret = p2p_errno(ioctl(fence, SYNC_IOC_MERGE, &merge));

	return ret ?: close(merge.fence);
}

static int nth_info(int fence)
{
	struct sync_fence_info fences[2];
	struct sync_file_info info = { .num_fences = 2, .sync_fence_info = (uintptr_t)fences };

	return p2p_errno(ioctl(fence, SYNC_IOC_FILE_INFO, &info));
}

static int nth_export(int buf)
{
	struct dma_buf_export_sync_file export = { .flags = DMA_BUF_SYNC_WRITE };
	int ret = p2p_errno(ioctl(buf, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &export));

	return ret ?: close(export.fd);
}

/* Into a buffer of its own: it must not have room for one more. */
static int nth_import(int buf)
{
	struct dma_buf_import_sync_file import = { .flags = DMA_BUF_SYNC_READ, .fd = other_fence };

	return p2p_errno(ioctl(buf, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &import));
}

static int nth_name(int buf)
{
	return p2p_errno(ioctl(buf, DMA_BUF_SET_NAME_B, "a name"));
}

static int nth_heap(int heap)
{
	struct { struct dma_heap_allocation_data data; char more[200]; } large = {
		.data = { .len = 40 * PAGE, .fd_flags = O_RDWR },
	};
	int ret = p2p_errno(ioctl(heap, _IOWR('H', 0, large), &large));

	return ret ?: close(large.data.fd);
}

static int the_memfd;

static int nth_udmabuf(int dev)
{
	struct udmabuf_create create = { .memfd = the_memfd, .size = 4 * PAGE };
	int fd = p2p_errno(ioctl(dev, UDMABUF_CREATE, &create));

	return fd < 0 ? fd : close(fd);
}

static int nth_vmap(int buf)
{
	int dev = open("/dev/dma-buf-vmap-test", O_RDWR | O_CLOEXEC), ret;

	if (dev < 0)
		return -errno;
	ret = p2p_errno(ioctl(dev, DMA_BUF_VMAP, (unsigned long)buf));
	close(dev);
	return ret;
}

static int nth_mmap(int buf)
{
	char *map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, buf, 0);

	return map == MAP_FAILED ? -errno : munmap(map, 2 * PAGE);
}

/* Where there are no page tables yet, and two are needed. What fails is tried again. */
static int nth_touch(int buf)
{
	volatile char *map = mmap((void *)(1UL << 40) + (2UL << 20) - 2 * PAGE, 4 * PAGE, PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_FIXED_NOREPLACE, buf, 0);

	if (map == MAP_FAILED)
		return -errno;
	map[0] = map[3 * PAGE] = 1;
	return munmap((void *)map, 4 * PAGE);
}

static void nth(const char *what, int (*step)(int), int fd)
{
	int n, i, ret, failed = 0, file = check("fail-nth", p2p_nth_open());
	bool reached = true;

	expect("faults", p2p_faults_set_up());
	check(what, step(fd));
	for (n = 1; reached && n < 500; n++) {
		/* Now and then a cache has to grow first, and it is the allocation before that fails. */
		for (i = 0; i < 2; i++) {
			p2p_nth_set(file, n);
			ret = step(fd);
			reached = p2p_nth_reached(file);
			if (ret != -ENOMEM)
				check(what, ret);
		}
		failed += ret == -ENOMEM;
	}
	close(file);
	check(what, step(fd));
	printf("# %s: of %d allocations %d must not fail\n", what, n - 2, failed);
	expect(what, failed && !reached);
}

static void try_nth(void)
{
	int system = check("system", p2p_errno(open("/dev/dma_heap/system", O_RDONLY | O_CLOEXEC)));
	int cma = check("cma", p2p_errno(open("/dev/dma_heap/default_cma_region", O_RDONLY | O_CLOEXEC)));
	int dev = check("udmabuf", p2p_errno(open("/dev/udmabuf", O_RDWR | O_CLOEXEC)));
	struct dma_heap_allocation_data data = { .len = 40 * PAGE, .fd_flags = O_RDWR };
	struct udmabuf_create create = { .size = 4 * PAGE };
	struct dma_buf_import_sync_file import = { .flags = DMA_BUF_SYNC_WRITE };
	struct sync_merge_data merge = { };
	int timeline = open_timeline(), other = open_timeline(), a = fence_of(timeline, 1000), buf, i;

	other_fence = fence_of(other, 1000);
	the_memfd = create.memfd = udmabuf_memfd(4 * PAGE, 0);
	buf = call("a buffer", dev, UDMABUF_CREATE, &create);

	nth("opening sw_sync", nth_open_timeline, -1);
	nth("a fence", nth_fence, timeline);
	nth("merging", nth_merge, a);
	merge.fd2 = other_fence;
	call("merging", a, SYNC_IOC_MERGE, &merge);
	nth("info", nth_info, merge.fence);
	nth("a name", nth_name, buf);
	nth("system heap", nth_heap, system);
	nth("CMA heap", nth_heap, cma);
	nth("udmabuf", nth_udmabuf, dev);
	nth("vmap of udmabuf", nth_vmap, buf);
	nth("mmap of udmabuf", nth_mmap, buf);
	nth("using udmabuf", nth_touch, buf);
	for (i = 0; i < 2; i++) {
		data.fd = 0;
		call("a buffer", i ? system : cma, DMA_HEAP_IOCTL_ALLOC, &data);
		nth(i ? "vmap of system heap" : "vmap of CMA heap", nth_vmap, data.fd);
		nth(i ? "mmap of system heap" : "mmap of CMA heap", nth_mmap, data.fd);
		close(data.fd);
	}

	/* Two fences, of two timelines */
	import.fd = a;
	call("one fence", buf, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &import);
	nth("exporting one fence", nth_export, buf);
	import.fd = other_fence;
	call("two", buf, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &import);
	nth("exporting two fences", nth_export, buf);
	tick(timeline, 1000), tick(other, 1000);
	close(a), close(other_fence), close(timeline), close(other), close(merge.fence);
	close(system), close(cma), close(dev), close(the_memfd), close(buf);
}

/* A buffer has no fences yet: each time it is another one. */
static void try_nth_import(void)
{
	int timeline = open_timeline(), dev = check("udmabuf", p2p_errno(open("/dev/udmabuf", O_RDWR | O_CLOEXEC)));
	struct udmabuf_create create = { .memfd = udmabuf_memfd(PAGE, 0), .size = PAGE };
	int file = check("fail-nth", p2p_nth_open()), ret, buf;

	other_fence = fence_of(timeline, 1000);
	buf = call("a buffer", dev, UDMABUF_CREATE, &create);
	p2p_nth_set(file, 1);
	ret = nth_import(buf);
	p2p_nth_set(file, 0);
	expect("room for a fence that is not there", ret == -ENOMEM);
	check("importing", nth_import(buf));
	close(file), close(buf), close(dev), close(create.memfd), close(other_fence), close(timeline);
}

/* Whoever is killed waits for no more memory. */
static void try_killed(void)
{
	struct dma_heap_allocation_data data = { .len = 256UL << 20, .fd_flags = O_RDWR };
	int heap = check("heap", p2p_errno(open("/dev/dma_heap/system", O_RDONLY | O_CLOEXEC)));
	int pipes[2], pid, status, i;
	char c = 0;

	for (i = 1; i <= 5; i++) {
		check("pipe", p2p_errno(pipe(pipes)));
		pid = check("fork", p2p_errno(fork()));
		if (!pid) {
			expect("word", write(pipes[1], &c, 1) == 1);
			for (;; data.fd = 0)
				if (!ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data))
					close(data.fd);
		}
		expect("its word", read(pipes[0], &c, 1) == 1);
		usleep(20000 * i);
		check("kill", p2p_errno(kill(pid, SIGKILL)));
		check("wait", p2p_errno(waitpid(pid, &status, 0)));
		expect("killed", WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		close(pipes[0]), close(pipes[1]);
	}
	close(heap);
}

/* All descriptors are in use. */
static void try_no_descriptors(void)
{
	int heap = check("heap", p2p_errno(open("/dev/dma_heap/system", O_RDONLY | O_CLOEXEC)));
	int dev = check("udmabuf", p2p_errno(open("/dev/udmabuf", O_RDWR | O_CLOEXEC)));
	struct udmabuf_create create = { .memfd = udmabuf_memfd(PAGE, 0), .size = PAGE };
	struct dma_heap_allocation_data data = { .len = PAGE, .fd_flags = O_RDWR };
	struct dma_buf_export_sync_file export = { .flags = DMA_BUF_SYNC_RW };
	struct sw_sync_create fence = { .value = 2 };
	struct sync_merge_data merge = { };
	int timeline = open_timeline(), a = fence_of(timeline, 1), buf;
	struct rlimit limit, none;

	merge.fd2 = a;
	buf = call("a buffer", dev, UDMABUF_CREATE, &create);
	getrlimit(RLIMIT_NOFILE, &limit);
	none = limit;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_NOFILE, &none);
	try("a fence", -EMFILE, timeline, SW_SYNC_CREATE, &fence);
	try("merging", -EMFILE, a, SYNC_IOC_MERGE, &merge);
	try("exporting fences", -EMFILE, buf, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &export);
	try("udmabuf", -EMFILE, dev, UDMABUF_CREATE, &create);
	try("heap", -EMFILE, heap, DMA_HEAP_IOCTL_ALLOC, &data);
	setrlimit(RLIMIT_NOFILE, &limit);
	close(heap), close(dev), close(create.memfd), close(buf), close(a), close(timeline);
}

int main(void)
{
	try_udmabuf();
	try_heap("/dev/dma_heap/system");
	try_heap("/dev/dma_heap/default_cma_region");
	try_sync_file();
	try_no_descriptors();
	try_killed();
	try_nth();
	try_nth_import();
	puts("result: verified=1");
	return 0;
}
