// SPDX-License-Identifier: GPL-2.0-only
/*
 * Maps what backs a buffer for a device and lists the result
 *
 * The entries below only differ in how they describe the memory. All of them
 * become a walk over physically contiguous runs, and dma_buf_list_build() maps
 * these one by one, reading the description once.
 */
#include <kunit/visibility.h>
#include <linux/align.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/scatterlist.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "dma-buf-internal.h"

/* A run is never longer than this, so that its bytes fit a size_t. */
#define DMA_BUF_RUN_MAX_PAGES	((unsigned long)(SIZE_MAX >> PAGE_SHIFT))

/**
 * struct dma_buf_run - physically contiguous memory
 * @phys: physical address
 * @npages: length in pages, zero for the end of a walk
 */
struct dma_buf_run {
	phys_addr_t phys;
	unsigned long npages;
};

/**
 * struct dma_buf_walk - position in the description of a buffer
 * @pages: array of pages, or NULL
 * @sg: next entry of a scatterlist, or NULL
 * @vecs: array of physical ranges, if it is neither of these
 * @nr: number of elements, whichever they are
 * @index: next one of them
 * @has_pages: this is system memory
 */
struct dma_buf_walk {
	struct page *const *pages;
	struct scatterlist *sg;
	const struct phys_vec *vecs;
	unsigned long nr;
	unsigned long index;
	bool has_pages;
};

static struct dma_buf_run dma_buf_walk_pages(struct dma_buf_walk *walk)
{
	struct page *const *pages = walk->pages + walk->index;
	unsigned long n = 1, max = walk->nr - walk->index;
	struct page *first = pages[0];

	while (n < max && page_to_pfn(pages[n]) == page_to_pfn(first) + n)
		n++;

	walk->index += n;
	return (struct dma_buf_run) {
		.phys = page_to_phys(first),
		.npages = n,
	};
}

/* The range at the position, which stays where it is. */
static struct phys_vec dma_buf_walk_peek(const struct dma_buf_walk *walk)
{
	if (!walk->sg)
		return walk->vecs[walk->index];

	return (struct phys_vec) {
		.paddr = sg_phys(walk->sg),
		.len = walk->sg->length,
	};
}

static void dma_buf_walk_step(struct dma_buf_walk *walk)
{
	walk->index++;
	if (walk->sg)
		walk->sg = sg_next(walk->sg);
}

static struct dma_buf_run dma_buf_walk_ranges(struct dma_buf_walk *walk)
{
	struct phys_vec vec = dma_buf_walk_peek(walk);
	struct dma_buf_run run = {
		.phys = vec.paddr,
		.npages = PFN_UP(vec.len),
	};

	for (dma_buf_walk_step(walk); walk->index < walk->nr;
	     dma_buf_walk_step(walk)) {
		unsigned long n;

		vec = dma_buf_walk_peek(walk);
		n = PFN_UP(vec.len);
		if (vec.paddr != run.phys + PFN_PHYS(run.npages) ||
		    n > DMA_BUF_RUN_MAX_PAGES - run.npages)
			break;
		run.npages += n;
	}
	return run;
}

static struct dma_buf_run dma_buf_walk_next(struct dma_buf_walk *walk)
{
	if (walk->index == walk->nr)
		return (struct dma_buf_run) { };
	if (walk->pages)
		return dma_buf_walk_pages(walk);
	return dma_buf_walk_ranges(walk);
}

/**
 * struct dma_buf_build - a list in the making
 * @list: the list
 * @walk: what backs it
 * @npages: length that the list is going to have
 * @max_pages: longest run that one call of the DMA API takes
 * @bus_offset: of the provider, for DMA_BUF_ROUTE_BUS_ADDR
 * @route: route that was decided before, or DMA_BUF_ROUTE_NONE
 * @peer: this is the memory of a device
 */
struct dma_buf_build {
	struct dma_buf_list *list;
	struct dma_buf_walk walk;
	unsigned long npages;
	unsigned long max_pages;
	u64 bus_offset;
	enum dma_buf_route route;
	bool peer;
};

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
static int dma_buf_build_bus_addr(struct dma_buf_build *build,
				  const struct dma_buf_run *run,
				  dma_addr_t *addr)
{
	u64 start = run->phys + build->bus_offset;
	u64 last = start + ((u64)run->npages << PAGE_SHIFT) - 1;

	if (last < start || last > dma_buf_hw_addr_limit(build->list->dev))
		return -EREMOTEIO;
	*addr = start;
	return 0;
}

