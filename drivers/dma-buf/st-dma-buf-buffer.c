// SPDX-License-Identifier: GPL-2.0-only
/*
 * A buffer to share: an exporter of each kind and an importer, for KUnit
 */
#include <linux/dma-resv.h>
#include <linux/file.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "st-dma-buf-model.h"

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

	dma_resv_assert_held(attach->dmabuf->resv);
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

	switch (b->kind) {
	case BUFFER_PAGES:
		return dma_buf_list_from_pages(attach->dev, b->pages, b->npages,
					       dir, attrs);
	case BUFFER_RUNS:
		return dma_buf_list_from_runs(attach->dev, b->vec, b->nr, dir,
					      attrs);
	case BUFFER_TABLE:
		return dma_buf_list_from_sgt(attach->dev, &b->table, dir, attrs);
	case BUFFER_COHERENT:
		b->m->coherent = &b->table;
		return dma_buf_list_from_coherent(attach->dev, b->m->owner, b,
						  SZ_4M, b->npages << PAGE_SHIFT,
						  dir, DMA_ATTR_WRITE_COMBINE);
	case BUFFER_PHYS:
		return dma_buf_list_from_phys(attach->dev, b->vec, b->nr, dir,
					      attrs);
	default:
		/* The core knows that this is MMIO. */
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
	if (b->note)
		dma_buf_route_note(attach, b->note);
	if (b->map_error)
		return ERR_PTR(b->map_error);
	if (b->again)
		return b->again;

	list = buffer_list(b, attach, dir);
	if (list == ERR_PTR(-EREMOTEIO) && b->system) {
		b->m->attrs = 0;
		list = dma_buf_list_from_runs(attach->dev, b->system, 1, dir, 0);
	}
	if (IS_ERR(list))
		return list;

	if (b->grant)
		dma_buf_list_grant_pages(list);
	b->mapped++;
	return list;
}

static void buffer_unmap_list(struct dma_buf_attachment *attach,
			      struct dma_buf_list *list)
{
	dma_resv_assert_held(attach->dmabuf->resv);
	buffer_of(attach)->mapped--;
	dma_buf_list_free(list);
}

static void buffer_release(struct dma_buf *dmabuf)
{
	struct buffer *b = dmabuf->priv;

	b->dmabuf = NULL;
}

static const struct dma_buf_ops buffer_offer_ops = {
	.peer2peer = buffer_peer2peer,
	.attach = buffer_do_attach,
	.map_dma_buf = buffer_map_list,
	.unmap_dma_buf = buffer_unmap_list,
	.release = buffer_release,
};

static const struct dma_buf_ops buffer_no_offer_ops = {
	.attach = buffer_do_attach,
	.map_dma_buf = buffer_map_list,
	.unmap_dma_buf = buffer_unmap_list,
	.release = buffer_release,
};

static const struct dma_buf_ops buffer_pin_ops = {
	.peer2peer = buffer_peer2peer,
	.attach = buffer_do_attach,
	.pin = buffer_pin,
	.unpin = buffer_unpin,
	.map_dma_buf = buffer_map_list,
	.unmap_dma_buf = buffer_unmap_list,
	.release = buffer_release,
};

static const struct dma_buf_ops *buffer_ops(const struct buffer *b)
{
	if (b->can_pin)
		return &buffer_pin_ops;
	return b->no_offer ? &buffer_no_offer_ops : &buffer_offer_ops;
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

/* A buffer that everybody is willing to share, for a test to change */
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

	info.ops = buffer_ops(b);
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
	/* A kernel thread would leave the last fput() for later. */
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

/* All of the above in one, for the tests that want nothing but the list */
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

/* Every page of a list reaches the page of the buffer that it should. */
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
