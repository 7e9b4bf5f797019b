// SPDX-License-Identifier: GPL-2.0
/*
 * Moves random bytes between two devices through a dma-buf and prints how that
 * went, one line for each place the buffer was in:
 *
 *	result: ask=peer/iova/one attach=reachable peer2peer=yes memory=peer
 *		route=iova reason=reachable chunks=3 ranges=1 verified=12288
 *		system=0 confined=yes
 *
 * ask is what the kernel said when a user without any rights asked before: the
 * memory that the device would get, how, and whether that would be one range.
 * attach is the record of the attachment, reason that of the mapping. verified
 * counts the bytes of the buffer that were right, as the importer read them and
 * as it wrote them, and system those of them that lay in system memory. confined
 * says if a DMA beyond the end did nothing but fault; without an IOMMU that
 * translates nothing stops it, and it is not tried.
 *
 * Fails if a byte is wrong, if fdinfo does not agree with the importer, or if what
 * was said before did not come true.
 */
#define _GNU_SOURCE

#include <getopt.h>

#include "p2p.h"

/*
 * Three disjoint ranges. Not a power of two, so that the page after it is not
 * mapped for anything else: that is how the kernel hands out DMA addresses.
 */
#define NR_RANGES	3
#define NR_PAGES	3

static struct p2p_dev bar, edu;
static struct dma_buf_query_reach answer;
static __u32 question;
static bool route_only;
static int buf;
static size_t size;
static char *map;

static void die(const char *what, int ret)
{
	if (ret < 0)
		fprintf(stderr, "p2p-test: %s: %s\n", what, strerror(-ret));
	else
		fprintf(stderr, "p2p-test: %s\n", what);
	exit(1);
}

static void check(const char *what, int ret)
{
	if (ret < 0)
		die(what, ret);
}

static void compare(const char *what, const char *want, const char *got)
{
	size_t i;

	for (i = 0; i < size && want[i] == got[i]; i++)
		;
	if (i == size)
		return;
	fprintf(stderr, "p2p-test: %s: byte %zu of %zu is %02x, not %02x\n",
		what, i, size, got[i] & 0xff, want[i] & 0xff);
	exit(1);
}

/* Returns the number of bytes that are right. */
static size_t verify(void)
{
	char want[size], got[size];

	if (route_only) {
		check("DMA", edu_read(edu.fd, 0, got, 1));
		return 0;
	}

	p2p_random(want, size);
	check("writing as the CPU", cpu_write(buf, map, want, size));
	check("DMA from the buffer", edu_read(edu.fd, 0, got, size));
	compare("DMA from the buffer", want, got);

	p2p_random(want, size);
	check("DMA to the buffer", edu_write(edu.fd, 0, want, size));
	check("reading as the CPU", cpu_read(buf, map, got, size));
	compare("DMA to the buffer", want, got);
	return size;
}

static const char *confined(void)
{
	int ret;

	if (route_only || !p2p_translated(edu.pci))
		return "skip";

	ret = p2p_confined(&bar, &edu, buf, map, size);
	check("DMA beyond the end", ret);
	return ret ? "yes" : "no";
}

static void ask(__u32 flags)
{
	check("asking", p2p_ask_as_nobody(buf, edu.pci, flags, &answer));
}

static void run(void)
{
	struct dma_buf_edu_info info;
	struct p2p_map where;
	const char *end;
	size_t right;

	right = verify();
	check("query", edu_query(edu.fd, &info));
	if (!p2p_fdinfo_agrees(buf, edu.pci, &info, &where))
		die("fdinfo does not agree with the importer", 0);
	if (!p2p_came_true(&answer, info.reason, &where, info.nr_ranges))
		die("what was said before did not come true", 0);
	end = confined();

	printf("result: ask=%s ", p2p_answer(&answer));
	printf("attach=%s peer2peer=%s memory=%s route=%s ", info.reason,
	       info.peer2peer ? "yes" : "no", where.memory, where.route);
	printf("reason=%s chunks=%llu ranges=%llu ", where.reason,
	       where.nr_chunks, (unsigned long long)info.nr_ranges);
	if (route_only)
		printf("verified=route-only ");
	else
		printf("verified=%zu ", right);
	printf("system=%zu confined=%s\n", info.peer ? 0 : right, end);
	fflush(stdout);
}

static void move(enum dma_buf_bar_place place)
{
	char before[size], after[size];

	check("reading as the CPU", cpu_read(buf, map, before, size));
	check("moving the buffer", bar_move(bar.fd, buf, place));
	check("reading as the CPU", cpu_read(buf, map, after, size));
	compare("moving the buffer", before, after);
	ask(question);
	run();
}

int main(int argc, char **argv)
{
	static const char usage[] =
		"usage: p2p-test [--no-peer2peer | --static] [--move] [--route-only]\n";
	static const struct option options[] = {
		{ "no-peer2peer", no_argument, NULL, 'n' },
		{ "static", no_argument, NULL, 's' },
		{ "move", no_argument, NULL, 'm' },
		{ "route-only", no_argument, NULL, 'r' },
		{ }
	};
	unsigned int flags = 0;
	bool moves = false;
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 'n':
			flags = DMA_BUF_EDU_NO_PEER2PEER;
			question = DMA_BUF_REACH_NO_PEER2PEER;
			break;
		case 's':
			flags = DMA_BUF_EDU_STATIC;
			question = DMA_BUF_REACH_NO_PEER2PEER;
			break;
		case 'm':
			moves = true;
			break;
		case 'r':
			route_only = true;
			break;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}

	check("no " BAR_NODES "*, is dma-buf-bar loaded and an ivshmem device there",
	      p2p_open(&bar, BAR_NODES));
	check("no " EDU_NODES "*, is dma-buf-edu loaded and an edu device there",
	      p2p_open(&edu, EDU_NODES));

	size = NR_PAGES * sysconf(_SC_PAGESIZE);
	buf = bar_alloc(bar.fd, size, NR_RANGES);
	check("allocating a buffer", buf);
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, buf, 0);
	if (map == MAP_FAILED)
		die("mapping the buffer", -errno);
	ask(question);
	check("attaching", edu_attach(edu.fd, buf, flags));

	run();
	if (moves) {
		move(DMA_BUF_BAR_PLACE_SYSTEM);
		move(DMA_BUF_BAR_PLACE_BAR);
	}
	return 0;
}
