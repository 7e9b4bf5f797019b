/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * As much of the kernel as the page list needs, for userspace
 *
 * Stands in for every <linux/...> and <kunit/...> that is not in this series.
 * What can fail, or says something about the machine, is up to model.c.
 */
#ifndef FUZZ_SHIM_H
#define FUZZ_SHIM_H

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Types and arithmetic */

typedef uint8_t u8;
#define __user

typedef uint32_t u32;
typedef uint64_t u64;
typedef u64 phys_addr_t;
typedef u64 dma_addr_t;

#define U64_MAX		UINT64_MAX
#define BITS_PER_LONG	(8 * __SIZEOF_LONG__)
#ifndef PAGE_SHIFT
#define PAGE_SHIFT	12
#endif
#define PAGE_SIZE	(1UL << PAGE_SHIFT)
/* Signed, or it would cut physical addresses where these are longer */
#define PAGE_MASK	(~((1L << PAGE_SHIFT) - 1))
#define offset_in_page(p)	((unsigned long)(p) & (PAGE_SIZE - 1))
#define PFN_UP(x)	(((x) + PAGE_SIZE - 1) >> PAGE_SHIFT)
#define PFN_PHYS(x)	((phys_addr_t)(x) << PAGE_SHIFT)
#define PHYS_PFN(x)	((unsigned long)((x) >> PAGE_SHIFT))

#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)
#define noinline	__attribute__((noinline))
#define __uninitialized
#ifndef __always_inline
#define __always_inline	inline __attribute__((always_inline))
#endif

#ifndef SZ_4K
#define SZ_4K		0x1000
#define SZ_2M		0x200000
#endif
#define SZ_2G		0x80000000
#define BIT(n)		(1UL << (n))
#define BIT_ULL(n)	(1ULL << (n))
#define is_power_of_2(n)	((n) && !((n) & ((n) - 1)))
#define GENMASK(h, l)	((~0UL >> (BITS_PER_LONG - 1 - (h))) & (~0UL << (l)))
#define __ffs64(x)	__builtin_ctzll(x)
#define __fls(x)	(BITS_PER_LONG - 1 - __builtin_clzl(x))
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define sizeof_field(type, field)	sizeof(((type *)0)->field)
#define static_assert(expr)	_Static_assert(expr, #expr)
#define ALIGN(x, a)	(((x) + (a) - 1) & ~((a) - 1))
#define ALIGN_DOWN(x, a)	((x) & ~((typeof(x))(a) - 1))
#define WRITE_ONCE(to, value)	((to) = (value))
#define smp_mb()		do { } while (0)
#define IS_ALIGNED(x, a) (((x) & ((typeof(x))(a) - 1)) == 0)
#define PAGE_ALIGNED(x)	IS_ALIGNED((unsigned long)(x), PAGE_SIZE)
#define PAGE_ALIGN(x)	(((x) + PAGE_SIZE - 1) & ~(typeof(x))(PAGE_SIZE - 1))
#define check_add_overflow(a, b, sum) __builtin_add_overflow(a, b, sum)
#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

#ifdef __CPROVER__
/* cbmc cannot have one inside the other, and no argument here has a side effect. */
#define min(a, b)	((a) < (b) ? (a) : (b))
#define max(a, b)	((a) > (b) ? (a) : (b))
#else
#define min(a, b) ({							\
	__auto_type __a = (a);						\
	__auto_type __b = (b);						\
	__a < __b ? __a : __b;						\
})
#define max(a, b) ({							\
	__auto_type __a = (a);						\
	__auto_type __b = (b);						\
	__a > __b ? __a : __b;						\
})
#endif
#define min3(a, b, c)	min(min(a, b), c)
#define min_t(type, a, b)	min((type)(a), (type)(b))

/* Errors and warnings. A warning is a finding, unless the input asked for it. */

#define MAX_ERRNO	4095
#define ERR_PTR(e)	((void *)(long)(e))
#define PTR_ERR(p)	((long)(p))
#define IS_ERR(p)	((unsigned long)(p) >= (unsigned long)-MAX_ERRNO)

void die(const char *file, int line, const char *what, const char *format, ...)
	__attribute__((noreturn, format(printf, 4, 5)));
