// SPDX-License-Identifier: GPL-2.0
/*
 * Is the memory of a heap in one piece for the device, and is it bounced?
 */
#define _GNU_SOURCE
#include "guest.h"

#define SIZE	(4UL << 20)

/* The heap allocates a MiB at a time where it can: more ranges are no accident. */
#define MANY	(SIZE >> 18)

static long bounced(void)
{
	char text[32];

	check("io_tlb_used",
	      p2p_read_file("/sys/kernel/debug/swiotlb/io_tlb_used", text,
			    sizeof(text)));
	return atol(text);
}

int main(void)
{
	int buf = check("allocating", heap_alloc("system", SIZE));
	struct dma_buf_edu_info info;
	struct p2p_map where;
	struct p2p_dev edu;
	long before;

	check("edu", p2p_open(&edu, EDU_NODES));
	check("attaching", edu_attach(edu.fd, buf, 0));
	before = bounced();
	call("mapping", edu.fd, DMA_BUF_EDU_MAP, NULL);
	check("query", edu_query(edu.fd, &info));
	expect("fdinfo agrees with the importer",
	       p2p_fdinfo_agrees(buf, edu.pci, &info, &where));
	printf("result: route=%s chunks=%llu ranges=%llu scattered=%s bounced=%ld verified=none\n",
	       where.route, where.nr_chunks,
	       (unsigned long long)info.nr_ranges,
	       info.nr_ranges > MANY ? "yes" : "no", bounced() - before);
	return 0;
}
