// SPDX-License-Identifier: GPL-2.0-only
/*
 * Syncing of memory that the CPU and a device do not see in the same way, because of
 * caches or bounce buffers
 */
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/prandom.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "st-dma-buf-model.h"

/* Caches */

static void expect_synced(struct model *m, struct dma_buf_list *list,
			  unsigned int nr, bool for_device)
{
	struct dma_buf_pairs pairs;
	struct dma_buf_chunk chunk;
	unsigned int i = 0;

	KUNIT_EXPECT_EQ(m->test, m->nr_syncs, nr);
	if (!nr)
		return;
	dma_buf_list_for_each_pair(chunk, &pairs, list) {
		KUNIT_EXPECT_EQ(m->test, m->syncs[i].addr, chunk.dma_addr);
		KUNIT_EXPECT_EQ(m->test, m->syncs[i].size,
				dma_buf_bytes(chunk.npages));
		KUNIT_EXPECT_EQ(m->test, m->syncs[i].for_device, for_device);
		i++;
	}
	KUNIT_EXPECT_EQ(m->test, i, nr);
}

/* Syncs both ways, which has to be @nr calls in the order of the runs. */
static void expect_syncs(struct model *m, enum buffer_kind kind,
			 const struct phys_vec *vec, size_t vecs,
			 unsigned int nr)
{
	struct dma_buf_list *list;
	struct buffer b;

	list = buffer_open(&b, m, kind, vec, vecs);
	m->nr_syncs = 0;
	dma_buf_list_sync(list, m->dir, true);
	expect_synced(m, list, nr, false);
	m->nr_syncs = 0;
	dma_buf_list_sync(list, m->dir, false);
	expect_synced(m, list, nr, true);
	buffer_close(&b, list);
}

static void each_run_is_synced_once(struct kunit *test)
{
	struct model *m = test->priv;

	m->coherent = false;
	expect_syncs(m, BUFFER_RUNS, model_ram(m), 3, 3);
	m->dir = DMA_FROM_DEVICE;
	expect_syncs(m, BUFFER_PAGES, model_ram(m), 3, 3);
	/* What has no caches needs none of it. */
	m->attrs = DMA_ATTR_MMIO;
	expect_syncs(m, BUFFER_PHYS, model_bar, 3, 0);
}

/* The model would complain of any call. */
static void device_that_needs_no_sync_costs_nothing(struct kunit *test)
{
	const struct model_machine *machine = model_machine_set_up(test);
	struct model *m = test->priv;

	m->need_sync = false;
	expect_syncs(m, machine->kind, machine->kind == BUFFER_BAR ? model_bar :
		     model_ram(m), 3, 0);
	KUNIT_EXPECT_EQ(test, m->sg_sync_calls, 0);
}

/* Another buffer was bounced for it, so the DMA API would look at each call. */
static void list_that_is_not_bounced_needs_no_sync(struct kunit *test)
{
	expect_syncs(test->priv, BUFFER_RUNS, model_ram(test->priv), 3, 0);
}

static void iova_is_synced_run_by_run(struct kunit *test)
{
	struct model *m = test->priv;

	model_behind_iommu(m);
	m->coherent = false;
	expect_syncs(m, BUFFER_RUNS, model_ram(m), 3, 3);
	expect_syncs(m, BUFFER_PAGES, model_ram(m), 3, 3);
	m->attrs = DMA_ATTR_MMIO;
	expect_syncs(m, BUFFER_PHYS, model_bar, 3, 0);
}

/* The physical runs are kept only if they are needed for syncing. */
static void runs_behind_an_iova_are_kept_if_need_be(struct kunit *test)
{
	static const struct {
		bool coherent, syncs, kept;
		unsigned long attrs;
	} row[] = {
		{ .coherent = true, .syncs = true, .kept = false },
		{ .syncs = true, .kept = true },
		{ .syncs = true, .kept = true, .attrs = DMA_ATTR_SKIP_CPU_SYNC },
		{ .syncs = false, .kept = true },
		{ .syncs = false, .kept = false,
		  .attrs = DMA_ATTR_SKIP_CPU_SYNC },
		{ .syncs = true, .kept = false, .attrs = DMA_ATTR_MMIO },
	};
	struct model *m = test->priv;
	struct dma_buf_list *list;
	struct buffer b;
	int i;

	model_behind_iommu(m);
	for (i = 0; i < ARRAY_SIZE(row); i++) {
		bool mmio = row[i].attrs & DMA_ATTR_MMIO;

		m->coherent = row[i].coherent;
		m->attrs = row[i].attrs;
		buffer_init(&b, m, mmio ? BUFFER_PHYS : BUFFER_RUNS,
			    mmio ? model_bar : model_ram(m), 3);
		b.syncs = row[i].syncs;
		buffer_attach(&b);
		list = buffer_map(&b);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
		KUNIT_EXPECT_EQ_MSG(test, !!list->phys, row[i].kept, "row %d", i);
		buffer_close(&b, list);
	}
}

