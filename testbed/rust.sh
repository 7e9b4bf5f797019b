#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# rust.sh [COMMIT...] - the Rust bindings, and tyr, which uses them, still compile
#
# Each commit of the series that touches them, or those given. The kernel wants a
# rustc and a bindgen that Debian 12 does not have, so it is built in a small Debian 13
# in the cache, which takes root and 3 GiB.
# shellcheck source=testbed/lib.sh
. "$(dirname "$0")/lib.sh"

debian=$CACHE/trixie-rust
dir=$BUILD/rust src=$dir/linux out=$dir/x86_64 done=$dir/done
packages=rustc,rust-src,rustfmt,bindgen,bc,bison,cpio,flex,gcc,kmod,libelf-dev,libssl-dev,make,perl,python3
gitenv
need git
git=(git -C "$TREE")
commits=("$@")
[ $# -gt 0 ] || mapfile -t commits < <("${git[@]}" rev-list --reverse base..HEAD -- rust '*.rs')
[ ${#commits[@]} -gt 0 ] || die "no commit touches Rust in $TREE"
if [ "$(id -u)" != 0 ]; then
	skip "Rust: root is needed to build in a Debian 13"
	totals
	exit
fi

unpack() {
	local mirror
	for mirror in $(mirrors); do
		rm -rf "$debian.new"
		debootstrap --variant=minbase --include="$packages" trixie "$debian.new" "$mirror" &&
			rm -rf "$debian.new/var/cache/apt/archives" && mv "$debian.new" "$debian" && return
	done
	return 1
}

# inside COMMAND: with the tree and the objects where they are outside
inside() {
	mkdir -p "$debian$src" "$debian$out"
	# shellcheck disable=SC2016
	SRC=$src OUT=$out DEBIAN=$debian unshare -m bash -c '
		mount --bind "$SRC" "$DEBIAN$SRC" && mount --bind "$OUT" "$DEBIAN$OUT" &&
		mount -t proc proc "$DEBIAN/proc" && exec chroot "$DEBIAN" env -i PATH=/usr/sbin:/usr/bin HOME=/tmp bash -c "$0"' "$1"
}

make="make -C $src O=$out ARCH=x86_64 LOCALVERSION= -j$JOBS"
configure() {
	inside "$make rustavailable && $make defconfig && $src/scripts/config --file $out/.config \
		-e RUST -e COMPILE_TEST -e COMMON_CLK -e OF -e REGULATOR -e PM -e DRM -m DRM_TYR -e KUNIT \
		-d DEBUG_INFO_BTF -d MODVERSIONS -e WERROR && $make olddefconfig" || return
	grep -q '^CONFIG_DRM_TYR=m' "$out/.config"
}

build() {	# COMMIT
	git -C "$src" checkout -q --detach "$1" -- && git -C "$src" reset -q --hard || return
	inside "$make olddefconfig prepare drivers/gpu/drm/tyr/"
}

space "$CACHE" 3
if [ ! -d "$debian" ]; then
	need debootstrap
	step "unpacking a Debian 13 with rustc and bindgen" "$LOG/rust-debian.log" unpack || exit
fi
worktree "$src"
mkdir -p "$out" "$done"
[ -e "$out/.config" ] || step "configuring for Rust" "$LOG/rust-config.log" configure || { rm -f "$out/.config"; exit 1; }
for commit in "${commits[@]}"; do
	key=$done/$("${git[@]}" rev-parse "$commit^{tree}") subject=$("${git[@]}" show -s --format=%s "$commit")
	[ -e "$key" ] || { step "Rust: $subject" "$LOG/rust.log" build "$commit" && : >"$key"; }
	if [ -e "$key" ]; then ok "Rust: $subject"; else not_ok "Rust: $subject: see $LOG/rust.log"; fi
done
totals
