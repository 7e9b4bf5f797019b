// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sample dma-buf exporter: the memory of a PCI device behind its BAR
 *
 * BAR 2 of QEMU's ivshmem-plain stands in for the VRAM of a GPU. A buffer starts
 * out there. Importers that reach the BAR get it directly. When another importer
 * comes along the buffer moves to system memory, with its contents; userspace
 * can move it too. dma-bufs may outlive the device: a buffer in system memory
 * stays usable, one in the BAR is lost with it.
 *
 * Where a buffer is changes under the reservation lock of its dma-buf only.
 */
#include <linux/completion.h>
#include <linux/dma-buf.h>
#include <linux/dma-buf-map.h>
#include <linux/dma-resv.h>
#include <linux/genalloc.h>
#include <linux/highmem.h>
#include <linux/io.h>
#include <linux/iosys-map.h>
#include <linux/kref.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pci-p2pdma.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "dma-buf-sample.h"

#define BAR_NR	2

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
 * @vmaps: kernel mappings of buffers in the BAR, each may be the last thing that
 *	keeps bar_remove() waiting; and one until then
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
 * @stale: pages of before a move, which one of these mappings may still name
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

static void bar_device_free(struct kref *kref)
{
	struct bar_device *bar = container_of(kref, struct bar_device, kref);

	if (bar->pool)
		gen_pool_destroy(bar->pool);
	mutex_destroy(&bar->lock);
	kfree(bar);
}

static void bar_put_vmap(struct bar_device *bar)
{
	if (refcount_dec_and_test(&bar->vmaps))
		complete(&bar->idle);
}

/* The two kinds of memory */

static void bar_free_ranges(struct bar_buffer *buf, unsigned int nr)
{
	while (nr--)
		gen_pool_free(buf->bar->pool, buf->ranges[nr].paddr,
			      buf->ranges[nr].len + PAGE_SIZE);
}

static int bar_alloc_ranges(struct bar_buffer *buf)
{
	unsigned long left = buf->npages;
	unsigned int i;

	for (i = 0; i < buf->nr_ranges; i++) {
		unsigned long n = left / (buf->nr_ranges - i);
		struct phys_vec *range = &buf->ranges[i];

		/* Nobody uses the last page, so that ranges do not touch. */
		range->len = n << PAGE_SHIFT;
		range->paddr = gen_pool_alloc(buf->bar->pool,
					      range->len + PAGE_SIZE);
		if (!range->paddr) {
			bar_free_ranges(buf, i);
			return -ENOSPC;
		}
		left -= n;
	}
	return 0;
}

static void bar_free_pages(struct page **pages, unsigned long npages)
{
	unsigned long i;

	for (i = 0; i < npages; i++)
		__free_page(pages[i]);
	kvfree(pages);
}

static struct page **bar_alloc_pages(unsigned long npages)
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

static unsigned long bar_range_pfn(struct bar_buffer *buf, unsigned long pgoff)
{
	struct phys_vec *range = buf->ranges;

	for (; pgoff >= range->len >> PAGE_SHIFT; range++)
		pgoff -= range->len >> PAGE_SHIFT;
	return PHYS_PFN(range->paddr) + pgoff;
}

static void bar_copy(struct bar_buffer *buf, struct page **pages, bool to_bar)
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
	/* Get write-combined stores out before any device reads them. */
	wmb();
}

/* Moving. Everything from here on is called under the reservation lock. */

static void bar_unmap_cpu(struct bar_buffer *buf)
{
	/* Each dma-buf has an address space of its own. */
	unmap_mapping_range(buf->dmabuf->file->f_mapping, 0, 0, 1);
}

/*
 * Stops all access by importers and userspace. Importers may map again once the
 * lock is dropped, and may not even have unmapped by then: until they do, they
 * can still read the memory, but not use what they read.
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

static int bar_move_to_system(struct bar_buffer *buf)
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
	bar_free_ranges(buf, buf->nr_ranges);
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

/* Unmapping a bounced page writes to it, so it lives as long as the mapping. */
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

static int bar_move_to_bar(struct bar_buffer *buf)
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
	bar_free_ranges(buf, buf->nr_ranges);
	return ret;
}

/* For an importer that does not reach the BAR */
static int bar_fall_back(struct bar_buffer *buf)
{
	int ret = bar_move_to_system(buf);

	/* It is neither where the importer reaches it nor can it go there. */
	return ret == -EBUSY ? -EREMOTEIO : ret;
}

/* For importers */

/*
 * The core finds out if the importer reaches the BAR. What it cannot know is
 * that the device may be unplugged: that takes importers that let go.
 */
