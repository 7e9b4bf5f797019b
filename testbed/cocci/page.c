// SPDX-License-Identifier: GPL-2.0
// Only parsed, never compiled. "match" is where a report has to be.

static void list_iterators_have_no_page(struct dma_buf_list *list)
{
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk chunk, range;

	dma_buf_list_for_each_chunk(chunk, &cursor, list)
		use(chunk.page);			/* match */

	/* The iterator sets the cursor up again. */
	dma_buf_cursor_init(&cursor, list);
	if (!dma_buf_cursor_grant_pages(&cursor))
		return;
	dma_buf_list_for_each_chunk(chunk, &cursor, list) {
		use(chunk.dma_addr);
		use(page_to_phys(chunk.page));		/* match */
	}

	chunk = dma_buf_list_first_chunk(&cursor, list);
	kmap_local_page(chunk.page);			/* match */

	dma_buf_list_for_each_range(range, &cursor, list) {
		if (range.npages > 1)
			use(range.page);		/* match */
	}
}

static int ranges_have_no_page(struct dma_buf_list *list)
{
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk range;

	dma_buf_cursor_init(&cursor, list);
	if (!dma_buf_cursor_grant_pages(&cursor))
		return -EACCES;
	dma_buf_cursor_for_each_range(range, &cursor)
		use(range.page);			/* match */

	range = dma_buf_cursor_next_range(&cursor);
	return page_to_nid(range.page);			/* match */
}

static int never_asked(struct dma_buf_list *list)
{
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk chunk;

	dma_buf_cursor_init_part(&cursor, list, 1, 2);
	dma_buf_cursor_for_each_chunk(chunk, &cursor) {
		if (chunk.npages == 1)
			break;
		use(chunk.page);			/* match */
	}

	dma_buf_cursor_init(&cursor, list);
	chunk = dma_buf_cursor_next_chunk(&cursor);
	use(chunk.page);				/* match */
}

static int asked_on_one_path(struct dma_buf_list *list, bool want)
{
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk chunk;

	dma_buf_cursor_init(&cursor, list);
	if (want && !dma_buf_cursor_grant_pages(&cursor))
		return -EACCES;
	if (want)
		dma_buf_cursor_for_each_chunk(chunk, &cursor)
			use(chunk.page);

	dma_buf_cursor_init(&cursor, list);
	if (want)
		want = dma_buf_cursor_grant_pages(&cursor);
	dma_buf_cursor_for_each_chunk(chunk, &cursor)
		use(chunk.page);			/* match */
}

static int asked_another_cursor(struct dma_buf_list *a, struct dma_buf_list *b)
{
	struct dma_buf_cursor one, other;
	struct dma_buf_chunk chunk;

	dma_buf_cursor_init(&one, a);
	dma_buf_cursor_init(&other, b);
	if (!dma_buf_cursor_grant_pages(&one))
		return -EACCES;
	dma_buf_cursor_for_each_chunk(chunk, &other)
		use(chunk.page);			/* match */
}

static void answer_ignored(struct dma_buf_list *list)
{
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk chunk;

	dma_buf_cursor_init(&cursor, list);
	dma_buf_cursor_grant_pages(&cursor);		/* match */
	dma_buf_cursor_for_each_chunk(chunk, &cursor)
		use(chunk.page);
}

static int granted(struct dma_buf_list *list)
{
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk chunk;

	dma_buf_cursor_init(&cursor, list);
	if (!dma_buf_cursor_grant_pages(&cursor))
		return -EACCES;
	dma_buf_cursor_for_each_chunk(chunk, &cursor)
		use(chunk.page, chunk.npages);

	dma_buf_cursor_init(&cursor, list);
	if (dma_buf_cursor_grant_pages(&cursor)) {
		chunk = dma_buf_cursor_next_chunk(&cursor);
		use(chunk.page);
	}
	return 0;
}

static void page_is_only_asked_for(struct kunit *test, struct dma_buf_list *list)
{
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk chunk;

	dma_buf_list_for_each_chunk(chunk, &cursor, list) {
		KUNIT_EXPECT_NULL(test, chunk.page);
		if (chunk.page)
			KUNIT_FAIL(test, "a page");
		if (!chunk.page)
			continue;
		if (chunk.page == NULL)
			break;
	}
}

/* The cursor is somebody else's, who may have asked. */
static void cursor_of_the_caller(struct dma_buf_cursor *cursor)
{
	struct dma_buf_chunk chunk;

	dma_buf_cursor_for_each_chunk(chunk, cursor)
		use(chunk.page);
}

static struct page *page_of_something_else(struct dma_buf_list *list,
					   struct dma_buf_cursor *cursor)
{
	struct dma_buf_chunk chunk;
	struct bio_vec vec;

	dma_buf_list_for_each_chunk(chunk, cursor, list) {
		vec.page = lookup(chunk.dma_addr);
		use(vec.page);
	}
	chunk = own_chunk();
	return chunk.page;
}
