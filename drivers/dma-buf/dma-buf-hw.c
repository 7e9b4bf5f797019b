// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls of the dma-buf core into the DMA API, the IOMMU core and PCI p2pdma
 *
 * Kept apart so that a KUnit test can replace each with a model: UML has neither
 * p2pdma nor IOMMUs, and no test machine has a device for every route.
 */
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/iommu.h>
#include <linux/minmax.h>
#include <linux/pci.h>
#include <xen/xen.h>

#include "dma-buf-internal.h"

bool dma_buf_hw_p2p_enabled(void)
{
	DMA_BUF_STUB(dma_buf_hw_p2p_enabled);
	return IS_ENABLED(CONFIG_PCI_P2PDMA);
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_hw_p2p_enabled);

int dma_buf_hw_p2p_distance(struct pci_dev *provider, struct device *dev)
{
	DMA_BUF_STUB(dma_buf_hw_p2p_distance, provider, dev);
	return pci_p2pdma_distance(provider, dev, false);
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_hw_p2p_distance);

enum pci_p2pdma_map_type
dma_buf_hw_p2p_map_type(struct p2pdma_provider *provider, struct device *dev)
{
	DMA_BUF_STUB(dma_buf_hw_p2p_map_type, provider, dev);
	return pci_p2pdma_map_type(provider, dev);
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_hw_p2p_map_type);

bool dma_buf_hw_p2p_overridden(struct p2pdma_provider *provider,
			       struct device *dev)
{
	DMA_BUF_STUB(dma_buf_hw_p2p_overridden, provider, dev);
	return pci_p2pdma_overridden(provider, dev);
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_hw_p2p_overridden);

/* Has a driver prepared the device for DMA? Under the lock of the device. */
bool dma_buf_hw_is_bound(struct device *dev)
{
	DMA_BUF_STUB(dma_buf_hw_is_bound, dev);
	return dev->driver;
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_hw_is_bound);

bool dma_buf_hw_is_pci(struct device *dev)
{
	DMA_BUF_STUB(dma_buf_hw_is_pci, dev);
	return dev_is_pci(dev);
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_hw_is_pci);

bool dma_buf_hw_has_map_ops(struct device *dev)
{
	DMA_BUF_STUB(dma_buf_hw_has_map_ops, dev);
	/*
	 * dma_pci_p2pdma_supported() tells whether the device has dma_map_ops,
	 * despite its name. Without HAS_DMA it is always false.
	 */
	return IS_ENABLED(CONFIG_HAS_DMA) && !dma_pci_p2pdma_supported(dev);
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_hw_has_map_ops);

unsigned long dma_buf_hw_merge_boundary(struct device *dev)
{
	DMA_BUF_STUB(dma_buf_hw_merge_boundary, dev);
	return dma_get_merge_boundary(dev);
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_hw_merge_boundary);

size_t dma_buf_hw_max_mapping_size(struct device *dev)
{
	DMA_BUF_STUB(dma_buf_hw_max_mapping_size, dev);
	return dma_max_mapping_size(dev);
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_hw_max_mapping_size);

u64 dma_buf_hw_dma_mask(struct device *dev)
{
	DMA_BUF_STUB(dma_buf_hw_dma_mask, dev);
	return dma_get_mask(dev);
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_hw_dma_mask);

/* Does the device reach @last through the host bridge, if there is no IOMMU? */
bool dma_buf_hw_reaches(struct device *dev, phys_addr_t last)
{
	DMA_BUF_STUB(dma_buf_hw_reaches, dev, last);
	return IS_ENABLED(CONFIG_HAS_DMA) &&
	       phys_to_dma_unencrypted(dev, last) <=
	       min_not_zero(dma_get_mask(dev), dev->bus_dma_limit);
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_hw_reaches);

/*
 * The longest run of system memory, in pages, for which contiguous for the CPU
 * means contiguous for the device. In a Xen PV guest that is one page: more need
 * not be contiguous in machine memory, and would be bounced to become so.
 */
unsigned long dma_buf_hw_max_run(struct device *dev)
{
	DMA_BUF_STUB(dma_buf_hw_max_run, dev);
	return xen_pv_domain() ? 1 : DMA_BUF_RUN_MAX_PAGES;
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_hw_max_run);

bool dma_buf_hw_is_coherent(struct device *dev)
{
	DMA_BUF_STUB(dma_buf_hw_is_coherent, dev);
	return !IS_ENABLED(CONFIG_HAS_DMA) || dev_is_dma_coherent(dev);
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_hw_is_coherent);

bool dma_buf_hw_need_sync(struct device *dev)
{
	DMA_BUF_STUB(dma_buf_hw_need_sync, dev);
	return dma_dev_need_sync(dev);
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_hw_need_sync);

/* For all but the caches, which are managed for many runs at a time. */
bool dma_buf_hw_need_map(struct device *dev, unsigned long attrs)
{
	DMA_BUF_STUB(dma_buf_hw_need_map, dev, attrs);
	return dma_need_map(dev, attrs | DMA_ATTR_SKIP_CPU_SYNC);
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_hw_need_map);

/*
 * If the DMA API has nothing to do for system memory, then the DMA address of device
 * memory is its physical address as well, as far as @dev reaches it.
 */
bool dma_buf_hw_need_map_mmio(struct device *dev, unsigned long attrs)
{
	DMA_BUF_STUB(dma_buf_hw_need_map_mmio, dev, attrs);
	return dma_need_map(dev, (attrs & ~DMA_ATTR_MMIO) | DMA_ATTR_SKIP_CPU_SYNC);
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_hw_need_map_mmio);

