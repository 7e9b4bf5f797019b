// SPDX-License-Identifier: GPL-2.0-only
/*
 * What happens if drivers misuse the page list
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/dma-resv.h>
#include <linux/fcntl.h>
#include <linux/kthread.h>

#include "st-dma-buf-model.h"

#define SIZE	(3 * PAGE_SIZE)

/**
 * struct misuse - something that no driver should do
 * @name: for the output
 * @debug: without CONFIG_DMABUF_DEBUG it is not noticed, and does harm
 * @warns: number of warnings
 * @once: the kernel warns only once, so the warning may be missing
 * @commit: does it to a buffer that is mapped
 */
struct misuse {
	const char *name;
	bool debug;
	unsigned int warns;
	bool once;
	void (*commit)(struct buffer *b, struct dma_buf_list *list);
};

static void unmap_nothing(struct buffer *b, struct dma_buf_list *list)
{
	buffer_unmap(b, NULL);
}

static void unmap_an_error(struct buffer *b, struct dma_buf_list *list)
{
	buffer_unmap(b, ERR_PTR(-ENOMEM));
}

static void unmap_twice(struct buffer *b, struct dma_buf_list *list)
{
	list = buffer_map(b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(b->m->test, list);
	buffer_unmap(b, list);
	buffer_unmap(b, list);
}

static struct dma_buf_attachment *attach_once_more(struct buffer *b)
{
	struct dma_buf_attachment *attach;

	attach = dma_buf_dynamic_attach(b->dmabuf, b->m->dev, &b->importer,
					NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(b->m->test, attach);
	return attach;
}

static void unmap_by_who_has_nothing(struct buffer *b,
				     struct dma_buf_list *list)
{
	struct dma_buf_attachment *attach = attach_once_more(b);

	dma_buf_list_unmap_unlocked(attach, list);
	dma_buf_detach(b->dmabuf, attach);
}

static void unmap_from_another_buffer(struct buffer *b,
				      struct dma_buf_list *list)
{
	struct dma_buf_list *others;
	struct buffer other;

	others = buffer_open(&other, b->m, b->kind, b->vec, b->nr);
	buffer_unmap(&other, list);
	buffer_expect_reached(&other, others);
	buffer_unmap(&other, others);
	buffer_put(&other);
}

/* Which has a mapping of its own */
static void unmap_for_another_device(struct buffer *b,
				     struct dma_buf_list *list)
{
	struct device *dev = b->m->dev;
	struct dma_buf_attachment *attach;
	struct dma_buf_list *others;

	b->m->dev = b->m->owner;
	attach = attach_once_more(b);
	others = dma_buf_list_map_unlocked(attach, b->m->dir);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(b->m->test, others);
	dma_buf_list_unmap_unlocked(attach, list);
	dma_buf_list_unmap_unlocked(attach, others);
	dma_buf_detach(b->dmabuf, attach);
	b->m->dev = dev;
}

static void map_in_no_direction(struct buffer *b, struct dma_buf_list *list)
{
	list = dma_buf_list_map_unlocked(b->attach, DMA_NONE);
	KUNIT_EXPECT_PTR_EQ(b->m->test, list, ERR_PTR(-EINVAL));
}

static void free_what_an_importer_has(struct buffer *b,
				      struct dma_buf_list *list)
{
	dma_buf_list_free(list);
}

static void return_what_an_importer_has(struct buffer *b,
					struct dma_buf_list *list)
{
	b->again = list;
	KUNIT_EXPECT_PTR_EQ(b->m->test, buffer_map(b), ERR_PTR(-EBUSY));
	b->again = NULL;
}

static void return_what_was_mapped_for_another(struct buffer *b,
					       struct dma_buf_list *list)
{
	struct dma_buf_attachment own = { .dev = b->m->dev };
	struct dma_buf_list *other;

	other = dma_buf_list_from_runs(&own, b->vec, b->nr, b->m->dir, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(b->m->test, other);
	b->again = other;
	KUNIT_EXPECT_PTR_EQ(b->m->test, buffer_map(b), ERR_PTR(-EBUSY));
	b->again = NULL;
	dma_buf_list_free(other);
}

static void map_nothing(struct buffer *b, struct dma_buf_list *list)
{
	KUNIT_EXPECT_PTR_EQ(b->m->test, dma_buf_list_map(NULL, b->m->dir),
			    ERR_PTR(-EINVAL));
}

static void attach_no_device(struct buffer *b, struct dma_buf_list *list)
{
	struct dma_buf_attachment *attach;

	attach = dma_buf_dynamic_attach(b->dmabuf, NULL, &b->importer, NULL);
	KUNIT_EXPECT_PTR_EQ(b->m->test, attach, ERR_PTR(-EINVAL));
}

static void attach_to_nothing(struct buffer *b, struct dma_buf_list *list)
{
	struct dma_buf_attachment *attach;

	attach = dma_buf_dynamic_attach(NULL, b->m->dev, &b->importer, NULL);
	KUNIT_EXPECT_PTR_EQ(b->m->test, attach, ERR_PTR(-EINVAL));
}

static void detach_from_another_buffer(struct buffer *b,
				       struct dma_buf_list *list)
{
	struct buffer other;

	buffer_init(&other, b->m, b->kind, b->vec, b->nr);
	buffer_attach(&other);
	dma_buf_detach(other.dmabuf, b->attach);
	buffer_put(&other);
}

/* Once to pin it, and once to unpin it */
static void pin_for_a_static_importer(struct buffer *b,
				      struct dma_buf_list *list)
{
	struct dma_buf_attachment *attach;

	attach = dma_buf_attach(b->dmabuf, b->m->dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(b->m->test, attach);
	dma_resv_lock(b->dmabuf->resv, NULL);
	KUNIT_EXPECT_EQ(b->m->test, dma_buf_pin(attach), 0);
	dma_buf_unpin(attach);
	dma_resv_unlock(b->dmabuf->resv);
	dma_buf_detach(b->dmabuf, attach);
}

static void expect_no_export(struct buffer *b, const struct dma_buf_ops *ops)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);

	info.ops = ops;
	info.priv = b;
	info.size = SIZE;
	info.flags = O_RDWR;
	KUNIT_EXPECT_PTR_EQ(b->m->test, dma_buf_export(&info), ERR_PTR(-EINVAL));
}

static void export_what_cannot_be_mapped(struct buffer *b,
					 struct dma_buf_list *list)
{
	struct dma_buf_ops ops = *b->dmabuf->ops;

	ops.map_dma_buf = NULL;
	expect_no_export(b, &ops);
}

static void export_what_cannot_be_unpinned(struct buffer *b,
					   struct dma_buf_list *list)
{
	struct dma_buf_ops ops = *b->dmabuf->ops;

	ops.unpin = NULL;
	expect_no_export(b, &ops);
}

#define MISUSE(fn, ...)	{ .name = #fn, .commit = fn, __VA_ARGS__ }

/* As some importers outside the tree do */
static void map_without_the_lock(struct buffer *b, struct dma_buf_list *list)
{
	struct kunit *test = b->m->test;

	KUNIT_ASSERT_FALSE(test, dma_resv_is_locked(b->dmabuf->resv));
	list = dma_buf_list_map(b->attach, b->m->dir);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(b->dmabuf->resv));
	dma_buf_list_unmap(b->attach, list);
	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(b->dmabuf->resv));
	KUNIT_EXPECT_EQ(test, b->unlocked, 0);
}

