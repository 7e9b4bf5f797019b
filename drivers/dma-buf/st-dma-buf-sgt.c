// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bridges between the page list and the sg_table, buffers at random, and
 * what is left when something fails on the way
 */
#include <kunit/static_stub.h>
#include <linux/dma-resv.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/scatterlist.h>

#include "st-dma-buf-model.h"

#define V(addr, pages)	{ .paddr = (addr), .len = (pages) * PAGE_SIZE }

#define RANDOM_ROUNDS	1000
#define RANDOM_RUNS	40

static u64 seed;
module_param(seed, ullong, 0444);
MODULE_PARM_DESC(seed, "Seed of the random tests, zero for a new one");

/* The machines that differ in what a table looks like */
enum machine { DIRECT, IOMMU, MAP_OPS, NR_MACHINES };

static void machine_init(struct model *m, enum machine machine)
{
	if (machine == IOMMU)
		model_behind_iommu(m);
	if (machine == MAP_OPS)
		model_with_map_ops(m);
}

static struct sg_table *buffer_map_table(struct buffer *b)
{
	KUNIT_ASSERT_NOT_ERR_OR_NULL(b->m->test, b->attach);
	return dma_buf_map_attachment_unlocked(b->attach, b->m->dir);
}

static void buffer_close_table(struct buffer *b, struct sg_table *sgt)
{
	dma_buf_unmap_attachment_unlocked(b->attach, sgt, b->m->dir);
	model_expect_clean(b->m);
	buffer_put(b);
}

static struct sg_table *buffer_open_table(struct buffer *b, struct model *m,
					  enum buffer_kind kind,
					  const struct phys_vec *vec, size_t nr)
{
	struct sg_table *sgt;

	buffer_init(b, m, kind, vec, nr);
	buffer_attach(b);
	sgt = buffer_map_table(b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(m->test, sgt);
	return sgt;
}

/* Page by page, the DMA half of a table reaches what is behind the buffer. */
static void expect_table_reaches(struct buffer *b, struct sg_table *sgt)
{
	struct kunit *test = b->m->test;
	struct scatterlist *sg;
	unsigned long done = 0;
	unsigned int i;
	size_t v = 0, off;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		for (off = 0; off < sg_dma_len(sg); off += PAGE_SIZE) {
			KUNIT_ASSERT_LT(test, v, b->nr);
			KUNIT_ASSERT_EQ(test, b->vec[v].paddr + done,
					model_reached(b->m, sg_dma_address(sg) + off));
			done += PAGE_SIZE;
			if (done >= b->vec[v].len) {
				done = 0;
				v++;
			}
		}
	}
	KUNIT_EXPECT_EQ(test, v, b->nr);
}

/* And its other half has the pages, one entry for each run. */
static void expect_table_pages(struct buffer *b, struct sg_table *sgt)
{
	struct kunit *test = b->m->test;
	struct scatterlist *sg, *last = NULL;
	unsigned long done = 0, n;
	unsigned int i;
	size_t v = 0;

	for_each_sgtable_sg(sgt, sg, i) {
		if (last)
			KUNIT_EXPECT_PTR_NE(test, sg_page(sg),
					    sg_page(last) + (last->length >> PAGE_SHIFT));
		for (n = 0; n < sg->length >> PAGE_SHIFT; n++) {
			KUNIT_ASSERT_LT(test, v, b->nr);
			KUNIT_ASSERT_EQ(test, b->vec[v].paddr + done,
					page_to_phys(sg_page(sg) + n));
			done += PAGE_SIZE;
			if (done >= b->vec[v].len) {
				done = 0;
				v++;
			}
		}
		last = sg;
	}
	KUNIT_EXPECT_EQ(test, v, b->nr);
}

/* From the list to the table */

