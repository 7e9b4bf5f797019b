// SPDX-License-Identifier: GPL-2.0-only
/*
 * Has the DMA engine copy memory of the process that asks
 *
 * This is memory of the driver's own, no dma-buf: it pins the pages and lists them.
 * The list is read by the same code as that of a dma-buf.
 */
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "edu-import.h"

/* Pages that are pinned at a time. The list of all of them needs no array. */
#define EDU_BATCH	16UL

/**
 * struct edu_memory - some memory of a process
 * @own: its pages
 * @list: where they are for the device
 * @skip: where the memory begins in the first page, in bytes
 */
struct edu_memory {
	struct dma_buf_own *own;
	struct dma_buf_list *list;
	u32 skip;
};

static int edu_pin_user(struct edu_memory *memory, u64 addr, u32 len, bool write)
{
	unsigned long left = PFN_UP(memory->skip + len);
	unsigned long start = addr & PAGE_MASK;
	struct page *pages[EDU_BATCH];

	while (left) {
		unsigned long added = dma_buf_own_npages(memory->own);
		int n, ret;

		n = pin_user_pages_fast(start, min(left, EDU_BATCH),
					write ? FOLL_WRITE : 0, pages);
		if (n <= 0)
			return n ?: -EFAULT;
		ret = dma_buf_own_add(memory->own, pages, n);
		if (ret) {
			/* The others are unpinned with all that was added. */
			added = dma_buf_own_npages(memory->own) - added;
			unpin_user_pages(pages + added, n - added);
			return ret;
		}
		start += (unsigned long)n << PAGE_SHIFT;
		left -= n;
	}
	return 0;
}

static void edu_free_user(struct edu_memory *memory, bool write)
{
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk chunk;

	/* Unmapping syncs, so it comes before anybody else gets the pages. */
	if (memory->list)
		dma_buf_list_free(memory->list);
	dma_buf_own_start(&cursor, memory->own);
	while ((chunk = dma_buf_own_next(&cursor)).npages)
		unpin_user_page_range_dirty_lock(chunk.page, chunk.npages, write);
	dma_buf_own_free(memory->own);
}

static int edu_map_user(struct edu_device *edu, struct edu_memory *memory,
			u64 addr, u32 len, bool write)
{
	/* Nothing was attached: it is just for this device. */
	struct dma_buf_attachment attach = { .dev = &edu->pdev->dev };
	struct dma_buf_list *list;
	unsigned long attrs = 0;
	int ret;

	/*
	 * Whole pages are mapped. If the end of a DMA wrote back a bounce buffer, or
	 * dropped what is in a cache, what the process wrote meanwhile next to its
	 * memory would be lost.
	 */
	if (write)
		attrs |= DMA_ATTR_REQUIRE_COHERENT;

	*memory = (struct edu_memory) { .skip = offset_in_page(addr) };
	memory->own = dma_buf_own_alloc();
	if (!memory->own)
		return -ENOMEM;

	ret = edu_pin_user(memory, addr, len, write);
	if (ret)
		goto err_free;

	list = dma_buf_list_from_own(&attach, memory->own,
				     write ? DMA_FROM_DEVICE : DMA_TO_DEVICE,
				     attrs);
	if (IS_ERR(list)) {
		ret = PTR_ERR(list);
		goto err_free;
	}
	memory->list = list;
	return 0;

err_free:
	edu_free_user(memory, false);
	return ret;
}

/* Through the memory of the device, as much at a time as fits there */
static int edu_copy(struct edu_device *edu, const struct edu_memory *from,
		    const struct edu_memory *to, u32 len)
{
	u32 done, n;
	int ret;

	for (done = 0; done < len; done += n) {
		n = min(len - done, DMA_BUF_EDU_MAX_LEN);
		if (fatal_signal_pending(current))
			return -EINTR;
		ret = edu_transfer(edu, from->list, from->skip + done, n, false);
		if (ret)
			return ret;
		ret = edu_transfer(edu, to->list, to->skip + done, n, true);
		if (ret)
			return ret;
	}
	return 0;
}

/* Is there such memory? Whether it is mapped is found when it is pinned. */
static bool edu_user_valid(u64 addr, u32 len)
{
	unsigned long end;

	return addr == (unsigned long)addr &&
	       !check_add_overflow((unsigned long)addr, len, &end);
}

int edu_ioctl_copy(struct edu_device *edu, void __user *uarg)
{
	struct dma_buf_edu_copy arg;
	struct edu_memory from, to;
	int ret;

	if (copy_from_user(&arg, uarg, sizeof(arg)))
		return -EFAULT;
	if (arg.reserved || !arg.len || arg.len > DMA_BUF_EDU_MAX_COPY)
		return -EINVAL;
	if (!edu_user_valid(arg.from, arg.len) || !edu_user_valid(arg.to, arg.len))
		return -EFAULT;
	if (arg.from < arg.to + arg.len && arg.to < arg.from + arg.len)
		return -EINVAL;

	ret = edu_map_user(edu, &from, arg.from, arg.len, false);
	if (ret)
		return ret;
	ret = edu_map_user(edu, &to, arg.to, arg.len, true);
	if (ret)
		goto out_free_from;

	ret = edu_copy(edu, &from, &to, arg.len);
	edu_free_user(&to, true);
out_free_from:
	edu_free_user(&from, false);
	return ret;
}
