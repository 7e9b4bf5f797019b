#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# test-lsdmabuf.sh LSDMABUF - what it makes of files that look like /proc and /sys,
# and, with a library in place of the kernel, of the answers to its questions

set -u
lsdmabuf=$(realpath "${1:?usage: test-lsdmabuf.sh LSDMABUF}")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
nr=0 failed=0

result()
{
	nr=$((nr + 1))
	echo "$1 $nr $2"
	[ "$1" = ok ] || failed=$((failed + 1))
}

# same TEXT EXPECTED ACTUAL
same()
{
	if [ "$2" = "$3" ]; then
		result ok "$1"
	else
		result "not ok" "$1"
		diff <(echo "$2") <(echo "$3") | sed 's/^/# /'
	fi
}

# fdinfo PID FD: of standard input, below the lines that all files have
fdinfo()
{
	mkdir -p "$tmp/proc/$1/fdinfo"
	[ -e "$tmp/proc/$1/comm" ] || echo "process$1" >"$tmp/proc/$1/comm"
	{ printf 'pos:\t0\nflags:\t02000002\nmnt_id:\t12\n'; cat; } >"$tmp/proc/$1/fdinfo/$2"
}

# dmabuf PID FD INO EXPORTER: with more lines from standard input
dmabuf()
{
	{
		printf 'ino:\t%s\nsize:\t12288\ncount:\t2\nexp_name:\t%s\n' "$3" "$4"
		cat
	} | fdinfo "$1" "$2"
}

start()
{
	rm -rf "$tmp/proc"
	mkdir -p "$tmp/proc/self" "$tmp/proc/sys"
	echo "not a process" >"$tmp/proc/version"
}

list() { "$lsdmabuf" --proc="$tmp/proc" "$@" 2>&1; }

# Without the header, and with single blanks
lines() { list "$@" | tail -n +2 | sed 's/  */ /g; s/^ //'; }

start
same "no buffer" "" "$(lines)"

printf 'ino:\t5\nsize:\t4096\n' | fdinfo 10 0
printf 'ino:\t6\ndrm-driver:\tvirtio_gpu\nname:\tx\n' | fdinfo 10 1
printf 'ino:\t7\nexp_name:\tnobody\n' | fdinfo 10 2
printf 'ino:\tseven\nsize:\t4096\nexp_name:\tnobody\n' | fdinfo 10 3
printf 'ino:\t8\nsize:\t-1\nexp_name:\tnobody\n' | fdinfo 10 4
printf 'ino:\t9\nsize:\t99999999999999999999999\nexp_name:\tnobody\n' | fdinfo 10 5
: >"$tmp/proc/10/fdinfo/6"
same "other files are none" "" "$(lines)"

start
printf 'attach:\t0000:02:00.0 peer2peer=no reason=no-route (no route between the PCI devices)
attach:\t0000:01:00.0 peer2peer=yes reason=reachable (it is)
attach:\t0000:03:00.0 peer2peer=yes reason=reachable (it is)
failed:\t0000:03:00.0 error=-121 reason=dma-mask (beyond the DMA mask of the importer)
map:\t0000:01:00.0 memory=peer route=bus-address chunks=3 reason=reachable (it is)
refused:\t0000:04:00.0 error=-95 reason=not-revocable (it keeps it)
' | dmabuf 12 5 3 dma_buf_bar
same "each kind of line" "3 12K dma_buf_bar - process12[12]:5
0000:02:00.0 attached, peer2peer=no no-route (no route between the PCI devices)
0000:03:00.0 could not map it, Remote I/O error dma-mask (beyond the DMA mask of the importer)
0000:01:00.0 mapped in peer memory, bus-address, 3 parts reachable (it is)
0000:04:00.0 was refused, Operation not supported not-revocable (it keeps it)" "$(lines)"

start
dmabuf 30 7 4 udmabuf </dev/null
dmabuf 9 3 4 udmabuf </dev/null
dmabuf 9 12 20 system </dev/null
for pid in 101 102 103 104 105; do dmabuf $pid 1 100 heap </dev/null; done
same "who shares a buffer, in order" "4 12K udmabuf - process9[9]:3 process30[30]:7
20 12K system - process9[9]:12
100 12K heap - process101[101]:1 process102[102]:1 process103[103]:1 and 2 more" "$(lines)"
same "of two processes" "4 12K udmabuf - process30[30]:7
100 12K heap - process104[104]:1" "$(lines -p 30 --pid=104)"
same "of a process that is gone" "" "$(lines -p 31)"

