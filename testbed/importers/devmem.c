// SPDX-License-Identifier: GPL-2.0-only
/*
 * net devmem with queues that are only counted, and the model of the hardware that
 * the KUnit tests of dma-buf have: what is bound, and what happens when the exporter
 * takes it back while somebody binds, has unbound, or the netdev goes away
 */
#define CONFIG_NET_DEVMEM 1
#define _TRACE_PAGE_POOL_H
#define trace_page_pool_state_hold(...) do { } while (0)
#include "lib/genalloc.c"
#include <linux/fdtable.h>
#include <linux/fcntl.h>
#include <linux/dma-resv.h>
#include "net/core/devmem.c"
#include "st-dma-buf-model.h"

static int nr_open, nr_close, nr_bad;
int zcrx_nr_close, zcrx_nr_bad;

int netif_mp_open_rxq(struct net_device *dev, unsigned int rxq_idx,
		      const struct pp_memory_provider_params *p, struct netlink_ext_ack *extack)
{
	struct netdev_rx_queue *rxq = __netif_get_rx_queue(dev, rxq_idx);

	if (!mutex_is_locked(&dev->lock) || rxq->mp_params.mp_ops)
		nr_bad++;
	rxq->mp_params = *p;
	nr_open++;
	return 0;
}

int netif_mp_close_rxq(struct net_device *dev, unsigned int rxq_idx,
			const struct pp_memory_provider_params *p)
{
	struct netdev_rx_queue *rxq = __netif_get_rx_queue(dev, rxq_idx);
	struct net_devmem_dmabuf_binding *binding = p->mp_priv;

	if (p->mp_ops != &dmabuf_devmem_ops) {
		zcrx_nr_close++;
		if (!mutex_is_locked(&dev->lock) || rxq->mp_params.mp_ops != p->mp_ops ||
		    rxq->mp_params.mp_priv != p->mp_priv)
			zcrx_nr_bad++;
		memset(&rxq->mp_params, 0, sizeof(rxq->mp_params));
		return 0;
	}
	if (!mutex_is_locked(&dev->lock) || rxq->mp_params.mp_ops != p->mp_ops ||
	    rxq->mp_params.mp_priv != p->mp_priv || !binding->mapping)
		nr_bad++;
	memset(&rxq->mp_params, 0, sizeof(rxq->mp_params));
	nr_close++;
	return 0;
}

void synchronize_net(void) { synchronize_rcu(); }
void netdev_warn(const struct net_device *dev, const char *fmt, ...) { pr_info("netdev_warn: %s", fmt); }

struct nic {
	struct net_device *dev;
	struct netdev_nl_sock sock;
	struct buffer b;
};

static void nic_init(struct kunit *test, struct nic *n, enum buffer_kind kind,
		     const struct phys_vec *vec, size_t nr)
{
	size_t size = 0, i;

	memset(n, 0, sizeof(*n));
	nr_open = nr_close = nr_bad = 0;
	n->dev = kunit_kzalloc(test, sizeof(*n->dev), GFP_KERNEL);
	mutex_init(&n->dev->lock);
	refcount_set(&n->dev->dev_refcnt, 1);
	n->dev->num_rx_queues = n->dev->real_num_rx_queues = 4;
	n->dev->_rx = kunit_kcalloc(test, 4, sizeof(*n->dev->_rx), GFP_KERNEL);
	for (i = 0; i < 4; i++)
		n->dev->_rx[i].dev = n->dev;
	INIT_LIST_HEAD(&n->sock.bindings);
	mutex_init(&n->sock.lock);
	buffer_init(&n->b, test->priv, kind, vec, nr);
	n->b.can_pin = true;
	buffer_export(&n->b);
	for (i = 0; i < nr; i++)
		size += vec[i].len;
	n->b.dmabuf->size = size;
}

static struct net_devmem_dmabuf_binding *nic_bind(struct nic *n, enum dma_data_direction dir, int shift)
{
	struct net_devmem_dmabuf_binding *binding;
	int fd;

