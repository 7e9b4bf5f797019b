// SPDX-License-Identifier: GPL-2.0-only
/*
 * A model of the hardware, as in the KUnit tests, with the input at the levers
 *
 * It hands out addresses, knows which memory each of them reaches, and keeps
 * books: whatever is undone must be undone exactly as it was done.
 */
#include "fuzz.h"

struct model hw;

/* Where the addresses are that do not follow from the physical ones */
#define POOL		(hw.bounce ? BIT(61) : BIT(30))
#define POOL_END	BIT(62)

enum map_kind {
	MAP_NONE,
	MAP_PHYS,
	MAP_LINK,
	MAP_SG,
};

struct map {
	enum map_kind kind;
	u64 phys;
	u64 addr;
	u64 size;
};

static struct map maps[MAX_MAPS];
static unsigned int nr_maps, live_maps, hint;
static const struct sg_table *mapped_table;
static u64 next_addr;

static struct {
	u64 addr;
	u64 size;
	u64 linked;
	u64 synced;
} iova;

void model_reset(void)
{
	nr_maps = 0;
	live_maps = 0;
	hint = 0;
	mapped_table = NULL;
	next_addr = POOL;
	memset(&iova, 0, sizeof(iova));
}

void model_may_fail(int error)
{
	hw.errors[error / 64] |= BIT(error % 64);
}

void model_must_fail(int error)
{
	model_may_fail(error);
	hw.must_fail = true;
}

static bool fails(void)
{
	return ++hw.calls == hw.fail_at;
}

static void expect_made_with(const struct device *dev,
			     enum dma_data_direction dir, unsigned long attrs)
{
	expect(dev == &hw.dev);
	expect(dir == hw.dir);
	expect(attrs == hw.attrs);
}

/* What is not bounced is never where the bounced ones are. */
static bool in_pool(u64 addr, u64 size)
{
	return addr + size - 1 >= POOL && addr < POOL_END;
}

static bool map_add(enum map_kind kind, u64 phys, u64 addr, u64 size)
{
	expect(size && IS_ALIGNED(phys | size, PAGE_SIZE));
	if (nr_maps == MAX_MAPS || addr + size - 1 < addr ||
	    addr + size - 1 > hw.mask)
		return false;

	maps[nr_maps++] = (struct map) { kind, phys, addr, size };
	live_maps++;
	return true;
}

static void map_remove(struct map *map)
{
	map->kind = MAP_NONE;
	live_maps--;
}

static u64 take_addr(u64 size)
{
	u64 addr = next_addr;

	next_addr += ALIGN(size, hw.granule) + hw.gap;
	return addr;
}

/* Most lookups continue where the last one was, so look there first. */
static struct map *map_find(u64 addr)
{
	unsigned int i;

	for (i = 0; i < nr_maps; i++) {
		struct map *map = &maps[(hint + i) % nr_maps];

		if (map->kind && addr - map->addr < map->size) {
			hint = map - maps;
			return map;
		}
	}
	return NULL;
}

/*
 * The memory that the device reaches at @addr, and for how many pages one mapping
 * goes on from there.
 */
u64 model_reached(u64 addr, u64 *npages, bool for_bus)
{
	const struct map *map;

	if (for_bus) {
		*npages = U64_MAX >> PAGE_SHIFT;
		return addr - buffer.provider.bus_offset;
	}

	map = map_find(addr);
	if (!map && addr <= hw.identity_to) {
		*npages = ((hw.identity_to - addr) >> PAGE_SHIFT) + 1;
		return addr;
	}
	expect(map, "nothing at %#llx", (unsigned long long)addr);
	expect(map->kind != MAP_LINK || addr - iova.addr < iova.synced);
	*npages = (map->size - (addr - map->addr)) >> PAGE_SHIFT;
	return map->phys + (addr - map->addr);
}

bool model_iova_exists(void)
{
	return iova.size;
}

bool model_system_pfn(u64 pfn)
{
	return pfn < GENERIC_END;
}

void model_expect_clean(void)
{
	expect(!iova.size);
	expect(!mapped_table);
	expect(!live_maps || !hw.need_unmap, "%u left", live_maps);
}

/* What a task, a device and its memory say when they are asked */

bool fatal_signal_pending(const void *task)
{
	expect(hw.pauses < MAX_MAPS, "no progress");
	hw.unpaused = 0;
	if (++hw.pauses != hw.signal_at)
		return false;
	model_must_fail(EINTR);
	return true;
}

bool dma_buf_hw_has_map_ops(struct device *dev)
{
	expect(dev == &hw.dev);
	return hw.map_ops;
}

unsigned long dma_buf_hw_merge_boundary(struct device *dev)
{
	expect(dev == &hw.dev);
	return hw.iommu ? hw.granule - 1 : 0;
}

size_t dma_buf_hw_max_mapping_size(struct device *dev)
{
	expect(dev == &hw.dev);
	return hw.max_mapping;
}

u64 dma_buf_hw_addr_limit(struct device *dev)
{
	expect(dev == &hw.dev);
	return hw.mask;
}

