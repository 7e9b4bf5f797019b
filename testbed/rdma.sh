#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# RDMA over a dummy interface: the two devices that are software read and write
# memory of a process, and its bytes are compared. With RDMA_BASE=1 it also builds the base
# and prints what registering memory costs in instructions, and the ratio.
# shellcheck source=testbed/lib.sh
. "$(dirname "$0")/lib.sh"
ccache_env

need qemu-system-x86_64 gcc cpio
bin=$BUILD/rdma
mkdir -p "$bin"
# The name of the providers has the ABI in it, which is that of the machine's rdma-core.
abi=$(compgen -G '/usr/lib/*/librxe-rdmav*.a' | sed 's/.*-\(rdmav[0-9]*\)\.a/\1/; q')
libs=(-lrdmacm "-lrxe-$abi" "-lsiw-$abi" -libverbs -lnl-route-3 -lnl-3 -lpthread)
gcc -O2 -Wall -static -DRDMA_STATIC_PROVIDERS=rxe,siw -o "$bin/rdma" "$TOP/testbed/guest/rdma.c" \
	"${libs[@]}" 2>"$LOG/rdma-compile.log" || { cat "$LOG/rdma-compile.log" >&2; die "cannot compile rdma.c: run ./run setup test"; }

guest() {	# KERNEL DEVICE QEMU-ARGUMENTS
	"$TOP/testbed/qemu.sh" -k "$BUILD/kernel-$1/arch/x86/boot/bzImage" -i "$bin/initramfs.gz" -g 512M -s 300 \
		-q "$3" -a "hugepages=20" -r "ifconfig lo up && ifconfig dummy0 10.0.0.1 up && rdma $2" -l "$LOG/$1-$2.log"
}

kernels=(rdma)
"$TOP/testbed/kernel.sh" rdma || exit
if [ -n "${RDMA_BASE-}" ]; then
	worktree "$BUILD/base"
	"$TOP/testbed/kernel.sh" rdma "$BUILD/base" "$BUILD/kernel-rdma-base" || exit
	kernels+=(rdma-base)
fi
"$TOP/testbed/guest/mkinitramfs.sh" -o "$bin/initramfs.gz" "$bin/rdma" || die "cannot make an initramfs"

for kernel in "${kernels[@]}"; do
	for device in rxe siw; do
		# An instruction takes a nanosecond, so that is what the guest measures.
		if step "$device on the $kernel kernel" "$LOG/$kernel-$device.out" guest "$kernel" "$device" "-icount shift=0" &&
		   grep -q 'rdma: ok' "$LOG/$kernel-$device.log"; then
			ok "$kernel: $device: $(grep -c 'bytes written and read' "$LOG/$kernel-$device.log") regions"
		else
			not_ok "$kernel: $device: see $LOG/$kernel-$device.log"
		fi
	done
done

# costs DEVICE KERNEL
costs() {
	sed -n 's/.*rdma: \(.*\) register \([0-9]*\) deregister \([0-9]*\).*/\1 \2 \3/p' "$LOG/$2-$1.log"
}
if [ -n "${RDMA_BASE-}" ]; then
	printf '%-8s %-8s %22s %22s\n' device memory register deregister
	for device in rxe siw; do
		join <(costs $device rdma-base | sort) <(costs $device rdma | sort) |
			awk -v d=$device '{ printf "%-8s %-8s %9d %6d %5.2fx %9d %6d %5.2fx\n", d, $1, $2, $4, $2 / $4, $3, $5, $3 / $5 }'
	done
fi
totals
