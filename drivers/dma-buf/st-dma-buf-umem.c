// SPDX-License-Identifier: GPL-2.0-only
/*
 * RDMA: a memory region that is a part of a dma-buf, or memory of a process
 */
#include <linux/dma-resv.h>
#include <linux/fcntl.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/highmem.h>
#include <linux/mman.h>
#include <linux/uaccess.h>
#include <rdma/ib_umem.h>
#include <rdma/ib_verbs.h>
#include <rdma/iter.h>

#include "st-dma-buf-model.h"

/**
 * struct region - a memory region, and what it is a part of
 * @ibdev: a device that has nothing but the device which does the DMA
 * @b: the buffer
 * @umem: the region
 * @revoked: how often the driver was told that the memory is gone
 */
struct region {
	struct ib_device *ibdev;
	struct buffer b;
	struct ib_umem_dmabuf *umem;
	unsigned int revoked;
};

static void region_init(struct kunit *test, struct region *r,
			enum buffer_kind kind, const struct phys_vec *vec,
			size_t nr)
{
	struct model *m = test->priv;
	size_t size = 0, i;

	*r = (struct region) { };
	r->ibdev = kunit_kzalloc(test, sizeof(*r->ibdev), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, r->ibdev);
	r->ibdev->dma_device = m->dev;
	m->dir = DMA_BIDIRECTIONAL;

	buffer_init(&r->b, m, kind, vec, nr);
	r->b.can_pin = true;
	buffer_export(&r->b);
	for (i = 0; i < nr; i++)
		size += vec[i].len;
	r->b.dmabuf->size = size;
}

static void region_exit(struct region *r)
{
	buffer_expect_unmapped(&r->b);
	buffer_put(&r->b);
}

static int region_fd(struct region *r)
{
	int fd;

	get_dma_buf(r->b.dmabuf);
	fd = dma_buf_fd(r->b.dmabuf, O_CLOEXEC);
	KUNIT_ASSERT_GE(r->b.m->test, fd, 0);
	return fd;
}

static int region_get(struct region *r, u64 offset, size_t length)
{
	int fd = region_fd(r);

	r->umem = ib_umem_dmabuf_get_pinned(r->ibdev, offset, length, fd,
					    IB_ACCESS_LOCAL_WRITE);
	close_fd(fd);
	return PTR_ERR_OR_ZERO(r->umem);
}

static void region_release(struct region *r)
{
	ib_umem_release(&r->umem->umem);
}

/* What is behind so many bytes of the buffer */
static phys_addr_t region_phys(const struct buffer *b, u64 offset)
{
	size_t v;

	for (v = 0; v < b->nr; v++) {
		if (offset < b->vec[v].len)
			return b->vec[v].paddr + offset;
		offset -= b->vec[v].len;
	}
	return 0;
}

/* Blocks of @pgsz are the right parts of the buffer, and are all of the region. */
static void region_expect_blocks(struct region *r, unsigned long pgsz)
{
	struct ib_umem *umem = &r->umem->umem;
	struct kunit *test = r->b.m->test;
	u64 at = round_down(umem->address, pgsz);
	u64 end = round_up(umem->address + umem->length, pgsz);
	struct ib_block_iter biter;

	KUNIT_ASSERT_EQ(test, pgsz,
			ib_umem_find_best_pgsz(umem, pgsz, umem->address));
	rdma_umem_for_each_dma_block(umem, &biter, pgsz) {
		dma_addr_t addr = rdma_block_iter_dma_address(&biter);

		KUNIT_EXPECT_EQ(test, model_reached(r->b.m, addr),
				region_phys(&r->b, at));
		at += pgsz;
	}
	KUNIT_EXPECT_EQ(test, at, end);
}

