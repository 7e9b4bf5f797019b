// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the mapping engine refuses, and unusual memory that it does not
 */
#include <kunit/static_stub.h>
#include <linux/file.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>

#include "st-dma-buf-model.h"

/* What is refused */

struct refusal {
	const char *name;
	int error;
	int error_bar;
	size_t nr;
	struct phys_vec vec[3];
};

#define MAX_LEN	(SIZE_MAX & PAGE_MASK)

static const struct refusal refusals[] = {
	{ "empty", -EINVAL, -EINVAL, 1, { V(MODEL_BAR, 0) } },
	{ "empty at the end", -EINVAL, -EINVAL, 2,
	  { V(MODEL_BAR, 1), V(MODEL_BAR, 0) } },
	{ "empty in the middle", -EINVAL, -EINVAL, 3,
	  { V(MODEL_BAR, 1), V(MODEL_BAR, 0), V(MODEL_BAR, 1) } },
	{ "start within a page", -EINVAL, -EINVAL, 1,
	  { V(MODEL_BAR + 1, 1) } },
	{ "second starts within a page", -EINVAL, -EINVAL, 2,
	  { V(MODEL_BAR, 1), V(MODEL_BAR + PAGE_SIZE + 512, 1) } },
	{ "first ends within a page", -EINVAL, -EINVAL, 2,
	  { { MODEL_BAR, 512 }, V(MODEL_BAR, 1) } },
	/* Whole pages of a BAR, what else is in them is not for sharing. */
	{ "last ends within a page", 0, -EINVAL, 1, { { MODEL_BAR, 512 } } },
	{ "wraps", -EOVERFLOW, -EOVERFLOW, 1, { V(-(phys_addr_t)(2 * PAGE_SIZE), 3) } },
	{ "wraps to zero", -EOVERFLOW, -EOVERFLOW, 2,
	  { V(MODEL_BAR, 1), V(-(phys_addr_t)PAGE_SIZE, 2) } },
	{ "rounds up to zero", -EOVERFLOW, -EINVAL, 1, { { 0, SIZE_MAX } } },
	{ "sum of two", -EOVERFLOW, -EOVERFLOW, 2,
	  { { 0, MAX_LEN }, { 0, MAX_LEN } } },
	{ "sum of halves", -EOVERFLOW, -EOVERFLOW, 2,
	  { { 0, SIZE_MAX / 2 + 1 }, { 0, SIZE_MAX / 2 + 1 } } },
};

