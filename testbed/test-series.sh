#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The way from files to commits and mails and back: the real series on the real
# base, then every turn and every refusal on a base of a few files.
# The checks take commands as words, some as a line for eval.
# shellcheck source=testbed/lib.sh disable=SC2016,SC2034
. "$(dirname "$0")/lib.sh"
gitenv
tmp=$(mktemp -d) || exit
trap 'rm -rf "$tmp"' EXIT
export GIT_AUTHOR_NAME="Some One" GIT_AUTHOR_EMAIL=some@one.example
export GIT_COMMITTER_NAME="Some One" GIT_COMMITTER_EMAIL=some@one.example

check() { # TEXT COMMAND...
	local text=$1
	shift
	if ("$@") >"$tmp/out" 2>&1; then ok "$text"; else not_ok "$text"; sed 's/^/# /' "$tmp/out"; fi
}

# refused TEXT PATTERN COMMAND...: fails, and its one line of error is the last.
refused() {
	local text=$1 pattern=$2
	shift 2
	if ("$@") >"$tmp/out" 2>&1; then
		echo "succeeded" >>"$tmp/out"
	elif [ "$(grep -c '^error: ' "$tmp/out")" = 1 ] &&
		! grep -q Traceback "$tmp/out" &&
		tail -n 1 "$tmp/out" | grep -q "^error: .*$pattern"; then
		ok "$text"
		return
	fi
	not_ok "$text, expected: $pattern"
	sed 's/^/# /' "$tmp/out"
}

# A pristine base in a repository of its own, on which plain git am applies the
# mails. Only the files that they touch are checked out.
# shellcheck disable=SC2086
am() { # TREE MAILS DIRECTORY
	git init -q "$3" && cd "$3" || return
	(cd "$1" && git rev-parse --path-format=absolute --git-path objects) >.git/objects/info/alternates
	git -C "$1" diff --name-only --no-renames base HEAD | sed 's,^,/,' >"$tmp/sparse"
	git update-ref HEAD "$(git -C "$1" rev-parse base)" &&
		git sparse-checkout set --no-cone --stdin <"$tmp/sparse" &&
		git reset -q --hard &&
		git am -q $2
}

# The commits that are patches, without the cover letters
looks() { git -C "$1" log --invert-grep --grep='^posting [a-z0-9-]*: ' --format='%T%n%an <%ae> %at%n%B' "base..${2:-HEAD}"; }

same() { # TREE APPLIED
	git -C "$2" tag base "$(git -C "$1" rev-parse base)" &&
		diff <(looks "$1") <(looks "$2") &&
		[ "$(git -C "$1" rev-parse 'HEAD^{tree}')" = "$(git -C "$2" rev-parse 'HEAD^{tree}')" ]
}

# ---- the real series

