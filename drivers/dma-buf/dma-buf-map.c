// SPDX-License-Identifier: GPL-2.0-only
/*
 * Maps what backs a buffer for a device and lists the result
 *
 * The entries below only differ in how they describe the memory. All of them
 * become a walk over physically contiguous runs. dma_buf_list_build() writes some
 * of these down and maps them while they are in the cache, then the next: the
 * description is read once, and neither loop has much to keep in mind.
 */
#include <kunit/static_stub.h>
#include <kunit/test-bug.h>
#include <kunit/visibility.h>
#include <linux/align.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/scatterlist.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "dma-buf-internal.h"

/* A run is never longer than this, so that its bytes fit a size_t. */
#define DMA_BUF_RUN_MAX_PAGES	((unsigned long)(SIZE_MAX >> PAGE_SHIFT))

/* So many runs are unmapped at a time, about as many as are mapped. */
#define DMA_BUF_UNMAP_BATCH	512

/*
 * Two calls into the outside world, which KUnit replaces as those in dma-buf-hw.c.
 * They are made for each run, so whether there is a test is asked once, and they
 * are inline when there is none.
 */

/*
 * The memory of a device may have pages too, but how to map it is not for
 * dma-buf to decide. The generic kind is as good as any other memory, Xen uses
 * it for what is foreign.
 */
static __always_inline bool dma_buf_is_system_pfn(unsigned long pfn)
{
	struct page *page = pfn_to_page(pfn);

	return likely(!is_zone_device_page(page)) ||
	       page_pgmap(page)->type == MEMORY_DEVICE_GENERIC;
}

/* It comes in sections of the memmap, so looking at both ends will do. */
static __always_inline bool
dma_buf_are_system_pages(phys_addr_t phys, unsigned long npages)
{
	unsigned long first = PHYS_PFN(phys);

	return dma_buf_is_system_pfn(first) &&
	       (npages == 1 || dma_buf_is_system_pfn(first + npages - 1));
}

/* The same for what may have no pages at all. */
static noinline bool dma_buf_is_system_memory(phys_addr_t phys, unsigned long npages)
{
	unsigned long first = PHYS_PFN(phys);

	return pfn_valid(first) &&
	       (npages == 1 || pfn_valid(first + npages - 1)) &&
	       dma_buf_are_system_pages(phys, npages);
}

bool dma_buf_hw_is_system_memory(phys_addr_t phys, unsigned long npages)
{
	KUNIT_STATIC_STUB_REDIRECT(dma_buf_hw_is_system_memory, phys, npages);
	return dma_buf_is_system_memory(phys, npages);
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_hw_is_system_memory);

dma_addr_t dma_buf_hw_map_phys(struct device *dev, phys_addr_t phys, size_t size,
			       enum dma_data_direction dir, unsigned long attrs)
{
	KUNIT_STATIC_STUB_REDIRECT(dma_buf_hw_map_phys, dev, phys, size, dir,
				   attrs);
	return dma_map_phys(dev, phys, size, dir, attrs);
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_hw_map_phys);

/**
 * struct dma_buf_walk - position in the description of a buffer
 * @pages: array of pages, or NULL
 * @sg: next entry of a scatterlist, or NULL
 * @vecs: array of physical ranges, if it is neither of these
 * @nr: number of elements, whichever they are
 * @index: next one of them
 * @rest: what was read, but not handed out yet
 * @has_pages: this is system memory
 * @test: KUnit may have replaced calls
 */
struct dma_buf_walk {
	struct page *const *pages;
	struct scatterlist *sg;
	const struct phys_vec *vecs;
	unsigned long nr;
	unsigned long index;
	struct dma_buf_run rest;
	bool has_pages;
	bool test;
};

/* Without one memmap for all, neighbours in a memmap are no proof. */
static bool dma_buf_is_nth_page(const struct page *page,
				const struct page *first, unsigned long n)
{
	if (IS_ENABLED(CONFIG_SPARSEMEM) && !IS_ENABLED(CONFIG_SPARSEMEM_VMEMMAP))
		return page_to_pfn(page) == page_to_pfn(first) + n;
	return page == first + n;
}

/* How many pages are one run, if it is more than one. */
static noinline unsigned long
dma_buf_count_pages(struct page *const *pages, unsigned long max)
{
	unsigned long n;

	for (n = 2; n < max; n++)
		if (!dma_buf_is_nth_page(pages[n], pages[0], n))
			break;
	return n;
}

static __always_inline struct dma_buf_run
dma_buf_walk_pages(struct dma_buf_walk *walk)
{
	struct page *const *pages = walk->pages + walk->index;
	unsigned long n = 1, max = walk->nr - walk->index;

	if (max > 1 && dma_buf_is_nth_page(pages[1], pages[0], 1))
		n = dma_buf_count_pages(pages, max);

	walk->index += n;
	return (struct dma_buf_run) {
		.addr = page_to_phys(pages[0]),
		.npages = n,
	};
}

/*
 * Here and below, @kind is what is known of the walk when compiling: a loop for
 * each takes a fifth less time for single pages of a range than one for all.
 */
enum dma_buf_walk_kind { DMA_BUF_WALK_PAGES, DMA_BUF_WALK_SG, DMA_BUF_WALK_VECS };

/* A table at its end looks like an array without elements, which is as good. */
static enum dma_buf_walk_kind dma_buf_walk_kind(const struct dma_buf_walk *walk)
{
	return walk->pages ? DMA_BUF_WALK_PAGES :
	       walk->sg ? DMA_BUF_WALK_SG : DMA_BUF_WALK_VECS;
}

