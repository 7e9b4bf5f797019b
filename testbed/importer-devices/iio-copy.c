// SPDX-License-Identifier: GPL-2.0
/*
 * Two IIO devices, whose buffers are filled and emptied by a DMA engine that copies:
 * what is put out by the one comes in at the other.
 *
 * The engine has two channels and a FIFO between them. Like hardware it is given
 * nothing but addresses, refuses what is too long for it, and a transfer that repeats
 * does so until it is terminated or another one is there. There is no IOMMU.
 */
#include <linux/circ_buf.h>
#include <linux/dma-direct.h>
#include <linux/dma-mapping.h>
#include <linux/iio/buffer-dmaengine.h>
#include <linux/iio/buffer.h>
#include <linux/iio/iio.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/workqueue.h>

#include "dmaengine.h"

#define FIFO_SIZE	SZ_64K
/* Of one segment */
#define MAX_LEN		(3 * PAGE_SIZE)
#define WIDTH		4

struct copy_desc {
	struct dma_async_tx_descriptor tx;
	struct list_head head;
	bool repeat;
	size_t at;	/* vector and byte in there */
	size_t done;
	size_t n;
	struct dma_vec vecs[] __counted_by(n);
};

struct copy_chan {
	struct dma_chan chan;
	enum dma_transfer_direction dir;
	struct list_head submitted, issued;
};

struct copy_dev {
	struct dma_device dma;
	struct copy_chan chans[2];
	spinlock_t lock;	/* of the lists and the FIFO */
	struct work_struct work;
	struct circ_buf fifo;
	char data[FIFO_SIZE];
};

static struct copy_chan *to_copy_chan(struct dma_chan *chan)
{
	return container_of(chan, struct copy_chan, chan);
}

static struct copy_dev *to_copy_dev(struct dma_chan *chan)
{
	return container_of(chan->device, struct copy_dev, dma);
}

static struct copy_desc *first_desc(struct copy_chan *c)
{
	return list_first_entry_or_null(&c->issued, struct copy_desc, head);
}

/* As many bytes as the FIFO has, or has room for. Returns if there were any. */
static bool copy_some(struct copy_dev *copy, struct copy_chan *c,
		      struct copy_desc *desc)
{
	struct dma_vec *vec = &desc->vecs[desc->at];
	dma_addr_t addr = vec->addr + desc->done;
	void *mem = phys_to_virt(dma_to_phys(copy->dma.dev, addr));
	struct circ_buf *fifo = &copy->fifo;
	size_t len = vec->len - desc->done;

	if (c->dir == DMA_MEM_TO_DEV) {
		len = min_t(size_t, len, CIRC_SPACE_TO_END(fifo->head, fifo->tail, FIFO_SIZE));
		memcpy(fifo->buf + fifo->head, mem, len);
		fifo->head = (fifo->head + len) % FIFO_SIZE;
	} else {
		len = min_t(size_t, len, CIRC_CNT_TO_END(fifo->head, fifo->tail, FIFO_SIZE));
		memcpy(mem, fifo->buf + fifo->tail, len);
		fifo->tail = (fifo->tail + len) % FIFO_SIZE;
	}
	desc->done += len;
	if (desc->done == vec->len) {
		desc->at++;
		desc->done = 0;
	}
	return len;
}

static void copy_complete(struct copy_dev *copy, struct copy_desc *desc)
{
	dma_cookie_complete(&desc->tx);
	list_del(&desc->head);
	spin_unlock_irq(&copy->lock);
	dmaengine_desc_get_callback_invoke(&desc->tx, NULL);
	kfree(desc);
	spin_lock_irq(&copy->lock);
}

/* Returns if there is more to do at once. */
static bool copy_chan_run(struct copy_dev *copy, struct copy_chan *c)
{
	struct copy_desc *desc = first_desc(c);
	bool some;

	if (!desc)
		return false;
	some = copy_some(copy, c, desc);
	if (desc->at < desc->n)
		return some;
	if (desc->repeat && list_is_singular(&c->issued))
		desc->at = 0;
	else
		copy_complete(copy, desc);
	return true;
}

static void copy_work(struct work_struct *work)
{
	struct copy_dev *copy = container_of(work, struct copy_dev, work);

	spin_lock_irq(&copy->lock);
	while (copy_chan_run(copy, &copy->chans[0]) |
	       copy_chan_run(copy, &copy->chans[1]))
		;
	spin_unlock_irq(&copy->lock);
}

static dma_cookie_t copy_submit(struct dma_async_tx_descriptor *tx)
{
	struct copy_desc *desc = container_of(tx, struct copy_desc, tx);
	struct copy_dev *copy = to_copy_dev(tx->chan);

	guard(spinlock_irqsave)(&copy->lock);
	list_add_tail(&desc->head, &to_copy_chan(tx->chan)->submitted);
	return dma_cookie_assign(tx);
}

static struct dma_async_tx_descriptor *
copy_prep(struct dma_chan *chan, const struct dma_vec *vecs, size_t n,
	  enum dma_transfer_direction dir, unsigned long flags)
{
	struct copy_desc *desc;
	size_t i;

	for (i = 0; i < n; i++)
		if (!vecs[i].len || vecs[i].len > MAX_LEN)
			return NULL;
	desc = kzalloc_flex(*desc, vecs, n, GFP_NOWAIT);
	if (!desc)
		return NULL;
	desc->n = n;
	memcpy(desc->vecs, vecs, array_size(n, sizeof(*vecs)));
	desc->repeat = flags & DMA_PREP_REPEAT;
	to_copy_chan(chan)->dir = dir;
	dma_async_tx_descriptor_init(&desc->tx, chan);
	desc->tx.tx_submit = copy_submit;
	return &desc->tx;
}

