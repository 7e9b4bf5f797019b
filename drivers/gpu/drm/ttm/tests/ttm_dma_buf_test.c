// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Sharing of TTM buffers, on a device whose memory is a buddy allocator and with
 * the model of p2pdma and the DMA API that the tests of dma-buf have
 */
#include <kunit/static_stub.h>
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/workqueue.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_prime.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_dma_buf.h>
#include <drm/ttm/ttm_placement.h>
#include <drm/ttm/ttm_tt.h>

#include "ttm_kunit_helpers.h"
#include "ttm_mock_manager.h"
#include "st-dma-buf-model.h"

#define SHARE_PAGES	4
#define VRAM_PAGES	16

/**
 * struct share - a buffer to share, of a driver that has one of everything
 * @bo: the buffer, in system memory or in VRAM at MODEL_BAR
 * @m: the hardware below
 * @bdev: the TTM device
 * @drm: the DRM device
 * @holes: what makes free VRAM fragmented
 * @in_system: the buffer may be in system memory
 * @in_vram: the buffer may be in VRAM
 * @answer: what &dma_buf_ops.peer2peer says
 * @located: what &ttm_dma_buf_funcs.locate says
 * @no_provider: there is none for the memory
 * @validate_error: what &ttm_dma_buf_funcs.validate returns
 * @validations: number of its calls
 * @ghosts: number of ghosts of the buffer that were destroyed
 * @releases: number of dma-bufs that were released
 * @dmabuf: the dma-buf
 */
struct share {
	struct ttm_buffer_object bo;
	struct model *m;
	struct ttm_device bdev;
	struct drm_device *drm;
	struct list_head holes;

	bool in_system, in_vram;
	enum dma_buf_p2p_reason answer;
	enum dma_buf_p2p_reason located;
	bool no_provider;
	int validate_error;

	unsigned int validations;
	unsigned int ghosts;
	unsigned int releases;
	struct dma_buf *dmabuf;
};

/* The driver */

static struct share *share_of(struct ttm_buffer_object *bo)
{
	return container_of(bo, struct share, bo);
}

static int share_place(struct share *s, bool system, bool vram)
{
	struct ttm_operation_ctx ctx = { };
	struct ttm_place places[2] = { };
	struct ttm_placement placement = { .placement = places };

	if (vram)
		places[placement.num_placement++].mem_type = TTM_PL_VRAM;
	if (system)
		places[placement.num_placement++].mem_type = TTM_PL_SYSTEM;
	return ttm_bo_validate(&s->bo, &placement, &ctx);
}

static int share_validate(struct ttm_buffer_object *bo, bool peer)
{
	struct share *s = share_of(bo);
	int ret;

	s->validations++;
	if (s->validate_error)
		return s->validate_error;
	if (!peer && !s->in_system)
		return -EREMOTEIO;

	ret = share_place(s, s->in_system, peer && s->in_vram);
	/* What is mapped next, if it is not device memory. */
	s->m->attrs = DMA_ATTR_SKIP_CPU_SYNC;
	return ret;
}

static enum dma_buf_p2p_reason
share_locate(struct ttm_buffer_object *bo, struct p2pdma_provider **provider)
{
	struct share *s = share_of(bo);

	if (!s->no_provider)
		*provider = &s->m->provider;
	return s->located;
}

static size_t share_ranges(struct ttm_buffer_object *bo,
			   struct phys_vec *ranges)
{
	struct ttm_mock_resource *res =
		container_of(bo->resource, struct ttm_mock_resource, base);
	struct share *s = share_of(bo);
	struct ttm_mock_manager *man =
		container_of(ttm_manager_type(&s->bdev, TTM_PL_VRAM),
			     struct ttm_mock_manager, man);
	struct gpu_buddy_block *block;
	size_t nr = 0;

	s->m->attrs = DMA_ATTR_MMIO;
	list_for_each_entry(block, &res->blocks, link) {
		if (ranges) {
			ranges[nr].paddr = MODEL_BAR +
					   gpu_buddy_block_offset(block);
			ranges[nr].len = gpu_buddy_block_size(&man->mm, block);
		}
		nr++;
	}
	return nr;
}

static const struct ttm_dma_buf_funcs share_funcs = {
	.validate = share_validate,
	.locate = share_locate,
	.ranges = share_ranges,
};

static enum dma_buf_p2p_reason
share_peer2peer(struct dma_buf_attachment *attach,
		struct p2pdma_provider **provider)
{
	struct drm_gem_object *obj = attach->dmabuf->priv;
	struct share *s = container_of(obj, struct share, bo.base);

	*provider = &s->m->provider;
	return s->answer;
}

static int share_pin(struct dma_buf_attachment *attach)
{
	struct drm_gem_object *obj = attach->dmabuf->priv;
	struct share *s = container_of(obj, struct share, bo.base);
	int ret;

	if (!s->bo.pin_count) {
		ret = share_validate(&s->bo,
				     dma_buf_all_reach(attach->dmabuf));
		if (ret)
			return ret;
	}
	ttm_bo_pin(&s->bo);
	return 0;
}

static void share_unpin(struct dma_buf_attachment *attach)
{
	struct drm_gem_object *obj = attach->dmabuf->priv;

	ttm_bo_unpin(&container_of(obj, struct share, bo.base)->bo);
}

static struct dma_buf_list *share_map(struct dma_buf_attachment *attach,
				      enum dma_data_direction dir)
{
	return ttm_dma_buf_map(attach, dir, &share_funcs);
}

static void share_release(struct dma_buf *dmabuf)
{
	struct drm_gem_object *obj = dmabuf->priv;

	container_of(obj, struct share, bo.base)->releases++;
	ttm_dma_buf_release(dmabuf);
}

static const struct dma_buf_ops share_ops = {
	.peer2peer = share_peer2peer,
	.pin = share_pin,
	.unpin = share_unpin,
	.map_dma_buf = share_map,
	.release = share_release,
};

