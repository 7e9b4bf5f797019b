// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lets a test have the device write where it must not, and map without a DMA
 *
 * Do not copy this: it lets the device write outside the buffer and after it was told
 * to let go, to test what stops it.
 */
#include <linux/delay.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
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

/*
 * Writes to an address that was unmapped. Nobody else maps for this device meanwhile,
 * so the address does not belong to another mapping.
 */
static int edu_write_revoked(struct edu_import *imp,
			     const struct dma_buf_edu_dma *arg)
{
	struct dma_resv *resv = imp->attach->dmabuf->resv;
	bool revoked = false;
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk range;
	struct dma_fence *fence;
	dma_addr_t addr;
	int i, ret;

	fence = edu_begin(imp, true);
	if (IS_ERR(fence))
		return PTR_ERR(fence);
	dma_buf_cursor_init_part(&cursor, imp->list, arg->offset >> PAGE_SHIFT, 1);
	range = dma_buf_cursor_next_range(&cursor);
	addr = range.dma_addr + offset_in_page(arg->offset);
	ret = edu_load(imp->edu, arg->len);
	edu_end(imp, fence);

	for (i = 0; !ret && !revoked && i < 25; i++) {
		if (i)
			msleep(20);
		dma_resv_lock(resv, NULL);
		revoked = !imp->list;
		dma_resv_unlock(resv);
	}
	if (ret)
		return ret;
	return revoked ? edu_run(imp->edu, addr, 0, arg->len, true) : -ETIME;
}

static int edu_test_dma(struct edu_import *imp, unsigned int cmd,
			void __user *uarg)
{
	struct dma_buf_edu_dma arg;

	if (copy_from_user(&arg, uarg, sizeof(arg)))
		return -EFAULT;
	if (arg.reserved || arg.flags != DMA_BUF_EDU_WRITE || !arg.len ||
	    arg.len > DMA_BUF_EDU_MAX_LEN)
		return -EINVAL;
	if (!imp->attach)
		return -ENOTCONN;
	if (copy_from_user(imp->edu->bounce, u64_to_user_ptr(arg.data), arg.len))
		return -EFAULT;
	if (cmd == DMA_BUF_EDU_OVERRUN)
		return edu_overrun(imp, &arg);
	if (arg.offset >= imp->attach->dmabuf->size ||
	    arg.len > PAGE_SIZE - offset_in_page(arg.offset))
		return -EINVAL;
	return edu_write_revoked(imp, &arg);
}

static int edu_test_map(struct edu_import *imp)
{
	struct dma_fence *fence;

	if (!imp->attach)
		return -ENOTCONN;
	fence = edu_begin(imp, false);
	if (IS_ERR(fence))
		return PTR_ERR(fence);
	edu_end(imp, fence);
	return 0;
}

static int edu_test_unmap(struct edu_import *imp)
{
	struct dma_resv *resv;

	if (!imp->attach)
		return -ENOTCONN;
	resv = imp->attach->dmabuf->resv;
	dma_resv_lock(resv, NULL);
	if (imp->list)
		edu_unmap(imp);
	dma_resv_unlock(resv);
	return 0;
}

int edu_test_ioctl(struct edu_import *imp, unsigned int cmd, void __user *uarg)
{
	switch (cmd) {
	case DMA_BUF_EDU_OVERRUN:
	case DMA_BUF_EDU_REVOKED:
		return edu_test_dma(imp, cmd, uarg);
	case DMA_BUF_EDU_MAP:
		return edu_test_map(imp);
	case DMA_BUF_EDU_UNMAP:
		return edu_test_unmap(imp);
	default:
		return -ENOTTY;
	}
}
