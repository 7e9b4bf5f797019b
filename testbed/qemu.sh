#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Boot a kernel in QEMU (software emulation) with two devices that can do real
# DMA to one another: "edu", a DMA engine, and "ivshmem-plain", whose BAR 2
# stands in for a GPU's VRAM. Prints the serial port; exits 0 if the guest says
# pass, 1 if it says fail, 2 if it says nothing (crash or timeout).

# shellcheck disable=SC2054 # QEMU's own commas
set -eu

usage()
{
	cat >&2 <<-'END'
	usage: qemu.sh -k image -i initramfs [options]
	  -A machine   q35 (default), virt for arm64, virt32 for arm, pseries, or xen:
	               q35 with a hypervisor, which lies next to the image; vexpress-a9
	               or smdkc210: boards without PCI, the device tree lies there, too
	  -t topology  switch, multifunction, rootports, flat (default), or split:
	               as switch, and a second edu on a root port of its own
	  -d devices   exporters next to edu, comma separated: ivshmem (default),
	               qxl, virtio-gpu, vmware-svga, ati-vga; or igb, a network card
	               that QEMU has from 8.0 on
	  -c cpu       any QEMU name; on q35 peer-to-peer through the host bridge is
	               allowed on EPYC (default), refused on Skylake-Server
	  -m iommu     none (default), dma or passthrough
	  -b bits      width of edu's addresses (default 64; on its own it has 28)
	  -N           PCI is not coherent (virt)
	  -v sizes     VRAM of each ivshmem, comma separated (default 64M)
	  -r command   what the guest runs
	  -a args      more kernel arguments
	  -q args      more QEMU arguments
	  -n cpus      number of CPUs (default 1), which take turns
	  -p           the CPUs run in parallel; not for a guest that unplugs devices
	  -g memory    of the guest (default 512M)
	  -s seconds   kill the guest after that (default 120)
	  -l file      keep the serial log there
	END
	exit 2
}

die()
{
	echo "qemu.sh: $*" >&2
	exit 2
}

kernel='' initrd='' topology=flat devices=ivshmem cpu='' iommu=none vram=64M run=true
args='' qargs='' cpus=1 threads=single memory=512M seconds=120 log=
kind=q35 bits=64 coherent=1
while getopts k:i:t:d:c:m:v:r:a:q:n:pg:s:l:A:b:N opt; do
	case $opt in
	A) kind=$OPTARG ;;	b) bits=$OPTARG ;;	N) coherent='' ;;
	k) kernel=$OPTARG ;;	i) initrd=$OPTARG ;;	t) topology=$OPTARG ;;
	d) devices=$OPTARG ;;	c) cpu=$OPTARG ;;	m) iommu=$OPTARG ;;
	v) vram=$OPTARG ;;	r) run=$OPTARG ;;	a) args=$OPTARG ;;
	q) qargs=$OPTARG ;;	n) cpus=$OPTARG ;;	p) threads=multi ;;
	g) memory=$OPTARG ;;	s) seconds=$OPTARG ;;	l) log=$OPTARG ;;
	*) usage ;;
	esac
done
if [ -z "$kernel" ] || [ -z "$initrd" ]; then
	usage
fi
[ -r "$kernel" ] || die "no kernel in $kernel"
[ -r "$initrd" ] || die "no initramfs in $initrd"
case $kind in
q35|xen) system=qemu-system-x86_64 package=qemu-system-x86 console=ttyS0 ;;
virt)	system=qemu-system-aarch64 package=qemu-system-arm console=ttyAMA0 ;;
virt32)	system=qemu-system-arm package=qemu-system-arm console=ttyAMA0 ;;
pseries) system=qemu-system-ppc64 package=qemu-system-ppc console=hvc0 ;;
vexpress-a9) system=qemu-system-arm package=qemu-system-arm console=ttyAMA0 ;;
smdkc210) system=qemu-system-arm package=qemu-system-arm console=ttySAC0 ;;
*)	die "unknown machine $kind: q35, virt, virt32, pseries, xen, vexpress-a9 or smdkc210" ;;
esac
command -v "$system" >/dev/null || die "$system is missing: install $package"
case $run in *\"*) die "the guest command must not contain double quotes" ;; esac

