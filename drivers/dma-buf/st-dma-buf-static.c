// SPDX-License-Identifier: GPL-2.0-only
/*
 * Importers that cannot follow a buffer, but let go of it
 */
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/jiffies.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/timer.h>

#include "st-dma-buf-model.h"

/**
 * struct keeper - an importer that maps once
 * @m: the hardware
 * @ops: what it can do
 * @attach: its attachment
 * @list: what it has mapped, or NULL
 * @told: how often it was told to let go of that
 */
struct keeper {
	struct model *m;
	struct dma_buf_attach_ops ops;
	struct dma_buf_attachment *attach;
	struct dma_buf_list *list;
	unsigned int told;
};

static void keeper_invalidate(struct dma_buf_attachment *attach)
{
	struct keeper *k = attach->importer_priv;

	dma_resv_assert_held(attach->dmabuf->resv);
	k->told++;
	if (!k->list)
		return;
	dma_buf_list_unmap(attach, k->list);
	k->list = NULL;
}

static void keeper_attach(struct keeper *k, struct buffer *b, bool stays)
{
	*k = (struct keeper) {
		.m = b->m,
		.ops = {
			.allow_peer2peer = true,
			.static_mapping = stays,
			.invalidate_mappings = keeper_invalidate,
		},
	};
	k->attach = dma_buf_dynamic_attach(b->dmabuf, b->m->dev, &k->ops, k);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(b->m->test, k->attach);
}

static int keeper_map(struct keeper *k)
{
	struct dma_buf_list *list;

	list = dma_buf_list_map_unlocked(k->attach, k->m->dir);
	if (IS_ERR(list))
		return PTR_ERR(list);
	k->list = list;
	return 0;
}

static void keeper_unmap(struct keeper *k)
{
	dma_buf_list_unmap_unlocked(k->attach, k->list);
	k->list = NULL;
}

static void open_buffer(struct kunit *test, struct buffer *b)
{
	model_with_peer(test->priv, PCI_P2PDMA_MAP_THRU_HOST_BRIDGE);
	buffer_init(b, test->priv, BUFFER_BAR, model_bar, 3);
	b->can_pin = true;
	buffer_export(b);
}

static void close_buffer(struct buffer *b, struct keeper *k)
{
	dma_buf_detach(b->dmabuf, k->attach);
	buffer_put(b);
}

/* From before it is mapped until after it is not */
static void buffer_is_pinned_while_mapped(struct kunit *test)
{
	struct keeper k;
	struct buffer b;

	open_buffer(test, &b);
	keeper_attach(&k, &b, true);
	KUNIT_EXPECT_EQ(test, b.pins, 0);
	KUNIT_ASSERT_EQ(test, 0, keeper_map(&k));
	KUNIT_EXPECT_EQ(test, b.pins, 1);
	KUNIT_EXPECT_TRUE(test, dma_buf_list_is_peer(k.list));
	keeper_unmap(&k);
	KUNIT_EXPECT_EQ(test, b.pins, 0);

	b.map_error = -ENOMEM;
	KUNIT_EXPECT_EQ(test, -ENOMEM, keeper_map(&k));
	KUNIT_EXPECT_EQ(test, b.pins, 0);
	b.map_error = 0;
	b.pin_error = -EINVAL;
	KUNIT_EXPECT_EQ(test, -EINVAL, keeper_map(&k));
	KUNIT_EXPECT_EQ(test, b.mapped, 0);
	b.pin_error = 0;
	close_buffer(&b, &k);
}

/* Dynamic importers may pin the buffer themselves. */
static void buffer_that_is_followed_is_not_pinned(struct kunit *test)
{
	struct keeper k;
	struct buffer b;

	open_buffer(test, &b);
	keeper_attach(&k, &b, false);
	KUNIT_ASSERT_EQ(test, 0, keeper_map(&k));
	KUNIT_EXPECT_EQ(test, b.pins, 0);
	keeper_unmap(&k);
	close_buffer(&b, &k);
}

