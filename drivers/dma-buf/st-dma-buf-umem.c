// SPDX-License-Identifier: GPL-2.0-only
/*
 * RDMA: a memory region that is a part of a dma-buf
 */
#include <linux/dma-resv.h>
#include <linux/fcntl.h>
#include <linux/fdtable.h>
#include <linux/file.h>
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

/* The table is the pages of the region and not a byte more. */
static void region_expect_table(struct region *r)
{
	struct ib_umem *umem = &r->umem->umem;
	struct kunit *test = r->b.m->test;
	u64 at = round_down(umem->address, PAGE_SIZE);
	u64 end = round_up(umem->address + umem->length, PAGE_SIZE);
	struct scatterlist *sg;
	int i;

	for_each_sgtable_dma_sg(&umem->sgt_append.sgt, sg, i) {
		dma_addr_t addr = sg_dma_address(sg);
		u64 last = sg_dma_len(sg) - PAGE_SIZE;

		KUNIT_EXPECT_EQ(test, model_reached(r->b.m, addr),
				region_phys(&r->b, at));
		KUNIT_EXPECT_EQ(test, model_reached(r->b.m, addr + last),
				region_phys(&r->b, at + last));
		at += sg_dma_len(sg);
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
	region_expect_table(&r);
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

/* One range on the list, several entries of the table, blocks as if it were one. */
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
	region_expect_table(&r);
	region_expect_blocks(&r, SZ_2M);
	KUNIT_EXPECT_GT(test, r.umem->umem.sgt_append.sgt.nents, 1);
	region_release(&r);

	KUNIT_ASSERT_EQ(test, 0, region_get(&r, 0, vec.len));
	region_expect_blocks(&r, SZ_1G);
	region_release(&r);
	region_exit(&r);
}

/* No entry is longer than the device takes. */
static void entries_are_as_long_as_the_device_takes(struct kunit *test)
{
	const struct phys_vec vec = V(MODEL_BAR, 64);
	struct model *m = test->priv;
	struct scatterlist *sg;
	struct region r;
	int i;

	model_with_peer(m, PCI_P2PDMA_MAP_BUS_ADDR);
	dma_set_max_seg_size(m->dev, 3 * PAGE_SIZE);
	region_init(test, &r, BUFFER_BAR, &vec, 1);
	KUNIT_ASSERT_EQ(test, 0, region_get(&r, 0, vec.len));
	for_each_sgtable_dma_sg(&r.umem->umem.sgt_append.sgt, sg, i)
		KUNIT_EXPECT_LE(test, sg_dma_len(sg), 3 * PAGE_SIZE);
	region_expect_blocks(&r, 64 * PAGE_SIZE);
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

	/* The exporter promised more than it maps: what is mapped has no table. */
	r.b.dmabuf->size += PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, -EINVAL, region_get(&r, 0, 7 * PAGE_SIZE + 1));
	KUNIT_EXPECT_EQ(test, -EINVAL, region_get(&r, 7 * PAGE_SIZE, 1));
	KUNIT_EXPECT_EQ(test, r.b.pins, 0);
	region_exit(&r);
}

/* Drivers do not get a table without entries. */
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
	KUNIT_EXPECT_NOT_NULL(r->b.m->test, r->umem->list);
	region_expect_table(r);
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
	KUNIT_EXPECT_NULL(test, r.umem->list);
	KUNIT_EXPECT_NULL(test, r.umem->umem.sgt_append.sgt.sgl);
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
	KUNIT_EXPECT_NULL(test, r.umem->list);

	dma_resv_lock(r.b.dmabuf->resv, NULL);
	for (i = 0; i < 3; i++) {
		swap(vec[0].paddr, vec[2].paddr);
		KUNIT_EXPECT_EQ(test, 0, ib_umem_dmabuf_map_pages(r.umem));
		/* Once more is nothing more. */
		KUNIT_EXPECT_EQ(test, 0, ib_umem_dmabuf_map_pages(r.umem));
		KUNIT_EXPECT_EQ(test, r.b.mapped, 1);
		region_expect_table(&r);
		dma_buf_invalidate_mappings(r.b.dmabuf);
		KUNIT_EXPECT_EQ(test, r.b.mapped, 0);
		KUNIT_EXPECT_NULL(test, r.umem->umem.sgt_append.sgt.sgl);
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

static struct kunit_case dma_buf_umem_cases[] = {
	KUNIT_CASE_PARAM(region_is_a_part_of_system_memory, part_gen_params),
	KUNIT_CASE_PARAM(region_is_a_part_behind_an_iommu, part_gen_params),
	KUNIT_CASE_PARAM(region_is_a_part_of_a_peer, part_gen_params),
	KUNIT_CASE(region_above_4_gib_has_large_blocks),
	KUNIT_CASE(entries_are_as_long_as_the_device_takes),
	KUNIT_CASE(region_beyond_the_buffer_is_refused),
	KUNIT_CASE(region_of_nothing_is_refused),
	KUNIT_CASE(what_fails_leaves_nothing),
	KUNIT_CASE(revoked_region_is_empty),
	KUNIT_CASE(released_region_is_revoked),
	KUNIT_CASE(region_follows_the_buffer),
	KUNIT_CASE(region_is_not_read_by_the_cpu),
	{}
};

static struct kunit_suite dma_buf_umem_suite = {
	.name = "dma-buf-umem",
	.init = model_init,
	.exit = model_exit,
	.test_cases = dma_buf_umem_cases,
};

kunit_test_suite(dma_buf_umem_suite);
