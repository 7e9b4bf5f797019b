// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit test suites for importing dma-bufs: PRIME, and the GEM helpers behind it
 */

#include <linux/dma-buf.h>
#include <linux/dma-buf-map.h>
#include <linux/dma-mapping.h>
#include <linux/file.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>

#include <kunit/test.h>

#include <drm/drm_device.h>
#include <drm/drm_drv.h>
#include <drm/drm_gem.h>
#include <drm/drm_gem_dma_helper.h>
#include <drm/drm_gem_shmem_helper.h>
#include <drm/drm_kunit_helpers.h>
#include <drm/drm_prime.h>

MODULE_IMPORT_NS("DMA_BUF");

#define TEST_PAGES	4
#define TEST_SIZE	(TEST_PAGES * PAGE_SIZE)

/**
 * struct import_test - a buffer of no driver, and a device to import it into
 * @test: the test
 * @driver: driver of @drm, for the test to change
 * @drm: the device
 * @dmabuf: the buffer
 * @block: memory of the buffer
 * @pages: what the exporter maps, for the test to change
 * @npages: how much of that
 * @map_error: mapping fails, unless zero
 * @vmap_error: mapping for the CPU fails, unless zero
 * @attached: attachments
 * @mapped: mappings
 * @vmapped: mappings for the CPU
 * @hook_error: the hook of the test fails, unless zero
 * @hook_calls: how often it was called
 * @hook_attach: for what
 * @hook_list: with what
 */
struct import_test {
	struct kunit *test;
	struct drm_driver driver;
	struct drm_device *drm;

	struct dma_buf *dmabuf;
	struct page *block;
	struct page *pages[TEST_PAGES];
	unsigned long npages;
	int map_error;
	int vmap_error;
	int attached;
	int mapped;
	int vmapped;

	int hook_error;
	int hook_calls;
	struct dma_buf_attachment *hook_attach;
	struct dma_buf_list *hook_list;
};

/* The exporter */

static int test_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct import_test *t = dmabuf->priv;

	t->attached++;
	return 0;
}

static void test_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct import_test *t = dmabuf->priv;

	KUNIT_EXPECT_EQ(t->test, t->mapped, 0);
	t->attached--;
}

static struct dma_buf_list *test_map(struct dma_buf_attachment *attach,
				     enum dma_data_direction dir)
{
	struct import_test *t = attach->dmabuf->priv;
	struct dma_buf_list *list;

	if (t->map_error)
		return ERR_PTR(t->map_error);

	list = dma_buf_list_from_pages(attach, t->pages, t->npages, dir, 0);
	t->mapped += !IS_ERR(list);
	return list;
}

static void test_unmap(struct dma_buf_attachment *attach,
		       struct dma_buf_list *list)
{
	struct import_test *t = attach->dmabuf->priv;

	t->mapped--;
	dma_buf_list_free(list);
}

static int test_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct import_test *t = dmabuf->priv;

	if (t->vmap_error)
		return t->vmap_error;

	t->vmapped++;
	iosys_map_set_vaddr(map, page_address(t->block));
	return 0;
}

static void test_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct import_test *t = dmabuf->priv;

	KUNIT_EXPECT_PTR_EQ(t->test, map->vaddr, page_address(t->block));
	t->vmapped--;
}

static void test_release(struct dma_buf *dmabuf)
{
	struct import_test *t = dmabuf->priv;

	t->dmabuf = NULL;
}

static const struct dma_buf_ops test_dma_buf_ops = {
	.attach = test_attach,
	.detach = test_detach,
	.map_dma_buf = test_map,
	.unmap_dma_buf = test_unmap,
	.vmap = test_vmap,
	.vunmap = test_vunmap,
	.release = test_release,
};

/* A driver that does nothing */

static void test_gem_free(struct drm_gem_object *obj)
{
	drm_prime_gem_destroy(obj);
	drm_gem_object_release(obj);
	kfree(obj);
}

static const struct drm_gem_object_funcs test_gem_funcs = {
	.free = test_gem_free,
};

static struct drm_gem_object *
test_import_list(struct drm_device *drm, struct dma_buf_attachment *attach,
		 struct dma_buf_list *list)
{
	struct import_test *t = attach->dmabuf->priv;
	struct drm_gem_object *obj;

	KUNIT_EXPECT_EQ(t->test, t->mapped, 1);
	t->hook_calls++;
	t->hook_attach = attach;
	t->hook_list = list;
	if (t->hook_error)
		return ERR_PTR(t->hook_error);

	obj = kzalloc_obj(*obj);
	if (!obj)
		return ERR_PTR(-ENOMEM);
	obj->funcs = &test_gem_funcs;
	drm_gem_private_object_init(drm, obj, attach->dmabuf->size);
	return obj;
}

