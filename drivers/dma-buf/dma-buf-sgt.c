// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bridge from the page list to the sg_table, for importers that need one
 */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "dma-buf-internal.h"

/*
 * The longest power of two that fits the 32 bit length of a scatterlist entry: what
 * follows is aligned as well as what is cut.
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
 * What an importer with an sg_table sees behind an IOMMU are neighbours merged
 * as the DMA API merges them, which depends on two properties of its device. One
 * entry of its own may be longer than that, for memory of a device it always
 * was.
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
 * Where nothing but the runs was mapped both halves have the same entries and
 * nothing is merged. Most lists are like that.
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
 * Without a length of its own for the DMA address an entry has one for both, and
 * the halves cannot differ. No architecture that is like that merges anything.
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
 * Makes the table for such an importer. It looks as what exporters used to make:
 * a half with the pages, one entry for each contiguous run, where there are
 * pages, and a half with the DMA addresses.
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
	/* No entries is a legal table, but not one that can be allocated. */
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
