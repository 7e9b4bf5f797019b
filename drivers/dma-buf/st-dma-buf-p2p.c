// SPDX-License-Identifier: GPL-2.0-only
/*
 * The peer-to-peer negotiation and what is remembered of it
 */
#include <linux/dma-resv.h>
#include <linux/file.h>
#include <linux/path.h>
#include <linux/seq_file.h>

#include "st-dma-buf-model.h"

/**
 * struct offer - a pair of drivers and devices, all in favour but for what is set
 * @name: of the test
 * @static_importer: the importer has no ops
 * @no_flag: the importer does not handle peer memory
 * @phys_only: the importer never maps
 * @no_offer: the exporter has no peer memory
 * @no_provider: the exporter names no provider
 * @no_p2pdma: the kernel has none
 * @not_pci: the importer's device
 * @map_ops: the importer's device has its own
 * @far: p2pdma finds no way
 * @unknown: p2pdma finds a way, but not what kind of
 * @overridden: p2pdma does because it was told to
 * @answer: of the exporter
 * @reason: what has to come of it
 * @peer2peer: is the importer allowed to
 * @asked: is the exporter asked
 */
struct offer {
	const char *name;
	bool static_importer, no_flag, phys_only;
	bool no_offer, no_provider;
	bool no_p2pdma, not_pci, map_ops, far, unknown, overridden;
	enum dma_buf_p2p_reason answer, reason;
	bool peer2peer, asked;
};

static const struct offer offers[] = {
	{ .name = "all_in_favour", .reason = DMA_BUF_P2P_OK,
	  .peer2peer = true, .asked = true },
	{ .name = "static_importer", .static_importer = true,
	  .reason = DMA_BUF_P2P_IMPORTER },
	{ .name = "importer_without_the_flag", .no_flag = true,
	  .reason = DMA_BUF_P2P_IMPORTER },
	{ .name = "importer_counts_before_exporter", .no_flag = true,
	  .no_offer = true, .reason = DMA_BUF_P2P_IMPORTER },
	{ .name = "exporter_without_peer_memory", .no_offer = true,
	  .reason = DMA_BUF_P2P_EXPORTER },
	{ .name = "private_link_needs_no_route", .far = true, .not_pci = true,
	  .no_p2pdma = true, .answer = DMA_BUF_P2P_PRIVATE_LINK,
	  .reason = DMA_BUF_P2P_PRIVATE_LINK, .peer2peer = true, .asked = true },
	{ .name = "physical_addresses_need_no_route", .far = true,
	  .not_pci = true, .phys_only = true, .no_p2pdma = true,
	  .reason = DMA_BUF_P2P_PHYS, .peer2peer = true, .asked = true },
	{ .name = "veto_counts_for_physical_addresses", .phys_only = true,
	  .answer = DMA_BUF_P2P_REVOKED, .reason = DMA_BUF_P2P_REVOKED,
	  .asked = true },
	{ .name = "veto_revoked", .answer = DMA_BUF_P2P_REVOKED,
	  .reason = DMA_BUF_P2P_REVOKED, .asked = true },
	{ .name = "veto_not_revocable", .answer = DMA_BUF_P2P_NOT_REVOCABLE,
	  .reason = DMA_BUF_P2P_NOT_REVOCABLE, .asked = true },
	{ .name = "veto_suspended", .answer = DMA_BUF_P2P_SUSPENDED,
	  .reason = DMA_BUF_P2P_SUSPENDED, .asked = true },
	{ .name = "veto_compressed", .answer = DMA_BUF_P2P_COMPRESSED,
	  .reason = DMA_BUF_P2P_COMPRESSED, .asked = true },
	{ .name = "veto_for_another_reason", .answer = DMA_BUF_P2P_VETO,
	  .reason = DMA_BUF_P2P_VETO, .asked = true },
	{ .name = "kernel_without_p2pdma", .no_p2pdma = true,
	  .no_provider = true, .reason = DMA_BUF_P2P_NO_KERNEL, .asked = true },
	{ .name = "no_provider", .no_provider = true,
	  .reason = DMA_BUF_P2P_NO_PROVIDER, .asked = true },
	{ .name = "importer_is_not_pci", .not_pci = true,
	  .reason = DMA_BUF_P2P_NOT_PCI, .asked = true },
	/* Whether its dma_map_ops map device memory is found out when mapping. */
	{ .name = "importer_with_map_ops", .map_ops = true,
	  .reason = DMA_BUF_P2P_OK, .peer2peer = true, .asked = true },
	{ .name = "no_route", .far = true, .reason = DMA_BUF_P2P_NO_ROUTE,
	  .asked = true },
	{ .name = "route_of_the_command_line", .overridden = true,
	  .reason = DMA_BUF_P2P_OVERRIDE, .peer2peer = true, .asked = true },
	{ .name = "no_kind_of_route", .unknown = true,
	  .reason = DMA_BUF_P2P_NO_ROUTE, .asked = true },
};

