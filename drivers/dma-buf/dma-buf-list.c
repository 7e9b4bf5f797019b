// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page list of a shared buffer and the cursors that read it
 */
#include <linux/bitops.h>
#include <linux/build_bug.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/stddef.h>

#include "dma-buf-internal.h"

/*
 * A block ends with a link of three words. It is at most 4 KiB, whatever the page
 * size: with larger blocks the engine would reschedule less often, and waste more
 * memory.
 */
#define DMA_BUF_LINK_WORDS	3UL
#define DMA_BUF_BLOCK_MAX	((SZ_4K - sizeof(struct dma_buf_block)) / \
				 sizeof(u64) - DMA_BUF_LINK_WORDS)
#define DMA_BUF_BLOCK_MIN	2UL
/* The first block takes the words of the list itself and at least one run more. */
static_assert(DMA_BUF_BLOCK_MAX - DMA_BUF_BLOCK_MIN >=
	      sizeof_field(struct dma_buf_list, one) / sizeof(u64));

static struct dma_buf_block *dma_buf_block_alloc(unsigned long nwords)
{
	struct dma_buf_block *block;

	block = kmalloc_flex(*block, words, nwords, DMA_BUF_GFP);
	if (block)
		block->next = NULL;
	return block;
}

/* Adds a block, or moves what is there to the first one. */
int dma_buf_writer_grow(struct dma_buf_writer *writer)
{
	unsigned long used = writer->last ? 0 : writer->pos - writer->first;
	unsigned long nwords = writer->expect - min(writer->expect,
						    writer->nruns);
	struct dma_buf_block *block;

	DMA_BUF_STUB(dma_buf_writer_grow, writer);

	nwords = min(used + max(nwords, DMA_BUF_BLOCK_MIN), DMA_BUF_BLOCK_MAX);
	block = dma_buf_block_alloc(nwords + DMA_BUF_LINK_WORDS);
	if (!block)
		return -ENOMEM;

	if (writer->last) {
		writer->pos[0] = 0;
		writer->pos[1] = 0;
		writer->link = &writer->pos[2];
		*writer->link = (unsigned long)block->words;
		writer->last->next = block;
	} else {
		memcpy(block->words, writer->first, used * sizeof(u64));
		writer->first = block->words;
		writer->blocks = block;
	}

	writer->last = block;
	writer->pos = block->words + used;
	writer->end = block->words + nwords;
	return 0;
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_writer_grow);

/* Adds a run, and makes room for it. */
int dma_buf_writer_add(struct dma_buf_writer *writer, struct dma_buf_run run)
{
	int ret;

	if (dma_buf_writer_put(writer, run))
		return 0;

	ret = dma_buf_writer_grow(writer);
	if (!ret)
		dma_buf_writer_put(writer, run);
	return ret;
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_writer_add);

/* Shrinks the last block, if that saves enough memory. */
void dma_buf_writer_trim(struct dma_buf_writer *writer)
{
	struct dma_buf_block *old = writer->last, **at = &writer->blocks, *new;
	unsigned long used;

	if (!old)
		return;

	used = writer->pos - old->words;
	if (kmalloc_size_roundup(struct_size(old, words, used)) >=
	    struct_size(old, words,
			writer->end - old->words + DMA_BUF_LINK_WORDS))
		return;

	new = dma_buf_block_alloc(used);
	if (!new)
		return;

	memcpy(new->words, old->words, used * sizeof(u64));
	while (*at != old)
		at = &(*at)->next;
	*at = new;
	if (writer->link)
		*writer->link = (unsigned long)new->words;
	else
		writer->first = new->words;
	writer->last = new;
	writer->pos = new->words + used;
	writer->end = writer->pos;
	kfree(old);
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_writer_trim);

void dma_buf_blocks_free(struct dma_buf_block *block)
{
	while (block) {
		struct dma_buf_block *next = block->next;

		kfree(block);
		block = next;
		cond_resched();
	}
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_blocks_free);

struct dma_buf_list *dma_buf_list_alloc(struct dma_buf_attachment *attach,
					enum dma_data_direction dir,
					unsigned long attrs)
{
	struct dma_buf_list *list;

	DMA_BUF_STUB(dma_buf_list_alloc, attach, dir, attrs);

	list = kzalloc_obj(*list);
	if (!list)
		return NULL;

	list->dev = attach->dev;
	list->attach = attach->dmabuf ? attach : NULL;
	list->dir = dir;
	list->attrs = attrs;
	INIT_LIST_HEAD(&list->node);
	return list;
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_list_alloc);

