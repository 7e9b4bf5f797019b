// SPDX-License-Identifier: GPL-2.0-only
/*
 * A model of the hardware below the dma-buf core
 */
#include <kunit/device.h>
#include <kunit/static_stub.h>
#include <linux/align.h>
#include <linux/scatterlist.h>

#include "st-dma-buf-model.h"

static struct model *model_get(void)
{
	return kunit_get_current_test()->priv;
}

/* Every call that may fail asks here first. */
static bool model_fails(struct model *m)
{
	return ++m->calls == m->fail_at;
}

static void model_expect_for(struct model *m, struct device *dev,
			     enum dma_data_direction dir)
{
	KUNIT_EXPECT_PTR_EQ(m->test, dev, m->dev);
	KUNIT_EXPECT_EQ(m->test, dir, m->dir);
}

/*
 * The engine must first map system memory with DMA_ATTR_NO_BOUNCE. Only if that was
 * refused it may bounce, and then it must not skip copying. Device memory out of reach
 * must not warn.
 */
static unsigned long model_attrs(struct model *m, unsigned long attrs)
{
	unsigned long want = m->attrs | DMA_ATTR_DEBUGGING_IGNORE_CACHELINES;

	if (m->attrs & DMA_ATTR_MMIO)
		return want | DMA_ATTR_NO_WARN;
	if (m->refused && !(attrs & DMA_ATTR_NO_BOUNCE))
		return (want & ~DMA_ATTR_SKIP_CPU_SYNC) | DMA_ATTR_NO_WARN;
	return want | DMA_ATTR_NO_BOUNCE;
}

static void model_expect_made_with(struct model *m, struct device *dev,
				   enum dma_data_direction dir,
				   unsigned long attrs)
{
	model_expect_for(m, dev, dir);
	KUNIT_EXPECT_EQ(m->test, attrs, model_attrs(m, attrs));
}

/* The DMA API does not do it, and never says so where it should not bounce. */
/* If no device got the addresses, nothing is copied back. */
static void model_expect_undone_with(struct model *m, unsigned long attrs,
				     unsigned long made_with)
{
	m->undone_with = attrs;
	if (attrs != (made_with | DMA_ATTR_SKIP_CPU_SYNC))
		KUNIT_EXPECT_EQ(m->test, attrs, made_with);
}

static dma_addr_t model_refuse(struct model *m, unsigned long attrs)
{
	if (attrs & DMA_ATTR_NO_BOUNCE)
		m->refused = true;
	return DMA_MAPPING_ERROR;
}

/* p2pdma */

static bool model_p2p_enabled(void)
{
	return model_get()->p2p;
}

static bool model_is_pci(struct device *dev)
{
	KUNIT_EXPECT_PTR_EQ(model_get()->test, dev, model_get()->dev);
	return model_get()->is_pci;
}

static int model_p2p_distance(struct pci_dev *provider, struct device *dev)
{
	struct model *m = model_get();

	KUNIT_EXPECT_PTR_EQ(m->test, &provider->dev, m->owner);
	KUNIT_EXPECT_PTR_EQ(m->test, dev, m->dev);
	/* The distance has to be asked first, otherwise the map type may be old. */
	KUNIT_EXPECT_EQ(m->test, m->p2p_calls++ % 2, 0);
	return m->distance;
}

static enum pci_p2pdma_map_type
model_p2p_map_type(struct p2pdma_provider *provider, struct device *dev)
{
	struct model *m = model_get();

	KUNIT_EXPECT_PTR_EQ(m->test, provider, &m->provider);
	KUNIT_EXPECT_PTR_EQ(m->test, dev, m->dev);
	KUNIT_EXPECT_EQ(m->test, m->p2p_calls++ % 2, 1);
	return m->map_type;
}

static bool model_p2p_overridden(struct p2pdma_provider *provider,
				 struct device *dev)
{
	struct model *m = model_get();

