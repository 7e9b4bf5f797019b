// SPDX-License-Identifier: GPL-2.0-only
/*
 * RDMA umem without the rest of RDMA, its own tests from the tree, and user memory that
 * is only made up: huge folios, random runs, and a count of what is pinned
 */
#define CONFIG_INFINIBAND_USER_MEM 1
#define CONFIG_INFINIBAND_VIRT_DMA 1
#include <linux/mm.h>

static int umem_pin(unsigned long start, int nr, unsigned int flags, struct page **pages);
static void umem_unpin(struct page **pages, unsigned long nr);
static void umem_unpin_range(struct page *page, unsigned long nr, bool dirty);
#define pin_user_pages_fast umem_pin
#define unpin_user_pages umem_unpin
#define unpin_user_page_range_dirty_lock umem_unpin_range
#include "drivers/infiniband/core/umem_dmabuf.c"
#include "drivers/infiniband/core/umem.c"
#include "drivers/infiniband/core/iter.c"
#undef pin_user_pages_fast
#undef unpin_user_pages
#undef unpin_user_page_range_dirty_lock
#include "drivers/dma-buf/st-dma-buf-umem.c"
#include <linux/prandom.h>

/* The address space: page i of it is made[i], and is pinned pins[i] times. */
#define MADE_AT	(1UL << 30)
#define MADE_NR	(4UL << 9)
static bool made_up;
static struct page *made[MADE_NR];
static int pins[MADE_NR];
static unsigned long made_gone, batch;
static unsigned int dirtied;

static int umem_pin(unsigned long start, int nr, unsigned int flags, struct page **pages)
{
	unsigned long at = (start - MADE_AT) >> PAGE_SHIFT;
	int i;

	if (!made_up)
		return pin_user_pages_fast(start, nr, flags, pages);
	if (at >= made_gone)
		return -EFAULT;
	nr = min3((unsigned long)nr, made_gone - at, batch);
	for (i = 0; i < nr; i++) {
		pages[i] = made[at + i];
		pins[at + i]++;
	}
	return nr;
}

static void umem_unpin_one(struct page *page)
{
	static unsigned int next;
	unsigned int i;

	/* Where it was found last time is most often next to where it is now. */
	for (i = 0; i < MADE_NR; i++, next = (next + 1) % MADE_NR)
		if (made[next] == page && pins[next]) {
			pins[next]--;
			return;
		}
	KUNIT_FAIL(kunit_get_current_test(), "unpinned a page that is not");
}

static void umem_unpin(struct page **pages, unsigned long nr)
{
	unsigned long i;

	if (!made_up)
		return unpin_user_pages(pages, nr);
	for (i = 0; i < nr; i++)
		umem_unpin_one(pages[i]);
}

static void umem_unpin_range(struct page *page, unsigned long nr, bool dirty)
{
	unsigned long i;

	if (!made_up)
		return unpin_user_page_range_dirty_lock(page, nr, dirty);
	for (i = 0; i < nr; i++)
		umem_unpin_one(page + i);
	dirtied += dirty ? nr : 0;
}

static bool all_unpinned(void)
{
	return !memchr_inv(pins, 0, sizeof(pins)) && !atomic64_read(&current->mm->pinned_vm);
}

/* Runs of one page, of a few, and of a huge folio and more; some follow the one before. */
static void make_up(struct rnd_state *rnd, unsigned int kind)
{
	static const unsigned long runs[] = { 1, 2, 16, 512, 1024 };
	unsigned long i, n, pfn = 0, next = 0;

	for (i = 0; i < MADE_NR; i += n) {
		n = kind < ARRAY_SIZE(runs) ? runs[kind] : runs[prandom_u32_state(rnd) % ARRAY_SIZE(runs)];
		n = min(n, MADE_NR - i);
		/* As aligned as it is long, or next to the one before it, or anywhere */
		next = prandom_u32_state(rnd) % 4 ? (prandom_u32_state(rnd) % 64 + 64 * (i + 1)) * 1024 : pfn;
		if (kind == ARRAY_SIZE(runs) && !(prandom_u32_state(rnd) % 3))
			next += prandom_u32_state(rnd) % 8;
		for (pfn = next; pfn < next + n; pfn++)
			made[i + pfn - next] = phys_to_page(MODEL_RAM + PFN_PHYS(pfn));
	}
	made_gone = MADE_NR;
}

