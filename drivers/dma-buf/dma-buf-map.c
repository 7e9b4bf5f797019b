// SPDX-License-Identifier: GPL-2.0-only
/*
 * Maps what backs a buffer for a device and lists the result
 *
 * The route is chosen once for each list. Then runs are read and mapped one block at
 * a time, so that they are still in the cache when they are mapped. Reading and
 * mapping are separate loops, so that the variables of each fit into registers.
 */
#include <linux/align.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "dma-buf-internal.h"

/* Number of runs that are linked to an IOVA with one call: 4 KiB of them */
#define DMA_BUF_LINK_BATCH	(SZ_4K / sizeof(struct phys_vec))

/*
 * Called for each run. Whether KUnit has replaced it is checked once for each list;
 * if not, it is inline.
 */
dma_addr_t dma_buf_hw_map_phys(struct device *dev, phys_addr_t phys, size_t size,
			       enum dma_data_direction dir, unsigned long attrs)
{
	DMA_BUF_STUB(dma_buf_hw_map_phys, dev, phys, size, dir, attrs);
	return dma_map_phys(dev, phys, size, dir, attrs);
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_hw_map_phys);

/**
 * struct dma_buf_build - a list in the making
 * @list: the list
 * @walk: what backs it
 * @phys: what was read of it, in the runs that it is mapped in
 * @next: the first word of @phys that is not mapped yet
 * @nruns: how many runs are mapped
 * @addrs: their DMA addresses, unless @linear
 * @offset: of all DMA addresses to the physical ones, if @linear
 * @vecs: room for the runs that are linked at a time, DMA_BUF_ROUTE_IOVA only
 * @nvecs: how many these are
 * @npages: length that the list is going to have
 * @done: how much of that is mapped
 * @max_pages: longest run that one call of the DMA API takes
 * @identity: there is nothing to call, DMA addresses are physical ones
 * @wants_runs: whoever the list is for wants the physical runs
 * @keep_phys: the physical runs are still needed when all is mapped
 * @as_is: the ranges are linked as they are described, without being read into @phys
 * @linear: all DMA addresses so far have the same @offset
 * @refused: the DMA API did not map it in this way
 */
struct dma_buf_build {
	struct dma_buf_list *list;
	struct dma_buf_walk walk;
	struct dma_buf_writer phys;
	const u64 *next;
	unsigned long nruns;
	struct dma_buf_writer addrs;
	u64 offset;
	struct phys_vec *vecs;
	unsigned int nvecs;
	unsigned long npages;
	unsigned long done;
	unsigned long max_pages;
	bool identity;
	bool wants_runs;
	bool keep_phys;
	bool as_is;
	bool linear;
	bool refused;
};

/*
 * The longest run that one call of the DMA API takes. If the DMA API may bounce, that
 * is limited by the size of a bounce buffer.
 */
static unsigned long dma_buf_build_max_pages(const struct dma_buf_build *build)
{
	unsigned long max = DMA_BUF_RUN_MAX_PAGES;
	struct device *dev = build->list->dev;

	if (build->list->route == DMA_BUF_ROUTE_PHYS)
		return max;
	if (build->list->bounced)
		max = min(max, dma_buf_hw_max_mapping_size(dev) >> PAGE_SHIFT);
	if (build->walk.has_pages)
		max = min(max, dma_buf_hw_max_run(dev));
	/* The length of a scatterlist entry has 32 bits. */
	if (build->walk.has_pages && build->npages > UINT_MAX >> PAGE_SHIFT &&
	    dma_buf_hw_has_map_ops(dev))
		max = min(max, UINT_MAX >> PAGE_SHIFT);
	return max(max, 1UL);
}

/*
 * Use one IOVA range whenever the mapping would have more than one part: importers
 * depend on it. The page-aligned parts must fit the granule of the IOMMU.
 */
static bool dma_buf_wants_iova(struct device *dev, unsigned long attrs)
{
	unsigned long boundary = dma_buf_hw_merge_boundary(dev);

	/* dma_map_phys() refuses what an IOMMU cannot express, dma_iova_link() ignores it. */
	return boundary && !(boundary & PAGE_MASK) &&
	       !(attrs & DMA_ATTR_CC_SHARED) && !dma_buf_hw_has_map_ops(dev);
}

/*
 * How memory is mapped for @dev, unless by bus addresses. @has_pages: it is system
 * memory. @parts: it has more than one part.
 */
