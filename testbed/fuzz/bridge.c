// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does the sg_table for an importer say the same as the list it was made from?
 */
#include "fuzz.h"

/* Longest entry of a table, in pages */
#define ENTRY_MAX	(BIT_ULL(31) >> PAGE_SHIFT)

/**
 * struct half - one half of a table while it is compared with the list
 * @list: the list
 * @sg: entry after the current one, or NULL at the end
 * @left: number of entries from there on
 * @addr: where the current one goes on
 * @rest: what is left of it in pages
 * @npages: what was before that
 */
struct half {
	const struct dma_buf_list *list;
	struct scatterlist *sg;
	unsigned int left;
	u64 addr;
	u64 rest;
	u64 npages;
};

/* May @n pages at @addr become a part of the current entry? */
static bool may_merge(const struct half *half, u64 addr, u64 n)
{
	enum dma_buf_route route = half->list->route;
	bool peer = dma_buf_list_is_peer(half->list);
	u64 max = peer ? ENTRY_MAX : hw.dev.max_seg_size >> PAGE_SHIFT;

	if (shim.one_length ||
	    (route != DMA_BUF_ROUTE_IOVA && route != DMA_BUF_ROUTE_MAP_SG))
		return false;
	if (!half->npages || addr != half->addr)
		return false;
	return (peer || addr & hw.dev.seg_boundary) && half->npages + n <= max;
}

/* The next part of the list is @n pages at @addr, which no entry splits. */
static void compare_addrs(struct half *half, u64 addr, u64 n)
{
	bool merge = may_merge(half, addr, n);

	if (!half->rest) {
		expect(!merge && half->left--);
		expect(sg_dma_address(half->sg) == addr);
		half->addr = addr;
		half->rest = sg_dma_len(half->sg) >> PAGE_SHIFT;
		half->npages = 0;
		expect(IS_ALIGNED(sg_dma_len(half->sg), PAGE_SIZE));
		half->sg = sg_next(half->sg);
	} else {
		expect(merge);
	}
	expect(n <= half->rest);
	half->rest -= n;
	half->npages += n;
	half->addr += n << PAGE_SHIFT;
}

static void compare_pages(struct half *half, const struct page *page, u64 n)
{
	expect(half->left--);
	expect(sg_page(half->sg) == page);
	expect(half->sg->length == n << PAGE_SHIFT && !half->sg->offset);
	half->sg = sg_next(half->sg);
}

static void compare_table(const struct dma_buf_list *list, struct sg_table *sgt)
{
	struct half pages = { list, sgt->sgl, sgt->orig_nents };
	struct half addrs = { list, sgt->sgl, sgt->nents };
	struct dma_buf_pairs pairs;
	struct dma_buf_chunk chunk;
	u64 done, n;

	dma_buf_list_for_each_pair(chunk, &pairs, list) {
		for (done = 0; done < chunk.npages; done += n) {
			n = min(chunk.npages - done, ENTRY_MAX);
			compare_addrs(&addrs, chunk.dma_addr + PFN_PHYS(done), n);
			if (chunk.page)
				compare_pages(&pages, chunk.page + done, n);
		}
	}
	expect(!addrs.left && !addrs.rest && !pages.left);
}

void check_bridge(struct dma_buf_list *list)
{
	struct sg_table *sgt;

	/* One entry for each 2 GiB, so this is not for the longest ones. */
	if (total_pages > BIT_ULL(44) >> PAGE_SHIFT)
		return;

	sgt = dma_buf_sgt_from_list(list);
	if (IS_ERR(sgt)) {
		expect(PTR_ERR(sgt) == -ENOMEM && hw.allocs >= hw.alloc_fail_at);
		return;
	}
	compare_table(list, sgt);
	expect(dma_buf_sgt_put_list(sgt) == list);
}
