/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Peer-to-peer negotiation between the exporter and an importer of a dma-buf
 */
#ifndef __LINUX_DMA_BUF_P2P_H
#define __LINUX_DMA_BUF_P2P_H

#include <linux/dma-buf-map.h>
#include <linux/pci-p2pdma.h>
#include <linux/types.h>
#include <uapi/linux/dma-buf.h>

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
 * 2. The exporter offers it with a &dma_buf_ops.peer2peer callback, which returns
 *    the provider of its BAR, or a private link, or a reason against it.
 * 3. The core calls pci_p2pdma_distance() to find out if the importer reaches the
 *    BAR, and keeps the answer for dma_buf_list_from_bar().
 *
 * &dma_buf_attachment.peer2peer has the result from before &dma_buf_ops.attach
 * until after &dma_buf_ops.detach. An exporter that can move the buffer to system
 * memory does so when it is mapped. One that cannot sets &dma_buf_ops.peer_only, and
 * the core refuses to attach importers that do not reach its memory.
 *
 * The result is recorded, and shown in ``/proc/PID/fdinfo/FD`` of the dma-buf, in
 * debugfs ``dma_buf/bufinfo`` and in trace events. The record of an attachment says
 * whether the two devices reach each other, that of a mapping says where the buffer
 * is and how it was mapped. A refused importer has no attachment, so the dma-buf
 * records the last refusal.
 */

/* Number of values of enum dma_buf_p2p_reason */
#define DMA_BUF_P2P_NR	(DMA_BUF_P2P_NO_PHYS + 1)

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

	/* private: does @map_reason come from dma_buf_route_note()? */
	bool noted;

	/* private: what pci_p2pdma_distance() said, and of which device */
	enum pci_p2pdma_map_type map_type;
	const struct device *owner;
};

/**
 * struct dma_buf_refusal - the last importer that a dma-buf refused
 * @dev: name of its device or the start of it, empty if there was none yet
 * @reason: why
 * @error: what it got, a negative errno, or zero
 *
 * Forgotten when the same device attaches. Protected by &dma_buf.records_lock.
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
const char *dma_buf_p2p_reason_token(enum dma_buf_p2p_reason reason);
const char *dma_buf_p2p_reason_text(enum dma_buf_p2p_reason reason);
const char *dma_buf_route_text(enum dma_buf_route route);

#endif
