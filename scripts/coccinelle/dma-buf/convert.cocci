// SPDX-License-Identifier: GPL-2.0-only
/// An exporter returns the page list. Where map_dma_buf() made an sg_table of an
/// array of pages or of coherent memory and mapped it, or mapped a table that
/// the exporter keeps, it now says what backs the buffer and leaves the mapping
/// to the core. An unmap_dma_buf() with nothing left to do is removed.
//# A callback that does more between allocating the table and returning it than
//# to fill and to map it is left alone. A loop that syncs what attachments have
//# mapped becomes &dma_buf_ops.sync_mappings. By hand remain: whoever else used the
//# mapped table, the exporter's own device for example, which also is a case for
//# DMA_ATTR_NO_BOUNCE; the table of an attachment that only the mapping needed; the
//# owner of coherent memory, where dma_get_sgtable() was given another device;
//# callers of a converted helper in other files; MODULE_IMPORT_NS("DMA_BUF"); and
//# the alignment of arguments.
///
// Confidence: Moderate
// Copyright: (C) 2026 Seed c4b6c32c maintainers
// Options: --no-includes --include-headers
// Keywords: dma_buf_ops, map_dma_buf, unmap_dma_buf, sg_table, dma_buf_list

virtual context
virtual patch
virtual report

@initialize:python@
@@

convert = set()

@old@
identifier ops, m;
@@

  struct dma_buf_ops ops = { .map_dma_buf = m, };

@returned@
identifier old.m;
position p;
@@

  struct sg_table *m@p(...) { ... }

@depends on context@
identifier old.m;
@@

* struct sg_table *m(...)
  { ... }

@script:python depends on report@
p << returned.p;
@@

coccilib.report.print_report(p[0], "WARNING: exporter returns an sg_table")

// A loop over the attachments around CPU accesses, and what says which are mapped
@begins@
identifier old.ops, b;
@@

  struct dma_buf_ops ops = { .begin_cpu_access = b, };

@ends@
identifier old.ops, e;
@@

  struct dma_buf_ops ops = { .end_cpu_access = e, };

@synced exists@
iterator name list_for_each_entry;
identifier begins.b, a, node, fld;
expression head;
@@

  b(...)
  {
    <+...
(
    list_for_each_entry(a, head, node) {
      if (!a->fld)
        continue;
      dma_sync_sgtable_for_cpu(...);
    }
|
    list_for_each_entry(a, head, node) {
      if (a->fld)
        dma_sync_sgtable_for_cpu(...);
    }
|
    list_for_each_entry(a, head, node)
      if (a->fld)
        dma_sync_sgtable_for_cpu(...);
)
    ...+>
  }

// What to convert: the callback, or the helper that it gets the table from. Other
// functions may make tables for other ends.
@script:python depends on patch@
@@

convert.clear()

@handed depends on patch@
identifier old.m, h;
@@

  struct sg_table *m(...)
  {
    ...
    return h(...);
  }

@script:python depends on patch && returned@
m << old.m;
@@

convert.add(str(m))

@script:python@
h << handed.h;
@@

convert.add(str(h))

// Whatever is called while the table is made must be about the table only.
@extra depends on patch exists@
identifier f : script:python() { str(f) in convert };
identifier sgt;
identifier other != {sg_alloc_table_from_pages, sg_alloc_table, sg_free_table,
		     sg_set_page, sg_next, for_each_sgtable_sg,
		     dma_get_sgtable, dma_get_sgtable_attrs, dma_map_sgtable,
		     kfree, ERR_PTR, PTR_ERR, dev_err, dev_dbg, pr_err, pr_debug,
		     unlikely};
position p;
@@

  struct sg_table *f@p(...)
  {
    ... when any
    sgt = \(kmalloc_obj\|kzalloc_obj\|kmalloc\|kzalloc\)(...)
    ... when any
    other(...)
    ... when any
  }

