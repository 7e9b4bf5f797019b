// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bounce buffers: no importer of a shared buffer sees old data
 */
#include <linux/dma-resv.h>

#include "st-dma-buf-model.h"

/* An exporter that syncs, and a device whose memory is bounced */
static void bounce_attach(struct kunit *test, struct buffer *b, bool syncs)
{
	struct model *m = test->priv;

	model_with_bouncing(m);
	buffer_init(b, m, BUFFER_RUNS, model_ram(m), 3);
	b->syncs = syncs;
	buffer_attach(b);
}

static void expect_refused(struct buffer *b, int error,
			   enum dma_buf_p2p_reason reason)
{
	struct kunit *test = b->m->test;
	unsigned int before = buffer_nmaps(b);

	KUNIT_EXPECT_EQ(test, PTR_ERR(buffer_map(b)), error);
	KUNIT_EXPECT_EQ(test, b->attach->p2p.map_error, error);
	KUNIT_EXPECT_EQ(test, b->attach->p2p.map_reason, reason);
	KUNIT_EXPECT_EQ(test, buffer_nmaps(b), before);
	buffer_expect_fdinfo(b, true, "\nfailed:\t%s error=%d reason=%s (",
			     dev_name(b->m->dev), error,
			     dma_buf_p2p_reason_token(reason));
}

static void what_nobody_copies_is_not_bounced(struct kunit *test)
{
	struct model *m = test->priv;
	struct buffer b;

	bounce_attach(test, &b, false);
	m->attrs = DMA_ATTR_SKIP_CPU_SYNC;
	expect_refused(&b, -EREMOTEIO, DMA_BUF_P2P_BOUNCE);
	buffer_expect_unmapped(&b);
	/* Also without DMA_ATTR_SKIP_CPU_SYNC. */
	m->attrs = 0;
	expect_refused(&b, -EREMOTEIO, DMA_BUF_P2P_BOUNCE);
	buffer_expect_unmapped(&b);
	KUNIT_EXPECT_EQ(test, m->map_calls, 2);
	buffer_put(&b);
}

