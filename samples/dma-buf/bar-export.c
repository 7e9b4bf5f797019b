// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sample dma-buf exporter: export, map, fall back, move and revoke
 *
 * This is the file to copy from. The device memory is behind a PCI BAR, that of
 * QEMU's ivshmem-plain stands in for the VRAM of a GPU. A buffer starts out
 * there. Importers that reach the BAR get it directly. When another importer
 * comes along the buffer moves to system memory, with its contents; userspace
 * can move it too. dma-bufs may outlive the device: a buffer in system memory
 * stays usable, one in the BAR is lost with it.
 *
 * Where a buffer is changes under the reservation lock of its dma-buf only.
 *
 * How the memory is allocated and accessed by the CPU is in bar-memory.c, the
 * PCI driver and the character device of the tests are in bar-device.c.
 */
#include <linux/dma-buf.h>
#include <linux/dma-buf-map.h>
#include <linux/dma-resv.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "bar.h"

/* Moving, under the reservation lock */

static void bar_unmap_cpu(struct bar_buffer *buf)
{
	/* Each dma-buf has an address space of its own. */
	unmap_mapping_range(buf->dmabuf->file->f_mapping, 0, 0, 1);
}

/*
 * Stops all access by importers and userspace. An importer may unmap after this has
 * returned. Until then its device can still read the old memory, but must not use
 * what it read. The importer maps again when the lock is released.
 */
static int bar_quiesce(struct bar_buffer *buf)
{
	long ret;

	dma_buf_invalidate_mappings(buf->dmabuf);
	ret = dma_resv_wait_timeout(buf->dmabuf->resv, DMA_RESV_USAGE_BOOKKEEP,
				    true, MAX_SCHEDULE_TIMEOUT);
	if (ret < 0)
		return ret;

	bar_unmap_cpu(buf);
	return 0;
}

/* The core counts kernel mappings. */
static bool bar_is_fixed(struct bar_buffer *buf)
{
	return buf->pins || buf->dmabuf->vmapping_counter;
}

int bar_move_to_system(struct bar_buffer *buf)
{
	struct page **pages;
	int ret;

	if (buf->pages)
		return 0;
	if (buf->unplugged)
		return -ENODEV;
	if (bar_is_fixed(buf))
		return -EBUSY;

	pages = bar_alloc_pages(buf->npages);
	if (!pages)
		return -ENOMEM;

	ret = bar_quiesce(buf);
	if (ret)
		goto err_free_pages;

	bar_copy(buf, pages, false);
	bar_free_ranges(buf);
	buf->pages = pages;
	return 0;

err_free_pages:
	bar_free_pages(pages, buf->npages);
	return ret;
}

static void bar_free_stale(struct bar_buffer *buf)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &buf->stale, lru) {
		list_del(&page->lru);
		__free_page(page);
	}
}

/* Unmapping a bounced page writes to it, so keep the pages until then. */
static void bar_retire_pages(struct bar_buffer *buf)
{
	unsigned long i;

	for (i = 0; i < buf->npages; i++)
		list_add(&buf->pages[i]->lru, &buf->stale);
	kvfree(buf->pages);
	buf->pages = NULL;

	if (!buf->nr_lists)
		bar_free_stale(buf);
}

int bar_move_to_bar(struct bar_buffer *buf)
{
	int ret;

	if (buf->unplugged)
		return -ENODEV;
	if (!buf->pages)
		return 0;
	if (bar_is_fixed(buf))
		return -EBUSY;

	ret = bar_alloc_ranges(buf);
	if (ret)
		return ret;

	ret = bar_quiesce(buf);
	if (ret)
		goto err_free_ranges;

	dma_buf_sync_mappings(buf->dmabuf, DMA_BIDIRECTIONAL, true);
	bar_copy(buf, buf->pages, true);
	bar_retire_pages(buf);
	return 0;

err_free_ranges:
	bar_free_ranges(buf);
	return ret;
}

