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
#if BITS_PER_LONG == 64
#define RAM_END		(BIT_ULL(53) >> PAGE_SHIFT)
#define BAR_START	(BIT_ULL(56) >> PAGE_SHIFT)
#else
#define RAM_END		(BIT_ULL(37) >> PAGE_SHIFT)
#define BAR_START	(BIT_ULL(43) >> PAGE_SHIFT)
#endif
#define GENERIC_END	(RAM_END + BIT(20))
#define P2P_END		(GENERIC_END + BIT(20))

#define MAX_RUNS	1600UL
#define MAX_PAGES	9000UL
#define MAX_MAPS	BIT(15)

/* How many runs may be mapped before anybody else gets a chance to run */
#define MAX_UNPAUSED	512

/* Longest run, in pages: its bytes fit a size_t. */
#define RUN_MAX		((u64)(SIZE_MAX >> PAGE_SHIFT))
#define IOVA_MAX	(RUN_MAX / 2)

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
 * @ops: of the exporter
 * @attach: attachment of the importer, without @dmabuf for memory of its own driver
 * @provider: memory of the exporter's device
 * @notes: how often the core noted why it does not map
 * @note: what it has to note
 */
struct buffer {
	enum kind kind;
	struct phys_vec *vecs;
	struct page **pages;
	struct sg_table table;
	unsigned long nr;
	bool has_pages;
	struct dma_resv resv;
	struct dma_buf_ops ops;
	struct dma_buf dmabuf;
	struct dma_buf_attachment attach;
	struct p2pdma_provider provider;
	unsigned int notes;
	enum dma_buf_p2p_reason note;
};

extern struct buffer buffer;

/*
 * The reference: which memory the pages of the buffer are, in order. @segments is
 * how they are described, @runs has neighbours joined.
 */
struct segment {
	u64 phys;
	u64 npages;
	u64 pos;
};

extern struct segment segments[], runs[];
extern unsigned long nr_segments, nr_runs;
extern u64 total_pages;

/**
 * struct model - the hardware
 * @dev: the importer's device
 * @owner: the exporter's device
 * @attrs: what the exporter maps with
 * @dir: direction of the DMA
 * @iommu: the DMA API uses an IOMMU for @dev
 * @phys: there is no device, the importer maps into an IOMMU domain only
 * @map_ops: @dev has dma_map_ops of its own
 * @coherent: it sees what is in the caches
 * @identity: nothing has to be called for RAM
 * @need_sync: syncing is of use, even if @coherent
 * @need_unmap: the DMA API wants to know when a mapping ends
 * @granule: page size of the IOMMU
 * @mask: highest address that @dev reaches
 * @refused_again: with bouncing, too
 * @listed: there is a list now, what is undone from here on was in use
 * @max_mapping: what can be bounced at once, in bytes, SIZE_MAX if nothing can
 * @max_run: longest run of RAM that is one for the device, in pages
 * @dma_offset: DMA address less physical address where nothing translates
 * @bounce: which of each eight mappings are bounced even if in reach, or zero if
 *	there are no bounce buffers
 * @bounce_from: number of the call from which on they are
 * @gap: what is left free after an address that was handed out
 * @sg_merge: longest segment that map_ops merge to, in bytes
 * @sg_error: what they fail with
 * @misalign: the call of this number yields an address within a page
 * @fail_at: the call of this number fails
 * @alloc_fail_at: the allocation of this number fails
 * @sync_fails: so does the last step of one IOVA
 * @signal_at: the task gets a signal when it is asked for the time of this number
 * @calls: number of calls so far
 * @allocs: number of allocations so far
 * @allocated: number of allocations that exist
 * @pauses: how often was asked for a signal
 * @unpaused: number of calls since anybody else could run
 * @again: this is the second try, which may bounce
 * @refused: errno for what the DMA API did not map in the first one, or zero
 * @asked: somebody asked if there is anything to call
 * @skipped: and there was not
 * @done: how many pages were mapped by calls so far
 * @linear: all DMA addresses so far have the same offset
 * @must_fail: there was a failure that the builder has to return
 * @may_warn: the input is worth a warning
 * @errors: bitmap of the errnos that the builder may return
 * @sync: what is synced now
 */
struct model {
	struct device dev;
	struct device owner;
	unsigned long attrs;
	enum dma_data_direction dir;

	bool iommu;
	bool phys;
	bool map_ops;
	bool coherent;
	bool identity;
	bool need_sync;
	bool need_unmap;
	unsigned long granule;
	u64 mask;
	bool listed;
	bool refused_again;
	size_t max_mapping;
	u64 max_run;
	u64 dma_offset;
	u8 bounce;
	unsigned int bounce_from;
	u64 gap;
	size_t sg_merge;
	int sg_error;

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

	bool again;
	int refused;
	bool asked;
	bool skipped;
	u64 done;
	bool linear;

	bool must_fail;
	bool may_warn;
	u64 errors[3];

	struct {
		enum dma_data_direction dir;
		bool for_cpu;
		u64 npages;
		u64 part_end;
		unsigned int tables;
	} sync;
};

extern struct model hw;

void model_reset(void);
void model_may_fail(int error);
void model_must_fail(int error);
void model_refuse(int error);
unsigned long model_attrs(void);
u64 model_max_pages(void);
bool model_wants_iova(void);
bool model_may_bounce(void);
bool model_keeps_phys(enum dma_buf_route route);
unsigned int model_table_nents(void);
bool model_system_pfn(u64 pfn);
u64 model_reached(u64 addr, u64 *npages, bool for_bus);
void model_expect_clean(void);

void expect_allocated(unsigned int n);

u64 segment_at(u64 pos, u64 *npages);
u64 part_at(u64 pos);

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

void check_list(const struct dma_buf_list *list, const struct input *script);
u64 dma_at(u64 pos);
u64 range_end_at(u64 pos);
u64 choose_pos(struct input *in);
void check_importer(const struct dma_buf_list *list, struct input in);
void check_no_addresses(const struct dma_buf_list *list);
void check_domain(const struct dma_buf_list *list, struct input in);
void check_caches(bool for_cpu);
void check_sync(const struct dma_buf_list *list);

#endif
