#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Install what the demo needs, or say what to install; "setup.sh test", "fuzz",
# "bench", "machines", "prove", "rust" or "suites": what these need, too.
# shellcheck source=testbed/lib.sh
. "$(dirname "$0")/lib.sh"

# Package and what it is there for: a command, a file below /usr/include, or a
# pattern of some other file.
packages='
bc		bc
bison		bison
busybox-static	busybox
ccache		ccache
coccinelle	spatch
cpio		cpio
flex		flex
gcc		gcc
git		git
kmod		modprobe
libc6-dev	stdio.h
libelf-dev	libelf.h
libssl-dev	openssl/ssl.h
make		make
patch		patch
python3		python3
qemu-system-x86	qemu-system-x86_64
rsync		rsync
sparse		sparse
xz-utils	xz
'

[ "${1-}" != bench ] || packages+='
gnuplot-nox	gnuplot
'
[ "${1-}" != rust ] || packages+='
debootstrap	debootstrap
'
[ "${1-}" != prove ] || packages+='
cadical		cadical
spin		spin
'
[ "${1-}" != suites ] || packages+='
bpftool		bpftool
clang		clang
dwarves		pahole
libcap-dev	sys/capability.h
uuid-dev	uuid/uuid.h
v4l-utils	v4l2-compliance
zlib1g-dev	zlib.h
'
[ "${1-}" != test ] && [ "${1-}" != fuzz ] || packages+='
clang		clang
libclang-rt-dev	/usr/lib/llvm-*/lib/clang/*/lib/*/libclang_rt.fuzzer*.a
gcc-i686-linux-gnu	i686-linux-gnu-gcc
libc6-dev-i386-cross	/usr/i686-linux-gnu/lib/libc.a
libstdc++6-i386-cross	/usr/i686-linux-gnu/lib/libstdc++.so.6
'
[ "${1-}" != test ] || packages+='
libibverbs-dev	infiniband/verbs.h
libnl-route-3-dev	libnl3/netlink/route/link.h
librdmacm-dev	rdma/rdma_cma.h
rdmacm-utils	rping
iproute2	rdma
'
[ "${1-}" != test ] || packages+='
gcc-arm-linux-gnueabihf	arm-linux-gnueabihf-gcc
'
# A cross compiler does not come with its libc unless it is asked for.
[ "${1-}" != test ] && [ "${1-}" != machines ] && [ "${1-}" != bench ] || packages+='
device-tree-compiler	fdtput
gcc-aarch64-linux-gnu	aarch64-linux-gnu-gcc
libc6-dev-arm64-cross	/usr/aarch64-linux-gnu/lib/libc.a
qemu-system-arm	qemu-system-aarch64
'
[ "${1-}" != machines ] || packages+='
gcc-arm-linux-gnueabihf	arm-linux-gnueabihf-gcc
gcc-i686-linux-gnu	i686-linux-gnu-gcc
gcc-powerpc64-linux-gnu	powerpc64-linux-gnu-gcc
libc6-dev-armhf-cross	/usr/arm-linux-gnueabihf/lib/libc.a
libc6-dev-i386-cross	/usr/i686-linux-gnu/lib/libc.a
libc6-dev-ppc64-cross	/usr/powerpc64-linux-gnu/lib/libc.a
qemu-system-ppc	qemu-system-ppc64
'

missing() {
	local package probe
	PATH=$PATH:/usr/sbin:/sbin
	while read -r package probe; do
		case $probe in
		'') ;;
		/*) compgen -G "$probe" >/dev/null || echo "$package" ;;
		*.h) [ -e "/usr/include/$probe" ] || echo "$package" ;;
		*) command -v "$probe" >/dev/null || echo "$package" ;;
		esac
	done <<<"$packages" | xargs
}

list=$(missing)
[ -n "$list" ] || exit 0

command -v apt-get >/dev/null ||
	die "not a Debian system; install what corresponds to Debian's packages: $list"
if [ "$(id -u)" = 0 ]; then
	sudo=
elif sudo -n true 2>/dev/null; then
	sudo='sudo -n'
else
	die "packages are missing, and there is neither root nor passwordless sudo; as root: apt-get install --no-install-recommends $list"
fi

apt() {
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qy -o DPkg::Lock::Timeout=120 "$@"
}
step "refreshing the package lists" "$LOG/apt-update.log" apt update ||
	say "going on with the package lists that are there"
say "installing: $list"
# shellcheck disable=SC2086
step "installing the packages" "$LOG/apt-install.log" apt install --no-install-recommends $list ||
	die "apt-get could not install the packages: check the network and the package sources, then apt-get install $list"
list=$(missing)
[ -z "$list" ] || die "apt-get installed the packages, but these still lack what is needed: $list"
