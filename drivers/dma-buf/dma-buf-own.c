// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of a driver's own, which it gets a few pages at a time
 */
#include <linux/err.h>
#include <linux/export.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "dma-buf-internal.h"

/**
 * dma_buf_own_alloc - start to collect pages of a driver's own
 *
 * For a driver that does not have all its pages in an array: it pins those of a
 * process in batches for example. They are kept as physical runs, so it needs no
 * array of them afterwards.
 *
 * Context: May sleep.
 * Return: Where dma_buf_own_add() puts them, free it with dma_buf_own_free(); NULL if
 * there is no memory.
 */
struct dma_buf_own *dma_buf_own_alloc(void)
{
	/* A process may register many single pages: set what is read, no more. */
	struct dma_buf_own *own = kmalloc_obj(*own);

	if (!own)
		return NULL;
	dma_buf_writer_init(&own->runs, own->one, ARRAY_SIZE(own->one), 0);
	own->last.npages = 0;
	own->generic = false;
	return own;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_own_alloc, "DMA_BUF");

/**
 * dma_buf_own_add - add pages at the end
 * @own: what dma_buf_own_alloc() returned, of which there is no list yet
 * @pages: the pages in order, system memory; may repeat
 * @npages: length of @pages
 *
 * Contiguous pages become one run, also with those that were added before.
 *
 * Context: May sleep.
 * Return: 0, -EINVAL for a page of a device, or -ENOMEM. After an error the pages in
 * front of the one that did not fit have been added, see dma_buf_own_npages().
 */
int dma_buf_own_add(struct dma_buf_own *own, struct page *const *pages,
		    unsigned long npages)
{
	struct dma_buf_walk walk = {
		.kind = DMA_BUF_WALK_PAGES,
		.pages = pages,
		.nr = npages,
		.has_pages = true,
		.test = dma_buf_in_test(),
	};

	return dma_buf_walk_collect(&walk, own);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_own_add, "DMA_BUF");

/**
 * dma_buf_own_npages - how many pages were added
 * @own: where they were added
 *
 * Context: Any, but not while pages are added.
 * Return: The number of pages.
 */
unsigned long dma_buf_own_npages(const struct dma_buf_own *own)
{
	return own->runs.npages;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_own_npages, "DMA_BUF");

/**
 * dma_buf_own_start - start to read the pages that were added
 * @cursor: cursor to set up, for nothing but dma_buf_own_next()
 * @own: where they were added
 *
 * Context: Any, as long as nothing is added.
 */
void dma_buf_own_start(struct dma_buf_cursor *cursor,
		       const struct dma_buf_own *own)
{
	cursor->next = own->runs.first;
	cursor->offset = 0;
	cursor->left = own->runs.npages;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_own_start, "DMA_BUF");

/**
 * dma_buf_own_free - free what dma_buf_own_alloc() returned
 * @own: what it returned, or NULL. Lists of it must have been freed before.
 *
 * The pages are the driver's business.
 *
 * Context: May sleep.
 */
void dma_buf_own_free(struct dma_buf_own *own)
{
	if (!own)
		return;

	dma_buf_blocks_free(own->runs.blocks);
	kfree(own);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_own_free, "DMA_BUF");
