/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The page list of a shared buffer: what backs it, as one device sees it
 */
#ifndef __LINUX_DMA_BUF_MAP_H
#define __LINUX_DMA_BUF_MAP_H

#include <linux/bug.h>
#include <linux/dma-direction.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/types.h>
#include <uapi/linux/dma-buf.h>

struct device;
struct dma_buf_attachment;
struct dma_buf_list;
struct dma_buf_own;
struct iommu_domain;
struct p2pdma_provider;
struct sg_table;

/**
 * DOC: overview
 *
 * A dma-buf hands a buffer from the driver that owns it, the exporter, to a
 * driver that wants to access it with its device, the importer. What goes from
 * one to the other is a &struct dma_buf_list: the buffer from its first to its
 * last page, as ranges of (DMA address, number of pages). System memory and the
 * memory of a PCI device behind its BAR look the same in it.
 *
 * The list is opaque. An importer reads it with a &struct dma_buf_cursor, which
 * yields copies. So importers cannot change a list that others use, and the way it is
 * stored can change without changing drivers:
 *
 * .. code-block:: c
 *
 *	list = dma_buf_list_map(attach, DMA_BIDIRECTIONAL);
 *	if (IS_ERR(list))
 *		return PTR_ERR(list);
 *
 *	dma_buf_list_for_each_range(range, &cursor, list)
 *		my_device_write_descriptor(range.dma_addr, range.npages);
 *
 * An exporter describes what backs the buffer, and the core maps it for the device:
 * system memory with dma_buf_list_from_pages(), dma_buf_list_from_runs(),
 * dma_buf_list_from_sgt() or dma_buf_list_from_coherent(), other memory with
 * dma_buf_list_from_bar() or dma_buf_list_from_phys(). These take the attachment,
 * since the buffer and its other importers determine what is allowed. To map memory
 * that is not a dma-buf, pass an attachment on the stack that has only its device set.
 * Who gets such memory a few pages at a time collects it with dma_buf_own_add() for
 * dma_buf_list_from_own().
 *
 * Everything is in units of PAGE_SIZE. There is no limit at 4 GiB anywhere: a
 * BAR of 1 TiB is one range. A list without any range is legal.
 */

/**
 * struct dma_buf_chunk - part of a buffer that is contiguous
 * @page: first page of the chunk, or NULL. It is NULL for the memory of a
 *	device, and in all that the cursors below return, except for those of
 *	dma_buf_own_start(): importers must not use the pages of a buffer. If the
 *	DMA API bounces a mapping, @page and @dma_addr are of different memory.
 * @dma_addr: address of the chunk for the attached device, PAGE_SIZE aligned
 * @npages: length in pages, contiguous in @dma_addr and, if there is one, in
 *	@page. Zero is the end of an iteration and never a chunk.
 */
struct dma_buf_chunk {
	struct page	*page;
	dma_addr_t	 dma_addr;
	unsigned long	 npages;
};

/**
 * struct dma_buf_runs - how the core stores addresses, one word for each run
 *
 * The word is the page-aligned address of the run, with its length in pages in the
 * low bits. If these are zero the length is in a second word. If that is zero, too,
 * the third word is the address of the next block of words.
 */
struct dma_buf_runs {
	/* private: for the cursor functions only */
	const u64 *first;
	u64 offset;			/* what to add to each address */
	unsigned long npages;
	unsigned long nruns;
};

/**
 * struct dma_buf_cursor - position of a reader in a &struct dma_buf_list
 *
 * Lives on the reader's stack. Set it up with dma_buf_cursor_init() or
 * dma_buf_cursor_init_part(), or use one of the for_each macros.
 */
struct dma_buf_cursor {
	/* private: internal to the cursor functions */
	const u64 *next;		/* run after the current one */
	u64 offset;			/* as in the runs */
	u64 addr;			/* what is left of the current run */
	u64 end;
	unsigned long left;		/* pages in the window after that */
	u64 block;			/* see dma_buf_cursor_next_block() */
	u64 block_end;
};

/**
 * struct dma_buf_segs - position of a reader that counts in bytes
 *
 * For devices that take (address, length) pairs of a limited length, and for parts
 * of a buffer that begin or end within a page. Lives on the reader's stack. Set it
 * up with dma_buf_segs_init(), or with dma_buf_segs_init_phys() for addresses that are
 * no device's.
 */
