// SPDX-License-Identifier: GPL-2.0-only
/// The page of a chunk is there only for those who were granted it: ask the
/// cursor with dma_buf_cursor_grant_pages(), and heed the answer. A range never
/// has a page, and an iterator that takes the list starts with a new cursor.
//# A chunk that is handed to another function is not followed there. Asking if
//# there is a page is fine.
///
// Confidence: Moderate
// Copyright: (C) 2026 Seed c4b6c32c maintainers
// Options: --no-includes --include-headers
// Keywords: dma_buf_chunk, dma_buf_cursor, dma_buf_cursor_grant_pages

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
iterator name dma_buf_list_for_each_chunk;
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
  dma_buf_list_for_each_chunk(c, cur, l) { ... when != c = e
    c.page@p
    ... when any
  }
|
  c = \(dma_buf_list_first_range\|dma_buf_list_first_chunk\)(cur, l)
  ... when != c = e
  c.page@p
|
  c = dma_buf_cursor_next_range(cur)
  ... when != c = e
  c.page@p
)

@ungranted exists@
iterator name dma_buf_cursor_for_each_chunk;
expression c, cur, e;
position p != asked.p;
@@

  \(dma_buf_cursor_init\|dma_buf_cursor_init_part\)(cur, ...)
  ... when != dma_buf_cursor_grant_pages(cur)
      when != dma_buf_cursor_show_pages(cur)
(
  dma_buf_cursor_for_each_chunk(c, cur) { ... when != c = e
    c.page@p
    ... when any
  }
|
  c = dma_buf_cursor_next_chunk(cur)
  ... when != c = e
      when != dma_buf_cursor_grant_pages(cur)
      when != dma_buf_cursor_show_pages(cur)
  c.page@p
)

@unheeded@
expression cur;
position p;
@@

  dma_buf_cursor_grant_pages@p(cur);

@depends on context@
position none.p;
expression c;
@@

* c.page@p

@depends on context@
position ungranted.p;
expression c;
@@

* c.page@p

@depends on context@
position unheeded.p;
expression cur;
@@

* dma_buf_cursor_grant_pages@p(cur);

@script:python depends on report@
p << none.p;
@@

coccilib.report.print_report(p[0], "ERROR: this never has a page")

@script:python depends on report@
p << ungranted.p;
@@

coccilib.report.print_report(p[0], "ERROR: page without dma_buf_cursor_grant_pages()")

@script:python depends on report@
p << unheeded.p;
@@

coccilib.report.print_report(p[0], "WARNING: the exporter may not have granted the pages")
