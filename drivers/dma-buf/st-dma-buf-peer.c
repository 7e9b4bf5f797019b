// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of a peer: how it is reached, and how it is taken back
 */
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/jiffies.h>
#include <linux/slab.h>

#include "st-dma-buf-model.h"

/* The memory of a peer */

static void peer_behind_a_switch_gets_bus_addresses(struct kunit *test)
{
	struct model *m = test->priv;

	model_with_peer(m, PCI_P2PDMA_MAP_BUS_ADDR);
	m->provider.bus_offset = BIT_ULL(46);
	buffer_check(m, BUFFER_BAR, model_bar, 3, DMA_BUF_ROUTE_BUS_ADDR, 3, 3);
	/* Usually bus addresses are lower than physical ones. */
	m->provider.bus_offset = -(MODEL_BAR - SZ_1G);
	buffer_check(m, BUFFER_BAR, model_bar, 3, DMA_BUF_ROUTE_BUS_ADDR, 3, 3);
	KUNIT_EXPECT_EQ(test, m->calls, 0);
}

/* An IOMMU has no part in what a switch turns around. */
static void bus_addresses_ignore_an_iommu(struct kunit *test)
{
	struct model *m = test->priv;

	model_behind_iommu(m);
	model_with_peer(m, PCI_P2PDMA_MAP_BUS_ADDR);
	buffer_check(m, BUFFER_BAR, model_bar, 3, DMA_BUF_ROUTE_BUS_ADDR, 3, 3);
	KUNIT_EXPECT_EQ(test, m->calls, 0);
}

/* Tries to map @model_bar, returns why it is refused. */
static enum dma_buf_p2p_reason refusal(struct model *m)
{
	enum dma_buf_p2p_reason reason;
	struct dma_buf_list *list;
	struct buffer b;
	int ret;

	buffer_init(&b, m, BUFFER_BAR, model_bar, 3);
	buffer_attach(&b);
	list = buffer_map(&b);
	ret = PTR_ERR_OR_ZERO(list);
	reason = b.attach->p2p.map_reason;
	KUNIT_EXPECT_EQ(m->test, b.attach->p2p.map_error, ret);
	KUNIT_EXPECT_EQ(m->test, ret,
			reason == DMA_BUF_P2P_OK ? 0 : -EREMOTEIO);
	if (!ret)
		buffer_unmap(&b, list);
	buffer_expect_unmapped(&b);
	buffer_put(&b);
	return reason;
}

/* And with this mask? */
static enum dma_buf_p2p_reason refusal_with_mask(struct model *m, u64 mask)
{
	m->mask = mask;
	return refusal(m);
}