/* The range at the position, which stays where it is. */
static __always_inline struct phys_vec
dma_buf_walk_peek(const struct dma_buf_walk *walk, enum dma_buf_walk_kind kind)
{
	if (kind != DMA_BUF_WALK_SG)
		return walk->vecs[walk->index];

	return (struct phys_vec) {
		.paddr = sg_phys(walk->sg),
		.len = walk->sg->length,
	};
}

static __always_inline void
dma_buf_walk_step(struct dma_buf_walk *walk, enum dma_buf_walk_kind kind)
{
	walk->index++;
	if (kind == DMA_BUF_WALK_SG)
		walk->sg = sg_next(walk->sg);
}

static __always_inline struct dma_buf_run
dma_buf_walk_ranges(struct dma_buf_walk *walk, enum dma_buf_walk_kind kind)
{
	struct phys_vec vec = dma_buf_walk_peek(walk, kind);
	struct dma_buf_run run = {
		.addr = vec.paddr,
		.npages = PFN_UP(vec.len),
	};

	for (dma_buf_walk_step(walk, kind); walk->index < walk->nr;
	     dma_buf_walk_step(walk, kind)) {
		unsigned long n;

		vec = dma_buf_walk_peek(walk, kind);
		/* What is at zero does not go on where the addresses end. */
		if (!vec.paddr || vec.paddr != run.addr + PFN_PHYS(run.npages))
			break;
		n = PFN_UP(vec.len);
		if (n > DMA_BUF_RUN_MAX_PAGES - run.npages)
			break;
		run.npages += n;
	}
	return run;
}

static __always_inline bool
dma_buf_walk_is_system_memory(const struct dma_buf_walk *walk,
			      struct dma_buf_run run, enum dma_buf_walk_kind kind)
{
	if (unlikely(walk->test))
		return dma_buf_hw_is_system_memory(run.addr, run.npages);
	/* What is in an array is there. */
	return kind == DMA_BUF_WALK_PAGES ?
	       dma_buf_are_system_pages(run.addr, run.npages) :
	       dma_buf_is_system_memory(run.addr, run.npages);
}

/* Reads the next run, if there is one and nothing is left of the one before. */
static __always_inline int dma_buf_walk_read(struct dma_buf_walk *walk,
					     enum dma_buf_walk_kind kind)
{
	if (walk->rest.npages || walk->index == walk->nr)
		return 0;

	walk->rest = kind == DMA_BUF_WALK_PAGES ?
		     dma_buf_walk_pages(walk) :
		     dma_buf_walk_ranges(walk, kind);
	if ((kind == DMA_BUF_WALK_PAGES || walk->has_pages) &&
	    !dma_buf_walk_is_system_memory(walk, walk->rest, kind))
		return -EINVAL;
	return 0;
}

static __always_inline void dma_buf_walk_skip(struct dma_buf_walk *walk,
					      unsigned long npages)
{
	walk->rest.addr += PFN_PHYS(npages);
	walk->rest.npages -= npages;
}

/**
 * struct dma_buf_build - a list in the making
 * @list: the list
 * @walk: what backs it
 * @phys: what was read of it, in the runs that it is mapped in
 * @last: the highest address in there
 * @next: the first word of @phys that is not mapped yet
 * @nruns: how many runs are mapped
 * @addrs: their DMA addresses, unless @linear
 * @offset: of all DMA addresses to the physical ones, if @linear
 * @npages: length that the list is going to have
 * @done: how much of that is mapped
 * @max_pages: longest run that one call of the DMA API takes if it bounces
 * @route: route that was decided before, or DMA_BUF_ROUTE_NONE
 * @peer: this is the memory of a device
 * @linear: there is such an @offset, so far
 * @called: the DMA API was asked for some of the addresses
 */
struct dma_buf_build {
	struct dma_buf_list *list;
	struct dma_buf_walk walk;
	struct dma_buf_writer phys;
	u64 last;
	const u64 *next;
	unsigned long nruns;
	struct dma_buf_writer addrs;
	u64 offset;
	unsigned long npages;
	unsigned long done;
	unsigned long max_pages;
	enum dma_buf_route route;
	bool peer;
	bool linear;
	bool called;
};

/*
 * The DMA API limits the size of any mapping for a device that needs bouncing
 * somewhere, and most of the memory is within its reach.
 */
static noinline bool dma_buf_build_may_bounce(const struct dma_buf_build *build,
					      struct dma_buf_run run)
{
	const struct dma_buf_list *list = build->list;

	/* The length of a scatterlist entry is limited anyway. */
	return list->route == DMA_BUF_ROUTE_MAP_SG ||
	       !dma_buf_hw_map_is_identity(list->dev, run.addr +
					   PFN_PHYS(run.npages) - 1, list->attrs);
}

static __always_inline bool dma_buf_build_cuts(const struct dma_buf_build *build,
					       struct dma_buf_run run)
{
	return unlikely(run.npages > build->max_pages) &&
	       dma_buf_build_may_bounce(build, run);
}

/*
 * The next run or the first part of it, which is as long as the DMA API and a
 * memmap with holes allow. It is there until dma_buf_walk_skip().
 */
static __always_inline int dma_buf_walk_run(struct dma_buf_walk *walk,
					    const struct dma_buf_build *build,
					    enum dma_buf_walk_kind kind,
					    struct dma_buf_run *run)
{
	int ret = dma_buf_walk_read(walk, kind);

	if (ret)
		return ret;

	*run = walk->rest;
	if (dma_buf_build_cuts(build, *run))
		run->npages = build->max_pages;
	while (walk->has_pages && run->npages > 1 &&
	       !page_range_contiguous(phys_to_page(run->addr), run->npages))
		run->npages /= 2;
	return 0;
}

static size_t dma_buf_bytes(unsigned long npages)
{
	return (size_t)npages << PAGE_SHIFT;
}

/*
 * One range in the address space of the device is worth having whenever the
 * mapping would have more than one part, and some importers depend on it. The
 * page-aligned parts must fit the granule of the IOMMU.
 */
