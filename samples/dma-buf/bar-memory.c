// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sample dma-buf exporter: the two kinds of memory, and access by the CPU
 *
 * Parts of the BAR from a pool, and pages of system memory. A real driver has an
 * allocator of its own for this, and often helpers of its subsystem.
 */
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/genalloc.h>
#include <linux/highmem.h>
#include <linux/io.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "bar.h"

static void bar_free_some_ranges(struct bar_buffer *buf, unsigned int nr)
{
	while (nr--)
		gen_pool_free(buf->bar->pool, buf->ranges[nr].paddr,
			      buf->ranges[nr].len + PAGE_SIZE);
}

void bar_free_ranges(struct bar_buffer *buf)
{
	bar_free_some_ranges(buf, buf->nr_ranges);
}

int bar_alloc_ranges(struct bar_buffer *buf)
{
	unsigned long left = buf->npages;
	unsigned int i;

	for (i = 0; i < buf->nr_ranges; i++) {
		unsigned long n = left / (buf->nr_ranges - i);
		struct phys_vec *range = &buf->ranges[i];

		/* Leave a page unused, so that ranges are not contiguous. */
		range->len = n << PAGE_SHIFT;
		range->paddr = gen_pool_alloc(buf->bar->pool,
					      range->len + PAGE_SIZE);
		if (!range->paddr) {
			bar_free_some_ranges(buf, i);
			return -ENOSPC;
		}
		left -= n;
	}
	return 0;
}

void bar_free_pages(struct page **pages, unsigned long npages)
{
	unsigned long i;

	for (i = 0; i < npages; i++)
		__free_page(pages[i]);
	kvfree(pages);
}

struct page **bar_alloc_pages(unsigned long npages)
{
	struct page **pages = kvmalloc_objs(*pages, npages);
	unsigned long i;

	if (!pages)
		return NULL;

	for (i = 0; i < npages; i++) {
		pages[i] = alloc_page(GFP_HIGHUSER);
		if (!pages[i]) {
			bar_free_pages(pages, i);
			return NULL;
		}
	}
	return pages;
}

static void __iomem *bar_range_vram(struct bar_buffer *buf, unsigned int i)
{
	return buf->bar->vram + (buf->ranges[i].paddr - buf->bar->phys);
}

static void bar_clear_ranges(struct bar_buffer *buf)
{
	unsigned int i;

	for (i = 0; i < buf->nr_ranges; i++)
		memset_io(bar_range_vram(buf, i), 0, buf->ranges[i].len);
}

static unsigned long bar_range_pfn(struct bar_buffer *buf, unsigned long pgoff)
{
	struct phys_vec *range = buf->ranges;

	for (; pgoff >= range->len >> PAGE_SHIFT; range++)
		pgoff -= range->len >> PAGE_SHIFT;
	return PHYS_PFN(range->paddr) + pgoff;
}

void bar_copy(struct bar_buffer *buf, struct page **pages, bool to_bar)
{
	unsigned int i;

	for (i = 0; i < buf->nr_ranges; i++) {
		void __iomem *vram = bar_range_vram(buf, i);
		void __iomem *end = vram + buf->ranges[i].len;

		for (; vram < end; vram += PAGE_SIZE) {
			void *vaddr = kmap_local_page(*pages++);

			if (to_bar)
				memcpy_toio(vram, vaddr, PAGE_SIZE);
			else
				memcpy_fromio(vaddr, vram, PAGE_SIZE);
			kunmap_local(vaddr);
			cond_resched();
		}
	}
	/* Flush write-combined stores before a device reads the memory. */
	wmb();
}

struct bar_buffer *bar_buffer_alloc(struct bar_device *bar, unsigned long npages,
				    unsigned int nr_ranges)
{
	struct bar_buffer *buf;
	int ret = -ENOMEM;

	buf = kzalloc_obj(*buf);
	if (!buf)
		return ERR_PTR(-ENOMEM);

	buf->bar = bar;
	buf->npages = npages;
	buf->nr_ranges = nr_ranges;
	INIT_LIST_HEAD(&buf->stale);
	buf->ranges = kvmalloc_objs(*buf->ranges, nr_ranges);
	if (!buf->ranges)
		goto err_free_buf;

	ret = bar_alloc_ranges(buf);
	if (ret)
		goto err_free_array;

	/* Do not show the data of the last owner. */
	bar_clear_ranges(buf);
	kref_get(&bar->kref);
	return buf;

err_free_array:
	kvfree(buf->ranges);
err_free_buf:
	kfree(buf);
	return ERR_PTR(ret);
}

void bar_buffer_free(struct bar_buffer *buf)
{
	if (buf->pages)
		bar_free_pages(buf->pages, buf->npages);
	else
		bar_free_ranges(buf);
	kref_put(&buf->bar->kref, bar_device_free);
	kvfree(buf->ranges);
	kfree(buf);
}

/* For the CPU */

int bar_end_cpu_access(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	/* The BAR is mapped write-combined. */
	wmb();
	return 0;
}

static vm_fault_t bar_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct bar_buffer *buf = vma->vm_private_data;
	vm_fault_t ret = VM_FAULT_SIGBUS;

	/* Comes back here unless the signal was fatal. */
	if (dma_resv_lock_interruptible(buf->dmabuf->resv, NULL))
		return VM_FAULT_NOPAGE;

	if (buf->pages)
		ret = vmf_insert_pfn(vma, vmf->address,
				     page_to_pfn(buf->pages[vmf->pgoff]));
	else if (!buf->unplugged)
		ret = vmf_insert_pfn_prot(vma, vmf->address,
					  bar_range_pfn(buf, vmf->pgoff),
					  pgprot_writecombine(vma->vm_page_prot));

	dma_resv_unlock(buf->dmabuf->resv);
	return ret;
}

static const struct vm_operations_struct bar_vm_ops = {
	.fault = bar_fault,
};

int bar_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	/* The BAR has no pages that could be copied on write. */
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;

	vm_flags_set(vma, VM_PFNMAP | VM_IO | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_ops = &bar_vm_ops;
	vma->vm_private_data = dmabuf->priv;
	return 0;
}

static void *bar_vmap_bar(struct bar_buffer *buf)
{
	pgprot_t prot = pgprot_writecombine(PAGE_KERNEL);
	unsigned long *pfns, i;
	void *vaddr;

	pfns = kvmalloc_objs(*pfns, buf->npages);
	if (!pfns)
		return NULL;

	for (i = 0; i < buf->npages; i++)
		pfns[i] = bar_range_pfn(buf, i);
	vaddr = vmap_pfn(pfns, buf->npages, prot);
	kvfree(pfns);
	return vaddr;
}

int bar_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct bar_buffer *buf = dmabuf->priv;
	void *vaddr;

	if (buf->pages) {
		vaddr = vmap(buf->pages, buf->npages, VM_MAP, PAGE_KERNEL);
		if (!vaddr)
			return -ENOMEM;
		iosys_map_set_vaddr(map, vaddr);
		return 0;
	}

	if (buf->unplugged)
		return -ENODEV;
	vaddr = bar_vmap_bar(buf);
	if (!vaddr)
		return -ENOMEM;
	/* It cannot be taken back, so bar_remove() has to wait. */
	refcount_inc(&buf->bar->vmaps);
	iosys_map_set_vaddr_iomem(map, (void __force __iomem *)vaddr);
	return 0;
}

void bar_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct bar_buffer *buf = dmabuf->priv;

	if (map->is_iomem) {
		vunmap((void __force *)map->vaddr_iomem);
		bar_put_vmap(buf->bar);
	} else {
		vunmap(map->vaddr);
	}
}
