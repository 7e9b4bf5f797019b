#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# mkinitramfs.sh -o out.cpio.gz [-b kernel-build] [file ...]
#
# Packs busybox, init, every module of that kernel build (for modprobe) and the
# files named: modules (*.ko, for insmod) into /lib, all else into /bin. C files
# are compiled with the headers of that build, and can include any file of its
# source by path.

set -eu

die()
{
	echo "mkinitramfs.sh: $*" >&2
	exit 1
}

here=$(cd "$(dirname "$0")" && pwd)
out='' build=''
while getopts o:b: opt; do
	case $opt in
	o) out=$OPTARG ;;
	b) build=$OPTARG ;;
	*) die "usage: mkinitramfs.sh -o out.cpio.gz [-b kernel-build] [file ...]" ;;
	esac
done
shift $((OPTIND - 1))
[ -n "$out" ] || die "-o is missing"
busybox=$(command -v busybox) || die "busybox is missing: install busybox-static"
! ldd "$busybox" >/dev/null 2>&1 || die "$busybox is not static: install busybox-static"

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/bin" "$root/lib"
cp "$busybox" "$root/bin/busybox"
ln -s busybox "$root/bin/sh"
install -m 755 "$here/init" "$root/init"
for file; do
	case $file in
	*.ko) cp "$file" "$root/lib/" ;;
	*.c)
		name=$(basename "$file" .c)
		${CC:-gcc} -O2 -Wall -static ${build:+-isystem "$build/usr/include" -idirafter "$build/source"} \
			-o "$root/bin/$name" "$file" || die "cannot compile $file" ;;
	*) install -m 755 "$file" "$root/bin/" ;;
	esac
done

if [ -n "$build" ] && [ -s "$build/modules.order" ]; then
	release=$(cat "$build/include/config/kernel.release")
	modules=$root/lib/modules/$release
	while read -r object; do
		install -m 644 -D "$build/${object%.o}.ko" "$modules/kernel/${object%.o}.ko"
	done < "$build/modules.order"
	cp "$build/modules.order" "$build/modules.builtin" "$build/modules.builtin.modinfo" "$modules/"
	depmod -b "$root" "$release"
fi

(cd "$root" && find . -print0 | sort -z | cpio --null -o -H newc --quiet -R 0:0) |
	gzip -n -1 > "$out.tmp"
mv "$out.tmp" "$out"
