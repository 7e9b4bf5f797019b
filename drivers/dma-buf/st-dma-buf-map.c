// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mapping engine: which route it takes, what the addresses reach and that
 * all of it is taken back
 */
#include <kunit/static_stub.h>
#include <linux/dma-resv.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/swiotlb.h>

#include "st-dma-buf-model.h"

/* A device without an IOMMU */

static void neighbouring_pages_become_one_chunk(struct kunit *test)
{
	struct model *m = test->priv;
	const struct phys_vec vec[] = {
		V(model_page(m, 7), 3), V(model_page(m, 10), 2),
		V(model_page(m, 9), 1),
	};

	buffer_check(m, BUFFER_PAGES, vec, 3, DMA_BUF_ROUTE_PER_RUN, 2, 2);
	KUNIT_EXPECT_EQ(test, m->map_calls, 2);
	buffer_check(m, BUFFER_RUNS, vec, 3, DMA_BUF_ROUTE_PER_RUN, 2, 2);
	KUNIT_EXPECT_EQ(test, m->map_calls, 4);
}

static void each_run_is_mapped_where_the_device_sees_it(struct kunit *test)
{
	struct model *m = test->priv;

	m->dma_offset = 3 * (u64)SZ_1G;
	buffer_check(m, BUFFER_PAGES, model_ram(m), 3, DMA_BUF_ROUTE_PER_RUN, 3, 3);
	buffer_check(m, BUFFER_RUNS, model_ram(m), 3, DMA_BUF_ROUTE_PER_RUN, 3, 3);
	m->attrs = DMA_ATTR_MMIO;
	buffer_check(m, BUFFER_PHYS, model_bar, 3, DMA_BUF_ROUTE_PER_RUN, 3, 3);
	KUNIT_EXPECT_EQ(test, m->map_calls, 9);
}

static void mmio_is_never_cut(struct kunit *test)
{
	struct model *m = test->priv;
	const struct phys_vec vec = V(MODEL_BAR, 1000);

	m->max_mapping = 4 * PAGE_SIZE;
	model_with_peer(m, PCI_P2PDMA_MAP_THRU_HOST_BRIDGE);
	buffer_check(m, BUFFER_BAR, &vec, 1, DMA_BUF_ROUTE_PER_RUN, 1, 1);
	KUNIT_EXPECT_EQ(test, m->max_mapped, 1000 * PAGE_SIZE);
	buffer_check(m, BUFFER_PHYS, &vec, 1, DMA_BUF_ROUTE_PER_RUN, 1, 1);
	KUNIT_EXPECT_EQ(test, m->map_calls, 2);
}

static void what_needs_no_unmapping_is_not_unmapped(struct kunit *test)
{
	struct model *m = test->priv;

	m->need_unmap = false;
	buffer_check(m, BUFFER_RUNS, model_ram(m), 3, DMA_BUF_ROUTE_PER_RUN, 3, 3);
}

/* dma_need_map() is called once for a buffer, not for each run. */
static void where_mapping_is_the_identity_none_is_made(struct kunit *test)
{
	struct model *m = test->priv;

	m->need_map = false;
	buffer_check(m, BUFFER_PAGES, model_ram(m), 3, DMA_BUF_ROUTE_PER_RUN, 3, 3);
	buffer_check(m, BUFFER_RUNS, model_ram(m), 3, DMA_BUF_ROUTE_PER_RUN, 3, 3);
	buffer_check(m, BUFFER_TABLE, model_ram(m), 3, DMA_BUF_ROUTE_PER_RUN, 3, 3);
	KUNIT_EXPECT_EQ(test, m->need_map_calls, 3);
	KUNIT_EXPECT_EQ(test, m->map_calls, 0);

	/* dma_need_map() does not tell about other memory that the CPU caches. */
	m->attrs = DMA_ATTR_SKIP_CPU_SYNC;
	buffer_check(m, BUFFER_COHERENT, model_bar, 3, DMA_BUF_ROUTE_PER_RUN, 3, 3);
	KUNIT_EXPECT_EQ(test, m->map_calls, 3);
}

static void expect_mapped_and_refused(struct model *m, const struct phys_vec *vec,
				      unsigned int nr)
{
	struct kunit *test = m->test;
	unsigned int calls = m->map_calls;
	struct dma_buf_list *list;
	struct buffer b;

	buffer_init(&b, m, BUFFER_PHYS, vec, nr);
	buffer_attach(&b);
	list = buffer_map(&b);
	KUNIT_EXPECT_TRUE(test, IS_ERR(list));
	KUNIT_EXPECT_EQ(test, m->map_calls, calls + nr);
	buffer_expect_unmapped(&b);
	buffer_put(&b);
}