static bool dma_buf_build_try_iova(struct dma_buf_build *build, bool parts)
{
	struct dma_buf_list *list = build->list;

	if (!parts || build->npages > DMA_BUF_RUN_MAX_PAGES >> 1)
		return false;
	/* dma_map_phys() knows who cannot do it, dma_iova_link() would ignore it. */
	if (list->attrs & DMA_ATTR_CC_SHARED)
		return false;
	if (dma_buf_hw_merge_boundary(list->dev) & PAGE_MASK)
		return false;
	return dma_buf_hw_iova_alloc(list->dev, &list->iova,
				     dma_buf_bytes(build->npages));
}

static void dma_buf_build_pick_route(struct dma_buf_build *build, bool parts)
{
	struct dma_buf_list *list = build->list;

	if (list->route != DMA_BUF_ROUTE_NONE)
		return;

	if (build->walk.has_pages && dma_buf_hw_has_map_ops(list->dev))
		list->route = DMA_BUF_ROUTE_MAP_SG;
	else if (dma_buf_build_try_iova(build, parts))
		list->route = DMA_BUF_ROUTE_IOVA;
	else
		list->route = DMA_BUF_ROUTE_PER_RUN;
}

/*
 * The DMA API does not check bus addresses, and a device that cannot reach one
 * would truncate it.
 */
static int dma_buf_map_bus_addr(struct dma_buf_build *build,
				struct dma_buf_run run)
{
	u64 start = run.addr + build->offset;
	u64 last = start + ((u64)run.npages << PAGE_SHIFT) - 1;

	if (last < start || last > dma_buf_hw_addr_limit(build->list->dev))
		return -EREMOTEIO;
	return 0;
}

static int dma_buf_map_iova(struct dma_buf_build *build, struct dma_buf_run run)
{
	struct dma_buf_list *list = build->list;

	return dma_buf_hw_iova_link(list->dev, &list->iova, run.addr,
				    dma_buf_bytes(build->done),
				    dma_buf_bytes(run.npages), list->dir,
				    list->attrs);
}

static int dma_buf_map_error(const struct dma_buf_list *list)
{
	/*
	 * No amount of memory makes a device see a BAR that lies beyond its
	 * mask. With an IOMMU it is the addresses that ran out.
	 */
	if (list->peer && !dma_buf_hw_merge_boundary(list->dev))
		return -EREMOTEIO;
	return -ENOMEM;
}

/* The DMA addresses do not follow from the physical ones, so store them, too. */
static int dma_buf_build_scatter(struct dma_buf_build *build)
{
	const u64 *word = build->phys.first;
	struct dma_buf_run run;
	unsigned long i;
	int ret;

	dma_buf_writer_init(&build->addrs, NULL, 0, build->phys.expect);
	for (i = 0; i < build->nruns; i++) {
		word = dma_buf_run_read(word, &run.addr, &run.npages);
		run.addr += build->offset;
		ret = dma_buf_writer_add(&build->addrs, run);
		if (ret)
			goto err_free;
	}

	build->linear = false;
	return 0;

err_free:
	dma_buf_blocks_free(build->addrs.blocks);
	return ret;
}

/* Keeps the address of the first run, or of one that is not where it should be. */
static int dma_buf_build_add_addr(struct dma_buf_build *build,
				  struct dma_buf_run run, u64 addr)
{
	const struct dma_buf_run dma = { .addr = addr, .npages = run.npages };
	int ret;

	if (WARN_ON_ONCE(!IS_ALIGNED(addr - run.addr, PAGE_SIZE)))
		return -EIO;
	if (!build->nruns) {
		build->offset = addr - run.addr;
		build->linear = true;
		return 0;
	}

	ret = build->linear ? dma_buf_build_scatter(build) : 0;
	return ret ?: dma_buf_writer_add(&build->addrs, dma);
}

static __always_inline int dma_buf_map_run(struct dma_buf_build *build,
					   struct dma_buf_run run)
{
	const struct dma_buf_list *list = build->list;
	size_t len = dma_buf_bytes(run.npages);
	dma_addr_t addr;
	int ret;

	if (unlikely(build->walk.test))
		addr = dma_buf_hw_map_phys(list->dev, run.addr, len, list->dir,
					   list->attrs);
	else
		addr = dma_map_phys(list->dev, run.addr, len, list->dir,
				    list->attrs);
	if (unlikely(dma_mapping_error(list->dev, addr)))
		return dma_buf_map_error(list);
	if (likely(build->linear && addr - run.addr == build->offset))
		return 0;

	ret = dma_buf_build_add_addr(build, run, addr);
	/* Nobody else knows of this one. */
	if (ret && dma_buf_hw_need_unmap(list->dev))
		dma_buf_hw_unmap_phys(list->dev, addr, len, list->dir,
				      list->attrs);
	return ret;
}

/*
 * Maps what was read. The one place that knows what each route does: @route is
 * known when compiling.
 */
static __always_inline int dma_buf_build_map_by(struct dma_buf_build *build,
						enum dma_buf_route route)
{
	const u64 *word = build->next, *end = build->phys.pos;
	int ret = 0;

	while (word != end) {
		struct dma_buf_run run;
		const u64 *next = dma_buf_run_read(word, &run.addr, &run.npages);

		if (route == DMA_BUF_ROUTE_PER_RUN)
			ret = dma_buf_map_run(build, run);
		else if (route == DMA_BUF_ROUTE_IOVA)
			ret = dma_buf_map_iova(build, run);
		else
			ret = dma_buf_map_bus_addr(build, run);
		if (ret)
			break;
		build->done += run.npages;
		build->nruns++;
		word = next;
	}

	build->next = word;
	return ret;
}

