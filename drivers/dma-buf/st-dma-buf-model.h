/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A model of the hardware below the dma-buf core, and a buffer to share
 *
 * The model takes the place of the DMA API and of p2pdma. It returns addresses as a
 * given kind of device would get them, and knows which memory each of them reaches.
 * So tests do not compare addresses, they check that every page of a list reaches the
 * right page of the buffer. The model also records all mappings: each must be undone
 * exactly as it was made, and none may be left at the end.
 */
#ifndef __ST_DMA_BUF_MODEL_H
#define __ST_DMA_BUF_MODEL_H

#include <kunit/test.h>
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/sizes.h>

#include "dma-buf-internal.h"

/*
 * Memory of a device, above all RAM that a test machine may have. With 32 bit the
 * memmap could not be much larger than this.
 */
#define MODEL_BAR	(IS_ENABLED(CONFIG_64BIT) ? BIT_ULL(44) : BIT_ULL(36))

/* Addresses of bounce buffers, where nothing else is */
#define MODEL_BOUNCE	BIT_ULL(42)

/*
 * System memory that is not there. It has struct pages as far as the core can
 * tell, who never looks at what is in them.
 */
#define MODEL_RAM	(MODEL_BAR / 2)

/* Pages of system memory that a test can use, contiguous however large they are. */
#define MODEL_NR_PAGES	256

#define MODEL_MAX_MAPS	2048
#define MODEL_MAX_IOVAS	4
#define MODEL_MAX_SYNCS	64

/**
 * struct model_map - a mapping that exists
 * @phys: what was mapped
 * @addr: what it was mapped to
 * @size: length in bytes
 * @attrs: attributes it was made with
 * @sgt: the table it is a part of, or NULL
 */
struct model_map {
	phys_addr_t phys;
	dma_addr_t addr;
	size_t size;
	unsigned long attrs;
	const struct sg_table *sgt;
};

/**
 * struct model_iova - an IOVA range that exists
 * @addr: its start
 * @size: its length, zero if this one is free
 * @linked: number of bytes that were linked
 * @synced: number of bytes that the IOMMU has been told of
 * @attrs: attributes they were linked with
 */
struct model_iova {
	dma_addr_t addr;
	size_t size;
	size_t linked;
	size_t synced;
	unsigned long attrs;
};

struct model_sync {
	dma_addr_t addr;
	size_t size;
	bool for_device;
};

/**
 * struct model - the hardware of a test
 * @test: the test
 * @dev: the importer's device
 * @parms: of @dev: segments may have any length, with pages of any size
 * @owner: the exporter's device
 * @provider: the memory of @owner
 * @pages: system memory
 * @is_pci: @dev is a PCI device
 * @p2p: there is a p2pdma
 * @distance: what p2pdma says of the way between the two
 * @map_type: what p2pdma makes of that
 * @overridden: because the command line says so
 * @iommu: the DMA API uses an IOMMU for @dev
 * @map_ops: @dev has dma_map_ops of its own
 * @coherent: there are no caches to manage
 * @need_map: the DMA API has to be called for each mapping
 * @need_unmap: and wants to know when it ends, as it does once it has bounced
 * @need_sync: and what the CPU does in between
 * @mask: highest address that @dev can reach
 * @bus_limit: highest one that gets through the host bridge, zero for any
 * @dma_offset: DMA address less the physical address, without an IOMMU
 * @bounce_from: what reaches up to here is bounced, or refused
 * @no_mmio: the DMA API does not map the memory of a device
 * @max_mapping: what can be bounced at once, SIZE_MAX if nothing can
 * @undone_with: attributes that the last mapping was undone with
 * @max_run: longest contiguous run of system memory in pages
 * @granule: page size of the IOMMU
 * @iova_left: IOVA space in bytes
 * @iova_gap: what is left free after each IOVA
 * @sg_merge: longest segment that @map_ops merge to, zero for none
 * @dir: direction that all mappings must be made with
 * @attrs: attributes that all mappings are asked for with
 * @fail_at: let the call of this number fail, counted in @calls
 * @calls: number of calls that may fail
 * @refused: one did that must not bounce, so that one that may is in order
 * @need_map_calls: number of calls of dma_need_map()
 * @map_calls: number of calls of dma_map_phys()
 * @max_mapped: longest run of those that it did map
 * @link_calls: number of calls of dma_iova_link_vec()
 * @alloc_calls: number of calls of dma_iova_try_alloc()
 * @sg_calls: number of calls of dma_map_sgtable()
 * @sg_sync_calls: number of calls of dma_sync_sgtable_for_cpu() or _device()
 * @p2p_calls: number of questions to p2pdma, in order distance and map type
 * @syncs: the first of what was synced with dma_sync_single_for_cpu() or _device()
 * @nr_syncs: number of all of that
 * @maps: the mappings by dma_map_phys() and dma_map_sgtable()
 * @nr_maps: number of these
 * @links: the mappings by dma_iova_link_vec()
 * @nr_links: number of these
 * @iovas: the IOVA ranges
 * @next_iova: where the next one is going to be
 * @bounced: end of the bounce buffers in use so far
 * @allocated: what is behind the memory that @owner allocated
 * @hint: where the last mapping was found
 */
