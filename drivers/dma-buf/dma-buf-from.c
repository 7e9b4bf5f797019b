// SPDX-License-Identifier: GPL-2.0-only
/*
 * The functions that exporters call to map a buffer, and what happens if the device
 * does not reach the memory
 */
#include <linux/bug.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>

#include "dma-buf-internal.h"

/*
 * Memory that is bounced is not shared: the device and all others see different
 * data until somebody copies it. The core copies around CPU accesses, if the
 * exporter has set sync_mappings, and when the mapping ends. A driver that maps its
 * own memory syncs it itself.
 */
static bool dma_buf_may_bounce(const struct dma_buf_attachment *attach,
			       unsigned long attrs)
{
	if (attrs & (DMA_ATTR_MMIO | DMA_ATTR_NO_BOUNCE |
		     DMA_ATTR_REQUIRE_COHERENT) ||
	    dma_buf_is_phys(attach))
		return false;
	/* If the size of mappings is not limited, nothing is bounced. */
	if (dma_buf_hw_max_mapping_size(attach->dev) == SIZE_MAX)
		return false;
	if (!attach->dmabuf)
		return !(attrs & DMA_ATTR_SKIP_CPU_SYNC);
	return attach->dmabuf->ops->sync_mappings;
}

/*
 * Tells CPU accesses that there is something to sync. This comes before the memory is
 * mapped: a CPU access that does not see it has written all that the device is going
 * to get from mapping. Pairs with dma_buf_sync_mappings_unlocked().
 */
static void dma_buf_announce_sync(const struct dma_buf_attachment *attach,
				  unsigned long attrs, bool may_bounce)
{
	struct dma_buf *dmabuf = attach->dmabuf;

	if (!dmabuf || !dmabuf->ops->sync_mappings || dmabuf->needs_sync ||
	    attrs & DMA_ATTR_MMIO)
		return;
	if (!may_bounce && dma_buf_hw_is_coherent(attach->dev) &&
	    !dma_buf_hw_has_map_ops(attach->dev))
		return;

	WRITE_ONCE(dmabuf->needs_sync, true);
	/* Before any of the memory is read or cleaned, see above. */
	smp_mb();
}

/* Why the DMA API refused to map the memory. */
static enum dma_buf_p2p_reason
dma_buf_refusal_reason(const struct dma_buf_attachment *attach,
		       const struct dma_buf_memory *memory, unsigned long attrs)
{
	if (!(attrs & DMA_ATTR_MMIO))
		return DMA_BUF_P2P_BOUNCE;
	if (memory->route == DMA_BUF_ROUTE_BUS_ADDR)
		return DMA_BUF_P2P_DMA_MASK;
	if (dma_buf_hw_has_map_ops(attach->dev))
		return DMA_BUF_P2P_MAP_OPS;
	return dma_buf_walk_reached(&memory->walk, attach->dev) ?
	       DMA_BUF_P2P_BOUNCE : DMA_BUF_P2P_DMA_MASK;
}

/*
 * Maps @memory for the device of @attach, first without bouncing. If that is
 * refused, maps it with bounce buffers where the exporter allows these, or records
 * the reason.
 */
static struct dma_buf_list *
dma_buf_list_build(struct dma_buf_attachment *attach,
		   const struct dma_buf_memory *memory,
		   enum dma_data_direction dir, unsigned long attrs)
{
	struct dma_buf_list *list;
	bool refused = false;
	bool may_bounce;

	might_sleep();

	if (WARN_ON_ONCE(!attach->dev || !valid_dma_direction(dir)))
		return ERR_PTR(-EINVAL);

	may_bounce = dma_buf_may_bounce(attach, attrs);
	dma_buf_announce_sync(attach, attrs, may_bounce);

