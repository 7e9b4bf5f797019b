// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sample dma-buf importer: a device with a DMA engine
 *
 * The device is QEMU's edu. It has 4 KiB of memory of its own, and an engine
 * that copies between that and any DMA address. The driver handles the memory of
 * a peer like system memory. It also handles buffers that move: it maps before a
 * DMA, and unmaps when the exporter asks for it.
 */
#include <linux/dma-fence.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/iopoll.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "edu-import.h"

/* What the device is, the engine's registers, and where it sees its own memory */
#define EDU_ID			0x00
#define EDU_DMA_SRC		0x80
#define EDU_DMA_DST		0x88
#define EDU_DMA_COUNT		0x90
#define EDU_DMA_CMD		0x98
#define EDU_DMA_START		BIT(0)
#define EDU_DMA_FROM_DEVICE	BIT(1)
#define EDU_MEMORY		0x40000

/* Without the version, which is the upper half */
#define EDU_ID_MASK		0xffff
#define EDU_ID_VALUE		0x00ed

static unsigned int dma_bits = 64;
module_param(dma_bits, uint, 0444);
MODULE_PARM_DESC(dma_bits, "Width of the device's addresses, 28 unless QEMU was told another dma_mask= (default 64, which a 32-bit kernel takes as 32)");

/*
 * The registers are 64 bits wide. An access of 32 bits is to the lower half, and sets
 * the upper one to zero. That is enough for a 32-bit kernel.
 */
static unsigned long edu_get(struct edu_device *edu, unsigned int reg)
{
#ifdef CONFIG_64BIT
	u64 value = readq(edu->regs + reg);

	return edu->swapped ? swab64(value) : value;
#else
	u32 value = readl(edu->regs + reg);

	return edu->swapped ? swab32(value) : value;
#endif
}

static void edu_set(struct edu_device *edu, unsigned int reg, unsigned long value)
{
#ifdef CONFIG_64BIT
	writeq(edu->swapped ? swab64(value) : value, edu->regs + reg);
#else
	writel(edu->swapped ? swab32(value) : value, edu->regs + reg);
#endif
}

/*
 * Copies between the device's own memory at @offset and a DMA address. All that
 * the device does goes through here.
 */
int edu_run(struct edu_device *edu, dma_addr_t addr, u32 offset, u32 len,
	    bool write)
{
	unsigned long memory = EDU_MEMORY + offset, cmd = EDU_DMA_START;

	if (write)
		cmd |= EDU_DMA_FROM_DEVICE;
	edu_set(edu, EDU_DMA_SRC, write ? memory : addr);
	edu_set(edu, EDU_DMA_DST, write ? addr : memory);
	edu_set(edu, EDU_DMA_COUNT, len);
	edu_set(edu, EDU_DMA_CMD, cmd);
	if (!read_poll_timeout(edu_get, cmd, !(cmd & EDU_DMA_START), 1000,
			       5 * USEC_PER_SEC, false, edu, EDU_DMA_CMD))
		return 0;

	/* Stop the DMA: others are waiting to use the memory for something else. */
	pci_clear_master(edu->pdev);
	return -EIO;
}

/* Loads the bounce page into the device. */
int edu_load(struct edu_device *edu, u32 len)
{
	return edu_run(edu, edu->bounce_addr, 0, len, false);
}

/* Copies between the device's own memory and a part of what is mapped. */
int edu_transfer(struct edu_device *edu, const struct dma_buf_list *list,
		 u64 offset, u32 len, bool write)
{
	struct dma_buf_segs segs;
	dma_addr_t addr;
	u32 n, done = 0;
	int ret;

	dma_buf_segs_init(&segs, list, offset, len, 0);
	while ((n = dma_buf_segs_next(&segs, &addr))) {
		ret = edu_run(edu, addr, done, n, write);
		if (ret)
			return ret;
		done += n;
	}
	/* A list may be shorter than its buffer. */
	return done == len ? 0 : -EIO;
}

static const char *edu_fence_driver_name(struct dma_fence *fence)
{
	return "edu";
}

