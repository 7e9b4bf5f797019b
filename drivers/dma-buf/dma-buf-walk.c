// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads what backs a buffer, however it is described, as physical runs
 *
 * There is a separate loop for each way to describe memory, so the differences are
 * resolved at compile time. One loop for all of them takes a quarter more time for
 * single pages.
 */
#include <linux/align.h>
#include <linux/err.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>

#include "dma-buf-internal.h"

enum dma_buf_mem { DMA_BUF_MEM_SYSTEM, DMA_BUF_MEM_GENERIC, DMA_BUF_MEM_OTHER };

/*
 * Device memory may have struct pages too, but dma-buf does not know how to map it.
 * MEMORY_DEVICE_GENERIC is like other memory: Xen uses it for foreign pages. But it
 * may be above max_pfn.
 */
static __always_inline enum dma_buf_mem dma_buf_mem_of_pfn(unsigned long pfn)
{
	struct page *page = pfn_to_page(pfn);

	if (likely(!is_zone_device_page(page)))
		return DMA_BUF_MEM_SYSTEM;
	return page_pgmap(page)->type == MEMORY_DEVICE_GENERIC ?
	       DMA_BUF_MEM_GENERIC : DMA_BUF_MEM_OTHER;
}

/* Such memory fills whole subsections of the memmap: all pages of one are alike. */
static __always_inline bool dma_buf_pfns_alike(unsigned long first,
					       unsigned long last)
{
#ifdef CONFIG_SPARSEMEM
	return !((first ^ last) & PAGE_SUBSECTION_MASK);
#else
	return first == last;
#endif
}

/* For the same reason checking both ends is enough. */
static __always_inline enum dma_buf_mem
dma_buf_mem_of_pages(phys_addr_t phys, unsigned long npages)
{
	unsigned long first = PHYS_PFN(phys), last = first + npages - 1;
	enum dma_buf_mem mem = dma_buf_mem_of_pfn(first);

	/* Arrays of single pages are common, and need not be asked more. */
	return npages == 1 || dma_buf_pfns_alike(first, last) ? mem :
	       max(mem, dma_buf_mem_of_pfn(last));
}

/* The same for a range that may have no struct page. */
static noinline enum dma_buf_mem dma_buf_mem_of(phys_addr_t phys,
						unsigned long npages)
{
	unsigned long first = PHYS_PFN(phys), last = first + npages - 1;

	if (!pfn_valid(first) ||
	    (!dma_buf_pfns_alike(first, last) && !pfn_valid(last)))
		return DMA_BUF_MEM_OTHER;
	return dma_buf_mem_of_pages(phys, npages);
}

/* Called for each run, so KUnit replaces it here and not in dma-buf-hw.c. */
bool dma_buf_hw_is_system_memory(phys_addr_t phys, unsigned long npages)
{
	DMA_BUF_STUB(dma_buf_hw_is_system_memory, phys, npages);
	return dma_buf_mem_of(phys, npages) != DMA_BUF_MEM_OTHER;
}
EXPORT_SYMBOL_FOR_DMABUF_KUNIT(dma_buf_hw_is_system_memory);

/* If the memmap has holes, neighbouring struct pages need not be neighbouring pages. */
static bool dma_buf_is_nth_page(const struct page *page,
				const struct page *first, unsigned long n)
{
	if (IS_ENABLED(CONFIG_SPARSEMEM) && !IS_ENABLED(CONFIG_SPARSEMEM_VMEMMAP))
		return page_to_pfn(page) == page_to_pfn(first) + n;
	return page == first + n;
}

/* How many pages are one run, if it is more than one. */
static noinline unsigned long
dma_buf_count_pages(struct page *const *pages, unsigned long max)
{
	unsigned long n;

	for (n = 2; n < max; n++)
		if (!dma_buf_is_nth_page(pages[n], pages[0], n))
			break;
	return n;
}

static __always_inline struct dma_buf_run
dma_buf_walk_pages(struct dma_buf_walk *walk)
{
	struct page *const *pages = walk->pages + walk->index;
	unsigned long n = 1, max = walk->nr - walk->index;

	if (max > 1 && dma_buf_is_nth_page(pages[1], pages[0], 1))
		n = dma_buf_count_pages(pages, max);

	walk->index += n;
	return (struct dma_buf_run) {
		.addr = page_to_phys(pages[0]),
		.npages = n,
	};
}

/*
 * The range at the position, without moving it. Here and below, @kind is a
 * compile-time constant.
 */
