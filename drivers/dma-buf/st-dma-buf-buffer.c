// SPDX-License-Identifier: GPL-2.0-only
/*
 * A buffer to share: an exporter of each kind and an importer, for KUnit
 */
#include <linux/dma-resv.h>
#include <linux/file.h>
#include <linux/scatterlist.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "st-dma-buf-model.h"

/* What they are made of */

/* Three pieces of a BAR, none next to another, not in order. */
const struct phys_vec model_bar[3] = {
	V(MODEL_BAR + SZ_1G, 4),
	V(MODEL_BAR, 2),
	V(MODEL_BAR + SZ_2G, 1),
};

/* The same of system memory, which is different in each test. */
const struct phys_vec *model_ram(struct model *m)
{
	const struct phys_vec vec[] = {
		V(model_page(m, 100), 4),
		V(model_page(m, 0), 2),
		V(model_page(m, 200), 1),
	};

	struct phys_vec *copy = kunit_kmalloc(m->test, sizeof(vec), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(m->test, copy);
	return memcpy(copy, vec, sizeof(vec));
}

/* The exporter */

static struct buffer *buffer_of(struct dma_buf_attachment *attach)
{
	return attach->dmabuf->priv;
}

static enum dma_buf_p2p_reason
buffer_peer2peer(struct dma_buf_attachment *attach,
		 struct p2pdma_provider **provider)
{
	struct buffer *b = buffer_of(attach);

	lockdep_assert_held(&attach->dmabuf->offer_lock);
	KUNIT_EXPECT_TRUE(b->m->test, mutex_is_locked(&attach->dmabuf->offer_lock));
	KUNIT_EXPECT_NULL(b->m->test, *provider);
	b->offers++;
	*provider = b->provider;
	return b->answer;
}

static int buffer_do_attach(struct dma_buf *dmabuf,
			    struct dma_buf_attachment *attach)
{
	struct buffer *b = dmabuf->priv;

	if (b->deny)
		dma_buf_peer2peer_deny(attach, b->deny);
	return b->attach_error;
}

static int buffer_pin(struct dma_buf_attachment *attach)
{
	struct buffer *b = buffer_of(attach);

	if (!b->pin_error)
		b->pins++;
	return b->pin_error;
}

static void buffer_unpin(struct dma_buf_attachment *attach)
{
	buffer_of(attach)->pins--;
}

static struct dma_buf_list *buffer_list(struct buffer *b,
					struct dma_buf_attachment *attach,
					enum dma_data_direction dir)
{
	unsigned long attrs = b->m->attrs;

	b->m->refused = false;
	switch (b->kind) {
	case BUFFER_PAGES:
		return dma_buf_list_from_pages(attach, b->pages, b->npages,
					       dir, attrs);
	case BUFFER_RUNS:
		return dma_buf_list_from_runs(attach, b->vec, b->nr, dir,
					      attrs);
	case BUFFER_TABLE:
		return dma_buf_list_from_sgt(attach, &b->table, dir, attrs);
	case BUFFER_COHERENT:
		b->m->allocated = &b->table;
		return dma_buf_list_from_coherent(attach, b->m->owner, b,
						  SZ_4M, b->npages << PAGE_SHIFT,
						  dir, DMA_ATTR_WRITE_COMBINE);
	/* The core knows that these are MMIO. */
	case BUFFER_PHYS:
		return dma_buf_list_from_phys(attach, b->vec, b->nr, dir,
					      attrs & ~DMA_ATTR_MMIO);
	default:
		return dma_buf_list_from_bar(attach, b->provider, b->vec, b->nr,
					     dir, attrs & ~DMA_ATTR_MMIO);
	}
}

static struct dma_buf_list *buffer_map_list(struct dma_buf_attachment *attach,
					    enum dma_data_direction dir)
{
	struct buffer *b = buffer_of(attach);
	struct dma_buf_list *list;

	dma_resv_assert_held(attach->dmabuf->resv);
	b->unlocked += !dma_resv_is_locked(attach->dmabuf->resv);
	if (b->note)
		dma_buf_route_note(attach, b->note);
	if (b->map_error)
		return ERR_PTR(b->map_error);
	if (b->again)
		return b->again;

	list = buffer_list(b, attach, dir);
	if (list == ERR_PTR(-EREMOTEIO) && b->system) {
		b->m->attrs = 0;
		list = dma_buf_list_from_runs(attach, b->system, 1, dir, 0);
	}
	if (IS_ERR(list))
		return list;

	b->mapped++;
	return list;
}

static void buffer_unmap_list(struct dma_buf_attachment *attach,
			      struct dma_buf_list *list)
{
	dma_resv_assert_held(attach->dmabuf->resv);
	buffer_of(attach)->unlocked += !dma_resv_is_locked(attach->dmabuf->resv);
	buffer_of(attach)->mapped--;
	dma_buf_list_free(list);
}

static int buffer_begin_cpu_access(struct dma_buf *dmabuf,
				   enum dma_data_direction dir)
{
	struct buffer *b = dmabuf->priv;

	b->syncs_before = b->m->nr_syncs;
	return b->cpu_error;
}

static int buffer_end_cpu_access(struct dma_buf *dmabuf,
				 enum dma_data_direction dir)
{
	struct buffer *b = dmabuf->priv;

	b->syncs_before = b->m->nr_syncs;
	return 0;
}

static void buffer_release(struct dma_buf *dmabuf)
{
	struct buffer *b = dmabuf->priv;

	b->dmabuf = NULL;
}

static void buffer_set_ops(struct buffer *b)
{
	b->ops = (struct dma_buf_ops) {
		.sync_mappings = b->syncs,
		.peer_only = b->peer_only,
		.allow_phys = b->allow_phys,
		.peer2peer = b->no_offer ? NULL : buffer_peer2peer,
		.attach = buffer_do_attach,
		.pin = b->can_pin ? buffer_pin : NULL,
		.unpin = b->can_pin ? buffer_unpin : NULL,
		.map_dma_buf = buffer_map_list,
		.unmap_dma_buf = buffer_unmap_list,
		.release = buffer_release,
		.begin_cpu_access = buffer_begin_cpu_access,
		.end_cpu_access = buffer_end_cpu_access,
	};
}

/* The importer */

static void buffer_invalidate(struct dma_buf_attachment *attach)
{
}

static void buffer_alloc_pages(struct buffer *b)
{
	struct kunit *test = b->m->test;
	unsigned long n = 0, i;
	size_t v;

	for (v = 0; v < b->nr; v++)
		b->npages += b->vec[v].len >> PAGE_SHIFT;
	b->pages = kunit_kcalloc(test, b->npages, sizeof(*b->pages), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, b->pages);

	for (v = 0; v < b->nr; v++) {
		for (i = 0; i < b->vec[v].len >> PAGE_SHIFT; i++)
			b->pages[n++] = phys_to_page(b->vec[v].paddr) + i;
	}
}

static void buffer_alloc_table(struct buffer *b)
{
	struct scatterlist *sg;
	unsigned int i;

	if (!b->nr)
		return;
	KUNIT_ASSERT_EQ(b->m->test, 0,
			sg_alloc_table(&b->table, b->nr, GFP_KERNEL));
	for_each_sgtable_sg(&b->table, sg, i) {
		b->npages += PFN_UP(b->vec[i].len);
		sg_set_page(sg, phys_to_page(b->vec[i].paddr), b->vec[i].len, 0);
	}
}

/* A buffer that can be shared in every way, for a test to change */
void buffer_init(struct buffer *b, struct model *m, enum buffer_kind kind,
		 const struct phys_vec *vec, size_t nr)
{
	*b = (struct buffer) {
		.m = m,
		.kind = kind,
		.vec = vec,
		.nr = nr,
		.provider = &m->provider,
		.importer = {
			.allow_peer2peer = true,
			.invalidate_mappings = buffer_invalidate,
		},
	};
	if (kind == BUFFER_PAGES)
		buffer_alloc_pages(b);
	if (kind == BUFFER_TABLE || kind == BUFFER_COHERENT)
		buffer_alloc_table(b);
}

void buffer_export(struct buffer *b)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);

	buffer_set_ops(b);
	info.ops = &b->ops;
	info.priv = b;
	info.size = PAGE_SIZE;
	info.flags = O_RDWR;
	b->dmabuf = dma_buf_export(&info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(b->m->test, b->dmabuf);
}

