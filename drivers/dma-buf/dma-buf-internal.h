/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the dma-buf core share: the list, the engine behind it and
 * the calls into the DMA API and p2pdma that KUnit replaces
 */
#ifndef __DMA_BUF_INTERNAL_H
#define __DMA_BUF_INTERNAL_H

#include <kunit/static_stub.h>
#include <kunit/test-bug.h>
#include <kunit/visibility.h>
#include <linux/dma-buf.h>
#include <linux/dma-buf-map.h>
#include <linux/dma-mapping.h>
#include <linux/pci-p2pdma.h>
#include <linux/types.h>

struct cred;
struct dma_buf_query_reach;
struct seq_file;

/*
 * Only the KUnit tests of dma-buf replace these calls. Kernels that have KUnit for
 * other tests do not pay for it.
 */
#if IS_ENABLED(CONFIG_DMABUF_KUNIT_TEST)
#define DMA_BUF_STUB(real_fn_name, args...) \
	KUNIT_STATIC_STUB_REDIRECT(real_fn_name, ##args)
#define EXPORT_SYMBOL_FOR_DMABUF_KUNIT EXPORT_SYMBOL_IF_KUNIT
#else
#define DMA_BUF_STUB(args...) do { } while (0)
#define EXPORT_SYMBOL_FOR_DMABUF_KUNIT(symbol)
#endif

/* Is this a test that may have replaced calls? */
static inline bool dma_buf_in_test(void)
{
	return IS_ENABLED(CONFIG_DMABUF_KUNIT_TEST) && kunit_get_current_test();
}

/*
 * The list of a very scattered buffer may need more memory than there is. Fail the
 * mapping then, rather than invoke the OOM killer.
 */
#define DMA_BUF_GFP	(GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/**
 * struct dma_buf_run - contiguous memory
 * @addr: physical or DMA address, aligned to a page
 * @npages: length in pages, never zero
 */
struct dma_buf_run {
	u64 addr;
	unsigned long npages;
};

/**
 * struct dma_buf_block - room for runs, see &struct dma_buf_runs
 * @next: the next block
 * @words: the runs, and a link to the next block behind them
 */
struct dma_buf_block {
	struct dma_buf_block *next;
	u64 words[];
};

/**
 * struct dma_buf_writer - a growing sequence of runs
 * @first: where the runs begin
 * @pos: where the next one goes
 * @end: end of the room, not counting that for a link
 * @link: the word that leads to the block that @pos is in, unless it is the first
 * @last: block that @pos is in, or NULL
 * @blocks: all blocks
 * @expect: how many words there will be, if they are one for each run
 * @npages: sum of all runs
 * @nruns: number of runs
 */
struct dma_buf_writer {
	u64 *first;
	u64 *pos;
	u64 *end;
	u64 *link;
	struct dma_buf_block *last;
	struct dma_buf_block *blocks;
	unsigned long expect;
	unsigned long npages;
	unsigned long nruns;
};

/**
 * struct dma_buf_own - memory of a driver's own, as physical runs
 * @runs: the runs. Each is contiguous in the memmap, too.
 * @last: the last of them
 * @at: the word that it begins with. There is room for two words from there on.
 * @one: the words of @runs if one or two are enough
 * @generic: some of it is not the page allocator's
 */
struct dma_buf_own {
	struct dma_buf_writer runs;
	struct dma_buf_run last;
	u64 *at;
	u64 one[2];
	bool generic;
};

/**
 * struct dma_buf_list - pages of a buffer, mapped for one device
 * @dev: device the addresses are for
 * @attach: attachment that it was mapped for, or NULL for memory of @dev's own
 *	driver
 * @node: in &dma_buf.mappings, while it is there
 * @attrs: DMA_ATTR_* the mapping was made with
 * @dir: direction the mapping was made for
 * @route: how the addresses came to be
 * @reason: why the buffer is where it is, an enum dma_buf_p2p_reason
 * @peer: backed by the memory of a device, not by system memory
 * @bounced: some of it may be in bounce buffers
 * @need_unmap: the DMA API has to be called to unmap it
 * @need_sync: there are caches to manage, or bounce buffers to copy
 * @has_pages: there are pages behind @phys
 * @dma: the DMA addresses. With DMA_BUF_ROUTE_PER_RUN each was mapped by one call
 *	of the DMA API, if at all, which undoing the mapping relies on.
 * @phys: the physical runs behind them, or NULL if nobody needs these. Often all
 *	DMA addresses differ from them by the same offset; then this points to the
 *	words of @dma.
 * @dma_blocks: blocks of @dma
 * @phys_blocks: blocks of @phys, if it has its own
 * @one: the words of @dma if one or two are enough
 * @iova: the IOVA range, DMA_BUF_ROUTE_IOVA only
 * @sgt: the table behind the list, DMA_BUF_ROUTE_MAP_SG only
 *
 * Small, since there is one for each mapping. Nothing in here is handed out.
 */
struct dma_buf_list {
	struct device *dev;
	struct dma_buf_attachment *attach;
	struct list_head node;
	u32 attrs;
	u8 dir;
	u8 route;
	u8 reason;
	u8 peer : 1;
	u8 bounced : 1;
	u8 need_unmap : 1;
	u8 need_sync : 1;
	u8 has_pages : 1;
	struct dma_buf_runs dma;
	const u64 *phys;
	struct dma_buf_block *dma_blocks;
	struct dma_buf_block *phys_blocks;
	u64 one[2];
	union {
		struct dma_iova_state iova;
		struct sg_table *sgt;
	};
};

/* Is the importer one without a device, that maps into an IOMMU domain? */
static inline bool dma_buf_is_phys(const struct dma_buf_attachment *attach)
{
	return attach->importer_ops && attach->importer_ops->phys_only;
}

/* Is it the memory of a device, behind a BAR or carved out of the RAM for it? */
static inline bool dma_buf_list_is_device(const struct dma_buf_list *list)
{
	return list->peer || list->attrs & DMA_ATTR_MMIO;
}

/*
 * No device got the addresses, so the data in the bounce buffers is older than the
 * memory. Copying it back would overwrite what others have written since.
 */
static inline void dma_buf_list_discard(struct dma_buf_list *list)
{
	list->attrs |= DMA_ATTR_SKIP_CPU_SYNC;
}

/* Do the words of the DMA addresses also give the physical runs? */
static inline bool dma_buf_list_shares_words(const struct dma_buf_list *list)
{
	return list->phys == list->dma.first;
}

/**
 * struct dma_buf_pairs - reader of both sequences of a list
 * @dma: next run of DMA addresses
 * @phys: next physical run, or NULL if the list has none of its own
 * @list: the list
 * @addr: DMA address that follows
 * @npages: pages that are left of its run
 * @phys_addr: physical address that follows, if @phys
 * @phys_npages: pages that are left of its run, if @phys
 * @left: pages that are left of the list
 */
struct dma_buf_pairs {
	const u64 *dma;
	const u64 *phys;
	const struct dma_buf_list *list;
	u64 addr;
	unsigned long npages;
	u64 phys_addr;
	unsigned long phys_npages;
	unsigned long left;
};

void dma_buf_pairs_init(struct dma_buf_pairs *pairs,
			const struct dma_buf_list *list);
struct dma_buf_chunk dma_buf_pairs_next(struct dma_buf_pairs *pairs);

#define dma_buf_list_for_each_pair(chunk, pairs, list)			\
	for (dma_buf_pairs_init(pairs, list),				\
	     (chunk) = dma_buf_pairs_next(pairs);			\
	     (chunk).npages;						\
	     (chunk) = dma_buf_pairs_next(pairs))

int dma_buf_writer_add(struct dma_buf_writer *writer, struct dma_buf_run run);
int dma_buf_writer_grow(struct dma_buf_writer *writer);
void dma_buf_writer_trim(struct dma_buf_writer *writer);
void dma_buf_blocks_free(struct dma_buf_block *block);

/* The @nwords at @words are used before anything is allocated. */
static inline void dma_buf_writer_init(struct dma_buf_writer *writer, u64 *words,
				       unsigned int nwords, unsigned long expect)
{
	*writer = (struct dma_buf_writer) {
		.first = words,
		.pos = words,
		.end = words + nwords,
		.expect = expect,
	};
}

/* Adds a run if there is room for it, see &struct dma_buf_runs. */
static inline bool dma_buf_writer_put(struct dma_buf_writer *writer,
				      struct dma_buf_run run)
{
	if (writer->pos == writer->end)
		return false;

	if (likely(run.npages < PAGE_SIZE)) {
		*writer->pos++ = run.addr | run.npages;
	} else if (writer->end - writer->pos > 1) {
		*writer->pos++ = run.addr;
		*writer->pos++ = run.npages;
	} else {
		return false;
	}
	writer->npages += run.npages;
	writer->nruns++;
	return true;
}

/* How a buffer is described */
enum dma_buf_walk_kind {
	DMA_BUF_WALK_VECS, DMA_BUF_WALK_PAGES, DMA_BUF_WALK_SG, DMA_BUF_WALK_RUNS
};

/**
 * struct dma_buf_walk - position in the description of a buffer
 * @vecs: array of physical ranges, DMA_BUF_WALK_VECS
 * @pages: array of pages, DMA_BUF_WALK_PAGES
 * @sg: next entry of a scatterlist, DMA_BUF_WALK_SG
 * @runs: next of the runs of a &struct dma_buf_own, DMA_BUF_WALK_RUNS
 * @nr: number of elements, whichever they are
 * @index: next one of them
 * @rest: what was read, but not handed out yet
 * @bits: all bits of where the ranges start and end: no page of them is above
 * @kind: an enum dma_buf_walk_kind
 * @has_pages: this is system memory
 * @generic: some of it is not the page allocator's
 * @apart: no range continues the one before, and all are whole pages
 * @test: KUnit may have replaced calls
 */
struct dma_buf_walk {
	union {
		const struct phys_vec *vecs;
		struct page *const *pages;
		struct scatterlist *sg;
		const u64 *runs;
	};
	unsigned long nr;
	unsigned long index;
	struct dma_buf_run rest;
	phys_addr_t bits;
	u8 kind;
	bool has_pages;
	bool generic;
	bool apart;
	bool test;
};

int dma_buf_walk_check(struct dma_buf_walk *walk, bool partial,
		       unsigned long *npages);
int dma_buf_walk_take(struct dma_buf_walk *walk, unsigned int max,
		      const struct phys_vec **vecs, unsigned long *npages);
bool dma_buf_walk_reached(const struct dma_buf_walk *walk, struct device *dev);
int dma_buf_walk_start(struct dma_buf_walk *walk, unsigned long max_pages,
		       bool *parts);
int dma_buf_walk_read(struct dma_buf_walk *walk, unsigned long max_pages,
		      struct dma_buf_writer *phys);
int dma_buf_walk_collect(struct dma_buf_walk *walk, struct dma_buf_own *own);

static inline bool dma_buf_walk_at_end(const struct dma_buf_walk *walk)
{
	return walk->index == walk->nr && !walk->rest.npages;
}

/* A run is never longer than this, so that its bytes fit a size_t. */
#define DMA_BUF_RUN_MAX_PAGES	((unsigned long)(SIZE_MAX >> PAGE_SHIFT))

static inline size_t dma_buf_bytes(unsigned long npages)
{
	return (size_t)npages << PAGE_SHIFT;
}

/**
 * struct dma_buf_memory - what backs a buffer
 * @walk: where it is
 * @npages: length of it
 * @offset: of bus addresses to physical ones, DMA_BUF_ROUTE_BUS_ADDR only
 * @route: route that was decided before, or DMA_BUF_ROUTE_NONE
 * @peer: it is the memory of a device
 */
struct dma_buf_memory {
	struct dma_buf_walk walk;
	unsigned long npages;
	u64 offset;
	enum dma_buf_route route;
	bool peer;
};

enum dma_buf_route dma_buf_route_pick(struct device *dev, unsigned long attrs,
				      bool has_pages, bool parts);
struct dma_buf_list *dma_buf_memory_map(struct dma_buf_attachment *attach,
					const struct dma_buf_memory *memory,
					enum dma_data_direction dir,
					unsigned long attrs, bool *refused);

struct dma_buf_list *dma_buf_list_alloc(struct dma_buf_attachment *attach,
					enum dma_data_direction dir,
					unsigned long attrs);
void dma_buf_list_set(struct dma_buf_list *list,
		      const struct dma_buf_writer *writer, u64 offset);
void dma_buf_list_release(struct dma_buf_list *list);

/* Number of runs after which to reschedule, about a block of the list */
#define DMA_BUF_BATCH	512

void dma_buf_list_sync(const struct dma_buf_list *list,
		       enum dma_data_direction dir, bool for_cpu);
unsigned long dma_buf_list_sync_all(const struct dma_buf_list *list,
				    bool for_cpu);

/* Negotiation and its records */
int dma_buf_p2p_negotiate(struct dma_buf_attachment *attach);
void dma_buf_p2p_accepted(struct dma_buf_attachment *attach);
void dma_buf_p2p_refused(struct dma_buf_attachment *attach, int error);
void dma_buf_route_begin(struct dma_buf_attachment *attach);
void dma_buf_route_made(struct dma_buf_list *list);
void dma_buf_route_failed(struct dma_buf_attachment *attach, int error);
void dma_buf_route_gone(struct dma_buf_list *list);
bool dma_buf_bounce_conflicts(const struct dma_buf_list *list);
bool dma_buf_may_know_devices(const struct cred *cred);
void dma_buf_name_show(struct seq_file *m, const char *name);
int dma_buf_debug_show(struct seq_file *s, void *unused);
void dma_buf_p2p_show(struct seq_file *m, struct dma_buf *dmabuf,
		      const char *indent);

void dma_buf_revoke_warn(const struct dma_buf_list *list, const char *what);
long dma_buf_ioctl_query_reach(struct dma_buf *dmabuf, void __user *user_arg);
void dma_buf_reach(struct dma_buf *dmabuf, struct device *dev,
		   struct dma_buf_query_reach *arg);

/*
 * The outside world. Each is one call, not inline, so that a KUnit test can put
 * a model of a device, an IOMMU or a PCI topology in its place.
 */
bool dma_buf_hw_p2p_enabled(void);
int dma_buf_hw_p2p_distance(struct pci_dev *provider, struct device *dev);
enum pci_p2pdma_map_type
dma_buf_hw_p2p_map_type(struct p2pdma_provider *provider, struct device *dev);
bool dma_buf_hw_p2p_overridden(struct p2pdma_provider *provider,
			       struct device *dev);
bool dma_buf_hw_is_bound(struct device *dev);
bool dma_buf_hw_is_pci(struct device *dev);
bool dma_buf_hw_is_system_memory(phys_addr_t phys, unsigned long npages);
bool dma_buf_hw_has_map_ops(struct device *dev);
unsigned long dma_buf_hw_merge_boundary(struct device *dev);
size_t dma_buf_hw_max_mapping_size(struct device *dev);
u64 dma_buf_hw_dma_mask(struct device *dev);
bool dma_buf_hw_reaches(struct device *dev, phys_addr_t last);
unsigned long dma_buf_hw_max_run(struct device *dev);
bool dma_buf_hw_is_coherent(struct device *dev);
bool dma_buf_hw_need_sync(struct device *dev);
bool dma_buf_hw_need_map(struct device *dev, unsigned long attrs);
bool dma_buf_hw_need_map_mmio(struct device *dev, unsigned long attrs);
bool dma_buf_hw_need_unmap(struct device *dev);
bool dma_buf_hw_iova_alloc(struct device *dev, struct dma_iova_state *state,
			   size_t size);
int dma_buf_hw_iova_link_vec(struct device *dev, struct dma_iova_state *state,
			     size_t offset, const struct phys_vec *vecs,
			     unsigned int nr, enum dma_data_direction dir,
			     unsigned long attrs);
int dma_buf_hw_iova_sync(struct device *dev, struct dma_iova_state *state,
			 size_t size);
void dma_buf_hw_iova_destroy(struct device *dev, struct dma_iova_state *state,
			     size_t size, enum dma_data_direction dir,
			     unsigned long attrs);
dma_addr_t dma_buf_hw_map_phys(struct device *dev, phys_addr_t phys, size_t size,
			       enum dma_data_direction dir, unsigned long attrs);
void dma_buf_hw_unmap_phys(struct device *dev, dma_addr_t addr, size_t size,
			   enum dma_data_direction dir, unsigned long attrs);
int dma_buf_hw_get_sgtable(struct device *dev, struct sg_table *sgt,
			   void *cpu_addr, dma_addr_t dma_addr, size_t size,
			   unsigned long attrs);
int dma_buf_hw_map_sgtable(struct device *dev, struct sg_table *sgt,
			   enum dma_data_direction dir, unsigned long attrs);
void dma_buf_hw_unmap_sgtable(struct device *dev, struct sg_table *sgt,
			      enum dma_data_direction dir, unsigned long attrs);
int dma_buf_hw_iommu_map(struct iommu_domain *domain, unsigned long iova,
			 phys_addr_t phys, size_t size, int prot, gfp_t gfp);
int dma_buf_hw_iommu_sync(struct iommu_domain *domain, unsigned long iova,
			  size_t size);
void dma_buf_hw_iommu_unmap(struct iommu_domain *domain, unsigned long iova,
			    size_t size);
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
