// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tells what importing a buffer would result in, without importing it
 *
 * Takes no lock that a driver may hold for long. The function that decides when an
 * importer attaches decides whether the device reaches the memory, and the one that
 * chooses the route of a mapping tells the route. The rest is in the list of mappings.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/export.h>
#include <linux/pci.h>
#include <linux/ratelimit.h>
#include <linux/user_namespace.h>
#include <linux/uaccess.h>

#include "dma-buf-internal.h"

/* Limits the number of runs that are compared under a spinlock. */
#define DMA_BUF_REACH_MAX_PARTS	512

/* Never called. Says that the importer can let go of a buffer. */
static void dma_buf_reach_invalidate(struct dma_buf_attachment *attach)
{
}

static enum dma_buf_contiguous
dma_buf_reach_contiguous(const struct dma_buf_list *list)
{
	const u64 *word = list->dma.first;
	struct dma_buf_run run;
	u64 next = 0;
	unsigned long i;

	if (!list->dma.nruns)
		return DMA_BUF_CONTIGUOUS_UNKNOWN;

	for (i = 0; i < list->dma.nruns; i++) {
		if (i == DMA_BUF_REACH_MAX_PARTS)
			return DMA_BUF_CONTIGUOUS_UNKNOWN;
		word = dma_buf_run_read(word, &run.addr, &run.npages);
		if (i && run.addr != next)
			return DMA_BUF_CONTIGUOUS_NO;
		next = run.addr + ((u64)run.npages << PAGE_SHIFT);
	}
	return DMA_BUF_CONTIGUOUS_YES;
}

/*
 * Is the memory itself contiguous? Only the exporter knows. But an existing mapping
 * tells, unless it goes through an IOMMU or bounce buffers.
 */
static enum dma_buf_contiguous
dma_buf_memory_contiguous(struct dma_buf *dmabuf, bool peer)
{
	enum dma_buf_contiguous answer = DMA_BUF_CONTIGUOUS_UNKNOWN;
	struct dma_buf_list *list;

	if (dmabuf->size <= PAGE_SIZE)
		return DMA_BUF_CONTIGUOUS_YES;

	/* The last mapping is of the memory where the buffer is now. */
	spin_lock(&dmabuf->records_lock);
	list_for_each_entry_reverse(list, &dmabuf->mappings, node) {
		if (list->peer != peer || list->bounced)
			continue;
		if (list->route != DMA_BUF_ROUTE_PER_RUN &&
		    list->route != DMA_BUF_ROUTE_BUS_ADDR)
			continue;
		answer = dma_buf_reach_contiguous(list);
		break;
	}
	spin_unlock(&dmabuf->records_lock);
	return answer;
}

/* How the memory that the device gets would be mapped */
static void dma_buf_reach_route(const struct dma_buf_attachment *probe,
				struct dma_buf_query_reach *arg)
{
	bool peer = arg->memory == DMA_BUF_MEMORY_PEER;
	enum dma_buf_contiguous one;

	one = dma_buf_memory_contiguous(probe->dmabuf, peer);

	if (peer && probe->p2p.map_type == PCI_P2PDMA_MAP_BUS_ADDR) {
		arg->route = DMA_BUF_ROUTE_BUS_ADDR;
	} else if (dma_buf_hw_is_bound(probe->dev)) {
		arg->route = dma_buf_route_pick(probe->dev,
						peer ? DMA_ATTR_MMIO : 0, !peer,
						one != DMA_BUF_CONTIGUOUS_YES);
		/* If the size of mappings is not limited, nothing is bounced. */
		if (!peer && dma_buf_hw_max_mapping_size(probe->dev) != SIZE_MAX)
			arg->memory = DMA_BUF_MEMORY_BOUNCED;
	}

	if (arg->route == DMA_BUF_ROUTE_IOVA)
		arg->contiguous = DMA_BUF_CONTIGUOUS_YES;
	/* dma_map_sgtable() may merge parts. */
	else if (arg->route != DMA_BUF_ROUTE_NONE &&
		 (arg->route != DMA_BUF_ROUTE_MAP_SG ||
		  one == DMA_BUF_CONTIGUOUS_YES))
		arg->contiguous = one;
}

/*
 * Fills in what @arg returns. @dev must not get or lose its driver meanwhile.
 */
