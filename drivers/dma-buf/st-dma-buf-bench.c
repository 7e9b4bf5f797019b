// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page list against the sg_table, in one boot
 *
 * One round builds and maps, walks, syncs and unmaps the same buffer with each of the
 * two in turn, so that a disturbance affects both. The buffers consist of pages that
 * exist but are never accessed, of any size and layout.
 *
 * Prints one line for each part.
 */
#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/moduleparam.h>
#include <linux/pci.h>
#include <linux/prandom.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>
#include <linux/sort.h>
#include <linux/vmalloc.h>

#include "dma-buf-internal.h"

static unsigned long max_mib = 256;
module_param(max_mib, ulong, 0444);
MODULE_PARM_DESC(max_mib, "Largest buffer of the benchmark in MiB");

static unsigned long rounds = 15;
module_param(rounds, ulong, 0444);
MODULE_PARM_DESC(rounds, "Rounds of the benchmark, of which the median counts");

/*
 * The pages belong to others. If the device is not coherent, unmapping a page drops
 * what its owner has in a cache.
 */
static bool no_caches;
module_param(no_caches, bool, 0444);
MODULE_PARM_DESC(no_caches, "The machine has no caches, as an emulator: measure devices that are not coherent");

/*
 * Small buffers are measured many at a time, since clocks are coarse, and since what
 * a lazy IOMMU has queued is flushed after 256 of them: each pays for one flush.
 */
#define BENCH_BATCH_PAGES	4096UL
#define BENCH_MAX_BATCH		256UL
#define BENCH_MAX_ROUNDS	64UL

#define BENCH_PTE_FLAGS		3

/* Number of ranges that are linked to an IOVA with one call, as in the engine */
#define BENCH_LINK_BATCH	256UL

enum bench_backing { ARRAY, RUNS, BAR };
/* SUM is without SYNC: the CPU does not access the buffer. */
enum bench_part { MAP, WALK, UNMAP, SUM, SYNC, NR_PARTS };

static const char * const backing_name[] = { "array", "runs", "bar" };
static const char * const part_name[] = { "map", "walk", "unmap", "sum", "sync" };

/**
 * struct bench_layout - how a buffer is scattered
 * @name: for the output
 * @pages: length of a run, zero for as long as can be
 */
struct bench_layout {
	const char *name;
	unsigned long pages;
};

static const struct bench_layout layouts[] = {
	{ "4k", 1 },
	{ "64k", SZ_64K >> PAGE_SHIFT },
	{ "2m", SZ_2M >> PAGE_SHIFT },
	{ "one", 0 },
};

static const size_t sizes[] = {
	SZ_64K, SZ_2M, SZ_256M, SZ_1G * 4UL, SZ_1G * 64UL,
};

/**
 * struct bench - one buffer
 * @test: the test
 * @dev: device that it is mapped for
 * @own: the same, for a list
 * @pages: its pages
 * @vec: its runs
 * @npages: length of @pages
 * @nvec: length of @vec
 * @master: its runs as a table, what an exporter of runs copies for each importer
 * @backing: which of these the exporter has
 * @link_vec: link the ranges of a BAR many at a time
 * @batch: how many are mapped at a time
 * @sgt: one of these for each of the batch
 * @iova: the IOVA behind a table without pages
 * @list: or one of these
 * @pte: page table of the importer
 */
struct bench {
	struct kunit *test;
	struct device *dev;
	struct dma_buf_attachment own;
	struct page **pages;
	struct phys_vec *vec;
	unsigned long npages;
	unsigned long nvec;
	struct sg_table master;
	enum bench_backing backing;
	bool link_vec;
	unsigned long batch;
	struct sg_table *sgt[BENCH_MAX_BATCH];
	struct dma_iova_state *iova[BENCH_MAX_BATCH];
	struct dma_buf_list *list[BENCH_MAX_BATCH];
	u64 *pte;
};

/* The kernel's own way: allocate a table, fill it, map it. */