/* What drivers read is the pages of the region and not a byte more. */
static void region_expect_ranges(struct region *r)
{
	struct ib_umem *umem = &r->umem->umem;
	struct kunit *test = r->b.m->test;
	u64 at = round_down(umem->address, PAGE_SIZE);
	u64 end = round_up(umem->address + umem->length, PAGE_SIZE);
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk range;

	KUNIT_EXPECT_EQ(test, model_reached(r->b.m, ib_umem_start_dma_addr(umem)),
			region_phys(&r->b, umem->address));
	ib_umem_cursor_init(&cursor, umem);
	dma_buf_cursor_for_each_range(range, &cursor) {
		u64 last = (u64)(range.npages - 1) << PAGE_SHIFT;

		KUNIT_EXPECT_EQ(test, model_reached(r->b.m, range.dma_addr),
				region_phys(&r->b, at));
		KUNIT_EXPECT_EQ(test, model_reached(r->b.m, range.dma_addr + last),
				region_phys(&r->b, at + last));
		at += last + PAGE_SIZE;
	}
	KUNIT_EXPECT_EQ(test, at, end);
}

/**
 * struct part - which part of a buffer of 7 pages: 4, 2 and 1 of them together
 * @name: of the test
 * @offset: where it begins, in bytes
 * @length: of it in bytes
 */
struct part {
	const char *name;
	u64 offset;
	size_t length;
};

static const struct part parts[] = {
	{ "all", 0, 7 * PAGE_SIZE },
	{ "first byte", 0, 1 },
	{ "last byte", 7 * PAGE_SIZE - 1, 1 },
	{ "within a page", PAGE_SIZE + 100, 200 },
	{ "across two pages", 2 * PAGE_SIZE - 1, 2 },
	{ "across two runs", 4 * PAGE_SIZE - 1, 2 },
	{ "a run", 4 * PAGE_SIZE, 2 * PAGE_SIZE },
	{ "within a run", PAGE_SIZE, 2 * PAGE_SIZE },
	{ "more than two runs", PAGE_SIZE + 1, 6 * PAGE_SIZE - 2 },
	{ "one page longer for its offset", 4 * PAGE_SIZE + 8, 2 * PAGE_SIZE },
};

KUNIT_ARRAY_PARAM_DESC(part, parts, name);

static void expect_part(struct kunit *test, enum buffer_kind kind,
			const struct phys_vec *vec)
{
	const struct part *part = test->param_value;
	struct region r;

	region_init(test, &r, kind, vec, 3);
	KUNIT_ASSERT_EQ(test, 0, region_get(&r, part->offset, part->length));
	KUNIT_EXPECT_EQ(test, r.b.pins, 1);
	KUNIT_EXPECT_EQ(test, ib_umem_offset(&r.umem->umem),
			offset_in_page(part->offset));
	region_expect_ranges(&r);
	region_expect_blocks(&r, PAGE_SIZE);
	region_release(&r);
	region_exit(&r);
}

static void region_is_a_part_of_system_memory(struct kunit *test)
{
	expect_part(test, BUFFER_RUNS, model_ram(test->priv));
}

static void region_is_a_part_behind_an_iommu(struct kunit *test)
{
	model_behind_iommu(test->priv);
	expect_part(test, BUFFER_RUNS, model_ram(test->priv));
}

static void region_is_a_part_of_a_peer(struct kunit *test)
{
	model_with_peer(test->priv, PCI_P2PDMA_MAP_THRU_HOST_BRIDGE);
	expect_part(test, BUFFER_BAR, model_bar);
}

static void region_above_4_gib_has_large_blocks(struct kunit *test)
{
	const struct phys_vec vec = { .paddr = MODEL_BAR, .len = 6ULL * SZ_1G };
	struct model *m = test->priv;
	struct region r;

	if (!IS_ENABLED(CONFIG_64BIT))
		kunit_skip(test, "a region is shorter than that with 32 bit");

	model_with_peer(m, PCI_P2PDMA_MAP_BUS_ADDR);
	region_init(test, &r, BUFFER_BAR, &vec, 1);
	KUNIT_ASSERT_EQ(test, 0, region_get(&r, SZ_2M, vec.len - SZ_4M));
	region_expect_ranges(&r);
	region_expect_blocks(&r, SZ_2M);
	region_release(&r);

	KUNIT_ASSERT_EQ(test, 0, region_get(&r, 0, vec.len));
	region_expect_blocks(&r, SZ_1G);
	region_release(&r);
	region_exit(&r);
}

