// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bridge from the page list to the sg_table, for importers that need one, and
 * tables of an importer's own
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

/**
 * struct dma_buf_sgt - sg_table that was made from a list
 * @sgt: the table for the importer
 * @list: the list it was made from
 * @nents: number of entries that were allocated; the table's own counts are
 *	those of its two halves, which may both be smaller
 */
struct dma_buf_sgt {
	struct sg_table sgt;
	struct dma_buf_list *list;
	unsigned int nents;
};

/*
 * Fills one half of a table entry by entry. Without a table it only counts, so
 * that the two passes cannot disagree.
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

static unsigned long dma_buf_sgt_fill_pages(const struct dma_buf_list *list,
					    struct scatterlist *sgl)
{
	struct dma_buf_sgt_fill fill = { .next = sgl };
	struct dma_buf_pairs pairs;
	struct dma_buf_chunk chunk;

	if (!list->has_pages)
		return 0;

	dma_buf_list_for_each_pair(chunk, &pairs, list) {
		struct page *page = chunk.page;
		unsigned long left = chunk.npages, n;

		for (; left; left -= n, page += n) {
			n = min(left, DMA_BUF_SG_MAX_PAGES);
			dma_buf_sgt_next(&fill);
			if (fill.last)
				sg_set_page(fill.last, page, n << PAGE_SHIFT, 0);
		}
	}
	return fill.nents;
}

/*
 * Behind an IOMMU, merge neighbours as dma_map_sgtable() does. That depends on two
 * properties of the device, its segment size and its segment boundary. A single run
 * may be longer than the segment size; for device memory it always was.
 */
static bool dma_buf_sgt_merges(const struct dma_buf_list *list,
			       const struct scatterlist *sg, dma_addr_t addr,
			       size_t len)
{
	size_t max = list->peer ? DMA_BUF_SG_MAX_PAGES << PAGE_SHIFT :
				  dma_get_max_seg_size(list->dev);

	if (sg_dma_address(sg) + sg_dma_len(sg) != addr)
		return false;
	if (!list->peer && !(addr & dma_get_seg_boundary(list->dev)))
		return false;
	return max >= sg_dma_len(sg) && max - sg_dma_len(sg) >= len;
}

static unsigned long dma_buf_sgt_fill_addrs(const struct dma_buf_list *list,
					    struct scatterlist *sgl)
{
	bool merge = list->route == DMA_BUF_ROUTE_IOVA ||
		     list->route == DMA_BUF_ROUTE_MAP_SG;
	struct scatterlist count = { };
	struct dma_buf_sgt_fill fill = { .next = sgl };
	struct dma_buf_pairs pairs;
	struct dma_buf_chunk chunk;

	dma_buf_list_for_each_pair(chunk, &pairs, list) {
		dma_addr_t addr = chunk.dma_addr;
		unsigned long left = chunk.npages, n;

		for (; left; left -= n, addr += (dma_addr_t)n << PAGE_SHIFT) {
			struct scatterlist *sg = fill.last ?: &count;

			n = min(left, DMA_BUF_SG_MAX_PAGES);
			if (merge && fill.nents &&
			    dma_buf_sgt_merges(list, sg, addr, n << PAGE_SHIFT)) {
				sg_dma_len(sg) += n << PAGE_SHIFT;
				continue;
			}
			dma_buf_sgt_next(&fill);
			sg = fill.last ?: &count;
			sg_dma_address(sg) = addr;
			sg_dma_len(sg) = n << PAGE_SHIFT;
		}
	}
	return fill.nents;
}

/*
 * If each run was mapped by itself, both halves have the same entries and nothing is
 * merged. Most lists are like that.
 */
static unsigned long dma_buf_sgt_fill_both(const struct dma_buf_list *list,
					   struct scatterlist *sgl)
{
	struct dma_buf_sgt_fill fill = { .next = sgl };
	struct dma_buf_pairs pairs;
	struct dma_buf_chunk chunk;

	dma_buf_list_for_each_pair(chunk, &pairs, list) {
		struct page *page = chunk.page;
		dma_addr_t addr = chunk.dma_addr;
		unsigned long left = chunk.npages, n;

		for (; left; left -= n, addr += (dma_addr_t)n << PAGE_SHIFT) {
			n = min(left, DMA_BUF_SG_MAX_PAGES);
			dma_buf_sgt_next(&fill);
			if (!fill.last)
				continue;
			if (page) {
				sg_set_page(fill.last, page, n << PAGE_SHIFT, 0);
				page += n;
			}
			sg_dma_address(fill.last) = addr;
			sg_dma_len(fill.last) = n << PAGE_SHIFT;
		}
	}
	return fill.nents;
}

/*
 * Without CONFIG_NEED_SG_DMA_LENGTH an entry has one length for both halves, so they
 * cannot differ. No such architecture merges anything.
 */
static bool dma_buf_sgt_halves_are_one(const struct dma_buf_list *list)
{
	return !IS_ENABLED(CONFIG_NEED_SG_DMA_LENGTH) ||
	       dma_buf_list_shares_words(list);
}

/* Fills both halves, or only counts their entries, and returns these. */
static void dma_buf_sgt_fill_halves(const struct dma_buf_list *list,
				    struct scatterlist *sgl,
				    unsigned long *npages,
				    unsigned long *naddrs)
{
	if (dma_buf_sgt_halves_are_one(list)) {
		*naddrs = dma_buf_sgt_fill_both(list, sgl);
		*npages = list->has_pages ? *naddrs : 0;
	} else {
		*npages = dma_buf_sgt_fill_pages(list, sgl);
		*naddrs = dma_buf_sgt_fill_addrs(list, sgl);
	}
}

/*
 * Makes an sg_table of @list. It looks as those that exporters used to make: one half
 * has the pages, if there are any, with an entry for each contiguous run, and the
 * other half has the DMA addresses.
 */
struct sg_table *dma_buf_sgt_from_list(struct dma_buf_list *list)
{
	unsigned long npages, naddrs;
	struct dma_buf_sgt *bridge;
	int ret;

	dma_buf_sgt_fill_halves(list, NULL, &npages, &naddrs);
	if (max(npages, naddrs) > UINT_MAX)
		return ERR_PTR(-E2BIG);

	bridge = kzalloc_obj(*bridge);
	if (!bridge)
		return ERR_PTR(-ENOMEM);

	bridge->list = list;
	bridge->nents = max(npages, naddrs);
	/* A table without entries is legal, but sg_alloc_table() refuses it. */
	if (bridge->nents) {
		ret = sg_alloc_table(&bridge->sgt, bridge->nents, DMA_BUF_GFP);
		if (ret)
			goto err_free;
	}

	dma_buf_sgt_fill_halves(list, bridge->sgt.sgl, &npages, &naddrs);
	bridge->sgt.orig_nents = npages;
	bridge->sgt.nents = naddrs;
	return &bridge->sgt;

err_free:
	kfree(bridge);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_sgt_from_list);

/* Frees the table and returns the list it was made from. */
struct dma_buf_list *dma_buf_sgt_put_list(struct sg_table *sgt)
{
	struct dma_buf_sgt *bridge = container_of(sgt, struct dma_buf_sgt, sgt);
	struct dma_buf_list *list = bridge->list;

	bridge->sgt.orig_nents = bridge->nents;
	sg_free_table(&bridge->sgt);
	kfree(bridge);
	return list;
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_sgt_put_list);

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