struct holder {
	struct buffer *b;
	struct completion locked;
	struct completion unlocked;
	bool let_go;
};

static int hold_the_lock(void *data)
{
	struct holder *holder = data;

	dma_resv_lock(holder->b->dmabuf->resv, NULL);
	complete(&holder->locked);
	msleep(100);
	WRITE_ONCE(holder->let_go, true);
	dma_resv_unlock(holder->b->dmabuf->resv);
	complete(&holder->unlocked);
	return 0;
}

/* The lock is held, but by another task. */
static void map_with_the_lock_of_another(struct buffer *b, struct dma_buf_list *list)
{
	struct holder holder = { .b = b };
	struct kunit *test = b->m->test;

	init_completion(&holder.locked);
	init_completion(&holder.unlocked);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, kthread_run(hold_the_lock, &holder,
						       "holder"));
	wait_for_completion(&holder.locked);
	list = dma_buf_list_map(b->attach, b->m->dir);
	KUNIT_EXPECT_TRUE(test, READ_ONCE(holder.let_go));
	wait_for_completion(&holder.unlocked);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	dma_buf_list_unmap(b->attach, list);
}

static const struct misuse misuses[] = {
	MISUSE(unmap_nothing, .warns = 1),
	MISUSE(unmap_an_error, .warns = 1),
	MISUSE(unmap_twice, .warns = 1, .debug = true),
	MISUSE(unmap_by_who_has_nothing, .warns = 1),
	MISUSE(unmap_from_another_buffer, .warns = 1),
	MISUSE(unmap_for_another_device, .warns = 1),
	MISUSE(map_in_no_direction, .warns = 1, .once = true),
	MISUSE(free_what_an_importer_has, .warns = 1, .once = true),
	MISUSE(return_what_an_importer_has, .warns = 1, .once = true),
	MISUSE(return_what_was_mapped_for_another, .warns = 1, .once = true),
	MISUSE(map_without_the_lock, .warns = 2, .once = true),
	MISUSE(map_with_the_lock_of_another, .warns = 2, .once = true),
	MISUSE(map_nothing, .warns = 1),
	MISUSE(attach_no_device, .warns = 1),
	MISUSE(attach_to_nothing, .warns = 1),
	MISUSE(detach_from_another_buffer, .warns = 1),
	MISUSE(pin_for_a_static_importer, .warns = 2),
	MISUSE(export_what_cannot_be_mapped, .warns = 1),
	MISUSE(export_what_cannot_be_unpinned, .warns = 1),
};