static void region_beyond_the_buffer_is_refused(struct kunit *test)
{
	struct region r;

	region_init(test, &r, BUFFER_RUNS, model_ram(test->priv), 3);
	KUNIT_EXPECT_EQ(test, -EINVAL, region_get(&r, 7 * PAGE_SIZE, 1));
	KUNIT_EXPECT_EQ(test, -EINVAL, region_get(&r, 1, 7 * PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, -EINVAL, region_get(&r, U64_MAX, 2));
	KUNIT_EXPECT_EQ(test, -EINVAL, region_get(&r, PAGE_SIZE, 0));

	/* The exporter promised more than it maps. */
	r.b.dmabuf->size += PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, -EINVAL, region_get(&r, 0, 7 * PAGE_SIZE + 1));
	KUNIT_EXPECT_EQ(test, -EINVAL, region_get(&r, 7 * PAGE_SIZE, 1));
	KUNIT_EXPECT_EQ(test, r.b.pins, 0);
	region_exit(&r);
}

/* Drivers do not get a region without a page. */
static void region_of_nothing_is_refused(struct kunit *test)
{
	struct region r;

	region_init(test, &r, BUFFER_RUNS, NULL, 0);
	r.b.dmabuf->size = PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, -EINVAL, region_get(&r, 0, PAGE_SIZE));
	region_exit(&r);
}

/* Each call of the DMA API, then pinning and mapping */
static void what_fails_leaves_nothing(struct kunit *test)
{
	struct model *m = test->priv;
	struct region r;
	unsigned int n;
	int ret;

	model_behind_iommu(m);
	region_init(test, &r, BUFFER_RUNS, model_ram(m), 3);
	for (n = 1; ; n++) {
		m->calls = 0;
		m->fail_at = n;
		ret = region_get(&r, PAGE_SIZE, 5 * PAGE_SIZE);
		if (!ret)
			break;
		KUNIT_EXPECT_EQ(test, ret, -ENOMEM);
		buffer_expect_unmapped(&r.b);
		KUNIT_EXPECT_EQ(test, r.b.pins, 0);
	}
	KUNIT_EXPECT_GT(test, n, 2);
	m->fail_at = 0;
	region_release(&r);

	r.b.pin_error = -EBUSY;
	KUNIT_EXPECT_EQ(test, -EBUSY, region_get(&r, 0, PAGE_SIZE));
	r.b.pin_error = 0;
	r.b.map_error = -EREMOTEIO;
	KUNIT_EXPECT_EQ(test, -EREMOTEIO, region_get(&r, 0, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, r.b.pins, 0);
	region_exit(&r);
}

static void region_revoked(void *priv)
{
	struct region *r = priv;

	dma_resv_assert_held(r->b.dmabuf->resv);
	/* The driver stops its device, which has had the addresses until now. */
	KUNIT_EXPECT_NOT_NULL(r->b.m->test, r->umem->umem.list);
	region_expect_ranges(r);
	r->revoked++;
}

static void region_get_revocable(struct region *r, u64 offset, size_t length)
{
	int fd = region_fd(r);

	r->umem = ib_umem_dmabuf_get_pinned_revocable_and_lock(r->ibdev, offset,
							       length, fd, 0);
	close_fd(fd);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(r->b.m->test, r->umem);
	ib_umem_dmabuf_set_revoke_locked(r->umem, region_revoked, r);
	ib_umem_dmabuf_revoke_unlock(r->umem);
}

static void revoked_region_is_empty(struct kunit *test)
{
	struct region r;

	model_with_peer(test->priv, PCI_P2PDMA_MAP_THRU_HOST_BRIDGE);
	region_init(test, &r, BUFFER_BAR, model_bar, 3);
	region_get_revocable(&r, PAGE_SIZE, 5 * PAGE_SIZE);
	region_expect_blocks(&r, PAGE_SIZE);

	KUNIT_EXPECT_EQ(test, 0, dma_buf_revoke_mappings(r.b.dmabuf, HZ));
	KUNIT_EXPECT_EQ(test, r.revoked, 1);
	KUNIT_EXPECT_EQ(test, r.b.pins, 0);
	KUNIT_EXPECT_NULL(test, r.umem->umem.list);
	buffer_expect_unmapped(&r.b);

	/* Once and for all */
	dma_resv_lock(r.b.dmabuf->resv, NULL);
	KUNIT_EXPECT_EQ(test, -EINVAL, ib_umem_dmabuf_map_pages(r.umem));
	dma_resv_unlock(r.b.dmabuf->resv);
	region_release(&r);
	KUNIT_EXPECT_EQ(test, r.revoked, 1);
	region_exit(&r);
}

/* Without being revoked before, too */
static void released_region_is_revoked(struct kunit *test)
{
	struct region r;

	region_init(test, &r, BUFFER_RUNS, model_ram(test->priv), 3);
	region_get_revocable(&r, 0, PAGE_SIZE);
	region_release(&r);
	KUNIT_EXPECT_EQ(test, r.revoked, 1);
	region_exit(&r);
}

static void region_moved(struct dma_buf_attachment *attach)
{
	ib_umem_dmabuf_unmap_pages(attach->importer_priv);
}

static const struct dma_buf_attach_ops region_moves = {
	.allow_peer2peer = true,
	.invalidate_mappings = region_moved,
};

/* As mlx5 does with on-demand paging: mapped, moved, mapped where it is then */
static void region_follows_the_buffer(struct kunit *test)
{
	struct phys_vec vec[3];
	struct region r;
	int fd, i;

	memcpy(vec, model_ram(test->priv), sizeof(vec));
	region_init(test, &r, BUFFER_RUNS, vec, 3);
	fd = region_fd(&r);
	r.umem = ib_umem_dmabuf_get(r.ibdev, PAGE_SIZE + 1, 5 * PAGE_SIZE, fd, 0,
				    &region_moves);
	close_fd(fd);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, r.umem);
	KUNIT_EXPECT_NULL(test, r.umem->umem.list);

	dma_resv_lock(r.b.dmabuf->resv, NULL);
	for (i = 0; i < 3; i++) {
		swap(vec[0].paddr, vec[2].paddr);
		KUNIT_EXPECT_EQ(test, 0, ib_umem_dmabuf_map_pages(r.umem));
		/* Once more is nothing more. */
		KUNIT_EXPECT_EQ(test, 0, ib_umem_dmabuf_map_pages(r.umem));
		KUNIT_EXPECT_EQ(test, r.b.mapped, 1);
		region_expect_ranges(&r);
		dma_buf_invalidate_mappings(r.b.dmabuf);
		KUNIT_EXPECT_EQ(test, r.b.mapped, 0);
		}
	dma_resv_unlock(r.b.dmabuf->resv);
	region_release(&r);
	region_exit(&r);
}

