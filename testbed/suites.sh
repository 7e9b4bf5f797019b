#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests that others wrote, each with the kernel of the base and with the patched one,
# of the same configuration. What the base passes has to pass.
# SUITES="iommufd sync" takes only these. Two run only if asked for: IGT=DIR takes those
# of IGT, from where it was built, and SUITES=i915 builds that driver twice.
# shellcheck source=testbed/lib.sh
. "$(dirname "$0")/lib.sh"

PATH=$PATH:/usr/sbin
need python3 qemu-system-x86_64 gcc cpio ccache v4l2-compliance clang bpftool pahole
gitenv
ccache_env
bin=$BUILD/suites old=$BUILD/suites/linux newer=$CACHE/qemu
# From all of these the source is at ../linux: what the compiler made for the base is
# good for the patched tree as well, where that is the same.
declare -A tree=([base]=$old [patched]=$TREE) at=([base]=$BUILD/suites [patched]=$BUILD)

# Of IGT, what needs no GPU but the emulated one
igt_tests=(vgem_basic vgem_slow dmabuf_sync_file sw_sync kms_prime syncobj_basic syncobj_timeline syncobj_wait)
igt_url=https://gitlab.freedesktop.org/drm/igt-gpu-tools

vfio_tests=(vfio_pci_device_test vfio_iommufd_setup_test vfio_dma_mapping_test vfio_dma_mapping_mmio_test
	    vfio_pci_driver_test vfio_pci_sriov_uapi_test vfio_pci_device_init_perf_test)

# Each test of vfio's driver maps 1 GiB of shared memory and has 30 s: with small pages it
# comes close to that on a busy host.
pages="hugepages=64 hugepagesz=1G hugepages=1 transparent_hugepage_shmem=always"

# Suite, memory, kernel arguments, the command of the guest, devices other than the usual,
# and what else qemu.sh is told; KUnit is under UML.
vivid="modprobe vivid no_error_inj=1 n_devs=2 node_types=0x101,0x101"
all=("iommufd|2G|hugepages=64|iommufd"
     "iommufd_fail_nth|1G|hugepages=16|iommufd_fail_nth"
     "dmabuf-heap|1G|cma=128M|dmabuf-heap"
     "udmabuf|6G|hugepages=2048|udmabuf"
     "sync|512M||sync_test"
     "bpf|512M||bpf-test"
     "i915|1G||i915-selftests"
     "vivid-vmalloc|1G|cma=128M|$vivid allocators=0,0 && compliance"
     "vivid-contig|1G|cma=128M|$vivid allocators=1,1 && compliance"
     "igt|1G||modprobe vkms && modprobe vgem && igt ${igt_tests[*]}|virtio-gpu"
     "vfio|5G|$pages|vfio-selftests edu igb|igb|-m dma -t rootports"
     "kunit")

