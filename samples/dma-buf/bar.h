/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the three parts of the sample exporter share
 */
#ifndef _DMA_BUF_BAR_H
#define _DMA_BUF_BAR_H

#include <linux/completion.h>
#include <linux/dma-buf.h>
#include <linux/dma-buf-map.h>
#include <linux/genalloc.h>
#include <linux/kref.h>
#include <linux/miscdevice.h>
#include <linux/mutex.h>
#include <linux/refcount.h>

struct iosys_map;
struct p2pdma_provider;
struct vm_area_struct;

/**
 * struct bar_device - the PCI device
 * @kref: held by the driver, open files and buffers
 * @misc: its node in /dev
 * @provider: of the BAR, NULL if the kernel has no peer-to-peer
 * @vram: the BAR, for the CPU
 * @phys: the BAR
 * @size: the BAR
 * @pool: hands out parts of the BAR
 * @lock: protects @buffers and @unplugged, taken before a reservation lock
 * @buffers: all &struct bar_buffer
 * @unplugged: the device is gone
 * @vmaps: number of kernel mappings of buffers in the BAR, plus one until
 *	bar_remove(), which waits until it is zero
 * @idle: @vmaps became zero
 *
 * Until the end of bar_remove() everything can be used, afterwards only what
 * does not belong to the device: @kref, @pool, @lock, @buffers and @unplugged.
 */
struct bar_device {
	struct kref kref;
	struct miscdevice misc;
	struct p2pdma_provider *provider;
	void __iomem *vram;
	phys_addr_t phys;
	size_t size;
	struct gen_pool *pool;
	struct mutex lock; /* buffers, unplugged */
	struct list_head buffers;
	bool unplugged;
	refcount_t vmaps;
	struct completion idle;
};

/**
 * struct bar_buffer - the buffer behind a dma-buf
 * @bar: the device it came from
 * @dmabuf: the dma-buf
 * @node: in &bar_device.buffers
 * @npages: length in pages
 * @pages: where it is in system memory, NULL if it is in the BAR
 * @ranges: where it is in the BAR, if @pages is NULL
 * @nr_ranges: length of @ranges
 * @pins: how often it is pinned
 * @system_pins: how often for importers that need it in system memory
 * @unplugged: the device is gone, nothing of @bar may be used any more
 * @nr_lists: mappings of system memory that importers have
 * @stale: pages that the buffer had before a move, which one of these mappings may
 *	still use
 */
struct bar_buffer {
	struct bar_device *bar;
	struct dma_buf *dmabuf;
	struct list_head node;
	unsigned long npages;
	struct page **pages;
	struct phys_vec *ranges;
	unsigned int nr_ranges;
	unsigned int pins;
	unsigned int system_pins;
	bool unplugged;
	unsigned int nr_lists;
	struct list_head stale;
};

/* bar-export.c */
struct dma_buf *bar_export(struct bar_device *bar, unsigned long npages,
			   unsigned int nr_ranges);
struct bar_buffer *bar_buffer_of(struct bar_device *bar, struct dma_buf *dmabuf);
int bar_move_to_system(struct bar_buffer *buf);
int bar_move_to_bar(struct bar_buffer *buf);
void bar_revoke_all(struct bar_device *bar);

/* bar-memory.c */
struct bar_buffer *bar_buffer_alloc(struct bar_device *bar, unsigned long npages,
				    unsigned int nr_ranges);
void bar_buffer_free(struct bar_buffer *buf);
int bar_alloc_ranges(struct bar_buffer *buf);
void bar_free_ranges(struct bar_buffer *buf);
struct page **bar_alloc_pages(unsigned long npages);
void bar_free_pages(struct page **pages, unsigned long npages);
void bar_copy(struct bar_buffer *buf, struct page **pages, bool to_bar);
int bar_end_cpu_access(struct dma_buf *dmabuf, enum dma_data_direction dir);
int bar_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma);
int bar_vmap(struct dma_buf *dmabuf, struct iosys_map *map);
void bar_vunmap(struct dma_buf *dmabuf, struct iosys_map *map);

/* bar-device.c */
void bar_device_free(struct kref *kref);

static inline void bar_put_vmap(struct bar_device *bar)
{
	if (refcount_dec_and_test(&bar->vmaps))
		complete(&bar->idle);
}

#endif
