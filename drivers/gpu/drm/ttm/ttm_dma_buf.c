// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Sharing of TTM buffers with other devices, device memory included
 */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

#include <drm/drm_device.h>
#include <drm/drm_drv.h>
#include <drm/drm_gem_ttm_helper.h>
#include <drm/drm_prime.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_device.h>
#include <drm/ttm/ttm_dma_buf.h>
#include <drm/ttm/ttm_resource.h>
#include <drm/ttm/ttm_tt.h>

/**
 * DOC: sharing
 *
 * A buffer is shared where it is if the importer reaches it there, and moved to
 * system memory first if not. The core decides whether the importer reaches the
 * device memory, see &dma_buf_ops.peer2peer; ttm_dma_buf_map() acts on it. What
 * the driver adds is in &struct ttm_dma_buf_funcs: where its memory is and how
 * to move a buffer.
 *
 * The reason is always on record. If a buffer is mapped in system memory although the
 * importer reaches the device, the record of the mapping says why. If it cannot be
 * mapped because it is pinned out of reach, that fails with -EREMOTEIO and the record
 * says so.
 *
 * The dma-buf outlives the handle that it was exported from, so a buffer knows
 * its dma-buf itself: a driver calls ttm_dma_buf_move_notify() before it moves a
 * buffer, and drm_gem_dmabuf_revoke_all() after drm_dev_unplug().
 */

/* Returns the existing dma-buf with a reference, or NULL. */
static struct dma_buf *ttm_dma_buf_get_export(struct ttm_buffer_object *bo)
{
	dma_resv_assert_held(bo->base.resv);

	/* A dma-buf that is being released waits for the lock, so it is still valid. */
	return bo->export && get_file_active(&bo->export->file) ? bo->export :
								  NULL;
}

static struct dma_buf *ttm_dma_buf_export_new(struct ttm_buffer_object *bo,
					      const struct dma_buf_ops *ops,
					      int flags)
{
	struct drm_device *dev = bo->base.dev;
	struct dma_buf_export_info info = {
		/* The name that userspace knows buffers of DRM by. */
		.exp_name = "drm",
		.owner = dev->driver->fops->owner,
		.ops = ops,
		.size = bo->base.size,
		.flags = flags,
		.priv = &bo->base,
		.resv = bo->base.resv,
	};
	struct dma_buf *dmabuf, *found;

	dmabuf = drm_gem_dmabuf_export(dev, &info);
	if (IS_ERR(dmabuf))
		return dmabuf;

	dma_resv_lock(bo->base.resv, NULL);
	found = ttm_dma_buf_get_export(bo);
	if (!found)
		bo->export = dmabuf;
	dma_resv_unlock(bo->base.resv);

	/* Exported by somebody else meanwhile, drop ours. */
	if (found)
		dma_buf_put(dmabuf);
	return found ?: dmabuf;
}

/**
 * ttm_dma_buf_export - export a buffer as dma-buf
 * @bo: the buffer
 * @ops: operations of the driver, with ttm_dma_buf_release() or a function that
 *	calls it as &dma_buf_ops.release
 * @flags: such as DRM_CLOEXEC and DRM_RDWR
 * @is_new: set to whether it made a dma-buf, that is, if there is a
 *	&dma_buf_ops.release to come, or NULL
 *
 * For &drm_gem_object_funcs.export. The buffer gets its backing store here, so that
 * exporting fails if there is no memory, and not mapping. There is one dma-buf for a
 * buffer at a time; exporting again while it exists returns the same.
 *
 * Context: May sleep. Takes and releases the reservation lock.
 * Return: The dma-buf with a reference for the caller, or an ERR_PTR(): -ENODEV
 * after drm_dev_unplug(), -ENOMEM, -EINTR.
 */
