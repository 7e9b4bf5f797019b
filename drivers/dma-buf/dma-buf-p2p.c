// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decides if an importer may access the memory of the exporter's device, and
 * remembers why
 */
#include <linux/bug.h>
#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/pci.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/wait_bit.h>
#include <trace/events/dma_buf.h>

#include "dma-buf-internal.h"

static const char * const dma_buf_p2p_reasons[] = {
	[DMA_BUF_P2P_OK]	    = "reachable",
	[DMA_BUF_P2P_PRIVATE_LINK]  = "reachable over a private link",
	[DMA_BUF_P2P_PHYS]	    = "importer takes physical addresses",
	[DMA_BUF_P2P_IMPORTER]	    = "importer does not handle peer memory",
	[DMA_BUF_P2P_EXPORTER]	    = "exporter has no peer memory",
	[DMA_BUF_P2P_NOT_PCI]	    = "importer is not a PCI device",
	[DMA_BUF_P2P_MAP_OPS]	    = "DMA mapping of the importer has no peer-to-peer",
	[DMA_BUF_P2P_NO_PROVIDER]   = "exporter has no p2pdma provider",
	[DMA_BUF_P2P_NO_KERNEL]	    = "kernel without CONFIG_PCI_P2PDMA",
	[DMA_BUF_P2P_NO_ROUTE]	    = "no route between the PCI devices",
	[DMA_BUF_P2P_NOT_REVOCABLE] = "importer cannot give the memory back",
	[DMA_BUF_P2P_REVOKED]	    = "revoked by the exporter",
	[DMA_BUF_P2P_SUSPENDED]	    = "exporter is suspended",
	[DMA_BUF_P2P_COMPRESSED]    = "memory is compressed",
	[DMA_BUF_P2P_VETO]	    = "refused by the exporter",
	[DMA_BUF_P2P_SYSTEM]	    = "buffer is in system memory",
	[DMA_BUF_P2P_PINNED]	    = "pinned in system memory for another importer",
	[DMA_BUF_P2P_OUTSIDE_BAR]   = "outside the visible part of the BAR",
	[DMA_BUF_P2P_DMA_MASK]	    = "beyond the DMA mask of the importer",
	[DMA_BUF_P2P_BOUNCE]	    = "would have to be bounced",
	[DMA_BUF_P2P_BOUNCE_SHARED] = "bounced and mapped by another importer",
};

static const char * const dma_buf_routes[] = {
	[DMA_BUF_ROUTE_NONE]	 = "none",
	[DMA_BUF_ROUTE_BUS_ADDR] = "bus-address",
	[DMA_BUF_ROUTE_IOVA]	 = "iova",
	[DMA_BUF_ROUTE_PER_RUN]	 = "per-run",
	[DMA_BUF_ROUTE_MAP_SG]	 = "map-sg",
};

/**
 * dma_buf_p2p_reason_text - the text for a reason
 * @reason: the reason
 *
 * Context: Any.
 * Return: A constant string, the same wherever the reason is shown.
 */
const char *dma_buf_p2p_reason_text(enum dma_buf_p2p_reason reason)
{
	static_assert(ARRAY_SIZE(dma_buf_p2p_reasons) == DMA_BUF_P2P_NR);

	if (WARN_ON_ONCE(reason >= DMA_BUF_P2P_NR))
		return "unknown";
	return dma_buf_p2p_reasons[reason];
}
EXPORT_SYMBOL_NS_GPL(dma_buf_p2p_reason_text, "DMA_BUF");

/**
 * dma_buf_route_text - the text for a route
 * @route: the route
 *
 * Context: Any.
 * Return: A constant string without blanks, the same wherever the route is
 * shown.
 */
const char *dma_buf_route_text(enum dma_buf_route route)
{
	if (WARN_ON_ONCE(route >= ARRAY_SIZE(dma_buf_routes)))
		return "unknown";
	return dma_buf_routes[route];
}
EXPORT_SYMBOL_NS_GPL(dma_buf_route_text, "DMA_BUF");

static bool dma_buf_p2p_reachable(enum dma_buf_p2p_reason reason)
{
	return reason <= DMA_BUF_P2P_PHYS;
}

/*
 * p2pdma walks up from a client until it finds a PCI device, but the DMA API
 * maps for the device it is given. Only where the two are the same does the
 * answer of the one hold for the addresses of the other.
 */
static enum dma_buf_p2p_reason
dma_buf_p2p_ask_topology(struct dma_buf_attachment *attach,
			 struct p2pdma_provider *provider)
{
	if (!dma_buf_hw_is_pci(attach->dev))
		return DMA_BUF_P2P_NOT_PCI;
	/*
	 * The distance first: it looks at the bridges as they are now, and
	 * leaves what it found for the map type, which would otherwise be an
	 * answer from before somebody changed ACS or plugged a device.
	 */
	if (dma_buf_hw_p2p_distance(to_pci_dev(provider->owner),
				    attach->dev) < 0)
		return DMA_BUF_P2P_NO_ROUTE;

