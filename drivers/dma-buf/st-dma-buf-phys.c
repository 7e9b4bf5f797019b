// SPDX-License-Identifier: GPL-2.0-only
/*
 * Physical addresses, which few importers get
 */
#include "st-dma-buf-model.h"

static struct dma_buf_list *map_with_runs(struct buffer *b, struct model *m,
					  enum buffer_kind kind,
					  const struct phys_vec *vec, size_t nr)
{
	struct dma_buf_list *list;

	buffer_init(b, m, kind, vec, nr);
	buffer_attach(b);
	dma_buf_keep_runs(b->attach);
	list = buffer_map(b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(m->test, list);
	return list;
}

static void physical_address_goes_as_far_as_the_memory(struct kunit *test)
{
	const struct model_machine *machine = model_machine_set_up(test);
	struct model *m = test->priv;
	bool device = machine->kind == BUFFER_BAR || machine->kind == BUFFER_PHYS;
	const struct phys_vec *vec = device ? model_bar : model_ram(m);
	phys_addr_t phys = 1;
	struct dma_buf_list *list;
	struct buffer b;
	int ret;

	list = map_with_runs(&b, m, machine->kind, vec, 3);
	ret = dma_buf_list_contiguous_phys(list, vec[0].len, &phys);
	if (device) {
		KUNIT_EXPECT_EQ(test, ret, -EREMOTEIO);
		KUNIT_EXPECT_EQ(test, phys, 1);
	} else {
		KUNIT_EXPECT_EQ(test, ret, 0);
		KUNIT_EXPECT_EQ(test, phys, vec[0].paddr);
		phys = 1;
		/* Behind an IOVA it goes on, in memory it does not. */
		KUNIT_EXPECT_EQ(test, -EINVAL,
				dma_buf_list_contiguous_phys(list, vec[0].len + 1,
							     &phys));
		KUNIT_EXPECT_EQ(test, -EINVAL,
				dma_buf_list_contiguous_phys(list, 0, &phys));
		KUNIT_EXPECT_EQ(test, -EINVAL,
				dma_buf_list_contiguous_phys(list, SIZE_MAX, &phys));
		KUNIT_EXPECT_EQ(test, phys, 1);
	}
	buffer_close(&b, list);
}

static void neighbours_in_memory_are_one_piece(struct kunit *test)
{
	struct model *m = test->priv;
	const struct phys_vec *ram = model_ram(m);
	const struct phys_vec vec[] = {
		{ ram[0].paddr, PAGE_SIZE },
		{ ram[0].paddr + PAGE_SIZE, PAGE_SIZE },
		{ ram[0].paddr + 3 * PAGE_SIZE, PAGE_SIZE },
	};
	struct dma_buf_list *list;
	phys_addr_t phys = 1;
	struct buffer b;

	list = map_with_runs(&b, m, BUFFER_RUNS, vec, 3);
	KUNIT_EXPECT_EQ(test, -EINVAL,
			dma_buf_list_contiguous_phys(list, 2 * PAGE_SIZE + 1, &phys));
	KUNIT_EXPECT_EQ(test, phys, 1);
	KUNIT_EXPECT_EQ(test, 0,
			dma_buf_list_contiguous_phys(list, 2 * PAGE_SIZE, &phys));
	KUNIT_EXPECT_EQ(test, phys, vec[0].paddr);
	buffer_close(&b, list);
}

/* The DMA API takes no more than a page at a time, so each has a word of its own. */
static void pieces_that_were_cut_are_one(struct kunit *test)
{
	struct model *m = test->priv;

	m->max_run = 1;
	neighbours_in_memory_are_one_piece(test);
}

/* What is read of a part is that part of @vec, and nothing else. */
static void expect_phys(struct kunit *test, const struct dma_buf_list *list,
			const struct phys_vec *vec, u64 offset, u64 size)
{
	struct dma_buf_segs segs;
	phys_addr_t phys;
	u64 len, n;

	KUNIT_ASSERT_EQ(test, 0, dma_buf_segs_init_phys(&segs, list, offset, size));
	for (; offset >= vec->len; vec++)
		offset -= vec->len;
	while ((len = dma_buf_segs_next_phys(&segs, &phys))) {
		KUNIT_ASSERT_LE(test, len, size);
		for (; len; len -= n, phys += n, size -= n) {
			n = min(len, vec->len - offset);
			KUNIT_ASSERT_EQ(test, phys, vec->paddr + offset);
			offset += n;
			if (offset == vec->len) {
				offset = 0;
				vec++;
			}
		}
	}
	KUNIT_EXPECT_EQ(test, size, 0);
	phys = 1;
	KUNIT_EXPECT_EQ(test, 0, dma_buf_segs_next_phys(&segs, &phys));
	KUNIT_EXPECT_EQ(test, phys, 1);
}

static void parts_are_read_as_they_are_in_memory(struct kunit *test)
{
	const struct model_machine *machine = model_machine_set_up(test);
	struct model *m = test->priv;
	bool device = machine->kind == BUFFER_BAR || machine->kind == BUFFER_PHYS;
	const struct phys_vec *vec = device ? model_bar : model_ram(m);
	struct dma_buf_list *list;
	struct dma_buf_segs segs;
	struct buffer b;
	u64 all, at;

	list = map_with_runs(&b, m, machine->kind, vec, 3);
	all = (u64)dma_buf_list_npages(list) << PAGE_SHIFT;
	for (at = 0; at < all && !device; at += PAGE_SIZE / 2) {
		expect_phys(test, list, vec, at, all - at);
		expect_phys(test, list, vec, 0, all - at);
		expect_phys(test, list, vec, at, 1);
	}
	if (device)
		KUNIT_EXPECT_EQ(test, -EREMOTEIO,
				dma_buf_segs_init_phys(&segs, list, 0, all));
	KUNIT_EXPECT_EQ(test, -EINVAL, dma_buf_segs_init_phys(&segs, list, 0, 0));
	KUNIT_EXPECT_EQ(test, -EINVAL, dma_buf_segs_init_phys(&segs, list, all, 1));
	KUNIT_EXPECT_EQ(test, -EINVAL, dma_buf_segs_init_phys(&segs, list, 1, all));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			dma_buf_segs_init_phys(&segs, list, U64_MAX, U64_MAX));
	buffer_close(&b, list);
}

