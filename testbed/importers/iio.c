// SPDX-License-Identifier: GPL-2.0-only
/*
 * The DMA buffer of IIO, with a DMA engine that keeps what it was told
 */
#include <linux/kernel.h>
#define CONFIG_IIO_BUFFER 1
#define CONFIG_DMA_ENGINE 1
#include <linux/dmaengine.h>
#include "drivers/iio/buffer/industrialio-buffer-dmaengine.c"
#include "st-dma-buf-model.h"

/* what the rest of IIO and of dmaengine would be */
void iio_dma_buffer_block_done(struct iio_dma_buffer_block *b) { }
void iio_dma_buffer_block_list_abort(struct iio_dma_buffer_queue *q, struct list_head *l) { }
int iio_dma_buffer_enable(struct iio_buffer *b, struct iio_dev *d) { return 0; }
int iio_dma_buffer_disable(struct iio_buffer *b, struct iio_dev *d) { return 0; }
int iio_dma_buffer_read(struct iio_buffer *b, size_t n, char __user *u) { return 0; }
int iio_dma_buffer_write(struct iio_buffer *b, size_t n, const char __user *u) { return 0; }
size_t iio_dma_buffer_usage(struct iio_buffer *b) { return 0; }
int iio_dma_buffer_set_bytes_per_datum(struct iio_buffer *b, size_t bpd) { return 0; }
int iio_dma_buffer_set_length(struct iio_buffer *b, unsigned int length) { return 0; }
int iio_dma_buffer_request_update(struct iio_buffer *b) { return 0; }
void iio_dma_buffer_init(struct iio_dma_buffer_queue *q, struct device *dev, const struct iio_dma_buffer_ops *ops) { }
void iio_dma_buffer_exit(struct iio_dma_buffer_queue *q) { }
void iio_dma_buffer_release(struct iio_dma_buffer_queue *q) { }
struct iio_dma_buffer_block *iio_dma_buffer_attach_dmabuf(struct iio_buffer *b, struct dma_buf_attachment *a) { return NULL; }
void iio_dma_buffer_detach_dmabuf(struct iio_buffer *b, struct iio_dma_buffer_block *k) { }
int iio_dma_buffer_enqueue_dmabuf(struct iio_buffer *b, struct iio_dma_buffer_block *k, struct dma_fence *f,
				  const struct dma_buf_list *l, size_t size, bool cyclic) { return 0; }
void iio_dma_buffer_lock_queue(struct iio_buffer *b) { }
void iio_dma_buffer_unlock_queue(struct iio_buffer *b) { }
struct device *iio_dma_buffer_get_dma_dev(struct iio_buffer *b) { return NULL; }
int iio_device_attach_buffer(struct iio_dev *i, struct iio_buffer *b) { return 0; }
void iio_buffer_put(struct iio_buffer *b) { }
int dma_get_slave_caps(struct dma_chan *c, struct dma_slave_caps *caps) { return 0; }
struct dma_chan *dma_request_chan(struct device *dev, const char *name) { return NULL; }
void dma_release_channel(struct dma_chan *chan) { }

static struct dma_vec got[64];
static size_t nr_got;
static unsigned long got_flags;
static struct dma_async_tx_descriptor got_desc;

static dma_cookie_t submit(struct dma_async_tx_descriptor *tx) { return 1; }
static void issue(struct dma_chan *c) { }

static struct dma_async_tx_descriptor *
prep(struct dma_chan *chan, const struct dma_vec *vecs, size_t nents,
     enum dma_transfer_direction direction, unsigned long flags)
{
	nr_got = nents;
	got_flags = flags;
	memcpy(got, vecs, min(nents, ARRAY_SIZE(got)) * sizeof(*vecs));
	got_desc = (struct dma_async_tx_descriptor) { .tx_submit = submit };
	return &got_desc;
}

static int run(struct kunit *test, struct dma_buf_list *list, struct buffer *b, size_t used, size_t max, size_t align)
{
	struct dma_device dd = { .device_prep_peripheral_dma_vec = prep, .device_issue_pending = issue };
	struct dma_chan chan = { .device = &dd };
	struct dmaengine_buffer *e = kunit_kzalloc(test, sizeof(*e), GFP_KERNEL);
	struct iio_dma_buffer_block *block = kunit_kzalloc(test, sizeof(*block), GFP_KERNEL);
	u64 at = 0;
	size_t i, v;
	int ret;

	e->chan = &chan;
	e->align = align;
	e->max_size = max;
	spin_lock_init(&e->queue.list_lock);
	INIT_LIST_HEAD(&e->active);
	block->list = list;
	block->bytes_used = used;
	block->size = 7 * PAGE_SIZE;
	nr_got = 0;
	ret = iio_dmaengine_buffer_submit_block(&e->queue, block);
	if (ret)
		return ret;
	for (i = 0; i < nr_got; i++) {
		u64 off = at;

		for (v = 0; off >= b->vec[v].len; v++)
			off -= b->vec[v].len;
		KUNIT_EXPECT_EQ(test, model_reached(b->m, got[i].addr & PAGE_MASK) + offset_in_page(got[i].addr), b->vec[v].paddr + off);
		KUNIT_EXPECT_LE(test, off + got[i].len, b->vec[v].len);
		KUNIT_EXPECT_LE(test, got[i].len, round_down(max, align));
		KUNIT_EXPECT_GT(test, got[i].len, 0);
		at += got[i].len;
	}
	KUNIT_EXPECT_EQ(test, at, used);
	KUNIT_EXPECT_PTR_EQ(test, got_desc.callback_param, (void *)block);
	return 0;
}

static void vectors(struct kunit *test)
{
	struct model *m = test->priv;
	struct dma_buf_list *list;
	struct buffer b;

	list = buffer_open(&b, m, BUFFER_RUNS, model_ram(m), 3);
	KUNIT_EXPECT_EQ(test, 0, run(test, list, &b, 7 * PAGE_SIZE, SZ_64K, 8));
	KUNIT_EXPECT_EQ(test, nr_got, 3);
	KUNIT_EXPECT_EQ(test, 0, run(test, list, &b, 4 * PAGE_SIZE, SZ_64K, 8));
	KUNIT_EXPECT_EQ(test, nr_got, 1);
	KUNIT_EXPECT_EQ(test, 0, run(test, list, &b, 4 * PAGE_SIZE + 24, SZ_64K, 8));
	KUNIT_EXPECT_EQ(test, nr_got, 2);
	KUNIT_EXPECT_EQ(test, 0, run(test, list, &b, 8, SZ_64K, 8));
	KUNIT_EXPECT_EQ(test, nr_got, 1);
	KUNIT_EXPECT_EQ(test, 0, run(test, list, &b, 7 * PAGE_SIZE, PAGE_SIZE, 8));
	KUNIT_EXPECT_EQ(test, nr_got, 7);
	KUNIT_EXPECT_EQ(test, 0, run(test, list, &b, 6 * PAGE_SIZE + 8, 1003, 8));
	buffer_close(&b, list);

	list = buffer_open(&b, m, BUFFER_RUNS, NULL, 0);
	KUNIT_EXPECT_EQ(test, -EINVAL, run(test, list, &b, PAGE_SIZE, SZ_64K, 8));
	buffer_close(&b, list);
}

static struct kunit_case iio_cases[] = { KUNIT_CASE(vectors), {} };
static struct kunit_suite iio_suite = { .name = "dma-buf-part-iio", .init = model_init, .exit = model_exit, .test_cases = iio_cases };
kunit_test_suite(iio_suite);
