// SPDX-License-Identifier: GPL-2.0-only
/*
 * A model of the hardware, as in the KUnit tests, with the input at the levers
 *
 * It hands out addresses, knows which memory each of them reaches, and keeps
 * books: whatever is undone must be undone exactly as it was done.
 */
#include "fuzz.h"

struct model hw;

/*
 * Where the addresses are that do not follow from the physical ones. Bounce buffers
 * are a quarter of what the device reaches.
 */
#define POOL		(hw.bounce ? (hw.mask >> 1) + 1 : BIT_ULL(30))
#define POOL_END	(hw.bounce ? POOL + (POOL >> 1) : BIT_ULL(62))

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
	hw.errors[error / 64] |= BIT_ULL(error % 64);
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

/* What cannot be done without a bounce buffer, or not at all */
void model_refuse(int error)
{
	if (!hw.again) {
		hw.refused = error;
		return;
	}
	hw.refused_again = true;
	model_must_fail(ENOMEM);
}

/* Are there copies that make bouncing right? */
bool model_may_bounce(void)
{
	if (hw.phys || hw.attrs & (DMA_ATTR_MMIO | DMA_ATTR_NO_BOUNCE))
		return false;
	if (hw.max_mapping == SIZE_MAX)
		return false;
	return buffer.attach.dmabuf ? buffer.ops.sync_mappings :
				      !(hw.attrs & DMA_ATTR_SKIP_CPU_SYNC);
}

/* What calls of the DMA API have to be made with now */
unsigned long model_attrs(void)
{
	unsigned long attrs = hw.attrs | DMA_ATTR_DEBUGGING_IGNORE_CACHELINES;

	if (hw.again)
		return (attrs & ~DMA_ATTR_SKIP_CPU_SYNC) | DMA_ATTR_NO_WARN;
	return attrs | (attrs & DMA_ATTR_MMIO ? DMA_ATTR_NO_WARN :
						DMA_ATTR_NO_BOUNCE);
}

/* The longest run that is mapped by one call */
u64 model_max_pages(void)
{
	u64 max = RUN_MAX;

	if (hw.phys)
		return max;
	if (hw.again)
		max = min(max, (u64)hw.max_mapping >> PAGE_SHIFT);
	if (buffer.has_pages)
		max = min(max, hw.max_run);
	if (buffer.has_pages && hw.map_ops)
		max = min(max, (u64)UINT_MAX >> PAGE_SHIFT);
	return max(max, 1ULL);
}

/* One IOVA is wanted where one part is not all, if they fit its granule. */
bool model_wants_iova(void)
{
	bool bus = buffer.kind == KIND_BAR &&
		   buffer.attach.p2p.map_type == PCI_P2PDMA_MAP_BUS_ADDR;

	return hw.iommu && !hw.phys && hw.granule <= PAGE_SIZE && !hw.map_ops && !bus &&
	       !(hw.attrs & DMA_ATTR_CC_SHARED) &&
	       total_pages && part_at(0) < total_pages;
}

/* Are physical runs kept that the DMA addresses do not tell? */
bool model_keeps_phys(enum dma_buf_route route)
{
	const struct dma_buf *dmabuf = buffer.attach.dmabuf;

	if (buffer.attach.wants_runs)
		return true;
	if (buffer.kind == KIND_BAR)
		return false;
	return route == DMA_BUF_ROUTE_IOVA && !hw.coherent &&
	       !(hw.attrs & DMA_ATTR_MMIO) &&
	       (!(model_attrs() & DMA_ATTR_SKIP_CPU_SYNC) ||
		(dmabuf && dmabuf->ops->sync_mappings));
}

static void expect_device(const struct device *dev)
{
	expect(dev == &hw.dev);
}

static void expect_made_with(const struct device *dev,
			     enum dma_data_direction dir, unsigned long attrs)
{
	expect_device(dev);
	expect(dir == hw.dir);
	expect(attrs == model_attrs(), "%#lx and not %#lx", attrs, model_attrs());
}