/* Hands the runs of @writer over to @list, as its DMA addresses less @offset. */
void dma_buf_list_set(struct dma_buf_list *list,
		      const struct dma_buf_writer *writer, u64 offset)
{
	list->dma = (struct dma_buf_runs) {
		.first = writer->first,
		.offset = offset,
		.npages = writer->npages,
		.nruns = writer->nruns,
	};
	list->dma_blocks = writer->blocks;
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_list_set);

/* Frees the list only, whatever is mapped must have been unmapped before. */
void dma_buf_list_release(struct dma_buf_list *list)
{
	dma_buf_blocks_free(list->dma_blocks);
	dma_buf_blocks_free(list->phys_blocks);
	kfree(list);
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_list_release);

/*
 * The DMA addresses, for the functions of the cursor. A list that is not mapped for a
 * device has none: its physical addresses must not be taken for DMA addresses.
 */
const struct dma_buf_runs *dma_buf_list_runs(const struct dma_buf_list *list)
{
	static const struct dma_buf_runs none;

	return list->route == DMA_BUF_ROUTE_PHYS ? &none : &list->dma;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_list_runs, "DMA_BUF");

/**
 * dma_buf_list_npages - length of a list
 * @list: the list
 *
 * Context: Any.
 * Return: The sum of all chunks in pages.
 */
unsigned long dma_buf_list_npages(const struct dma_buf_list *list)
{
	return list->dma.npages;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_list_npages, "DMA_BUF");

/**
 * dma_buf_list_nchunks - number of chunks in a list
 * @list: the list
 *
 * There are never more ranges than chunks, so this many entries are enough for
 * an importer that allocates descriptors before it fills them.
 *
 * Context: Any.
 * Return: The number of chunks, which may be zero.
 */
unsigned long dma_buf_list_nchunks(const struct dma_buf_list *list)
{
	return list->dma.nruns;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_list_nchunks, "DMA_BUF");

/**
 * dma_buf_list_is_peer - is this the memory of another device
 * @list: the list
 *
 * For importers that program such addresses differently, a GPU that marks them
 * as not snooped for example. Only an importer that set
 * &dma_buf_attach_ops.allow_peer2peer can see it being true.
 *
 * Context: Any.
 * Return: true if dma_buf_list_from_bar() made the list, false for system memory
 * and for a carve-out.
 */
bool dma_buf_list_is_peer(const struct dma_buf_list *list)
{
	return list->peer;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_list_is_peer, "DMA_BUF");

/* What is left of the current run, in pages. */
static unsigned long dma_buf_cursor_here(const struct dma_buf_cursor *cursor)
{
	return (cursor->end - cursor->addr) >> PAGE_SHIFT;
}

/* Limits a cursor that was set up for all pages of a list to a part of them. */
static void dma_buf_cursor_limit(struct dma_buf_cursor *cursor,
				 unsigned long pgoff, unsigned long npages)
{
	unsigned long skip = min(pgoff, cursor->left);

	cursor->left = skip + min(npages, cursor->left - skip);

	while (skip && dma_buf_cursor_step(cursor)) {
		unsigned long n = min(skip, dma_buf_cursor_here(cursor));

		cursor->addr += (u64)n << PAGE_SHIFT;
		skip -= n;
	}
}

/**
 * dma_buf_cursor_init_part - read a part of a list
 * @cursor: cursor to set up
 * @list: list to read
 * @pgoff: first page of the part
 * @npages: length of the part in pages
 *
 * If the part extends beyond the end of @list, the iteration ends at the end of the
 * list.
 *
 * Context: Any, as long as @list stays mapped.
 */
void dma_buf_cursor_init_part(struct dma_buf_cursor *cursor,
			      const struct dma_buf_list *list,
			      unsigned long pgoff, unsigned long npages)
{
	dma_buf_cursor_init(cursor, list);
	dma_buf_cursor_limit(cursor, pgoff, npages);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_cursor_init_part, "DMA_BUF");