	n->b.m->dir = dir;
	get_dma_buf(n->b.dmabuf);
	fd = dma_buf_fd(n->b.dmabuf, O_CLOEXEC);
	binding = net_devmem_bind_dmabuf(n->dev, NULL, n->b.m->dev, dir, fd, shift, &n->sock, NULL);
	close_fd(fd);
	return binding;
}

static void nic_exit(struct nic *n)
{
	int i;

	for (i = 0; i < 200 && !list_empty(&n->b.dmabuf->attachments); i++)
		msleep(10);
	KUNIT_EXPECT_TRUE(n->b.m->test, list_empty(&n->b.dmabuf->attachments));
	KUNIT_EXPECT_EQ(n->b.m->test, nr_bad, 0);
	KUNIT_EXPECT_EQ(n->b.m->test, nr_open, nr_close);
	KUNIT_EXPECT_EQ(n->b.m->test, refcount_read(&n->dev->dev_refcnt), 1);
	buffer_put(&n->b);
}

/* Each page of the buffer once, whatever the size of a net_iov */
static void pages_above_4_gib(struct kunit *test)
{
	const struct phys_vec vec[] = { { .paddr = MODEL_BAR + SZ_2M, .len = 6ULL * SZ_1G + SZ_64M },
		{ .paddr = MODEL_BAR + 64ULL * SZ_1G, .len = SZ_4M } };
	struct net_devmem_dmabuf_binding *binding;
	struct net_iov *niov, **all;
	unsigned int nr, i, want = (6ULL * SZ_1G + SZ_64M + SZ_4M) / SZ_2M;
	struct nic n;

	model_with_peer(test->priv, PCI_P2PDMA_MAP_BUS_ADDR);
	nic_init(test, &n, BUFFER_BAR, vec, 2);
	netdev_lock(n.dev);
	binding = nic_bind(&n, DMA_FROM_DEVICE, 21);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, binding);
	KUNIT_EXPECT_EQ(test, n.b.pins, 1);
	KUNIT_EXPECT_TRUE(test, dma_buf_list_is_peer(binding->mapping));
	all = kvcalloc(want + 1, sizeof(*all), GFP_KERNEL);
	for (nr = 0; nr <= want && (niov = net_devmem_alloc_dmabuf(binding)); nr++) {
		u64 at = net_iov_virtual_addr(niov), phys;

		phys = at < vec[0].len ? vec[0].paddr + at : vec[1].paddr + (at - vec[0].len);
		if (model_reached(test->priv, net_devmem_get_dma_addr(niov)) != phys ||
		    niov->desc.dma_addr != net_devmem_get_dma_addr(niov) || at % SZ_2M)
			KUNIT_FAIL(test, "niov %u at %llx", nr, at);
		all[nr] = niov;
	}
	KUNIT_EXPECT_EQ(test, nr, want);
	for (i = 0; i < nr; i++)
		net_devmem_free_dmabuf(all[i]);
	kvfree(all);
	net_devmem_unbind_dmabuf(binding);
	netdev_unlock(n.dev);
	nic_exit(&n);
}

static void range_that_does_not_fit(struct kunit *test)
{
	const struct phys_vec vec[] = { V(MODEL_BAR, 4), V(MODEL_BAR + SZ_1M, 3) };
	struct nic n;

	model_with_peer(test->priv, PCI_P2PDMA_MAP_BUS_ADDR);
	nic_init(test, &n, BUFFER_BAR, vec, 2);
	netdev_lock(n.dev);
	KUNIT_EXPECT_EQ(test, -EINVAL, PTR_ERR_OR_ZERO(nic_bind(&n, DMA_FROM_DEVICE, PAGE_SHIFT + 1)));
	netdev_unlock(n.dev);
	KUNIT_EXPECT_TRUE(test, list_empty(&n.b.dmabuf->attachments));
	nic_exit(&n);
}

