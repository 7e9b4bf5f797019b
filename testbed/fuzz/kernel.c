// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel around the page list: warnings, memory, pages, tables
 */
#include <malloc.h>
#include <stdarg.h>
#include <sanitizer/lsan_interface.h>

#include "fuzz.h"

struct shim_config shim;

void die(const char *file, int line, const char *what, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "fuzz: %s:%d: %s ", file, line, what);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

void shim_warn(const char *file, int line, const char *text)
{
	if (!hw.may_warn)
		die(file, line, text, "is worth a warning");
}

/* Memory */

void *shim_alloc(size_t size, bool zero)
{
	void *p;

	expect(size && size <= SZ_4K, "%zu bytes", size);
	if (++hw.allocs == hw.alloc_fail_at) {
		model_may_fail(ENOMEM);
		return NULL;
	}

	hw.allocated++;
	p = zero ? calloc(1, size) : malloc(size);
	expect(p);
	return p;
}

void kfree(const void *p)
{
	if (!p)
		return;
	hw.allocated--;
	free((void *)p);
}

/* The sanitizer knows where a leak comes from, but not before the process ends. */
void expect_allocated(unsigned int n)
{
	if (hw.allocated == n)
		return;
	__lsan_do_recoverable_leak_check();
	die(__FILE__, __LINE__, "leak", "%u allocated, %u expected",
	    hw.allocated, n);
}

/* As the slab allocator rounds, without its two odd sizes. */
size_t kmalloc_size_roundup(size_t size)
{
	size_t room = 8;

	while (room < size)
		room *= 2;
	return room;
}

/* Pages */

#define MEMMAP	BIT(BITS_PER_LONG - 4)

static bool is_device_pfn(u64 pfn)
{
	return pfn >= RAM_END && pfn < P2P_END;
}

/*
 * Of four sections the last two change places in the memmap, so that neighbours
 * in memory are none there and the other way round.
 */
static u64 shuffle(u64 pfn)
{
	u64 section = pfn >> shim.section_shift;

	return shim.sections && section & 2 ?
	       pfn ^ BIT(shim.section_shift) : pfn;
}

bool pfn_valid(unsigned long pfn)
{
	return pfn < P2P_END;
}

struct page *pfn_to_page(unsigned long pfn)
{
	return (struct page *)(MEMMAP +
			       (unsigned long)shuffle(pfn) * sizeof(struct page));
}

unsigned long page_to_pfn(const struct page *page)
{
	return shuffle(((unsigned long)page - MEMMAP) / sizeof(*page));
}

bool is_zone_device_page(const struct page *page)
{
	return is_device_pfn(page_to_pfn(page));
}

const struct dev_pagemap *page_pgmap(const struct page *page)
{
	static const struct dev_pagemap generic = { MEMORY_DEVICE_GENERIC };
	static const struct dev_pagemap p2p = { MEMORY_DEVICE_PCI_P2PDMA };

	expect(is_zone_device_page(page));
	return page_to_pfn(page) < GENERIC_END ? &generic : &p2p;
}

bool page_range_contiguous(const struct page *page, unsigned long npages)
{
	u64 first = page_to_pfn(page), step = BIT(shim.section_shift), pfn;

	for (pfn = ALIGN(first, step); shim.sections && pfn < first + npages;
	     pfn += step) {
		if (pfn_to_page(pfn) != page + (pfn - first))
			return false;
	}
	return true;
}

/* Tables. In front of the entries is how many these are. */

void sg_init_table(struct scatterlist *sgl, unsigned int nents)
{
	memset(sgl, 0, nents * sizeof(*sgl));
	sgl[nents - 1].end = true;
}

int sg_alloc_table(struct sg_table *sgt, unsigned int nents, int gfp)
{
	size_t *room;

	*sgt = (struct sg_table) { };
	if (!nents)
		return -EINVAL;
	if (++hw.allocs == hw.alloc_fail_at) {
		model_may_fail(ENOMEM);
		return -ENOMEM;
	}

	hw.allocated++;
	room = calloc(1, sizeof(*room) + nents * sizeof(*sgt->sgl));
	expect(room);
	*room = nents;
	sgt->sgl = (struct scatterlist *)(room + 1);
	sgt->nents = nents;
	sgt->orig_nents = nents;
	sgt->sgl[nents - 1].end = true;
	return 0;
}

void sg_free_table(struct sg_table *sgt)
{
	size_t *room = (size_t *)sgt->sgl - 1;

	if (!sgt->sgl)
		return;
	expect(*room == sgt->orig_nents);
	hw.allocated--;
	free(room);
	sgt->sgl = NULL;
}

void sg_set_page(struct scatterlist *sg, struct page *page, unsigned int len,
		 unsigned int offset)
{
	expect(page_range_contiguous(page, PFN_UP((u64)len + offset)));
	sg->page = page;
	sg->length = len;
	sg->offset = offset;
}
