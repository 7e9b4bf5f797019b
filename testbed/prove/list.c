// SPDX-License-Identifier: GPL-2.0-only
/*
 * For cbmc: the storage of the list, and what its cursors make of it
 *
 * prove_add() is a step of an induction, and so for any number of runs. It puts
 * the real writer into each state that it can be in, with anything in memory, adds
 * any run, and looks whether
 *  - all that was stored before is still there, or has moved with where it begins,
 *  - reading on from where it ended yields this run, and ends where it now ends,
 *  - this is a state that a writer can be in, or, without memory, the old one.
 * Each block is an object of the size that was asked for: cbmc finds an access
 * outside of it, as well as to one that was freed.
 *
 * Nothing is added after trimming, which prove_trim() has.
 *
 * The others are for every sequence of RUNS runs and a reader that starts anywhere. The cursors see memory through
 * dma_buf_run_read() only, and the above has shown what that yields: run after run, up
 * to the last one. With -D CONTRACT it does no more than that, and fails if it is
 * asked for another one; prove.sh gives the real one another name then.
 */
#include "dma-buf-internal.h"

/* How many runs there are, and in which of them a reader starts */
#ifndef RUNS
#define RUNS	2
#define AT	0
#endif

/* As dma-buf-list.c has them */
#define LINK_WORDS	3
#define BLOCK_MAX	((SZ_4K - sizeof(struct dma_buf_block)) / sizeof(u64) - LINK_WORDS)
#define BLOCK_MIN	2
#define HEAD_WORDS	(sizeof(struct dma_buf_block) / sizeof(u64))

#define claim(text, condition)	__CPROVER_assert(condition, text)

/* cbmc knows functions of such names as having any value. */
unsigned long nondet_any(void);
u64 nondet_any_u64(void);
_Bool nondet_any_bool(void);

/* The kernel around it */

struct shim_config shim;

/* Sizes that are constants, and memory that is words, are what cbmc is quick with. */
void *shim_alloc(size_t size, bool zero)
{
	if (nondet_any_bool())
		return NULL;
	switch (size / sizeof(u64)) {
#define SIZE(n) case n: return malloc((n) * sizeof(u64))
	SIZE(1); SIZE(2); SIZE(3); SIZE(4); SIZE(5); SIZE(6); SIZE(7); SIZE(8);
	}
	claim("a size that a block can have", false);
	return NULL;
}

void kfree(const void *p)
{
	free((void *)p);
}

/* Whatever an allocator makes of it */
size_t kmalloc_size_roundup(size_t size)
{
	size_t rounded = nondet_any();

	__CPROVER_assume(rounded >= size);
	return rounded;
}

void cond_resched(void)
{
}

void shim_warn(const char *file, int line, const char *text)
{
	claim("nothing is worth a warning", false);
}

struct page *pfn_to_page(unsigned long pfn)
{
	return (struct page *)pfn;
}

/* dma_buf_walk_check() sees to it that a buffer is no longer. */
#define MAX_PAGES	((unsigned long)(min((u64)SIZE_MAX, U64_MAX >> 1) >> PAGE_SHIFT))

static struct dma_buf_run any_run(void)
{
	struct dma_buf_run run = { .addr = nondet_any_u64(), .npages = nondet_any() };

	__CPROVER_assume(!(run.addr & (PAGE_SIZE - 1)));
	__CPROVER_assume(run.npages && run.npages <= MAX_PAGES);
	return run;
}

/* The writer */

/* Where a block is: in the room that the caller gave, the first, or a later one. */
enum place { HERE, FIRST, LATER };

/* @room and @used are constants, since cbmc is good at these. */
#ifndef PLACE
#define PLACE	HERE
#define ROOM	2
#define USED	0
#endif

static u64 *words, *link, copy[ROOM + 1];
static struct dma_buf_block *before, *block;
static struct dma_buf_writer writer, old;