/* What was refused is tried again with bouncing, when nothing is left of it. */
static void begin_call(void)
{
	expect(++hw.unpaused <= MAX_UNPAUSED);
	expect(!hw.skipped && !hw.phys);
	if (!hw.refused || hw.again)
		return;

	expect(model_may_bounce());
	model_expect_clean();
	hw.again = true;
	hw.done = 0;
	nr_maps = 0;
	live_maps = 0;
	hint = 0;
}

/* It is the next part of the buffer, as long as it can be. */
static void expect_next(u64 phys, u64 size)
{
	u64 n;

	expect(segment_at(hw.done, &n) == phys);
	expect(size == PFN_PHYS(part_at(hw.done)), "%#llx and not %#llx",
	       (unsigned long long)size,
	       (unsigned long long)PFN_PHYS(part_at(hw.done)));
}

/*
 * As it was made. What no device was given is not copied back, so a list that did not
 * come about is undone without.
 */
static void expect_undone_with(const struct device *dev,
			       enum dma_data_direction dir, unsigned long attrs)
{
	unsigned long made = model_attrs();

	expect_device(dev);
	expect(dir == hw.dir);
	if (!hw.listed)
		made |= DMA_ATTR_SKIP_CPU_SYNC;
	expect(attrs == made, "%#lx and not %#lx", attrs, made);
}

/* What is not bounced is never where the bounced ones are. */
static bool in_reach(u64 addr, u64 size)
{
	u64 last = addr + size - 1;

	if (last < addr || last > hw.mask)
		return false;
	return !hw.bounce || last < POOL || addr >= POOL_END;
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

	next_addr += ALIGN(size, max((u64)hw.granule, (u64)PAGE_SIZE)) + hw.gap;
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
	if (hw.skipped) {
		expect(addr <= hw.mask, "%#llx", (unsigned long long)addr);
		*npages = ((hw.mask - addr) >> PAGE_SHIFT) + 1;
		return addr;
	}

	map = map_find(addr);
	expect(map, "nothing at %#llx", (unsigned long long)addr);
	*npages = (map->size - (addr - map->addr)) >> PAGE_SHIFT;
	return map->phys + (addr - map->addr);
}

bool model_system_pfn(u64 pfn)
{
	return pfn < GENERIC_END;
}

unsigned int model_table_nents(void)
{
	return mapped_table->nents;
}

void model_expect_clean(void)
{
	expect(!iova.size);
	expect(!mapped_table);
	expect(!live_maps || !hw.need_unmap, "%u left", live_maps);
}

/* What a task, a device and its memory say when they are asked */

void cond_resched(void)
{
	hw.unpaused = 0;
}

bool fatal_signal_pending(const void *task)
{
	expect(hw.pauses < MAX_MAPS, "no progress");
	if (++hw.pauses != hw.signal_at)
		return false;
	model_must_fail(EINTR);
	return true;
}

bool dma_buf_hw_has_map_ops(struct device *dev)
{
	expect_device(dev);
	return hw.map_ops;
}

unsigned long dma_buf_hw_merge_boundary(struct device *dev)
{
	expect_device(dev);
	return hw.iommu ? hw.granule - 1 : 0;
}

size_t dma_buf_hw_max_mapping_size(struct device *dev)
{
	expect_device(dev);
	return hw.max_mapping;
}

u64 dma_buf_hw_dma_mask(struct device *dev)
{
	expect_device(dev);
	return hw.mask;
}

bool dma_buf_hw_reaches(struct device *dev, phys_addr_t last)
{
	expect_device(dev);
	return last + hw.dma_offset <= hw.mask;
}

unsigned long dma_buf_hw_max_run(struct device *dev)
{
	expect_device(dev);
	return hw.max_run;
}

bool dma_buf_hw_is_coherent(struct device *dev)
{
	expect_device(dev);
	return hw.coherent;
}

bool dma_buf_hw_need_sync(struct device *dev)
{
	expect_device(dev);
	return hw.need_sync;
}