static void each_run_has_an_entry_in_the_table(struct kunit *test)
{
	struct model *m = test->priv;
	const struct phys_vec vec[] = {
		V(model_page(m, 7), 3), V(model_page(m, 10), 2),
		V(model_page(m, 100), 1),
	};
	struct dma_buf_list *list;
	struct sg_table *sgt;
	struct buffer b;

	list = buffer_open(&b, m, BUFFER_RUNS, vec, 3);
	sgt = dma_buf_sgt_from_list(list);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	KUNIT_EXPECT_EQ(test, sgt->orig_nents, 2);
	KUNIT_EXPECT_EQ(test, sgt->nents, 2);
	expect_table_pages(&b, sgt);
	expect_table_reaches(&b, sgt);
	KUNIT_EXPECT_PTR_EQ(test, dma_buf_sgt_put_list(sgt), list);
	buffer_close(&b, list);
}

static void table_of_a_peer_has_no_pages(struct kunit *test)
{
	const struct phys_vec vec[] = {
		V(MODEL_BAR, 2), V(MODEL_BAR + SZ_1G, 1),
	};
	struct model *m = test->priv;
	struct sg_table *sgt;
	struct buffer b;

	model_with_peer(m, PCI_P2PDMA_MAP_BUS_ADDR);
	sgt = buffer_open_table(&b, m, BUFFER_BAR, vec, 2);
	KUNIT_EXPECT_EQ(test, sgt->nents, 2);
	if (!IS_ENABLED(CONFIG_DMABUF_DEBUG))
		KUNIT_EXPECT_EQ(test, sgt->orig_nents, 0);
	KUNIT_EXPECT_NULL(test, sg_page(sgt->sgl));
	expect_table_reaches(&b, sgt);
	KUNIT_EXPECT_EQ(test, b.attach->p2p.nmaps, 1);
	KUNIT_EXPECT_EQ(test, b.attach->p2p.route, DMA_BUF_ROUTE_BUS_ADDR);
	buffer_close_table(&b, sgt);
}

static void debugging_hides_the_pages(struct kunit *test)
{
	struct model *m = test->priv;
	const struct phys_vec vec = V(model_page(m, 7), 3);
	struct sg_table *sgt;
	struct buffer b;

	sgt = buffer_open_table(&b, m, BUFFER_RUNS, &vec, 1);
	if (IS_ENABLED(CONFIG_DMABUF_DEBUG))
		KUNIT_EXPECT_NULL(test, sg_page(sgt->sgl));
	else
		KUNIT_EXPECT_PTR_EQ(test, sg_page(sgt->sgl), m->pages + 7);
	expect_table_reaches(&b, sgt);
	buffer_close_table(&b, sgt);
}

static void iova_is_merged_up_to_the_segment_size(struct kunit *test)
{
	struct model *m = test->priv;
	const struct phys_vec vec[] = {
		V(model_page(m, 0), 1), V(model_page(m, 10), 1),
		V(model_page(m, 20), 1), V(model_page(m, 30), 4),
	};
	struct device_dma_parameters parms = { };
	struct sg_table *sgt;
	struct buffer b;

	model_behind_iommu(m);
	m->dev->dma_parms = &parms;
	dma_set_max_seg_size(m->dev, 2 * PAGE_SIZE);
	sgt = buffer_open_table(&b, m, BUFFER_RUNS, vec, 4);
	/* 1 + 1, then 1, and 4 are more than the limit but in one piece. */
	KUNIT_EXPECT_EQ(test, sgt->nents, 3);
	KUNIT_EXPECT_EQ(test, sg_dma_len(sgt->sgl), 2 * PAGE_SIZE);
	expect_table_reaches(&b, sgt);
	buffer_close_table(&b, sgt);

	dma_set_max_seg_size(m->dev, UINT_MAX);
	sgt = buffer_open_table(&b, m, BUFFER_RUNS, vec, 4);
	KUNIT_EXPECT_EQ(test, sgt->nents, 1);
	expect_table_reaches(&b, sgt);
	buffer_close_table(&b, sgt);
	m->dev->dma_parms = NULL;
}