#define SYNC_NR	40

/* Where mapping is all about the caches no run is mapped, and many are synced at once. */
static void caches_of_many_runs_are_managed_at_once(struct kunit *test)
{
	struct phys_vec vecs[SYNC_NR];
	struct model *m = test->priv;
	struct dma_buf_list *list;
	unsigned int i;
	struct buffer b;

	for (i = 0; i < SYNC_NR; i++)
		vecs[i] = (struct phys_vec)V(MODEL_RAM + PFN_PHYS(4 * i), 1 + i % 3);
	m->coherent = false;
	m->need_map = false;
	list = buffer_open(&b, m, BUFFER_RUNS, vecs, SYNC_NR);
	KUNIT_EXPECT_EQ(test, m->map_calls, 0);
	expect_synced(m, list, SYNC_NR, true);
	KUNIT_EXPECT_LE(test, m->sg_sync_calls, 4);
	m->nr_syncs = 0;
	buffer_close(&b, list);
	KUNIT_EXPECT_EQ(test, m->nr_syncs, SYNC_NR);
	KUNIT_EXPECT_FALSE(test, m->syncs[0].for_device);

	/* Nobody wants that of these. */
	m->nr_syncs = 0;
	m->attrs = DMA_ATTR_SKIP_CPU_SYNC;
	list = buffer_open(&b, m, BUFFER_RUNS, vecs, SYNC_NR);
	buffer_close(&b, list);
	m->coherent = true;
	m->attrs = 0;
	list = buffer_open(&b, m, BUFFER_RUNS, vecs, SYNC_NR);
	buffer_close(&b, list);
	KUNIT_EXPECT_EQ(test, m->nr_syncs, 0);
}

/*
 * And when it is unmapped, which the model looks at: once for each run and not
 * once more by dma_iova_destroy(), which would go granule by granule.
 */
static void unmapping_an_iova_syncs_run_by_run(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_list *list;
	struct buffer b;

	model_behind_iommu(m);
	m->coherent = false;
	list = buffer_open(&b, m, BUFFER_RUNS, model_ram(m), 3);
	m->nr_syncs = 0;
	buffer_close(&b, list);
	KUNIT_EXPECT_EQ(test, m->nr_syncs, 3);

	/* Nobody wants that of these. */
	m->attrs = DMA_ATTR_SKIP_CPU_SYNC;
	m->nr_syncs = 0;
	list = buffer_open(&b, m, BUFFER_RUNS, model_ram(m), 3);
	buffer_close(&b, list);
	m->attrs = DMA_ATTR_MMIO;
	list = buffer_open(&b, m, BUFFER_PHYS, model_bar, 3);
	buffer_close(&b, list);
	KUNIT_EXPECT_EQ(test, m->nr_syncs, 0);
}

static void table_of_map_ops_is_synced_at_once(struct kunit *test)
{
	struct model *m = test->priv;

	model_with_map_ops(m);
	expect_syncs(m, BUFFER_RUNS, model_ram(m), 3, 0);
	KUNIT_EXPECT_EQ(test, m->sg_sync_calls, 2);
}

static void peer_memory_is_not_synced(struct kunit *test)
{
	struct model *m = test->priv;

	model_with_peer(m, PCI_P2PDMA_MAP_BUS_ADDR);
	expect_syncs(m, BUFFER_BAR, model_bar, 3, 0);
	m->map_type = PCI_P2PDMA_MAP_THRU_HOST_BRIDGE;
	expect_syncs(m, BUFFER_BAR, model_bar, 3, 0);
	model_behind_iommu(m);
	expect_syncs(m, BUFFER_BAR, model_bar, 3, 0);
}

/* Parts */

/*
 * The syncs of a part follow each other, are in the buffer and cover all of the part that
 * is in there, and nothing but that. Pages are all that is certain of the addresses.
 */