static int bench_sgt_copy(struct bench *b, struct sg_table *sgt)
{
	struct scatterlist *sg, *to;
	unsigned int i;
	int ret;

	ret = sg_alloc_table(sgt, b->master.orig_nents, GFP_KERNEL);
	if (ret)
		return ret;

	to = sgt->sgl;
	for_each_sgtable_sg(&b->master, sg, i) {
		sg_set_page(to, sg_page(sg), sg->length, sg->offset);
		to = sg_next(to);
	}
	return 0;
}

static int bench_sgt_link_bar(struct bench *b, struct dma_iova_state *iova)
{
	unsigned long i, n, attrs = DMA_ATTR_MMIO;
	struct phys_vec *vec = b->vec;
	size_t done = 0;
	int ret = 0;

	for (i = 0; i < b->nvec && !ret; i += n) {
		n = b->link_vec ? min(b->nvec - i, BENCH_LINK_BATCH) : 1;
		if (b->link_vec)
			ret = dma_iova_link_vec(b->dev, iova, done, vec, n,
						DMA_BIDIRECTIONAL, attrs);
		else
			ret = dma_iova_link(b->dev, iova, vec->paddr, done,
					    vec->len, DMA_BIDIRECTIONAL, attrs);
		for (; vec < b->vec + i + n; vec++)
			done += vec->len;
	}
	return ret ?: dma_iova_sync(b->dev, iova, 0, done);
}

/* What dma_buf_phys_vec_to_sgt() did, without its bugs. A failure ends the test. */
static int bench_sgt_map_bar(struct bench *b, struct sg_table *sgt,
			     unsigned long at)
{
	struct dma_iova_state *iova = kzalloc_obj(*iova);
	size_t size = (size_t)b->npages << PAGE_SHIFT, left;
	size_t max = ALIGN_DOWN(UINT_MAX, PAGE_SIZE), n;
	unsigned long i, nents = 0;
	struct scatterlist *sg;
	dma_addr_t addr;
	int ret;

	if (!iova)
		return -ENOMEM;

	b->iova[at] = iova;
	if (dma_iova_try_alloc(b->dev, iova, 0, size)) {
		nents = DIV_ROUND_UP(size, max);
	} else {
		for (i = 0; i < b->nvec; i++)
			nents += DIV_ROUND_UP(b->vec[i].len, max);
	}
	ret = sg_alloc_table(sgt, nents, GFP_KERNEL | __GFP_ZERO);
	if (ret)
		return ret;

	sg = sgt->sgl;
	for (i = 0; i < b->nvec && !dma_use_iova(iova); i++) {
		size_t len = b->vec[i].len;

		addr = dma_map_phys(b->dev, b->vec[i].paddr, len,
				    DMA_BIDIRECTIONAL, DMA_ATTR_MMIO);
		if (dma_mapping_error(b->dev, addr))
			return -EIO;
		for (; len; len -= n, addr += n, sg = sg_next(sg)) {
			n = min(len, max);
			sg_set_page(sg, NULL, 0, 0);
			sg_dma_address(sg) = addr;
			sg_dma_len(sg) = n;
		}
	}
	if (!dma_use_iova(iova))
		return 0;

	addr = iova->addr;
	for (left = size; left; left -= n, addr += n, sg = sg_next(sg)) {
		n = min(left, max);
		sg_set_page(sg, NULL, 0, 0);
		sg_dma_address(sg) = addr;
		sg_dma_len(sg) = n;
	}
	return bench_sgt_link_bar(b, iova);
}

static void bench_sgt_unmap_bar(struct bench *b, struct sg_table *sgt,
				struct dma_iova_state *iova)
{
	struct scatterlist *sg;
	unsigned int i;

	if (dma_use_iova(iova))
		dma_iova_destroy(b->dev, iova, (size_t)b->npages << PAGE_SHIFT,
				 DMA_BIDIRECTIONAL, DMA_ATTR_MMIO);
	else
		for_each_sgtable_dma_sg(sgt, sg, i)
			dma_unmap_phys(b->dev, sg_dma_address(sg),
				       sg_dma_len(sg), DMA_BIDIRECTIONAL,
				       DMA_ATTR_MMIO);
	kfree(iova);
}