void shim_warn(const char *file, int line, const char *text);

#define WARN_ON(condition) ({						\
	bool __warn = (condition);					\
	if (__warn)							\
		shim_warn(__FILE__, __LINE__, #condition);		\
	__warn;								\
})
#define WARN_ON_ONCE(condition)		WARN_ON(condition)
#define WARN_ONCE(condition, ...)	WARN_ON(condition)

#define EXPORT_SYMBOL_IF_KUNIT(symbol)
#define EXPORT_SYMBOL_NS_GPL(symbol, ns)
#define EXPORT_SYMBOL_FOR_MODULES(symbol, modules)
#define CONFIG_DMABUF_KUNIT_TEST	0
#define kunit_get_current_test()	NULL

/* The configuration is a part of the input. */

struct shim_config {
	bool sections;		/* a memmap for each section of memory */
	unsigned int section_shift;
	bool one_length;	/* an entry of a table has one for both halves */
};

extern struct shim_config shim;

#define IS_ENABLED(option)	(option)
#define CONFIG_SPARSEMEM	true
#define CONFIG_SPARSEMEM_VMEMMAP	(!shim.sections)
/* 2 MiB: the kinds of memory end where one does */
#define PAGE_SUBSECTION_MASK	(~((SZ_2M >> PAGE_SHIFT) - 1UL))
#define CONFIG_NEED_SG_DMA_LENGTH	(!shim.one_length)

/* Scheduling */

#define current		NULL
#define might_sleep()	do { } while (0)
void cond_resched(void);
bool fatal_signal_pending(const void *task);

/* Memory. The size that was asked for is what the sanitizer watches over. */

typedef int gfp_t;
#define GFP_KERNEL	0
#define __GFP_RETRY_MAYFAIL 0
#define __GFP_NOWARN	0

void *shim_alloc(size_t size, bool zero);
void kfree(const void *p);
size_t kmalloc_size_roundup(size_t size);

#define struct_size(p, member, n) \
	(offsetof(typeof(*(p)), member) + (n) * sizeof((p)->member[0]))
#define kzalloc_obj(obj)	((typeof(obj) *)shim_alloc(sizeof(obj), true))
#define kmalloc_objs(obj, n)	((typeof(obj) *)shim_alloc(sizeof(obj) * (n), false))
#define kmalloc_flex(obj, member, n, ...) \
	((typeof(obj) *)shim_alloc(struct_size(&(obj), member, n), false))

/* The kernel may copy nothing from nowhere. */
static inline void *shim_memcpy(void *to, const void *from, size_t n)
{
#ifdef __CPROVER__
	/* All that is copied here is words, and bytes would cost it dearly. */
	for (size_t i = 0; i < n / sizeof(u64); i++)
		((u64 *)to)[i] = ((const u64 *)from)[i];
	return to;
#else
	return n ? __builtin_memcpy(to, from, n) : to;
#endif
}
#define memcpy	shim_memcpy

/* Pages are addresses that nobody reads from. */

struct page {
#if BITS_PER_LONG == 64
	u64 words[8];
#else
	u32 word;
#endif
};

struct dev_pagemap {
	enum { MEMORY_DEVICE_GENERIC, MEMORY_DEVICE_PCI_P2PDMA } type;
};

bool pfn_valid(unsigned long pfn);
struct page *pfn_to_page(unsigned long pfn);
unsigned long page_to_pfn(const struct page *page);
bool is_zone_device_page(const struct page *page);
const struct dev_pagemap *page_pgmap(const struct page *page);
bool page_range_contiguous(const struct page *page, unsigned long npages);

#define phys_to_page(phys)	pfn_to_page(PHYS_PFN(phys))
#define page_to_phys(page)	PFN_PHYS(page_to_pfn(page))

struct phys_vec {
	phys_addr_t paddr;
	size_t len;
};

/* Tables, each in one piece */

struct scatterlist {
	struct page *page;
	unsigned int offset;
	unsigned int length;
	dma_addr_t dma_address;
	unsigned int dma_length;
	bool end;
};

struct sg_table {
	struct scatterlist *sgl;
	unsigned int nents;
	unsigned int orig_nents;
};

