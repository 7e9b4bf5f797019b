// SPDX-License-Identifier: GPL-2.0
// Only parsed, never compiled. "match" is where a report has to be. There is no
// struct dma_buf_ops in this file.

bool helper_reaches(struct memory *mem, struct dma_buf_attachment *attach)
{
	return pci_p2pdma_distance(mem->pdev, attach->dev, true) >= 0;	/* match */
}

struct sg_table *helper_table(struct memory *mem, struct device *dev,
			      enum dma_data_direction dir)
{
	struct sg_table *sgt = helper_empty(mem);

	sg_dma_address(sgt->sgl) = dma_map_resource(dev, mem->phys,	/* match */
						    mem->size, dir, 0);
	return sgt;
}

int helper_fill(struct memory *mem, struct device *dev,
		enum dma_data_direction dir, struct sg_table **sgt)
{
	dma_addr_t addr;

	addr = dma_map_phys(dev, mem->phys, mem->size, dir, DMA_ATTR_MMIO);	/* match */
	if (dma_mapping_error(dev, addr))
		return -EIO;
	*sgt = helper_empty(mem);
	return 0;
}

/* Two devices that are no exporter and importer */
bool peers_of_one_driver(struct gpu *one, struct gpu *other)
{
	return pci_p2pdma_distance(one->pdev, other->dev, false) >= 0;
}

/* A DMA engine maps the registers that it writes to. */
int registers(struct engine *engine, struct device *dev)
{
	engine->fifo = dma_map_resource(dev, engine->phys, PAGE_SIZE,
					DMA_TO_DEVICE, 0);
	return dma_mapping_error(dev, engine->fifo);
}
