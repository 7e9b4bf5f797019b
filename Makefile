# SPDX-License-Identifier: GPL-2.0
#: make TARGET [VARIABLE=value ...], or ./run where make is not installed
#:
#:   demo          real device-to-device DMA under QEMU, one table of results
#:   machines      the same on other machines: arm64, arm, powerpc, i386, Xen, bouncing
#:   test          all tests; the last line has the totals
#:   kunit importers kunit-qemu selftest matrix objects tools cocci rollout test-series    one part of them
#:   fuzz          FUZZ_SECONDS (600) of random buffers, hardware and failures
#:   prove         the storage of the list with cbmc, a model of the protocol with spin
#:   rust          the Rust bindings and tyr compile at each commit that touches them, in a Debian 13
#:   coverage      lines and branches of dma-buf that KUnit and guests reach, by gcov
#:   rdma          two RDMA devices made of software: bytes compared
#:   suites        tests of the kernel and of others, base against patched
#:   bench         the list against the sg_table, tables and plots in build/bench
#:   soak          races, unplugging and failing allocations for a quarter of an hour
#:   check-series  each posting on its own base: every commit builds, sparse, checkpatch, KUnit
#:
#:   tree          build/linux: base kernel plus one commit per patch
#:   series        build/series: a folder of mails for each posting, ready to send
#:   import        commits of build/linux back into patches/ and the new files
#:   setup         only install the packages
#:   clean         remove build/
#:
#:   LINUX=path    your own 7.3 tree, git checkout or tarball as the base (only read)
#:   CACHE=dir     base kernel and compiler cache (default ~/.cache/dma-buf-page-list)
#:   POSTING=names for series, check-series: only these, of patches/README.md
#:   FORMAT=opts   for series: options of git format-patch, such as "-v2 --rfc"
#:   SIGNOFF=who   for series: "Name <mail>" of the sender, for Signed-off-by
#:   FORCE=1       tree, import, clean: discard what is in the way
#:   JOBS=n        parallel compiles
#:   RDMA_BASE=1   for rdma: what registering memory costs, compared with the base
#:   MACHINE=names for machines: only these, of testbed/machines.table
#:   SUITES=names  for suites: only these, such as "iommufd sync"; i915 only if named
#:   IGT=dir       for suites: a built checkout of igt-gpu-tools, for one suite more
#:   SOAK_SECONDS=n SOAK_SEED=n    for soak: how long each machine takes (default 300), and which load

targets := demo machines test kunit importers kunit-qemu selftest matrix objects tools cocci rollout test-series soak fuzz prove coverage suites rdma rust bench check-series tree series import setup clean help

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: $(targets)
$(targets):
	@./run $@
