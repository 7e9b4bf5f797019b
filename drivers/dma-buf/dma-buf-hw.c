// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls of the dma-buf core into the DMA API and PCI p2pdma
 *
 * Kept apart so that a KUnit test can replace each with a model: UML has neither
 * p2pdma nor IOMMUs, and no test machine has a device for every route.
 */
#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#include <linux/minmax.h>
#include <linux/pci.h>

#include "dma-buf-internal.h"

bool dma_buf_hw_p2p_enabled(void)
{
	KUNIT_STATIC_STUB_REDIRECT(dma_buf_hw_p2p_enabled);
	return IS_ENABLED(CONFIG_PCI_P2PDMA);
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_hw_p2p_enabled);

int dma_buf_hw_p2p_distance(struct pci_dev *provider, struct device *dev)
{
	KUNIT_STATIC_STUB_REDIRECT(dma_buf_hw_p2p_distance, provider, dev);
	return pci_p2pdma_distance(provider, dev, false);
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_hw_p2p_distance);

enum pci_p2pdma_map_type
dma_buf_hw_p2p_map_type(struct p2pdma_provider *provider, struct device *dev)
{
	KUNIT_STATIC_STUB_REDIRECT(dma_buf_hw_p2p_map_type, provider, dev);
	return pci_p2pdma_map_type(provider, dev);
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_hw_p2p_map_type);

bool dma_buf_hw_is_pci(struct device *dev)
{
	KUNIT_STATIC_STUB_REDIRECT(dma_buf_hw_is_pci, dev);
	return dev_is_pci(dev);
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_hw_is_pci);

bool dma_buf_hw_has_map_ops(struct device *dev)
{
	KUNIT_STATIC_STUB_REDIRECT(dma_buf_hw_has_map_ops, dev);
	/*
	 * This is what the function tells; its name only says what its first
	 * callers wanted to know. Without HAS_DMA it is always false.
	 */
	return IS_ENABLED(CONFIG_HAS_DMA) && !dma_pci_p2pdma_supported(dev);
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_hw_has_map_ops);

unsigned long dma_buf_hw_merge_boundary(struct device *dev)
{
	KUNIT_STATIC_STUB_REDIRECT(dma_buf_hw_merge_boundary, dev);
	return dma_get_merge_boundary(dev);
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_hw_merge_boundary);

size_t dma_buf_hw_max_mapping_size(struct device *dev)
{
	KUNIT_STATIC_STUB_REDIRECT(dma_buf_hw_max_mapping_size, dev);
	return dma_max_mapping_size(dev);
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_hw_max_mapping_size);

u64 dma_buf_hw_addr_limit(struct device *dev)
{
	KUNIT_STATIC_STUB_REDIRECT(dma_buf_hw_addr_limit, dev);
	return min_not_zero(dma_get_mask(dev), dev->bus_dma_limit);
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_hw_addr_limit);

bool dma_buf_hw_map_is_identity(struct device *dev, phys_addr_t last,
				unsigned long attrs)
{
	KUNIT_STATIC_STUB_REDIRECT(dma_buf_hw_map_is_identity, dev, last, attrs);
	return dma_map_is_identity(dev, last, attrs);
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_hw_map_is_identity);

bool dma_buf_hw_need_unmap(struct device *dev)
{
	KUNIT_STATIC_STUB_REDIRECT(dma_buf_hw_need_unmap, dev);
	return dma_need_unmap(dev);
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_hw_need_unmap);

bool dma_buf_hw_iova_alloc(struct device *dev, struct dma_iova_state *state,
			   size_t size)
{
	KUNIT_STATIC_STUB_REDIRECT(dma_buf_hw_iova_alloc, dev, state, size);
	return dma_iova_try_alloc(dev, state, 0, size);
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_hw_iova_alloc);

int dma_buf_hw_iova_link(struct device *dev, struct dma_iova_state *state,
			 phys_addr_t phys, size_t offset, size_t size,
			 enum dma_data_direction dir, unsigned long attrs)
{
	KUNIT_STATIC_STUB_REDIRECT(dma_buf_hw_iova_link, dev, state, phys,
				   offset, size, dir, attrs);
	return dma_iova_link(dev, state, phys, offset, size, dir, attrs);
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_hw_iova_link);