/* A writer that has taken USED of ROOM words. */
static void any_writer(void)
{
	unsigned long i;

	writer.expect = nondet_any();
	__CPROVER_assume(writer.expect <= MAX_PAGES);
	if (PLACE == HERE) {
		words = malloc(ROOM * sizeof(u64));
		dma_buf_writer_init(&writer, words, ROOM, writer.expect);
	} else {
		block = malloc((HEAD_WORDS + ROOM + LINK_WORDS) * sizeof(u64));
		block->next = NULL;
		words = block->words;
		writer.last = block;
		writer.end = words + ROOM;
	}
	if (PLACE == FIRST) {
		writer.first = words;
		writer.blocks = block;
	}
	if (PLACE == LATER) {
		/* It stands for all blocks before. All of it that matters is the link. */
		before = malloc((HEAD_WORDS + LINK_WORDS) * sizeof(u64));
		before->next = block;
		before->words[0] = 0;
		before->words[1] = 0;
		link = &before->words[2];
		*link = (unsigned long)words;
		writer.first = before->words;
		writer.blocks = before;
		writer.link = link;
	}
	writer.pos = words + USED;
	writer.nruns = nondet_any();
	writer.npages = nondet_any();
	__CPROVER_assume(writer.nruns <= writer.npages && writer.npages <= MAX_PAGES);
	for (i = 0; i < USED; i++)
		copy[i] = words[i];
	old = writer;
}

void prove_add(void)
{
	struct dma_buf_run run = any_run(), read;
	const u64 *end;
	unsigned long i;
	int ret;

	any_writer();
	__CPROVER_assume(run.npages <= MAX_PAGES - writer.npages);
	ret = dma_buf_writer_add(&writer, run);
	if (ret) {
		claim("an error is for want of memory", ret == -ENOMEM);
		claim("without memory nothing changes",
		      writer.first == old.first && writer.pos == old.pos &&
		      writer.end == old.end && writer.link == old.link &&
		      writer.last == old.last && writer.blocks == old.blocks &&
		      writer.npages == old.npages && writer.nruns == old.nruns);
		return;
	}

	claim("it is counted", writer.npages == old.npages + run.npages &&
			       writer.nruns == old.nruns + 1);
	if (PLACE == HERE)
		words = writer.first;
	for (i = 0; i < USED; i++)
		claim("what was there is there, or has moved", words[i] == copy[i]);
	end = dma_buf_run_read(words + USED, &read.addr, &read.npages);
	claim("what was added is read",
	      read.addr == run.addr && read.npages == run.npages);
	claim("and reading ends where the next one goes", end == writer.pos);

	/* Is this a state to go on from? */
	claim("there is room, or none", writer.pos <= writer.end);
	if (writer.last == old.last) {
		claim("no new block, no new link", writer.first == old.first &&
		      writer.end == old.end && writer.link == old.link &&
		      writer.blocks == old.blocks);
		return;
	}
	claim("a block is for two words and a link at least",
	      writer.end >= writer.last->words + BLOCK_MIN &&
	      __CPROVER_OBJECT_SIZE(writer.last) ==
	      (HEAD_WORDS + (writer.end - writer.last->words) + LINK_WORDS) * sizeof(u64));
	claim("it is the last one", !writer.last->next);
	if (old.last)
		claim("a later block has a link", writer.first == old.first &&
		      writer.blocks == old.blocks && old.last->next == writer.last &&
		      *writer.link == (unsigned long)writer.last->words);
	else
		claim("the first block has none", writer.first == writer.last->words &&
		      writer.blocks == writer.last && !writer.link);
}

/* Nothing is added after that. */
void prove_trim(void)
{
	unsigned long i;

	any_writer();
	dma_buf_writer_trim(&writer);
	claim("nothing else changes", writer.npages == old.npages &&
	      writer.nruns == old.nruns && writer.link == old.link);
	if (writer.last == old.last) {
		claim("nothing changes", writer.first == old.first && writer.pos == old.pos &&
					 writer.blocks == old.blocks);
		return;
	}
	words = writer.last->words;
	if (PLACE == LATER)
		claim("the smaller block takes the place of the other",
		      before->next == writer.last && *link == (unsigned long)words &&
		      writer.first == old.first && writer.blocks == before);
	else
		claim("the smaller block takes the place of the only one",
		      writer.blocks == writer.last && writer.first == words);
	claim("it is the last one", !writer.last->next);
	for (i = 0; i < USED; i++)
		claim("its words moved", words[i] == copy[i]);
	claim("reading ends where it ended", writer.pos == words + USED);
	claim("there is no room", writer.end == writer.pos);
}

/* The cursors */

static u64 place[RUNS + 1];	/* of each run, for pointers to it */
static struct dma_buf_run run[RUNS];
static unsigned long npages;
static u64 offset;