/* The largest size where each page lies in its block as it lies in the region. */
static unsigned long plain_pgsz(unsigned long addr, size_t size, u64 iova, unsigned long bitmap,
				const dma_addr_t *dma)
{
	unsigned long first = addr & PAGE_MASK, best = 0;
	unsigned int bit, bits = bits_per(iova ^ (iova + size - 1));
	u64 va0 = iova - (addr - first);

	for (bit = 0; bit < BITS_PER_LONG; bit++) {
		unsigned long pgsz = 1UL << bit, i;

		if (!(bitmap & pgsz))
			continue;
		if ((dma[0] ^ va0) & (pgsz - 1) || (addr ^ iova) & (PAGE_SIZE - 1) & (pgsz - 1))
			break;
		for (i = 1; first + i * PAGE_SIZE < addr + size; i++) {
			u64 va = va0 + i * PAGE_SIZE;

			/* within a block, or its address fits the new one */
			if (dma[i] != dma[i - 1] + PAGE_SIZE && (va & (pgsz - 1) || dma[i] & (pgsz - 1)))
				break;
		}
		if (first + i * PAGE_SIZE < addr + size)
			break;
		best = pgsz;
		if (bit >= bits)
			break;
	}
	return best;
}

static void expect_made(struct kunit *test, struct ib_device *ibdev, struct rnd_state *rnd)
{
	static dma_addr_t dma[MADE_NR];
	static const u64 bitmaps[] = { SZ_4K, SZ_4K | SZ_2M, ~0ULL << 12, SZ_2M | SZ_1G, SZ_64K | SZ_4K };
	unsigned long first = prandom_u32_state(rnd) % MADE_NR, off = prandom_u32_state(rnd) % PAGE_SIZE, at, i;
	unsigned long addr = MADE_AT + first * PAGE_SIZE + (prandom_u32_state(rnd) % 2 ? off : 0);
	size_t size = 1 + prandom_u32_state(rnd) % (MADE_AT + MADE_NR * PAGE_SIZE - addr);
	int access = prandom_u32_state(rnd) % 2 ? IB_ACCESS_LOCAL_WRITE : 0;
	unsigned long npages = PFN_UP(offset_in_page(addr) + size);
	struct model *m = test->priv;
	struct ib_umem_page_iter iter;
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk chunk;
	struct ib_block_iter biter;
	struct ib_umem *umem;
	struct page *page;
	dma_addr_t a;

	batch = 1 + prandom_u32_state(rnd) % 512;
	umem = ib_umem_get_va(ibdev, addr, size, access);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, umem);
	for (i = 0; i < MADE_NR; i++)
		KUNIT_ASSERT_EQ(test, pins[i], i >= first && i < first + npages);

	at = 0;
	ib_umem_for_each_page(page, &iter, umem)
		KUNIT_ASSERT_PTR_EQ(test, page, made[first + at++]);
	KUNIT_ASSERT_EQ(test, at, npages);
	/* neighbours are one run, across batches, too */
	dma_buf_own_start(&cursor, umem->own);
	for (page = NULL; (chunk = dma_buf_own_next(&cursor)).npages; page = chunk.page + chunk.npages)
		KUNIT_ASSERT_PTR_NE(test, chunk.page, page);

	at = 0;
	dma_buf_list_for_each_page(a, &cursor, umem->list) {
		dma[at] = a;
		KUNIT_ASSERT_EQ(test, model_reached(m, a), page_to_phys(made[first + at++]));
	}
	KUNIT_ASSERT_EQ(test, at, npages);
	KUNIT_EXPECT_EQ(test, ib_umem_start_dma_addr(umem), dma[0] + offset_in_page(addr));

	for (i = 0; i < 2 * ARRAY_SIZE(bitmaps); i++) {
		unsigned long bitmap = bitmaps[i / 2], pgsz, want;
		u64 iova = i % 2 ? addr : (prandom_u32_state(rnd) & ~(PAGE_SIZE - 1)) + offset_in_page(addr);
		size_t n = 0;

		pgsz = ib_umem_find_best_pgsz(umem, bitmap, iova);
		want = plain_pgsz(addr, size, iova, bitmap, dma);
		KUNIT_ASSERT_EQ_MSG(test, pgsz, want, "size %zx at %lx for %llx of %lx", size, addr, iova, bitmap);
		if (!pgsz)
			continue;
		rdma_umem_for_each_dma_block(umem, &biter, pgsz) {
			u64 va = max(round_down(iova, pgsz) + n * pgsz, round_down(iova, PAGE_SIZE));

			a = rdma_block_iter_dma_address(&biter);
			KUNIT_ASSERT_EQ(test, a + (va & (pgsz - 1)),
					dma[(va - round_down(iova, PAGE_SIZE)) >> PAGE_SHIFT]);
			n++;
		}
		KUNIT_ASSERT_EQ(test, n, ib_umem_num_dma_blocks(umem, pgsz));
	}

	dirtied = 0;
	ib_umem_release(umem);
	KUNIT_ASSERT_TRUE(test, all_unpinned());
	KUNIT_EXPECT_EQ(test, dirtied, access ? npages : 0);
}

