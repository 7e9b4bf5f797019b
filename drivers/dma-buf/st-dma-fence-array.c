// SPDX-License-Identifier: MIT

/*
 * An array signals when the last of its fences has, with the first error among
 * them, whether somebody waits for it or only looks at it.
 */

#include <kunit/test.h>
#include <linux/dma-fence.h>
#include <linux/dma-fence-array.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#define NUM_FENCES 3

/**
 * struct array_test - an array, and the fences in it
 * @array: has a reference to each fence
 * @fences: the test has another one to each
 * @released: number of fences that are gone
 */
struct array_test {
	struct dma_fence_array *array;
	struct dma_fence *fences[NUM_FENCES];
	atomic_t released;
};

struct mock_fence {
	struct dma_fence base;
	struct array_test *owner;
	ktime_t deadline;
};

struct mock_cb {
	struct dma_fence_cb base;
	int calls;
};

static struct mock_fence *to_mock_fence(struct dma_fence *f)
{
	return container_of(f, struct mock_fence, base);
}

static const char *mock_name(struct dma_fence *f)
{
	return "mock";
}

static void mock_release(struct dma_fence *f)
{
	atomic_t *released = &to_mock_fence(f)->owner->released;

	dma_fence_free(f);
	atomic_inc(released);
	wake_up_var(released);
}

static void mock_set_deadline(struct dma_fence *f, ktime_t deadline)
{
	to_mock_fence(f)->deadline = deadline;
}

static const struct dma_fence_ops mock_ops = {
	.get_driver_name = mock_name,
	.get_timeline_name = mock_name,
	.release = mock_release,
	.set_deadline = mock_set_deadline,
};

static void mock_called(struct dma_fence *f, struct dma_fence_cb *cb)
{
	container_of(cb, struct mock_cb, base)->calls++;
}

static void signal_all(struct array_test *a)
{
	int i;

	for (i = 0; i < NUM_FENCES; i++)
		dma_fence_signal(a->fences[i]);
}

static int array_test_init(struct kunit *test)
{
	struct dma_fence **fences;
	struct array_test *a;
	struct mock_fence *f;
	u64 context;
	int i;

	a = kunit_kzalloc(test, sizeof(*a), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, a);
	test->priv = a;

	context = dma_fence_context_alloc(NUM_FENCES);
	for (i = 0; i < NUM_FENCES; i++) {
		f = kzalloc_obj(*f);
		KUNIT_ASSERT_NOT_NULL(test, f);
		f->owner = a;
		dma_fence_init(&f->base, &mock_ops, NULL, context + i, 1);
		a->fences[i] = &f->base;
	}

	/* The array frees it. */
	fences = kmalloc_objs(*fences, NUM_FENCES);
	KUNIT_ASSERT_NOT_NULL(test, fences);
	for (i = 0; i < NUM_FENCES; i++)
		fences[i] = dma_fence_get(a->fences[i]);
	a->array = dma_fence_array_create(NUM_FENCES, fences,
					  dma_fence_context_alloc(1), 1);
	KUNIT_ASSERT_NOT_NULL(test, a->array);
	return 0;
}

/* Whatever was done to them, the array and its fences have to go. */
static void array_test_exit(struct kunit *test)
{
	struct array_test *a = test->priv;
	int i, num = 0;

	for (i = 0; i < NUM_FENCES; i++) {
		if (!a->fences[i])
			continue;
		dma_fence_signal(a->fences[i]);
		dma_fence_put(a->fences[i]);
		num++;
	}
	if (a->array)
		dma_fence_put(&a->array->base);

	/* The last reference may be that of a callback, which is interrupt work. */
	wait_var_event_timeout(&a->released, atomic_read(&a->released) == num,
			       5 * HZ);
	KUNIT_EXPECT_EQ(test, atomic_read(&a->released), num);
}