static struct ttm_tt *share_tt_create(struct ttm_buffer_object *bo,
				      u32 page_flags)
{
	struct ttm_tt *tt = kzalloc_obj(*tt);

	if (tt && ttm_tt_init(tt, bo, page_flags, ttm_cached, 0)) {
		kfree(tt);
		return NULL;
	}
	return tt;
}

static void share_tt_destroy(struct ttm_device *bdev, struct ttm_tt *tt)
{
	ttm_tt_fini(tt);
	kfree(tt);
}

static int share_move(struct ttm_buffer_object *bo, bool evict,
		      struct ttm_operation_ctx *ctx,
		      struct ttm_resource *new_mem, struct ttm_place *hop)
{
	/* The GEM handle is long closed. */
	KUNIT_EXPECT_NULL(share_of(bo)->m->test, bo->base.dma_buf);

	if (bo->resource)
		ttm_dma_buf_move_notify(bo);
	ttm_bo_move_null(bo, new_mem);
	return 0;
}

/* A ghost has the memory that the buffer was in, but is shared with nobody. */
static void share_delete_mem_notify(struct ttm_buffer_object *bo)
{
	struct share *s = container_of(bo->bdev, struct share, bdev);

	if (bo == &s->bo)
		return;
	s->ghosts++;
	KUNIT_EXPECT_NULL(s->m->test, bo->export);
}

static struct ttm_device_funcs share_bdev_funcs = {
	.ttm_tt_create = share_tt_create,
	.ttm_tt_destroy = share_tt_destroy,
	.move = share_move,
	.delete_mem_notify = share_delete_mem_notify,
	.eviction_valuable = ttm_bo_eviction_valuable,
};

static const struct file_operations share_fops = {
	.owner = THIS_MODULE,
};

static const struct drm_driver share_driver = {
	.driver_features = DRIVER_GEM,
	.fops = &share_fops,
};

static void share_free(struct drm_gem_object *obj)
{
	ttm_bo_fini(&container_of(obj, struct share, bo.base)->bo);
}

static const struct drm_gem_object_funcs share_gem_funcs = {
	.free = share_free,
};

static void share_destroy(struct ttm_buffer_object *bo)
{
	drm_gem_object_release(&bo->base);
}

/* The importer */

/**
 * struct importer - one that does as it is told
 * @ops: what it can do
 * @dynamic: it has those
 * @s: the buffer
 * @attach: its attachment
 * @list: its mapping, or NULL
 * @old: the mapping that it was told to let go of and still has, or NULL
 * @told: how often it was told to let go
 * @late: when it is told, it takes its time
 * @stuck: when it is told, it does nothing
 * @frees: another one that lets go when this one is told
 * @work: that time
 */
struct importer {
	struct dma_buf_attach_ops ops;
	bool dynamic;
	struct share *s;
	struct dma_buf_attachment *attach;
	struct dma_buf_list *list;
	struct dma_buf_list *old;
	unsigned int told;
	bool late, stuck;
	struct importer *frees;
	struct delayed_work work;
};

static void importer_unmap_one(struct importer *i, struct dma_buf_list **mapping)
{
	struct dma_buf_list *list = *mapping;

	if (!list)
		return;

	if (dma_buf_list_is_peer(list) || i->s->no_provider)
		i->s->m->attrs = DMA_ATTR_MMIO;
	else
		i->s->m->attrs = DMA_ATTR_SKIP_CPU_SYNC;
	*mapping = NULL;
	dma_buf_list_unmap(i->attach, list);
}

static void importer_unmap(struct importer *i)
{
	importer_unmap_one(i, &i->old);
	importer_unmap_one(i, &i->list);
}

static void importer_work(struct work_struct *work)
{
	struct importer *i = container_of(work, struct importer, work.work);

	dma_resv_lock(i->attach->dmabuf->resv, NULL);
	importer_unmap_one(i, &i->old);
	dma_resv_unlock(i->attach->dmabuf->resv);
}

static void importer_invalidate(struct dma_buf_attachment *attach)
{
	struct importer *i = attach->importer_priv;

	i->told++;
	if (i->frees)
		schedule_delayed_work(&i->frees->work, 0);
	if (!i->late && !i->stuck) {
		importer_unmap(i);
		return;
	}
	if (!i->old)
		swap(i->old, i->list);
	if (!i->stuck)
		schedule_delayed_work(&i->work, HZ / 10);
}

static void importer_attach(struct share *s, struct importer *i)
{
	i->s = s;
	INIT_DELAYED_WORK(&i->work, importer_work);
	if (i->dynamic)
		i->ops.invalidate_mappings = importer_invalidate;
	s->m->p2p_calls = 0;
	i->attach = dma_buf_dynamic_attach(s->dmabuf, s->m->dev,
					   i->dynamic ? &i->ops : NULL, i);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(s->m->test, i->attach);
}

static int importer_map(struct importer *i)
{
	struct dma_buf_list *list;

	list = dma_buf_list_map_unlocked(i->attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(list))
		return PTR_ERR(list);
	i->list = list;
	return 0;
}

/* Why it is mapped where it is, or why it is not */
static enum dma_buf_p2p_reason importer_reason(const struct importer *i)
{
	return i->list ? i->list->reason : i->attach->p2p.map_reason;
}

static void importer_detach(struct importer *i)
{
	flush_delayed_work(&i->work);
	dma_resv_lock(i->attach->dmabuf->resv, NULL);
	importer_unmap(i);
	dma_resv_unlock(i->attach->dmabuf->resv);
	dma_buf_detach(i->s->dmabuf, i->attach);
}

/* Set up and take down */

static bool share_is_system_memory(phys_addr_t phys, unsigned long npages)
{
	return phys < MODEL_BAR;
}

/* Every other page of VRAM is taken, so that buffers are in pieces. */
static void share_fragment_vram(struct share *s)
{
	struct ttm_mock_manager *man =
		container_of(ttm_manager_type(&s->bdev, TTM_PL_VRAM),
			     struct ttm_mock_manager, man);
	u64 i;

	for (i = 1; i < VRAM_PAGES; i += 2) {
		int ret = gpu_buddy_alloc_blocks(&man->mm, i * PAGE_SIZE,
						 (i + 1) * PAGE_SIZE, PAGE_SIZE,
						 PAGE_SIZE, &s->holes,
						 GPU_BUDDY_RANGE_ALLOCATION);

		KUNIT_ASSERT_EQ(s->m->test, ret, 0);
	}
}

