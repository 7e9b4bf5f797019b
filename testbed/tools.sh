#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The programs in tools/dma of the patched tree, and what lsdmabuf makes of files in
# place of /proc and /sys.
# shellcheck source=testbed/lib.sh
. "$(dirname "$0")/lib.sh"
need gcc make

out=$BUILD/tools
log=$LOG/tools-lsdmabuf.log
mkdir -p "$out"
step "building the tools" "$LOG/tools-build.log" make -C "$TREE/tools/dma" "OUTPUT=$out/" || exit
step "testing lsdmabuf" "$log" "$TREE/tools/dma/test-lsdmabuf.sh" "$out/lsdmabuf"
rc=$?

while read -r line; do
	case $line in
	ok\ *)		ok "lsdmabuf: ${line#ok * }" ;;
	not\ ok*)	not_ok "lsdmabuf: ${line#not ok * }" ;;
	1..*)		plan=${line#1..} ;;
	*)		echo "$line" ;;
	esac
done <"$log"
[ "$((pass + fail))" = "${plan:-0}" ] && [ "$rc" = "$((fail > 0))" ] ||
	not_ok "lsdmabuf: ran $((pass + fail)) tests of ${plan:-none}, status $rc: see $log"
totals
