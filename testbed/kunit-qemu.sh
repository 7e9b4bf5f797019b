#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kunit-qemu.sh [fast|debug] - KUnit in a real kernel: what is built in runs at
# boot behind an IOMMU, on the debug kernel under everything that checks. Any
# report of the kernel counts as a failure.
# shellcheck source=testbed/lib.sh disable=SC2034

set -eu
. "$(dirname "$0")/lib.sh"

name=${1:-debug}
kernel=$BUILD/kernel-$name
log=$LOG/kunit-$name
need python3 qemu-system-x86_64 cpio
"$TOP/testbed/kernel.sh" "$name"
"$TOP/testbed/guest/mkinitramfs.sh" -b "$kernel" -o "$kernel/kunit.gz"

rc=0
step "KUnit on the $name kernel" "$log.qemu.log" "$TOP/testbed/qemu.sh" \
	-k "$kernel/arch/x86/boot/bzImage" -i "$kernel/kunit.gz" -n 2 -g 1G -s 900 \
	-t rootports -m dma -a kunit.enable=1 -l "$log.serial.log" || rc=$?

kunit_results "on the $name kernel" "$log.serial.log"
if [ "$rc" -eq 0 ]; then
	ok "the $name kernel had no complaint"
else
	not_ok "the $name kernel complained: $(sed -n 's/^testbed: verdict fail: //p' "$log.serial.log")"
fi
totals
