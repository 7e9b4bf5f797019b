#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kernel.sh fast|debug - build the testbed's kernel from the patched tree
#
# Leaves arch/x86/boot/bzImage, the modules and usr/include in
# build/kernel-<name>.
# TREE and OUT name another tree and another place. Uses ccache if there is one.

set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(dirname "$here")
. "$here/lib.sh"

name=${1-}
fragments=("$here/config/fast.config")
case $name in
fast)	;;
debug)	fragments+=("$here/config/debug.config") ;;
*)	die "usage: kernel.sh fast|debug" ;;
esac

tree=$(realpath -m "${TREE:-$top/build/linux}")
out=$(realpath -m "${OUT:-$top/build/kernel-$name}")
[ -f "$tree/Kbuild" ] || die "no kernel tree in $tree: run 'make tree' first"
mkdir -p "$out"

# A fixed build stamp: equal sources give an equal kernel.
make=(make -s -C "$tree" "O=$out" "-j$(nproc)" ARCH=x86_64 LOCALVERSION=
      KBUILD_BUILD_TIMESTAMP=@0 KBUILD_BUILD_USER=testbed KBUILD_BUILD_HOST=testbed)
if command -v ccache >/dev/null; then
	export CCACHE_NOHASHDIR=1
	make+=("CC=ccache gcc")
fi

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
			echo "$sym is on, $name.config wants it off"
			return 1 ;;
		CONFIG_*)
			grep -qxF "$line" "$out/.config" && continue
			echo "$line did not survive Kconfig: a dependency is missing"
			return 1 ;;
		esac
	done < "$out/fragment"
}

step "kernel $name: configure" configure
step "kernel $name: compile" "${make[@]}" bzImage modules headers
