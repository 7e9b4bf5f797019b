// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scattered memory behind one IOVA, which is linked many runs at a time
 */
#include <kunit/test.h>

#include "st-dma-buf-model.h"

/* More than are linked at a time, and more than are read at a time */
#define LINK_NR	1500U

/**
 * struct link_shape - what differs between buffers
 * @name: for the output
 * @ram: it is system memory, not that of a device
 * @joined: the last two ranges are one run
 * @partial: the last one ends within a page
 * @kept: the importer wants the physical runs
 */
struct link_shape {
	const char *name;
	bool ram, joined, partial, kept;
};

static const struct link_shape link_shapes[] = {
	{ .name = "device memory" },
	{ .name = "system memory", .ram = true },
	{ .name = "two are joined", .joined = true },
	{ .name = "ends within a page", .partial = true },
	{ .name = "runs are kept", .ram = true, .kept = true },
};

KUNIT_ARRAY_PARAM_DESC(link_shape, link_shapes, name);

/* Ranges of one or more pages, none of which is next to the one before */
static struct phys_vec *link_vecs(struct kunit *test, const struct link_shape *shape,
				  unsigned long *npages)
{
	u64 base = shape->ram ? MODEL_RAM : MODEL_BAR;
	struct phys_vec *vecs, *last;
	unsigned int i;

	vecs = kunit_kcalloc(test, LINK_NR, sizeof(*vecs), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vecs);
	*npages = 0;
	for (i = 0; i < LINK_NR; i++) {
		unsigned long n = i % 7 ? 1 : 3;

		vecs[i] = (struct phys_vec)V(base + PFN_PHYS(8 * i), n);
		*npages += n;
	}

	last = &vecs[LINK_NR - 1];
	if (shape->joined)
		last->paddr = last[-1].paddr + last[-1].len;
	if (shape->partial)
		last->len--;
	return vecs;
}

static struct dma_buf_list *link_map(struct model *m, const struct link_shape *shape,
				     const struct phys_vec *vecs)
{
	struct dma_buf_attachment own = {
		.dev = m->dev,
		.wants_runs = shape->kept,
	};

	model_behind_iommu(m);
	m->attrs = shape->ram ? 0 : DMA_ATTR_MMIO;
	if (shape->ram)
		return dma_buf_list_from_runs(&own, vecs, LINK_NR, m->dir, 0);
	return dma_buf_list_from_phys(&own, vecs, LINK_NR, m->dir, 0);
}

static void runs_are_linked_many_at_a_time(struct kunit *test)
{
	const struct link_shape *shape = test->param_value;
	struct model *m = test->priv;
	unsigned long npages, page = 0;
	struct dma_buf_list *list;
	struct phys_vec *vecs;
	unsigned int i;
	size_t at;

	vecs = link_vecs(test, shape, &npages);
	list = link_map(m, shape, vecs);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	buffer_expect_list(test, list, DMA_BUF_ROUTE_IOVA, npages, 1);
	KUNIT_EXPECT_EQ(test, m->nr_links, LINK_NR - shape->joined);
	KUNIT_EXPECT_LE(test, m->link_calls, LINK_NR / 100);
	KUNIT_EXPECT_EQ(test, !!list->phys, shape->kept);
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
	static const unsigned int at[] = { 1, 2, 255, 256, 257, 700, LINK_NR - 1 };
	const struct link_shape *shape = test->param_value;
	struct model *m = test->priv;
	struct phys_vec *vecs;
	unsigned long npages;
	unsigned int i;

	vecs = link_vecs(test, shape, &npages);
	for (i = 0; i < ARRAY_SIZE(at); i++) {
		/* The first call is for the IOVA. */
		m->fail_at = m->calls + 1 + at[i];
		KUNIT_EXPECT_EQ(test, PTR_ERR(link_map(m, shape, vecs)), -ENOMEM);
		KUNIT_EXPECT_EQ(test, m->calls, m->fail_at);
		model_expect_clean(m);
	}
}

/* When some of it is linked already, and where the last page of a range is */
static void memory_of_another_kind_is_refused_halfway(struct kunit *test)
{
	static const unsigned int at[] = { 0, 1, 255, 256, 700, LINK_NR - 1 };
	static const struct link_shape shape = { .ram = true };
	struct model *m = test->priv;
	unsigned long npages;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(at); i++) {
		struct phys_vec *vecs = link_vecs(test, &shape, &npages);

		vecs[at[i]] = (struct phys_vec)V(MODEL_BAR - PAGE_SIZE, 2);
		KUNIT_EXPECT_EQ(test, PTR_ERR(link_map(m, &shape, vecs)), -EINVAL);
		model_expect_clean(m);
	}
}

static struct kunit_case link_cases[] = {
	KUNIT_CASE_PARAM(runs_are_linked_many_at_a_time, link_shape_gen_params),
	KUNIT_CASE_PARAM(failure_halfway_leaves_nothing_linked,
			 link_shape_gen_params),
	KUNIT_CASE(memory_of_another_kind_is_refused_halfway),
	{}
};

static struct kunit_suite link_suite = {
	.name = "dma-buf-link",
	.init = model_init,
	.exit = model_exit,
	.test_cases = link_cases,
};

kunit_test_suite(link_suite);