#define EXPECT_REASON(why, mask) \
	KUNIT_EXPECT_EQ(test, refusal_with_mask(m, mask), DMA_BUF_P2P_##why)

static void bus_address_beyond_the_mask_is_out_of_reach(struct kunit *test)
{
	struct model *m = test->priv;
	u64 last = model_bar[2].paddr + PAGE_SIZE - 1;

	model_with_peer(m, PCI_P2PDMA_MAP_BUS_ADDR);
	EXPECT_REASON(DMA_MASK, DMA_BIT_MASK(32));
	EXPECT_REASON(DMA_MASK, last - 1);
	EXPECT_REASON(OK, last);
	/* It is the address on the bus that counts. */
	m->provider.bus_offset = -MODEL_BAR;
	EXPECT_REASON(OK, DMA_BIT_MASK(32));
	m->provider.bus_offset = -model_bar[2].paddr - SZ_64K;
	EXPECT_REASON(DMA_MASK, DMA_BIT_MASK(63));
}

static void peer_beyond_the_mask_is_out_of_reach(struct kunit *test)
{
	struct model *m = test->priv;
	u64 last = model_bar[2].paddr + PAGE_SIZE - 1;

	model_with_peer(m, PCI_P2PDMA_MAP_THRU_HOST_BRIDGE);
	EXPECT_REASON(DMA_MASK, DMA_BIT_MASK(32));
	EXPECT_REASON(DMA_MASK, last - 1);
	EXPECT_REASON(OK, last);
	/* Where the bus begins elsewhere it is the address there that counts. */
	m->dma_offset = -MODEL_BAR;
	EXPECT_REASON(OK, DMA_BIT_MASK(32));
}

/* Traffic that a switch turns round does not reach the host bridge. */
static void limit_of_the_host_bridge_is_not_one_of_a_switch(struct kunit *test)
{
	struct model *m = test->priv;

	m->bus_limit = MODEL_BAR - 1;
	model_with_peer(m, PCI_P2PDMA_MAP_BUS_ADDR);
	EXPECT_REASON(OK, DMA_BIT_MASK(64));
	m->map_type = PCI_P2PDMA_MAP_THRU_HOST_BRIDGE;
	EXPECT_REASON(DMA_MASK, DMA_BIT_MASK(64));
}

/* The core tries, since some dma_map_ops can map it. */
static void map_ops_that_map_no_mmio_say_so(struct kunit *test)
{
	struct model *m = test->priv;

	model_with_map_ops(m);
	model_with_peer(m, PCI_P2PDMA_MAP_THRU_HOST_BRIDGE);
	KUNIT_EXPECT_EQ(test, refusal(m), DMA_BUF_P2P_OK);
	m->no_mmio = true;
	KUNIT_EXPECT_EQ(test, refusal(m), DMA_BUF_P2P_MAP_OPS);
	KUNIT_EXPECT_EQ(test, m->map_calls, 4);

	/* Nobody calls them for a bus address. */
	m->map_type = PCI_P2PDMA_MAP_BUS_ADDR;
	KUNIT_EXPECT_EQ(test, refusal(m), DMA_BUF_P2P_OK);
	KUNIT_EXPECT_EQ(test, m->map_calls, 4);
}

/* With swiotlb=force device memory is refused, because it cannot be bounced. */
static void forced_bouncing_is_not_a_matter_of_the_mask(struct kunit *test)
{
	struct model *m = test->priv;

	model_with_bouncing(m);
	model_with_peer(m, PCI_P2PDMA_MAP_THRU_HOST_BRIDGE);
	EXPECT_REASON(BOUNCE, DMA_BIT_MASK(64));
	EXPECT_REASON(DMA_MASK, DMA_BIT_MASK(32));
	m->map_type = PCI_P2PDMA_MAP_BUS_ADDR;
	EXPECT_REASON(OK, DMA_BIT_MASK(64));
}

static void exporter_can_fall_back_to_system_memory(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_list *list;
	struct buffer b;

	model_with_peer(m, PCI_P2PDMA_MAP_BUS_ADDR);
	m->mask = MODEL_BAR - 1;
	buffer_init(&b, m, BUFFER_BAR, model_bar, 3);
	b.system = model_ram(m);
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
	buffer_init(&b, m, BUFFER_BAR, model_bar, 3);
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
	buffer_init(&b, m, BUFFER_BAR, model_bar, 3);
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
	buffer_init(&b, m, BUFFER_BAR, model_bar, 3);
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
		list = buffer_open(&b, m, BUFFER_BAR, model_bar, 3);
		memset(&m->provider, 0xff, sizeof(m->provider));
		b.provider = NULL;
		buffer_close(&b, list);
		m->provider = was;
	}
	KUNIT_EXPECT_EQ(test, m->map_calls, 3);
	KUNIT_EXPECT_EQ(test, m->link_calls, 1);
}

/* Taking it back */

/**
 * struct holder - an importer that has a buffer mapped
 * @attach: its attachment
 * @list: its mapping, or NULL
 * @told: how often it was told to let go
 * @lets_go: then it does
 */
struct holder {
	struct dma_buf_attachment *attach;
	struct dma_buf_list *list;
	unsigned int told;
	bool lets_go;
};

static void holder_invalidate(struct dma_buf_attachment *attach)
{
	struct holder *h = attach->importer_priv;

	h->told++;
	if (!h->lets_go || !h->list)
		return;
	dma_buf_list_unmap(attach, h->list);
	h->list = NULL;
}

static const struct dma_buf_attach_ops promises = {
	.allow_peer2peer = true,
	.invalidate_mappings = holder_invalidate,
};

static const struct dma_buf_attach_ops no_promise = {
	.allow_peer2peer = true,
};

