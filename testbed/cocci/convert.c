// SPDX-License-Identifier: GPL-2.0
// Only parsed, never compiled. "match" is where a report has to be, and
// convert.after what patch mode has to make of it.

#include <linux/dma-buf.h>

/* An array of pages: the callback that unmaps goes as a whole. */
static struct sg_table *pages_map(struct dma_buf_attachment *attach,	/* match */
				  enum dma_data_direction dir)
{
	struct buffer *buf = attach->dmabuf->priv;
	struct sg_table *sgt;
	int ret;

	sgt = kzalloc_obj(*sgt);
	if (!sgt)
		return ERR_PTR(-ENOMEM);

	ret = sg_alloc_table_from_pages(sgt, buf->pages, buf->npages, 0,
					buf->size, GFP_KERNEL);
	if (ret)
		goto err_free;

	ret = dma_map_sgtable(attach->dev, sgt, dir, DMA_ATTR_SKIP_CPU_SYNC);
	if (ret)
		goto err_table;
	return sgt;

err_table:
	sg_free_table(sgt);
err_free:
	kfree(sgt);
	return ERR_PTR(ret);
}

static void pages_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
			enum dma_data_direction dir)
{
	dma_unmap_sgtable(attach->dev, sgt, dir, DMA_ATTR_SKIP_CPU_SYNC);
	sg_free_table(sgt);
	kfree(sgt);
}

static const struct dma_buf_ops pages_ops = {
	.map_dma_buf = pages_map,
	.unmap_dma_buf = pages_unmap,
	.release = buffer_release,
};

/* Filled page by page, and the callback that unmaps has more to do. */
static struct sg_table *loop_map(struct dma_buf_attachment *attach,	/* match */
				 enum dma_data_direction dir)
{
	struct buffer *buf = attach->dmabuf->priv;
	struct sg_table *sgt;
	struct scatterlist *sg;
	int i, ret;

	sgt = kmalloc_obj(*sgt);
	if (!sgt)
		return ERR_PTR(-ENOMEM);
	ret = sg_alloc_table(sgt, buf->npages, GFP_KERNEL);
	if (ret)
		goto err_free;
	for_each_sgtable_sg(sgt, sg, i)
		sg_set_page(sg, buf->pages[i], PAGE_SIZE, 0);
	ret = dma_map_sgtable(attach->dev, sgt, dir, 0);
	if (ret)
		goto err_table;
	return sgt;

err_table:
	sg_free_table(sgt);
err_free:
	kfree(sgt);
	return ERR_PTR(ret);
}

static void loop_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
		       enum dma_data_direction dir)
{
	struct buffer *buf = attach->dmabuf->priv;

	dma_unmap_sgtable(attach->dev, sgt, dir, 0);
	sg_free_table(sgt);
	kfree(sgt);
	buffer_unpin(buf);
}

static const struct dma_buf_ops loop_ops = {
	.map_dma_buf = loop_map,
	.unmap_dma_buf = loop_unmap,
};

/* Pages, or coherent memory that was never unmapped */
static struct sg_table *either_map(struct dma_buf_attachment *attach,	/* match */
				   enum dma_data_direction dir)
{
	struct buffer *buf = attach->dmabuf->priv;
	struct sg_table *sgt;

	sgt = kmalloc_obj(*sgt);
	if (!sgt)
		return NULL;

	if (buf->pages) {
		if (sg_alloc_table_from_pages(sgt, buf->pages, buf->npages,
					      0, buf->size, GFP_KERNEL) < 0)
			goto free;
	} else {
		if (dma_get_sgtable(buf->dev, sgt, buf->vaddr, buf->addr,
				    buf->size) < 0)
			goto free;
	}
	if (dma_map_sgtable(attach->dev, sgt, dir, 0))
		goto free;
	return sgt;

free:
	sg_free_table(sgt);
	kfree(sgt);
	return NULL;
}

static void either_unmap(struct dma_buf_attachment *attach,
			 struct sg_table *sgt, enum dma_data_direction dir)
{
	struct object *obj = attach->dmabuf->priv;
	struct buffer *buf = to_buffer(obj);

	if (buf->pages)
		dma_unmap_sgtable(attach->dev, sgt, dir, 0);
	sg_free_table(sgt);
	kfree(sgt);
}

static const struct dma_buf_ops either_ops = {
	.map_dma_buf = either_map,
	.unmap_dma_buf = either_unmap,
};

/* A table that was made on attach */
static struct sg_table *kept_map(struct dma_buf_attachment *attach,	/* match */
				 enum dma_data_direction dir)
{
	struct kept *a = attach->priv;
	int ret;

