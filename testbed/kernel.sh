#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kernel.sh fast|debug|kcsan|bench|bench-base [tree [out]] - build the kernel that QEMU boots
#
# Leaves arch/x86/boot/bzImage, the modules and usr/include in
# build/kernel-<name>.
# shellcheck source=testbed/lib.sh

set -eu
. "$(dirname "$0")/lib.sh"

config=$TOP/testbed/config
name=${1-}
case $name in
fast)	fragments=("$config/fast.config") ;;
debug)	fragments=("$config/fast.config" "$config/debug.config") ;;
kcsan)	fragments=("$config/fast.config" "$config/kcsan.config") ;;
bench)	fragments=("$config/bench.config" "$config/bench-kunit.config") ;;
bench-base) fragments=("$config/bench.config") ;;
*)	die "usage: kernel.sh fast|debug|kcsan|bench|bench-base [tree [out]]" ;;
esac
tree=$(realpath -m "${2:-$TREE}")
out=$(realpath -m "${3:-$BUILD/kernel-$name}")
[ -f "$tree/Kbuild" ] || die "no kernel tree in $tree: run ./run tree first"

need make gcc bc bison flex
space "$out" 2
make=(make -C "$tree" "O=$out" "-j$JOBS" ARCH=x86_64 LOCALVERSION=)
if command -v ccache >/dev/null; then
	ccache_env
	make+=("CC=ccache gcc")
fi

# Watch nothing but what the series is about, and that closely: what all of the
# kernel does takes too long to meet a race in a few minutes of it.
if [ "$name" = kcsan ]; then
	make+=(KCSAN_SANITIZE=n)
	while read -r object; do
		make+=("KCSAN_SANITIZE_${object##*/}=y")
	done < <(gitenv; touched base..HEAD | grep -E '^(drivers/dma-buf|samples/dma-buf|drivers/gpu/drm/ttm)/')
fi

# Kconfig drops what it cannot have without a word, so look.
configure()
{
	local line sym

	cat "${fragments[@]}" > "$out/fragment"
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
step "building the $name kernel" "$LOG/kernel-$name.log" "${make[@]}" bzImage modules headers