/* The memory is the exporter's, and need not have pages. */
static void region_is_not_read_by_the_cpu(struct kunit *test)
{
	struct region r;
	char byte;

	region_init(test, &r, BUFFER_RUNS, model_ram(test->priv), 3);
	KUNIT_ASSERT_EQ(test, 0, region_get(&r, 0, 7 * PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			ib_umem_copy_from(&byte, &r.umem->umem, 0, 1));
	region_release(&r);
	region_exit(&r);
}

/* What is in a byte of user memory */
static u8 user_byte(unsigned long addr)
{
	return addr ^ addr >> 8 ^ addr >> 16;
}

#define USER_PAGES	1100

static unsigned long user_memory(struct kunit *test)
{
	unsigned long addr, i, j;
	u8 *bytes = kunit_kmalloc(test, PAGE_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, bytes);
	KUNIT_ASSERT_EQ(test, 0, kunit_attach_mm());
	addr = kunit_vm_mmap(test, NULL, 0, USER_PAGES * PAGE_SIZE,
			     PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE,
			     0);
	KUNIT_ASSERT_FALSE(test, !addr || IS_ERR_VALUE(addr));
	for (i = addr; i < addr + USER_PAGES * PAGE_SIZE; i += PAGE_SIZE) {
		for (j = 0; j < PAGE_SIZE; j++)
			bytes[j] = user_byte(i + j);
		KUNIT_ASSERT_EQ(test, 0, copy_to_user((void __user *)i, bytes,
						      PAGE_SIZE));
	}
	return addr;
}

/* Not only the pages of the model */
static bool user_is_system_memory(phys_addr_t phys, unsigned long npages)
{
	return true;
}

static struct ib_device *user_device(struct kunit *test, struct device *dev)
{
	struct ib_device *ibdev = kunit_kzalloc(test, sizeof(*ibdev), GFP_KERNEL);
	struct model *m = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, ibdev);
	ibdev->dma_device = dev;
	m->dir = DMA_BIDIRECTIONAL;
	m->attrs = DMA_ATTR_REQUIRE_COHERENT;
	kunit_activate_static_stub(test, dma_buf_hw_is_system_memory,
				   user_is_system_memory);
	return ibdev;
}