	/*
	 * Accesses of several devices are ordered by the fences of the buffer,
	 * so dma-debug need not warn that a cache line is mapped twice.
	 */
	attrs |= DMA_ATTR_DEBUGGING_IGNORE_CACHELINES;
	/* A failure is expected, and handled. */
	attrs |= attrs & DMA_ATTR_MMIO ? DMA_ATTR_NO_WARN : DMA_ATTR_NO_BOUNCE;
	list = dma_buf_memory_map(attach, memory, dir, attrs, &refused);
	if (!refused)
		return list;

	if (may_bounce) {
		refused = false;
		/* Copy, even if the exporter asked to skip it. */
		attrs &= ~(DMA_ATTR_NO_BOUNCE | DMA_ATTR_SKIP_CPU_SYNC);
		list = dma_buf_memory_map(attach, memory, dir,
					  attrs | DMA_ATTR_NO_WARN, &refused);
		if (!refused)
			return list;
	}

	if (attach->dmabuf && (may_bounce || PTR_ERR(list) == -EREMOTEIO))
		dma_buf_route_note(attach,
				   dma_buf_refusal_reason(attach, memory, attrs));
	return list;
}

static struct dma_buf_list *
dma_buf_list_from_ranges(struct dma_buf_attachment *attach,
			 struct dma_buf_memory *memory,
			 enum dma_data_direction dir, unsigned long attrs)
{
	int ret = dma_buf_walk_check(&memory->walk, !memory->peer,
				     &memory->npages);

	return ret ? ERR_PTR(ret) : dma_buf_list_build(attach, memory, dir, attrs);
}

/**
 * dma_buf_list_from_pages - map an array of pages and list them
 * @attach: attachment to map for
 * @pages: the pages of the buffer in order, system memory; may repeat
 * @npages: length of @pages, zero makes a list without chunks
 * @dir: direction of the DMA
 * @attrs: DMA_ATTR_* of the mapping, kept for unmapping
 *
 * Physically contiguous pages become one chunk. The pages must stay where they
 * are until dma_buf_list_free().
 *
 * Context: May sleep. Under the reservation lock, if @attach is that of a dma-buf.
 * Return: The list, or an ERR_PTR(): -EREMOTEIO if the pages would have to be
 * bounced and nobody would copy them, which is recorded with its reason; -EINVAL for
 * a bad argument or a page of a device, -ENOMEM, -EINTR for a task that is being
 * killed, unless the memory is the driver's own, or what else the DMA API returned.
 */
struct dma_buf_list *
dma_buf_list_from_pages(struct dma_buf_attachment *attach,
			struct page *const *pages, unsigned long npages,
			enum dma_data_direction dir, unsigned long attrs)
{
	struct dma_buf_memory memory = {
		.walk = {
			.kind = DMA_BUF_WALK_PAGES,
			.pages = pages,
			.nr = npages,
			.has_pages = true,
		},
		.npages = npages,
	};

	if (npages && !pages)
		return ERR_PTR(-EINVAL);

	return dma_buf_list_build(attach, &memory, dir, attrs);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_list_from_pages, "DMA_BUF");

/**
 * dma_buf_list_from_runs - map runs of system memory and list them
 * @attach: attachment to map for
 * @runs: the buffer in order as physical ranges, all of them with pages; may
 *	repeat. The last one may end within a page, the list does not.
 * @nr_runs: length of @runs, zero makes a list without chunks
 * @dir: direction of the DMA
 * @attrs: DMA_ATTR_* of the mapping, kept for unmapping
 *
 * For exporters that allocate more than a page at a time: the cost is in runs
 * and not in pages.
 *
 * Context: May sleep. Under the reservation lock, if @attach is that of a dma-buf.
 * Return: The list, or an ERR_PTR(): -EREMOTEIO as dma_buf_list_from_pages();
 * -EINVAL for a bad argument, a run that is empty or not aligned, or a page of a
 * device; -EOVERFLOW, -ENOMEM, -EINTR as there, or what else the DMA API returned.
 */