	KUNIT_EXPECT_PTR_EQ(m->test, provider, &m->provider);
	KUNIT_EXPECT_PTR_EQ(m->test, dev, m->dev);
	return m->overridden;
}

/* Properties of the device */

static bool model_is_system_memory(phys_addr_t phys, unsigned long npages)
{
	struct model *m = model_get();
	u64 end = phys + PFN_PHYS(npages);

	if (phys >= MODEL_RAM)
		return end <= MODEL_BAR;
	return phys >= page_to_phys(m->pages) &&
	       end <= page_to_phys(m->pages) + PFN_PHYS(MODEL_NR_PAGES);
}

static bool model_has_map_ops(struct device *dev)
{
	return model_get()->map_ops;
}

static unsigned long model_merge_boundary(struct device *dev)
{
	struct model *m = model_get();

	return m->iommu ? m->granule - 1 : 0;
}

static size_t model_max_mapping_size(struct device *dev)
{
	return model_get()->max_mapping;
}

static u64 model_dma_mask(struct device *dev)
{
	return model_get()->mask;
}

/* Without an IOMMU, what is at this DMA address */
static bool model_in_reach(struct model *m, u64 last)
{
	return last <= min_not_zero(m->mask, m->bus_limit);
}

static bool model_reaches(struct device *dev, phys_addr_t last)
{
	struct model *m = model_get();

	KUNIT_EXPECT_PTR_EQ(m->test, dev, m->dev);
	return model_in_reach(m, last + m->dma_offset);
}

static unsigned long model_max_run(struct device *dev)
{
	return model_get()->max_run;
}

static bool model_is_coherent(struct device *dev)
{
	return model_get()->coherent;
}

static bool model_need_map(struct device *dev, unsigned long attrs)
{
	struct model *m = model_get();

	model_expect_made_with(m, dev, m->dir, attrs);
	m->need_map_calls++;
	/* As the real one, whatever the machine. */
	return m->need_map || m->iommu || attrs & DMA_ATTR_MMIO;
}

static bool model_need_map_mmio(struct device *dev, unsigned long attrs)
{
	struct model *m = model_get();

	model_expect_made_with(m, dev, m->dir, attrs);
	KUNIT_EXPECT_TRUE(m->test, attrs & DMA_ATTR_MMIO);
	m->need_map_calls++;
	return m->need_map || m->iommu || m->map_ops;
}

static bool model_need_unmap(struct device *dev)
{
	return model_get()->need_unmap;
}

static bool model_need_sync(struct device *dev)
{
	KUNIT_EXPECT_PTR_EQ(model_get()->test, dev, model_get()->dev);
	return model_get()->need_sync;
}

/* The IOMMU */

static bool model_iova_take(struct model *m, size_t size, dma_addr_t *addr)
{
	u64 room = ALIGN((u64)size, m->granule);

	if (room > m->iova_left || m->next_iova + room - 1 > m->mask)
		return false;

	*addr = m->next_iova;
	m->iova_left -= room;
	m->next_iova += room + m->iova_gap;
	return true;
}

static void model_iova_give(struct model *m, size_t size)
{
	m->iova_left += ALIGN((u64)size, m->granule);
}

static struct model_iova *model_iova_find(struct model *m, size_t size,
					  dma_addr_t addr)
{
	unsigned int i;

	for (i = 0; i < MODEL_MAX_IOVAS; i++) {
		struct model_iova *iova = &m->iovas[i];

		if (size ? iova->size && iova->addr == addr : !iova->size)
			return iova;
	}
	return NULL;
}

static struct model_iova *model_iova_of(struct model *m,
					const struct dma_iova_state *state)
{
	struct model_iova *iova = model_iova_find(m, state->__size, state->addr);

	if (!state->__size || !iova || iova->size != state->__size) {
		KUNIT_FAIL(m->test, "no IOVA at %pad", &state->addr);
		return NULL;
	}
	return iova;
}