/*
 * Starts to read the DMA addresses of @list together with its physical runs. For the
 * memory of a peer the runs are ignored: it has neither pages nor caches.
 */
void dma_buf_pairs_init(struct dma_buf_pairs *pairs,
			const struct dma_buf_list *list)
{
	*pairs = (struct dma_buf_pairs) {
		.dma = list->dma.first,
		.phys = dma_buf_list_shares_words(list) || list->peer ?
			NULL : list->phys,
		.list = list,
		.left = list->dma.npages,
	};
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_pairs_init);

/*
 * The next chunk that is contiguous in both, or as it was stored if the list
 * has no physical runs. Its npages is zero at the end.
 */
struct dma_buf_chunk dma_buf_pairs_next(struct dma_buf_pairs *pairs)
{
	const struct dma_buf_list *list = pairs->list;
	struct dma_buf_chunk chunk = { };
	u64 phys;

	if (!pairs->left)
		return chunk;

	if (!pairs->npages)
		pairs->dma = dma_buf_run_read(pairs->dma, &pairs->addr,
					      &pairs->npages);
	phys = pairs->addr;
	chunk.npages = min(pairs->npages, pairs->left);
	if (pairs->phys) {
		if (!pairs->phys_npages)
			pairs->phys = dma_buf_run_read(pairs->phys,
						       &pairs->phys_addr,
						       &pairs->phys_npages);
		phys = pairs->phys_addr;
		chunk.npages = min(chunk.npages, pairs->phys_npages);
		pairs->phys_addr += (u64)chunk.npages << PAGE_SHIFT;
		pairs->phys_npages -= chunk.npages;
	}

	chunk.dma_addr = pairs->addr + list->dma.offset;
	if (list->has_pages)
		chunk.page = phys_to_page(phys);
	pairs->addr += (u64)chunk.npages << PAGE_SHIFT;
	pairs->npages -= chunk.npages;
	pairs->left -= chunk.npages;
	return chunk;
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_pairs_next);

/**
 * dma_buf_cursor_block_size - largest block that fits all ranges of a part
 * @cursor: the start of the part, as dma_buf_cursor_init_part() sets it up. It is not
 *	moved.
 * @supported: the sizes that the device can use, a bitmap of powers of two
 *
 * A block size fits if no block contains the end of one range and the start of
 * another: every border between two ranges is a multiple of it. See
 * dma_buf_list_for_each_block().
 *
 * The two ends of the part do not count as borders. The first and the last block may
 * contain memory that is not in it, and the device must not access that: give it an
 * offset and a length as well.
 *
 * Context: Any, as long as the list stays mapped.
 * Return: The size in bytes, or zero if no supported size fits.
 */
unsigned long dma_buf_cursor_block_size(const struct dma_buf_cursor *cursor,
					unsigned long supported)
{
	struct dma_buf_cursor at = *cursor;
	struct dma_buf_chunk range;
	bool first = true;
	u64 borders = 0;

	dma_buf_cursor_for_each_range(range, &at) {
		if (!first)
			borders |= range.dma_addr;
		first = false;
		/* Another range follows. */
		if (at.addr != at.end)
			borders |= (u64)range.dma_addr +
				   ((u64)range.npages << PAGE_SHIFT);
	}

	if (borders)
		supported &= GENMASK(min(__ffs64(borders), BITS_PER_LONG - 1), 0);
	return supported ? BIT(__fls(supported)) : 0;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_cursor_block_size, "DMA_BUF");

/**
 * dma_buf_list_block_size - largest block that fits all ranges of a list
 * @list: the list
 * @supported: the sizes that the device can use, a bitmap of powers of two
 *
 * The same as dma_buf_cursor_block_size() for all of a list.
 *
 * Context: Any, as long as @list stays mapped.
 * Return: The size in bytes, or zero if no supported size fits.
 */
unsigned long dma_buf_list_block_size(const struct dma_buf_list *list,
				      unsigned long supported)
{
	struct dma_buf_cursor cursor;

	dma_buf_cursor_init(&cursor, list);
	return dma_buf_cursor_block_size(&cursor, supported);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_list_block_size, "DMA_BUF");

/**
 * dma_buf_list_copy_addrs - copy the DMA address of each page into an array
 * @list: the list
 * @addrs: where to put them
 * @npages: length of @addrs
 *
 * For importers that keep such an array anyway. Filling the page table of a
 * device with dma_buf_list_for_each_page() needs none.
 *
 * Context: Any.
 * Return: 0, or -EINVAL if the list has fewer pages.
 */
