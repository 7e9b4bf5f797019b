// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lets a test map a dma-buf into the kernel, and look at it from there
 */
#include <linux/cleanup.h>
#include <linux/dma-buf.h>
#include <linux/iosys-map.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "dma-buf-sample.h"

struct vmap_test {
	struct mutex lock; /* everything here */
	struct dma_buf *dmabuf;
	struct iosys_map map;
};

static int vmap_test_map(struct vmap_test *test, unsigned long fd)
{
	struct dma_buf *dmabuf;
	int ret;

	if (test->dmabuf)
		return -EBUSY;

	dmabuf = dma_buf_get(fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	ret = dma_buf_vmap_unlocked(dmabuf, &test->map);
	if (ret) {
		dma_buf_put(dmabuf);
		return ret;
	}
	test->dmabuf = dmabuf;
	return test->map.is_iomem;
}

static int vmap_test_copy(struct vmap_test *test, void __user *uarg, bool write)
{
	struct dma_buf_vmap_copy arg;
	int ret = 0;

	if (copy_from_user(&arg, uarg, sizeof(arg)))
		return -EFAULT;
	if (!test->dmabuf)
		return -ENOTCONN;
	if (arg.reserved || arg.len > DMA_BUF_VMAP_MAX_LEN ||
	    arg.offset > test->dmabuf->size ||
	    arg.len > test->dmabuf->size - arg.offset)
		return -EINVAL;

	void *data __free(kfree) = kzalloc(DMA_BUF_VMAP_MAX_LEN, GFP_KERNEL);

	if (!data)
		return -ENOMEM;
	if (write && copy_from_user(data, u64_to_user_ptr(arg.data), arg.len))
		return -EFAULT;

	ret = dma_buf_begin_cpu_access(test->dmabuf, DMA_BIDIRECTIONAL);
	if (ret)
		return ret;
	if (write)
		iosys_map_memcpy_to(&test->map, arg.offset, data, arg.len);
	else
		iosys_map_memcpy_from(data, &test->map, arg.offset, arg.len);
	ret = dma_buf_end_cpu_access(test->dmabuf, DMA_BIDIRECTIONAL);

	if (!write && copy_to_user(u64_to_user_ptr(arg.data), data, arg.len))
		return -EFAULT;
	return ret;
}

static long vmap_test_ioctl(struct file *file, unsigned int cmd,
			    unsigned long arg)
{
	struct vmap_test *test = file->private_data;

	guard(mutex)(&test->lock);

	switch (cmd) {
	case DMA_BUF_VMAP:
		return vmap_test_map(test, arg);
	case DMA_BUF_VMAP_READ:
		return vmap_test_copy(test, (void __user *)arg, false);
	case DMA_BUF_VMAP_WRITE:
		return vmap_test_copy(test, (void __user *)arg, true);
	default:
		return -ENOTTY;
	}
}

static int vmap_test_open(struct inode *inode, struct file *file)
{
	struct vmap_test *test = kzalloc_obj(*test);

	if (!test)
		return -ENOMEM;
	mutex_init(&test->lock);
	file->private_data = test;
	return 0;
}

static int vmap_test_close(struct inode *inode, struct file *file)
{
	struct vmap_test *test = file->private_data;

	if (test->dmabuf) {
		dma_buf_vunmap_unlocked(test->dmabuf, &test->map);
		dma_buf_put(test->dmabuf);
	}
	mutex_destroy(&test->lock);
	kfree(test);
	return 0;
}

static const struct file_operations vmap_test_fops = {
	.owner = THIS_MODULE,
	.open = vmap_test_open,
	.release = vmap_test_close,
	.unlocked_ioctl = vmap_test_ioctl,
};

static struct miscdevice vmap_test_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "dma-buf-vmap-test",
	.fops = &vmap_test_fops,
};
module_misc_device(vmap_test_device);

MODULE_IMPORT_NS("DMA_BUF");
MODULE_DESCRIPTION("Maps a dma-buf into the kernel for a test");
MODULE_LICENSE("GPL");
