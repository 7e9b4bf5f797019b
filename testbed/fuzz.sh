#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Fuzz the builder of the list, its cursors and what importers call: the
# sources as they are, in userspace, under ASan and UBSan, on a model of the
# hardware; as in a kernel of 64 bit, in one with pages of 64 KiB, and in one of 32
# bit. FUZZ_SECONDS and FUZZ_SEED say how long all of it takes and from where; what a
# run learned stays in build/fuzz/corpus, and "fuzz.sh merge" adds what the small
# corpus in the tree lacks of it. testbed/fuzz/found has what once crashed, or is too
# rare for it to be found, with the reason.
# shellcheck source=testbed/lib.sh
. "$(dirname "$0")/lib.sh"
need clang

duration=${FUZZ_SECONDS:-30} seed=${FUZZ_SEED:-$((RANDOM + 1))}
out=$BUILD/fuzz variants=(64 64k 32)
options=(-max_len=512 -len_control=0 -timeout=25)
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

# run VARIANT TEXT ARGUMENT...: a crash is a file with the input, and the log has the
# rest
run() {
	local fuzz=$out/$1/fuzz text="fuzz: $1: $2" log=$LOG/fuzz-$1-${2%% *}.log limit=4096 crash
	# The thread that watches over it does not start there.
	[ "$1" != 32 ] || limit=0
	shift 2
	rm -f "$out"/crash/*
	if QUIET=1 step "$text" "$log" "$fuzz" "${options[@]}" "-rss_limit_mb=$limit" "-artifact_prefix=$out/crash/" "$@"; then
		ok "$text"
		return
	fi
	not_ok "$text: $(grep -am1 -E '^fuzz: |ERROR: |runtime error: ' "$log" || echo "see $log")"
	for crash in "$out"/crash/*; do
		[ ! -e "$crash" ] || echo "# reproduce with: $fuzz $crash; for testbed/fuzz/found: $(base64 -w 0 "$crash")"
	done
}

number() { grep -aoE "$1: +[0-9]+" "$log" | tail -n 1 | grep -oE '[0-9]+'; }

# build VARIANT
build() {
	mkdir -p "$out/$1"
	step "building the fuzzer for $1" "$LOG/fuzz-build-$1.log" "$TOP/testbed/fuzz/build.sh" "$out/$1" "$1" && return
	not_ok "fuzz: $1: build: see $LOG/fuzz-build-$1.log"
	return 1
}

fuzz() {
	local log=$LOG/fuzz-$1-random.log
	run "$1" "seeds, each once" -runs=0 "$out/seeds" "$out/found"
	run "$1" "random inputs for $duration s" "-seed=$seed" "-max_total_time=$duration" -print_final_stats=1 \
		"$out/corpus" "$out/seeds"
	echo "# $1: executions: $(number stat::number_of_executed_units), $(number stat::average_exec_per_sec) a second," \
		"edges: $(number cov) of $(grep -aoE '\([0-9]+ inline' "$log" | tr -dc 0-9)," \
		"features: $(number ft), seed: $seed"
}

mkdir -p "$out/corpus" "$out/crash"
unpack corpus "$out/seeds"
unpack found "$out/found"

if [ "${1-}" = merge ]; then
	build 64 || exit
	step "merging the corpus" "$LOG/fuzz-merge.log" "$out/64/fuzz" "${options[@]}" -merge=1 -use_counters=0 \
		"$out/seeds" "$out/corpus" || exit
	for input in "$out"/seeds/*; do
		base64 -w 0 "$input" && echo
	done | LC_ALL=C sort >"$TOP/testbed/fuzz/corpus"
	exit
fi

duration=$(((duration + ${#variants[@]} - 1) / ${#variants[@]}))
for variant in "${variants[@]}"; do
	if [ "$variant" = 32 ] && [ ! -e /usr/i686-linux-gnu/lib/libstdc++.so.6 ]; then
		skip "fuzz: 32: there is no libstdc++6-i386-cross"
	else
		build "$variant" && fuzz "$variant"
	fi
done
totals
