#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# check-series.sh [REVISIONS [TREE]] - what a maintainer's build robot would say
#
# Each posting, or those in POSTING, is applied to the base and what it says it
# needs, and to nothing else. For each commit: every object that it touches builds
# with W=1 and sparse, with no warning that the base does not have, checkpatch
# --strict and kernel-doc are quiet. Where the framework is there its KUnit tests
# pass at the end of the posting. What touches Rust is compiled by rust.sh. With
# REVISIONS these commits are checked as they are. What was found good is remembered
# in build/check, so that it goes on where it was interrupted.
# shellcheck source=testbed/lib.sh
. "$(dirname "$0")/lib.sh"

TREE=${2:-$TREE}
dir=${CHECK:-$BUILD/check}
src=$dir/linux out=$dir/x86_64 done=$dir/done
# What Debian's sparse does not know yet, and MODULE_LICENSE() and its like use: it
# says nothing more of a file after an error.
sparse_defines='#define __typeof_unqual__ __typeof__
#define __builtin_strlen(s) (sizeof(s) - 1)'
need git make gcc sparse perl
gitenv
git=(git -C "$TREE")
# Two commits, and the posting that they are the own base and the end of
ranges=$([ $# -gt 0 ] && echo "$1" || "$TOP/testbed/series.py" ranges) || exit
commits=() posting=() rust=()
while read -r name first last; do
	for commit in $("${git[@]}" rev-list --reverse "${first:+$first..}${last:-$name}" --); do
		commits+=("$commit") posting+=("${last:+$name }")
	done
done <<<"$ranges"
[ ${#commits[@]} -gt 0 ] || die "no commits in $ranges"
base=$("${git[@]}" rev-parse -q --verify base^0) || die "no tag base in $TREE: run ./run tree first"
space "$dir" 6
mkdir -p "$done" "$dir/warn"
echo "$sparse_defines" >"$dir/sparse.h"

make=(make -C "$src" "O=$out" "-j$JOBS" ARCH=x86_64 LOCALVERSION=)
if command -v ccache >/dev/null; then
	ccache_env
	make+=("CC=ccache gcc")
fi

checkout() {	# COMMIT
	git -C "$src" checkout -q --detach "$1" -- && git -C "$src" reset -q --hard || return
	# Kconfig would ask about what is new.
	[ ! -e "$out/.config" ] || "${make[@]}" olddefconfig >"$dir/config.log" 2>&1 || die "Kconfig fails: see $dir/config.log"
}

configure() {
	local c=$src/scripts/config
	"${make[@]}" allmodconfig || return
	"$c" --file "$out/.config" "${LEAN[@]}" -e DMABUF_HEAPS_SYSTEM_CC_SHARED || return
	"${make[@]}" olddefconfig && "${make[@]}" prepare
}

# warnings OBJECT...: one line each, without what moves when lines move
warnings() {
	# shellcheck disable=SC2016
	"${make[@]}" -k W=1 C=2 "CHECK=sparse -include $dir/sparse.h" "$@" >"$dir/make.log" 2>&1
	local rc=$?
	grep -aE '(warning|error|Warning|Error):?|\*\*\*' "$dir/make.log" |
		sed -E "s|$src/||g; s/:[0-9]+(:[0-9]+)?:/:/g; s/(line|:) *[0-9]+/\1/g" | sort -u
	return $rc
}

# What the base warns of in all objects of the series, each once
of_base() {
	local objs o list=()
	known=$dir/warn/$({ echo "$base $sparse_defines"; declare -f warnings; } | sha1sum | cut -c1-20)
	touch "$known" "$known.objects"
	mapfile -t objs < <(for o in "${commits[@]}"; do touched "$o^..$o"; done | sort -u | comm -23 - "$known.objects")
	[ ${#objs[@]} -gt 0 ] || return 0
	checkout "$base" || return
	for o in "${objs[@]}"; do
		[ ! -e "$src/${o%.o}.c" ] || list+=("$o")
	done
	if [ ${#list[@]} -gt 0 ]; then
		say "compiling ${#list[@]} objects of the base"
		warnings "${list[@]}" >"$known.tmp" || :
		sort -u -o "$known" "$known" "$known.tmp"
	fi
	printf '%s\n' "${objs[@]}" | sort -u -o "$known.objects" - "$known.objects"
}

check_patch() {	# COMMIT
	# Trace events have a layout of their own, iterators use an argument twice,
	# and user space knows the errno of importing into a GPU that cannot. A DMA_ATTR
	# looks as its neighbours do, what the base's bugs came with is not all looked up
	# yet, and where nothing is exported there is nothing to follow.
	"${git[@]}" format-patch -1 --stdout "$1" |
		perl "$src/scripts/checkpatch.pl" --no-tree --root="$src" --strict --no-summary --terse --showfile \
			--ignore FILE_PATH_CHANGES,MAINTAINERS_WRAP,COMMIT_LOG_LONG_LINE,EMAIL_SUBJECT \
			--ignore UNKNOWN_COMMIT_ID,MACRO_ARG_REUSE,ENOSYS,BIT_MACRO,MISSING_FIXES_TAG - |
		grep -vE '^include/trace/events/.*: CHECK: |^drivers/dma-buf/dma-buf-internal.h:[0-9]+: WARNING: EXPORT_SYMBOL'
}

check_doc() {	# COMMIT
	local files
	mapfile -t files < <("${git[@]}" show --format= --name-only --diff-filter=AM "$1" -- 'drivers/dma-buf/*.c' \
		'include/linux/dma-buf*.h' 'include/drm/*.h' 'drivers/gpu/drm/drm_prime.c' 'drivers/gpu/drm/ttm/*.c')
	[ ${#files[@]} -eq 0 ] || (cd "$src" && scripts/kernel-doc -none -Wall "${files[@]}" 2>&1 |
		grep -v "^Warning: Python" | grep -E "warning|error")
}

check() {	# COMMIT
	local objs new rc=0
	mapfile -t objs < <(touched "$1^..$1" | sort -u)
	checkout "$1" || return
	if [ ${#objs[@]} -gt 0 ]; then
		new=$(warnings "${objs[@]}") || { echo "does not build"; rc=1; }
		new=$(comm -23 <(echo "$new") "$known")
		[ -z "$new" ] || { echo "$new"; rc=1; }
	fi
	new=$(check_patch "$1"; check_doc "$1")
	[ -z "$new" ] || { echo "$new"; rc=1; }
	return $rc
}

# The same change on the same surroundings needs no second look: what an object is
# made of lies in its directory or among the headers.
key_of() {	# COMMIT
	local path
	{
		"${git[@]}" show --format=%B "$1"
		for path in include arch/x86/include scripts $("${git[@]}" show --format= --name-only "$1" | sed 's|/[^/]*$||' | sort -u); do
			"${git[@]}" rev-parse -q --verify "$1:$path"
		done
		echo "$sparse_defines"
		declare -f touched warnings check_patch check_doc check
	} | sha1sum | cut -c1-20
}

worktree "$src"
checkout "$base" || die "cannot check out in $src"
[ -e "$out/.config" ] || step "configuring for x86_64" "$LOG/check-config.log" configure || { rm -f "$out/.config"; exit 1; }

of_base || die "cannot build the base in $src"

# kunit COMMIT: where there is something to test, once for each tree
kunit() {
	[ -n "$2" ] || return 0
	local key log=$dir/kunit.log
	key=$done/kunit-$("${git[@]}" rev-parse "$1^{tree}")
	"${git[@]}" cat-file -e "$1:drivers/dma-buf/st-dma-buf-list.c" 2>/dev/null || return 0
	[ -e "$key" ] || { checkout "$1" && "$TOP/testbed/kunit.sh" "$src" "$dir/kunit" >"$log" && : >"$key"; }
	if [ -e "$key" ]; then ok "$2KUnit"; else grep -a "^not ok" "$log"; not_ok "$2KUnit: see $log"; fi
}

for at in "${!commits[@]}"; do
	commit=${commits[at]}
	subject="$((at + 1))/${#commits[@]} ${posting[at]}$("${git[@]}" show -s --format=%s "$commit")"
	key=$(key_of "$commit")
	if [ ! -e "$done/$key" ]; then
		say "checking $subject"
		found=$(check "$commit") && : >"$done/$key" ||
			{ echo "$found" | sed 's/^/  /'; cp "$dir/make.log" "$dir/failed-$((at + 1)).log"; }
	fi
	if [ -e "$done/$key" ]; then ok "$subject"; else not_ok "$subject"; fi
	[ "${posting[at]}" = "${posting[at + 1]:-}" ] || kunit "$commit" "${posting[at]}"
	[ -z "$("${git[@]}" show --format= --name-only "$commit" -- rust '*.rs')" ] || rust+=("$commit")
done
# Without an argument rust.sh takes all there are.
while read -r line; do
	said=${line#* - }
	case $line in
	"not ok "*) not_ok "$said" ;;
	"ok "*"# SKIP") skip "${said% # SKIP}" ;;
	"ok "*) ok "$said" ;;
	esac
done < <([ ${#rust[@]} = 0 ] || "$TOP/testbed/rust.sh" "${rust[@]}")
totals
