// SPDX-License-Identifier: GPL-2.0-only
/*
 * What users are shown of a dma-buf: whole lines, true ones, and no names of
 * devices to those who are not to see them
 */
#include <linux/cred.h>
#include <linux/device.h>
#include <linux/dma-resv.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>

#include "st-dma-buf-model.h"

static void show_init(struct buffer *b, struct model *m, int distance)
{
	model_with_peer(m, PCI_P2PDMA_MAP_THRU_HOST_BRIDGE);
	m->distance = distance;
	/* The last question may have ended with the distance. */
	m->p2p_calls = 0;
	buffer_init(b, m, BUFFER_BAR, model_bar, ARRAY_SIZE(model_bar));
}

/* If memory was short, that says nothing about the route. */
static void failure_for_want_of_memory_says_so(struct kunit *test)
{
	static const int distances[] = { 4, -1 };
	struct model *m = test->priv;
	struct buffer b;
	int i;

	for (i = 0; i < ARRAY_SIZE(distances); i++) {
		show_init(&b, m, distances[i]);
		buffer_attach(&b);
		b.map_error = -ENOMEM;
		KUNIT_EXPECT_EQ(test, PTR_ERR(buffer_map(&b)), -ENOMEM);
		buffer_expect_fdinfo(&b, true, "\nfailed:\t%s error=%d reason=error (",
				     dev_name(m->dev), -ENOMEM);
		buffer_put(&b);
	}
}

static void failure_to_reach_it_says_so(struct kunit *test)
{
	struct model *m = test->priv;
	struct buffer b;

	show_init(&b, m, -1);
	buffer_attach(&b);
	KUNIT_EXPECT_EQ(test, PTR_ERR(buffer_map(&b)), -EREMOTEIO);
	buffer_expect_fdinfo(&b, true, "\nfailed:\t%s error=%d reason=no-route (",
			     dev_name(m->dev), -EREMOTEIO);
	buffer_put(&b);
}

/* A note of the exporter is the reason for any error, for one mapping. */
static void failure_with_a_note_has_that(struct kunit *test)
{
	struct model *m = test->priv;
	struct buffer b;

	show_init(&b, m, 4);
	buffer_attach(&b);
	b.map_error = -ENODEV;
	b.note = DMA_BUF_P2P_REVOKED;
	KUNIT_EXPECT_EQ(test, PTR_ERR(buffer_map(&b)), -ENODEV);
	buffer_expect_fdinfo(&b, true, "\nfailed:\t%s error=%d reason=revoked (",
			     dev_name(m->dev), -ENODEV);
	b.note = 0;
	KUNIT_EXPECT_EQ(test, PTR_ERR(buffer_map(&b)), -ENODEV);
	buffer_expect_fdinfo(&b, true, "\nfailed:\t%s error=%d reason=error (",
			     dev_name(m->dev), -ENODEV);
	buffer_put(&b);
}

static void refusal_says_what_it_was(struct kunit *test)
{
	static const struct {
		int distance, error;
		enum dma_buf_p2p_reason answer;
		const char *reason;
	} cases[] = {
		{ 4, -ENOMEM, DMA_BUF_P2P_OK, "error" },
		{ 4, -EOPNOTSUPP, DMA_BUF_P2P_OK, "error" },
		{ -1, -ENOMEM, DMA_BUF_P2P_OK, "error" },
		{ -1, -EOPNOTSUPP, DMA_BUF_P2P_OK, "no-route" },
		{ -1, -EBUSY, DMA_BUF_P2P_OK, "no-route" },
		{ -1, -ENODEV, DMA_BUF_P2P_OK, "error" },
		{ 4, -ENODEV, DMA_BUF_P2P_REVOKED, "revoked" },
	};
	struct model *m = test->priv;
	struct buffer b;
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		show_init(&b, m, cases[i].distance);
		b.answer = cases[i].answer;
		b.attach_error = cases[i].error;
		buffer_attach(&b);
		buffer_expect_fdinfo(&b, true, "\nrefused:\t%s error=%d reason=%s (",
				     dev_name(m->dev), cases[i].error,
				     cases[i].reason);
		buffer_put(&b);
	}
}

static void refusal_is_forgotten_when_the_device_attaches(struct kunit *test)
{
	struct model *m = test->priv;
	struct buffer b;

	show_init(&b, m, -1);
	b.attach_error = -EOPNOTSUPP;
	buffer_attach(&b);
	buffer_expect_fdinfo(&b, true, "\nrefused:\t");
	b.attach_error = 0;
	b.attach = dma_buf_attach(b.dmabuf, m->owner);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, b.attach);
	buffer_expect_fdinfo(&b, true, "\nrefused:\t%s ", dev_name(m->dev));
	dma_buf_detach(b.dmabuf, b.attach);
	b.attach = dma_buf_attach(b.dmabuf, m->dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, b.attach);
	buffer_expect_fdinfo(&b, false, "\nrefused:\t");
	buffer_put(&b);
}

