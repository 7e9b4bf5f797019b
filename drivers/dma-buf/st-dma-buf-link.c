// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scattered memory behind one IOVA, which is linked many runs at a time
 */
#include <kunit/test.h>

#include "st-dma-buf-model.h"

/* More than are linked at a time, and more than are read at a time */
#define LINK_NR	1500U

/* Device memory none of which is next to the one before, of one or more pages */
static struct phys_vec *link_vecs(struct kunit *test, unsigned long *npages)
{
	struct phys_vec *vecs;
	unsigned int i;

	vecs = kunit_kcalloc(test, LINK_NR, sizeof(*vecs), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vecs);
	*npages = 0;
	for (i = 0; i < LINK_NR; i++) {
		unsigned long n = i % 7 ? 1 : 3;

		vecs[i] = (struct phys_vec)V(MODEL_BAR + PFN_PHYS(8 * i), n);
		*npages += n;
	}
	return vecs;
}

static struct dma_buf_list *link_map(struct model *m, const struct phys_vec *vecs)
{
	struct dma_buf_attachment own = { .dev = m->dev };

	model_behind_iommu(m);
	m->attrs = DMA_ATTR_MMIO;
	return dma_buf_list_from_phys(&own, vecs, LINK_NR, m->dir, DMA_ATTR_MMIO);
}

static void runs_are_linked_many_at_a_time(struct kunit *test)
{
	struct model *m = test->priv;
	unsigned long npages, page = 0;
	struct dma_buf_list *list;
	struct phys_vec *vecs;
	unsigned int i;
	size_t at;

	vecs = link_vecs(test, &npages);
	list = link_map(m, vecs);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	buffer_expect_list(test, list, DMA_BUF_ROUTE_IOVA, npages, 1);
	KUNIT_EXPECT_EQ(test, m->nr_links, LINK_NR);
	KUNIT_EXPECT_LE(test, m->link_calls, LINK_NR / 100);
	for (i = 0; i < LINK_NR; i++)
		for (at = 0; at < vecs[i].len; at += PAGE_SIZE)
			KUNIT_EXPECT_EQ(test, vecs[i].paddr + at,
					model_reached(m, list->iova.addr +
						      PFN_PHYS(page++)));
	KUNIT_EXPECT_EQ(test, page, npages);
	dma_buf_list_free(list);
}

/* In the first batch, at the end of it, and in another one */
static void failure_halfway_leaves_nothing_linked(struct kunit *test)
{
	static const unsigned int at[] = { 1, 2, 255, 256, 257, 700, LINK_NR };
	struct model *m = test->priv;
	struct phys_vec *vecs;
	unsigned long npages;
	unsigned int i;

	vecs = link_vecs(test, &npages);
	for (i = 0; i < ARRAY_SIZE(at); i++) {
		/* The first call is for the IOVA. */
		m->fail_at = m->calls + 1 + at[i];
		KUNIT_EXPECT_EQ(test, PTR_ERR(link_map(m, vecs)), -ENOMEM);
		KUNIT_EXPECT_EQ(test, m->calls, m->fail_at);
		model_expect_clean(m);
	}
}

static struct kunit_case link_cases[] = {
	KUNIT_CASE(runs_are_linked_many_at_a_time),
	KUNIT_CASE(failure_halfway_leaves_nothing_linked),
	{}
};

static struct kunit_suite link_suite = {
	.name = "dma-buf-link",
	.init = model_init,
	.exit = model_exit,
	.test_cases = link_cases,
};

kunit_test_suite(link_suite);