bool dma_buf_hw_need_unmap(struct device *dev)
{
	DMA_BUF_STUB(dma_buf_hw_need_unmap, dev);
	return dma_need_unmap(dev);
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_hw_need_unmap);

bool dma_buf_hw_iova_alloc(struct device *dev, struct dma_iova_state *state,
			   size_t size)
{
	DMA_BUF_STUB(dma_buf_hw_iova_alloc, dev, state, size);
	return dma_iova_try_alloc(dev, state, 0, size);
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_hw_iova_alloc);

int dma_buf_hw_iova_link_vec(struct device *dev, struct dma_iova_state *state,
			     size_t offset, const struct phys_vec *vecs,
			     unsigned int nr, enum dma_data_direction dir,
			     unsigned long attrs)
{
	DMA_BUF_STUB(dma_buf_hw_iova_link_vec, dev, state, offset, vecs, nr, dir,
		     attrs);
	return dma_iova_link_vec(dev, state, offset, vecs, nr, dir, attrs);
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_hw_iova_link_vec);

int dma_buf_hw_iova_sync(struct device *dev, struct dma_iova_state *state,
			 size_t size)
{
	DMA_BUF_STUB(dma_buf_hw_iova_sync, dev, state, size);
	return dma_iova_sync(dev, state, 0, size);
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_hw_iova_sync);

void dma_buf_hw_iova_destroy(struct device *dev, struct dma_iova_state *state,
			     size_t size, enum dma_data_direction dir,
			     unsigned long attrs)
{
	DMA_BUF_STUB(dma_buf_hw_iova_destroy, dev, state, size, dir, attrs);
	dma_iova_destroy(dev, state, size, dir, attrs);
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_hw_iova_destroy);

void dma_buf_hw_unmap_phys(struct device *dev, dma_addr_t addr, size_t size,
			   enum dma_data_direction dir, unsigned long attrs)
{
	DMA_BUF_STUB(dma_buf_hw_unmap_phys, dev, addr, size, dir, attrs);
	dma_unmap_phys(dev, addr, size, dir, attrs);
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_hw_unmap_phys);

int dma_buf_hw_get_sgtable(struct device *dev, struct sg_table *sgt,
			   void *cpu_addr, dma_addr_t dma_addr, size_t size,
			   unsigned long attrs)
{
	DMA_BUF_STUB(dma_buf_hw_get_sgtable, dev, sgt, cpu_addr, dma_addr, size,
		     attrs);
	return dma_get_sgtable_attrs(dev, sgt, cpu_addr, dma_addr, size, attrs);
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_hw_get_sgtable);

int dma_buf_hw_map_sgtable(struct device *dev, struct sg_table *sgt,
			   enum dma_data_direction dir, unsigned long attrs)
{
	DMA_BUF_STUB(dma_buf_hw_map_sgtable, dev, sgt, dir, attrs);
	return dma_map_sgtable(dev, sgt, dir, attrs);
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_hw_map_sgtable);

void dma_buf_hw_unmap_sgtable(struct device *dev, struct sg_table *sgt,
			      enum dma_data_direction dir, unsigned long attrs)
{
	DMA_BUF_STUB(dma_buf_hw_unmap_sgtable, dev, sgt, dir, attrs);
	dma_unmap_sgtable(dev, sgt, dir, attrs);
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_hw_unmap_sgtable);

int dma_buf_hw_iommu_map(struct iommu_domain *domain, unsigned long iova,
			 phys_addr_t phys, size_t size, int prot, gfp_t gfp)
{
	DMA_BUF_STUB(dma_buf_hw_iommu_map, domain, iova, phys, size, prot, gfp);
	return iommu_map_nosync(domain, iova, phys, size, prot, gfp);
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_hw_iommu_map);

int dma_buf_hw_iommu_sync(struct iommu_domain *domain, unsigned long iova,
			  size_t size)
{
	DMA_BUF_STUB(dma_buf_hw_iommu_sync, domain, iova, size);
	return iommu_sync_map(domain, iova, size);
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_hw_iommu_sync);

void dma_buf_hw_iommu_unmap(struct iommu_domain *domain, unsigned long iova,
			    size_t size)
{
	DMA_BUF_STUB(dma_buf_hw_iommu_unmap, domain, iova, size);
	iommu_unmap(domain, iova, size);
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_hw_iommu_unmap);

void dma_buf_hw_sync_for_cpu(struct device *dev, dma_addr_t addr, size_t size,
			     enum dma_data_direction dir)
{
	DMA_BUF_STUB(dma_buf_hw_sync_for_cpu, dev, addr, size, dir);
	dma_sync_single_for_cpu(dev, addr, size, dir);
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_hw_sync_for_cpu);

void dma_buf_hw_sync_for_device(struct device *dev, dma_addr_t addr,
				size_t size, enum dma_data_direction dir)
{
	DMA_BUF_STUB(dma_buf_hw_sync_for_device, dev, addr, size, dir);
	dma_sync_single_for_device(dev, addr, size, dir);
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_hw_sync_for_device);

void dma_buf_hw_sync_sgtable_for_cpu(struct device *dev, struct sg_table *sgt,
				     enum dma_data_direction dir)
{
	DMA_BUF_STUB(dma_buf_hw_sync_sgtable_for_cpu, dev, sgt, dir);
	dma_sync_sgtable_for_cpu(dev, sgt, dir);
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_hw_sync_sgtable_for_cpu);

void dma_buf_hw_sync_sgtable_for_device(struct device *dev,
					struct sg_table *sgt,
					enum dma_data_direction dir)
{
	DMA_BUF_STUB(dma_buf_hw_sync_sgtable_for_device, dev, sgt, dir);
	dma_sync_sgtable_for_device(dev, sgt, dir);
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_hw_sync_sgtable_for_device);