enum dma_buf_route dma_buf_route_pick(struct device *dev, unsigned long attrs,
				      bool has_pages, bool parts)
{
	if (has_pages && dma_buf_hw_has_map_ops(dev))
		return DMA_BUF_ROUTE_MAP_SG;
	if (parts && dma_buf_wants_iova(dev, attrs))
		return DMA_BUF_ROUTE_IOVA;
	return DMA_BUF_ROUTE_PER_RUN;
}

static int dma_buf_build_alloc_iova(struct dma_buf_build *build)
{
	struct dma_buf_list *list = build->list;

	if (build->npages > DMA_BUF_RUN_MAX_PAGES >> 1 ||
	    !dma_buf_hw_iova_alloc(list->dev, &list->iova,
				   dma_buf_bytes(build->npages)))
		return -ENOMEM;

	list->route = DMA_BUF_ROUTE_IOVA;
	return 0;
}

/* Are the DMA addresses the physical ones, without a call of the DMA API? */
static bool dma_buf_build_is_identity(const struct dma_buf_build *build)
{
	const struct dma_buf_list *list = build->list;
	const struct dma_buf_walk *walk = &build->walk;

	/*
	 * If system memory needs no call, the DMA addresses are the physical
	 * ones, so all below an address that is reached are reached.
	 */
	if (list->attrs & DMA_ATTR_MMIO)
		return walk->kind == DMA_BUF_WALK_VECS &&
		       !dma_buf_hw_need_map_mmio(list->dev, list->attrs) &&
		       (dma_buf_hw_reaches(list->dev, walk->bits | ~PAGE_MASK) ||
			dma_buf_walk_reached(walk, list->dev));
	return walk->has_pages && !list->bounced &&
	       !dma_buf_hw_need_map(list->dev, list->attrs);
}

/* Chooses the route. @parts: the buffer has more than one part. */
static int dma_buf_build_pick_route(struct dma_buf_build *build, bool parts)
{
	struct dma_buf_list *list = build->list;
	enum dma_buf_route route;

	if (list->route != DMA_BUF_ROUTE_NONE) {
		build->identity = list->route == DMA_BUF_ROUTE_PHYS;
		return 0;
	}

	route = dma_buf_route_pick(list->dev, list->attrs, build->walk.has_pages,
				   parts);
	if (route == DMA_BUF_ROUTE_IOVA)
		return dma_buf_build_alloc_iova(build);

	list->route = route;
	if (route == DMA_BUF_ROUTE_MAP_SG)
		return 0;
	build->identity = dma_buf_build_is_identity(build);
	return 0;
}

/*
 * Most of the time the physical runs and the DMA addresses share their words. If they
 * do not, both are needed only for importers with an sg_table or an IOMMU domain of
 * their own, and to manage the caches behind an IOVA. For all others a scattered
 * buffer behind an IOMMU is one word.
 */
static bool dma_buf_build_keeps_phys(const struct dma_buf_build *build)
{
	const struct dma_buf_list *list = build->list;
	const struct dma_buf_attachment *attach = list->attach;
	bool syncs = !(list->attrs & DMA_ATTR_SKIP_CPU_SYNC);

	if (build->wants_runs)
		return true;
	if (list->peer)
		return false;
	if (attach && attach->dmabuf->ops->sync_mappings)
		syncs = true;
	return syncs && list->route == DMA_BUF_ROUTE_IOVA &&
	       !(list->attrs & DMA_ATTR_MMIO) &&
	       !dma_buf_hw_is_coherent(list->dev);
}

/*
 * If no two ranges of an array are one run, and none was read, then its elements are
 * what there is to link. A memmap with holes has to be looked at run by run.
 */
static bool dma_buf_build_links_as_is(const struct dma_buf_build *build)
{
	return build->list->route == DMA_BUF_ROUTE_IOVA &&
	       build->walk.kind == DMA_BUF_WALK_VECS && build->walk.apart &&
	       !build->walk.index &&
	       build->max_pages == DMA_BUF_RUN_MAX_PAGES && !build->keep_phys &&
	       (!build->walk.has_pages || IS_ENABLED(CONFIG_SPARSEMEM_VMEMMAP) ||
		!IS_ENABLED(CONFIG_SPARSEMEM));
}

