// SPDX-License-Identifier: GPL-2.0
// Only parsed, never compiled. "match" is where a report has to be, and what the
// patch makes of it is in import.after.

static int by_entries(struct import *imp)
{
	struct scatterlist *sg;
	struct sg_table *sgt;
	u64 size = 0;
	int i;

	sgt = dma_buf_map_attachment(imp->attach, DMA_BIDIRECTIONAL);	/* match */
	if (IS_ERR(sgt))
		return PTR_ERR(sgt);

	for_each_sgtable_dma_sg(sgt, sg, i) {
		program(imp, sg_dma_address(sg), sg_dma_len(sg));
		size += sg_dma_len(sg);
	}
	imp->sgt = sgt;
	imp->size = size;
	return 0;
}

static void by_entries_later(struct import *imp)
{
	struct scatterlist *sg;
	unsigned int i, left = imp->size;

	for_each_sgtable_dma_sg(imp->sgt, sg, i)
		left -= program(imp, sg_dma_address(sg), sg_dma_len(sg));
	WARN_ON(left);
}

static void by_pages(struct import *imp)
{
	struct sg_dma_page_iter iter;

	for_each_sgtable_dma_page(imp->sgt, &iter, 0)
		write_pte(imp, sg_page_iter_dma_address(&iter));
}

static void by_pages_in_a_variable(struct import *imp)
{
	struct sg_dma_page_iter iter;

	for_each_sgtable_dma_page(imp->sgt, &iter, 0) {
		dma_addr_t addr = sg_page_iter_dma_address(&iter);

		write_pte(imp, addr);
	}
}

static void given_back(struct import *imp)
{
	dma_buf_unmap_attachment(imp->attach, imp->sgt, DMA_BIDIRECTIONAL);
}

static int kept_and_unlocked(struct import *imp)
{
	imp->table = dma_buf_map_attachment_unlocked(imp->attach, imp->dir);	/* match */
	if (IS_ERR(imp->table))
		return PTR_ERR(imp->table);
	if (imp->table->nents > 1) {
		dma_buf_unmap_attachment_unlocked(imp->attach, imp->table, imp->dir);
		return -EINVAL;
	}
	return 0;
}

/* A driver's own table, which is left alone */
static int own(struct own *own)
{
	struct scatterlist *sg;
	int i;

	if (dma_map_sgtable(own->dev, own->sgt, DMA_TO_DEVICE, 0))
		return -ENOMEM;
	for_each_sgtable_dma_sg(own->sgt, sg, i)
		program_own(own, sg_dma_address(sg), sg_dma_len(sg));
	return 0;
}

static void own_of_another_name(struct own *own)
{
	struct scatterlist *sg;
	int i;

	for_each_sgtable_dma_sg(own->entries, sg, i)
		program_own(own, sg_dma_address(sg), sg_dma_len(sg));
}

/* Nobody can write to a list, so this is for the hand. */
static void trimmed(struct import *imp, unsigned long offset)
{
	struct scatterlist *sg;
	int i;

	for_each_sgtable_dma_sg(imp->sgt, sg, i) {
		sg_dma_address(sg) += offset;
		sg_dma_len(sg) -= offset;
		break;
	}
}