static void memory_of_a_device_is_mapped_unless_all_is_in_reach(struct kunit *test)
{
	const struct phys_vec top = V(-(phys_addr_t)(2 * PAGE_SIZE), 2);
	struct model *m = test->priv;

	m->need_map = false;
	m->attrs = DMA_ATTR_MMIO;
	buffer_check(m, BUFFER_PHYS, model_bar, 3, DMA_BUF_ROUTE_PER_RUN, 3, 3);
	KUNIT_EXPECT_EQ(test, m->need_map_calls, 1);
	KUNIT_EXPECT_EQ(test, m->map_calls, 0);
	/* It was not checked how far these go. */
	buffer_check(m, BUFFER_TABLE, model_ram(m), 3, DMA_BUF_ROUTE_PER_RUN, 3, 3);
	KUNIT_EXPECT_EQ(test, m->map_calls, 3);

	/* Each run is in reach, but the bits of all their addresses are not. */
	m->mask = model_bar[2].paddr + model_bar[2].len - 1;
	buffer_check(m, BUFFER_PHYS, model_bar, 3, DMA_BUF_ROUTE_PER_RUN, 3, 3);
	KUNIT_EXPECT_EQ(test, m->map_calls, 3);

	/* The last page of the last run is not. */
	m->mask = model_bar[2].paddr + model_bar[2].len - PAGE_SIZE - 1;
	expect_mapped_and_refused(m, model_bar, 3);

	/* Only the very last address is not. */
	m->mask = (phys_addr_t)-2;
	expect_mapped_and_refused(m, &top, 1);
}

/* The offset may change at any run, here where the list has no room left. */
static void offset_of_the_first_run_is_not_that_of_all(struct kunit *test)
{
	struct model *m = test->priv;
	struct phys_vec vec[20];
	struct dma_buf_list *list;
	unsigned int at, i;
	struct buffer b;

	for (i = 0; i < ARRAY_SIZE(vec); i++)
		vec[i] = (struct phys_vec)V(model_page(m, 2 * i), 1);
	for (at = 1; at < ARRAY_SIZE(vec); at++) {
		buffer_init(&b, m, BUFFER_RUNS, vec, ARRAY_SIZE(vec));
		/* From there on it is bounced, which only this buffer may be. */
		m->bounce_from = model_page(m, 2 * at);
		m->max_mapping = SZ_256K;
		b.syncs = true;
		buffer_attach(&b);
		list = buffer_map(&b);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
		KUNIT_EXPECT_EQ(test, dma_buf_list_nchunks(list),
				ARRAY_SIZE(vec));
		KUNIT_EXPECT_EQ(test, list->phys == list->dma.first, false);
		buffer_expect_reached(&b, list);
		buffer_close(&b, list);
	}
}

/* Contiguous pages of a Xen PV guest need not be contiguous in the machine. */
static void runs_may_not_be_runs_for_the_device(struct kunit *test)
{
	const struct phys_vec vec = V(model_page(test->priv, 1), 5);
	struct model *m = test->priv;

	m->max_run = 1;
	buffer_check(m, BUFFER_PAGES, &vec, 1, DMA_BUF_ROUTE_PER_RUN, 5, 1);
	buffer_check(m, BUFFER_RUNS, &vec, 1, DMA_BUF_ROUTE_PER_RUN, 5, 1);
	buffer_check(m, BUFFER_TABLE, &vec, 1, DMA_BUF_ROUTE_PER_RUN, 5, 1);
	KUNIT_EXPECT_EQ(test, m->max_mapped, PAGE_SIZE);

	/* Which says nothing of the memory of a device. */
	m->attrs = DMA_ATTR_MMIO;
	buffer_check(m, BUFFER_PHYS, model_bar, 1, DMA_BUF_ROUTE_PER_RUN, 1, 1);

	m->attrs = 0;
	model_with_map_ops(m);
	m->sg_merge = 0;
	buffer_check(m, BUFFER_RUNS, &vec, 1, DMA_BUF_ROUTE_MAP_SG, 5, 5);
}