static void expect_part_synced(struct model *m, const struct dma_buf_list *list,
			       u64 offset, u64 size, bool for_device)
{
	u64 all = (u64)dma_buf_list_npages(list) << PAGE_SHIFT;
	u64 at = min(offset, all), end = at + min(size, all - at);
	size_t done, n;
	unsigned int i;

	m->nr_syncs = 0;
	if (for_device)
		dma_buf_list_sync_for_device(list, offset, size);
	else
		dma_buf_list_sync_for_cpu(list, offset, size);
	/* The DMA API has a loop of its own for all of a table. */
	if (list->route == DMA_BUF_ROUTE_MAP_SG && !offset && size >= all) {
		KUNIT_EXPECT_EQ(m->test, m->nr_syncs, 0);
		return;
	}
	KUNIT_ASSERT_LE(m->test, m->nr_syncs, MODEL_MAX_SYNCS);
	for (i = 0; i < m->nr_syncs; i++) {
		KUNIT_EXPECT_EQ(m->test, m->syncs[i].for_device, for_device);
		for (done = 0; done < m->syncs[i].size; done += n) {
			struct dma_buf_cursor cursor;
			dma_addr_t addr;

			dma_buf_cursor_init_part(&cursor, list, at >> PAGE_SHIFT, 1);
			KUNIT_ASSERT_TRUE(m->test, dma_buf_cursor_next_page(&cursor, &addr));
			KUNIT_ASSERT_EQ(m->test, addr + offset_in_page(at),
					m->syncs[i].addr + done);
			n = min(PAGE_SIZE - offset_in_page(at), m->syncs[i].size - done);
			at += n;
		}
	}
	KUNIT_EXPECT_EQ(m->test, at, end);
}

static void expect_parts(struct model *m, const struct dma_buf_list *list)
{
	size_t all = dma_buf_list_npages(list) << PAGE_SHIFT;
	struct rnd_state rnd;
	unsigned int i;

	prandom_seed_state(&rnd, 20);
	for (i = 0; i < 100; i++) {
		size_t offset = prandom_u32_state(&rnd) % (all + PAGE_SIZE);

		expect_part_synced(m, list, offset,
				   prandom_u32_state(&rnd) % (all + PAGE_SIZE), i & 1);
	}
	expect_part_synced(m, list, 0, U64_MAX, true);
	expect_part_synced(m, list, PAGE_SIZE + 1, U64_MAX, false);
	expect_part_synced(m, list, all, 1, false);
	expect_part_synced(m, list, U64_MAX, U64_MAX, false);
	expect_part_synced(m, list, 1, 0, false);
}

static void sync_parts(struct model *m, bool page_by_page)
{
	struct dma_buf_list *list;
	struct buffer b;

	list = buffer_open(&b, m, BUFFER_RUNS, model_ram(m), 3);
	expect_parts(m, list);
	m->nr_syncs = 0;
	dma_buf_list_sync_for_cpu(list, 1, U64_MAX);
	KUNIT_EXPECT_EQ(m->test, m->nr_syncs,
			page_by_page ? dma_buf_list_npages(list) : 3);
	buffer_close(&b, list);
}

static void part_is_synced_and_nothing_else(struct kunit *test)
{
	struct model *m = test->priv;

	m->coherent = false;
	sync_parts(m, false);
}

static void part_of_an_iova_is_synced(struct kunit *test)
{
	struct model *m = test->priv;

	model_behind_iommu(m);
	m->coherent = false;
	sync_parts(m, false);
	/* What is behind it is not kept: all that the DMA API finds is a page. */
	m->attrs = DMA_ATTR_SKIP_CPU_SYNC;
	sync_parts(m, true);
}

static void part_of_a_table_is_synced(struct kunit *test)
{
	struct model *m = test->priv;

	model_with_map_ops(m);
	sync_parts(m, true);
	KUNIT_EXPECT_EQ(test, m->sg_sync_calls, 1);
}

/* The model would complain of any call. */
static void part_costs_nothing_without_caches(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_list *list;
	struct buffer b;

	list = buffer_open(&b, m, BUFFER_RUNS, model_ram(m), 3);
	dma_buf_list_sync_for_cpu(list, 0, U64_MAX);
	dma_buf_list_sync_for_device(list, PAGE_SIZE, 1);
	KUNIT_EXPECT_EQ(test, m->nr_syncs, 0);
	buffer_close(&b, list);
}

/* CPU access */

/* What the CPU does has a direction of its own, which the model expects here. */
static void expect_mappings_synced(struct buffer *b,
				   enum dma_data_direction dir, unsigned int nr)
{
	enum dma_data_direction mapped = b->m->dir;
	struct kunit *test = b->m->test;
	struct model *m = b->m;

	m->dir = dir;
	m->nr_syncs = 0;
	KUNIT_EXPECT_EQ(test, dma_buf_begin_cpu_access(b->dmabuf, dir), 0);
	KUNIT_EXPECT_EQ(test, m->nr_syncs, nr);
	KUNIT_EXPECT_EQ(test, b->syncs_before, 0);
	if (nr)
		KUNIT_EXPECT_FALSE(test, m->syncs[0].for_device);