static __always_inline struct phys_vec
dma_buf_walk_peek(const struct dma_buf_walk *walk, enum dma_buf_walk_kind kind)
{
	if (kind != DMA_BUF_WALK_SG)
		return walk->vecs[walk->index];

	return (struct phys_vec) {
		.paddr = sg_phys(walk->sg),
		.len = walk->sg->length,
	};
}

static __always_inline void
dma_buf_walk_step(struct dma_buf_walk *walk, enum dma_buf_walk_kind kind)
{
	walk->index++;
	if (kind == DMA_BUF_WALK_SG)
		walk->sg = sg_next(walk->sg);
}

static __always_inline struct dma_buf_run
dma_buf_walk_ranges(struct dma_buf_walk *walk, enum dma_buf_walk_kind kind)
{
	struct phys_vec vec = dma_buf_walk_peek(walk, kind);
	struct dma_buf_run run = {
		.addr = vec.paddr,
		.npages = PFN_UP(vec.len),
	};

	for (dma_buf_walk_step(walk, kind);
	     !walk->apart && walk->index < walk->nr;
	     dma_buf_walk_step(walk, kind)) {
		unsigned long n;

		vec = dma_buf_walk_peek(walk, kind);
		/* The address space ends here: do not merge across the wrap. */
		if (!vec.paddr || vec.paddr != run.addr + PFN_PHYS(run.npages))
			break;
		n = PFN_UP(vec.len);
		if (n > DMA_BUF_RUN_MAX_PAGES - run.npages)
			break;
		run.npages += n;
	}
	return run;
}

static __always_inline enum dma_buf_mem
dma_buf_walk_mem(const struct dma_buf_walk *walk, struct dma_buf_run run,
		 enum dma_buf_walk_kind kind)
{
	if (unlikely(walk->test))
		return dma_buf_hw_is_system_memory(run.addr, run.npages) ?
		       DMA_BUF_MEM_SYSTEM : DMA_BUF_MEM_OTHER;
	/* Pages in an array exist. */
	return kind == DMA_BUF_WALK_PAGES ?
	       dma_buf_mem_of_pages(run.addr, run.npages) :
	       dma_buf_mem_of(run.addr, run.npages);
}

/* Reads the next run, if there is one and nothing is left of the one before. */
static __always_inline int dma_buf_walk_next(struct dma_buf_walk *walk,
					     enum dma_buf_walk_kind kind)
{
	enum dma_buf_mem mem;

	if (walk->rest.npages || walk->index == walk->nr)
		return 0;

	/* These were checked when they were collected. */
	if (kind == DMA_BUF_WALK_RUNS) {
		walk->runs = dma_buf_run_read(walk->runs, &walk->rest.addr,
					      &walk->rest.npages);
		walk->index++;
		return 0;
	}

	walk->rest = kind == DMA_BUF_WALK_PAGES ?
		     dma_buf_walk_pages(walk) :
		     dma_buf_walk_ranges(walk, kind);
	if (kind != DMA_BUF_WALK_PAGES && !walk->has_pages)
		return 0;

	mem = dma_buf_walk_mem(walk, walk->rest, kind);
	if (likely(mem == DMA_BUF_MEM_SYSTEM))
		return 0;
	walk->generic = true;
	return mem == DMA_BUF_MEM_GENERIC ? 0 : -EINVAL;
}

/*
 * The next run or the first part of it, which is as long as @max_pages and a
 * memmap with holes allow.
 */
static __always_inline struct dma_buf_run
dma_buf_walk_cut(const struct dma_buf_walk *walk, unsigned long max_pages)
{
	struct dma_buf_run run = walk->rest;

	run.npages = min(run.npages, max_pages);
	while (walk->has_pages && run.npages > 1 &&
	       !page_range_contiguous(phys_to_page(run.addr), run.npages))
		run.npages /= 2;
	return run;
}

/*
 * Tells in @parts if there is more than what fits a run of @max_pages. Reads the first
 * run, unless that is known without.
 */
int dma_buf_walk_start(struct dma_buf_walk *walk, unsigned long max_pages,
		       bool *parts)
{
	int ret;

	/* Any two of them are two parts. */
	*parts = walk->apart && walk->nr > 1;
	if (*parts)
		return 0;

	ret = dma_buf_walk_next(walk, walk->kind);
	if (ret)
		return ret;

	*parts = walk->index < walk->nr ||
		 dma_buf_walk_cut(walk, max_pages).npages < walk->rest.npages;
	return 0;
}

