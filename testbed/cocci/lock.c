// SPDX-License-Identifier: GPL-2.0
// Only parsed, never compiled. "match" is where a report has to be.

/* The mutex of the driver is no reservation lock. */
static int maps_what_it_attached(struct import *imp, struct dma_buf *dmabuf)
{
	mutex_lock(&imp->lock);
	imp->attach = dma_buf_attach(dmabuf, imp->dev);
	if (IS_ERR(imp->attach))
		return PTR_ERR(imp->attach);

	imp->sgt = dma_buf_map_attachment(imp->attach, DMA_BIDIRECTIONAL); /* match: dma_buf_map_attachment_unlocked() */
	mutex_unlock(&imp->lock);
	return PTR_ERR_OR_ZERO(imp->sgt);
}

static int maps_a_list(struct import *imp, struct dma_buf *dmabuf)
{
	imp->attach = dma_buf_dynamic_attach(dmabuf, imp->dev, &ops, imp);
	if (IS_ERR(imp->attach))
		return PTR_ERR(imp->attach);

	imp->list = dma_buf_list_map(imp->attach, DMA_TO_DEVICE);	/* match: dma_buf_list_map_unlocked() */
	return PTR_ERR_OR_ZERO(imp->list);
}

static void unmaps_and_detaches(struct import *imp)
{
	if (imp->sgt)
		dma_buf_unmap_attachment(imp->attach, imp->sgt,	/* match: dma_buf_unmap_attachment_unlocked() */
					 DMA_BIDIRECTIONAL);
	dma_buf_detach(imp->dmabuf, imp->attach);
	dma_buf_put(imp->dmabuf);
}

static int lets_the_core_lock(struct import *imp, struct dma_buf *dmabuf)
{
	imp->attach = dma_buf_attach(dmabuf, imp->dev);
	if (IS_ERR(imp->attach))
		return PTR_ERR(imp->attach);

	imp->sgt = dma_buf_map_attachment_unlocked(imp->attach, DMA_BIDIRECTIONAL);
	return PTR_ERR_OR_ZERO(imp->sgt);
}

static int locks(struct import *imp, struct dma_buf *dmabuf)
{
	imp->attach = dma_buf_dynamic_attach(dmabuf, imp->dev, &ops, imp);
	if (IS_ERR(imp->attach))
		return PTR_ERR(imp->attach);

	dma_resv_lock(dmabuf->resv, NULL);
	imp->list = dma_buf_list_map(imp->attach, DMA_BIDIRECTIONAL);
	dma_resv_unlock(dmabuf->resv);
	return PTR_ERR_OR_ZERO(imp->list);
}

static void locks_and_detaches(struct import *imp)
{
	dma_resv_lock(imp->dmabuf->resv, NULL);
	dma_buf_list_unmap(imp->attach, imp->list);
	dma_resv_unlock(imp->dmabuf->resv);
	dma_buf_detach(imp->dmabuf, imp->attach);
}

/* Called with the lock, for all that is seen here. */
static void is_told_to_let_go(struct dma_buf_attachment *attach)
{
	struct import *imp = attach->importer_priv;

	dma_buf_list_unmap(attach, imp->list);
	imp->list = NULL;
}
