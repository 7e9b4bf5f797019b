// SPDX-License-Identifier: GPL-2.0-only
/*
 * Physical addresses, which one importer gets
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

static void bounced_memory_is_not_handed_over(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_list *list;
	phys_addr_t phys = 1;
	struct buffer b;

	list = map_with_runs(&b, m, BUFFER_RUNS, model_ram(m), 3);
	list->bounced = true;
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