static bool model_iova_alloc(struct device *dev, struct dma_iova_state *state,
			     size_t size)
{
	struct model *m = model_get();
	struct model_iova *iova = model_iova_find(m, 0, 0);

	KUNIT_EXPECT_PTR_EQ(m->test, dev, m->dev);
	KUNIT_EXPECT_EQ(m->test, state->__size, 0);
	KUNIT_EXPECT_GT(m->test, size, 0);
	if (!m->iommu)
		return false;
	m->alloc_calls++;
	if (!iova || model_fails(m) || !model_iova_take(m, size, &state->addr))
		return false;

	state->__size = size;
	*iova = (struct model_iova) { .addr = state->addr, .size = size };
	return true;
}

static bool model_links_overlap(struct model *m, dma_addr_t addr, size_t size)
{
	unsigned int i;

	for (i = 0; i < m->nr_links; i++) {
		if (addr < m->links[i].addr + m->links[i].size &&
		    m->links[i].addr < addr + size)
			return true;
	}
	return false;
}

static int model_link(struct model *m, struct model_iova *iova, size_t offset,
		      struct phys_vec vec)
{
	if (model_fails(m) || m->nr_links == MODEL_MAX_MAPS)
		return -ENOMEM;

	KUNIT_EXPECT_GT(m->test, vec.len, 0);
	KUNIT_EXPECT_LE(m->test, offset, iova->size);
	KUNIT_EXPECT_LE(m->test, vec.len, iova->size - offset);
	KUNIT_EXPECT_TRUE(m->test,
			  IS_ALIGNED(vec.paddr | offset | vec.len, m->granule));
	/* As drivers/iommu/generic_pt does. */
	if (model_links_overlap(m, iova->addr + offset, vec.len))
		return -EADDRINUSE;

	m->links[m->nr_links++] = (struct model_map) {
		.phys = vec.paddr,
		.addr = iova->addr + offset,
		.size = vec.len,
		.attrs = iova->attrs,
	};
	iova->linked += vec.len;
	return 0;
}

static int model_iova_link_vec(struct device *dev, struct dma_iova_state *state,
			       size_t offset, const struct phys_vec *vecs,
			       unsigned int nr, enum dma_data_direction dir,
			       unsigned long attrs)
{
	struct model *m = model_get();
	struct model_iova *iova = model_iova_of(m, state);
	unsigned int i, nr_links = m->nr_links;
	size_t linked;
	int ret = 0;

	m->link_calls++;
	model_expect_made_with(m, dev, dir, attrs);
	/* It does not look at these. */
	KUNIT_EXPECT_FALSE(m->test, attrs & DMA_ATTR_CC_SHARED);
	KUNIT_EXPECT_FALSE(m->test, m->map_ops);
	KUNIT_EXPECT_GT(m->test, nr, 0);
	if (!iova)
		return -ENOMEM;

	linked = iova->linked;
	iova->attrs = attrs;
	for (i = 0; i < nr && !ret; i++) {
		ret = model_link(m, iova, offset, vecs[i]);
		offset += vecs[i].len;
	}
	if (!ret)
		return 0;

	/* All or none */
	m->nr_links = nr_links;
	iova->linked = linked;
	return ret;
}

static int model_iova_sync(struct device *dev, struct dma_iova_state *state,
			   size_t size)
{
	struct model *m = model_get();
	struct model_iova *iova = model_iova_of(m, state);

	if (!iova || model_fails(m))
		return -ENOMEM;

	KUNIT_EXPECT_PTR_EQ(m->test, dev, m->dev);
	KUNIT_EXPECT_EQ(m->test, size, iova->linked);
	KUNIT_EXPECT_EQ(m->test, iova->synced, 0);
	iova->synced = size;
	return 0;
}

/* Was all of it given to the CPU, each run once, right before this? */
static bool model_was_synced(struct model *m, const struct model_iova *iova)
{
	unsigned int i, at = m->nr_syncs;
	size_t sum = 0;

	for (i = 0; i < m->nr_links; i++)
		if (m->links[i].addr - iova->addr < iova->size)
			at--;
	for (; at < m->nr_syncs && at < MODEL_MAX_SYNCS; at++)
		if (m->syncs[at].addr - iova->addr < iova->size &&
		    !m->syncs[at].for_device)
			sum += m->syncs[at].size;
	return sum == iova->linked;
}