	attach->p2p.map_type = dma_buf_hw_p2p_map_type(provider, attach->dev);
	switch (attach->p2p.map_type) {
	case PCI_P2PDMA_MAP_BUS_ADDR:
	case PCI_P2PDMA_MAP_THRU_HOST_BRIDGE:
		attach->p2p.owner = provider->owner;
		return DMA_BUF_P2P_OK;
	default:
		return DMA_BUF_P2P_NO_ROUTE;
	}
}

static enum dma_buf_p2p_reason
dma_buf_p2p_decide(struct dma_buf_attachment *attach)
{
	const struct dma_buf_attach_ops *importer_ops = attach->importer_ops;
	const struct dma_buf_ops *ops = attach->dmabuf->ops;
	struct p2pdma_provider *provider = NULL;
	enum dma_buf_p2p_reason reason;

	if (!importer_ops || !importer_ops->allow_peer2peer)
		return DMA_BUF_P2P_IMPORTER;
	if (!ops->peer2peer)
		return DMA_BUF_P2P_EXPORTER;

	reason = ops->peer2peer(attach, &provider);
	/* Not for the exporter to say. */
	if (WARN_ON_ONCE(reason == DMA_BUF_P2P_PHYS))
		return DMA_BUF_P2P_VETO;
	if (reason != DMA_BUF_P2P_OK)
		return reason;
	if (importer_ops->phys_only)
		return DMA_BUF_P2P_PHYS;
	if (!dma_buf_hw_p2p_enabled())
		return DMA_BUF_P2P_NO_KERNEL;
	if (!provider)
		return DMA_BUF_P2P_NO_PROVIDER;
	return dma_buf_p2p_ask_topology(attach, provider);
}

/* Called once for each attachment, before the exporter's attach(). */
void dma_buf_p2p_negotiate(struct dma_buf_attachment *attach)
{
	dma_resv_assert_held(attach->dmabuf->resv);

	attach->p2p.reason = dma_buf_p2p_decide(attach);
	attach->p2p.map_reason = attach->p2p.reason;
	attach->peer2peer = dma_buf_p2p_reachable(attach->p2p.reason);
}

/**
 * dma_buf_peer2peer_deny - the exporter decides against peer-to-peer
 * @attach: the attachment
 * @reason: why
 *
 * For exporters that find out in &dma_buf_ops.attach. What can be said earlier
 * is for &dma_buf_ops.peer2peer to say. There is no way to allow what the core
 * did not.
 *
 * Context: In &dma_buf_ops.attach only.
 */
void dma_buf_peer2peer_deny(struct dma_buf_attachment *attach,
			    enum dma_buf_p2p_reason reason)
{
	if (WARN_ON_ONCE(!list_empty(&attach->node) ||
			 dma_buf_p2p_reachable(reason)))
		return;

	/* An earlier reason is the better one. */
	if (attach->peer2peer)
		attach->p2p.reason = reason;
	attach->p2p.map_reason = attach->p2p.reason;
	attach->peer2peer = false;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_peer2peer_deny, "DMA_BUF");

/* The exporter's attach() failed: there will be no attachment to ask. */
void dma_buf_p2p_refused(struct dma_buf_attachment *attach, int error)
{
	struct dma_buf *dmabuf = attach->dmabuf;

	spin_lock(&dmabuf->records_lock);
	strscpy(dmabuf->refusal.dev, dev_name(attach->dev));
	dmabuf->refusal.reason = attach->p2p.reason;
	dmabuf->refusal.error = error;
	spin_unlock(&dmabuf->records_lock);
}

/**
 * dma_buf_route_note - say why the buffer is not mapped where it was
 * @attach: the attachment that is being mapped
 * @reason: why, one of the reasons for a mapping
 *
 * For exporters, when they use system memory although the importer would reach
 * their device, or before they fail. Without it the record has the reason of the
 * attachment, or that the buffer is in system memory.
 *
 * Context: In &dma_buf_ops.map_dma_buf, under the reservation lock.
 */
void dma_buf_route_note(struct dma_buf_attachment *attach,
			enum dma_buf_p2p_reason reason)
{
	dma_resv_assert_held(attach->dmabuf->resv);
	attach->p2p.map_reason = reason;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_route_note, "DMA_BUF");

/* Before a mapping is made: why it is what it is may be noted from now on. */
void dma_buf_route_begin(struct dma_buf_attachment *attach)
{
	struct dma_buf *dmabuf = attach->dmabuf;

	dma_resv_assert_held(dmabuf->resv);

	spin_lock(&dmabuf->records_lock);
	attach->p2p.map_error = 0;
	attach->p2p.map_reason = attach->p2p.reason;
	spin_unlock(&dmabuf->records_lock);
}

/* Enters a mapping into the book. */
void dma_buf_route_made(struct dma_buf_list *list)
{
	enum dma_buf_p2p_reason reason = list->attach->p2p.map_reason;
	struct dma_buf *dmabuf = list->attach->dmabuf;

	dma_resv_assert_held(dmabuf->resv);

	/* The peer got system memory and nobody said why: it just lies there. */
	if (!list->peer && dma_buf_p2p_reachable(reason))
		reason = DMA_BUF_P2P_SYSTEM;
	list->reason = reason;

	spin_lock(&dmabuf->records_lock);
	list_add_tail(&list->node, &dmabuf->mappings);
	spin_unlock(&dmabuf->records_lock);

	trace_dma_buf_route(list->attach, list->route, list->peer,
			    list->dma.nruns, reason);
}