/* Any byte may be in a name but the one that ends it. */
static void name_neither_adds_nor_forges_a_line(struct kunit *test)
{
	struct model *m = test->priv;
	struct buffer b;
	char *info, *line;
	int c, lines = 0;

	show_init(&b, m, 4);
	buffer_attach(&b);
	info = buffer_fdinfo(&b);
	while ((line = strsep(&info, "\n")) && *line)
		lines++;

	for (c = 1; c < 256; c++) {
		char name[] = { 'a', c, 'm', 'a', 'p', ':', '\t', 'x', 0 };
		bool shown = c >= ' ' && c < 0x7f && c != '\\';
		int n = 0;

		kfree(b.dmabuf->name);
		b.dmabuf->name = kstrdup(name, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, b.dmabuf->name);
		if (shown)
			buffer_expect_fdinfo(&b, true, "\nname:\ta%cmap:\\011x\n", c);
		else
			buffer_expect_fdinfo(&b, true, "\nname:\ta\\%03omap:\\011x\n", c);
		buffer_expect_fdinfo(&b, false, "\nmap:");

		info = buffer_fdinfo(&b);
		while ((line = strsep(&info, "\n")) && *line)
			n++;
		KUNIT_EXPECT_EQ(test, n, lines + 1);
	}
	buffer_put(&b);
}

static void name_of_a_device_is_one_word(struct kunit *test)
{
	struct device *dev = root_device_register("a peer2peer=yes\nmap:\\");
	struct model *m = test->priv;
	struct device *usual = m->dev;
	struct buffer b;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	show_init(&b, m, -1);
	buffer_export(&b);
	m->dev = dev;
	b.attach = dma_buf_dynamic_attach(b.dmabuf, dev, &b.importer, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, b.attach);
	buffer_expect_fdinfo(&b, true,
			     "\nattach:\ta\\040peer2peer=yes\\012map:\\134 peer2peer=no ");
	dma_buf_detach(b.dmabuf, b.attach);
	b.attach = NULL;
	m->dev = usual;
	root_device_unregister(dev);
	buffer_put(&b);
}

/* The credentials of the task that opened fdinfo count, not those of the reader. */
static void container_sees_no_names_of_devices(struct kunit *test)
{
	struct user_namespace *ns = kunit_kzalloc(test, sizeof(*ns), GFP_KERNEL);
	struct cred *cred = kunit_kzalloc(test, sizeof(*cred), GFP_KERNEL);
	struct model *m = test->priv;
	const struct cred *usual;
	struct dma_buf_list *list;
	struct buffer b;

	KUNIT_ASSERT_NOT_NULL(test, ns);
	KUNIT_ASSERT_NOT_NULL(test, cred);
	cred->user_ns = ns;
	show_init(&b, m, 4);
	buffer_attach(&b);
	list = buffer_map(&b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);

	usual = b.dmabuf->file->f_cred;
	b.dmabuf->file->f_cred = cred;
	buffer_expect_fdinfo(&b, true, "\nattach:\t- peer2peer=yes reason=reachable (");
	buffer_expect_fdinfo(&b, true, "\nmap:\t- memory=peer ");
	buffer_expect_fdinfo(&b, false, "%s", dev_name(m->dev));
	b.dmabuf->file->f_cred = usual;
	buffer_expect_fdinfo(&b, true, "\nattach:\t%s ", dev_name(m->dev));
	buffer_close(&b, list);
}

#ifdef CONFIG_DEBUG_FS
/* Reading bufinfo must not wait for a driver that hangs. */
static void bufinfo_does_not_wait_for_the_reservation_lock(struct kunit *test)
{
	struct seq_file s = { .size = SZ_64K };
	struct model *m = test->priv;
	struct buffer b;

	show_init(&b, m, 4);
	buffer_attach(&b);
	kfree(b.dmabuf->name);
	b.dmabuf->name = kstrdup("a\nb", GFP_KERNEL);
	s.file = b.dmabuf->file;
	s.buf = kunit_kzalloc(test, s.size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, s.buf);

	dma_resv_lock(b.dmabuf->resv, NULL);
	KUNIT_EXPECT_EQ(test, dma_buf_debug_show(&s, NULL), 0);
	dma_resv_unlock(b.dmabuf->resv);
	KUNIT_EXPECT_FALSE(test, seq_has_overflowed(&s));
	KUNIT_EXPECT_NOT_NULL(test, strstr(s.buf, "\ta\\012b\n\tfences: locked by a driver\n"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(s.buf, dev_name(m->dev)));

	s.count = 0;
	memset(s.buf, 0, s.size);
	KUNIT_EXPECT_EQ(test, dma_buf_debug_show(&s, NULL), 0);
	KUNIT_EXPECT_NULL(test, strstr(s.buf, "locked by a driver"));
	buffer_put(&b);
}
#endif

static struct kunit_case show_cases[] = {
	KUNIT_CASE(failure_for_want_of_memory_says_so),
	KUNIT_CASE(failure_to_reach_it_says_so),
	KUNIT_CASE(failure_with_a_note_has_that),
	KUNIT_CASE(refusal_says_what_it_was),
	KUNIT_CASE(refusal_is_forgotten_when_the_device_attaches),
	KUNIT_CASE(name_neither_adds_nor_forges_a_line),
	KUNIT_CASE(name_of_a_device_is_one_word),
	KUNIT_CASE(container_sees_no_names_of_devices),
#ifdef CONFIG_DEBUG_FS
	KUNIT_CASE(bufinfo_does_not_wait_for_the_reservation_lock),
#endif
	{ }
};

static struct kunit_suite show_suite = {
	.name = "dma-buf-show",
	.init = model_init,
	.exit = model_exit,
	.test_cases = show_cases,
};

kunit_test_suite(show_suite);