static void long_chunks_are_cut_at_32_bits(struct kunit *test)
{
	const u64 max = ALIGN_DOWN(UINT_MAX, PAGE_SIZE);
	const struct phys_vec vec = { MODEL_BAR, 2 * max + PAGE_SIZE };
	struct model *m = test->priv;
	struct sg_table *sgt;
	struct buffer b;

	model_with_peer(m, PCI_P2PDMA_MAP_THRU_HOST_BRIDGE);
	sgt = buffer_open_table(&b, m, BUFFER_BAR, &vec, 1);
	KUNIT_EXPECT_EQ(test, sgt->nents, 3);
	KUNIT_EXPECT_EQ(test, sg_dma_len(sgt->sgl), max);
	KUNIT_EXPECT_EQ(test, sg_dma_address(sg_next(sgt->sgl)),
			sg_dma_address(sgt->sgl) + max);
	KUNIT_EXPECT_EQ(test, sg_dma_len(sg_last(sgt->sgl, 3)), PAGE_SIZE);
	buffer_close_table(&b, sgt);
}

static void table_without_entries_is_legal(struct kunit *test)
{
	struct sg_table *sgt;
	struct buffer b;

	sgt = buffer_open_table(&b, test->priv, BUFFER_RUNS, NULL, 0);
	KUNIT_EXPECT_EQ(test, sgt->nents, 0);
	KUNIT_EXPECT_EQ(test, sgt->orig_nents, 0);
	buffer_close_table(&b, sgt);
}

/* From the table to the list */

static void list_of_a_table_has_its_addresses(struct kunit *test)
{
	const struct phys_vec vec[] = {
		V(SZ_1M, 2), V(SZ_2M, 1), { SZ_4M, PAGE_SIZE + 100 },
	};
	struct model *m = test->priv;
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk chunk;
	struct dma_buf_list *list;
	struct buffer b;
	int i = 0;

	list = buffer_open(&b, m, BUFFER_SGT, vec, 3);
	KUNIT_EXPECT_EQ(test, dma_buf_list_route(list), DMA_BUF_ROUTE_SG_TABLE);
	KUNIT_EXPECT_EQ(test, dma_buf_list_npages(list), 5);
	dma_buf_list_for_each_chunk(chunk, &cursor, list) {
		KUNIT_ASSERT_LT(test, i, 3);
		KUNIT_EXPECT_EQ(test, chunk.dma_addr, vec[i].paddr);
		KUNIT_EXPECT_EQ(test, chunk.npages, PFN_UP(vec[i].len));
		KUNIT_EXPECT_NULL(test, chunk.page);
		i++;
	}
	KUNIT_EXPECT_EQ(test, i, 3);
	KUNIT_EXPECT_EQ(test, b.attach->p2p.route, DMA_BUF_ROUTE_SG_TABLE);
	buffer_close(&b, list);

	list = buffer_open(&b, m, BUFFER_SGT, vec, 0);
	KUNIT_EXPECT_EQ(test, dma_buf_list_nchunks(list), 0);
	buffer_close(&b, list);
}

static void table_that_is_not_page_aligned_is_refused(struct kunit *test)
{
	const struct phys_vec bad[][2] = {
		{ { SZ_1M + 512, PAGE_SIZE }, V(SZ_2M, 1) },
		{ { SZ_1M, PAGE_SIZE + 512 }, V(SZ_2M, 1) },
		{ V(SZ_1M, 1), { SZ_2M, 0 } },
	};
	struct buffer b;
	int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		buffer_init(&b, test->priv, BUFFER_SGT, bad[i], 2);
		buffer_attach(&b);
		KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(buffer_map(&b)), -EINVAL);
		KUNIT_EXPECT_EQ(test, b.attach->p2p.map_error, -EINVAL);
		buffer_put(&b);
	}
}

static void exporter_of_a_table_serves_its_own_kind(struct kunit *test)
{
	const struct phys_vec vec[] = { V(SZ_1M, 2), V(SZ_2M, 1) };
	struct sg_table *sgt;
	struct buffer b;

	sgt = buffer_open_table(&b, test->priv, BUFFER_SGT, vec, 2);
	KUNIT_EXPECT_EQ(test, sgt->nents, 2);
	KUNIT_EXPECT_EQ(test, sg_dma_address(sgt->sgl), SZ_1M);
	KUNIT_EXPECT_EQ(test, b.attach->p2p.route, DMA_BUF_ROUTE_SG_TABLE);
	KUNIT_EXPECT_EQ(test, b.attach->p2p.nchunks, 2);
	buffer_close_table(&b, sgt);
	KUNIT_EXPECT_EQ(test, b.mapped, 0);
}