static __always_inline int dma_buf_walk_read_as(struct dma_buf_walk *at,
						unsigned long max_pages,
						struct dma_buf_writer *to,
						enum dma_buf_walk_kind kind)
{
	struct dma_buf_writer phys = *to;
	struct dma_buf_walk walk = *at;
	int ret;

	for (;;) {
		struct dma_buf_run run;

		ret = dma_buf_walk_next(&walk, kind);
		if (ret)
			break;
		run = dma_buf_walk_cut(&walk, max_pages);
		if (!run.npages || !dma_buf_writer_put(&phys, run))
			break;
		walk.rest.addr += PFN_PHYS(run.npages);
		walk.rest.npages -= run.npages;
	}

	*to = phys;
	*at = walk;
	return ret;
}

static int dma_buf_walk_read_many(struct dma_buf_walk *walk,
				  unsigned long max_pages,
				  struct dma_buf_writer *phys)
{
	switch (walk->kind) {
	case DMA_BUF_WALK_PAGES:
		return dma_buf_walk_read_as(walk, max_pages, phys,
					    DMA_BUF_WALK_PAGES);
	case DMA_BUF_WALK_SG:
		return dma_buf_walk_read_as(walk, max_pages, phys,
					    DMA_BUF_WALK_SG);
	case DMA_BUF_WALK_RUNS:
		return dma_buf_walk_read_as(walk, max_pages, phys,
					    DMA_BUF_WALK_RUNS);
	default:
		return dma_buf_walk_read_as(walk, max_pages, phys,
					    DMA_BUF_WALK_VECS);
	}
}

/* Writes the run that was read, unless it has to be cut or there is no room. */
static bool dma_buf_walk_put_rest(struct dma_buf_walk *walk,
				  unsigned long max_pages,
				  struct dma_buf_writer *phys)
{
	struct dma_buf_run run = dma_buf_walk_cut(walk, max_pages);

	if (!run.npages || run.npages < walk->rest.npages ||
	    !dma_buf_writer_put(phys, run))
		return false;

	walk->rest.npages = 0;
	return true;
}

/*
 * Writes the next runs to @phys, none longer than @max_pages, as many as there is
 * room for. Returns -EINVAL for memory of the wrong kind.
 */
int dma_buf_walk_read(struct dma_buf_walk *walk, unsigned long max_pages,
		      struct dma_buf_writer *phys)
{
	/* Often there is a single run, which was read to choose the route. */
	if (walk->index == walk->nr && dma_buf_walk_put_rest(walk, max_pages, phys))
		return 0;
	return dma_buf_walk_read_many(walk, max_pages, phys);
}

/* Is @run the continuation of @last, in memory and in the memmap? */
static bool dma_buf_run_follows(struct dma_buf_run last, struct dma_buf_run run)
{
	return last.npages && run.addr == last.addr + PFN_PHYS(last.npages) &&
	       run.npages <= DMA_BUF_RUN_MAX_PAGES - last.npages &&
	       page_range_contiguous(phys_to_page(last.addr),
				     last.npages + run.npages);
}

/* Adds an array of pages to @own. Returns -EINVAL for memory of the wrong kind. */
int dma_buf_walk_collect(struct dma_buf_walk *walk, struct dma_buf_own *own)
{
	struct dma_buf_writer *runs = &own->runs;
	int ret;

	for (;;) {
		struct dma_buf_run run;
		unsigned long npages;

		ret = dma_buf_walk_next(walk, DMA_BUF_WALK_PAGES);
		if (ret)
			break;
		run = dma_buf_walk_cut(walk, DMA_BUF_RUN_MAX_PAGES);
		npages = run.npages;
		if (!npages)
			break;

		if (dma_buf_run_follows(own->last, run)) {
			/* Write the last one again, with these pages. */
			run.addr = own->last.addr;
			run.npages += own->last.npages;
			runs->pos = own->at;
			runs->npages -= own->last.npages;
			runs->nruns--;
		} else if (runs->end - runs->pos < 2) {
			/* How many more there will be is unknown: as many again. */
			runs->expect = 2 * runs->nruns;
			ret = dma_buf_writer_grow(runs);
			if (ret)
				break;
		}
		own->at = runs->pos;
		own->last = run;
		dma_buf_writer_put(runs, run);
		walk->rest.addr += PFN_PHYS(npages);
		walk->rest.npages -= npages;
	}

	own->generic |= walk->generic;
	return ret;
}

