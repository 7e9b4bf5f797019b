// SPDX-License-Identifier: GPL-2.0-only
/*
 * The inline functions of the cursor, in a file that coverage is counted in
 */
#include "fuzz.h"

void cursor_init(struct dma_buf_cursor *cursor, const struct dma_buf_list *list)
{
	dma_buf_cursor_init(cursor, list);
}

struct dma_buf_chunk cursor_range(struct dma_buf_cursor *cursor)
{
	return dma_buf_cursor_next_range(cursor);
}

bool cursor_block(struct dma_buf_cursor *cursor, unsigned long size,
		  dma_addr_t *addr)
{
	return dma_buf_cursor_next_block(cursor, size, addr);
}

bool cursor_page(struct dma_buf_cursor *cursor, dma_addr_t *addr)
{
	return dma_buf_cursor_next_page(cursor, addr);
}