static struct share *share_init_on(struct kunit *test, struct device *dev)
{
	struct share *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, s);
	s->m = test->priv;
	s->in_system = true;
	s->in_vram = true;
	INIT_LIST_HEAD(&s->holes);
	kunit_activate_static_stub(test, dma_buf_hw_is_system_memory,
				   share_is_system_memory);

	s->drm = __drm_kunit_helper_alloc_drm_device_with_driver(test, dev,
								 sizeof(*s->drm), 0,
								 &share_driver);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, s->drm);
	KUNIT_ASSERT_EQ(test, 0,
			ttm_device_init(&s->bdev, &share_bdev_funcs, dev,
					s->drm->anon_inode->i_mapping,
					s->drm->vma_offset_manager, 0));
	KUNIT_ASSERT_EQ(test, 0,
			ttm_mock_manager_init(&s->bdev, TTM_PL_VRAM,
					      VRAM_PAGES * PAGE_SIZE));
	ttm_manager_type(&s->bdev, TTM_PL_VRAM)->use_tt = false;
	share_fragment_vram(s);
	return s;
}

static struct share *share_init(struct kunit *test)
{
	struct device *dev = drm_kunit_helper_alloc_device(test);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	dev->coherent_dma_mask = -1;
	return share_init_on(test, dev);
}

/* Makes the buffer, where it may be, and exports it. */
static void share_export(struct share *s)
{
	struct ttm_place place = {
		.mem_type = s->in_vram ? TTM_PL_VRAM : TTM_PL_SYSTEM,
	};
	struct ttm_placement placement = {
		.num_placement = 1,
		.placement = &place,
	};
	struct ttm_operation_ctx ctx = { };
	struct kunit *test = s->m->test;

	drm_gem_private_object_init(s->drm, &s->bo.base,
				    SHARE_PAGES * PAGE_SIZE);
	s->bo.base.funcs = &share_gem_funcs;
	KUNIT_ASSERT_EQ(test, 0,
			ttm_bo_init_reserved(&s->bdev, &s->bo,
					     ttm_bo_type_kernel, &placement, 1,
					     &ctx, NULL, share_destroy));
	ttm_bo_unreserve(&s->bo);

	s->dmabuf = ttm_dma_buf_export(&s->bo, &share_ops, 0, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, s->dmabuf);
}

static void share_fini(struct share *s)
{
	struct ttm_mock_manager *man =
		container_of(ttm_manager_type(&s->bdev, TTM_PL_VRAM),
			     struct ttm_mock_manager, man);

	if (s->dmabuf) {
		dma_buf_put(s->dmabuf);
		/* The last reference to a file is put by the task itself. */
		flush_delayed_fput();
		KUNIT_EXPECT_NULL(s->m->test, s->bo.export);
		drm_gem_object_put(&s->bo.base);
	}
	gpu_buddy_free_list(&man->mm, &s->holes, 0);
	ttm_mock_manager_fini(&s->bdev, TTM_PL_VRAM);
	ttm_device_fini(&s->bdev);
}

static u32 share_mem(struct share *s)
{
	return s->bo.resource->mem_type;
}

static void share_move_to(struct share *s, u32 mem_type)
{
	dma_resv_lock(s->bo.base.resv, NULL);
	KUNIT_EXPECT_EQ(s->m->test, 0,
			share_place(s, mem_type == TTM_PL_SYSTEM,
				    mem_type == TTM_PL_VRAM));
	dma_resv_unlock(s->bo.base.resv);
	KUNIT_EXPECT_EQ(s->m->test, share_mem(s), mem_type);
}

static void share_set_pin(struct share *s, bool pin)
{
	dma_resv_lock(s->bo.base.resv, NULL);
	if (pin)
		ttm_bo_pin(&s->bo);
	else
		ttm_bo_unpin(&s->bo);
	dma_resv_unlock(s->bo.base.resv);
}

/* Every page of the list reaches the page of the buffer that it should. */
static void share_expect_reached(struct share *s, struct dma_buf_list *list)
{
	struct phys_vec ranges[SHARE_PAGES];
	struct kunit *test = s->m->test;
	phys_addr_t want[SHARE_PAGES];
	struct dma_buf_cursor cursor;
	unsigned long i, n = 0, r;
	dma_addr_t addr;

	KUNIT_ASSERT_EQ(test, dma_buf_list_npages(list), SHARE_PAGES);
	if (share_mem(s) == TTM_PL_VRAM) {
		size_t nr = share_ranges(&s->bo, NULL);

		KUNIT_ASSERT_EQ(test, nr, SHARE_PAGES);
		share_ranges(&s->bo, ranges);
		for (r = 0; r < nr; r++)
			for (i = 0; i < ranges[r].len; i += PAGE_SIZE)
				want[n++] = ranges[r].paddr + i;
	} else {
		for (; n < SHARE_PAGES; n++)
			want[n] = page_to_phys(s->bo.ttm->pages[n]);
	}

	n = 0;
	dma_buf_list_for_each_page(addr, &cursor, list)
		KUNIT_EXPECT_EQ(test, model_reached(s->m, addr), want[n++]);
	KUNIT_EXPECT_EQ(test, n, SHARE_PAGES);
}

/* The table: where it may be, who asks, how far away that is */

enum way { SWITCH, BRIDGE, NOWAY };

/**
 * struct pair - a buffer and an importer
 * @name: of the test
 * @system: the buffer may be in system memory
 * @vram: the buffer may be in VRAM
 * @way: to the importer's device
 * @fixed: the importer is static
 * @no_flag: it does not handle peer memory
 * @error: what mapping returns
 * @mem: where the buffer is then
 * @route: how it is mapped
 * @reason: why
 */