static int dma_buf_build_per_run(struct dma_buf_build *build,
				 const struct dma_buf_run *run,
				 dma_addr_t *addr)
{
	struct dma_buf_list *list = build->list;
	int ret;

	ret = dma_buf_hw_map_phys(list->dev, run->phys,
				  dma_buf_bytes(run->npages), list->dir,
				  list->attrs, addr);
	/*
	 * No amount of memory makes a device see a BAR that lies beyond its
	 * mask. With an IOMMU it is the addresses that ran out.
	 */
	if (ret && list->peer && !dma_buf_hw_merge_boundary(list->dev))
		return -EREMOTEIO;
	return ret;
}

/* The one place that knows what each route does. */
static int dma_buf_build_map(struct dma_buf_build *build,
			     const struct dma_buf_run *run, dma_addr_t *addr)
{
	struct dma_buf_list *list = build->list;
	size_t offset = dma_buf_bytes(list->npages);

	switch (list->route) {
	case DMA_BUF_ROUTE_BUS_ADDR:
		return dma_buf_build_bus_addr(build, run, addr);
	case DMA_BUF_ROUTE_IOVA:
		*addr = list->iova.addr + offset;
		return dma_buf_hw_iova_link(list->dev, &list->iova, run->phys,
					    offset, dma_buf_bytes(run->npages),
					    list->dir, list->attrs);
	case DMA_BUF_ROUTE_PER_RUN:
		return dma_buf_build_per_run(build, run, addr);
	case DMA_BUF_ROUTE_MAP_SG:
		/* All at once, when the runs are known. */
		*addr = 0;
		return 0;
	default:
		return -EINVAL;
	}
}

static int dma_buf_build_add(struct dma_buf_build *build,
			     const struct dma_buf_run *run, struct page *page)
{
	struct dma_buf_chunk chunk = { .page = page, .npages = run->npages };
	struct dma_buf_list *list = build->list;
	bool extend;
	int ret;

	/*
	 * Behind one IOVA the parts only matter for their pages and for the
	 * caches, and the memory of a device has neither.
	 */
	extend = list->route == DMA_BUF_ROUTE_IOVA && list->peer &&
		 list->nchunks;

	/* Room first: what is mapped must not be lost. */
	ret = extend ? 0 : dma_buf_list_reserve(list);
	if (ret)
		return ret;

	ret = dma_buf_build_map(build, run, &chunk.dma_addr);
	if (ret)
		return ret;

	if (extend)
		dma_buf_list_extend(list, chunk.npages);
	else
		dma_buf_list_append(list, &chunk);
	return 0;
}

/* Cuts a run where the DMA API or a memmap with holes demands it. */
static int dma_buf_build_run(struct dma_buf_build *build,
			     struct dma_buf_run run)
{
	/* Only bouncing limits the size, and neither MMIO nor an IOVA does. */
	unsigned long max = build->list->route == DMA_BUF_ROUTE_IOVA ?
			    run.npages : build->max_pages;

	while (run.npages) {
		struct dma_buf_run part = run;
		struct page *page = NULL;
		int ret;

		part.npages = min(run.npages, max);
		if (build->walk.has_pages) {
			if (!dma_buf_hw_is_system_memory(run.phys, part.npages))
				return -EINVAL;
			page = phys_to_page(run.phys);
			while (!page_range_contiguous(page, part.npages))
				part.npages /= 2;
		}

		ret = dma_buf_build_add(build, &part, page);
		if (ret)
			return ret;

		run.phys += PFN_PHYS(part.npages);
		run.npages -= part.npages;
	}
	return 0;
}

/*
 * dma_map_sgtable() merges whole entries, so each chunk lies in one segment and
 * in order.
 */
static void dma_buf_build_set_addrs(struct dma_buf_list *list)
{
	struct dma_buf_chunk *chunk = list->chunks;
	struct scatterlist *sg;
	unsigned int i;

	for_each_sgtable_dma_sg(list->sgt, sg, i) {
		size_t done = 0;

		for (; done < sg_dma_len(sg); chunk++) {
			chunk->dma_addr = sg_dma_address(sg) + done;
			done += dma_buf_bytes(chunk->npages);
		}
	}
	WARN_ON_ONCE(chunk != list->chunks + list->nchunks);
}