@stored depends on patch exists@
identifier f : script:python() { str(f) in convert };
identifier sgt, fld;
expression x, e;
position p;
@@

  struct sg_table *f@p(...)
  {
    ... when any
    sgt = \(kmalloc_obj\|kzalloc_obj\|kmalloc\|kzalloc\)(...)
    ... when any
    x->fld = e
    ... when any
  }

// Page by page: written as if sg_alloc_table_from_pages() had done it.
@loop depends on patch@
iterator name for_each_sgtable_sg;
identifier f : script:python() { str(f) in convert };
identifier sgt, sg, i;
expression array, n, gfp;
position p != {extra.p, stored.p};
@@

  struct sg_table *f@p(...)
  {
    ...
-   sg_alloc_table(sgt, n, gfp)
+   sg_alloc_table_from_pages(sgt, array, n, 0, n << PAGE_SHIFT, gfp)
    ...
(
-   sg = sgt->sgl;
-   for (i = 0; i < n; i++) {
-     sg_set_page(sg, array[i], PAGE_SIZE, 0);
-     sg = sg_next(sg);
-   }
|
-   for_each_sgtable_sg(sgt, sg, i)
-     sg_set_page(sg, array[i], PAGE_SIZE, 0);
)
    ...
    return sgt;
  }

@pages depends on patch@
identifier f : script:python() { str(f) in convert };
identifier sgt;
expression dev, array, n, size, gfp, dir, attrs;
position p != {extra.p, stored.p};
@@

  struct sg_table *f@p(...)
  {
    ...
    sgt = \(kmalloc_obj\|kzalloc_obj\|kmalloc\|kzalloc\)(...)
    ...
    sg_alloc_table_from_pages(sgt, array, n, 0, size, gfp)
    ...
    dma_map_sgtable(dev, sgt, dir, attrs)
    ...
    return sgt;
  }

@depends on patch@
identifier pages.f, pages.sgt;
expression pages.dev, pages.array, pages.n, pages.dir, pages.attrs;
position pages.p;
@@

- struct sg_table *
+ struct dma_buf_list *
  f@p(...)
  {
    ...
-   sgt = \(kmalloc_obj\|kzalloc_obj\|kmalloc\|kzalloc\)(...);
-   ...
+   return dma_buf_list_from_pages(dev, array, n, dir, attrs);
  }

@coherent depends on patch@
identifier f : script:python() { str(f) in convert };
identifier sgt;
expression dev, owner, cpu, dma, len, dir, attrs;
position p != {extra.p, stored.p};
@@

  struct sg_table *f@p(...)
  {
    ...
    sgt = \(kmalloc_obj\|kzalloc_obj\|kmalloc\|kzalloc\)(...)
    ...
    dma_get_sgtable(owner, sgt, cpu, dma, len)
    ...
    dma_map_sgtable(dev, sgt, dir, attrs)
    ...
    return sgt;
  }

@depends on patch@
identifier coherent.f, coherent.sgt;
expression coherent.dev, coherent.owner, coherent.cpu, coherent.dma, coherent.len, coherent.dir, coherent.attrs;
position coherent.p;
@@

- struct sg_table *
+ struct dma_buf_list *
  f@p(...)
  {
    ...
-   sgt = \(kmalloc_obj\|kzalloc_obj\|kmalloc\|kzalloc\)(...);
-   ...
+   return dma_buf_list_from_coherent(dev, owner, cpu, dma, len, dir, attrs);
  }

// An array of pages, or coherent memory where there is none
@either depends on patch@
identifier f : script:python() { str(f) in convert };
identifier sgt;
expression dev, c, array, n, size, gfp, owner, cpu, dma, len, dir, attrs;
position p != {extra.p, stored.p};
@@

  struct sg_table *f@p(...)
  {
    ...
    sgt = \(kmalloc_obj\|kzalloc_obj\|kmalloc\|kzalloc\)(...)
    ...
    if (c) {
      ...
      sg_alloc_table_from_pages(sgt, array, n, 0, size, gfp)
      ...
    } else {
      ...
      dma_get_sgtable(owner, sgt, cpu, dma, len)
      ...
    }
    ...
    dma_map_sgtable(dev, sgt, dir, attrs)
    ...
    return sgt;
  }

