# SPDX-License-Identifier: GPL-2.0
# Sourced by the scripts here: paths, messages, progress, TAP counts.
# shellcheck shell=bash disable=SC2034

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=$TOP/build
TREE=$BUILD/linux
LOG=$BUILD/log
# Not ${HOME}: the tilde works where a CI runner has not set it.
CACHE=${CACHE:-${XDG_CACHE_HOME:-$(echo ~/.cache)}/dma-buf-page-list}
JOBS=${JOBS:-$(nproc)}
export TOP BUILD TREE LOG CACHE JOBS

# A reviewer's diff.* or format.* settings must not leak into the patches.
gitenv() {
	export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null LC_ALL=C.UTF-8
	# Often root builds what another user has checked out.
	export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'
	unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
}

# For kernel builds; the cache is shared by every clone of this user.
ccache_env() {
	export CCACHE_DIR=$CACHE/ccache CCACHE_MAXSIZE=${CCACHE_MAXSIZE:-5G}
	export CCACHE_NOHASHDIR=1 CCACHE_BASEDIR=$TOP KBUILD_BUILD_TIMESTAMP=0
	export KBUILD_BUILD_USER=user KBUILD_BUILD_HOST=host
	mkdir -p "$CCACHE_DIR" || die "cannot write $CACHE: pass CACHE=/another/directory"
}

# worktree DIR: of the base, without the patches
worktree() {
	[ ! -e "$1/.git" ] || return 0
	git -C "$TREE" worktree prune
	git -C "$TREE" worktree add -q --detach "$1" base || die "cannot make a worktree in $1"
}

say() { printf '%s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# target KERNEL: sets what depends on the architecture: arch and cross (the
# compiler's prefix) for make, and image below the build
target() {
	case $1 in
	arm64*)	arch=arm64 cross=aarch64-linux-gnu- image=arch/arm64/boot/Image ;;
	arm*)	arch=arm cross=arm-linux-gnueabihf- image=arch/arm/boot/zImage ;;
	ppc64*)	arch=powerpc cross=powerpc64-linux-gnu- image=vmlinux ;;
	i386*)	arch=i386 cross=i686-linux-gnu- image=arch/x86/boot/bzImage ;;
	*)	arch=x86_64 cross='' image=arch/x86/boot/bzImage ;;
	esac
}

# What of allmodconfig makes objects big or slow, or turns any warning into an
# error: arguments of scripts/config
LEAN=(-d KASAN -d KCSAN -d KCOV -d GCOV_KERNEL -d UBSAN -d WERROR -d DRM_WERROR -d DRM_XE_WERROR -d DRM_I915_WERROR
      -d DEBUG_INFO_DWARF_TOOLCHAIN_DEFAULT -e DEBUG_INFO_NONE -d GCC_PLUGINS -d RANDSTRUCT_FULL -e RANDSTRUCT_NONE
      -d MODVERSIONS -d MODULE_SIG -e DMABUF_HEAPS -e DMABUF_HEAPS_SYSTEM)

# touched RANGE: what x86_64 builds of the files that the commits touch
touched() {
	git -C "$TREE" diff --name-only --diff-filter=AM "$1" -- '*.c' |
		grep -vE '^(tools|rust|samples/dma-buf/edu-test|drivers/gpu/drm/imagination|.*/mock_dmabuf)|gem/selftests/|/armada/|/rcar_du_(vsp|writeback)|xe/tests/' |
		sed 's/\.c$/.o/'
	# These are part of another one.
	git -C "$TREE" diff --name-only --diff-filter=AM "$1" |
		sed -n 's|gem/selftests/.*|gem/i915_gem_dmabuf.o|p; s|xe/tests/\(xe_[a-z_]*\)\.c|xe/\1.o|p'
}

# need TOOL...: the packages are setup.sh's business, this only names them.
need() {
	local t
	for t; do
		command -v "$t" >/dev/null || die "$t is not installed: run ./run setup (or install the package that has it)"
	done
}

# space DIR GIB: before a step that would fill the disk.
space() {
	local kib
	mkdir -p "$1" 2>/dev/null || die "cannot write $1: free it, or pass CACHE=/another/directory"
	kib=$(df -Pk "$1" | awk 'NR == 2 { print $4 }')
	[ "$kib" -ge $(($2 * 1048576)) ] ||
		die "$1 has $((kib / 1024)) MiB free, $2 GiB are needed: free some space, or put the cache elsewhere with CACHE="
}

