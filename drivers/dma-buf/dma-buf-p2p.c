// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decides if an importer may access the memory of the exporter's device, and
 * remembers why
 */
#include <linux/bug.h>
#include <linux/cred.h>
#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/pci.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/string_helpers.h>
#include <linux/user_namespace.h>
#include <linux/wait_bit.h>
#include <trace/events/dma_buf.h>

#include "dma-buf-internal.h"

/* The tokens are ABI, as the numbers are. The texts are for people and may change. */
static const struct {
	const char *token;
	const char *text;
} dma_buf_p2p_reasons[] = {
	[DMA_BUF_P2P_OK] = { "reachable", "the importer reaches the memory" },
	[DMA_BUF_P2P_PRIVATE_LINK] = {
		"private-link", "reachable over a private link" },
	[DMA_BUF_P2P_PHYS] = {
		"physical", "importer takes physical addresses" },
	[DMA_BUF_P2P_IMPORTER] = {
		"importer", "importer does not handle peer memory" },
	[DMA_BUF_P2P_EXPORTER] = {
		"exporter", "exporter has no peer memory" },
	[DMA_BUF_P2P_NOT_PCI] = {
		"not-pci", "importer is not a PCI device" },
	[DMA_BUF_P2P_MAP_OPS] = {
		"map-ops", "DMA mapping of the importer has no peer-to-peer" },
	[DMA_BUF_P2P_NO_PROVIDER] = {
		"no-provider", "exporter has no p2pdma provider" },
	[DMA_BUF_P2P_NO_KERNEL] = {
		"no-kernel", "kernel without CONFIG_PCI_P2PDMA" },
	[DMA_BUF_P2P_NO_ROUTE] = {
		"no-route", "no route between the PCI devices" },
	[DMA_BUF_P2P_NOT_REVOCABLE] = {
		"not-revocable", "importer cannot give the memory back" },
	[DMA_BUF_P2P_REVOKED] = {
		"revoked", "revoked by the exporter" },
	[DMA_BUF_P2P_SUSPENDED] = {
		"suspended", "exporter is suspended" },
	[DMA_BUF_P2P_COMPRESSED] = {
		"compressed", "memory is compressed" },
	[DMA_BUF_P2P_VETO] = {
		"veto", "refused by the exporter" },
	[DMA_BUF_P2P_SYSTEM] = {
		"system", "buffer is in system memory" },
	[DMA_BUF_P2P_PINNED] = {
		"pinned", "pinned in system memory for another importer" },
	[DMA_BUF_P2P_OUTSIDE_BAR] = {
		"outside-bar", "outside the visible part of the BAR" },
	[DMA_BUF_P2P_DMA_MASK] = {
		"dma-mask", "beyond the DMA mask of the importer" },
	[DMA_BUF_P2P_BOUNCE] = {
		"bounce", "would have to be bounced" },
	[DMA_BUF_P2P_BOUNCE_SHARED] = {
		"bounce-shared", "bounced and mapped by another importer" },
	[DMA_BUF_P2P_OVERRIDE] = {
		"override", "reachable, the command line trusts the host bridge" },
	[DMA_BUF_P2P_ERROR] = {
		"error", "failed, and not for want of a way to the memory" },
	[DMA_BUF_P2P_NO_PHYS] = {
		"no-phys", "exporter gives no physical addresses" },
};

static const char * const dma_buf_routes[] = {
	[DMA_BUF_ROUTE_NONE]	 = "none",
	[DMA_BUF_ROUTE_BUS_ADDR] = "bus-address",
	[DMA_BUF_ROUTE_IOVA]	 = "iova",
	[DMA_BUF_ROUTE_PER_RUN]	 = "per-run",
	[DMA_BUF_ROUTE_MAP_SG]	 = "map-sg",
	[DMA_BUF_ROUTE_PHYS]	 = "physical",
};

/**
 * dma_buf_p2p_reason_token - the word for a reason
 * @reason: the reason
 *
 * Context: Any.
 * Return: A constant string without blanks, which programs compare with.
 */
const char *dma_buf_p2p_reason_token(enum dma_buf_p2p_reason reason)
{
	if (WARN_ON_ONCE(reason >= DMA_BUF_P2P_NR))
		return "unknown";
	return dma_buf_p2p_reasons[reason].token;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_p2p_reason_token, "DMA_BUF");

