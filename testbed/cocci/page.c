// SPDX-License-Identifier: GPL-2.0
// Only parsed, never compiled. "match" is where a report has to be.

static int ranges_have_no_page(struct dma_buf_list *list)
{
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk range;

	dma_buf_list_for_each_range(range, &cursor, list) {
		if (range.npages > 1)
			use(range.page);		/* match */
	}

	range = dma_buf_list_first_range(&cursor, list);
	kmap_local_page(range.page);			/* match */

	dma_buf_cursor_init_part(&cursor, list, 1, 2);
	dma_buf_cursor_for_each_range(range, &cursor)
		use(page_to_phys(range.page));		/* match */

	range = dma_buf_cursor_next_range(&cursor);
	return page_to_nid(range.page);			/* match */
}

static void addresses_have_no_page(struct dma_buf_list *list)
{
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk range;
	dma_addr_t addr;

	dma_buf_list_for_each_range(range, &cursor, list)
		use(phys_to_page(range.dma_addr));	/* match */

	range = dma_buf_list_first_range(&cursor, list);
	use(pfn_to_page(PHYS_PFN(range.dma_addr)));	/* match */

	dma_buf_list_for_each_page(addr, &cursor, list)
		use(phys_to_virt(addr));		/* match */

	dma_buf_list_for_each_block(addr, &cursor, list, SZ_2M) {
		if (addr)
			use(memremap(addr, SZ_2M, MEMREMAP_WB));	/* match */
	}
}

static phys_addr_t not_even_by_asking(struct device *dev, struct dma_buf_list *list)
{
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk range = dma_buf_list_first_range(&cursor, list);

	if (translated(dev))
		return iommu_iova_to_phys(domain(dev), range.dma_addr);	/* match */
	return dma_to_phys(dev, range.dma_addr);	/* match */
}

static void importers_do_not_sync(struct device *dev, struct dma_buf_list *list)
{
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk range;
	dma_addr_t addr;

	dma_buf_list_for_each_range(range, &cursor, list)
		dma_sync_single_for_cpu(dev, range.dma_addr,	/* match */
					range.npages << PAGE_SHIFT, DMA_FROM_DEVICE);

	dma_buf_list_for_each_page(addr, &cursor, list)
		dma_sync_single_for_device(dev, addr,		/* match */
					   PAGE_SIZE, DMA_TO_DEVICE);
}

static void page_is_only_asked_for(struct kunit *test, struct dma_buf_list *list)
{
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk range;

	dma_buf_list_for_each_range(range, &cursor, list) {
		KUNIT_EXPECT_NULL(test, range.page);
		if (range.page)
			KUNIT_FAIL(test, "a page");
		if (!range.page)
			continue;
		if (range.page == NULL)
			break;
	}
}

/* As addresses for the device, and as numbers */
static void used_as_they_should_be(struct device *dev, struct dma_buf_list *list)
{
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk range;
	dma_addr_t addr;

	dma_buf_list_for_each_range(range, &cursor, list) {
		write_descriptor(range.dma_addr, range.npages);
		use(PHYS_PFN(range.dma_addr), upper_32_bits(range.dma_addr));
	}
	dma_buf_list_for_each_page(addr, &cursor, list)
		write_pte(addr);

	/* The driver's own memory */
	addr = own_address(dev);
	dma_sync_single_for_cpu(dev, addr, PAGE_SIZE, DMA_FROM_DEVICE);
	use(phys_to_page(own_phys(dev)));
}

static struct page *page_of_something_else(struct dma_buf_list *list,
					   struct dma_buf_cursor *cursor)
{
	struct dma_buf_chunk chunk;
	struct bio_vec vec;

	dma_buf_list_for_each_range(chunk, cursor, list) {
		vec.bv_page = lookup(chunk.dma_addr);
		use(vec.bv_page);
	}
	chunk = own_chunk();
	return chunk.page;
}