struct dma_buf_segs {
	/* private: internal to the functions below */
	struct dma_buf_cursor cursor;
	u64 addr;			/* what is left of the current range */
	u64 end;
	u64 skip;			/* of the next range */
	u64 left;			/* bytes in the window */
	u64 max;
};

/* Readers */

const struct dma_buf_runs *dma_buf_list_runs(const struct dma_buf_list *list);
void dma_buf_cursor_init_part(struct dma_buf_cursor *cursor,
			      const struct dma_buf_list *list,
			      unsigned long pgoff, unsigned long npages);

unsigned long dma_buf_list_npages(const struct dma_buf_list *list);
unsigned long dma_buf_list_nchunks(const struct dma_buf_list *list);
unsigned long dma_buf_cursor_block_size(const struct dma_buf_cursor *cursor,
					unsigned long supported);
unsigned long dma_buf_list_block_size(const struct dma_buf_list *list,
				      unsigned long supported);
int dma_buf_list_copy_addrs(const struct dma_buf_list *list, dma_addr_t *addrs,
			    unsigned long npages);
int dma_buf_list_contiguous(const struct dma_buf_list *list, size_t size,
			    dma_addr_t *addr);
int dma_buf_list_contiguous_phys(const struct dma_buf_list *list, size_t size,
				 phys_addr_t *phys);
int dma_buf_list_to_sgt(const struct dma_buf_list *list, unsigned long pgoff,
			unsigned long npages, struct sg_table *sgt, gfp_t gfp);
int dma_buf_list_iommu_map(const struct dma_buf_list *list, u64 offset,
			   size_t size, size_t max,
			   struct iommu_domain *domain, unsigned long iova,
			   int prot, gfp_t gfp);
void dma_buf_segs_init(struct dma_buf_segs *segs,
		       const struct dma_buf_list *list, u64 offset, u64 size,
		       u64 max);
u64 dma_buf_segs_next(struct dma_buf_segs *segs, dma_addr_t *addr);
int dma_buf_segs_init_phys(struct dma_buf_segs *segs,
			   const struct dma_buf_list *list, u64 offset,
			   u64 size);
u64 dma_buf_segs_next_phys(struct dma_buf_segs *segs, phys_addr_t *phys);
bool dma_buf_list_is_peer(const struct dma_buf_list *list);
void dma_buf_list_sync_for_device(const struct dma_buf_list *list, u64 offset,
				  u64 size);
void dma_buf_list_sync_for_cpu(const struct dma_buf_list *list, u64 offset,
			       u64 size);

/* private: the first run at @word, returns where the one after it is */
static inline const u64 *dma_buf_run_read(const u64 *word, u64 *addr,
					  unsigned long *npages)
{
	for (;;) {
		*addr = *word & ~((u64)PAGE_SIZE - 1);
		*npages = *word++ & (PAGE_SIZE - 1);
		if (likely(*npages))
			return word;
		*npages = *word++;
		if (*npages)
			return word;
		word = (const u64 *)(unsigned long)*word;
	}
}

/* private: makes the next run of the window the current one */
static inline bool dma_buf_cursor_step(struct dma_buf_cursor *cursor)
{
	unsigned long npages;

	if (!cursor->left)
		return false;

	cursor->next = dma_buf_run_read(cursor->next, &cursor->addr, &npages);
	npages = min(npages, cursor->left);
	cursor->left -= npages;
	cursor->addr += cursor->offset;
	cursor->end = cursor->addr + ((u64)npages << PAGE_SHIFT);
	return true;
}

/**
 * dma_buf_cursor_init - read a list from its start to its end
 * @cursor: cursor to set up
 * @list: list to read
 *
 * Context: Any, as long as @list stays mapped.
 */
static inline void dma_buf_cursor_init(struct dma_buf_cursor *cursor,
				       const struct dma_buf_list *list)
{
	const struct dma_buf_runs *runs = dma_buf_list_runs(list);

	*cursor = (struct dma_buf_cursor) {
		.next = runs->first,
		.offset = runs->offset,
		.left = runs->npages,
	};
}