start
printf 'name:\tframe\\012 attach:\\0110\\134\n' | dmabuf 12 5 3 exp
printf 'a\nb\033[2J\\' >"$tmp/proc/12/comm"
same "what is escaped stays so" \
	'3 12K exp frame\012 attach:\0110\134 a\012b\033[2J\134[12]:5' "$(lines)"

# As kernels that do not escape it may show a name
printf 'name:\tx\303\244\177\nino:\t99\nsize:\t1\nexp_name:\tother\nname:\ty\n\001\377\n' |
	dmabuf 12 5 3 exp
same "the first line counts" '3 12K exp x\303\244\177 a\012b\033[2J\134[12]:5' "$(lines)"

start
printf 'attach:\t- peer2peer=no reason=exporter (none)
attach:\t- peer2peer=no reason=exporter (none)
map:\t- memory=system route=iova chunks=1 reason=exporter (none)
' | dmabuf 12 5 3 exp
same "devices without a name" "3 12K exp - process12[12]:5
- attached, peer2peer=no exporter (none)
- attached, peer2peer=no exporter (none)
- mapped in system memory, iova, 1 part exporter (none)" "$(lines)"

start
printf 'attach:\t0000:01:00.0 new=7 peer2peer=yes bare color=blue reason=invented (a (new) one)
future:\twhatever
map:\t0000:01:00.0 memory=remote route=teleport
map:\tx
map:
attach:\t=== = reason
attach:\t\001\002 peer2peer=\003' | dmabuf 12 5 3 exp
same "what is new, missing or garbage" "3 12K exp - process12[12]:5
0000:01:00.0 mapped in remote memory, teleport, ? parts
x mapped in ? memory, ?, ? parts
mapped in ? memory, ?, ? parts
=== attached, peer2peer=?
\\001\\002 attached, peer2peer=\\003" "$(lines)"

start
{ printf 'name:\t'; head -c 1000000 /dev/zero | tr '\0' a; } | dmabuf 12 5 3 exp
same "a line of a megabyte" 1000000 "$(lines | tr -cd a | wc -c)"
{ printf 'name:\tzero\0 and more\n'; head -c 100000 /dev/urandom; } | dmabuf 12 5 3 exp
same "what is behind a zero byte is nothing" "3 12K exp zero process12[12]:5" "$(lines)"
for seed in 1 2 3 4 5 6 7 8; do
	head -c 20000 /dev/urandom | tr '\0' '\n' | dmabuf 12 $seed $seed exp
done
same "random bytes are no lines" 0 "$(list | LC_ALL=C grep -c '[^ -~]')"

start
for fd in 0 1023 1024 1536 1048576 1099511627776; do
	printf 'ino:\t%s\nsize:\t%s\nexp_name:\tx\n' "$((fd + 1))" "$fd" |
		fdinfo 1 "$((fd % 1000003))"
done
same "sizes" "0B 1023B 1K 1.5K 1M 1T" "$(lines | cut -d' ' -f2 | paste -sd' ')"

# JSON, as another program reads it: what is in each of the elements that a path of
# names and numbers leads to
elements()
{
	python3 -c '
import json, sys
value = json.load(sys.stdin)
for name in sys.argv[1:]:
    value = value[int(name) if name.isdigit() else name]
for each in value:
    print(*each.values() if isinstance(each, dict) else each)' "$@"
}

if command -v python3 >/dev/null; then
	start
	printf 'name:\tq"\\134\nattach:\t0000:01:00.0 peer2peer=yes reason=reachable (it is)
map:\t0000:01:00.0 memory=peer route=iova chunks=1 reason=reachable (it is)
failed:\t0000:02:00.0 error=-12 reason=error (no memory)
failed:\t0000:02:00.0 error=x reason=error
' | dmabuf 12 5 3 exp
	same "JSON of a buffer" \
		"3 12288 exp q\"\\134 [{'pid': 12, 'fd': 5, 'comm': 'process12'}]" \
		"$(list --json | elements dmabufs | cut -d' ' -f1-10)"
	same "JSON of its devices" "attach 0000:01:00.0 yes reachable it is
