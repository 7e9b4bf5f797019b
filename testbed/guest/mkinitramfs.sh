#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# mkinitramfs.sh -o out.cpio.gz [-b kernel-build] [-c compiler-prefix] [file ...]
#
# Packs busybox, or init.c for another machine than this, init, every module of that kernel build (for modprobe) and the
# files named: modules (*.ko, for insmod) into /lib, all else into /bin, with its shared libraries. C files
# are compiled with the headers of that build, and can include any file of its
# source by path.

set -eu

die()
{
	echo "mkinitramfs.sh: $*" >&2
	exit 1
}

here=$(cd "$(dirname "$0")" && pwd)
out='' build='' cross=''
while getopts o:b:c: opt; do
	case $opt in
	o) out=$OPTARG ;;
	b) build=$OPTARG ;;
	c) cross=$OPTARG ;;
	*) die "usage: mkinitramfs.sh -o out.cpio.gz [-b kernel-build] [-c compiler-prefix] [file ...]" ;;
	esac
done
shift $((OPTIND - 1))
[ -n "$out" ] || die "-o is missing"

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
# Not only for root, as mktemp has it
chmod 755 "$root"
mkdir -p "$root/bin" "$root/lib"
install -m 644 "$here/complaints" "$root/"

# compile FILE OUT: for the guest
compile()
{
	${CC:-${cross}gcc} -O2 -Wall -static ${build:+-isystem "$build/usr/include" -idirafter "$build/source"} \
		-o "$2" "$1" || die "cannot compile $1"
}

if [ -n "$cross" ]; then
	compile "$here/init.c" "$root/init"
else
	busybox=$(command -v busybox) || die "busybox is missing: install busybox-static"
	! ldd "$busybox" >/dev/null 2>&1 || die "$busybox is not static: install busybox-static"
	cp "$busybox" "$root/bin/busybox"
	ln -s busybox "$root/bin/sh"
	install -m 755 "$here/init" "$root/init"
fi
for file; do
	case $file in
	*.ko) cp "$file" "$root/lib/" ;;
	*.c) compile "$file" "$root/bin/$(basename "$file" .c)" ;;
	*)
		install -m 755 "$file" "$root/bin/"
		ldd "$file" 2>/dev/null | grep -oE '/[^ ]+' | while read -r library; do
			# From elsewhere, the guest would not find it.
			case $library in
			/lib*|/usr/lib*) at=$library ;;
			*) at=/lib/${library##*/} ;;
			esac
			install -m 755 -D "$library" "$root$at"
		done ;;
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