int dma_buf_hw_iova_sync(struct device *dev, struct dma_iova_state *state,
			 size_t size)
{
	KUNIT_STATIC_STUB_REDIRECT(dma_buf_hw_iova_sync, dev, state, size);
	return dma_iova_sync(dev, state, 0, size);
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_hw_iova_sync);

void dma_buf_hw_iova_destroy(struct device *dev, struct dma_iova_state *state,
			     size_t size, enum dma_data_direction dir,
			     unsigned long attrs)
{
	KUNIT_STATIC_STUB_REDIRECT(dma_buf_hw_iova_destroy, dev, state, size,
				   dir, attrs);
	dma_iova_destroy(dev, state, size, dir, attrs);
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_hw_iova_destroy);

void dma_buf_hw_unmap_phys(struct device *dev, dma_addr_t addr, size_t size,
			   enum dma_data_direction dir, unsigned long attrs)
{
	KUNIT_STATIC_STUB_REDIRECT(dma_buf_hw_unmap_phys, dev, addr, size, dir,
				   attrs);
	dma_unmap_phys(dev, addr, size, dir, attrs);
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_hw_unmap_phys);

int dma_buf_hw_get_sgtable(struct device *dev, struct sg_table *sgt,
			   void *cpu_addr, dma_addr_t dma_addr, size_t size,
			   unsigned long attrs)
{
	KUNIT_STATIC_STUB_REDIRECT(dma_buf_hw_get_sgtable, dev, sgt, cpu_addr,
				   dma_addr, size, attrs);
	return dma_get_sgtable_attrs(dev, sgt, cpu_addr, dma_addr, size, attrs);
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_hw_get_sgtable);

int dma_buf_hw_map_sgtable(struct device *dev, struct sg_table *sgt,
			   enum dma_data_direction dir, unsigned long attrs)
{
	KUNIT_STATIC_STUB_REDIRECT(dma_buf_hw_map_sgtable, dev, sgt, dir,
				   attrs);
	return dma_map_sgtable(dev, sgt, dir, attrs);
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_hw_map_sgtable);

void dma_buf_hw_unmap_sgtable(struct device *dev, struct sg_table *sgt,
			      enum dma_data_direction dir, unsigned long attrs)
{
	KUNIT_STATIC_STUB_REDIRECT(dma_buf_hw_unmap_sgtable, dev, sgt, dir,
				   attrs);
	dma_unmap_sgtable(dev, sgt, dir, attrs);
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_hw_unmap_sgtable);

void dma_buf_hw_sync_for_cpu(struct device *dev, dma_addr_t addr, size_t size,
			     enum dma_data_direction dir)
{
	KUNIT_STATIC_STUB_REDIRECT(dma_buf_hw_sync_for_cpu, dev, addr, size,
				   dir);
	dma_sync_single_for_cpu(dev, addr, size, dir);
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_hw_sync_for_cpu);

void dma_buf_hw_sync_for_device(struct device *dev, dma_addr_t addr,
				size_t size, enum dma_data_direction dir)
{
	KUNIT_STATIC_STUB_REDIRECT(dma_buf_hw_sync_for_device, dev, addr, size,
				   dir);
	dma_sync_single_for_device(dev, addr, size, dir);
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_hw_sync_for_device);

void dma_buf_hw_sync_sgtable_for_cpu(struct device *dev, struct sg_table *sgt,
				     enum dma_data_direction dir)
{
	KUNIT_STATIC_STUB_REDIRECT(dma_buf_hw_sync_sgtable_for_cpu, dev, sgt,
				   dir);
	dma_sync_sgtable_for_cpu(dev, sgt, dir);
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_hw_sync_sgtable_for_cpu);

void dma_buf_hw_sync_sgtable_for_device(struct device *dev,
					struct sg_table *sgt,
					enum dma_data_direction dir)
{
	KUNIT_STATIC_STUB_REDIRECT(dma_buf_hw_sync_sgtable_for_device, dev,
				   sgt, dir);
	dma_sync_sgtable_for_device(dev, sgt, dir);
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_hw_sync_sgtable_for_device);