/* Makes the table for dma_map_sgtable() and takes the addresses from it. */
static int dma_buf_build_map_sg(struct dma_buf_list *list)
{
	struct scatterlist *sg;
	struct sg_table *sgt;
	unsigned int i;
	int ret;

	if (list->nchunks > UINT_MAX)
		return -E2BIG;

	sgt = kzalloc_obj(*sgt);
	if (!sgt)
		return -ENOMEM;

	ret = sg_alloc_table(sgt, list->nchunks, GFP_KERNEL);
	if (ret)
		goto err_free_sgt;

	for_each_sgtable_sg(sgt, sg, i)
		sg_set_page(sg, list->chunks[i].page,
			    list->chunks[i].npages << PAGE_SHIFT, 0);

	ret = dma_buf_hw_map_sgtable(list->dev, sgt, list->dir, list->attrs);
	if (ret)
		goto err_free_table;

	list->sgt = sgt;
	dma_buf_build_set_addrs(list);
	return 0;

err_free_table:
	sg_free_table(sgt);
err_free_sgt:
	kfree(sgt);
	return ret;
}

static int dma_buf_build_finish(struct dma_buf_list *list)
{
	switch (list->route) {
	case DMA_BUF_ROUTE_MAP_SG:
		return dma_buf_build_map_sg(list);
	case DMA_BUF_ROUTE_IOVA:
		return dma_buf_hw_iova_sync(list->dev, &list->iova,
					    dma_buf_bytes(list->npages));
	default:
		return 0;
	}
}

