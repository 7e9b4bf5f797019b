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

#include "st-dma-buf-model.h"

#define V(addr, pages)	{ .paddr = (addr), .len = (pages) * PAGE_SIZE }

/* Three pieces of a BAR, none next to another, not in order. */
static const struct phys_vec bar[] = {
	V(MODEL_BAR + SZ_1G, 4),
	V(MODEL_BAR, 2),
	V(MODEL_BAR + SZ_2G, 1),
};

/* The same of system memory, which is different in each test. */
static const struct phys_vec *ram(struct model *m)
{
	const struct phys_vec vec[] = {
		V(model_page(m, 100), 4),
		V(model_page(m, 0), 2),
		V(model_page(m, 300), 1),
	};

	struct phys_vec *copy = kunit_kmalloc(m->test, sizeof(vec), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(m->test, copy);
	return memcpy(copy, vec, sizeof(vec));
}

static void expect_list(struct kunit *test, const struct dma_buf_list *list,
			enum dma_buf_route route, unsigned long npages,
			unsigned long nchunks)
{
	KUNIT_EXPECT_EQ(test, dma_buf_list_route(list), route);
	KUNIT_EXPECT_EQ(test, dma_buf_list_npages(list), npages);
	KUNIT_EXPECT_EQ(test, dma_buf_list_nchunks(list), nchunks);
}

static unsigned long count_ranges(const struct dma_buf_list *list)
{
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk range;
	unsigned long n = 0;

	dma_buf_list_for_each_range(range, &cursor, list)
		n++;
	return n;
}

/* Maps @vec, which has to take @route and yield @nchunks that read as @nranges */
static void expect_mapped(struct model *m, enum buffer_kind kind,
			  const struct phys_vec *vec, size_t nr,
			  enum dma_buf_route route, unsigned long nchunks,
			  unsigned long nranges)
{
	unsigned long npages = 0;
	struct dma_buf_list *list;
	struct buffer b;
	size_t i;

	for (i = 0; i < nr; i++)
		npages += PFN_UP(vec[i].len);
	list = buffer_open(&b, m, kind, vec, nr);
	expect_list(m->test, list, route, npages, nchunks);
	KUNIT_EXPECT_EQ(m->test, count_ranges(list), nranges);
	KUNIT_EXPECT_EQ(m->test, dma_buf_list_is_peer(list), kind == BUFFER_BAR);
	buffer_expect_reached(&b, list);
	buffer_close(&b, list);
}

/* A device without an IOMMU */

static void neighbouring_pages_become_one_chunk(struct kunit *test)
{
	struct model *m = test->priv;
	const struct phys_vec vec[] = {
		V(model_page(m, 7), 3), V(model_page(m, 10), 2),
		V(model_page(m, 9), 1),
	};

	expect_mapped(m, BUFFER_PAGES, vec, 3, DMA_BUF_ROUTE_PER_RUN, 2, 2);
	KUNIT_EXPECT_EQ(test, m->map_calls, 2);
	expect_mapped(m, BUFFER_RUNS, vec, 3, DMA_BUF_ROUTE_PER_RUN, 2, 2);
	KUNIT_EXPECT_EQ(test, m->map_calls, 4);
}

static void each_run_is_mapped_where_the_device_sees_it(struct kunit *test)
{
	struct model *m = test->priv;

	m->dma_offset = 3 * (u64)SZ_1G;
	expect_mapped(m, BUFFER_PAGES, ram(m), 3, DMA_BUF_ROUTE_PER_RUN, 3, 3);
	expect_mapped(m, BUFFER_RUNS, ram(m), 3, DMA_BUF_ROUTE_PER_RUN, 3, 3);
	m->attrs = DMA_ATTR_MMIO;
	expect_mapped(m, BUFFER_PHYS, bar, 3, DMA_BUF_ROUTE_PER_RUN, 3, 3);
	KUNIT_EXPECT_EQ(test, m->map_calls, 9);
}

static void system_memory_beyond_the_mask_fails(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_list *list;

	/* The first run is in reach, the second is not. */
	m->mask = model_page(m, 103) + PAGE_SIZE - 1;
	list = dma_buf_list_from_runs(m->dev, (struct phys_vec[]) {
					      V(model_page(m, 100), 4),
					      V(model_page(m, 300), 1) },
				      2, m->dir, 0);
	KUNIT_EXPECT_EQ(test, PTR_ERR(list), -ENOMEM);
	KUNIT_EXPECT_EQ(test, m->map_calls, 2);
}

static void bounced_memory_is_cut_at_whole_pages(struct kunit *test)
{
	struct model *m = test->priv;
	const struct phys_vec vec = V(model_page(m, 1), 10);

	m->max_mapping = 4 * PAGE_SIZE - 512;
	expect_mapped(m, BUFFER_RUNS, &vec, 1, DMA_BUF_ROUTE_PER_RUN, 4, 1);
	KUNIT_EXPECT_EQ(test, m->max_mapped, 3 * PAGE_SIZE);
	expect_mapped(m, BUFFER_PAGES, &vec, 1, DMA_BUF_ROUTE_PER_RUN, 4, 1);
	KUNIT_EXPECT_EQ(test, m->max_mapped, 3 * PAGE_SIZE);
	expect_mapped(m, BUFFER_PHYS, &vec, 1, DMA_BUF_ROUTE_PER_RUN, 4, 1);
	KUNIT_EXPECT_EQ(test, m->max_mapped, 3 * PAGE_SIZE);
}

/* A limit is for the device, and this memory within its reach. */
static void what_does_not_bounce_is_not_cut(struct kunit *test)
{
	struct model *m = test->priv;
	const struct phys_vec vec[] = {
		V(model_page(m, 1), 10), V(model_page(m, 20), 10),
	};

	m->max_mapping = 4 * PAGE_SIZE;
	m->identity_to = model_page(m, 11) - 1;
	expect_mapped(m, BUFFER_RUNS, vec, 1, DMA_BUF_ROUTE_PER_RUN, 1, 1);
	KUNIT_EXPECT_EQ(test, m->map_calls, 0);
	expect_mapped(m, BUFFER_RUNS, vec, 2, DMA_BUF_ROUTE_PER_RUN, 4, 2);
	m->identity_to--;
	expect_mapped(m, BUFFER_RUNS, vec, 1, DMA_BUF_ROUTE_PER_RUN, 3, 1);
}

static void mmio_is_never_cut(struct kunit *test)
{
	struct model *m = test->priv;
	const struct phys_vec vec = V(MODEL_BAR, 1000);

	m->max_mapping = 4 * PAGE_SIZE;
	model_with_peer(m, PCI_P2PDMA_MAP_THRU_HOST_BRIDGE);
	expect_mapped(m, BUFFER_BAR, &vec, 1, DMA_BUF_ROUTE_PER_RUN, 1, 1);
	KUNIT_EXPECT_EQ(test, m->max_mapped, 1000 * PAGE_SIZE);
	expect_mapped(m, BUFFER_PHYS, &vec, 1, DMA_BUF_ROUTE_PER_RUN, 1, 1);
	KUNIT_EXPECT_EQ(test, m->map_calls, 2);
}

static void what_needs_no_unmapping_is_not_unmapped(struct kunit *test)
{
	struct model *m = test->priv;

	m->need_unmap = false;
	expect_mapped(m, BUFFER_RUNS, ram(m), 3, DMA_BUF_ROUTE_PER_RUN, 3, 3);
}

/* It is not before the first bounce that the DMA API knows. */
static void need_to_unmap_is_asked_after_mapping(struct kunit *test)
{
	struct model *m = test->priv;

	m->need_unmap = false;
	m->bounces = true;
	expect_mapped(m, BUFFER_RUNS, ram(m), 3, DMA_BUF_ROUTE_PER_RUN, 3, 3);
	KUNIT_EXPECT_EQ(test, m->nr_maps, 0);
}

static void where_mapping_is_the_identity_none_is_made(struct kunit *test)
{
	struct model *m = test->priv;

	m->identity_to = U64_MAX;
	expect_mapped(m, BUFFER_PAGES, ram(m), 3, DMA_BUF_ROUTE_PER_RUN, 3, 3);
	expect_mapped(m, BUFFER_RUNS, ram(m), 3, DMA_BUF_ROUTE_PER_RUN, 3, 3);
	expect_mapped(m, BUFFER_TABLE, ram(m), 3, DMA_BUF_ROUTE_PER_RUN, 3, 3);
	m->attrs = DMA_ATTR_MMIO;
	expect_mapped(m, BUFFER_PHYS, bar, 3, DMA_BUF_ROUTE_PER_RUN, 3, 3);
	KUNIT_EXPECT_EQ(test, m->map_calls, 0);
}

/* The list has room for two runs, the third comes when these are mapped. */
static void beyond_the_identity_mappings_are_made(struct kunit *test)
{
	struct model *m = test->priv;
	const struct phys_vec vec[] = {
		V(model_page(m, 0), 2), V(model_page(m, 4), 1),
		V(model_page(m, 8), 2), V(model_page(m, 6), 1),
		V(model_page(m, 1), 1),
	};
	struct dma_buf_list *list;

	m->identity_to = model_page(m, 9) - 1;
	m->dma_offset = SZ_1G;
	expect_mapped(m, BUFFER_RUNS, vec, 5, DMA_BUF_ROUTE_PER_RUN, 5, 5);
	KUNIT_EXPECT_EQ(test, m->map_calls, 3);

	/* Nothing is left of the second of these. */
	m->fail_at = 5;
	list = dma_buf_list_from_runs(m->dev, vec, 5, m->dir, 0);
	KUNIT_EXPECT_EQ(test, PTR_ERR(list), -ENOMEM);
	KUNIT_EXPECT_EQ(test, m->nr_maps, 0);
}

static void failed_mapping_unmaps_what_was_bounced(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_list *list;

	m->need_unmap = false;
	m->bounces = true;
	m->fail_at = 3;
	list = dma_buf_list_from_runs(m->dev, ram(m), 3, m->dir, 0);
	KUNIT_EXPECT_EQ(test, PTR_ERR(list), -ENOMEM);
	KUNIT_EXPECT_EQ(test, m->nr_maps, 0);
}

/* An IOMMU */

static void scattered_memory_is_one_range_behind_an_iommu(struct kunit *test)
{
	struct model *m = test->priv;

	model_behind_iommu(m);
	expect_mapped(m, BUFFER_PAGES, ram(m), 3, DMA_BUF_ROUTE_IOVA, 1, 1);
	expect_mapped(m, BUFFER_RUNS, ram(m), 3, DMA_BUF_ROUTE_IOVA, 1, 1);
	KUNIT_EXPECT_EQ(test, m->link_calls, 6);
	m->attrs = DMA_ATTR_MMIO;
	expect_mapped(m, BUFFER_PHYS, bar, 3, DMA_BUF_ROUTE_IOVA, 1, 1);
	KUNIT_EXPECT_EQ(test, m->map_calls, 0);
}

/* For an importer of lists that is; the others want to see the pages. */
static void scattered_memory_is_one_word_behind_an_iommu(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_list *list;
	struct sg_table *sgt;
	struct buffer b;

	model_behind_iommu(m);
	list = buffer_open(&b, m, BUFFER_PAGES, ram(m), 3);
	KUNIT_EXPECT_NULL(test, list->phys);
	KUNIT_EXPECT_NULL(test, list->phys_blocks);
	KUNIT_EXPECT_NULL(test, list->dma_blocks);
	buffer_unmap(&b, list);

	b.grant = true;
	list = buffer_map(&b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	KUNIT_EXPECT_NOT_NULL(test, list->phys);
	buffer_unmap(&b, list);

	b.grant = false;
	sgt = dma_buf_map_attachment_unlocked(b.attach, m->dir);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	KUNIT_EXPECT_EQ(test, sgt->nents, 1);
	/* CONFIG_DMABUF_DEBUG hides them, and nobody else may. */
	if (!IS_ENABLED(CONFIG_DMABUF_DEBUG))
		KUNIT_EXPECT_EQ(test, sgt->orig_nents, 3);
	dma_buf_unmap_attachment_unlocked(b.attach, sgt, m->dir);
	buffer_put(&b);
}

static void scattered_bar_is_one_chunk_behind_an_iommu(struct kunit *test)
{
	struct model *m = test->priv;

	model_behind_iommu(m);
	model_with_peer(m, PCI_P2PDMA_MAP_THRU_HOST_BRIDGE);
	expect_mapped(m, BUFFER_BAR, bar, 3, DMA_BUF_ROUTE_IOVA, 1, 1);
	KUNIT_EXPECT_EQ(test, m->link_calls, 3);
	KUNIT_EXPECT_EQ(test, m->map_calls, 0);
}

static void one_run_needs_no_iova(struct kunit *test)
{
	struct model *m = test->priv;

	model_behind_iommu(m);
	expect_mapped(m, BUFFER_RUNS, ram(m), 1, DMA_BUF_ROUTE_PER_RUN, 1, 1);
	m->attrs = DMA_ATTR_MMIO;
	m->map_type = PCI_P2PDMA_MAP_THRU_HOST_BRIDGE;
	expect_mapped(m, BUFFER_BAR, bar, 1, DMA_BUF_ROUTE_PER_RUN, 1, 1);
	KUNIT_EXPECT_EQ(test, m->alloc_calls, 0);
}

/* One run is several mappings if it has to be cut. An IOVA is never cut. */
static void run_to_be_cut_gets_an_iova(struct kunit *test)
{
	struct model *m = test->priv;
	const struct phys_vec vec = V(model_page(m, 1), 10);

	model_behind_iommu(m);
	m->max_mapping = 4 * PAGE_SIZE;
	expect_mapped(m, BUFFER_RUNS, &vec, 1, DMA_BUF_ROUTE_IOVA, 1, 1);
	KUNIT_EXPECT_EQ(test, m->link_calls, 1);
}

static void runs_that_miss_the_granule_get_no_iova(struct kunit *test)
{
	struct model *m = test->priv;

	model_behind_iommu(m);
	m->granule = 4 * PAGE_SIZE;
	m->iova_gap = m->granule;
	expect_mapped(m, BUFFER_RUNS, ram(m), 3, DMA_BUF_ROUTE_PER_RUN, 3, 3);
	m->attrs = DMA_ATTR_MMIO;
	m->map_type = PCI_P2PDMA_MAP_THRU_HOST_BRIDGE;
	expect_mapped(m, BUFFER_BAR, bar, 3, DMA_BUF_ROUTE_PER_RUN, 3, 3);
	KUNIT_EXPECT_EQ(test, m->alloc_calls, 0);
}

static void shared_memory_gets_no_iova(struct kunit *test)
{
	struct model *m = test->priv;

	model_behind_iommu(m);
	m->attrs = DMA_ATTR_CC_SHARED;
	expect_mapped(m, BUFFER_RUNS, ram(m), 3, DMA_BUF_ROUTE_PER_RUN, 3, 3);
	KUNIT_EXPECT_EQ(test, m->alloc_calls, 0);
}

static void without_iova_each_run_is_mapped(struct kunit *test)
{
	struct model *m = test->priv;

	model_behind_iommu(m);
	m->fail_at = 1;
	expect_mapped(m, BUFFER_RUNS, ram(m), 3, DMA_BUF_ROUTE_PER_RUN, 3, 3);
	KUNIT_EXPECT_EQ(test, m->alloc_calls, 1);
	KUNIT_EXPECT_EQ(test, m->map_calls, 3);
}

/* Running out of IOVA is no reason to give up on the peer. */
static void exhausted_iova_is_not_out_of_reach(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_list *list;
	struct buffer b;

	model_behind_iommu(m);
	model_with_peer(m, PCI_P2PDMA_MAP_THRU_HOST_BRIDGE);
	m->iova_left = 4 * PAGE_SIZE;
	buffer_init(&b, m, BUFFER_BAR, bar, 3);
	buffer_attach(&b);
	list = buffer_map(&b);
	KUNIT_EXPECT_EQ(test, PTR_ERR(list), -ENOMEM);
	KUNIT_EXPECT_EQ(test, m->iova_left, 4 * PAGE_SIZE);
	buffer_put(&b);
}

/* The device's own dma_map_ops */

static void scattered_memory_is_one_range_with_map_ops(struct kunit *test)
{
	struct model *m = test->priv;

	model_with_map_ops(m);
	expect_mapped(m, BUFFER_PAGES, ram(m), 3, DMA_BUF_ROUTE_MAP_SG, 1, 1);
	expect_mapped(m, BUFFER_RUNS, ram(m), 3, DMA_BUF_ROUTE_MAP_SG, 1, 1);
	KUNIT_EXPECT_EQ(test, m->sg_calls, 2);
	KUNIT_EXPECT_EQ(test, m->map_calls, 0);
}

static void map_ops_that_merge_some_or_none(struct kunit *test)
{
	struct model *m = test->priv;

	model_with_map_ops(m);
	m->sg_merge = 3 * PAGE_SIZE;
	expect_mapped(m, BUFFER_RUNS, ram(m), 3, DMA_BUF_ROUTE_MAP_SG, 2, 2);
	m->sg_merge = 0;
	expect_mapped(m, BUFFER_RUNS, ram(m), 3, DMA_BUF_ROUTE_MAP_SG, 3, 3);
}

static void map_ops_take_no_more_than_they_can_bounce(struct kunit *test)
{
	struct model *m = test->priv;
	const struct phys_vec vec = V(model_page(m, 1), 10);

	model_with_map_ops(m);
	m->max_mapping = 4 * PAGE_SIZE;
	expect_mapped(m, BUFFER_RUNS, &vec, 1, DMA_BUF_ROUTE_MAP_SG, 1, 1);
}

/* A scatterlist has nothing to say of memory without pages. */
static void map_ops_map_mmio_run_by_run(struct kunit *test)
{
	struct model *m = test->priv;

	model_with_map_ops(m);
	m->attrs = DMA_ATTR_MMIO;
	expect_mapped(m, BUFFER_PHYS, bar, 3, DMA_BUF_ROUTE_PER_RUN, 3, 3);
	KUNIT_EXPECT_EQ(test, m->sg_calls, 0);
}

/* The memory of a peer */

static void peer_behind_a_switch_gets_bus_addresses(struct kunit *test)
{
	struct model *m = test->priv;

	model_with_peer(m, PCI_P2PDMA_MAP_BUS_ADDR);
	m->provider.bus_offset = BIT_ULL(46);
	expect_mapped(m, BUFFER_BAR, bar, 3, DMA_BUF_ROUTE_BUS_ADDR, 3, 3);
	/* The usual sign: what the CPU sees high up is low on the bus. */
	m->provider.bus_offset = -(MODEL_BAR - SZ_1G);
	expect_mapped(m, BUFFER_BAR, bar, 3, DMA_BUF_ROUTE_BUS_ADDR, 3, 3);
	KUNIT_EXPECT_EQ(test, m->calls, 0);
}

/* An IOMMU has no part in what a switch turns around. */
static void bus_addresses_ignore_an_iommu(struct kunit *test)
{
	struct model *m = test->priv;

	model_behind_iommu(m);
	model_with_peer(m, PCI_P2PDMA_MAP_BUS_ADDR);
	expect_mapped(m, BUFFER_BAR, bar, 3, DMA_BUF_ROUTE_BUS_ADDR, 3, 3);
	KUNIT_EXPECT_EQ(test, m->calls, 0);
}

/* Tries to map @bar for a device that reaches addresses up to @mask only. */
static int error_with_mask(struct model *m, u64 mask)
{
	struct dma_buf_list *list;
	struct buffer b;
	int ret;

	m->mask = mask;
	buffer_init(&b, m, BUFFER_BAR, bar, 3);
	buffer_attach(&b);
	list = buffer_map(&b);
	ret = PTR_ERR_OR_ZERO(list);
	KUNIT_EXPECT_EQ(m->test, b.attach->p2p.map_error, ret);
	KUNIT_EXPECT_EQ(m->test, b.attach->p2p.map_reason,
			ret ? DMA_BUF_P2P_DMA_MASK : DMA_BUF_P2P_OK);
	if (!ret)
		buffer_unmap(&b, list);
	buffer_put(&b);
	return ret;
}

static void bus_address_beyond_the_mask_is_out_of_reach(struct kunit *test)
{
	struct model *m = test->priv;
	u64 last = bar[2].paddr + PAGE_SIZE - 1;

	model_with_peer(m, PCI_P2PDMA_MAP_BUS_ADDR);
	KUNIT_EXPECT_EQ(test, error_with_mask(m, DMA_BIT_MASK(32)), -EREMOTEIO);
	KUNIT_EXPECT_EQ(test, error_with_mask(m, last - 1), -EREMOTEIO);
	KUNIT_EXPECT_EQ(test, error_with_mask(m, last), 0);
	/* It is the address on the bus that counts. */
	m->provider.bus_offset = -MODEL_BAR;
	KUNIT_EXPECT_EQ(test, error_with_mask(m, DMA_BIT_MASK(32)), 0);
	m->provider.bus_offset = -bar[2].paddr - SZ_64K;
	KUNIT_EXPECT_EQ(test, error_with_mask(m, DMA_BIT_MASK(63)), -EREMOTEIO);
}

static void peer_beyond_the_mask_is_out_of_reach(struct kunit *test)
{
	struct model *m = test->priv;
	u64 last = bar[2].paddr + PAGE_SIZE - 1;

	model_with_peer(m, PCI_P2PDMA_MAP_THRU_HOST_BRIDGE);
	KUNIT_EXPECT_EQ(test, error_with_mask(m, DMA_BIT_MASK(32)), -EREMOTEIO);
	KUNIT_EXPECT_EQ(test, error_with_mask(m, last - 1), -EREMOTEIO);
	KUNIT_EXPECT_EQ(test, error_with_mask(m, last), 0);
}

static void exporter_can_fall_back_to_system_memory(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_list *list;
	struct buffer b;

	model_with_peer(m, PCI_P2PDMA_MAP_BUS_ADDR);
	m->mask = MODEL_BAR - 1;
	buffer_init(&b, m, BUFFER_BAR, bar, 3);
	b.system = ram(m);
	buffer_attach(&b);
	list = buffer_map(&b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	KUNIT_EXPECT_FALSE(test, dma_buf_list_is_peer(list));
	KUNIT_EXPECT_EQ(test, b.attach->p2p.reason, DMA_BUF_P2P_OK);
	KUNIT_EXPECT_EQ(test, b.attach->p2p.map_reason, DMA_BUF_P2P_DMA_MASK);
	buffer_close(&b, list);
}

static void unreachable_peer_is_refused_without_a_try(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_list *list;
	struct buffer b;

	model_with_peer(m, PCI_P2PDMA_MAP_NOT_SUPPORTED);
	buffer_init(&b, m, BUFFER_BAR, bar, 3);
	buffer_attach(&b);
	list = buffer_map(&b);
	KUNIT_EXPECT_EQ(test, PTR_ERR(list), -EREMOTEIO);
	KUNIT_EXPECT_EQ(test, b.attach->p2p.map_reason, DMA_BUF_P2P_NO_ROUTE);
	KUNIT_EXPECT_EQ(test, m->calls, 0);
	buffer_put(&b);
}

/* The answer of p2pdma was for one device and holds for no other. */
static void memory_of_another_device_is_refused(struct kunit *test)
{
	struct model *m = test->priv;
	struct p2pdma_provider other = { .owner = m->dev };
	struct dma_buf_list *list;
	struct buffer b;

	model_with_peer(m, PCI_P2PDMA_MAP_BUS_ADDR);
	buffer_init(&b, m, BUFFER_BAR, bar, 3);
	buffer_attach(&b);
	b.provider = &other;
	kunit_warning_suppress(test) {
		list = buffer_map(&b);
		KUNIT_EXPECT_EQ(test, PTR_ERR(list), -EINVAL);
	}
	b.provider = NULL;
	kunit_warning_suppress(test) {
		list = buffer_map(&b);
		KUNIT_EXPECT_EQ(test, PTR_ERR(list), -EINVAL);
	}
	buffer_put(&b);
}

static void other_provider_of_the_device_counts(struct kunit *test)
{
	struct model *m = test->priv;
	struct p2pdma_provider other = m->provider;
	struct dma_buf_list *list;
	struct buffer b;

	model_with_peer(m, PCI_P2PDMA_MAP_BUS_ADDR);
	other.bus_offset = SZ_1G;
	buffer_init(&b, m, BUFFER_BAR, bar, 3);
	buffer_attach(&b);
	b.provider = &other;
	list = buffer_map(&b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	m->provider.bus_offset = other.bus_offset;
	buffer_expect_reached(&b, list);
	buffer_close(&b, list);
}

/* Providers are devm and go with the driver, mappings may stay for longer. */
static void undo_needs_no_provider(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_list *list;
	struct buffer b;
	int i;

	for (i = 0; i < 3; i++) {
		struct p2pdma_provider was = m->provider;

		model_with_peer(m, i ? PCI_P2PDMA_MAP_THRU_HOST_BRIDGE :
				       PCI_P2PDMA_MAP_BUS_ADDR);
		m->iommu = i == 2;
		list = buffer_open(&b, m, BUFFER_BAR, bar, 3);
		memset(&m->provider, 0xff, sizeof(m->provider));
		b.provider = NULL;
		buffer_close(&b, list);
		m->provider = was;
	}
	KUNIT_EXPECT_EQ(test, m->map_calls, 3);
	KUNIT_EXPECT_EQ(test, m->link_calls, 3);
}

/* Any route */

struct machine {
	const char *name;
	enum buffer_kind kind;
	enum pci_p2pdma_map_type map_type;
	bool iommu;
	bool map_ops;
};

static const struct machine machines[] = {
	{ "pages, direct", BUFFER_PAGES },
	{ "pages, IOMMU", BUFFER_PAGES, .iommu = true },
	{ "pages, map_ops", BUFFER_PAGES, .map_ops = true },
	{ "runs, direct", BUFFER_RUNS },
	{ "runs, IOMMU", BUFFER_RUNS, .iommu = true },
	{ "runs, map_ops", BUFFER_RUNS, .map_ops = true },
	{ "phys, direct", BUFFER_PHYS },
	{ "phys, IOMMU", BUFFER_PHYS, .iommu = true },
	{ "phys, map_ops", BUFFER_PHYS, .map_ops = true },
	{ "bar, switch", BUFFER_BAR, PCI_P2PDMA_MAP_BUS_ADDR },
	{ "bar, direct", BUFFER_BAR, PCI_P2PDMA_MAP_THRU_HOST_BRIDGE },
	{ "bar, IOMMU", BUFFER_BAR, PCI_P2PDMA_MAP_THRU_HOST_BRIDGE,
	  .iommu = true },
};

static void machine_name(const struct machine *machine, char *desc)
{
	strscpy(desc, machine->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(machine, machines, machine_name);

static const struct machine *machine_set_up(struct kunit *test)
{
	const struct machine *machine = test->param_value;
	struct model *m = test->priv;

	m->iommu = machine->iommu;
	if (machine->map_ops)
		model_with_map_ops(m);
	if (machine->kind == BUFFER_BAR)
		model_with_peer(m, machine->map_type);
	return machine;
}

static void empty_buffer_is_legal(struct kunit *test)
{
	const struct machine *machine = machine_set_up(test);
	struct model *m = test->priv;
	struct dma_buf_list *list;
	struct buffer b;

	list = buffer_open(&b, m, machine->kind, NULL, 0);
	expect_list(test, list, DMA_BUF_ROUTE_NONE, 0, 0);
	KUNIT_EXPECT_EQ(test, m->calls, 0);
	dma_buf_list_sync_for_cpu(list, m->dir);
	dma_buf_list_sync_for_device(list, m->dir);
	KUNIT_EXPECT_EQ(test, m->nr_syncs + m->sg_sync_calls, 0);
	buffer_close(&b, list);
}

/* udmabuf and vfio allow it, so every route must. */
static void repeated_and_overlapping_ranges_are_mapped_as_given(struct kunit *test)
{
	const struct machine *machine = machine_set_up(test);
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
	const struct machine *machine = machine_set_up(test);
	enum dma_data_direction dir;
	struct model *m = test->priv;
	const struct phys_vec *vec =
		machine->kind == BUFFER_BAR ? bar : ram(m);
	struct dma_buf_list *list;
	struct buffer b;

	m->attrs |= DMA_ATTR_SKIP_CPU_SYNC | DMA_ATTR_WEAK_ORDERING;
	for (dir = DMA_BIDIRECTIONAL; dir <= DMA_FROM_DEVICE; dir++) {
		m->dir = dir;
		list = buffer_open(&b, m, machine->kind, vec, 3);
		buffer_close(&b, list);
	}
}

static void two_importers_have_a_list_each(struct kunit *test)
{
	const struct machine *machine = machine_set_up(test);
	struct model *m = test->priv;
	const struct phys_vec *vec =
		machine->kind == BUFFER_BAR ? bar : ram(m);
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
	PAGE_SIZE, SZ_4G - PAGE_SIZE, SZ_4G, SZ_4G + PAGE_SIZE, SZ_1T,
};

static void size_name(const u64 *size, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%#llx", *size);
}

KUNIT_ARRAY_PARAM(size, sizes, size_name);

/* Too many pages to look at each. */
static void expect_ends_reached(struct model *m, struct dma_buf_list *list,
				const struct phys_vec *vec)
{
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk chunk;

	chunk = dma_buf_list_first_chunk(&cursor, list);
	KUNIT_EXPECT_EQ(m->test, (u64)chunk.npages << PAGE_SHIFT, vec->len);
	KUNIT_EXPECT_EQ(m->test, model_reached(m, chunk.dma_addr), vec->paddr);
	KUNIT_EXPECT_EQ(m->test,
			model_reached(m, chunk.dma_addr + vec->len - 1),
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

	m->attrs = 0;
	m->iommu = false;
	m->max_mapping = SIZE_MAX;
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
	m->iova_gap = 0;
	list = buffer_open(&b, m, BUFFER_RUNS, &vec, 1);
	expect_list(test, list, DMA_BUF_ROUTE_MAP_SG, *size >> PAGE_SHIFT,
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

	model_behind_iommu(m);
	model_with_peer(m, PCI_P2PDMA_MAP_THRU_HOST_BRIDGE);
	list = buffer_open(&b, m, BUFFER_BAR, vec, 2);
	expect_list(test, list, DMA_BUF_ROUTE_IOVA, 2 * *size >> PAGE_SHIFT, 1);
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

/* What is refused */

struct refusal {
	const char *name;
	int error;
	int error_bar;
	size_t nr;
	struct phys_vec vec[3];
};

#define MAX_LEN	(SIZE_MAX & PAGE_MASK)

static const struct refusal refusals[] = {
	{ "empty", -EINVAL, -EINVAL, 1, { V(MODEL_BAR, 0) } },
	{ "empty at the end", -EINVAL, -EINVAL, 2,
	  { V(MODEL_BAR, 1), V(MODEL_BAR, 0) } },
	{ "empty in the middle", -EINVAL, -EINVAL, 3,
	  { V(MODEL_BAR, 1), V(MODEL_BAR, 0), V(MODEL_BAR, 1) } },
	{ "start within a page", -EINVAL, -EINVAL, 1,
	  { V(MODEL_BAR + 1, 1) } },
	{ "second starts within a page", -EINVAL, -EINVAL, 2,
	  { V(MODEL_BAR, 1), V(MODEL_BAR + PAGE_SIZE + 512, 1) } },
	{ "first ends within a page", -EINVAL, -EINVAL, 2,
	  { { MODEL_BAR, 512 }, V(MODEL_BAR, 1) } },
	/* Whole pages of a BAR, what else is in them is not for sharing. */
	{ "last ends within a page", 0, -EINVAL, 1, { { MODEL_BAR, 512 } } },
	{ "wraps", -EOVERFLOW, -EOVERFLOW, 1, { V(-2 * PAGE_SIZE, 3) } },
	{ "wraps to zero", -EOVERFLOW, -EOVERFLOW, 2,
	  { V(MODEL_BAR, 1), V(-PAGE_SIZE, 2) } },
	{ "rounds up to zero", -EOVERFLOW, -EINVAL, 1, { { 0, SIZE_MAX } } },
	{ "sum of two", -EOVERFLOW, -EOVERFLOW, 2,
	  { { 0, MAX_LEN }, { 0, MAX_LEN } } },
	{ "sum of halves", -EOVERFLOW, -EOVERFLOW, 2,
	  { { 0, SIZE_MAX / 2 + 1 }, { 0, SIZE_MAX / 2 + 1 } } },
};

static void refusal_name(const struct refusal *refusal, char *desc)
{
	strscpy(desc, refusal->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(refusal, refusals, refusal_name);

/* Refused before anything is mapped: the first ranges are fine. */
static void bad_ranges_are_refused(struct kunit *test)
{
	const struct refusal *refusal = test->param_value;
	struct model *m = test->priv;
	struct dma_buf_list *list;
	struct buffer b;
	int i;

	for (i = 0; i < 4; i++) {
		model_with_peer(m, i & 1 ? PCI_P2PDMA_MAP_THRU_HOST_BRIDGE :
					   PCI_P2PDMA_MAP_BUS_ADDR);
		m->iommu = i & 2;
		buffer_init(&b, m, BUFFER_BAR, refusal->vec, refusal->nr);
		buffer_attach(&b);
		list = buffer_map(&b);
		KUNIT_EXPECT_EQ(test, PTR_ERR(list), refusal->error_bar);
		KUNIT_EXPECT_EQ(test, b.attach->p2p.map_error,
				refusal->error_bar);
		buffer_put(&b);
	}

	if (refusal->error) {
		list = dma_buf_list_from_phys(m->dev, refusal->vec, refusal->nr,
					      m->dir, 0);
		KUNIT_EXPECT_EQ(test, PTR_ERR(list), refusal->error);
		list = dma_buf_list_from_runs(m->dev, refusal->vec, refusal->nr,
					      m->dir, 0);
		KUNIT_EXPECT_EQ(test, PTR_ERR(list), refusal->error);
	}
	KUNIT_EXPECT_EQ(test, m->calls, 0);
}

static void range_may_end_where_the_address_space_does(struct kunit *test)
{
	const struct phys_vec vec = V(-2 * PAGE_SIZE, 2);
	struct model *m = test->priv;

	model_with_peer(m, PCI_P2PDMA_MAP_BUS_ADDR);
	expect_mapped(m, BUFFER_BAR, &vec, 1, DMA_BUF_ROUTE_BUS_ADDR, 1, 1);
	m->map_type = PCI_P2PDMA_MAP_THRU_HOST_BRIDGE;
	expect_mapped(m, BUFFER_BAR, &vec, 1, DMA_BUF_ROUTE_PER_RUN, 1, 1);
}

static void last_page_may_be_partly_used(struct kunit *test)
{
	struct model *m = test->priv;
	const struct phys_vec vec[] = {
		V(model_page(m, 3), 1),
		{ .paddr = model_page(m, 9), .len = PAGE_SIZE + 100 },
	};

	expect_mapped(m, BUFFER_RUNS, vec, 2, DMA_BUF_ROUTE_PER_RUN, 2, 2);
	expect_mapped(m, BUFFER_TABLE, vec, 2, DMA_BUF_ROUTE_PER_RUN, 2, 2);
	expect_mapped(m, BUFFER_PHYS, vec, 2, DMA_BUF_ROUTE_PER_RUN, 2, 2);
	model_behind_iommu(m);
	expect_mapped(m, BUFFER_RUNS, vec, 2, DMA_BUF_ROUTE_IOVA, 1, 1);
	model_with_map_ops(m);
	expect_mapped(m, BUFFER_RUNS, vec, 2, DMA_BUF_ROUTE_MAP_SG, 1, 1);
}

static void bad_arguments_are_refused(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_list *list;

	list = dma_buf_list_from_pages(m->dev, NULL, 1, m->dir, 0);
	KUNIT_EXPECT_EQ(test, PTR_ERR(list), -EINVAL);
	list = dma_buf_list_from_runs(m->dev, NULL, 1, m->dir, 0);
	KUNIT_EXPECT_EQ(test, PTR_ERR(list), -EINVAL);
	list = dma_buf_list_from_phys(m->dev, NULL, 1, m->dir, 0);
	KUNIT_EXPECT_EQ(test, PTR_ERR(list), -EINVAL);
	kunit_warning_suppress(test) {
		list = dma_buf_list_from_runs(m->dev, ram(m), 1, DMA_NONE, 0);
		KUNIT_EXPECT_EQ(test, PTR_ERR(list), -EINVAL);
	}
	kunit_warning_suppress(test) {
		list = dma_buf_list_from_runs(NULL, ram(m), 1, m->dir, 0);
		KUNIT_EXPECT_EQ(test, PTR_ERR(list), -EINVAL);
	}
}

static void bad_tables_are_refused(struct kunit *test)
{
	const struct phys_vec vec[] = { V(MODEL_RAM, 1), V(MODEL_RAM + SZ_1M, 1) };
	static const struct {
		unsigned int entry, offset, length;
	} bad[] = {
		{ 0, 512, PAGE_SIZE },		/* starts within a page */
		{ 0, 0, PAGE_SIZE - 512 },	/* ends within one, not at the end */
		{ 1, 0, 0 },			/* empty */
	};
	struct model *m = test->priv;
	struct dma_buf_list *list;
	struct scatterlist *sg;
	struct buffer b;
	int i;

	for (i = 0; i <= ARRAY_SIZE(bad); i++) {
		buffer_init(&b, m, BUFFER_TABLE, vec, 2);
		if (i < ARRAY_SIZE(bad)) {
			sg = &b.table.sgl[bad[i].entry];
			sg->offset = bad[i].offset;
			sg->length = bad[i].length;
		} else {
			sg_assign_page(&b.table.sgl[1], NULL);
		}
		list = dma_buf_list_from_sgt(m->dev, &b.table, m->dir, 0);
		KUNIT_EXPECT_EQ(test, PTR_ERR(list), -EINVAL);
		sg_free_table(&b.table);
	}
	KUNIT_EXPECT_EQ(test, m->calls, 0);
}

static void coherent_memory_is_what_its_owner_says(struct kunit *test)
{
	struct model *m = test->priv;
	struct buffer b;

	m->attrs = DMA_ATTR_SKIP_CPU_SYNC;
	expect_mapped(m, BUFFER_COHERENT, ram(m), 3, DMA_BUF_ROUTE_PER_RUN, 3, 3);
	model_behind_iommu(m);
	expect_mapped(m, BUFFER_COHERENT, ram(m), 3, DMA_BUF_ROUTE_IOVA, 1, 1);
	m->iommu = false;
	model_with_map_ops(m);
	expect_mapped(m, BUFFER_COHERENT, ram(m), 3, DMA_BUF_ROUTE_MAP_SG, 1, 1);

	m->fail_at = m->calls + 1;
	buffer_init(&b, m, BUFFER_COHERENT, ram(m), 3);
	buffer_attach(&b);
	KUNIT_EXPECT_EQ(test, PTR_ERR(buffer_map(&b)), -ENOMEM);
	buffer_put(&b);
}

/* A pool that was taken from the memory before there was a memmap */
static void coherent_memory_may_have_no_pages(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk chunk;
	struct dma_buf_list *list;
	struct buffer b;

	m->attrs = DMA_ATTR_SKIP_CPU_SYNC;
	model_with_map_ops(m);
	list = buffer_open(&b, m, BUFFER_COHERENT, bar, 3);
	expect_list(test, list, DMA_BUF_ROUTE_PER_RUN, 7, 3);
	buffer_expect_reached(&b, list);
	dma_buf_list_grant_pages(list);
	dma_buf_cursor_init(&cursor, list);
	kunit_warning_suppress(test)
		KUNIT_EXPECT_FALSE(test, dma_buf_cursor_grant_pages(&cursor));
	dma_buf_cursor_for_each_chunk(chunk, &cursor)
		KUNIT_EXPECT_NULL(test, chunk.page);
	buffer_close(&b, list);
}

static void memory_without_a_memmap_is_no_system_memory(struct kunit *test)
{
	struct model *m = test->priv;
	const struct phys_vec vec[] = {
		V(model_page(m, 0), 1),
		V(model_page(m, MODEL_NR_PAGES - 1), 2),
	};
	struct dma_buf_list *list;
	int i;

	for (i = 0; i < 3; i++) {
		m->iommu = i == 1;
		m->map_ops = i == 2;
		list = dma_buf_list_from_runs(m->dev, bar, 1, m->dir, 0);
		KUNIT_EXPECT_EQ(test, PTR_ERR(list), -EINVAL);
		/* The one mapped before it must not stay. */
		list = dma_buf_list_from_runs(m->dev, vec, 2, m->dir, 0);
		KUNIT_EXPECT_EQ(test, PTR_ERR(list), -EINVAL);
		model_expect_clean(m);
	}
}

static void real_memmap_is_looked_at(struct kunit *test)
{
	struct model *m = test->priv;
	struct page *page = m->pages;

	kunit_deactivate_static_stub(test, dma_buf_hw_is_system_memory);
	KUNIT_EXPECT_TRUE(test, dma_buf_hw_is_system_memory(page_to_phys(page),
							    MODEL_NR_PAGES));
	KUNIT_EXPECT_FALSE(test, dma_buf_hw_is_system_memory(MODEL_BAR, 1));
	KUNIT_EXPECT_FALSE(test, dma_buf_hw_is_system_memory(page_to_phys(page),
							     1UL << 40));
#ifdef CONFIG_ZONE_DEVICE
	{
		struct dev_pagemap pgmap = { .type = MEMORY_DEVICE_PCI_P2PDMA };
		struct dev_pagemap *was = page_folio(page)->pgmap;
		enum zone_type zone = page_zonenum(page);
		phys_addr_t phys = page_to_phys(page);

		set_page_zone(page, ZONE_DEVICE);
		page_folio(page)->pgmap = &pgmap;
		KUNIT_EXPECT_FALSE(test, dma_buf_hw_is_system_memory(phys, 1));
		KUNIT_EXPECT_FALSE(test, dma_buf_hw_is_system_memory(phys, 2));
		/* What Xen has for grants is good for DMA. */
		pgmap.type = MEMORY_DEVICE_GENERIC;
		KUNIT_EXPECT_TRUE(test, dma_buf_hw_is_system_memory(phys, 1));
		page_folio(page)->pgmap = was;
		set_page_zone(page, zone);
	}
#endif
}

/* Caches */

static void expect_synced(struct model *m, struct dma_buf_list *list,
			  unsigned int nr, bool for_device)
{
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk chunk;
	unsigned int i = 0;

	KUNIT_EXPECT_EQ(m->test, m->nr_syncs, nr);
	if (!nr)
		return;
	dma_buf_list_for_each_chunk(chunk, &cursor, list) {
		KUNIT_EXPECT_EQ(m->test, m->syncs[i].addr, chunk.dma_addr);
		KUNIT_EXPECT_EQ(m->test, m->syncs[i].size,
				chunk.npages << PAGE_SHIFT);
		KUNIT_EXPECT_EQ(m->test, m->syncs[i].for_device, for_device);
		i++;
	}
}

/* Syncs both ways, which has to be @nr calls in the order of the chunks. */
static void expect_syncs(struct model *m, enum buffer_kind kind,
			 const struct phys_vec *vec, size_t vecs,
			 unsigned int nr)
{
	struct dma_buf_list *list;
	struct buffer b;

	list = buffer_open(&b, m, kind, vec, vecs);
	m->nr_syncs = 0;
	dma_buf_list_sync_for_cpu(list, m->dir);
	expect_synced(m, list, nr, false);
	m->nr_syncs = 0;
	dma_buf_list_sync_for_device(list, m->dir);
	expect_synced(m, list, nr, true);
	buffer_close(&b, list);
}

static void each_chunk_is_synced_once(struct kunit *test)
{
	struct model *m = test->priv;

	expect_syncs(m, BUFFER_RUNS, ram(m), 3, 3);
	m->dir = DMA_FROM_DEVICE;
	expect_syncs(m, BUFFER_PAGES, ram(m), 3, 3);
	m->max_mapping = 2 * PAGE_SIZE;
	expect_syncs(m, BUFFER_RUNS, ram(m), 3, 4);
	/* What has no caches needs none of it. */
	m->attrs = DMA_ATTR_MMIO;
	expect_syncs(m, BUFFER_PHYS, bar, 3, 0);
}

static void iova_is_synced_if_there_are_caches(struct kunit *test)
{
	struct model *m = test->priv;
	bool caches = IS_ENABLED(CONFIG_ARCH_HAS_SYNC_DMA_FOR_CPU) ||
		      IS_ENABLED(CONFIG_ARCH_HAS_SYNC_DMA_FOR_DEVICE);

	model_behind_iommu(m);
	expect_syncs(m, BUFFER_RUNS, ram(m), 3, caches ? 3 : 0);
}

static void table_of_map_ops_is_synced_at_once(struct kunit *test)
{
	struct model *m = test->priv;

	model_with_map_ops(m);
	expect_syncs(m, BUFFER_RUNS, ram(m), 3, 0);
	KUNIT_EXPECT_EQ(test, m->sg_sync_calls, 2);
}

static void peer_memory_is_not_synced(struct kunit *test)
{
	struct model *m = test->priv;

	model_with_peer(m, PCI_P2PDMA_MAP_BUS_ADDR);
	expect_syncs(m, BUFFER_BAR, bar, 3, 0);
	m->map_type = PCI_P2PDMA_MAP_THRU_HOST_BRIDGE;
	expect_syncs(m, BUFFER_BAR, bar, 3, 0);
	model_behind_iommu(m);
	expect_syncs(m, BUFFER_BAR, bar, 3, 0);
}

/* What the CPU does has a direction of its own, which the model expects here. */
static void expect_mappings_synced(struct buffer *b,
				   enum dma_data_direction dir, unsigned int nr)
{
	struct model *m = b->m;
	enum dma_data_direction mapped = m->dir;

	m->dir = dir;
	m->nr_syncs = 0;
	dma_resv_lock(b->dmabuf->resv, NULL);
	dma_buf_sync_mappings_for_cpu(b->dmabuf, dir);
	KUNIT_EXPECT_EQ(m->test, m->nr_syncs, nr);
	dma_buf_sync_mappings_for_device(b->dmabuf, dir);
	KUNIT_EXPECT_EQ(m->test, m->nr_syncs, 2 * nr);
	dma_resv_unlock(b->dmabuf->resv);
	m->dir = mapped;
}

static void cpu_access_syncs_every_mapping(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_list *list, *again;
	struct sg_table *sgt;
	struct buffer b;

	list = buffer_open(&b, m, BUFFER_RUNS, ram(m), 3);
	expect_mappings_synced(&b, DMA_BIDIRECTIONAL, 3);
	expect_mappings_synced(&b, DMA_TO_DEVICE, 3);
	expect_mappings_synced(&b, DMA_FROM_DEVICE, 3);

	again = buffer_map(&b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, again);
	sgt = dma_buf_map_attachment_unlocked(b.attach, m->dir);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	expect_mappings_synced(&b, DMA_BIDIRECTIONAL, 9);

	dma_buf_unmap_attachment_unlocked(b.attach, sgt, m->dir);
	expect_mappings_synced(&b, DMA_BIDIRECTIONAL, 6);
	buffer_unmap(&b, list);
	expect_mappings_synced(&b, DMA_BIDIRECTIONAL, 3);
	buffer_unmap(&b, again);
	expect_mappings_synced(&b, DMA_BIDIRECTIONAL, 0);
	model_expect_clean(m);
	buffer_put(&b);
}

/* Pages */

/* Page by page, the chunks of a granted list name the pages of the buffer. */
static void expect_pages(struct model *m, struct dma_buf_list *list,
			 const struct phys_vec *vec)
{
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk chunk;
	unsigned long off = 0, i;

	dma_buf_cursor_init(&cursor, list);
	KUNIT_ASSERT_TRUE(m->test, dma_buf_cursor_grant_pages(&cursor));
	dma_buf_cursor_for_each_chunk(chunk, &cursor) {
		KUNIT_ASSERT_NOT_NULL(m->test, chunk.page);
		for (i = 0; i < chunk.npages; i++, off += PAGE_SIZE) {
			if (off == vec->len) {
				vec++;
				off = 0;
			}
			KUNIT_EXPECT_EQ(m->test, page_to_phys(chunk.page + i),
					vec->paddr + off);
		}
	}
}

static void granted_pages_are_those_of_the_buffer(struct kunit *test)
{
	struct model *m = test->priv;
	const struct phys_vec *vec = ram(m);
	struct dma_buf_list *list;
	struct buffer b;
	int i;

	for (i = 0; i < 6; i++) {
		m->iommu = i / 2 == 1;
		if (i / 2 == 2)
			model_with_map_ops(m);
		buffer_init(&b, m, i & 1 ? BUFFER_PAGES : BUFFER_RUNS, vec, 3);
		b.grant = true;
		buffer_attach(&b);
		list = buffer_map(&b);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
		expect_pages(m, list, vec);
		buffer_close(&b, list);
	}
}

static void memory_without_pages_has_none_to_grant(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_cursor cursor;
	struct dma_buf_list *list;
	struct buffer b;

	m->attrs = DMA_ATTR_MMIO;
	list = buffer_open(&b, m, BUFFER_PHYS, bar, 3);
	dma_buf_list_grant_pages(list);
	dma_buf_cursor_init(&cursor, list);
	kunit_warning_suppress(test)
		KUNIT_EXPECT_FALSE(test, dma_buf_cursor_grant_pages(&cursor));
	KUNIT_EXPECT_NULL(test, dma_buf_cursor_next_chunk(&cursor).page);
	buffer_close(&b, list);
}

/* The model does not hide that the real limit is looked at. */
static void limit_is_the_mask_and_the_bus(struct kunit *test)
{
	struct model *m = test->priv;

	kunit_deactivate_static_stub(test, dma_buf_hw_addr_limit);
	dma_coerce_mask_and_coherent(m->dev, DMA_BIT_MASK(32));
	KUNIT_EXPECT_EQ(test, dma_buf_hw_addr_limit(m->dev), DMA_BIT_MASK(32));
	m->dev->bus_dma_limit = DMA_BIT_MASK(31);
	KUNIT_EXPECT_EQ(test, dma_buf_hw_addr_limit(m->dev), DMA_BIT_MASK(31));
	m->dev->bus_dma_limit = DMA_BIT_MASK(40);
	KUNIT_EXPECT_EQ(test, dma_buf_hw_addr_limit(m->dev), DMA_BIT_MASK(32));
	m->dev->bus_dma_limit = 0;
}

/* Nor that the real DMA API is asked whether it would do anything. */
static void identity_is_what_the_device_reaches(struct kunit *test)
{
	struct model *m = test->priv;
	/* dma-debug wants to see all of it. */
	bool can_be = !IS_ENABLED(CONFIG_DMA_API_DEBUG);

	if (IS_ENABLED(CONFIG_ARCH_HAS_PHYS_TO_DMA) || IS_ENABLED(CONFIG_KMSAN) ||
	    (!IS_ENABLED(CONFIG_X86) && !IS_ENABLED(CONFIG_UML)))
		kunit_skip(test, "a device without a bus is not coherent everywhere");
	kunit_deactivate_static_stub(test, dma_buf_hw_map_is_identity);
#define EXPECT_IDENTITY(is, last, attrs)				\
	KUNIT_EXPECT_EQ(test, is,					\
			dma_buf_hw_map_is_identity(m->dev, last, attrs))

	dma_coerce_mask_and_coherent(m->dev, DMA_BIT_MASK(40));
	EXPECT_IDENTITY(can_be, DMA_BIT_MASK(40), 0);
	EXPECT_IDENTITY(can_be, DMA_BIT_MASK(40), DMA_ATTR_MMIO);
	EXPECT_IDENTITY(false, BIT_ULL(40), 0);
	EXPECT_IDENTITY(false, BIT_ULL(40), DMA_ATTR_MMIO);
	EXPECT_IDENTITY(false, PAGE_SIZE - 1, DMA_ATTR_CC_SHARED);
	m->dev->bus_dma_limit = DMA_BIT_MASK(32);
	EXPECT_IDENTITY(can_be, DMA_BIT_MASK(32), 0);
	EXPECT_IDENTITY(false, BIT_ULL(32), 0);
	m->dev->bus_dma_limit = 0;
#undef EXPECT_IDENTITY
}

static struct kunit_case dma_buf_map_cases[] = {
	KUNIT_CASE(neighbouring_pages_become_one_chunk),
	KUNIT_CASE(each_run_is_mapped_where_the_device_sees_it),
	KUNIT_CASE(system_memory_beyond_the_mask_fails),
	KUNIT_CASE(bounced_memory_is_cut_at_whole_pages),
	KUNIT_CASE(what_does_not_bounce_is_not_cut),
	KUNIT_CASE(mmio_is_never_cut),
	KUNIT_CASE(what_needs_no_unmapping_is_not_unmapped),
	KUNIT_CASE(need_to_unmap_is_asked_after_mapping),
	KUNIT_CASE(where_mapping_is_the_identity_none_is_made),
	KUNIT_CASE(beyond_the_identity_mappings_are_made),
	KUNIT_CASE(failed_mapping_unmaps_what_was_bounced),
	KUNIT_CASE(scattered_memory_is_one_range_behind_an_iommu),
	KUNIT_CASE(scattered_memory_is_one_word_behind_an_iommu),
	KUNIT_CASE(scattered_bar_is_one_chunk_behind_an_iommu),
	KUNIT_CASE(one_run_needs_no_iova),
	KUNIT_CASE(run_to_be_cut_gets_an_iova),
	KUNIT_CASE(runs_that_miss_the_granule_get_no_iova),
	KUNIT_CASE(shared_memory_gets_no_iova),
	KUNIT_CASE(without_iova_each_run_is_mapped),
	KUNIT_CASE(exhausted_iova_is_not_out_of_reach),
	KUNIT_CASE(scattered_memory_is_one_range_with_map_ops),
	KUNIT_CASE(map_ops_that_merge_some_or_none),
	KUNIT_CASE(map_ops_take_no_more_than_they_can_bounce),
	KUNIT_CASE(map_ops_map_mmio_run_by_run),
	KUNIT_CASE(peer_behind_a_switch_gets_bus_addresses),
	KUNIT_CASE(bus_addresses_ignore_an_iommu),
	KUNIT_CASE(bus_address_beyond_the_mask_is_out_of_reach),
	KUNIT_CASE(peer_beyond_the_mask_is_out_of_reach),
	KUNIT_CASE(exporter_can_fall_back_to_system_memory),
	KUNIT_CASE(unreachable_peer_is_refused_without_a_try),
	KUNIT_CASE(memory_of_another_device_is_refused),
	KUNIT_CASE(other_provider_of_the_device_counts),
	KUNIT_CASE(undo_needs_no_provider),
	KUNIT_CASE_PARAM(empty_buffer_is_legal, machine_gen_params),
	KUNIT_CASE_PARAM(repeated_and_overlapping_ranges_are_mapped_as_given,
			 machine_gen_params),
	KUNIT_CASE_PARAM(every_undo_is_as_the_mapping_was, machine_gen_params),
	KUNIT_CASE_PARAM(two_importers_have_a_list_each, machine_gen_params),
	KUNIT_CASE_PARAM(any_size_is_one_chunk, size_gen_params),
	KUNIT_CASE_PARAM(map_ops_cut_at_the_length_of_an_entry, size_gen_params),
	KUNIT_CASE_PARAM(any_size_can_be_part_of_one_iova, size_gen_params),
	KUNIT_CASE_PARAM(bad_ranges_are_refused, refusal_gen_params),
	KUNIT_CASE(range_may_end_where_the_address_space_does),
	KUNIT_CASE(last_page_may_be_partly_used),
	KUNIT_CASE(bad_arguments_are_refused),
	KUNIT_CASE(bad_tables_are_refused),
	KUNIT_CASE(coherent_memory_is_what_its_owner_says),
	KUNIT_CASE(coherent_memory_may_have_no_pages),
	KUNIT_CASE(memory_without_a_memmap_is_no_system_memory),
	KUNIT_CASE(real_memmap_is_looked_at),
	KUNIT_CASE(each_chunk_is_synced_once),
	KUNIT_CASE(iova_is_synced_if_there_are_caches),
	KUNIT_CASE(table_of_map_ops_is_synced_at_once),
	KUNIT_CASE(peer_memory_is_not_synced),
	KUNIT_CASE(cpu_access_syncs_every_mapping),
	KUNIT_CASE(granted_pages_are_those_of_the_buffer),
	KUNIT_CASE(memory_without_pages_has_none_to_grant),
	KUNIT_CASE(limit_is_the_mask_and_the_bus),
	KUNIT_CASE(identity_is_what_the_device_reaches),
	{}
};

static struct kunit_suite dma_buf_map_suite = {
	.name = "dma-buf-map",
	.init = model_init,
	.exit = model_exit,
	.test_cases = dma_buf_map_cases,
};

kunit_test_suite(dma_buf_map_suite);
