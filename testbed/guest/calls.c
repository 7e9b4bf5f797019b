// SPDX-License-Identifier: GPL-2.0
/*
 * Each call that a dma-buf, a sync_file, a heap or udmabuf has, with the arguments that
 * programs do not give: wrong ones fail with their errno, and what waits for a fence
 * waits until it signals. For coverage.sh: sw_sync taints the kernel.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "guest.h"

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
	try("which", 0, timeline, SW_SYNC_DEADLINE, &deadline);
	expect("the earliest", deadline.deadline_ns == 4000);

	expect("waits", !poll_now(merge.fence, POLLIN));
	tick(timeline, 0x80000000U);
	expect("for both", !poll_now(merge.fence, POLLIN));
	/* A timeline that goes takes its fences with it. */
	close(other);
	expect("an error", poll_now(merge.fence, POLLIN) == POLLIN);
	info.num_fences = 2;
	try("of both", 0, merge.fence, SYNC_IOC_FILE_INFO, &info);
	expect("which is known", info.status < 0);
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
	close(fd), close(memfd), close(unsealed), close(dev);
}

int main(void)
{
	try_udmabuf();
	try_heap("/dev/dma_heap/system");
	try_heap("/dev/dma_heap/default_cma_region");
	try_sync_file();
	puts("result: verified=1");
	return 0;
}