static void offer_desc(const struct offer *o, char *desc)
{
	strscpy(desc, o->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(offer, offers, offer_desc);

static void offer_init(struct buffer *b, struct model *m, const struct offer *o)
{
	model_with_peer(m, PCI_P2PDMA_MAP_THRU_HOST_BRIDGE);
	m->p2p = !o->no_p2pdma;
	m->is_pci = !o->not_pci;
	m->map_ops = o->map_ops;
	m->overridden = o->overridden;
	if (o->far)
		m->distance = -1;
	if (o->unknown)
		m->map_type = PCI_P2PDMA_MAP_NOT_SUPPORTED;

	buffer_init(b, m, BUFFER_BAR, model_bar, ARRAY_SIZE(model_bar));
	b->no_offer = o->no_offer;
	b->answer = o->answer;
	if (o->no_provider)
		b->provider = NULL;
	b->importer.allow_peer2peer = !o->no_flag;
	b->importer.phys_only = o->phys_only;
	b->allow_phys = o->phys_only;
}

static void each_pair_gets_its_reason(struct kunit *test)
{
	const struct offer *o = test->param_value;
	struct buffer b;

	offer_init(&b, test->priv, o);
	if (o->static_importer) {
		buffer_export(&b);
		b.attach = dma_buf_attach(b.dmabuf, b.m->dev);
	} else {
		buffer_attach(&b);
	}
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, b.attach);
	KUNIT_EXPECT_STREQ(test, dma_buf_p2p_reason_text(b.attach->p2p.reason),
			   dma_buf_p2p_reason_text(o->reason));
	KUNIT_EXPECT_EQ(test, b.attach->peer2peer, o->peer2peer);
	KUNIT_EXPECT_EQ(test, b.offers, o->asked);
	buffer_put(&b);
}

/* Importers without peer-to-peer see the reason for each mapping as well. */
static void who_may_not_never_gets_peer_memory(struct kunit *test)
{
	const struct offer *o = test->param_value;
	struct dma_buf_list *list;
	struct buffer b;

	if (o->peer2peer || o->static_importer)
		kunit_skip(test, "this one may, or never maps a list");

	offer_init(&b, test->priv, o);
	buffer_attach(&b);
	list = buffer_map(&b);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(list), -EREMOTEIO);
	KUNIT_EXPECT_EQ(test, b.attach->p2p.map_error, -EREMOTEIO);
	KUNIT_EXPECT_EQ(test, b.attach->p2p.map_reason, o->reason);
	buffer_expect_unmapped(&b);
	buffer_put(&b);
}