static struct dma_buf_list *holder_map(struct buffer *b, struct holder *h)
{
	struct dma_buf_list *list;

	list = dma_buf_list_map_unlocked(h->attach, b->m->dir);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(b->m->test, list);
	return list;
}

static void holder_attach(struct buffer *b, struct holder *h,
			  const struct dma_buf_attach_ops *ops)
{
	h->attach = dma_buf_dynamic_attach(b->dmabuf, b->m->dev, ops, h);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(b->m->test, h->attach);
	h->list = holder_map(b, h);
}

static void holder_detach(struct buffer *b, struct holder *h)
{
	if (h->list)
		dma_buf_list_unmap_unlocked(h->attach, h->list);
	h->list = NULL;
	dma_buf_detach(b->dmabuf, h->attach);
}

static void revoke_open(struct kunit *test, struct buffer *b)
{
	model_with_peer(test->priv, PCI_P2PDMA_MAP_BUS_ADDR);
	buffer_init(b, test->priv, BUFFER_BAR, model_bar, 3);
	buffer_export(b);
}

/* In jiffies: what is waited for in vain, and what should not be waited for */
#define SOON	(HZ / 50)
#define LATE	(5 * HZ)

/* Returns at once, with @left mappings left. */
static void expect_revoked(struct buffer *b, unsigned int left)
{
	unsigned long start = jiffies;

	KUNIT_EXPECT_EQ(b->m->test, left, dma_buf_revoke_mappings(b->dmabuf, LATE));
	KUNIT_EXPECT_LT(b->m->test, jiffies - start, (unsigned long)LATE);
}

/* Waits, but only until the timeout. */
static void expect_revoked_late(struct buffer *b, unsigned int left)
{
	unsigned long start = jiffies;

	KUNIT_EXPECT_EQ(b->m->test, left, dma_buf_revoke_mappings(b->dmabuf, SOON));
	KUNIT_EXPECT_GE(b->m->test, jiffies - start, (unsigned long)SOON);
	KUNIT_EXPECT_LT(b->m->test, jiffies - start, (unsigned long)LATE);
}

static void who_promised_lets_go(struct kunit *test)
{
	struct holder h = { .lets_go = true };
	struct buffer b;

	revoke_open(test, &b);
	holder_attach(&b, &h, &promises);
	expect_revoked(&b, 0);
	KUNIT_EXPECT_EQ(test, h.told, 1);
	KUNIT_EXPECT_NULL(test, h.list);
	holder_detach(&b, &h);
	buffer_put(&b);
}

/* The importer has invalidate_mappings, but never unmaps. */
static void who_promised_is_not_waited_for_forever(struct kunit *test)
{
	struct holder h = { }, other = { .lets_go = true };
	struct buffer b;

	revoke_open(test, &b);
	holder_attach(&b, &h, &promises);
	holder_attach(&b, &other, &promises);
	expect_revoked_late(&b, 1);
	KUNIT_EXPECT_EQ(test, h.told, 1);
	KUNIT_EXPECT_NOT_NULL(test, h.list);
	KUNIT_EXPECT_NULL(test, other.list);
	holder_detach(&b, &other);
	holder_detach(&b, &h);
	buffer_put(&b);
}

/* These may use the buffer for as long as it exists. */
static void who_did_not_promise_is_not_waited_for(struct kunit *test)
{
	struct holder h = { };
	struct buffer b;

	revoke_open(test, &b);
	holder_attach(&b, &h, &no_promise);
	expect_revoked(&b, 1);
	KUNIT_EXPECT_NOT_NULL(test, h.list);
	holder_detach(&b, &h);
	buffer_put(&b);
}

static void map_in_system_memory(struct buffer *b)
{
	b->kind = BUFFER_RUNS;
	b->vec = model_ram(b->m);
	b->m->attrs = 0;
}

static void system_memory_is_not_taken_back(struct kunit *test)
{
	struct holder h = { }, peer = { .lets_go = true };
	struct buffer b;

	revoke_open(test, &b);
	holder_attach(&b, &peer, &promises);
	map_in_system_memory(&b);
	holder_attach(&b, &h, &promises);
	expect_revoked(&b, 0);
	KUNIT_EXPECT_EQ(test, h.told, 0);
	KUNIT_EXPECT_NOT_NULL(test, h.list);
	KUNIT_EXPECT_EQ(test, peer.told, 1);
	holder_detach(&b, &peer);
	holder_detach(&b, &h);
	buffer_put(&b);
}