/*
 * As it was linked, unless the caches were managed run by run: looking for what
 * is behind an IOVA costs more.
 */
static void model_expect_destroyed_with(struct model *m,
					const struct model_iova *iova,
					unsigned long attrs)
{
	bool managed = !m->coherent &&
		       !(iova->attrs & (DMA_ATTR_SKIP_CPU_SYNC | DMA_ATTR_MMIO));

	KUNIT_EXPECT_EQ(m->test, attrs | DMA_ATTR_SKIP_CPU_SYNC,
			iova->attrs | DMA_ATTR_SKIP_CPU_SYNC);
	if (!managed)
		return;
	/* If the IOVA is not complete, no device has got the address. */
	if (!iova->synced)
		return;
	KUNIT_EXPECT_TRUE(m->test, attrs & DMA_ATTR_SKIP_CPU_SYNC);
	KUNIT_EXPECT_TRUE(m->test, model_was_synced(m, iova));
}

static void model_iova_destroy(struct device *dev, struct dma_iova_state *state,
			       size_t size, enum dma_data_direction dir,
			       unsigned long attrs)
{
	struct model *m = model_get();
	struct model_iova *iova = model_iova_of(m, state);
	unsigned int i, keep = 0;

	model_expect_for(m, dev, dir);
	if (!iova)
		return;

	KUNIT_EXPECT_EQ(m->test, size, iova->linked);
	if (iova->linked)
		model_expect_destroyed_with(m, iova, attrs);
	for (i = 0; i < m->nr_links; i++) {
		dma_addr_t addr = m->links[i].addr;

		if (addr < state->addr || addr >= state->addr + size)
			m->links[keep++] = m->links[i];
		else
			iova->linked -= m->links[i].size;
	}
	m->nr_links = keep;
	KUNIT_EXPECT_EQ(m->test, iova->linked, 0);

	model_iova_give(m, iova->size);
	*iova = (struct model_iova) { };
}

/* Mappings */

static int model_map_add(struct model *m, const struct model_map *map)
{
	u64 last = map->addr + map->size - 1;

	if (last > m->mask || last < map->addr || m->nr_maps == MODEL_MAX_MAPS)
		return -ENOMEM;

	m->maps[m->nr_maps++] = *map;
	return 0;
}

static bool model_bounces(struct model *m)
{
	return m->bounce_from != U64_MAX;
}

/* Bounce buffers have addresses of their own. */
static bool model_bounce(struct model *m, struct model_map *map)
{
	if (map->attrs & (DMA_ATTR_MMIO | DMA_ATTR_NO_BOUNCE) ||
	    map->size > m->max_mapping)
		return false;

	map->addr = MODEL_BOUNCE + m->bounced;
	m->bounced += map->size + PAGE_SIZE;
	/* It is not before the first bounce that the DMA API knows. */
	m->need_unmap = true;
	m->need_sync = true;
	return true;
}

static bool model_map_direct(struct model *m, struct model_map *map)
{
	u64 last = map->phys + map->size - 1;

	map->addr = map->phys + m->dma_offset;
	if (map->attrs & DMA_ATTR_MMIO && m->no_mmio)
		return false;
	if (!model_in_reach(m, last + m->dma_offset) ||
	    (model_bounces(m) && last >= m->bounce_from))
		return model_bounce(m, map);
	return true;
}

