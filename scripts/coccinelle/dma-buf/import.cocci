// SPDX-License-Identifier: GPL-2.0-only
/// An importer takes the page list. Where it mapped the attachment and walked an
/// sg_table, it now gets a list, whose ranges and pages it reads with a cursor.
//# Types of fields and parameters are left to the compiler to find, and what reads
//# the table in another way to the reader: loops that start at an offset are for
//# dma_buf_cursor_init_part() or a dma_buf_segs, "nents == 1" and its like for
//# dma_buf_list_contiguous(), iommu_map_sgtable() for dma_buf_list_iommu_map(), and
//# who has to hand on a table gets one of its own from dma_buf_list_to_sgt(). A range
//# may have 4 GiB and more: list.cocci reports variables that are too small for one.
//# By hand remain as well MODULE_IMPORT_NS("DMA_BUF") and the alignment of arguments.
///
// Confidence: Moderate
// Copyright: (C) 2026 Seed c4b6c32c maintainers
// Options: --no-includes --include-headers
// Keywords: dma_buf_map_attachment, dma_buf_list_map, for_each_sgtable_dma_sg

virtual context
virtual patch
virtual report

@initialize:python@
@@

tables = set()
left_alone = set()

@mapped@
identifier f = {dma_buf_map_attachment, dma_buf_map_attachment_unlocked};
expression a, d;
position p;
@@

  f@p(a, d)

@depends on context@
position mapped.p;
identifier f;
@@

* f@p(...)

@script:python depends on report@
p << mapped.p;
@@

coccilib.report.print_report(p[0], "WARNING: importer takes an sg_table")

// What the tables that are mapped here are called. Others are the driver's own.
@script:python depends on patch@
@@

tables.clear()
left_alone.clear()

@mine depends on patch@
identifier sgt;
expression a, d;
@@

(
  sgt = dma_buf_map_attachment(a, d)
|
  sgt = dma_buf_map_attachment_unlocked(a, d)
)

@script:python@
sgt << mine.sgt;
@@

tables.add(str(sgt))

@kept depends on patch@
identifier fld;
expression x, a, d;
@@

(
  x->fld = dma_buf_map_attachment(a, d)
|
  x->fld = dma_buf_map_attachment_unlocked(a, d)
)

@script:python@
fld << kept.fld;
@@

tables.add(str(fld))

@stored depends on patch@
identifier mine.sgt, fld;
expression x;
@@

  x->fld = sgt

@script:python@
fld << stored.fld;
@@

tables.add(str(fld))

// Functions that make a table, or change one, which nobody can do with a list
@make depends on patch exists@
identifier f;
@@

  f(...)
  {
    ... when any
    \(dma_map_sgtable\|dma_map_sg\|dma_map_sg_attrs\)(...)
    ... when any
  }

@script:python@
f << make.f;
@@

left_alone.add(str(f))

@change depends on patch exists@
identifier what = {sg_dma_address, sg_dma_len};
identifier f;
expression sg, e;
assignment operator op;
@@

  f(...)
  {
    ... when any
    what(sg) op e
    ... when any
  }

@script:python@
f << change.f;
@@

left_alone.add(str(f))

@depends on patch@
identifier mine.sgt, f;
expression a, d;
@@

  f(...)
  {
    ...
-   struct sg_table *sgt;
+   struct dma_buf_list *sgt;
    <+...
(
    sgt = dma_buf_map_attachment(a, d)
|
    sgt = dma_buf_map_attachment_unlocked(a, d)
)
    ...+>
  }

@depends on patch@
expression a, s, d;
@@

(
- dma_buf_map_attachment(a, d)
+ dma_buf_list_map(a, d)
|
- dma_buf_map_attachment_unlocked(a, d)
+ dma_buf_list_map_unlocked(a, d)
|
- dma_buf_unmap_attachment(a, s, d)
+ dma_buf_list_unmap(a, s)
|
- dma_buf_unmap_attachment_unlocked(a, s, d)
+ dma_buf_list_unmap_unlocked(a, s)
)

// Entry by entry
@seg depends on patch exists@
iterator name for_each_sgtable_dma_sg, dma_buf_list_for_each_range;
identifier t : script:python() { str(t) in tables };
expression x;
identifier sg, i;
identifier f : script:python() { str(f) not in left_alone };
statement S;
@@

  f(...)
  {
    <...
(
-   for_each_sgtable_dma_sg(t, sg, i)
+   dma_buf_list_for_each_range(range, &cursor, t)
    S
|
-   for_each_sgtable_dma_sg(x->t, sg, i)
+   dma_buf_list_for_each_range(range, &cursor, x->t)
    S
)
    ...>
  }

@depends on patch@
typedef u64;
identifier seg.sg, seg.f;
@@

  f(...)
  {
    <...
(
-   sg_dma_address(sg)
+   range.dma_addr
|
-   sg_dma_len(sg)
+   ((u64)range.npages << PAGE_SHIFT)
)
    ...>
  }

@depends on patch@
identifier seg.sg, seg.f;
@@

  f(...)
  {
    ...
-   struct scatterlist *sg;
+   struct dma_buf_cursor cursor;
+   struct dma_buf_chunk range;
    ...
  }

@depends on patch@
identifier seg.f, seg.i;
type T;
@@

  f(...)
  {
    ... when any
-   T i;
    ... when != i
        when strict
  }

// Page by page
@each depends on patch exists@
iterator name for_each_sgtable_dma_page, dma_buf_list_for_each_page;
identifier t : script:python() { str(t) in tables };
expression x;
identifier it;
identifier f : script:python() { str(f) not in left_alone };
statement S;
@@

  f(...)
  {
    <...
(
-   for_each_sgtable_dma_page(t, &it, 0)
+   dma_buf_list_for_each_page(addr, &cursor, t)
    S
|
-   for_each_sgtable_dma_page(x->t, &it, 0)
+   dma_buf_list_for_each_page(addr, &cursor, x->t)
    S
)
    ...>
  }

// The address may have a variable already.
@depends on patch exists@
identifier each.it, each.f;
identifier same = {addr};
type T;
@@

  f(...)
  {
    ... when any
-   T same = sg_page_iter_dma_address(&it);
    ... when any
  }

@depends on patch@
identifier each.it, each.f;
@@

  f(...)
  {
    <...
-   sg_page_iter_dma_address(&it)
+   addr
    ...>
  }

@depends on patch@
identifier each.it, each.f;
@@

  f(...)
  {
    ...
-   struct sg_dma_page_iter it;
+   struct dma_buf_cursor cursor;
+   dma_addr_t addr;
    ...
  }
