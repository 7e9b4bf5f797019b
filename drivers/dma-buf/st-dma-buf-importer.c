// SPDX-License-Identifier: GPL-2.0-only
/*
 * What importers read from a list besides its ranges: random lists against a plain
 * model of them
 */
#include <linux/device.h>
#include <linux/iommu.h>
#include <linux/moduleparam.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/scatterlist.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>

#include "st-dma-buf-model.h"

#define ROUNDS		2000
#define PARTS		8
#define MAX_CHUNKS	40

static u64 importer_seed;
module_param(importer_seed, ullong, 0444);
MODULE_PARM_DESC(importer_seed, "Seed of the random tests, zero for a new one");

/**
 * struct plain - a list and what is in it
 * @test: the test
 * @rnd: state of the random numbers
 * @dev: device that the list is for
 * @list: the list
 * @chunk: what was put into it
 * @nr: number of these
 * @size: length of all, in bytes
 */
struct plain {
	struct kunit *test;
	struct rnd_state rnd;
	struct device *dev;
	struct dma_buf_list *list;
	struct dma_buf_run chunk[MAX_CHUNKS];
	unsigned int nr;
	u64 size;
};

static u32 any(struct plain *p, u32 below)
{
	return prandom_u32_state(&p->rnd) % below;
}

static u64 any_u64(struct plain *p, u64 below)
{
	u64 value = (u64)prandom_u32_state(&p->rnd) << 32 |
		    prandom_u32_state(&p->rnd);

	return below ? value - div64_u64(value, below) * below : 0;
}

static unsigned long any_npages(struct plain *p)
{
	switch (any(p, 8)) {
	case 0:	/* what takes two words */
		return PAGE_SIZE - 2 + any(p, 4);
	case 1:	/* around 4 GiB */
		return (BIT_ULL(32) >> PAGE_SHIFT) - 2 + any(p, 4);
	default:
		return 1 + any(p, 8);
	}
}

/* Somewhere, or right behind the one before */
static u64 any_addr(struct plain *p)
{
	const struct dma_buf_run *last = &p->chunk[p->nr - 1];

	if (p->nr && any(p, 2))
		return last->addr + ((u64)last->npages << PAGE_SHIFT);
	return (u64)any(p, BIT(20)) << (any(p, 2) ? PAGE_SHIFT : 30);
}

static void plain_fill(struct plain *p)
{
	struct dma_buf_attachment nobody = { .dev = p->dev };
	struct dma_buf_writer writer;
	unsigned int nr = any(p, MAX_CHUNKS + 1);

	p->list = dma_buf_list_alloc(&nobody, DMA_TO_DEVICE, 0);
	KUNIT_ASSERT_NOT_NULL(p->test, p->list);
	dma_buf_writer_init(&writer, p->list->one, ARRAY_SIZE(p->list->one), nr);
	p->size = 0;
	for (p->nr = 0; p->nr < nr; p->nr++) {
		struct dma_buf_run run = {
			.addr = any_addr(p),
			.npages = any_npages(p),
		};

		p->chunk[p->nr] = run;
		p->size += (u64)run.npages << PAGE_SHIFT;
		KUNIT_ASSERT_EQ(p->test, dma_buf_writer_add(&writer, run), 0);
	}
	dma_buf_list_set(p->list, &writer, 0);
}

/* The address of a byte of the buffer, and how many more follow it there */
static u64 plain_at(const struct plain *p, u64 pos, u64 *len)
{
	u64 start = 0, addr, end;
	unsigned int i;

	for (i = 0; i < p->nr; i++) {
		u64 size = (u64)p->chunk[i].npages << PAGE_SHIFT;

		if (pos - start < size)
			break;
		start += size;
	}
	KUNIT_ASSERT_LT(p->test, i, p->nr);
	addr = p->chunk[i].addr + (pos - start);
	do {
		end = p->chunk[i].addr + ((u64)p->chunk[i].npages << PAGE_SHIFT);
	} while (++i < p->nr && p->chunk[i].addr == end);
	*len = end - addr;
	return addr;
}

