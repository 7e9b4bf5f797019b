#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bench.sh - the page list against the sg_table, see drivers/dma-buf/st-dma-buf-bench.c
#
# Natively under UML, where time is real and noisy, and under QEMU with a clock
# that counts instructions, where it is neither: each boot is measured twice and
# has to repeat to the last digit. Real exporters are measured on the base and on
# the patched kernel, from the side of their importer. Behind an IOMMU there are two
# peers: the sg_table of the base, for which a patched kernel maps scatterlists as the
# base does, and one that is mapped in batches like the list. The VT-d that QEMU has
# cannot see the caches when it walks its page table, so that each change is flushed,
# and its AMD IOMMU can. Leaves the raw output, the
# plots and the tables in build/bench; "bench.py build/bench write" keeps them in
# testbed/bench and in testbed/BENCH.md.
# shellcheck source=testbed/lib.sh
. "$(dirname "$0")/lib.sh"

need python3 qemu-system-x86_64 qemu-system-aarch64 fdtput gnuplot
ccache_env
out=$BUILD/bench um=$BUILD/bench-um kernel=$BUILD/kernel-bench base=$BUILD/bench-base
arm64=$BUILD/kernel-arm64-bench
single=$BUILD/bench-single
gitenv
space "$BUILD" 4
mkdir -p "$out"

# build_um: kunit.py has no other way to add an option
build_um() {
	"$TREE/tools/testing/kunit/kunit.py" build --build_dir="$um" --jobs "$JOBS" \
		--kunitconfig="$TREE/drivers/dma-buf/.kunitconfig" --kconfig_add CONFIG_DMABUF_BENCH=y \
		--kconfig_add CONFIG_DMABUF_DEBUG=n --kconfig_add CONFIG_DMABUF_KUNIT_TEST=n --make_options CC="ccache gcc"
}

run_um() {
	timeout 600 "$um/linux" mem=4G console=tty kunit_shutdown=halt kunit.filter_glob=bench-dma-buf \
		"dmabuf_bench.max_mib=${MAX_MIB:-65536}"
}

# The patch that reverted makes the sg_table that of the base
batches="iommu: Map a scatterlist in batches"

worktree_single() {
	local hash
	hash=$(git -C "$TREE" log --format=%H --fixed-strings --grep="$batches" base..HEAD)
	[ -n "$hash" ] || die "no patch \"$batches\" in $TREE"
	if [ ! -e "$single/.git" ]; then
		git -C "$TREE" worktree prune
		git -C "$TREE" worktree add -q --detach "$single" HEAD || die "cannot make a worktree in $single"
	fi
	git -C "$single" checkout -q --force --detach "$(git -C "$TREE" rev-parse HEAD)" ||
		die "cannot check out the series in $single"
	git -C "$single" revert --no-commit "$hash" || die "cannot revert \"$batches\""
}

# qemu KERNEL APPEND [ARGUMENT...]: icount makes the guest's clock count
iommu=intel-iommu,aw-bits=48
qemu() {
	local kernel=$1 append=$2
	shift 2
	timeout 900 qemu-system-x86_64 -accel tcg -icount shift=0,sleep=off -rtc base=2026-01-01T00:00:00,clock=vm \
		-seed 42 -cpu EPYC -smp 1 -m 2G -machine q35,kernel-irqchip=split -device "$iommu" \
		-nodefaults -no-user-config -display none -no-reboot -serial stdio \
		-kernel "$kernel/arch/x86/boot/bzImage" -append "console=ttyS0 panic=-1 $append" "$@" </dev/null | tr -d '\r'
}

kunit() {	# FILTER MIB ARGUMENT...
	qemu "${with:-$kernel}" "kunit.enable=1 kunit.autorun=1 kunit_shutdown=reboot kunit.filter_glob=$1 dmabuf_bench.max_mib=$2 dmabuf_bench.rounds=3 ${*:3}" \
		-device edu
}

# SMMU is none or smmuv3, COHERENT y or n; there are no caches in QEMU.
arm64() {	# FILTER MIB SMMU COHERENT ARGUMENT...
	local dtb qemu append="console=ttyAMA0 panic=-1"
	append+=" kunit.enable=1 kunit.autorun=1 kunit_shutdown=reboot kunit.filter_glob=$1 dmabuf_bench.max_mib=$2"
	append+=" dmabuf_bench.rounds=3 dmabuf_bench.no_caches=1 ${*:5}"
	qemu=(timeout 900 qemu-system-aarch64 -accel tcg -icount "shift=0,sleep=off" -rtc "base=2026-01-01T00:00:00,clock=vm"
		-seed 42 -cpu "cortex-a57,cntfrq=1000000000" -smp 1 -m 2G -nodefaults -no-user-config -display none -no-reboot
		-serial stdio)
	if [ "$4" = n ]; then
		dtb=$(mktemp --suffix=.dtb)
		"${qemu[@]}" -machine "virt,iommu=$3,dumpdtb=$dtb" && fdtput -d "$dtb" /pcie@10000000 dma-coherent || return
		qemu+=(-dtb "$dtb")
	fi
	"${qemu[@]}" -machine "virt,iommu=$3" -device edu -kernel "$arm64/arch/arm64/boot/Image" -append "$append" </dev/null |
		tr -d '\r'
	[ "$4" = y ] || rm "$dtb"
}

