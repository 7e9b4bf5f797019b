/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Buffers whose contents say what they are, for p2p-soak
 *
 * A buffer consists of cells. Each has the number of its buffer, its own, and
 * that of the write that put it there, and then bytes that follow from these. So
 * whoever reads a cell knows if it is the one that was written last, and if not,
 * what it is and how it got there.
 */
#ifndef P2P_SOAK_H
#define P2P_SOAK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#define PAGE		4096
#define CELL		256
#define PAGE_CELLS	(PAGE / CELL)
#define MAX_PAGES	8
#define MAX_CELLS	(MAX_PAGES * PAGE_CELLS)
#define CELL_MAGIC	0x5ea1ed

struct cell {
	uint32_t magic;
	uint32_t buffer;
	uint32_t index;
	uint32_t write;
	uint64_t bytes[(CELL - 16) / 8];
};

/* What became of a buffer when its device went away */
enum fate {
	FATE_OPEN,
	FATE_LOST,		/* it was in the BAR */
	FATE_SURVIVED,		/* it was in system memory */
};

/**
 * struct buffer - a dma-buf, and what it holds
 * @refs: the table until it is closed, imports and running operations
 * @fd: the dma-buf, or negative once it is closed: attachments keep it alive
 * @bar: the exporter's open file it came from, or negative
 * @exporter: number of that device, or negative
 * @gen: of the exporter at that time, see struct device
 * @page: whoever reads or writes as a user of the buffer has these locks, as
 *	real users have their own ways not to get in each other's way. What moves
 *	or takes away the buffer has not.
 * @written: the last write that succeeded, for each cell; zero is an empty cell
 * @inflight: operations on this buffer right now
 */
struct buffer {
	int refs;
	uint32_t id;
	int fd;
	int bar;
	int exporter;
	unsigned int gen;
	size_t npages;
	atomic_int fate;	/* enum fate */
	pthread_rwlock_t page[MAX_PAGES];
	uint32_t written[MAX_CELLS];
	atomic_uint inflight[32];
};

static inline uint64_t rnd(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state * 0x2545f4914f6cdd1dULL;
}

/* A number below n */
static inline unsigned int pick(uint64_t *state, unsigned int n)
{
	return (rnd(state) >> 33) % n;
}

static inline void cell_fill(struct cell *cell, uint32_t buffer, uint32_t index,
			     uint32_t write)
{
	uint64_t state = (uint64_t)buffer << 40 ^ (uint64_t)index << 32 ^ write;
	size_t i;

	memset(cell, 0, sizeof(*cell));
	if (!write)
		return;
	cell->magic = CELL_MAGIC;
	cell->buffer = buffer;
	cell->index = index;
	cell->write = write;
	state |= 1;
	for (i = 0; i < sizeof(cell->bytes) / 8; i++)
		cell->bytes[i] = rnd(&state);
}

/* Says what is wrong with a cell, or returns false. */
static inline bool cell_is_wrong(const struct buffer *buf, uint32_t index,
				 const struct cell *got, char *why, size_t size)
{
	struct cell want, self;

	cell_fill(&want, buf->id, index, buf->written[index]);
	if (!memcmp(&want, got, CELL))
		return false;

	cell_fill(&self, got->buffer, got->index, got->write);
	snprintf(why, size,
		 "buffer %u cell %u is not of write %u but %s: buffer %u cell %u write %u",
		 buf->id, index, buf->written[index],
		 got->magic != CELL_MAGIC ? "no cell" :
		 memcmp(&self, got, CELL) ? "torn" :
		 got->buffer != buf->id ? "another buffer" :
		 got->index != index ? "from another place" : "older",
		 got->buffer, got->index, got->write);
	return true;
}

/* Locks the pages of some cells, if nobody has them. */
static inline bool lock_cells(struct buffer *buf, unsigned int first,
			      unsigned int nr, bool write)
{
	unsigned int page = first / PAGE_CELLS, last = (first + nr - 1) / PAGE_CELLS;
	unsigned int i;

	for (i = page; i <= last; i++) {
		if (!(write ? pthread_rwlock_trywrlock(&buf->page[i]) :
			      pthread_rwlock_tryrdlock(&buf->page[i])))
			continue;
		while (i-- > page)
			pthread_rwlock_unlock(&buf->page[i]);
		return false;
	}
	return true;
}

static inline void unlock_cells(struct buffer *buf, unsigned int first,
				unsigned int nr)
{
	unsigned int page = first / PAGE_CELLS, last = (first + nr - 1) / PAGE_CELLS;

	for (; page <= last; page++)
		pthread_rwlock_unlock(&buf->page[page]);
}

#endif