/* A position at the start of something, or next to that, or anywhere */
static u64 any_pos(struct plain *p)
{
	unsigned int i, n = any(p, p->nr + 1);
	u64 pos = 0;

	if (!any(p, 3))
		return any_u64(p, p->size + 2 * PAGE_SIZE);
	for (i = 0; i < n; i++)
		pos += (u64)p->chunk[i].npages << PAGE_SHIFT;
	return pos + (any(p, 2) ? 0 : any(p, 2 * PAGE_SIZE));
}

static void for_random_lists(struct kunit *test, void (*check)(struct plain *p))
{
	u64 used = importer_seed ?: get_random_u64();
	struct model *m = test->priv;
	struct plain *p;
	int round, i;

	p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	kunit_info(test, "dmabuf_kunit.importer_seed=%llu", used);
	prandom_seed_state(&p->rnd, used);
	p->test = test;
	p->dev = m->dev;
	for (round = 0; round < ROUNDS; round++) {
		plain_fill(p);
		for (i = 0; i < PARTS; i++)
			check(p);
		dma_buf_list_release(p->list);
		cond_resched();
	}
}

/* Is it in one piece, and where? */

static void check_contiguous(struct plain *p)
{
	size_t size = any(p, 2) ? p->size : any_pos(p);
	dma_addr_t addr = 1;
	u64 len = 0, want;
	int ret;

	want = p->nr ? plain_at(p, 0, &len) : 0;
	ret = dma_buf_list_contiguous(p->list, size, &addr);
	if (size && size <= len) {
		KUNIT_ASSERT_EQ(p->test, ret, 0);
		KUNIT_ASSERT_EQ(p->test, addr, want);
	} else {
		KUNIT_ASSERT_EQ(p->test, ret, -EINVAL);
		KUNIT_ASSERT_EQ(p->test, addr, 1);
	}
}

static void contiguous_is_the_first_range(struct kunit *test)
{
	for_random_lists(test, check_contiguous);
}

/* In segments */

static u64 any_max(struct plain *p)
{
	switch (any(p, 6)) {
	case 0:
		return 0;
	case 1:
		return 1 + any(p, 2 * PAGE_SIZE);
	case 2:
		return U64_MAX;
	case 3:
		return U32_MAX & PAGE_MASK;
	default:
		return BIT_ULL(PAGE_SHIFT + any(p, 24));
	}
}

static void check_segments(struct plain *p)
{
	u64 pos = any_pos(p), size = any(p, 4) ? any_pos(p) : U64_MAX;
	u64 max = any_max(p), left, len, want, n = 0;
	struct dma_buf_segs segs;
	dma_addr_t addr;

	dma_buf_segs_init(&segs, p->list, pos, size, max);
	pos = min(pos, p->size);
	left = min(size, p->size - pos);
	/* Reading 4 GiB byte by byte would take too long. */
	while (n++ < 1000 && (len = dma_buf_segs_next(&segs, &addr))) {
		KUNIT_ASSERT_NE(p->test, left, 0);
		KUNIT_ASSERT_EQ(p->test, addr, plain_at(p, pos, &want));
		want = min(want, left);
		if (max)
			want = min(want, max);
		KUNIT_ASSERT_EQ(p->test, len, want);
		pos += len;
		left -= len;
	}
	if (n > 1000)
		return;
	KUNIT_ASSERT_EQ(p->test, left, 0);
	addr = 1;
	KUNIT_ASSERT_EQ(p->test, dma_buf_segs_next(&segs, &addr), 0);
	KUNIT_ASSERT_EQ(p->test, addr, 1);
}

static void segments_are_as_long_as_they_may_be(struct kunit *test)
{
	for_random_lists(test, check_segments);
}

/* As a table */