static dma_addr_t model_map_phys(struct device *dev, phys_addr_t phys, size_t size,
				 enum dma_data_direction dir,
				 unsigned long attrs)
{
	struct model *m = model_get();
	struct model_map map = { .phys = phys, .size = size, .attrs = attrs };

	m->map_calls++;
	model_expect_made_with(m, dev, dir, attrs);
	KUNIT_EXPECT_GT(m->test, size, 0);
	if (!(attrs & DMA_ATTR_MMIO))
		KUNIT_EXPECT_LE(m->test, size >> PAGE_SHIFT, m->max_run);

	if (model_fails(m))
		return model_refuse(m, attrs);
	if (m->iommu ? !model_iova_take(m, size, &map.addr) :
		       !model_map_direct(m, &map))
		return model_refuse(m, attrs);
	if (model_map_add(m, &map))
		return model_refuse(m, attrs);
	m->max_mapped = max(m->max_mapped, size);
	return map.addr;
}

static void model_unmap_phys(struct device *dev, dma_addr_t addr, size_t size,
			     enum dma_data_direction dir, unsigned long attrs)
{
	struct model *m = model_get();
	unsigned int i;

	model_expect_for(m, dev, dir);
	KUNIT_EXPECT_TRUE(m->test, m->need_unmap);
	for (i = 0; i < m->nr_maps; i++) {
		struct model_map *map = &m->maps[i];

		if (map->sgt || map->addr != addr || map->size != size)
			continue;
		model_expect_undone_with(m, attrs, map->attrs);
		if (m->iommu)
			model_iova_give(m, size);
		*map = m->maps[--m->nr_maps];
		return;
	}
	KUNIT_FAIL(m->test, "unmapped what was never mapped: %pad, %zu bytes",
		   &addr, size);
}

/* Maps the entries from @sg on that become one segment, returns the rest. */
static struct scatterlist *model_map_segment(struct model *m,
					     const struct sg_table *sgt,
					     struct scatterlist *sg,
					     dma_addr_t *addr, size_t *len,
					     unsigned long attrs)
{
	*len = 0;
	do {
		struct model_map map = {
			.phys = sg_phys(sg),
			.addr = *addr + *len,
			.size = sg->length,
			.attrs = attrs,
			.sgt = sgt,
		};

		if (model_map_add(m, &map))
			return ERR_PTR(-ENOMEM);
		*len += sg->length;
		sg = sg_next(sg);
	} while (sg && *len + sg->length <= m->sg_merge);
	return sg;
}

static void model_sg_forget(struct model *m, const struct sg_table *sgt)
{
	unsigned int i = 0;

	while (i < m->nr_maps) {
		if (m->maps[i].sgt == sgt)
			m->maps[i] = m->maps[--m->nr_maps];
		else
			i++;
	}
}

static unsigned long model_sg_attrs(struct model *m, const struct sg_table *sgt)
{
	unsigned int i;

	for (i = 0; i < m->nr_maps; i++)
		if (m->maps[i].sgt == sgt)
			return m->maps[i].attrs;
	return 0;
}

static int model_get_sgtable(struct device *dev, struct sg_table *sgt,
			     void *cpu_addr, dma_addr_t dma_addr, size_t size,
			     unsigned long attrs)
{
	struct model *m = model_get();
	struct scatterlist *sg, *from = m->allocated->sgl;
	unsigned int i;

	/* Only the device that it was allocated for can look it up. */
	KUNIT_EXPECT_PTR_EQ(m->test, dev, m->owner);
	KUNIT_EXPECT_EQ(m->test, attrs, DMA_ATTR_WRITE_COMBINE);
	if (model_fails(m) || sg_alloc_table(sgt, m->allocated->nents, GFP_KERNEL))
		return -ENOMEM;
	for_each_sgtable_sg(sgt, sg, i) {
		sg_set_page(sg, sg_page(from), from->length, 0);
		from = sg_next(from);
	}
	return 0;
}

/* As swiotlb-xen, the only one of these that bounces */
static bool model_sg_bounces(struct model *m, const struct sg_table *sgt,
			     unsigned long attrs)
{
	struct scatterlist *sg;
	unsigned int i;

	if (attrs & DMA_ATTR_NO_BOUNCE) {
		m->refused = true;
		return false;
	}
	for_each_sgtable_sg(sgt, sg, i)
		if (sg->length > m->max_mapping)
			return false;
	m->need_sync = true;
	return true;
}