/* Does only the last range end within a page? */
static __always_inline bool
dma_buf_walk_ends_partial(struct dma_buf_walk walk, enum dma_buf_walk_kind kind)
{
	struct phys_vec vec;

	for (;; dma_buf_walk_step(&walk, kind)) {
		vec = dma_buf_walk_peek(&walk, kind);
		if (walk.index == walk.nr - 1)
			return PAGE_ALIGNED(vec.paddr);
		if (!PAGE_ALIGNED(vec.paddr | vec.len))
			return false;
	}
}

static __always_inline int
dma_buf_walk_check_as(struct dma_buf_walk *at, enum dma_buf_walk_kind kind,
		      bool partial, unsigned long *npages)
{
	struct dma_buf_walk walk = *at;
	phys_addr_t next = 0, bits = 0;
	bool joined = false;
	size_t sum = 0;

	for (; walk.index < walk.nr; dma_buf_walk_step(&walk, kind)) {
		struct phys_vec vec;

		if (kind == DMA_BUF_WALK_SG && !sg_page(walk.sg))
			return -EINVAL;

		vec = dma_buf_walk_peek(&walk, kind);
		joined |= vec.paddr == next;
		next = vec.paddr + vec.len;
		bits |= vec.paddr;
		bits |= next;
		/* The sum has to grow, which finds an empty range as well. */
		if (next <= vec.paddr || sum + vec.len <= sum) {
			if (next || sum + vec.len <= sum)
				return vec.len ? -EOVERFLOW : -EINVAL;
			/* It ends with the last page that has an address. */
			bits |= -(phys_addr_t)PAGE_SIZE;
		}
		sum += vec.len;
	}

	if (unlikely(!PAGE_ALIGNED(bits))) {
		if (!partial || !dma_buf_walk_ends_partial(*at, kind))
			return -EINVAL;
		joined = true;
	}

	/*
	 * The size of a buffer is a size_t, and dma_iova_try_alloc() keeps a
	 * bit of its u64 for itself.
	 */
	if (sum > ALIGN_DOWN(min_t(u64, SIZE_MAX, U64_MAX >> 1), PAGE_SIZE))
		return -EOVERFLOW;

	*npages = PFN_UP(sum);
	at->apart = !joined;
	at->bits = bits;
	return 0;
}

/*
 * Checks physical ranges and counts their pages. Only the last one may end
 * within a page, and only if @partial.
 */
int dma_buf_walk_check(struct dma_buf_walk *walk, bool partial,
		       unsigned long *npages)
{
	/* The pointer to a table is checked with this: it is a union. */
	if (walk->nr && !walk->vecs)
		return -EINVAL;
	if (walk->kind == DMA_BUF_WALK_SG)
		return dma_buf_walk_check_as(walk, DMA_BUF_WALK_SG, partial,
					     npages);
	return dma_buf_walk_check_as(walk, DMA_BUF_WALK_VECS, partial, npages);
}

/*
 * The next ranges of an array in which none continues the one before, as they are.
 * @npages: of the whole buffer, and then of these. Returns how many, @max at most,
 * or -EINVAL for memory of the wrong kind.
 */
int dma_buf_walk_take(struct dma_buf_walk *walk, unsigned int max,
		      const struct phys_vec **vecs, unsigned long *npages)
{
	unsigned int i, n = min(walk->nr - walk->index, max);
	const struct phys_vec *vec = walk->vecs + walk->index;
	size_t sum = 0;

	for (i = 0; walk->has_pages && i < n; i++) {
		struct dma_buf_run run = {
			.addr = vec[i].paddr,
			.npages = PHYS_PFN(vec[i].len),
		};

		if (dma_buf_walk_mem(walk, run, DMA_BUF_WALK_VECS) ==
		    DMA_BUF_MEM_OTHER)
			return -EINVAL;
	}
	if (n < walk->nr) {
		for (i = 0; i < n; i++)
			sum += vec[i].len;
		*npages = PHYS_PFN(sum);
	}

	walk->index += n;
	*vecs = vec;
	return n;
}

/* Does @dev reach all ranges through the host bridge? */
bool dma_buf_walk_reached(const struct dma_buf_walk *walk, struct device *dev)
{
	unsigned long i;

	for (i = 0; walk->kind == DMA_BUF_WALK_VECS && i < walk->nr; i++)
		if (!dma_buf_hw_reaches(dev, walk->vecs[i].paddr +
					     walk->vecs[i].len - 1))
			return false;
	return true;
}