	ret = dma_map_sgtable(attach->dev, &a->table, dir, 0);
	if (ret)
		return ERR_PTR(ret);
	return &a->table;
}

static void kept_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
		       enum dma_data_direction dir)
{
	dma_unmap_sgtable(attach->dev, sgt, dir, 0);
}

static const struct dma_buf_ops kept_ops = {
	.map_dma_buf = kept_map,
	.unmap_dma_buf = kept_unmap,
};

/* Helpers with the device as an argument */
static struct sg_table *helper_get(struct device *dev, struct buffer *buf,
				   enum dma_data_direction dir)
{
	struct sg_table *sgt;

	sgt = kzalloc(sizeof(*sgt), GFP_KERNEL);
	if (!sgt)
		return ERR_PTR(-ENOMEM);
	if (dma_get_sgtable(buf->dev, sgt, buf->vaddr, buf->addr, buf->size))
		goto err_free;
	if (dma_map_sgtable(dev, sgt, dir, 0))
		goto err_table;
	return sgt;

err_table:
	sg_free_table(sgt);
err_free:
	kfree(sgt);
	return ERR_PTR(-ENOMEM);
}

static void helper_put(struct device *dev, struct sg_table *sgt,
		       enum dma_data_direction dir)
{
	dma_unmap_sgtable(dev, sgt, dir, 0);
	sg_free_table(sgt);
	kfree(sgt);
}

static struct sg_table *helper_map(struct dma_buf_attachment *attach,	/* match */
				   enum dma_data_direction dir)
{
	return helper_get(attach->dev, attach->dmabuf->priv, dir);
}

static void helper_unmap(struct dma_buf_attachment *attach,
			 struct sg_table *sgt, enum dma_data_direction dir)
{
	helper_put(attach->dev, sgt, dir);
}

static const struct dma_buf_ops helper_ops = {
	.map_dma_buf = helper_map,
	.unmap_dma_buf = helper_unmap,
};

/* Cannot be mapped */
static struct sg_table *refuse_map(struct dma_buf_attachment *attach,	/* match */
				   enum dma_data_direction dir)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static void refuse_unmap(struct dma_buf_attachment *attach,
			 struct sg_table *sgt, enum dma_data_direction dir)
{
}

static const struct dma_buf_ops refuse_ops = {
	.map_dma_buf = refuse_map,
	.unmap_dma_buf = refuse_unmap,
};

/* Left alone: the pages are pinned in between. */
static struct sg_table *pin_map(struct dma_buf_attachment *attach,	/* match */
				enum dma_data_direction dir)
{
	struct buffer *buf = attach->dmabuf->priv;
	struct sg_table *sgt;

	sgt = kzalloc_obj(*sgt);
	if (!sgt)
		return ERR_PTR(-ENOMEM);
	if (buffer_pin(buf))
		goto err_free;
	if (sg_alloc_table_from_pages(sgt, buf->pages, buf->npages, 0,
				      buf->size, GFP_KERNEL))
		goto err_free;
	if (dma_map_sgtable(attach->dev, sgt, dir, 0))
		goto err_table;
	return sgt;

err_table:
	sg_free_table(sgt);
err_free:
	kfree(sgt);
	return ERR_PTR(-ENOMEM);
}

static void pin_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
		      enum dma_data_direction dir)
{
	dma_unmap_sgtable(attach->dev, sgt, dir, 0);
	sg_free_table(sgt);
	kfree(sgt);
	buffer_unpin(attach->dmabuf->priv);
}

static const struct dma_buf_ops pin_ops = {
	.map_dma_buf = pin_map,
	.unmap_dma_buf = pin_unmap,
};

/* What the attachments have mapped is synced, which is all that is done. */
static struct sg_table *sync_map(struct dma_buf_attachment *attach,	/* match */
				 enum dma_data_direction dir)
{
	struct kept *a = attach->priv;

	if (dma_map_sgtable(attach->dev, &a->table, dir, 0))
		return ERR_PTR(-ENOMEM);
	a->mapped = true;
	return &a->table;
}

static void sync_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
		       enum dma_data_direction dir)
{
	struct kept *a = attach->priv;

	a->mapped = false;
	dma_unmap_sgtable(attach->dev, sgt, dir, 0);
}

static int sync_begin(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	struct buffer *buf = dmabuf->priv;
	struct kept *a;

	mutex_lock(&buf->lock);
	list_for_each_entry(a, &buf->attachments, node)
		if (a->mapped)
			dma_sync_sgtable_for_cpu(a->dev, &a->table, dir);
	mutex_unlock(&buf->lock);
	return 0;
}