static int model_map_sgtable(struct device *dev, struct sg_table *sgt,
			     enum dma_data_direction dir, unsigned long attrs)
{
	struct model *m = model_get();
	struct scatterlist *sg = sgt->sgl, *out = sgt->sgl;
	unsigned int nents = 0;

	m->sg_calls++;
	model_expect_made_with(m, dev, dir, attrs);
	KUNIT_EXPECT_TRUE(m->test, m->map_ops);
	if (model_fails(m))
		return -ENOMEM;
	if (model_bounces(m) && !model_sg_bounces(m, sgt, attrs))
		return -EIO;

	for (; sg; out = sg_next(out), nents++) {
		dma_addr_t addr = m->next_iova;
		size_t len;

		sg = model_map_segment(m, sgt, sg, &addr, &len, attrs);
		if (IS_ERR(sg)) {
			model_sg_forget(m, sgt);
			return PTR_ERR(sg);
		}
		sg_dma_address(out) = addr;
		sg_dma_len(out) = len;
		m->next_iova += len + m->iova_gap;
	}
	sgt->nents = nents;
	return 0;
}

static void model_unmap_sgtable(struct device *dev, struct sg_table *sgt,
				enum dma_data_direction dir,
				unsigned long attrs)
{
	struct model *m = model_get();
	unsigned int before = m->nr_maps;

	model_expect_for(m, dev, dir);
	model_expect_undone_with(m, attrs, model_sg_attrs(m, sgt));
	model_sg_forget(m, sgt);
	KUNIT_EXPECT_EQ(m->test, before - m->nr_maps, sgt->orig_nents);
}

/* Must be a part of something that was mapped, but may be several links. */
static bool model_knows(struct model *m, dma_addr_t addr, size_t size)
{
	unsigned int i;

	for (i = 0; i < m->nr_maps; i++)
		if (addr - m->maps[i].addr < m->maps[i].size &&
		    size <= m->maps[i].size - (addr - m->maps[i].addr))
			return true;
	for (i = 0; i < MODEL_MAX_IOVAS; i++)
		if (addr - m->iovas[i].addr < m->iovas[i].linked &&
		    size <= m->iovas[i].linked - (addr - m->iovas[i].addr))
			return true;
	return !m->need_map;
}

static void model_sync(struct device *dev, dma_addr_t addr, size_t size,
		       enum dma_data_direction dir, bool for_device)
{
	struct model *m = model_get();

	model_expect_for(m, dev, dir);
	KUNIT_EXPECT_TRUE(m->test, m->need_sync);
	KUNIT_EXPECT_FALSE(m->test, m->attrs & DMA_ATTR_MMIO);
	KUNIT_EXPECT_TRUE(m->test, model_knows(m, addr, size));
	if (m->nr_syncs < MODEL_MAX_SYNCS)
		m->syncs[m->nr_syncs] = (struct model_sync) {
			.addr = addr,
			.size = size,
			.for_device = for_device,
		};
	m->nr_syncs++;
}

static void model_sync_for_cpu(struct device *dev, dma_addr_t addr, size_t size,
			       enum dma_data_direction dir)
{
	model_sync(dev, addr, size, dir, false);
}

static void model_sync_for_device(struct device *dev, dma_addr_t addr,
				  size_t size, enum dma_data_direction dir)
{
	model_sync(dev, addr, size, dir, true);
}

/* The table of a list, or one of some runs that have no other use for a table */
static void model_sync_sgtable(struct device *dev, struct sg_table *sgt,
			       enum dma_data_direction dir, bool for_device)
{
	struct model *m = model_get();
	struct scatterlist *sg;
	unsigned int i;

	m->sg_sync_calls++;
	model_expect_for(m, dev, dir);
	KUNIT_EXPECT_TRUE(m->test, m->need_sync);
	if (m->map_ops)
		return;