map 0000:01:00.0 peer iova 1 reachable it is
failed 0000:02:00.0 -12 error no memory
failed 0000:02:00.0 x error " "$(list --json | elements dmabufs 0 devices)"
	start
	same "JSON without a buffer" "" "$(list -j | elements dmabufs)"
fi

# A process of somebody else
start
dmabuf 12 5 3 exp </dev/null
dmabuf 13 5 4 exp </dev/null
chmod 711 "$tmp"
chmod 0 "$tmp/proc/13/fdinfo"
as=()
[ "$(id -u)" != 0 ] || as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
if install -m 755 "$lsdmabuf" "$tmp/copy" && "${as[@]}" "$tmp/copy" --help >/dev/null 2>&1; then
	same "what may not be read is counted" "lsdmabuf: 1 process could not be looked at" \
		"$("${as[@]}" "$tmp/copy" --proc="$tmp/proc" 2>&1 >/dev/null)"
	same "and the rest is listed" "3" \
		"$("${as[@]}" "$tmp/copy" --proc="$tmp/proc" 2>/dev/null |
		   awk 'NR > 1 { print $1 }')"
fi

# The answers of the kernel to the questions of --matrix: by the device's number, and
# descriptors that are the inode of the buffer plus 1000
cat >"$tmp/kernel.c" <<-'END'
	#include <errno.h>
	#include <stdarg.h>
	#include <sys/ioctl.h>
	#include <sys/stat.h>
	#include <sys/syscall.h>
	#include <linux/dma-buf.h>

	long syscall(long nr, ...)
	{
		va_list args;
		long a, b;

		va_start(args, nr);
		a = va_arg(args, long);
		b = va_arg(args, long);
		va_end(args);
		errno = EPERM;
		return nr == SYS_pidfd_open ? (int)a + 5000 : a == 5066 ? -1 : (int)b + 1000;
	}

	int fstat(int fd, struct stat *st)
	{
		st->st_ino = fd == 1077 ? 0 : fd - 1000;
		return 0;
	}

	int close(int fd)
	{
		return 0;
	}

	int ioctl(int fd, unsigned long cmd, ...)
	{
		static int calls;
		struct dma_buf_query_reach *reach;
		va_list args;

		va_start(args, cmd);
		reach = va_arg(args, struct dma_buf_query_reach *);
		va_end(args);
		errno = EINVAL;
		if (cmd != DMA_BUF_IOCTL_QUERY_REACH || reach->flags || reach->reserved ||
		    reach->size != sizeof(*reach) || reach->reason)
			return -1;
		errno = fd == 1088 ? ENOTTY : fd == 1089 ? EPERM : EAGAIN;
		if (errno != EAGAIN || calls++ % 3 == 1)
			return -1;
		errno = ENODEV;
		if (reach->domain > 1)
			return -1;
		reach->contiguous = fd == 1004 ? DMA_BUF_CONTIGUOUS_YES : DMA_BUF_CONTIGUOUS_NO;
		switch (reach->domain << 16 | reach->bus << 8 | reach->devfn) {
		case 0x100:
			reach->memory = DMA_BUF_MEMORY_PEER;
			reach->route = DMA_BUF_ROUTE_BUS_ADDR;
			break;
		case 0x20a:
			reach->memory = DMA_BUF_MEMORY_PEER;
			reach->route = DMA_BUF_ROUTE_PER_RUN;
			reach->reason = DMA_BUF_P2P_OVERRIDE;
			break;
		case 0x300:
			reach->memory = DMA_BUF_MEMORY_SYSTEM;
			reach->route = DMA_BUF_ROUTE_IOVA;
			reach->reason = DMA_BUF_P2P_NO_ROUTE;
			break;
		case 0x400:
			reach->reason = 99;
			break;
		case 0x500:
			reach->memory = 17;
			reach->route = fd == 1007;
			break;
		case 0x10600:
			reach->memory = DMA_BUF_MEMORY_PEER;
			reach->route = DMA_BUF_ROUTE_IOVA;
			break;
		default:
			errno = EIO;
			return -1;
		}
		return 0;
	}