int dma_buf_list_copy_addrs(const struct dma_buf_list *list, dma_addr_t *addrs,
			    unsigned long npages)
{
	struct dma_buf_cursor cursor;
	dma_addr_t addr;

	if (dma_buf_list_runs(list)->npages < npages)
		return -EINVAL;

	dma_buf_cursor_init_part(&cursor, list, 0, npages);
	while (dma_buf_cursor_next_page(&cursor, &addr))
		*addrs++ = addr;
	return 0;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_list_copy_addrs, "DMA_BUF");

/**
 * dma_buf_list_contiguous - the one address of a buffer
 * @list: the list
 * @size: number of bytes from the start of the list that have to be contiguous, not
 *	zero
 * @addr: where to put their DMA address
 *
 * For importers whose device takes a single address. Behind an IOMMU most buffers
 * have one, even if they are scattered in memory.
 *
 * Context: Any, as long as @list stays mapped.
 * Return: 0, or -EINVAL if the list is shorter than @size or has a gap before
 * that; @addr is left alone then.
 */
int dma_buf_list_contiguous(const struct dma_buf_list *list, size_t size,
			    dma_addr_t *addr)
{
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk range = dma_buf_list_first_range(&cursor, list);

	if (!size || size > (u64)range.npages << PAGE_SHIFT)
		return -EINVAL;

	*addr = range.dma_addr;
	return 0;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_list_contiguous, "DMA_BUF");

/* May the physical addresses of a part of @list be told? */
static int dma_buf_list_check_phys(const struct dma_buf_list *list, u64 offset,
				   u64 size)
{
	u64 all = (u64)list->dma.npages << PAGE_SHIFT;

	if (!size || offset > all || size > all - offset)
		return -EINVAL;
	if (dma_buf_list_is_device(list) || list->bounced)
		return -EREMOTEIO;
	/* Warn on all machines, not only on those where an IOMMU is in use. */
	return WARN_ON_ONCE(!list->phys) ? -EINVAL : 0;
}

/**
 * dma_buf_list_contiguous_phys - the one physical address of a buffer
 * @list: list of the buffer, for which dma_buf_keep_runs() was called
 * @size: number of bytes from the start of the list that have to be contiguous, not
 *	zero
 * @phys: where to put their physical address
 *
 * Only for a call that tells the hypervisor to give the memory to another virtual
 * machine. Devices get DMA addresses.
 *
 * Context: Any, as long as @list stays mapped.
 * Return: 0; -EINVAL if the list is shorter than @size or has a gap before that;
 * -EREMOTEIO if it is the memory of a device, or if it is bounced: unmapping would
 * write to memory that belongs to the other virtual machine. @phys is left alone
 * after an error.
 */
int dma_buf_list_contiguous_phys(const struct dma_buf_list *list, size_t size,
				 phys_addr_t *phys)
{
	const u64 *word = list->phys;
	unsigned long npages;
	u64 start, addr, end;
	int ret;

	ret = dma_buf_list_check_phys(list, 0, size);
	if (ret)
		return ret;

	word = dma_buf_run_read(word, &start, &npages);
	end = start + ((u64)npages << PAGE_SHIFT);
	while (end - start < size) {
		word = dma_buf_run_read(word, &addr, &npages);
		if (addr != end)
			return -EINVAL;
		end += (u64)npages << PAGE_SHIFT;
	}

	*phys = start;
	return 0;
}
EXPORT_SYMBOL_FOR_MODULES(dma_buf_list_contiguous_phys, "fastrpc,dmabuf_kunit");

/**
 * dma_buf_segs_init - read a part of a list in segments of limited length
 * @segs: reader to set up
 * @list: list to read
 * @offset: first byte of the part
 * @size: length of the part in bytes; U64_MAX for all that follows
 * @max: longest segment that the device takes, in bytes; zero for any length.
 *	With a power of two, what follows a cut is aligned as well as what is cut.
 *
 * If the part extends beyond the end of @list, the segments end at the end of the
 * list. Importers that need all of it check dma_buf_list_npages() first.
 *
 * .. code-block:: c
 *
 *	dma_buf_segs_init(&segs, list, offset, size, SZ_16M);
 *	while ((len = dma_buf_segs_next(&segs, &addr)))
 *		my_device_write_descriptor(addr, len);
 *
 * Context: Any, as long as @list stays mapped.
 */