static struct drm_gem_object *test_create_nothing(struct drm_device *drm,
						  size_t size)
{
	return ERR_PTR(-ENOMEM);
}

DEFINE_DRM_GEM_FOPS(test_fops);

/* What they have in common */

static struct drm_device *alloc_drm(struct import_test *t, struct device *dev)
{
	struct drm_device *drm;

	drm = __drm_kunit_helper_alloc_drm_device_with_driver(t->test, dev,
							      sizeof(*drm), 0,
							      &t->driver);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(t->test, drm);
	return drm;
}

static int import_test_init(struct kunit *test)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct import_test *t;
	struct device *dev;
	unsigned int i;

	t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t);
	t->test = test;
	test->priv = t;

	t->driver.driver_features = DRIVER_GEM;
	t->driver.fops = &test_fops;
	t->driver.gem_prime_import_list = test_import_list;
	dev = drm_kunit_helper_alloc_device(test);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	/* Or it might not reach the memory. */
	KUNIT_ASSERT_EQ(test, dma_set_mask(dev, DMA_BIT_MASK(64)), 0);
	t->drm = alloc_drm(t, dev);

	t->block = alloc_pages(GFP_KERNEL, get_order(TEST_SIZE));
	KUNIT_ASSERT_NOT_NULL(test, t->block);
	t->npages = TEST_PAGES;
	for (i = 0; i < TEST_PAGES; i++)
		t->pages[i] = t->block + i;

	info.ops = &test_dma_buf_ops;
	info.size = TEST_SIZE;
	info.flags = O_RDWR;
	info.priv = t;
	t->dmabuf = dma_buf_export(&info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t->dmabuf);
	return 0;
}

static void expect_given_back(struct import_test *t)
{
	KUNIT_EXPECT_EQ(t->test, t->attached, 0);
	KUNIT_EXPECT_EQ(t->test, t->mapped, 0);
	KUNIT_EXPECT_EQ(t->test, t->vmapped, 0);
}

static void import_test_exit(struct kunit *test)
{
	struct import_test *t = test->priv;

	if (!t)
		return;
	expect_given_back(t);
	if (!IS_ERR_OR_NULL(t->dmabuf))
		/* A kernel thread would leave the last fput() for later. */
		__fput_sync(t->dmabuf->file);
	KUNIT_EXPECT_NULL(test, t->dmabuf);
	if (t->block)
		__free_pages(t->block, get_order(TEST_SIZE));
}

/* One range for each page */
static void scatter(struct import_test *t)
{
	unsigned int i;

	for (i = 0; i < TEST_PAGES; i++)
		t->pages[i] = t->block + TEST_PAGES - 1 - i;
}

static struct drm_gem_object *import(struct import_test *t)
{
	return drm_gem_prime_import_dev(t->drm, t->dmabuf, t->drm->dev);
}

static void expect_imported(struct import_test *t, struct drm_gem_object *obj)
{
	struct kunit *test = t->test;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, obj);
	KUNIT_EXPECT_TRUE(test, drm_gem_is_imported(obj));
	KUNIT_EXPECT_PTR_EQ(test, obj->dev, t->drm);
	KUNIT_EXPECT_EQ(test, obj->size, TEST_SIZE);
	KUNIT_EXPECT_PTR_EQ(test, obj->resv, t->dmabuf->resv);
	KUNIT_EXPECT_PTR_EQ(test, obj->import_attach->dmabuf, t->dmabuf);
	KUNIT_EXPECT_PTR_EQ(test, obj->import_attach->dev, t->drm->dev);
	KUNIT_ASSERT_NOT_NULL(test, obj->import_list);
	KUNIT_EXPECT_EQ(test, dma_buf_list_npages(obj->import_list), t->npages);
	KUNIT_EXPECT_EQ(test, t->attached, 1);
	KUNIT_EXPECT_EQ(test, t->mapped, 1);
}

static void expect_refused(struct import_test *t, int error)
{
	struct drm_gem_object *obj = import(t);

	KUNIT_EXPECT_PTR_EQ(t->test, obj, ERR_PTR(error));
	if (!IS_ERR_OR_NULL(obj))
		drm_gem_object_put(obj);
	expect_given_back(t);
}

/* PRIME */

static void drm_test_prime_import(struct kunit *test)
{
	struct import_test *t = test->priv;
	struct drm_gem_object *obj = import(t);

	expect_imported(t, obj);
	KUNIT_EXPECT_PTR_EQ(test, obj->import_attach, t->hook_attach);
	KUNIT_EXPECT_PTR_EQ(test, obj->import_list, t->hook_list);
	KUNIT_EXPECT_EQ(test, t->hook_calls, 1);
	drm_gem_object_put(obj);
	expect_given_back(t);
}

