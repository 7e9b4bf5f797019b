// SPDX-License-Identifier: GPL-2.0-only
/*
 * What it costs to attach and to negotiate, in one boot
 *
 * Each of a number of PCI devices exports a page of its BAR, and all others attach to
 * it: once as importers that do not handle peer memory, for which the core does not
 * call p2pdma, and once as importers that do. The devices are all QEMU "edu" devices
 * of the machine, in any topology.
 *
 * Prints one line for each part.
 */
#include <kunit/test.h>
#include <linux/dma-buf.h>
#include <linux/dma-buf-p2p.h>
#include <linux/ktime.h>
#include <linux/pci.h>
#include <linux/pci-p2pdma.h>
#include <linux/slab.h>

#include "dma-buf-internal.h"

#define BENCH_MAX_DEVS	64U

static struct pci_dev *bench_devs[BENCH_MAX_DEVS];
static unsigned int bench_ndevs;

static int bench_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	int ret;

	if (bench_ndevs == BENCH_MAX_DEVS)
		return -ENOSPC;
	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	ret = pcim_p2pdma_init(pdev);
	if (ret)
		return ret;
	bench_devs[bench_ndevs++] = pdev;
	return 0;
}

static const struct pci_device_id bench_ids[] = {
	{ PCI_DEVICE(0x1234, 0x11e8) },
	{}
};

static struct pci_driver bench_driver = {
	.name = "bench-dma-buf-attach",
	.id_table = bench_ids,
	.probe = bench_probe,
};

static enum dma_buf_p2p_reason
bench_peer2peer(struct dma_buf_attachment *attach,
		struct p2pdma_provider **provider)
{
	*provider = pcim_p2pdma_provider(attach->dmabuf->priv, 0);
	return DMA_BUF_P2P_OK;
}

/* The benchmark never maps. */
static struct dma_buf_list *bench_map(struct dma_buf_attachment *attach,
				      enum dma_data_direction dir)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static void bench_unmap(struct dma_buf_attachment *attach,
			struct dma_buf_list *list)
{
}

static void bench_release(struct dma_buf *dmabuf)
{
}

static const struct dma_buf_ops bench_ops = {
	.peer2peer = bench_peer2peer,
	.map_dma_buf = bench_map,
	.unmap_dma_buf = bench_unmap,
	.release = bench_release,
};

static void bench_invalidate(struct dma_buf_attachment *attach)
{
}

static const struct dma_buf_attach_ops bench_importers[] = {
	{ .invalidate_mappings = bench_invalidate },
	{ .invalidate_mappings = bench_invalidate, .allow_peer2peer = true },
};

static const char * const bench_names[] = { "plain", "peer2peer" };

/**
 * struct bench_pairs - all pairs of some devices
 * @test: the test
 * @n: number of devices
 * @dmabufs: what each of them exports
 * @attach: the attachment of each pair of an exporter and another importer
 */
struct bench_pairs {
	struct kunit *test;
	unsigned int n;
	struct dma_buf *dmabufs[BENCH_MAX_DEVS];
	struct dma_buf_attachment *attach[BENCH_MAX_DEVS][BENCH_MAX_DEVS];
};

static void bench_attach_all(struct bench_pairs *b,
			     const struct dma_buf_attach_ops *importer)
{
	struct dma_buf_attachment *attach;
	unsigned int i, j;

	for (i = 0; i < b->n; i++) {
		for (j = 0; j < b->n; j++) {
			if (i == j)
				continue;
			attach = dma_buf_dynamic_attach(b->dmabufs[i],
							&bench_devs[j]->dev,
							importer, NULL);
			KUNIT_ASSERT_NOT_ERR_OR_NULL(b->test, attach);
			b->attach[i][j] = attach;
		}
	}
}

static unsigned int bench_detach_all(struct bench_pairs *b)
{
	unsigned int i, j, reached = 0;

	for (i = 0; i < b->n; i++) {
		for (j = 0; j < b->n; j++) {
			if (i == j)
				continue;
			reached += b->attach[i][j]->peer2peer;
			dma_buf_detach(b->dmabufs[i], b->attach[i][j]);
		}
	}
	return reached;
}

static void bench_all_pairs(struct bench_pairs *b)
{
	unsigned int pairs = b->n * (b->n - 1), which, reached;

	for (which = 0; which < ARRAY_SIZE(bench_importers); which++) {
		const struct dma_buf_attach_ops *importer =
			&bench_importers[which];
		u64 t[3];

		t[0] = ktime_get_ns();
		bench_attach_all(b, importer);
		t[1] = ktime_get_ns();
		reached = bench_detach_all(b);
		t[2] = ktime_get_ns();
		if (!importer->allow_peer2peer)
			KUNIT_EXPECT_EQ(b->test, reached, 0);
		else
			KUNIT_EXPECT_GT(b->test, reached, 0);
		pr_info("dma-buf-bench: attach %s %u %u %u %llu %llu\n",
			bench_names[which], b->n, pairs, reached, t[1] - t[0],
			t[2] - t[1]);
	}
}

/* The part that p2pdma takes */
static void bench_distances(struct bench_pairs *b)
{
	u64 t = ktime_get_ns();
	unsigned int i, j, reached = 0;

	for (i = 0; i < b->n; i++)
		for (j = 0; j < b->n; j++)
			if (i != j &&
			    dma_buf_hw_p2p_distance(bench_devs[i],
						    &bench_devs[j]->dev) >= 0)
				reached++;
	t = ktime_get_ns() - t;
	pr_info("dma-buf-bench: attach distance %u %u %u %llu 0\n", b->n,
		b->n * (b->n - 1), reached, t);
}

static void attach_and_detach(struct kunit *test)
{
	struct bench_pairs *b = kunit_kzalloc(test, sizeof(*b), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, b);
	b->test = test;
	if (bench_ndevs < 2)
		kunit_skip(test, "needs two of QEMU's edu devices");

	for (i = 0; i < bench_ndevs; i++) {
		DEFINE_DMA_BUF_EXPORT_INFO(info);

		info.ops = &bench_ops;
		info.size = PAGE_SIZE;
		info.priv = bench_devs[i];
		b->dmabufs[i] = dma_buf_export(&info);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, b->dmabufs[i]);
	}
	for (b->n = 2; b->n <= bench_ndevs; b->n *= 2) {
		bench_all_pairs(b);
		bench_distances(b);
	}
	for (i = 0; i < bench_ndevs; i++)
		dma_buf_put(b->dmabufs[i]);
}

static int bench_suite_init(struct kunit_suite *suite)
{
	return pci_register_driver(&bench_driver);
}

static void bench_suite_exit(struct kunit_suite *suite)
{
	pci_unregister_driver(&bench_driver);
	bench_ndevs = 0;
}

static struct kunit_case bench_attach_cases[] = {
	KUNIT_CASE_SLOW(attach_and_detach),
	{}
};

static struct kunit_suite bench_attach_suite = {
	.name = "bench-dma-buf-attach",
	.suite_init = bench_suite_init,
	.suite_exit = bench_suite_exit,
	.test_cases = bench_attach_cases,
};

kunit_test_suite(bench_attach_suite);