bool dma_buf_hw_map_is_identity(struct device *dev, phys_addr_t last,
				unsigned long attrs)
{
	expect(dev == &hw.dev);
	expect(attrs == hw.attrs);
	return last <= hw.identity_to;
}

bool dma_buf_hw_need_unmap(struct device *dev)
{
	expect(dev == &hw.dev);
	return hw.need_unmap;
}

void dma_buf_route_note(struct dma_buf_attachment *attach,
			enum dma_buf_p2p_reason reason)
{
	expect(attach == &buffer.attach);
	expect(reason == DMA_BUF_P2P_DMA_MASK);
	buffer.notes++;
}

/* One call for each run */

static dma_addr_t map_failed(void)
{
	/* Behind an IOMMU it is no matter of where the memory is. */
	model_must_fail(buffer.kind == KIND_BAR && !hw.iommu ? EREMOTEIO :
							       ENOMEM);
	return DMA_MAPPING_ERROR;
}

dma_addr_t dma_map_phys(struct device *dev, phys_addr_t phys, size_t size,
			enum dma_data_direction dir, unsigned long attrs)
{
	dma_addr_t addr = phys + hw.dma_offset;

	expect_made_with(dev, dir, attrs);
	expect(attrs & DMA_ATTR_MMIO || size <= hw.max_mapping ||
	       size == PAGE_SIZE || phys + size - 1 <= hw.identity_to);
	expect(++hw.unpaused <= MAX_UNPAUSED);
	if (phys + size - 1 <= hw.identity_to)
		return map_add(MAP_PHYS, phys, phys, size) ? phys : map_failed();
	if (fails())
		return map_failed();

	if (hw.iommu) {
		addr = take_addr(size);
	} else if (hw.calls >= hw.bounce_from && hw.bounce & BIT(hw.calls % 8)) {
		hw.need_unmap = true;
		addr = take_addr(size);
		if (addr + size > POOL_END)
			return map_failed();
	} else if (hw.bounce && in_pool(addr, size)) {
		return map_failed();
	}
	if (hw.calls == hw.misalign) {
		addr += PAGE_SIZE / 2;
		hw.may_warn = true;
		model_must_fail(EIO);
	}
	if (!map_add(MAP_PHYS, phys, addr, size))
		return map_failed();
	return addr;
}

void dma_buf_hw_unmap_phys(struct device *dev, dma_addr_t addr, size_t size,
			   enum dma_data_direction dir, unsigned long attrs)
{
	unsigned int i;

	expect_made_with(dev, dir, attrs);
	expect(hw.need_unmap);
	for (i = 0; i < nr_maps; i++) {
		struct map *map = &maps[(hint + i) % nr_maps];

		if (map->kind == MAP_PHYS && map->addr == addr &&
		    map->size == size) {
			map_remove(map);
			hint = map + 1 - maps;
			return;
		}
	}
	if (addr + size - 1 <= hw.identity_to)
		return;
	die(__FILE__, __LINE__, "unmapped", "what is not mapped: %#llx, %zu bytes",
	    (unsigned long long)addr, size);
}

/* One IOVA */

bool dma_buf_hw_iova_alloc(struct device *dev, struct dma_iova_state *state,
			   size_t size)
{
	expect(dev == &hw.dev);
	expect(!iova.size && !state->__size);
	expect(size && size >> PAGE_SHIFT == total_pages);
	hw.iova_tried = true;
	if (!hw.iommu)
		return false;
	if (fails() || next_addr + size - 1 < next_addr ||
	    next_addr + size - 1 > hw.mask)
		return false;

	iova.addr = take_addr(size);
	iova.size = size;
	state->addr = iova.addr;
	state->__size = size;
	return true;
}

static void expect_iova(struct device *dev, const struct dma_iova_state *state)
{
	expect(dev == &hw.dev);
	expect(iova.size);
	expect(state->addr == iova.addr && state->__size == iova.size);
}

int dma_buf_hw_iova_link(struct device *dev, struct dma_iova_state *state,
			 phys_addr_t phys, size_t offset, size_t size,
			 enum dma_data_direction dir, unsigned long attrs)
{
	expect_iova(dev, state);
	expect_made_with(dev, dir, attrs);
	expect(offset == iova.linked && size <= iova.size - offset);
	expect(++hw.unpaused <= MAX_UNPAUSED);
	if (fails() || !map_add(MAP_LINK, phys, iova.addr + offset, size)) {
		model_must_fail(EADDRINUSE);
		return -EADDRINUSE;
	}
	iova.linked += size;
	return 0;
}

int dma_buf_hw_iova_sync(struct device *dev, struct dma_iova_state *state,
			 size_t size)
{
	expect_iova(dev, state);
	expect(size == iova.linked && size == iova.size && !iova.synced);
	if (fails() || hw.sync_fails) {
		model_must_fail(EADDRNOTAVAIL);
		return -EADDRNOTAVAIL;
	}
	iova.synced = size;
	return 0;
}