/* Behind one IOVA the memory of a device has no parts. */
static bool dma_buf_build_keeps_phys(const struct dma_buf_build *build)
{
	return build->list->route != DMA_BUF_ROUTE_IOVA || !build->peer;
}

/*
 * Where each of the calls would return what it is given, none is made. This goes
 * for what was mapped before as well: none of it is beyond @last.
 */
static bool dma_buf_build_map_identity(struct dma_buf_build *build)
{
	const struct dma_buf_list *list = build->list;

	if (!dma_buf_hw_map_is_identity(list->dev, build->last, list->attrs))
		return false;

	build->linear = true;
	build->next = build->phys.pos;
	build->nruns = build->phys.nruns;
	build->done = build->phys.npages;
	return true;
}

static int dma_buf_build_map(struct dma_buf_build *build)
{
	int ret;

	switch (build->list->route) {
	case DMA_BUF_ROUTE_PER_RUN:
		if (dma_buf_build_map_identity(build))
			return 0;
		build->called = true;
		return dma_buf_build_map_by(build, DMA_BUF_ROUTE_PER_RUN);
	case DMA_BUF_ROUTE_BUS_ADDR:
		return dma_buf_build_map_by(build, DMA_BUF_ROUTE_BUS_ADDR);
	case DMA_BUF_ROUTE_IOVA:
		ret = dma_buf_build_map_by(build, DMA_BUF_ROUTE_IOVA);
		if (!dma_buf_build_keeps_phys(build)) {
			build->phys.pos = build->phys.first;
			build->next = build->phys.first;
		}
		return ret;
	case DMA_BUF_ROUTE_MAP_SG:
		/* All at once, when the runs are known. */
		build->next = build->phys.pos;
		return 0;
	default:
		return -EINVAL;
	}
}

/* Takes the addresses from a table that was mapped. */
static int dma_buf_build_take_addrs(struct dma_buf_build *build,
				    struct sg_table *sgt)
{
	struct scatterlist *sg;
	unsigned int i;
	int ret;

	dma_buf_writer_init(&build->addrs, build->list->one,
			    ARRAY_SIZE(build->list->one), sgt->nents);
	for_each_sgtable_dma_sg(sgt, sg, i) {
		struct dma_buf_run run = {
			.addr = sg_dma_address(sg),
			.npages = sg_dma_len(sg) >> PAGE_SHIFT,
		};

		if (WARN_ON_ONCE(!IS_ALIGNED(sg_dma_address(sg) | sg_dma_len(sg),
					     PAGE_SIZE)))
			return -EIO;
		ret = dma_buf_writer_add(&build->addrs, run);
		if (ret)
			return ret;
	}
	return 0;
}

/* Makes the table for dma_map_sgtable() and takes the addresses from it. */
static int dma_buf_build_map_sg(struct dma_buf_build *build)
{
	struct dma_buf_list *list = build->list;
	const u64 *word = build->phys.first;
	struct scatterlist *sg;
	struct sg_table *sgt;
	unsigned int i;
	int ret;

	if (build->phys.nruns > UINT_MAX)
		return -E2BIG;

	sgt = kzalloc_obj(*sgt);
	if (!sgt)
		return -ENOMEM;

	ret = sg_alloc_table(sgt, build->phys.nruns, GFP_KERNEL);
	if (ret)
		goto err_free_sgt;

	for_each_sgtable_sg(sgt, sg, i) {
		struct dma_buf_run run;

		word = dma_buf_run_read(word, &run.addr, &run.npages);
		sg_set_page(sg, phys_to_page(run.addr), run.npages << PAGE_SHIFT,
			    0);
	}

	ret = dma_buf_hw_map_sgtable(list->dev, sgt, list->dir, list->attrs);
	if (ret)
		goto err_free_table;

	list->sgt = sgt;
	return dma_buf_build_take_addrs(build, sgt);

err_free_table:
	sg_free_table(sgt);
err_free_sgt:
	kfree(sgt);
	return ret;
}

static int dma_buf_build_finish(struct dma_buf_build *build)
{
	struct dma_buf_list *list = build->list;

	switch (list->route) {
	case DMA_BUF_ROUTE_MAP_SG:
		return dma_buf_build_map_sg(build);
	case DMA_BUF_ROUTE_IOVA:
		return dma_buf_hw_iova_sync(list->dev, &list->iova,
					    dma_buf_bytes(build->done));
	default:
		return 0;
	}
}

/* Without caches to manage, dma-debug would complain of an IOVA it never saw. */
static bool dma_buf_list_skip_sync(const struct dma_buf_list *list)
{
	return list->attrs & DMA_ATTR_MMIO ||
	       (list->route == DMA_BUF_ROUTE_IOVA &&
		!IS_ENABLED(CONFIG_ARCH_HAS_SYNC_DMA_FOR_CPU) &&
		!IS_ENABLED(CONFIG_ARCH_HAS_SYNC_DMA_FOR_DEVICE));
}

/*
 * Where the addresses are stored on their own, few need what is behind them:
 * readers with a grant, importers with an sg_table, and syncing what one IOVA has
 * put together. For all others a scattered buffer behind an IOMMU is one word.
 */
void dma_buf_list_forget_pages(struct dma_buf_list *list)
{
	if (list->granted || dma_buf_list_shares_words(list))
		return;
	if (list->route == DMA_BUF_ROUTE_IOVA && !dma_buf_list_skip_sync(list))
		return;

	list->phys = NULL;
	list->has_pages = false;
	dma_buf_blocks_free(list->phys_blocks);
	list->phys_blocks = NULL;
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_list_forget_pages);

