/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the sample importer and its test hooks share
 */
#ifndef _EDU_IMPORT_H
#define _EDU_IMPORT_H

#include <linux/dma-buf.h>
#include <linux/dma-buf-map.h>
#include <linux/kref.h>
#include <linux/miscdevice.h>
#include <linux/mutex.h>
#include <linux/pci.h>

#include "dma-buf-sample.h"

/**
 * struct edu_device - the PCI device
 * @kref: held by the driver and open files
 * @misc: its node in /dev
 * @pdev: the PCI device
 * @regs: registers
 * @swapped: they have another byte order than readl() expects
 * @bounce: a page that carries the bytes between userspace and the device
 * @bounce_addr: its address for the device
 * @lock: serialises everything but invalidate_mappings(), which the exporter calls
 *	under the reservation lock; always taken before a reservation lock
 * @imports: all &struct edu_import
 * @unplugged: the device is gone
 * @context: of its fences
 * @seqno: of the last fence
 */
struct edu_device {
	struct kref kref;
	struct miscdevice misc;
	struct pci_dev *pdev;
	void __iomem *regs;
	bool swapped;
	void *bounce;
	dma_addr_t bounce_addr;
	struct mutex lock; /* all but invalidate_mappings() */
	struct list_head imports;
	bool unplugged;
	u64 context;
	u64 seqno;
};

/**
 * struct edu_import - an open file, and the dma-buf it has attached
 * @edu: the device
 * @node: in &edu_device.imports
 * @attach: the attachment, or NULL
 * @pinned: it is pinned
 * @list: the mapping, or NULL. This and the rest is protected by the reservation
 *	lock.
 * @busy: the device uses @list
 * @stale: the buffer has moved, unmap @list as soon as the device is done
 * @invalidations: how often it moved
 */
struct edu_import {
	struct edu_device *edu;
	struct list_head node;
	struct dma_buf_attachment *attach;
	bool pinned;
	struct dma_buf_list *list;
	bool busy;
	bool stale;
	u64 invalidations;
};

struct dma_fence *edu_begin(struct edu_import *imp, bool write);
void edu_end(struct edu_import *imp, struct dma_fence *fence);
void edu_unmap(struct edu_import *imp);
int edu_load(struct edu_device *edu, u32 len);
int edu_transfer(struct edu_device *edu, const struct dma_buf_list *list,
		 u64 offset, u32 len, bool write);
int edu_run(struct edu_device *edu, dma_addr_t addr, u32 offset, u32 len,
	    bool write);

int edu_ioctl_copy(struct edu_device *edu, void __user *uarg);

#if IS_ENABLED(CONFIG_SAMPLE_DMA_BUF_TEST)
int edu_test_ioctl(struct edu_import *imp, unsigned int cmd, void __user *uarg);
#else
static inline int edu_test_ioctl(struct edu_import *imp, unsigned int cmd,
				 void __user *uarg)
{
	return -ENOTTY;
}
#endif

#endif
