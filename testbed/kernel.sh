#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kernel.sh NAME [tree [out]] - build a kernel that QEMU boots: fast, debug, kcsan,
# gcov, bench, bench-base, arm64-bench, suites, i915, rdma, or that of another machine, see machines.table
#
# Leaves the image, the modules and usr/include in build/kernel-<name>.
# shellcheck source=testbed/lib.sh

set -eu
. "$(dirname "$0")/lib.sh"

name=${1-}
x86="common p2p cma x86"
case $name in
fast)	fragments="$x86 fast" ;;
debug|gcov) fragments="$x86 fast debug importers" ;;
kcsan)	fragments="$x86 fast kcsan" ;;
bench)	fragments="bench bench-x86 bench-kunit" ;;
bench-base) fragments="bench bench-x86" ;;
suites)	fragments="$x86 fast suites bpf" ;;
i915)	fragments="$x86 fast suites bpf i915" ;;
rdma)	fragments="rdma" ;;
arm64-bench) fragments="bench arm64-bench bench-kunit" ;;
arm64-4k) fragments="common p2p cma arm64 arm64-4k dma-debug" ;;
arm64-64k) fragments="common p2p cma arm64 arm64-64k" ;;
arm)	fragments="common cma arm dma-debug" ;;
arm-boards) fragments="common cma arm-boards dma-debug" ;;
ppc64)	fragments="common p2p ppc64 dma-debug" ;;
i386)	fragments="common cma x86 i386 dma-debug" ;;
i386-pae) fragments="common cma x86 i386-pae dma-debug" ;;
xen)	fragments="$x86 xen" ;;
limits)	fragments="$x86 limits dma-debug" ;;
*)	die "usage: kernel.sh NAME [tree [out]]" ;;
esac
target "$name"
read -ra fragments <<<"$fragments"
fragments=("${fragments[@]/#/$TOP/testbed/config/}")
fragments=("${fragments[@]/%/.config}")
tree=$(realpath -m "${2:-$TREE}")
out=$(realpath -m "${3:-$BUILD/kernel-$name}")
[ -f "$tree/Kbuild" ] || die "no kernel tree in $tree: run ./run tree first"

need make gcc bc bison flex "${cross}gcc"
space "$out" 2
make=(make -C "$tree" "O=$out" "-j$JOBS" "ARCH=$arch" "CROSS_COMPILE=$cross" LOCALVERSION=)
if command -v ccache >/dev/null; then
	ccache_env
	make+=("CC=ccache ${cross}gcc")
fi

# Watch nothing but what the series is about, and that closely: what all of the
# kernel does takes too long to meet a race in a few minutes of it.
if [ "$name" = kcsan ]; then
	make+=(KCSAN_SANITIZE=n)
	while read -r object; do
		make+=("KCSAN_SANITIZE_${object##*/}=y")
	done < <(gitenv; touched base..HEAD | grep -E '^(drivers/dma-buf|samples/dma-buf|drivers/gpu/drm/ttm)/')
fi

# The debug kernel with counters in nothing but what coverage.py reports. Kconfig is not
# asked: what it says changes every file, and so all others are those of the debug
# kernel, which are in the cache. KASAN has the constructors that this needs.
if [ "$name" = gcov ]; then
	make+=(CONFIG_GCOV_KERNEL=y)
	while read -r object; do
		make+=("GCOV_PROFILE_${object##*/}=y")
	done < <("$TOP/testbed/coverage.py" objects "$tree")
fi

# Two drivers of GPUs that QEMU has in part, see there.
if [ "$name" = debug ]; then
	for file in radeon/radeon.h:r100 vmwgfx/vmwgfx_drv.h:vmwgfx_drv; do
		make+=("CFLAGS_${file#*:}.o=-include $tree/drivers/gpu/drm/${file%:*} -include $TOP/testbed/gpus/${file#*:}.h")
	done
fi

# Kconfig drops what it cannot have without a word, so look.
configure()
{
	local line sym

	cat "${fragments[@]}" > "$out/fragment"
	# The series' own tests and samples are not in the base.
	[ "$name" != suites ] && [ "$name" != i915 ] || sed -i '/DMABUF_KUNIT_TEST/d; /SAMPLE_DMA_BUF_/d' "$out/fragment"
	"${make[@]}" "KCONFIG_ALLCONFIG=$out/fragment" allnoconfig || return
	while read -r line; do
		case $line in
		"# CONFIG_"*" is not set")
			sym=${line#\# }; sym=${sym%% *}
			! grep "^$sym=" "$out/.config" && continue
			echo "$sym is on, testbed/config wants it off"
			return 1 ;;
		CONFIG_*)
			grep -qxF "$line" "$out/.config" && continue
			echo "$line did not survive Kconfig: something it depends on is off"
			return 1 ;;
		esac
	done < "$out/fragment"
}

step "configuring the $name kernel" "$LOG/kernel-$name-config.log" configure
step "building the $name kernel" "$LOG/kernel-$name.log" "${make[@]}" "${image##*/}" modules headers