static void test_waited_for(struct kunit *test)
{
	struct array_test *a = test->priv;
	struct dma_fence *f = &a->array->base;
	struct mock_cb cb = { };
	int i;

	KUNIT_ASSERT_EQ(test, dma_fence_add_callback(f, &cb.base, mock_called), 0);
	for (i = 0; i < NUM_FENCES; i++) {
		KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(f));
		KUNIT_EXPECT_EQ(test, dma_fence_get_status(f), 0);
		dma_fence_signal(a->fences[i]);
	}

	/* Not before its work has run has it told anyone. */
	KUNIT_EXPECT_GT(test, dma_fence_wait_timeout(f, false, 5 * HZ), 0);
	irq_work_sync(&a->array->work);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(f));
	KUNIT_EXPECT_EQ(test, f->error, 0);
	KUNIT_EXPECT_EQ(test, cb.calls, 1);
}

/* Its own callback has not run yet, but all of its fences have signaled. */
static void test_looked_at_early(struct kunit *test)
{
	struct array_test *a = test->priv;
	struct dma_fence *f = &a->array->base;
	struct mock_cb cb = { };
	unsigned long flags;
	bool signaled;

	KUNIT_ASSERT_EQ(test, dma_fence_add_callback(f, &cb.base, mock_called), 0);
	local_irq_save(flags);
	signal_all(a);
	signaled = dma_fence_is_signaled(f);
	local_irq_restore(flags);

	KUNIT_EXPECT_TRUE(test, signaled);
	irq_work_sync(&a->array->work);
	KUNIT_EXPECT_EQ(test, f->error, 0);
	KUNIT_EXPECT_EQ(test, cb.calls, 1);
}

/* Nobody waits, so there are no callbacks: the fences are asked. */
static void test_looked_at(struct kunit *test)
{
	struct array_test *a = test->priv;
	struct dma_fence *f = &a->array->base;
	int i;

	for (i = NUM_FENCES; i--;) {
		KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(f));
		dma_fence_signal(a->fences[i]);
	}
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(f));
	KUNIT_EXPECT_EQ(test, f->error, 0);
}

static void test_all_before(struct kunit *test)
{
	struct array_test *a = test->priv;
	struct dma_fence *f = &a->array->base;
	struct mock_cb cb = { };

	signal_all(a);
	KUNIT_EXPECT_EQ(test, dma_fence_add_callback(f, &cb.base, mock_called),
			-ENOENT);
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(f));
	KUNIT_EXPECT_EQ(test, f->error, 0);
	KUNIT_EXPECT_EQ(test, cb.calls, 0);
}

static void test_some_before(struct kunit *test)
{
	struct array_test *a = test->priv;
	struct dma_fence *f = &a->array->base;

	dma_fence_signal(a->fences[0]);
	dma_fence_signal(a->fences[2]);
	dma_fence_enable_signaling(f);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(f));
	dma_fence_signal(a->fences[1]);
	KUNIT_EXPECT_GT(test, dma_fence_wait_timeout(f, false, 5 * HZ), 0);
}

static void test_first_error(struct kunit *test)
{
	struct array_test *a = test->priv;
	struct dma_fence *f = &a->array->base;

	dma_fence_enable_signaling(f);
	dma_fence_signal(a->fences[2]);
	dma_fence_set_error(a->fences[1], -EIO);
	dma_fence_signal(a->fences[1]);
	dma_fence_set_error(a->fences[0], -ENODEV);
	dma_fence_signal(a->fences[0]);

	KUNIT_EXPECT_GT(test, dma_fence_wait_timeout(f, false, 5 * HZ), 0);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(f), -EIO);
}

static void test_error_before(struct kunit *test)
{
	struct array_test *a = test->priv;
	struct dma_fence *f = &a->array->base;

	dma_fence_set_error(a->fences[1], -EIO);
	signal_all(a);
	dma_fence_enable_signaling(f);

	KUNIT_EXPECT_EQ(test, dma_fence_get_status(f), -EIO);
}