static const char *edu_fence_timeline_name(struct dma_fence *fence)
{
	return "dma";
}

static const struct dma_fence_ops edu_fence_ops = {
	.get_driver_name = edu_fence_driver_name,
	.get_timeline_name = edu_fence_timeline_name,
};

/* Under the reservation lock */
void edu_unmap(struct edu_import *imp)
{
	dma_buf_list_unmap(imp->attach, imp->list);
	imp->list = NULL;
	imp->stale = false;
}

/*
 * The buffer is about to move. The exporter waits for fences before it touches
 * the memory. So a running DMA may finish, and the mapping has to stay until then.
 */
static void edu_invalidate_mappings(struct dma_buf_attachment *attach)
{
	struct edu_import *imp = attach->importer_priv;

	imp->invalidations++;
	if (imp->busy)
		imp->stale = true;
	else if (imp->list)
		edu_unmap(imp);
}

static int edu_map(struct edu_import *imp)
{
	struct dma_buf_list *list;

	if (imp->list)
		return 0;

	list = dma_buf_list_map(imp->attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(list))
		return PTR_ERR(list);

	imp->list = list;
	return 0;
}

/**
 * edu_begin - map the buffer and announce a DMA
 * @imp: the import
 * @write: the device is going to write to the buffer
 *
 * From here to edu_end() nothing may wait for a reservation lock or allocate
 * memory: the exporter waits for the fence, with that lock, before it moves the
 * buffer.
 *
 * Return: A fence, to be given to edu_end(), or an ERR_PTR().
 */
struct dma_fence *edu_begin(struct edu_import *imp, bool write)
{
	struct dma_resv *resv = imp->attach->dmabuf->resv;
	struct edu_device *edu = imp->edu;
	struct dma_fence *fence;
	long ret;

	fence = kzalloc_obj(*fence);
	if (!fence)
		return ERR_PTR(-ENOMEM);
	dma_fence_init(fence, &edu_fence_ops, NULL, edu->context, ++edu->seqno);

	ret = dma_resv_lock_interruptible(resv, NULL);
	if (ret)
		goto err_put_fence;
	ret = edu_map(imp);
	if (ret)
		goto err_unlock;
	/* Mapping may move the buffer, which uses a slot, too. So reserve after it. */
	ret = dma_resv_reserve_fences(resv, 1);
	if (ret)
		goto err_unlock;
	/* Others may use the buffer, including the exporter that has just moved it. */
	ret = dma_resv_wait_timeout(resv, dma_resv_usage_rw(write), true,
				    MAX_SCHEDULE_TIMEOUT);
	if (ret < 0)
		goto err_unlock;

	dma_resv_add_fence(resv, fence, write ? DMA_RESV_USAGE_WRITE :
						DMA_RESV_USAGE_READ);
	imp->busy = true;
	dma_resv_unlock(resv);
	return fence;

err_unlock:
	dma_resv_unlock(resv);
err_put_fence:
	/* A fence must not go away without having signalled. */
	dma_fence_signal(fence);
	dma_fence_put(fence);
	return ERR_PTR(ret);
}

/**
 * edu_end - the DMA is over
 * @imp: the import
 * @fence: from edu_begin()
 */
void edu_end(struct edu_import *imp, struct dma_fence *fence)
{
	struct dma_resv *resv = imp->attach->dmabuf->resv;

	dma_fence_signal(fence);
	dma_fence_put(fence);

	dma_resv_lock(resv, NULL);
	imp->busy = false;
	if (imp->stale)
		edu_unmap(imp);
	dma_resv_unlock(resv);
}

static int edu_dma(struct edu_import *imp, const struct dma_buf_edu_dma *arg)
{
	bool write = arg->flags & DMA_BUF_EDU_WRITE;
	struct edu_device *edu = imp->edu;
	struct dma_fence *fence;
	bool cookie;
	int ret;

	fence = edu_begin(imp, write);
	if (IS_ERR(fence))
		return PTR_ERR(fence);

	/* Lets lockdep check the promise of edu_begin(). */
	cookie = dma_fence_begin_signalling();
	ret = write ? edu_load(edu, arg->len) : 0;
	if (!ret)
		ret = edu_transfer(edu, imp->list, arg->offset, arg->len, write);
	if (!ret && !write)
		ret = edu_run(edu, edu->bounce_addr, 0, arg->len, true);
	dma_fence_end_signalling(cookie);

	edu_end(imp, fence);
	return ret;
}

