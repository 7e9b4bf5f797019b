// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page list and its cursors
 */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "dma-buf-internal.h"

/* An address that is not in the first 4 GiB, where there are others. */
#define A		(IS_ENABLED(CONFIG_ARCH_DMA_ADDR_T_64BIT) ? BIT_ULL(40) : BIT_ULL(31))

/* The pages of this memory are never accessed. */
#define P		(A / 2)

static void release(void *list)
{
	dma_buf_list_release(list);
}

static void add(struct kunit *test, struct dma_buf_writer *writer,
		struct dma_buf_chunk chunk)
{
	const struct dma_buf_run run = {
		.addr = chunk.dma_addr,
		.npages = chunk.npages,
	};

	KUNIT_ASSERT_EQ(test, dma_buf_writer_add(writer, run), 0);
}

static struct dma_buf_list *list_of(struct kunit *test,
				    const struct dma_buf_chunk *chunks, size_t n)
{
	struct dma_buf_attachment nobody = { };
	struct dma_buf_writer writer;
	struct dma_buf_list *list;
	size_t i;

	list = dma_buf_list_alloc(&nobody, DMA_TO_DEVICE, 0);
	KUNIT_ASSERT_NOT_NULL(test, list);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, release, list), 0);

	dma_buf_writer_init(&writer, list->one, ARRAY_SIZE(list->one), n);
	for (i = 0; i < n; i++)
		add(test, &writer, chunks[i]);
	dma_buf_list_set(list, &writer, 0);
	return list;
}

static void expect_chunk(struct kunit *test, struct dma_buf_chunk chunk,
			 dma_addr_t addr, unsigned long npages)
{
	KUNIT_EXPECT_EQ(test, chunk.npages, npages);
	if (npages)
		KUNIT_EXPECT_EQ(test, chunk.dma_addr, addr);
	KUNIT_EXPECT_NULL(test, chunk.page);
}

/* 3 + 2 pages that are neighbours, a gap, 4 pages, back to the first page */
static const struct dma_buf_chunk mixed[] = {
	{ .dma_addr = A, .npages = 3 },
	{ .dma_addr = A + 3 * PAGE_SIZE, .npages = 2 },
	{ .dma_addr = A + SZ_1M, .npages = 4 },
	{ .dma_addr = A, .npages = 1 },
};

static void chunks_are_yielded_as_they_are(struct kunit *test)
{
	struct dma_buf_list *list = list_of(test, mixed, ARRAY_SIZE(mixed));
	struct dma_buf_pairs pairs;
	struct dma_buf_chunk chunk;
	unsigned int i = 0;

	dma_buf_list_for_each_pair(chunk, &pairs, list) {
		KUNIT_ASSERT_LT(test, i, ARRAY_SIZE(mixed));
		expect_chunk(test, chunk, mixed[i].dma_addr, mixed[i].npages);
		i++;
	}
	KUNIT_EXPECT_EQ(test, i, ARRAY_SIZE(mixed));
	KUNIT_EXPECT_EQ(test, dma_buf_list_nchunks(list), 4);
	KUNIT_EXPECT_EQ(test, dma_buf_list_npages(list), 10);
}

static void ranges_are_as_long_as_they_can_be(struct kunit *test)
{
	struct dma_buf_list *list = list_of(test, mixed, ARRAY_SIZE(mixed));
	struct dma_buf_cursor cursor;

	expect_chunk(test, dma_buf_list_first_range(&cursor, list), A, 5);
	expect_chunk(test, dma_buf_cursor_next_range(&cursor), A + SZ_1M, 4);
	expect_chunk(test, dma_buf_cursor_next_range(&cursor), A, 1);
	expect_chunk(test, dma_buf_cursor_next_range(&cursor), 0, 0);
}

static void end_stays_the_end(struct kunit *test)
{
	struct dma_buf_list *list = list_of(test, mixed, 1);
	struct dma_buf_cursor cursor;
	dma_addr_t addr;
	int i;

	expect_chunk(test, dma_buf_list_first_range(&cursor, list), A, 3);
	for (i = 0; i < 3; i++) {
		expect_chunk(test, dma_buf_cursor_next_range(&cursor), 0, 0);
		KUNIT_EXPECT_FALSE(test, dma_buf_cursor_next_block(&cursor,
								   PAGE_SIZE,
								   &addr));
	}
}

