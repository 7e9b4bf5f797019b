// SPDX-License-Identifier: GPL-2.0-only
/*
 * The query before attaching returns what the importer gets when it attaches
 */
#include <kunit/static_stub.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/dma-resv.h>
#include <linux/kthread.h>
#include <linux/mutex.h>

#include "st-dma-buf-model.h"

static bool reach_bound = true;

static bool reach_is_bound(struct device *dev)
{
	return reach_bound;
}

static int reach_init(struct kunit *test)
{
	int ret = model_init(test);

	reach_bound = true;
	if (!ret)
		kunit_activate_static_stub(test, dma_buf_hw_is_bound, reach_is_bound);
	return ret;
}

static struct dma_buf_query_reach ask(struct buffer *b, u32 flags)
{
	struct dma_buf_query_reach arg = { .flags = flags };

	dma_buf_reach(b->dmabuf, b->m->dev, &arg);
	return arg;
}

static const struct phys_vec *reach_vec(struct model *m, enum buffer_kind kind)
{
	return kind == BUFFER_BAR || kind == BUFFER_PHYS ? model_bar : model_ram(m);
}

/* Compares the answers before and after with what the importer gets. */
static void answer_comes_true_on_each_machine(struct kunit *test)
{
	const struct model_machine *machine = model_machine_set_up(test);
	struct dma_buf_query_reach before, after;
	struct model *m = test->priv;
	unsigned long nranges = 0;
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk range;
	struct dma_buf_list *list;
	struct buffer b;
	bool peer;

	buffer_init(&b, m, machine->kind, reach_vec(m, machine->kind), 3);
	/* Only a BAR is offered to peers. */
	b.no_offer = machine->kind != BUFFER_BAR;
	buffer_export(&b);
	b.dmabuf->size = 7 * PAGE_SIZE;
	before = ask(&b, 0);

	b.attach = dma_buf_dynamic_attach(b.dmabuf, m->dev, &b.importer, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, b.attach);
	list = buffer_map(&b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	after = ask(&b, 0);

	KUNIT_EXPECT_EQ(test, before.reason, b.attach->p2p.reason);
	KUNIT_EXPECT_EQ(test, after.reason, b.attach->p2p.reason);
	peer = before.memory == DMA_BUF_MEMORY_PEER;
	KUNIT_EXPECT_EQ(test, peer, dma_buf_list_is_peer(list));

	/* A carve-out is not mapped as system memory. */
	if (machine->kind != BUFFER_PHYS) {
		KUNIT_EXPECT_EQ(test, before.route, list->route);
		KUNIT_EXPECT_EQ(test, after.route, list->route);
	}

	dma_buf_list_for_each_range(range, &cursor, list)
		nranges++;
	if (before.contiguous == DMA_BUF_CONTIGUOUS_YES)
		KUNIT_EXPECT_EQ(test, nranges, 1);
	if (after.contiguous != DMA_BUF_CONTIGUOUS_UNKNOWN)
		KUNIT_EXPECT_EQ(test, after.contiguous == DMA_BUF_CONTIGUOUS_YES,
				nranges == 1);
	/* Behind an IOMMU it is known before, and without one as soon as it was mapped. */
	if (list->route == DMA_BUF_ROUTE_IOVA)
		KUNIT_EXPECT_EQ(test, before.contiguous, DMA_BUF_CONTIGUOUS_YES);
	if (list->route == DMA_BUF_ROUTE_BUS_ADDR)
		KUNIT_EXPECT_EQ(test, after.contiguous, DMA_BUF_CONTIGUOUS_NO);
	buffer_close(&b, list);
}

static void exporter_alone_may_know_if_it_is_contiguous(struct kunit *test)
{
	struct dma_buf_list *list;
	struct model *m = test->priv;
	struct buffer b;

	model_with_peer(m, PCI_P2PDMA_MAP_BUS_ADDR);
	buffer_init(&b, m, BUFFER_BAR, model_bar, 1);
	buffer_export(&b);
	KUNIT_EXPECT_EQ(test, ask(&b, 0).contiguous, DMA_BUF_CONTIGUOUS_YES);
	b.dmabuf->size = 4 * PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, ask(&b, 0).contiguous, DMA_BUF_CONTIGUOUS_UNKNOWN);

	b.attach = dma_buf_dynamic_attach(b.dmabuf, m->dev, &b.importer, NULL);
	list = buffer_map(&b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	KUNIT_EXPECT_EQ(test, ask(&b, 0).contiguous, DMA_BUF_CONTIGUOUS_YES);
	/* That is the BAR. Where else it may come to lie nobody knows. */
	KUNIT_EXPECT_EQ(test, ask(&b, DMA_BUF_REACH_NO_PEER2PEER).contiguous,
			DMA_BUF_CONTIGUOUS_UNKNOWN);
	buffer_close(&b, list);
}

/**
 * struct question - one that is not about the best of all importers
 * @name: of the test
 * @flags: of the question
 * @answer: of the exporter
 * @no_offer: the exporter has none
 * @peer_only: the exporter has nothing else
 * @allow_phys: and lets it be mapped into an IOMMU domain
 * @far: p2pdma finds no way
 * @reason: what has to be returned
 * @memory: what has to be returned
 */
struct question {
	const char *name;
	u32 flags;
	enum dma_buf_p2p_reason answer;
	bool no_offer, peer_only, allow_phys, far;
	enum dma_buf_p2p_reason reason;
	enum dma_buf_memory_kind memory;
};

#define SAYS(r, m)	.reason = DMA_BUF_P2P_##r, .memory = DMA_BUF_MEMORY_##m

static const struct question questions[] = {
	{ "best importer", SAYS(OK, PEER) },
	{ "no route", .far = true, SAYS(NO_ROUTE, SYSTEM) },
	{ "no route and nothing else", .far = true, .peer_only = true,
	  SAYS(NO_ROUTE, NONE) },
	{ "importer of system memory", DMA_BUF_REACH_NO_PEER2PEER,
	  SAYS(IMPORTER, SYSTEM) },
	{ "importer of system memory that is not there",
	  DMA_BUF_REACH_NO_PEER2PEER, .peer_only = true, SAYS(IMPORTER, NONE) },
	{ "exporter of system memory", .no_offer = true, SAYS(EXPORTER, SYSTEM) },
	{ "importer that keeps it", DMA_BUF_REACH_NOT_REVOCABLE,
	  SAYS(NOT_REVOCABLE, SYSTEM) },
	{ "physical addresses", DMA_BUF_REACH_PHYS, .far = true,
	  .allow_phys = true, SAYS(PHYS, PEER) },
	{ "no physical addresses", DMA_BUF_REACH_PHYS, SAYS(NO_PHYS, NONE) },
	{ "private link", 0, DMA_BUF_P2P_PRIVATE_LINK, .far = true,
	  SAYS(PRIVATE_LINK, PEER) },
	{ "revoked", 0, DMA_BUF_P2P_REVOKED, SAYS(REVOKED, SYSTEM) },
	{ "revoked for good", 0, DMA_BUF_P2P_REVOKED, .peer_only = true,
	  SAYS(REVOKED, NONE) },
};

static void question_name(const struct question *q, char *desc)
{
	strscpy(desc, q->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(question, questions, question_name);

static enum dma_buf_p2p_reason
revocable_only(struct dma_buf_attachment *attach, struct p2pdma_provider **provider)
{
	struct buffer *b = attach->dmabuf->priv;

	if (!dma_buf_attach_revocable(attach))
		return DMA_BUF_P2P_NOT_REVOCABLE;
	*provider = b->provider;
	return b->answer;
}

/* An importer that is as the flags say gets what they were told. */
static void each_question_has_the_answer_of_attaching(struct kunit *test)
{
	const struct question *q = test->param_value;
	struct dma_buf_query_reach arg;
	struct model *m = test->priv;
	struct buffer b;

	model_with_peer(m, PCI_P2PDMA_MAP_THRU_HOST_BRIDGE);
	if (q->far)
		m->distance = -1;
	buffer_init(&b, m, BUFFER_BAR, model_bar, ARRAY_SIZE(model_bar));
	b.no_offer = q->no_offer;
	b.peer_only = q->peer_only;
	b.allow_phys = q->allow_phys;
	b.answer = q->answer;
	buffer_export(&b);
	if (!q->no_offer)
		b.ops.peer2peer = revocable_only;

	arg = ask(&b, q->flags);
	KUNIT_EXPECT_STREQ(test, dma_buf_p2p_reason_token(arg.reason),
			   dma_buf_p2p_reason_token(q->reason));
	KUNIT_EXPECT_EQ(test, arg.memory, q->memory);
	KUNIT_EXPECT_TRUE(test, list_empty(&b.dmabuf->attachments));
	KUNIT_EXPECT_EQ(test, b.dmabuf->refusal.error, 0);

	/* The question may have ended with the distance. */
	m->p2p_calls = 0;
	b.importer.allow_peer2peer = !(q->flags & DMA_BUF_REACH_NO_PEER2PEER);
	b.importer.phys_only = q->flags & DMA_BUF_REACH_PHYS;
	if (q->flags & DMA_BUF_REACH_NOT_REVOCABLE)
		b.importer.invalidate_mappings = NULL;
	b.attach = dma_buf_dynamic_attach(b.dmabuf, m->dev, &b.importer, NULL);
	KUNIT_EXPECT_EQ(test, IS_ERR(b.attach), q->memory == DMA_BUF_MEMORY_NONE);
	if (!IS_ERR(b.attach)) {
		KUNIT_EXPECT_EQ(test, b.attach->p2p.reason, q->reason);
		KUNIT_EXPECT_EQ(test, b.attach->peer2peer,
				q->memory == DMA_BUF_MEMORY_PEER);
	}
	buffer_put(&b);
}

/* A driver holds it for as long as its device takes. */
static void question_does_not_wait_for_the_reservation_lock(struct kunit *test)
{
	struct model *m = test->priv;
	struct buffer b;

	model_with_peer(m, PCI_P2PDMA_MAP_BUS_ADDR);
	buffer_init(&b, m, BUFFER_BAR, model_bar, ARRAY_SIZE(model_bar));
	buffer_export(&b);
	dma_resv_lock(b.dmabuf->resv, NULL);
	KUNIT_EXPECT_EQ(test, ask(&b, 0).reason, DMA_BUF_P2P_OK);
	KUNIT_EXPECT_EQ(test, ask(&b, 0).route, DMA_BUF_ROUTE_BUS_ADDR);
	dma_resv_unlock(b.dmabuf->resv);
	buffer_put(&b);
}

static void question_leaves_nothing_behind(struct kunit *test)
{
	struct model *m = test->priv;
	unsigned int refs = kref_read(&m->dev->kobj.kref);
	struct buffer b;
	char *before;

	model_with_peer(m, PCI_P2PDMA_MAP_THRU_HOST_BRIDGE);
	buffer_init(&b, m, BUFFER_BAR, model_bar, ARRAY_SIZE(model_bar));
	b.can_pin = true;
	b.attach_error = -EIO;
	buffer_export(&b);
	before = buffer_fdinfo(&b);
	KUNIT_EXPECT_EQ(test, ask(&b, 0).reason, DMA_BUF_P2P_OK);
	KUNIT_EXPECT_EQ(test, b.offers, 1);
	KUNIT_EXPECT_EQ(test, b.pins, 0);
	KUNIT_EXPECT_EQ(test, m->map_calls + m->alloc_calls + m->sg_calls, 0);
	KUNIT_EXPECT_EQ(test, kref_read(&m->dev->kobj.kref), refs);
	KUNIT_EXPECT_STREQ(test, before, buffer_fdinfo(&b));
	buffer_put(&b);
}

/* Without a driver the DMA mask of the device is not known. */
static void device_without_a_driver_has_no_route(struct kunit *test)
{
	struct model *m = test->priv;
	struct buffer b;

	m->iommu = true;
	model_with_peer(m, PCI_P2PDMA_MAP_THRU_HOST_BRIDGE);
	buffer_init(&b, m, BUFFER_BAR, model_bar, ARRAY_SIZE(model_bar));
	buffer_export(&b);
	b.dmabuf->size = 7 * PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, ask(&b, 0).route, DMA_BUF_ROUTE_IOVA);
	reach_bound = false;
	KUNIT_EXPECT_EQ(test, ask(&b, 0).reason, DMA_BUF_P2P_OK);
	KUNIT_EXPECT_EQ(test, ask(&b, 0).memory, DMA_BUF_MEMORY_PEER);
	KUNIT_EXPECT_EQ(test, ask(&b, 0).route, DMA_BUF_ROUTE_NONE);
	KUNIT_EXPECT_EQ(test, ask(&b, 0).contiguous, DMA_BUF_CONTIGUOUS_UNKNOWN);

	/* Where a switch turns it round the host has no say. */
	m->map_type = PCI_P2PDMA_MAP_BUS_ADDR;
	KUNIT_EXPECT_EQ(test, ask(&b, 0).route, DMA_BUF_ROUTE_BUS_ADDR);
	buffer_put(&b);
}

static void memory_that_may_be_bounced_is_told(struct kunit *test)
{
	struct model *m = test->priv;
	struct buffer b;

	buffer_init(&b, m, BUFFER_RUNS, model_ram(m), 3);
	b.no_offer = true;
	buffer_export(&b);
	KUNIT_EXPECT_EQ(test, ask(&b, 0).memory, DMA_BUF_MEMORY_SYSTEM);
	model_with_bouncing(m);
	KUNIT_EXPECT_EQ(test, ask(&b, 0).memory, DMA_BUF_MEMORY_BOUNCED);
	buffer_put(&b);
}

struct revoker {
	struct dma_buf *dmabuf;
	struct completion done;
};

static int revoke(void *data)
{
	struct revoker *r = data;

	dma_buf_revoke_mappings(r->dmabuf, 0);
	complete(&r->done);
	return 0;
}

/* When this returns, nobody uses the provider any more. */
static void revoking_waits_for_who_has_the_provider(struct kunit *test)
{
	struct model *m = test->priv;
	struct revoker r;
	struct buffer b;

	model_with_peer(m, PCI_P2PDMA_MAP_BUS_ADDR);
	buffer_init(&b, m, BUFFER_BAR, model_bar, ARRAY_SIZE(model_bar));
	buffer_export(&b);
	r.dmabuf = b.dmabuf;
	init_completion(&r.done);

	mutex_lock(&b.dmabuf->offer_lock);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, kthread_run(revoke, &r, "revoker"));
	KUNIT_EXPECT_EQ(test, wait_for_completion_timeout(&r.done, HZ / 10), 0);
	mutex_unlock(&b.dmabuf->offer_lock);
	KUNIT_EXPECT_NE(test, wait_for_completion_timeout(&r.done, 10 * HZ), 0);
	buffer_put(&b);
}

static unsigned int nr_patience, nr_left;

static void count_warning(const struct dma_buf_list *list, const char *what)
{
	if (strstr(what, "is waited for"))
		nr_patience++;
	if (strstr(what, "does not let go"))
		nr_left++;
}

/* An importer with an empty callback is named in the log. */
static void revoking_says_whom_it_waits_for(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_list *list;
	struct buffer b;

	kunit_activate_static_stub(test, dma_buf_revoke_warn, count_warning);
	nr_patience = 0;
	nr_left = 0;
	model_with_peer(m, PCI_P2PDMA_MAP_BUS_ADDR);
	buffer_init(&b, m, BUFFER_BAR, model_bar, ARRAY_SIZE(model_bar));
	buffer_attach(&b);
	list = buffer_map(&b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);

	KUNIT_EXPECT_EQ(test, dma_buf_revoke_mappings(b.dmabuf, HZ / 10), 1);
	KUNIT_EXPECT_EQ(test, nr_patience, 0);
	KUNIT_EXPECT_EQ(test, nr_left, 1);
	KUNIT_EXPECT_EQ(test, dma_buf_revoke_mappings(b.dmabuf, 3 * HZ + HZ / 10), 1);
	KUNIT_EXPECT_EQ(test, nr_patience, 1);
	KUNIT_EXPECT_EQ(test, nr_left, 2);
	buffer_unmap(&b, list);
	KUNIT_EXPECT_EQ(test, dma_buf_revoke_mappings(b.dmabuf, 4 * HZ), 0);
	KUNIT_EXPECT_EQ(test, nr_patience, 1);
	KUNIT_EXPECT_EQ(test, nr_left, 2);
	buffer_put(&b);
}

static struct kunit_case reach_cases[] = {
	KUNIT_CASE_PARAM(answer_comes_true_on_each_machine, model_machine_gen_params),
	KUNIT_CASE(exporter_alone_may_know_if_it_is_contiguous),
	KUNIT_CASE_PARAM(each_question_has_the_answer_of_attaching, question_gen_params),
	KUNIT_CASE(question_does_not_wait_for_the_reservation_lock),
	KUNIT_CASE(question_leaves_nothing_behind),
	KUNIT_CASE(device_without_a_driver_has_no_route),
	KUNIT_CASE(memory_that_may_be_bounced_is_told),
	KUNIT_CASE(revoking_waits_for_who_has_the_provider),
	KUNIT_CASE_SLOW(revoking_says_whom_it_waits_for),
	{ }
};

static struct kunit_suite reach_suite = {
	.name = "dma-buf-reach",
	.init = reach_init,
	.exit = model_exit,
	.test_cases = reach_cases,
};

kunit_test_suite(reach_suite);
