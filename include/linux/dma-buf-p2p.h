/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Peer-to-peer negotiation between the exporter and an importer of a dma-buf
 */
#ifndef __LINUX_DMA_BUF_P2P_H
#define __LINUX_DMA_BUF_P2P_H

#include <linux/dma-buf-map.h>
#include <linux/pci-p2pdma.h>
#include <linux/types.h>

struct device;
struct dma_buf;
struct dma_buf_attachment;

/**
 * DOC: peer-to-peer negotiation
 *
 * Whether the device of an importer may access the memory of the exporter's
 * device directly is decided once, when it attaches:
 *
 * 1. The importer offers it with &dma_buf_attach_ops.allow_peer2peer.
 * 2. The exporter offers it by having a &dma_buf_ops.peer2peer callback, which
 *    names the provider of its BAR, or a link of its own, or a reason against.
 * 3. The core asks pci_p2pdma_distance() if the one reaches the other, and keeps
 *    the answer for dma_buf_list_from_bar().
 *
 * &dma_buf_attachment.peer2peer has the result from before &dma_buf_ops.attach
 * until after &dma_buf_ops.detach. Attaching does not fail because of it: an
 * exporter that can move the buffer to system memory does so when it is mapped,
 * and one that cannot refuses in &dma_buf_ops.attach.
 *
 * Two kinds of records tell what came of it, both are in ``/proc/PID/fdinfo/FD`` of
 * the dma-buf, in debugfs ``dma_buf/bufinfo`` and in trace events: one of each
 * attachment, can the pair reach each other, and one of each mapping, where did
 * the buffer lie and how was it mapped. A refused importer leaves no attachment,
 * so the dma-buf keeps its last refusal.
 */

/**
 * enum dma_buf_p2p_reason - why peer-to-peer is used or not
 * @DMA_BUF_P2P_OK: the importer reaches the memory of the exporter's device
 * @DMA_BUF_P2P_PRIVATE_LINK: over a link that only the two drivers know
 * @DMA_BUF_P2P_PHYS: the importer takes physical addresses and never maps, see
 *	&dma_buf_attach_ops.phys_only
 * @DMA_BUF_P2P_IMPORTER: the importer does not handle peer memory
 * @DMA_BUF_P2P_EXPORTER: the exporter has no peer memory
 * @DMA_BUF_P2P_NOT_PCI: the importing device is not a PCI device
 * @DMA_BUF_P2P_MAP_OPS: mapping: the importing device has its own &struct
 *	dma_map_ops, and these do not map the memory of a device
 * @DMA_BUF_P2P_NO_PROVIDER: the exporter has no p2pdma provider for its memory
 * @DMA_BUF_P2P_NO_KERNEL: the kernel has no CONFIG_PCI_P2PDMA
 * @DMA_BUF_P2P_NO_ROUTE: the PCI topology does not connect the two devices
 * @DMA_BUF_P2P_NOT_REVOCABLE: the exporter may have to take the memory back, but
 *	the importer has no &dma_buf_attach_ops.invalidate_mappings
 * @DMA_BUF_P2P_REVOKED: the exporter has taken the memory back
 * @DMA_BUF_P2P_SUSPENDED: the exporter's device is suspended
 * @DMA_BUF_P2P_COMPRESSED: the device compresses the memory, peers cannot
 * @DMA_BUF_P2P_VETO: the exporter refuses for another reason
 * @DMA_BUF_P2P_SYSTEM: mapping: the buffer lies in system memory now
 * @DMA_BUF_P2P_PINNED: mapping: it is pinned in system memory for another
 *	importer
 * @DMA_BUF_P2P_OUTSIDE_BAR: mapping: it lay outside the part of the memory that
 *	the BAR shows
 * @DMA_BUF_P2P_DMA_MASK: mapping: the address lies beyond the importer's DMA mask
 * @DMA_BUF_P2P_BOUNCE: mapping: the memory would have to be bounced for the
 *	importer, and nobody copies it
 * @DMA_BUF_P2P_BOUNCE_SHARED: mapping: the memory would have to be bounced for the
 *	importer or is for another one, and one of them would see old bytes
 * @DMA_BUF_P2P_NR: number of reasons
 *
 * The text for each, see dma_buf_p2p_reason_text(), is what users see and grep
 * for.
 */
enum dma_buf_p2p_reason {
	DMA_BUF_P2P_OK,
	DMA_BUF_P2P_PRIVATE_LINK,
	DMA_BUF_P2P_PHYS,
	DMA_BUF_P2P_IMPORTER,
	DMA_BUF_P2P_EXPORTER,
	DMA_BUF_P2P_NOT_PCI,
	DMA_BUF_P2P_MAP_OPS,
	DMA_BUF_P2P_NO_PROVIDER,
	DMA_BUF_P2P_NO_KERNEL,
	DMA_BUF_P2P_NO_ROUTE,
	DMA_BUF_P2P_NOT_REVOCABLE,
	DMA_BUF_P2P_REVOKED,
	DMA_BUF_P2P_SUSPENDED,
	DMA_BUF_P2P_COMPRESSED,
	DMA_BUF_P2P_VETO,
	DMA_BUF_P2P_SYSTEM,
	DMA_BUF_P2P_PINNED,
	DMA_BUF_P2P_OUTSIDE_BAR,
	DMA_BUF_P2P_DMA_MASK,
	DMA_BUF_P2P_BOUNCE,
	DMA_BUF_P2P_BOUNCE_SHARED,
	DMA_BUF_P2P_NR
};

/**
 * struct dma_buf_p2p - result of the negotiation, part of each attachment
 * @reason: can the pair reach each other, and why or why not
 * @map_reason: the same for the mapping that is being made, or for the last one
 *	if that failed
 * @map_error: the negative errno that the last mapping failed with, or zero
 *
 * Written by the core. @reason is constant once dma_buf_dynamic_attach()
 * returned, the rest changes under the reservation lock. What is mapped now has
 * records of its own, in &dma_buf.mappings.
 */
struct dma_buf_p2p {
	enum dma_buf_p2p_reason reason;
	enum dma_buf_p2p_reason map_reason;
	int map_error;

	/* private: what pci_p2pdma_distance() said, and of which device */
	enum pci_p2pdma_map_type map_type;
	const struct device *owner;
};

/**
 * struct dma_buf_refusal - the last importer that a dma-buf refused
 * @dev: name of its device or the start of it, empty if there was none yet
 * @reason: why
 * @error: what it got, a negative errno
 *
 * Protected by &dma_buf.records_lock.
 */
struct dma_buf_refusal {
	char dev[64];
	enum dma_buf_p2p_reason reason;
	int error;
};

void dma_buf_peer2peer_deny(struct dma_buf_attachment *attach,
			    enum dma_buf_p2p_reason reason);
bool dma_buf_all_reach(struct dma_buf *dmabuf);
void dma_buf_route_note(struct dma_buf_attachment *attach,
			enum dma_buf_p2p_reason reason);
const char *dma_buf_p2p_reason_text(enum dma_buf_p2p_reason reason);
const char *dma_buf_route_text(enum dma_buf_route route);

#endif
