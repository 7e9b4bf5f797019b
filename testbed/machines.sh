#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# machines.sh [--table] - build the kernels of machines.table, boot the machines, and
# report to test.sh, which has time for some of them; with --table all or those that
# MACHINE="name ..." names, and one table for people.
# shellcheck source=testbed/lib.sh

set -eu
. "$(dirname "$0")/lib.sh"

# One kernel more than the other tests need, and of what is slow once is enough.
options=(--x86 debug arm64-4k arm64-4k-smmu arm64-swiotlb-bounce
	 arm64-noncoherent-{kunit,bounce,move,rootports,caches,caches-bar,caches-iova}
	 x86-swiotlb-{bounce,switch,rootports,move} x86-28bit-{bounce,beyond,beyond-bridge})
if [ "${1-}" = --table ]; then
	read -ra options <<<"${MACHINE-}"
	options=(--table "${options[@]}")
fi

# Xen is not installed, only unpacked: a machine that has the package boots it.
hypervisor() {
	local package dir=$CACHE/xen
	if [ ! -e "$dir/xen" ]; then
		package=$(apt-cache search --names-only '^xen-hypervisor-[0-9.]*-amd64$' | sort -V | tail -n 1 | cut -d' ' -f1)
		mkdir -p "$dir" && [ -n "$package" ] || return
		rm -rf "${dir:?}"/*
		(cd "$dir" && apt-get download "$package" && dpkg-deb -x ./*.deb .) || return
		gunzip -c "$dir"/boot/xen-*-amd64.gz >"$dir/xen.new" && mv "$dir/xen.new" "$dir/xen" || return
	fi
	install -m 644 -D "$dir/xen" "$BUILD/kernel-xen/arch/x86/boot/xen"
}

# See there why.
allow_bridge() {
	local out=$BUILD/kernel-$1
	ccache_env
	target "$1"
	make -s -C "$out" M="$TOP/testbed/allow-bridge" MO="$out/allow-bridge" "ARCH=$arch" "CROSS_COMPILE=$cross" LOCALVERSION= modules
}

# What QEMU has of its boards
device_trees() {
	local dts
	target "$1"
	for dts in "$TOP"/testbed/boards/*.dts; do
		cpp -nostdinc -undef -x assembler-with-cpp -I "$TREE/scripts/dtc/include-prefixes" "$dts" |
			dtc -q -I dts -O dtb -o "$(dirname "$BUILD/kernel-$1/$image")/$(basename "$dts" .dts).dtb" || return
	done
}

need python3 cpio dtc
kernels=$("$TOP/testbed/machines.py" --kernels "${options[@]}")
for kernel in $kernels; do
	"$TOP/testbed/kernel.sh" "$kernel"
	case $kernel in
	arm-boards) step "building device trees" "$LOG/boards.log" device_trees "$kernel" ;;
	arm64*)	step "building a module for $kernel" "$LOG/allow-bridge.log" allow_bridge "$kernel" ;;
	xen)	step "fetching the hypervisor" "$LOG/xen.log" hypervisor || options+=(--skip xen) ;;
	esac
done
exec "$TOP/testbed/machines.py" --jobs "$JOBS" "${options[@]}"