# 64 devices behind two switches
attach() {
	local ports=() i bus
	for bus in 0 1; do
		ports+=(-device "pcie-root-port,id=rp$bus,chassis=$((bus + 1)),slot=$((bus + 1)),addr=$((bus + 4)).0"
			-device "x3130-upstream,id=up$bus,bus=rp$bus")
	done
	for i in {0..63}; do
		bus=$((i / 32))
		ports+=(-device "xio3130-downstream,id=port$i,bus=up$bus,chassis=$((i + 10)),slot=$i,addr=$(printf %x.0 $((i % 32)))"
			-device "edu,bus=port$i")
	done
	qemu "$kernel" "kunit.enable=1 kunit.autorun=1 kunit_shutdown=reboot kunit.filter_glob=bench-dma-buf-attach" "${ports[@]}"
}

exporters() {	# KERNEL
	qemu "$1" "hugepages=64 cma=96M udmabuf.list_limit=65536 ${*:2} run=\"insmod /lib/bench-import.ko && bench-exporters\"" \
		-device edu -initrd "$1/bench.cpio.gz"
}

# An importer for what both kernels export
build_exporters() {	# KERNEL
	make -s -C "$1" M="$TOP/testbed/bench-import" MO="$1/bench-import" ARCH=x86_64 LOCALVERSION= modules &&
		"$TOP/testbed/guest/mkinitramfs.sh" -b "$1" -o "$1/bench.cpio.gz" "$1/bench-import/bench-import.ko" \
			"$TOP/testbed/guest/bench-exporters.c"
}

# Two at a time: how long it takes is no matter to a clock that counts.
twice() {	# NAME COMMAND...
	local name=$1 i
	shift
	for i in 1 2; do
		"$@" >"$out/$name.$i" 2>&1 &
	done
	wait
}

# instructions NAME TEXT COMMAND...
instructions() {
	local name=$1 text=$2 i
	shift 2
	step "counting instructions: $text, two runs" "$LOG/bench-$name.log" twice "$name" "$@" || :
	for i in 1 2; do
		grep -aoE 'dma-buf-bench: .*|not ok.*|ok .*|testbed: verdict .*|DMAR: dmar[0-9]: .*|AMD-Vi: Found.*' "$out/$name.$i" >"$out/$name.$i.txt"
	done
	if grep -qE '^not ok|verdict fail' "$out/$name.1.txt" || ! grep -qE '^ok|verdict pass' "$out/$name.1.txt"; then
		not_ok "instructions $text: see $out/$name.1"
	elif cmp -s "$out/$name.1.txt" "$out/$name.2.txt"; then
		ok "instructions $text: two runs agree"
		mv "$out/$name.1.txt" "$out/$name.txt"
		rm "$out/$name.2.txt"
	else
		not_ok "instructions $text: $out/$name.1.txt and .2.txt differ"
	fi
}

step "building UML for the benchmark" "$LOG/bench-um.log" build_um || exit
"$TOP/testbed/kernel.sh" bench || exit
"$TOP/testbed/kernel.sh" arm64-bench || exit
worktree_single
"$TOP/testbed/kernel.sh" bench "$single" "$kernel-single" || exit
worktree "$base"
"$TOP/testbed/kernel.sh" bench-base "$base" || exit
for k in "$kernel" "$kernel-base"; do
	step "building an importer for ${k##*/}" "$LOG/bench-import.log" build_exporters "$k" || exit
done
step "measuring under UML" "$out/uml" run_um || :
grep -a 'dma-buf-bench: \|not ok\|^ok' "$out/uml" >"$out/uml.txt"
if grep -q '^ok' "$out/uml.txt"; then ok "native time under UML"; else not_ok "native time under UML: see $out/uml"; fi
instructions direct "without an IOMMU" kunit bench-dma-buf.without_an_iommu 4096
strict=(kunit bench-dma-buf.behind_an_iommu 256 intel_iommu=on iommu.strict=1)
instructions strict "behind VT-d, strict" "${strict[@]}"
with=$kernel-single instructions strict-single "the same, sg_table of the base" "${strict[@]}"
iommu=amd-iommu,intremap=off instructions amd "behind an AMD IOMMU, strict" "${strict[@]}"
with=$kernel-single iommu=amd-iommu,intremap=off instructions amd-single "the same, sg_table of the base" "${strict[@]}"
# With larger ones the guest gets stuck in its console once the queue of flushes is in use.
instructions lazy "behind an IOMMU, lazy" kunit bench-dma-buf.behind_an_iommu 2 intel_iommu=on iommu.strict=0
instructions arm64 "arm64 without an IOMMU" arm64 bench-dma-buf.without_an_iommu 256 none y
instructions arm64-noncoherent "the same, not coherent" arm64 bench-dma-buf.without_an_iommu 256 none n
instructions arm64-smmu "arm64 behind an SMMU, strict" arm64 bench-dma-buf.behind_an_iommu 256 smmuv3 y iommu.strict=1
instructions arm64-smmu-noncoherent "the same, not coherent" arm64 bench-dma-buf.behind_an_iommu 256 smmuv3 n iommu.strict=1
instructions attach "attaching 2 to 64 devices" attach
instructions before "exporters of the base" exporters "$kernel-base"
instructions after "the same exporters, patched" exporters "$kernel"
python3 "$TOP/testbed/bench.py" "$out" || not_ok "bench.py fails"
totals