static void list_without_chunks_is_legal(struct kunit *test)
{
	struct dma_buf_list *list = list_of(test, NULL, 0);
	struct dma_buf_cursor cursor;
	struct dma_buf_pairs pairs;
	struct dma_buf_chunk chunk;
	dma_addr_t addr;

	KUNIT_EXPECT_EQ(test, dma_buf_list_npages(list), 0);
	KUNIT_EXPECT_EQ(test, dma_buf_list_nchunks(list), 0);
	expect_chunk(test, dma_buf_list_first_range(&cursor, list), 0, 0);
	dma_buf_list_for_each_pair(chunk, &pairs, list)
		KUNIT_FAIL(test, "there is a chunk");
	dma_buf_cursor_init_part(&cursor, list, 0, ULONG_MAX);
	expect_chunk(test, dma_buf_cursor_next_range(&cursor), 0, 0);
	dma_buf_cursor_init_part(&cursor, list, 7, 7);
	expect_chunk(test, dma_buf_cursor_next_range(&cursor), 0, 0);
	dma_buf_list_for_each_page(addr, &cursor, list)
		KUNIT_FAIL(test, "there is a page");
	KUNIT_EXPECT_EQ(test, dma_buf_list_block_size(list, SZ_4K | SZ_2M),
			SZ_2M);
}

static void one_chunk_needs_no_second_allocation(struct kunit *test)
{
	static const struct dma_buf_chunk big = {
		.dma_addr = A,
		.npages = BIT(28),
	};
	struct dma_buf_list *list = list_of(test, mixed, 1);
	struct dma_buf_cursor cursor;

	KUNIT_EXPECT_LE(test, sizeof(*list), 128);
	KUNIT_EXPECT_NULL(test, list->dma_blocks);
	list = list_of(test, mixed, 2);
	KUNIT_EXPECT_NULL(test, list->dma_blocks);
	list = list_of(test, &big, 1);
	KUNIT_EXPECT_NULL(test, list->dma_blocks);
	expect_chunk(test, dma_buf_list_first_range(&cursor, list), A, BIT(28));
}

/* Of all lengths around what fits one word, over the borders of many blocks. */
static struct dma_buf_chunk odd_chunk(unsigned long i)
{
	return (struct dma_buf_chunk) {
		.dma_addr = A + i * SZ_1G,
		.npages = i % 5 == 3 ? PAGE_SIZE - 2 + i % 4 : 1 + i % 3,
	};
}

/* @expect is the length that the writer is told, which need not be right. */
static void expect_growth(struct kunit *test, unsigned long n,
			  unsigned long expect, bool trim)
{
	struct dma_buf_writer writer;
	struct dma_buf_pairs pairs;
	struct dma_buf_chunk chunk;
	struct dma_buf_list *list;
	unsigned long i;

	list = list_of(test, NULL, 0);
	dma_buf_writer_init(&writer, NULL, 0, expect);
	for (i = 0; i < n; i++) {
		add(test, &writer, odd_chunk(i));
		/* As far as it goes it can be read at any time. */
		dma_buf_list_set(list, &writer, 0);
	}
	if (trim)
		dma_buf_writer_trim(&writer);
	dma_buf_list_set(list, &writer, 0);

	i = 0;
	dma_buf_list_for_each_pair(chunk, &pairs, list) {
		expect_chunk(test, chunk, odd_chunk(i).dma_addr,
			     odd_chunk(i).npages);
		i++;
	}
	KUNIT_EXPECT_EQ(test, i, n);
	KUNIT_EXPECT_EQ(test, dma_buf_list_nchunks(list), n);
}

static void growing_keeps_the_chunks(struct kunit *test)
{
	static const unsigned long sizes[] = {
		1, 2, 3, 15, 400, 424, 425, 507, 508, 509, 511, 1000, 5000,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		expect_growth(test, sizes[i], sizes[i], false);
		expect_growth(test, sizes[i], sizes[i], true);
		expect_growth(test, sizes[i], 1, true);
		expect_growth(test, sizes[i], 0, false);
		expect_growth(test, sizes[i], ULONG_MAX, true);
	}
}

