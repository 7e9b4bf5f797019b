#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The KUnit tests, natively under UML, through the kernel's own kunit.py.
# shellcheck source=testbed/lib.sh
. "$(dirname "$0")/lib.sh"
ccache_env
space "$BUILD" 3

out=$BUILD/kunit ktap=$LOG/kunit.ktap
kunit() {
	"$TREE/tools/testing/kunit/kunit.py" "$1" --build_dir="$out" --jobs "$JOBS" \
		--kunitconfig="$TREE/drivers/dma-buf/.kunitconfig" \
		--kunitconfig="$TREE/drivers/gpu/drm/ttm/tests/.kunitconfig" \
		--make_options CC="ccache gcc" "${@:2}"
}

cd "$TREE" || die "no $TREE: run ./run tree"
step "build the UML kernel with the KUnit tests" "$LOG/kunit-build.log" kunit build || exit
step "run them" "$ktap" timeout 600 "$TREE/tools/testing/kunit/kunit.py" exec \
	--build_dir="$out" --timeout 540 --raw_output=kunit || exit

# One line a suite, and each failure with what it said.
awk '
/^    # Subtest: /		{ suite = $0; sub(/.*Subtest: /, "", suite) }
/^    (    )?(ok|not ok) [0-9]+/ {
	if ($0 ~ /# SKIP/) skip++
	else if ($0 ~ /^ *ok/) pass++
	else { fail++; print "not ok - " suite ": " $0 }
	next
}
/^(ok|not ok) [0-9]+/		{ print }
/^ *# .*(EXPECTATION|ASSERTION) FAILED/ { print "# " $0 }
END { printf "# totals: pass:%d fail:%d skip:%d\n", pass, fail, skip; exit fail > 0 || !pass }
' "$ktap"
