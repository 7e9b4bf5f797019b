#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Find the base kernel, fetching it once if need be. Prints one line:
#	<git tree> <version> <directory of git objects that has it>
# shellcheck source=testbed/lib.sh
. "$(dirname "$0")/lib.sh"

series=7.3
repo=$CACHE/linux.git
other="download linux-$series.y from kernel.org and pass LINUX=/path/to/it (tree, git checkout or tarball)"

# version_of: reads the kernel's Makefile, fails unless it is a release of the series.
version_of() {
	awk -v want="$series" -v where="$1" '
	$2 == "=" && $1 ~ /^(VERSION|PATCHLEVEL|SUBLEVEL|EXTRAVERSION)$/ && !($1 in v) { v[$1] = $3 }
	END {
		have = v["VERSION"] "." v["PATCHLEVEL"]
		full = have (v["SUBLEVEL"] + 0 ? "." v["SUBLEVEL"] : "") v["EXTRAVERSION"]
		if (have == want && v["EXTRAVERSION"] !~ /^-rc/) { print full; exit }
		if (have == ".")
			full = "no kernel"
		print "error: " where " is " full ", the series needs " want " or " want ".y: pass another LINUX=, or none" >"/dev/stderr"
		exit 1
	}'
}

answer() {		# TREE OBJECTS WHERE
	local version
	version=$(git --git-dir="${2%/objects}" show "$1:Makefile" 2>/dev/null | version_of "$3") || exit 1
	echo "$1 $version $2"
	exit 0
}

cached() {
	local tree
	tree=$(git --git-dir="$repo" rev-parse -q --verify "refs/base/$1" 2>/dev/null) &&
		git --git-dir="$repo" cat-file -e "$tree:Makefile" 2>/dev/null &&
		answer "$tree" "$repo/objects" "${2:-the cached kernel}"
}

# fix TREE: Debian ignores every file at the top, a tree to work in must not.
fix() {
	local file blob
	file=$("${git[@]}" show "$1:.gitignore") || return
	case $file in
	*'# Debian packaging: ignore'*)
		blob=$(printf '%s\n' "${file%%$'\n\n#\n# Debian packaging: ignore'*}" |
			"${git[@]}" hash-object -w --stdin) &&
		GIT_INDEX_FILE=$tmp/fix "${git[@]}" read-tree "$1" &&
		GIT_INDEX_FILE=$tmp/fix "${git[@]}" update-index --cacheinfo "100644,$blob,.gitignore" &&
		GIT_INDEX_FILE=$tmp/fix "${git[@]}" write-tree ;;
	*) echo "$1" ;;
	esac
}

# stream REF COMMAND...: the command writes a tarball, packed or not.
stream() {
	local ref=$1 tree
	shift
	set -o pipefail
	"$@" | xz -dcf | "$TOP/testbed/tar2git.py" |
		"${git[@]}" -c core.compression=1 fast-import --quiet --done --force --depth=0 || return
	tree=$(fix "$("${git[@]}" rev-parse 'refs/base/stream^{tree}')") &&
		"${git[@]}" update-ref "refs/base/$ref" "$tree" &&
		"${git[@]}" update-ref -d refs/base/stream
}

# directory PATH INDEX [-f]: leaves the name of the tree in $tmp/tree. The index
# stays, so that the next time only what changed is read.
directory() {
	# One pack instead of loose objects.
	(cd "$1" && GIT_INDEX_FILE=$2 "${git[@]}" --work-tree=. -c core.bigFileThreshold=1 \
		-c core.compression=1 add -A "${@:3}") &&
		fix "$(GIT_INDEX_FILE=$2 "${git[@]}" write-tree)" >"$tmp/tree"
}

prepare() {
	need flock xz tar
	space "$CACHE" 2
	exec 9>"$CACHE/lock" && flock 9 || die "cannot write $CACHE: pass CACHE=/another/directory"
	[ -d "$repo" ] || git init -q --bare "$repo" || die "cannot write $CACHE: pass CACHE=/another/directory"
	tmp=$(mktemp -d "$CACHE/tmp.XXXXXX") || exit
	trap 'rm -rf "$tmp"' EXIT
	trap 'exit 130' INT TERM
}