/* At random */

static size_t random_runs(struct model *m, struct rnd_state *rnd,
			  struct phys_vec *vec)
{
	size_t nr = prandom_u32_state(rnd) % (RANDOM_RUNS + 1), i;
	unsigned int at = 0;

	for (i = 0; i < nr; i++) {
		unsigned int n = 1 + prandom_u32_state(rnd) % 8;

		/* Often right behind the one before, sometimes the same again. */
		if (prandom_u32_state(rnd) % 3 || at + n > MODEL_NR_PAGES)
			at = prandom_u32_state(rnd) % (MODEL_NR_PAGES - n + 1);
		vec[i] = (struct phys_vec)V(model_page(m, at), n);
		at += n;
	}
	return nr;
}

static void random_round(struct model *m, enum buffer_kind kind,
			 const struct phys_vec *vec, size_t nr)
{
	struct dma_buf_list *list;
	struct sg_table *sgt;
	struct buffer b;

	list = buffer_open(&b, m, kind, vec, nr);
	buffer_expect_reached(&b, list);
	sgt = dma_buf_sgt_from_list(list);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(m->test, sgt);
	expect_table_pages(&b, sgt);
	expect_table_reaches(&b, sgt);
	dma_buf_sgt_put_list(sgt);
	buffer_close(&b, list);
}

static void random_layouts(struct kunit *test, enum machine machine)
{
	struct phys_vec vec[RANDOM_RUNS];
	struct model *m = test->priv;
	struct rnd_state rnd;
	u64 used = seed ?: get_random_u64();
	int round;

	kunit_info(test, "dmabuf_kunit.seed=%llu", used);
	prandom_seed_state(&rnd, used + machine);
	machine_init(m, machine);
	for (round = 0; round < RANDOM_ROUNDS; round++) {
		size_t nr = random_runs(m, &rnd, vec);

		random_round(m, round % 2 ? BUFFER_PAGES : BUFFER_RUNS, vec, nr);
		cond_resched();
	}
}

static void random_layouts_without_an_iommu(struct kunit *test)
{
	random_layouts(test, DIRECT);
}

static void random_layouts_behind_an_iommu(struct kunit *test)
{
	random_layouts(test, IOMMU);
}

static void random_layouts_with_map_ops(struct kunit *test)
{
	random_layouts(test, MAP_OPS);
}

/* One failure after the other */

static struct dma_buf_list *failing_alloc(struct device *dev,
					  enum dma_data_direction dir,
					  unsigned long attrs)
{
	struct kunit *test = kunit_get_current_test();
	struct dma_buf_list *list = NULL;
	struct model *m = test->priv;

	kunit_deactivate_static_stub(test, dma_buf_list_alloc);
	if (++m->calls != m->fail_at)
		list = dma_buf_list_alloc(dev, dir, attrs);
	kunit_activate_static_stub(test, dma_buf_list_alloc, failing_alloc);
	return list;
}

static int failing_reserve(struct dma_buf_list *list)
{
	struct kunit *test = kunit_get_current_test();
	struct model *m = test->priv;
	int ret = -ENOMEM;

	kunit_deactivate_static_stub(test, dma_buf_list_reserve);
	if (++m->calls != m->fail_at)
		ret = dma_buf_list_reserve(list);
	kunit_activate_static_stub(test, dma_buf_list_reserve, failing_reserve);
	return ret;
}