# One thread per CPU is not safe while a BAR moves, as each does for a moment when a
# bus is scanned and a device found. A CPU that is at the registers of another device
# then finds those of a third, or QEMU crashes, 7.2 and 10.0 alike: the index in the
# TLB is of the memory map before, the table it is looked up in of the one after.
qemu=("$system" -accel "tcg,thread=$threads" -smp "$cpus" -m "$memory"
      -nodefaults -no-user-config -display none -no-reboot -serial stdio)

scratch=()
trap 'rm -f "${scratch[@]}"' EXIT

# What TCG has of these machines: the rest is in the way of firmware and hypervisors.
translated='' board=''
case $kind-$iommu in
virt-none)
	machine=virt cpu=${cpu:-cortex-a57} ;;
virt-dma)
	machine=virt,iommu=smmuv3 cpu=${cpu:-cortex-a57} args="iommu.strict=1 $args" ;;
virt-passthrough)
	machine=virt,iommu=smmuv3 cpu=${cpu:-cortex-a57} args="iommu.passthrough=1 $args" ;;
virt32-none)
	machine=virt cpu=${cpu:-cortex-a15} ;;
vexpress-a9-none|smdkc210-none)
	machine=$kind cpu=${cpu:-cortex-a9} board=$(dirname "$kernel")/$kind.dtb ;;
pseries-none)
	cpu=${cpu:-POWER9}
	machine=pseries,cap-cfpc=broken,cap-sbbc=broken,cap-ibs=broken,cap-ccf-assist=off ;;
xen-none)
	# An IRET that is emulated reads the stack with the rights of the kernel, and
	# MWAIT knows less than Xen makes of it.
	machine=q35 cpu=${cpu:-EPYC,-smap,-monitor} ;;
q35-none)
	machine=q35 ;;
q35-dma)
	machine=q35,kernel-irqchip=split
	translated=,iommu_platform=on
	qemu+=(-device intel-iommu,aw-bits=48)
	args="intel_iommu=on iommu.strict=1 $args" ;;
q35-passthrough)
	machine=q35,kernel-irqchip=split
	qemu+=(-device intel-iommu,aw-bits=48)
	args="intel_iommu=on iommu=pt $args" ;;
*)
	die "$kind has no iommu $iommu: none, dma or passthrough" ;;
esac
qemu+=(-cpu "${cpu:-EPYC}")

# QEMU writes the tree that it would boot with, and adds to another one what it was
# told here: the file has to be the one of this very machine.
if [ -z "$coherent" ]; then
	command -v fdtput >/dev/null || die "fdtput is missing: install device-tree-compiler"
	dtb=$(mktemp --suffix=.dtb)
	scratch+=("$dtb")
	"${qemu[@]}" -machine "$machine,dumpdtb=$dtb" >/dev/null 2>&1 || die "cannot write a device tree"
	fdtput -d "$dtb" /pcie@10000000 dma-coherent || die "no dma-coherent in the device tree"
	qemu+=(-dtb "$dtb")
fi
qemu+=(-machine "$machine")
if [ -n "$board" ]; then
	[ -r "$board" ] || die "no device tree in $board"
	export QEMU_AUDIO_DRV=none
	qemu+=(-dtb "$board")
fi

case $topology in
switch|split)
	qemu+=(-device pcie-root-port,id=rp,chassis=1,slot=1,addr=4.0
	       -device x3130-upstream,id=up,bus=rp) ;;
multifunction)
	qemu+=(-device pcie-root-port,id=rp,chassis=1,slot=1,addr=4.0) ;;
rootports|flat)
	;;
*)
	die "unknown topology $topology: switch, multifunction, rootports, flat or split" ;;
esac

# place NUMBER DEVICE: plug the Nth device where the topology wants it
place()
{
	local n=$1 dev=$2

	case $topology in
	switch|split)
		qemu+=(-device "xio3130-downstream,id=port$n,bus=up,chassis=$((n + 2)),slot=$n,addr=$n.0"
		       -device "$dev,bus=port$n") ;;
	multifunction)
		qemu+=(-device "$dev,bus=rp,addr=0.$n,multifunction=on") ;;
	rootports)
		qemu+=(-device "pcie-root-port,id=port$n,chassis=$((n + 2)),slot=$n,addr=$((n + 4)).0"
		       -device "$dev,bus=port$n") ;;
	flat)
		qemu+=(-device "$dev,addr=$((n + 4)).0") ;;
	esac
}