static size_t bytes_of(const struct dma_buf_block *block)
{
	size_t sum = 0;

	for (; block; block = block->next)
		sum += ksize(block);
	return sum;
}

/* Even if @expect was wrong, little more is kept than what is needed. */
static void trimming_leaves_what_is_needed(struct kunit *test)
{
	struct dma_buf_list *list;
	unsigned long n, i;

	for (n = 3; n < 2000; n += n / 3) {
		struct dma_buf_writer writer;

		list = list_of(test, NULL, 0);
		dma_buf_writer_init(&writer, NULL, 0, ULONG_MAX);
		for (i = 0; i < n; i++)
			add(test, &writer, mixed[i % 4]);
		dma_buf_writer_trim(&writer);
		dma_buf_list_set(list, &writer, 0);
		KUNIT_EXPECT_LE(test, bytes_of(list->dma_blocks),
				kmalloc_size_roundup((n + 1) * sizeof(u64)) +
				n * sizeof(u64) / 8);
	}
}

/* The parts of @mixed that begin at page 4: 1 page of its second chunk ... */
static void part_begins_and_ends_within_chunks(struct kunit *test)
{
	struct dma_buf_list *list = list_of(test, mixed, ARRAY_SIZE(mixed));
	struct dma_buf_cursor cursor;

	dma_buf_cursor_init_part(&cursor, list, 4, 3);
	expect_chunk(test, dma_buf_cursor_next_range(&cursor),
		     A + 4 * PAGE_SIZE, 1);
	expect_chunk(test, dma_buf_cursor_next_range(&cursor), A + SZ_1M, 2);
	expect_chunk(test, dma_buf_cursor_next_range(&cursor), 0, 0);

	dma_buf_cursor_init_part(&cursor, list, 1, 1);
	expect_chunk(test, dma_buf_cursor_next_range(&cursor),
		     A + PAGE_SIZE, 1);
	expect_chunk(test, dma_buf_cursor_next_range(&cursor), 0, 0);

	dma_buf_cursor_init_part(&cursor, list, 1, 3);
	expect_chunk(test, dma_buf_cursor_next_range(&cursor),
		     A + PAGE_SIZE, 3);
	expect_chunk(test, dma_buf_cursor_next_range(&cursor), 0, 0);
}

static void part_on_chunk_borders(struct kunit *test)
{
	struct dma_buf_list *list = list_of(test, mixed, ARRAY_SIZE(mixed));
	struct dma_buf_cursor cursor;

	dma_buf_cursor_init_part(&cursor, list, 3, 2);
	expect_chunk(test, dma_buf_cursor_next_range(&cursor),
		     A + 3 * PAGE_SIZE, 2);
	expect_chunk(test, dma_buf_cursor_next_range(&cursor), 0, 0);

	dma_buf_cursor_init_part(&cursor, list, 9, 1);
	expect_chunk(test, dma_buf_cursor_next_range(&cursor), A, 1);
	expect_chunk(test, dma_buf_cursor_next_range(&cursor), 0, 0);
}

static void part_beyond_the_end_is_not_there(struct kunit *test)
{
	struct dma_buf_list *list = list_of(test, mixed, ARRAY_SIZE(mixed));
	static const struct { unsigned long pgoff, npages, len; } parts[] = {
		{ 0, 0, 0 },		{ 3, 0, 0 },	{ 10, 0, 0 },
		{ 10, 1, 0 },		{ 11, 1, 0 },	{ 9, 2, 1 },
		{ 9, ULONG_MAX, 1 },	{ ULONG_MAX, 1, 0 },
		{ ULONG_MAX, ULONG_MAX, 0 },	{ 0, ULONG_MAX, 10 },
	};
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk chunk;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		unsigned long len = 0;

		dma_buf_cursor_init_part(&cursor, list, parts[i].pgoff,
					 parts[i].npages);
		dma_buf_cursor_for_each_range(chunk, &cursor)
			len += chunk.npages;
		KUNIT_EXPECT_EQ_MSG(test, len, parts[i].len, "part %u", i);
	}
}

