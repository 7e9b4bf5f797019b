// SPDX-License-Identifier: GPL-2.0
/*
 * Hands one buffer of each exporter that has no device to bench-import.ko
 */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "guest.h"

#include <linux/dma-heap.h>
#include <linux/udmabuf.h>

#define SIZE	(64UL << 20)
#define HUGE	(2UL << 20)

static void bench(const char *name, int fd)
{
	char text[64];

	snprintf(text, sizeof(text), "%s %d", name, fd);
	write_file("/dev/bench-import", text);
	close(fd);
}

static void bench_heap(const char *name)
{
	struct dma_heap_allocation_data data = {
		.len = SIZE, .fd_flags = O_RDWR | O_CLOEXEC,
	};
	char path[64];
	int heap;

	snprintf(path, sizeof(path), "/dev/dma_heap/%s", name);
	heap = check(path, p2p_errno(open(path, O_RDONLY | O_CLOEXEC)));
	call("allocating a buffer", heap, DMA_HEAP_IOCTL_ALLOC, &data);
	close(heap);
	bench(name, data.fd);
}

/* Pieces of @piece bytes, and as much between them that is left out. */
static void bench_udmabuf(const char *name, size_t piece, unsigned int flags)
{
	struct udmabuf_create_list *list;
	size_t i, n = SIZE / piece;
	int dev, memfd;

	list = calloc(1, sizeof(*list) + n * sizeof(list->list[0]));
	expect("memory", list);
	dev = check("/dev/udmabuf", p2p_errno(open("/dev/udmabuf", O_RDWR | O_CLOEXEC)));
	memfd = check("memfd", p2p_errno(memfd_create(name, MFD_ALLOW_SEALING | flags)));
	check("its size", -posix_fallocate(memfd, 0, 2 * SIZE));
	check("sealing it", p2p_errno(fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK)));
	list->count = n;
	for (i = 0; i < n; i++) {
		list->list[i].memfd = memfd;
		list->list[i].offset = 2 * i * piece;
		list->list[i].size = piece;
	}
	bench(name, call("exporting", dev, UDMABUF_CREATE_LIST, list));
	close(memfd);
	close(dev);
	free(list);
}

int main(void)
{
	bench_udmabuf("udmabuf-4k", PAGE, 0);
	bench_udmabuf("udmabuf-2m", HUGE, MFD_HUGETLB);
	bench_heap("system");
	bench_heap("default_cma_region");
	return 0;
}