# For what is not in the machine's own Debian: a package system whose configuration,
# lists and state stand in $tmp. Only proxy settings and the like are taken over.
apt_config() {		# MIRROR SUITE
	local keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	[ -e "$keyring" ] || keyring=${keyring%.gpg}.pgp
	[ -e "$keyring" ] || die "no $keyring to check packages with: apt-get install debian-archive-keyring${other:+, or $other}"
	mkdir -p "$tmp/apt/lists/partial" "$tmp/apt/cache/archives/partial"
	: >"$tmp/apt/status"
	printf '%s\n' "Types: deb" "URIs: $1" "Suites: $2" "Components: main" \
		"Targets: Packages" "Signed-By: $keyring" >"$tmp/apt/base.sources"
	cat >"$tmp/apt/conf" <<-EOF
	#clear APT::Update;
	#clear DPkg;
	Dir::Etc::sourcelist "$tmp/apt/base.sources";
	Dir::Etc::sourceparts "/dev/null";
	Dir::Etc::preferences "/dev/null";
	Dir::Etc::preferencesparts "/dev/null";
	Dir::State "$tmp/apt";
	Dir::State::status "$tmp/apt/status";
	Dir::Cache "$tmp/apt/cache";
	APT::Sandbox::User "";
	APT::Update::Error-Mode "any";
	APT::Default-Release "";
	Acquire::Languages "none";
	Acquire::Retries "3";
	Acquire::http::Timeout "30";
	EOF
}

# The mirrors the machine itself uses, whatever the format of its sources.
mirrors() {
	# shellcheck disable=SC2016
	apt-get indextargets --format '$(REPO_URI) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
		awk '$2 == "main" && $1 !~ /security/ && !seen[$1]++ {
			print ($1 ~ /debian\/?$/ ? 0 : 1), $1 }' | sort -s -n -k1,1 | cut -d' ' -f2
}

