#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# soak.sh [name ...] - everything at once on the debug kernel, with and without an
# IOMMU, and every allocation made to fail once; of these machines all or those
# named. SOAK_SECONDS=n is how long each takes, SOAK_SEED=n what is tried.
# SOAK_KERNEL=kcsan looks for data races instead. SOAK_KERNEL=fast has no dma-debug,
# so that nothing is mapped which need not be. Allocations fail on neither.
# shellcheck source=testbed/lib.sh
. "$(dirname "$0")/lib.sh"

name=${SOAK_KERNEL:-debug}
kernel=$BUILD/kernel-$name
tests=$TREE/tools/testing/selftests
seconds=${SOAK_SECONDS:-40}
seed=${SOAK_SEED:-$((RANDOM * 32768 + RANDOM))}
need qemu-system-x86_64 gcc cpio
"$TOP/testbed/kernel.sh" "$name" || exit

bin=$BUILD/soak
mkdir -p "$bin"
for test in p2p-soak p2p-fail-nth; do
	gcc -O2 -static -Wall -isystem "$kernel/usr/include" -I"$tests" -o "$bin/$test" \
		"$tests/dmabuf-heaps/$test.c" -lpthread || die "cannot compile $test.c"
done
"$TOP/testbed/guest/mkinitramfs.sh" -b "$kernel" -o "$bin/initramfs.gz" "$bin"/{p2p-soak,p2p-fail-nth} ||
	die "cannot make an initramfs"

# Two exporters with little memory, so that what one buffer leaves is soon used by
# another, and four importers: a DMA of this device takes a tenth of a second.
more=
for n in 1 2 3; do
	more+=" -device pcie-root-port,id=more$n,chassis=1$n,slot=1$n,addr=1$n.0"
	more+=" -device edu,bus=more$n,dma_mask=0xffffffffffffffff"
done

guest() {	# NAME IOMMU VRAM SECONDS COMMAND
	local args=slab_debug=U,iommu_iova parallel=-p

	case $1 in
	# It turns itself off where one of its own allocations is made to fail.
	nth-*)		args+=" dma_debug=off" ;;
	# See qemu.sh on what an emulated CPU must not do while another unplugs.
	unplug-*)	parallel= ;;
	esac
	"$TOP/testbed/qemu.sh" -k "$kernel/arch/x86/boot/bzImage" -i "$bin/initramfs.gz" -n 3 $parallel -g 1G \
		-t rootports -c EPYC -m "$2" -v "$3" -q "$more" -s "$4" -r "$5" \
		-a "$args" -l "$LOG/soak-$1.log" >/dev/null 2>&1
	echo $? >"$bin/$1.status"
}

# Slow machines run late, never shorter.
limit=$((seconds * 2 + 600))
machines=("none|none|128K,256K|$limit|p2p-soak -u $seconds $seed"
	  "iommu|dma|128K,256K|$limit|p2p-soak -u $seconds $((seed + 1))")
# Threads that take turns show KCSAN nothing.
[ "$name" = kcsan ] ||
	machines+=("unplug-none|none|128K,256K|$limit|p2p-soak $seconds $((seed + 2))"
		   "unplug-iommu|dma|128K,256K|$limit|p2p-soak $seconds $((seed + 3))")
[ "$name" != debug ] ||
	machines+=("nth-none|none|16M|1500|p2p-fail-nth" "nth-iommu|dma|16M|1500|p2p-fail-nth")
if [ $# -gt 0 ]; then
	for n in "${!machines[@]}"; do
		case " $* " in *" ${machines[n]%%|*} "*) ;; *) unset "machines[n]" ;; esac
	done
fi

echo "# soak: $seconds s, seed $seed: the same load again with SOAK_SEED=$seed"
mkdir -p "$LOG"
step "soak in ${#machines[@]} machines, $seconds s" "$LOG/soak.progress.log" boot_all
report soak '^# (operation|races|WRONG|seed|points:|[0-9]+ (dma-buf|byte|DMA))'
totals