static int bench_sgt_map(struct bench *b, unsigned long i)
{
	struct sg_table *sgt = kzalloc_obj(*sgt);
	int ret;

	if (!sgt)
		return -ENOMEM;

	b->sgt[i] = sgt;
	if (b->backing == BAR)
		return bench_sgt_map_bar(b, sgt, i);

	if (b->backing == ARRAY)
		ret = sg_alloc_table_from_pages(sgt, b->pages, b->npages, 0,
						(size_t)b->npages << PAGE_SHIFT,
						GFP_KERNEL);
	else
		ret = bench_sgt_copy(b, sgt);
	return ret ?: dma_map_sgtable(b->dev, sgt, DMA_BIDIRECTIONAL, 0);
}

static void bench_sgt_walk(struct bench *b, unsigned long i)
{
	struct sg_dma_page_iter iter;
	u64 *pte = b->pte;

	for_each_sgtable_dma_page(b->sgt[i], &iter, 0) {
		*pte = sg_page_iter_dma_address(&iter) | BENCH_PTE_FLAGS;
		pte++;
	}
}

/* The fastest loop that an importer can write by hand */
static void bench_sgt_walk_entries(struct bench *b, unsigned long i)
{
	struct scatterlist *sg;
	u64 *pte = b->pte;
	unsigned int n;

	for_each_sgtable_dma_sg(b->sgt[i], sg, n) {
		u64 addr = sg_dma_address(sg) | BENCH_PTE_FLAGS;
		u64 end = addr + sg_dma_len(sg);

		for (; addr != end; addr += PAGE_SIZE)
			*pte++ = addr;
	}
}

/* What exporters do around a CPU access */
static void bench_sgt_sync(struct bench *b, unsigned long i)
{
	dma_sync_sgtable_for_cpu(b->dev, b->sgt[i], DMA_BIDIRECTIONAL);
	dma_sync_sgtable_for_device(b->dev, b->sgt[i], DMA_BIDIRECTIONAL);
}

static void bench_sgt_unmap(struct bench *b, unsigned long i)
{
	if (b->backing == BAR)
		bench_sgt_unmap_bar(b, b->sgt[i], b->iova[i]);
	else
		dma_unmap_sgtable(b->dev, b->sgt[i], DMA_BIDIRECTIONAL, 0);
	sg_free_table(b->sgt[i]);
	kfree(b->sgt[i]);
}

/* The memory that lib/scatterlist.c allocates for a table */
static size_t bench_sgt_bytes(struct bench *b)
{
	size_t left = b->sgt[0]->orig_nents;
	size_t sum = ksize(b->sgt[0]);

	if (b->backing == BAR)
		sum += ksize(b->iova[0]);
	while (left) {
		size_t n = min(left, SG_MAX_SINGLE_ALLOC);

		sum += n == SG_MAX_SINGLE_ALLOC ? PAGE_SIZE :
		       kmalloc_size_roundup(n * sizeof(struct scatterlist));
		left -= left > SG_MAX_SINGLE_ALLOC ? n - 1 : n;
	}
	return sum;
}

/* The list */

static int bench_list_map(struct bench *b, unsigned long i)
{
	struct dma_buf_list *list;

	if (b->backing == ARRAY)
		list = dma_buf_list_from_pages(&b->own, b->pages, b->npages,
					       DMA_BIDIRECTIONAL, 0);
	else if (b->backing == RUNS)
		list = dma_buf_list_from_runs(&b->own, b->vec, b->nvec,
					      DMA_BIDIRECTIONAL, 0);
	else
		list = dma_buf_list_from_phys(&b->own, b->vec, b->nvec,
					      DMA_BIDIRECTIONAL, 0);
	if (IS_ERR(list))
		return PTR_ERR(list);

	b->list[i] = list;
	return 0;
}