static void bounced_memory_is_not_handed_over(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_list *list;
	struct dma_buf_segs segs;
	phys_addr_t phys = 1;
	struct buffer b;

	list = map_with_runs(&b, m, BUFFER_RUNS, model_ram(m), 3);
	list->bounced = true;
	KUNIT_EXPECT_EQ(test, -EREMOTEIO,
			dma_buf_segs_init_phys(&segs, list, 0, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, -EREMOTEIO,
			dma_buf_list_contiguous_phys(list, PAGE_SIZE, &phys));
	KUNIT_EXPECT_EQ(test, phys, 1);
	list->bounced = false;
	buffer_close(&b, list);
}

static struct kunit_case phys_cases[] = {
	KUNIT_CASE_PARAM(physical_address_goes_as_far_as_the_memory,
			 model_machine_gen_params),
	KUNIT_CASE(neighbours_in_memory_are_one_piece),
	KUNIT_CASE(pieces_that_were_cut_are_one),
	KUNIT_CASE_PARAM(parts_are_read_as_they_are_in_memory,
			 model_machine_gen_params),
	KUNIT_CASE(bounced_memory_is_not_handed_over),
	{ }
};

static struct kunit_suite phys_suite = {
	.name = "dma-buf-phys",
	.init = model_init,
	.exit = model_exit,
	.test_cases = phys_cases,
};

kunit_test_suite(phys_suite);