	/* With bounce buffers the DMA API would not look at the DMA addresses. */
	KUNIT_EXPECT_FALSE(m->test, m->coherent || model_bounces(m));
	KUNIT_EXPECT_GT(m->test, sgt->orig_nents, 0);
	for_each_sgtable_sg(sgt, sg, i) {
		KUNIT_EXPECT_EQ(m->test, sg_phys(sg),
				model_reached(m, sg_dma_address(sg)));
		model_sync(dev, sg_dma_address(sg), sg->length, dir, for_device);
	}
}

static void model_sync_sgtable_for_cpu(struct device *dev, struct sg_table *sgt,
				       enum dma_data_direction dir)
{
	model_sync_sgtable(dev, sgt, dir, false);
}

static void model_sync_sgtable_for_device(struct device *dev,
					  struct sg_table *sgt,
					  enum dma_data_direction dir)
{
	model_sync_sgtable(dev, sgt, dir, true);
}

/* What a test sets up and asks */

static void model_install(struct kunit *test)
{
#define MODEL_STUB(name) \
	kunit_activate_static_stub(test, dma_buf_hw_##name, model_##name)

	MODEL_STUB(p2p_enabled);
	MODEL_STUB(p2p_distance);
	MODEL_STUB(p2p_map_type);
	MODEL_STUB(p2p_overridden);
	MODEL_STUB(is_pci);
	MODEL_STUB(is_system_memory);
	MODEL_STUB(has_map_ops);
	MODEL_STUB(merge_boundary);
	MODEL_STUB(max_mapping_size);
	MODEL_STUB(dma_mask);
	MODEL_STUB(reaches);
	MODEL_STUB(max_run);
	MODEL_STUB(is_coherent);
	MODEL_STUB(need_sync);
	MODEL_STUB(need_map);
	MODEL_STUB(need_map_mmio);
	MODEL_STUB(need_unmap);
	MODEL_STUB(iova_alloc);
	MODEL_STUB(iova_link_vec);
	MODEL_STUB(iova_sync);
	MODEL_STUB(iova_destroy);
	MODEL_STUB(map_phys);
	MODEL_STUB(unmap_phys);
	MODEL_STUB(get_sgtable);
	MODEL_STUB(map_sgtable);
	MODEL_STUB(unmap_sgtable);
	MODEL_STUB(sync_for_cpu);
	MODEL_STUB(sync_for_device);
	MODEL_STUB(sync_sgtable_for_cpu);
	MODEL_STUB(sync_sgtable_for_device);
#undef MODEL_STUB
}

/* For the init of a suite that wants the real world: the devices and memory */
int model_init_real(struct kunit *test)
{
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, m);
	m->test = test;
	m->dev = kunit_device_register(test, "importer");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, m->dev);
	m->dev->dma_parms = &m->parms;
	dma_set_max_seg_size(m->dev, UINT_MAX);
	m->owner = kunit_device_register(test, "exporter");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, m->owner);
	m->maps = kunit_kcalloc(test, MODEL_MAX_MAPS, sizeof(*m->maps),
				GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m->maps);
	m->links = kunit_kcalloc(test, MODEL_MAX_MAPS, sizeof(*m->links),
				 GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m->links);
	m->pages = alloc_pages(GFP_KERNEL, ilog2(MODEL_NR_PAGES));
	KUNIT_ASSERT_NOT_NULL(test, m->pages);

	m->provider.owner = m->owner;
	m->is_pci = true;
	m->p2p = true;
	m->map_type = PCI_P2PDMA_MAP_BUS_ADDR;
	m->coherent = true;
	m->need_map = true;
	m->need_unmap = true;
	m->need_sync = true;
	m->mask = DMA_BIT_MASK(64);
	m->bounce_from = U64_MAX;
	m->max_mapping = SIZE_MAX;
	m->max_run = DMA_BUF_RUN_MAX_PAGES;
	m->granule = PAGE_SIZE;
	m->iova_left = U64_MAX;
	m->iova_gap = PAGE_SIZE;
	m->next_iova = SZ_1G;
	m->dir = DMA_BIDIRECTIONAL;

	test->priv = m;
	return dma_coerce_mask_and_coherent(m->dev, m->mask);
}