@depends on patch@
identifier either.f, either.sgt;
expression either.dev, either.owner, either.cpu, either.dma, either.len, either.dir, either.attrs;
position either.p;
@@

- struct sg_table *
+ struct dma_buf_list *
  f@p(...)
  {
    ...
-   sgt = \(kmalloc_obj\|kzalloc_obj\|kmalloc\|kzalloc\)(...);
-   ...
+   return dma_buf_list_from_coherent(dev, owner, cpu, dma, len, dir, attrs);
  }

@depends on patch@
identifier either.f;
expression either.c, either.dev, either.array, either.n, either.dir, either.attrs;
@@

  struct dma_buf_list *f(...)
  {
    ...
+   if (c)
+     return dma_buf_list_from_pages(dev, array, n, dir, attrs);
    return dma_buf_list_from_coherent(...);
  }

// A table that the exporter keeps: it is only read now.
@made depends on patch exists@
identifier f : script:python() { str(f) in convert };
identifier g;
expression sgt, dev, dir, attrs;
position p;
@@

  struct sg_table *f@p(...)
  {
    ... when any
    sgt = g(...)
    ... when any
    dma_map_sgtable(dev, sgt, dir, attrs)
    ... when any
  }

@depends on patch@
identifier f : script:python() { str(f) in convert };
expression sgt, dev, dir, attrs, ret, e;
position p != made.p;
@@

- struct sg_table *
+ struct dma_buf_list *
  f@p(...)
  {
    ...
(
-   ret = dma_map_sgtable(dev, sgt, dir, attrs);
-   if (ret)
-     return ERR_PTR(e);
-   return sgt;
|
-   ret = dma_map_sgtable(dev, sgt, dir, attrs);
-   if (ret)
-     sgt = ERR_PTR(e);
-   return sgt;
|
-   if (dma_map_sgtable(dev, sgt, dir, attrs))
-     return ERR_PTR(e);
-   return sgt;
)
+   return dma_buf_list_from_sgt(dev, sgt, dir, attrs);
  }

// The same, with a note that it is mapped, which only the loop reads
@depends on patch@
identifier old.m, synced.fld;
expression x, v, sgt, dev, dir, attrs, ret, e;
position p != made.p;
@@

- struct sg_table *
+ struct dma_buf_list *
  m@p(...)
  {
    ...
(
-   ret = dma_map_sgtable(dev, sgt, dir, attrs);
-   if (ret)
-     return ERR_PTR(e);
-   x->fld = v;
-   return sgt;
|
-   if (dma_map_sgtable(dev, sgt, dir, attrs))
-     return ERR_PTR(e);
-   x->fld = v;
-   return sgt;
)
+   return dma_buf_list_from_sgt(dev, sgt, dir, attrs);
  }

// A callback that hands on what a helper made, or that always refuses
@helper depends on patch@
identifier h;
@@

  struct dma_buf_list *h(...) { ... }

@depends on patch@
identifier old.m, helper.h;
@@

- struct sg_table *
+ struct dma_buf_list *
  m(...)
  {
    ...
    return h(...);
  }

@depends on patch@
identifier old.m;
expression e;
@@

- struct sg_table *
+ struct dma_buf_list *
  m(...)
  {
    return ERR_PTR(e);
  }

// It is mapped for the attachment, which helpers get in place of its device.
@for_helper depends on patch@
identifier f : script:python() { str(f) in convert };
identifier d;
@@

  struct dma_buf_list *f(...,
-			 struct device *d
+			 struct dma_buf_attachment *attach
			 , ...)
  {
    <...
(
    \(dma_buf_list_from_pages\|dma_buf_list_from_sgt\|dma_buf_list_from_coherent\)(
-     d
+     attach
      , ...)
|
-   d
+   attach->dev
)
    ...>
  }

@depends on patch@
identifier for_helper.f;
identifier its = {dev};
struct dma_buf_attachment *attach;
@@

  f(...,
-   attach->its
+   attach
    , ...)