/* Gives the list what was built, for readers or for taking it back. */
static void dma_buf_build_hand_over(struct dma_buf_build *build)
{
	struct dma_buf_list *list = build->list;

	if (list->route == DMA_BUF_ROUTE_IOVA && build->done) {
		struct dma_buf_run all = {
			.addr = list->iova.addr,
			.npages = build->done,
		};

		dma_buf_writer_init(&build->addrs, list->one,
				    ARRAY_SIZE(list->one), 1);
		dma_buf_writer_add(&build->addrs, all);
	}

	dma_buf_writer_trim(&build->phys);
	if (build->linear) {
		/* What was read but not mapped is not there. */
		build->phys.npages = build->done;
		build->phys.nruns = build->nruns;
		dma_buf_list_set(list, &build->phys, build->offset);
	} else {
		dma_buf_writer_trim(&build->addrs);
		dma_buf_list_set(list, &build->addrs, 0);
		list->phys_blocks = build->phys.blocks;
	}

	list->phys = dma_buf_build_keeps_phys(build) ? build->phys.first : NULL;
	list->has_pages = build->walk.has_pages;
}

/* Takes back what was mapped, however far that went. */
static void dma_buf_list_undo(struct dma_buf_list *list)
{
	const u64 *word = list->dma.first;
	unsigned long i, npages;
	u64 addr;

	switch (list->route) {
	case DMA_BUF_ROUTE_IOVA:
		dma_buf_hw_iova_destroy(list->dev, &list->iova,
					dma_buf_bytes(list->dma.npages),
					list->dir, list->attrs);
		break;
	case DMA_BUF_ROUTE_PER_RUN:
		for (i = 0; list->need_unmap && i < list->dma.nruns; i++) {
			word = dma_buf_run_read(word, &addr, &npages);
			dma_buf_hw_unmap_phys(list->dev, addr + list->dma.offset,
					      dma_buf_bytes(npages), list->dir,
					      list->attrs);
			if (!(i % DMA_BUF_UNMAP_BATCH))
				cond_resched();
		}
		break;
	case DMA_BUF_ROUTE_MAP_SG:
		if (!list->sgt)
			break;
		dma_buf_hw_unmap_sgtable(list->dev, list->sgt, list->dir,
					 list->attrs);
		sg_free_table(list->sgt);
		kfree(list->sgt);
		break;
	default:
		break;
	}
}

/**
 * dma_buf_list_free - unmap a list and free it
 * @list: list that dma_buf_list_from_pages() or one of its siblings made
 *
 * For exporters, in &dma_buf_ops.unmap_dma_buf or where they give up a list that
 * they kept. Importers call dma_buf_list_unmap(). Works after the provider of a
 * BAR is gone.
 *
 * Context: May sleep. Nobody else may be using @list, which the reservation lock
 * sees to in &dma_buf_ops.unmap_dma_buf and detaching in &dma_buf_ops.detach. A
 * list that an importer still has is not freed, but warned about.
 */
void dma_buf_list_free(struct dma_buf_list *list)
{
	if (WARN_ON_ONCE(!list_empty(&list->node)))
		return;

	dma_buf_list_undo(list);
	dma_buf_list_release(list);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_list_free, "DMA_BUF");

/* A long buffer must neither hog the CPU nor outlive the task that wants it. */
static int dma_buf_build_pause(void)
{
	cond_resched();
	return fatal_signal_pending(current) ? -EINTR : 0;
}

/* The first run and whether there are more of them decide about the route. */
static int dma_buf_build_start(struct dma_buf_build *build)
{
	struct dma_buf_walk *walk = &build->walk;
	struct dma_buf_list *list = build->list;
	bool here;
	int ret;

	ret = dma_buf_walk_read(walk, dma_buf_walk_kind(walk));
	if (ret)
		return ret;

	dma_buf_build_pick_route(build, walk->index < walk->nr ||
				 dma_buf_build_cuts(build, walk->rest));

	/* Only bouncing limits the size, and neither MMIO nor an IOVA does. */
	if (list->route == DMA_BUF_ROUTE_IOVA)
		build->max_pages = DMA_BUF_RUN_MAX_PAGES;

	/*
	 * The room in the list is for what becomes the DMA addresses, and until
	 * then for what is not kept. No walk has more runs than elements, but
	 * for those that are cut.
	 */
	here = build->peer || list->route == DMA_BUF_ROUTE_PER_RUN;
	dma_buf_writer_init(&build->phys, here ? list->one : NULL,
			    here ? ARRAY_SIZE(list->one) : 0,
			    walk->nr + build->npages / build->max_pages);
	build->next = build->phys.first;
	build->linear = list->route == DMA_BUF_ROUTE_BUS_ADDR;
	if (build->linear && WARN_ON_ONCE(!IS_ALIGNED(build->offset, PAGE_SIZE)))
		return -EIO;
	return 0;
}

/* Reads the next runs, as many as there is room for. */
static __always_inline int dma_buf_build_read_as(struct dma_buf_build *build,
						 enum dma_buf_walk_kind kind)
{
	struct dma_buf_writer phys = build->phys;
	struct dma_buf_walk walk = build->walk;
	u64 last = build->last;
	struct dma_buf_run run;
	int ret;

	for (;;) {
		ret = dma_buf_walk_run(&walk, build, kind, &run);
		if (ret || !run.npages || !dma_buf_writer_put(&phys, run))
			break;
		last = max(last, run.addr + PFN_PHYS(run.npages) - 1);
		dma_buf_walk_skip(&walk, run.npages);
	}

	build->last = last;
	build->walk = walk;
	build->phys = phys;
	return ret;
}

static int dma_buf_build_read(struct dma_buf_build *build)
{
	switch (dma_buf_walk_kind(&build->walk)) {
	case DMA_BUF_WALK_PAGES:
		return dma_buf_build_read_as(build, DMA_BUF_WALK_PAGES);
	case DMA_BUF_WALK_SG:
		return dma_buf_build_read_as(build, DMA_BUF_WALK_SG);
	default:
		return dma_buf_build_read_as(build, DMA_BUF_WALK_VECS);
	}
}

