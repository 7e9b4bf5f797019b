// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers at random, against the sg_table of the DMA API where that is real, and what
 * is left when something fails on the way
 */
#include <kunit/static_stub.h>
#include <linux/dma-resv.h>
#include <linux/iommu.h>
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

/* The machines that differ in how memory is mapped */
enum machine { DIRECT, IOMMU, MAP_OPS, NR_MACHINES };

static void machine_init(struct model *m, enum machine machine)
{
	if (machine == IOMMU)
		model_behind_iommu(m);
	if (machine == MAP_OPS)
		model_with_map_ops(m);
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
	struct buffer b;
	struct dma_buf_list *list = buffer_open(&b, m, kind, vec, nr);

	buffer_expect_reached(&b, list);
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

/* Against the real DMA API */

/* What is at a DMA address: the same one, or what the IOMMU has there */
static u64 reached(struct device *dev, dma_addr_t addr)
{
	struct iommu_domain *domain = dma_get_merge_boundary(dev) ?
				      iommu_get_domain_for_dev(dev) : NULL;

	return domain ? iommu_iova_to_phys(domain, addr) : addr;
}

static void expect_same_memory(struct kunit *test, struct device *dev,
			       const struct phys_vec *vec, size_t nr)
{
	static const struct dma_buf_ops ops;
	struct dma_buf dmabuf = { .ops = &ops };
	struct dma_buf_attachment attach = { .dev = dev, .dmabuf = &dmabuf };
	struct dma_buf_cursor cursor;
	struct dma_buf_list *list;
	struct sg_dma_page_iter iter;
	struct sg_table table;
	struct page **pages;
	size_t i, n = 0, at;
	dma_addr_t addr;
	int ret;

	for (i = 0; i < nr; i++)
		n += PFN_UP(vec[i].len);
	pages = kunit_kmalloc_array(test, n, sizeof(*pages), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, pages);
	for (i = 0, n = 0; i < nr; i++)
		for (at = 0; at < vec[i].len; at += PAGE_SIZE)
			pages[n++] = phys_to_page(vec[i].paddr + at);

	ret = sg_alloc_table_from_pages(&table, pages, n, 0, n << PAGE_SHIFT,
					GFP_KERNEL);
	KUNIT_ASSERT_EQ(test, ret, 0);
	ret = dma_map_sgtable(dev, &table, DMA_TO_DEVICE, 0);
	KUNIT_ASSERT_EQ(test, ret, 0);
	list = dma_buf_list_from_pages(&attach, pages, n, DMA_TO_DEVICE, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);

	/* Behind an IOMMU they are two mappings of the same memory. */
	KUNIT_EXPECT_EQ(test, dma_buf_list_npages(list), n);
	dma_buf_cursor_init(&cursor, list);
	for_each_sgtable_dma_page(&table, &iter, 0) {
		KUNIT_ASSERT_TRUE(test, dma_buf_cursor_next_page(&cursor, &addr));
		KUNIT_ASSERT_EQ(test, reached(dev, addr),
				reached(dev, sg_page_iter_dma_address(&iter)));
	}

	dma_buf_list_free(list);
	dma_unmap_sgtable(dev, &table, DMA_TO_DEVICE, 0);
	sg_free_table(&table);
	kunit_kfree(test, pages);
}

static void random_same_memory(struct kunit *test, struct device *dev,
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
			expect_same_memory(test, dev, vec, nr);
		cond_resched();
	}
	dma_set_max_seg_size(dev, max);
}

static void list_reaches_what_a_table_does(struct kunit *test)
{
	struct model *m = test->priv;

	if (is_swiotlb_force_bounce(m->dev))
		kunit_skip(test, "bounced twice memory is at two addresses");
	if (dma_buf_hw_has_map_ops(m->dev))
		kunit_skip(test, "its dma_map_ops may bounce a table, and no list");
	random_same_memory(test, m->dev, RANDOM_ROUNDS / 4);
}

static void list_reaches_what_a_table_does_behind_an_iommu(struct kunit *test)
{
	struct pci_dev *pdev = NULL;

	/* Any will do, the DMA API does not ask if there is a driver. */
	for_each_pci_dev(pdev)
		if (dma_get_merge_boundary(&pdev->dev))
			break;
	if (!pdev)
		kunit_skip(test, "no PCI device behind an IOMMU");
	/* An emulated IOMMU takes its time. */
	random_same_memory(test, &pdev->dev, RANDOM_ROUNDS / 20);
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

static struct kunit_case layout_cases[] = {
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

static struct kunit_suite layout_suite = {
	.name = "dma-buf-layouts",
	.init = model_init,
	.exit = model_exit,
	.test_cases = layout_cases,
};

static struct kunit_case same_cases[] = {
	KUNIT_CASE(list_reaches_what_a_table_does),
	KUNIT_CASE(list_reaches_what_a_table_does_behind_an_iommu),
	{ }
};

static struct kunit_suite same_suite = {
	.name = "dma-buf-layouts-real",
	.init = model_init_real,
	.exit = model_exit,
	.test_cases = same_cases,
};

kunit_test_suites(&layout_suite, &same_suite);
