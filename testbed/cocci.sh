#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The semantic patches of scripts/coccinelle/dma-buf: each finds what is marked
# "match" in a file of testbed/cocci/ and nothing else, in the modes that "make
# coccicheck" uses, and nothing in the drivers of the patched tree. After "match:"
# is a part of what it has to say.
# shellcheck source=testbed/lib.sh
. "$(dirname "$0")/lib.sh"
need spatch

RULES=$TREE/scripts/coccinelle/dma-buf
TESTS=$TOP/testbed/cocci
[ -d "$RULES" ] || die "$RULES is not there: run ./run tree first"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# A file is a group of its own, or what one has would count for the others. What
# the scanner would leave out may be all of a test.
check() {
	local mode=$1 rule=$2 quiet=()
	shift 2
	[ "$mode" != report ] || quiet=(--no-show-diff)
	printf '%s\n\n' "$@" >"$tmp/groups"
	spatch --very-quiet --no-scanner --timeout 60 "${quiet[@]}" -D "$mode" --no-includes \
		--include-headers --cocci-file "$RULES/$rule.cocci" --file-groups "$tmp/groups"
}

# same TEXT EXPECTED ACTUAL: the difference goes into the log
same() {
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		not_ok "$1"
		diff <(echo "$2") <(echo "$3") | sed 's/^/# /'
	fi
}

for file in "$TESTS"/*.c; do
	name=$(basename "$file" .c) rule=${name%%-*}
	marked=$(grep -nE '/\* match[: ]' "$file" | cut -d: -f1)
	said=$(check report "$rule" "$file")
	found=$(cut -d: -f2 <<<"$said" | sort -n)
	same "$name: report" "$marked" "$found"
	while IFS=: read -r line text; do
		same "$name: line $line says $text" 1 "$(grep -cF "$text" <<<"$(grep ":$line:" <<<"$said")")"
	done < <(sed -n 's|.*/\* match: \(.*\) \*/.*|\1|; t found; d; :found; =; p' "$file" | paste -d: - -)
	found=$(check context "$rule" "$file" | grep -cE '^-.*/\* match[: ]')
	same "$name: context" "$(wc -l <<<"$marked")" "$found"
done

said=$(spatch --very-quiet --no-scanner -D patch --no-includes -o "$tmp/after" \
	--cocci-file "$RULES/convert.cocci" "$TESTS/convert.c")
same "convert: patch" "$(<"$TESTS/convert.after")" "$(cat "$tmp/after")"
left=$(grep '^static struct sg_table \*.*match' "$tmp/after" | sed 's/.*\*\([a-z_]*\)(.*/\1/')
same "convert: says what it leaves alone" "$left" "$(sed -n 's/.*: \([a-z_]*\)() is left alone.*/\1/p' <<<"$said")"

# As the guide has it, from within the tree and for a module that is somewhere else
cp "$TESTS/p2p-helper.c" "$tmp/"
found=$(make -s -C "$TREE" coccicheck MODE=report M="$(realpath --relative-to="$TREE" "$tmp")" \
	COCCI=scripts/coccinelle/dma-buf/p2p.cocci 2>&1 | grep -c 'p2p-helper.c:.*ERROR')
same "coccicheck: a relative M= and COCCI=" "$(grep -c '/\* match' "$TESTS/p2p-helper.c")" "$found"

spatch --very-quiet --no-scanner -D patch --no-includes -o "$tmp/after" \
	--cocci-file "$RULES/import.cocci" "$TESTS/import.c" >/dev/null
same "import: patch" "$(<"$TESTS/import.after")" "$(cat "$tmp/after")"

# Everything that a rule could say anything about
dirs=(drivers/accel drivers/dma-buf drivers/gpu/drm drivers/infiniband/core drivers/iommu/iommufd
      drivers/media/common/videobuf2 drivers/media/platform/nvidia drivers/misc drivers/tee
      drivers/usb/gadget/function drivers/vfio/pci drivers/xen
      samples/dma-buf samples/vfio-mdev sound/soc/fsl)
cd "$TREE" || exit 1
mapfile -t files < <(grep -rlE --include='*.[ch]' 'dma_buf_(list|cursor|chunk|ops)|pci_p2pdma_distance|dma_map_resource' "${dirs[@]}")
for rule in page list p2p convert; do
	found=$(check report "$rule" "${files[@]}" 2>&1)
	same "$rule: ${#files[@]} files of the tree" "" "$found"
done
found=$(check patch convert "${files[@]}" 2>&1)
same "convert: leaves what is converted alone" "" "$found"
mapfile -t files < <(grep -rlE --include='*.c' 'dma_buf_((un)?map_attachment|list_(un)?map)\(' drivers samples net io_uring)
same "lock: ${#files[@]} importers of the tree" "" "$(check report lock "${files[@]}" 2>&1)"
mapfile -t files < <(grep -LE 'dma_buf_(un)?map_attachment' "${files[@]}")
for mode in report patch; do
	found=$(check $mode import "${files[@]}" 2>&1)
	same "import: $mode: ${#files[@]} files without an importer to convert" "" "$found"
done
totals