static void copy_issue(struct dma_chan *chan)
{
	struct copy_dev *copy = to_copy_dev(chan);
	struct copy_chan *c = to_copy_chan(chan);

	guard(spinlock_irqsave)(&copy->lock);
	list_splice_tail_init(&c->submitted, &c->issued);
	queue_work(system_dfl_wq, &copy->work);
}

/* All of what is in the FIFO goes with it. */
static int copy_terminate(struct dma_chan *chan)
{
	struct copy_dev *copy = to_copy_dev(chan);
	struct copy_chan *c = to_copy_chan(chan);
	struct copy_desc *desc, *next;

	guard(spinlock_irqsave)(&copy->lock);
	list_splice_tail_init(&c->submitted, &c->issued);
	list_for_each_entry_safe(desc, next, &c->issued, head) {
		list_del(&desc->head);
		kfree(desc);
	}
	copy->fifo.head = 0;
	copy->fifo.tail = 0;
	return 0;
}

static void copy_synchronize(struct dma_chan *chan)
{
	flush_work(&to_copy_dev(chan)->work);
}

static enum dma_status copy_status(struct dma_chan *chan, dma_cookie_t cookie,
				   struct dma_tx_state *state)
{
	return dma_cookie_status(chan, cookie, state);
}

static void copy_free_chan(struct dma_chan *chan)
{
	copy_terminate(chan);
	copy_synchronize(chan);
}

static int copy_dma_init(struct copy_dev *copy, struct device *dev)
{
	struct dma_device *dma = &copy->dma;
	int i;

	spin_lock_init(&copy->lock);
	INIT_WORK(&copy->work, copy_work);
	copy->fifo.buf = copy->data;
	dma->dev = dev;
	dma_set_max_seg_size(dev, MAX_LEN);
	dma_cap_set(DMA_SLAVE, dma->cap_mask);
	dma_cap_set(DMA_PRIVATE, dma->cap_mask);
	dma->directions = BIT(DMA_DEV_TO_MEM) | BIT(DMA_MEM_TO_DEV);
	dma->src_addr_widths = BIT(WIDTH);
	dma->dst_addr_widths = BIT(WIDTH);
	dma->device_prep_peripheral_dma_vec = copy_prep;
	dma->device_issue_pending = copy_issue;
	dma->device_terminate_all = copy_terminate;
	dma->device_synchronize = copy_synchronize;
	dma->device_tx_status = copy_status;
	dma->device_free_chan_resources = copy_free_chan;
	INIT_LIST_HEAD(&dma->channels);
	for (i = 0; i < 2; i++) {
		struct copy_chan *c = &copy->chans[i];

		c->chan.device = dma;
		dma_cookie_init(&c->chan);
		INIT_LIST_HEAD(&c->submitted);
		INIT_LIST_HEAD(&c->issued);
		list_add_tail(&c->chan.device_node, &dma->channels);
	}
	return dmaenginem_async_device_register(dma);
}

static const struct iio_info copy_info = { };

#define COPY_CHANNEL(is_output) {				\
	.type = IIO_VOLTAGE, .output = is_output,		\
	.scan_type = { .format = IIO_SCAN_FORMAT_UNSIGNED_INT,	\
		       .realbits = 8, .storagebits = 8 },	\
}

static const struct iio_chan_spec copy_channels[] = {
	COPY_CHANNEL(0), COPY_CHANNEL(1),
};

static void copy_release_chan(void *chan)
{
	dma_release_channel(chan);
}

static int copy_iio_init(struct copy_dev *copy, struct device *dev, bool out)
{
	enum iio_buffer_direction dir = out ? IIO_BUFFER_DIRECTION_OUT :
					      IIO_BUFFER_DIRECTION_IN;
	struct iio_dev *iio = devm_iio_device_alloc(dev, 0);
	struct dma_chan *chan;
	int ret;

	if (!iio)
		return -ENOMEM;
	iio->name = out ? "copy-out" : "copy-in";
	iio->info = &copy_info;
	iio->channels = &copy_channels[out];
	iio->num_channels = 1;

	chan = dma_get_any_slave_channel(&copy->dma);
	if (!chan)
		return -ENODEV;
	ret = devm_add_action_or_reset(dev, copy_release_chan, chan);
	if (ret)
		return ret;
	ret = devm_iio_dmaengine_buffer_setup_with_handle(dev, iio, chan, dir);
	return ret ?: devm_iio_device_register(dev, iio);
}

static int copy_probe(struct platform_device *pdev)
{
	struct copy_dev *copy = devm_kzalloc(&pdev->dev, sizeof(*copy), GFP_KERNEL);

	if (!copy)
		return -ENOMEM;
	return copy_dma_init(copy, &pdev->dev) ?:
	       copy_iio_init(copy, &pdev->dev, false) ?:
	       copy_iio_init(copy, &pdev->dev, true);
}

static struct platform_driver copy_driver = {
	.driver.name = "iio-copy",
	.probe = copy_probe,
};

static struct platform_device *copy_pdev;

static int __init copy_init(void)
{
	int ret = platform_driver_register(&copy_driver);

	if (ret)
		return ret;
	copy_pdev = platform_device_register_simple("iio-copy", -1, NULL, 0);
	if (IS_ERR(copy_pdev))
		platform_driver_unregister(&copy_driver);
	return PTR_ERR_OR_ZERO(copy_pdev);
}
module_init(copy_init);

static void __exit copy_exit(void)
{
	platform_device_unregister(copy_pdev);
	platform_driver_unregister(&copy_driver);
}
module_exit(copy_exit);

MODULE_DESCRIPTION("IIO devices with a DMA engine that copies");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("IIO_DMAENGINE_BUFFER");