# unpack_trixie DIR PACKAGE...: what bookworm does not have is not installed. It is unpacked
# with all it needs, and runs with the libraries it was built for.
unpack_trixie() {
	local root=$1 tmp=$1.tmp mirror deb
	shift
	rm -rf "$root" "$tmp"
	mkdir -p "$tmp/root"
	for mirror in $(mirrors); do
		apt_config "$mirror" trixie
		apt-get -c "$tmp/apt/conf" update || continue
		apt-get -c "$tmp/apt/conf" install -y --download-only --no-install-recommends "$@" || continue
		for deb in "$tmp"/apt/cache/archives/*.deb; do
			dpkg-deb -x "$deb" "$tmp/root" || return
		done
		mv "$tmp/root" "$root" && rm -rf "$tmp"
		return
	done
	return 1
}

# step TEXT LOGFILE COMMAND...: runs it with a status line at least every 15 s;
# everything it prints goes to the log, whose end is shown on failure unless QUIET
# is set.
step() {
	local - text=$1 log=$2 rc=0
	shift 2
	set -o pipefail
	mkdir -p "$(dirname "$log")"
	say "$text ..."
	"$@" </dev/null 2>&1 | tee "$log" | progress "$text" >&2 || rc=$?
	[ "$rc" -ne 0 ] && [ -z "${QUIET:-}" ] || return "$rc"
	say "$text: failed with status $rc, the end of $log:"
	tail -n 25 "$log" | sed 's/^/  | /' >&2
	return "$rc"
}

progress() {
	local line objects=0 start=$SECONDS last=$SECONDS rc
	while read -r -t 5 line; rc=$?; [ $rc -eq 0 ] || [ $rc -gt 128 ]; do
		case $line in CC\ * | AS\ * | HOSTCC\ * | LD\ * | AR\ *) objects=$((objects + 1)) ;; esac
		[ $((SECONDS - last)) -lt 10 ] || status "$1"
	done
	status "$1"
}

status() {
	local count=
	[ "$objects" = 0 ] || count="$objects objects, "
	echo "  $1: $count$((SECONDS - start)) s"
	last=$SECONDS
}

# The protocol between test.sh and its parts: TAP lines on stdout, progress on
# stderr, and "totals" as the very last line.
pass=0 fail=0 skip=0
ok()     { pass=$((pass + 1)); echo "ok $((pass + fail + skip)) - $*"; }
not_ok() { fail=$((fail + 1)); echo "not ok $((pass + fail + skip)) - $*"; }
skip()   { skip=$((skip + 1)); echo "ok $((pass + fail + skip)) - $* # SKIP"; }
totals() { echo "# totals: pass:$pass fail:$fail skip:$skip"; [ "$fail" -eq 0 ]; }

# For parts that boot machines: boots MACHINES, as many at a time as there are CPUs.
# Each is a line "name|...", and what follows are arguments of the function guest,
# which leaves the console in $LOG/PART-NAME.log and a status in $bin/NAME.status.
boot_all() {
	local machine fields
	for machine in "${machines[@]}"; do
		[ "$(jobs -rp | wc -l)" -lt "$JOBS" ] || wait -n
		IFS='|' read -r -a fields <<<"$machine"
		guest "${fields[@]}" &
		echo "booting ${fields[0]}"
	done
	wait
}

# report PART [PATTERN]: what the tests in the machines said, and comments that
# match the pattern. Where the harness has them from is left out.
report() {
	local machine name log ran line
	for machine in "${machines[@]}"; do
		name=${machine%%|*} log=$LOG/$1-${machine%%|*}.log ran=0
		while read -r line; do
			ran=$((ran + 1))
			case $line in
			*"# SKIP"*)	skip "$name: $(sed 's/^ok [0-9]* *//; s/ *# SKIP */ /; s/^ *//' <<<"$line")" ;;
			ok\ *)		ok "$name: ${line#ok * }" ;;
			not\ ok*)	not_ok "$name: ${line#not ok * }" ;;
			*)		ran=$((ran - 1)); echo "# $name: ${line##\# }" ;;
			esac
		done < <(tr -d '\r' <"$log" | sed 's/^# [^ ]*\.c:[0-9]*:[^:]*:/# /' | grep -aE "^(not )?ok [0-9]${2:+|$2}")
		[ "$ran" -gt 0 ] && [ "$(cat "$bin/$name.status")" = 0 ] ||
			not_ok "$name: ran $ran tests, $(grep -aE '^testbed: (no )?verdict' "$log" | tail -n 1): see $log"
	done
}

# guest_modules KERNEL NAME: those in testbed/NAME, for guests of that kernel
guest_modules() {
	local out=$BUILD/kernel-$1
	ccache_env
	make -s -C "$out" M="$TOP/testbed/$2" MO="$out/$2" ARCH=x86_64 LOCALVERSION= modules
}

# kunit_build TREE OUT [OPTION...]: the kernel for UML with all KUnit tests of the series
kunit_build() {
	"$1/tools/testing/kunit/kunit.py" build --build_dir="$2" --jobs "$JOBS" \
		--kunitconfig="$1/drivers/dma-buf/.kunitconfig" \
		--kunitconfig="$1/drivers/gpu/drm/ttm/tests/.kunitconfig" \
		--kconfig_add CONFIG_DRM_KUNIT_TEST=y --make_options CC="ccache gcc" "${@:3}"
}

# kunit_results NAME LOG: counts what KUnit printed, with the kernel's own parser,
# which notices a test that crashed or never ended.
kunit_results() {
	local word n ran=0
	python3 "$TREE/tools/testing/kunit/kunit.py" parse "$2" >"$2.parsed" 2>&1 || :
	tr -d '\r' <"$2" | grep -aE '^(not )?ok [0-9]|(EXPECTATION|ASSERTION) FAILED' | sed "s/^ *# /# /; s/^\(not \)\?ok.*/& $1/"
	grep -aE '\[(CRASHED|ERROR)\]' "$2.parsed" | sed 's/^/# /'
	for word in passed failed crashed errors skipped; do
		n=$(sed -n "s/.*Testing complete.*$word: \([0-9]*\).*/\1/p" "$2.parsed")
		case $word in
		passed)		pass=$((pass + ${n:-0})) ran=$((ran + ${n:-0})) ;;
		skipped)	skip=$((skip + ${n:-0})) ;;
		*)		fail=$((fail + ${n:-0})) ;;
		esac
	done
	[ "$ran" -gt 0 ] || not_ok "KUnit $1 ran no test: see $2"
}
