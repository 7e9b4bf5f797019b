// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sample dma-buf exporter: the PCI driver, and a character device for tests
 *
 * The interface is in dma-buf-sample.h. What to copy from is in bar-export.c.
 */
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/genalloc.h>
#include <linux/io.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pci-p2pdma.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "bar.h"
#include "dma-buf-sample.h"

#define BAR_NR	2

void bar_device_free(struct kref *kref)
{
	struct bar_device *bar = container_of(kref, struct bar_device, kref);

	if (bar->pool)
		gen_pool_destroy(bar->pool);
	mutex_destroy(&bar->lock);
	kfree(bar);
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

	buf = bar_buffer_of(bar, dmabuf);
	if (!buf) {
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

	/* misc_deregister() waits for open(), so the driver still has its reference. */
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

	/* Without CONFIG_PCI_P2PDMA all importers get system memory. */
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

static void bar_remove(struct pci_dev *pdev)
{
	struct bar_device *bar = pci_get_drvdata(pdev);

	misc_deregister(&bar->misc);
	bar_revoke_all(bar);
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

MODULE_DESCRIPTION("Sample dma-buf exporter of a PCI BAR");
MODULE_LICENSE("GPL");
