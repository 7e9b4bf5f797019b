#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Run the parts of the test, all or those named, and add up what they say.
#
# A part is testbed/NAME.sh: TAP lines on stdout, progress on stderr, and as the
# last line of stdout "# totals: pass:P fail:F skip:S". One that ends without it,
# or with a status or a "not ok" that the totals do not account for, has failed.
# shellcheck source=testbed/lib.sh
. "$(dirname "$0")/lib.sh"

parts=(test-series objects kunit importers kunit-qemu selftest soak matrix machines tools cocci rollout fuzz)
[ $# -eq 0 ] || parts=("$@")

passed=0 failed=0 skipped=0
mkdir -p "$LOG"
for part in "${parts[@]}"; do
	log=$LOG/$part.log start=$SECONDS
	echo "== $part"
	"$TOP/testbed/$part.sh" </dev/null | tee "$log" | grep --line-buffered -E '^ok |^ *not ok |^# ' |
		grep --line-buffered -v '^# totals:'
	rc=${PIPESTATUS[0]}
	if [[ $(tail -n 1 "$log") =~ ^'# totals: pass:'([0-9]+)' fail:'([0-9]+)' skip:'([0-9]+)$ ]]; then
		p=${BASH_REMATCH[1]} f=${BASH_REMATCH[2]} s=${BASH_REMATCH[3]}
	else
		echo "not ok $part ended without totals, status $rc: see $log"
		p=0 f=1 s=0
	fi
	if [ "$f" -eq 0 ] && { [ "$rc" -ne 0 ] || grep -qE '^ *not ok ' "$log"; }; then
		echo "not ok $part: totals say no failure, status is $rc: see $log"
		f=1
	fi
	echo "== $part: $p passed, $f failed, $s skipped, $((SECONDS - start)) s"
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done

last="$passed passed, $failed failed"
[ "$skipped" -eq 0 ] || last+=", $skipped skipped"
echo "$last"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
