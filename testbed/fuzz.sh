#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Fuzz the builder of the list, its cursors and the bridge to the sg_table: the
# sources as they are, in userspace, under ASan and UBSan, on a model of the
# hardware. FUZZ_SECONDS and FUZZ_SEED say how long and from where; what a run
# learned stays in build/fuzz/corpus, and "fuzz.sh merge" adds what the small corpus
# in the tree lacks of it. testbed/fuzz/found has what once crashed, or is too rare for
# it to be found, with the reason.
# shellcheck source=testbed/lib.sh
. "$(dirname "$0")/lib.sh"
need clang

duration=${FUZZ_SECONDS:-30} seed=${FUZZ_SEED:-$((RANDOM + 1))}
out=$BUILD/fuzz
options=(-max_len=512 -len_control=0 -timeout=25 -rss_limit_mb=4096)
# The symbolizer of LLVM is a package of its own.
export ASAN_OPTIONS=${ASAN_OPTIONS:-allow_addr2line=1}

# unpack NAME DIRECTORY: testbed/fuzz/NAME has an input a line, for diffs to show.
unpack() {
	local line n=0
	rm -rf "$2"
	mkdir "$2"
	while read -r line; do
		n=$((n + 1))
		[[ $line = \#* ]] || base64 -d <<<"$line" >"$2/$n"
	done <"$TOP/testbed/fuzz/$1"
}

# run TEXT ARGUMENT...: a crash is a file with the input, and the log has the rest
run() {
	local text=$1 log=$LOG/fuzz-${1%% *}.log crash
	shift
	rm -f "$out"/crash/*
	if QUIET=1 step "fuzz: $text" "$log" "$out/fuzz" "${options[@]}" "-artifact_prefix=$out/crash/" "$@"; then
		ok "fuzz: $text"
		return
	fi
	not_ok "fuzz: $text: $(grep -am1 -E '^fuzz: |ERROR: |runtime error: ' "$log" || echo "see $log")"
	for crash in "$out"/crash/*; do
		[ ! -e "$crash" ] || echo "# reproduce with: $out/fuzz $crash; for testbed/fuzz/found: $(base64 -w 0 "$crash")"
	done
}

number() { grep -aoE "$1: +[0-9]+" "$LOG/fuzz-random.log" | tail -n 1 | grep -oE '[0-9]+'; }

mkdir -p "$out/corpus" "$out/crash"
step "building the fuzzer" "$LOG/fuzz-build.log" "$TOP/testbed/fuzz/build.sh" "$out" || {
	not_ok "fuzz: build: see $LOG/fuzz-build.log"
	totals
	exit
}
unpack corpus "$out/seeds"
unpack found "$out/found"

if [ "${1-}" = merge ]; then
	step "merging the corpus" "$LOG/fuzz-merge.log" "$out/fuzz" "${options[@]}" -merge=1 -use_counters=0 \
		"$out/seeds" "$out/corpus" || exit
	for input in "$out"/seeds/*; do
		base64 -w 0 "$input" && echo
	done | LC_ALL=C sort >"$TOP/testbed/fuzz/corpus"
	exit
fi

run "seeds, each once" -runs=0 "$out/seeds" "$out/found"
run "random inputs for $duration s" "-seed=$seed" "-max_total_time=$duration" -print_final_stats=1 \
	"$out/corpus" "$out/seeds"
echo "# executions: $(number stat::number_of_executed_units), $(number stat::average_exec_per_sec) a second," \
	"edges: $(number cov) of $(grep -aoE '\([0-9]+ inline' "$LOG/fuzz-random.log" | tr -dc 0-9)," \
	"features: $(number ft), seed: $seed"
totals
