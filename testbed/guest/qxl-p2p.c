// SPDX-License-Identifier: GPL-2.0
/*
 * A TTM driver as the exporter: buffers of qxl, and edu, which accesses them.
 *
 *	qxl-p2p			in VRAM, then evicted to system memory
 *	qxl-p2p --pinned	pinned in VRAM by one edu, out of reach of the other
 *	qxl-p2p --unplug	qxl goes away while its VRAM is mapped
 *
 * The handle is closed at once: what is left is the dma-buf, and the importer
 * still has to be told when it moves.
 */
#define _GNU_SOURCE
#include <getopt.h>

#include "guest.h"

#include <drm/qxl_drm.h>

#define SIZE	(3 * 4096)
#define MIB	(1 << 20)
#define MAX_MIB	256

static bool route_only;
static int card, card_nr, buf;
static struct p2p_dev edu;
static struct dma_buf_query_reach answer;
static char *map;

/* A new buffer in VRAM, returns its handle. */
static int qxl_alloc(size_t size)
{
	struct drm_qxl_alloc alloc = { .size = size };

	return ioctl(card, DRM_IOCTL_QXL_ALLOC, &alloc) ? -errno :
							   (int)alloc.handle;
}

static int qxl_export(size_t size)
{
	return drm_export(card, check("allocating a buffer", qxl_alloc(size)));
}

/* Returns the number of bytes that are right. */
static size_t verify(void)
{
	char want[SIZE], got[SIZE];

	if (route_only) {
		check("DMA", edu_read(edu.fd, 0, got, 1));
		return 0;
	}

	p2p_random(want, SIZE);
	memcpy(map, want, SIZE);
	check("DMA from the buffer", edu_read(edu.fd, 0, got, SIZE));
	expect("DMA from the buffer reads what the CPU wrote",
	       !memcmp(want, got, SIZE));

	p2p_random(want, SIZE);
	check("DMA to the buffer", edu_write(edu.fd, 0, want, SIZE));
	expect("the CPU reads what DMA wrote", !memcmp(want, map, SIZE));
	return SIZE;
}

/* Before something is mapped: what would come of it, says the kernel to anybody. */
static void ask(const struct p2p_dev *dev)
{
	check("asking", p2p_ask_as_nobody(buf, dev->pci, 0, &answer));
}

static void report(const struct p2p_dev *dev, size_t right)
{
	struct dma_buf_edu_info info;
	struct p2p_map where;

	check("query", edu_query(dev->fd, &info));
	expect("fdinfo agrees with the importer",
	       p2p_fdinfo_agrees(buf, dev->pci, &info, &where));

	expect("what was said before came true",
	       p2p_came_true(&answer, info.reason, &where, info.nr_ranges));

	printf("result: ask=%s attach=\"%s\" ", p2p_answer(&answer), info.reason);
	if (info.map_error)
		printf("error=%s ", strerrorname_np(-info.map_error));
	else
		printf("memory=%s route=%s chunks=%llu ",
		       where.memory, where.route, where.nr_chunks);
	printf("reason=\"%s\" ", where.reason);
	if (info.map_error)
		printf("verified=none\n");
	else if (route_only)
		printf("verified=route-only\n");
	else
		printf("verified=%zu system=%zu\n", right, info.peer ? 0 : right);
	fflush(stdout);
}

/* Needs VRAM for other things, until the buffer has to go. */
static void evict(void)
{
	char before[SIZE], after[SIZE];
	struct dma_buf_edu_info info = { };
	int handles[MAX_MIB], i, n;

	memcpy(before, map, SIZE);
	for (n = 0; n < MAX_MIB && !info.invalidations; n++) {
		handles[n] = qxl_alloc(MIB);
		check("allocating more", handles[n]);
		check("query", edu_query(edu.fd, &info));
	}
	expect("the importer was told of the eviction", info.invalidations);
	expect("and has nothing mapped", !info.npages);

	memcpy(after, map, SIZE);
	expect("the buffer moved with its contents",
	       !memcmp(before, after, SIZE));

	ask(&edu);
	report(&edu, verify());
	for (i = 0; i < n; i++) {
		struct drm_gem_close gem = { .handle = handles[i] };

		check("closing the handle",
		      p2p_errno(ioctl(card, DRM_IOCTL_GEM_CLOSE, &gem)));
	}
}

/* One edu reaches the VRAM and pins it, the other must not get it. */
static void pinned(void)
{
	struct p2p_dev other;
	char byte;

	check("a second edu", p2p_open_nth(&other, EDU_NODES, 1));
	ask(&edu);
	check("attaching", edu_attach(edu.fd, buf, DMA_BUF_EDU_PIN));
	report(&edu, verify());

	ask(&other);
	check("attaching the other", edu_attach(other.fd, buf, 0));
	expect("the other cannot read it",
	       edu_read(other.fd, 0, &byte, 1) == -EREMOTEIO);
	report(&other, 0);

	/* Nothing was lost on the way. */
	ask(&edu);
	report(&edu, verify());

	check("detaching", p2p_errno(ioctl(edu.fd, DMA_BUF_EDU_DETACH)));
	edu = other;
	ask(&edu);
	report(&edu, verify());
}

static void unplug(void)
{
	struct dma_buf_edu_info info;
	char path[64], byte;

	snprintf(path, sizeof(path), "/sys/class/drm/card%d/device/remove",
		 card_nr);
	check("removing the device", p2p_write_file(path, "1"));

	check("query", edu_query(edu.fd, &info));
	expect("the importer was told", info.invalidations);
	expect("and has nothing mapped", !info.npages);
	expect("nor can it map it again",
	       edu_read(edu.fd, 0, &byte, 1) == -ENODEV);
	report(&edu, 0);

	check("detaching", p2p_errno(ioctl(edu.fd, DMA_BUF_EDU_DETACH)));
	ask(&edu);
	check("attaching again", edu_attach(edu.fd, buf, 0));
	expect("does not help", edu_read(edu.fd, 0, &byte, 1) == -ENODEV);
	report(&edu, 0);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "pinned", no_argument, NULL, 'p' },
		{ "unplug", no_argument, NULL, 'u' },
		{ "route-only", no_argument, NULL, 'r' },
		{ }
	};
	struct dma_buf_edu_info info;
	int opt, mode = 0;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 'r': route_only = true; break;
		case 'p': case 'u': mode = opt; break;
		default:
			fprintf(stderr, "usage: qxl-p2p [--pinned | --unplug] [--route-only]\n");
			return 2;
		}
	}

	card = drm_open("qxl", &card_nr);
	check("no " EDU_NODES "*, is dma-buf-edu loaded and an edu device there",
	      p2p_open(&edu, EDU_NODES));

	buf = qxl_export(SIZE);
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, buf, 0);
	if (map == MAP_FAILED)
		die("mapping the buffer", -errno);
	if (mode == 'p') {
		pinned();
		return 0;
	}

	ask(&edu);
	check("attaching", edu_attach(edu.fd, buf, 0));
	report(&edu, verify());
	check("query", edu_query(edu.fd, &info));
	if (mode == 'u')
		unplug();
	else if (info.peer)
		evict();
	return 0;
}