static void taken_back(struct kunit *test)
{
	struct net_devmem_dmabuf_binding *binding;
	struct page_pool pool = { };
	netmem_ref netmem;
	struct nic n;

	model_with_peer(test->priv, PCI_P2PDMA_MAP_BUS_ADDR);
	nic_init(test, &n, BUFFER_BAR, model_bar, 3);
	netdev_lock(n.dev);
	binding = nic_bind(&n, DMA_FROM_DEVICE, PAGE_SHIFT);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, binding);
	KUNIT_EXPECT_EQ(test, 0, net_devmem_bind_dmabuf_to_queue(n.dev, 1, binding, NULL));
	KUNIT_EXPECT_EQ(test, 0, net_devmem_bind_dmabuf_to_queue(n.dev, 3, binding, NULL));
	pool.mp_priv = binding;
	KUNIT_EXPECT_EQ(test, 0, mp_dmabuf_devmem_init(&pool));
	netmem = mp_dmabuf_devmem_alloc_netmems(&pool, GFP_KERNEL);
	KUNIT_EXPECT_NE(test, netmem, 0);
	netdev_unlock(n.dev);

	KUNIT_EXPECT_EQ(test, 0, dma_buf_revoke_mappings(n.b.dmabuf, 5 * HZ));
	KUNIT_EXPECT_EQ(test, nr_close, 2);
	KUNIT_EXPECT_NULL(test, binding->dev);
	KUNIT_EXPECT_NULL(test, binding->mapping);
	KUNIT_EXPECT_EQ(test, n.b.pins, 0);
	KUNIT_EXPECT_EQ(test, n.b.mapped, 0);
	/* Again means nothing. */
	dma_resv_lock(n.b.dmabuf->resv, NULL);
	dma_buf_invalidate_mappings(n.b.dmabuf);
	dma_resv_unlock(n.b.dmabuf->resv);
	KUNIT_EXPECT_FALSE(test, work_pending(&binding->revoke_w));

	/* As a socket that is closed, without the netdev */
	net_devmem_unbind_dmabuf(binding);
	msleep(50);
	KUNIT_EXPECT_FALSE(test, list_empty(&n.b.dmabuf->attachments));
	atomic_long_set(netmem_get_pp_ref_count_ref(netmem), 1);
	mp_dmabuf_devmem_release_page(&pool, netmem);
	mp_dmabuf_devmem_destroy(&pool);
	nic_exit(&n);
}

/* Before it has its queue, while who binds has the netdev */
static void taken_back_while_binding(struct kunit *test)
{
	struct net_devmem_dmabuf_binding *binding;
	struct nic n;

	model_with_peer(test->priv, PCI_P2PDMA_MAP_BUS_ADDR);
	nic_init(test, &n, BUFFER_BAR, model_bar, 3);
	netdev_lock(n.dev);
	binding = nic_bind(&n, DMA_FROM_DEVICE, PAGE_SHIFT);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, binding);
	KUNIT_EXPECT_EQ(test, 1, dma_buf_revoke_mappings(n.b.dmabuf, HZ / 20));
	KUNIT_EXPECT_EQ(test, 0, net_devmem_bind_dmabuf_to_queue(n.dev, 0, binding, NULL));
	KUNIT_EXPECT_NOT_NULL(test, binding->mapping);
	netdev_unlock(n.dev);
	flush_work(&binding->revoke_w);
	KUNIT_EXPECT_EQ(test, nr_close, 1);
	KUNIT_EXPECT_NULL(test, binding->mapping);
	net_devmem_unbind_dmabuf(binding);
	nic_exit(&n);
}

/* Unbound, but a socket still has a niov, and the netdev is gone */
static void taken_back_after_unbinding(struct kunit *test)
{
	struct net_devmem_dmabuf_binding *binding;
	struct page_pool pool = { };
	struct nic n;

	model_with_peer(test->priv, PCI_P2PDMA_MAP_BUS_ADDR);
	nic_init(test, &n, BUFFER_BAR, model_bar, 3);
	netdev_lock(n.dev);
	binding = nic_bind(&n, DMA_FROM_DEVICE, PAGE_SHIFT);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, binding);
	KUNIT_EXPECT_EQ(test, 0, net_devmem_bind_dmabuf_to_queue(n.dev, 2, binding, NULL));
	pool.mp_priv = binding;
	KUNIT_EXPECT_EQ(test, 0, mp_dmabuf_devmem_init(&pool));
	net_devmem_unbind_dmabuf(binding);
	KUNIT_EXPECT_EQ(test, nr_close, 1);
	netdev_unlock(n.dev);
	binding->dev = (void *)0x6b6b6b6b6b6b6b6b;	/* nobody may look */

	KUNIT_EXPECT_EQ(test, 0, dma_buf_revoke_mappings(n.b.dmabuf, 5 * HZ));
	KUNIT_EXPECT_NULL(test, binding->mapping);
	KUNIT_EXPECT_EQ(test, nr_close, 1);
	mp_dmabuf_devmem_destroy(&pool);
	nic_exit(&n);
}