static enum dma_buf_p2p_reason
bar_peer2peer(struct dma_buf_attachment *attach,
	      struct p2pdma_provider **provider)
{
	struct bar_buffer *buf = attach->dmabuf->priv;

	/* bar_remove() has the core be done with the provider before that goes. */
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

/* Comes late, if an importer takes its time after it was told of a move. */
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

	/* Where it is pinned already it stays. */
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

/* For the CPU */

static int bar_end_cpu_access(struct dma_buf *dmabuf,
			      enum dma_data_direction dir)
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

static int bar_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	/* There is no page that could be copied on write. */
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

static int bar_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
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

static void bar_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct bar_buffer *buf = dmabuf->priv;

	if (map->is_iomem) {
		vunmap((void __force *)map->vaddr_iomem);
		bar_put_vmap(buf->bar);
	} else {
		vunmap(map->vaddr);
	}
}

/* Buffers and the device */

static void bar_buffer_free(struct bar_buffer *buf)
{
	if (buf->pages)
		bar_free_pages(buf->pages, buf->npages);
	else
		bar_free_ranges(buf, buf->nr_ranges);
	kref_put(&buf->bar->kref, bar_device_free);
	kvfree(buf->ranges);
	kfree(buf);
}

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

static struct bar_buffer *bar_buffer_alloc(struct bar_device *bar,
					   unsigned long npages,
					   unsigned int nr_ranges)
{
	struct bar_buffer *buf;
	unsigned int i;
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

	/* Nobody gets to see what the last owner left. */
	for (i = 0; i < nr_ranges; i++)
		memset_io(bar_range_vram(buf, i), 0, buf->ranges[i].len);
	kref_get(&bar->kref);
	return buf;

err_free_array:
	kvfree(buf->ranges);
err_free_buf:
	kfree(buf);
	return ERR_PTR(ret);
}

