// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page list of a shared buffer and the cursors that read it
 */
#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#include <linux/bitops.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "dma-buf-internal.h"

/* Chunks that the first array has room for; it doubles from there on. */
#define DMA_BUF_LIST_MIN_CHUNKS	16UL

struct dma_buf_list *dma_buf_list_alloc(struct device *dev,
					enum dma_data_direction dir,
					unsigned long attrs)
{
	struct dma_buf_list *list;

	KUNIT_STATIC_STUB_REDIRECT(dma_buf_list_alloc, dev, dir, attrs);

	list = kzalloc_obj(*list);
	if (!list)
		return NULL;

	list->dev = dev;
	list->dir = dir;
	list->attrs = attrs;
	list->chunks = &list->one;
	list->max_chunks = 1;
	return list;
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_list_alloc);

/* Frees the list only, whatever is mapped must have been unmapped before. */
void dma_buf_list_release(struct dma_buf_list *list)
{
	if (list->chunks != &list->one)
		kvfree(list->chunks);
	kfree(list);
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_list_release);

/* Makes room for one more chunk. */
int dma_buf_list_reserve(struct dma_buf_list *list)
{
	unsigned long max = max(2 * list->max_chunks, DMA_BUF_LIST_MIN_CHUNKS);
	struct dma_buf_chunk *chunks;

	KUNIT_STATIC_STUB_REDIRECT(dma_buf_list_reserve, list);

	if (list->nchunks < list->max_chunks)
		return 0;

	if (list->chunks == &list->one) {
		chunks = kvmalloc_objs(*chunks, max);
		if (chunks)
			chunks[0] = list->one;
	} else {
		chunks = kvrealloc(list->chunks, array_size(max, sizeof(*chunks)),
				   GFP_KERNEL);
	}
	if (!chunks)
		return -ENOMEM;

	list->chunks = chunks;
	list->max_chunks = max;
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_list_reserve);

/* Only after dma_buf_list_reserve(), so that it cannot fail. */
void dma_buf_list_append(struct dma_buf_list *list,
			 const struct dma_buf_chunk *chunk)
{
	list->chunks[list->nchunks++] = *chunk;
	list->npages += chunk->npages;
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_list_append);

/* Makes the last chunk longer. */
void dma_buf_list_extend(struct dma_buf_list *list, unsigned long npages)
{
	list->chunks[list->nchunks - 1].npages += npages;
	list->npages += npages;
}

/**
 * dma_buf_list_npages - length of a list
 * @list: the list
 *
 * Context: Any.
 * Return: The sum of all chunks in pages.
 */
unsigned long dma_buf_list_npages(const struct dma_buf_list *list)
{
	return list->npages;
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
	return list->nchunks;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_list_nchunks, "DMA_BUF");

/**
 * dma_buf_list_route - how the addresses of a list came to be
 * @list: the list
 *
 * Context: Any.
 * Return: The route, for records and tests. An importer has no reason to treat
 * one route differently from another.
 */
enum dma_buf_route dma_buf_list_route(const struct dma_buf_list *list)
{
	return list->route;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_list_route, "DMA_BUF");

/**
 * dma_buf_list_is_peer - is this the memory of another device
 * @list: the list
 *
 * For importers that program such addresses differently, a GPU that marks them
 * as not snooped for example. Only an importer that set
 * &dma_buf_attach_ops.allow_peer2peer can see it being true.
 *
 * Context: Any.
 * Return: true if a device backs the buffer, false for system memory.
 */
bool dma_buf_list_is_peer(const struct dma_buf_list *list)
{
	return list->peer;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_list_is_peer, "DMA_BUF");

/**
 * dma_buf_list_grant_pages - let importers see the pages of a list
 * @list: the list, freshly made
 *
 * For exporters of system memory whose pages may be used by the few importers
 * that cannot do with DMA addresses. It changes nothing for all others.
 *
 * Context: Before the exporter hands @list out.
 */
void dma_buf_list_grant_pages(struct dma_buf_list *list)
{
	list->granted = !list->nchunks || list->chunks[0].page;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_list_grant_pages, "DMA_BUF");