struct dma_buf *ttm_dma_buf_export(struct ttm_buffer_object *bo,
				   const struct dma_buf_ops *ops, int flags,
				   bool *is_new)
{
	struct ttm_operation_ctx ctx = {
		.interruptible = true,
		.no_wait_gpu = true,
		/* Rather fail than invoke the OOM killer. */
		.gfp_retry_mayfail = true,
	};
	struct dma_buf *dmabuf;
	int ret;

	if (drm_dev_is_unplugged(bo->base.dev))
		return ERR_PTR(-ENODEV);

	ret = ttm_bo_setup_export(bo, &ctx);
	if (ret)
		return ERR_PTR(ret);

	ret = dma_resv_lock_interruptible(bo->base.resv, NULL);
	if (ret)
		return ERR_PTR(ret);
	dmabuf = ttm_dma_buf_get_export(bo);
	dma_resv_unlock(bo->base.resv);

	if (is_new)
		*is_new = !dmabuf;
	/* Not under the lock, which debugfs takes below that of all dma-bufs. */
	return dmabuf ?: ttm_dma_buf_export_new(bo, ops, flags);
}
EXPORT_SYMBOL_GPL(ttm_dma_buf_export);

/**
 * ttm_dma_buf_release - release a dma-buf that ttm_dma_buf_export() made
 * @dmabuf: the dma-buf
 *
 * For &dma_buf_ops.release.
 *
 * Context: May sleep. Takes and releases the reservation lock.
 */
void ttm_dma_buf_release(struct dma_buf *dmabuf)
{
	struct ttm_buffer_object *bo = drm_gem_ttm_of_gem(dmabuf->priv);

	dma_resv_lock(bo->base.resv, NULL);
	/* It may have been exported anew already. */
	if (bo->export == dmabuf)
		bo->export = NULL;
	dma_resv_unlock(bo->base.resv);

	drm_gem_dmabuf_release(dmabuf);
}
EXPORT_SYMBOL_GPL(ttm_dma_buf_release);

static struct dma_buf_list *
ttm_dma_buf_map_pages(struct dma_buf_attachment *attach,
		      enum dma_data_direction dir, struct ttm_buffer_object *bo)
{
	struct ttm_operation_ctx ctx = { };
	int ret;

	ret = ttm_bo_populate(bo, &ctx);
	if (ret)
		return ERR_PTR(ret);
	if (!bo->ttm || !bo->ttm->pages)
		return ERR_PTR(-EINVAL);

	if (attach->peer2peer && bo->pin_count &&
	    !dma_buf_all_reach(attach->dmabuf))
		dma_buf_route_note(attach, DMA_BUF_P2P_PINNED);

	return dma_buf_list_from_pages(attach, bo->ttm->pages,
				       PFN_UP(bo->base.size), dir,
				       DMA_ATTR_SKIP_CPU_SYNC);
}

static struct dma_buf_list *
ttm_dma_buf_map_ranges(struct dma_buf_attachment *attach,
		       enum dma_data_direction dir, struct ttm_buffer_object *bo,
		       const struct ttm_dma_buf_funcs *funcs,
		       struct p2pdma_provider *provider)
{
	size_t nr = funcs->ranges(bo, NULL);
	struct dma_buf_list *list;
	struct phys_vec *ranges;

	ranges = kvmalloc_objs(*ranges, nr);
	if (!ranges)
		return ERR_PTR(-ENOMEM);

	funcs->ranges(bo, ranges);
	if (provider)
		list = dma_buf_list_from_bar(attach, provider, ranges, nr, dir, 0);
	else
		list = dma_buf_list_from_phys(attach, ranges, nr, dir, 0);
	kvfree(ranges);
	return list;
}