void dma_buf_segs_init(struct dma_buf_segs *segs,
		       const struct dma_buf_list *list, u64 offset, u64 size,
		       u64 max)
{
	u64 all = (u64)dma_buf_list_runs(list)->npages << PAGE_SHIFT;

	offset = min(offset, all);
	*segs = (struct dma_buf_segs) {
		.skip = offset & (PAGE_SIZE - 1),
		.left = min(size, all - offset),
		.max = max ?: U64_MAX,
	};
	dma_buf_cursor_init_part(&segs->cursor, list, offset >> PAGE_SHIFT,
				 ULONG_MAX);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_segs_init, "DMA_BUF");

/**
 * dma_buf_segs_next - step to the next segment
 * @segs: reader that dma_buf_segs_init() set up
 * @addr: where to put the DMA address of the segment
 *
 * Context: Any, as long as the list stays mapped.
 * Return: The length of the segment in bytes, as long as its range and the limit
 * allow, or zero at the end, when @addr is left alone.
 */
u64 dma_buf_segs_next(struct dma_buf_segs *segs, dma_addr_t *addr)
{
	u64 len;

	if (!segs->left)
		return 0;

	if (segs->addr == segs->end) {
		struct dma_buf_chunk range =
			dma_buf_cursor_next_range(&segs->cursor);

		segs->addr = range.dma_addr + segs->skip;
		segs->end = range.dma_addr + ((u64)range.npages << PAGE_SHIFT);
		segs->skip = 0;
	}

	len = min3(segs->end - segs->addr, segs->left, segs->max);
	*addr = segs->addr;
	segs->addr += len;
	segs->left -= len;
	return len;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_segs_next, "DMA_BUF");

/**
 * dma_buf_segs_init_phys - read the physical addresses of a part of a list
 * @segs: reader to set up, for dma_buf_segs_next_phys()
 * @list: list of the buffer, for which dma_buf_keep_runs() was called
 * @offset: first byte of the part
 * @size: length of the part in bytes, not zero
 *
 * For a driver that writes the page tables behind an IOMMU itself, several for one
 * domain, and for one that grants the memory to another virtual machine. With a
 * domain for each there is dma_buf_list_iommu_map(), which tells nobody.
 *
 * Context: Any, as long as @list stays mapped.
 * Return: 0 if there is all of the part to read; -EINVAL if it does not lie within
 * @list; -EREMOTEIO if this is the memory of a device, or of bounce buffers, which
 * would be copied over what the driver's device wrote.
 */
int dma_buf_segs_init_phys(struct dma_buf_segs *segs,
			   const struct dma_buf_list *list, u64 offset, u64 size)
{
	int ret = dma_buf_list_check_phys(list, offset, size);

	if (ret)
		return ret;

	*segs = (struct dma_buf_segs) {
		.cursor = { .next = list->phys, .left = list->dma.npages },
		.skip = offset & (PAGE_SIZE - 1),
		.left = size,
		.max = U64_MAX,
	};
	dma_buf_cursor_limit(&segs->cursor, offset >> PAGE_SHIFT, ULONG_MAX);
	return 0;
}
EXPORT_SYMBOL_FOR_MODULES(dma_buf_segs_init_phys,
			  "msm,drm_xen_front,dmabuf_kunit");

/**
 * dma_buf_segs_next_phys - step to the next physical segment
 * @segs: reader that dma_buf_segs_init_phys() set up
 * @phys: where to put the physical address of the segment
 *
 * Context: Any, as long as the list stays mapped.
 * Return: The length of the segment in bytes, as far as the memory is contiguous,
 * or zero at the end, when @phys is left alone.
 */
u64 dma_buf_segs_next_phys(struct dma_buf_segs *segs, phys_addr_t *phys)
{
	dma_addr_t addr;
	u64 len = dma_buf_segs_next(segs, &addr);

	if (len)
		*phys = addr;
	return len;
}
EXPORT_SYMBOL_FOR_MODULES(dma_buf_segs_next_phys,
			  "msm,drm_xen_front,dmabuf_kunit");