void buffer_attach(struct buffer *b)
{
	buffer_export(b);
	b->attach = dma_buf_dynamic_attach(b->dmabuf, b->m->dev, &b->importer,
					   NULL);
}

/* Detaches, if it was attached at all. */
void buffer_put(struct buffer *b)
{
	if (!IS_ERR_OR_NULL(b->attach))
		dma_buf_detach(b->dmabuf, b->attach);
	/* fput() in a kernel thread would release the file later. */
	__fput_sync(b->dmabuf->file);
	KUNIT_EXPECT_NULL(b->m->test, b->dmabuf);
	KUNIT_EXPECT_EQ(b->m->test, b->mapped, 0);
	KUNIT_EXPECT_EQ(b->m->test, b->pins, 0);
	if (b->pages)
		kunit_kfree(b->m->test, b->pages);
	sg_free_table(&b->table);
}

struct dma_buf_list *buffer_map(struct buffer *b)
{
	KUNIT_ASSERT_NOT_ERR_OR_NULL(b->m->test, b->attach);
	return dma_buf_list_map_unlocked(b->attach, b->m->dir);
}

void buffer_unmap(struct buffer *b, struct dma_buf_list *list)
{
	dma_buf_list_unmap_unlocked(b->attach, list);
}

/* All of the above, for tests that only need the list */
struct dma_buf_list *buffer_open(struct buffer *b, struct model *m,
				 enum buffer_kind kind,
				 const struct phys_vec *vec, size_t nr)
{
	struct dma_buf_list *list;

	buffer_init(b, m, kind, vec, nr);
	buffer_attach(b);
	list = buffer_map(b);
	if (IS_ERR(list))
		buffer_put(b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(m->test, list);
	return list;
}

void buffer_close(struct buffer *b, struct dma_buf_list *list)
{
	buffer_unmap(b, list);
	model_expect_clean(b->m);
	buffer_put(b);
}

/* Every page of a list reaches the right page of the buffer. */
void buffer_expect_reached(struct buffer *b, struct dma_buf_list *list)
{
	struct kunit *test = b->m->test;
	struct dma_buf_cursor cursor;
	unsigned long done = 0;
	dma_addr_t addr;
	size_t v = 0;

	dma_buf_list_for_each_page(addr, &cursor, list) {
		KUNIT_ASSERT_LT(test, v, b->nr);
		if (model_reached(b->m, addr) != b->vec[v].paddr + done)
			KUNIT_FAIL(test, "%pad reaches %llx, range %zu is at %llx + %lx",
				   &addr, (u64)model_reached(b->m, addr), v,
				   (u64)b->vec[v].paddr, done);
		done += PAGE_SIZE;
		if (done >= b->vec[v].len) {
			done = 0;
			v++;
		}
	}
	KUNIT_EXPECT_EQ(test, v, b->nr);
}

/* What tests expect and ask */

void buffer_expect_list(struct kunit *test, const struct dma_buf_list *list,
			enum dma_buf_route route, unsigned long npages,
			unsigned long nchunks)
{
	KUNIT_EXPECT_EQ(test, list->route, route);
	KUNIT_EXPECT_EQ(test, dma_buf_list_npages(list), npages);
	KUNIT_EXPECT_EQ(test, dma_buf_list_nchunks(list), nchunks);
}

static unsigned long count_ranges(const struct dma_buf_list *list)
{
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk range;
	unsigned long n = 0;

	dma_buf_list_for_each_range(range, &cursor, list)
		n++;
	return n;
}

/* Maps @vec, which has to take @route and yield @nchunks that read as @nranges */
void buffer_check(struct model *m, enum buffer_kind kind,
		  const struct phys_vec *vec, size_t nr,
		  enum dma_buf_route route, unsigned long nchunks,
		  unsigned long nranges)
{
	unsigned long npages = 0;
	struct dma_buf_list *list;
	struct buffer b;
	size_t i;

	for (i = 0; i < nr; i++)
		npages += PFN_UP(vec[i].len);
	list = buffer_open(&b, m, kind, vec, nr);
	buffer_expect_list(m->test, list, route, npages, nchunks);
	KUNIT_EXPECT_EQ(m->test, count_ranges(list), nranges);
	KUNIT_EXPECT_EQ(m->test, dma_buf_list_is_peer(list), kind == BUFFER_BAR);
	buffer_expect_reached(&b, list);
	buffer_close(&b, list);
}

unsigned int buffer_nmaps(struct buffer *b)
{
	return list_count_nodes(&b->dmabuf->mappings);
}

/* After mapping has failed */
void buffer_expect_unmapped(struct buffer *b)
{
	KUNIT_EXPECT_EQ(b->m->test, b->mapped, 0);
	KUNIT_EXPECT_EQ(b->m->test, buffer_nmaps(b), 0);
	model_expect_clean(b->m);
}

char *buffer_fdinfo(struct buffer *b)
{
	struct kunit *test = b->m->test;
	struct seq_file m = { .size = SZ_4K, .file = b->dmabuf->file };

	m.buf = kunit_kzalloc(test, m.size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m.buf);
	b->dmabuf->file->f_op->show_fdinfo(&m, b->dmabuf->file);
	KUNIT_EXPECT_FALSE(test, seq_has_overflowed(&m));
	return m.buf;
}

__printf(3, 4) void buffer_expect_fdinfo(struct buffer *b, bool there,
					 const char *fmt, ...)
{
	char *info = buffer_fdinfo(b), *line;
	va_list args;

	va_start(args, fmt);
	line = kvasprintf(GFP_KERNEL, fmt, args);
	va_end(args);
	KUNIT_ASSERT_NOT_NULL(b->m->test, line);
	KUNIT_EXPECT_EQ_MSG(b->m->test, !!strstr(info, line), there,
			    "%s in\n%s", line, info);
	kfree(line);
}

/* Any route */

static const struct model_machine machines[] = {
	{ "pages, direct", BUFFER_PAGES },
	{ "pages, IOMMU", BUFFER_PAGES, .iommu = true },
	{ "pages, map_ops", BUFFER_PAGES, .map_ops = true },
	{ "runs, direct", BUFFER_RUNS },
	{ "runs, IOMMU", BUFFER_RUNS, .iommu = true },
	{ "runs, map_ops", BUFFER_RUNS, .map_ops = true },
	{ "phys, direct", BUFFER_PHYS },
	{ "phys, IOMMU", BUFFER_PHYS, .iommu = true },
	{ "phys, map_ops", BUFFER_PHYS, .map_ops = true },
	{ "bar, switch", BUFFER_BAR, PCI_P2PDMA_MAP_BUS_ADDR },
	{ "bar, switch, map_ops", BUFFER_BAR, PCI_P2PDMA_MAP_BUS_ADDR,
	  .map_ops = true },
	{ "bar, direct", BUFFER_BAR, PCI_P2PDMA_MAP_THRU_HOST_BRIDGE },
	{ "bar, IOMMU", BUFFER_BAR, PCI_P2PDMA_MAP_THRU_HOST_BRIDGE,
	  .iommu = true },
	{ "bar, map_ops", BUFFER_BAR, PCI_P2PDMA_MAP_THRU_HOST_BRIDGE,
	  .map_ops = true },
};

static void machine_name(const struct model_machine *machine, char *desc)
{
	strscpy(desc, machine->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(any_machine, machines, machine_name);

/* For each of these machines, with KUNIT_CASE_PARAM() */
const void *model_machine_gen_params(struct kunit *test, const void *prev, char *desc)
{
	return any_machine_gen_params(test, prev, desc);
}

const struct model_machine *model_machine_set_up(struct kunit *test)
{
	const struct model_machine *machine = test->param_value;
	struct model *m = test->priv;

	m->iommu = machine->iommu;
	if (machine->map_ops)
		model_with_map_ops(m);
	if (machine->kind == BUFFER_BAR)
		model_with_peer(m, machine->map_type);
	else if (machine->kind == BUFFER_PHYS)
		m->attrs = DMA_ATTR_MMIO;
	return machine;
}
