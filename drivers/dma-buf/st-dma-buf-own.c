// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of a driver's own, collected in batches and mapped
 */
#include <kunit/static_stub.h>
#include <linux/minmax.h>
#include <linux/prandom.h>

#include "st-dma-buf-model.h"

#define OWN_NR	5000U

/**
 * struct own - pages that are collected, and how
 * @own: where
 * @pages: all of them
 * @nr: number of these
 * @nruns: how many runs they are
 */
struct own {
	struct dma_buf_own *own;
	struct page **pages;
	unsigned long nr;
	unsigned long nruns;
};

static void own_init(struct kunit *test, struct own *o)
{
	*o = (struct own) { .own = dma_buf_own_alloc() };
	KUNIT_ASSERT_NOT_NULL(test, o->own);
	o->pages = kunit_kcalloc(test, OWN_NR, sizeof(*o->pages), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, o->pages);
}

static void own_append(struct own *o, phys_addr_t phys, unsigned long npages)
{
	phys_addr_t end = o->nr ? page_to_phys(o->pages[o->nr - 1]) + PAGE_SIZE : 0;
	unsigned long i;

	o->nruns += !o->nr || phys != end;
	for (i = 0; i < npages; i++)
		o->pages[o->nr++] = phys_to_page(phys + PFN_PHYS(i));
}

/* Batches of one page, of all at once, and in between */
static int own_add(struct own *o, unsigned long batch)
{
	unsigned long i, n;
	int ret = 0;

	for (i = 0; i < o->nr && !ret; i += n) {
		n = min(o->nr - i, batch);
		ret = dma_buf_own_add(o->own, o->pages + i, n);
	}
	return ret;
}

/* What was added is the first pages, and in as few runs as there can be. */
static void own_expect(struct kunit *test, const struct own *o, unsigned long nr)
{
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk chunk;
	unsigned long i, at = 0, nruns = 0;

	KUNIT_EXPECT_EQ(test, nr, dma_buf_own_npages(o->own));
	dma_buf_own_start(&cursor, o->own);
	while ((chunk = dma_buf_own_next(&cursor)).npages) {
		KUNIT_ASSERT_LE(test, at + chunk.npages, nr);
		for (i = 0; i < chunk.npages; i++)
			KUNIT_EXPECT_PTR_EQ(test, chunk.page + i,
					    o->pages[at + i]);
		at += chunk.npages;
		nruns++;
	}
	KUNIT_EXPECT_EQ(test, at, nr);
	if (nr == o->nr)
		KUNIT_EXPECT_EQ(test, nruns, o->nruns);
}

/* Pages of the test, in runs of one to four, some of them again */
static void own_scatter(struct model *m, struct own *o)
{
	struct rnd_state rnd;

	prandom_seed_state(&rnd, 7);
	while (o->nr < 2000) {
		u32 r = prandom_u32_state(&rnd);

		own_append(o, model_page(m, r % (MODEL_NR_PAGES - 4)),
			   1 + (r >> 16) % 4);
	}
}

static const unsigned long batches[] = { 1, 2, 7, 512, OWN_NR };

static void batches_make_no_difference(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(batches); i++) {
		struct own o;

		own_init(test, &o);
		own_scatter(test->priv, &o);
		KUNIT_EXPECT_EQ(test, 0, own_add(&o, batches[i]));
		own_expect(test, &o, o.nr);
		dma_buf_own_free(o.own);
	}
}

/* A run that grows past what fits a word, behind others that fill a block */
static void long_run_grows(struct kunit *test)
{
	unsigned int front, i;

	for (front = 0; front < 600; front += front < 8 ? 1 : 123) {
		struct own o;

		own_init(test, &o);
		for (i = 0; i < front; i++)
			own_append(&o, MODEL_RAM + PFN_PHYS(2 * i), 1);
		own_append(&o, MODEL_RAM + SZ_1G, PAGE_SIZE / 16 + 3);
		while (o.nr < front + 4100)
			own_append(&o, page_to_phys(o.pages[o.nr - 1]) + PAGE_SIZE,
				   1);
		own_append(&o, MODEL_RAM, 1);
		KUNIT_EXPECT_EQ(test, 0, own_add(&o, 512));
		own_expect(test, &o, o.nr);
		dma_buf_own_free(o.own);
	}
}