static void what_is_taken_back_is_not_pinned(struct kunit *test)
{
	struct keeper k;
	struct buffer b;

	open_buffer(test, &b);
	keeper_attach(&k, &b, true);
	KUNIT_ASSERT_EQ(test, 0, keeper_map(&k));
	KUNIT_EXPECT_EQ(test, 0, dma_buf_revoke_mappings(b.dmabuf, HZ));
	KUNIT_EXPECT_EQ(test, k.told, 1);
	KUNIT_EXPECT_NULL(test, k.list);
	KUNIT_EXPECT_EQ(test, b.pins, 0);
	close_buffer(&b, &k);
}

/**
 * struct move - a fence of an exporter that is busy filling the buffer
 * @fence: the fence
 * @timer: when it is done
 */
struct move {
	struct dma_fence fence;
	struct timer_list timer;
};

static const char *move_name(struct dma_fence *fence)
{
	return "move";
}

static const struct dma_fence_ops move_ops = {
	.get_driver_name = move_name,
	.get_timeline_name = move_name,
};

static void move_done(struct timer_list *timer)
{
	struct move *move = timer_container_of(move, timer, timer);

	dma_fence_signal(&move->fence);
}

static struct move *move_begin(struct buffer *b)
{
	struct move *move = kzalloc_obj(*move);

	KUNIT_ASSERT_NOT_NULL(b->m->test, move);
	dma_fence_init(&move->fence, &move_ops, NULL, 0, 0);
	timer_setup(&move->timer, move_done, 0);
	dma_resv_lock(b->dmabuf->resv, NULL);
	KUNIT_ASSERT_EQ(b->m->test, 0, dma_resv_reserve_fences(b->dmabuf->resv, 1));
	dma_resv_add_fence(b->dmabuf->resv, &move->fence, DMA_RESV_USAGE_KERNEL);
	dma_resv_unlock(b->dmabuf->resv);
	mod_timer(&move->timer, jiffies + msecs_to_jiffies(200));
	return move;
}

static void move_end(struct move *move)
{
	timer_delete_sync(&move->timer);
	dma_fence_signal(&move->fence);
	dma_fence_put(&move->fence);
}

/* Is the exporter done when the buffer is mapped? */
static bool waits_for_exporter(struct kunit *test, bool stays)
{
	struct move *move;
	struct keeper k;
	struct buffer b;
	bool done;

	open_buffer(test, &b);
	keeper_attach(&k, &b, stays);
	move = move_begin(&b);
	KUNIT_ASSERT_EQ(test, 0, keeper_map(&k));
	done = dma_fence_is_signaled(&move->fence);
	move_end(move);
	keeper_unmap(&k);
	close_buffer(&b, &k);
	return done;
}

static void mapping_that_stays_waits_for_the_exporter(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, waits_for_exporter(test, true));
	KUNIT_EXPECT_FALSE(test, waits_for_exporter(test, false));
}

static void signal_ends_waiting_for_the_exporter(struct kunit *test)
{
	struct move *move;
	struct keeper k;
	struct buffer b;

	open_buffer(test, &b);
	keeper_attach(&k, &b, true);
	move = move_begin(&b);
	timer_delete_sync(&move->timer);

	allow_signal(SIGUSR1);
	send_sig(SIGUSR1, current, 1);
	KUNIT_EXPECT_EQ(test, -ERESTARTSYS, keeper_map(&k));
	flush_signals(current);
	disallow_signal(SIGUSR1);
	KUNIT_EXPECT_EQ(test, b.pins, 0);
	KUNIT_EXPECT_EQ(test, b.mapped, 0);

	move_end(move);
	KUNIT_ASSERT_EQ(test, 0, keeper_map(&k));
	keeper_unmap(&k);
	close_buffer(&b, &k);
}

static struct kunit_case dma_buf_static_cases[] = {
	KUNIT_CASE(buffer_is_pinned_while_mapped),
	KUNIT_CASE(buffer_that_is_followed_is_not_pinned),
	KUNIT_CASE(what_is_taken_back_is_not_pinned),
	KUNIT_CASE(mapping_that_stays_waits_for_the_exporter),
	KUNIT_CASE(signal_ends_waiting_for_the_exporter),
	{}
};

static struct kunit_suite dma_buf_static_suite = {
	.name = "dma-buf-static",
	.init = model_init,
	.exit = model_exit,
	.test_cases = dma_buf_static_cases,
};

kunit_test_suite(dma_buf_static_suite);