# Those that the series extends are the base's on both kernels.
compile_suites() {	# base|patched
	local kernel=${at[$1]}/kernel-suites out=$bin/$1 tests=tools/testing/selftests test cc vfio
	cc=(gcc -O2 -static -pthread -w -D_GNU_SOURCE -isystem "$kernel/usr/include" -I"$old/$tests")
	mkdir -p "$out" || return
	for test in iommufd iommufd_fail_nth; do
		"${cc[@]}" -o "$out/$test" "${tree[$1]}/$tests/iommu/$test.c" -lcap || return
	done
	vfio=("${cc[@]}" -I"$old/$tests/vfio/lib/include" -I"$old/tools/include")
	"${vfio[@]}" -r -o "$out/libvfio.o" "$old/$tests"/vfio/lib/{,drivers/*/}*.c || return
	for test in "${vfio_tests[@]}"; do
		"${vfio[@]}" -o "$out/$test" "$old/$tests/vfio/$test.c" "$out/libvfio.o" -luuid || return
	done
	"${cc[@]}" -o "$out/dmabuf-heap" "$old/$tests/dmabuf-heaps/dmabuf-heap.c" &&
		"${cc[@]}" -o "$out/udmabuf" "$old/$tests/drivers/dma-buf/udmabuf.c" &&
		"${cc[@]}" -o "$out/sync_test" "$old/$tests"/sync/*.c &&
		compile_bpf dmabuf_iter "$1" &&
		"$TOP/testbed/guest/mkinitramfs.sh" -b "$kernel" -o "$out/suites.gz" \
			"$out"/{iommufd,iommufd_fail_nth,dmabuf-heap,udmabuf,sync_test,bpf-test} \
			"${vfio_tests[@]/#/$out/}" "$TOP/testbed/guest/vfio-selftests" \
			"$(command -v v4l2-compliance)" "$TOP/testbed/guest/compliance" \
			"${igt[@]}" "$TOP/testbed/guest/igt"
}

# compile_bpf TEST base|patched: the program is for the types of its kernel.
compile_bpf() {
	local out=$bin/$2/bpf from=$old/tools/testing/selftests/bpf kernel=${at[$2]}/kernel-suites
	local includes=(-I"$out" -I"$out/include" -I"$from" -I"$old/tools/include" -I"$old/tools/include/uapi")
	mkdir -p "$out"
	make -s -C "$old/tools/lib/bpf" OUTPUT="$out/" DESTDIR="$out" prefix= "$out/libbpf.a" install_headers &&
		bpftool btf dump file "$kernel/vmlinux" format c >"$out/vmlinux.h" &&
		clang -g -O2 -target bpf -D__TARGET_ARCH_x86 -w "${includes[@]}" -include "$TOP/testbed/guest/bpf-kfuncs.h" \
			-c "$from/progs/$1.c" -o "$out/$1.o" &&
		bpftool gen skeleton "$out/$1.o" name "$1" >"$out/$1.skel.h" &&
		gcc -O2 -static -w -D_GNU_SOURCE -DTEST="$1" "${includes[@]}" -o "$bin/$2/bpf-test" \
			"$TOP/testbed/guest/bpf-test.c" "$from/prog_tests/$1.c" "$out/libbpf.a" -lelf -lz -lpthread
}

compile_i915() {	# base|patched
	mkdir -p "$bin/$1" &&
		"$TOP/testbed/guest/mkinitramfs.sh" -b "${at[$1]}/kernel-i915" -o "$bin/$1/i915.gz" "$TOP/testbed/guest/i915-selftests"
}

# DRM and TTM, with the base's choice of tests
build_kunit() {	# base|patched
	"${tree[$1]}/tools/testing/kunit/kunit.py" build --build_dir="${at[$1]}/kunit-suites" --jobs "$JOBS" \
		--kunitconfig="$old/drivers/gpu/drm/ttm/tests/.kunitconfig" \
		--kconfig_add CONFIG_DRM_KUNIT_TEST=y --make_options CC="ccache gcc"
}

# QEMU has an igb from 8.0 on, and so not in bookworm.
fetch_qemu() {
	unpack_trixie "$newer" qemu-system-x86 && mkdir -p "$newer/bin" || return
	cat >"$newer/bin/qemu-system-x86_64" <<-'END'
		#!/bin/sh
		usr=${0%/bin/*}/usr
		libraries=$usr/lib/x86_64-linux-gnu
		export QEMU_MODULE_DIR="$libraries/qemu"
		exec "$usr/lib64/ld-linux-x86-64.so.2" --library-path "$libraries" \
			"$usr/bin/qemu-system-x86_64" -L "$usr/share/qemu" -L "$usr/share/seabios" "$@"
	END
	chmod +x "$newer/bin/qemu-system-x86_64" && has_igb "$newer/bin/qemu-system-x86_64"
}

has_igb() {	# QEMU
	"$1" -device igb,help 2>/dev/null | grep -q '^igb options'
}

guest() {	# NAME base|patched MEMORY ARGUMENTS COMMAND [DEVICES [OPTIONS]]
	local log=$LOG/suites-$1.log path=$PATH kernel=suites options
	read -ra options <<<"${7-}"
	[ "${6-}" != igb ] || path=$igb_path$PATH
	[[ $1 != i915-* ]] || kernel=i915
	if [ $# -gt 2 ]; then
		PATH=$path "$TOP/testbed/qemu.sh" -k "${at[$2]}/kernel-$kernel/arch/x86/boot/bzImage" -i "$bin/$2/$kernel.gz" \
			-n 2 -g "$3" -s 900 -a "$4" -r "$5" -d "${6:-ivshmem}" "${options[@]}" -l "$log" >/dev/null 2>&1
	elif timeout 900 "${at[$2]}/kunit-suites/linux" mem=1G console=tty kunit_shutdown=halt >"$log" 2>&1; then
		echo "testbed: verdict pass" >>"$log"
	fi
}

# Where the programs are: a checkout with its build, the build, or what it installed
igt=()
for dir in ${IGT:+"$IGT/build/tests" "$IGT/tests" "$IGT/libexec/igt-gpu-tools" "$IGT"}; do
	[ ! -x "$dir/${igt_tests[0]}" ] || igt=("${igt_tests[@]/#/$dir/}")
done
for test in ${IGT:+"${igt[@]:-$IGT/build/tests/${igt_tests[0]}}"}; do
	[ -x "$test" ] || die "IGT=$IGT has no built tests: no $test"
	missing=$(ldd "$test" 2>/dev/null | awk '/not found/ { print $1 }' | xargs)
	[ -z "$missing" ] || die "$test lacks $missing"
done

machines=() suites=() igb_path='' kernels=()
for line in "${all[@]}"; do
	suite=${line%%|*}
	[[ " ${SUITES:-$suite} " = *" $suite "* ]] || continue
	if [ "$suite" = igt ] && [ ${#igt[@]} = 0 ]; then
		echo "# igt is left out: it wants IGT=DIR, a clone of $igt_url, at v2.1 and built as its README says"
		continue
	fi
	if [ "$suite" = i915 ] && [ "${SUITES-}" = "" ]; then
		echo "# i915 is left out: SUITES=i915 builds that driver twice, for half an hour or more"
		continue
	fi
	if [ "$suite" = vfio ] && ! has_igb qemu-system-x86_64; then
		igb_path=$newer/bin:
		if ! has_igb "$newer/bin/qemu-system-x86_64" &&
		   ! step "fetching a QEMU that has an igb" "$LOG/suites-qemu.log" fetch_qemu; then
			echo "# vfio is without vfio_pci_driver_test and vfio_pci_sriov_uapi_test: they want an igb, which QEMU has from 8.0 on"
			line=${line/ igb|igb|/|ivshmem|}
		fi
	fi
	suites+=("$suite")
	case $suite in
	kunit)	args='' kernels+=(kunit) ;;
	i915)	args="|${line#*|}" kernels+=(i915) ;;
	*)	args="|${line#*|}" kernels+=(suites) ;;
	esac
	machines+=("$suite-base|base$args" "$suite-patched|patched$args")
done
[ ${#suites[@]} -gt 0 ] || die "SUITES=$SUITES has none of: ${all[*]%%|*}"

worktree "$old"
for k in base patched; do
	for kernel in $(printf '%s\n' "${kernels[@]}" | sort -u); do
		if [ "$kernel" = kunit ]; then
			step "building UML with KUnit, $k" "$LOG/suites-um-$k.log" build_kunit "$k" || exit
			continue
		fi
		"$TOP/testbed/kernel.sh" "$kernel" "${tree[$k]}" "${at[$k]}/kernel-$kernel" || exit
		step "compiling the tests for the $k kernel" "$LOG/suites-$k.log" "compile_$kernel" "$k" || exit
	done
done
step "${#suites[@]} suites, each in two machines" "$LOG/suites.progress.log" boot_all
"$TOP/testbed/suites.py" "$LOG" "${suites[@]}"