void sg_init_table(struct scatterlist *sgl, unsigned int nents);
int sg_alloc_table(struct sg_table *sgt, unsigned int nents, int gfp);
void sg_free_table(struct sg_table *sgt);
void sg_set_page(struct scatterlist *sg, struct page *page, unsigned int len,
		 unsigned int offset);

#define sg_page(sg)		((sg)->page)
#define sg_phys(sg)		(page_to_phys(sg_page(sg)) + (sg)->offset)
#define sg_next(sg)		((sg)->end ? NULL : (sg) + 1)
#define sg_dma_address(sg)	((sg)->dma_address)
#define sg_dma_len(sg) \
	(*(shim.one_length ? &(sg)->length : &(sg)->dma_length))
#define for_each_sg(sgl, sg, n, i) \
	for ((i) = 0, (sg) = (sgl); (i) < (n); (i)++, (sg) = sg_next(sg))
#define for_each_sgtable_sg(sgt, sg, i) \
	for_each_sg((sgt)->sgl, sg, (sgt)->orig_nents, i)
#define for_each_sgtable_dma_sg(sgt, sg, i) \
	for_each_sg((sgt)->sgl, sg, (sgt)->nents, i)

/* Devices and the DMA API */

struct device {
	size_t max_seg_size;
	unsigned long seg_boundary;
};
#define dma_get_max_seg_size(dev)	((dev)->max_seg_size)
#define dma_get_seg_boundary(dev)	((dev)->seg_boundary)

enum dma_data_direction {
	DMA_BIDIRECTIONAL,
	DMA_TO_DEVICE,
	DMA_FROM_DEVICE,
	DMA_NONE,
};
#define valid_dma_direction(dir)	((dir) >= 0 && (dir) < DMA_NONE)

#define DMA_ATTR_WRITE_COMBINE	BIT(2)
#define DMA_ATTR_SKIP_CPU_SYNC	BIT(5)
#define DMA_ATTR_NO_WARN	BIT(8)
#define DMA_ATTR_MMIO		BIT(10)
#define DMA_ATTR_DEBUGGING_IGNORE_CACHELINES BIT(11)
#define DMA_ATTR_REQUIRE_COHERENT	BIT(12)
#define DMA_ATTR_CC_SHARED	BIT(13)
#define DMA_ATTR_NO_BOUNCE	BIT(15)

#define DMA_MAPPING_ERROR	(~(dma_addr_t)0)
#define dma_mapping_error(dev, addr) \
	((addr) == DMA_MAPPING_ERROR ? -ENOMEM : 0)
dma_addr_t dma_map_phys(struct device *dev, phys_addr_t phys, size_t size,
			enum dma_data_direction dir, unsigned long attrs);

struct dma_iova_state {
	dma_addr_t addr;
	u64 __size;
};

struct p2pdma_provider {
	struct device *owner;
	u64 bus_offset;
};

enum pci_p2pdma_map_type {
	PCI_P2PDMA_MAP_NOT_SUPPORTED,
	PCI_P2PDMA_MAP_BUS_ADDR,
	PCI_P2PDMA_MAP_THRU_HOST_BRIDGE,
};
struct pci_dev;

struct iommu_domain;
#define IOMMU_READ	BIT(0)
#define IOMMU_CACHE	BIT(2)
#define IOMMU_MMIO	BIT(4)

/* A dma-buf */

struct list_head {
	struct list_head *next, *prev;
};

static inline void INIT_LIST_HEAD(struct list_head *list)
{
	list->next = list;
	list->prev = list;
}

static inline bool list_empty(const struct list_head *list)
{
	return list->next == list;
}

struct dma_resv {
	bool held;
};
#define dma_resv_assert_held(resv)	WARN_ON(!(resv)->held)

#include <linux/dma-buf-p2p.h>

struct dma_buf_ops {
	bool sync_mappings;
};

struct dma_buf {
	bool needs_sync;
	struct dma_resv *resv;
	const struct dma_buf_ops *ops;
};

struct dma_buf_attach_ops {
	bool phys_only;
};

struct dma_buf_attachment {
	const struct dma_buf_attach_ops *importer_ops;
	struct dma_buf *dmabuf;
	struct device *dev;
	bool peer2peer;
	bool wants_runs;
	struct dma_buf_p2p p2p;
};

#endif