static void expect_entries(struct plain *p, const struct sg_table *sgt, u64 pos,
			   u64 left)
{
	u64 boundary = dma_get_seg_boundary(p->dev) | (PAGE_SIZE - 1);
	struct scatterlist *sg;
	unsigned int i;
	u64 want, room;

	KUNIT_ASSERT_EQ(p->test, sgt->nents, sgt->orig_nents);
	for_each_sgtable_dma_sg(sgt, sg, i) {
		KUNIT_ASSERT_NE(p->test, left, 0);
		KUNIT_ASSERT_EQ(p->test, sg_dma_address(sg),
				plain_at(p, pos, &want));
		room = boundary - (sg_dma_address(sg) & boundary);
		want = min(want, left);
		want = min(want, max(dma_get_max_seg_size(p->dev) & PAGE_MASK,
				     PAGE_SIZE));
		want = min(want, SZ_2G);
		if (want > room)
			want = room + 1;
		KUNIT_ASSERT_EQ(p->test, sg_dma_len(sg), want);
		KUNIT_ASSERT_EQ(p->test, sg->length, want);
		KUNIT_ASSERT_EQ(p->test, sg->offset, 0);
		KUNIT_ASSERT_NULL(p->test, sg_page(sg));
		KUNIT_ASSERT_EQ(p->test, sg_is_last(sg), i == sgt->nents - 1);
		pos += want;
		left -= want;
	}
	KUNIT_ASSERT_EQ(p->test, left, 0);
}

static void any_limits(struct plain *p)
{
	static const unsigned int sizes[] = {
		SZ_64K, UINT_MAX, 512, SZ_64K - 1, SZ_1G, SZ_16M,
	};
	static const unsigned long boundaries[] = {
		ULONG_MAX, U32_MAX, SZ_16M - 1, SZ_64K - 1, 511,
	};

	dma_set_max_seg_size(p->dev, sizes[any(p, ARRAY_SIZE(sizes))]);
	dma_set_seg_boundary(p->dev, boundaries[any(p, ARRAY_SIZE(boundaries))]);
}

static void check_table(struct plain *p)
{
	unsigned long all = p->size >> PAGE_SHIFT;
	unsigned long pgoff = any_pos(p) >> PAGE_SHIFT;
	unsigned long npages = any(p, 4) ? any_pos(p) >> PAGE_SHIFT : all - pgoff;
	struct sg_table sgt;
	int ret;

	any_limits(p);
	/* Limits the memory that the entries need. */
	if (npages > SZ_1G >> PAGE_SHIFT && npages <= all)
		dma_set_max_seg_size(p->dev, UINT_MAX);
	if (npages > SZ_1G >> PAGE_SHIFT && npages <= all)
		dma_set_seg_boundary(p->dev, U32_MAX);
	ret = dma_buf_list_to_sgt(p->list, pgoff, npages, &sgt, GFP_KERNEL);
	if (!npages || pgoff > all || npages > all - pgoff) {
		KUNIT_ASSERT_EQ(p->test, ret, -EINVAL);
		return;
	}
	KUNIT_ASSERT_EQ(p->test, ret, 0);
	expect_entries(p, &sgt, (u64)pgoff << PAGE_SHIFT,
		       (u64)npages << PAGE_SHIFT);
	sg_free_table(&sgt);
}

static void table_is_cut_as_the_device_needs(struct kunit *test)
{
	for_random_lists(test, check_table);
}

static void entries_of_a_table_can_be_counted(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_list *list;
	struct sg_table sgt;
	struct buffer b;

	dma_set_max_seg_size(m->dev, 2 * PAGE_SIZE);
	list = buffer_open(&b, m, BUFFER_RUNS, model_ram(m), 3);
	KUNIT_ASSERT_EQ(test, 0, dma_buf_list_to_sgt(list, 0, 7, &sgt, GFP_KERNEL));
	/* 4 pages, 2 and 1 */
	KUNIT_EXPECT_EQ(test, sgt.nents, 4);
	KUNIT_EXPECT_EQ(test, sg_nents_for_len(sgt.sgl, 5 * PAGE_SIZE), 3);
	KUNIT_EXPECT_EQ(test, sg_nents_for_len(sgt.sgl, 7 * PAGE_SIZE), 4);
	KUNIT_EXPECT_EQ(test, sg_nents_for_len(sgt.sgl, 7 * PAGE_SIZE + 1), -EINVAL);
	sg_free_table(&sgt);
	buffer_close(&b, list);
}

/* What is behind the addresses */

