// SPDX-License-Identifier: GPL-2.0-only
/*
 * A buffer that is larger than memory, and what ends mapping it early
 */
#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/swap.h>
#include <linux/swiotlb.h>

#include "dma-buf-internal.h"

/* 64 GiB of pages of 4 KiB */
#define LIMITS_NPAGES	(16UL << 20)

/* What the list of it takes at least, one word for each run */
#define LIMITS_LIST_PAGES	(LIMITS_NPAGES * sizeof(u64) >> PAGE_SHIFT)

/**
 * struct limits - %LIMITS_NPAGES pages none of which is next to the one before
 * @dev: device that it is mapped for
 * @pages: the two pages that it is made of, and what is between them
 * @sgl: both of them, and a link back to the first
 * @sgt: the whole, which takes no memory
 */
struct limits {
	struct device *dev;
	struct page *pages;
	struct scatterlist sgl[3];
	struct sg_table sgt;
};

static void limits_free_pages(void *pages)
{
	__free_pages(pages, 2);
}

static int limits_init(struct kunit *test)
{
	struct limits *l;

	if (IS_ENABLED(CONFIG_DMA_API_DEBUG))
		kunit_skip(test, "dma-debug warns of pages that are mapped that often");

	l = kunit_kzalloc(test, sizeof(*l), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, l);
	test->priv = l;
	l->dev = kunit_device_register(test, "importer");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, l->dev);
	KUNIT_ASSERT_EQ(test, 0,
			dma_coerce_mask_and_coherent(l->dev, DMA_BIT_MASK(64)));

	l->pages = alloc_pages(GFP_KERNEL, 2);
	KUNIT_ASSERT_NOT_NULL(test, l->pages);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, limits_free_pages,
							   l->pages));
	sg_init_table(l->sgl, ARRAY_SIZE(l->sgl));
	sg_set_page(&l->sgl[0], l->pages, PAGE_SIZE, 0);
	sg_set_page(&l->sgl[1], l->pages + 2, PAGE_SIZE, 0);
	sg_chain(l->sgl, ARRAY_SIZE(l->sgl), l->sgl);
	l->sgt.sgl = l->sgl;
	l->sgt.orig_nents = LIMITS_NPAGES;
	return 0;
}

/* DMA_ATTR_SKIP_CPU_SYNC: cleaning the caches of so many pages takes hours. */
static struct dma_buf_list *limits_map(struct limits *l, struct dma_buf *dmabuf)
{
	struct dma_buf_attachment attach = { .dev = l->dev, .dmabuf = dmabuf };

	return dma_buf_list_from_sgt(&attach, &l->sgt, DMA_BIDIRECTIONAL,
				     DMA_ATTR_SKIP_CPU_SYNC);
}

/* If there is not enough memory for the list, no task is killed. */
static void large_buffer_is_mapped_or_refused(struct kunit *test)
{
	unsigned long before = nr_free_pages(), need = LIMITS_LIST_PAGES;
	/* Where pages are large, a CPU may keep as many free ones as the list had. */
	bool counts = PAGE_SIZE == SZ_4K;
	struct limits *l = test->priv;
	struct dma_buf_list *list;

	if (is_swiotlb_force_bounce(l->dev))
		kunit_skip(test, "all memory is bounced");
	/* dma_map_ops need a scatterlist, which does not fit in memory. */
	if (dma_buf_hw_has_map_ops(l->dev))
		need += LIMITS_NPAGES / (PAGE_SIZE / sizeof(struct scatterlist));
	list = limits_map(l, NULL);
	if (before < need) {
		KUNIT_EXPECT_PTR_EQ(test, list, ERR_PTR(-ENOMEM));
	} else {
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
		KUNIT_EXPECT_EQ(test, dma_buf_list_npages(list), LIMITS_NPAGES);
		KUNIT_EXPECT_EQ(test, dma_buf_list_nchunks(list), LIMITS_NPAGES);
		if (counts)
			KUNIT_EXPECT_LE(test, nr_free_pages(),
					before - LIMITS_LIST_PAGES);
	}
	if (!IS_ERR(list))
		dma_buf_list_free(list);
	if (counts)
		KUNIT_EXPECT_GT(test, nr_free_pages() + LIMITS_LIST_PAGES / 16,
				before);
}

static void killed_task_need_not_wait_for_the_end(struct kunit *test)
{
	static const struct dma_buf_ops ops;
	struct dma_buf dmabuf = { .ops = &ops };
	struct limits *l = test->priv;
	struct dma_buf_list *list;

	if (is_swiotlb_force_bounce(l->dev))
		kunit_skip(test, "all memory is bounced");
	allow_signal(SIGKILL);
	send_sig(SIGKILL, current, 1);
	list = limits_map(l, &dmabuf);
	flush_signals(current);
	disallow_signal(SIGKILL);

	KUNIT_EXPECT_PTR_EQ(test, list, ERR_PTR(-EINTR));
	if (!IS_ERR(list))
		dma_buf_list_free(list);
}

/* As when a killed task unbinds a driver that moves its buffers then */
static void memory_of_a_driver_is_mapped_for_a_killed_task(struct kunit *test)
{
	struct limits *l = test->priv;
	struct dma_buf_list *list;

	if (is_swiotlb_force_bounce(l->dev))
		kunit_skip(test, "all memory is bounced");
	/* More than the list has room for: a signal is looked for before there is more. */
	l->sgt.orig_nents = 16;
	allow_signal(SIGKILL);
	send_sig(SIGKILL, current, 1);
	list = limits_map(l, NULL);
	flush_signals(current);
	disallow_signal(SIGKILL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	KUNIT_EXPECT_EQ(test, dma_buf_list_npages(list), 16);
	dma_buf_list_free(list);
}

static struct kunit_case limits_cases[] = {
	KUNIT_CASE_SLOW(large_buffer_is_mapped_or_refused),
	KUNIT_CASE(killed_task_need_not_wait_for_the_end),
	KUNIT_CASE(memory_of_a_driver_is_mapped_for_a_killed_task),
	{}
};

static struct kunit_suite limits_suite = {
	.name = "dma-buf-limits",
	.init = limits_init,
	.test_cases = limits_cases,
};

kunit_test_suite(limits_suite);