/**
 * dma_buf_cursor_next_range - step to the next DMA-contiguous range
 * @cursor: the cursor
 *
 * Context: Any, as long as the list stays mapped.
 * Return: The range, as large as it can be, without a page. Its npages is zero
 * at the end.
 */
static inline struct dma_buf_chunk
dma_buf_cursor_next_range(struct dma_buf_cursor *cursor)
{
	struct dma_buf_chunk range = { };
	u64 end;

	if (cursor->addr == cursor->end && !dma_buf_cursor_step(cursor))
		return range;

	range.dma_addr = cursor->addr;
	do {
		end = cursor->end;
		range.npages += (end - cursor->addr) >> PAGE_SHIFT;
		cursor->addr = end;
		/* The address space ends here: do not merge across the wrap. */
	} while (dma_buf_cursor_step(cursor) && cursor->addr == end && end);

	return range;
}

static inline struct dma_buf_chunk
dma_buf_list_first_range(struct dma_buf_cursor *cursor,
			 const struct dma_buf_list *list)
{
	dma_buf_cursor_init(cursor, list);
	return dma_buf_cursor_next_range(cursor);
}

/**
 * dma_buf_cursor_next_block - step to the next block of fixed size
 * @cursor: cursor that dma_buf_cursor_init() or dma_buf_cursor_init_part() set up
 * @size: size of a block in bytes, a power of two, the same at each step
 * @addr: where to put the DMA address of the block, aligned to @size
 *
 * The blocks cover each DMA-contiguous range. Its first and its last block may extend
 * beyond it. With a @size that dma_buf_list_block_size() returned, this only happens
 * at the ends of the buffer; with a @size that is not larger than PAGE_SIZE, not at
 * all.
 *
 * Return: true if there was another block, false at the end.
 */
static inline bool dma_buf_cursor_next_block(struct dma_buf_cursor *cursor,
					     unsigned long size,
					     dma_addr_t *addr)
{
	if (cursor->block == cursor->block_end) {
		struct dma_buf_chunk range = dma_buf_cursor_next_range(cursor);

		if (!range.npages || WARN_ON_ONCE(!is_power_of_2(size)))
			return false;
		cursor->block_end = (u64)range.dma_addr +
				    ((u64)range.npages << PAGE_SHIFT);
		cursor->block_end = (cursor->block_end + size - 1) &
				    ~((u64)size - 1);
		cursor->block = range.dma_addr & ~((u64)size - 1);
	}
	*addr = cursor->block;
	cursor->block += size;
	return true;
}

/**
 * dma_buf_cursor_next_page - step to the next page
 * @cursor: cursor that dma_buf_cursor_init() or dma_buf_cursor_init_part() set up
 * @addr: where to put the DMA address of the page
 *
 * Inline because importers fill page tables with it, one entry per call. Blocks
 * of PAGE_SIZE yield the same, but are slower.
 *
 * Return: true if there was another page, false at the end.
 */
static inline bool dma_buf_cursor_next_page(struct dma_buf_cursor *cursor,
					    dma_addr_t *addr)
{
	if (cursor->addr == cursor->end && !dma_buf_cursor_step(cursor))
		return false;
	*addr = cursor->addr;
	cursor->addr += PAGE_SIZE;
	return true;
}

/**
 * dma_buf_list_for_each_range - iterate over the DMA-contiguous ranges of a list
 * @range: &struct dma_buf_chunk, its page is always NULL
 * @cursor: pointer to a &struct dma_buf_cursor
 * @list: the list, NULL is not allowed
 *
 * Neighbours are merged, so that a buffer behind one IOVA is one range even if it is
 * scattered in memory.
 *
 * This has to stay a macro: source that is also built for kernels without the list
 * checks for it with ``#ifdef``.
 */
#define dma_buf_list_for_each_range(range, cursor, list)		\
	for ((range) = dma_buf_list_first_range(cursor, list);		\
	     (range).npages;						\
	     (range) = dma_buf_cursor_next_range(cursor))