/**
 * dma_buf_p2p_reason_text - the text for a reason
 * @reason: the reason
 *
 * Context: Any.
 * Return: A constant string for people to read, which may change.
 */
const char *dma_buf_p2p_reason_text(enum dma_buf_p2p_reason reason)
{
	static_assert(ARRAY_SIZE(dma_buf_p2p_reasons) == DMA_BUF_P2P_NR);

	if (WARN_ON_ONCE(reason >= DMA_BUF_P2P_NR))
		return "unknown";
	return dma_buf_p2p_reasons[reason].text;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_p2p_reason_text, "DMA_BUF");

/**
 * dma_buf_route_text - the word for a route
 * @route: the route
 *
 * Context: Any.
 * Return: A constant string without blanks, which programs compare with.
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
	switch (reason) {
	case DMA_BUF_P2P_OK:
	case DMA_BUF_P2P_PRIVATE_LINK:
	case DMA_BUF_P2P_PHYS:
	case DMA_BUF_P2P_OVERRIDE:
		return true;
	default:
		return false;
	}
}

/*
 * p2pdma walks up from a client until it finds a PCI device, but the DMA API
 * maps for the device it is given. The answer of p2pdma is valid for the mapping
 * only if both are the same device.
 */
static enum dma_buf_p2p_reason
dma_buf_p2p_ask_topology(struct dma_buf_attachment *attach,
			 struct p2pdma_provider *provider)
{
	if (!dma_buf_hw_is_pci(attach->dev))
		return DMA_BUF_P2P_NOT_PCI;
	/*
	 * Ask for the distance first: it looks at the bridges as they are now, and
	 * stores the map type. Otherwise the map type may be an old one, from before
	 * ACS was changed or a device was plugged.
	 */
	if (dma_buf_hw_p2p_distance(to_pci_dev(provider->owner),
				    attach->dev) < 0)
		return DMA_BUF_P2P_NO_ROUTE;

	attach->p2p.map_type = dma_buf_hw_p2p_map_type(provider, attach->dev);
	switch (attach->p2p.map_type) {
	case PCI_P2PDMA_MAP_BUS_ADDR:
	case PCI_P2PDMA_MAP_THRU_HOST_BRIDGE:
		attach->p2p.owner = provider->owner;
		return dma_buf_hw_p2p_overridden(provider, attach->dev) ?
		       DMA_BUF_P2P_OVERRIDE : DMA_BUF_P2P_OK;
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

	lockdep_assert_held(&attach->dmabuf->offer_lock);

	if (dma_buf_is_phys(attach) && !ops->allow_phys)
		return DMA_BUF_P2P_NO_PHYS;
	if (!importer_ops || !importer_ops->allow_peer2peer)
		return DMA_BUF_P2P_IMPORTER;
	if (!ops->peer2peer)
		return DMA_BUF_P2P_EXPORTER;

	reason = ops->peer2peer(attach, &provider);
	/* The core decides that, not the exporter. */
	if (WARN_ON_ONCE(reason == DMA_BUF_P2P_PHYS))
		return DMA_BUF_P2P_VETO;
	if (reason != DMA_BUF_P2P_OK)
		return reason;
	if (dma_buf_is_phys(attach))
		return DMA_BUF_P2P_PHYS;
	if (!dma_buf_hw_p2p_enabled())
		return DMA_BUF_P2P_NO_KERNEL;
	if (!provider)
		return DMA_BUF_P2P_NO_PROVIDER;
	return dma_buf_p2p_ask_topology(attach, provider);
}

/*
 * Called once for each attachment, before the exporter's attach(). Returns an error
 * if the importer is refused.
 */
int dma_buf_p2p_negotiate(struct dma_buf_attachment *attach)
{
	/* The provider cannot go away while this is held. */
	mutex_lock(&attach->dmabuf->offer_lock);
	attach->p2p.reason = dma_buf_p2p_decide(attach);
	mutex_unlock(&attach->dmabuf->offer_lock);

	attach->p2p.map_reason = attach->p2p.reason;
	attach->peer2peer = dma_buf_p2p_reachable(attach->p2p.reason);
	if (attach->p2p.reason == DMA_BUF_P2P_NO_PHYS)
		return -EOPNOTSUPP;
	if (attach->peer2peer || !attach->dmabuf->ops->peer_only)
		return 0;
	return attach->p2p.reason == DMA_BUF_P2P_REVOKED ? -ENODEV : -EOPNOTSUPP;
}

/**
 * dma_buf_peer2peer_deny - the exporter decides against peer-to-peer
 * @attach: the attachment
 * @reason: why
 *
 * For exporters that can decide only in &dma_buf_ops.attach. If the reason is known
 * earlier, return it from &dma_buf_ops.peer2peer. An exporter cannot allow what the
 * core has refused.
 *
 * Context: In &dma_buf_ops.attach only.
 */
void dma_buf_peer2peer_deny(struct dma_buf_attachment *attach,
			    enum dma_buf_p2p_reason reason)
{
	if (WARN_ON_ONCE(!list_empty(&attach->node) ||
			 dma_buf_p2p_reachable(reason)))
		return;