static void misuse_desc(const struct misuse *misuse, char *desc)
{
	strscpy(desc, misuse->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(misuse, misuses, misuse_desc);

/* A correct importer of the same buffer is not affected. */
static void misuse_is_warned_of(struct kunit *test)
{
	const struct misuse *misuse = test->param_value;
	struct model *m = test->priv;
	struct phys_vec vec = { .paddr = model_page(m, 0), .len = SIZE };
	struct dma_buf_list *list;
	struct buffer b;

	if (misuse->debug && !IS_ENABLED(CONFIG_DMABUF_DEBUG))
		kunit_skip(test, "needs CONFIG_DMABUF_DEBUG");

	buffer_init(&b, m, BUFFER_RUNS, &vec, 1);
	b.can_pin = true;
	buffer_attach(&b);
	list = buffer_map(&b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);

	kunit_warning_suppress(test) {
		misuse->commit(&b, list);
		if (misuse->once)
			KUNIT_EXPECT_LE(test, KUNIT_SUPPRESSED_WARNING_COUNT(),
					misuse->warns);
		else
			KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test,
							      misuse->warns);
	}

	KUNIT_EXPECT_EQ(test, buffer_nmaps(&b), 1);
	KUNIT_EXPECT_EQ(test, b.mapped, 1);
	KUNIT_EXPECT_TRUE(test, list_is_singular(&b.dmabuf->attachments));
	buffer_expect_reached(&b, list);
	buffer_close(&b, list);
}

static struct kunit_case misuse_cases[] = {
	KUNIT_CASE_PARAM(misuse_is_warned_of, misuse_gen_params),
	{}
};

static struct kunit_suite misuse_suite = {
	.name = "dma-buf-misuse",
	.init = model_init,
	.exit = model_exit,
	.test_cases = misuse_cases,
};

kunit_test_suite(misuse_suite);