/* The netdev went away first */
static void taken_back_after_the_netdev(struct kunit *test)
{
	struct net_devmem_dmabuf_binding *binding;
	struct nic n;

	model_with_peer(test->priv, PCI_P2PDMA_MAP_BUS_ADDR);
	nic_init(test, &n, BUFFER_BAR, model_bar, 3);
	netdev_lock(n.dev);
	binding = nic_bind(&n, DMA_FROM_DEVICE, PAGE_SHIFT);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, binding);
	KUNIT_EXPECT_EQ(test, 0, net_devmem_bind_dmabuf_to_queue(n.dev, 2, binding, NULL));
	mp_dmabuf_devmem_uninstall(binding, &n.dev->_rx[2]);
	netdev_unlock(n.dev);
	nr_close++;
	KUNIT_EXPECT_NULL(test, binding->dev);
	KUNIT_EXPECT_EQ(test, 0, dma_buf_revoke_mappings(n.b.dmabuf, 5 * HZ));
	KUNIT_EXPECT_NULL(test, binding->mapping);
	net_devmem_unbind_dmabuf(binding);
	nic_exit(&n);
}

static void transmit(struct kunit *test)
{
	struct net_devmem_dmabuf_binding *binding;
	struct model *m = test->priv;
	unsigned int i;
	struct nic n;

	m->need_map = m->need_unmap = false;
	nic_init(test, &n, BUFFER_RUNS, model_ram(m), 3);
	netdev_lock(n.dev);
	binding = nic_bind(&n, DMA_TO_DEVICE, PAGE_SHIFT);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, binding);
	KUNIT_EXPECT_EQ(test, binding->attachment->p2p.reason, DMA_BUF_P2P_IMPORTER);
	for (i = 0; i < 7; i++)
		KUNIT_EXPECT_EQ(test, net_iov_virtual_addr(binding->tx_vec[i]), i * PAGE_SIZE);
	net_devmem_unbind_dmabuf(binding);
	for (i = 0; i < 200 && !list_empty(&n.b.dmabuf->attachments); i++)
		msleep(10);
	n.b.dmabuf->size -= PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, -EINVAL, PTR_ERR_OR_ZERO(nic_bind(&n, DMA_TO_DEVICE, PAGE_SHIFT)));
	n.b.dmabuf->size += 2 * PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, -EINVAL, PTR_ERR_OR_ZERO(nic_bind(&n, DMA_TO_DEVICE, PAGE_SHIFT)));
	netdev_unlock(n.dev);
	nic_exit(&n);
}

static struct kunit_case devmem_cases[] = {
	KUNIT_CASE(pages_above_4_gib),
	KUNIT_CASE(range_that_does_not_fit),
	KUNIT_CASE(taken_back),
	KUNIT_CASE(taken_back_while_binding),
	KUNIT_CASE(taken_back_after_unbinding),
	KUNIT_CASE(taken_back_after_the_netdev),
	KUNIT_CASE(transmit),
	{}
};

static struct kunit_suite devmem_suite = {
	.name = "dma-buf-part-devmem",
	.init = model_init,
	.exit = model_exit,
	.test_cases = devmem_cases,
};
kunit_test_suite(devmem_suite);
int nla_put(struct sk_buff *skb, int attrtype, int attrlen, const void *data) { return 0; }
void do_trace_netlink_extack(const char *msg) { pr_info("extack: %s\n", msg); }
int net_ratelimit(void) { return 1; }
