#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Prove what can be proved, and not only tested:
#  - how the list is stored, and its cursors, with cbmc: prove/list.c
#  - who waits for whom when a buffer moves and its device goes, with spin:
#    prove/protocol.pml
#  - that a trace of the real thing has its steps in the order of that model:
#    prove/trace.py
# Each is then given something with a fault, planted by a line below, and fails if it
# does not find it.
# shellcheck source=testbed/lib.sh
. "$(dirname "$0")/lib.sh"
need gcc spin python3 cadical

SRC=$TOP/testbed/prove out=$BUILD/prove root=$CACHE/cbmc
mkdir -p "$out" "$LOG"

# --- spin

# model NAME FLAGS EXPECT: EXPECT is what pan says of it, "errors: 0" or a fault
model() {
	local name=$1 expect=$3 dir=$out/model-$1 flags kind=-DSAFETY search=-n
	[ -z "${LOOPS:-}" ] || kind=-DNP search='-l'
	read -ra flags <<<"$2"
	rm -rf "$dir"
	mkdir -p "$dir"
	(cd "$dir" && spin "${flags[@]}" -a "$SRC/protocol.pml" &&
		gcc -O2 -w -DMEMLIM=4000 $kind -DNOFAIR -DNOCLAIM -o pan pan.c &&
		./pan "$search" -m100000) >"$LOG/prove-$name.log" 2>&1 </dev/null
	said=$(grep -aoE 'pan:1: .* \(at depth|errors: [0-9]+' "$LOG/prove-$name.log" | head -n 1)
	said=${said#pan:1: }
	said=${said% (at depth}
	count=$(sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' "$LOG/prove-$name.log")
	[ "$said" = "$expect" ] && ! grep -qE 'max search depth too small|out of memory|reached -DMEMLIM' "$LOG/prove-$name.log"
}

proved() {	# NAME TEXT FLAGS
	local start=$SECONDS
	if model "$1" "$3" 'errors: 0'; then
		ok "model: $2: $count states, $((SECONDS - start)) s"
	else
		not_ok "model: $2: ${said:-it did not end}: see $LOG/prove-$1.log"
	fi
}

planted() {	# NAME FLAGS EXPECT TEXT
	if model "$1" "-DBUG_$1 $2" "$3"; then
		ok "model, planted: $4: found: $said"
	else
		not_ok "model, planted: $4: ${said:-it did not end}: see $LOG/prove-$1.log"
	fi
}

proved promise "importers that keep their promise: all that waits ends, nothing is left" ""
LOOPS=1 proved loops "nobody goes in a circle" ""
proved twice "the same, and each of them twice" "-DROUNDS=2 -DMOVES=2"
proved hang "importers that never unmap: remove() returns in time, and reports all that is left" -DHANG
proved stuck "a fence that never signals: so it does for the only importer" "-DHANG -DSTUCK -DALONE -DMOVES=0"
# A limit that dma_buf_revoke_mappings() documents: no timeout for who holds the lock.
if model limit "-DHANG -DSTUCK" "invalid end state"; then
	ok "model: a limit: who waits for a fence that never signals, with the lock, holds up remove()"
else
	not_ok "model: a limit: ${said:-it did not end}: is this no longer so? See $LOG/prove-limit.log"
fi

while IFS=';' read -r name flags expect text; do
	planted "$name" "$flags" "$expect" "$text"
done <<'END'
REMAP;;assertion violated ( !(in_bar)|| !(removed));mapping again after remove()
NO_WAKE;;invalid end state;unmapping wakes nobody
NO_WAIT;;assertion violated  !(reported);remove() does not wait
NOT_REPORTED;-DHANG;assertion violated (((in_mappings[0]&&peer[0])+(in_mappings[1]&&peer[1]))<=reported);remove() does not report who is left
WAIT_LOCKED;;invalid end state;waiting for importers with the reservation lock
PUT_LOCKED;;invalid end state;the last reference dropped under the lock of release()
LATE_UNMAP;;invalid end state;an importer forgets that it was told
STALE_FILE;;assertion violated (file_refs>0);dmabuf->file stays when the file is gone
DETACH;;assertion violated (state[i]==1);detaching what is mapped
TIMEOUT;-DHANG;assertion violated (ticks<=3);each wait has all of the time
NO_FENCE;;assertion violated (peer[i]==in_bar);a move does not wait for fences
END
if model FREE_FIRST -DBUG_FREE_FIRST "errors: 0" || [[ $said != *nr_lists* ]]; then
	not_ok "model, planted: the list is freed first, then forgotten: ${said:-it did not end}"
else
	ok "model, planted: the list is freed first, then forgotten: found: mappings and counters disagree"
fi

# --- a trace

# A recorded one, and a new one where there is a kernel to boot
traced() {	# FILE TEXT
	local said
	if said=$("$SRC/trace.py" "$1" 2>&1); then
		ok "trace: $2: in the order of the model: $said"
	else
		not_ok "trace: $2: $said"
	fi
	if said=$("$SRC/trace.py" --swap "$1" 2>&1); then
		ok "trace: $2: $said"
	else
		not_ok "trace: $2: $said"
	fi
}

traced "$SRC/trace.txt" "recorded"
kernel=
for name in debug fast; do
	[ -n "$kernel" ] || [ ! -e "$BUILD/kernel-$name/arch/x86/boot/bzImage" ] || kernel=$name
done
if [ -z "$kernel" ]; then
	skip "trace: taken now: no kernel was built, ./run matrix builds one"
elif QUIET=1 step "taking a trace" "$LOG/prove-boot.log" \
		"$TOP/testbed/matrix.py" --kernel "$kernel" --log "$LOG/prove" trace-order; then
	traced "$LOG/prove/trace-order.log" "taken now"
else
	not_ok "trace: taken now: see $LOG/prove-boot.log"
fi

# --- cbmc

# It is in trixie and not in bookworm.
if command -v cbmc >/dev/null; then
	cbmc=(cbmc)
else
	[ -e "$root/usr/bin/cbmc" ] || step "fetching cbmc" "$LOG/prove-fetch.log" unpack_trixie "$root" cbmc ||
		die "cannot fetch cbmc from Debian trixie: see $LOG/prove-fetch.log, or install it"
	cbmc=("$root/usr/lib64/ld-linux-x86-64.so.2" --library-path
	      "$root/usr/lib/x86_64-linux-gnu:$root/usr/lib" "$root/usr/bin/cbmc")
fi

# copy DIRECTORY [FILE SED]: the sources, one of them with a fault. For the cursors
# dma_buf_run_read() is what prove/list.c says of it.
copy() {
	local dir=$1 file=$2
	rm -rf "$dir"
	mkdir -p "$dir/linux" "$dir/contract/linux"
	cp "$TOP"/drivers/dma-buf/dma-buf-{list.c,internal.h} "$dir"
	cp "$TOP/include/linux/dma-buf-map.h" "$dir/linux"
	if [ -n "$file" ]; then
		sed -i.orig "$3" "$dir/$file"
		! cmp -s "$dir/$file" "$dir/$file.orig" || die "$3 changes nothing in $file"
	fi
	sed 's/^static inline const u64 \*dma_buf_run_read(/const u64 *dma_buf_run_read(const u64 *, u64 *, unsigned long *);\n'"\
static inline const u64 *dma_buf_really_run_read(/" "$dir/linux/dma-buf-map.h" >"$dir/contract/linux/dma-buf-map.h"
}

# The headers, as for the fuzzer
"$TOP/testbed/fuzz/build.sh" "$out" headers || exit
mkdir -p "$out/include/gnu"
: >"$out/include/gnu/stubs-32.h"

# check DIRECTORY LOG VARIANT FUNCTION FLAG...
check() {
	local dir=$1 log=$2 flags=() function=$4
	case $3 in
	64k) flags+=(-D PAGE_SHIFT=16) ;;
	# The libc of this machine does for its types, but for a file that lists functions.
	32) flags+=(--i386-linux -I "/usr/include/$(gcc -print-multiarch)") ;;
	esac
	case $function in
	add | trim) flags+=(--unwindset "dma_buf_run_read.0:2,dma_buf_writer_trim.0:3" --unwind 6 --unsigned-overflow-check) ;;
	# For arithmetic cadical takes a tenth of the time, and for memory more than cbmc's own solver.
	*) flags+=(-D CONTRACT -I "$dir/contract" --no-standard-checks --bounds-check --signed-overflow-check
		   --undefined-shift-check --unwind 5 --external-sat-solver cadical) ;;
	esac
	shift 4
	# Blocks of four words are the smallest that take what two words were moved to.
	# Seconds of the CPU: others may be busy on this machine.
	(ulimit -t 600 && "${cbmc[@]}" --function "prove_$function" "${flags[@]}" "$@" --unwinding-assertions \
		-D SZ_4K=64 -I "$dir" -I "$out/include" -I "$TOP/include" -I "$TOP/testbed/fuzz" \
		--no-malloc-may-fail --slice-formula "$SRC/list.c" "$dir/dma-buf-list.c") </dev/null >"$log" 2>&1
	grep -q '^VERIFICATION SUCCESSFUL' "$log"
}