/* Who does not wait any longer gives up the array, not what is signaled later. */
static void test_put_while_pending(struct kunit *test)
{
	struct array_test *a = test->priv;

	dma_fence_enable_signaling(&a->array->base);
	dma_fence_put(&a->array->base);
	a->array = NULL;
	KUNIT_EXPECT_EQ(test, atomic_read(&a->released), 0);
}

static void test_deadline(struct kunit *test)
{
	struct array_test *a = test->priv;
	struct dma_fence *f = &a->array->base;
	int i;

	dma_fence_signal(a->fences[0]);
	dma_fence_set_deadline(f, 1000);
	KUNIT_EXPECT_EQ(test, to_mock_fence(a->fences[0])->deadline, 0);
	for (i = 1; i < NUM_FENCES; i++)
		KUNIT_EXPECT_EQ(test, to_mock_fence(a->fences[i])->deadline, 1000);
}

static void test_names(struct kunit *test)
{
	struct array_test *a = test->priv;
	const char __rcu *name;
	bool driver, timeline;

	rcu_read_lock();
	name = dma_fence_driver_name(&a->array->base);
	driver = !strcmp(rcu_dereference(name), "dma_fence_array");
	name = dma_fence_timeline_name(&a->array->base);
	timeline = !strcmp(rcu_dereference(name), "unbound");
	rcu_read_unlock();

	KUNIT_EXPECT_TRUE(test, driver);
	KUNIT_EXPECT_TRUE(test, timeline);
}

static void test_context(struct kunit *test)
{
	struct array_test *a = test->priv;
	struct dma_fence *f = &a->array->base;
	u64 context = a->fences[0]->context;
	int i;

	KUNIT_EXPECT_TRUE(test, dma_fence_match_context(a->fences[0], context));
	KUNIT_EXPECT_FALSE(test, dma_fence_match_context(a->fences[1], context));

	/* What counts are the fences in it, all of them. */
	KUNIT_EXPECT_FALSE(test, dma_fence_match_context(f, f->context));
	KUNIT_EXPECT_FALSE(test, dma_fence_match_context(f, context));
	for (i = 1; i < NUM_FENCES; i++)
		a->fences[i]->context = context;
	KUNIT_EXPECT_TRUE(test, dma_fence_match_context(f, context));
}

static void test_for_each(struct kunit *test)
{
	struct array_test *a = test->priv;
	struct dma_fence *f;
	unsigned int i;

	dma_fence_array_for_each(f, i, &a->array->base) {
		KUNIT_ASSERT_LT(test, i, NUM_FENCES);
		KUNIT_EXPECT_PTR_EQ(test, f, a->fences[i]);
	}
	KUNIT_EXPECT_EQ(test, i, NUM_FENCES);

	/* What is no array is its own only fence. */
	dma_fence_array_for_each(f, i, a->fences[1]) {
		KUNIT_ASSERT_EQ(test, i, 0);
		KUNIT_EXPECT_PTR_EQ(test, f, a->fences[1]);
	}
	KUNIT_EXPECT_EQ(test, i, 1);
	KUNIT_EXPECT_NULL(test, dma_fence_array_first(NULL));
}

static struct kunit_case dma_fence_array_cases[] = {
	KUNIT_CASE(test_waited_for),
	KUNIT_CASE(test_looked_at_early),
	KUNIT_CASE(test_looked_at),
	KUNIT_CASE(test_all_before),
	KUNIT_CASE(test_some_before),
	KUNIT_CASE(test_first_error),
	KUNIT_CASE(test_error_before),
	KUNIT_CASE(test_put_while_pending),
	KUNIT_CASE(test_deadline),
	KUNIT_CASE(test_names),
	KUNIT_CASE(test_context),
	KUNIT_CASE(test_for_each),
	{}
};

static struct kunit_suite dma_fence_array_test_suite = {
	.name = "dma-buf-fence-array",
	.init = array_test_init,
	.exit = array_test_exit,
	.test_cases = dma_fence_array_cases,
};

kunit_test_suite(dma_fence_array_test_suite);