static int dma_buf_build_start(struct dma_buf_build *build)
{
	struct dma_buf_list *list = build->list;
	struct dma_buf_walk *walk = &build->walk;
	unsigned long expect;
	bool parts, here;
	int ret;

	build->max_pages = dma_buf_build_max_pages(build);
	ret = dma_buf_walk_start(walk, build->max_pages, &parts);
	if (ret)
		return ret;
	ret = dma_buf_build_pick_route(build, parts);
	if (ret)
		return ret;

	build->keep_phys = dma_buf_build_keeps_phys(build);
	build->linear = build->identity || list->route == DMA_BUF_ROUTE_BUS_ADDR;
	if (WARN_ON_ONCE(!IS_ALIGNED(build->offset, PAGE_SIZE)))
		return -EIO;

	build->as_is = dma_buf_build_links_as_is(build);
	if (build->as_is)
		return 0;

	/*
	 * The room in the list itself is for the DMA addresses. If the physical
	 * runs are not kept, they are stored there until then. There are no more
	 * runs than elements, except for runs that are cut.
	 */
	expect = min(walk->nr + build->npages / build->max_pages, build->npages);
	here = !build->keep_phys || list->route == DMA_BUF_ROUTE_PER_RUN;
	/*
	 * Read into a block, if so many runs are certain, or to have many of them
	 * to link with one call.
	 */
	if (expect > ARRAY_SIZE(list->one) &&
	    (walk->apart || list->route == DMA_BUF_ROUTE_IOVA))
		here = false;
	dma_buf_writer_init(&build->phys, here ? list->one : NULL,
			    here ? ARRAY_SIZE(list->one) : 0, expect);
	build->next = build->phys.first;
	if (list->route != DMA_BUF_ROUTE_IOVA)
		return 0;

	build->nvecs = min(expect, DMA_BUF_LINK_BATCH);
	build->vecs = kmalloc_objs(*build->vecs, build->nvecs);
	return build->vecs ? 0 : -ENOMEM;
}

/*
 * The DMA API does not check bus addresses, and a device that cannot reach one
 * would truncate it. The limits of the host bridge do not apply, because this traffic
 * does not reach it.
 */
static int dma_buf_map_bus_addr(struct dma_buf_build *build,
				struct dma_buf_run run)
{
	u64 start = run.addr + build->offset;
	u64 last = start + ((u64)run.npages << PAGE_SHIFT) - 1;

	build->refused = last < start ||
			 last > dma_buf_hw_dma_mask(build->list->dev);
	return build->refused ? -EREMOTEIO : 0;
}

static int dma_buf_map_error(struct dma_buf_build *build)
{
	const struct dma_buf_list *list = build->list;

	/*
	 * The memory is out of reach only if it lies beyond the mask of the
	 * device. Otherwise there are no IOVAs left, or no bounce buffers, and
	 * the mapping may succeed later.
	 */
	build->refused = true;
	return list->bounced || dma_buf_hw_merge_boundary(list->dev) ?
	       -ENOMEM : -EREMOTEIO;
}

/* There is no common offset to the physical addresses: store the DMA addresses, too. */
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

/* Stores the DMA address of the first run, or of one with another offset. */
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
		return dma_buf_map_error(build);
	if (likely(build->linear && addr - run.addr == build->offset))
		return 0;

	ret = dma_buf_build_add_addr(build, run, addr);
	/* Not in the list yet, so the error path does not unmap it. */
	if (ret && dma_buf_hw_need_unmap(list->dev))
		dma_buf_hw_unmap_phys(list->dev, addr, len, list->dir,
				      list->attrs | DMA_ATTR_SKIP_CPU_SYNC);
	return ret;
}

/* Maps the runs that were read. @route is a compile-time constant. */
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

/* Links the next ranges to the IOVA, all of them or, on failure, none. */
static int dma_buf_build_link_vecs(struct dma_buf_build *build,
				   const struct phys_vec *vecs, unsigned int n,
				   unsigned long npages)
{
	struct dma_buf_list *list = build->list;
	int ret;

	ret = dma_buf_hw_iova_link_vec(list->dev, &list->iova,
				       dma_buf_bytes(build->done), vecs, n,
				       list->dir, list->attrs);
	if (ret)
		return ret;

	build->done += npages;
	build->nruns += n;
	return 0;
}