	/* Keep the first reason. */
	if (attach->peer2peer)
		attach->p2p.reason = reason;
	attach->p2p.map_reason = attach->p2p.reason;
	attach->peer2peer = false;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_peer2peer_deny, "DMA_BUF");

/*
 * A failure has the reason of the attachment only if the memory could not be reached.
 * After any other error the two devices reach each other as before.
 */
static enum dma_buf_p2p_reason
dma_buf_failure_reason(enum dma_buf_p2p_reason reason, int error)
{
	if (dma_buf_p2p_reachable(reason))
		return DMA_BUF_P2P_ERROR;

	switch (error) {
	case -EREMOTEIO:
	case -EOPNOTSUPP:
	case -EBUSY:
		return reason;
	case -ENODEV:
		return reason == DMA_BUF_P2P_REVOKED ? reason : DMA_BUF_P2P_ERROR;
	default:
		return DMA_BUF_P2P_ERROR;
	}
}

/* The exporter's attach() failed: there will be no attachment to ask. */
void dma_buf_p2p_refused(struct dma_buf_attachment *attach, int error)
{
	struct dma_buf *dmabuf = attach->dmabuf;

	spin_lock(&dmabuf->records_lock);
	strscpy(dmabuf->refusal.dev, dev_name(attach->dev));
	dmabuf->refusal.reason = dma_buf_failure_reason(attach->p2p.reason, error);
	dmabuf->refusal.error = error;
	spin_unlock(&dmabuf->records_lock);
}

/* The device is not refused any more. Under the lock of the records. */
void dma_buf_p2p_accepted(struct dma_buf_attachment *attach)
{
	struct dma_buf_refusal *refusal = &attach->dmabuf->refusal;

	lockdep_assert_held(&attach->dmabuf->records_lock);

	if (!strncmp(refusal->dev, dev_name(attach->dev), sizeof(refusal->dev) - 1))
		refusal->error = 0;
}

/**
 * dma_buf_route_note - say why the buffer is not mapped where it was
 * @attach: the attachment that is being mapped
 * @reason: why, one of the reasons for a mapping
 *
 * For exporters, when they use system memory although the importer would reach
 * their device, or before they fail. Without it the record has the reason of the
 * attachment, or DMA_BUF_P2P_SYSTEM if the buffer is in system memory, or
 * DMA_BUF_P2P_ERROR if mapping failed for a reason other than reach.
 *
 * Context: In &dma_buf_ops.map_dma_buf, under the reservation lock.
 */
void dma_buf_route_note(struct dma_buf_attachment *attach,
			enum dma_buf_p2p_reason reason)
{
	dma_resv_assert_held(attach->dmabuf->resv);
	attach->p2p.map_reason = reason;
	attach->p2p.noted = true;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_route_note, "DMA_BUF");

/* Before a mapping is made: from now on dma_buf_route_note() may set its reason. */
void dma_buf_route_begin(struct dma_buf_attachment *attach)
{
	struct dma_buf *dmabuf = attach->dmabuf;

	dma_resv_assert_held(dmabuf->resv);

	spin_lock(&dmabuf->records_lock);
	attach->p2p.map_error = 0;
	attach->p2p.map_reason = attach->p2p.reason;
	attach->p2p.noted = false;
	spin_unlock(&dmabuf->records_lock);
}

/* Adds a mapping to the records. */
void dma_buf_route_made(struct dma_buf_list *list)
{
	enum dma_buf_p2p_reason reason = list->attach->p2p.map_reason;
	struct dma_buf *dmabuf = list->attach->dmabuf;

	dma_resv_assert_held(dmabuf->resv);

	/* System memory for a peer, and the exporter gave no reason. */
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
	if (!attach->p2p.noted)
		attach->p2p.map_reason =
			dma_buf_failure_reason(attach->p2p.map_reason, error);
	attach->p2p.map_error = error;
	spin_unlock(&dmabuf->records_lock);

	trace_dma_buf_route(attach, DMA_BUF_ROUTE_NONE, false, 0,
			    attach->p2p.map_reason);
}

/* Removes a mapping from the records, before it is unmapped. */
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
 * What a device writes to a bounced mapping is not seen by other importers. That is
 * harmless only if none of them writes.
 */
bool dma_buf_bounce_conflicts(const struct dma_buf_list *list)
{
	struct dma_buf *dmabuf = list->attach->dmabuf;
	const struct dma_buf_list *other;

	dma_resv_assert_held(dmabuf->resv);

	if (dma_buf_list_is_device(list))
		return false;

	list_for_each_entry(other, &dmabuf->mappings, node) {
		/* Mapped before the buffer moved, and not used any more. */
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
 * For &dma_buf_ops.pin: a buffer that is pinned in device memory cannot be moved to
 * memory that all importers reach.
 *
 * Context: Under the reservation lock.
 * Return: true if all importers that are attached now do.
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

/*
 * Anybody who has the descriptor can set the name, so it must not be able to end a
 * line, nor to start a field unless @blanks are allowed. Readers disagree on what ends
 * a line: escape all but printable ASCII as \ooo.
 */
static void dma_buf_escape(struct seq_file *m, const char *name, bool blanks)
{
	seq_escape_str(m, name, ESCAPE_OCTAL | ESCAPE_NAP | ESCAPE_APPEND,
		       blanks ? "\\" : " \\");
}

/* A name, in a line of its own or as the last one of a line */
void dma_buf_name_show(struct seq_file *m, const char *name)
{
	dma_buf_escape(m, name, true);
}

/*
 * May @cred know of the devices in this machine? In the initial user namespace sysfs
 * shows them and their topology anyway. Containers and sandboxes with a user namespace
 * of their own often get buffers, for example from a compositor, and may be kept from
 * seeing the devices on purpose.
 */
bool dma_buf_may_know_devices(const struct cred *cred)
{
	return cred->user_ns == &init_user_ns;
}

/* Starts a line with the device that it is about, or "-". */
static void dma_buf_dev_show(struct seq_file *m, const char *indent,
			     const char *key, const char *dev)
{
	seq_printf(m, "%s%s:\t", indent, key);
	if (dma_buf_may_know_devices(m->file->f_cred))
		dma_buf_escape(m, dev, false);
	else
		seq_putc(m, '-');
}

/* The token for programs, and the text for people behind it. Ends the line. */
static void dma_buf_reason_show(struct seq_file *m,
				enum dma_buf_p2p_reason reason)
{
	seq_printf(m, " reason=%s (%s)\n", dma_buf_p2p_reason_token(reason),
		   dma_buf_p2p_reason_text(reason));
}

static void dma_buf_attachment_show(struct seq_file *m,
				    const struct dma_buf_attachment *attach,
				    const char *indent)
{
	const struct dma_buf_p2p *p2p = &attach->p2p;
	const char *dev = dev_name(attach->dev);

	dma_buf_dev_show(m, indent, "attach", dev);
	seq_printf(m, " peer2peer=%s", attach->peer2peer ? "yes" : "no");
	dma_buf_reason_show(m, p2p->reason);
	if (!p2p->map_error)
		return;
	dma_buf_dev_show(m, indent, "failed", dev);
	seq_printf(m, " error=%d", p2p->map_error);
	dma_buf_reason_show(m, p2p->map_reason);
}

static void dma_buf_mapping_show(struct seq_file *m,
				 const struct dma_buf_list *list,
				 const char *indent)
{
	dma_buf_dev_show(m, indent, "map", dev_name(list->dev));
	seq_printf(m, " memory=%s route=%s chunks=%lu",
		   list->peer ? "peer" : list->bounced ? "bounced" : "system",
		   dma_buf_route_text(list->route), list->dma.nruns);
	dma_buf_reason_show(m, list->reason);
}

/*
 * The records of a dma-buf, for fdinfo and debugfs. Takes no lock that a driver may
 * hold, so it does not wait for a device.
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
	if (refusal->error) {
		dma_buf_dev_show(m, indent, "refused", refusal->dev);
		seq_printf(m, " error=%d", refusal->error);
		dma_buf_reason_show(m, refusal->reason);
	}
	spin_unlock(&dmabuf->records_lock);
}
