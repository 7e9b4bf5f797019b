/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Sharing of TTM buffers with other devices, device memory included
 */
#ifndef _TTM_DMA_BUF_H_
#define _TTM_DMA_BUF_H_

#include <linux/dma-buf-p2p.h>
#include <linux/dma-direction.h>
#include <linux/types.h>

struct dma_buf;
struct dma_buf_attachment;
struct dma_buf_list;
struct dma_buf_ops;
struct p2pdma_provider;
struct phys_vec;
struct ttm_buffer_object;

/**
 * struct ttm_dma_buf_funcs - what a driver knows about its device memory
 *
 * All of these are called under the reservation lock.
 */
struct ttm_dma_buf_funcs {
	/**
	 * @validate: Move a buffer to where an importer can access it, which may
	 * be where it is: system memory or, if @peer, the part of the device
	 * memory that a BAR shows. Not called while the buffer is pinned.
	 *
	 * Return: 0 or a negative errno, -EREMOTEIO if the buffer has no such
	 * place.
	 */
	int (*validate)(struct ttm_buffer_object *bo, bool peer);

	/**
	 * @locate: Say how a peer gets at the device memory that the buffer is
	 * in now, by the provider of the BAR that shows it. Without a provider
	 * it is ordinary memory in physical address space, as what integrated
	 * GPUs carve out is.
	 *
	 * Return: DMA_BUF_P2P_OK, or why peers cannot, for example
	 * DMA_BUF_P2P_OUTSIDE_BAR.
	 */
	enum dma_buf_p2p_reason (*locate)(struct ttm_buffer_object *bo,
					  struct p2pdma_provider **provider);

	/**
	 * @ranges: Write the physical addresses of that memory to @ranges, from
	 * the start of the buffer to its end. Count only, if @ranges is NULL.
	 *
	 * Return: Number of ranges.
	 */
	size_t (*ranges)(struct ttm_buffer_object *bo, struct phys_vec *ranges);
};

struct dma_buf *ttm_dma_buf_export(struct ttm_buffer_object *bo,
				   const struct dma_buf_ops *ops, int flags,
				   bool *is_new);
void ttm_dma_buf_release(struct dma_buf *dmabuf);
struct dma_buf_list *ttm_dma_buf_map(struct dma_buf_attachment *attach,
				     enum dma_data_direction dir,
				     const struct ttm_dma_buf_funcs *funcs);
void ttm_dma_buf_move_notify(struct ttm_buffer_object *bo);

#endif
