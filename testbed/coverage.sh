#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# coverage.sh [uml | guests | report] - what the tests reach of drivers/dma-buf and of
# how TTM exports: KUnit under UML, and on a kernel under QEMU, which has a PCI bus and
# the heaps, with the selftests, failing allocations and rows of the matrix. All three
# steps, or that one. See coverage.py.
# shellcheck source=testbed/lib.sh
. "$(dirname "$0")/lib.sh"
ccache_env
need gcov python3 qemu-system-x86_64 gcc cpio

out=$BUILD/coverage uml=$BUILD/coverage-uml
kernel=$BUILD/kernel-gcov tests=$TREE/tools/testing/selftests bin=$BUILD/coverage/guests
only=${1:-}
mkdir -p "$uml" "$bin" "$LOG"

# Nothing but the files of the report has counters: that of all others is in the cache.
# What is named CC_FLAGS_LTO is for the linker only, without LTO; UML's script for it does
# not have the section from which GCC wants the counters written at the end.
build_uml() {
	local options=(--make_options 'CC_FLAGS_LTO=--coverage -Wl,-fini=__gcov_exit') object
	while read -r object; do
		options+=(--make_options "CFLAGS_${object##*/}=$gcov_flags")
	done < <("$TOP/testbed/coverage.py" objects "$TREE")
	kunit_build "$TREE" "$uml" "${options[@]}"
}
gcov_flags='-fprofile-arcs -ftest-coverage -fno-tree-loop-im'

# At its end each adds to the counters that are there.
run_uml() {
	find "$uml" -name '*.gcda' -delete
	timeout 900 "$uml/linux" mem=700M console=tty kunit_shutdown=halt
	timeout 300 "$uml/linux" mem=128M console=tty kunit_shutdown=halt kunit.filter_glob=dma-buf-limits
}

if [ -z "$only" ] || [ "$only" = uml ]; then
	cd "$TREE" || die "no $TREE: run ./run tree"
	step "building UML with counters" "$LOG/coverage-uml-build.log" build_uml || exit
	step "KUnit with counters" "$LOG/coverage-uml.log" run_uml || exit
fi

# --- QEMU

# Of the kernel's own selftests those that run here in some minutes
build_guests() {
	local test
	"$TOP/testbed/kernel.sh" gcov || return
	for test in dmabuf-heaps/{p2p,p2p-test,p2p-fail-nth,p2p-soak,shown,sizes,bounce,dmabuf-heap} drivers/dma-buf/udmabuf; do
		gcc -O2 -static -Wall -isystem "$kernel/usr/include" -I"$tests" -o "$bin/${test##*/}" "$tests/$test.c" -lpthread || return
	done
	gcc -O2 -static -w -std=gnu89 -isystem "$kernel/usr/include" -I"$tests" -o "$bin/sync_test" "$tests"/sync/*.c -lpthread || return
	"$TOP/testbed/guest/mkinitramfs.sh" -b "$kernel" -o "$bin/initramfs.gz" \
		"$bin"/{p2p,p2p-test,p2p-fail-nth,p2p-soak,shown,sizes,bounce,dmabuf-heap,udmabuf,sync_test} \
		"$TOP"/testbed/guest/{exporters,vfio-iommufd,qxl-p2p,calls}.c "$TOP/tools/dma/lsdmabuf.c"
}

guest() {	# NAME IOMMU MEMORY OPTIONS ARGUMENTS COMMAND
	local options
	read -ra options <<<"$4"
	"$TOP/testbed/qemu.sh" -k "$kernel/arch/x86/boot/bzImage" -i "$bin/initramfs.gz" -s 3000 -t rootports \
		-m "$2" -g "$3" "${options[@]}" -a "kmemleak=off $5" -r "$6" -l "$LOG/coverage-$1.log" >/dev/null 2>&1
	echo $? >"$bin/$1.status"
}

# The longest first. What is traced are the names of fences, which nothing else asks for when they are new.
machines=("kunit|dma|1G||kunit.enable=1|true"
	  "nth|none|1G||dma_debug=off|p2p-fail-nth"
	  "samples|none|1G|-d ivshmem,qxl||p2p; p2p-test --move; qxl-p2p; qxl-p2p --unplug; lsdmabuf"
	  "iommu|dma|1G|-d ivshmem,virtio-gpu||p2p-test --move; exporters udmabuf system-heap cma-heap vgem vivid-contig; vfio-iommufd"
	  "heaps|none|1G||cma=64M|dmabuf-heap; shown; sizes; exporters cma-heap system-heap udmabuf"
	  "calls|none|1536M||cma=64M hugepages=2 dma_heap.mem_accounting=1|echo 1 > /sys/kernel/tracing/events/dma_fence/enable; calls"
	  "bounce|none|1G||swiotlb=force|bounce; p2p-test"
	  "sync|none|512M|||timeout 240 sync_test")

# Tests fail in other parts: here they only have to end.
take_guests() {
	local machine name
	rm -rf "$out/kernel"
	for machine in "${machines[@]}"; do
		name=${machine%%|*}
		"$TOP/testbed/coverage.py" take "$LOG/coverage-$name.log" "$out/kernel/$name" || return
	done
}

if [ -z "$only" ] || [ "$only" = guests ]; then
	step "building a kernel with counters" "$LOG/coverage-build.log" build_guests || exit
	step "tests in ${#machines[@]} machines, with counters" "$LOG/coverage.progress.log" boot_all
	step "taking the counters" "$LOG/coverage-take.log" take_guests || exit
fi

if [ -z "$only" ] || [ "$only" = report ]; then
	"$TOP/testbed/coverage.py" report "$TREE" "$uml=$uml" "$kernel=$out/kernel"
fi
