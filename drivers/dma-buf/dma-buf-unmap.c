// SPDX-License-Identifier: GPL-2.0-only
/*
 * Syncs what is mapped, and takes it back
 */
#include <linux/err.h>
#include <linux/export.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "dma-buf-internal.h"

/* Number of runs whose caches are managed with one call: half a KiB of stack */
#define DMA_BUF_SYNC_BATCH	16

static void dma_buf_list_sync_table(const struct dma_buf_list *list,
				    struct sg_table *sgt,
				    enum dma_data_direction dir, bool for_cpu)
{
	if (for_cpu)
		dma_buf_hw_sync_sgtable_for_cpu(list->dev, sgt, dir);
	else
		dma_buf_hw_sync_sgtable_for_device(list->dev, sgt, dir);
}

/*
 * Can the caches be managed by physical runs? If so each is contiguous for the device
 * as well, because of a common offset or an IOVA.
 */
static bool dma_buf_list_syncs_pages(const struct dma_buf_list *list)
{
	return list->has_pages && !list->bounced &&
	       (dma_buf_list_shares_words(list) ||
		list->route == DMA_BUF_ROUTE_IOVA);
}

/*
 * Many runs at a time, so that the CPU waits for its caches once for all of them, and
 * by their physical addresses: nobody has to look these up behind an IOVA.
 */
static void dma_buf_list_sync_pages(const struct dma_buf_list *list,
				    enum dma_data_direction dir, bool for_cpu)
{
	struct scatterlist sgl[DMA_BUF_SYNC_BATCH] __uninitialized, *sg = sgl;
	const unsigned long max = UINT_MAX >> PAGE_SHIFT;
	bool shared = dma_buf_list_shares_words(list);
	u64 phys, dma = shared ? 0 : list->iova.addr;
	unsigned long n, left, npages = 0;
	struct sg_table sgt = { .sgl = sgl };
	unsigned int nents = ARRAY_SIZE(sgl);
	const u64 *word = list->phys;

	/* A single run is common, and needs a single entry. */
	if (shared && list->dma.nruns == 1 && list->dma.npages <= max)
		nents = 1;
	sg_init_table(sgl, nents);
	for (left = list->dma.npages; left; left -= n) {
		if (!npages)
			word = dma_buf_run_read(word, &phys, &npages);
		/* The length of a scatterlist entry has 32 bits. */
		n = min3(npages, left, max);
		sg_set_page(sg, phys_to_page(phys), n << PAGE_SHIFT, 0);
		sg_dma_address(sg) = shared ? phys + list->dma.offset : dma;
		sg_dma_len(sg) = sg->length;
		phys += PFN_PHYS(n);
		dma += PFN_PHYS(n);
		npages -= n;
		if (++sg < sgl + ARRAY_SIZE(sgl) && left > n)
			continue;

		sgt.orig_nents = sg - sgl;
		dma_buf_list_sync_table(list, &sgt, dir, for_cpu);
		cond_resched();
		sg = sgl;
	}
}

static void dma_buf_list_sync_runs(const struct dma_buf_list *list,
				   enum dma_data_direction dir, bool for_cpu)
{
	struct dma_buf_pairs pairs;
	struct dma_buf_chunk chunk;
	unsigned int i = 0;

	dma_buf_list_for_each_pair(chunk, &pairs, list) {
		size_t len = dma_buf_bytes(chunk.npages);

		if (for_cpu)
			dma_buf_hw_sync_for_cpu(list->dev, chunk.dma_addr, len,
						dir);
		else
			dma_buf_hw_sync_for_device(list->dev, chunk.dma_addr, len,
						   dir);
		if (!(++i % DMA_BUF_BATCH))
			cond_resched();
	}
}

/*
 * Gives the memory of a list to the CPU, or back to the device. The direction is
 * that of the CPU access. May sleep, and costs nothing where there are neither
 * caches to manage nor bounce buffers.
 */
void dma_buf_list_sync(const struct dma_buf_list *list,
		       enum dma_data_direction dir, bool for_cpu)
{
	if (!list->need_sync)
		return;

	/*
	 * All of a bounce buffer is copied to the device later. So copy what the
	 * device wrote to the memory first, even if the CPU only writes. If the
	 * device only reads there is nothing to copy.
	 */
	if (for_cpu && list->bounced)
		dir = list->dir;

	if (list->route == DMA_BUF_ROUTE_MAP_SG)
		dma_buf_list_sync_table(list, list->sgt, dir, for_cpu);
	else if (dma_buf_list_syncs_pages(list))
		dma_buf_list_sync_pages(list, dir, for_cpu);
	else
		dma_buf_list_sync_runs(list, dir, for_cpu);
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_list_sync);

/*
 * Where it is not known what is behind an IOVA, as with a table of the DMA API, only
 * single pages are sure to be synced as a whole.
 */
static void dma_buf_list_sync_chunk(const struct dma_buf_list *list,
				    dma_addr_t addr, size_t len, bool for_cpu)
{
	while (len) {
		size_t n = len;

		if (!list->phys || list->route == DMA_BUF_ROUTE_MAP_SG)
			n = min(len, PAGE_SIZE - offset_in_page(addr));
		if (for_cpu)
			dma_buf_hw_sync_for_cpu(list->dev, addr, n, list->dir);
		else
			dma_buf_hw_sync_for_device(list->dev, addr, n,
						   list->dir);
		addr += n;
		len -= n;
	}
}