void dma_buf_hw_iova_destroy(struct device *dev, struct dma_iova_state *state,
			     size_t size, enum dma_data_direction dir,
			     unsigned long attrs)
{
	unsigned int i;

	expect_iova(dev, state);
	expect_made_with(dev, dir, attrs);
	expect(size == iova.linked);
	for (i = 0; i < nr_maps; i++) {
		if (maps[i].kind == MAP_LINK)
			map_remove(&maps[i]);
	}
	iova.size = 0;
}

/* A table at once */

int dma_buf_hw_get_sgtable(struct device *dev, struct sg_table *sgt,
			   void *cpu_addr, dma_addr_t dma_addr, size_t size,
			   unsigned long attrs)
{
	struct scatterlist *sg;
	unsigned int i;

	expect(dev == &hw.owner);
	expect(attrs == DMA_ATTR_WRITE_COMBINE);
	if (fails()) {
		model_must_fail(ENXIO);
		return -ENXIO;
	}
	if (sg_alloc_table(sgt, buffer.nr, GFP_KERNEL)) {
		model_must_fail(ENOMEM);
		return -ENOMEM;
	}
	for_each_sgtable_sg(sgt, sg, i) {
		sg->page = phys_to_page(buffer.vecs[i].paddr);
		sg->offset = buffer.vecs[i].paddr & ~PAGE_MASK;
		sg->length = buffer.vecs[i].len;
	}
	return 0;
}

static bool map_segment(struct scatterlist **at, struct scatterlist *out)
{
	struct scatterlist *sg = *at;
	u64 len = 0, addr = next_addr;

	do {
		if (!map_add(MAP_SG, sg_phys(sg), addr + len, sg->length))
			return false;
		len += sg->length;
		sg = sg_next(sg);
	} while (sg && len + sg->length <= hw.sg_merge);

	if (++hw.calls == hw.misalign) {
		addr += PAGE_SIZE / 2;
		hw.may_warn = true;
		model_must_fail(EIO);
	}
	next_addr += len + hw.gap;
	sg_dma_address(out) = addr;
	sg_dma_len(out) = len;
	*at = sg;
	return true;
}

static void forget_table(void)
{
	unsigned int i;

	mapped_table = NULL;
	for (i = 0; i < nr_maps; i++) {
		if (maps[i].kind == MAP_SG)
			map_remove(&maps[i]);
	}
}

int dma_buf_hw_map_sgtable(struct device *dev, struct sg_table *sgt,
			   enum dma_data_direction dir, unsigned long attrs)
{
	struct scatterlist *sg = sgt->sgl, *out = sgt->sgl;

	expect_made_with(dev, dir, attrs);
	expect(hw.map_ops && !mapped_table);
	if (fails())
		goto err_forget;

	mapped_table = sgt;
	for (sgt->nents = 0; sg; sgt->nents++, out = sg_next(out)) {
		expect(sg->length <= hw.max_mapping || sg->length == PAGE_SIZE);
		if (!map_segment(&sg, out))
			goto err_forget;
	}
	return 0;

err_forget:
	forget_table();
	model_must_fail(EREMOTE);
	return -EREMOTE;
}

void dma_buf_hw_unmap_sgtable(struct device *dev, struct sg_table *sgt,
			      enum dma_data_direction dir, unsigned long attrs)
{
	expect_made_with(dev, dir, attrs);
	expect(sgt == mapped_table);
	forget_table();
}

/* Syncing: every page once, in order, and no call for two parts of an IOVA */

static void sync_single(struct device *dev, u64 addr, size_t size,
			enum dma_data_direction dir)
{
	u64 mapped, n, left = size >> PAGE_SHIFT;

	expect(dev == &hw.dev);
	expect(dir == hw.sync_dir);
	expect(size && IS_ALIGNED(size, PAGE_SIZE));
	for (; left; left -= n) {
		u64 phys = segment_at(hw.synced, &n);

		expect(model_reached(addr, &mapped, false) == phys);
		expect(!iova.size || left <= mapped);
		n = min(n, min(mapped, left));
		hw.synced += n;
		addr += n << PAGE_SHIFT;
	}
}

void dma_buf_hw_sync_for_cpu(struct device *dev, dma_addr_t addr, size_t size,
			     enum dma_data_direction dir)
{
	sync_single(dev, addr, size, dir);
}

void dma_buf_hw_sync_for_device(struct device *dev, dma_addr_t addr,
				size_t size, enum dma_data_direction dir)
{
	sync_single(dev, addr, size, dir);
}

static void sync_table(struct device *dev, struct sg_table *sgt,
		       enum dma_data_direction dir)
{
	expect(dev == &hw.dev);
	expect(dir == hw.sync_dir);
	expect(sgt == mapped_table);
	hw.sg_syncs++;
}

void dma_buf_hw_sync_sgtable_for_cpu(struct device *dev, struct sg_table *sgt,
				     enum dma_data_direction dir)
{
	sync_table(dev, sgt, dir);
}

void dma_buf_hw_sync_sgtable_for_device(struct device *dev,
					struct sg_table *sgt,
					enum dma_data_direction dir)
{
	sync_table(dev, sgt, dir);
}