static int dma_buf_build_link_as_is(struct dma_buf_build *build)
{
	unsigned long npages = build->npages;
	const struct phys_vec *vecs;
	int n;

	n = dma_buf_walk_take(&build->walk, DMA_BUF_LINK_BATCH, &vecs, &npages);
	return n < 0 ? n : dma_buf_build_link_vecs(build, vecs, n, npages);
}

/* Links what was read. */
static int dma_buf_build_link(struct dma_buf_build *build)
{
	const u64 *word = build->next, *end = build->phys.pos;
	int ret;

	while (word != end) {
		unsigned long npages, sum = 0;
		unsigned int n;
		u64 addr;

		for (n = 0; n < build->nvecs && word != end; n++) {
			word = dma_buf_run_read(word, &addr, &npages);
			build->vecs[n].paddr = addr;
			build->vecs[n].len = dma_buf_bytes(npages);
			sum += npages;
		}
		ret = dma_buf_build_link_vecs(build, build->vecs, n, sum);
		if (ret)
			return ret;
		build->next = word;
	}
	return 0;
}

static int dma_buf_build_map(struct dma_buf_build *build)
{
	int ret;

	switch (build->list->route) {
	case DMA_BUF_ROUTE_PER_RUN:
		/* This holds for all memory of the page allocator. */
		if (likely(build->identity && !build->walk.generic))
			break;
		return dma_buf_build_map_by(build, DMA_BUF_ROUTE_PER_RUN);
	case DMA_BUF_ROUTE_BUS_ADDR:
		return dma_buf_build_map_by(build, DMA_BUF_ROUTE_BUS_ADDR);
	case DMA_BUF_ROUTE_IOVA:
		ret = dma_buf_build_link(build);
		if (!build->keep_phys) {
			build->phys.pos = build->phys.first;
			build->next = build->phys.first;
		}
		return ret;
	default:
		break;
	}

	/* Nothing to call, or dma_map_sgtable() maps all runs at the end. */
	build->next = build->phys.pos;
	build->nruns = build->phys.nruns;
	build->done = build->phys.npages;
	return 0;
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

/* The only dma_map_ops with bounce buffers are those of Xen. */
static int dma_buf_map_sg_error(struct dma_buf_build *build, int error)
{
	if (error != -EIO || build->list->bounced ||
	    dma_buf_hw_max_mapping_size(build->list->dev) == SIZE_MAX)
		return error;

	build->refused = true;
	return -EREMOTEIO;
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

	ret = sg_alloc_table(sgt, build->phys.nruns, DMA_BUF_GFP);
	if (ret)
		goto err_free_sgt;

	for_each_sgtable_sg(sgt, sg, i) {
		struct dma_buf_run run;

		word = dma_buf_run_read(word, &run.addr, &run.npages);
		sg_set_page(sg, phys_to_page(run.addr), run.npages << PAGE_SHIFT,
			    0);
	}

	ret = dma_buf_hw_map_sgtable(list->dev, sgt, list->dir, list->attrs);
	if (ret) {
		ret = dma_buf_map_sg_error(build, ret);
		goto err_free_table;
	}

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

/* Stores in the list what was mapped, for readers or to unmap it. */
static void dma_buf_build_hand_over(struct dma_buf_build *build)
{
	struct dma_buf_list *list = build->list;
	bool shared = build->linear;

	if (list->route == DMA_BUF_ROUTE_IOVA && build->done) {
		struct dma_buf_run all = {
			.addr = list->iova.addr,
			.npages = build->done,
		};

		dma_buf_writer_init(&build->addrs, list->one,
				    ARRAY_SIZE(list->one), 1);
		dma_buf_writer_put(&build->addrs, all);
	}

	if (shared || build->keep_phys) {
		dma_buf_writer_trim(&build->phys);
		list->phys = build->phys.first;
		list->has_pages = build->walk.has_pages;
	} else {
		dma_buf_blocks_free(build->phys.blocks);
		build->phys.blocks = NULL;
	}

	if (shared) {
		/* Forget runs that were read but not mapped. */
		build->phys.npages = build->done;
		build->phys.nruns = build->nruns;
		dma_buf_list_set(list, &build->phys, build->offset);
	} else {
		dma_buf_writer_trim(&build->addrs);
		dma_buf_list_set(list, &build->addrs, 0);
		list->phys_blocks = build->phys.blocks;
	}
}

/*
 * Nothing has to be called, and the runs are those of a driver's own memory, which
 * it keeps in any case: their words are those of the list, too.
 */
static bool dma_buf_build_borrow(struct dma_buf_build *build,
				 const struct dma_buf_memory *memory)
{
	if (memory->walk.kind != DMA_BUF_WALK_RUNS || !build->identity ||
	    build->walk.generic || build->max_pages < DMA_BUF_RUN_MAX_PAGES)
		return false;

	build->phys = (struct dma_buf_writer) {
		.first = (u64 *)memory->walk.runs,
		.npages = memory->npages,
		.nruns = memory->walk.nr,
	};
	build->done = build->phys.npages;
	build->nruns = build->phys.nruns;
	return true;
}

/*
 * Called after each block: reschedules, and stops if the task is killed. But drivers
 * map memory of their own where they must not fail for that.
 */
static int dma_buf_build_pause(const struct dma_buf_list *list)
{
	cond_resched();
	return list->attach && fatal_signal_pending(current) ? -EINTR : 0;
}

/* Reads and maps the next block of runs, a few hundred at most. */
static int dma_buf_build_some(struct dma_buf_build *build)
{
	int ret;

	if (build->as_is)
		return dma_buf_build_link_as_is(build);

	ret = dma_buf_walk_read(&build->walk, build->max_pages, &build->phys);
	if (ret)
		return ret;

	/* All runs that were read are mapped, so they may be moved. */
	if (build->next == build->phys.pos) {
		ret = dma_buf_writer_grow(&build->phys);
		build->next = build->phys.pos;
		return ret;
	}

	return dma_buf_build_map(build);
}

static int dma_buf_build_all(struct dma_buf_build *build,
			     const struct dma_buf_memory *memory)
{
	int ret;

	if (dma_buf_walk_at_end(&build->walk))
		return 0;

	ret = dma_buf_build_start(build);
	if (!ret && dma_buf_build_borrow(build, memory))
		return 0;
	while (!ret) {
		ret = dma_buf_build_some(build);
		if (ret || dma_buf_walk_at_end(&build->walk))
			break;
		ret = dma_buf_build_pause(build->list);
	}
	return ret ?: dma_buf_build_finish(build);
}

/* Does not change while the list is mapped, so a sync only has to test a bit. */
static bool dma_buf_list_needs_sync(const struct dma_buf_list *list)
{
	if (list->attrs & DMA_ATTR_MMIO || list->route == DMA_BUF_ROUTE_PHYS)
		return false;
	if (list->route == DMA_BUF_ROUTE_MAP_SG)
		return dma_buf_hw_need_sync(list->dev);
	return list->bounced || !dma_buf_hw_is_coherent(list->dev);
}

/*
 * Maps @memory with @attrs. Sets @refused if the DMA API refused that, so that the
 * caller may try again with other attributes.
 */
struct dma_buf_list *dma_buf_memory_map(struct dma_buf_attachment *attach,
					const struct dma_buf_memory *memory,
					enum dma_data_direction dir,
					unsigned long attrs, bool *refused)
{
	struct dma_buf_build build = {
		.walk = memory->walk,
		.offset = memory->offset,
		.npages = memory->npages,
		.wants_runs = attach->wants_runs,
	};
	struct dma_buf_list *list;
	int ret;

	list = dma_buf_list_alloc(attach, dir, attrs);
	if (!list)
		return ERR_PTR(-ENOMEM);

	list->route = dma_buf_is_phys(attach) && memory->npages ?
		      DMA_BUF_ROUTE_PHYS : memory->route;
	list->peer = memory->peer;
	list->bounced = !(attrs & (DMA_ATTR_MMIO | DMA_ATTR_NO_BOUNCE));
	build.list = list;
	build.walk.test = dma_buf_in_test();

	ret = dma_buf_build_all(&build, memory);
	kfree(build.vecs);
	dma_buf_build_hand_over(&build);
	list->need_unmap = build.nruns && !build.identity &&
			   dma_buf_hw_need_unmap(list->dev);
	list->need_sync = dma_buf_list_needs_sync(list);
	/* Where no call was made the caches are left. */
	if (!ret && build.identity)
		dma_buf_list_sync_all(list, false);
	*refused = build.refused;
	if (ret) {
		dma_buf_list_discard(list);
		dma_buf_list_free(list);
		return ERR_PTR(ret);
	}
	return list;
}