END
headers=$(dirname "$lsdmabuf")/include
if ${CC:-cc} -D_GNU_SOURCE -I"$headers" -shared -fPIC -o "$tmp/kernel.so" "$tmp/kernel.c"; then
	# device ADDRESS CLASS DRIVER
	device()
	{
		mkdir -p "$tmp/sys/bus/pci/devices/$1"
		echo "$2" >"$tmp/sys/bus/pci/devices/$1/class"
		[ -z "$3" ] || ln -s "../../drivers/$3" "$tmp/sys/bus/pci/devices/$1/driver"
	}
	device 0000:01:00.0 0x030000 amdgpu
	device 0000:02:01.2 0x020000 mlx5_core
	device 0000:00:1f.0 0x060100 lpc_ich
	device 0000:03:00.0 0x010802 nvme
	device 0000:04:00.0 0x00ff00 ''
	matrix()
	{
		LD_PRELOAD=$tmp/kernel.so "$lsdmabuf" --proc="$tmp/proc" \
			--sys="$tmp/sys" --matrix "$@" 2>&1
	}
	table() { matrix "$@" | sed 's/  */ /g; s/^ //; s/ $//'; }

	start
	for fd in 4 6 7; do dmabuf $fd $fd $fd "exporter$((fd / 6))" </dev/null; done
	same "matrix" "EXPORTER BUFFERS SIZE 01:00.0 02:01.2 03:00.0 04:00.0
amdgpu mlx5_core nvme -
exporter0 1 12K SW* HB*(1) SYS*(2) -*(3)
exporter1 2 24K SW HB(1) SYS(2) -(3)

SW peer-to-peer, a PCI switch turns it round" "$(table | head -n 6)"
	same "notes of the matrix" "(1) override: the command line trusts the host bridge
(2) no-route: no route between the PCI devices
(3) 99: this program does not know it yet" "$(table | tail -n 3)"
	same "columns are below their devices" \
		"$(matrix | sed -n 1p | grep -bo '03:00.0' | cut -d: -f1)" \
		"$(matrix | sed -n 4p | grep -bo 'SYS' | cut -d: -f1)"
	same "devices by name" "EXPORTER BUFFERS SIZE 0000:05:00.0 0001:06:00.0 0009:00:00.0
- - -
exporter0 1 12K 17* MMU* ?(1)
exporter1 1 12K 17 MMU ?(1)
exporter1 1 12K 17 MMU ?(1)" "$(table 05:00.0 0001:06:00.0 9:00:00.0 | head -n 5)"
	same "all devices" "EXPORTER BUFFERS SIZE 00:1f.0 01:00.0 02:01.2 03:00.0 04:00.0" \
		"$(table -a | head -n 1)"
	dmabuf 66 66 66 foreign </dev/null
	dmabuf 77 77 77 gone </dev/null
	same "buffers that cannot be asked about" "foreign 1 12K ?(2)
gone 1 12K ?(3)
(2) cannot tell: who has it is not yours to trace
(3) cannot tell: nobody has it any more" "$(table 2:1.2 | grep -E '^(foreign|gone|\(2|\(3)')"
	if command -v python3 >/dev/null; then
		same "JSON of the matrix" "0000:03:00.0 nvme system iova yes no-route
0009:00:00.0 None -19" "$(matrix -j -p 4 3:0.0 9:0:0.0 | elements dmabufs 0 reach)"
	fi
	start
	dmabuf 88 88 88 x </dev/null
	same "a kernel that does not know the question" \
		"lsdmabuf: this kernel cannot be asked, it has no DMA_BUF_IOCTL_QUERY_REACH" \
		"$(matrix 1:0.0)"
	start
	dmabuf 89 89 89 x </dev/null
	same "a user namespace" "lsdmabuf: the kernel tells nobody in a user namespace" \
		"$(matrix 1:0.0)"
else
	result "not ok" "compile what stands in for the kernel"
fi

# The command line
same "no device without --matrix" 2 "$("$lsdmabuf" 0000:01:00.0 >/dev/null 2>&1; echo $?)"
for bad in 01:00 0:01:20.0 01:00.8 zz:00.0 01:00.0x 100:00.0; do
	same "$bad is no device" "lsdmabuf: $bad is no PCI device, write 0000:01:00.0" \
		"$("$lsdmabuf" -m "$bad" 2>&1)"
done
for bad in 0 -1 x 1x 99999999999; do
	same "$bad is no process" "lsdmabuf: $bad is no process ID" "$("$lsdmabuf" -p "$bad" 2>&1)"
done
same "a directory that is not there" "lsdmabuf: /nowhere: No such file or directory" \
	"$("$lsdmabuf" --proc=/nowhere 2>&1)"

echo "1..$nr"
[ "$failed" = 0 ]