/* For an importer that does not reach the BAR */
static int bar_fall_back(struct bar_buffer *buf)
{
	int ret = bar_move_to_system(buf);

	/* -EBUSY: it is pinned where this importer does not reach it. */
	return ret == -EBUSY ? -EREMOTEIO : ret;
}

/* For importers */

/*
 * The core checks whether the importer reaches the BAR. It does not know that
 * this device may be unplugged, so refuse importers that cannot give the memory
 * back.
 */
static enum dma_buf_p2p_reason
bar_peer2peer(struct dma_buf_attachment *attach,
	      struct p2pdma_provider **provider)
{
	struct bar_buffer *buf = attach->dmabuf->priv;

	/* bar_revoke_all() waits until the core has finished using the provider. */
	if (READ_ONCE(buf->unplugged))
		return DMA_BUF_P2P_REVOKED;
	if (!dma_buf_attach_revocable(attach))
		return DMA_BUF_P2P_NOT_REVOCABLE;

	*provider = buf->bar->provider;
	return DMA_BUF_P2P_OK;
}

static int bar_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct bar_buffer *buf = dmabuf->priv;
	bool lost;

	dma_resv_lock(dmabuf->resv, NULL);
	lost = buf->unplugged && !buf->pages;
	dma_resv_unlock(dmabuf->resv);
	return lost ? -ENODEV : 0;
}

static struct dma_buf_list *bar_map_bar(struct dma_buf_attachment *attach,
					enum dma_data_direction dir)
{
	struct bar_buffer *buf = attach->dmabuf->priv;

	if (buf->unplugged) {
		dma_buf_route_note(attach, DMA_BUF_P2P_REVOKED);
		return ERR_PTR(-ENODEV);
	}

	return dma_buf_list_from_bar(attach, buf->bar->provider, buf->ranges,
				     buf->nr_ranges, dir, 0);
}

static struct dma_buf_list *bar_map_system(struct dma_buf_attachment *attach,
					   enum dma_data_direction dir)
{
	struct bar_buffer *buf = attach->dmabuf->priv;
	struct dma_buf_list *list;

	if (attach->peer2peer && buf->system_pins)
		dma_buf_route_note(attach, DMA_BUF_P2P_PINNED);

	list = dma_buf_list_from_pages(attach, buf->pages, buf->npages,
				       dir, 0);
	if (!IS_ERR(list))
		buf->nr_lists++;
	return list;
}

static struct dma_buf_list *bar_map(struct dma_buf_attachment *attach,
				    enum dma_data_direction dir)
{
	struct bar_buffer *buf = attach->dmabuf->priv;
	struct dma_buf_list *list = ERR_PTR(-EREMOTEIO);
	int ret;

	if (!buf->pages)
		list = bar_map_bar(attach, dir);
	if (list != ERR_PTR(-EREMOTEIO))
		return list;

	ret = bar_fall_back(buf);
	if (ret)
		return ERR_PTR(ret);
	return bar_map_system(attach, dir);
}

/* An importer may unmap only some time after invalidate_mappings(). */
static void bar_unmap(struct dma_buf_attachment *attach,
		      struct dma_buf_list *list)
{
	struct bar_buffer *buf = attach->dmabuf->priv;
	bool peer = dma_buf_list_is_peer(list);

	dma_buf_list_free(list);

	if (!peer && !--buf->nr_lists)
		bar_free_stale(buf);
}

static int bar_pin(struct dma_buf_attachment *attach)
{
	struct bar_buffer *buf = attach->dmabuf->priv;
	int ret = 0;

	/* A buffer that is pinned stays where it is. */
	if (!attach->peer2peer ||
	    (!buf->pins && !dma_buf_all_reach(attach->dmabuf)))
		ret = bar_fall_back(buf);
	else if (buf->unplugged && !buf->pages)
		ret = -ENODEV;
	if (ret)
		return ret;

	buf->pins++;
	buf->system_pins += !attach->peer2peer;
	return 0;
}