static int edu_ioctl_dma(struct edu_import *imp, void __user *uarg)
{
	struct edu_device *edu = imp->edu;
	struct dma_buf_edu_dma arg;
	bool write;
	int ret;

	if (copy_from_user(&arg, uarg, sizeof(arg)))
		return -EFAULT;
	write = arg.flags & DMA_BUF_EDU_WRITE;
	if (arg.reserved || arg.flags & ~DMA_BUF_EDU_WRITE || !arg.len ||
	    arg.len > DMA_BUF_EDU_MAX_LEN)
		return -EINVAL;
	if (!imp->attach)
		return -ENOTCONN;
	if (arg.offset > imp->attach->dmabuf->size ||
	    arg.len > imp->attach->dmabuf->size - arg.offset)
		return -EINVAL;

	/* May fault and take locks, so not between edu_begin() and edu_end(). */
	if (write && copy_from_user(edu->bounce, u64_to_user_ptr(arg.data), arg.len))
		return -EFAULT;
	ret = edu_dma(imp, &arg);
	if (!ret && !write &&
	    copy_to_user(u64_to_user_ptr(arg.data), edu->bounce, arg.len))
		return -EFAULT;
	return ret;
}

/*
 * A driver normally has the first of these: it takes the memory of a peer and lets go
 * of it. The others are for tests of exporters.
 */
static const struct dma_buf_attach_ops edu_attach_ops = {
	.allow_peer2peer = true,
	.invalidate_mappings = edu_invalidate_mappings,
};

static const struct dma_buf_attach_ops edu_system_attach_ops = {
	.invalidate_mappings = edu_invalidate_mappings,
};

static const struct dma_buf_attach_ops edu_keep_attach_ops = {
	.allow_peer2peer = true,
};

static const struct dma_buf_attach_ops *edu_pick_attach_ops(u32 flags)
{
	switch (flags & ~DMA_BUF_EDU_PIN) {
	case DMA_BUF_EDU_STATIC:
		return NULL;
	case DMA_BUF_EDU_NO_PEER2PEER:
		return &edu_system_attach_ops;
	case DMA_BUF_EDU_NO_INVALIDATE:
		return &edu_keep_attach_ops;
	case 0:
		return &edu_attach_ops;
	default:
		return ERR_PTR(-EINVAL);
	}
}

static void edu_detach(struct edu_import *imp)
{
	struct dma_buf *dmabuf = imp->attach->dmabuf;

	dma_resv_lock(dmabuf->resv, NULL);
	if (imp->list)
		edu_unmap(imp);
	if (imp->pinned)
		dma_buf_unpin(imp->attach);
	imp->pinned = false;
	dma_resv_unlock(dmabuf->resv);

	dma_buf_detach(dmabuf, imp->attach);
	imp->attach = NULL;
	dma_buf_put(dmabuf);
}

static int edu_pin(struct edu_import *imp)
{
	struct dma_resv *resv = imp->attach->dmabuf->resv;
	int ret;

	ret = dma_resv_lock_interruptible(resv, NULL);
	if (ret)
		return ret;
	ret = dma_buf_pin(imp->attach);
	imp->pinned = !ret;
	dma_resv_unlock(resv);
	return ret;
}

