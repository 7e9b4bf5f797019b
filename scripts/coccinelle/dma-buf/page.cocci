// SPDX-License-Identifier: GPL-2.0-only
/// An importer gets addresses for its device and never a page: that of a range is
/// always NULL, and making a physical address of a DMA address gives the wrong
/// memory behind an IOMMU, on a PCI bus or where it is bounced. dma_buf_vmap() is
/// for the CPU, and syncing is for the core.
//# A range that is handed to another function is not followed there. Asking if
//# there is a page is fine.
///
// Confidence: Moderate
// Copyright: (C) 2026 Seed c4b6c32c maintainers
// Options: --no-includes --include-headers
// Keywords: dma_buf_chunk, dma_buf_cursor, phys_to_page, dma_sync_single_for_cpu

virtual context
virtual report

@asked@
expression c;
position p;
@@

(
  !c.page@p
|
  c.page@p == NULL
|
  c.page@p != NULL
|
  \(KUNIT_EXPECT_NULL\|KUNIT_ASSERT_NULL\)(..., c.page@p)
)

@none exists@
iterator name dma_buf_list_for_each_range, dma_buf_cursor_for_each_range;
expression c, cur, l, e;
position p != asked.p;
@@

(
  dma_buf_list_for_each_range(c, cur, l) { ... when != c = e
    c.page@p
    ... when any
  }
|
  dma_buf_cursor_for_each_range(c, cur) { ... when != c = e
    c.page@p
    ... when any
  }
|
  c = dma_buf_list_first_range(cur, l)
  ... when != c = e
  c.page@p
|
  c = dma_buf_cursor_next_range(cur)
  ... when != c = e
  c.page@p
)

// What is made of the address of a range
@guessed@
struct dma_buf_chunk c;
identifier f = {phys_to_page, pfn_to_page, phys_to_virt, __va, dma_to_phys,
		iommu_iova_to_phys, memremap, ioremap, ioremap_wc};
position p;
@@

  f@p(..., <+... c.dma_addr ...+>, ...)

@synced@
struct dma_buf_chunk c;
identifier f = {dma_sync_single_for_cpu, dma_sync_single_for_device,
		dma_sync_single_range_for_cpu, dma_sync_single_range_for_device};
position p;
@@

  f@p(..., <+... c.dma_addr ...+>, ...)

// The same for pages and blocks
@guessed_each exists@
iterator name dma_buf_list_for_each_page, dma_buf_list_for_each_block;
identifier f = {phys_to_page, pfn_to_page, phys_to_virt, __va, dma_to_phys,
		iommu_iova_to_phys, memremap, ioremap, ioremap_wc};
expression addr, cur, l, size;
position p;
@@

(
  dma_buf_list_for_each_page(addr, cur, l) {
    <+...
    f@p(..., <+... addr ...+>, ...)
    ...+>
  }
|
  dma_buf_list_for_each_block(addr, cur, l, size) {
    <+...
    f@p(..., <+... addr ...+>, ...)
    ...+>
  }
)

@synced_each exists@
iterator name dma_buf_list_for_each_page, dma_buf_list_for_each_block;
identifier f = {dma_sync_single_for_cpu, dma_sync_single_for_device,
		dma_sync_single_range_for_cpu, dma_sync_single_range_for_device};
expression addr, cur, l, size;
position p;
@@

(
  dma_buf_list_for_each_page(addr, cur, l) {
    <+...
    f@p(..., <+... addr ...+>, ...)
    ...+>
  }
|
  dma_buf_list_for_each_block(addr, cur, l, size) {
    <+...
    f@p(..., <+... addr ...+>, ...)
    ...+>
  }
)

@depends on context@
position none.p;
expression c;
@@

* c.page@p

@depends on context@
position guessed.p;
identifier f;
@@

* f@p(...)

@depends on context@
position synced.p;
identifier f;
@@

* f@p(...)

@depends on context@
position guessed_each.p;
identifier f;
@@

* f@p(...)

@depends on context@
position synced_each.p;
identifier f;
@@

* f@p(...)

@script:python depends on report@
p << none.p;
@@

coccilib.report.print_report(p[0], "ERROR: a range never has a page")

@script:python depends on report@
p << guessed.p;
@@

coccilib.report.print_report(p[0], "ERROR: a DMA address is no physical address")

@script:python depends on report@
p << guessed_each.p;
@@

coccilib.report.print_report(p[0], "ERROR: a DMA address is no physical address")

@script:python depends on report@
p << synced.p;
@@

coccilib.report.print_report(p[0], "ERROR: the exporter's memory is synced by the core, around dma_buf_begin_cpu_access()")

@script:python depends on report@
p << synced_each.p;
@@

coccilib.report.print_report(p[0], "ERROR: the exporter's memory is synced by the core, around dma_buf_begin_cpu_access()")