fetch() {
	local package=linux-source-$series mirror reached=
	command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
		die "no base kernel, and no apt to fetch it with: $other"
	for mirror in $(mirrors); do
		apt_config "$mirror" trixie-backports
		QUIET=1 step "reading the package index" "$LOG/base-index.log" \
			apt-get -c "$tmp/apt/conf" update || continue
		reached=1
		(cd "$tmp" && QUIET=1 step "fetching $package (170 MB)" "$LOG/base-fetch.log" \
			apt-get -c "$tmp/apt/conf" download "$package") && return
	done
	[ -z "$reached" ] ||
		die "could not fetch $package from the package mirror, see $LOG/base-fetch.log; or $other"
	die "no base kernel yet, and no Debian package mirror answers: connect to the network, or $other"
}

the_deb() {
	dpkg-deb --fsys-tarfile "$tmp"/linux-source-*.deb |
		tar -xO "./usr/src/linux-source-$series.tar.xz"
}

gitenv
need git awk
git=(git --git-dir="$repo")

if [ -z "${LINUX:-}" ]; then
	cached debian
	prepare
	cached debian		# somebody else may have had the lock
	fetch
	step "storing the base kernel" "$LOG/base.log" stream debian the_deb ||
		die "cannot store the base kernel in $CACHE: see $LOG/base.log"
	cached debian
elif [ -f "$LINUX" ]; then
	key=$(stat -c '%n %s %Y' "$(realpath "$LINUX")" | sha1sum | cut -c1-16)
	cached "$key" "$LINUX"
	prepare
	step "storing $(basename "$LINUX")" "$LOG/base.log" stream "$key" cat "$LINUX" ||
		die "LINUX=$LINUX is not a kernel tarball, or damaged: see $LOG/base.log"
	cached "$key" "$LINUX"
elif [ ! -d "$LINUX" ]; then
	die "LINUX=$LINUX does not exist"
elif [ -e "$LINUX/.git" ] || [ -f "$LINUX/HEAD" ]; then
	# What is committed counts; objects are read where they are.
	git=(git -C "$LINUX")
	objects=$("${git[@]}" rev-parse --path-format=absolute --git-path objects 2>/dev/null) &&
		tree=$("${git[@]}" rev-parse -q --verify 'HEAD^{tree}') ||
		die "LINUX=$LINUX is not a git checkout that git can read"
	[ -z "$("${git[@]}" config extensions.partialclone)" ] ||
		die "LINUX=$LINUX is a partial clone: pass a full one, or an unpacked tarball"
	version=$("${git[@]}" show HEAD:Makefile 2>/dev/null | version_of "LINUX=$LINUX") || exit 1
	echo "$tree $version $objects"
	exit 0
else
	[ -f "$LINUX/Makefile" ] || die "LINUX=$LINUX is no kernel tree: it has no Makefile"
	version_of "LINUX=$LINUX" <"$LINUX/Makefile" >/dev/null || exit 1
	force=()
	if grep -q '^# Debian packaging: ignore' "$LINUX/.gitignore" 2>/dev/null; then
		[ ! -e "$LINUX/.config" ] || die "LINUX=$LINUX was built in: make -C $LINUX mrproper, or pass a clean tree"
		force=(-f)
	fi
	prepare
	LINUX=$(realpath "$LINUX")
	index=$CACHE/index-$(printf %s "$LINUX" | sha1sum | cut -c1-16)
	step "reading $LINUX" "$LOG/base.log" directory "$LINUX" "$index" "${force[@]}" ||
		die "cannot read $LINUX, or not write $CACHE: see $LOG/base.log"
	answer "$(cat "$tmp/tree")" "$repo/objects" "LINUX=$LINUX"
fi
die "the base kernel in $CACHE is damaged: remove $CACHE/linux.git and try again"