/* Under bar->lock, so that bar_remove() finds the buffer or is not there yet. */
static struct dma_buf *bar_export(struct bar_device *bar, unsigned long npages,
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

static int bar_ioctl_alloc(struct bar_device *bar, void __user *uarg)
{
	struct dma_buf_bar_alloc arg;
	struct dma_buf *dmabuf;
	int fd;

	if (copy_from_user(&arg, uarg, sizeof(arg)))
		return -EFAULT;
	if (arg.reserved || !PAGE_ALIGNED(arg.size) || !arg.nr_ranges ||
	    arg.nr_ranges > arg.size >> PAGE_SHIFT)
		return -EINVAL;
	if (arg.size > bar->size)
		return -ENOSPC;

	mutex_lock(&bar->lock);
	dmabuf = bar_export(bar, arg.size >> PAGE_SHIFT, arg.nr_ranges);
	mutex_unlock(&bar->lock);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	fd = dma_buf_fd(dmabuf, O_CLOEXEC);
	if (fd < 0)
		dma_buf_put(dmabuf);
	return fd;
}

static int bar_move(struct bar_buffer *buf, u32 place)
{
	switch (place) {
	case DMA_BUF_BAR_PLACE_BAR:
		return bar_move_to_bar(buf);
	case DMA_BUF_BAR_PLACE_SYSTEM:
		return bar_move_to_system(buf);
	default:
		return -EINVAL;
	}
}

static int bar_ioctl_move(struct bar_device *bar, void __user *uarg)
{
	struct dma_buf_bar_move arg;
	struct bar_buffer *buf;
	struct dma_buf *dmabuf;
	int ret;

	if (copy_from_user(&arg, uarg, sizeof(arg)))
		return -EFAULT;
	if (arg.reserved)
		return -EINVAL;

	dmabuf = dma_buf_get(arg.fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	buf = dmabuf->priv;
	if (dmabuf->ops != &bar_dma_buf_ops || buf->bar != bar) {
		ret = -EINVAL;
		goto out_put;
	}

	ret = dma_resv_lock_interruptible(dmabuf->resv, NULL);
	if (ret)
		goto out_put;
	ret = bar_move(buf, arg.place);
	dma_resv_unlock(dmabuf->resv);
out_put:
	dma_buf_put(dmabuf);
	return ret;
}

static long bar_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	switch (cmd) {
	case DMA_BUF_BAR_ALLOC:
		return bar_ioctl_alloc(file->private_data, (void __user *)arg);
	case DMA_BUF_BAR_MOVE:
		return bar_ioctl_move(file->private_data, (void __user *)arg);
	default:
		return -ENOTTY;
	}
}

static int bar_open(struct inode *inode, struct file *file)
{
	struct bar_device *bar = container_of(file->private_data,
					      struct bar_device, misc);

	/* misc_deregister() waits for this, so the driver has its reference. */
	kref_get(&bar->kref);
	file->private_data = bar;
	return 0;
}

static int bar_close(struct inode *inode, struct file *file)
{
	struct bar_device *bar = file->private_data;

	kref_put(&bar->kref, bar_device_free);
	return 0;
}

static const struct file_operations bar_fops = {
	.owner = THIS_MODULE,
	.open = bar_open,
	.release = bar_close,
	.unlocked_ioctl = bar_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static int bar_init_memory(struct bar_device *bar, struct pci_dev *pdev)
{
	int ret;

	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	ret = pcim_request_region(pdev, BAR_NR, KBUILD_MODNAME);
	if (ret)
		return ret;

	bar->phys = pci_resource_start(pdev, BAR_NR);
	bar->size = pci_resource_len(pdev, BAR_NR);
	bar->vram = devm_ioremap_wc(&pdev->dev, bar->phys, bar->size);
	if (!bar->vram)
		return -ENOMEM;

	bar->pool = gen_pool_create(PAGE_SHIFT, dev_to_node(&pdev->dev));
	if (!bar->pool)
		return -ENOMEM;
	ret = gen_pool_add(bar->pool, bar->phys, bar->size,
			   dev_to_node(&pdev->dev));
	if (ret)
		return ret;

	/* Without peer-to-peer in the kernel everything uses system memory. */
	ret = pcim_p2pdma_init(pdev);
	if (!ret)
		bar->provider = pcim_p2pdma_provider(pdev, BAR_NR);
	return ret == -EOPNOTSUPP ? 0 : ret;
}

static int bar_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct bar_device *bar;
	int ret;

	bar = kzalloc_obj(*bar);
	if (!bar)
		return -ENOMEM;

	kref_init(&bar->kref);
	mutex_init(&bar->lock);
	INIT_LIST_HEAD(&bar->buffers);
	refcount_set(&bar->vmaps, 1);
	init_completion(&bar->idle);

	ret = bar_init_memory(bar, pdev);
	if (ret)
		goto err_put;

	ret = -ENOMEM;
	bar->misc.name = devm_kasprintf(&pdev->dev, GFP_KERNEL, "dma-buf-bar-%s",
					pci_name(pdev));
	if (!bar->misc.name)
		goto err_put;
	bar->misc.minor = MISC_DYNAMIC_MINOR;
	bar->misc.fops = &bar_fops;
	bar->misc.parent = &pdev->dev;
	ret = misc_register(&bar->misc);
	if (ret)
		goto err_put;

	pci_set_drvdata(pdev, bar);
	return 0;

err_put:
	kref_put(&bar->kref, bar_device_free);
	return ret;
}

/* From here on it is not mapped anew, by devices or the CPU. */
static void bar_unplug(struct bar_buffer *buf)
{
	/* Nobody uses a buffer that is being released, it waits for the lock. */
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
 * The BAR, its kernel mapping and its provider go when this returns, so all that
 * uses them has to be gone before. The core sees to it that importers let go, which
 * bar_peer2peer() has made sure that they can. Kernel mappings cannot be taken back.
 */
static void bar_remove(struct pci_dev *pdev)
{
	struct bar_device *bar = pci_get_drvdata(pdev);
	struct bar_buffer *buf;

	misc_deregister(&bar->misc);

	mutex_lock(&bar->lock);
	bar->unplugged = true;
	list_for_each_entry(buf, &bar->buffers, node)
		bar_unplug(buf);
	mutex_unlock(&bar->lock);

	dma_buf_revoke_all(&bar_dma_buf_ops, bar_owns, bar,
			   DMA_BUF_REVOKE_TIMEOUT);

	bar_put_vmap(bar);
	wait_for_completion(&bar->idle);
	kref_put(&bar->kref, bar_device_free);
}

static const struct pci_device_id bar_ids[] = {
	{ PCI_DEVICE(PCI_VENDOR_ID_REDHAT_QUMRANET, 0x1110) },
	{ }
};
MODULE_DEVICE_TABLE(pci, bar_ids);

static struct pci_driver bar_driver = {
	.name = KBUILD_MODNAME,
	.id_table = bar_ids,
	.probe = bar_probe,
	.remove = bar_remove,
};
module_pci_driver(bar_driver);

MODULE_IMPORT_NS("DMA_BUF");
MODULE_DESCRIPTION("Sample dma-buf exporter of a PCI BAR");
MODULE_LICENSE("GPL");