@depends on patch@
identifier its = {dev};
struct dma_buf_attachment *attach;
@@

  \(dma_buf_list_from_pages\|dma_buf_list_from_sgt\|dma_buf_list_from_coherent\)(
-   attach->its
+   attach
    , ...)

// From here on only for those whose map_dma_buf() returns a list now
@done depends on patch && returned@
identifier m, attach, dir;
@@

  struct dma_buf_list *m(struct dma_buf_attachment *attach,
			 enum dma_data_direction dir) { ... }

@unmap@
identifier ops, done.m, u;
@@

  struct dma_buf_ops ops = { .map_dma_buf = m, .unmap_dma_buf = u, };

@put depends on unmap@
identifier h, sgt;
@@

  void h(..., struct sg_table *sgt, ...)
  {
    dma_unmap_sgtable(..., sgt, ...);
    sg_free_table(sgt);
    kfree(sgt);
  }

@depends on patch@
identifier unmap.u, put.h, attach, sgt, dir;
@@

  void u(struct dma_buf_attachment *attach, struct sg_table *sgt,
	 enum dma_data_direction dir)
  {
(
-   return h(...);
+   dma_unmap_sgtable(attach->dev, sgt, dir, 0);
|
-   h(...);
+   dma_unmap_sgtable(attach->dev, sgt, dir, 0);
)
  }

// The list knows if there is something to unmap.
@depends on patch@
identifier unmap.u, attach, sgt, dir;
expression c;
@@

  void u(struct dma_buf_attachment *attach, struct sg_table *sgt,
	 enum dma_data_direction dir)
  {
    <...
-   if (c)
      dma_unmap_sgtable(..., sgt, ...);
    ...>
  }

@depends on patch@
identifier unmap.u, synced.fld;
expression x, v;
@@

  void u(...)
  {
    <...
-   x->fld = v;
    ...>
  }

@depends on patch@
identifier unmap.u, attach, sgt, dir;
@@

  void u(struct dma_buf_attachment *attach,
-	 struct sg_table *sgt, enum dma_data_direction dir
+	 struct dma_buf_list *list
	 )
  {
    <...
(
-   WARN_ON(<+... sgt ...+>);
|
-   dma_unmap_sgtable(..., sgt, ...);
+   dma_buf_list_free(list);
|
-   sg_free_table(sgt);
|
-   kfree(sgt);
)
    ...>
  }

// Variables that were for the table only
@need depends on patch exists@
identifier f : script:python() { str(f) in convert };
identifier v;
type T;
position p;
@@

  struct dma_buf_list *f(...)
  {
    ... when any
    T v@p;
    ... when any
    v
    ... when any
  }

@depends on patch@
identifier f : script:python() { str(f) in convert };
identifier v;
type T;
position p != need.p;
@@

  struct dma_buf_list *f(...)
  {
    <...
-   T v@p;
    ...>
  }

@depends on patch@
identifier unmap.u, v, to =~ "^to_";
expression e;
type T;
@@

  void u(...)
  {
    ... when any
(
-   T v = to(e);
|
-   T v = e->priv;
)
    ... when != v
        when strict
  }

// One may have been needed for the other.
@depends on patch@
identifier unmap.u, v, to =~ "^to_";
expression e;
type T;
@@

  void u(...)
  {
    ... when any
(
-   T v = to(e);
|
-   T v = e->priv;
)
    ... when != v
        when strict
  }

// Nothing is left that the core does not do.
@empty@
identifier unmap.u, attach, list;
position p;
@@

  void u@p(struct dma_buf_attachment *attach, struct dma_buf_list *list)
  {
  }

@pure@
identifier unmap.u, attach, list;
position p;
@@

  void u@p(struct dma_buf_attachment *attach, struct dma_buf_list *list)
  {
    dma_buf_list_free(list);
  }

@script:python nop@
u << unmap.u;
p << empty.p;
g;
@@

coccinelle.g = u

@script:python gone@
u << unmap.u;
p << pure.p;
g;
@@