/* @list has the physical runs of @vec, whichever way it is mapped. */
static void expect_runs(struct model *m, const struct dma_buf_list *list,
			const struct phys_vec *vec, size_t nr)
{
	const u64 *word = list->phys;
	unsigned long npages;
	u64 addr;
	size_t i;

	KUNIT_ASSERT_NOT_NULL(m->test, word);
	for (i = 0; i < nr; i++) {
		word = dma_buf_run_read(word, &addr, &npages);
		KUNIT_EXPECT_EQ(m->test, addr, vec[i].paddr);
		KUNIT_EXPECT_EQ(m->test, npages, vec[i].len >> PAGE_SHIFT);
	}
}

static void runs_are_kept_for_who_asks(struct kunit *test)
{
	const struct model_machine *machine = model_machine_set_up(test);
	struct model *m = test->priv;
	const struct phys_vec *vec = machine->kind == BUFFER_BAR ||
				     machine->kind == BUFFER_PHYS ?
				     model_bar : model_ram(m);
	struct dma_buf_cursor cursor;
	struct dma_buf_pairs pairs;
	struct dma_buf_list *list;
	unsigned long npages;
	struct buffer b;

	buffer_init(&b, m, machine->kind, vec, 3);
	buffer_attach(&b);
	dma_buf_keep_runs(b.attach);
	list = buffer_map(&b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	expect_runs(m, list, vec, 3);
	buffer_expect_reached(&b, list);
	npages = dma_buf_list_first_range(&cursor, list).npages;
	KUNIT_EXPECT_EQ(test, npages,
			list->route == DMA_BUF_ROUTE_IOVA ||
			(list->route == DMA_BUF_ROUTE_MAP_SG && m->sg_merge) ?
			7 : 4);
	/* The table of a peer is made of its addresses alone, as it was. */
	if (list->peer) {
		dma_buf_pairs_init(&pairs, list);
		KUNIT_EXPECT_EQ(test, dma_buf_pairs_next(&pairs).npages, npages);
	}
	buffer_close(&b, list);
}

/* In an IOMMU domain */

#define IOVA	SZ_2G

/**
 * struct domain - in place of an IOMMU domain
 * @map: what is mapped, in order
 * @nr: number of these
 * @synced: bytes that the IOMMU was told of
 * @max: what one call may map at most, in bytes
 * @prot: what all must be mapped with
 * @calls: number of calls that may fail
 * @fail_at: which one does
 */
static struct domain {
	struct phys_vec map[DMA_BUF_BATCH];
	unsigned int nr;
	size_t synced;
	size_t max;
	int prot;
	unsigned int calls;
	unsigned int fail_at;
} domain;

static size_t domain_size(void)
{
	size_t size = 0;
	unsigned int i;

	for (i = 0; i < domain.nr; i++)
		size += domain.map[i].len;
	return size;
}

static int domain_map(struct iommu_domain *to, unsigned long iova,
		      phys_addr_t phys, size_t size, int prot, gfp_t gfp)
{
	struct kunit *test = kunit_get_current_test();

	KUNIT_EXPECT_PTR_EQ(test, to, (struct iommu_domain *)&domain);
	KUNIT_EXPECT_TRUE(test, gfp == GFP_KERNEL_ACCOUNT);
	KUNIT_EXPECT_EQ(test, prot, domain.prot);
	/* It goes on where it was. */
	KUNIT_EXPECT_EQ(test, iova, IOVA + domain_size());
	KUNIT_EXPECT_NE(test, size, 0);
	KUNIT_EXPECT_LE(test, size, domain.max);
	KUNIT_EXPECT_EQ(test, domain.synced, 0);
	if (++domain.calls == domain.fail_at)
		return -ENOMEM;
	KUNIT_ASSERT_LT(test, domain.nr, ARRAY_SIZE(domain.map));
	domain.map[domain.nr++] = (struct phys_vec) { phys, size };
	return 0;
}

static int domain_sync(struct iommu_domain *to, unsigned long iova, size_t size)
{
	struct kunit *test = kunit_get_current_test();

	KUNIT_EXPECT_EQ(test, iova, IOVA);
	KUNIT_EXPECT_EQ(test, size, domain_size());
	if (++domain.calls == domain.fail_at)
		return -EIO;
	domain.synced += size;
	return 0;
}

/* All that was mapped, at once */
static void domain_unmap(struct iommu_domain *to, unsigned long iova, size_t size)
{
	struct kunit *test = kunit_get_current_test();

	KUNIT_EXPECT_EQ(test, iova, IOVA);
	KUNIT_EXPECT_EQ(test, size, domain_size());
	KUNIT_EXPECT_NE(test, size, 0);
	domain.nr = 0;
}

static void domain_init(struct kunit *test, int prot)
{
	domain = (struct domain) { .prot = prot, .max = SIZE_MAX };
	kunit_activate_static_stub(test, dma_buf_hw_iommu_map, domain_map);
	kunit_activate_static_stub(test, dma_buf_hw_iommu_sync, domain_sync);
	kunit_activate_static_stub(test, dma_buf_hw_iommu_unmap, domain_unmap);
}

static int map_part(const struct dma_buf_list *list, u64 offset, size_t size)
{
	domain.nr = 0;
	domain.synced = 0;
	domain.calls = 0;
	return dma_buf_list_iommu_map(list, offset, size, domain.max,
				      (struct iommu_domain *)&domain, IOVA,
				      IOMMU_READ | IOMMU_WRITE | IOMMU_CACHE,
				      GFP_KERNEL_ACCOUNT);
}

/* The memory at @offset of the buffer */
static phys_addr_t memory_at(const struct phys_vec *vec, u64 offset)
{
	for (; offset >= vec->len; vec++)
		offset -= vec->len;
	return vec->paddr + offset;
}

static void expect_part(struct kunit *test, const struct phys_vec *vec,
			u64 offset, size_t size)
{
	size_t done = 0, in;
	unsigned int i;

	KUNIT_EXPECT_EQ(test, domain_size(), size);
	KUNIT_EXPECT_EQ(test, domain.synced, size);
	for (i = 0; i < domain.nr; i++)
		for (in = 0; in < domain.map[i].len; in += 512, done += 512)
			KUNIT_ASSERT_EQ(test, domain.map[i].paddr + in,
					memory_at(vec, offset + done));
}

static void expect_each_failure_undone(struct kunit *test,
				       const struct dma_buf_list *list)
{
	unsigned int n;
	int ret;

	/* Three runs, and telling the IOMMU */
	for (n = 1; n <= 4; n++) {
		domain.fail_at = n;
		ret = map_part(list, 0, 7 * PAGE_SIZE);
		KUNIT_EXPECT_EQ(test, ret, n == 4 ? -EIO : -ENOMEM);
		KUNIT_EXPECT_EQ(test, domain.nr, 0);
	}
	domain.fail_at = 0;
}

static void expect_parts(struct kunit *test, const struct dma_buf_list *list,
			 const struct phys_vec *vec)
{
	u64 offset, end, all = 7 * PAGE_SIZE;

	for (offset = 0; offset < all; offset += PAGE_SIZE / 2)
		for (end = offset + 512; end <= all; end += PAGE_SIZE / 4) {
			KUNIT_ASSERT_EQ(test, 0,
					map_part(list, offset, end - offset));
			expect_part(test, vec, offset, end - offset);
		}
	KUNIT_EXPECT_EQ(test, map_part(list, 0, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, map_part(list, 0, all + 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, map_part(list, all, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, map_part(list, U64_MAX, 2), -EINVAL);
	KUNIT_EXPECT_EQ(test, map_part(list, 1, SIZE_MAX), -EINVAL);
	KUNIT_EXPECT_EQ(test, domain.calls, 0);
}

static void domain_has_what_is_behind_the_list(struct kunit *test)
{
	const struct model_machine *machine = model_machine_set_up(test);
	bool bar = machine->kind == BUFFER_BAR;
	struct model *m = test->priv;
	const struct phys_vec *vec = bar || machine->kind == BUFFER_PHYS ?
				     model_bar : model_ram(m);
	struct dma_buf_list *list;
	struct buffer b;

	domain_init(test, IOMMU_READ | IOMMU_WRITE |
			  (vec == model_bar ? IOMMU_MMIO : IOMMU_CACHE));
	buffer_init(&b, m, machine->kind, vec, 3);
	buffer_attach(&b);
	dma_buf_keep_runs(b.attach);
	list = buffer_map(&b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	if (list->route == DMA_BUF_ROUTE_BUS_ADDR) {
		KUNIT_EXPECT_EQ(test, map_part(list, 0, PAGE_SIZE), -EREMOTEIO);
		KUNIT_EXPECT_EQ(test, domain.calls, 0);
	} else {
		expect_parts(test, list, vec);
		expect_each_failure_undone(test, list);
		/* And if there are to be no large pages */
		domain.max = PAGE_SIZE;
		expect_parts(test, list, vec);
	}
	buffer_close(&b, list);
}

/* Userspace may choose how many calls of the IOMMU there are. */
static void killed_task_maps_into_no_domain(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_list *list;
	struct buffer b;
	int ret;

	domain_init(test, IOMMU_READ | IOMMU_WRITE | IOMMU_CACHE);
	buffer_init(&b, m, BUFFER_RUNS, model_ram(m), 3);
	buffer_attach(&b);
	dma_buf_keep_runs(b.attach);
	list = buffer_map(&b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);

	domain.max = PAGE_SIZE / 128;
	allow_signal(SIGKILL);
	send_sig(SIGKILL, current, 1);
	ret = map_part(list, 0, 7 * PAGE_SIZE);
	flush_signals(current);
	disallow_signal(SIGKILL);

	KUNIT_EXPECT_EQ(test, ret, -EINTR);
	KUNIT_EXPECT_EQ(test, domain.calls, DMA_BUF_BATCH - 1);
	KUNIT_EXPECT_EQ(test, domain.nr, 0);
	buffer_close(&b, list);
}

/* Unmapping would copy the bounce buffer over what the device wrote. */
static void bounced_list_is_for_no_domain(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_list *list;
	struct buffer b;

	domain_init(test, 0);
	model_with_bouncing(m);
	buffer_init(&b, m, BUFFER_RUNS, model_ram(m), 3);
	b.syncs = true;
	buffer_attach(&b);
	dma_buf_keep_runs(b.attach);
	list = buffer_map(&b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	KUNIT_EXPECT_TRUE(test, list->bounced);
	KUNIT_EXPECT_EQ(test, map_part(list, 0, PAGE_SIZE), -EREMOTEIO);
	KUNIT_EXPECT_EQ(test, domain.calls, 0);
	buffer_close(&b, list);
}

/* Without the DMA API */

static void expect_no_addresses(struct kunit *test,
				const struct dma_buf_list *list)
{
	struct dma_buf_cursor cursor;
	struct dma_buf_segs segs;
	dma_addr_t addr = 1;
	struct sg_table sgt;

	KUNIT_EXPECT_EQ(test, dma_buf_list_first_range(&cursor, list).npages, 0);
	dma_buf_list_for_each_page(addr, &cursor, list)
		KUNIT_FAIL(test, "there is a page");
	dma_buf_list_for_each_block(addr, &cursor, list, PAGE_SIZE)
		KUNIT_FAIL(test, "there is a block");
	dma_buf_cursor_init_part(&cursor, list, 1, 2);
	KUNIT_EXPECT_EQ(test, dma_buf_cursor_next_range(&cursor).npages, 0);
	dma_buf_segs_init(&segs, list, 0, U64_MAX, 0);
	KUNIT_EXPECT_EQ(test, dma_buf_segs_next(&segs, &addr), 0);
	KUNIT_EXPECT_EQ(test, dma_buf_list_copy_addrs(list, &addr, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, dma_buf_list_contiguous(list, 1, &addr), -EINVAL);
	KUNIT_EXPECT_EQ(test, -EINVAL,
			dma_buf_list_to_sgt(list, 0, 1, &sgt, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, addr, 1);
}

static void physical_list_is_for_domains_only(struct kunit *test)
{
	const struct model_machine *machine = model_machine_set_up(test);
	bool bar = machine->kind == BUFFER_BAR;
	struct model *m = test->priv;
	const struct phys_vec *vec = bar || machine->kind == BUFFER_PHYS ?
				     model_bar : model_ram(m);
	struct dma_buf_list *list;
	struct buffer b;

	domain_init(test, IOMMU_READ | IOMMU_WRITE |
			  (vec == model_bar ? IOMMU_MMIO : IOMMU_CACHE));
	buffer_init(&b, m, machine->kind, vec, 3);
	b.allow_phys = true;
	b.syncs = !bar;
	b.provider = NULL;
	b.importer.phys_only = true;
	/* The limits of the device that gives the records a name do not matter. */
	m->bounce_from = 0;
	m->mask = 0;
	m->max_run = 1;
	buffer_attach(&b);
	list = buffer_map(&b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	buffer_expect_list(test, list, DMA_BUF_ROUTE_PHYS, 7, 3);
	KUNIT_EXPECT_EQ(test, dma_buf_list_is_peer(list), bar);
	buffer_expect_fdinfo(&b, true, "map:\t%s memory=%s route=physical chunks=3 reason=",
			     dev_name(m->dev), bar ? "peer" : "system");
	expect_no_addresses(test, list);
	expect_parts(test, list, vec);
	expect_each_failure_undone(test, list);
	KUNIT_EXPECT_EQ(test, 0, dma_buf_begin_cpu_access(b.dmabuf, DMA_TO_DEVICE));
	KUNIT_EXPECT_EQ(test, 0, dma_buf_end_cpu_access(b.dmabuf, DMA_TO_DEVICE));
	KUNIT_EXPECT_EQ(test, m->nr_syncs + m->sg_sync_calls, 0);
	KUNIT_EXPECT_EQ(test, 0, m->map_calls + m->link_calls + m->alloc_calls +
			m->sg_calls + m->need_map_calls + m->p2p_calls);
	buffer_close(&b, list);
}

static void exporter_has_to_allow_it(struct kunit *test)
{
	struct model *m = test->priv;
	struct buffer b;

	model_with_peer(m, PCI_P2PDMA_MAP_THRU_HOST_BRIDGE);
	buffer_init(&b, m, BUFFER_BAR, model_bar, 3);
	b.importer.phys_only = true;
	buffer_attach(&b);
	KUNIT_EXPECT_PTR_EQ(test, b.attach, ERR_PTR(-EOPNOTSUPP));
	KUNIT_EXPECT_EQ(test, b.offers, 0);
	buffer_expect_fdinfo(&b, true, "refused:\t%s error=-%d reason=no-phys (",
			     dev_name(m->dev), EOPNOTSUPP);
	buffer_put(&b);
}

static void physical_list_may_be_empty(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_list *list;
	struct buffer b;

	buffer_init(&b, m, BUFFER_RUNS, NULL, 0);
	b.allow_phys = true;
	b.importer.phys_only = true;
	buffer_attach(&b);
	list = buffer_map(&b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	buffer_expect_list(test, list, DMA_BUF_ROUTE_NONE, 0, 0);
	KUNIT_EXPECT_EQ(test, map_part(list, 0, 1), -EINVAL);
	buffer_close(&b, list);
}

static struct kunit_case importer_cases[] = {
	KUNIT_CASE_SLOW(contiguous_is_the_first_range),
	KUNIT_CASE_SLOW(segments_are_as_long_as_they_may_be),
	KUNIT_CASE_SLOW(table_is_cut_as_the_device_needs),
	KUNIT_CASE(entries_of_a_table_can_be_counted),
	KUNIT_CASE_PARAM(runs_are_kept_for_who_asks, model_machine_gen_params),
	KUNIT_CASE_PARAM(domain_has_what_is_behind_the_list,
			 model_machine_gen_params),
	KUNIT_CASE(killed_task_maps_into_no_domain),
	KUNIT_CASE(bounced_list_is_for_no_domain),
	KUNIT_CASE_PARAM(physical_list_is_for_domains_only,
			 model_machine_gen_params),
	KUNIT_CASE(exporter_has_to_allow_it),
	KUNIT_CASE(physical_list_may_be_empty),
	{ }
};

static struct kunit_suite importer_suite = {
	.name = "dma-buf-importer",
	.init = model_init,
	.exit = model_exit,
	.test_cases = importer_cases,
};

kunit_test_suite(importer_suite);
