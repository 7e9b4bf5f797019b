/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the dma-buf core share: the list, the engine behind it and
 * the calls into the DMA API and p2pdma that KUnit replaces
 */
#ifndef __DMA_BUF_INTERNAL_H
#define __DMA_BUF_INTERNAL_H

#include <linux/dma-buf.h>
#include <linux/dma-buf-map.h>
#include <linux/dma-mapping.h>
#include <linux/pci-p2pdma.h>
#include <linux/types.h>

struct seq_file;

/**
 * struct dma_buf_list - pages of a buffer, mapped for one device
 * @dev: device the addresses are for
 * @attrs: DMA_ATTR_* the mapping was made with
 * @dir: direction the mapping was made for
 * @node: in &dma_buf.mappings, while it is there
 * @route: how the addresses came to be
 * @peer: backed by the memory of a device, not by system memory
 * @need_unmap: the DMA API wants to hear of the end of the mapping
 * @granted: importers that need pages may see them
 * @npages: sum of all chunks
 * @nchunks: number of chunks
 * @max_chunks: number of chunks that @chunks has room for
 * @chunks: the chunks, points to @one where there is only one
 * @one: room for the first chunk
 * @iova: the IOVA range, DMA_BUF_ROUTE_IOVA only
 * @sgt: the table behind the list, DMA_BUF_ROUTE_MAP_SG only
 *
 * Nothing in here is handed out, so undoing a mapping relies on it.
 */
struct dma_buf_list {
	struct device *dev;
	unsigned long attrs;
	enum dma_data_direction dir;
	struct list_head node;
	enum dma_buf_route route;
	bool peer;
	bool need_unmap;
	bool granted;
	unsigned long npages;
	unsigned long nchunks;
	unsigned long max_chunks;
	struct dma_buf_chunk *chunks;
	struct dma_buf_chunk one;
	struct dma_iova_state iova;
	struct sg_table *sgt;
};

struct dma_buf_list *dma_buf_list_alloc(struct device *dev,
					enum dma_data_direction dir,
					unsigned long attrs);
int dma_buf_list_reserve(struct dma_buf_list *list);
void dma_buf_list_append(struct dma_buf_list *list,
			 const struct dma_buf_chunk *chunk);
void dma_buf_list_extend(struct dma_buf_list *list, unsigned long npages);
void dma_buf_list_release(struct dma_buf_list *list);

void dma_buf_list_sync_dir_for_cpu(const struct dma_buf_list *list,
				   enum dma_data_direction dir);
void dma_buf_list_sync_dir_for_device(const struct dma_buf_list *list,
				      enum dma_data_direction dir);

/* The bridge from the list to the sg_table */
struct sg_table *dma_buf_sgt_from_list(struct dma_buf_list *list);
struct dma_buf_list *dma_buf_sgt_put_list(struct sg_table *sgt);

/* Negotiation and its records */
void dma_buf_p2p_negotiate(struct dma_buf_attachment *attach);
void dma_buf_p2p_refused(struct dma_buf_attachment *attach, int error);
void dma_buf_route_record(struct dma_buf_attachment *attach,
			  enum dma_buf_route route, bool peer,
			  unsigned long nchunks);
void dma_buf_route_failed(struct dma_buf_attachment *attach, int error);
void dma_buf_p2p_show(struct seq_file *m, struct dma_buf *dmabuf,
		      const char *indent);

/*
 * The outside world. Each is one call, not inline, so that a KUnit test can put
 * a model of a device, an IOMMU or a PCI topology in its place.
 */
bool dma_buf_hw_p2p_enabled(void);
int dma_buf_hw_p2p_distance(struct pci_dev *provider, struct device *dev);
enum pci_p2pdma_map_type
dma_buf_hw_p2p_map_type(struct p2pdma_provider *provider, struct device *dev);
bool dma_buf_hw_is_pci(struct device *dev);
bool dma_buf_hw_is_system_memory(phys_addr_t phys, unsigned long npages);
bool dma_buf_hw_has_map_ops(struct device *dev);
unsigned long dma_buf_hw_merge_boundary(struct device *dev);
size_t dma_buf_hw_max_mapping_size(struct device *dev);
u64 dma_buf_hw_addr_limit(struct device *dev);
bool dma_buf_hw_need_unmap(struct device *dev);
bool dma_buf_hw_iova_alloc(struct device *dev, struct dma_iova_state *state,
			   size_t size);
int dma_buf_hw_iova_link(struct device *dev, struct dma_iova_state *state,
			 phys_addr_t phys, size_t offset, size_t size,
			 enum dma_data_direction dir, unsigned long attrs);
int dma_buf_hw_iova_sync(struct device *dev, struct dma_iova_state *state,
			 size_t size);
void dma_buf_hw_iova_destroy(struct device *dev, struct dma_iova_state *state,
			     size_t size, enum dma_data_direction dir,
			     unsigned long attrs);
int dma_buf_hw_map_phys(struct device *dev, phys_addr_t phys, size_t size,
			enum dma_data_direction dir, unsigned long attrs,
			dma_addr_t *addr);
void dma_buf_hw_unmap_phys(struct device *dev, dma_addr_t addr, size_t size,
			   enum dma_data_direction dir, unsigned long attrs);
int dma_buf_hw_get_sgtable(struct device *dev, struct sg_table *sgt,
			   void *cpu_addr, dma_addr_t dma_addr, size_t size,
			   unsigned long attrs);
int dma_buf_hw_map_sgtable(struct device *dev, struct sg_table *sgt,
			   enum dma_data_direction dir, unsigned long attrs);
void dma_buf_hw_unmap_sgtable(struct device *dev, struct sg_table *sgt,
			      enum dma_data_direction dir, unsigned long attrs);
void dma_buf_hw_sync_for_cpu(struct device *dev, dma_addr_t addr, size_t size,
			     enum dma_data_direction dir);
void dma_buf_hw_sync_for_device(struct device *dev, dma_addr_t addr,
				size_t size, enum dma_data_direction dir);
void dma_buf_hw_sync_sgtable_for_cpu(struct device *dev, struct sg_table *sgt,
				     enum dma_data_direction dir);
void dma_buf_hw_sync_sgtable_for_device(struct device *dev,
					struct sg_table *sgt,
					enum dma_data_direction dir);

#endif
