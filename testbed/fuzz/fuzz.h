/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the fuzzer share: the buffer and the hardware that an input
 * describes, and what is expected of the list
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdio.h>

#include "dma-buf-internal.h"

/*
 * Physical memory in pages: RAM, device memory of the generic kind, device memory
 * of p2pdma, all with struct pages, and a BAR without.
 */
#define RAM_END		BIT(41)
#define GENERIC_END	(RAM_END + BIT(20))
#define P2P_END		(GENERIC_END + BIT(20))
#define BAR_START	BIT(44)

#define MAX_RUNS	1600UL
#define MAX_PAGES	9000UL
#define MAX_MAPS	BIT(15)

/* How many runs may be mapped before anybody else gets a chance to run */
#define MAX_UNPAUSED	512

#define expect(condition, ...) do {					\
	if (!(condition))						\
		die(__FILE__, __LINE__, #condition, " " __VA_ARGS__);	\
} while (0)

enum kind {
	KIND_PAGES,
	KIND_RUNS,
	KIND_SGT,
	KIND_PHYS,
	KIND_BAR,
	KIND_COHERENT,
	KIND_NR
};

/**
 * struct buffer - a buffer as its exporter describes it
 * @kind: which kind of description
 * @vecs: physical ranges, for each kind but KIND_PAGES
 * @pages: pages, for KIND_PAGES
 * @table: the ranges as a table, for KIND_SGT
 * @nr: number of vecs or pages
 * @has_pages: it is system memory
 * @granted: its exporter granted its pages
 * @attach: attachment of the importer, for KIND_BAR
 * @provider: memory of the exporter's device
 * @notes: how often the core noted that the DMA mask is in the way
 */
struct buffer {
	enum kind kind;
	struct phys_vec *vecs;
	struct page **pages;
	struct sg_table table;
	unsigned long nr;
	bool has_pages;
	bool granted;
	struct dma_resv resv;
	struct dma_buf dmabuf;
	struct dma_buf_attachment attach;
	struct p2pdma_provider provider;
	unsigned int notes;
};

extern struct buffer buffer;

/* The reference: which memory the pages of the buffer are, in order. */
struct segment {
	u64 phys;
	u64 npages;
};

extern struct segment segments[];
extern unsigned long nr_segments;
extern u64 total_pages;

/**
 * struct model - the hardware
 * @dev: the importer's device
 * @owner: the exporter's device
 * @attrs: what every call of the DMA API has to be made with
 * @dir: likewise
 * @sync_dir: direction of syncing
 * @iommu: the DMA API uses an IOMMU for @dev
 * @map_ops: @dev has dma_map_ops of its own
 * @identity_to: mapping what ends here or below is the identity, zero if nothing
 * @need_unmap: the DMA API wants to know when a mapping ends
 * @granule: page size of the IOMMU
 * @mask: highest address that @dev reaches
 * @max_mapping: what can be bounced at once, in bytes
 * @dma_offset: DMA address less physical address where nothing translates
 * @bounce: which of each eight mappings are bounced, which sets @need_unmap
 * @bounce_from: number of the call from which on they are
 * @gap: what is left free after an address that was handed out
 * @sg_merge: longest segment that map_ops merge to, in bytes
 * @misalign: the call of this number yields an address within a page
 * @fail_at: the call of this number fails
 * @alloc_fail_at: the allocation of this number fails
 * @sync_fails: so does the last step of one IOVA
 * @signal_at: the task gets a signal when it is asked for the time of this number
 * @calls: number of calls so far
 * @allocs: number of allocations so far
 * @allocated: number of allocations that exist
 * @pauses: how often was asked for a signal
 * @unpaused: number of calls since then
 * @iova_tried: somebody asked for an IOVA
 * @must_fail: there was a failure that the builder has to return
 * @may_warn: the input is worth a warning
 * @errors: bitmap of the errnos that the builder may return
 * @synced: number of pages that were synced, in order
 * @sg_syncs: number of tables that were
 */
struct model {
	struct device dev;
	struct device owner;
	unsigned long attrs;
	enum dma_data_direction dir;
	enum dma_data_direction sync_dir;

	bool iommu;
	bool map_ops;
	u64 identity_to;
	bool need_unmap;
	unsigned long granule;
	u64 mask;
	size_t max_mapping;
	u64 dma_offset;
	u8 bounce;
	unsigned int bounce_from;
	u64 gap;
	size_t sg_merge;

	unsigned int misalign;
	unsigned int fail_at;
	unsigned int alloc_fail_at;
	bool sync_fails;
	unsigned int signal_at;
	unsigned int calls;
	unsigned int allocs;
	unsigned int allocated;
	unsigned int pauses;
	unsigned int unpaused;
	bool iova_tried;

	bool must_fail;
	bool may_warn;
	u64 errors[3];

	u64 synced;
	unsigned int sg_syncs;
};

extern struct model hw;

void model_reset(void);
void model_may_fail(int error);
void model_must_fail(int error);
bool model_system_pfn(u64 pfn);
u64 model_reached(u64 addr, u64 *npages, bool for_bus);
bool model_iova_exists(void);
void model_expect_clean(void);

void expect_allocated(unsigned int n);

u64 segment_at(u64 pos, u64 *npages);

/* The inline functions of the cursor, where coverage is counted. */
void cursor_init(struct dma_buf_cursor *cursor, const struct dma_buf_list *list);
struct dma_buf_chunk cursor_range(struct dma_buf_cursor *cursor);
bool cursor_block(struct dma_buf_cursor *cursor, unsigned long size,
		  dma_addr_t *addr);
bool cursor_page(struct dma_buf_cursor *cursor, dma_addr_t *addr);

/**
 * struct input - what is left of the input
 */
struct input {
	const u8 *data;
	size_t size;
};

static inline u8 input_byte(struct input *in)
{
	if (!in->size)
		return 0;
	in->size--;
	return *in->data++;
}

static inline u64 pick(const u64 *from, unsigned int n, u8 which)
{
	return from[which % n];
}

#define PICK(which, ...) \
	pick((const u64 []) { __VA_ARGS__ }, \
	     sizeof((const u64 []) { __VA_ARGS__ }) / sizeof(u64), which)

/* Does the core still have the pages of a list? */
enum shown {
	SHOWN_NOT,
	SHOWN,
	SHOWN_MAYBE,
};

void check_list(const struct dma_buf_list *list, enum shown shown,
		const struct input *script);
void check_sync(const struct dma_buf_list *list);
void check_bridge(struct dma_buf_list *list);

#endif