static void drm_test_prime_import_keeps_buffer(struct kunit *test)
{
	struct import_test *t = test->priv;
	struct drm_gem_object *obj = import(t);
	struct file *file = t->dmabuf->file;

	expect_imported(t, obj);
	KUNIT_EXPECT_EQ(test, file_count(file), 2);
	dma_buf_put(t->dmabuf);
	KUNIT_EXPECT_NOT_NULL(test, t->dmabuf);
	get_file(file);
	drm_gem_object_put(obj);
	KUNIT_EXPECT_EQ(test, file_count(file), 1);
}

static void drm_test_prime_import_hook_fails(struct kunit *test)
{
	struct import_test *t = test->priv;

	t->hook_error = -ENOSPC;
	expect_refused(t, -ENOSPC);
	KUNIT_EXPECT_EQ(test, t->hook_calls, 1);
	KUNIT_EXPECT_EQ(test, file_count(t->dmabuf->file), 1);
}

static void drm_test_prime_import_map_fails(struct kunit *test)
{
	struct import_test *t = test->priv;

	t->map_error = -ENOSPC;
	expect_refused(t, -ENOSPC);
	KUNIT_EXPECT_EQ(test, t->hook_calls, 0);
	KUNIT_EXPECT_EQ(test, file_count(t->dmabuf->file), 1);
}

static void drm_test_prime_import_no_hook(struct kunit *test)
{
	struct import_test *t = test->priv;

	t->driver.gem_prime_import_list = NULL;
	expect_refused(t, -EINVAL);
	KUNIT_EXPECT_EQ(test, file_count(t->dmabuf->file), 1);
}

/* An object that comes back is the same, but not to another device. */
static void drm_test_prime_import_own(struct kunit *test)
{
	struct import_test *t = test->priv;
	struct drm_gem_shmem_object *shmem;
	struct drm_device *other;
	struct drm_gem_object *obj;
	struct dma_buf *dmabuf;

	t->driver.gem_prime_import_list = drm_gem_shmem_prime_import_list;
	shmem = drm_gem_shmem_create(t->drm, TEST_SIZE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, shmem);
	dmabuf = drm_gem_prime_export(&shmem->base, O_RDWR);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);

	obj = drm_gem_prime_import_dev(t->drm, dmabuf, t->drm->dev);
	KUNIT_EXPECT_PTR_EQ(test, obj, &shmem->base);
	KUNIT_EXPECT_FALSE(test, drm_gem_is_imported(&shmem->base));
	KUNIT_EXPECT_NULL(test, shmem->base.import_list);
	KUNIT_EXPECT_TRUE(test, list_empty(&dmabuf->attachments));
	if (!IS_ERR_OR_NULL(obj))
		drm_gem_object_put(obj);

	other = alloc_drm(t, t->drm->dev);
	obj = drm_gem_prime_import_dev(other, dmabuf, other->dev);
	KUNIT_EXPECT_PTR_NE(test, obj, &shmem->base);
	KUNIT_EXPECT_NOT_ERR_OR_NULL(test, obj);
	if (!IS_ERR_OR_NULL(obj)) {
		KUNIT_EXPECT_TRUE(test, drm_gem_is_imported(obj));
		drm_gem_object_put(obj);
	}
	KUNIT_EXPECT_TRUE(test, list_empty(&dmabuf->attachments));

	drm_gem_object_put(&shmem->base);
	__fput_sync(dmabuf->file);
}

static struct kunit_case prime_import_cases[] = {
	KUNIT_CASE(drm_test_prime_import),
	KUNIT_CASE(drm_test_prime_import_keeps_buffer),
	KUNIT_CASE(drm_test_prime_import_hook_fails),
	KUNIT_CASE(drm_test_prime_import_map_fails),
	KUNIT_CASE(drm_test_prime_import_no_hook),
	KUNIT_CASE(drm_test_prime_import_own),
	{ }
};

static struct kunit_suite prime_import_suite = {
	.name = "drm_prime_import",
	.init = import_test_init,
	.exit = import_test_exit,
	.test_cases = prime_import_cases,
};

/* The helpers */

/* DMA: one address for all of the buffer, where the list is */
static void expect_dma_addr(struct import_test *t, struct drm_gem_object *obj)
{
	dma_addr_t addr, next = to_drm_gem_dma_obj(obj)->dma_addr;
	struct dma_buf_cursor cursor;

	dma_buf_list_for_each_page(addr, &cursor, obj->import_list) {
		KUNIT_EXPECT_EQ(t->test, addr, next);
		next += PAGE_SIZE;
	}
}

static void drm_test_gem_dma_import(struct kunit *test)
{
	struct import_test *t = test->priv;
	struct drm_gem_object *obj;

	t->driver.gem_prime_import_list = drm_gem_dma_prime_import_list;
	obj = import(t);
	expect_imported(t, obj);
	expect_dma_addr(t, obj);
	KUNIT_EXPECT_NULL(test, to_drm_gem_dma_obj(obj)->vaddr);
	drm_gem_object_put(obj);
}