struct dma_buf_list *
dma_buf_list_from_runs(struct dma_buf_attachment *attach,
		       const struct phys_vec *runs, size_t nr_runs,
		       enum dma_data_direction dir, unsigned long attrs)
{
	struct dma_buf_memory memory = {
		.walk = { .vecs = runs, .nr = nr_runs, .has_pages = true },
	};

	return dma_buf_list_from_ranges(attach, &memory, dir, attrs);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_list_from_runs, "DMA_BUF");

/**
 * dma_buf_list_from_sgt - map the pages of a driver's own sg_table and list them
 * @attach: attachment to map for
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
 * Context: May sleep. Under the reservation lock, if @attach is that of a dma-buf.
 * Return: The list, or an ERR_PTR(): -EREMOTEIO as dma_buf_list_from_pages();
 * -EINVAL for an entry without a page, one that is empty or not aligned, or a page
 * of a device; -EOVERFLOW, -ENOMEM, -EINTR as there, or what else the DMA API
 * returned.
 */
struct dma_buf_list *
dma_buf_list_from_sgt(struct dma_buf_attachment *attach,
		      const struct sg_table *sgt,
		      enum dma_data_direction dir, unsigned long attrs)
{
	struct dma_buf_memory memory = {
		.walk = {
			.kind = DMA_BUF_WALK_SG,
			.sg = sgt->sgl,
			.nr = sgt->orig_nents,
			.has_pages = true,
		},
	};

	return dma_buf_list_from_ranges(attach, &memory, dir, attrs);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_list_from_sgt, "DMA_BUF");

/**
 * dma_buf_list_from_own - map pages that a driver collected and list them
 * @attach: attachment to map for, usually one on the stack with nothing but a device
 * @own: the pages. Nothing may be added as long as there is a list of them; it is
 *	freed after the list.
 * @dir: direction of the DMA
 * @attrs: DMA_ATTR_* of the mapping, kept for unmapping
 *
 * If the device needs no mapping, the list costs no memory beside @own, and no time.
 *
 * Context: May sleep. Under the reservation lock, if @attach is that of a dma-buf.
 * Return: The list, or an ERR_PTR(): -EREMOTEIO as dma_buf_list_from_pages(),
 * -EOVERFLOW if these are too many pages, -ENOMEM, -EINTR as there, or what else the
 * DMA API returned.
 */
struct dma_buf_list *
dma_buf_list_from_own(struct dma_buf_attachment *attach,
		      const struct dma_buf_own *own,
		      enum dma_data_direction dir, unsigned long attrs)
{
	const struct dma_buf_memory memory = {
		.walk = {
			.kind = DMA_BUF_WALK_RUNS,
			.runs = own->runs.first,
			.nr = own->runs.nruns,
			.has_pages = true,
			.generic = own->generic,
		},
		.npages = own->runs.npages,
	};

	/* As for ranges: a page may have been added any number of times. */
	if (memory.npages > min_t(u64, SIZE_MAX, U64_MAX >> 1) >> PAGE_SHIFT)
		return ERR_PTR(-EOVERFLOW);

	return dma_buf_list_build(attach, &memory, dir, attrs);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_list_from_own, "DMA_BUF");

/**
 * dma_buf_list_from_coherent - map what dma_alloc_attrs() returned and list it
 * @attach: attachment to map for
 * @owner: device that the memory was allocated for
 * @cpu_addr: address or cookie that dma_alloc_attrs() returned
 * @dma_addr: DMA address that it returned, for @owner
 * @size: size that was allocated, in bytes
 * @dir: direction of the DMA
 * @attrs: DMA_ATTR_* of the allocation
 *
 * No caches are managed, because the memory is coherent. It is not bounced, because
 * @owner continues to use the memory itself. It may come from a pool without struct
 * pages.
 *
 * Context: May sleep. Under the reservation lock, if @attach is that of a dma-buf.
 * Return: The list, or an ERR_PTR(): -EREMOTEIO if the memory would have to be
 * bounced, -ENXIO if the DMA API cannot tell what is behind the allocation, -ENOMEM,
 * -EINTR as dma_buf_list_from_pages(), or what else it returned.
 */
