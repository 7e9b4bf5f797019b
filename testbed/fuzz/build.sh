#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# build.sh OUTPUT-DIRECTORY 64|64k|32|headers [FLAG...]: the fuzzer, as
# OUTPUT-DIRECTORY/fuzz, of a kernel that has 64 bit, 64 bit and pages of 64 KiB, or
# 32 bit and more memory than these reach; or only the headers
#
# Every <linux/...> and <kunit/...> that the sources include and this repository
# does not have becomes a file that includes shim.h. Coverage is counted in the
# code that is tested, not in what tests it.
set -eu
SRC=$(cd "$(dirname "$0")" && pwd) TOP=$(cd "$(dirname "$0")/../.." && pwd)
DRIVER=$TOP/drivers/dma-buf OUT=$1 VARIANT=$2
shift 2

link=()
case $VARIANT in
64 | headers) ;;
64k) set -- -DPAGE_SHIFT=16 "$@" ;;
32) # libFuzzer is C++, but there need not be a compiler for that.
	set -- --target=i686-linux-gnu "$@"
	link=(-nostdlib++ -l:libstdc++.so.6 -Xlinker -rpath -Xlinker /usr/i686-linux-gnu/lib
	      -Xlinker -dynamic-linker -Xlinker /usr/i686-linux-gnu/lib/ld-linux.so.2) ;;
*) echo "no such variant: $VARIANT" >&2; exit 2 ;;
esac

# The kernel adds to a NULL pointer what is zero, and overflows are for ASan to
# see when somebody reads there.
flags=(-g -O1 -std=gnu11 -Wall -Werror -fno-omit-frame-pointer
       -fsanitize=address -fsanitize=undefined -fno-sanitize=pointer-overflow -fno-sanitize-recover=all
       -I"$OUT/include" -I"$TOP/include" -I"$DRIVER" -I"$SRC" "$@")
sources=("$DRIVER"/dma-buf-{from,iommu,list,map,sgt,unmap,walk}.c)

rm -rf "$OUT/include"
grep -hoE '#include <(linux|kunit)/[^>]*>' "${sources[@]}" "$DRIVER/dma-buf-internal.h" \
	"$TOP"/include/linux/dma-buf-{map,p2p}.h | sed 's/.*<//; s/>//' | sort -u |
while read -r header; do
	[ ! -e "$TOP/include/$header" ] || continue
	mkdir -p "$OUT/include/${header%/*}"
	echo '#include "shim.h"' >"$OUT/include/$header"
done

# This one the kernel has, and a patch adds the numbers that the sources need.
uapi=$TOP/build/linux/include/uapi/linux/dma-buf.h
[ -e "$uapi" ] || { echo "no $uapi: run ./run tree first" >&2; exit 1; }
mkdir -p "$OUT/include/uapi/linux"
{ echo '#pragma once'; sed -n '/^enum /,/^};/p' "$uapi"; } >"$OUT/include/uapi/linux/dma-buf.h"

[ "$VARIANT" != headers ] || exit 0

objects=()
for source in "${sources[@]}" "$SRC"/*.c; do
	object=$OUT/$(basename "$source" .c).o
	case $source in
	"$DRIVER"/* | */cursor.c) coverage=(-fsanitize=fuzzer-no-link -fno-sanitize-coverage=trace-cmp) ;;
	*) coverage=() ;;
	esac
	clang "${flags[@]}" "${coverage[@]}" -c -o "$object" "$source"
	objects+=("$object")
done
clang "${flags[@]}" -fsanitize=fuzzer -o "$OUT/fuzz" "${objects[@]}" "${link[@]}"
