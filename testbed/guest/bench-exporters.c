// SPDX-License-Identifier: GPL-2.0
/*
 * Hands one buffer of each exporter that has no device to bench-import.ko
 */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "guest.h"

#define SIZE	(64UL << 20)
#define HUGE	(2UL << 20)

static void bench(const char *name, int fd)
{
	char text[64];

	check(name, fd);
	snprintf(text, sizeof(text), "%s %d", name, fd);
	check(name, p2p_write_file("/dev/bench-import", text));
	close(fd);
}

static void bench_udmabuf(const char *name, size_t piece, unsigned int flags)
{
	int memfd = check("memfd", udmabuf_memfd(2 * SIZE, flags));

	check("its pages", -posix_fallocate(memfd, 0, 2 * SIZE));
	bench(name, udmabuf_alloc(memfd, SIZE, piece));
	close(memfd);
}

int main(void)
{
	bench_udmabuf("udmabuf-4k", PAGE, 0);
	bench_udmabuf("udmabuf-2m", HUGE, MFD_HUGETLB);
	bench("system", heap_alloc("system", SIZE));
	bench("default_cma_region", heap_alloc("default_cma_region", SIZE));
	return 0;
}