static struct dma_buf_list *
ttm_dma_buf_map_device(struct dma_buf_attachment *attach,
		       enum dma_data_direction dir, struct ttm_buffer_object *bo,
		       const struct ttm_dma_buf_funcs *funcs)
{
	struct p2pdma_provider *provider = NULL;
	enum dma_buf_p2p_reason reason;

	/* The reason was recorded when the importer attached. */
	if (!attach->peer2peer)
		return ERR_PTR(-EREMOTEIO);

	/* Two drivers with a private link do not use DMA addresses. */
	if (WARN_ON_ONCE(attach->p2p.reason == DMA_BUF_P2P_PRIVATE_LINK))
		return ERR_PTR(-EINVAL);

	reason = funcs->locate(bo, &provider);
	if (reason != DMA_BUF_P2P_OK) {
		dma_buf_route_note(attach, reason);
		return ERR_PTR(-EREMOTEIO);
	}
	return ttm_dma_buf_map_ranges(attach, dir, bo, funcs, provider);
}

/* Maps a buffer where it is now, -EREMOTEIO if the importer does not reach it. */
static struct dma_buf_list *
ttm_dma_buf_map_here(struct dma_buf_attachment *attach,
		     enum dma_data_direction dir, struct ttm_buffer_object *bo,
		     const struct ttm_dma_buf_funcs *funcs)
{
	if (!bo->resource)
		return ERR_PTR(-EINVAL);
	if (ttm_manager_type(bo->bdev, bo->resource->mem_type)->use_tt)
		return ttm_dma_buf_map_pages(attach, dir, bo);
	return ttm_dma_buf_map_device(attach, dir, bo, funcs);
}

/**
 * ttm_dma_buf_map - map a buffer for an importer
 * @attach: the attachment of the importer
 * @dir: direction of the DMA
 * @funcs: functions of the driver
 *
 * For &dma_buf_ops.map_dma_buf. Unless the buffer is pinned it is moved, if need
 * be, to where the importer reaches it, and that is system memory whenever
 * device memory turns out not to be possible. Needs no counterpart, the core
 * frees the list.
 *
 * Context: May sleep. Under the reservation lock.
 * Return: The list, or an ERR_PTR(): -EREMOTEIO if the importer does not reach
 * the memory and the buffer cannot be moved, with the reason in the record of the
 * mapping, -ENODEV after drm_dev_unplug(), -ENOMEM, or what &validate returned.
 */
struct dma_buf_list *ttm_dma_buf_map(struct dma_buf_attachment *attach,
				     enum dma_data_direction dir,
				     const struct ttm_dma_buf_funcs *funcs)
{
	struct ttm_buffer_object *bo = drm_gem_ttm_of_gem(attach->dmabuf->priv);
	bool peer = attach->peer2peer;
	struct dma_buf_list *list;
	int ret;

	dma_resv_assert_held(bo->base.resv);

	/* Under the lock, drm_gem_dmabuf_revoke_all() comes after this. */
	if (drm_dev_is_unplugged(bo->base.dev)) {
		dma_buf_route_note(attach, DMA_BUF_P2P_REVOKED);
		return ERR_PTR(-ENODEV);
	}

	if (bo->pin_count)
		return ttm_dma_buf_map_here(attach, dir, bo, funcs);

	for (;; peer = false) {
		ret = funcs->validate(bo, peer);
		if (ret)
			return ERR_PTR(ret);

		list = ttm_dma_buf_map_here(attach, dir, bo, funcs);
		if (!peer || list != ERR_PTR(-EREMOTEIO))
			return list;
	}
}
EXPORT_SYMBOL_GPL(ttm_dma_buf_map);

/**
 * ttm_dma_buf_move_notify - tell the importers that a buffer is going to move
 * @bo: the buffer
 *
 * For drivers, before they move a buffer or swap it out. Does nothing for a
 * buffer that is not exported.
 *
 * Unlike &drm_gem_object.dma_buf, which is NULL once the last handle is closed
 * and is set for imported buffers too, this is about all the buffers that
 * importers have and no others.
 *
 * Context: May sleep. Under the reservation lock.
 */
void ttm_dma_buf_move_notify(struct ttm_buffer_object *bo)
{
	if (bo->export)
		dma_buf_invalidate_mappings(bo->export);
}
EXPORT_SYMBOL_GPL(ttm_dma_buf_move_notify);

MODULE_IMPORT_NS("DMA_BUF");