void dma_buf_reach(struct dma_buf *dmabuf, struct device *dev,
		   struct dma_buf_query_reach *arg)
{
	const struct dma_buf_attach_ops importer = {
		.allow_peer2peer = !(arg->flags & DMA_BUF_REACH_NO_PEER2PEER),
		.phys_only = arg->flags & DMA_BUF_REACH_PHYS,
		.invalidate_mappings =
			arg->flags & DMA_BUF_REACH_NOT_REVOCABLE ?
			NULL : dma_buf_reach_invalidate,
	};
	/* Like that of an importer, but on no list, and on the stack. */
	struct dma_buf_attachment probe = {
		.dmabuf = dmabuf,
		.dev = dev,
		.node = LIST_HEAD_INIT(probe.node),
		.importer_ops = &importer,
	};
	int refused = dma_buf_p2p_negotiate(&probe);

	arg->reason = probe.p2p.reason;
	arg->memory = refused ? DMA_BUF_MEMORY_NONE :
		      probe.peer2peer ? DMA_BUF_MEMORY_PEER :
		      DMA_BUF_MEMORY_SYSTEM;
	arg->route = DMA_BUF_ROUTE_NONE;
	arg->contiguous = DMA_BUF_CONTIGUOUS_UNKNOWN;

	switch (probe.p2p.reason) {
	/* These importers do not map with the DMA API. */
	case DMA_BUF_P2P_PHYS:
	case DMA_BUF_P2P_PRIVATE_LINK:
		break;
	default:
		if (!refused)
			dma_buf_reach_route(&probe, arg);
	}
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_reach);

static int dma_buf_query_reach_get(struct dma_buf_query_reach *arg,
				   struct dma_buf_query_reach __user *user,
				   u32 *size)
{
	int ret;

	if (get_user(*size, &user->size))
		return -EFAULT;
	if (*size < DMA_BUF_QUERY_REACH_SIZE_VER0)
		return -EINVAL;
	if (*size > PAGE_SIZE)
		return -E2BIG;

	ret = copy_struct_from_user(arg, sizeof(*arg), user, *size);
	if (ret)
		return ret;
	if (arg->flags & ~DMA_BUF_REACH_VALID_FLAGS_MASK || arg->reserved)
		return -EINVAL;
	return 0;
}

/* vfio only tries to lock the device: do not let a user keep it locked. */
static bool dma_buf_reach_too_often(void)
{
	static struct ratelimit_state limit =
		RATELIMIT_STATE_INIT_FLAGS(limit, HZ / 20, 64,
					   RATELIMIT_MSG_ON_RELEASE);

	if (ns_capable_noaudit(&init_user_ns, CAP_SYS_ADMIN))
		return false;
	return !__ratelimit(&limit);
}

/* There is no callback in &dma_buf_ops, the exporter has nothing to do. */
long dma_buf_ioctl_query_reach(struct dma_buf *dmabuf, void __user *user_arg)
{
	struct dma_buf_query_reach arg;
	struct pci_dev *pdev;
	u32 size;
	int ret;

	static_assert(sizeof(arg) == DMA_BUF_QUERY_REACH_SIZE_VER0);

	ret = dma_buf_query_reach_get(&arg, user_arg, &size);
	if (ret)
		return ret;
	if (!dma_buf_may_know_devices(current_cred()))
		return -EPERM;

	pdev = pci_get_domain_bus_and_slot(arg.domain, arg.bus, arg.devfn);
	if (!pdev)
		return -ENODEV;

	/*
	 * The DMA configuration of a device is set up when it is bound to a
	 * driver, and torn down after unbinding. Either may take long.
	 */
	if (dma_buf_reach_too_often() || !device_trylock(&pdev->dev)) {
		ret = -EAGAIN;
		goto out_put;
	}
	/* A device that is being removed may not be on a bus any more. */
	if (!pci_dev_is_added(pdev)) {
		ret = -ENODEV;
		goto out_unlock;
	}
	dma_buf_reach(dmabuf, &pdev->dev, &arg);
	device_unlock(&pdev->dev);

	arg.size = sizeof(arg);
	ret = copy_struct_to_user(user_arg, size, &arg, sizeof(arg), NULL);
	goto out_put;

out_unlock:
	device_unlock(&pdev->dev);
out_put:
	pci_dev_put(pdev);
	return ret;
}