static int edu_ioctl_attach(struct edu_import *imp, void __user *uarg)
{
	const struct dma_buf_attach_ops *ops;
	struct dma_buf_attachment *attach;
	struct dma_buf_edu_attach arg;
	struct dma_buf *dmabuf;
	int ret;

	if (copy_from_user(&arg, uarg, sizeof(arg)))
		return -EFAULT;
	ops = edu_pick_attach_ops(arg.flags);
	if (arg.reserved || IS_ERR(ops) ||
	    /* Static importers pin by mapping, the third kind by calling pin. */
	    (!ops && arg.flags & DMA_BUF_EDU_PIN) ||
	    (ops == &edu_keep_attach_ops && !(arg.flags & DMA_BUF_EDU_PIN)))
		return -EINVAL;
	if (imp->attach)
		return -EBUSY;

	dmabuf = dma_buf_get(arg.fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	attach = dma_buf_dynamic_attach(dmabuf, &imp->edu->pdev->dev, ops, imp);
	if (IS_ERR(attach)) {
		dma_buf_put(dmabuf);
		return PTR_ERR(attach);
	}

	imp->attach = attach;
	imp->invalidations = 0;
	if (!(arg.flags & DMA_BUF_EDU_PIN))
		return 0;
	ret = edu_pin(imp);
	if (ret)
		edu_detach(imp);
	return ret;
}

static int edu_ioctl_query(struct edu_import *imp, void __user *uarg)
{
	struct dma_buf_attachment *attach = imp->attach;
	struct dma_buf_edu_info info = { };
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk range;

	if (!attach)
		return -ENOTCONN;

	dma_resv_lock(attach->dmabuf->resv, NULL);
	info.invalidations = imp->invalidations;
	info.peer2peer = attach->peer2peer;
	info.map_error = attach->p2p.map_error;
	strscpy(info.reason, dma_buf_p2p_reason_token(attach->p2p.reason));
	if (imp->list) {
		info.peer = dma_buf_list_is_peer(imp->list);
		info.npages = dma_buf_list_npages(imp->list);
		info.nr_chunks = dma_buf_list_nchunks(imp->list);
		dma_buf_list_for_each_range(range, &cursor, imp->list)
			info.nr_ranges++;
	}
	dma_resv_unlock(attach->dmabuf->resv);

	return copy_to_user(uarg, &info, sizeof(info)) ? -EFAULT : 0;
}

static int edu_ioctl_locked(struct edu_import *imp, unsigned int cmd,
			    void __user *uarg)
{
	if (imp->edu->unplugged)
		return -ENODEV;

	switch (cmd) {
	case DMA_BUF_EDU_ATTACH:
		return edu_ioctl_attach(imp, uarg);
	case DMA_BUF_EDU_DETACH:
		if (!imp->attach)
			return -ENOTCONN;
		edu_detach(imp);
		return 0;
	case DMA_BUF_EDU_DMA:
		return edu_ioctl_dma(imp, uarg);
	case DMA_BUF_EDU_QUERY:
		return edu_ioctl_query(imp, uarg);
	case DMA_BUF_EDU_COPY:
		return edu_ioctl_copy(imp->edu, uarg);
	default:
		return edu_test_ioctl(imp, cmd, uarg);
	}
}

static long edu_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct edu_import *imp = file->private_data;
	int ret;

	ret = mutex_lock_interruptible(&imp->edu->lock);
	if (ret)
		return ret;
	ret = edu_ioctl_locked(imp, cmd, (void __user *)arg);
	mutex_unlock(&imp->edu->lock);
	return ret;
}

static void edu_device_free(struct kref *kref)
{
	struct edu_device *edu = container_of(kref, struct edu_device, kref);

	mutex_destroy(&edu->lock);
	kfree(edu);
}

static int edu_open(struct inode *inode, struct file *file)
{
	struct edu_device *edu = container_of(file->private_data,
					      struct edu_device, misc);
	struct edu_import *imp = kzalloc_obj(*imp);

	if (!imp)
		return -ENOMEM;

	/* misc_deregister() waits for open(), so the driver still has its reference. */
	kref_get(&edu->kref);
	imp->edu = edu;
	file->private_data = imp;
	mutex_lock(&edu->lock);
	list_add(&imp->node, &edu->imports);
	mutex_unlock(&edu->lock);
	return 0;
}

static int edu_close(struct inode *inode, struct file *file)
{
	struct edu_import *imp = file->private_data;
	struct edu_device *edu = imp->edu;

	mutex_lock(&edu->lock);
	if (imp->attach)
		edu_detach(imp);
	list_del(&imp->node);
	mutex_unlock(&edu->lock);
	kref_put(&edu->kref, edu_device_free);
	kfree(imp);
	return 0;
}

