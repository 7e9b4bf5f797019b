// SPDX-License-Identifier: GPL-2.0-only
/*
 * Maps the physical runs of a list into an IOMMU domain of the importer
 */
#include <linux/bug.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/iommu.h>
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/sched/signal.h>

#include "dma-buf-internal.h"

static int dma_buf_iommu_map_runs(const struct dma_buf_list *list, u64 offset,
				  size_t size, size_t max,
				  struct iommu_domain *domain, unsigned long iova,
				  int prot, gfp_t gfp, size_t *mapped)
{
	const u64 *word = list->phys;
	u64 phys, len = 0;
	unsigned int i = 0;

	while (*mapped < size) {
		unsigned long npages;
		size_t n;
		int ret;

		if (!(++i % DMA_BUF_BATCH)) {
			cond_resched();
			/* Userspace may choose the number of runs. */
			if (fatal_signal_pending(current))
				return -EINTR;
		}

		if (!len) {
			word = dma_buf_run_read(word, &phys, &npages);
			len = (u64)npages << PAGE_SHIFT;
		}
		n = min3(len, (u64)(size - *mapped), (u64)max);
		if (offset) {
			n = min(len, offset);
			offset -= n;
		} else {
			ret = dma_buf_hw_iommu_map(domain, iova + *mapped, phys,
						   n, prot, gfp);
			if (ret)
				return ret;
			*mapped += n;
		}
		phys += n;
		len -= n;
	}
	return 0;
}

/**
 * dma_buf_list_iommu_map - map a part of a buffer into an importer's IOMMU domain
 * @list: list of the buffer; dma_buf_keep_runs() was called for it, unless it is that of
 *	an importer with &dma_buf_attach_ops.phys_only
 * @offset: first byte of the part
 * @size: length of the part in bytes; as @offset and @iova a multiple of the smallest
 *	page of @domain
 * @max: longest that is mapped at once, in bytes and such a multiple, too: PAGE_SIZE
 *	if there are to be no large pages in @domain, SIZE_MAX if there may be
 * @domain: paging domain that the importer's device is attached to
 * @iova: where to map it in @domain, nothing is mapped there yet
 * @prot: IOMMU_* as for iommu_map(). For the memory of a device IOMMU_MMIO is set
 *	and IOMMU_CACHE is not, whatever @prot says.
 * @gfp: how to allocate page tables
 *
 * For devices that use an IOMMU domain of their own and not that of the DMA API.
 * No physical address leaves the core, and the exporter does not see @domain. The
 * memory need not have pages.
 *
 * @list has to stay mapped until after iommu_unmap(). An importer with
 * &dma_buf_attach_ops.invalidate_mappings calls iommu_unmap() in that callback,
 * before dma_buf_list_unmap().
 *
 * Context: May sleep.
 * Return: 0, and iommu_unmap(@domain, @iova, @size) undoes it; -EINVAL for no bytes
 * or some beyond the end of @list; -EINTR if the caller was killed meanwhile;
 * -EREMOTEIO if a switch turns the transfers round, so that @domain is not used, or if
 * the list is bounced, since unmapping it would overwrite the memory; or what
 * iommu_map() returns. Nothing is left mapped after an error.
 */
int dma_buf_list_iommu_map(const struct dma_buf_list *list, u64 offset,
			   size_t size, size_t max,
			   struct iommu_domain *domain, unsigned long iova,
			   int prot, gfp_t gfp)
{
	u64 all = (u64)list->dma.npages << PAGE_SHIFT;
	size_t mapped = 0;
	unsigned long last;
	int ret;

	might_sleep();

	if (!size || !max || offset > all || size > all - offset ||
	    check_add_overflow(iova, size - 1, &last))
		return -EINVAL;
	if (list->route == DMA_BUF_ROUTE_BUS_ADDR || list->bounced)
		return -EREMOTEIO;
	/* Warn on all machines, not only on those where an IOMMU is in use. */
	if (WARN_ON_ONCE(!list->phys))
		return -EINVAL;

	if (dma_buf_list_is_device(list))
		prot = (prot & ~IOMMU_CACHE) | IOMMU_MMIO;

	ret = dma_buf_iommu_map_runs(list, offset, size, max, domain, iova, prot,
				     gfp, &mapped);
	if (!ret)
		ret = dma_buf_hw_iommu_sync(domain, iova, size);
	if (ret && mapped)
		dma_buf_hw_iommu_unmap(domain, iova, mapped);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_list_iommu_map, "DMA_BUF");
