// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tables of an importer's own, for code that takes nothing else
 */
#include <linux/err.h>
#include <linux/export.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "dma-buf-internal.h"

/*
 * The largest power of two that fits the 32 bit length of a scatterlist entry, so that
 * the next piece is as well aligned as the one that is cut.
 */
#define DMA_BUF_SG_MAX_PAGES	((unsigned long)(SZ_2G >> PAGE_SHIFT))

/*
 * Fills a table entry by entry. Without one it only counts, so that the two passes
 * cannot disagree.
 */
struct dma_buf_sgt_fill {
	struct scatterlist *next;
	struct scatterlist *last;
	unsigned long nents;
};

static void dma_buf_sgt_next(struct dma_buf_sgt_fill *fill)
{
	fill->nents++;
	fill->last = fill->next;
	if (fill->next)
		fill->next = sg_next(fill->next);
}

/*
 * Cuts the part into entries, and fills a table with them or only counts them. Long
 * ranges are cut at a power of two, if the segment size of the device allows, so that
 * the next entry is aligned.
 */
static unsigned long dma_buf_sgt_fill_part(const struct dma_buf_list *list,
					   struct dma_buf_cursor cursor,
					   struct scatterlist *sgl)
{
	u64 boundary = dma_get_seg_boundary(list->dev) | (PAGE_SIZE - 1);
	u64 max = dma_get_max_seg_size(list->dev) & PAGE_MASK ?: PAGE_SIZE;
	struct dma_buf_sgt_fill fill = { .next = sgl };
	struct dma_buf_chunk range;

	max = min(max, (u64)DMA_BUF_SG_MAX_PAGES << PAGE_SHIFT);
	dma_buf_cursor_for_each_range(range, &cursor) {
		u64 left = (u64)range.npages << PAGE_SHIFT;
		u64 addr = range.dma_addr, len;

		for (; left; left -= len, addr += len) {
			len = min(min(left, max) - 1,
				  boundary - (addr & boundary)) + 1;
			dma_buf_sgt_next(&fill);
			if (!fill.last)
				continue;
			fill.last->length = len;
			sg_dma_address(fill.last) = addr;
			sg_dma_len(fill.last) = len;
		}
	}
	return fill.nents;
}

/**
 * dma_buf_list_to_sgt - make a table of an importer's own
 * @list: the list
 * @pgoff: first page of the part that the table is for
 * @npages: length of the part in pages
 * @sgt: where to make it; free it with sg_free_table(), before or after @list is
 *	unmapped
 * @gfp: how to allocate its entries
 *
 * For importers that pass an sg_table to other code. It has DMA addresses only. Each
 * entry is as long as these are contiguous, but not longer than
 * dma_get_max_seg_size() of the importer's device, rounded down to whole pages, and
 * 2 GiB, and does not cross dma_get_seg_boundary(). There are no pages in the table,
 * but &scatterlist.length is that of the DMA address, so that functions such as
 * sg_nents_for_len() work. It is not a mapping: do not sync or unmap it.
 *
 * Context: May sleep, depending on @gfp, while @list stays mapped.
 * Return: 0, and both counts of @sgt are the number of entries; -EINVAL if there are no
 * pages in the part or it does not lie within @list, -E2BIG if these are more entries
 * than a table can have, -ENOMEM. There is nothing to free after an error.
 */
int dma_buf_list_to_sgt(const struct dma_buf_list *list, unsigned long pgoff,
			unsigned long npages, struct sg_table *sgt, gfp_t gfp)
{
	unsigned long all = dma_buf_list_runs(list)->npages, nents;
	struct dma_buf_cursor cursor;
	int ret;

	if (!npages || pgoff > all || npages > all - pgoff)
		return -EINVAL;

	dma_buf_cursor_init_part(&cursor, list, pgoff, npages);
	nents = dma_buf_sgt_fill_part(list, cursor, NULL);
	if (nents > UINT_MAX)
		return -E2BIG;

	ret = sg_alloc_table(sgt, nents, gfp);
	if (ret)
		return ret;

	dma_buf_sgt_fill_part(list, cursor, sgt->sgl);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_list_to_sgt, "DMA_BUF");
