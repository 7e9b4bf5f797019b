// SPDX-License-Identifier: GPL-2.0-only
/// A list belongs to the importer from dma_buf_list_map() to
/// dma_buf_list_unmap(): it has to be unmapped on error paths too, must not be
/// looked at afterwards, and no pointer to it may stay behind. A range of it may
/// have 4 GiB and more.
//# A list that is handed to a function on its way to an error counts as still
//# to be unmapped, unless it is that of a gem_prime_import_list hook, which keeps
//# it. Functions that unmap the list or keep it are not followed.
///
// Confidence: Moderate
// Copyright: (C) 2026 Seed c4b6c32c maintainers
// Options: --no-includes --include-headers
// Keywords: dma_buf_list_map, dma_buf_list_unmap, dma_buf_list_free

virtual context
virtual report

@gone@
expression l;
position p;
@@

(
  \(dma_buf_list_unmap@p\|dma_buf_list_unmap_unlocked@p\)(..., l)
|
  dma_buf_list_free@p(l)
)

// Comparing the pointer is not a look at the list.
@compared@
expression gone.l, e;
position p;
@@

(
  l@p == e
|
  l@p != e
|
  e == l@p
|
  e != l@p
|
  !l@p
)

// Whoever goes round a loop looks at the list of the next one.
@used exists@
iterator I;
statement S;
expression gone.l, s <= gone.l, e;
position gone.p, u != compared.p;
@@

(
  \(dma_buf_list_unmap@p\|dma_buf_list_unmap_unlocked@p\)(..., l)
|
  dma_buf_list_free@p(l)
)
  ...
(
  s = e;
|
  s = e
|
  s += e
|
  s -= e
|
  s++
|
  s--
|
  ++s
|
  --s
|
  &s
|
  l@u
|
  I(..., s, ...) S
)

// In a function that is called so, what has the pointer is on its way out.
@going@
identifier fn =~ "free|destroy";
expression x;
identifier fld;
position p;
@@

fn(...) { <...
(
  \(dma_buf_list_unmap@p\|dma_buf_list_unmap_unlocked@p\)(..., x->fld)
|
  dma_buf_list_free@p(x->fld)
)
...> }

// The struct that has the pointer outlives the call, and the pointer is as it was.
@kept exists@
expression x, e;
identifier fld, free =~ "free", put =~ "put", destroy =~ "destroy";
position p != going.p;
@@

(
  \(dma_buf_list_unmap@p\|dma_buf_list_unmap_unlocked@p\)(..., x->fld)
|
  dma_buf_list_free@p(x->fld)
)
  ... when != x->fld = e
      when != free(..., x)
      when != put(..., x)
      when != destroy(..., x)
      when != x = e
  return ...;

@leaked exists@
local idexpression struct dma_buf_list *l;
expression x, e;
identifier import =~ "_import_list$";
position p, r;
statement S;
@@

  l = \(dma_buf_list_map@p\|dma_buf_list_map_unlocked@p\)(...)
  ... when != e = l
(
  if (\(IS_ERR\|IS_ERR_OR_NULL\)(l)) S
|
  if (unlikely(\(IS_ERR\|IS_ERR_OR_NULL\)(l))) S
)
  ... when != \(dma_buf_list_unmap\|dma_buf_list_unmap_unlocked\)(..., l)
      when != if (...) { ... \(dma_buf_list_unmap\|dma_buf_list_unmap_unlocked\)(..., l) ... }
      when != import(..., l)
      when != x = l
      when != l = x
(
  return l;
|
  return@r ...;
)

// The length of a range, or of all of them, where there is no room for it
@narrow@
typedef u32, __u32, uint32_t, s32;
{int, unsigned int, unsigned, u32, __u32, uint32_t, s32} len;
struct dma_buf_chunk c;
assignment operator op;
expression l;
type T;
position p;
@@

(
  len@p op c.npages << PAGE_SHIFT
|
  len@p op (T)c.npages << PAGE_SHIFT
|
  len@p op c.npages * PAGE_SIZE
|
  len@p op (T)c.npages * PAGE_SIZE
|
  len@p op PFN_PHYS(c.npages)
|
  len@p op dma_buf_list_npages(l) << PAGE_SHIFT
|
  len@p op (T)dma_buf_list_npages(l) << PAGE_SHIFT
|
  len@p op dma_buf_list_npages(l) * PAGE_SIZE
|
  len@p op PFN_PHYS(dma_buf_list_npages(l))
)

@depends on context@
position used.u;
expression gone.l;
@@

* l@u

@depends on context@
position kept.p;
identifier f;
@@

* f@p(...)

@depends on context@
position leaked.p, leaked.r;
identifier f;
expression l;
@@

* l = f@p(...)
  ... when any
* return@r ...;

@depends on context@
position narrow.p;
expression len;
@@

* len@p

@depends on context@
position narrow.p;
identifier v;
expression e;
type N;
@@

* N v@p = e;

@script:python depends on report@
p << narrow.p;
@@

coccilib.report.print_report(p[0], "ERROR: a range may have 4 GiB and more")

@script:python depends on report@
p << gone.p;
u << used.u;
@@

coccilib.report.print_report(u[0], "ERROR: list used after it was unmapped on line %s" % p[0].line)

@script:python depends on report@
p << kept.p;
@@

coccilib.report.print_report(p[0], "ERROR: pointer to the list kept past its unmap")

@script:python depends on report@
p << leaked.p;
r << leaked.r;
@@

coccilib.report.print_report(r[0], "ERROR: list mapped on line %s is not unmapped" % p[0].line)