	KUNIT_EXPECT_EQ(test, dma_buf_end_cpu_access(b->dmabuf, dir), 0);
	KUNIT_EXPECT_EQ(test, m->nr_syncs, 2 * nr);
	/* The exporter's callback comes first. */
	KUNIT_EXPECT_EQ(test, b->syncs_before, nr);
	if (nr)
		KUNIT_EXPECT_TRUE(test, m->syncs[nr].for_device);
	m->dir = mapped;
}

static void cpu_access_syncs_every_mapping(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_list *list, *again, *third;
	struct buffer b;

	m->coherent = false;
	buffer_init(&b, m, BUFFER_RUNS, model_ram(m), 3);
	b.syncs = true;
	buffer_attach(&b);
	list = buffer_map(&b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	expect_mappings_synced(&b, DMA_BIDIRECTIONAL, 3);
	expect_mappings_synced(&b, DMA_TO_DEVICE, 3);
	expect_mappings_synced(&b, DMA_FROM_DEVICE, 3);

	again = buffer_map(&b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, again);
	third = buffer_map(&b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, third);
	expect_mappings_synced(&b, DMA_BIDIRECTIONAL, 9);

	buffer_unmap(&b, third);
	expect_mappings_synced(&b, DMA_BIDIRECTIONAL, 6);
	buffer_unmap(&b, list);
	expect_mappings_synced(&b, DMA_BIDIRECTIONAL, 3);
	buffer_unmap(&b, again);
	expect_mappings_synced(&b, DMA_BIDIRECTIONAL, 0);
	model_expect_clean(m);
	buffer_put(&b);
}

static void cpu_access_syncs_nothing_unless_the_exporter_says_so(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_list *list;
	struct buffer b;

	list = buffer_open(&b, m, BUFFER_RUNS, model_ram(m), 3);
	expect_mappings_synced(&b, DMA_BIDIRECTIONAL, 0);
	dma_resv_lock(b.dmabuf->resv, NULL);
	kunit_warning_suppress(test)
		dma_buf_sync_mappings(b.dmabuf, m->dir, true);
	dma_resv_unlock(b.dmabuf->resv);
	KUNIT_EXPECT_EQ(test, m->nr_syncs, 0);
	buffer_close(&b, list);
}

static void failed_cpu_access_syncs_nothing(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_list *list;
	struct buffer b;

	buffer_init(&b, m, BUFFER_RUNS, model_ram(m), 3);
	b.syncs = true;
	b.cpu_error = -EINTR;
	buffer_attach(&b);
	list = buffer_map(&b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	KUNIT_EXPECT_EQ(test, -EINTR, dma_buf_begin_cpu_access(b.dmabuf, m->dir));
	KUNIT_EXPECT_EQ(test, m->nr_syncs, 0);
	buffer_close(&b, list);
}

static struct dma_buf_list *no_list(struct dma_buf_attachment *attach,
				    enum dma_data_direction dir,
				    unsigned long attrs)
{
	return NULL;
}

/*
 * A CPU access takes the lock only if a device may need syncing, and is told before
 * such a device gets to see the memory: here it does not, since mapping fails.
 */
static void cpu_access_knows_of_what_needs_syncing(struct kunit *test)
{
	static const struct {
		bool coherent, bounces, syncs, mmio, expect;
	} row[] = {
		{ .coherent = true, .syncs = true },
		{ .syncs = true, .expect = true },
		{ .syncs = true, .mmio = true },
		{ .syncs = false },
		{ .coherent = true, .bounces = true, .syncs = true, .expect = true },
		{ .coherent = true, .bounces = true },
	};
	struct model *m = test->priv;
	struct buffer b;
	int i;

	kunit_activate_static_stub(test, dma_buf_list_alloc, no_list);
	for (i = 0; i < ARRAY_SIZE(row); i++) {
		m->coherent = row[i].coherent;
		m->max_mapping = row[i].bounces ? SZ_256K : SIZE_MAX;
		m->attrs = row[i].mmio ? DMA_ATTR_MMIO : 0;
		buffer_init(&b, m, row[i].mmio ? BUFFER_PHYS : BUFFER_RUNS,
			    row[i].mmio ? model_bar : model_ram(m), 3);
		b.syncs = row[i].syncs;
		buffer_attach(&b);
		KUNIT_EXPECT_FALSE(test, b.dmabuf->needs_sync);
		KUNIT_EXPECT_EQ(test, PTR_ERR(buffer_map(&b)), -ENOMEM);
		KUNIT_EXPECT_EQ_MSG(test, b.dmabuf->needs_sync, row[i].expect,
				    "row %d", i);
		model_expect_clean(m);
		buffer_put(&b);
	}
}

static void table_of_map_ops_is_announced(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_list *list;
	struct buffer b;

	model_with_map_ops(m);
	buffer_init(&b, m, BUFFER_RUNS, model_ram(m), 3);
	b.syncs = true;
	buffer_attach(&b);
	list = buffer_map(&b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	KUNIT_EXPECT_EQ(test, 0, dma_buf_begin_cpu_access(b.dmabuf, m->dir));
	KUNIT_EXPECT_EQ(test, m->sg_sync_calls, 1);
	buffer_close(&b, list);
}

/**
 * struct late - a device that takes its time
 * @fence: signals when it is done
 * @work: that time
 * @m: the model
 * @syncs: how much was synced by then
 */
struct late {
	struct dma_fence fence;
	struct delayed_work work;
	struct model *m;
	unsigned int syncs;
};

static const char *late_name(struct dma_fence *fence)
{
	return "late";
}

/* It lives longer than the test needs it. */
static void late_release(struct dma_fence *fence)
{
}

static const struct dma_fence_ops late_ops = {
	.get_driver_name = late_name,
	.get_timeline_name = late_name,
	.release = late_release,
};

static void late_work(struct work_struct *work)
{
	struct late *late = container_of(work, struct late, work.work);

	late->syncs = late->m->nr_syncs;
	dma_fence_signal(&late->fence);
}

/* What the device is still going to write would be missed. */
static void device_is_waited_for_before_the_sync(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_list *list;
	struct late *late;
	struct buffer b;

	late = kunit_kzalloc(test, sizeof(*late), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, late);
	late->m = m;
	late->syncs = UINT_MAX;
	INIT_DELAYED_WORK(&late->work, late_work);
	dma_fence_init(&late->fence, &late_ops, NULL, 0, 0);

	m->coherent = false;
	buffer_init(&b, m, BUFFER_RUNS, model_ram(m), 3);
	b.syncs = true;
	buffer_attach(&b);
	list = buffer_map(&b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	dma_resv_lock(b.dmabuf->resv, NULL);
	KUNIT_EXPECT_EQ(test, 0, dma_resv_reserve_fences(b.dmabuf->resv, 1));
	dma_resv_add_fence(b.dmabuf->resv, &late->fence, DMA_RESV_USAGE_WRITE);
	dma_resv_unlock(b.dmabuf->resv);

	schedule_delayed_work(&late->work, HZ / 50);
	KUNIT_EXPECT_EQ(test, dma_buf_begin_cpu_access(b.dmabuf, m->dir), 0);
	flush_delayed_work(&late->work);
	KUNIT_EXPECT_EQ(test, late->syncs, 0);
	KUNIT_EXPECT_EQ(test, m->nr_syncs, 3);
	buffer_close(&b, list);
	dma_fence_put(&late->fence);
}

static struct kunit_case sync_cases[] = {
	KUNIT_CASE(each_run_is_synced_once),
	KUNIT_CASE_PARAM(device_that_needs_no_sync_costs_nothing,
			 model_machine_gen_params),
	KUNIT_CASE(list_that_is_not_bounced_needs_no_sync),
	KUNIT_CASE(iova_is_synced_run_by_run),
	KUNIT_CASE(runs_behind_an_iova_are_kept_if_need_be),
	KUNIT_CASE(caches_of_many_runs_are_managed_at_once),
	KUNIT_CASE(unmapping_an_iova_syncs_run_by_run),
	KUNIT_CASE(table_of_map_ops_is_synced_at_once),
	KUNIT_CASE(peer_memory_is_not_synced),
	KUNIT_CASE(part_is_synced_and_nothing_else),
	KUNIT_CASE(part_of_an_iova_is_synced),
	KUNIT_CASE(part_of_a_table_is_synced),
	KUNIT_CASE(part_costs_nothing_without_caches),
	KUNIT_CASE(cpu_access_syncs_every_mapping),
	KUNIT_CASE(cpu_access_syncs_nothing_unless_the_exporter_says_so),
	KUNIT_CASE(failed_cpu_access_syncs_nothing),
	KUNIT_CASE(cpu_access_knows_of_what_needs_syncing),
	KUNIT_CASE(table_of_map_ops_is_announced),
	KUNIT_CASE(device_is_waited_for_before_the_sync),
	{}
};

static struct kunit_suite sync_suite = {
	.name = "dma-buf-sync",
	.init = model_init,
	.exit = model_exit,
	.test_cases = sync_cases,
};

kunit_test_suite(sync_suite);