static void bar_unpin(struct dma_buf_attachment *attach)
{
	struct bar_buffer *buf = attach->dmabuf->priv;

	buf->pins--;
	buf->system_pins -= !attach->peer2peer;
}

/* Exporting */

static void bar_release(struct dma_buf *dmabuf)
{
	struct bar_buffer *buf = dmabuf->priv;

	mutex_lock(&buf->bar->lock);
	list_del(&buf->node);
	mutex_unlock(&buf->bar->lock);
	bar_buffer_free(buf);
}

static const struct dma_buf_ops bar_dma_buf_ops = {
	.sync_mappings = true,
	.peer2peer = bar_peer2peer,
	.attach = bar_attach,
	.pin = bar_pin,
	.unpin = bar_unpin,
	.map_dma_buf = bar_map,
	.unmap_dma_buf = bar_unmap,
	.end_cpu_access = bar_end_cpu_access,
	.mmap = bar_mmap,
	.vmap = bar_vmap,
	.vunmap = bar_vunmap,
	.release = bar_release,
};

/*
 * Called under bar->lock, so that bar_revoke_all() either finds the buffer, or has
 * set bar->unplugged before.
 */
struct dma_buf *bar_export(struct bar_device *bar, unsigned long npages,
			   unsigned int nr_ranges)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct bar_buffer *buf;
	struct dma_buf *dmabuf;

	if (bar->unplugged)
		return ERR_PTR(-ENODEV);

	buf = bar_buffer_alloc(bar, npages, nr_ranges);
	if (IS_ERR(buf))
		return ERR_CAST(buf);

	info.ops = &bar_dma_buf_ops;
	info.size = npages << PAGE_SHIFT;
	info.flags = O_RDWR;
	info.priv = buf;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf)) {
		bar_buffer_free(buf);
		return dmabuf;
	}

	buf->dmabuf = dmabuf;
	list_add(&buf->node, &bar->buffers);
	return dmabuf;
}

/* NULL if it is not one of this device. */
struct bar_buffer *bar_buffer_of(struct bar_device *bar, struct dma_buf *dmabuf)
{
	struct bar_buffer *buf = dmabuf->priv;

	return dmabuf->ops == &bar_dma_buf_ops && buf->bar == bar ? buf : NULL;
}

/* The device goes away */

/* After this neither devices nor the CPU can map the buffer. */
static void bar_revoke(struct bar_buffer *buf)
{
	/* Nobody uses a buffer that is being released: release waits for bar->lock. */
	if (!get_file_active(&buf->dmabuf->file))
		return;

	dma_resv_lock(buf->dmabuf->resv, NULL);
	WRITE_ONCE(buf->unplugged, true);
	if (!buf->pages)
		bar_unmap_cpu(buf);
	dma_resv_unlock(buf->dmabuf->resv);
	fput(buf->dmabuf->file);
}

static bool bar_owns(struct dma_buf *dmabuf, void *bar)
{
	struct bar_buffer *buf = dmabuf->priv;

	return buf->bar == bar;
}

/*
 * The BAR, its kernel mapping and its provider go away when remove() returns, so
 * nobody must use them then. The core tells importers to let go; bar_peer2peer() has
 * refused those that cannot. Kernel mappings cannot be taken back.
 */
void bar_revoke_all(struct bar_device *bar)
{
	struct bar_buffer *buf;

	mutex_lock(&bar->lock);
	bar->unplugged = true;
	list_for_each_entry(buf, &bar->buffers, node)
		bar_revoke(buf);
	mutex_unlock(&bar->lock);

	dma_buf_revoke_all(&bar_dma_buf_ops, bar_owns, bar,
			   DMA_BUF_REVOKE_TIMEOUT);

	bar_put_vmap(bar);
	wait_for_completion(&bar->idle);
}

MODULE_IMPORT_NS("DMA_BUF");