/* Remembers a mapping that could not be made. */
void dma_buf_route_failed(struct dma_buf_attachment *attach, int error)
{
	struct dma_buf *dmabuf = attach->dmabuf;

	dma_resv_assert_held(dmabuf->resv);

	spin_lock(&dmabuf->records_lock);
	attach->p2p.map_error = error;
	spin_unlock(&dmabuf->records_lock);

	trace_dma_buf_route(attach, DMA_BUF_ROUTE_NONE, false, 0,
			    attach->p2p.map_reason);
}

/* Takes a mapping out of the book, which is about to be unmapped. */
void dma_buf_route_gone(struct dma_buf_list *list)
{
	struct dma_buf *dmabuf = list->attach->dmabuf;

	dma_resv_assert_held(dmabuf->resv);

	spin_lock(&dmabuf->records_lock);
	list_del_init(&list->node);
	/* Pairs with the wait in dma_buf_revoke_mappings(). */
	if (dma_buf_list_is_device(list))
		wake_up_var_locked(&dmabuf->mappings, &dmabuf->records_lock);
	spin_unlock(&dmabuf->records_lock);
}

/*
 * What is bounced for one importer is not what another one sees. Only if none of
 * them writes are the copies as good as the memory.
 */
bool dma_buf_bounce_conflicts(const struct dma_buf_list *list)
{
	struct dma_buf *dmabuf = list->attach->dmabuf;
	const struct dma_buf_list *other;

	dma_resv_assert_held(dmabuf->resv);

	if (dma_buf_list_is_device(list))
		return false;

	list_for_each_entry(other, &dmabuf->mappings, node) {
		/* It was mapped before the buffer moved, and is not used any more. */
		if (dma_buf_list_is_device(other))
			continue;
		if ((list->bounced || other->bounced) &&
		    (list->dir != DMA_TO_DEVICE || other->dir != DMA_TO_DEVICE))
			return true;
	}
	return false;
}

/**
 * dma_buf_all_reach - do all importers reach the memory of the device?
 * @dmabuf: the buffer
 *
 * For &dma_buf_ops.pin: a buffer that is pinned in there cannot be moved to where
 * the others reach it.
 *
 * Context: Under the reservation lock.
 * Return: true if all do, as far as they have attached by now.
 */
bool dma_buf_all_reach(struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach;

	dma_resv_assert_held(dmabuf->resv);

	list_for_each_entry(attach, &dmabuf->attachments, node)
		if (!attach->peer2peer)
			return false;
	return true;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_all_reach, "DMA_BUF");

static void dma_buf_attachment_show(struct seq_file *m,
				    const struct dma_buf_attachment *attach,
				    const char *indent)
{
	const struct dma_buf_p2p *p2p = &attach->p2p;
	const char *dev = dev_name(attach->dev);

	seq_printf(m, "%sattach:\t%s peer2peer=%s reason=%s\n", indent, dev,
		   attach->peer2peer ? "yes" : "no",
		   dma_buf_p2p_reason_text(p2p->reason));
	if (p2p->map_error)
		seq_printf(m, "%smap:\t%s error=%d reason=%s\n", indent, dev,
			   p2p->map_error,
			   dma_buf_p2p_reason_text(p2p->map_reason));
}

static void dma_buf_mapping_show(struct seq_file *m,
				 const struct dma_buf_list *list,
				 const char *indent)
{
	seq_printf(m, "%smap:\t%s memory=%s route=%s chunks=%lu reason=%s\n",
		   indent, dev_name(list->dev), list->peer ? "peer" :
		   list->bounced ? "bounced" : "system",
		   dma_buf_route_text(list->route), list->dma.nruns,
		   dma_buf_p2p_reason_text(list->reason));
}

/*
 * The records of a dma-buf, for fdinfo and debugfs. Takes no lock that a driver
 * holds, so nobody waits for a device here.
 */
void dma_buf_p2p_show(struct seq_file *m, struct dma_buf *dmabuf,
		      const char *indent)
{
	const struct dma_buf_refusal *refusal = &dmabuf->refusal;
	struct dma_buf_attachment *attach;
	struct dma_buf_list *list;

	spin_lock(&dmabuf->records_lock);
	list_for_each_entry(attach, &dmabuf->attachments, node) {
		/* There will be another call with more room. */
		if (seq_has_overflowed(m))
			break;
		dma_buf_attachment_show(m, attach, indent);
	}
	list_for_each_entry(list, &dmabuf->mappings, node) {
		if (seq_has_overflowed(m))
			break;
		dma_buf_mapping_show(m, list, indent);
	}
	if (refusal->error)
		seq_printf(m, "%srefused:\t%s error=%d reason=%s\n", indent,
			   refusal->dev, refusal->error,
			   dma_buf_p2p_reason_text(refusal->reason));
	spin_unlock(&dmabuf->records_lock);
}