struct model {
	struct kunit *test;
	struct device *dev;
	struct device_dma_parameters parms;
	struct device *owner;
	struct p2pdma_provider provider;
	struct page *pages;

	bool is_pci;
	bool p2p;
	int distance;
	enum pci_p2pdma_map_type map_type;
	bool overridden;
	bool iommu;
	bool map_ops;
	bool coherent;
	bool need_map;
	bool need_unmap;
	bool need_sync;
	u64 mask;
	u64 bus_limit;
	u64 dma_offset;
	u64 bounce_from;
	bool no_mmio;
	size_t max_mapping;
	unsigned long undone_with;
	unsigned long max_run;
	unsigned long granule;
	u64 iova_left;
	unsigned long iova_gap;
	size_t sg_merge;

	enum dma_data_direction dir;
	unsigned long attrs;

	unsigned int fail_at;
	unsigned int calls;
	bool refused;

	unsigned int need_map_calls;
	unsigned int map_calls;
	size_t max_mapped;
	unsigned int link_calls;
	unsigned int alloc_calls;
	unsigned int sg_calls;
	unsigned int sg_sync_calls;
	unsigned int p2p_calls;
	struct model_sync syncs[MODEL_MAX_SYNCS];
	unsigned int nr_syncs;

	struct model_map *maps;
	unsigned int nr_maps;
	struct model_map *links;
	unsigned int nr_links;
	struct model_iova iovas[MODEL_MAX_IOVAS];
	dma_addr_t next_iova;
	dma_addr_t bounced;
	const struct sg_table *allocated;
	unsigned int hint;
};

int model_init(struct kunit *test);
int model_init_real(struct kunit *test);
void model_exit(struct kunit *test);
void model_behind_iommu(struct model *m);
void model_with_map_ops(struct model *m);
void model_with_peer(struct model *m, enum pci_p2pdma_map_type map_type);
void model_with_bouncing(struct model *m);
phys_addr_t model_page(struct model *m, unsigned int n);
phys_addr_t model_reached(struct model *m, dma_addr_t addr);
void model_expect_clean(struct model *m);

/* What backs a buffer and who describes it. */
enum buffer_kind {
	BUFFER_PAGES,
	BUFFER_RUNS,
	BUFFER_PHYS,
	BUFFER_BAR,
	BUFFER_TABLE,
	BUFFER_COHERENT,
};