static void drm_test_gem_dma_import_vmap(struct kunit *test)
{
	struct import_test *t = test->priv;
	struct drm_gem_object *obj;

	t->driver.gem_prime_import_list = drm_gem_dma_prime_import_list_vmap;
	obj = import(t);
	expect_imported(t, obj);
	expect_dma_addr(t, obj);
	KUNIT_EXPECT_PTR_EQ(test, to_drm_gem_dma_obj(obj)->vaddr,
			    page_address(t->block));
	KUNIT_EXPECT_EQ(test, t->vmapped, 1);
	drm_gem_object_put(obj);
}

static void drm_test_gem_dma_import_vmap_fails(struct kunit *test)
{
	struct import_test *t = test->priv;

	t->driver.gem_prime_import_list = drm_gem_dma_prime_import_list_vmap;
	t->vmap_error = -ENOSPC;
	expect_refused(t, -ENOSPC);
}

/* The same for each hook of the DMA helper, which takes one range and no more */
static void expect_dma_refuses(struct import_test *t, int error)
{
	t->driver.gem_prime_import_list = drm_gem_dma_prime_import_list;
	expect_refused(t, error);
	t->driver.gem_prime_import_list = drm_gem_dma_prime_import_list_vmap;
	expect_refused(t, error);
}

static void drm_test_gem_dma_import_scattered(struct kunit *test)
{
	struct import_test *t = test->priv;

	scatter(t);
	expect_dma_refuses(t, -EINVAL);
}

static void drm_test_gem_dma_import_short(struct kunit *test)
{
	struct import_test *t = test->priv;

	t->npages--;
	expect_dma_refuses(t, -EINVAL);
}

static void drm_test_gem_dma_import_empty(struct kunit *test)
{
	struct import_test *t = test->priv;

	t->npages = 0;
	expect_dma_refuses(t, -EINVAL);
}

static void drm_test_gem_dma_import_no_object(struct kunit *test)
{
	struct import_test *t = test->priv;

	t->driver.gem_create_object = test_create_nothing;
	expect_dma_refuses(t, -ENOMEM);
}

/* shmem: any list, which is that of the object */
static void expect_shmem_imports(struct import_test *t)
{
	struct drm_gem_shmem_object *shmem;
	struct drm_gem_object *obj;

	t->driver.gem_prime_import_list = drm_gem_shmem_prime_import_list;
	obj = import(t);
	expect_imported(t, obj);
	shmem = to_drm_gem_shmem_obj(obj);
	KUNIT_EXPECT_PTR_EQ(t->test, drm_gem_shmem_get_pages_list(shmem),
			    obj->import_list);
	KUNIT_EXPECT_NULL(t->test, shmem->pages);
	drm_gem_object_put(obj);
}

static void drm_test_gem_shmem_import(struct kunit *test)
{
	expect_shmem_imports(test->priv);
}

static void drm_test_gem_shmem_import_scattered(struct kunit *test)
{
	scatter(test->priv);
	expect_shmem_imports(test->priv);
}

static void drm_test_gem_shmem_import_empty(struct kunit *test)
{
	struct import_test *t = test->priv;

	t->npages = 0;
	expect_shmem_imports(t);
}

static void drm_test_gem_shmem_import_no_object(struct kunit *test)
{
	struct import_test *t = test->priv;

	t->driver.gem_prime_import_list = drm_gem_shmem_prime_import_list;
	t->driver.gem_create_object = test_create_nothing;
	expect_refused(t, -ENOMEM);
}

static struct kunit_case gem_import_cases[] = {
	KUNIT_CASE(drm_test_gem_dma_import),
	KUNIT_CASE(drm_test_gem_dma_import_vmap),
	KUNIT_CASE(drm_test_gem_dma_import_vmap_fails),
	KUNIT_CASE(drm_test_gem_dma_import_scattered),
	KUNIT_CASE(drm_test_gem_dma_import_short),
	KUNIT_CASE(drm_test_gem_dma_import_empty),
	KUNIT_CASE(drm_test_gem_dma_import_no_object),
	KUNIT_CASE(drm_test_gem_shmem_import),
	KUNIT_CASE(drm_test_gem_shmem_import_scattered),
	KUNIT_CASE(drm_test_gem_shmem_import_empty),
	KUNIT_CASE(drm_test_gem_shmem_import_no_object),
	{ }
};

static struct kunit_suite gem_import_suite = {
	.name = "drm_gem_import",
	.init = import_test_init,
	.exit = import_test_exit,
	.test_cases = gem_import_cases,
};

kunit_test_suites(&prime_import_suite, &gem_import_suite);

MODULE_DESCRIPTION("KUnit test suites for importing dma-bufs");
MODULE_LICENSE("GPL");
