// SPDX-License-Identifier: GPL-2.0
// Only parsed, never compiled. "match" is where a report has to be.

static const struct dma_buf_ops exporter_ops;

static int asks_on_attach(struct dma_buf *dmabuf,
			  struct dma_buf_attachment *attach)
{
	struct exporter *exp = dmabuf->priv;

	if (pci_p2pdma_distance(exp->pdev, attach->dev, false) < 0)	/* match */
		attach->peer2peer = false;
	return 0;
}

/* The core does not see it: no attachment, but an exporter all the same. */
static bool asks_for_many(struct exporter *exp, struct device **devs, int n)
{
	return pci_p2pdma_distance_many(exp->pdev, devs, n, true) >= 0;	/* match */
}

static struct dma_buf_list *maps_the_bar(struct dma_buf_attachment *attach,
					 enum dma_data_direction dir)
{
	struct exporter *exp = attach->dmabuf->priv;
	dma_addr_t addr;

	switch (pci_p2pdma_map_type(exp->provider, attach->dev)) {	/* match */
	case PCI_P2PDMA_MAP_THRU_HOST_BRIDGE:
		addr = dma_map_phys(attach->dev, exp->phys, exp->size,	/* match */
				    dir, exp->attrs | DMA_ATTR_MMIO);
		break;
	default:
		addr = dma_map_resource(attach->dev, exp->phys,		/* match: carve-out by dma_buf_list_from_phys() */
					exp->size, dir, 0);
	}
	return own_list(addr);
}

static int maps_a_chunk(struct scatterlist *sg, u64 bar, u64 size,
			struct device *dev, enum dma_data_direction dir)
{
	sg_dma_address(sg) = dma_map_resource(dev, bar, size, dir, 0);	/* match */
	return dma_mapping_error(dev, sg_dma_address(sg));
}

/* System memory is no BAR. */
static int maps_system_memory(struct dma_buf_attachment *attach, phys_addr_t phys)
{
	return use(dma_map_phys(attach->dev, phys, PAGE_SIZE,
				DMA_BIDIRECTIONAL, DMA_ATTR_SKIP_CPU_SYNC));
}

/* For the exporter's own device */
static int maps_for_itself(struct exporter *exp)
{
	exp->addr = dma_map_resource(exp->dev, exp->phys, exp->size,
				     DMA_BIDIRECTIONAL, 0);
	return dma_mapping_error(exp->dev, exp->addr);
}

static enum dma_buf_p2p_reason names_the_provider(struct dma_buf_attachment *attach,
						  struct p2pdma_provider **provider)
{
	struct exporter *exp = attach->dmabuf->priv;

	*provider = exp->provider;
	return DMA_BUF_P2P_OK;
}

static struct dma_buf_list *leaves_it_to_the_core(struct dma_buf_attachment *attach,
						  enum dma_data_direction dir)
{
	struct exporter *exp = attach->dmabuf->priv;

	return dma_buf_list_from_bar(attach, exp->provider, exp->ranges,
				     exp->nr_ranges, dir, 0);
}

static const struct dma_buf_ops exporter_ops = {
	.peer2peer = names_the_provider,
	.map_dma_buf = leaves_it_to_the_core,
	.release = exporter_release,
};
