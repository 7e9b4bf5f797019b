// SPDX-License-Identifier: GPL-2.0
/*
 * The DMA of a netdevsim, see netdevsim.patch: the payload of TCP over IPv4 goes where
 * the DMA addresses of a memory provider say, and what is transmitted is read there.
 * It is the CPU that does it, and it has nothing but the address, an IOMMU, and the BAR
 * of an ivshmem device as what else is on the bus.
 */
#include <linux/dma-direct.h>
#include <linux/etherdevice.h>
#include <linux/iommu.h>
#include <linux/ip.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/tcp.h>
#include <net/page_pool/helpers.h>

#include "netdevsim.h"
#include "sim-dma.h"

static bool edu;
module_param(edu, bool, 0444);
MODULE_PARM_DESC(edu, "its DMA is that of an edu device on the PCI bus");

static struct pci_dev *sim_pci;
static phys_addr_t bar_phys;
static size_t bar_size;
static void *bar;

struct device *sim_dma_dev(struct net_device *dev)
{
	return sim_pci ? &sim_pci->dev : dev->dev.parent;
}

/* Up to the end of the page */
static void *sim_reach(struct device *dev, dma_addr_t addr)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);
	phys_addr_t phys = domain ? iommu_iova_to_phys(domain, addr) :
				    dma_to_phys(dev, addr);

	if (phys - bar_phys < bar_size)
		return bar + (phys - bar_phys);
	if (!phys || WARN_ON_ONCE(!pfn_valid(PHYS_PFN(phys))))
		return NULL;
	return phys_to_virt(phys);
}

static int sim_write(struct device *dev, dma_addr_t addr, struct sk_buff *skb,
		     size_t at, size_t len)
{
	size_t done, n;
	void *to;

	for (done = 0; done < len; done += n) {
		n = min(len - done, PAGE_SIZE - offset_in_page(addr + done));
		to = sim_reach(dev, addr + done);
		if (WARN_ON_ONCE(!to))
			return -EFAULT;
		if (skb_copy_bits(skb, at + done, to, n))
			return -EINVAL;
	}
	return 0;
}

static int sim_read(struct device *dev, dma_addr_t addr, void *to, size_t len)
{
	size_t done, n;
	void *from;

	for (done = 0; done < len; done += n) {
		n = min(len - done, PAGE_SIZE - offset_in_page(addr + done));
		from = sim_reach(dev, addr + done);
		if (WARN_ON_ONCE(!from))
			return -EFAULT;
		memcpy(to + done, from, n);
	}
	return 0;
}

static size_t sim_header_len(struct sk_buff *skb)
{
	size_t len = sizeof(struct iphdr) + sizeof(struct tcphdr);

	if (skb->protocol != htons(ETH_P_IP) || !pskb_may_pull(skb, len) ||
	    ip_hdr(skb)->protocol != IPPROTO_TCP)
		return skb->len;
	len = ip_hdrlen(skb);
	if (!pskb_may_pull(skb, len + sizeof(struct tcphdr)))
		return skb->len;
	len += __tcp_hdrlen((struct tcphdr *)(skb->data + len));
	return pskb_may_pull(skb, len) ? len : skb->len;
}

static int sim_add_frag(struct nsim_rq *rq, struct sk_buff *to,
			struct sk_buff *from, size_t at, size_t len)
{
	struct page_pool *pool = rq->page_pool;
	netmem_ref netmem = page_pool_alloc_netmems(pool, GFP_ATOMIC);

	if (!netmem)
		return -ENOMEM;
	skb_add_rx_frag_netmem(to, skb_shinfo(to)->nr_frags, netmem, 0, len,
			       PAGE_SIZE << pool->p.order);
	return sim_write(pool->p.dev, page_pool_get_dma_addr_netmem(netmem),
			 from, at, len);
}

/* Splits off the payload, which goes where the memory provider wants it. */
struct sk_buff *sim_receive(struct nsim_rq *rq, struct sk_buff *skb)
{
	size_t size = PAGE_SIZE << rq->page_pool->p.order;
	struct sk_buff *split;
	size_t at, len;

	if (!page_pool_is_unreadable(rq->page_pool))
		return skb;
	skb_reset_network_header(skb);
	at = sim_header_len(skb);
	if (at >= skb->len)
		return skb;
	split = napi_alloc_skb(&rq->napi, ETH_HLEN + at);
	if (!split)
		goto err_free;
	skb_put_data(split, skb->data - ETH_HLEN, ETH_HLEN + at);
	skb_reset_mac_header(split);
	skb_pull(split, ETH_HLEN);
	split->protocol = skb->protocol;
	split->ip_summed = CHECKSUM_UNNECESSARY;
	skb_mark_for_recycle(split);
	skb_shinfo(split)->gso_size = skb_shinfo(skb)->gso_size;
	skb_shinfo(split)->gso_segs = skb_shinfo(skb)->gso_segs;
	skb_shinfo(split)->gso_type = skb_shinfo(skb)->gso_type;
	for (; at < skb->len; at += len) {
		len = min(skb->len - at, size);
		if (skb_shinfo(split)->nr_frags == MAX_SKB_FRAGS ||
		    sim_add_frag(rq, split, skb, at, len))
			goto err_free;
	}
	consume_skb(skb);
	return split;

err_free:
	kfree_skb(split);
	kfree_skb(skb);
	return NULL;
}

/* What is in memory for the device becomes a packet in memory of the host. */
struct sk_buff *sim_transmit(struct net_device *dev, struct sk_buff *skb)
{
	struct sk_buff *copy;
	skb_frag_t *frag;
	dma_addr_t addr;
	size_t len;
	int i;

	if (skb_frags_readable(skb))
		return skb;
	copy = alloc_skb(skb_headroom(skb) + skb->len, GFP_ATOMIC);
	if (!copy)
		goto err_free;
	/* As much, for the headers that are counted from there */
	skb_reserve(copy, skb_headroom(skb));
	skb_put_data(copy, skb->data, skb_headlen(skb));
	for (i = 0; i < skb_shinfo(skb)->nr_frags; i++) {
		frag = &skb_shinfo(skb)->frags[i];
		addr = page_pool_get_dma_addr_netmem(skb_frag_netmem(frag));
		len = skb_frag_size(frag);
		if (sim_read(sim_dma_dev(dev), addr + skb_frag_off(frag),
			     skb_put(copy, len), len))
			goto err_free;
	}
	skb_copy_header(copy, skb);
	copy->unreadable = 0;
	consume_skb(skb);
	return copy;

err_free:
	kfree_skb(copy);
	kfree_skb(skb);
	return NULL;
}

static int sim_map_bar(void)
{
	struct pci_dev *pdev;

	pdev = pci_get_device(PCI_VENDOR_ID_REDHAT_QUMRANET, 0x1110, NULL);
	if (!pdev)
		return 0;
	bar_phys = pci_resource_start(pdev, 2);
	bar_size = pci_resource_len(pdev, 2);
	pci_dev_put(pdev);
	bar = memremap(bar_phys, bar_size, MEMREMAP_WC);
	return bar ? 0 : -ENOMEM;
}

int sim_dma_init(void)
{
	int ret = sim_map_bar();

	if (ret || !edu)
		return ret;
	sim_pci = pci_get_device(0x1234, 0x11e8, NULL);
	if (sim_pci)
		return 0;
	sim_dma_exit();
	return -ENODEV;
}

void sim_dma_exit(void)
{
	pci_dev_put(sim_pci);
	if (bar)
		memunmap(bar);
}