/* The next runs, of which a block has no more than a few hundred. */
static int dma_buf_build_some(struct dma_buf_build *build)
{
	int ret = dma_buf_build_read(build);

	if (ret)
		return ret;

	/* All that was read before is mapped, so it may be moved. */
	if (build->next == build->phys.pos) {
		ret = dma_buf_writer_grow(&build->phys);
		build->next = build->phys.pos;
		return ret;
	}

	return dma_buf_build_map(build);
}

static bool dma_buf_walk_at_end(const struct dma_buf_walk *walk)
{
	return walk->index == walk->nr && !walk->rest.npages;
}

static int dma_buf_build_all(struct dma_buf_build *build)
{
	struct dma_buf_walk *walk = &build->walk;
	int ret;

	if (dma_buf_walk_at_end(walk))
		return 0;

	ret = dma_buf_build_start(build);
	while (!ret) {
		ret = dma_buf_build_some(build);
		if (ret || dma_buf_walk_at_end(walk))
			break;
		ret = dma_buf_build_pause();
	}
	return ret ?: dma_buf_build_finish(build);
}

/*
 * The longest run that one call of the DMA API takes. Only bouncing limits it,
 * which is for whatever is not MMIO, with pages or without.
 */
static unsigned long dma_buf_build_max_pages(struct device *dev, bool has_pages,
					     unsigned long attrs)
{
	unsigned long max = DMA_BUF_RUN_MAX_PAGES;

	if (attrs & DMA_ATTR_MMIO)
		return max;

	max = min(max, dma_buf_hw_max_mapping_size(dev) >> PAGE_SHIFT);
	/* The length of a scatterlist entry has 32 bits. */
	if (has_pages && dma_buf_hw_has_map_ops(dev))
		max = min(max, UINT_MAX >> PAGE_SHIFT);
	return max(max, 1UL);
}

static struct dma_buf_list *dma_buf_list_build(struct dma_buf_build *build,
					       struct device *dev,
					       enum dma_data_direction dir,
					       unsigned long attrs)
{
	struct dma_buf_list *list;
	int ret;

	might_sleep();

	if (WARN_ON_ONCE(!dev || !valid_dma_direction(dir)))
		return ERR_PTR(-EINVAL);

	list = dma_buf_list_alloc(dev, dir, attrs);
	if (!list)
		return ERR_PTR(-ENOMEM);

	list->route = build->route;
	list->peer = build->peer;
	build->list = list;
	build->walk.test = kunit_get_current_test();
	build->max_pages = dma_buf_build_max_pages(dev, build->walk.has_pages,
						   attrs);

	ret = dma_buf_build_all(build);
	dma_buf_build_hand_over(build);
	list->need_unmap = build->called && dma_buf_hw_need_unmap(dev);
	if (ret) {
		dma_buf_list_free(list);
		return ERR_PTR(ret);
	}
	return list;
}

/*
 * Checks physical ranges and counts their pages. Only the last one may end
 * within a page, and only if @partial.
 */
static __always_inline int
dma_buf_walk_check_as(struct dma_buf_walk walk, enum dma_buf_walk_kind kind,
		      bool partial, unsigned long *npages)
{
	unsigned long sum = 0;

	for (; walk.index < walk.nr; dma_buf_walk_step(&walk, kind)) {
		bool last = partial && walk.index == walk.nr - 1;
		struct phys_vec vec;
		phys_addr_t end;

		if (kind == DMA_BUF_WALK_SG && !sg_page(walk.sg))
			return -EINVAL;

		vec = dma_buf_walk_peek(&walk, kind);
		if (!vec.len ||
		    !IS_ALIGNED(vec.paddr | (last ? 0 : vec.len), PAGE_SIZE))
			return -EINVAL;
		if (vec.len > SIZE_MAX - PAGE_SIZE + 1 ||
		    check_add_overflow(vec.paddr, vec.len - 1, &end) ||
		    check_add_overflow(sum, PFN_UP(vec.len), &sum))
			return -EOVERFLOW;
	}

	/* In bytes, the sum has to fit a u64 that dma_iova_try_alloc() takes. */
	if (sum > (unsigned long)(U64_MAX >> (PAGE_SHIFT + 1)))
		return -EOVERFLOW;

	*npages = sum;
	return 0;
}

static int dma_buf_walk_check(const struct dma_buf_walk *walk, bool partial,
			      unsigned long *npages)
{
	if (walk->sg)
		return dma_buf_walk_check_as(*walk, DMA_BUF_WALK_SG, partial,
					     npages);
	if (walk->nr && !walk->vecs)
		return -EINVAL;
	return dma_buf_walk_check_as(*walk, DMA_BUF_WALK_VECS, partial, npages);
}

static struct dma_buf_list *
dma_buf_list_from_ranges(struct dma_buf_build *build, struct device *dev,
			 enum dma_data_direction dir, unsigned long attrs)
{
	int ret = dma_buf_walk_check(&build->walk, !build->peer, &build->npages);

	return ret ? ERR_PTR(ret) : dma_buf_list_build(build, dev, dir, attrs);
}

/**
 * dma_buf_list_from_pages - map an array of pages and list them
 * @dev: device to map for, usually &dma_buf_attachment.dev
 * @pages: the pages of the buffer in order, system memory; may repeat
 * @npages: length of @pages, zero makes a list without chunks
 * @dir: direction of the DMA
 * @attrs: DMA_ATTR_* of the mapping, kept for unmapping
 *
 * Physically contiguous pages become one chunk. The pages must stay where they
 * are until dma_buf_list_free().
 *
 * Context: May sleep.
 * Return: The list, or an ERR_PTR(): -EINVAL for a bad argument or a page of a
 * device, -ENOMEM, -EINTR for a task that is being killed, or what else the DMA
 * API returned.
 */
