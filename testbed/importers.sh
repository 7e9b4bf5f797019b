#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Importers without a device that QEMU has. Once their own files, compiled into the
# KUnit tests of dma-buf with what surrounds them replaced, run natively under UML. And
# once as they are, in a guest with devices made of software: importers.table.
# shellcheck source=testbed/lib.sh
. "$(dirname "$0")/lib.sh"
ccache_env
space "$BUILD" 3

out=$BUILD/kunit ktap=$LOG/importers.ktap
# Each goes into an object that is there anyway, so that the tree stays as it is.
parts=(devmem:limits zcrx:misuse iio:refuse umem:sync)
options=()
for part in "${parts[@]}"; do
	options+=(--make_options
		  "CFLAGS_st-dma-buf-${part#*:}.o=-include $TOP/testbed/importers/${part%:*}.c -I$TREE -I$TREE/drivers/dma-buf")
done

cd "$TREE" || die "no $TREE: run ./run tree"
step "build the UML kernel with parts of importers" "$LOG/importers-build.log" \
	kunit_build "$TREE" "$out" "${options[@]}" || exit

run() {
	timeout 300 "$out/linux" mem=700M console=tty kunit_shutdown=halt "kunit.filter_glob=$1"
}
step "run them" "$ktap" run 'dma-buf-part-*' || exit
step "run those that the tree has" "$ktap.tree" run dma-buf-umem || exit

kunit_results "of parts of importers" "$ktap"
kunit_results "of parts of importers" "$ktap.tree"

need python3 qemu-system-x86_64 gcc cpio patch
"$TOP/testbed/kernel.sh" debug || exit
step "building devices made of software" "$LOG/importer-devices.log" guest_modules debug importer-devices || exit
while read -r line; do
	case $line in
	ok\ *)		ok "${line#ok * - }" ;;
	not\ ok*)	not_ok "${line#not ok * - }" ;;
	esac
done < <("$TOP/testbed/matrix.py" --kernel debug --table "$TOP/testbed/importers.table" --log "$LOG/importers-debug")
totals