# states VARIANT: of the writer: the room that the caller gives, a first and a later block
states() {
	local room used rooms=2
	[ "$1" != 64 ] || rooms='2 4'
	for room in 0 1 2; do
		for ((used = 0; used <= room; used++)); do echo "-D PLACE=HERE -D ROOM=$room -D USED=$used"; done
	done
	for room in $rooms; do
		for ((used = 0; used <= room; used++)); do
			echo "-D PLACE=FIRST -D ROOM=$room -D USED=$used"
			echo "-D PLACE=LATER -D ROOM=$room -D USED=$used"
		done
	done
}

# A reader starts anywhere in the first run. PROVE_AT=1 has those that skip a run as
# well, on which the solver spends more time than there is here.
readers() {
	local runs at
	for runs in $(seq "${PROVE_RUNS:-2}"); do
		for ((at = 0; at < runs && at <= ${PROVE_AT:-0}; at++)); do echo "-D RUNS=$runs -D AT=$at"; done
	done
}

# all VARIANT FUNCTION TEXT: of each state or reader, as many at a time as there are CPUs
all() {
	local variant=$1 function=$2 n=0 bad='' start=$SECONDS flags log list=readers
	case $function in add | trim) list=states ;; esac
	rm -f "$LOG/prove-$variant-$function-"*
	while read -ra flags; do
		n=$((n + 1)) log=$LOG/prove-$variant-$function-$n.log
		[ "$(jobs -rp | wc -l)" -lt "$JOBS" ] || wait -n || :
		check "$out/clean" "$log" "$variant" "$function" "${flags[@]}" || touch "$log.failed" &
	done < <("$list" "$variant")
	wait
	bad=$(compgen -G "$LOG/prove-$variant-$function-*.failed" | head -n 1)
	if [ -z "$bad" ]; then
		ok "list: $variant: $3, $n cases, $((SECONDS - start)) s"
	else
		not_ok "list: $variant: $3: see ${bad%.failed}"
	fi
}

