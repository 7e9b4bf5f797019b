// SPDX-License-Identifier: GPL-2.0
// Only parsed, never compiled. "match" is where a report has to be.

static int used_after_unmap(struct dma_buf_attachment *attach)
{
	struct dma_buf_list *list;
	struct dma_buf_cursor cursor;
	dma_addr_t addr;

	list = dma_buf_list_map(attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(list))
		return PTR_ERR(list);

	dma_buf_list_unmap(attach, list);
	return dma_buf_list_npages(list);		/* match */
}

static void iterated_after_unmap(struct dma_buf_attachment *attach,
				 struct dma_buf_list *list)
{
	struct dma_buf_cursor cursor;
	dma_addr_t addr;

	dma_buf_list_unmap_unlocked(attach, list);
	dma_buf_list_for_each_page(addr, &cursor, list)	/* match */
		use(addr);
}

static void unmapped_twice(struct dma_buf_attachment *attach,
			   struct dma_buf_list *list, int err)
{
	if (err)
		dma_buf_list_unmap(attach, list);
	dma_buf_list_unmap(attach, list);		/* match */
}

static void freed_by_the_exporter(struct dma_buf_list *list)
{
	dma_buf_list_free(list);
	pr_debug("%lu\n", dma_buf_list_nchunks(list));	/* match */
}

static void kept_in_the_import(struct import *imp)
{
	if (imp->list)
		dma_buf_list_unmap(imp->attach, imp->list);	/* match */
}

static int kept_on_one_path(struct import *imp)
{
	dma_buf_list_unmap(imp->attach, imp->list);	/* match */
	if (stop(imp))
		return -EIO;
	imp->list = NULL;
	return 0;
}

static int not_unmapped_on_error(struct import *imp)
{
	struct dma_buf_list *list;
	int ret;

	list = dma_buf_list_map(imp->attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(list))
		return PTR_ERR(list);

	ret = program(imp, list);
	if (ret)
		return ret;				/* match */

	imp->list = list;
	return 0;
}

static int not_unmapped_by_the_label(struct import *imp)
{
	struct dma_buf_list *list;
	int ret = -ENOMEM;

	list = dma_buf_list_map_unlocked(imp->attach, DMA_TO_DEVICE);
	if (IS_ERR(list)) {
		ret = PTR_ERR(list);
		goto err_detach;
	}

	imp->table = table_of(list);
	if (!imp->table)
		goto err_detach;

	imp->list = list;
	return 0;

err_detach:
	dma_buf_detach(imp->dmabuf, imp->attach);
	return ret;					/* match */
}

static int forgotten(struct dma_buf_attachment *attach)
{
	struct dma_buf_list *list;

	list = dma_buf_list_map(attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(list))
		return PTR_ERR(list);
	use(dma_buf_list_npages(list));
	return 0;					/* match */
}

static int unmapped_on_error(struct import *imp)
{
	struct dma_buf_list *list;
	int ret;

	list = dma_buf_list_map(imp->attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(list)) {
		ret = PTR_ERR(list);
		goto err_detach;
	}

	ret = program(imp, list);
	if (ret)
		goto err_unmap;

	imp->list = list;
	return 0;

err_unmap:
	dma_buf_list_unmap(imp->attach, list);
err_detach:
	dma_buf_detach(imp->dmabuf, imp->attach);
	return ret;
}

static int unmapped_right_away(struct dma_buf_attachment *attach)
{
	struct dma_buf_list *list;
	unsigned long npages;

	list = dma_buf_list_map(attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(list))
		return PTR_ERR(list);
	npages = dma_buf_list_npages(list);
	dma_buf_list_unmap(attach, list);
	return npages ? 0 : -EINVAL;
}

static int unmapped_if_mapped(struct import *imp)
{
	struct dma_buf_list *list;
	int ret;

	list = dma_buf_list_map(imp->attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(list))
		list = NULL;

	ret = program(imp, list);
	if (list)
		dma_buf_list_unmap(imp->attach, list);
	return ret;
}

static struct dma_buf_list *returned(struct dma_buf_attachment *attach)
{
	struct dma_buf_list *list;

	list = dma_buf_list_map(attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(list))
		return ERR_CAST(list);
	pr_debug("%lu pages\n", dma_buf_list_npages(list));
	return list;
}

static int mapped_again(struct import *imp)
{
	dma_buf_list_unmap(imp->attach, imp->list);
	imp->list = dma_buf_list_map(imp->attach, DMA_BIDIRECTIONAL);
	return PTR_ERR_OR_ZERO(imp->list);
}

static void forgotten_with_the_import(struct import *imp)
{
	dma_buf_list_unmap(imp->attach, imp->list);
	imp->list = NULL;
	imp->stale = false;
}

static void import_free(struct import *imp)
{
	dma_buf_list_unmap_unlocked(imp->attach, imp->list);
	dma_buf_detach(imp->dmabuf, imp->attach);
}

static int given_to_the_hook(struct import *imp)
{
	struct dma_buf_list *list;
	struct drm_gem_object *obj;

	list = dma_buf_list_map_unlocked(imp->attach, DMA_TO_DEVICE);
	if (IS_ERR(list))
		return PTR_ERR(list);

	obj = import_prime_import_list(imp->dev, imp->attach, list);
	if (IS_ERR(obj)) {
		dma_buf_list_unmap_unlocked(imp->attach, list);
		return PTR_ERR(obj);
	}
	return 0;
}

static void freed_with_the_import(struct import *imp)
{
	dma_buf_list_unmap_unlocked(imp->attach, imp->list);
	dma_buf_detach(imp->dmabuf, imp->attach);
	kfree(imp);
}

static void local_is_no_copy_that_stays(struct dma_buf_attachment *attach,
					struct dma_buf_list *list, struct cache *cache)
{
	dma_buf_list_free(list);
	if (list == cache->list)
		cache->list = NULL;
}

static void lengths_that_do_not_fit(struct dma_buf_list *list, struct desc *desc)
{
	u32 total = dma_buf_list_npages(list) << PAGE_SHIFT;	/* match */
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk range;
	unsigned int len, sum = 0;
	int left;

	dma_buf_list_for_each_range(range, &cursor, list) {
		unsigned int here = (u64)range.npages << PAGE_SHIFT;	/* match */

		len = range.npages << PAGE_SHIFT;	/* match */
		sum += range.npages * PAGE_SIZE;	/* match */
		program(desc++, range.dma_addr, len, here);
	}
	left = PFN_PHYS(dma_buf_list_npages(list));	/* match */
	use(total, sum, left);
}

static void lengths_that_do(struct dma_buf_list *list, struct desc *desc)
{
	u64 total = (u64)dma_buf_list_npages(list) << PAGE_SHIFT;
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk range;
	unsigned long npages;
	unsigned int part;
	size_t len;

	dma_buf_list_for_each_range(range, &cursor, list) {
		len = range.npages << PAGE_SHIFT;
		part = min_t(u64, (u64)range.npages << PAGE_SHIFT, SZ_1G);
		npages = range.npages;
		program(desc++, range.dma_addr, part, len);
	}
	use(total, npages);
}

static unsigned int length_of_something_else(struct folio *folio)
{
	struct own own = own_of(folio);
	unsigned int len = own.npages << PAGE_SHIFT;

	return len;
}