static void bench_list_walk(struct bench *b, unsigned long i)
{
	struct dma_buf_cursor cursor;
	u64 *pte = b->pte;
	dma_addr_t addr;

	dma_buf_list_for_each_page(addr, &cursor, b->list[i]) {
		*pte = addr | BENCH_PTE_FLAGS;
		pte++;
	}
}

static void bench_list_walk_ranges(struct bench *b, unsigned long i)
{
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk range;
	u64 *pte = b->pte;

	dma_buf_list_for_each_range(range, &cursor, b->list[i]) {
		u64 addr = range.dma_addr | BENCH_PTE_FLAGS;
		u64 end = addr + ((u64)range.npages << PAGE_SHIFT);

		for (; addr != end; addr += PAGE_SIZE)
			*pte++ = addr;
	}
}

/* What the core does around it for each mapping */
static void bench_list_sync(struct bench *b, unsigned long i)
{
	dma_buf_list_sync(b->list[i], DMA_BIDIRECTIONAL, true);
	dma_buf_list_sync(b->list[i], DMA_BIDIRECTIONAL, false);
}

static void bench_list_unmap(struct bench *b, unsigned long i)
{
	dma_buf_list_free(b->list[i]);
}

static size_t bench_list_bytes(struct bench *b)
{
	struct dma_buf_block *block;
	size_t sum = ksize(b->list[0]);

	for (block = b->list[0]->dma_blocks; block; block = block->next)
		sum += ksize(block);
	for (block = b->list[0]->phys_blocks; block; block = block->next)
		sum += ksize(block);
	return sum;
}

/* The lower limit: no container, only the calls of the DMA API and the PTEs */

static int bench_bare_run(struct bench *b, phys_addr_t phys, size_t len,
			  u64 **pte)
{
	unsigned long attrs = b->backing == BAR ? DMA_ATTR_MMIO : 0;
	dma_addr_t addr = dma_map_phys(b->dev, phys, len, DMA_BIDIRECTIONAL,
				       attrs);
	u64 entry = addr | BENCH_PTE_FLAGS;

	if (dma_mapping_error(b->dev, addr))
		return -EIO;
	for (; len; len -= PAGE_SIZE, entry += PAGE_SIZE)
		*(*pte)++ = entry;
	return 0;
}

static int bench_bare_map(struct bench *b, unsigned long unused)
{
	unsigned long i, n;
	u64 *pte = b->pte;
	int ret = 0;

	if (b->backing != ARRAY) {
		for (i = 0; i < b->nvec && !ret; i++)
			ret = bench_bare_run(b, b->vec[i].paddr, b->vec[i].len,
					     &pte);
		return ret;
	}

	for (i = 0; i < b->npages && !ret; i += n) {
		for (n = 1; i + n < b->npages &&
		     b->pages[i + n] == b->pages[i] + n; n++)
			;
		ret = bench_bare_run(b, page_to_phys(b->pages[i]),
				     n << PAGE_SHIFT, &pte);
	}
	return ret;
}

static void bench_nop(struct bench *b, unsigned long i)
{
}

/**
 * struct bench_peer - a way of doing it
 * @name: for the output
 * @map: builds and maps number i of the batch
 * @walk: fills the page table
 * @sync: gives it to the CPU and back, or NULL
 * @unmap: unmaps and frees
 * @bytes: allocated for each mapping
 * @link_vec: the same with dma_iova_link_vec(), which only the way that a BAR is
 *	mapped behind an IOMMU can choose
 */
struct bench_peer {
	const char *name;
	int (*map)(struct bench *b, unsigned long i);
	void (*walk)(struct bench *b, unsigned long i);
	void (*sync)(struct bench *b, unsigned long i);
	void (*unmap)(struct bench *b, unsigned long i);
	size_t (*bytes)(struct bench *b);
	bool link_vec;
};

