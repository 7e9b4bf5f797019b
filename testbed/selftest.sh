#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The kselftests of the patched tree, on the debug kernel: the samples in three
# machines, and what the kernel has already for heaps and udmabuf.
# shellcheck source=testbed/lib.sh
. "$(dirname "$0")/lib.sh"

kernel=$BUILD/kernel-debug
tests=$TREE/tools/testing/selftests
need qemu-system-x86_64 gcc cpio
"$TOP/testbed/kernel.sh" debug || exit

bin=$BUILD/selftests
mkdir -p "$bin"
for test in dmabuf-heaps/p2p dmabuf-heaps/shown dmabuf-heaps/sizes dmabuf-heaps/dmabuf-heap drivers/dma-buf/udmabuf; do
	gcc -O2 -static -Wall -isystem "$kernel/usr/include" -I"$tests" \
		-o "$bin/${test##*/}" "$tests/$test.c" || die "cannot compile $test.c"
done
"$TOP/testbed/guest/mkinitramfs.sh" -b "$kernel" -o "$bin/initramfs.gz" "$bin"/{p2p,shown,sizes,dmabuf-heap,udmabuf} ||
	die "cannot make an initramfs"

guest() {	# NAME TOPOLOGY CPU IOMMU COMMAND MEMORY HUGEPAGES
	"$TOP/testbed/qemu.sh" -k "$kernel/arch/x86/boot/bzImage" -i "$bin/initramfs.gz" -n 2 -g "$6" -s 400 \
		-t "$2" -c "$3" -m "$4" -r "$5" -a "hugepages=$7 cma=128M" -l "$LOG/selftest-$1.log" >/dev/null 2>&1
	echo $? >"$bin/$1.status"
}

# The test of udmabuf wants 4 GiB of huge pages.
# The test of udmabuf wants 4 GiB of huge pages.
machines=("switch|switch|EPYC|none|p2p|1G|0"
	  "iommu|rootports|EPYC|dma|p2p|1G|0"
	  "refused|rootports|Skylake-Server|none|p2p|1G|0"
	  "heaps|flat|EPYC|none|dmabuf-heap|1G|0"
	  "shown|flat|EPYC|none|shown|1G|0"
	  "sizes|flat|EPYC|none|sizes|1G|0"
	  "udmabuf|flat|EPYC|none|udmabuf|6G|2048")
step "selftests in ${#machines[@]} machines" "$LOG/selftest.progress.log" boot_all
report selftest
totals
