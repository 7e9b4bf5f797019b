// SPDX-License-Identifier: GPL-2.0-only
/// An importer maps and unmaps under the reservation lock of the dma-buf: what is
/// mapped is on a list that the lock protects. dma_buf_map_attachment() used to
/// work without for most exporters, and warns now. A driver that has no other use for
/// the lock calls dma_buf_map_attachment_unlocked(), which takes it.
//# Attaching and detaching take the lock themselves, so it is not held right after
//# the one and right before the other. Where a file does neither take nor mention
//# the lock, all calls in it are reported if it attaches. A function that takes the
//# lock for its caller is known by its name only.
///
// Confidence: Moderate
// Copyright: (C) 2026 Seed c4b6c32c maintainers
// Options: --no-includes --include-headers
// Keywords: dma_buf_map_attachment, dma_buf_unmap_attachment, dma_buf_list_map
// Keywords: dma_resv_lock

virtual context
virtual report

@attached@
@@

  \(dma_buf_attach\|dma_buf_dynamic_attach\)(...)

@locked@
identifier f =~ "dma_resv_(lock|trylock|assert_held)|assert_[a-z_]*held|ww_mutex_|_(un)?reserve$|drm_exec_|drm_gem_lock";
@@

  f(...)

@after exists@
identifier map = {dma_buf_map_attachment, dma_buf_list_map};
identifier lock =~ "dma_resv_(lock|trylock|assert_held)|assert_[a-z_]*held|ww_mutex_|_reserve$|drm_exec_|drm_gem_lock";
position p;
@@

  \(dma_buf_attach\|dma_buf_dynamic_attach\)(...)
  ... when != lock(...)
  map@p(...)

@before exists@
identifier unmap = {dma_buf_unmap_attachment, dma_buf_list_unmap};
identifier unlock =~ "dma_resv_unlock|ww_mutex_|_unreserve$|drm_exec_|drm_gem_unlock";
position p;
@@

  unmap@p(...)
  ... when != unlock(...)
  dma_buf_detach(...)

@nowhere depends on attached && !locked@
identifier f = {dma_buf_map_attachment, dma_buf_unmap_attachment,
		dma_buf_list_map, dma_buf_list_unmap};
position p != {after.p, before.p};
@@

  f@p(...)

@depends on context@
position after.p;
identifier f;
@@

* f@p(...)

@depends on context@
position before.p;
identifier f;
@@

* f@p(...)

@depends on context@
position nowhere.p;
identifier f;
@@

* f@p(...)

@script:python depends on report@
f << after.map;
p << after.p;
@@

coccilib.report.print_report(p[0], "ERROR: without the reservation lock, use %s_unlocked()" % f)

@script:python depends on report@
f << before.unmap;
p << before.p;
@@

coccilib.report.print_report(p[0], "ERROR: without the reservation lock, use %s_unlocked()" % f)

@script:python depends on report@
f << nowhere.f;
p << nowhere.p;
@@

coccilib.report.print_report(p[0], "ERROR: without the reservation lock, use %s_unlocked()" % f)
