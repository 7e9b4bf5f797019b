#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Compile every exporter, every file that the series touches and the core, for
# those machines that no other test builds for: allmodconfig on x86_64 and on arm,
# which is also the 32 bit one, no PCI_P2PDMA, and no DMA at all. A warning in
# drivers/dma-buf is a failure, and so is what modpost would refuse.
# shellcheck source=testbed/lib.sh
. "$(dirname "$0")/lib.sh"

need python3 gcc arm-linux-gnueabihf-gcc
ccache_env
gitenv
space "$BUILD" 3
rollout=$TOP/testbed/rollout.py
core=drivers/dma-buf/

build() {	# NAME MAKE-ARGUMENT... -- GOAL...
	local out=$BUILD/objects-$1 args=()
	shift
	while [ "$1" != -- ]; do args+=("$1"); shift; done
	shift
	make -C "$TREE" "O=$out" "-j$JOBS" LOCALVERSION= "${args[@]}" "$@"
}

# configure NAME FIRST SYMBOLS MAKE-ARGUMENT...: FIRST is the goal to start from
configure() {
	local name=$1 first=$2 out=$BUILD/objects-$1 symbols
	read -ra symbols <<<"$3"
	shift 3
	mkdir -p "$out"
	build "$name" "$@" -- "$first" &&
		"$TREE/scripts/config" --file "$out/.config" "${symbols[@]}" &&
		build "$name" "$@" -- olddefconfig && build "$name" "$@" -- prepare
}

core_symbols="-e SYNC_FILE -e KUNIT -e DMABUF_KUNIT_TEST -e DEBUG_FS"

run() {		# TEXT NAME FIRST SYMBOLS MAKE-ARGUMENTS GOAL...
	local text=$1 name=$2 first=$3 symbols=$4 args log=$LOG/objects-$2.log
	read -ra args <<<"$5"
	shift 5
	step "configuring: $text" "$log" configure "$name" "$first" "$symbols" "${args[@]}" &&
		step "compiling: $text" "$log" build "$name" "${args[@]}" W=1 -k -- "$@" ||
		{ not_ok "compile: $text: see $log"; return; }
	if grep -aE "^(\.\./)*[^ ]*(drivers|include/linux)/dma-buf[^ ]*: warning:" "$log" >&2; then
		not_ok "compile: $text: warnings, see $log"
	else
		ok "compile: $text"
	fi
}

mapfile -t x86 < <({ "$rollout" objects x86_64; touched base..HEAD; } | sort -u)
# Kconfig has this one for ARM only, and its neighbour rcar_du_writeback.c for arm64.
mapfile -t arm < <("$rollout" objects arm; echo drivers/gpu/drm/renesas/rcar-du/rcar_du_vsp.o)
[ ${#x86[@]} -gt 0 ] && [ ${#arm[@]} -gt 0 ] || die "no exporters: see $rollout"
run "${#x86[@]} files on x86_64" x86_64 allmodconfig "${LEAN[*]}" "ARCH=x86_64" "${x86[@]}"
if "$TOP/testbed/symbols.py" "$TREE" "$BUILD/objects-x86_64" "${x86[@]}" >"$LOG/symbols.log" 2>&1; then
	ok "exports and namespaces: $(tail -n 1 "$LOG/symbols.log")"
else
	cat "$LOG/symbols.log" >&2
	not_ok "exports and namespaces: see $LOG/symbols.log"
fi
run "${#arm[@]} on arm, and the core for 32 bit" arm allmodconfig "${LEAN[*]}" \
	"ARCH=arm CROSS_COMPILE=arm-linux-gnueabihf-" "${arm[@]}" "$core"
run "the core without PCI_P2PDMA" no-p2pdma allnoconfig "-e 64BIT -e PCI -d PCI_P2PDMA $core_symbols" "ARCH=x86_64" "$core"
run "the core without DMA" no-dma defconfig "-d UML_PCI_OVER_VIRTIO -d VIRTIO_UML $core_symbols" "ARCH=um" "$core"
totals