#ifdef CONTRACT
const u64 *dma_buf_run_read(const u64 *word, u64 *addr, unsigned long *npages)
{
	unsigned long i = word - place;

	claim("only runs that are there are read", i < RUNS);
	*addr = run[i].addr;
	*npages = run[i].npages;
	return word + 1;
}
#endif

/* Up to RUNS of any runs whose last byte has an address, with the offset too */
static void any_list(struct dma_buf_list *list)
{
	unsigned long i;
	u64 last;

	offset = nondet_any_u64() & ~((u64)PAGE_SIZE - 1);
	for (i = 0; i < RUNS; i++) {
		run[i] = any_run();
		__CPROVER_assume(run[i].npages <= MAX_PAGES - npages);
		__CPROVER_assume(!__builtin_add_overflow(run[i].addr + offset,
							 ((u64)run[i].npages << PAGE_SHIFT) - 1, &last));
		npages += run[i].npages;
	}
	writer.first = place;
	writer.nruns = RUNS;
	writer.npages = npages;
	dma_buf_list_set(list, &writer, offset);
}

/* A reader of @len pages from page @in of run AT on, which is page @before + @in */
static unsigned long in, len, before_at;

static void any_reader(const struct dma_buf_list *list, struct dma_buf_cursor *cursor)
{
	unsigned long i;

	for (i = 0; i < AT; i++)
		before_at += run[i].npages;
	in = nondet_any();
	len = nondet_any();
	__CPROVER_assume(in < run[AT].npages);
	dma_buf_cursor_init_part(cursor, list, before_at + in, len);
	/* What there is of it */
	len = min(len, npages - before_at - in);
}

static u64 start(unsigned long i)
{
	return run[i].addr + offset;
}

static u64 end(unsigned long i)
{
	return start(i) + ((u64)run[i].npages << PAGE_SHIFT);
}

/* Does run @i go on where the one before it ends? Not beyond the last address. */
static bool goes_on(unsigned long i)
{
	return end(i - 1) && end(i - 1) == start(i);
}

/* Two pages from anywhere on: that is every step of the loop over pages. */
void prove_pages(void)
{
	static struct dma_buf_list list;
	struct dma_buf_cursor cursor;
	dma_addr_t addr = 0;
	bool there;

	any_list(&list);
	claim("number of pages", dma_buf_list_npages(&list) == npages);
	claim("number of chunks", dma_buf_list_nchunks(&list) == RUNS);
	any_reader(&list, &cursor);

	there = dma_buf_cursor_next_page(&cursor, &addr);
	claim("a page is there", there == (len > 0));
	if (!there)
		return;
	claim("its address", addr == start(AT) + ((u64)in << PAGE_SHIFT));
	there = dma_buf_cursor_next_page(&cursor, &addr);
	claim("another is there", there == (len > 1));
	if (!there)
		return;
	if (in + 1 < run[AT].npages)
		claim("it is next to it", addr == start(AT) + ((u64)(in + 1) << PAGE_SHIFT));
	else
		claim("or the first of the next run", AT + 1 < RUNS && addr == start(AT + 1));
}

/* A range from anywhere on, and where the next one is: that is every step, too. */
void prove_ranges(void)
{
	static struct dma_buf_list list;
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk range, next;
	unsigned long i, border;
	bool why;

	any_list(&list);
	any_reader(&list, &cursor);
	range = dma_buf_cursor_next_range(&cursor);
	claim("it ends within the window", range.npages <= len);
	claim("there is one while there is a page", !range.npages == !len);
	if (!len)
		return;
	claim("it starts where the reader is",
	      range.dma_addr == start(AT) + ((u64)in << PAGE_SHIFT));

	next = dma_buf_cursor_next_range(&cursor);
	claim("another is there, or it was the last", !next.npages == (range.npages == len));
	why = range.npages == len;
	border = run[AT].npages - in;
	for (i = AT + 1; i < RUNS; i++) {
		if (border < range.npages)
			claim("it is contiguous", goes_on(i));
		if (border == range.npages && border < len) {
			claim("it is as large as it can be", !goes_on(i));
			claim("the next one starts there", next.dma_addr == start(i));
			why = true;
		}
		border += run[i].npages;
	}
	claim("it ends between two runs, or with the window", why);
}