struct pair {
	const char *name;
	bool system, vram;
	enum way way;
	bool fixed, no_flag;
	int error;
	u32 mem;
	enum dma_buf_route route;
	enum dma_buf_p2p_reason reason;
};

#define IN_SYSTEM	.system = true
#define IN_VRAM		.vram = true
#define ANYWHERE	.system = true, .vram = true
#define STAYS(r)	.mem = TTM_PL_VRAM, .route = DMA_BUF_ROUTE_##r, \
			.reason = DMA_BUF_P2P_OK
#define MOVES(why)	.mem = TTM_PL_SYSTEM, .route = DMA_BUF_ROUTE_PER_RUN, \
			.reason = DMA_BUF_P2P_##why
#define FAILS(why)	.mem = TTM_PL_VRAM, .error = -EREMOTEIO, \
			.reason = DMA_BUF_P2P_##why

static const struct pair pairs[] = {
	{ "vram_switch", IN_VRAM, .way = SWITCH, STAYS(BUS_ADDR) },
	{ "vram_bridge", IN_VRAM, .way = BRIDGE, STAYS(PER_RUN) },
	{ "vram_no_way", IN_VRAM, .way = NOWAY, FAILS(NO_ROUTE) },
	{ "vram_switch_no_flag", IN_VRAM, .way = SWITCH, .no_flag = true, FAILS(IMPORTER) },
	{ "vram_bridge_no_flag", IN_VRAM, .way = BRIDGE, .no_flag = true, FAILS(IMPORTER) },
	{ "vram_no_way_no_flag", IN_VRAM, .way = NOWAY, .no_flag = true, FAILS(IMPORTER) },
	{ "vram_switch_static", IN_VRAM, .way = SWITCH, .fixed = true, FAILS(IMPORTER) },
	{ "vram_bridge_static", IN_VRAM, .way = BRIDGE, .fixed = true, FAILS(IMPORTER) },
	{ "vram_no_way_static", IN_VRAM, .way = NOWAY, .fixed = true, FAILS(IMPORTER) },

	{ "system_switch", IN_SYSTEM, .way = SWITCH, MOVES(SYSTEM) },
	{ "system_bridge", IN_SYSTEM, .way = BRIDGE, MOVES(SYSTEM) },
	{ "system_no_way", IN_SYSTEM, .way = NOWAY, MOVES(NO_ROUTE) },
	{ "system_switch_no_flag", IN_SYSTEM, .way = SWITCH, .no_flag = true, MOVES(IMPORTER) },
	{ "system_bridge_no_flag", IN_SYSTEM, .way = BRIDGE, .no_flag = true, MOVES(IMPORTER) },
	{ "system_no_way_no_flag", IN_SYSTEM, .way = NOWAY, .no_flag = true, MOVES(IMPORTER) },
	{ "system_switch_static", IN_SYSTEM, .way = SWITCH, .fixed = true, MOVES(IMPORTER) },
	{ "system_bridge_static", IN_SYSTEM, .way = BRIDGE, .fixed = true, MOVES(IMPORTER) },
	{ "system_no_way_static", IN_SYSTEM, .way = NOWAY, .fixed = true, MOVES(IMPORTER) },

	{ "both_switch", ANYWHERE, .way = SWITCH, STAYS(BUS_ADDR) },
	{ "both_bridge", ANYWHERE, .way = BRIDGE, STAYS(PER_RUN) },
	{ "both_no_way", ANYWHERE, .way = NOWAY, MOVES(NO_ROUTE) },
	{ "both_switch_no_flag", ANYWHERE, .way = SWITCH, .no_flag = true, MOVES(IMPORTER) },
	{ "both_bridge_no_flag", ANYWHERE, .way = BRIDGE, .no_flag = true, MOVES(IMPORTER) },
	{ "both_no_way_no_flag", ANYWHERE, .way = NOWAY, .no_flag = true, MOVES(IMPORTER) },
	{ "both_switch_static", ANYWHERE, .way = SWITCH, .fixed = true, MOVES(IMPORTER) },
	{ "both_bridge_static", ANYWHERE, .way = BRIDGE, .fixed = true, MOVES(IMPORTER) },
	{ "both_no_way_static", ANYWHERE, .way = NOWAY, .fixed = true, MOVES(IMPORTER) },
};