static void dma_buf_list_sync_part(const struct dma_buf_list *list, u64 offset,
				   u64 size, bool for_cpu)
{
	struct dma_buf_pairs pairs;
	struct dma_buf_chunk chunk;
	u64 all = (u64)list->dma.npages << PAGE_SHIFT;
	u64 end, begin = 0;

	if (!list->need_sync)
		return;
	if (list->route == DMA_BUF_ROUTE_MAP_SG && !offset && size >= all) {
		dma_buf_list_sync_table(list, list->sgt, list->dir, for_cpu);
		return;
	}

	offset = min(offset, all);
	end = offset + min(size, all - offset);
	dma_buf_list_for_each_pair(chunk, &pairs, list) {
		u64 len = (u64)chunk.npages << PAGE_SHIFT;
		u64 skip = offset > begin ? min(offset - begin, len) : 0;

		if (begin >= end)
			break;
		dma_buf_list_sync_chunk(list, chunk.dma_addr + skip,
					min(len, end - begin) - skip, for_cpu);
		begin += len;
	}
}

/**
 * dma_buf_list_sync_for_device - give a part of a mapping to the device
 * @list: list that the caller mapped, or that it made of memory of its own
 * @offset: first byte of the part
 * @size: length of the part in bytes; what is beyond the end of the list is left out
 *
 * For an importer that touches the memory with the CPU while it is mapped, or for
 * memory of a driver's own, where others call dma_sync_sgtable_for_device(). The
 * direction is the one that the list was mapped for. Whoever gets at a dma-buf through
 * dma_buf_begin_cpu_access() has it synced there.
 *
 * Costs nothing where there are neither caches to manage nor bounce buffers, and then
 * for each run of the part.
 *
 * Context: Any. @list stays mapped.
 */
void dma_buf_list_sync_for_device(const struct dma_buf_list *list, u64 offset,
				  u64 size)
{
	dma_buf_list_sync_part(list, offset, size, false);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_list_sync_for_device, "DMA_BUF");

/**
 * dma_buf_list_sync_for_cpu - give a part of a mapping to the CPU
 * @list: as for dma_buf_list_sync_for_device()
 * @offset: first byte of the part
 * @size: length of the part in bytes; what is beyond the end of the list is left out
 *
 * The opposite of dma_buf_list_sync_for_device().
 *
 * Context: Any. @list stays mapped.
 */
void dma_buf_list_sync_for_cpu(const struct dma_buf_list *list, u64 offset,
			       u64 size)
{
	dma_buf_list_sync_part(list, offset, size, true);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_list_sync_for_cpu, "DMA_BUF");

/*
 * Manages the caches when all of the list is mapped, or before it is unmapped, where
 * the DMA API does not do that run by run. Returns the attributes for the DMA API.
 */
unsigned long dma_buf_list_sync_all(const struct dma_buf_list *list, bool for_cpu)
{
	if (!list->need_sync || !list->phys ||
	    list->attrs & DMA_ATTR_SKIP_CPU_SYNC ||
	    dma_buf_hw_is_coherent(list->dev))
		return list->attrs;

	dma_buf_list_sync(list, list->dir, for_cpu);
	return list->attrs | DMA_ATTR_SKIP_CPU_SYNC;
}

static void dma_buf_list_undo_runs(struct dma_buf_list *list)
{
	const u64 *word = list->dma.first;
	unsigned long i, npages;
	u64 addr;

	if (!list->need_unmap) {
		dma_buf_list_sync_all(list, true);
		return;
	}

	for (i = 0; i < list->dma.nruns; i++) {
		word = dma_buf_run_read(word, &addr, &npages);
		dma_buf_hw_unmap_phys(list->dev, addr + list->dma.offset,
				      dma_buf_bytes(npages), list->dir,
				      list->attrs);
		if (!(i % DMA_BUF_BATCH))
			cond_resched();
	}
}

/* Unmaps what was mapped, which may be only a part. */
static void dma_buf_list_undo(struct dma_buf_list *list)
{
	switch (list->route) {
	case DMA_BUF_ROUTE_IOVA:
		/* Which would look up the physical address of each granule. */
		dma_buf_hw_iova_destroy(list->dev, &list->iova,
					dma_buf_bytes(list->dma.npages),
					list->dir,
					dma_buf_list_sync_all(list, true));
		break;
	case DMA_BUF_ROUTE_PER_RUN:
		dma_buf_list_undo_runs(list);
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
 * Context: May sleep. Nobody else may be using @list. In &dma_buf_ops.unmap_dma_buf
 * the reservation lock ensures that, in &dma_buf_ops.detach that the importer has
 * unmapped. If an importer still has the list, this warns and does not free it.
 */
void dma_buf_list_free(struct dma_buf_list *list)
{
	if (WARN_ON_ONCE(!list_empty(&list->node)))
		return;

	dma_buf_list_undo(list);
	dma_buf_list_release(list);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_list_free, "DMA_BUF");