static void failed_mapping_unmaps_what_was_mapped(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_attachment own = { .dev = m->dev };
	struct dma_buf_list *list;

	m->fail_at = 3;
	m->attrs = DMA_ATTR_SKIP_CPU_SYNC;
	list = dma_buf_list_from_runs(&own, model_ram(m), 3, m->dir, m->attrs);
	KUNIT_EXPECT_EQ(test, PTR_ERR(list), -EREMOTEIO);
	KUNIT_EXPECT_EQ(test, m->map_calls, 3);
	KUNIT_EXPECT_EQ(test, m->nr_maps, 0);
}

/* A driver that maps memory of its own has no dma-buf, and no exporter. */
static void own_memory_needs_no_dma_buf(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_attachment own = { .dev = m->dev };
	struct dma_buf_list *list;

	list = dma_buf_list_from_runs(&own, model_ram(m), 3, m->dir, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	buffer_expect_list(test, list, DMA_BUF_ROUTE_PER_RUN, 7, 3);
	KUNIT_EXPECT_NULL(test, list->attach);
	dma_buf_list_free(list);
}

/* An IOMMU */

static void scattered_memory_is_one_range_behind_an_iommu(struct kunit *test)
{
	struct model *m = test->priv;

	model_behind_iommu(m);
	buffer_check(m, BUFFER_PAGES, model_ram(m), 3, DMA_BUF_ROUTE_IOVA, 1, 1);
	buffer_check(m, BUFFER_RUNS, model_ram(m), 3, DMA_BUF_ROUTE_IOVA, 1, 1);
	KUNIT_EXPECT_EQ(test, m->link_calls, 2);
	m->attrs = DMA_ATTR_MMIO;
	buffer_check(m, BUFFER_PHYS, model_bar, 3, DMA_BUF_ROUTE_IOVA, 1, 1);
	KUNIT_EXPECT_EQ(test, m->map_calls, 0);
}

static void scattered_memory_is_one_word_behind_an_iommu(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_list *list;
	struct buffer b;

	model_behind_iommu(m);
	list = buffer_open(&b, m, BUFFER_PAGES, model_ram(m), 3);
	KUNIT_EXPECT_NULL(test, list->phys);
	KUNIT_EXPECT_NULL(test, list->phys_blocks);
	KUNIT_EXPECT_NULL(test, list->dma_blocks);
	buffer_close(&b, list);
}

static void scattered_bar_is_one_chunk_behind_an_iommu(struct kunit *test)
{
	struct model *m = test->priv;

	model_behind_iommu(m);
	model_with_peer(m, PCI_P2PDMA_MAP_THRU_HOST_BRIDGE);
	buffer_check(m, BUFFER_BAR, model_bar, 3, DMA_BUF_ROUTE_IOVA, 1, 1);
	KUNIT_EXPECT_EQ(test, m->link_calls, 1);
	KUNIT_EXPECT_EQ(test, m->map_calls, 0);
}

static void one_run_needs_no_iova(struct kunit *test)
{
	struct model *m = test->priv;

	model_behind_iommu(m);
	buffer_check(m, BUFFER_RUNS, model_ram(m), 1, DMA_BUF_ROUTE_PER_RUN, 1, 1);
	m->attrs = DMA_ATTR_MMIO;
	m->map_type = PCI_P2PDMA_MAP_THRU_HOST_BRIDGE;
	buffer_check(m, BUFFER_BAR, model_bar, 1, DMA_BUF_ROUTE_PER_RUN, 1, 1);
	KUNIT_EXPECT_EQ(test, m->alloc_calls, 0);
}

static void runs_that_miss_the_granule_get_no_iova(struct kunit *test)
{
	struct model *m = test->priv;

	model_behind_iommu(m);
	m->granule = 4 * PAGE_SIZE;
	m->iova_gap = m->granule;
	buffer_check(m, BUFFER_RUNS, model_ram(m), 3, DMA_BUF_ROUTE_PER_RUN, 3, 3);
	m->attrs = DMA_ATTR_MMIO;
	m->map_type = PCI_P2PDMA_MAP_THRU_HOST_BRIDGE;
	buffer_check(m, BUFFER_BAR, model_bar, 3, DMA_BUF_ROUTE_PER_RUN, 3, 3);
	KUNIT_EXPECT_EQ(test, m->alloc_calls, 0);
}

static void shared_memory_gets_no_iova(struct kunit *test)
{
	struct model *m = test->priv;

	model_behind_iommu(m);
	m->attrs = DMA_ATTR_CC_SHARED;
	buffer_check(m, BUFFER_RUNS, model_ram(m), 3, DMA_BUF_ROUTE_PER_RUN, 3, 3);
	KUNIT_EXPECT_EQ(test, m->alloc_calls, 0);
}

/* Importers may use the first address for all of the buffer. */
static void without_iova_nothing_is_mapped(struct kunit *test)
{
	struct model *m = test->priv;
	struct buffer b;

	model_behind_iommu(m);
	buffer_init(&b, m, BUFFER_RUNS, model_ram(m), 3);
	b.syncs = true;
	buffer_attach(&b);
	m->fail_at = 1;
	KUNIT_EXPECT_EQ(test, PTR_ERR(buffer_map(&b)), -ENOMEM);
	KUNIT_EXPECT_EQ(test, m->alloc_calls, 1);
	KUNIT_EXPECT_EQ(test, m->map_calls, 0);
	buffer_expect_unmapped(&b);
	buffer_put(&b);
}

/* If there is no IOVA left, the peer is still in reach. */
static void exhausted_iova_is_not_out_of_reach(struct kunit *test)
{
	struct model *m = test->priv;
	struct buffer b;
	size_t nr;

	model_behind_iommu(m);
	model_with_peer(m, PCI_P2PDMA_MAP_THRU_HOST_BRIDGE);
	/* In parts, or in one that is mapped without dma_iova_try_alloc() */
	for (nr = 1; nr <= 3; nr++) {
		m->iova_left = 3 * PAGE_SIZE;
		buffer_init(&b, m, BUFFER_BAR, model_bar, nr);
		buffer_attach(&b);
		KUNIT_EXPECT_EQ(test, PTR_ERR(buffer_map(&b)), -ENOMEM);
		KUNIT_EXPECT_EQ(test, b.attach->p2p.map_reason, DMA_BUF_P2P_ERROR);
		KUNIT_EXPECT_EQ(test, m->iova_left, 3 * PAGE_SIZE);
		buffer_expect_unmapped(&b);
		buffer_put(&b);
	}
}

/* The device's own dma_map_ops */

/* Without CONFIG_NEED_SG_DMA_LENGTH nothing is merged. */
static void need_two_lengths(struct kunit *test)
{
	if (!IS_ENABLED(CONFIG_NEED_SG_DMA_LENGTH))
		kunit_skip(test, "needs CONFIG_NEED_SG_DMA_LENGTH");
}

static void scattered_memory_is_one_range_with_map_ops(struct kunit *test)
{
	struct model *m = test->priv;

	need_two_lengths(test);
	model_with_map_ops(m);
	buffer_check(m, BUFFER_PAGES, model_ram(m), 3, DMA_BUF_ROUTE_MAP_SG, 1, 1);
	buffer_check(m, BUFFER_RUNS, model_ram(m), 3, DMA_BUF_ROUTE_MAP_SG, 1, 1);
	KUNIT_EXPECT_EQ(test, m->sg_calls, 2);
	KUNIT_EXPECT_EQ(test, m->map_calls, 0);
}

static void map_ops_that_merge_some(struct kunit *test)
{
	struct model *m = test->priv;

	need_two_lengths(test);
	model_with_map_ops(m);
	m->sg_merge = 3 * PAGE_SIZE;
	buffer_check(m, BUFFER_RUNS, model_ram(m), 3, DMA_BUF_ROUTE_MAP_SG, 2, 2);
}

static void map_ops_that_merge_none(struct kunit *test)
{
	struct model *m = test->priv;

	model_with_map_ops(m);
	m->sg_merge = 0;
	buffer_check(m, BUFFER_PAGES, model_ram(m), 3, DMA_BUF_ROUTE_MAP_SG, 3, 3);
	buffer_check(m, BUFFER_RUNS, model_ram(m), 3, DMA_BUF_ROUTE_MAP_SG, 3, 3);
}

/* Memory without pages cannot be in a scatterlist. */
static void map_ops_map_mmio_run_by_run(struct kunit *test)
{
	struct model *m = test->priv;

	model_with_map_ops(m);
	m->attrs = DMA_ATTR_MMIO;
	buffer_check(m, BUFFER_PHYS, model_bar, 3, DMA_BUF_ROUTE_PER_RUN, 3, 3);
	KUNIT_EXPECT_EQ(test, m->sg_calls, 0);
}

/* Any route */

static void empty_buffer_is_legal(struct kunit *test)
{
	const struct model_machine *machine = model_machine_set_up(test);
	struct model *m = test->priv;
	struct dma_buf_list *list;
	struct buffer b;

	list = buffer_open(&b, m, machine->kind, NULL, 0);
	buffer_expect_list(test, list, DMA_BUF_ROUTE_NONE, 0, 0);
	KUNIT_EXPECT_EQ(test, m->calls, 0);
	dma_buf_list_sync(list, m->dir, true);
	dma_buf_list_sync(list, m->dir, false);
	KUNIT_EXPECT_EQ(test, m->nr_syncs + m->sg_sync_calls, 0);
	buffer_close(&b, list);
}

/* udmabuf and vfio allow it, so every route must. */
static void repeated_and_overlapping_ranges_are_mapped_as_given(struct kunit *test)
{
	const struct model_machine *machine = model_machine_set_up(test);
	struct model *m = test->priv;
	phys_addr_t base = machine->kind == BUFFER_BAR ? MODEL_BAR :
							 model_page(m, 0);
	const struct phys_vec vec[] = {
		V(base, 4), V(base, 4), V(base + 2 * PAGE_SIZE, 4),
		V(base + PAGE_SIZE, 1), V(base + PAGE_SIZE, 1),
	};
	struct dma_buf_list *list;
	struct buffer b;

	list = buffer_open(&b, m, machine->kind, vec, ARRAY_SIZE(vec));
	KUNIT_EXPECT_EQ(test, dma_buf_list_npages(list), 14);
	buffer_expect_reached(&b, list);
	buffer_close(&b, list);
}

static void every_undo_is_as_the_mapping_was(struct kunit *test)
{
	const struct model_machine *machine = model_machine_set_up(test);
	enum dma_data_direction dir;
	struct model *m = test->priv;
	const struct phys_vec *vec =
		machine->kind == BUFFER_BAR ? model_bar : model_ram(m);
	struct dma_buf_list *list;
	struct buffer b;

	m->attrs |= DMA_ATTR_SKIP_CPU_SYNC | DMA_ATTR_WEAK_ORDERING;
	m->coherent = false;
	for (dir = DMA_BIDIRECTIONAL; dir <= DMA_FROM_DEVICE; dir++) {
		m->dir = dir;
		list = buffer_open(&b, m, machine->kind, vec, 3);
		buffer_close(&b, list);
	}
}

static void two_importers_have_a_list_each(struct kunit *test)
{
	const struct model_machine *machine = model_machine_set_up(test);
	struct model *m = test->priv;
	const struct phys_vec *vec =
		machine->kind == BUFFER_BAR ? model_bar : model_ram(m);
	struct dma_buf_list *list, *other_list;
	struct buffer b, other;

	list = buffer_open(&b, m, machine->kind, vec, 3);
	other_list = buffer_open(&other, m, machine->kind, vec, 3);
	buffer_expect_reached(&b, list);
	buffer_expect_reached(&other, other_list);
	buffer_unmap(&b, list);
	buffer_expect_reached(&other, other_list);
	buffer_unmap(&other, other_list);
	buffer_put(&b);
	buffer_put(&other);
}

/* Sizes */

static const u64 sizes[] = {
	PAGE_SIZE, SZ_4G - PAGE_SIZE,
#ifdef CONFIG_64BIT
	SZ_4G, SZ_4G + PAGE_SIZE, SZ_1T,
#endif
};

static void size_name(const u64 *size, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%#llx", *size);
}

KUNIT_ARRAY_PARAM(size, sizes, size_name);

/* There are too many pages to check each. */
static void expect_ends_reached(struct model *m, struct dma_buf_list *list,
				const struct phys_vec *vec)
{
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk range;

	range = dma_buf_list_first_range(&cursor, list);
	KUNIT_EXPECT_EQ(m->test, (u64)range.npages << PAGE_SHIFT, vec->len);
	KUNIT_EXPECT_EQ(m->test, model_reached(m, range.dma_addr), vec->paddr);
	KUNIT_EXPECT_EQ(m->test,
			model_reached(m, range.dma_addr + vec->len - 1),
			vec->paddr + vec->len - 1);
}

static void any_size_is_one_chunk(struct kunit *test)
{
	const u64 *size = test->param_value;
	const struct phys_vec vec = { .paddr = MODEL_BAR, .len = *size };
	const struct phys_vec ram_vec = { .paddr = MODEL_RAM, .len = *size };
	struct model *m = test->priv;
	struct dma_buf_list *list;
	struct buffer b;
	int i;

	m->max_mapping = SZ_256K;
	for (i = 0; i < 4; i++) {
		m->iommu = i & 2;
		model_with_peer(m, i & 1 ? PCI_P2PDMA_MAP_THRU_HOST_BRIDGE :
					   PCI_P2PDMA_MAP_BUS_ADDR);
		list = buffer_open(&b, m, BUFFER_BAR, &vec, 1);
		KUNIT_EXPECT_EQ(test, dma_buf_list_nchunks(list), 1);
		expect_ends_reached(m, list, &vec);
		buffer_close(&b, list);
		list = buffer_open(&b, m, BUFFER_PHYS, &vec, 1);
		KUNIT_EXPECT_EQ(test, dma_buf_list_nchunks(list), 1);
		expect_ends_reached(m, list, &vec);
		buffer_close(&b, list);
	}

	/* Memory that need not be bounced is not cut. */
	m->attrs = 0;
	m->iommu = false;
	list = buffer_open(&b, m, BUFFER_RUNS, &ram_vec, 1);
	KUNIT_EXPECT_EQ(test, dma_buf_list_nchunks(list), 1);
	expect_ends_reached(m, list, &ram_vec);
	buffer_close(&b, list);
}

/* An entry of a scatterlist is just short of 4 GiB. */
static void map_ops_cut_at_the_length_of_an_entry(struct kunit *test)
{
	const u64 *size = test->param_value;
	const struct phys_vec vec = { .paddr = MODEL_RAM, .len = *size };
	u64 most = UINT_MAX & PAGE_MASK;
	struct model *m = test->priv;
	struct dma_buf_cursor cursor;
	struct dma_buf_list *list;
	struct dma_buf_chunk range;
	struct buffer b;

	model_with_map_ops(m);
	m->sg_merge = 0;
	m->iova_gap = 0;
	list = buffer_open(&b, m, BUFFER_RUNS, &vec, 1);
	buffer_expect_list(test, list, DMA_BUF_ROUTE_MAP_SG, *size >> PAGE_SHIFT,
			   DIV_ROUND_UP(*size, most));
	range = dma_buf_list_first_range(&cursor, list);
	KUNIT_EXPECT_EQ(test, (u64)range.npages << PAGE_SHIFT, *size);
	KUNIT_EXPECT_EQ(test, model_reached(m, range.dma_addr), vec.paddr);
	KUNIT_EXPECT_EQ(test, model_reached(m, range.dma_addr + *size - 1),
			vec.paddr + *size - 1);
	buffer_close(&b, list);
}

static void any_size_can_be_part_of_one_iova(struct kunit *test)
{
	const u64 *size = test->param_value;
	const struct phys_vec vec[] = {
		{ .paddr = MODEL_BAR + SZ_1T * 2, .len = *size },
		{ .paddr = MODEL_BAR, .len = *size },
	};
	struct model *m = test->priv;
	struct dma_buf_list *list;
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk range;
	struct buffer b;

	if (2 * *size > SIZE_MAX)
		kunit_skip(test, "two of them are more than a size_t");
	model_behind_iommu(m);
	model_with_peer(m, PCI_P2PDMA_MAP_THRU_HOST_BRIDGE);
	list = buffer_open(&b, m, BUFFER_BAR, vec, 2);
	buffer_expect_list(test, list, DMA_BUF_ROUTE_IOVA, 2 * *size >> PAGE_SHIFT, 1);
	range = dma_buf_list_first_range(&cursor, list);
	KUNIT_EXPECT_EQ(test, model_reached(m, range.dma_addr), vec[0].paddr);
	KUNIT_EXPECT_EQ(test, model_reached(m, range.dma_addr + *size - 1),
			vec[0].paddr + *size - 1);
	KUNIT_EXPECT_EQ(test, model_reached(m, range.dma_addr + *size),
			vec[1].paddr);
	KUNIT_EXPECT_EQ(test, model_reached(m, range.dma_addr + 2 * *size - 1),
			vec[1].paddr + *size - 1);
	buffer_close(&b, list);
}

/* Pages */

/* Page by page, what is behind the addresses are the pages of the buffer. */
static void expect_pages(struct model *m, const struct dma_buf_list *list,
			 const struct phys_vec *vec)
{
	unsigned long off = 0, npages = 0, i;
	struct dma_buf_pairs pairs;
	struct dma_buf_chunk chunk;

	dma_buf_list_for_each_pair(chunk, &pairs, list) {
		KUNIT_ASSERT_NOT_NULL(m->test, chunk.page);
		npages += chunk.npages;
		for (i = 0; i < chunk.npages; i++, off += PAGE_SIZE) {
			if (off == vec->len) {
				vec++;
				off = 0;
			}
			KUNIT_EXPECT_EQ(m->test, vec->paddr + off,
					page_to_phys(chunk.page + i));
			KUNIT_EXPECT_EQ(m->test, vec->paddr + off,
					model_reached(m, chunk.dma_addr +
							 PFN_PHYS(i)));
		}
	}
	KUNIT_EXPECT_EQ(m->test, npages, dma_buf_list_npages(list));
}

/* If an importer with a table is going to want them. */
static void pages_are_those_of_the_buffer(struct kunit *test)
{
	const struct model_machine *machine = model_machine_set_up(test);
	struct model *m = test->priv;
	const struct phys_vec *vec = model_ram(m);
	struct dma_buf_list *list;
	struct buffer b;

	if (machine->kind != BUFFER_PAGES && machine->kind != BUFFER_RUNS)
		kunit_skip(test, "not system memory");
	buffer_init(&b, m, machine->kind, vec, 3);
	buffer_attach(&b);
	b.attach->wants_runs = true;
	list = buffer_map(&b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	expect_pages(m, list, vec);
	buffer_close(&b, list);
}

static void memory_without_pages_has_none(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_pairs pairs;
	struct dma_buf_chunk chunk;
	struct dma_buf_list *list;
	struct buffer b;

	m->attrs = DMA_ATTR_MMIO;
	buffer_init(&b, m, BUFFER_PHYS, model_bar, 3);
	buffer_attach(&b);
	b.attach->wants_runs = true;
	list = buffer_map(&b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	dma_buf_list_for_each_pair(chunk, &pairs, list)
		KUNIT_EXPECT_NULL(test, chunk.page);
	buffer_close(&b, list);
}

/* Without the model: this calls the real DMA API. */

static void reach_is_the_mask_and_the_bus(struct kunit *test)
{
	struct model *m = test->priv;
	u64 limit = DMA_BIT_MASK(31);

	if (IS_ENABLED(CONFIG_ARCH_HAS_PHYS_TO_DMA))
		kunit_skip(test, "addresses on the bus are not physical ones");
	kunit_deactivate_static_stub(test, dma_buf_hw_reaches);
	kunit_deactivate_static_stub(test, dma_buf_hw_dma_mask);
	dma_coerce_mask_and_coherent(m->dev, DMA_BIT_MASK(32));
	KUNIT_EXPECT_TRUE(test, dma_buf_hw_reaches(m->dev, DMA_BIT_MASK(32)));
	KUNIT_EXPECT_FALSE(test, dma_buf_hw_reaches(m->dev, BIT_ULL(32)));
	m->dev->bus_dma_limit = limit;
	KUNIT_EXPECT_TRUE(test, dma_buf_hw_reaches(m->dev, limit));
	KUNIT_EXPECT_FALSE(test, dma_buf_hw_reaches(m->dev, limit + 1));
	/* Which is the host bridge's, and not looked at before that. */
	KUNIT_EXPECT_EQ(test, dma_buf_hw_dma_mask(m->dev), DMA_BIT_MASK(32));
	m->dev->bus_dma_limit = DMA_BIT_MASK(40);
	KUNIT_EXPECT_FALSE(test, dma_buf_hw_reaches(m->dev, BIT_ULL(32)));
	m->dev->bus_dma_limit = 0;
}

static void coherent_device_that_reaches_all_needs_no_mapping(struct kunit *test)
{
	/* dma-debug wants to see all of it. */
	bool never = !IS_ENABLED(CONFIG_DMA_API_DEBUG);
	struct model *m = test->priv;

	if (IS_ENABLED(CONFIG_ARCH_HAS_PHYS_TO_DMA) || IS_ENABLED(CONFIG_KMSAN) ||
	    (!IS_ENABLED(CONFIG_X86) && !IS_ENABLED(CONFIG_UML)))
		kunit_skip(test, "a device without a bus is not coherent everywhere");
	if (!dma_pci_p2pdma_supported(m->dev))
		kunit_skip(test, "with dma_map_ops a mapping is always needed");
	if (is_swiotlb_force_bounce(m->dev))
		kunit_skip(test, "all memory is bounced");
	kunit_deactivate_static_stub(test, dma_buf_hw_need_map);

	dma_coerce_mask_and_coherent(m->dev, DMA_BIT_MASK(64));
	KUNIT_EXPECT_EQ(test, never, !dma_buf_hw_need_map(m->dev, 0));
	KUNIT_EXPECT_EQ(test, never,
			!dma_buf_hw_need_map(m->dev, DMA_ATTR_NO_BOUNCE));
	KUNIT_EXPECT_TRUE(test, dma_buf_hw_need_map(m->dev, DMA_ATTR_MMIO));
	KUNIT_EXPECT_TRUE(test, dma_buf_hw_need_map(m->dev, DMA_ATTR_CC_SHARED));
	kunit_deactivate_static_stub(test, dma_buf_hw_need_map_mmio);
	KUNIT_EXPECT_EQ(test, never,
			!dma_buf_hw_need_map_mmio(m->dev, DMA_ATTR_MMIO));
	*m->dev->dma_mask = PAGE_SIZE - 1;
	KUNIT_EXPECT_TRUE(test, dma_buf_hw_need_map(m->dev, 0));
	*m->dev->dma_mask = DMA_BIT_MASK(64);
	m->dev->bus_dma_limit = PAGE_SIZE - 1;
	KUNIT_EXPECT_TRUE(test, dma_buf_hw_need_map(m->dev, 0));
	m->dev->bus_dma_limit = 0;
}

static struct kunit_case dma_buf_map_cases[] = {
	KUNIT_CASE(neighbouring_pages_become_one_chunk),
	KUNIT_CASE(each_run_is_mapped_where_the_device_sees_it),
	KUNIT_CASE(mmio_is_never_cut),
	KUNIT_CASE(what_needs_no_unmapping_is_not_unmapped),
	KUNIT_CASE(where_mapping_is_the_identity_none_is_made),
	KUNIT_CASE(memory_of_a_device_is_mapped_unless_all_is_in_reach),
	KUNIT_CASE(offset_of_the_first_run_is_not_that_of_all),
	KUNIT_CASE(runs_may_not_be_runs_for_the_device),
	KUNIT_CASE(failed_mapping_unmaps_what_was_mapped),
	KUNIT_CASE(own_memory_needs_no_dma_buf),
	KUNIT_CASE(scattered_memory_is_one_range_behind_an_iommu),
	KUNIT_CASE(scattered_memory_is_one_word_behind_an_iommu),
	KUNIT_CASE(scattered_bar_is_one_chunk_behind_an_iommu),
	KUNIT_CASE(one_run_needs_no_iova),
	KUNIT_CASE(runs_that_miss_the_granule_get_no_iova),
	KUNIT_CASE(shared_memory_gets_no_iova),
	KUNIT_CASE(without_iova_nothing_is_mapped),
	KUNIT_CASE(exhausted_iova_is_not_out_of_reach),
	KUNIT_CASE(scattered_memory_is_one_range_with_map_ops),
	KUNIT_CASE(map_ops_that_merge_some),
	KUNIT_CASE(map_ops_that_merge_none),
	KUNIT_CASE(map_ops_map_mmio_run_by_run),
	KUNIT_CASE_PARAM(empty_buffer_is_legal, model_machine_gen_params),
	KUNIT_CASE_PARAM(repeated_and_overlapping_ranges_are_mapped_as_given,
			 model_machine_gen_params),
	KUNIT_CASE_PARAM(every_undo_is_as_the_mapping_was,
			 model_machine_gen_params),
	KUNIT_CASE_PARAM(two_importers_have_a_list_each,
			 model_machine_gen_params),
	KUNIT_CASE_PARAM(any_size_is_one_chunk, size_gen_params),
	KUNIT_CASE_PARAM(map_ops_cut_at_the_length_of_an_entry,
			 size_gen_params),
	KUNIT_CASE_PARAM(any_size_can_be_part_of_one_iova, size_gen_params),
	KUNIT_CASE_PARAM(pages_are_those_of_the_buffer,
			 model_machine_gen_params),
	KUNIT_CASE(memory_without_pages_has_none),
	KUNIT_CASE(reach_is_the_mask_and_the_bus),
	KUNIT_CASE(coherent_device_that_reaches_all_needs_no_mapping),
	{}
};

static struct kunit_suite dma_buf_map_suite = {
	.name = "dma-buf-map",
	.init = model_init,
	.exit = model_exit,
	.test_cases = dma_buf_map_cases,
};

kunit_test_suite(dma_buf_map_suite);