static void what_the_exporter_syncs_is_bounced(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_list *list;
	struct buffer b;

	bounce_attach(test, &b, true);
	list = buffer_map(&b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	KUNIT_EXPECT_TRUE(test, list->bounced);
	/* The run of four pages is longer than a bounce buffer. */
	buffer_expect_list(test, list, DMA_BUF_ROUTE_PER_RUN, 7, 4);
	buffer_expect_reached(&b, list);
	buffer_expect_fdinfo(&b, true,
			     "\nmap:\t%s memory=bounced route=per-run chunks=4 reason=",
			     dev_name(m->dev));

	m->nr_syncs = 0;
	KUNIT_EXPECT_EQ(test, dma_buf_begin_cpu_access(b.dmabuf, m->dir), 0);
	KUNIT_EXPECT_EQ(test, m->nr_syncs, 4);
	KUNIT_EXPECT_EQ(test, dma_buf_end_cpu_access(b.dmabuf, m->dir), 0);
	KUNIT_EXPECT_EQ(test, m->nr_syncs, 8);
	buffer_close(&b, list);
}

/* The data is copied even with DMA_ATTR_SKIP_CPU_SYNC. */
static void bounced_memory_is_copied_when_it_is_unmapped(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_list *list;
	struct buffer b;

	bounce_attach(test, &b, true);
	m->attrs = DMA_ATTR_SKIP_CPU_SYNC | DMA_ATTR_WEAK_ORDERING;
	list = buffer_map(&b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	KUNIT_EXPECT_EQ(test, DMA_ATTR_WEAK_ORDERING,
			list->attrs & (m->attrs | DMA_ATTR_NO_BOUNCE));
	buffer_close(&b, list);
	KUNIT_EXPECT_FALSE(test, m->undone_with & DMA_ATTR_SKIP_CPU_SYNC);
}

/*
 * All of the bounce buffer is copied to the device later. So what the device wrote has
 * to be copied first, even if the CPU only writes. The model knows one direction.
 */
static void bounce_buffer_is_taken_before_the_cpu_writes(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_list *list;
	struct buffer b;

	bounce_attach(test, &b, true);
	list = buffer_map(&b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	KUNIT_ASSERT_EQ(test, m->dir, DMA_BIDIRECTIONAL);
	m->nr_syncs = 0;
	dma_buf_list_sync(list, DMA_TO_DEVICE, true);
	KUNIT_EXPECT_GT(test, m->nr_syncs, 0);
	buffer_close(&b, list);
}

static void bounced_memory_is_cut_at_whole_pages(struct kunit *test)
{
	const struct phys_vec vec = V(model_page(test->priv, 1), 10);
	static const enum buffer_kind kinds[] = {
		BUFFER_RUNS, BUFFER_PAGES, BUFFER_TABLE,
	};
	struct model *m = test->priv;
	struct dma_buf_list *list;
	struct buffer b;
	int i;

	model_with_bouncing(m);
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		buffer_init(&b, m, kinds[i], &vec, 1);
		b.syncs = true;
		buffer_attach(&b);
		list = buffer_map(&b);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
		KUNIT_EXPECT_EQ(test, dma_buf_list_nchunks(list), 4);
		KUNIT_EXPECT_EQ(test, m->max_mapped, 3 * PAGE_SIZE);
		buffer_expect_reached(&b, list);
		buffer_close(&b, list);
	}
}

/* The limit of bounce buffers does not matter for memory in reach. */
static void what_does_not_bounce_is_not_cut(struct kunit *test)
{
	struct model *m = test->priv;
	const struct phys_vec vec = V(model_page(m, 1), 10);
	struct dma_buf_list *list;
	struct buffer b;

	m->max_mapping = 4 * PAGE_SIZE;
	m->bounce_from = model_page(m, 11);
	buffer_init(&b, m, BUFFER_RUNS, &vec, 1);
	b.syncs = true;
	buffer_attach(&b);
	list = buffer_map(&b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	buffer_expect_list(test, list, DMA_BUF_ROUTE_PER_RUN, 10, 1);
	KUNIT_EXPECT_FALSE(test, list->bounced);
	buffer_unmap(&b, list);

	/* One page is out of reach, so all of it is mapped again. */
	m->bounce_from--;
	list = buffer_map(&b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	buffer_expect_list(test, list, DMA_BUF_ROUTE_PER_RUN, 10, 3);
	KUNIT_EXPECT_TRUE(test, list->bounced);
	buffer_expect_reached(&b, list);
	buffer_close(&b, list);
}

/* dma_need_unmap() returns true only after the first bounce. */
static void need_to_unmap_is_asked_after_mapping(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_list *list;
	struct buffer b;

	bounce_attach(test, &b, true);
	KUNIT_EXPECT_FALSE(test, m->need_unmap);
	list = buffer_map(&b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	KUNIT_EXPECT_TRUE(test, m->need_unmap);
	buffer_unmap(&b, list);
	KUNIT_EXPECT_EQ(test, m->nr_maps, 0);

	/* Fail at the second one, when one was bounced already. */
	m->need_unmap = false;
	m->fail_at = m->calls + 3;
	KUNIT_EXPECT_EQ(test, PTR_ERR(buffer_map(&b)), -ENOMEM);
	KUNIT_EXPECT_TRUE(test, m->need_unmap);
	buffer_expect_unmapped(&b);
	buffer_put(&b);
}

static void exporter_can_forbid_it(struct kunit *test)
{
	struct model *m = test->priv;
	struct buffer b;

	bounce_attach(test, &b, true);
	m->attrs = DMA_ATTR_NO_BOUNCE;
	expect_refused(&b, -EREMOTEIO, DMA_BUF_P2P_BOUNCE);
	KUNIT_EXPECT_EQ(test, m->map_calls, 1);
	buffer_put(&b);
}

/* Nobody would copy for the owner of the memory. */
static void coherent_memory_is_not_bounced(struct kunit *test)
{
	struct model *m = test->priv;
	struct buffer b;

	model_with_bouncing(m);
	m->attrs = DMA_ATTR_SKIP_CPU_SYNC;
	buffer_init(&b, m, BUFFER_COHERENT, model_ram(m), 3);
	b.syncs = true;
	buffer_attach(&b);
	expect_refused(&b, -EREMOTEIO, DMA_BUF_P2P_BOUNCE);
	KUNIT_EXPECT_EQ(test, m->map_calls, 1);
	buffer_put(&b);
}

/* dma_buf_list_from_phys() implies DMA_ATTR_MMIO. */
static void carve_out_is_not_bounced(struct kunit *test)
{
	struct model *m = test->priv;
	struct buffer b;

	model_with_bouncing(m);
	buffer_init(&b, m, BUFFER_PHYS, model_ram(m), 3);
	b.syncs = true;
	m->attrs = DMA_ATTR_MMIO;
	buffer_attach(&b);
	expect_refused(&b, -EREMOTEIO, DMA_BUF_P2P_BOUNCE);
	buffer_expect_unmapped(&b);
	buffer_put(&b);
}

/* A driver syncs its own memory, unless it passes DMA_ATTR_SKIP_CPU_SYNC. */
static void own_memory_is_bounced_unless_it_is_not_synced(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_attachment own = { .dev = m->dev };
	struct dma_buf_list *list;

	model_with_bouncing(m);
	list = dma_buf_list_from_runs(&own, model_ram(m), 3, m->dir, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	KUNIT_EXPECT_TRUE(test, list->bounced);
	dma_buf_list_free(list);

	m->refused = false;
	m->attrs = DMA_ATTR_SKIP_CPU_SYNC;
	list = dma_buf_list_from_runs(&own, model_ram(m), 3, m->dir, m->attrs);
	KUNIT_EXPECT_EQ(test, PTR_ERR(list), -EREMOTEIO);
}

/* The memory is in reach: there are just no bounce buffers left for now. */
static void full_bounce_buffers_are_out_of_memory(struct kunit *test)
{
	struct model *m = test->priv;
	struct buffer b;

	bounce_attach(test, &b, true);
	m->mask = MODEL_BOUNCE + PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, PTR_ERR(buffer_map(&b)), -ENOMEM);
	buffer_expect_unmapped(&b);
	buffer_put(&b);
}

/* Xen's dma_map_ops bounce as well. */
static void map_ops_bounce_by_the_same_rule(struct kunit *test)
{
	const struct phys_vec vec = V(model_page(test->priv, 1), 10);
	struct model *m = test->priv;
	struct dma_buf_list *list;
	struct buffer b;

	model_with_map_ops(m);
	m->sg_merge = 0;
	m->bounce_from = 0;
	m->max_mapping = 4 * PAGE_SIZE;
	buffer_init(&b, m, BUFFER_RUNS, &vec, 1);
	buffer_attach(&b);
	expect_refused(&b, -EREMOTEIO, DMA_BUF_P2P_BOUNCE);
	KUNIT_EXPECT_EQ(test, m->sg_calls, 1);
	buffer_put(&b);

	buffer_init(&b, m, BUFFER_RUNS, &vec, 1);
	b.syncs = true;
	buffer_attach(&b);
	list = buffer_map(&b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	KUNIT_EXPECT_TRUE(test, list->bounced);
	buffer_expect_list(test, list, DMA_BUF_ROUTE_MAP_SG, 10, 3);
	KUNIT_EXPECT_EQ(test, m->sg_calls, 3);
	buffer_expect_reached(&b, list);
	buffer_close(&b, list);
}

/* Two importers */

/**
 * struct sharing - two mappings of one buffer
 * @name: of the test
 * @bounced: the first one and the second one is
 * @dir: what they are for
 * @conflict: they cannot exist at the same time
 */
struct sharing {
	const char *name;
	bool bounced[2];
	enum dma_data_direction dir[2];
	bool conflict;
};

#define READS	DMA_TO_DEVICE
#define WRITES	DMA_FROM_DEVICE
#define BOTH	DMA_BIDIRECTIONAL

static const struct sharing sharings[] = {
	{ "none bounced", { false, false }, { BOTH, BOTH }, false },
	{ "both bounced", { true, true }, { BOTH, BOTH }, true },
	{ "first bounced", { true, false }, { BOTH, BOTH }, true },
	{ "second bounced", { false, true }, { BOTH, BOTH }, true },
	{ "both bounced, both read", { true, true }, { READS, READS }, false },
	{ "first bounced, both read", { true, false }, { READS, READS }, false },
	{ "first bounced, it writes", { true, false }, { WRITES, READS }, true },
	{ "first bounced, other writes", { true, false }, { READS, WRITES }, true },
	{ "second bounced, it writes", { false, true }, { READS, BOTH }, true },
	{ "second bounced, other writes", { false, true }, { BOTH, READS }, true },
};

static void sharing_name(const struct sharing *sharing, char *desc)
{
	strscpy(desc, sharing->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(sharing, sharings, sharing_name);

/* The mapping number @i of those */
static void sharing_set(struct model *m, const struct sharing *sharing, int i)
{
	m->bounce_from = sharing->bounced[i] ? 0 : U64_MAX;
	m->max_mapping = SZ_256K;
	m->dir = sharing->dir[i];
}

static void bounced_memory_is_shared_only_if_nobody_writes(struct kunit *test)
{
	const struct sharing *sharing = test->param_value;
	struct dma_buf_list *list, *other;
	struct model *m = test->priv;
	struct buffer b;

	buffer_init(&b, m, BUFFER_RUNS, model_ram(m), 3);
	b.syncs = true;
	buffer_attach(&b);
	sharing_set(m, sharing, 0);
	list = buffer_map(&b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);

	sharing_set(m, sharing, 1);
	if (sharing->conflict) {
		expect_refused(&b, -EREMOTEIO, DMA_BUF_P2P_BOUNCE_SHARED);
		/* The copy is older than the memory, so it is not copied back. */
		KUNIT_EXPECT_TRUE(test, m->undone_with & DMA_ATTR_SKIP_CPU_SYNC);
	} else {
		other = buffer_map(&b);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, other);
		buffer_expect_reached(&b, other);
		buffer_unmap(&b, other);
	}

	/* In any case the first mapping still exists and is shown. */
	buffer_expect_reached(&b, list);
	buffer_expect_fdinfo(&b, true, "\nmap:\t%s memory=%s route=per-run",
			     dev_name(m->dev),
			     sharing->bounced[0] ? "bounced" : "system");

	/* Without the first mapping there is no conflict. */
	m->dir = sharing->dir[0];
	buffer_unmap(&b, list);
	sharing_set(m, sharing, 1);
	list = buffer_map(&b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	buffer_close(&b, list);
}

static struct kunit_case bounce_cases[] = {
	KUNIT_CASE(what_nobody_copies_is_not_bounced),
	KUNIT_CASE(what_the_exporter_syncs_is_bounced),
	KUNIT_CASE(bounced_memory_is_copied_when_it_is_unmapped),
	KUNIT_CASE(bounce_buffer_is_taken_before_the_cpu_writes),
	KUNIT_CASE(bounced_memory_is_cut_at_whole_pages),
	KUNIT_CASE(what_does_not_bounce_is_not_cut),
	KUNIT_CASE(need_to_unmap_is_asked_after_mapping),
	KUNIT_CASE(exporter_can_forbid_it),
	KUNIT_CASE(coherent_memory_is_not_bounced),
	KUNIT_CASE(carve_out_is_not_bounced),
	KUNIT_CASE(own_memory_is_bounced_unless_it_is_not_synced),
	KUNIT_CASE(full_bounce_buffers_are_out_of_memory),
	KUNIT_CASE(map_ops_bounce_by_the_same_rule),
	KUNIT_CASE_PARAM(bounced_memory_is_shared_only_if_nobody_writes,
			 sharing_gen_params),
	{}
};

static struct kunit_suite bounce_suite = {
	.name = "dma-buf-bounce",
	.init = model_init,
	.exit = model_exit,
	.test_cases = bounce_cases,
};

kunit_test_suite(bounce_suite);
