// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lets a test have the device write where it must not
 *
 * Nothing to copy: a driver keeps its device inside the buffer, and this breaks
 * out to see what stops it.
 */
#include <linux/dma-fence.h>
#include <linux/uaccess.h>

#include "edu-import.h"

static int edu_overrun(struct edu_import *imp, const struct dma_buf_edu_dma *arg)
{
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk range;
	struct dma_fence *fence;
	dma_addr_t end = 0;
	int ret;

	fence = edu_begin(imp, true);
	if (IS_ERR(fence))
		return PTR_ERR(fence);

	dma_buf_list_for_each_range(range, &cursor, imp->list)
		end = range.dma_addr + ((u64)range.npages << PAGE_SHIFT);

	ret = edu_load(imp->edu, arg->len);
	if (!ret)
		ret = edu_run(imp->edu, end + arg->offset, 0, arg->len, true);
	edu_end(imp, fence);
	return ret;
}

int edu_test_ioctl(struct edu_import *imp, unsigned int cmd, void __user *uarg)
{
	struct dma_buf_edu_dma arg;

	if (cmd != DMA_BUF_EDU_OVERRUN)
		return -ENOTTY;
	if (copy_from_user(&arg, uarg, sizeof(arg)))
		return -EFAULT;
	if (arg.reserved || arg.flags != DMA_BUF_EDU_WRITE || !arg.len ||
	    arg.len > DMA_BUF_EDU_MAX_LEN)
		return -EINVAL;
	if (!imp->attach)
		return -ENOTCONN;
	if (copy_from_user(imp->edu->bounce, u64_to_user_ptr(arg.data), arg.len))
		return -EFAULT;
	return edu_overrun(imp, &arg);
}
