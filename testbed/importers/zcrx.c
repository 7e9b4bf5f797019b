// SPDX-License-Identifier: GPL-2.0-only
/*
 * io_uring zcrx, in the same way as devmem.c next to this
 */
#include <linux/kernel.h>
#define CONFIG_IO_URING_ZCRX 1
#define _TRACE_PAGE_POOL_H
#define trace_page_pool_state_hold(...) do { } while (0)
#include <linux/fdtable.h>
#include <linux/fcntl.h>
#include "io_uring/zcrx.c"
#include "st-dma-buf-model.h"

/* What else there is of the network */
bool net_mp_niov_set_dma_addr(struct net_iov *niov, dma_addr_t addr)
{
	niov->desc.dma_addr = addr;
	return false;
}
void net_mp_niov_set_page_pool(struct page_pool *pool, struct net_iov *niov) { }
void net_mp_niov_clear_page_pool(struct net_iov *niov) { }
void page_pool_put_unrefed_netmem(struct page_pool *pool, netmem_ref netmem, unsigned int s, bool d) { }
struct net_device *netdev_get_by_index_lock(struct net *net, int ifindex) { return NULL; }
struct device *netdev_queue_get_dma_dev(struct net_device *dev, unsigned int idx, enum netdev_queue_type type) { return NULL; }
int tcp_read_sock(struct sock *sk, read_descriptor_t *desc, sk_read_actor_t recv_actor) { return 0; }
int tcp_recvmsg(struct sock *sk, struct msghdr *msg, size_t len, int flags) { return 0; }
void lock_sock_nested(struct sock *sk, int subclass) { }
void release_sock(struct sock *sk) { }
int nla_put_64bit(struct sk_buff *skb, int a, int l, const void *d, int p) { return 0; }
void skb_trim(struct sk_buff *skb, unsigned int len) { }

/* devmem.c next to this counts. */
extern int zcrx_nr_close, zcrx_nr_bad;

struct znic {
	struct net_device *dev;
	struct io_zcrx_ifq *ifq;
	struct buffer b;
};

static void znic_init(struct kunit *test, struct znic *n, const struct phys_vec *vec, size_t nr)
{
	struct model *m = test->priv;
	size_t size = 0, i;

	memset(n, 0, sizeof(*n));
	zcrx_nr_close = zcrx_nr_bad = 0;
	n->dev = kunit_kzalloc(test, sizeof(*n->dev), GFP_KERNEL);
	mutex_init(&n->dev->lock);
	refcount_set(&n->dev->dev_refcnt, 1);
	n->dev->num_rx_queues = n->dev->real_num_rx_queues = 4;
	n->dev->_rx = kunit_kcalloc(test, 4, sizeof(*n->dev->_rx), GFP_KERNEL);
	for (i = 0; i < 4; i++)
		n->dev->_rx[i].dev = n->dev;
	model_with_peer(m, PCI_P2PDMA_MAP_BUS_ADDR);
	m->dir = DMA_FROM_DEVICE;
	buffer_init(&n->b, m, BUFFER_BAR, vec, nr);
	n->b.can_pin = true;
	buffer_export(&n->b);
	for (i = 0; i < nr; i++)
		size += vec[i].len;
	n->b.dmabuf->size = size;

	n->ifq = io_zcrx_ifq_alloc(NULL);
	n->ifq->dev = get_device(m->dev);
	n->ifq->netdev = n->dev;
	netdev_hold(n->dev, &n->ifq->netdev_tracker, GFP_KERNEL);
}

static int znic_area(struct znic *n, u64 len, u32 buf_len)
{
	struct io_uring_zcrx_area_reg reg = { .len = len, .flags = IORING_ZCRX_AREA_DMABUF };
	int ret;

	get_dma_buf(n->b.dmabuf);
	reg.dmabuf_fd = dma_buf_fd(n->b.dmabuf, O_CLOEXEC);
	scoped_guard(mutex, &n->ifq->pp_lock)
		ret = __zcrx_create_area(n->ifq, &reg, buf_len);
	close_fd(reg.dmabuf_fd);
	return ret;
}

/* netif_mp_open_rxq() */
static void znic_open(struct znic *n, int q)
{
	n->dev->_rx[q].mp_params = (struct pp_memory_provider_params) { .mp_ops = &io_uring_pp_zc_ops, .mp_priv = n->ifq };
	n->ifq->if_rxq = q;
}

static void znic_exit(struct znic *n)
{
	KUNIT_EXPECT_TRUE(n->b.m->test, list_empty(&n->b.dmabuf->attachments));
	KUNIT_EXPECT_EQ(n->b.m->test, zcrx_nr_bad, 0);
	KUNIT_EXPECT_EQ(n->b.m->test, refcount_read(&n->dev->dev_refcnt), 1);
	buffer_put(&n->b);
}