struct dma_buf_list *
dma_buf_list_from_pages(struct device *dev, struct page *const *pages,
			unsigned long npages, enum dma_data_direction dir,
			unsigned long attrs)
{
	struct dma_buf_build build = {
		.walk = { .pages = pages, .nr = npages, .has_pages = true },
		.npages = npages,
	};

	if (npages && !pages)
		return ERR_PTR(-EINVAL);

	return dma_buf_list_build(&build, dev, dir, attrs);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_list_from_pages, "DMA_BUF");

/**
 * dma_buf_list_from_runs - map runs of system memory and list them
 * @dev: device to map for, usually &dma_buf_attachment.dev
 * @runs: the buffer in order as physical ranges, all of them with pages; may
 *	repeat. The last one may end within a page, the list does not.
 * @nr_runs: length of @runs, zero makes a list without chunks
 * @dir: direction of the DMA
 * @attrs: DMA_ATTR_* of the mapping, kept for unmapping
 *
 * For exporters that allocate more than a page at a time: the cost is in runs
 * and not in pages.
 *
 * Context: May sleep.
 * Return: The list, or an ERR_PTR(): -EINVAL for a bad argument, a run that is
 * empty or not aligned, or a page of a device; -EOVERFLOW, -ENOMEM, -EINTR for a
 * task that is being killed, or what else the DMA API returned.
 */
struct dma_buf_list *
dma_buf_list_from_runs(struct device *dev, const struct phys_vec *runs,
		       size_t nr_runs, enum dma_data_direction dir,
		       unsigned long attrs)
{
	struct dma_buf_build build = {
		.walk = { .vecs = runs, .nr = nr_runs, .has_pages = true },
	};

	return dma_buf_list_from_ranges(&build, dev, dir, attrs);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_list_from_runs, "DMA_BUF");

/**
 * dma_buf_list_from_sgt - map the pages of a driver's own sg_table and list them
 * @dev: device to map for, usually &dma_buf_attachment.dev
 * @sgt: the buffer in order. Only its pages are looked at; whether it is mapped,
 *	and for which device, makes no difference. The last entry may end within
 *	a page, the list does not.
 * @dir: direction of the DMA
 * @attrs: DMA_ATTR_* of the mapping, kept for unmapping
 *
 * For exporters that keep their pages in an sg_table. It is not changed, so one
 * table serves any number of mappings, and not needed any more when the list
 * exists.
 *
 * Context: May sleep.
 * Return: The list, or an ERR_PTR(): -EINVAL for an entry without a page, one
 * that is empty or not aligned, or a page of a device; -EOVERFLOW, -ENOMEM,
 * -EINTR for a task that is being killed, or what else the DMA API returned.
 */
struct dma_buf_list *
dma_buf_list_from_sgt(struct device *dev, const struct sg_table *sgt,
		      enum dma_data_direction dir, unsigned long attrs)
{
	struct dma_buf_build build = {
		.walk = {
			.sg = sgt->sgl,
			.nr = sgt->orig_nents,
			.has_pages = true,
		},
	};

	return dma_buf_list_from_ranges(&build, dev, dir, attrs);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_list_from_sgt, "DMA_BUF");

/**
 * dma_buf_list_from_coherent - map what dma_alloc_attrs() returned and list it
 * @dev: device to map for, usually &dma_buf_attachment.dev
 * @owner: device that the memory was allocated for
 * @cpu_addr: address or cookie that dma_alloc_attrs() returned
 * @dma_addr: DMA address that it returned, for @owner
 * @size: size that was allocated, in bytes
 * @dir: direction of the DMA
 * @attrs: DMA_ATTR_* of the allocation
 *
 * Caches are left alone, both devices see the memory without. It may come from a
 * pool that has no struct page; there are none in the list then.
 *
 * Context: May sleep.
 * Return: The list, or an ERR_PTR(): -ENXIO if the DMA API cannot tell what is
 * behind the allocation, -ENOMEM, -EINTR for a task that is being killed, or what
 * else it returned.
 */
struct dma_buf_list *
dma_buf_list_from_coherent(struct device *dev, struct device *owner,
			   void *cpu_addr, dma_addr_t dma_addr, size_t size,
			   enum dma_data_direction dir, unsigned long attrs)
{
	struct dma_buf_build build = { };
	struct dma_buf_list *list;
	struct sg_table sgt;
	int ret;

	ret = dma_buf_hw_get_sgtable(owner, &sgt, cpu_addr, dma_addr, size, attrs);
	if (ret)
		return ERR_PTR(ret);

	build.walk.sg = sgt.sgl;
	build.walk.nr = sgt.orig_nents;
	build.walk.has_pages = dma_buf_hw_is_system_memory(sg_phys(sgt.sgl), 1);
	list = dma_buf_list_from_ranges(&build, dev, dir, DMA_ATTR_SKIP_CPU_SYNC);
	sg_free_table(&sgt);
	return list;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_list_from_coherent, "DMA_BUF");

/**
 * dma_buf_list_from_phys - map physical ranges without pages and list them
 * @dev: device to map for, usually &dma_buf_attachment.dev
 * @ranges: the buffer in order, a carve-out for example; may repeat. The last
 *	one may end within a page, the list does not.
 * @nr_ranges: length of @ranges, zero makes a list without chunks
 * @dir: direction of the DMA
 * @attrs: DMA_ATTR_* of the mapping, kept for unmapping. DMA_ATTR_MMIO unless
 *	the ranges are memory that the CPU may have in its caches.
 *
 * Not for the BAR of a PCI device: whether a peer can reach that is for
 * dma_buf_list_from_bar() to know.
 *
 * Context: May sleep.
 * Return: The list, or an ERR_PTR(): -EINVAL for a bad argument or a range that
 * is empty or not aligned, -EOVERFLOW, -ENOMEM, -EINTR for a task that is being
 * killed, or what else the DMA API returned.
 */
