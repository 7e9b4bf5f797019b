#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bench.sh - the page list against the sg_table, see drivers/dma-buf/st-dma-buf-bench.c
#
# Natively under UML, where time is real and noisy, and under QEMU with a clock
# that counts instructions, where it is neither: each boot is measured twice and
# has to repeat to the last digit. Leaves the raw output, the plots and the tables
# in build/bench; "bench.sh write" keeps them in testbed/bench and in the README.
# shellcheck source=testbed/lib.sh
. "$(dirname "$0")/lib.sh"

need python3 qemu-system-x86_64 gnuplot
ccache_env
out=$BUILD/bench um=$BUILD/bench-um kernel=$BUILD/kernel-bench
space "$BUILD" 4
mkdir -p "$out"

# build_um: kunit.py has no other way to add an option
build_um() {
	"$TREE/tools/testing/kunit/kunit.py" build --build_dir="$um" --jobs "$JOBS" \
		--kunitconfig="$TREE/drivers/dma-buf/.kunitconfig" --kconfig_add CONFIG_DMABUF_BENCH=y \
		--kconfig_add CONFIG_DMABUF_DEBUG=n --make_options CC="ccache gcc"
}

run_um() {
	timeout 600 "$um/linux" mem=4G console=tty kunit_shutdown=halt kunit.filter_glob=bench-dma-buf \
		"dmabuf_kunit.max_mib=${MAX_MIB:-65536}"
}

# run_qemu FILTER MIB ARGUMENT...: icount makes the guest's clock count
run_qemu() {
	local filter=$1 mib=$2
	shift 2
	timeout 900 qemu-system-x86_64 -accel tcg -icount shift=0,sleep=off -rtc base=2026-01-01T00:00:00,clock=vm \
		-seed 42 -cpu EPYC -smp 1 -m 2G -machine q35,kernel-irqchip=split -device intel-iommu,aw-bits=48 \
		-device edu -nodefaults -no-user-config -display none -no-reboot -serial stdio \
		-kernel "$kernel/arch/x86/boot/bzImage" -append "console=ttyS0 panic=-1 kunit_shutdown=reboot \
		kunit.filter_glob=bench-dma-buf.$filter dmabuf_kunit.max_mib=$mib dmabuf_kunit.rounds=1 $*" | tr -d '\r'
}

# instructions NAME TEXT FILTER MIB ARGUMENT...
instructions() {
	local name=$1 text=$2 i
	shift 2
	for i in 1 2; do
		step "counting instructions: $text, run $i of 2" "$out/$name.$i" run_qemu "$@" || :
		grep -a 'dma-buf-bench: \|not ok\|^ok' "$out/$name.$i" | sed 's/^\[[^]]*\] //' >"$out/$name.$i.txt"
	done
	if ! grep -q '^ok' "$out/$name.1.txt"; then
		not_ok "instructions $text: see $out/$name.1"
	elif cmp -s "$out/$name.1.txt" "$out/$name.2.txt"; then
		ok "instructions $text: two runs agree"
		mv "$out/$name.1.txt" "$out/$name.txt"
	else
		not_ok "instructions $text: $out/$name.1.txt and .2.txt differ"
	fi
}

step "building UML for the benchmark" "$LOG/bench-um.log" build_um || exit
"$TOP/testbed/kernel.sh" bench || exit
step "measuring under UML" "$out/uml" run_um || :
grep -a 'dma-buf-bench: \|not ok\|^ok' "$out/uml" >"$out/uml.txt"
if grep -q '^ok' "$out/uml.txt"; then ok "native time under UML"; else not_ok "native time under UML: see $out/uml"; fi
instructions direct "without an IOMMU" without_an_iommu 4096
instructions strict "behind an IOMMU, strict" behind_an_iommu 256 intel_iommu=on iommu.strict=1
instructions lazy "behind an IOMMU, lazy" behind_an_iommu 256 intel_iommu=on iommu.strict=0
python3 "$TOP/testbed/bench.py" "$out" || not_ok "bench.py fails"
totals