/* Each mapping counts, not what the last one of an importer is. */
static void later_mapping_does_not_hide_an_earlier_one(struct kunit *test)
{
	struct holder h = { .lets_go = true };
	struct dma_buf_list *later;
	struct buffer b;

	revoke_open(test, &b);
	holder_attach(&b, &h, &promises);
	map_in_system_memory(&b);
	later = holder_map(&b, &h);
	KUNIT_EXPECT_FALSE(test, dma_buf_list_is_peer(later));

	expect_revoked(&b, 0);
	KUNIT_EXPECT_EQ(test, h.told, 1);
	KUNIT_EXPECT_NULL(test, h.list);
	KUNIT_EXPECT_EQ(test, buffer_nmaps(&b), 1);

	dma_buf_list_unmap_unlocked(h.attach, later);
	holder_detach(&b, &h);
	buffer_put(&b);
}

static const char *busy_name(struct dma_fence *fence)
{
	return "busy";
}

static const struct dma_fence_ops busy_ops = {
	.get_driver_name = busy_name,
	.get_timeline_name = busy_name,
};

/* Neither is its device. Fences and importers share one timeout. */
static void device_is_not_waited_for_forever(struct kunit *test)
{
	struct holder h = { };
	struct dma_fence *busy;
	struct buffer b;

	revoke_open(test, &b);
	holder_attach(&b, &h, &promises);
	busy = kzalloc_obj(*busy);
	KUNIT_ASSERT_NOT_NULL(test, busy);
	dma_fence_init(busy, &busy_ops, NULL, 0, 0);
	dma_resv_lock(b.dmabuf->resv, NULL);
	KUNIT_ASSERT_EQ(test, 0, dma_resv_reserve_fences(b.dmabuf->resv, 1));
	dma_resv_add_fence(b.dmabuf->resv, busy, DMA_RESV_USAGE_BOOKKEEP);
	dma_resv_unlock(b.dmabuf->resv);

	expect_revoked_late(&b, 1);
	KUNIT_EXPECT_EQ(test, h.told, 1);

	dma_fence_signal(busy);
	dma_fence_put(busy);
	holder_detach(&b, &h);
	buffer_put(&b);
}

static struct kunit_case dma_buf_peer_cases[] = {
	KUNIT_CASE(peer_behind_a_switch_gets_bus_addresses),
	KUNIT_CASE(bus_addresses_ignore_an_iommu),
	KUNIT_CASE(bus_address_beyond_the_mask_is_out_of_reach),
	KUNIT_CASE(peer_beyond_the_mask_is_out_of_reach),
	KUNIT_CASE(limit_of_the_host_bridge_is_not_one_of_a_switch),
	KUNIT_CASE(map_ops_that_map_no_mmio_say_so),
	KUNIT_CASE(forced_bouncing_is_not_a_matter_of_the_mask),
	KUNIT_CASE(exporter_can_fall_back_to_system_memory),
	KUNIT_CASE(unreachable_peer_is_refused_without_a_try),
	KUNIT_CASE(memory_of_another_device_is_refused),
	KUNIT_CASE(other_provider_of_the_device_counts),
	KUNIT_CASE(undo_needs_no_provider),
	KUNIT_CASE(who_promised_lets_go),
	KUNIT_CASE(who_promised_is_not_waited_for_forever),
	KUNIT_CASE(who_did_not_promise_is_not_waited_for),
	KUNIT_CASE(system_memory_is_not_taken_back),
	KUNIT_CASE(later_mapping_does_not_hide_an_earlier_one),
	KUNIT_CASE(device_is_not_waited_for_forever),
	{}
};

static struct kunit_suite dma_buf_peer_suite = {
	.name = "dma-buf-peer",
	.init = model_init,
	.exit = model_exit,
	.test_cases = dma_buf_peer_cases,
};

kunit_test_suite(dma_buf_peer_suite);