static void expect_list(struct kunit *test, struct own *o,
			enum dma_buf_route route)
{
	struct model *m = test->priv;
	struct dma_buf_attachment attach = { .dev = m->dev };
	struct dma_buf_cursor cursor;
	struct dma_buf_list *list;
	unsigned long i = 0;
	dma_addr_t addr;

	list = dma_buf_list_from_own(&attach, o->own, m->dir, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	KUNIT_EXPECT_EQ(test, list->route, route);
	dma_buf_list_for_each_page(addr, &cursor, list)
		KUNIT_EXPECT_EQ(test, model_reached(m, addr),
				page_to_phys(o->pages[i++]));
	KUNIT_EXPECT_EQ(test, i, o->nr);
	dma_buf_list_free(list);
	model_expect_clean(m);
	own_expect(test, o, o->nr);
}

static void every_device_reaches_the_pages(struct kunit *test)
{
	struct model *m = test->priv;
	struct own o;

	own_init(test, &o);
	own_scatter(m, &o);
	KUNIT_EXPECT_EQ(test, 0, own_add(&o, 100));

	m->need_map = false;
	expect_list(test, &o, DMA_BUF_ROUTE_PER_RUN);
	m->need_map = true;
	m->need_unmap = true;
	m->dma_offset = SZ_1G;
	expect_list(test, &o, DMA_BUF_ROUTE_PER_RUN);
	m->max_run = 1;
	expect_list(test, &o, DMA_BUF_ROUTE_PER_RUN);
	m->dma_offset = 0;
	m->max_run = ULONG_MAX;
	model_behind_iommu(m);
	expect_list(test, &o, DMA_BUF_ROUTE_IOVA);
	dma_buf_own_free(o.own);
}

static void every_device_with_map_ops_reaches_them(struct kunit *test)
{
	struct model *m = test->priv;
	struct own o;

	model_with_map_ops(m);
	own_init(test, &o);
	own_scatter(m, &o);
	KUNIT_EXPECT_EQ(test, 0, own_add(&o, 100));
	expect_list(test, &o, DMA_BUF_ROUTE_MAP_SG);
	dma_buf_own_free(o.own);
}

/* What a device without an IOMMU costs: neither memory nor a call for each run */
static void list_without_mapping_is_free_of_charge(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_attachment attach = { .dev = m->dev };
	struct dma_buf_list *list;
	struct own o;

	m->need_map = false;
	own_init(test, &o);
	own_scatter(m, &o);
	KUNIT_EXPECT_EQ(test, 0, own_add(&o, 100));
	list = dma_buf_list_from_own(&attach, o.own, m->dir, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	KUNIT_EXPECT_EQ(test, m->map_calls, 0);
	KUNIT_EXPECT_PTR_EQ(test, list->dma.first, (const u64 *)o.own->runs.first);
	KUNIT_EXPECT_NULL(test, list->dma_blocks);
	dma_buf_list_free(list);
	own_expect(test, &o, o.nr);
	dma_buf_own_free(o.own);
}

/* Each call of the DMA API */
static void failure_leaves_the_pages(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_attachment attach = { .dev = m->dev };
	struct dma_buf_list *list;
	unsigned int n;
	struct own o;

	model_behind_iommu(m);
	own_init(test, &o);
	own_scatter(m, &o);
	KUNIT_EXPECT_EQ(test, 0, own_add(&o, 100));
	for (n = 1; ; n++) {
		m->calls = 0;
		m->fail_at = n;
		list = dma_buf_list_from_own(&attach, o.own, m->dir, 0);
		if (!IS_ERR(list))
			break;
		KUNIT_EXPECT_EQ(test, PTR_ERR(list), -ENOMEM);
		model_expect_clean(m);
		own_expect(test, &o, o.nr);
	}
	KUNIT_EXPECT_GT(test, n, 2);
	m->fail_at = 0;
	dma_buf_list_free(list);
	dma_buf_own_free(o.own);
}

static unsigned int grown, grow_fails_at;

static int own_grow(struct dma_buf_writer *writer)
{
	int ret;

	if (++grown == grow_fails_at)
		return -ENOMEM;
	kunit_deactivate_static_stub(kunit_get_current_test(),
				     dma_buf_writer_grow);
	ret = dma_buf_writer_grow(writer);
	kunit_activate_static_stub(kunit_get_current_test(), dma_buf_writer_grow,
				   own_grow);
	return ret;
}

/* The caller knows how many of its batch were added. */
static void no_memory_halfway_keeps_what_was_added(struct kunit *test)
{
	unsigned long batch = 100;
	struct own o;
	int ret;

	kunit_activate_static_stub(test, dma_buf_writer_grow, own_grow);
	for (grow_fails_at = 1; ; grow_fails_at++) {
		grown = 0;
		own_init(test, &o);
		own_scatter(test->priv, &o);
		ret = own_add(&o, batch);
		if (!ret)
			break;
		KUNIT_EXPECT_EQ(test, ret, -ENOMEM);
		KUNIT_EXPECT_LT(test, dma_buf_own_npages(o.own), o.nr);
		KUNIT_EXPECT_GT(test, dma_buf_own_npages(o.own), 0);
		own_expect(test, &o, dma_buf_own_npages(o.own));
		/* And goes on from there when there is memory again. */
		KUNIT_EXPECT_EQ(test, 0,
				dma_buf_own_add(o.own, o.pages +
						dma_buf_own_npages(o.own),
						o.nr - dma_buf_own_npages(o.own)));
		own_expect(test, &o, o.nr);
		dma_buf_own_free(o.own);
	}
	KUNIT_EXPECT_GT(test, grow_fails_at, 4);
	kunit_deactivate_static_stub(test, dma_buf_writer_grow);
	own_expect(test, &o, o.nr);
	dma_buf_own_free(o.own);
}

static void page_of_a_device_is_refused(struct kunit *test)
{
	struct model *m = test->priv;
	struct own o;

	own_init(test, &o);
	own_append(&o, model_page(m, 0), 3);
	own_append(&o, MODEL_BAR, 1);
	KUNIT_EXPECT_EQ(test, -EINVAL, own_add(&o, 10));
	own_expect(test, &o, 3);
	dma_buf_own_free(o.own);
}

static void nothing_is_an_empty_list(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_attachment attach = { .dev = m->dev };
	struct dma_buf_list *list;
	struct own o;

	own_init(test, &o);
	KUNIT_EXPECT_EQ(test, 0, dma_buf_own_add(o.own, NULL, 0));
	own_expect(test, &o, 0);
	list = dma_buf_list_from_own(&attach, o.own, m->dir, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	KUNIT_EXPECT_EQ(test, dma_buf_list_npages(list), 0);
	dma_buf_list_free(list);
	dma_buf_own_free(o.own);
	dma_buf_own_free(NULL);
}

static struct kunit_case own_cases[] = {
	KUNIT_CASE(batches_make_no_difference),
	KUNIT_CASE(long_run_grows),
	KUNIT_CASE(every_device_reaches_the_pages),
	KUNIT_CASE(every_device_with_map_ops_reaches_them),
	KUNIT_CASE(list_without_mapping_is_free_of_charge),
	KUNIT_CASE(failure_leaves_the_pages),
	KUNIT_CASE(no_memory_halfway_keeps_what_was_added),
	KUNIT_CASE(page_of_a_device_is_refused),
	KUNIT_CASE(nothing_is_an_empty_list),
	{}
};

static struct kunit_suite own_suite = {
	.name = "dma-buf-own",
	.init = model_init,
	.exit = model_exit,
	.test_cases = own_cases,
};

kunit_test_suite(own_suite);