static void physical_addresses_are_no_answer(struct kunit *test)
{
	const struct offer o = { .answer = DMA_BUF_P2P_PHYS };
	struct buffer b;

	offer_init(&b, test->priv, &o);
	kunit_warning_suppress(test)
		buffer_attach(&b);
	KUNIT_EXPECT_EQ(test, b.attach->p2p.reason, DMA_BUF_P2P_VETO);
	KUNIT_EXPECT_FALSE(test, b.attach->peer2peer);
	buffer_put(&b);
}

static void distance_is_asked_anew_before_the_map_type(struct kunit *test)
{
	const struct offer o = { };
	struct buffer first, second;
	struct model *m = test->priv;

	offer_init(&first, m, &o);
	buffer_attach(&first);
	KUNIT_EXPECT_EQ(test, m->p2p_calls, 2);
	KUNIT_EXPECT_TRUE(test, first.attach->peer2peer);

	/* ACS was turned on, but existing attachments do not change. */
	offer_init(&second, m, &(struct offer) { .far = true });
	buffer_attach(&second);
	KUNIT_EXPECT_EQ(test, m->p2p_calls, 3);
	KUNIT_EXPECT_FALSE(test, second.attach->peer2peer);
	KUNIT_EXPECT_TRUE(test, first.attach->peer2peer);
	buffer_put(&second);
	buffer_put(&first);
}

static void attach_may_deny_with_a_reason(struct kunit *test)
{
	const struct offer o = { };
	struct buffer b;

	offer_init(&b, test->priv, &o);
	b.deny = DMA_BUF_P2P_SUSPENDED;
	buffer_attach(&b);
	KUNIT_EXPECT_FALSE(test, b.attach->peer2peer);
	KUNIT_EXPECT_EQ(test, b.attach->p2p.reason, DMA_BUF_P2P_SUSPENDED);
	buffer_put(&b);
}

static void first_reason_against_is_kept(struct kunit *test)
{
	struct buffer b;

	offer_init(&b, test->priv, &(struct offer) { .far = true });
	b.deny = DMA_BUF_P2P_SUSPENDED;
	buffer_attach(&b);
	KUNIT_EXPECT_FALSE(test, b.attach->peer2peer);
	KUNIT_EXPECT_EQ(test, b.attach->p2p.reason, DMA_BUF_P2P_NO_ROUTE);
	buffer_put(&b);
}

static void exporter_of_peer_memory_only_refuses_the_others(struct kunit *test)
{
	static const struct {
		struct offer o;
		int error;
	} cases[] = {
		{ { }, 0 },
		{ { .far = true }, -EOPNOTSUPP },
		{ { .no_flag = true }, -EOPNOTSUPP },
		{ { .answer = DMA_BUF_P2P_NOT_REVOCABLE }, -EOPNOTSUPP },
		{ { .answer = DMA_BUF_P2P_REVOKED }, -ENODEV },
	};
	struct buffer b;
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		offer_init(&b, test->priv, &cases[i].o);
		b.peer_only = true;
		buffer_attach(&b);
		KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(b.attach), cases[i].error);
		KUNIT_EXPECT_EQ(test, b.dmabuf->refusal.error, cases[i].error);
		buffer_put(&b);
	}
}

static void refused_importer_is_remembered(struct kunit *test)
{
	struct buffer b;

	offer_init(&b, test->priv, &(struct offer) { .far = true });
	b.attach_error = -EOPNOTSUPP;
	buffer_attach(&b);
	KUNIT_EXPECT_EQ(test, PTR_ERR(b.attach), -EOPNOTSUPP);
	KUNIT_EXPECT_STREQ(test, b.dmabuf->refusal.dev, dev_name(b.m->dev));
	KUNIT_EXPECT_EQ(test, b.dmabuf->refusal.reason, DMA_BUF_P2P_NO_ROUTE);
	KUNIT_EXPECT_EQ(test, b.dmabuf->refusal.error, -EOPNOTSUPP);
	KUNIT_EXPECT_TRUE(test, list_empty(&b.dmabuf->attachments));
	buffer_put(&b);
}