/* Takes back what was mapped, however far that went. */
static void dma_buf_list_undo(struct dma_buf_list *list)
{
	unsigned long i;

	switch (list->route) {
	case DMA_BUF_ROUTE_IOVA:
		dma_buf_hw_iova_destroy(list->dev, &list->iova,
					dma_buf_bytes(list->npages), list->dir,
					list->attrs);
		break;
	case DMA_BUF_ROUTE_PER_RUN:
		for (i = 0; list->need_unmap && i < list->nchunks; i++)
			dma_buf_hw_unmap_phys(list->dev,
					      list->chunks[i].dma_addr,
					      dma_buf_bytes(list->chunks[i].npages),
					      list->dir, list->attrs);
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
 * @list: list that one of the dma_buf_list_from_ functions made
 *
 * For exporters, in &dma_buf_ops.unmap_dma_buf or where they give up a list that
 * they kept. Importers call dma_buf_list_unmap(). Works after the provider of a
 * BAR is gone.
 *
 * Context: May sleep. Nobody else may be using @list, which the reservation lock
 * sees to in &dma_buf_ops.unmap_dma_buf and detaching in &dma_buf_ops.detach.
 */
void dma_buf_list_free(struct dma_buf_list *list)
{
	dma_buf_list_undo(list);
	dma_buf_list_release(list);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_list_free, "DMA_BUF");

static int dma_buf_build_all(struct dma_buf_build *build)
{
	struct dma_buf_run run = dma_buf_walk_next(&build->walk), next;
	int ret = 0;

	if (!run.npages)
		return 0;

	next = dma_buf_walk_next(&build->walk);
	dma_buf_build_pick_route(build, next.npages ||
				 run.npages > build->max_pages);

	while (run.npages && !ret) {
		ret = dma_buf_build_run(build, run);
		run = next;
		next = dma_buf_walk_next(&build->walk);
		cond_resched();
	}

	return ret ?: dma_buf_build_finish(build->list);
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
	build->max_pages = dma_buf_build_max_pages(dev, build->walk.has_pages,
						   attrs);

	ret = dma_buf_build_all(build);
	list->need_unmap = list->route == DMA_BUF_ROUTE_PER_RUN &&
			   dma_buf_hw_need_unmap(dev);
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
static int dma_buf_walk_check(struct dma_buf_walk walk, bool partial,
			      unsigned long *npages)
{
	unsigned long sum = 0;

	if (walk.nr && !walk.sg && !walk.vecs)
		return -EINVAL;

	for (; walk.index < walk.nr; dma_buf_walk_step(&walk)) {
		bool last = partial && walk.index == walk.nr - 1;
		struct phys_vec vec;
		phys_addr_t end;

		if (walk.sg && !sg_page(walk.sg))
			return -EINVAL;

		vec = dma_buf_walk_peek(&walk);
		if (!vec.len || !IS_ALIGNED(vec.paddr, PAGE_SIZE) ||
		    (!last && !IS_ALIGNED(vec.len, PAGE_SIZE)))
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

static struct dma_buf_list *
dma_buf_list_from_ranges(struct dma_buf_build *build, struct device *dev,
			 enum dma_data_direction dir, unsigned long attrs)
{
	int ret = dma_buf_walk_check(build->walk, !build->peer, &build->npages);

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
 * Return: The list, or an ERR_PTR(): -EINVAL for a bad argument or a
 * page of a device, -ENOMEM, or what else the DMA API returned.
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
 * empty or not aligned, or a page of a device; -EOVERFLOW, -ENOMEM, or what
 * else the DMA API returned.
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
 * that is empty or not aligned, or a page of a device; -EOVERFLOW, -ENOMEM, or
 * what else the DMA API returned.
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
 * behind the allocation, -ENOMEM, or what else it returned.
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
 * is empty or not aligned, -EOVERFLOW, -ENOMEM, or what else the DMA API
 * returned.
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
 * aligned, -EOVERFLOW, -ENOMEM, or what else the DMA API returned.
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
		build.bus_offset = provider->bus_offset;
	}

	list = dma_buf_list_from_ranges(&build, attach->dev, dir,
					attrs | DMA_ATTR_MMIO);
	if (list == ERR_PTR(-EREMOTEIO))
		dma_buf_route_note(attach, DMA_BUF_P2P_DMA_MASK);
	return list;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_list_from_bar, "DMA_BUF");

/* Without caches to manage, dma-debug would complain of an IOVA it never saw. */
static bool dma_buf_list_skip_sync(const struct dma_buf_list *list)
{
	return list->peer || list->route == DMA_BUF_ROUTE_BUS_ADDR ||
	       (list->route == DMA_BUF_ROUTE_IOVA &&
		!IS_ENABLED(CONFIG_ARCH_HAS_SYNC_DMA_FOR_CPU) &&
		!IS_ENABLED(CONFIG_ARCH_HAS_SYNC_DMA_FOR_DEVICE));
}

/* The direction may be another than the mapping's, see the callers. */
void dma_buf_list_sync_dir_for_cpu(const struct dma_buf_list *list,
				   enum dma_data_direction dir)
{
	unsigned long i;

	if (dma_buf_list_skip_sync(list))
		return;

	if (list->sgt) {
		dma_buf_hw_sync_sgtable_for_cpu(list->dev, list->sgt, dir);
		return;
	}

	for (i = 0; i < list->nchunks; i++)
		dma_buf_hw_sync_for_cpu(list->dev, list->chunks[i].dma_addr,
					dma_buf_bytes(list->chunks[i].npages),
					dir);
}

void dma_buf_list_sync_dir_for_device(const struct dma_buf_list *list,
				      enum dma_data_direction dir)
{
	unsigned long i;

	if (dma_buf_list_skip_sync(list))
		return;

	if (list->sgt) {
		dma_buf_hw_sync_sgtable_for_device(list->dev, list->sgt, dir);
		return;
	}

	for (i = 0; i < list->nchunks; i++)
		dma_buf_hw_sync_for_device(list->dev, list->chunks[i].dma_addr,
					   dma_buf_bytes(list->chunks[i].npages),
					   dir);
}

/**
 * dma_buf_list_sync_for_cpu - give the memory of a list to the CPU
 * @list: the list
 *
 * For exporters that made @list for a device of their own: the CPU sees what the
 * device wrote. The direction is the one that the list was mapped for. Does
 * nothing for the memory of a device. What importers have mapped is for
 * dma_buf_sync_mappings_for_cpu() to sync.
 *
 * Context: As dma_sync_single_for_cpu().
 */
void dma_buf_list_sync_for_cpu(const struct dma_buf_list *list)
{
	dma_buf_list_sync_dir_for_cpu(list, list->dir);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_list_sync_for_cpu, "DMA_BUF");

/**
 * dma_buf_list_sync_for_device - give the memory of a list to the device
 * @list: the list
 *
 * The counterpart of dma_buf_list_sync_for_cpu(): the device sees what the CPU
 * wrote. What importers have mapped is for dma_buf_sync_mappings_for_device() to
 * sync.
 *
 * Context: As dma_sync_single_for_device().
 */
void dma_buf_list_sync_for_device(const struct dma_buf_list *list)
{
	dma_buf_list_sync_dir_for_device(list, list->dir);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_list_sync_for_device, "DMA_BUF");