static void pages_step_by_one_page(struct kunit *test)
{
	struct dma_buf_list *list = list_of(test, mixed, ARRAY_SIZE(mixed));
	static const u64 want[] = {
		A, A + PAGE_SIZE, A + 2 * PAGE_SIZE, A + 3 * PAGE_SIZE,
		A + 4 * PAGE_SIZE, A + SZ_1M, A + SZ_1M + PAGE_SIZE,
		A + SZ_1M + 2 * PAGE_SIZE, A + SZ_1M + 3 * PAGE_SIZE, A,
	};
	struct dma_buf_cursor cursor;
	dma_addr_t addr;
	unsigned int i = 0;

	dma_buf_list_for_each_page(addr, &cursor, list) {
		KUNIT_ASSERT_LT(test, i, ARRAY_SIZE(want));
		KUNIT_EXPECT_EQ(test, addr, want[i++]);
	}
	KUNIT_EXPECT_EQ(test, i, ARRAY_SIZE(want));
}

static void part_is_read_in_pages_too(struct kunit *test)
{
	struct dma_buf_list *list = list_of(test, mixed, ARRAY_SIZE(mixed));
	struct dma_buf_cursor cursor;
	dma_addr_t addr;

	dma_buf_cursor_init_part(&cursor, list, 4, 2);
	KUNIT_ASSERT_TRUE(test, dma_buf_cursor_next_block(&cursor, PAGE_SIZE,
							  &addr));
	KUNIT_EXPECT_EQ(test, addr, A + 4 * PAGE_SIZE);
	KUNIT_ASSERT_TRUE(test, dma_buf_cursor_next_block(&cursor, PAGE_SIZE,
							  &addr));
	KUNIT_EXPECT_EQ(test, addr, A + SZ_1M);
	KUNIT_EXPECT_FALSE(test, dma_buf_cursor_next_block(&cursor, PAGE_SIZE,
							   &addr));
}

static unsigned int count_blocks(struct kunit *test, struct dma_buf_list *list,
				 unsigned long size, dma_addr_t first)
{
	struct dma_buf_cursor cursor;
	unsigned int n = 0;
	dma_addr_t addr;

	dma_buf_list_for_each_block(addr, &cursor, list, size)
		KUNIT_EXPECT_EQ(test, addr, first + (u64)size * n++);
	return n;
}

/* Blocks cross the borders of chunks, but never those of ranges. */
static void blocks_cover_a_range_whatever_its_chunks(struct kunit *test)
{
	static const struct dma_buf_chunk chunks[] = {
		{ .dma_addr = A + SZ_1M, .npages = SZ_1M >> PAGE_SHIFT },
		{ .dma_addr = A + SZ_2M, .npages = 3 * SZ_1M >> PAGE_SHIFT },
	};
	struct dma_buf_list *list = list_of(test, chunks, 2);

	KUNIT_EXPECT_EQ(test, count_blocks(test, list, 512, A + SZ_1M), 8192);
	KUNIT_EXPECT_EQ(test, count_blocks(test, list, SZ_64K, A + SZ_1M), 64);
	KUNIT_EXPECT_EQ(test, count_blocks(test, list, SZ_1M, A + SZ_1M), 4);
	/* The first and the last block may extend beyond the buffer. */
	KUNIT_EXPECT_EQ(test, count_blocks(test, list, SZ_2M, A), 3);
	KUNIT_EXPECT_EQ(test, count_blocks(test, list, SZ_8M, A), 1);
}

