#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# RDMA over a dummy interface: the two devices that are software read and write
# memory of a process, and its bytes are compared. Then the kernel's own selftests of
# rxe. With RDMA_BASE=1 it also builds the base, and prints what registering memory costs in
# instructions, and the ratio.
# shellcheck source=testbed/lib.sh
. "$(dirname "$0")/lib.sh"
PATH=$PATH:/usr/sbin:/sbin
ccache_env

need qemu-system-x86_64 gcc cpio bash ip rdma ss rping
bin=$BUILD/rdma
mkdir -p "$bin"
# The name of the providers has the ABI in it, which is that of the machine's rdma-core.
abi=$(compgen -G '/usr/lib/*/librxe-rdmav*.a' | sed 's/.*-\(rdmav[0-9]*\)\.a/\1/; q')
libs=(-lrdmacm "-lrxe-$abi" "-lsiw-$abi" -libverbs -lnl-route-3 -lnl-3 -lpthread)
gcc -O2 -Wall -static -DRDMA_STATIC_PROVIDERS=rxe,siw -o "$bin/rdma-bytes" "$TOP/testbed/guest/rdma.c" \
	"${libs[@]}" 2>"$LOG/rdma-compile.log" || { cat "$LOG/rdma-compile.log" >&2; die "cannot compile rdma.c: run ./run setup test"; }

guest() {	# KERNEL NAME QEMU-ARGUMENTS COMMAND
	"$TOP/testbed/qemu.sh" -k "$BUILD/kernel-$1/arch/x86/boot/bzImage" -i "$bin/$1.gz" -g 512M -s 300 \
		-q "$3" -a "hugepages=20" -r "$4" -l "$LOG/$1-$2.log"
}
start="ifconfig lo up && modprobe dummy numdummies=1 && ifconfig dummy0 10.0.0.1 up"
selftests=$TREE/tools/testing/selftests

declare -A modules=([rxe]=rdma_rxe [siw]=siw)
kernels=(rdma)
"$TOP/testbed/kernel.sh" rdma || exit
if [ -n "${RDMA_BASE-}" ]; then
	worktree "$BUILD/base"
	"$TOP/testbed/kernel.sh" rdma "$BUILD/base" "$BUILD/kernel-rdma-base" || exit
	kernels+=(rdma-base)
fi

for kernel in "${kernels[@]}"; do
	# Our program has the name of a tool that these tests want.
	"$TOP/testbed/guest/mkinitramfs.sh" -b "$BUILD/kernel-$kernel" -o "$bin/$kernel.gz" "$bin/rdma-bytes" \
		"$TOP/testbed/guest/rdma-selftests" "$selftests"/rdma/*.sh "$selftests/kselftest/ktap_helpers.sh" \
		"$(compgen -G "/usr/lib/*/libibverbs/librxe-$abi.so")" "$(gcc -print-file-name=libgcc_s.so.1)" \
		"$(command -v bash)" "$(command -v ip)" "$(command -v rdma)" "$(command -v ss)" "$(command -v rping)" ||
		die "cannot make an initramfs"
	for device in rxe siw; do
		# An instruction takes a nanosecond, so that is what the guest measures.
		if step "$device on the $kernel kernel" "$LOG/$kernel-$device.out" guest "$kernel" "$device" "-icount shift=0" \
			"$start && modprobe ${modules[$device]} && rdma-bytes $device" &&
		   grep -q 'rdma: ok' "$LOG/$kernel-$device.log"; then
			ok "$kernel: $device: $(grep -c 'bytes written and read' "$LOG/$kernel-$device.log") regions"
		else
			not_ok "$kernel: $device: see $LOG/$kernel-$device.log"
		fi
	done
	step "selftests of rxe on the $kernel kernel" "$LOG/$kernel-selftests.out" guest "$kernel" selftests "" \
		"ifconfig lo up && rdma-selftests" || not_ok "$kernel: selftests of rxe: see $LOG/$kernel-selftests.log"
	for test in "$selftests"/rdma/*.sh; do
		test=$(basename "$test" .sh)
		if grep -q "rdma: selftest $test ends with 0" "$LOG/$kernel-selftests.log"; then
			ok "$kernel: selftest $test"
		else
			not_ok "$kernel: selftest $test: see $LOG/$kernel-selftests.log"
		fi
	done
done

# costs DEVICE KERNEL: memory, median of registering, its spread, the same of deregistering
costs() {
	sed -n 's/.*rdma: \(.*\) register \(.*\) deregister \(.*\)/\1 \2 \3/p' "$LOG/$2-$1.log" | tr -d '\r' | sort
}
if [ -n "${RDMA_BASE-}" ]; then
	echo "# instructions, base and patched: the median of 33 and how far the middle half spreads"
	printf '# %-4s %-7s %30s %28s %8s\n' on memory register deregister both
	for device in rxe siw; do
		join <(costs $device rdma-base) <(costs $device rdma) | awk -v d=$device '{
			printf "# %-4s %-7s %9d ±%-4d %7d ±%-4d %5.3f", d, $1, $2, $3, $6, $7, $2 / $6
			printf "  %7d ±%-4d %7d ±%-4d %5.3f  %5.3f\n", $4, $5, $8, $9, $4 / $8, ($2 + $4) / ($6 + $8) }'
	done
fi
totals