static const struct bench_peer peers[] = {
	{ "sgt", bench_sgt_map, bench_sgt_walk, bench_sgt_sync, bench_sgt_unmap,
	  bench_sgt_bytes },
	{ "sgt-entries", bench_sgt_map, bench_sgt_walk_entries, bench_sgt_sync,
	  bench_sgt_unmap, bench_sgt_bytes },
	{ "sgt-vec", bench_sgt_map, bench_sgt_walk, bench_sgt_sync,
	  bench_sgt_unmap, bench_sgt_bytes, true },
	{ "list", bench_list_map, bench_list_walk, bench_list_sync,
	  bench_list_unmap, bench_list_bytes },
	{ "list-ranges", bench_list_map, bench_list_walk_ranges, bench_list_sync,
	  bench_list_unmap, bench_list_bytes },
	{ "bare", bench_bare_map, bench_nop, NULL, bench_nop },
};

/*
 * Behind an IOMMU the bare loop has nothing to unmap with. Without an IOMMU nothing is
 * linked.
 */
static bool bench_has(struct bench *b, const struct bench_peer *peer)
{
	bool iommu = dma_get_merge_boundary(b->dev);

	return peer->link_vec ? iommu && b->backing == BAR :
				!iommu || peer->bytes;
}

/* Without a container there is nothing to sync, and device memory needs none. */
static bool bench_syncs(struct bench *b, const struct bench_peer *peer)
{
	return peer->sync && b->backing != BAR;
}

/* Runs @step for all of the batch, returns how long that took. */
static u64 bench_step(struct bench *b, void (*step)(struct bench *b,
						    unsigned long i))
{
	u64 start = ktime_get_ns();
	unsigned long i;

	for (i = 0; i < b->batch; i++)
		step(b, i);
	return ktime_get_ns() - start;
}

static int bench_round(struct bench *b, const struct bench_peer *peer, u64 *ns,
		       size_t *bytes)
{
	u64 start = ktime_get_ns();
	unsigned long i;
	int ret = 0;

	b->link_vec = peer->link_vec;
	for (i = 0; i < b->batch && !ret; i++)
		ret = peer->map(b, i);
	if (ret)
		return ret;

	ns[MAP] = ktime_get_ns() - start;
	ns[WALK] = bench_step(b, peer->walk);
	ns[SYNC] = bench_syncs(b, peer) ? bench_step(b, peer->sync) : 0;
	*bytes = peer->bytes ? peer->bytes(b) : 0;
	ns[UNMAP] = bench_step(b, peer->unmap);
	ns[SUM] = ns[MAP] + ns[WALK] + ns[UNMAP];
	return 0;
}