static unsigned int fail_each(struct model *m, struct buffer *b)
{
	struct kunit *test = m->test;
	unsigned int n;

	for (n = 1; ; n++) {
		struct dma_buf_list *list;

		m->calls = 0;
		m->fail_at = n;
		list = buffer_map(b);
		if (!IS_ERR(list)) {
			buffer_unmap(b, list);
			/* Without an IOVA there still is a way. */
			if (m->calls < n)
				break;
		}
		KUNIT_EXPECT_EQ(test, b->mapped, 0);
		KUNIT_EXPECT_EQ(test, b->attach->p2p.nmaps, 0);
		model_expect_clean(m);
		KUNIT_ASSERT_LT(test, n, 1000);
	}
	m->fail_at = 0;
	model_expect_clean(m);
	return n - 1;
}

static void each_failure_leaves_nothing(struct kunit *test, enum machine machine,
					enum buffer_kind kind)
{
	struct phys_vec vec[RANDOM_RUNS];
	struct model *m = test->priv;
	unsigned int failed, i;
	struct buffer b;

	if (kind == BUFFER_BAR)
		model_with_peer(m, PCI_P2PDMA_MAP_THRU_HOST_BRIDGE);
	machine_init(m, machine);
	m->need_unmap = true;
	for (i = 0; i < RANDOM_RUNS; i++)
		vec[i] = (struct phys_vec)V(kind == BUFFER_BAR ?
					     MODEL_BAR + i * (u64)SZ_1M :
					     model_page(m, 2 * i), 1);
	buffer_init(&b, m, kind, vec, RANDOM_RUNS);
	buffer_attach(&b);
	kunit_activate_static_stub(test, dma_buf_list_alloc, failing_alloc);
	kunit_activate_static_stub(test, dma_buf_list_reserve, failing_reserve);
	failed = fail_each(m, &b);
	kunit_info(test, "%u failures", failed);
	/* At least what there is to allocate and to map */
	KUNIT_EXPECT_GT(test, failed, 2);
	kunit_deactivate_static_stub(test, dma_buf_list_alloc);
	kunit_deactivate_static_stub(test, dma_buf_list_reserve);
	buffer_put(&b);
}

static void failures_without_an_iommu(struct kunit *test)
{
	each_failure_leaves_nothing(test, DIRECT, BUFFER_PAGES);
}

static void failures_behind_an_iommu(struct kunit *test)
{
	each_failure_leaves_nothing(test, IOMMU, BUFFER_RUNS);
}

static void failures_with_map_ops(struct kunit *test)
{
	each_failure_leaves_nothing(test, MAP_OPS, BUFFER_PAGES);
}

static void failures_with_a_peer(struct kunit *test)
{
	each_failure_leaves_nothing(test, DIRECT, BUFFER_BAR);
}

static void failures_with_a_peer_behind_an_iommu(struct kunit *test)
{
	each_failure_leaves_nothing(test, IOMMU, BUFFER_BAR);
}

static struct kunit_case sgt_cases[] = {
	KUNIT_CASE(each_run_has_an_entry_in_the_table),
	KUNIT_CASE(table_of_a_peer_has_no_pages),
	KUNIT_CASE(debugging_hides_the_pages),
	KUNIT_CASE(iova_is_merged_up_to_the_segment_size),
	KUNIT_CASE(long_chunks_are_cut_at_32_bits),
	KUNIT_CASE(table_without_entries_is_legal),
	KUNIT_CASE(list_of_a_table_has_its_addresses),
	KUNIT_CASE(table_that_is_not_page_aligned_is_refused),
	KUNIT_CASE(exporter_of_a_table_serves_its_own_kind),
	KUNIT_CASE_SLOW(random_layouts_without_an_iommu),
	KUNIT_CASE_SLOW(random_layouts_behind_an_iommu),
	KUNIT_CASE_SLOW(random_layouts_with_map_ops),
	KUNIT_CASE(failures_without_an_iommu),
	KUNIT_CASE(failures_behind_an_iommu),
	KUNIT_CASE(failures_with_map_ops),
	KUNIT_CASE(failures_with_a_peer),
	KUNIT_CASE(failures_with_a_peer_behind_an_iommu),
	{ }
};

static struct kunit_suite sgt_suite = {
	.name = "dma-buf-sgt",
	.init = model_init,
	.exit = model_exit,
	.test_cases = sgt_cases,
};

kunit_test_suite(sgt_suite);
