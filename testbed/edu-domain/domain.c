// SPDX-License-Identifier: GPL-2.0
/*
 * The sample importer, with an IOMMU domain of its own
 *
 * As tegra, rockchip or msm do: the device leaves the domain of the DMA API, and what is
 * behind a buffer is mapped into another one by dma_buf_list_iommu_map(). It is mapped
 * where the DMA API has it, so that all of the sample works as it is; what the DMA
 * API maps itself the device does not see any more. One device only. The guest's
 * script edu-domain has it take over.
 */
#include <linux/dma-buf.h>
#include <linux/dma-buf-map.h>
#include <linux/dma-mapping.h>
#include <linux/iommu.h>
#include <linux/module.h>
#include <linux/pci.h>

static struct iommu_domain *domain;

static void domain_unmap_ranges(struct dma_buf_list *list, u64 size)
{
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk range;

	dma_buf_list_for_each_range(range, &cursor, list) {
		size_t len = min((u64)range.npages << PAGE_SHIFT, size);

		if (!len)
			break;
		WARN_ON(iommu_unmap(domain, range.dma_addr, len) != len);
		WARN_ON(iommu_iova_to_phys(domain, range.dma_addr + len - 1));
		size -= len;
	}
}

/* In two halves, to have parts as well */
static int domain_map_range(struct dma_buf_list *list, u64 offset,
			    struct dma_buf_chunk range)
{
	int prot = IOMMU_READ | IOMMU_WRITE | IOMMU_CACHE;
	size_t all = range.npages << PAGE_SHIFT;
	size_t half = (range.npages / 2) << PAGE_SHIFT;
	int ret = 0;

	if (half)
		ret = dma_buf_list_iommu_map(list, offset, half, SIZE_MAX, domain,
					     range.dma_addr, prot, GFP_KERNEL);
	if (ret)
		return ret;
	ret = dma_buf_list_iommu_map(list, offset + half, all - half, SIZE_MAX, domain,
				     range.dma_addr + half, prot, GFP_KERNEL);
	if (ret && half)
		iommu_unmap(domain, range.dma_addr, half);
	return ret;
}

static struct dma_buf_list *domain_list_map(struct dma_buf_attachment *attach,
					    enum dma_data_direction dir)
{
	struct dma_buf_list *list = dma_buf_list_map(attach, dir);
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk range;
	u64 offset = 0;
	int ret;

	if (IS_ERR(list))
		return list;
	dma_buf_list_for_each_range(range, &cursor, list) {
		ret = domain_map_range(list, offset, range);
		if (ret)
			goto err_unmap;
		offset += (u64)range.npages << PAGE_SHIFT;
	}
	return list;

err_unmap:
	domain_unmap_ranges(list, offset);
	dma_buf_list_unmap(attach, list);
	return ERR_PTR(ret);
}

static void domain_list_unmap(struct dma_buf_attachment *attach,
			      struct dma_buf_list *list)
{
	domain_unmap_ranges(list, U64_MAX);
	dma_buf_list_unmap(attach, list);
}

static struct dma_buf_attachment *
domain_attach(struct dma_buf *dmabuf, struct device *dev,
	      const struct dma_buf_attach_ops *ops, void *priv)
{
	struct dma_buf_attachment *attach;

	attach = dma_buf_dynamic_attach(dmabuf, dev, ops, priv);
	if (!IS_ERR(attach))
		dma_buf_keep_runs(attach);
	return attach;
}

static void domain_leave(void *data)
{
	struct iommu_group *group = data;

	iommu_detach_group(domain, group);
	iommu_group_put(group);
	iommu_domain_free(domain);
	domain = NULL;
}

static int domain_enter(struct device *dev, dma_addr_t addr)
{
	struct iommu_group *group;
	phys_addr_t phys;
	int ret;

	domain = iommu_paging_domain_alloc(dev);
	if (IS_ERR(domain))
		return PTR_ERR(domain);
	/* The DMA API gave it an address of vmalloc(), which does not tell. */
	phys = iommu_iova_to_phys(iommu_get_domain_for_dev(dev), addr);
	ret = iommu_map(domain, addr, phys, PAGE_SIZE,
			IOMMU_READ | IOMMU_WRITE | IOMMU_CACHE, GFP_KERNEL);
	if (ret)
		goto err_free;
	group = iommu_group_get(dev);
	ret = iommu_attach_group(domain, group);
	if (ret)
		goto err_put;
	return devm_add_action_or_reset(dev, domain_leave, group);

err_put:
	iommu_group_put(group);
err_free:
	iommu_domain_free(domain);
	return ret;
}

/* A page of its own is what the device needs there besides. */
static void *domain_alloc(struct device *dev, size_t size, dma_addr_t *addr,
			  gfp_t gfp)
{
	void *page = dmam_alloc_coherent(dev, size, addr, gfp);
	int ret;

	if (!page || WARN_ON(size != PAGE_SIZE))
		return NULL;
	ret = domain_enter(dev, *addr);
	if (ret)
		dev_err(dev, "no domain of its own: %d\n", ret);
	return ret ? NULL : page;
}

#define dma_buf_list_map	domain_list_map
#define dma_buf_list_unmap	domain_list_unmap
#define dma_buf_dynamic_attach	domain_attach
#define dmam_alloc_coherent	domain_alloc

#include "../../samples/dma-buf/edu-import.c"