struct dma_buf_list *
dma_buf_list_from_coherent(struct dma_buf_attachment *attach,
			   struct device *owner, void *cpu_addr,
			   dma_addr_t dma_addr, size_t size,
			   enum dma_data_direction dir, unsigned long attrs)
{
	struct dma_buf_memory memory = { };
	struct dma_buf_list *list;
	struct sg_table sgt;
	int ret;

	ret = dma_buf_hw_get_sgtable(owner, &sgt, cpu_addr, dma_addr, size, attrs);
	if (ret)
		return ERR_PTR(ret);

	memory.walk.kind = DMA_BUF_WALK_SG;
	memory.walk.sg = sgt.sgl;
	memory.walk.nr = sgt.orig_nents;
	memory.walk.has_pages = dma_buf_hw_is_system_memory(sg_phys(sgt.sgl), 1);
	list = dma_buf_list_from_ranges(attach, &memory, dir,
					DMA_ATTR_SKIP_CPU_SYNC |
					DMA_ATTR_NO_BOUNCE);
	sg_free_table(&sgt);
	return list;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_list_from_coherent, "DMA_BUF");

/**
 * dma_buf_list_from_phys - map physical ranges without pages and list them
 * @attach: attachment to map for
 * @ranges: the buffer in order, a carve-out for example; may repeat. The last
 *	one may end within a page, the list does not.
 * @nr_ranges: length of @ranges, zero makes a list without chunks
 * @dir: direction of the DMA
 * @attrs: more DMA_ATTR_* of the mapping, DMA_ATTR_MMIO is implied
 *
 * Replaces dma_map_resource(). The memory is never bounced, and no caches are managed:
 * it must be memory that the CPU does not cache, or caches coherently with all
 * devices. For memory that has pages use dma_buf_list_from_runs().
 *
 * Not for the BAR of a PCI device, use dma_buf_list_from_bar() for that: it knows
 * whether the peer can reach it.
 *
 * Context: May sleep. Under the reservation lock, if @attach is that of a dma-buf.
 * Return: The list, or an ERR_PTR(): -EREMOTEIO if the device does not reach the
 * ranges, which is recorded with its reason; -EINVAL for a bad argument or a range
 * that is empty or not aligned, -EOVERFLOW, -ENOMEM, -EINTR as
 * dma_buf_list_from_pages(), or what else the DMA API returned.
 */
struct dma_buf_list *
dma_buf_list_from_phys(struct dma_buf_attachment *attach,
		       const struct phys_vec *ranges, size_t nr_ranges,
		       enum dma_data_direction dir, unsigned long attrs)
{
	struct dma_buf_memory memory = {
		.walk = { .vecs = ranges, .nr = nr_ranges },
	};

	/* DMA_ATTR_MMIO, or the memory could be bounced. */
	return dma_buf_list_from_ranges(attach, &memory, dir,
					attrs | DMA_ATTR_MMIO);
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
	struct dma_buf_memory memory = {
		.walk = { .vecs = ranges, .nr = nr_ranges },
		.peer = true,
	};

	dma_resv_assert_held(attach->dmabuf->resv);

	if (!attach->peer2peer)
		return ERR_PTR(-EREMOTEIO);

	/* The decision at attach was made for the device of this provider only. */
	if (WARN_ON_ONCE(!dma_buf_is_phys(attach) &&
			 (!provider || provider->owner != attach->p2p.owner)))
		return ERR_PTR(-EINVAL);

	if (attach->p2p.map_type == PCI_P2PDMA_MAP_BUS_ADDR && nr_ranges) {
		memory.route = DMA_BUF_ROUTE_BUS_ADDR;
		memory.offset = provider->bus_offset;
	}

	return dma_buf_list_from_ranges(attach, &memory, dir,
					attrs | DMA_ATTR_MMIO);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_list_from_bar, "DMA_BUF");