static void made_up_memory_is_as_a_plain_model_has_it(struct kunit *test)
{
	struct ib_device *ibdev = user_device(test, ((struct model *)test->priv)->dev);
	struct rnd_state rnd;
	unsigned int kind, i;

	KUNIT_ASSERT_EQ(test, 0, kunit_attach_mm());
	prandom_seed_state(&rnd, 11);
	made_up = true;
	for (kind = 0; kind < 6; kind++)
		for (i = 0; i < (kind == 5 ? 100 : 20); i++) {
			make_up(&rnd, kind);
			expect_made(test, ibdev, &rnd);
		}
	made_up = false;
}

static void made_up_memory_behind_an_iommu(struct kunit *test)
{
	model_behind_iommu(test->priv);
	made_up_memory_is_as_a_plain_model_has_it(test);
}

/* In the first batch and in later ones, each allocation and the end of the memory */
static unsigned int grows, grow_fails;

static int umem_grow(struct dma_buf_writer *writer)
{
	int ret = -ENOMEM;

	if (++grows != grow_fails) {
		kunit_deactivate_static_stub(kunit_get_current_test(), dma_buf_writer_grow);
		ret = dma_buf_writer_grow(writer);
		kunit_activate_static_stub(kunit_get_current_test(), dma_buf_writer_grow, umem_grow);
	}
	return ret;
}

static void made_up_memory_that_fails_is_unpinned(struct kunit *test)
{
	struct ib_device *ibdev = user_device(test, ((struct model *)test->priv)->dev);
	struct ib_umem *umem;
	struct rnd_state rnd;

	KUNIT_ASSERT_EQ(test, 0, kunit_attach_mm());
	prandom_seed_state(&rnd, 13);
	made_up = true;
	batch = 100;
	make_up(&rnd, 0);
	for (made_gone = 0; made_gone < MADE_NR; made_gone += 97) {
		umem = ib_umem_get_va(ibdev, MADE_AT, MADE_NR * PAGE_SIZE, IB_ACCESS_LOCAL_WRITE);
		KUNIT_EXPECT_EQ(test, PTR_ERR(umem), -EFAULT);
		KUNIT_EXPECT_TRUE(test, all_unpinned());
	}
	made_gone = MADE_NR;
	dirtied = 0;
	kunit_activate_static_stub(test, dma_buf_writer_grow, umem_grow);
	for (grow_fails = 1; ; grow_fails++) {
		grows = 0;
		umem = ib_umem_get_va(ibdev, MADE_AT, MADE_NR * PAGE_SIZE, IB_ACCESS_LOCAL_WRITE);
		if (!IS_ERR(umem))
			break;
		KUNIT_EXPECT_EQ(test, PTR_ERR(umem), -ENOMEM);
		KUNIT_EXPECT_TRUE(test, all_unpinned());
	}
	KUNIT_EXPECT_GT(test, grow_fails, 5);
	KUNIT_EXPECT_EQ(test, dirtied, 0);
	ib_umem_release(umem);
	KUNIT_EXPECT_TRUE(test, all_unpinned());
	made_up = false;
}

static struct kunit_case made_up_cases[] = {
	KUNIT_CASE(made_up_memory_is_as_a_plain_model_has_it),
	KUNIT_CASE(made_up_memory_behind_an_iommu),
	KUNIT_CASE(made_up_memory_that_fails_is_unpinned),
	{}
};

static struct kunit_suite made_up_suite = {
	.name = "dma-buf-part-umem",
	.init = model_init,
	.exit = model_exit,
	.test_cases = made_up_cases,
};
kunit_test_suite(made_up_suite);