static void refusal_name(const struct refusal *refusal, char *desc)
{
	strscpy(desc, refusal->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(refusal, refusals, refusal_name);

/* Refused before anything is mapped: the first ranges are fine. */
static void bad_ranges_are_refused(struct kunit *test)
{
	const struct refusal *refusal = test->param_value;
	struct model *m = test->priv;
	struct dma_buf_attachment own = { .dev = m->dev };
	struct dma_buf_list *list;
	struct buffer b;
	int i;

	for (i = 0; i < 4; i++) {
		model_with_peer(m, i & 1 ? PCI_P2PDMA_MAP_THRU_HOST_BRIDGE :
					   PCI_P2PDMA_MAP_BUS_ADDR);
		m->iommu = i & 2;
		buffer_init(&b, m, BUFFER_BAR, refusal->vec, refusal->nr);
		buffer_attach(&b);
		list = buffer_map(&b);
		KUNIT_EXPECT_EQ(test, PTR_ERR(list), refusal->error_bar);
		KUNIT_EXPECT_EQ(test, b.attach->p2p.map_error,
				refusal->error_bar);
		buffer_put(&b);
	}

	if (refusal->error) {
		list = dma_buf_list_from_phys(&own, refusal->vec, refusal->nr,
					      m->dir, 0);
		KUNIT_EXPECT_EQ(test, PTR_ERR(list), refusal->error);
		list = dma_buf_list_from_runs(&own, refusal->vec, refusal->nr,
					      m->dir, 0);
		KUNIT_EXPECT_EQ(test, PTR_ERR(list), refusal->error);
	}
	KUNIT_EXPECT_EQ(test, m->calls, 0);
}

static void range_may_end_where_the_address_space_does(struct kunit *test)
{
	const struct phys_vec vec = V(-(phys_addr_t)(2 * PAGE_SIZE), 2);
	struct model *m = test->priv;

	model_with_peer(m, PCI_P2PDMA_MAP_BUS_ADDR);
	buffer_check(m, BUFFER_BAR, &vec, 1, DMA_BUF_ROUTE_BUS_ADDR, 1, 1);
	m->map_type = PCI_P2PDMA_MAP_THRU_HOST_BRIDGE;
	buffer_check(m, BUFFER_BAR, &vec, 1, DMA_BUF_ROUTE_PER_RUN, 1, 1);
}

static void last_page_may_be_partly_used(struct kunit *test)
{
	struct model *m = test->priv;
	const struct phys_vec vec[] = {
		V(model_page(m, 3), 1),
		{ .paddr = model_page(m, 9), .len = PAGE_SIZE + 100 },
	};

	buffer_check(m, BUFFER_RUNS, vec, 2, DMA_BUF_ROUTE_PER_RUN, 2, 2);
	buffer_check(m, BUFFER_TABLE, vec, 2, DMA_BUF_ROUTE_PER_RUN, 2, 2);
	m->attrs = DMA_ATTR_MMIO;
	buffer_check(m, BUFFER_PHYS, vec, 2, DMA_BUF_ROUTE_PER_RUN, 2, 2);
	m->attrs = 0;
	model_behind_iommu(m);
	buffer_check(m, BUFFER_RUNS, vec, 2, DMA_BUF_ROUTE_IOVA, 1, 1);
	model_with_map_ops(m);
	m->sg_merge = 0;
	buffer_check(m, BUFFER_RUNS, vec, 2, DMA_BUF_ROUTE_MAP_SG, 2, 2);
}

static void bad_arguments_are_refused(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_attachment own = { .dev = m->dev }, nobody = { };
	struct dma_buf_list *list;

	list = dma_buf_list_from_pages(&own, NULL, 1, m->dir, 0);
	KUNIT_EXPECT_EQ(test, PTR_ERR(list), -EINVAL);
	list = dma_buf_list_from_runs(&own, NULL, 1, m->dir, 0);
	KUNIT_EXPECT_EQ(test, PTR_ERR(list), -EINVAL);
	list = dma_buf_list_from_phys(&own, NULL, 1, m->dir, 0);
	KUNIT_EXPECT_EQ(test, PTR_ERR(list), -EINVAL);
	kunit_warning_suppress(test) {
		list = dma_buf_list_from_runs(&own, model_ram(m), 1, DMA_NONE, 0);
		KUNIT_EXPECT_EQ(test, PTR_ERR(list), -EINVAL);
	}
	kunit_warning_suppress(test) {
		list = dma_buf_list_from_runs(&nobody, model_ram(m), 1, m->dir, 0);
		KUNIT_EXPECT_EQ(test, PTR_ERR(list), -EINVAL);
	}
}

static int map_for_cpu(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	return vma->vm_file == dmabuf->file && !vma->vm_pgoff ? 0 : -EIO;
}

/* What a driver does if the CPU maps an object that was imported */
static void mapping_of_the_cpu_is_within_the_buffer(struct kunit *test)
{
	struct vm_area_struct *vma;
	struct dma_buf_list *list;
	struct buffer other, b;

	vma = kunit_kzalloc(test, sizeof(*vma), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vma);
	list = buffer_open(&b, test->priv, BUFFER_RUNS, model_ram(test->priv), 1);
	buffer_init(&other, test->priv, BUFFER_RUNS, model_ram(test->priv), 1);
	buffer_export(&other);
	vma->vm_end = PAGE_SIZE;
	vma->vm_pgoff = 5;
	vma->vm_file = get_file(other.dmabuf->file);

	KUNIT_EXPECT_EQ(test, dma_buf_mmap(b.dmabuf, vma, 0), -EINVAL);
	b.ops.mmap = map_for_cpu;
	KUNIT_EXPECT_EQ(test, dma_buf_mmap(b.dmabuf, vma, ULONG_MAX), -EOVERFLOW);
	KUNIT_EXPECT_EQ(test, dma_buf_mmap(b.dmabuf, vma, 1), -EINVAL);
	KUNIT_EXPECT_PTR_EQ(test, vma->vm_file, other.dmabuf->file);
	KUNIT_EXPECT_EQ(test, dma_buf_mmap(b.dmabuf, vma, 0), 0);

	fput(vma->vm_file);
	buffer_put(&other);
	buffer_close(&b, list);
}

static void bad_tables_are_refused(struct kunit *test)
{
	const struct phys_vec vec[] = { V(MODEL_RAM, 1), V(MODEL_RAM + SZ_1M, 1) };
	static const struct {
		unsigned int entry, offset, length;
	} bad[] = {
		{ 0, 512, PAGE_SIZE },		/* starts within a page */
		{ 0, 0, PAGE_SIZE - 512 },	/* ends within one, not at the end */
		{ 1, 0, 0 },			/* empty */
	};
	struct model *m = test->priv;
	struct dma_buf_attachment own = { .dev = m->dev };
	struct dma_buf_list *list;
	struct scatterlist *sg;
	struct buffer b;
	int i;

	for (i = 0; i <= ARRAY_SIZE(bad); i++) {
		buffer_init(&b, m, BUFFER_TABLE, vec, 2);
		if (i < ARRAY_SIZE(bad)) {
			sg = &b.table.sgl[bad[i].entry];
			sg->offset = bad[i].offset;
			sg->length = bad[i].length;
		} else {
			sg_assign_page(&b.table.sgl[1], NULL);
		}
		list = dma_buf_list_from_sgt(&own, &b.table, m->dir, 0);
		KUNIT_EXPECT_EQ(test, PTR_ERR(list), -EINVAL);
		sg_free_table(&b.table);
	}
	KUNIT_EXPECT_EQ(test, m->calls, 0);
}

static void coherent_memory_is_what_its_owner_says(struct kunit *test)
{
	struct model *m = test->priv;
	struct buffer b;

	m->attrs = DMA_ATTR_SKIP_CPU_SYNC;
	buffer_check(m, BUFFER_COHERENT, model_ram(m), 3, DMA_BUF_ROUTE_PER_RUN, 3, 3);
	model_behind_iommu(m);
	buffer_check(m, BUFFER_COHERENT, model_ram(m), 3, DMA_BUF_ROUTE_IOVA, 1, 1);
	m->iommu = false;
	model_with_map_ops(m);
	m->sg_merge = 0;
	buffer_check(m, BUFFER_COHERENT, model_ram(m), 3, DMA_BUF_ROUTE_MAP_SG, 3, 3);

	m->fail_at = m->calls + 1;
	buffer_init(&b, m, BUFFER_COHERENT, model_ram(m), 3);
	buffer_attach(&b);
	KUNIT_EXPECT_EQ(test, PTR_ERR(buffer_map(&b)), -ENOMEM);
	buffer_put(&b);
}

/* A pool that was taken from the memory before there was a memmap */
static void coherent_memory_may_have_no_pages(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_pairs pairs;
	struct dma_buf_chunk chunk;
	struct dma_buf_list *list;
	struct buffer b;

	m->attrs = DMA_ATTR_SKIP_CPU_SYNC;
	model_with_map_ops(m);
	list = buffer_open(&b, m, BUFFER_COHERENT, model_bar, 3);
	buffer_expect_list(test, list, DMA_BUF_ROUTE_PER_RUN, 7, 3);
	buffer_expect_reached(&b, list);
	dma_buf_list_for_each_pair(chunk, &pairs, list)
		KUNIT_EXPECT_NULL(test, chunk.page);
	buffer_close(&b, list);
}

static void memory_without_a_memmap_is_no_system_memory(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_attachment own = { .dev = m->dev };
	const struct phys_vec vec[] = {
		V(model_page(m, 0), 1),
		V(model_page(m, MODEL_NR_PAGES - 1), 2),
	};
	struct dma_buf_list *list;
	int i;

	for (i = 0; i < 3; i++) {
		m->iommu = i == 1;
		m->map_ops = i == 2;
		list = dma_buf_list_from_runs(&own, model_bar, 1, m->dir, 0);
		KUNIT_EXPECT_EQ(test, PTR_ERR(list), -EINVAL);
		/* The IOVA for all is there before the first is looked at. */
		list = dma_buf_list_from_runs(&own, model_bar, 3, m->dir, 0);
		KUNIT_EXPECT_EQ(test, PTR_ERR(list), -EINVAL);
		/* The one mapped before it must not stay. */
		list = dma_buf_list_from_runs(&own, vec, 2, m->dir, 0);
		KUNIT_EXPECT_EQ(test, PTR_ERR(list), -EINVAL);
		model_expect_clean(m);
	}
}

static void real_memmap_is_looked_at(struct kunit *test)
{
	struct model *m = test->priv;
	struct page *page = m->pages;

	kunit_deactivate_static_stub(test, dma_buf_hw_is_system_memory);
	KUNIT_EXPECT_TRUE(test, dma_buf_hw_is_system_memory(page_to_phys(page),
							    MODEL_NR_PAGES));
	KUNIT_EXPECT_FALSE(test, dma_buf_hw_is_system_memory(MODEL_BAR, 1));
	KUNIT_EXPECT_FALSE(test, dma_buf_hw_is_system_memory(page_to_phys(page),
							     BIT(BITS_PER_LONG * 5 / 8)));
#ifdef CONFIG_ZONE_DEVICE
	{
		struct dev_pagemap pgmap = { .type = MEMORY_DEVICE_PCI_P2PDMA };
		struct dev_pagemap *was = page_folio(page)->pgmap;
		enum zone_type zone = page_zonenum(page);
		phys_addr_t phys = page_to_phys(page);

		set_page_zone(page, ZONE_DEVICE);
		page_folio(page)->pgmap = &pgmap;
		KUNIT_EXPECT_FALSE(test, dma_buf_hw_is_system_memory(phys, 1));
		KUNIT_EXPECT_FALSE(test, dma_buf_hw_is_system_memory(phys, 2));
		/* Xen uses this kind for grants, and DMA to it works. */
		pgmap.type = MEMORY_DEVICE_GENERIC;
		KUNIT_EXPECT_TRUE(test, dma_buf_hw_is_system_memory(phys, 1));
		page_folio(page)->pgmap = was;
		set_page_zone(page, zone);
	}
#endif
}

static struct kunit_case dma_buf_refuse_cases[] = {
	KUNIT_CASE_PARAM(bad_ranges_are_refused, refusal_gen_params),
	KUNIT_CASE(range_may_end_where_the_address_space_does),
	KUNIT_CASE(last_page_may_be_partly_used),
	KUNIT_CASE(bad_arguments_are_refused),
	KUNIT_CASE(mapping_of_the_cpu_is_within_the_buffer),
	KUNIT_CASE(bad_tables_are_refused),
	KUNIT_CASE(coherent_memory_is_what_its_owner_says),
	KUNIT_CASE(coherent_memory_may_have_no_pages),
	KUNIT_CASE(memory_without_a_memmap_is_no_system_memory),
	KUNIT_CASE(real_memmap_is_looked_at),
	{}
};

static struct kunit_suite dma_buf_refuse_suite = {
	.name = "dma-buf-refuse",
	.init = model_init,
	.exit = model_exit,
	.test_cases = dma_buf_refuse_cases,
};

kunit_test_suite(dma_buf_refuse_suite);