static int cmp_u64(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

static void bench_print(struct bench *b, const char *layout,
			const struct bench_peer *peer, size_t bytes,
			u64 ns[NR_PARTS][BENCH_MAX_ROUNDS], unsigned long n)
{
	unsigned int part;

	for (part = 0; part < NR_PARTS; part++) {
		if (part == SYNC && !bench_syncs(b, peer))
			continue;
		sort(ns[part], n, sizeof(u64), cmp_u64, NULL);
		pr_info("dma-buf-bench: %s %s %zu %lu %s %s %llu %llu %llu %zu\n",
			backing_name[b->backing], layout,
			(size_t)b->npages << PAGE_SHIFT, b->batch, peer->name,
			part_name[part], ns[part][n / 2], ns[part][0],
			ns[part][n - 1], bytes);
	}
}

/* All peers that can be compared must have written the same page table. */
static u64 bench_sum_of_ptes(struct bench *b)
{
	u64 sum = 0;
	unsigned long i;

	for (i = 0; i < b->npages; i++)
		sum = sum * 31 + b->pte[i];
	return sum;
}

static void bench_compare(struct bench *b, const char *layout)
{
	static u64 ns[ARRAY_SIZE(peers)][NR_PARTS][BENCH_MAX_ROUNDS];
	/* Large buffers take longer, and their times vary less. */
	unsigned long n = clamp(rounds * SZ_256M / ((u64)b->npages << PAGE_SHIFT),
				min(rounds, 3UL), min(rounds, BENCH_MAX_ROUNDS));
	bool iommu = dma_get_merge_boundary(b->dev);
	size_t bytes[ARRAY_SIZE(peers)];
	unsigned long round;
	unsigned int p, part;
	u64 want = 0;

	b->batch = clamp(BENCH_BATCH_PAGES / b->npages, 1UL, BENCH_MAX_BATCH);
	/* One more round to warm up */
	for (round = 0; round <= n; round++) {
		for (p = 0; p < ARRAY_SIZE(peers); p++) {
			u64 one[NR_PARTS];

			if (!bench_has(b, &peers[p]))
				continue;
			KUNIT_ASSERT_EQ(b->test, 0,
					bench_round(b, &peers[p], one, &bytes[p]));
			for (part = 0; round && part < NR_PARTS; part++)
				ns[p][part][round - 1] = one[part];
			if (!round && !p)
				want = bench_sum_of_ptes(b);
			else if (!round && !iommu)
				KUNIT_EXPECT_EQ(b->test, want,
						bench_sum_of_ptes(b));
			cond_resched();
		}
	}

	for (p = 0; p < ARRAY_SIZE(peers); p++)
		if (bench_has(b, &peers[p]))
			bench_print(b, layout, &peers[p], bytes[p], ns[p], n);
}

/* The first page to use: on some machines RAM does not start at zero. */
static unsigned long bench_first_pfn(void)
{
	unsigned long start = node_start_pfn(first_memory_node);

	return ALIGN(max(start, SZ_16M >> PAGE_SHIFT), SZ_2M >> PAGE_SHIFT);
}

/* Number of pages from that one on, at least as many as the longest run has */
static unsigned long bench_memory(void)
{
	unsigned long n = rounddown_pow_of_two(totalram_pages());

	while (!pfn_valid(bench_first_pfn() + n - 1))
		n /= 2;
	return n;
}

/* Fills in the runs of a buffer, of @run pages each. */
static void bench_scatter(struct bench *b, unsigned long run)
{
	unsigned long memory = bench_memory(), at = 0, i;
	phys_addr_t base = PFN_PHYS(bench_first_pfn());
	struct rnd_state rnd;

	prandom_seed_state(&rnd, 42);
	if (b->backing == BAR) {
		base = BIT_ULL(40);
		memory = BIT(24);
	}
	if (!run || run > b->npages)
		run = min(b->npages, memory);

	b->nvec = b->npages / run;
	for (i = 0; i < b->nvec; i++) {
		unsigned long next;

		do {
			next = run * (prandom_u32_state(&rnd) % (memory / run));
		} while (next == at + run && memory > 2 * run);
		at = next;
		b->vec[i] = (struct phys_vec) {
			.paddr = base + PFN_PHYS(at),
			.len = PFN_PHYS(run),
		};
	}
}

static void bench_fill_pages(struct bench *b)
{
	unsigned long i, n, at = 0;

	for (i = 0; i < b->nvec; i++)
		for (n = 0; n < b->vec[i].len >> PAGE_SHIFT; n++)
			b->pages[at++] = phys_to_page(b->vec[i].paddr +
						      PFN_PHYS(n));
}

static int bench_fill_master(struct bench *b)
{
	struct scatterlist *sg;
	unsigned int i;
	int ret;

	ret = sg_alloc_table(&b->master, b->nvec, GFP_KERNEL);
	if (ret)
		return ret;
	for_each_sgtable_sg(&b->master, sg, i)
		sg_set_page(sg, phys_to_page(b->vec[i].paddr), b->vec[i].len, 0);
	return 0;
}

static int bench_one(struct bench *b, const struct bench_layout *layout)
{
	int ret = 0;

	bench_scatter(b, layout->pages);
	/* The length of an entry has 32 bits, so longer runs do not fit an sg_table. */
	if (b->backing == RUNS && b->vec[0].len > UINT_MAX)
		return 0;
	if (b->backing == ARRAY)
		bench_fill_pages(b);
	if (b->backing == RUNS)
		ret = bench_fill_master(b);
	if (!ret)
		bench_compare(b, layout->name);
	if (b->backing == RUNS)
		sg_free_table(&b->master);
	return ret;
}

static int bench_size(struct bench *b, size_t size)
{
	unsigned int i;
	int ret = -ENOMEM;

	b->npages = size >> PAGE_SHIFT;
	b->pages = vmalloc_array(b->npages, sizeof(*b->pages));
	b->vec = vmalloc_array(b->npages, sizeof(*b->vec));
	b->pte = vzalloc(array_size(b->npages, sizeof(*b->pte)));
	if (!b->pages || !b->vec || !b->pte)
		goto out;

	ret = 0;
	for (b->backing = ARRAY; b->backing <= BAR; b->backing++)
		for (i = 0; i < ARRAY_SIZE(layouts) && !ret; i++)
			ret = bench_one(b, &layouts[i]);
out:
	vfree(b->pte);
	vfree(b->vec);
	vfree(b->pages);
	return ret;
}

struct bench_thread {
	struct bench b;
	struct completion done;
	int ret;
};

/* In another thread than the test, which would look for stubs if there are any. */
static int bench_thread(void *data)
{
	struct bench_thread *thread = data;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes) && !thread->ret; i++)
		if (sizes[i] >> 20 <= max_mib)
			thread->ret = bench_size(&thread->b, sizes[i]);
	complete(&thread->done);
	return 0;
}

