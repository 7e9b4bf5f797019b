#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# kunit.sh [TREE BUILD] - the KUnit tests, natively under UML, through the kernel's
# own kunit.py
# shellcheck source=testbed/lib.sh
. "$(dirname "$0")/lib.sh"
ccache_env
space "$BUILD" 3

TREE=${1:-$TREE} out=${2:-$BUILD/kunit} ktap=$LOG/kunit.ktap

cd "$TREE" || die "no $TREE: run ./run tree"
step "build the UML kernel with the KUnit tests" "$LOG/kunit-build.log" kunit_build "$TREE" "$out" || exit

# In a machine that has less memory than the largest buffer needs for its list
small() {
	timeout 120 "$out/linux" mem=128M console=tty kunit_shutdown=halt kunit.filter_glob=dma-buf-limits
}
step "run them" "$ktap" timeout 600 "$TREE/tools/testing/kunit/kunit.py" exec \
	--build_dir="$out" --timeout 540 --raw_output=kunit || exit
step "run those of the limits in little memory" "$ktap.small" small || exit

kunit_results "under UML" "$ktap"
kunit_results "under UML, in little memory" "$ktap.small"
totals