/*
 * For the init of a suite. Until a test says otherwise the device is a PCI device
 * with 64 bits and no IOMMU, behind one switch with the exporter's.
 */
int model_init(struct kunit *test)
{
	int ret = model_init_real(test);

	if (!ret)
		model_install(test);
	return ret;
}

/* For the exit of a suite: checks that the test has left nothing mapped. */
void model_exit(struct kunit *test)
{
	struct model *m = test->priv;

	if (!m)
		return;
	model_expect_clean(m);
	__free_pages(m->pages, ilog2(MODEL_NR_PAGES));
}

void model_expect_clean(struct model *m)
{
	unsigned int i;

	/* Mappings that need no unmapping are just forgotten. */
	if (!m->need_unmap)
		m->nr_maps = 0;

	KUNIT_EXPECT_EQ(m->test, m->nr_maps, 0);
	KUNIT_EXPECT_EQ(m->test, m->nr_links, 0);
	for (i = 0; i < MODEL_MAX_IOVAS; i++)
		KUNIT_EXPECT_EQ(m->test, m->iovas[i].size, 0);
}

/* An IOMMU that the DMA API uses */
void model_behind_iommu(struct model *m)
{
	m->iommu = true;
}

/* An IOMMU behind the device's own map_sg, as on 32 bit ARM */
void model_with_map_ops(struct model *m)
{
	m->map_ops = true;
	/* Without a second length in each entry nobody can merge any. */
	if (IS_ENABLED(CONFIG_NEED_SG_DMA_LENGTH))
		m->sg_merge = UINT_MAX & PAGE_MASK;
}

/* No memory without an IOMMU but with bounce buffers, as with swiotlb=force */
void model_with_bouncing(struct model *m)
{
	m->bounce_from = 0;
	m->no_mmio = true;
	m->max_mapping = 4 * PAGE_SIZE - 512;
	m->need_unmap = false;
	m->need_sync = false;
}

/* A peer that is reached in this way, and mappings of its memory only */
void model_with_peer(struct model *m, enum pci_p2pdma_map_type map_type)
{
	m->map_type = map_type;
	m->attrs = DMA_ATTR_MMIO;
}

/* Address of a page of system memory */
phys_addr_t model_page(struct model *m, unsigned int n)
{
	KUNIT_ASSERT_LT(m->test, n, MODEL_NR_PAGES);
	return page_to_phys(m->pages) + PFN_PHYS(n);
}

/* Most lookups continue where the last one was, so look there first. */
static const struct model_map *model_find(struct model *m,
					  const struct model_map *maps,
					  unsigned int nr, dma_addr_t addr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		unsigned int at = (m->hint + i) % nr;

		if (addr - maps[at].addr < maps[at].size) {
			m->hint = at;
			return &maps[at];
		}
	}
	return NULL;
}

static bool model_is_synced(struct model *m, dma_addr_t addr)
{
	unsigned int i;

	for (i = 0; i < MODEL_MAX_IOVAS; i++) {
		if (addr - m->iovas[i].addr < m->iovas[i].synced)
			return true;
	}
	return false;
}

/* The memory that the device reaches at @addr. Zero if there is none. */
phys_addr_t model_reached(struct model *m, dma_addr_t addr)
{
	const struct model_map *map = model_find(m, m->maps, m->nr_maps, addr);

	if (!map) {
		map = model_find(m, m->links, m->nr_links, addr);
		if (map && !model_is_synced(m, addr))
			return 0;
	}
	if (map)
		return map->phys + (addr - map->addr);
	if (m->map_type == PCI_P2PDMA_MAP_BUS_ADDR &&
	    addr - m->provider.bus_offset >= MODEL_BAR)
		return addr - m->provider.bus_offset;
	/* Where nothing needs to be mapped, that is for system memory only. */
	return !m->need_map && model_is_system_memory(addr, 1) ? addr : 0;
}