/* Reads the next chunk of the window into cursor->ahead. */
static void dma_buf_cursor_advance(struct dma_buf_cursor *cursor)
{
	struct dma_buf_chunk *ahead = &cursor->ahead;

	if (!cursor->left) {
		ahead->npages = 0;
		return;
	}

	*ahead = cursor->list->chunks[cursor->index++];
	ahead->npages = min(ahead->npages, cursor->left);
	cursor->left -= ahead->npages;
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
	unsigned long skip = min(pgoff, list->npages);

	*cursor = (struct dma_buf_cursor) {
		.list = list,
		.left = skip + min(npages, list->npages - skip),
	};

	for (;;) {
		dma_buf_cursor_advance(cursor);
		if (skip < cursor->ahead.npages || !cursor->ahead.npages)
			break;
		skip -= cursor->ahead.npages;
	}

	cursor->ahead.dma_addr += (dma_addr_t)skip << PAGE_SHIFT;
	cursor->ahead.npages -= skip;
	if (cursor->ahead.page)
		cursor->ahead.page += skip;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_cursor_init_part, "DMA_BUF");

/**
 * dma_buf_cursor_init - read a list from its start to its end
 * @cursor: cursor to set up
 * @list: list to read
 *
 * Context: Any, as long as @list stays mapped.
 */
void dma_buf_cursor_init(struct dma_buf_cursor *cursor,
			 const struct dma_buf_list *list)
{
	*cursor = (struct dma_buf_cursor) {
		.list = list,
		.left = list->npages,
	};
	dma_buf_cursor_advance(cursor);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_cursor_init, "DMA_BUF");

/**
 * dma_buf_cursor_grant_pages - let a cursor yield pages
 * @cursor: cursor that was just set up
 *
 * An importer has no business with the pages of a buffer: they may not be there,
 * and where they are then the CPU's view of them is the exporter's to manage.
 * This is for the drivers that map a buffer into an IOMMU domain of their own
 * and need its physical addresses. They are named at the export of this symbol,
 * and the exporter has to agree with dma_buf_list_grant_pages().
 *
 * Context: Any. Warns once under CONFIG_DMABUF_DEBUG when it fails, since the
 * caller then relies on something it was never promised.
 * Return: true if the chunks of @cursor have their page set from now on.
 */
bool dma_buf_cursor_grant_pages(struct dma_buf_cursor *cursor)
{
	cursor->pages = cursor->list->granted;
	WARN_ONCE(IS_ENABLED(CONFIG_DMABUF_DEBUG) && !cursor->pages,
		  "dma-buf: pages read without a grant of the exporter\n");
	return cursor->pages;
}
EXPORT_SYMBOL_FOR_MODULES(dma_buf_cursor_grant_pages, "dmabuf_kunit");

/**
 * dma_buf_cursor_next_chunk - step to the next chunk
 * @cursor: the cursor
 *
 * Context: Any, as long as the list stays mapped.
 * Return: A copy of the chunk. Its npages is zero at the end.
 */
struct dma_buf_chunk dma_buf_cursor_next_chunk(struct dma_buf_cursor *cursor)
{
	struct dma_buf_chunk chunk = cursor->ahead;

	if (!cursor->pages)
		chunk.page = NULL;
	if (chunk.npages)
		dma_buf_cursor_advance(cursor);
	return chunk;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_cursor_next_chunk, "DMA_BUF");

/**
 * dma_buf_cursor_next_range - step to the next DMA-contiguous range
 * @cursor: the cursor
 *
 * Context: Any, as long as the list stays mapped.
 * Return: The range, as large as it can be, without a page. Its npages is zero
 * at the end.
 */
struct dma_buf_chunk dma_buf_cursor_next_range(struct dma_buf_cursor *cursor)
{
	struct dma_buf_chunk range = cursor->ahead;

	range.page = NULL;
	if (!range.npages)
		return range;

	for (;;) {
		u64 end = (u64)range.dma_addr + ((u64)range.npages << PAGE_SHIFT);

		dma_buf_cursor_advance(cursor);
		if (!cursor->ahead.npages || cursor->ahead.dma_addr != end)
			return range;
		range.npages += cursor->ahead.npages;
	}
}
EXPORT_SYMBOL_NS_GPL(dma_buf_cursor_next_range, "DMA_BUF");

/**
 * dma_buf_list_block_size - largest block that fits all ranges of a list
 * @list: the list
 * @supported: the sizes that the device can use, a bitmap of powers of two
 *
 * A block size fits if no block would hold the end of one range and the start
 * of another, which is to say that every border between two ranges lies on a
 * multiple of it. See dma_buf_list_for_each_block().
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
		if (seen < list->npages)
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

	if (list->npages < npages)
		return -EINVAL;

	dma_buf_cursor_init_part(&cursor, list, 0, npages);
	while (dma_buf_cursor_next_block(&cursor, PAGE_SIZE, &addr))
		*addrs++ = addr;
	return 0;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_list_copy_addrs, "DMA_BUF");