static void blocks_start_anew_with_each_range(struct kunit *test)
{
	static const struct dma_buf_chunk chunks[] = {
		{ .dma_addr = A + SZ_64K, .npages = SZ_64K >> PAGE_SHIFT },
		{ .dma_addr = A, .npages = SZ_128K >> PAGE_SHIFT },
	};
	static const u64 want[] = { A + SZ_64K, A, A + SZ_64K };
	struct dma_buf_list *list = list_of(test, chunks, 2);
	struct dma_buf_cursor cursor;
	unsigned int i = 0;
	dma_addr_t addr;

	dma_buf_list_for_each_block(addr, &cursor, list, SZ_64K) {
		KUNIT_ASSERT_LT(test, i, ARRAY_SIZE(want));
		KUNIT_EXPECT_EQ(test, addr, want[i++]);
	}
	KUNIT_EXPECT_EQ(test, i, ARRAY_SIZE(want));
}

static void blocks_reach_the_end_of_the_address_space(struct kunit *test)
{
	static const struct dma_buf_chunk last = {
		.dma_addr = -(dma_addr_t)SZ_128K,
		.npages = SZ_128K >> PAGE_SHIFT,
	};
	struct dma_buf_list *list = list_of(test, &last, 1);
	struct dma_buf_cursor cursor;

	KUNIT_EXPECT_EQ(test, count_blocks(test, list, SZ_64K, last.dma_addr), 2);
	expect_chunk(test, dma_buf_list_first_range(&cursor, list),
		     last.dma_addr, last.npages);
	expect_chunk(test, dma_buf_cursor_next_range(&cursor), 0, 0);
}

static void addresses_are_copied_page_by_page(struct kunit *test)
{
	static const dma_addr_t want[] = {
		A, A + PAGE_SIZE, A + 2 * PAGE_SIZE, A + 3 * PAGE_SIZE,
		A + 4 * PAGE_SIZE, A + SZ_1M, A + SZ_1M + PAGE_SIZE,
		A + SZ_1M + 2 * PAGE_SIZE, A + SZ_1M + 3 * PAGE_SIZE, A,
	};
	struct dma_buf_list *list = list_of(test, mixed, ARRAY_SIZE(mixed));
	dma_addr_t addrs[ARRAY_SIZE(want) + 1] = { };

	KUNIT_EXPECT_EQ(test, 0, dma_buf_list_copy_addrs(list, addrs,
							 ARRAY_SIZE(want)));
	KUNIT_EXPECT_MEMEQ(test, addrs, want, sizeof(want));
	KUNIT_EXPECT_EQ(test, addrs[ARRAY_SIZE(want)], 0);

	/* Part of the list is fine, and more than that is not. */
	memset(addrs, 0, sizeof(addrs));
	KUNIT_EXPECT_EQ(test, 0, dma_buf_list_copy_addrs(list, addrs, 4));
	KUNIT_EXPECT_MEMEQ(test, addrs, want, 4 * sizeof(*want));
	KUNIT_EXPECT_EQ(test, addrs[4], 0);
	KUNIT_EXPECT_EQ(test, -EINVAL,
			dma_buf_list_copy_addrs(list, addrs, ARRAY_SIZE(addrs)));
}

static void block_size_fits_every_border(struct kunit *test)
{
	static const struct dma_buf_chunk chunks[] = {
		{ .dma_addr = A + PAGE_SIZE, .npages = 15 },
		{ .dma_addr = A + 512 * PAGE_SIZE, .npages = 32 },
		{ .dma_addr = A + 1024 * PAGE_SIZE, .npages = 1 },
	};
	struct dma_buf_list *list = list_of(test, chunks, 3);
	struct dma_buf_list *one = list_of(test, chunks, 1);
	struct dma_buf_list *two = list_of(test, chunks, 2);
	struct dma_buf_list *page = list_of(test, mixed, ARRAY_SIZE(mixed));

	KUNIT_EXPECT_EQ(test, dma_buf_list_block_size(list, ~0UL), 16 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, dma_buf_list_block_size(list, 9 * PAGE_SIZE),
			8 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, dma_buf_list_block_size(list, 512 * PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, dma_buf_list_block_size(list, 0), 0);
	/* The ends of the buffer do not count as borders. */
	KUNIT_EXPECT_EQ(test, dma_buf_list_block_size(one, 513 * PAGE_SIZE),
			512 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, dma_buf_list_block_size(two, ~0UL), 16 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, dma_buf_list_block_size(page, ~0UL), PAGE_SIZE);
}

static void blocks_of_no_size_are_refused(struct kunit *test)
{
	struct dma_buf_list *list = list_of(test, mixed, 2);
	unsigned long sizes[] = { 0, SZ_64K + SZ_4K };
	struct dma_buf_cursor cursor;
	dma_addr_t addr;
	int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		dma_buf_cursor_init(&cursor, list);
		kunit_warning_suppress(test)
			KUNIT_EXPECT_FALSE(test,
					   dma_buf_cursor_next_block(&cursor,
								     sizes[i],
								     &addr));
	}
}