coccinelle.g = u

@depends on patch@
identifier ops, nop.g;
@@

  struct dma_buf_ops ops = {
-   .unmap_dma_buf = g,
  };

@depends on patch@
identifier nop.g;
@@

- void g(...) { ... }

@depends on patch@
identifier ops, gone.g;
@@

  struct dma_buf_ops ops = {
-   .unmap_dma_buf = g,
  };

@depends on patch@
identifier gone.g;
@@

- void g(...) { ... }

// The core syncs all that is mapped.
@depends on patch && done && synced@
identifier old.ops, begins.b;
@@

  struct dma_buf_ops ops = {
+   .sync_mappings = true,
    .begin_cpu_access = b,
  };

@depends on patch && done && synced@
iterator name list_for_each_entry;
identifier begins.b, synced.fld, a, node;
expression head;
@@

  b(...)
  {
    <...
(
-   list_for_each_entry(a, head, node) {
-     if (!a->fld)
-       continue;
-     dma_sync_sgtable_for_cpu(...);
-   }
|
-   list_for_each_entry(a, head, node) {
-     if (a->fld)
-       dma_sync_sgtable_for_cpu(...);
-   }
|
-   list_for_each_entry(a, head, node)
-     if (a->fld)
-       dma_sync_sgtable_for_cpu(...);
)
    ...>
  }

@depends on patch && done && synced@
iterator name list_for_each_entry;
identifier ends.e, synced.fld, a, node;
expression head;
@@

  e(...)
  {
    <...
(
-   list_for_each_entry(a, head, node) {
-     if (!a->fld)
-       continue;
-     dma_sync_sgtable_for_device(...);
-   }
|
-   list_for_each_entry(a, head, node) {
-     if (a->fld)
-       dma_sync_sgtable_for_device(...);
-   }
|
-   list_for_each_entry(a, head, node)
-     if (a->fld)
-       dma_sync_sgtable_for_device(...);
)
    ...>
  }

@depends on patch && done && synced@
identifier begins.b, v;
type T;
@@

  b(...)
  {
    ... when any
-   T v;
    ... when != v
        when strict
  }

@depends on patch && done && synced@
identifier ends.e, v;
type T;
@@

  e(...)
  {
    ... when any
-   T v;
    ... when != v
        when strict
  }

// What held the list of attachments in place held nothing else.
@begins_idle depends on done && synced@
identifier begins.b, v;
expression l, x;
type T;
position p;
@@

  int b@p(...)
  {
(
    return 0;
|
    mutex_lock(l);
    mutex_unlock(l);
    return 0;
|
    T v = x;
    mutex_lock(l);
    mutex_unlock(l);
    return 0;
)
  }

@ends_idle depends on done && synced@
identifier ends.e, v;
expression l, x;
type T;
position p;
@@

  int e@p(...)
  {
(
    return 0;
|
    mutex_lock(l);
    mutex_unlock(l);
    return 0;
|
    T v = x;
    mutex_lock(l);
    mutex_unlock(l);
    return 0;
)
  }

@script:python begins_gone@
b << begins.b;
p << begins_idle.p;
g;
@@

coccinelle.g = b

@script:python ends_gone@
e << ends.e;
p << ends_idle.p;
g;
@@

coccinelle.g = e

@depends on patch@
identifier ops, begins_gone.g;
@@

  struct dma_buf_ops ops = {
-   .begin_cpu_access = g,
  };

@depends on patch@
identifier begins_gone.g;
@@

- int g(...) { ... }

@depends on patch@
identifier ops, ends_gone.g;
@@

  struct dma_buf_ops ops = {
-   .end_cpu_access = g,
  };

@depends on patch@
identifier ends_gone.g;
@@

- int g(...) { ... }

// Say what is left to do.
@left depends on patch && returned@
identifier old.m;
@@

  struct sg_table *m(...) { ... }

@script:python depends on left@
m << old.m;
p << returned.p;
@@

print("// %s:%s: %s() is left alone, convert it by hand" % (p[0].file, p[0].line, m))
