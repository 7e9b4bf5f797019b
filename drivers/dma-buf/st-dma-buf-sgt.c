// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bridge from the page list to the sg_table, buffers at random, and what is
 * left when something fails on the way
 */
#include <kunit/static_stub.h>
#include <linux/dma-resv.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/pci.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/scatterlist.h>
#include <linux/swiotlb.h>

#include "st-dma-buf-model.h"

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
	KUNIT_EXPECT_EQ(test, buffer_nmaps(&b), 1);
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
	bool two_lengths = IS_ENABLED(CONFIG_NEED_SG_DMA_LENGTH);
	struct sg_table *sgt;
	struct buffer b;

	model_behind_iommu(m);
	dma_set_max_seg_size(m->dev, 2 * PAGE_SIZE);
	sgt = buffer_open_table(&b, m, BUFFER_RUNS, vec, 4);
	/* 1 + 1, then 1, and 4 are more than the limit but in one piece. */
	KUNIT_EXPECT_EQ(test, sgt->nents, two_lengths ? 3 : 4);
	KUNIT_EXPECT_EQ(test, sg_dma_len(sgt->sgl),
			two_lengths ? 2 * PAGE_SIZE : PAGE_SIZE);
	expect_table_reaches(&b, sgt);
	buffer_close_table(&b, sgt);

	dma_set_max_seg_size(m->dev, UINT_MAX);
	sgt = buffer_open_table(&b, m, BUFFER_RUNS, vec, 4);
	KUNIT_EXPECT_EQ(test, sgt->nents, two_lengths ? 1 : 4);
	expect_table_reaches(&b, sgt);
	buffer_close_table(&b, sgt);
}

/*
 * What fits 32 bits, and leaves the next entry aligned as well as the first one.
 */
static void long_chunks_are_cut_at_2_gib(struct kunit *test)
{
	const u64 max = SZ_2G;
	const struct phys_vec vec = { MODEL_BAR, (size_t)(2 * max + PAGE_SIZE) };
	struct model *m = test->priv;
	struct sg_table *sgt;
	struct buffer b;

	if (!IS_ENABLED(CONFIG_64BIT))
		kunit_skip(test, "no chunk is that long");
	model_with_peer(m, PCI_P2PDMA_MAP_THRU_HOST_BRIDGE);
	sgt = buffer_open_table(&b, m, BUFFER_BAR, &vec, 1);
	KUNIT_ASSERT_EQ(test, sgt->nents, 3);
	KUNIT_EXPECT_EQ(test, sg_dma_len(sgt->sgl), max);
	KUNIT_EXPECT_EQ(test, sg_dma_address(sg_next(sgt->sgl)),
			sg_dma_address(sgt->sgl) + max);
	KUNIT_EXPECT_EQ(test, sg_dma_len(sg_last(sgt->sgl, 3)), PAGE_SIZE);
	buffer_close_table(&b, sgt);
}

/* The pages of it are cut at the same places, if there are any. */
static void long_runs_are_cut_at_2_gib(struct kunit *test)
{
	const struct phys_vec vec = { MODEL_RAM, SZ_2G + 3 * PAGE_SIZE };
	struct model *m = test->priv;
	struct dma_buf_list *list;
	struct sg_table *sgt;
	struct buffer b;

	list = buffer_open(&b, m, BUFFER_RUNS, &vec, 1);
	sgt = dma_buf_sgt_from_list(list);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	KUNIT_ASSERT_EQ(test, sgt->orig_nents, 2);
	KUNIT_EXPECT_EQ(test, sgt->sgl->length, SZ_2G);
	KUNIT_EXPECT_PTR_EQ(test, sg_page(sg_next(sgt->sgl)),
			    phys_to_page(MODEL_RAM + SZ_2G));
	KUNIT_EXPECT_EQ(test, sg_next(sgt->sgl)->length, 3 * PAGE_SIZE);
	dma_buf_sgt_put_list(sgt);
	buffer_close(&b, list);
}

static size_t length_of(struct scatterlist *sgl, unsigned int nents, bool dma)
{
	struct scatterlist *sg;
	size_t sum = 0;
	unsigned int i;

	for_each_sg(sgl, sg, nents, i)
		sum += dma ? sg_dma_len(sg) : sg->length;
	return sum;
}

/*
 * In one word or in two: where an entry has one length for both, filling one half
 * must not change the other one.
 */
