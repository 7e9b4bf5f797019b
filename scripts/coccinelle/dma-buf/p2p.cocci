// SPDX-License-Identifier: GPL-2.0-only
/// Who reaches whom is decided by the dma-buf core: an exporter names its
/// provider in &dma_buf_ops.peer2peer and maps with dma_buf_list_from_bar(). It
/// neither asks pci_p2pdma_distance() itself, nor maps the BAR for the importer
/// with dma_map_resource(), which ignores the PCI switch between the two. What is
/// behind no BAR, a carve-out, is mapped by dma_buf_list_from_phys().
//# What a device maps for itself is left alone: the device of the importer comes
//# with an attachment, or is an argument where a table or a list is made.
///
// Confidence: High
// Copyright: (C) 2026 Seed c4b6c32c maintainers
// Options: --no-includes --include-headers
// Keywords: dma_buf_ops, pci_p2pdma_distance, dma_map_resource, dma_map_phys

virtual context
virtual report

@exporter@
identifier ops;
@@

  struct dma_buf_ops ops = { ... };

@asks depends on exporter@
position p;
@@

  \(pci_p2pdma_distance@p\|pci_p2pdma_distance_many@p\|pci_p2pdma_map_type@p\)(...)

// In another file than the struct dma_buf_ops
@helper exists@
identifier f, attach;
type T;
position p != asks.p;
@@

  T f(..., struct dma_buf_attachment *attach, ...)
  {
    <+...
    \(pci_p2pdma_distance@p\|pci_p2pdma_distance_many@p\|pci_p2pdma_map_type@p\)(...)
    ...+>
  }

@attached exists@
identifier f, attach;
type T;
position p;
@@

  T f(..., struct dma_buf_attachment *attach, ...)
  {
    <+...
(
    dma_map_resource@p(...)
|
    dma_map_phys@p(..., <+... DMA_ATTR_MMIO ...+>)
)
    ...+>
  }

@handed depends on exporter exists@
identifier f, dev;
type T;
position p != attached.p;
@@

  T f(..., struct device *dev, ...)
  {
    <+...
(
    dma_map_resource@p(dev, ...)
|
    dma_map_phys@p(dev, ..., <+... DMA_ATTR_MMIO ...+>)
)
    ...+>
  }

// Again in another file
@returned exists@
identifier f, dev;
type T = { struct sg_table *, struct dma_buf_list * };
position p != { attached.p, handed.p };
@@

  T f(..., struct device *dev, ...)
  {
    <+...
(
    dma_map_resource@p(dev, ...)
|
    dma_map_phys@p(dev, ..., <+... DMA_ATTR_MMIO ...+>)
)
    ...+>
  }

@filled exists@
identifier f, dev, sgt;
type T;
position p != { attached.p, handed.p, returned.p };
@@

  T f(..., struct device *dev, ..., struct sg_table **sgt, ...)
  {
    <+...
(
    dma_map_resource@p(dev, ...)
|
    dma_map_phys@p(dev, ..., <+... DMA_ATTR_MMIO ...+>)
)
    ...+>
  }

@depends on context@
position asks.p;
identifier f;
@@

* f@p(...)

@depends on context@
position helper.p;
identifier f;
@@

* f@p(...)

@depends on context@
position attached.p;
identifier f;
@@

* f@p(...)

@depends on context@
position handed.p;
identifier f;
@@

* f@p(...)

@depends on context@
position returned.p;
identifier f;
@@

* f@p(...)

@depends on context@
position filled.p;
identifier f;
@@

* f@p(...)

@script:python depends on report@
p << asks.p;
@@

coccilib.report.print_report(p[0], "ERROR: the dma-buf core asks this, have dma_buf_ops.peer2peer()")

@script:python depends on report@
p << helper.p;
@@

coccilib.report.print_report(p[0], "ERROR: the dma-buf core asks this, have dma_buf_ops.peer2peer()")

@script:python depends on report@
p << attached.p;
@@

coccilib.report.print_report(p[0], "ERROR: the core maps this, a BAR by dma_buf_list_from_bar() and a carve-out by dma_buf_list_from_phys()")

@script:python depends on report@
p << handed.p;
@@

coccilib.report.print_report(p[0], "ERROR: the core maps this, a BAR by dma_buf_list_from_bar() and a carve-out by dma_buf_list_from_phys()")

@script:python depends on report@
p << returned.p;
@@

coccilib.report.print_report(p[0], "ERROR: the core maps this, a BAR by dma_buf_list_from_bar() and a carve-out by dma_buf_list_from_phys()")

@script:python depends on report@
p << filled.p;
@@

coccilib.report.print_report(p[0], "ERROR: the core maps this, a BAR by dma_buf_list_from_bar() and a carve-out by dma_buf_list_from_phys()")