static int sync_end(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	struct buffer *buf = dmabuf->priv;
	struct kept *a;

	mutex_lock(&buf->lock);
	list_for_each_entry(a, &buf->attachments, node)
		if (a->mapped)
			dma_sync_sgtable_for_device(a->dev, &a->table, dir);
	mutex_unlock(&buf->lock);
	return 0;
}

static const struct dma_buf_ops sync_ops = {
	.map_dma_buf = sync_map,
	.unmap_dma_buf = sync_unmap,
	.begin_cpu_access = sync_begin,
	.end_cpu_access = sync_end,
};

/* The same, with a kernel mapping to care for besides */
static struct sg_table *heap_map(struct dma_buf_attachment *attachment,	/* match */
				 enum dma_data_direction direction)
{
	struct kept *a = attachment->priv;
	struct sg_table *table = &a->table;
	int ret;

	ret = dma_map_sgtable(attachment->dev, table, direction, 0);
	if (ret)
		return ERR_PTR(ret);

	a->mapped = true;
	return table;
}

static void heap_unmap(struct dma_buf_attachment *attachment,
		       struct sg_table *table, enum dma_data_direction direction)
{
	struct kept *a = attachment->priv;

	a->mapped = false;
	dma_unmap_sgtable(attachment->dev, table, direction, 0);
}

static int heap_begin(struct dma_buf *dmabuf, enum dma_data_direction direction)
{
	struct buffer *buf = dmabuf->priv;
	struct kept *a;

	mutex_lock(&buf->lock);

	if (buf->vmap_cnt)
		invalidate_kernel_vmap_range(buf->vaddr, buf->size);

	list_for_each_entry(a, &buf->attachments, node) {
		if (!a->mapped)
			continue;
		dma_sync_sgtable_for_cpu(a->dev, &a->table, direction);
	}
	mutex_unlock(&buf->lock);

	return 0;
}

static int heap_end(struct dma_buf *dmabuf, enum dma_data_direction direction)
{
	struct buffer *buf = dmabuf->priv;
	struct kept *a;

	mutex_lock(&buf->lock);

	if (buf->vmap_cnt)
		flush_kernel_vmap_range(buf->vaddr, buf->size);

	list_for_each_entry(a, &buf->attachments, node) {
		if (!a->mapped)
			continue;
		dma_sync_sgtable_for_device(a->dev, &a->table, direction);
	}
	mutex_unlock(&buf->lock);

	return 0;
}

static const struct dma_buf_ops heap_ops = {
	.map_dma_buf = heap_map,
	.unmap_dma_buf = heap_unmap,
	.begin_cpu_access = heap_begin,
	.end_cpu_access = heap_end,
};

/* Left alone: others look at what is mapped. */
static struct sg_table *seen_map(struct dma_buf_attachment *attach,	/* match */
				 enum dma_data_direction dir)
{
	struct kept *a = attach->priv;

	if (dma_map_sgtable(attach->dev, &a->table, dir, 0))
		return ERR_PTR(-ENOMEM);
	a->mapped = true;
	return &a->table;
}

static void seen_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
		       enum dma_data_direction dir)
{
	struct kept *a = attach->priv;

	a->mapped = false;
	dma_unmap_sgtable(attach->dev, sgt, dir, 0);
}

static const struct dma_buf_ops seen_ops = {
	.map_dma_buf = seen_map,
	.unmap_dma_buf = seen_unmap,
};

/* Left alone: the driver's own table, for its own device */
struct sg_table *own_table(struct buffer *buf)
{
	struct sg_table *sgt;

	sgt = kzalloc_obj(*sgt);
	if (!sgt)
		return ERR_PTR(-ENOMEM);
	if (sg_alloc_table_from_pages(sgt, buf->pages, buf->npages, 0,
				      buf->size, GFP_KERNEL))
		goto err_free;
	if (dma_map_sgtable(buf->dev, sgt, DMA_BIDIRECTIONAL, 0))
		goto err_table;
	return sgt;

err_table:
	sg_free_table(sgt);
err_free:
	kfree(sgt);
	return ERR_PTR(-ENOMEM);
}

/* Converted */
static struct dma_buf_list *list_map(struct dma_buf_attachment *attach,
				     enum dma_data_direction dir)
{
	struct buffer *buf = attach->dmabuf->priv;

	return dma_buf_list_from_pages(attach, buf->pages, buf->npages, dir,
				       0);
}

static const struct dma_buf_ops list_ops = {
	.map_dma_buf = list_map,
};