/* The importer reads and the device of the exporter is a peer. */
static void expect_record(struct buffer *b, struct dma_buf_list *list, bool peer,
			  enum dma_buf_p2p_reason reason)
{
	struct kunit *test = b->m->test;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	KUNIT_EXPECT_PTR_EQ(test, list->attach, b->attach);
	KUNIT_EXPECT_EQ(test, dma_buf_list_is_peer(list), peer);
	KUNIT_EXPECT_EQ(test, list->reason, reason);
	KUNIT_EXPECT_EQ(test, b->attach->p2p.map_error, 0);
}

static void mapping_is_recorded(struct kunit *test)
{
	const struct offer o = { };
	struct dma_buf_list *list, *other;
	struct buffer b;

	offer_init(&b, test->priv, &o);
	buffer_attach(&b);
	KUNIT_EXPECT_EQ(test, buffer_nmaps(&b), 0);

	list = buffer_map(&b);
	expect_record(&b, list, true, DMA_BUF_P2P_OK);
	KUNIT_EXPECT_EQ(test, list->route, DMA_BUF_ROUTE_PER_RUN);
	KUNIT_EXPECT_EQ(test, buffer_nmaps(&b), 1);

	other = buffer_map(&b);
	KUNIT_EXPECT_EQ(test, buffer_nmaps(&b), 2);
	buffer_unmap(&b, other);
	KUNIT_EXPECT_EQ(test, buffer_nmaps(&b), 1);
	buffer_unmap(&b, list);
	KUNIT_EXPECT_EQ(test, buffer_nmaps(&b), 0);
	buffer_put(&b);
}

static void note_of_the_exporter_is_recorded(struct kunit *test)
{
	const struct phys_vec ram = V(model_page(test->priv, 3), 1);
	const struct offer o = { };
	struct dma_buf_list *list, *other;
	struct buffer b;

	/* It lives in system memory although the peer would reach the BAR. */
	offer_init(&b, test->priv, &o);
	((struct model *)test->priv)->attrs = 0;
	b.kind = BUFFER_RUNS;
	b.vec = &ram;
	b.nr = 1;
	buffer_attach(&b);
	list = buffer_map(&b);
	expect_record(&b, list, false, DMA_BUF_P2P_SYSTEM);
	buffer_unmap(&b, list);

	b.note = DMA_BUF_P2P_PINNED;
	other = buffer_map(&b);
	expect_record(&b, other, false, DMA_BUF_P2P_PINNED);

	/* The note is only for one mapping of one attachment. */
	b.note = 0;
	list = buffer_map(&b);
	expect_record(&b, list, false, DMA_BUF_P2P_SYSTEM);
	expect_record(&b, other, false, DMA_BUF_P2P_PINNED);
	buffer_unmap(&b, list);
	buffer_unmap(&b, other);
	KUNIT_EXPECT_EQ(test, b.attach->p2p.reason, DMA_BUF_P2P_OK);
	buffer_put(&b);
}

static void failed_mapping_is_recorded(struct kunit *test)
{
	const struct offer o = { };
	struct dma_buf_list *list;
	struct buffer b;

	offer_init(&b, test->priv, &o);
	buffer_attach(&b);
	b.map_error = -EIO;
	b.note = DMA_BUF_P2P_OUTSIDE_BAR;
	KUNIT_EXPECT_EQ(test, PTR_ERR(buffer_map(&b)), -EIO);
	KUNIT_EXPECT_EQ(test, b.attach->p2p.map_error, -EIO);
	KUNIT_EXPECT_EQ(test, b.attach->p2p.map_reason, DMA_BUF_P2P_OUTSIDE_BAR);
	buffer_expect_unmapped(&b);

	b.map_error = 0;
	b.note = 0;
	list = buffer_map(&b);
	expect_record(&b, list, true, DMA_BUF_P2P_OK);
	buffer_unmap(&b, list);
	buffer_put(&b);
}