static const struct part user_parts[] = {
	{ "all", 0, USER_PAGES * PAGE_SIZE },
	{ "first byte", 0, 1 },
	{ "last byte", USER_PAGES * PAGE_SIZE - 1, 1 },
	{ "within a page", PAGE_SIZE + 100, 200 },
	{ "across two pages", 2 * PAGE_SIZE - 1, 2 },
	{ "across what is pinned at a time", 500 * PAGE_SIZE + 1, 20 * PAGE_SIZE },
	{ "one page longer for its offset", 4 * PAGE_SIZE + 8, 2 * PAGE_SIZE },
};

KUNIT_ARRAY_PARAM_DESC(user_part, user_parts, name);

/* Pages and blocks are those that the user wrote to, pinned, and not more. */
static void user_expect(struct kunit *test, struct ib_umem *umem)
{
	unsigned long at = umem->address & PAGE_MASK;
	struct ib_block_iter biter;
	struct ib_umem_page_iter iter;
	struct page *page;
	u8 byte;

	if (umem->list)
		KUNIT_EXPECT_EQ(test, PAGE_SIZE,
				ib_umem_find_best_pgsz(umem, PAGE_SIZE,
						       umem->address));
	if (umem->list)
		__rdma_umem_block_iter_start(&biter, umem, PAGE_SIZE);
	ib_umem_for_each_page(page, &iter, umem) {
		memcpy_from_page(&byte, page, 77, 1);
		KUNIT_EXPECT_EQ(test, byte, user_byte(at + 77));
		KUNIT_EXPECT_TRUE(test, folio_maybe_dma_pinned(page_folio(page)));
		at += PAGE_SIZE;
		if (!umem->list)
			continue;
		KUNIT_ASSERT_TRUE(test, __rdma_umem_block_iter_next(&biter));
		KUNIT_EXPECT_EQ(test, page_to_phys(page),
				model_reached(test->priv,
					      rdma_block_iter_dma_address(&biter)));
	}
	KUNIT_EXPECT_EQ(test, at, PAGE_ALIGN(umem->address + umem->length));
	if (umem->list)
		KUNIT_EXPECT_FALSE(test, __rdma_umem_block_iter_next(&biter));
}

static void user_expect_unpinned(struct kunit *test, struct page **pages)
{
	unsigned int i;

	KUNIT_EXPECT_EQ(test, 0, atomic64_read(&current->mm->pinned_vm));
	for (i = 0; i < USER_PAGES; i++)
		KUNIT_EXPECT_FALSE(test, folio_maybe_dma_pinned(page_folio(pages[i])));
}

static struct page **user_pages(struct kunit *test, unsigned long addr)
{
	struct page **pages = kunit_kcalloc(test, USER_PAGES, sizeof(*pages),
					    GFP_KERNEL);
	int n;

	KUNIT_ASSERT_NOT_NULL(test, pages);
	n = get_user_pages_fast(addr, USER_PAGES, FOLL_WRITE, pages);
	KUNIT_ASSERT_EQ(test, n, USER_PAGES);
	return pages;
}

static void user_put(struct page **pages)
{
	unsigned int i;

	for (i = 0; i < USER_PAGES; i++)
		put_page(pages[i]);
}

static void expect_user(struct kunit *test, struct device *dev)
{
	struct ib_device *ibdev = user_device(test, dev);
	const struct part *part = test->param_value;
	unsigned long addr = user_memory(test), i;
	struct page **pages = user_pages(test, addr);
	struct ib_umem *umem;
	u8 bytes[100];
	size_t n = min(part->length, sizeof(bytes));

	umem = ib_umem_get_va(ibdev, addr + part->offset, part->length,
			      IB_ACCESS_LOCAL_WRITE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, umem);
	KUNIT_EXPECT_EQ(test, !umem->list, !dev);
	user_expect(test, umem);

	KUNIT_EXPECT_EQ(test, 0, ib_umem_copy_from(bytes, umem,
						   part->length - n, n));
	for (i = 0; i < n; i++)
		KUNIT_EXPECT_EQ(test, bytes[i],
				user_byte(umem->address + part->length - n + i));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			ib_umem_copy_from(bytes, umem, part->length, 1));

	ib_umem_release(umem);
	user_expect_unpinned(test, pages);
	user_put(pages);
}