/**
 * dma_buf_cursor_for_each_range - iterate over DMA ranges from a cursor on
 * @range: &struct dma_buf_chunk, its page is always NULL
 * @cursor: cursor that dma_buf_cursor_init() or dma_buf_cursor_init_part() set
 *	up
 */
#define dma_buf_cursor_for_each_range(range, cursor)			\
	for ((range) = dma_buf_cursor_next_range(cursor);		\
	     (range).npages;						\
	     (range) = dma_buf_cursor_next_range(cursor))

/**
 * dma_buf_list_for_each_block - iterate over blocks of fixed size
 * @addr: dma_addr_t of the current block
 * @cursor: pointer to a &struct dma_buf_cursor
 * @list: the list, NULL is not allowed
 * @size: see dma_buf_cursor_next_block()
 */
#define dma_buf_list_for_each_block(addr, cursor, list, size)		\
	for (dma_buf_cursor_init(cursor, list);				\
	     dma_buf_cursor_next_block(cursor, size, &(addr));)

/**
 * dma_buf_list_for_each_page - iterate over the DMA addresses of single pages
 * @addr: dma_addr_t of the current page
 * @cursor: pointer to a &struct dma_buf_cursor
 * @list: the list, NULL is not allowed
 */
#define dma_buf_list_for_each_page(addr, cursor, list)			\
	for (dma_buf_cursor_init(cursor, list);				\
	     dma_buf_cursor_next_page(cursor, &(addr));)

/* Exporters */

struct dma_buf_list *
dma_buf_list_from_pages(struct dma_buf_attachment *attach,
			struct page *const *pages, unsigned long npages,
			enum dma_data_direction dir, unsigned long attrs);
struct dma_buf_list *
dma_buf_list_from_runs(struct dma_buf_attachment *attach,
		       const struct phys_vec *runs, size_t nr_runs,
		       enum dma_data_direction dir, unsigned long attrs);
struct dma_buf_list *
dma_buf_list_from_sgt(struct dma_buf_attachment *attach,
		      const struct sg_table *sgt,
		      enum dma_data_direction dir, unsigned long attrs);
struct dma_buf_list *
dma_buf_list_from_own(struct dma_buf_attachment *attach,
		      const struct dma_buf_own *own,
		      enum dma_data_direction dir, unsigned long attrs);
struct dma_buf_list *
dma_buf_list_from_coherent(struct dma_buf_attachment *attach,
			   struct device *owner, void *cpu_addr,
			   dma_addr_t dma_addr, size_t size,
			   enum dma_data_direction dir, unsigned long attrs);
struct dma_buf_list *
dma_buf_list_from_bar(struct dma_buf_attachment *attach,
		      struct p2pdma_provider *provider,
		      const struct phys_vec *ranges, size_t nr_ranges,
		      enum dma_data_direction dir, unsigned long attrs);
struct dma_buf_list *
dma_buf_list_from_phys(struct dma_buf_attachment *attach,
		       const struct phys_vec *ranges, size_t nr_ranges,
		       enum dma_data_direction dir, unsigned long attrs);
void dma_buf_list_free(struct dma_buf_list *list);

/* Memory of a driver's own */

struct dma_buf_own *dma_buf_own_alloc(void);
int dma_buf_own_add(struct dma_buf_own *own, struct page *const *pages,
		    unsigned long npages);
unsigned long dma_buf_own_npages(const struct dma_buf_own *own);
void dma_buf_own_start(struct dma_buf_cursor *cursor,
		       const struct dma_buf_own *own);
void dma_buf_own_free(struct dma_buf_own *own);

/**
 * dma_buf_own_next - step to the next pages that are contiguous
 * @cursor: cursor that dma_buf_own_start() set up
 *
 * Context: Any, as long as nothing is added.
 * Return: The first page of them, which is followed by the others in the memmap, and
 * their number. There is no DMA address. The number is zero at the end.
 */
static inline struct dma_buf_chunk
dma_buf_own_next(struct dma_buf_cursor *cursor)
{
	struct dma_buf_chunk chunk = { };

	if (dma_buf_cursor_step(cursor)) {
		chunk.page = pfn_to_page(PHYS_PFN(cursor->addr));
		chunk.npages = (cursor->end - cursor->addr) >> PAGE_SHIFT;
	}
	return chunk;
}

#endif