static void both_halves_are_as_long_as_the_buffer(struct kunit *test)
{
	const struct model_machine *machine = model_machine_set_up(test);
	const struct phys_vec vec[] = {
		V(model_page(test->priv, 0), 1), V(model_page(test->priv, 2), 9),
		V(model_page(test->priv, 20), 2), V(model_page(test->priv, 1), 1),
	};
	struct model *m = test->priv;
	struct dma_buf_list *list;
	struct sg_table *sgt;
	struct buffer b;

	if (machine->kind != BUFFER_PAGES && machine->kind != BUFFER_RUNS)
		kunit_skip(test, "not system memory");
	buffer_init(&b, m, machine->kind, vec, 4);
	buffer_attach(&b);
	b.attach->wants_runs = true;
	list = buffer_map(&b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	sgt = dma_buf_sgt_from_list(list);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	KUNIT_EXPECT_EQ(test, sgt->orig_nents, 4);
	KUNIT_EXPECT_EQ(test, 13 * PAGE_SIZE,
			length_of(sgt->sgl, sgt->orig_nents, false));
	KUNIT_EXPECT_EQ(test, 13 * PAGE_SIZE,
			length_of(sgt->sgl, sgt->nents, true));
	dma_buf_sgt_put_list(sgt);
	buffer_close(&b, list);
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

	buffer_init(&b, m, kind, vec, nr);
	buffer_attach(&b);
	b.attach->wants_runs = true;
	list = buffer_map(&b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(m->test, list);
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
	static const enum buffer_kind kinds[] = {
		BUFFER_PAGES, BUFFER_RUNS, BUFFER_TABLE,
	};
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

		random_round(m, kinds[round % ARRAY_SIZE(kinds)], vec, nr);
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

/* As it was: the table of an exporter with pages, against the real DMA API */

static void expect_same_half(struct kunit *test, struct sg_table *was,
			     struct sg_table *is, bool addrs)
{
	struct scatterlist *a = was->sgl, *b = is->sgl;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, was->orig_nents, is->orig_nents);
	for (i = 0; i < was->orig_nents; i++, a = sg_next(a), b = sg_next(b)) {
		KUNIT_ASSERT_PTR_EQ(test, sg_page(a), sg_page(b));
		KUNIT_ASSERT_EQ(test, a->offset, b->offset);
		KUNIT_ASSERT_EQ(test, a->length, b->length);
	}
	a = was->sgl;
	b = is->sgl;
	KUNIT_ASSERT_EQ(test, was->nents, is->nents);
	for (i = 0; i < was->nents; i++, a = sg_next(a), b = sg_next(b)) {
		KUNIT_ASSERT_EQ(test, sg_dma_len(a), sg_dma_len(b));
		if (addrs)
			KUNIT_ASSERT_EQ(test, sg_dma_address(a), sg_dma_address(b));
	}
}

static void expect_same_table(struct kunit *test, struct device *dev,
			      const struct phys_vec *vec, size_t nr)
{
	static const struct dma_buf_ops ops;
	struct dma_buf dmabuf = { .ops = &ops };
	struct dma_buf_attachment attach = {
		.dev = dev,
		.dmabuf = &dmabuf,
		.wants_runs = true,
	};
	bool iommu = dma_get_merge_boundary(dev);
	struct dma_buf_list *list;
	struct sg_table was, *is;
	struct page **pages;
	size_t i, n = 0, at;
	int ret;

	for (i = 0; i < nr; i++)
		n += PFN_UP(vec[i].len);
	pages = kunit_kmalloc_array(test, n, sizeof(*pages), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, pages);
	for (i = 0, n = 0; i < nr; i++)
		for (at = 0; at < vec[i].len; at += PAGE_SIZE)
			pages[n++] = phys_to_page(vec[i].paddr + at);

	ret = sg_alloc_table_from_pages(&was, pages, n, 0, n << PAGE_SHIFT,
					GFP_KERNEL);
	KUNIT_ASSERT_EQ(test, ret, 0);
	ret = dma_map_sgtable(dev, &was, DMA_TO_DEVICE, 0);
	KUNIT_ASSERT_EQ(test, ret, 0);
	list = dma_buf_list_from_pages(&attach, pages, n, DMA_TO_DEVICE, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	is = dma_buf_sgt_from_list(list);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, is);

	expect_same_half(test, &was, is, !iommu);

	dma_buf_list_free(dma_buf_sgt_put_list(is));
	dma_unmap_sgtable(dev, &was, DMA_TO_DEVICE, 0);
	sg_free_table(&was);
	kunit_kfree(test, pages);
}

static void random_same_tables(struct kunit *test, struct device *dev,
			       int rounds)
{
	static struct device_dma_parameters parms;
	unsigned int max = dma_get_max_seg_size(dev);
	struct phys_vec vec[RANDOM_RUNS];
	struct model *m = test->priv;
	struct rnd_state rnd;
	u64 used = seed ?: get_random_u64();
	int round;

	kunit_info(test, "dmabuf_kunit.seed=%llu", used);
	prandom_seed_state(&rnd, used);
	if (!dev->dma_parms)
		dev->dma_parms = &parms;
	for (round = 0; round < rounds; round++) {
		size_t nr = random_runs(m, &rnd, vec);

		/*
		 * Less than some buffers have in all, but more than any run: the
		 * DMA API does not expect those to be longer.
		 */
		dma_set_max_seg_size(dev, 128 * PAGE_SIZE << prandom_u32_state(&rnd) % 4);
		if (nr)
			expect_same_table(test, dev, vec, nr);
		cond_resched();
	}
	dma_set_max_seg_size(dev, max);
}

static void table_is_what_it_was(struct kunit *test)
{
	struct model *m = test->priv;

	if (is_swiotlb_force_bounce(m->dev))
		kunit_skip(test, "bounced twice memory is at two addresses");
	if (dma_buf_hw_has_map_ops(m->dev))
		kunit_skip(test, "its dma_map_ops may bounce a table, and no list");
	random_same_tables(test, m->dev, RANDOM_ROUNDS / 4);
}

static void table_is_what_it_was_behind_an_iommu(struct kunit *test)
{
	struct pci_dev *pdev = NULL;

	/* Any will do, the DMA API does not ask if there is a driver. */
	for_each_pci_dev(pdev)
		if (dma_get_merge_boundary(&pdev->dev))
			break;
	if (!pdev)
		kunit_skip(test, "no PCI device behind an IOMMU");
	/* An emulated IOMMU takes its time. */
	random_same_tables(test, &pdev->dev, RANDOM_ROUNDS / 20);
	pci_dev_put(pdev);
}

/* One failure after the other */

static struct dma_buf_list *failing_alloc(struct dma_buf_attachment *attach,
					  enum dma_data_direction dir,
					  unsigned long attrs)
{
	struct kunit *test = kunit_get_current_test();
	struct dma_buf_list *list = NULL;
	struct model *m = test->priv;

	kunit_deactivate_static_stub(test, dma_buf_list_alloc);
	if (++m->calls != m->fail_at)
		list = dma_buf_list_alloc(attach, dir, attrs);
	kunit_activate_static_stub(test, dma_buf_list_alloc, failing_alloc);
	return list;
}

static int failing_grow(struct dma_buf_writer *writer)
{
	struct kunit *test = kunit_get_current_test();
	struct model *m = test->priv;
	int ret = -ENOMEM;

	kunit_deactivate_static_stub(test, dma_buf_writer_grow);
	if (++m->calls != m->fail_at)
		ret = dma_buf_writer_grow(writer);
	kunit_activate_static_stub(test, dma_buf_writer_grow, failing_grow);
	return ret;
}

static unsigned int fail_each(struct model *m, struct buffer *b)
{
	struct dma_buf_list *list;
	unsigned int n;

	for (n = 1; ; n++) {
		m->calls = 0;
		m->fail_at = n;
		list = buffer_map(b);
		if (!IS_ERR(list))
			buffer_unmap(b, list);
		buffer_expect_unmapped(b);
		/* Some failures are handled in another way. */
		if (!IS_ERR(list) && m->calls < n)
			break;
		KUNIT_ASSERT_LT(m->test, n, 1000);
	}
	m->fail_at = 0;
	return n - 1;
}

static void each_failure_leaves_nothing(struct kunit *test, enum machine machine,
					enum buffer_kind kind,
					enum pci_p2pdma_map_type map_type,
					bool bounces)
{
	struct phys_vec vec[RANDOM_RUNS];
	struct model *m = test->priv;
	unsigned int failed, i;
	struct buffer b;

	if (kind == BUFFER_BAR)
		model_with_peer(m, map_type);
	machine_init(m, machine);
	m->need_unmap = true;
	for (i = 0; i < RANDOM_RUNS; i++)
		vec[i] = (struct phys_vec)V(kind == BUFFER_BAR ?
					     MODEL_BAR + i * (u64)SZ_1M :
					     model_page(m, 2 * i), 1);
	if (bounces) {
		m->bounce_from = vec[RANDOM_RUNS / 2].paddr;
		m->max_mapping = 4 * PAGE_SIZE;
	}
	buffer_init(&b, m, kind, vec, RANDOM_RUNS);
	b.syncs = bounces;
	buffer_attach(&b);
	kunit_activate_static_stub(test, dma_buf_list_alloc, failing_alloc);
	kunit_activate_static_stub(test, dma_buf_writer_grow, failing_grow);
	failed = fail_each(m, &b);
	kunit_info(test, "%u failures", failed);
	/* At least the list, its runs and what there is to map */
	KUNIT_EXPECT_GE(test, failed,
			map_type == PCI_P2PDMA_MAP_BUS_ADDR ? 2 : 3);
	kunit_deactivate_static_stub(test, dma_buf_list_alloc);
	kunit_deactivate_static_stub(test, dma_buf_writer_grow);
	buffer_put(&b);
}

static void failures_without_an_iommu(struct kunit *test)
{
	each_failure_leaves_nothing(test, DIRECT, BUFFER_PAGES,
				    PCI_P2PDMA_MAP_NONE, false);
}

/* The second way is as good as the first. */
static void failures_with_bounce_buffers(struct kunit *test)
{
	each_failure_leaves_nothing(test, DIRECT, BUFFER_PAGES,
				    PCI_P2PDMA_MAP_NONE, true);
}

static void failures_with_map_ops_and_bounce_buffers(struct kunit *test)
{
	each_failure_leaves_nothing(test, MAP_OPS, BUFFER_PAGES,
				    PCI_P2PDMA_MAP_NONE, true);
}

static void failures_behind_an_iommu(struct kunit *test)
{
	each_failure_leaves_nothing(test, IOMMU, BUFFER_RUNS,
				    PCI_P2PDMA_MAP_NONE, false);
}

static void failures_with_map_ops(struct kunit *test)
{
	each_failure_leaves_nothing(test, MAP_OPS, BUFFER_PAGES,
				    PCI_P2PDMA_MAP_NONE, false);
}

static void failures_with_a_peer(struct kunit *test)
{
	each_failure_leaves_nothing(test, DIRECT, BUFFER_BAR,
				    PCI_P2PDMA_MAP_THRU_HOST_BRIDGE, false);
}

static void failures_with_a_peer_behind_an_iommu(struct kunit *test)
{
	each_failure_leaves_nothing(test, IOMMU, BUFFER_BAR,
				    PCI_P2PDMA_MAP_THRU_HOST_BRIDGE, false);
}

/* These are computed, there is nothing to unmap. */
static void failures_with_bus_addresses(struct kunit *test)
{
	each_failure_leaves_nothing(test, IOMMU, BUFFER_BAR,
				    PCI_P2PDMA_MAP_BUS_ADDR, false);
}

static struct kunit_case sgt_cases[] = {
	KUNIT_CASE(each_run_has_an_entry_in_the_table),
	KUNIT_CASE(table_of_a_peer_has_no_pages),
	KUNIT_CASE(debugging_hides_the_pages),
	KUNIT_CASE(iova_is_merged_up_to_the_segment_size),
	KUNIT_CASE(long_chunks_are_cut_at_2_gib),
	KUNIT_CASE(long_runs_are_cut_at_2_gib),
	KUNIT_CASE_PARAM(both_halves_are_as_long_as_the_buffer,
			 model_machine_gen_params),
	KUNIT_CASE(table_without_entries_is_legal),
	KUNIT_CASE_SLOW(random_layouts_without_an_iommu),
	KUNIT_CASE_SLOW(random_layouts_behind_an_iommu),
	KUNIT_CASE_SLOW(random_layouts_with_map_ops),
	KUNIT_CASE(failures_without_an_iommu),
	KUNIT_CASE(failures_with_bounce_buffers),
	KUNIT_CASE(failures_with_map_ops_and_bounce_buffers),
	KUNIT_CASE(failures_behind_an_iommu),
	KUNIT_CASE(failures_with_map_ops),
	KUNIT_CASE(failures_with_a_peer),
	KUNIT_CASE(failures_with_a_peer_behind_an_iommu),
	KUNIT_CASE(failures_with_bus_addresses),
	{ }
};

static struct kunit_suite sgt_suite = {
	.name = "dma-buf-sgt",
	.init = model_init,
	.exit = model_exit,
	.test_cases = sgt_cases,
};

static struct kunit_case same_cases[] = {
	KUNIT_CASE(table_is_what_it_was),
	KUNIT_CASE(table_is_what_it_was_behind_an_iommu),
	{ }
};

static struct kunit_suite same_suite = {
	.name = "dma-buf-sgt-real",
	.init = model_init_real,
	.exit = model_exit,
	.test_cases = same_cases,
};

kunit_test_suites(&sgt_suite, &same_suite);