static void bench_device(struct kunit *test, struct device *dev)
{
	struct bench_thread *thread = kunit_kzalloc(test, sizeof(*thread),
						    GFP_KERNEL);
	struct task_struct *task;

	KUNIT_ASSERT_NOT_NULL(test, thread);
	thread->b.test = test;
	thread->b.dev = dev;
	thread->b.own.dev = dev;
	init_completion(&thread->done);
	task = kthread_run(bench_thread, thread, "dma-buf-bench");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	wait_for_completion(&thread->done);
	KUNIT_EXPECT_EQ(test, thread->ret, 0);
}

static void bench_dev_if_safe(struct kunit *test, struct device *dev)
{
	bool coherent = dev_is_dma_coherent(dev);

	if (!coherent && !no_caches) {
		kunit_mark_skipped(test, "others would lose what they have in a cache");
		return;
	}
	pr_info("dma-buf-bench: dma %s%s\n", coherent ? "" : "non-coherent ",
		dma_get_merge_boundary(dev) ? "iommu" : "direct");
	bench_device(test, dev);
}

/* Where a device is coherent only if the firmware says so, it is one on PCI. */
static void without_an_iommu(struct kunit *test)
{
	struct device *dev = kunit_device_register(test, "importer");
	struct pci_dev *pdev = NULL;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	if (!dev_is_dma_coherent(dev)) {
		for_each_pci_dev(pdev)
			if (!pdev->dev.driver && !dma_get_merge_boundary(&pdev->dev))
				break;
		if (!pdev)
			kunit_skip(test, "no PCI device that nobody uses");
		dev = &pdev->dev;
	}
	if (!dma_coerce_mask_and_coherent(dev, DMA_BIT_MASK(64)))
		bench_dev_if_safe(test, dev);
	else
		KUNIT_FAIL(test, "DMA addresses of 64 bit are refused");
	pci_dev_put(pdev);
}

static void behind_an_iommu(struct kunit *test)
{
	struct pci_dev *pdev = NULL;

	for_each_pci_dev(pdev)
		if (dma_get_merge_boundary(&pdev->dev))
			break;
	if (!pdev)
		kunit_skip(test, "no PCI device behind an IOMMU");
	max_mib = min(max_mib, 4096UL);
	bench_dev_if_safe(test, &pdev->dev);
	pci_dev_put(pdev);
}

static struct kunit_case bench_cases[] = {
	KUNIT_CASE_SLOW(without_an_iommu),
	KUNIT_CASE_SLOW(behind_an_iommu),
	{}
};

static struct kunit_suite bench_suite = {
	.name = "bench-dma-buf",
	.test_cases = bench_cases,
};

kunit_test_suite(bench_suite);