/*
 * What is above all of the memory of the page allocator is mapped by calls all the
 * same. There is no model of the one after the other in here.
 */
static bool has_generic_memory(void)
{
	unsigned long i;

	for (i = 0; i < nr_segments; i++)
		if (segments[i].npages &&
		    PHYS_PFN(segments[i].phys) + segments[i].npages > RAM_END)
			return true;
	return false;
}

/* Once for each list: what the answer is may change. */
bool dma_buf_hw_need_map(struct device *dev, unsigned long attrs)
{
	expect_device(dev);
	expect(!hw.asked && !hw.phys && attrs == model_attrs());
	hw.asked = true;
	hw.skipped = hw.identity && !has_generic_memory() &&
		     !(attrs & (DMA_ATTR_MMIO | DMA_ATTR_CC_SHARED));
	return !hw.skipped;
}

bool dma_buf_hw_need_map_mmio(struct device *dev, unsigned long attrs)
{
	u64 last = 0;
	unsigned long i;

	expect_device(dev);
	expect(!hw.asked && !hw.phys && attrs & DMA_ATTR_MMIO &&
	       attrs == model_attrs());
	hw.asked = true;
	if (!hw.identity || attrs & DMA_ATTR_CC_SHARED)
		return true;
	for (i = 0; i < nr_segments; i++)
		if (segments[i].npages)
			last = max(last, segments[i].phys +
					 PFN_PHYS(segments[i].npages) - 1);
	hw.skipped = last + hw.dma_offset <= hw.mask;
	return false;
}

/* When all is mapped, as it may depend on what was. */
bool dma_buf_hw_need_unmap(struct device *dev)
{
	expect_device(dev);
	return hw.need_unmap;
}

void dma_buf_route_note(struct dma_buf_attachment *attach,
			enum dma_buf_p2p_reason reason)
{
	expect(attach == &buffer.attach && attach->dmabuf);
	expect(reason == buffer.note, "%d and not %d", reason, buffer.note);
	buffer.notes++;
}

/* One call for each run */

static dma_addr_t map_failed(void)
{
	/* Behind an IOMMU it is no matter of where the memory is. */
	model_refuse(hw.iommu ? ENOMEM : EREMOTEIO);
	return DMA_MAPPING_ERROR;
}

/* An address of the pool, or where the memory is if that is in reach */
static bool find_addr(u64 phys, u64 size, unsigned long attrs, u64 *addr)
{
	*addr = phys + hw.dma_offset;
	if (hw.iommu) {
		*addr = take_addr(size);
		return true;
	}
	if (in_reach(*addr, size) &&
	    !(hw.calls >= hw.bounce_from && hw.bounce & BIT(hw.calls % 8)))
		return true;
	if (!hw.bounce || attrs & (DMA_ATTR_MMIO | DMA_ATTR_NO_BOUNCE))
		return false;

	expect(size <= max(hw.max_mapping, (size_t)PAGE_SIZE));
	*addr = take_addr(size);
	hw.need_unmap = true;
	hw.need_sync = true;
	return *addr + size <= POOL_END;
}

dma_addr_t dma_map_phys(struct device *dev, phys_addr_t phys, size_t size,
			enum dma_data_direction dir, unsigned long attrs)
{
	u64 addr, first = segments[0].phys;

	begin_call();
	expect_made_with(dev, dir, attrs);
	expect(!model_wants_iova() && !(buffer.has_pages && hw.map_ops));
	expect_next(phys, size);
	if (fails() || !find_addr(phys, size, attrs, &addr))
		return map_failed();
	if (hw.calls == hw.misalign) {
		addr += PAGE_SIZE / 2;
		hw.may_warn = true;
		model_must_fail(EIO);
	}
	if (!map_add(MAP_PHYS, phys, addr, size))
		return map_failed();
	hw.linear = !hw.done || (hw.linear && addr - phys == maps[0].addr - first);
	hw.done += size >> PAGE_SHIFT;
	return addr;
}

