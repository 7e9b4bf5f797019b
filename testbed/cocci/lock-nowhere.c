// SPDX-License-Identifier: GPL-2.0
// Only parsed, never compiled. Nothing in this file takes the reservation lock.

static int attaches(struct import *imp, struct dma_buf *dmabuf)
{
	imp->attach = dma_buf_attach(dmabuf, imp->dev);
	return PTR_ERR_OR_ZERO(imp->attach);
}

static int maps_later(struct import *imp)
{
	mutex_lock(&imp->lock);
	imp->sgt = dma_buf_map_attachment(imp->attach, DMA_BIDIRECTIONAL); /* match */
	mutex_unlock(&imp->lock);
	return PTR_ERR_OR_ZERO(imp->sgt);
}

static void unmaps(struct import *imp)
{
	dma_buf_unmap_attachment(imp->attach, imp->sgt, DMA_BIDIRECTIONAL); /* match */
	imp->sgt = NULL;
}

static void maps_for_a_moment(struct import *imp)
{
	struct dma_buf_list *list;

	list = dma_buf_list_map_unlocked(imp->attach, DMA_TO_DEVICE);
	if (IS_ERR(list))
		return;
	dma_buf_list_unmap_unlocked(imp->attach, list);
}