static void static_importer_pins_and_a_failed_pin_is_recorded(struct kunit *test)
{
	const struct phys_vec ram = V(model_page(test->priv, 3), 1);
	struct dma_buf_list *list;
	struct buffer b;

	buffer_init(&b, test->priv, BUFFER_RUNS, &ram, 1);
	b.can_pin = true;
	buffer_export(&b);
	b.attach = dma_buf_attach(b.dmabuf, b.m->dev);
	list = buffer_map(&b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	KUNIT_EXPECT_EQ(test, b.pins, 1);
	expect_record(&b, list, false, DMA_BUF_P2P_IMPORTER);
	buffer_unmap(&b, list);
	KUNIT_EXPECT_EQ(test, b.pins, 0);

	b.pin_error = -ENOMEM;
	KUNIT_EXPECT_EQ(test, PTR_ERR(buffer_map(&b)), -ENOMEM);
	KUNIT_EXPECT_EQ(test, b.attach->p2p.map_error, -ENOMEM);
	buffer_put(&b);
}

/* Whatever way there is, the record says that this is not the peer's memory. */
static void system_memory_is_no_peer_over_a_private_link(struct kunit *test)
{
	const struct phys_vec ram = V(model_page(test->priv, 3), 1);
	struct dma_buf_list *list;
	struct buffer b;

	buffer_init(&b, test->priv, BUFFER_RUNS, &ram, 1);
	b.answer = DMA_BUF_P2P_PRIVATE_LINK;
	buffer_attach(&b);
	list = buffer_map(&b);
	expect_record(&b, list, false, DMA_BUF_P2P_SYSTEM);
	KUNIT_EXPECT_EQ(test, b.attach->p2p.reason, DMA_BUF_P2P_PRIVATE_LINK);
	buffer_close(&b, list);
}

/* A path to it, as O_PATH makes one, keeps the buffer but not the file. */
static void released_file_is_not_found(struct kunit *test)
{
	const struct phys_vec ram = V(model_page(test->priv, 3), 1);
	struct dma_buf *dmabuf;
	struct path path;
	struct buffer b;

	buffer_init(&b, test->priv, BUFFER_RUNS, &ram, 1);
	buffer_export(&b);
	dmabuf = b.dmabuf;
	path = dmabuf->file->f_path;
	path_get(&path);
	__fput_sync(dmabuf->file);
	KUNIT_EXPECT_PTR_EQ(test, b.dmabuf, dmabuf);
	KUNIT_EXPECT_NULL(test, get_file_active(&dmabuf->file));
	KUNIT_EXPECT_NULL(test, dmabuf->file);
	path_put(&path);
	KUNIT_EXPECT_NULL(test, b.dmabuf);
}

static void fdinfo_has_the_records(struct kunit *test)
{
	struct model *m = test->priv;
	const struct offer o = { };
	struct dma_buf_list *list;
	struct buffer b;

	offer_init(&b, m, &o);
	buffer_attach(&b);
	buffer_expect_fdinfo(&b, true, "\nattach:\t%s peer2peer=yes reason=reachable (",
			     dev_name(m->dev));
	buffer_expect_fdinfo(&b, false, "\nmap:");

	list = buffer_map(&b);
	buffer_expect_fdinfo(&b, true,
			     "\nmap:\t%s memory=peer route=per-run chunks=3 reason=reachable (",
			     dev_name(m->dev));
	buffer_unmap(&b, list);
	buffer_expect_fdinfo(&b, false, "\nmap:");

	b.map_error = -EIO;
	KUNIT_EXPECT_EQ(test, PTR_ERR(buffer_map(&b)), -EIO);
	buffer_expect_fdinfo(&b, true, "\nfailed:\t%s error=%d reason=error (",
			     dev_name(m->dev), -EIO);
	buffer_expect_fdinfo(&b, false, "\nrefused:");
	buffer_put(&b);
}

/* There is a line for each mapping, also after one has failed. */
static void fdinfo_has_every_mapping(struct kunit *test)
{
	const struct offer o = { };
	struct dma_buf_list *list, *other;
	struct model *m = test->priv;
	const char *dev = dev_name(m->dev);
	struct buffer b;

	offer_init(&b, m, &o);
	buffer_attach(&b);
	list = buffer_map(&b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	b.kind = BUFFER_RUNS;
	b.vec = model_ram(m);
	b.nr = 1;
	m->attrs = 0;
	other = buffer_map(&b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, other);
	b.map_error = -EIO;
	KUNIT_EXPECT_EQ(test, PTR_ERR(buffer_map(&b)), -EIO);

	buffer_expect_fdinfo(&b, true, "\nmap:\t%s memory=peer ", dev);
	buffer_expect_fdinfo(&b, true,
			     "\nmap:\t%s memory=system route=per-run chunks=1 reason=system (buffer is in system memory)\n",
			     dev);
	buffer_expect_fdinfo(&b, true, "\nfailed:\t%s error=%d ", dev, -EIO);

	buffer_unmap(&b, list);
	buffer_expect_fdinfo(&b, false, "\nmap:\t%s memory=peer ", dev);
	buffer_expect_fdinfo(&b, true, "\nmap:\t%s memory=system ", dev);
	buffer_unmap(&b, other);
	buffer_put(&b);
}

/* An exporter may hold the lock for long; readers must not wait for it. */
static void fdinfo_does_not_wait_for_the_reservation_lock(struct kunit *test)
{
	const struct offer o = { };
	struct dma_buf_list *list;
	struct buffer b;

	offer_init(&b, test->priv, &o);
	buffer_attach(&b);
	list = buffer_map(&b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	/* Taken again by this task it would return -EALREADY or wait forever. */
	dma_resv_lock(b.dmabuf->resv, NULL);
	buffer_expect_fdinfo(&b, true, "\nattach:\t");
	buffer_expect_fdinfo(&b, true, "\nmap:\t");
	dma_resv_unlock(b.dmabuf->resv);
	buffer_close(&b, list);
}

/* Its name is in there, and what it has mapped is synced. */
static void device_is_there_as_long_as_its_attachment(struct kunit *test)
{
	const struct offer o = { };
	struct model *m = test->priv;
	unsigned int before = kref_read(&m->dev->kobj.kref);
	struct buffer b;

	offer_init(&b, m, &o);
	buffer_attach(&b);
	KUNIT_EXPECT_EQ(test, kref_read(&m->dev->kobj.kref), before + 1);
	buffer_put(&b);
	KUNIT_EXPECT_EQ(test, kref_read(&m->dev->kobj.kref), before);

	offer_init(&b, m, &o);
	b.attach_error = -EOPNOTSUPP;
	buffer_attach(&b);
	KUNIT_EXPECT_EQ(test, kref_read(&m->dev->kobj.kref), before);
	buffer_put(&b);
}

static void fdinfo_has_the_last_refusal(struct kunit *test)
{
	struct buffer b;

	offer_init(&b, test->priv, &(struct offer) { .not_pci = true });
	b.attach_error = -EOPNOTSUPP;
	buffer_attach(&b);
	buffer_expect_fdinfo(&b, true,
			     "\nrefused:\t%s error=%d reason=not-pci (importer is not a PCI device)\n",
			     dev_name(b.m->dev), -EOPNOTSUPP);
	buffer_expect_fdinfo(&b, false, "\nattach:");
	buffer_put(&b);
}

/* Programs compare tokens and read them up to the next blank. */
static void each_reason_has_a_token_and_a_text_of_its_own(struct kunit *test)
{
	int i, j;

	for (i = 0; i < DMA_BUF_P2P_NR; i++) {
		const char *token = dma_buf_p2p_reason_token(i);
		const char *text = dma_buf_p2p_reason_text(i);

		KUNIT_ASSERT_NOT_NULL(test, token);
		KUNIT_ASSERT_NOT_NULL(test, text);
		KUNIT_EXPECT_GT(test, strlen(token), 0);
		KUNIT_EXPECT_LT(test, strlen(token), 24);
		KUNIT_EXPECT_EQ(test, strspn(token, "abcdefghijklmnopqrstuvwxyz0123456789-"),
				strlen(token));
		KUNIT_EXPECT_NULL(test, strpbrk(text, "()\n\t"));
		for (j = 0; j < i; j++) {
			KUNIT_EXPECT_STRNEQ(test, token, dma_buf_p2p_reason_token(j));
			KUNIT_EXPECT_STRNEQ(test, text, dma_buf_p2p_reason_text(j));
		}
	}
	for (i = 0; i <= DMA_BUF_ROUTE_MAP_SG; i++) {
		KUNIT_ASSERT_NOT_NULL(test, dma_buf_route_text(i));
		KUNIT_EXPECT_NULL(test, strchr(dma_buf_route_text(i), ' '));
	}
}

/* The tokens are ABI: changing a line here breaks programs. */
static void tokens_are_what_they_always_were(struct kunit *test)
{
	static const char * const tokens[] = {
		"reachable", "private-link", "physical", "importer", "exporter",
		"not-pci", "map-ops", "no-provider", "no-kernel", "no-route",
		"not-revocable", "revoked", "suspended", "compressed", "veto",
		"system", "pinned", "outside-bar", "dma-mask", "bounce",
		"bounce-shared", "override", "error",
	};
	static const char * const routes[] = {
		"none", "bus-address", "iova", "per-run", "map-sg",
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(tokens); i++)
		KUNIT_EXPECT_STREQ(test, dma_buf_p2p_reason_token(i), tokens[i]);
	for (i = 0; i < ARRAY_SIZE(routes); i++)
		KUNIT_EXPECT_STREQ(test, dma_buf_route_text(i), routes[i]);
}

static struct kunit_case p2p_cases[] = {
	KUNIT_CASE_PARAM(each_pair_gets_its_reason, offer_gen_params),
	KUNIT_CASE_PARAM(who_may_not_never_gets_peer_memory, offer_gen_params),
	KUNIT_CASE(physical_addresses_are_no_answer),
	KUNIT_CASE(distance_is_asked_anew_before_the_map_type),
	KUNIT_CASE(attach_may_deny_with_a_reason),
	KUNIT_CASE(first_reason_against_is_kept),
	KUNIT_CASE(exporter_of_peer_memory_only_refuses_the_others),
	KUNIT_CASE(refused_importer_is_remembered),
	KUNIT_CASE(mapping_is_recorded),
	KUNIT_CASE(note_of_the_exporter_is_recorded),
	KUNIT_CASE(failed_mapping_is_recorded),
	KUNIT_CASE(static_importer_pins_and_a_failed_pin_is_recorded),
	KUNIT_CASE(system_memory_is_no_peer_over_a_private_link),
	KUNIT_CASE(released_file_is_not_found),
	KUNIT_CASE(fdinfo_has_the_records),
	KUNIT_CASE(fdinfo_has_every_mapping),
	KUNIT_CASE(fdinfo_does_not_wait_for_the_reservation_lock),
	KUNIT_CASE(device_is_there_as_long_as_its_attachment),
	KUNIT_CASE(fdinfo_has_the_last_refusal),
	KUNIT_CASE(each_reason_has_a_token_and_a_text_of_its_own),
	KUNIT_CASE(tokens_are_what_they_always_were),
	{ }
};

static struct kunit_suite p2p_suite = {
	.name = "dma-buf-p2p",
	.init = model_init,
	.exit = model_exit,
	.test_cases = p2p_cases,
};

kunit_test_suite(p2p_suite);