static void pair_desc(const struct pair *p, char *desc)
{
	strscpy(desc, p->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(pair, pairs, pair_desc);

static void share_set_way(struct share *s, enum way way)
{
	s->m->distance = way == NOWAY ? -1 : 0;
	s->m->map_type = way == SWITCH ? PCI_P2PDMA_MAP_BUS_ADDR :
					 PCI_P2PDMA_MAP_THRU_HOST_BRIDGE;
}

static void each_pair_is_mapped_where_it_should(struct kunit *test)
{
	const struct pair *p = test->param_value;
	struct importer i = {
		.dynamic = !p->fixed,
		.ops.allow_peer2peer = !p->no_flag,
	};
	struct share *s = share_init(test);

	s->in_system = p->system;
	s->in_vram = p->vram;
	share_set_way(s, p->way);
	share_export(s);
	importer_attach(s, &i);

	KUNIT_EXPECT_EQ(test, importer_map(&i), p->error);
	KUNIT_EXPECT_EQ(test, share_mem(s), p->mem);
	KUNIT_EXPECT_EQ(test, i.attach->p2p.map_error, p->error);
	KUNIT_EXPECT_EQ(test, i.list ? i.list->route : DMA_BUF_ROUTE_NONE,
			p->route);
	KUNIT_EXPECT_EQ(test, importer_reason(&i), p->reason);
	if (!p->error)
		share_expect_reached(s, i.list);

	importer_detach(&i);
	KUNIT_EXPECT_EQ(test, s->bo.pin_count, 0);
	share_fini(s);
}

/* One property each */

static const struct importer peer = {
	.dynamic = true,
	.ops.allow_peer2peer = true,
};

static struct share *share_open(struct kunit *test, struct importer *i,
				enum way way)
{
	struct share *s = share_init(test);

	share_set_way(s, way);
	share_export(s);
	importer_attach(s, i);
	return s;
}

/* One more driver with a buffer, on the same device. */
static struct share *share_open_another(struct share *other, struct importer *i)
{
	struct share *s = share_init_on(other->m->test, other->drm->dev);

	share_export(s);
	importer_attach(s, i);
	return s;
}

static void share_close(struct share *s, struct importer *i)
{
	importer_detach(i);
	share_fini(s);
}

/* Mapped in system memory although the importer would reach the device */
static void expect_fallback(struct share *s, struct importer *i,
			    enum dma_buf_p2p_reason reason)
{
	struct kunit *test = s->m->test;

	KUNIT_EXPECT_TRUE(test, i->attach->peer2peer);
	KUNIT_ASSERT_EQ(test, importer_map(i), 0);
	KUNIT_EXPECT_EQ(test, share_mem(s), TTM_PL_SYSTEM);
	KUNIT_EXPECT_FALSE(test, dma_buf_list_is_peer(i->list));
	KUNIT_EXPECT_EQ(test, importer_reason(i), reason);
	KUNIT_EXPECT_EQ(test, s->validations, 2);
	share_expect_reached(s, i->list);
}

static void partly_visible_goes_to_system(struct kunit *test)
{
	struct importer i = peer;
	struct share *s = share_open(test, &i, BRIDGE);

	s->located = DMA_BUF_P2P_OUTSIDE_BAR;
	expect_fallback(s, &i, DMA_BUF_P2P_OUTSIDE_BAR);
	share_close(s, &i);
}

static void without_provider_goes_to_system(struct kunit *test)
{
	struct importer i = peer;
	struct share *s = share_open(test, &i, BRIDGE);

	s->located = DMA_BUF_P2P_NO_PROVIDER;
	expect_fallback(s, &i, DMA_BUF_P2P_NO_PROVIDER);
	share_close(s, &i);
}

static void beyond_dma_mask_goes_to_system(struct kunit *test)
{
	struct importer i = peer;
	struct share *s = share_open(test, &i, SWITCH);

	s->m->mask = MODEL_BAR - 1;
	expect_fallback(s, &i, DMA_BUF_P2P_DMA_MASK);
	share_close(s, &i);
}

static void pinned_out_of_reach_fails(struct kunit *test)
{
	struct importer i = peer;
	struct share *s = share_open(test, &i, NOWAY);

	share_set_pin(s, true);
	KUNIT_EXPECT_EQ(test, importer_map(&i), -EREMOTEIO);
	KUNIT_EXPECT_EQ(test, i.attach->p2p.map_error, -EREMOTEIO);
	KUNIT_EXPECT_EQ(test, importer_reason(&i), DMA_BUF_P2P_NO_ROUTE);
	KUNIT_EXPECT_EQ(test, share_mem(s), TTM_PL_VRAM);
	KUNIT_EXPECT_EQ(test, s->validations, 0);

	/* Once it may move it does. */
	share_set_pin(s, false);
	KUNIT_EXPECT_EQ(test, importer_map(&i), 0);
	KUNIT_EXPECT_EQ(test, share_mem(s), TTM_PL_SYSTEM);
	share_close(s, &i);
}

static void pinned_outside_bar_fails(struct kunit *test)
{
	struct importer i = peer;
	struct share *s = share_open(test, &i, BRIDGE);

	share_set_pin(s, true);
	s->located = DMA_BUF_P2P_OUTSIDE_BAR;
	KUNIT_EXPECT_EQ(test, importer_map(&i), -EREMOTEIO);
	KUNIT_EXPECT_EQ(test, importer_reason(&i), DMA_BUF_P2P_OUTSIDE_BAR);
	share_set_pin(s, false);
	share_close(s, &i);
}

static void pinned_in_reach_stays(struct kunit *test)
{
	struct importer i = peer;
	struct share *s = share_open(test, &i, SWITCH);

	share_set_pin(s, true);
	KUNIT_EXPECT_EQ(test, importer_map(&i), 0);
	KUNIT_EXPECT_EQ(test, i.list->route, DMA_BUF_ROUTE_BUS_ADDR);
	KUNIT_EXPECT_EQ(test, s->validations, 0);
	share_expect_reached(s, i.list);
	share_set_pin(s, false);
	share_close(s, &i);
}

static void pinned_for_another_importer_says_so(struct kunit *test)
{
	struct importer fixed = { }, i = peer;
	struct share *s = share_open(test, &fixed, SWITCH);

	KUNIT_EXPECT_EQ(test, importer_map(&fixed), 0);
	KUNIT_EXPECT_EQ(test, share_mem(s), TTM_PL_SYSTEM);

	importer_attach(s, &i);
	KUNIT_EXPECT_EQ(test, importer_map(&i), 0);
	KUNIT_EXPECT_EQ(test, importer_reason(&i), DMA_BUF_P2P_PINNED);
	importer_detach(&i);
	share_close(s, &fixed);
}

static void eviction_is_told_and_mapped_anew(struct kunit *test)
{
	struct importer i = peer;
	struct share *s = share_open(test, &i, SWITCH);

	KUNIT_EXPECT_EQ(test, importer_map(&i), 0);
	share_expect_reached(s, i.list);

	share_move_to(s, TTM_PL_SYSTEM);
	KUNIT_EXPECT_EQ(test, i.told, 1);
	KUNIT_EXPECT_NULL(test, i.list);

	/* Now it just lies there. */
	KUNIT_EXPECT_EQ(test, importer_map(&i), 0);
	KUNIT_EXPECT_EQ(test, importer_reason(&i), DMA_BUF_P2P_SYSTEM);
	share_expect_reached(s, i.list);

	share_move_to(s, TTM_PL_VRAM);
	KUNIT_EXPECT_EQ(test, i.told, 2);
	KUNIT_EXPECT_EQ(test, importer_map(&i), 0);
	KUNIT_EXPECT_EQ(test, i.list->route, DMA_BUF_ROUTE_BUS_ADDR);
	share_expect_reached(s, i.list);
	share_close(s, &i);
}

static void one_out_of_reach_moves_it_for_all(struct kunit *test)
{
	struct importer near = peer, far = peer;
	struct share *s = share_open(test, &near, SWITCH);

	share_set_way(s, NOWAY);
	importer_attach(s, &far);

	KUNIT_EXPECT_EQ(test, importer_map(&near), 0);
	KUNIT_EXPECT_EQ(test, share_mem(s), TTM_PL_VRAM);
	KUNIT_EXPECT_EQ(test, importer_map(&far), 0);
	KUNIT_EXPECT_EQ(test, share_mem(s), TTM_PL_SYSTEM);
	KUNIT_EXPECT_EQ(test, near.told, 1);
	KUNIT_EXPECT_NULL(test, near.list);
	share_expect_reached(s, far.list);
	importer_detach(&far);
	share_close(s, &near);
}

static void chunks_are_in_order_behind_one_iova(struct kunit *test)
{
	struct importer i = peer;
	struct share *s = share_open(test, &i, BRIDGE);

	model_behind_iommu(s->m);
	KUNIT_EXPECT_EQ(test, importer_map(&i), 0);
	KUNIT_EXPECT_EQ(test, i.list->route, DMA_BUF_ROUTE_IOVA);
	share_expect_reached(s, i.list);
	share_close(s, &i);
}

static void carve_out_is_mapped_without_provider(struct kunit *test)
{
	struct importer i = peer;
	struct share *s = share_open(test, &i, SWITCH);

	s->no_provider = true;
	KUNIT_EXPECT_EQ(test, importer_map(&i), 0);
	KUNIT_EXPECT_EQ(test, share_mem(s), TTM_PL_VRAM);
	KUNIT_EXPECT_EQ(test, i.list->route, DMA_BUF_ROUTE_PER_RUN);
	share_expect_reached(s, i.list);
	share_close(s, &i);
}

static void carve_out_is_not_for_everybody(struct kunit *test)
{
	struct importer i = peer;
	struct share *s = share_open(test, &i, NOWAY);

	s->no_provider = true;
	share_set_pin(s, true);
	KUNIT_EXPECT_EQ(test, importer_map(&i), -EREMOTEIO);
	KUNIT_EXPECT_EQ(test, importer_reason(&i), DMA_BUF_P2P_NO_ROUTE);
	share_set_pin(s, false);
	share_close(s, &i);
}

static void failed_move_maps_nothing(struct kunit *test)
{
	struct importer i = peer;
	struct share *s = share_open(test, &i, SWITCH);

	s->validate_error = -EINTR;
	KUNIT_EXPECT_EQ(test, importer_map(&i), -EINTR);
	KUNIT_EXPECT_TRUE(test, list_empty(&s->dmabuf->mappings));
	share_close(s, &i);
}

/* The n-th call that can fail does, until there is none left to fail. */
static void each_failure_leaves_nothing(struct kunit *test)
{
	struct importer i = peer;
	struct share *s = share_open(test, &i, BRIDGE);
	unsigned int n;
	int ret;

	for (n = 1; n < 100; n++) {
		share_move_to(s, TTM_PL_VRAM);
		s->m->calls = 0;
		s->m->fail_at = n;
		ret = importer_map(&i);
		s->m->fail_at = 0;
		if (!ret && s->m->calls < n)
			break;
		/* From where the device does not get it falls back instead. */
		if (!ret)
			KUNIT_EXPECT_EQ(test, share_mem(s), TTM_PL_SYSTEM);
		dma_resv_lock(s->bo.base.resv, NULL);
		importer_unmap(&i);
		dma_resv_unlock(s->bo.base.resv);
		model_expect_clean(s->m);
	}
	KUNIT_EXPECT_EQ(test, n, SHARE_PAGES + 1);
	share_close(s, &i);
}

static void vram_behind_a_private_link_is_not_mapped(struct kunit *test)
{
	struct importer i = peer;
	struct share *s = share_init(test);

	s->answer = DMA_BUF_P2P_PRIVATE_LINK;
	share_export(s);
	importer_attach(s, &i);
	KUNIT_EXPECT_TRUE(test, i.attach->peer2peer);

	/* Nobody should try. */
	kunit_warning_suppress(test) {
		KUNIT_EXPECT_EQ(test, importer_map(&i), -EINVAL);
	}
	KUNIT_EXPECT_EQ(test, share_mem(s), TTM_PL_VRAM);

	/* System memory is for all. */
	share_move_to(s, TTM_PL_SYSTEM);
	KUNIT_EXPECT_EQ(test, importer_map(&i), 0);
	share_expect_reached(s, i.list);
	share_close(s, &i);
}

static void exported_twice_is_one_dma_buf(struct kunit *test)
{
	struct share *s = share_init(test);
	struct dma_buf *again;
	bool is_new = true;

	share_export(s);
	again = ttm_dma_buf_export(&s->bo, &share_ops, 0, &is_new);
	KUNIT_EXPECT_PTR_EQ(test, again, s->dmabuf);
	KUNIT_EXPECT_FALSE(test, is_new);
	dma_buf_put(again);

	dma_buf_put(s->dmabuf);
	flush_delayed_fput();
	KUNIT_EXPECT_NULL(test, s->bo.export);

	s->dmabuf = ttm_dma_buf_export(&s->bo, &share_ops, 0, &is_new);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, s->dmabuf);
	KUNIT_EXPECT_PTR_EQ(test, s->bo.export, s->dmabuf);
	KUNIT_EXPECT_TRUE(test, is_new);
	share_fini(s);
}

struct export_work {
	struct work_struct work;
	struct share *s;
	struct dma_buf *dmabuf;
	bool is_new;
};

static void export_work(struct work_struct *work)
{
	struct export_work *w = container_of(work, struct export_work, work);

	w->dmabuf = ttm_dma_buf_export(&w->s->bo, &share_ops, 0, &w->is_new);
}

/* Whoever counts what was made by @is_new gets as many calls of release(). */
static void exported_by_two_at_once_is_one_dma_buf(struct kunit *test)
{
	struct share *s = share_init(test);
	unsigned int i, n, made = 1;
	struct export_work w[2];

	share_export(s);
	for (n = 0; n < 100; n++) {
		dma_buf_put(s->dmabuf);
		flush_delayed_fput();
		for (i = 0; i < ARRAY_SIZE(w); i++) {
			w[i].s = s;
			INIT_WORK_ONSTACK(&w[i].work, export_work);
			queue_work(system_dfl_wq, &w[i].work);
		}
		for (i = 0; i < ARRAY_SIZE(w); i++) {
			flush_work(&w[i].work);
			destroy_work_on_stack(&w[i].work);
			KUNIT_ASSERT_NOT_ERR_OR_NULL(test, w[i].dmabuf);
			made += w[i].is_new;
		}
		KUNIT_EXPECT_PTR_EQ(test, w[0].dmabuf, w[1].dmabuf);
		dma_buf_put(w[1].dmabuf);
		s->dmabuf = w[0].dmabuf;
	}
	share_fini(s);
	KUNIT_EXPECT_EQ(test, s->releases, made);
}

static void unplugged_is_neither_exported_nor_mapped(struct kunit *test)
{
	struct importer i = peer;
	struct share *s = share_open(test, &i, SWITCH);

	s->drm->unplugged = true;
	KUNIT_EXPECT_EQ(test, importer_map(&i), -ENODEV);
	KUNIT_EXPECT_EQ(test, importer_reason(&i), DMA_BUF_P2P_REVOKED);
	KUNIT_EXPECT_EQ(test, s->validations, 0);
	KUNIT_EXPECT_PTR_EQ(test, ttm_dma_buf_export(&s->bo, &share_ops, 0, NULL),
			    ERR_PTR(-ENODEV));
	s->drm->unplugged = false;
	share_close(s, &i);
}

static bool share_is_any(struct dma_buf *dmabuf, void *data)
{
	return true;
}

/* The device goes. Returns the mappings of its memory that are left. */
static unsigned int share_remove(struct share *s, unsigned long timeout)
{
	s->drm->unplugged = true;
	return dma_buf_revoke_all(&share_ops, share_is_any, NULL, timeout);
}

/* A bus address needs no unmapping, so the work can do without the model. */
static void removal_waits_for_the_importer(struct kunit *test)
{
	struct importer i = peer;
	struct share *s = share_open(test, &i, SWITCH);

	i.late = true;
	KUNIT_EXPECT_EQ(test, importer_map(&i), 0);
	s->drm->unplugged = true;
	drm_gem_dmabuf_revoke_all(s->drm, &share_ops);
	KUNIT_EXPECT_EQ(test, i.told, 1);
	KUNIT_EXPECT_NULL(test, i.old);
	share_close(s, &i);
}

static void removal_is_of_one_device(struct kunit *test)
{
	struct importer near = peer, far = peer;
	struct share *goes = share_open(test, &near, SWITCH);
	struct share *stays = share_open_another(goes, &far);

	KUNIT_EXPECT_EQ(test, importer_map(&near), 0);
	KUNIT_EXPECT_EQ(test, importer_map(&far), 0);
	goes->drm->unplugged = true;
	drm_gem_dmabuf_revoke_all(goes->drm, &share_ops);
	KUNIT_EXPECT_NULL(test, near.list);
	KUNIT_EXPECT_EQ(test, far.told, 0);
	KUNIT_ASSERT_NOT_NULL(test, far.list);
	share_expect_reached(stays, far.list);
	share_close(stays, &far);
	share_close(goes, &near);
}

/* It has the buffer in system memory by now, and the BAR still. */
static void removal_waits_for_a_mapping_before_the_last(struct kunit *test)
{
	struct importer i = peer;
	struct share *s = share_open(test, &i, SWITCH);

	i.late = true;
	KUNIT_EXPECT_EQ(test, importer_map(&i), 0);
	share_move_to(s, TTM_PL_SYSTEM);
	KUNIT_EXPECT_NOT_NULL(test, i.old);
	KUNIT_EXPECT_EQ(test, importer_map(&i), 0);

	KUNIT_EXPECT_EQ(test, share_remove(s, 5 * HZ), 0);
	KUNIT_EXPECT_NULL(test, i.old);
	KUNIT_ASSERT_NOT_NULL(test, i.list);
	share_expect_reached(s, i.list);
	share_close(s, &i);
}

/* The first one to be told lets go once the other has been told, too. */
static void removal_tells_all_before_it_waits(struct kunit *test)
{
	struct importer last = peer, first = peer;
	struct share *a = share_open(test, &last, SWITCH);
	struct share *b = share_open_another(a, &first);

	first.stuck = true;
	last.frees = &first;
	KUNIT_EXPECT_EQ(test, importer_map(&first), 0);
	KUNIT_EXPECT_EQ(test, importer_map(&last), 0);
	KUNIT_EXPECT_EQ(test, share_remove(a, 5 * HZ), 0);
	KUNIT_EXPECT_NULL(test, first.old);
	KUNIT_EXPECT_NULL(test, last.list);
	share_close(b, &first);
	share_close(a, &last);
}

static void removal_does_not_wait_for_ever(struct kunit *test)
{
	struct importer i = peer;
	struct share *s = share_open(test, &i, SWITCH);

	i.stuck = true;
	KUNIT_EXPECT_EQ(test, importer_map(&i), 0);
	KUNIT_EXPECT_EQ(test, share_remove(s, HZ / 10), 1);
	KUNIT_EXPECT_EQ(test, i.told, 1);
	KUNIT_EXPECT_NOT_NULL(test, i.old);
	share_close(s, &i);
}

static void removal_does_not_wait_for_static_importers(struct kunit *test)
{
	struct importer fixed = { };
	struct share *s = share_open(test, &fixed, SWITCH);

	KUNIT_EXPECT_EQ(test, importer_map(&fixed), 0);
	KUNIT_EXPECT_EQ(test, share_remove(s, 0), 0);
	KUNIT_EXPECT_NOT_NULL(test, fixed.list);
	/* System memory is as good as before. */
	share_expect_reached(s, fixed.list);
	share_close(s, &fixed);
}

static void removal_leaves_system_memory_alone(struct kunit *test)
{
	struct importer i = peer;
	struct share *s = share_open(test, &i, NOWAY);

	KUNIT_EXPECT_EQ(test, importer_map(&i), 0);
	i.told = 0;
	KUNIT_EXPECT_EQ(test, share_remove(s, 0), 0);
	KUNIT_EXPECT_EQ(test, i.told, 0);
	KUNIT_ASSERT_NOT_NULL(test, i.list);
	share_expect_reached(s, i.list);
	share_close(s, &i);
}

/* Having pinned it does not say that one cannot let go of it. */
static void removal_asks_who_has_pinned(struct kunit *test)
{
	struct importer i = peer;
	struct share *s = share_open(test, &i, SWITCH);

	share_set_pin(s, true);
	KUNIT_EXPECT_EQ(test, importer_map(&i), 0);
	KUNIT_EXPECT_EQ(test, share_remove(s, 5 * HZ), 0);
	KUNIT_EXPECT_EQ(test, i.told, 1);
	KUNIT_EXPECT_NULL(test, i.list);
	share_set_pin(s, false);
	share_close(s, &i);
}

static void removal_takes_a_carve_out_back(struct kunit *test)
{
	struct importer i = peer;
	struct share *s = share_open(test, &i, SWITCH);

	s->no_provider = true;
	KUNIT_EXPECT_EQ(test, importer_map(&i), 0);
	KUNIT_EXPECT_EQ(test, share_remove(s, 5 * HZ), 0);
	KUNIT_EXPECT_NULL(test, i.list);
	share_close(s, &i);
}

static const char *share_fence_name(struct dma_fence *fence)
{
	return "share";
}

static const struct dma_fence_ops share_fence_ops = {
	.get_driver_name = share_fence_name,
	.get_timeline_name = share_fence_name,
};

static DEFINE_SPINLOCK(share_fence_lock);

static struct dma_fence *share_make_busy(struct share *s)
{
	struct dma_fence *fence = kzalloc_obj(*fence);

	KUNIT_ASSERT_NOT_NULL(s->m->test, fence);
	dma_fence_init(fence, &share_fence_ops, &share_fence_lock,
		       dma_fence_context_alloc(1), 1);
	dma_resv_lock(s->bo.base.resv, NULL);
	KUNIT_EXPECT_EQ(s->m->test, dma_resv_reserve_fences(s->bo.base.resv, 1), 0);
	dma_resv_add_fence(s->bo.base.resv, fence, DMA_RESV_USAGE_BOOKKEEP);
	dma_resv_unlock(s->bo.base.resv);
	return fence;
}

static void ghosts_are_not_shared(struct kunit *test)
{
	struct share *s = share_init(test);
	struct ttm_placement nowhere = { };
	struct ttm_operation_ctx ctx = { };
	struct dma_fence *fence;

	share_export(s);
	fence = share_make_busy(s);
	dma_resv_lock(s->bo.base.resv, NULL);
	KUNIT_EXPECT_EQ(test, ttm_bo_validate(&s->bo, &nowhere, &ctx), 0);
	dma_resv_unlock(s->bo.base.resv);
	KUNIT_EXPECT_PTR_EQ(test, s->bo.export, s->dmabuf);

	dma_fence_signal(fence);
	flush_workqueue(s->bdev.wq);
	KUNIT_EXPECT_EQ(test, s->ghosts, 1);
	dma_fence_put(fence);
	share_fini(s);
}

static struct kunit_case ttm_dma_buf_cases[] = {
	KUNIT_CASE_PARAM(each_pair_is_mapped_where_it_should, pair_gen_params),
	KUNIT_CASE(partly_visible_goes_to_system),
	KUNIT_CASE(without_provider_goes_to_system),
	KUNIT_CASE(beyond_dma_mask_goes_to_system),
	KUNIT_CASE(pinned_out_of_reach_fails),
	KUNIT_CASE(pinned_outside_bar_fails),
	KUNIT_CASE(pinned_in_reach_stays),
	KUNIT_CASE(pinned_for_another_importer_says_so),
	KUNIT_CASE(eviction_is_told_and_mapped_anew),
	KUNIT_CASE(one_out_of_reach_moves_it_for_all),
	KUNIT_CASE(chunks_are_in_order_behind_one_iova),
	KUNIT_CASE(carve_out_is_mapped_without_provider),
	KUNIT_CASE(carve_out_is_not_for_everybody),
	KUNIT_CASE(failed_move_maps_nothing),
	KUNIT_CASE(each_failure_leaves_nothing),
	KUNIT_CASE(vram_behind_a_private_link_is_not_mapped),
	KUNIT_CASE(exported_twice_is_one_dma_buf),
	KUNIT_CASE(exported_by_two_at_once_is_one_dma_buf),
	KUNIT_CASE(unplugged_is_neither_exported_nor_mapped),
	KUNIT_CASE(removal_waits_for_the_importer),
	KUNIT_CASE(removal_is_of_one_device),
	KUNIT_CASE(removal_waits_for_a_mapping_before_the_last),
	KUNIT_CASE(removal_tells_all_before_it_waits),
	KUNIT_CASE(removal_does_not_wait_for_ever),
	KUNIT_CASE(removal_does_not_wait_for_static_importers),
	KUNIT_CASE(removal_leaves_system_memory_alone),
	KUNIT_CASE(removal_asks_who_has_pinned),
	KUNIT_CASE(removal_takes_a_carve_out_back),
	KUNIT_CASE(ghosts_are_not_shared),
	{ }
};

static struct kunit_suite ttm_dma_buf_suite = {
	.name = "ttm_dma_buf",
	.init = model_init,
	.exit = model_exit,
	.test_cases = ttm_dma_buf_cases,
};

kunit_test_suites(&ttm_dma_buf_suite);

MODULE_DESCRIPTION("KUnit tests for sharing TTM buffers");
MODULE_LICENSE("GPL and additional rights");
