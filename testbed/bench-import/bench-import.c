// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measures the exporter of any dma-buf from the importer's side: attach, map, fill
 * a page table, have the CPU access it as the SYNC ioctl does, unmap, detach
 *
 * Write "NAME FD" to /dev/bench-import. It is built against both kernels: an importer
 * of the page list where there is one, and of the sg_table where not.
 */
#include <linux/dma-buf.h>
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#if __has_include(<linux/dma-buf-map.h>)
#include <linux/dma-buf-map.h>
#define HAVE_LIST
#endif

enum part { ATTACH, MAP, WALK, SYNC, UNMAP, DETACH, NR_PARTS };

static struct pci_dev *edu;

static int cpu_access(struct dma_buf *dmabuf)
{
	return dma_buf_begin_cpu_access(dmabuf, DMA_BIDIRECTIONAL) ?:
	       dma_buf_end_cpu_access(dmabuf, DMA_BIDIRECTIONAL);
}

#ifndef HAVE_LIST
static int with_table(struct dma_buf_attachment *attach, u64 *pte, u64 *t)
{
	struct sg_dma_page_iter iter;
	struct sg_table *sgt;
	int ret;

	sgt = dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(sgt))
		return PTR_ERR(sgt);
	t[MAP] = ktime_get_ns();
	for_each_sgtable_dma_page(sgt, &iter, 0)
		*pte++ = sg_page_iter_dma_address(&iter) | 3;
	t[WALK] = ktime_get_ns();
	ret = cpu_access(attach->dmabuf);
	t[SYNC] = ktime_get_ns();
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_BIDIRECTIONAL);
	t[UNMAP] = ktime_get_ns();
	return ret;
}
#else
static int with_list(struct dma_buf_attachment *attach, u64 *pte, u64 *t)
{
	struct dma_buf_cursor cursor;
	struct dma_buf_list *list;
	dma_addr_t addr;
	int ret;

	list = dma_buf_list_map_unlocked(attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(list))
		return PTR_ERR(list);
	t[MAP] = ktime_get_ns();
	dma_buf_list_for_each_page(addr, &cursor, list)
		*pte++ = addr | 3;
	t[WALK] = ktime_get_ns();
	ret = cpu_access(attach->dmabuf);
	t[SYNC] = ktime_get_ns();
	dma_buf_list_unmap_unlocked(attach, list);
	t[UNMAP] = ktime_get_ns();
	return ret;
}
#endif

static int measure(const char *name, const char *importer, struct dma_buf *dmabuf,
		   int (*use)(struct dma_buf_attachment *, u64 *, u64 *))
{
	u64 start, t[NR_PARTS], *pte = vzalloc(dmabuf->size / PAGE_SIZE * sizeof(u64));
	struct dma_buf_attachment *attach;
	int i, ret = 0;

	if (!pte)
		return -ENOMEM;
	/* The first one is to warm up. */
	for (i = 0; i < 2 && !ret; i++) {
		start = ktime_get_ns();
		attach = dma_buf_attach(dmabuf, &edu->dev);
		if (IS_ERR(attach)) {
			ret = PTR_ERR(attach);
			break;
		}
		t[ATTACH] = ktime_get_ns();
		ret = use(attach, pte, t);
		dma_buf_detach(dmabuf, attach);
		t[DETACH] = ktime_get_ns();
	}
	vfree(pte);
	if (!ret)
		pr_info("dma-buf-bench: exporter %s %s %zu %llu %llu %llu %llu %llu %llu\n",
			name, importer, dmabuf->size, t[ATTACH] - start,
			t[MAP] - t[ATTACH], t[WALK] - t[MAP], t[UNMAP] - t[SYNC],
			t[DETACH] - t[UNMAP], t[SYNC] - t[WALK]);
	return ret;
}

static ssize_t bench_write(struct file *file, const char __user *from, size_t len,
			   loff_t *pos)
{
	struct dma_buf *dmabuf;
	char text[64], name[32];
	int fd, ret;

	if (len >= sizeof(text) || copy_from_user(text, from, len))
		return -EFAULT;
	text[len] = 0;
	if (sscanf(text, "%31s %d", name, &fd) != 2)
		return -EINVAL;
	dmabuf = dma_buf_get(fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
#ifdef HAVE_LIST
	ret = measure(name, "list", dmabuf, with_list);
#else
	ret = measure(name, "sg_table", dmabuf, with_table);
#endif
	dma_buf_put(dmabuf);
	return ret ?: len;
}

static const struct file_operations bench_fops = {
	.owner = THIS_MODULE,
	.write = bench_write,
};

static struct miscdevice bench = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "bench-import",
	.fops = &bench_fops,
};

static int __init bench_init(void)
{
	int ret;

	edu = pci_get_device(0x1234, 0x11e8, NULL);
	if (!edu)
		return -ENODEV;
	ret = dma_set_mask_and_coherent(&edu->dev, DMA_BIT_MASK(64)) ?:
	      misc_register(&bench);
	if (ret)
		pci_dev_put(edu);
	return ret;
}

static void __exit bench_exit(void)
{
	misc_deregister(&bench);
	pci_dev_put(edu);
}

module_init(bench_init);
module_exit(bench_exit);
MODULE_IMPORT_NS("DMA_BUF");
MODULE_DESCRIPTION("Measures the exporter of any dma-buf");
MODULE_LICENSE("GPL");