struct dma_buf_list *
dma_buf_list_from_phys(struct device *dev, const struct phys_vec *ranges,
		       size_t nr_ranges, enum dma_data_direction dir,
		       unsigned long attrs)
{
	struct dma_buf_build build = {
		.walk = { .vecs = ranges, .nr = nr_ranges },
	};

	return dma_buf_list_from_ranges(&build, dev, dir, attrs);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_list_from_phys, "DMA_BUF");

/**
 * dma_buf_list_from_bar - map ranges of a PCI BAR for a peer and list them
 * @attach: attachment to map for
 * @provider: provider of the memory, of the same device as the one that
 *	&dma_buf_ops.peer2peer named
 * @ranges: the buffer in order; may repeat, and need not lie inside the BAR of
 *	@provider as long as they are reached in the same way
 * @nr_ranges: length of @ranges, zero makes a list without chunks
 * @dir: direction of the DMA
 * @attrs: more DMA_ATTR_* of the mapping, DMA_ATTR_MMIO is implied
 *
 * How the device of @attach reaches the BAR was decided when it attached, see
 * &dma_buf_ops.peer2peer. @provider is not needed any more once the list exists.
 *
 * Context: May sleep. Under the reservation lock.
 * Return: The list, or an ERR_PTR(): -EREMOTEIO if the device cannot reach the
 * ranges, which is the exporter's cue to use system memory instead and recorded
 * with its reason; -EINVAL for a bad argument or a range that is empty or not
 * aligned, -EOVERFLOW, -ENOMEM, -EINTR for a task that is being killed, or what
 * else the DMA API returned.
 */
struct dma_buf_list *
dma_buf_list_from_bar(struct dma_buf_attachment *attach,
		      struct p2pdma_provider *provider,
		      const struct phys_vec *ranges, size_t nr_ranges,
		      enum dma_data_direction dir, unsigned long attrs)
{
	struct dma_buf_build build = {
		.walk = { .vecs = ranges, .nr = nr_ranges },
		.peer = true,
	};
	struct dma_buf_list *list;

	dma_resv_assert_held(attach->dmabuf->resv);

	if (!attach->peer2peer)
		return ERR_PTR(-EREMOTEIO);

	/* The decision at attach was for one device, it holds for no other. */
	if (WARN_ON_ONCE(!provider || provider->owner != attach->p2p.owner))
		return ERR_PTR(-EINVAL);

	if (attach->p2p.map_type == PCI_P2PDMA_MAP_BUS_ADDR && nr_ranges) {
		build.route = DMA_BUF_ROUTE_BUS_ADDR;
		build.offset = provider->bus_offset;
	}

	list = dma_buf_list_from_ranges(&build, attach->dev, dir,
					attrs | DMA_ATTR_MMIO);
	if (list == ERR_PTR(-EREMOTEIO))
		dma_buf_route_note(attach, DMA_BUF_P2P_DMA_MASK);
	return list;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_list_from_bar, "DMA_BUF");

/**
 * dma_buf_list_sync_for_cpu - give the memory of a list to the CPU
 * @list: the list
 * @dir: direction of the CPU access, as &dma_buf_ops.begin_cpu_access has it
 *
 * For exporters that made @list for a device of their own: the CPU sees what the
 * device wrote. Does nothing for the memory of a device. What importers have
 * mapped is for dma_buf_sync_mappings_for_cpu() to sync.
 *
 * CONFIG_DMA_API_DEBUG complains of a direction that the mapping was not made
 * for, DMA_BIDIRECTIONAL is good for all of them.
 *
 * Context: As dma_sync_single_for_cpu().
 */
void dma_buf_list_sync_for_cpu(const struct dma_buf_list *list,
			       enum dma_data_direction dir)
{
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk chunk;

	if (dma_buf_list_skip_sync(list))
		return;

	if (list->route == DMA_BUF_ROUTE_MAP_SG) {
		dma_buf_hw_sync_sgtable_for_cpu(list->dev, list->sgt, dir);
		return;
	}

	dma_buf_cursor_init(&cursor, list);
	dma_buf_cursor_show_pages(&cursor);
	dma_buf_cursor_for_each_chunk(chunk, &cursor)
		dma_buf_hw_sync_for_cpu(list->dev, chunk.dma_addr,
					dma_buf_bytes(chunk.npages), dir);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_list_sync_for_cpu, "DMA_BUF");

/**
 * dma_buf_list_sync_for_device - give the memory of a list to the device
 * @list: the list
 * @dir: direction of the CPU access, as &dma_buf_ops.end_cpu_access has it
 *
 * The counterpart of dma_buf_list_sync_for_cpu(): the device sees what the CPU
 * wrote. What importers have mapped is for dma_buf_sync_mappings_for_device() to
 * sync.
 *
 * Context: As dma_sync_single_for_device().
 */
void dma_buf_list_sync_for_device(const struct dma_buf_list *list,
				  enum dma_data_direction dir)
{
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk chunk;

	if (dma_buf_list_skip_sync(list))
		return;

	if (list->route == DMA_BUF_ROUTE_MAP_SG) {
		dma_buf_hw_sync_sgtable_for_device(list->dev, list->sgt, dir);
		return;
	}

	dma_buf_cursor_init(&cursor, list);
	dma_buf_cursor_show_pages(&cursor);
	dma_buf_cursor_for_each_chunk(chunk, &cursor)
		dma_buf_hw_sync_for_device(list->dev, chunk.dma_addr,
					   dma_buf_bytes(chunk.npages), dir);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_list_sync_for_device, "DMA_BUF");