static void user_memory_is_what_the_user_wrote(struct kunit *test)
{
	expect_user(test, ((struct model *)test->priv)->dev);
}

static void user_memory_behind_an_iommu(struct kunit *test)
{
	model_behind_iommu(test->priv);
	expect_user(test, ((struct model *)test->priv)->dev);
}

/* As rxe and siw: the CPU is the device. */
static void user_memory_without_dma(struct kunit *test)
{
	if (!IS_ENABLED(CONFIG_INFINIBAND_VIRT_DMA))
		kunit_skip(test, "no driver of such a device");
	expect_user(test, NULL);
	KUNIT_EXPECT_EQ(test, ((struct model *)test->priv)->need_map_calls, 0);
}

/* The DMA API fails, or the end of the memory is not there. */
static void user_memory_that_fails_is_unpinned(struct kunit *test)
{
	struct model *m = test->priv;
	struct ib_device *ibdev = user_device(test, m->dev);
	unsigned long addr = user_memory(test);
	struct page **pages = user_pages(test, addr);
	struct ib_umem *umem;
	unsigned int n;

	model_behind_iommu(m);
	for (n = 1; ; n++) {
		m->calls = 0;
		m->fail_at = n;
		umem = ib_umem_get_va(ibdev, addr + 1, 600 * PAGE_SIZE, 0);
		if (!IS_ERR(umem))
			break;
		KUNIT_EXPECT_EQ(test, PTR_ERR(umem), -ENOMEM);
		model_expect_clean(m);
		user_expect_unpinned(test, pages);
	}
	KUNIT_EXPECT_GT(test, n, 2);
	m->fail_at = 0;
	ib_umem_release(umem);

	KUNIT_EXPECT_EQ(test, 0, vm_munmap(addr + 1000 * PAGE_SIZE, PAGE_SIZE));
	umem = ib_umem_get_va(ibdev, addr, USER_PAGES * PAGE_SIZE, 0);
	KUNIT_EXPECT_EQ(test, PTR_ERR(umem), -EFAULT);
	model_expect_clean(m);
	user_expect_unpinned(test, pages);

	KUNIT_EXPECT_EQ(test, -EINVAL,
			PTR_ERR(ib_umem_get_va(ibdev, addr, 0, 0)));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			PTR_ERR(ib_umem_get_va(ibdev, ULONG_MAX - 1, 10, 0)));
	user_expect_unpinned(test, pages);
	user_put(pages);
}

static struct kunit_case dma_buf_umem_cases[] = {
	KUNIT_CASE_PARAM(region_is_a_part_of_system_memory, part_gen_params),
	KUNIT_CASE_PARAM(region_is_a_part_behind_an_iommu, part_gen_params),
	KUNIT_CASE_PARAM(region_is_a_part_of_a_peer, part_gen_params),
	KUNIT_CASE(region_above_4_gib_has_large_blocks),
	KUNIT_CASE(region_beyond_the_buffer_is_refused),
	KUNIT_CASE(region_of_nothing_is_refused),
	KUNIT_CASE(what_fails_leaves_nothing),
	KUNIT_CASE(revoked_region_is_empty),
	KUNIT_CASE(released_region_is_revoked),
	KUNIT_CASE(region_follows_the_buffer),
	KUNIT_CASE(region_is_not_read_by_the_cpu),
	KUNIT_CASE_PARAM(user_memory_is_what_the_user_wrote, user_part_gen_params),
	KUNIT_CASE_PARAM(user_memory_behind_an_iommu, user_part_gen_params),
	KUNIT_CASE_PARAM(user_memory_without_dma, user_part_gen_params),
	KUNIT_CASE(user_memory_that_fails_is_unpinned),
	{}
};

static struct kunit_suite dma_buf_umem_suite = {
	.name = "dma-buf-umem",
	.init = model_init,
	.exit = model_exit,
	.test_cases = dma_buf_umem_cases,
};

kunit_test_suite(dma_buf_umem_suite);