# virtio-gpu opens /dev/udmabuf of the host, needed or not
udmabuf_shim()
{
	local shim here

	[ ! -e /dev/udmabuf ] || return 0
	here=$(cd "$(dirname "$0")" && pwd)
	shim=$(mktemp --suffix=.so)
	scratch+=("$shim")
	${CC:-gcc} -shared -fPIC -O2 -o "$shim" "$here/udmabuf-shim.c" ||
		die "cannot compile udmabuf-shim.c"
	qemu=(env "LD_PRELOAD=$shim" "${qemu[@]}")
}

edu=edu,dma_mask=$(printf '%#x' $((bits < 64 ? (1 << bits) - 1 : -1)))
if [ -n "$board" ]; then
	devices=
else
	place 0 "$edu"
fi
n=1
for device in ${devices//,/ }; do
	case $device in
	ivshmem)
		for size in ${vram//,/ }; do
			qemu+=(-object "memory-backend-memfd,id=vram$n,size=$size,share=on")
			place $n "ivshmem-plain,memdev=vram$n"
			n=$((n + 1))
		done ;;
	qxl)
		place $n qxl,id=qxl
		n=$((n + 1)) ;;
	vmware-svga)
		place $n vmware-svga
		n=$((n + 1)) ;;
	ati-vga)
		# The only model of the two that has a driver.
		place $n ati-vga,model=rv100
		n=$((n + 1)) ;;
	igb)
		place $n igb
		n=$((n + 1)) ;;
	virtio-gpu)
		# It takes RAM that is a file, whatever the buffer is made of.
		qemu+=(-object "memory-backend-memfd,id=ram,size=$memory,share=on"
		       -machine memory-backend=ram)
		udmabuf_shim
		place $n "virtio-gpu-pci,id=gpu,blob=true$translated"
		n=$((n + 1)) ;;
	*)
		die "unknown device $device: ivshmem, qxl, virtio-gpu, vmware-svga, ati-vga or igb" ;;
	esac
done
[ "$topology" != split ] ||
	qemu+=(-device "pcie-root-port,id=other,chassis=9,slot=9,addr=5.0"
	       -device "$edu,bus=other")

[ -n "$log" ] || { log=$(mktemp); scratch+=("$log"); }

# A busy host may be late with the ticks that the kernel counts when it boots.
# shellcheck disable=SC2206 # the caller's words
args="panic=-1 oops=panic log_buf_len=4M printk.devkmsg=on no_timer_check $args run=\"$run\""
if [ "$kind" = xen ]; then
	# Commas separate the modules of a multiboot kernel, doubled they do not.
	xen=$(dirname "$kernel")/xen
	[ -r "$xen" ] || die "no hypervisor in $xen"
	# shellcheck disable=SC2206
	qemu+=($qargs -kernel "$xen" -append "com1=115200,8n1 console=com1 loglvl=all guest_loglvl=all dom0_mem=512M"
	       -initrd "$kernel console=hvc0 ${args//,/,,},$initrd")
else
	# shellcheck disable=SC2206
	qemu+=($qargs -kernel "$kernel" -initrd "$initrd" -append "console=$console $args")
fi

# What QEMU cannot emulate of the CPU, IOMMU faults that we provoke, what the shim does
# not do for a buffer that is scattered and never shown, and sound
noise="TCG doesn't support requested feature|vtd_iova_to_slpte|vtd_iommu_translate"
noise="$noise|New fault is not recorded|virtio_gpu_create_udmabuf|module audio-|^ALSA lib"
# The log has what QEMU says, too: it may be the only word on how it ended.
: >"$log"
set +e
timeout -k 5 "$seconds" "${qemu[@]}" </dev/null 2> >(grep -vE "$noise" | tee -a "$log" >&2) |
	stdbuf -oL tr -d '\r' | tee -a "$log"
rc=${PIPESTATUS[0]}
set -e
verdict=$(grep -a '^testbed: verdict ' "$log" | tail -n 1) || true
case $verdict in
"testbed: verdict pass"*)	exit 0 ;;
"testbed: verdict fail"*)	exit 1 ;;
esac
verdict="no verdict: the guest stopped early (QEMU exit code $rc)"
[ "$rc" != 124 ] || verdict="no verdict within $seconds seconds"
printf '\ntestbed: %s\n' "$verdict" >>"$log"
die "$verdict"