small() { # at most 16 patches a posting
	local folder rc=0
	for folder in "$TOP"/patches/*/; do
		[ "$(find "$folder" -name '*.patch' | wc -l)" -le 16 ] || { echo "$folder"; rc=1; }
	done
	return $rc
}
if ls "$TOP"/patches/*/*.patch >/dev/null 2>&1; then
	check "real: each posting applies to the base and what it needs, and becomes mails" \
		env -u POSTING -u FORMAT -u SIGNOFF "$TOP/testbed/series.py" series
	check "real: each mail says whom it is for" eval '! grep -L "^To: \|^Cc: " "$BUILD"/series/*/* | grep .'
	check "real: no posting has more than 16 patches" small
	check "real: git am applies every mail to the pristine base" am "$TREE" "$BUILD/series/*/*.patch" "$tmp/real"
	check "real: that gives the trees, authors and messages of build/linux" same "$TREE" "$tmp/real"
	check "real: import of build/linux would change no byte here" "$TOP/testbed/series.py" check
else
	skip "real: there are no patches yet"
fi

# ---- a base of a few files, and a repository of two patches

unset FORCE FORMAT POSTING SIGNOFF
export CACHE=$tmp/cache LINUX=$tmp/base
mkdir -p "$LINUX"/{drivers/dma-buf,include/linux,scripts}
printf '%s\n' 'VERSION = 7' 'PATCHLEVEL = 3' 'SUBLEVEL = 9' 'EXTRAVERSION =' >"$LINUX/Makefile"
printf '*.o\n.*\n!.gitignore\n' >"$LINUX/.gitignore"
seq 40 >"$LINUX/drivers/dma-buf/core.c"
seq 100 160 >"$LINUX/drivers/dma-buf/old.c"
echo 'obj-y := core.o old.o' >"$LINUX/drivers/dma-buf/Makefile"
echo '/* */' >"$LINUX/include/linux/core.h"
printf '#!/bin/sh\n' >"$LINUX/scripts/tool.sh" && chmod +x "$LINUX/scripts/tool.sh"
touch "$LINUX/MAINTAINERS"
cat >"$LINUX/scripts/get_maintainer.pl" <<'EOF'
#!/bin/sh
for last; do :; done
echo '"Jörg Müller" <jm@one.example> (maintainer:DMA BUFFER SHARING FRAMEWORK)'
! grep -q '^+++ .*core.c' "$last" || echo 'Core List <core@lists.example> (open list:CORE)'
echo 'linux-kernel@vger.kernel.org (open list)'
EOF
chmod +x "$LINUX/scripts/get_maintainer.pl"
touch "$LINUX/drivers/dma-buf/core.o"

make_repo() { # DIRECTORY
	mkdir -p "$1"/{patches/0{1-fix,2-core},testbed,drivers/dma-buf,include/linux,scripts}
	cp "$TOP"/testbed/{lib.sh,base.sh,setup.sh,series.py,tar2git.py} "$1/testbed"
	cp "$TOP"/{run,Makefile,.gitignore} "$1"
	cd "$1" || return
	seq 7 99 >drivers/dma-buf/new.c
	echo '/* new */' >include/linux/new.h
	printf '#!/bin/sh\necho\n' >scripts/new.sh && chmod +x scripts/new.sh
	printf '%s\n' 'Subject: dma-buf: the file' '' 'The text.' '' 'Needs: base' >patches/01-fix/0000-cover-letter.txt
	printf '%s\n' 'Subject: dma-buf: the core' '' 'More.' '' 'Needs: base' >patches/02-core/0000-cover-letter.txt
	cat >patches/01-fix/0001-a.patch <<-'EOF'
	From: =?UTF-8?q?J=C3=B6rg=20M=C3=BCller?= <jm@one.example>
	Date: Thu, 5 Mar 2026 10:00:00 +0100
	Subject: [PATCH] dma-buf: Add the new file

	It is needed.

	Signed-off-by: Some One <some@one.example>
	New-file: drivers/dma-buf/new.c
	New-file: include/linux/new.h
	---
	diff --git a/drivers/dma-buf/Makefile b/drivers/dma-buf/Makefile
	--- a/drivers/dma-buf/Makefile
	+++ b/drivers/dma-buf/Makefile
	@@ -1 +1 @@
	-obj-y := core.o old.o
	+obj-y := core.o old.o new.o
	EOF
	cat >patches/02-core/0001-b.patch <<-'EOF'
	From: Some One <some@one.example>
	Date: Thu, 5 Mar 2026 11:00:00 +0100
	Subject: [PATCH] dma-buf: Change the core

	No trailer here, and
	two lines.
	---
	diff --git a/drivers/dma-buf/core.c b/drivers/dma-buf/core.c
	--- a/drivers/dma-buf/core.c
	+++ b/drivers/dma-buf/core.c
	@@ -19,5 +19,5 @@
	 19
	 20
	-21
	+twenty-one
	 22
	 23
	EOF
	printf '%s\n' 'From: Some One <some@one.example>' 'Subject: [PATCH] scripts: Add a script' '' \
		'Only a new file.' '' 'Signed-off-by: Some One <some@one.example>' \
		'New-file: scripts/new.sh' >patches/02-core/0002-c.patch
	git init -q && git add -A && git commit -q -m start
}

repo=$tmp/repo tree=$tmp/repo/build/linux
make_repo "$repo"
make_repo "$tmp/elsewhere" && ./run tree >/dev/null 2>&1
cd "$repo" || exit
head_is() { [ "$(git -C "$tree" rev-parse HEAD)" = "$1" ]; }
says() { "${@:2}" 2>&1 | tee /dev/stderr | grep -q "$1"; }
clean() { [ -z "$(git -C "$1" status --porcelain)" ]; }
gone() { [ ! -e "$1" ]; }

check "tree: three patches and two cover letters become five commits" says "5 commits on Linux 7.3.9" ./run tree
check "tree: the work tree is what HEAD says" clean "$tree"
check "tree: hashes do not depend on where and when" head_is "$(git -C "$tmp/elsewhere/build/linux" rev-parse HEAD)"
check "tree: a script stays executable" test -x "$tree/scripts/new.sh"
check "tree: what the base ignores is not taken" gone "$tree/drivers/dma-buf/core.o"
check "tree: trailers do not reach the message" test -z "$(git -C "$tree" log --grep New-file: base..)"
check "tree: nothing to do the second time" says "up to date" ./run tree
first=$(git -C "$tree" rev-parse HEAD~3) inode=$(stat -c '%i %Y' "$tree/drivers/dma-buf/new.c")
sed -i 's/^+twenty-one/+21st/' patches/02-core/0001-b.patch
check "tree: a changed patch" ./run tree
check "tree: the commits before it stay" test "$first" = "$(git -C "$tree" rev-parse HEAD~3)"
check "tree: files that do not change are not rewritten" test "$inode" = "$(stat -c '%i %Y' "$tree/drivers/dma-buf/new.c")"
check "tree: and the file is changed" grep -qx 21st "$tree/drivers/dma-buf/core.c"

check "series: written" ./run series
check "series: a folder for each posting, numbered on its own" \
	eval '[ "$(ls -x -w 0 build/series/*/* | tr -s " " | wc -w)" = 5 ] && grep -q "PATCH 1/1. dma-buf: Add" build/series/01-fix/0001* &&
	grep -q "PATCH 2/2. scripts: Add" build/series/02-core/0002*'
check "series: git am applies all of it" am "$tree" "$repo/build/series/*/*.patch" "$tmp/am"
check "series: git am gives the same trees, authors and messages" same "$tree" "$tmp/am"
check "series: a posting that needs nothing applies to the bare base" am "$tree" "$repo/build/series/02-core/*.patch" "$tmp/am-core"
check "series: the cover letter has text, shortlog and diffstat" \
	eval 'cd build/series/02-core && grep -q "^More" 0000* && grep -q "Some One (2)" 0000* && grep -q "files changed" 0000*'
check "series: and names the base, and no other patch" \
	eval 'grep -qx "base-commit: $(git -C "$tree" rev-parse base)" build/series/02-core/0000* && ! grep -q ^prerequisite build/series/*/*'
check "series: new files are folded in, mode included" \
	eval 'grep -q "^new file mode 100755" build/series/02-core/0002* && ! grep -q New-file: build/series/*/*'
check "series: maintainers of what a patch touches" \
	eval 'cd build/series/02-core && grep -q "^To: =?utf-8?.*<jm@one.example>$" 0001* && grep -q "^Cc: Core List <core@lists" 0001* &&
	! grep "core@lists" 0002*'
check "series: all of them are told of the posting" eval 'grep -q "core@lists" build/series/02-core/0000* && ! grep "core@lists" build/series/01-fix/*'
check "series: FORMAT reaches the mails" eval 'FORMAT="-v2 --rfc" ./run series && grep -q "RFC PATCH v2 1/2" build/series/02-core/v2-0001*'
check "series: POSTING makes one, by its name" eval 'rm -r build/series/* && POSTING=core ./run series && [ "$(ls build/series)" = 02-core ]'
check "series: or by its folder" eval 'POSTING=01-fix ./run series && [ -e build/series/01-fix/0001* ]'
refused "series: there is no such posting" "POSTING=cor: there is no such posting" ./run series POSTING=cor
check "series: SIGNOFF goes below what is there, and is who sends it" eval \
	'SIGNOFF="Who Sends <who@sends.example>" ./run series && grep -q "^From: Who Sends" build/series/02-core/0000* &&
	[ "$(grep -h ^Signed-off-by: build/series/02-core/0002* | tail -n 1)" = "Signed-off-by: Who Sends <who@sends.example>" ] &&
	grep -q "^From: Some One" build/series/02-core/0002*'
refused "series: SIGNOFF without a name" "SIGNOFF=who@sends.example: it has to be" ./run series SIGNOFF=who@sends.example

refused "import: uncommitted work here is not overwritten" "0001-b.patch has changes that are not committed" ./run import
git commit -qam "Edit"
check "import: hand-written patches take their normal form" says "3 patches, 3 new files; 4 written, 3 removed" ./run import
git add -A && git commit -qm "Normal form"
check "import: the table of all postings" eval 'grep -q "^| 02-core | 2 | - | .dma-buf: the core.(02-core/0000-cover-letter.txt) |$" patches/README.md'
check "import: a second one changes no byte" says "0 written, 0 removed" ./run import
check "import: make tree agrees" says "up to date" ./run tree

with() { # PATCH SED-SCRIPT COMMAND...
	local patch=$1 script=$2 rc
	shift 2
	cp "$patch" "$tmp/saved" && sed -i "$script" "$patch" && "$@"; rc=$?
	cp "$tmp/saved" "$patch"
	return $rc
}
hack() { (cd "$tree" && "$@" && git add -A && git commit -q -m "${message:-dma-buf: Hack}"); }
message="dma-buf: Edit, add, rename and remove" hack eval '
	git mv drivers/dma-buf/old.c drivers/dma-buf/older.c && sed -i s/^150$/x/ drivers/dma-buf/older.c
	git mv include/linux/new.h include/linux/newer.h
	git rm -q scripts/tool.sh
	echo new >drivers/dma-buf/third.c'
message="dma-buf: Only more of a new file" hack eval 'echo more >>drivers/dma-buf/third.c'
hacked=$(git -C "$tree" rev-parse 'HEAD^{tree}')
refused "tree: commits of somebody else's are kept" "commits that make tree did not make: .*make import" ./run tree
refused "clean: so it does" "commits that make tree did not make" ./run clean
check "import: of two hacked commits" ./run import
check "import: the files give the hacked tree" eval \
	'./run tree | grep -q "up to date: 7 commits" && [ "$(git -C "$tree" rev-parse "HEAD^{tree}")" = "$hacked" ]'
check "import: a later edit of a new file is a diff" grep -qx "+more" patches/02-core/0004-dma-buf-Only-more-of-a-new-file.patch
check "import: and not in the patch that adds it" eval 'git -C "$tree" show HEAD~1:drivers/dma-buf/third.c | cmp - <(echo new)'
check "import: a renamed new file moves" eval '[ ! -e include/linux/new.h ] && grep -q "New-file: include/linux/newer.h" patches/01-fix/0001*'
check "import: a kernel file's rename is a diff" eval 'grep -q "^rename to drivers/dma-buf/older.c" patches/02-core/0003* && [ ! -e drivers/dma-buf/older.c ]'
check "import: a removal is a diff" grep -q "^deleted file mode" patches/02-core/0003*
check "import: another new file stands here" eval '[ "$(cat drivers/dma-buf/third.c)" = "new
more" ]'
check "import: the cover letter is kept" grep -q "The text" patches/01-fix/0000-cover-letter.txt
git add -A && git commit -qm "Hacked"
check "import: stable after that, too" says "0 written, 0 removed" ./run import
check "series: git am applies what was hacked" eval './run series && am "$tree" "$repo/build/series/*/*.patch" "$tmp/am2" && same "$tree" "$tmp/am2"'


# ---- a posting that needs another, one that is new, and patches that change theirs

message="dma-buf: Build on the fix" hack sed -i 's/new.o/new.o later.o/' drivers/dma-buf/Makefile
check "import: says what does not apply to what it needs" says \
	"^warning: .*02-core/0005-.* does not apply on Linux 7.3.9 and what 02-core needs (base)" ./run import
git add -A && git commit -qm "Needs another"
refused "series: refuses that" "02-core/0005-.* does not apply on Linux 7.3.9 and what 02-core needs (base)" ./run series
sed -i 's/^Needs: base/Needs: fix/' patches/02-core/0000*
check "series: takes it when it is named" ./run series
check "series: and so do the mails" eval 'grep -q "^prerequisite-patch-id: $(git patch-id --stable <build/series/01-fix/0001*.patch | cut -d" " -f1)" build/series/02-core/0000*'
check "ranges: end with the posting, on what it needs" eval 'set -- $(POSTING=core testbed/series.py ranges) && [ $# = 3 ] &&
	[ "$(git -C "$tree" log --format=%s base.."$2")" = "dma-buf: Add the new file" ] && [ "$(git -C "$tree" rev-list --count "$2..$3")" = 5 ]'
refused "a posting needs what is none before it" "Needs: nothing, which is no posting before it" \
	with "$(echo patches/02-core/0000*)" 's/^Needs: fix/Needs: nothing/' ./run series
refused "a cover letter does not say what it needs" "02-core/0000-cover-letter.txt: needed are" \
	with "$(echo patches/02-core/0000*)" '/^Needs:/d' ./run series
git add -A && git commit -qm "Needs: fix" && ./run tree >/dev/null

empty() { git -C "$tree" commit -q --allow-empty -m "$1" -m "${2:-Text.}" -m "Needs: ${3:-base}"; }
again() { git -C "$tree" reset -q --hard refs/made/tip; }
reorder() { # the first commits, and a posting for the script at the beginning
	git -C "$tree" reset -q --hard base && empty "posting script: scripts: a script" "It is new." && git -C "$tree" cherry-pick "$1~3" &&
		git -C "$tree" cherry-pick --allow-empty "$1~7" "$1~6" "$1~5" "$1~4"
}
check "import: a new posting, a moved and two dropped patches" eval 'reorder "$(git -C "$tree" rev-parse HEAD)" && ./run import'
check "import: numbers follow the order, what is dropped disappears" \
	eval '[ "$(cd patches && ls -d */* | xargs)" = "01-script/0000-cover-letter.txt 01-script/0001-scripts-Add-a-script.patch 02-fix/0000-cover-letter.txt 02-fix/0001-dma-buf-Add-the-new-file.patch 03-core/0000-cover-letter.txt 03-core/0001-dma-buf-Change-the-core.patch" ] &&
	[ ! -e drivers/dma-buf/third.c ]'
check "import: a cover letter is what its commit says" eval '[ "$(cat patches/01-script/0000*)" = "Subject: scripts: a script

It is new.

Needs: base" ]'
git add -A && git commit -qm "Reordered"
check "import: stable with a new posting, too" says "0 written, 0 removed" ./run import
git -C "$tree" reset -q --hard base && git -C "$tree" cherry-pick refs/made/tip >/dev/null
refused "import: a commit before the first posting" "\"dma-buf: Change the core\" is in no posting" ./run import
again && message="posting late: dma-buf: late" hack sed -i s/^5$/five/ drivers/dma-buf/core.c
refused "import: a cover letter with changes" "\"posting late: dma-buf: late\" changes files" ./run import
again && empty "posting late: dma-buf: late"
refused "import: a posting without patches" "04-late has no patches" ./run import
again && empty "posting fix: dma-buf: late" && message="dma-buf: Late" hack sed -i s/^5$/five/ drivers/dma-buf/core.c
refused "import: two postings of one name" "two postings of the name fix" ./run import
again
touch patches/0001-flat.patch
refused "a patch in no posting" "patches/0001-flat.patch is in no posting" ./run tree
rm patches/0001-flat.patch

message="fixup! dma-buf: Change the core" hack eval 'sed -i s/^5$/five/ drivers/dma-buf/core.c'
refused "import: a fixup is to be squashed first" "autosquash" ./run import
check "tree: FORCE=1 discards" ./run tree FORCE=1
echo x >>"$tree/drivers/dma-buf/core.c"
refused "tree: uncommitted changes are kept" "uncommitted changes: .*make import.*FORCE=1" ./run tree
refused "import: takes commits only" "commit or stash" ./run import
check "tree: FORCE=1 discards these, too" eval './run tree FORCE=1 && clean "$tree"'
message="dma-buf: Tagged

---
gone" hack eval 'sed -i s/^5$/five/ drivers/dma-buf/core.c'
refused "import: a message that git am would cut" "would not survive git am" ./run import
check "import: and nothing was written" clean .
git -C "$tree" reset -q --hard HEAD~1
sed -i 's/^8$/eight/' drivers/dma-buf/new.c && git commit -qam "Pulled"
message="dma-buf: Hack on the old state" hack eval 'sed -i s/^5$/five/ drivers/dma-buf/core.c'
refused "import: does not undo what changed here since make tree" "have changed since make tree" ./run import
check "import: unless forced" ./run import FORCE=1
git -C "$repo" reset -q --hard && git -C "$repo" clean -qfd && ./run tree FORCE=1 >/dev/null 2>&1

# ---- every refusal, in a repository that is fine before and after

touch drivers/dma-buf/stray.c
refused "no patch names a file" "drivers/dma-buf/stray.c belongs to no patch" ./run tree
rm drivers/dma-buf/stray.c
p1=$(echo patches/01*/0001*) p2=$(echo patches/02*/0001*) p3=$(echo patches/03*/0001*)
refused "a named file does not exist" "names New-file: no/such.c, which does not exist" \
	with "$p1" 's,^Signed-off-by.*,&\nNew-file: no/such.c,' ./run tree
refused "two patches name one file" "both name New-file: scripts/new.sh" \
	with "$p2" 's,^Signed-off-by.*,&\nNew-file: scripts/new.sh,' ./run tree
echo x >drivers/dma-buf/core.c
refused "a named file is the kernel's" "which the base kernel has already" \
	with "$p1" 's,^Only a new.*,&\n\nNew-file: drivers/dma-buf/core.c,' ./run tree
rm drivers/dma-buf/core.c
refused "a patch does not apply" "03-core/0001-.* does not apply on Linux 7.3.9 .*core.c:18" \
	with "$p3" 's/^ 20$/ twenty/' ./run tree
refused "a patch edits a new file that is another one here" "cannot be taken back from the files here" \
	with "$p3" 's,drivers/dma-buf/core.c,scripts/new.sh,g' ./run tree
refused "a patch creates a file" "creates drivers/dma-buf/core.c in its diff" \
	with "$p3" 's/^index .*/new file mode 100644/' ./run tree
refused "a patch without author" "has no From: line" with "$p3" '/^From: /d' ./run tree
refused "no cover letter" "0000-cover-letter.txt" with patches/01-script/0000-cover-letter.txt 1d ./run series
check "and without all that the tree is up to date" says "up to date" ./run tree

base_of() { mkdir -p "$tmp/$1" && printf '%s\n' "VERSION = $2" "PATCHLEVEL = $3" "EXTRAVERSION =${4:-}" >"$tmp/$1/Makefile"; }
base_of v72 7 2 && base_of rc 7 3 " -rc4" && mkdir "$tmp/empty"
refused "base: 7.2" "is 7.2, the series needs 7.3" ./run tree LINUX="$tmp/v72"
refused "base: a release candidate" "is 7.3-rc4" ./run tree LINUX="$tmp/rc"
refused "base: no kernel" "no kernel tree" ./run tree LINUX="$tmp/empty"
refused "base: no such path" "does not exist" ./run tree LINUX="$tmp/nowhere"
refused "base: a file that is no tarball" "not a kernel tarball" ./run tree LINUX="$TOP/run"

git -C "$LINUX" init -q && git -C "$LINUX" add -A && git -C "$LINUX" commit -qm "Linux 7.3.9"
sum=$(cd "$LINUX" && find . -type f ! -path ./.git/index -exec sha1sum {} + | sort)
check "base: a git checkout gives the tree of a directory" says "up to date" ./run tree
echo leak >>"$LINUX/drivers/dma-buf/core.c" && echo leak >"$LINUX/leak.c"
check "base: a git checkout is what the mails name" eval './run series && grep -qx "base-commit: $(git -C "$LINUX" rev-parse HEAD)" build/series/03-core/0000*'
check "base: what is not committed in it does not leak" says "up to date" ./run tree
git -C "$LINUX" checkout -q . && rm "$LINUX/leak.c"
check "base: it is only read" test "$sum" = "$(cd "$LINUX" && find . -type f ! -path ./.git/index -exec sha1sum {} + | sort)"
tar -C "$tmp" --exclude=.git --exclude=core.o --transform 's,^base,linux-7.3.9,' -cJf "$tmp/linux.tar.xz" base
check "base: so does a tarball" says "up to date" ./run tree LINUX="$tmp/linux.tar.xz"
cp -r "$LINUX" "$tmp/debian" && rm -rf "$tmp/debian/.git" "$tmp/debian/drivers/dma-buf/core.o"
printf '\n#\n# Debian packaging: ignore everything\n#\n/*\n!/debian/\n' >>"$tmp/debian/.gitignore"
check "base: so does Debian's, without what it ignores" says "up to date" ./run tree LINUX="$tmp/debian"

# ---- a machine that lacks something

mkdir "$tmp/bin"
for dir in /bin /usr/bin /sbin /usr/sbin "$(dirname "$(python3 -c 'import sys; print(sys.executable)')")"; do
	ln -s "$dir"/* "$tmp/bin" 2>/dev/null
done
ln -sf "$(python3 -c 'import sys; print(sys.executable)')" "$tmp/bin/python3"
without() { # COMMAND-NAME COMMAND...
	local rc
	mv "$tmp/bin/$1" "$tmp/$1.away"
	PATH=$tmp/bin "${@:2}"; rc=$?
	mv "$tmp/$1.away" "$tmp/bin/$1"
	return $rc
}
fake() { rm -f "$tmp/bin/$1"; printf '#!/bin/sh\n%s\n' "$2" >"$tmp/bin/$1"; chmod +x "$tmp/bin/$1"; }
unset LINUX
fake sudo 'exit 1'
fake id 'echo 1000'
refused "no xz" "xz is not installed" without xz ./run tree CACHE="$tmp/cache2"
refused "no qemu, neither root nor sudo: the line to type" \
	"as root: apt-get install --no-install-recommends .*qemu-system-x86" without qemu-system-x86_64 testbed/setup.sh
refused "no git" "git is not installed\|as root: apt-get install .* git" without git ./run tree
fake df 'echo; echo / 1 1 4711000 1 /'
check "disk: enough" says "up to date" env PATH="$tmp/bin" ./run tree LINUX="$tmp/debian"
fake df 'echo; echo / 1 1 4711 1 /'
refused "disk: too little" "4 MiB free, 2 GiB are needed" env PATH="$tmp/bin" ./run tree CACHE="$tmp/cache2"
if command -v apt-get >/dev/null; then
	fake df 'echo; echo / 1 1 4711000 1 /'
	refused "no network" "no Debian package mirror answers: connect to the network, or download" \
		env PATH="$tmp/bin" http_proxy=http://127.0.0.1:9 https_proxy=http://127.0.0.1:9 \
		./run tree CACHE="$tmp/cache2"
	fake apt-get 'case "$*" in *indextargets*) echo "http://127.0.0.1:9/debian/ main" ;; *update*) ;; *) exit 100 ;; esac'
	refused "the mirror has no such kernel" "could not fetch linux-source-7.3" \
		env PATH="$tmp/bin" ./run tree CACHE="$tmp/cache2"
else
	skip "no network: no apt-get here"
fi
check "make knows the same targets" says "up to date" make -s tree LINUX="$tmp/debian"
refused "an unknown target" "no target nonsense" ./run nonsense

# ---- the runner of the parts

cp "$TOP/testbed/test.sh" testbed
part() { printf '#!/bin/sh\n%s\n' "$2" >"testbed/$1.sh"; chmod +x "testbed/$1.sh"; }
part good 'echo ok 1; echo "ok 2 # SKIP"; echo "# totals: pass:1 fail:0 skip:1"'
part early 'echo ok 1'
part liar 'echo "  not ok 1"; echo "# totals: pass:1 fail:0 skip:0"'
part status 'echo "# totals: pass:1 fail:0 skip:0"; exit 3'
part none 'echo "# totals: pass:0 fail:0 skip:0"'
runner() { # LAST-LINE STATUS PART...
	local rc
	testbed/test.sh "${@:3}" >"$tmp/runner" 2>/dev/null; rc=$?
	cat "$tmp/runner"
	[ "$(tail -n 1 "$tmp/runner")" = "$1" ] && [ $rc = "$2" ]
}
check "runner: adds up" runner "2 passed, 0 failed, 2 skipped" 0 good good
check "runner: a part that ends early has failed" runner "1 passed, 1 failed, 1 skipped" 1 early good
check "runner: a part that does not exist, too" runner "0 passed, 1 failed" 1 missing
check "runner: not ok counts, whatever the totals say" runner "1 passed, 1 failed" 1 liar
check "runner: so does the status" runner "1 passed, 1 failed" 1 status
check "runner: no test is no success" runner "0 passed, 0 failed" 1 none
totals
