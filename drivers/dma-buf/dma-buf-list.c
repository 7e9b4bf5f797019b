// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page list of a shared buffer and the cursors that read it
 */
#include <linux/bitops.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "dma-buf-internal.h"

/*
 * A block ends with a link of three words. It is never larger than the smallest
 * page there is: larger ones would mean longer pauses between two blocks, and
 * more room that is not used.
 */
#define DMA_BUF_LINK_WORDS	3UL
#define DMA_BUF_BLOCK_MAX	((SZ_4K - sizeof(struct dma_buf_block)) / \
				 sizeof(u64) - DMA_BUF_LINK_WORDS)
#define DMA_BUF_BLOCK_MIN	2UL

/* The @nwords at @words are used before anything is allocated. */
void dma_buf_writer_init(struct dma_buf_writer *writer, u64 *words,
			 unsigned int nwords, unsigned long expect)
{
	*writer = (struct dma_buf_writer) {
		.first = words,
		.pos = words,
		.end = words + nwords,
		.expect = expect,
	};
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_writer_init);

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

/* Gives back the room that is left in the last block, if it would be missed. */
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

/* Only for the inline functions of the cursor. */
const struct dma_buf_runs *dma_buf_list_runs(const struct dma_buf_list *list)
{
	return &list->dma;
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

/**
 * dma_buf_cursor_init_part - read a part of a list
 * @cursor: cursor to set up
 * @list: list to read
 * @pgoff: first page of the part
 * @npages: length of the part in pages
 *
 * What of the part lies beyond the end of @list is not there: the iteration
 * ends early, it does not read anything else.
 *
 * Context: Any, as long as @list stays mapped.
 */
void dma_buf_cursor_init_part(struct dma_buf_cursor *cursor,
			      const struct dma_buf_list *list,
			      unsigned long pgoff, unsigned long npages)
{
	const struct dma_buf_runs *runs = dma_buf_list_runs(list);
	unsigned long skip = min(pgoff, runs->npages);

	dma_buf_cursor_init(cursor, list);
	cursor->left = skip + min(npages, runs->npages - skip);

	while (skip && dma_buf_cursor_step(cursor)) {
		unsigned long n = min(skip, dma_buf_cursor_here(cursor));

		cursor->addr += (u64)n << PAGE_SHIFT;
		skip -= n;
	}
}
EXPORT_SYMBOL_NS_GPL(dma_buf_cursor_init_part, "DMA_BUF");

/* Starts to read the DMA addresses of @list together with its physical runs. */
void dma_buf_pairs_init(struct dma_buf_pairs *pairs,
			const struct dma_buf_list *list)
{
	*pairs = (struct dma_buf_pairs) {
		.dma = list->dma.first,
		.phys = dma_buf_list_shares_words(list) ? NULL : list->phys,
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
 * dma_buf_list_block_size - largest block that fits all ranges of a list
 * @list: the list
 * @supported: the sizes that the device can use, a bitmap of powers of two
 *
 * A block size fits if no block would hold the end of one range and the start
 * of another, which is to say that every border between two ranges lies on a
 * multiple of it. See dma_buf_list_for_each_block().
 *
 * The two ends of the buffer are no borders. The first and the last block may
 * hold what is not part of it, which is for the device to leave alone: it needs
 * an offset and a length besides.
 *
 * Context: Any, as long as @list stays mapped.
 * Return: The size in bytes, or zero if no supported size fits.
 */
unsigned long dma_buf_list_block_size(const struct dma_buf_list *list,
				      unsigned long supported)
{
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk range;
	unsigned long seen = 0;
	u64 borders = 0;

	dma_buf_list_for_each_range(range, &cursor, list) {
		u64 end = (u64)range.dma_addr + ((u64)range.npages << PAGE_SHIFT);

		if (seen)
			borders |= range.dma_addr;
		seen += range.npages;
		if (seen < list->dma.npages)
			borders |= end;
	}

	if (borders)
		supported &= GENMASK(min(__ffs64(borders), BITS_PER_LONG - 1), 0);
	return supported ? BIT(__fls(supported)) : 0;
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
 * Return: 0, or -EINVAL if the list has not as many pages.
 */
int dma_buf_list_copy_addrs(const struct dma_buf_list *list, dma_addr_t *addrs,
			    unsigned long npages)
{
	struct dma_buf_cursor cursor;
	dma_addr_t addr;

	if (list->dma.npages < npages)
		return -EINVAL;

	dma_buf_cursor_init_part(&cursor, list, 0, npages);
	while (dma_buf_cursor_next_page(&cursor, &addr))
		*addrs++ = addr;
	return 0;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_list_copy_addrs, "DMA_BUF");