void dma_buf_hw_unmap_phys(struct device *dev, dma_addr_t addr, size_t size,
			   enum dma_data_direction dir, unsigned long attrs)
{
	unsigned int i;

	expect(++hw.unpaused <= 2 * MAX_UNPAUSED);
	expect_undone_with(dev, dir, attrs);
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
	die(__FILE__, __LINE__, "unmapped", "what is not mapped: %#llx, %zu bytes",
	    (unsigned long long)addr, size);
}

/* One IOVA */

bool dma_buf_hw_iova_alloc(struct device *dev, struct dma_iova_state *state,
			   size_t size)
{
	begin_call();
	expect_device(dev);
	expect(model_wants_iova() && !iova.size && !state->__size);
	expect(size && size >> PAGE_SHIFT == total_pages);
	if (fails() || next_addr + size - 1 < next_addr ||
	    next_addr + size - 1 > hw.mask) {
		model_must_fail(ENOMEM);
		return false;
	}

	memset(&iova, 0, sizeof(iova));
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

static bool link_one(u64 phys, u64 size)
{
	begin_call();
	expect(size <= iova.size - iova.linked);
	expect_next(phys, size);
	if (fails() ||
	    !map_add(MAP_LINK, phys, iova.addr + iova.linked, size))
		return false;

	iova.linked += size;
	hw.done += size >> PAGE_SHIFT;
	return true;
}

/* All of them or none */
int dma_buf_hw_iova_link_vec(struct device *dev, struct dma_iova_state *state,
			     size_t offset, const struct phys_vec *vecs,
			     unsigned int nr, enum dma_data_direction dir,
			     unsigned long attrs)
{
	u64 linked = iova.linked, done = hw.done;
	unsigned int i, first = nr_maps;

	expect_iova(dev, state);
	expect_made_with(dev, dir, attrs);
	expect(nr && offset == iova.linked);
	for (i = 0; i < nr; i++) {
		if (link_one(vecs[i].paddr, vecs[i].len))
			continue;
		while (nr_maps > first)
			map_remove(&maps[--nr_maps]);
		iova.linked = linked;
		hw.done = done;
		model_must_fail(EADDRINUSE);
		return -EADDRINUSE;
	}
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

/*
 * The DMA API syncs what is unmapped a granule at a time, so where there are caches
 * to manage it must have been synced before, run by run.
 */
static void expect_destroyed_with(unsigned long attrs)
{
	unsigned long skip = attrs & DMA_ATTR_SKIP_CPU_SYNC;

	expect((attrs | DMA_ATTR_SKIP_CPU_SYNC) ==
	       (model_attrs() | DMA_ATTR_SKIP_CPU_SYNC));
	if (model_attrs() & DMA_ATTR_SKIP_CPU_SYNC || !hw.listed) {
		expect(skip && !hw.sync.npages);
		return;
	}
	/* Nothing to sync, or nothing that the CPU has in its caches */
	if (!iova.linked || attrs & DMA_ATTR_MMIO)
		return;
	expect(hw.coherent || skip);
	expect(!hw.sync.npages || hw.sync.for_cpu);
	expect(PFN_PHYS(hw.sync.npages) ==
	       (skip ? iova.linked : 0));
}

void dma_buf_hw_iova_destroy(struct device *dev, struct dma_iova_state *state,
			     size_t size, enum dma_data_direction dir,
			     unsigned long attrs)
{
	unsigned int i;

	expect_iova(dev, state);
	expect(dir == hw.dir);
	expect(size == iova.linked);
	expect_destroyed_with(attrs);
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

	expect(dev == &hw.owner && attrs == DMA_ATTR_WRITE_COMBINE);
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
		expect_next(sg_phys(sg), sg->length);
		hw.done += sg->length >> PAGE_SHIFT;
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
	int error = hw.sg_error;

	begin_call();
	expect_made_with(dev, dir, attrs);
	expect(hw.map_ops && !mapped_table);
	if (hw.bounce & 1 && attrs & DMA_ATTR_NO_BOUNCE) {
		error = EIO;
		goto err_forget;
	}
	if (fails())
		goto err_forget;

	mapped_table = sgt;
	for (sgt->nents = 0; sg; sgt->nents++, out = sg_next(out)) {
		if (!map_segment(&sg, out))
			goto err_forget;
	}
	expect(hw.done == total_pages);
	return 0;

err_forget:
	forget_table();
	/* Only Xen, which limits the size, has bounce buffers. */
	if (error == EIO && !hw.again && hw.max_mapping != SIZE_MAX)
		model_refuse(EREMOTEIO);
	else
		model_must_fail(error);
	return -error;
}

void dma_buf_hw_unmap_sgtable(struct device *dev, struct sg_table *sgt,
			      enum dma_data_direction dir, unsigned long attrs)
{
	expect_undone_with(dev, dir, attrs);
	expect(sgt == mapped_table);
	forget_table();
}

/*
 * Syncing: every page once, in order, what was mapped by one call by one call too.
 * Nobody looks for what is behind an IOVA if there are no caches.
 */
static void sync_single(struct device *dev, u64 addr, size_t size,
			enum dma_data_direction dir, bool for_cpu, u64 max)
{
	u64 mapped, n, left = size >> PAGE_SHIFT;

	expect_device(dev);
	expect(++hw.unpaused <= 2 * MAX_UNPAUSED);
	expect(dir == hw.sync.dir);
	expect(!hw.sync.npages || for_cpu == hw.sync.for_cpu);
	expect(size && IS_ALIGNED(size, PAGE_SIZE));
	/* What is left of a part that is too long for one entry of a table follows. */
	if (!hw.sync.npages || hw.sync.npages == hw.sync.part_end)
		hw.sync.part_end = hw.sync.npages + part_at(hw.sync.npages);
	expect((iova.size && hw.coherent) ||
	       left == min(hw.sync.part_end - hw.sync.npages, max));
	hw.sync.for_cpu = for_cpu;
	for (; left; left -= n) {
		u64 phys = segment_at(hw.sync.npages, &n);

		expect(model_reached(addr, &mapped, false) == phys);
		n = min(n, min(mapped, left));
		hw.sync.npages += n;
		addr += n << PAGE_SHIFT;
	}
}

void dma_buf_hw_sync_for_cpu(struct device *dev, dma_addr_t addr, size_t size,
			     enum dma_data_direction dir)
{
	sync_single(dev, addr, size, dir, true, U64_MAX);
}

void dma_buf_hw_sync_for_device(struct device *dev, dma_addr_t addr,
				size_t size, enum dma_data_direction dir)
{
	sync_single(dev, addr, size, dir, false, U64_MAX);
}

/* The table of a list, or one of some runs that are synced at once */
static void sync_table(struct device *dev, struct sg_table *sgt,
		       enum dma_data_direction dir, bool for_cpu)
{
	struct scatterlist *sg;
	unsigned int i;
	u64 n;

	expect_device(dev);
	expect(dir == hw.sync.dir);
	if (sgt != mapped_table) {
		expect(!mapped_table && !hw.coherent && sgt->orig_nents);
		for_each_sgtable_sg(sgt, sg, i) {
			expect(sg_phys(sg) == segment_at(hw.sync.npages, &n));
			sync_single(dev, sg_dma_address(sg), sg->length, dir,
				    for_cpu, UINT_MAX >> PAGE_SHIFT);
		}
		return;
	}
	hw.sync.for_cpu = for_cpu;
	hw.sync.tables++;
}

void dma_buf_hw_sync_sgtable_for_cpu(struct device *dev, struct sg_table *sgt,
				     enum dma_data_direction dir)
{
	sync_table(dev, sgt, dir, true);
}

void dma_buf_hw_sync_sgtable_for_device(struct device *dev,
					struct sg_table *sgt,
					enum dma_data_direction dir)
{
	sync_table(dev, sgt, dir, false);
}