copy "$out/clean" ''
for variant in 64 64k 32; do
	all "$variant" add "a writer adds any run in any state, for any number of runs"
	all "$variant" trim "its last block shrinks"
	all "$variant" pages "pages from anywhere in the first run on, of up to ${PROVE_RUNS:-2} runs"
	all "$variant" ranges "ranges from anywhere in the first run on, of up to ${PROVE_RUNS:-2} runs"
done

while IFS='|' read -r text function flags file sed; do
	read -ra flags <<<"$flags"
	copy "$out/planted" "$file" "$sed"
	log=$LOG/prove-planted-$function.log
	if check "$out/planted" "$log" 64 "$function" "${flags[@]}" --stop-on-fail || ! grep -q '^VERIFICATION FAILED' "$log"; then
		not_ok "list, planted: $text: not found: see $log"
	else
		ok "list, planted: $text: found: $(sed -n '/^Violated property/{n;n;s/^ *//p}' "$log")"
	fi
done <<'END'
a border off by one|add|-D PLACE=LATER -D ROOM=2 -D USED=1|dma-buf-internal.h|s/writer->end - writer->pos > 1/writer->end - writer->pos > 0/
the mask of a word|add|-D PLACE=HERE -D ROOM=2 -D USED=0|linux/dma-buf-map.h|s/word++ & (PAGE_SIZE - 1)/word++ \& (PAGE_SIZE \/ 2 - 1)/
a link is skipped|add|-D PLACE=LATER -D ROOM=2 -D USED=2|dma-buf-list.c|s/\*writer->link = (unsigned long)block->words;//
no room for the link|add|-D PLACE=FIRST -D ROOM=2 -D USED=2|dma-buf-list.c|s/block_alloc(nwords + DMA_BUF_LINK_WORDS)/block_alloc(nwords + 2)/
a link to the old block|trim|-D PLACE=LATER -D ROOM=4 -D USED=1|dma-buf-list.c|s/\*writer->link = (unsigned long)new->words;/;/
a run beyond the window|pages|-D RUNS=1 -D AT=0|linux/dma-buf-map.h|s/npages = min(npages, cursor->left);//
a range across a gap|ranges|-D RUNS=2 -D AT=0|linux/dma-buf-map.h|s/ && cursor->addr == end && end)/)/
END
totals