/**
 * struct buffer - a shared buffer with an importer
 * @m: the hardware
 * @kind: what backs it
 * @vec: the physical ranges that back it
 * @nr: number of these
 * @system: system memory to use instead if the importer cannot reach the BAR
 * @pages: the same as pages, BUFFER_PAGES only
 * @npages: number of these
 * @table: the same as a table, BUFFER_TABLE and BUFFER_COHERENT only
 * @syncs: the exporter has &dma_buf_ops.sync_mappings
 * @allow_phys: the exporter has &dma_buf_ops.allow_phys
 * @no_offer: the exporter has no &dma_buf_ops.peer2peer
 * @peer_only: the exporter has &dma_buf_ops.peer_only
 * @can_pin: the exporter has &dma_buf_ops.pin and &dma_buf_ops.unpin
 * @answer: what &dma_buf_ops.peer2peer returns
 * @provider: the provider it names
 * @deny: what &dma_buf_ops.attach denies peer-to-peer with, unless zero
 * @attach_error: what &dma_buf_ops.attach returns
 * @note: what &dma_buf_ops.map_dma_buf notes, unless zero
 * @map_error: what &dma_buf_ops.map_dma_buf returns, unless zero
 * @again: what it returns, unless NULL, although an importer has it
 * @pin_error: what &dma_buf_ops.pin returns
 * @cpu_error: what &dma_buf_ops.begin_cpu_access returns
 * @offers: number of calls of &dma_buf_ops.peer2peer
 * @pins: number of calls of &dma_buf_ops.pin less those of unpin
 * @mapped: number of mappings that exist
 * @unlocked: number of calls that should have come under the lock and did not
 * @syncs_before: number of syncs when &dma_buf_ops.begin_cpu_access or
 *	end_cpu_access was called
 * @ops: what the exporter can do
 * @importer: what the importer can do
 * @dmabuf: the buffer
 * @attach: the attachment of the importer
 */
struct buffer {
	struct model *m;
	enum buffer_kind kind;
	const struct phys_vec *vec;
	size_t nr;
	const struct phys_vec *system;
	struct page **pages;
	unsigned long npages;
	struct sg_table table;

	bool syncs;
	bool allow_phys;
	bool no_offer;
	bool peer_only;
	bool can_pin;
	enum dma_buf_p2p_reason answer;
	struct p2pdma_provider *provider;
	enum dma_buf_p2p_reason deny;
	int attach_error;
	enum dma_buf_p2p_reason note;
	int map_error;
	struct dma_buf_list *again;
	int pin_error;
	int cpu_error;

	unsigned int offers;
	int pins;
	int mapped;
	unsigned int unlocked;
	unsigned int syncs_before;

	struct dma_buf_ops ops;
	struct dma_buf_attach_ops importer;
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attach;
};

/* So many pages from @addr on */
#define V(addr, pages)	{ .paddr = (addr), .len = (pages) * PAGE_SIZE }

/* Three pieces of a BAR, none next to another, not in order. */
extern const struct phys_vec model_bar[3];

const struct phys_vec *model_ram(struct model *m);

void buffer_init(struct buffer *b, struct model *m, enum buffer_kind kind,
		 const struct phys_vec *vec, size_t nr);
void buffer_export(struct buffer *b);
void buffer_attach(struct buffer *b);
void buffer_put(struct buffer *b);
struct dma_buf_list *buffer_map(struct buffer *b);
void buffer_unmap(struct buffer *b, struct dma_buf_list *list);
struct dma_buf_list *buffer_open(struct buffer *b, struct model *m,
				 enum buffer_kind kind,
				 const struct phys_vec *vec, size_t nr);
void buffer_close(struct buffer *b, struct dma_buf_list *list);
void buffer_expect_reached(struct buffer *b, struct dma_buf_list *list);
void buffer_expect_list(struct kunit *test, const struct dma_buf_list *list,
			enum dma_buf_route route, unsigned long npages,
			unsigned long nchunks);
void buffer_check(struct model *m, enum buffer_kind kind,
		  const struct phys_vec *vec, size_t nr,
		  enum dma_buf_route route, unsigned long nchunks,
		  unsigned long nranges);
void buffer_expect_unmapped(struct buffer *b);
unsigned int buffer_nmaps(struct buffer *b);
char *buffer_fdinfo(struct buffer *b);
__printf(3, 4) void buffer_expect_fdinfo(struct buffer *b, bool there,
					 const char *fmt, ...);

/**
 * struct model_machine - what is mapped by whom
 * @name: of the test
 * @kind: what is mapped
 * @map_type: how a peer is reached
 * @iommu: the DMA API uses an IOMMU
 * @map_ops: the device has its own &struct dma_map_ops
 */
struct model_machine {
	const char *name;
	enum buffer_kind kind;
	enum pci_p2pdma_map_type map_type;
	bool iommu;
	bool map_ops;
};

const void *model_machine_gen_params(struct kunit *test, const void *prev, char *desc);
const struct model_machine *model_machine_set_up(struct kunit *test);

#endif
