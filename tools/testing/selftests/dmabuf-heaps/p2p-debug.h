/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel counts and a test can compare: dma-bufs, and what of an IOMMU
 * is in use; and allocations that fail when a test wants it
 */
#ifndef P2P_DEBUG_H
#define P2P_DEBUG_H

#include <sys/syscall.h>

#include "p2p.h"

#define IOMMU_EVENTS	"/sys/kernel/tracing/events/iommu/"

/* The dma-bufs that exist, whoever holds them. Negative if nobody knows. */
static inline int p2p_count_dma_bufs(void)
{
	static char text[1 << 18];
	char *total = text, *next;
	int count;

	if (p2p_read_file("/sys/kernel/debug/dma_buf/bufinfo", text, sizeof(text)))
		return -ENOENT;
	/* Attachments have a total as well, the last one is what counts. */
	while ((next = strstr(total + 1, "Total ")))
		total = next;
	return sscanf(total, "Total %d objects", &count) == 1 ? count : -EIO;
}

/* Has the kernel count bytes, from now on. False if it cannot. */
static inline bool p2p_iommu_watch(void)
{
	return !p2p_write_file(IOMMU_EVENTS "map/trigger",
			       "hist:keys=size:size=8192") &&
	       !p2p_write_file(IOMMU_EVENTS "unmap/trigger",
			       "hist:keys=unmapped_size:size=8192");
}

/* { size:       4096 } hitcount:          3 */
static inline long p2p_iommu_sum(const char *path)
{
	static char text[1 << 18];
	const char *at = text;
	long sum = 0;

	if (p2p_read_file(path, text, sizeof(text)))
		return 0;
	while ((at = strstr(at, "size:"))) {
		unsigned long size, hits;

		at += strlen("size:");
		if (sscanf(at, "%lu } hitcount: %lu", &size, &hits) == 2)
			sum += size * hits;
	}
	return sum;
}

/* Bytes that were mapped in an IOMMU since p2p_iommu_watch(), and still are */
static inline long p2p_iommu_bytes(void)
{
	return p2p_iommu_sum(IOMMU_EVENTS "map/hist") -
	       p2p_iommu_sum(IOMMU_EVENTS "unmap/hist");
}

/*
 * The IOVA ranges that exist, in use or cached for the next user. Exact, but
 * only with slab_debug=U,iommu_iova on the kernel's command line; else zero.
 * KASAN keeps what was freed for a while, unless the cache is shrunk.
 */
static inline long p2p_count_iovas(void)
{
	static char text[1 << 16];
	char *line, *save;
	long sum = 0;

	p2p_write_file("/sys/kernel/slab/iommu_iova/shrink", "1");
	if (p2p_read_file("/sys/kernel/debug/slab/iommu_iova/alloc_traces", text,
			  sizeof(text)))
		return 0;
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (strstr(line, "age="))
			sum += strtol(line, NULL, 10);
	}
	return sum;
}

/* Any allocation of a task may fail, see p2p_nth_set(). False if the kernel cannot. */
static inline bool p2p_faults_set_up(void)
{
	if (p2p_write_file("/sys/kernel/debug/failslab/ignore-gfp-wait", "N") ||
	    p2p_write_file("/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N") ||
	    p2p_write_file("/sys/kernel/debug/fail_page_alloc/ignore-gfp-highmem", "N") ||
	    p2p_write_file("/sys/kernel/debug/fail_page_alloc/min-order", "0"))
		return false;
	p2p_write_file("/sys/kernel/debug/failslab/verbose", "0");
	p2p_write_file("/sys/kernel/debug/fail_page_alloc/verbose", "0");
	return true;
}

/* Returns what the functions below want, or a negative errno. */
static inline int p2p_nth_open(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%ld/fail-nth",
		 syscall(__NR_gettid));
	return p2p_errno(open(path, O_RDWR | O_CLOEXEC));
}

/* The nth allocation of this task from now on fails, or none with zero. */
static inline void p2p_nth_set(int nth_fd, unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	if (pwrite(nth_fd, text, len, 0) != len)
		abort();
}

/* True if the nth allocation was reached. Disarms it otherwise. */
static inline bool p2p_nth_reached(int nth_fd)
{
	char text[16] = "";

	if (pread(nth_fd, text, sizeof(text) - 1, 0) <= 0)
		abort();
	p2p_nth_set(nth_fd, 0);
	return !atoi(text);
}

#endif