static void zcrx_above_4_gib(struct kunit *test)
{
	const struct phys_vec vec[] = { { .paddr = MODEL_BAR + SZ_4K, .len = 6ULL * SZ_1G },
		{ .paddr = MODEL_BAR + 64ULL * SZ_1G, .len = SZ_4M } };
	struct io_zcrx_area *area;
	u64 size = vec[0].len + vec[1].len, at = 0;
	struct znic n;
	unsigned int i;

	znic_init(test, &n, vec, 2);
	KUNIT_EXPECT_EQ(test, -EINVAL, znic_area(&n, size - PAGE_SIZE, SZ_2M));
	KUNIT_EXPECT_EQ(test, -EINVAL, znic_area(&n, size + PAGE_SIZE, SZ_2M));
	KUNIT_EXPECT_EQ(test, -ERANGE, znic_area(&n, size, SZ_8M));
	KUNIT_EXPECT_TRUE(test, list_empty(&n.b.dmabuf->attachments));
	n.ifq->niov_shift = 0;
	KUNIT_ASSERT_EQ(test, 0, znic_area(&n, size, SZ_2M));
	KUNIT_EXPECT_EQ(test, n.b.pins, 1);
	area = n.ifq->areas[0];
	KUNIT_EXPECT_EQ(test, area->nia.num_niovs, size / SZ_2M);
	KUNIT_EXPECT_TRUE(test, dma_buf_list_is_peer(area->mem.list));
	for (i = 0; i < area->nia.num_niovs; i++, at += SZ_2M)
		if (model_reached(test->priv, area->nia.niovs[i].desc.dma_addr) !=
		    (at < vec[0].len ? vec[0].paddr + at : vec[1].paddr + at - vec[0].len))
			KUNIT_FAIL(test, "niov %u", i);
	zcrx_unregister(n.ifq, NULL);
	KUNIT_EXPECT_EQ(test, zcrx_nr_close, 0);
	znic_exit(&n);
}

static void zcrx_taken_back(struct kunit *test)
{
	struct znic n;

	znic_init(test, &n, model_bar, 3);
	KUNIT_ASSERT_EQ(test, 0, znic_area(&n, 7 * PAGE_SIZE, PAGE_SIZE));
	KUNIT_ASSERT_EQ(test, 0, znic_area(&n, 7 * PAGE_SIZE, PAGE_SIZE));
	znic_open(&n, 2);
	KUNIT_EXPECT_EQ(test, 0, dma_buf_revoke_mappings(n.b.dmabuf, 5 * HZ));
	flush_work(&n.ifq->revoke_work);
	KUNIT_EXPECT_EQ(test, zcrx_nr_close, 1);
	KUNIT_EXPECT_NULL(test, n.ifq->netdev);
	KUNIT_EXPECT_FALSE(test, n.ifq->areas[0]->is_mapped || n.ifq->areas[1]->is_mapped);
	KUNIT_EXPECT_EQ(test, n.ifq->areas[0]->nia.niovs[0].desc.dma_addr, 0);
	KUNIT_EXPECT_EQ(test, n.b.pins, 0);
	KUNIT_EXPECT_EQ(test, refcount_read(&n.ifq->refs), 1);
	KUNIT_EXPECT_TRUE(test, list_empty(&n.b.dmabuf->attachments));
	zcrx_unregister(n.ifq, NULL);
	KUNIT_EXPECT_EQ(test, zcrx_nr_close, 1);
	znic_exit(&n);
}

static void zcrx_taken_back_while_registering(struct kunit *test)
{
	struct znic n;

	znic_init(test, &n, model_bar, 3);
	netdev_lock(n.dev);
	KUNIT_ASSERT_EQ(test, 0, znic_area(&n, 7 * PAGE_SIZE, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 1, dma_buf_revoke_mappings(n.b.dmabuf, HZ / 20));
	KUNIT_EXPECT_NOT_NULL(test, n.ifq->netdev);
	znic_open(&n, 1);
	netdev_unlock(n.ifq->netdev);
	flush_work(&n.ifq->revoke_work);
	KUNIT_EXPECT_EQ(test, zcrx_nr_close, 1);
	KUNIT_EXPECT_NULL(test, n.ifq->netdev);
	zcrx_unregister(n.ifq, NULL);
	znic_exit(&n);
}

/* The user and the exporter wait for the netdev, then it goes away. */
static void zcrx_closed_by_three(struct kunit *test)
{
	struct znic n;

	znic_init(test, &n, model_bar, 3);
	KUNIT_ASSERT_EQ(test, 0, znic_area(&n, 7 * PAGE_SIZE, PAGE_SIZE));
	znic_open(&n, 1);
	netdev_lock(n.dev);
	KUNIT_EXPECT_EQ(test, 1, dma_buf_revoke_mappings(n.b.dmabuf, HZ / 20));
	io_pp_uninstall(n.ifq, &n.dev->_rx[1]);
	KUNIT_EXPECT_EQ(test, n.b.pins, 0);
	netdev_unlock(n.dev);
	zcrx_unregister(n.ifq, NULL);
	msleep(50);
	KUNIT_EXPECT_EQ(test, zcrx_nr_close, 0);
	znic_exit(&n);
}

static struct kunit_case zcrx_cases[] = {
	KUNIT_CASE(zcrx_above_4_gib),
	KUNIT_CASE(zcrx_taken_back),
	KUNIT_CASE(zcrx_taken_back_while_registering),
	KUNIT_CASE(zcrx_closed_by_three),
	{}
};
static struct kunit_suite zcrx_suite = { .name = "dma-buf-part-zcrx", .init = model_init, .exit = model_exit, .test_cases = zcrx_cases };
kunit_test_suite(zcrx_suite);