static void block_size_looks_at_ranges_not_at_chunks(struct kunit *test)
{
	struct dma_buf_list *list = list_of(test, mixed, 2);

	KUNIT_EXPECT_EQ(test, dma_buf_list_block_size(list, SZ_4K | SZ_1G),
			SZ_1G);
}

static const struct dma_buf_chunk with_pages[] = {
	{ .dma_addr = A, .npages = 4 },
	{ .dma_addr = A + 4 * PAGE_SIZE, .npages = 1 },
};

/* What is behind these: 2 pages, a gap of 2, 3 pages */
static struct dma_buf_list *list_with_pages(struct kunit *test)
{
	struct dma_buf_list *list = list_of(test, with_pages, 2);
	struct dma_buf_writer phys;

	dma_buf_writer_init(&phys, NULL, 0, 2);
	add(test, &phys, (struct dma_buf_chunk) { .dma_addr = P, .npages = 2 });
	list->phys_blocks = phys.blocks;
	add(test, &phys, (struct dma_buf_chunk) {
		.dma_addr = P + 4 * PAGE_SIZE,
		.npages = 3,
	});
	list->phys = phys.first;
	list->has_pages = true;
	return list;
}

static void expect_page(struct kunit *test, struct dma_buf_chunk chunk,
			unsigned int n, unsigned long npages)
{
	KUNIT_EXPECT_PTR_EQ(test, chunk.page, phys_to_page(P + n * PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, chunk.npages, npages);
}

/* The chunks are those parts that are contiguous in both. */
static void pages_are_paired_with_addresses(struct kunit *test)
{
	struct dma_buf_list *list = list_with_pages(test);
	static const struct { u64 at; unsigned int page; unsigned long n; } want[] = {
		{ A, 0, 2 },
		{ A + 2 * PAGE_SIZE, 4, 2 },
		{ A + 4 * PAGE_SIZE, 6, 1 },
	};
	struct dma_buf_pairs pairs;
	struct dma_buf_chunk chunk;
	unsigned int i = 0;

	dma_buf_list_for_each_pair(chunk, &pairs, list) {
		KUNIT_ASSERT_LT(test, i, ARRAY_SIZE(want));
		KUNIT_EXPECT_EQ(test, chunk.dma_addr, want[i].at);
		expect_page(test, chunk, want[i].page, want[i].n);
		i++;
	}
	KUNIT_EXPECT_EQ(test, i, ARRAY_SIZE(want));
	chunk = dma_buf_pairs_next(&pairs);
	KUNIT_EXPECT_EQ(test, chunk.npages, 0);
	KUNIT_EXPECT_NULL(test, chunk.page);
}

/* If all differ by the same offset, the words are stored once. */
static void pages_and_addresses_can_share_their_words(struct kunit *test)
{
	struct dma_buf_list *list = list_of(test, NULL, 0);
	struct dma_buf_writer writer;
	struct dma_buf_pairs pairs;
	struct dma_buf_chunk chunk;
	unsigned int i = 0;

	dma_buf_writer_init(&writer, NULL, 0, 2);
	add(test, &writer, (struct dma_buf_chunk) { .dma_addr = P, .npages = 2 });
	add(test, &writer, (struct dma_buf_chunk) {
		.dma_addr = P + 2 * PAGE_SIZE,
		.npages = PAGE_SIZE + 1,
	});
	dma_buf_list_set(list, &writer, A - P);
	list->phys = list->dma.first;
	list->has_pages = true;

	dma_buf_list_for_each_pair(chunk, &pairs, list) {
		KUNIT_EXPECT_EQ(test, chunk.dma_addr, A + i * 2 * PAGE_SIZE);
		expect_page(test, chunk, i * 2, i ? PAGE_SIZE + 1 : 2);
		i++;
	}
	KUNIT_EXPECT_EQ(test, i, 2);
}

/* After a failure there may be fewer DMA addresses than physical runs. */
static void pairs_end_where_the_addresses_do(struct kunit *test)
{
	struct dma_buf_list *list = list_with_pages(test);
	struct dma_buf_pairs pairs;

	list->dma.npages = 3;
	dma_buf_pairs_init(&pairs, list);
	expect_page(test, dma_buf_pairs_next(&pairs), 0, 2);
	expect_page(test, dma_buf_pairs_next(&pairs), 4, 1);
	KUNIT_EXPECT_EQ(test, dma_buf_pairs_next(&pairs).npages, 0);
}

static void readers_never_see_a_page(struct kunit *test)
{
	struct dma_buf_list *list = list_with_pages(test);
	struct dma_buf_cursor cursor;

	expect_chunk(test, dma_buf_list_first_range(&cursor, list), A, 5);
	dma_buf_cursor_init_part(&cursor, list, 1, 3);
	expect_chunk(test, dma_buf_cursor_next_range(&cursor), A + PAGE_SIZE, 3);
}

/* With larger blocks it reschedules less often, and wastes more memory. */
static void blocks_are_never_larger_than_the_smallest_page(struct kunit *test)
{
	struct dma_buf_list *list = list_of(test, NULL, 0);
	struct dma_buf_writer writer;
	struct dma_buf_block *block;
	unsigned int i, n = 0;

	dma_buf_writer_init(&writer, NULL, 0, ULONG_MAX);
	for (i = 0; i < 2000; i++)
		add(test, &writer, mixed[i % 4]);
	dma_buf_list_set(list, &writer, 0);
	for (block = list->dma_blocks; block; block = block->next) {
		KUNIT_EXPECT_LE(test, ksize(block), SZ_4K);
		n++;
	}
	/* Nor much smaller, if there is a lot to write. */
	KUNIT_EXPECT_EQ(test, n, 4);
}

static struct kunit_case dma_buf_list_cases[] = {
	KUNIT_CASE(chunks_are_yielded_as_they_are),
	KUNIT_CASE(ranges_are_as_long_as_they_can_be),
	KUNIT_CASE(end_stays_the_end),
	KUNIT_CASE(list_without_chunks_is_legal),
	KUNIT_CASE(one_chunk_needs_no_second_allocation),
	KUNIT_CASE(growing_keeps_the_chunks),
	KUNIT_CASE(trimming_leaves_what_is_needed),
	KUNIT_CASE(part_begins_and_ends_within_chunks),
	KUNIT_CASE(part_on_chunk_borders),
	KUNIT_CASE(part_beyond_the_end_is_not_there),
	KUNIT_CASE(pages_step_by_one_page),
	KUNIT_CASE(part_is_read_in_pages_too),
	KUNIT_CASE(blocks_cover_a_range_whatever_its_chunks),
	KUNIT_CASE(blocks_start_anew_with_each_range),
	KUNIT_CASE(blocks_reach_the_end_of_the_address_space),
	KUNIT_CASE(addresses_are_copied_page_by_page),
	KUNIT_CASE(block_size_fits_every_border),
	KUNIT_CASE(blocks_of_no_size_are_refused),
	KUNIT_CASE(block_size_looks_at_ranges_not_at_chunks),
	KUNIT_CASE(pages_are_paired_with_addresses),
	KUNIT_CASE(pages_and_addresses_can_share_their_words),
	KUNIT_CASE(pairs_end_where_the_addresses_do),
	KUNIT_CASE(readers_never_see_a_page),
	KUNIT_CASE(blocks_are_never_larger_than_the_smallest_page),
	{}
};

static struct kunit_suite dma_buf_list_suite = {
	.name = "dma-buf-list",
	.test_cases = dma_buf_list_cases,
};

kunit_test_suite(dma_buf_list_suite);

MODULE_IMPORT_NS("DMA_BUF");
MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