static const struct file_operations edu_fops = {
	.owner = THIS_MODULE,
	.open = edu_open,
	.release = edu_close,
	.unlocked_ioctl = edu_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

/*
 * QEMU gives the registers the byte order of the emulated machine, not that of PCI, so
 * a big-endian machine reads them swapped. The identification register shows it.
 */
static int edu_identify(struct edu_device *edu)
{
	u32 id = readl(edu->regs + EDU_ID);

	if ((id & EDU_ID_MASK) == EDU_ID_VALUE)
		return 0;
	if ((swab32(id) & EDU_ID_MASK) != EDU_ID_VALUE)
		return -ENODEV;
	edu->swapped = true;
	return 0;
}

static int edu_init_dma(struct edu_device *edu, struct pci_dev *pdev)
{
	struct device *dev = &pdev->dev;
	int ret;

	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	edu->regs = pcim_iomap_region(pdev, 0, KBUILD_MODNAME);
	if (IS_ERR(edu->regs))
		return PTR_ERR(edu->regs);
	ret = edu_identify(edu);
	if (ret)
		return ret;

	ret = dma_set_mask_and_coherent(dev, DMA_BIT_MASK(min_t(u32, dma_bits, BITS_PER_LONG)));
	if (ret)
		return ret;
	/* The driver splits any length into DMAs of the engine. */
	dma_set_max_seg_size(dev, UINT_MAX);
	edu->bounce = dmam_alloc_coherent(dev, PAGE_SIZE, &edu->bounce_addr,
					  GFP_KERNEL);
	if (!edu->bounce)
		return -ENOMEM;

	pci_set_master(pdev);
	return 0;
}

static int edu_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct edu_device *edu;
	int ret;

	edu = kzalloc_obj(*edu);
	if (!edu)
		return -ENOMEM;

	kref_init(&edu->kref);
	mutex_init(&edu->lock);
	INIT_LIST_HEAD(&edu->imports);
	edu->pdev = pdev;
	edu->context = dma_fence_context_alloc(1);

	ret = edu_init_dma(edu, pdev);
	if (ret)
		goto err_put;

	ret = -ENOMEM;
	edu->misc.name = devm_kasprintf(&pdev->dev, GFP_KERNEL, "dma-buf-edu-%s",
					pci_name(pdev));
	if (!edu->misc.name)
		goto err_clear_master;
	edu->misc.minor = MISC_DYNAMIC_MINOR;
	edu->misc.fops = &edu_fops;
	edu->misc.parent = &pdev->dev;
	ret = misc_register(&edu->misc);
	if (ret)
		goto err_clear_master;

	pci_set_drvdata(pdev, edu);
	return 0;

err_clear_master:
	pci_clear_master(pdev);
err_put:
	kref_put(&edu->kref, edu_device_free);
	return ret;
}

/* Attachments refer to the device, so detach here. Open files may stay. */
static void edu_remove(struct pci_dev *pdev)
{
	struct edu_device *edu = pci_get_drvdata(pdev);
	struct edu_import *imp;

	misc_deregister(&edu->misc);

	mutex_lock(&edu->lock);
	edu->unplugged = true;
	list_for_each_entry(imp, &edu->imports, node)
		if (imp->attach)
			edu_detach(imp);
	mutex_unlock(&edu->lock);

	pci_clear_master(pdev);
	kref_put(&edu->kref, edu_device_free);
}

static const struct pci_device_id edu_ids[] = {
	{ PCI_DEVICE(0x1234, 0x11e8) },
	{ }
};
MODULE_DEVICE_TABLE(pci, edu_ids);

static struct pci_driver edu_driver = {
	.name = KBUILD_MODNAME,
	.id_table = edu_ids,
	.probe = edu_probe,
	.remove = edu_remove,
};
module_pci_driver(edu_driver);

MODULE_IMPORT_NS("DMA_BUF");
MODULE_DESCRIPTION("Sample dma-buf importer with a DMA engine");
MODULE_LICENSE("GPL");
