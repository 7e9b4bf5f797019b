// SPDX-License-Identifier: GPL-2.0
/*
 * Peer-to-peer without a kernel driver on either side: vfio-pci exports part of
 * ivshmem's BAR 2 as a dma-buf, iommufd maps that for edu, and this program
 * drives edu's DMA engine through its BAR.
 *
 * Checks that bytes arrive in both directions, that a write past either end of
 * the mapping changes nothing, and that a revoked buffer cannot be reached, nor one
 * whose device is being reset; with one range, and with three.
 */
#define _GNU_SOURCE
#include "guest.h"

#include <linux/iommufd.h>

#define EDU		"0x11e8"
#define EDU_BUFFER	0x40000
#define EDU_DMA_SRC	0x80
#define EDU_DMA_DST	0x88
#define EDU_DMA_COUNT	0x90
#define EDU_DMA_CMD	0x98
#define EDU_CMD_START	1
#define EDU_CMD_TO_RAM	2

#define CHUNK		1024		/* edu's buffer has 4096 bytes */
#define BUF_OFFSET	0x10000		/* of the dma-buf in the BAR */
#define BUF_SIZE	0x10000
#define BAR_SIZE	(BUF_OFFSET + BUF_SIZE + 0x10000)
#define BUF_IOVA	0x10000000ULL
#define SYS_IOVA	0x20000000ULL

struct device {
	int fd;
	uint8_t *bar;
};

static struct device edu, vram;
static int iommufd;
static uint32_t ioas;
static uint8_t *sys;			/* system memory that edu can reach */
static uint8_t *buf;			/* the buffer */
static size_t last;			/* where it ends in the BAR */

static void map_bar(struct device *dev, unsigned int bar, size_t size)
{
	dev->bar = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, dev->fd,
			vfio_region(dev->fd, bar));
	if (dev->bar == MAP_FAILED)
		die("mapping the BAR", -errno);
}

/* One range, or three that do not touch and are not in order */
static const struct vfio_region_dma_range whole[] = {
	{ BUF_OFFSET, BUF_SIZE },
}, pieces[] = {
	{ BUF_OFFSET + 0x18000, 0x4000 },
	{ BUF_OFFSET, 0x8000 },
	{ BUF_OFFSET + 0x10000, 0x4000 },
};

/* Exports them, and makes @buf of them what the buffer is for the CPU. */
static int export_bar(const struct vfio_region_dma_range *ranges, unsigned int nr)
{
	struct {
		struct vfio_device_feature feature;
		struct vfio_device_feature_dma_buf buf;
		struct vfio_region_dma_range ranges[3];
	} arg = {
		.feature.argsz = sizeof(arg),
		.feature.flags = VFIO_DEVICE_FEATURE_GET |
				 VFIO_DEVICE_FEATURE_DMA_BUF,
		.buf.region_index = VFIO_PCI_BAR2_REGION_INDEX,
		.buf.open_flags = O_RDWR | O_CLOEXEC,
		.buf.nr_ranges = nr,
	};
	off_t bar = vfio_region(vram.fd, VFIO_PCI_BAR2_REGION_INDEX);
	uint8_t *at;
	unsigned int i;

	buf = mmap(NULL, BUF_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	expect("room for the buffer", buf != MAP_FAILED);
	for (i = 0, at = buf; i < nr; at += ranges[i++].length) {
		arg.ranges[i] = ranges[i];
		expect("mapping a range",
		       mmap(at, ranges[i].length, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_FIXED, vram.fd,
			    bar + ranges[i].offset) == at);
	}
	last = ranges[nr - 1].offset + ranges[nr - 1].length;
	return call("exporting", vram.fd, VFIO_DEVICE_FEATURE, &arg);
}

static int map_dmabuf(int fd)
{
	struct iommu_ioas_map_file map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.ioas_id = ioas,
		.fd = fd,
		.length = BUF_SIZE,
		.iova = BUF_IOVA,
	};

	return p2p_errno(ioctl(iommufd, IOMMU_IOAS_MAP_FILE, &map));
}

/* IOMMU_OPTION_HUGE_PAGES: each page is mapped on its own. */
static void small_pages(void)
{
	struct iommu_option option = {
		.size = sizeof(option),
		.option_id = IOMMU_OPTION_HUGE_PAGES,
		.op = IOMMU_OPTION_OP_SET,
		.object_id = ioas,
		.val64 = 0,
	};

	call("IOMMU_OPTION_HUGE_PAGES", iommufd, IOMMU_OPTION, &option);
}

static void setup(bool small)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
	struct vfio_device_attach_iommufd_pt attach = { .argsz = sizeof(attach) };
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.length = 4096,
		.iova = SYS_IOVA,
	};

	iommufd = iommufd_open();
	edu.fd = vfio_open_pci(EDU, iommufd);
	vram.fd = vfio_open_pci(IVSHMEM, iommufd);
	vfio_set_command(edu.fd, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, true);
	vfio_set_command(vram.fd, PCI_COMMAND_MEMORY, true);
	map_bar(&edu, VFIO_PCI_BAR0_REGION_INDEX, 4096);
	map_bar(&vram, VFIO_PCI_BAR2_REGION_INDEX, BAR_SIZE);

	call("allocating an address space", iommufd, IOMMU_IOAS_ALLOC, &alloc);
	ioas = alloc.out_ioas_id;
	if (small)
		small_pages();
	attach.pt_id = ioas;
	call("attaching edu to it", edu.fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach);

	sys = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	expect("memory", sys != MAP_FAILED);
	map.user_va = (uintptr_t)sys;
	map.ioas_id = ioas;
	call("mapping memory", iommufd, IOMMU_IOAS_MAP, &map);
}

static void edu_set(unsigned int reg, uint64_t value)
{
	*(volatile uint64_t *)(edu.bar + reg) = value;
}

static void edu_transfer(uint64_t src, uint64_t dst, uint64_t command)
{
	int i;

	edu_set(EDU_DMA_SRC, src);
	edu_set(EDU_DMA_DST, dst);
	edu_set(EDU_DMA_COUNT, CHUNK);
	edu_set(EDU_DMA_CMD, command | EDU_CMD_START);
	for (i = 0; i < 5000; i++) {
		if (!(*(volatile uint64_t *)(edu.bar + EDU_DMA_CMD) & EDU_CMD_START))
			return;
		usleep(1000);
	}
	die("edu does not finish its DMA", 0);
}

/* edu copies by way of its own buffer, and does not notice a fault. */
static void copy(uint64_t to, uint64_t from)
{
	edu_transfer(from, EDU_BUFFER, 0);
	edu_transfer(EDU_BUFFER, to, EDU_CMD_TO_RAM);
}

static unsigned int check_copy(uint64_t offset)
{
	p2p_random(sys, CHUNK);
	p2p_random(buf + offset, CHUNK);
	copy(BUF_IOVA + offset, SYS_IOVA);
	expect("the right bytes are in the BAR", !memcmp(buf + offset, sys, CHUNK));

	p2p_random(buf + offset, CHUNK);
	copy(SYS_IOVA, BUF_IOVA + offset);
	expect("the right bytes come from the BAR", !memcmp(sys, buf + offset, CHUNK));
	return 2 * CHUNK;
}

/* A write to @iova must leave the BAR alone but for @size bytes before @end. */
static void check_blocked(const char *what, uint64_t iova, size_t end, size_t size)
{
	static uint8_t before[BAR_SIZE];

	p2p_random(sys, CHUNK);
	memcpy(before, vram.bar, BAR_SIZE);
	copy(iova, SYS_IOVA);
	expect(what, !memcmp(before, vram.bar, end - size) &&
		     !memcmp(before + end, vram.bar + end, BAR_SIZE - end));
}

static bool is_mapped(int fd)
{
	struct record record;

	read_record(fd, &record);
	return record.route[0];
}

static void check_revoke(int fd)
{
	struct iommu_ioas_unmap unmap = {
		.size = sizeof(unmap),
		.ioas_id = ioas,
		.iova = BUF_IOVA,
		.length = BUF_SIZE,
	};

	/* Without memory decoding nobody may touch the BAR: vfio revokes. */
	vfio_set_command(vram.fd, PCI_COMMAND_MEMORY, false);
	expect("iommufd lets go of what is revoked", !is_mapped(fd));
	call("unmapping the revoked buffer", iommufd, IOMMU_IOAS_UNMAP, &unmap);
	expect("a revoked buffer cannot be mapped", map_dmabuf(fd) == -ENODEV);
	vfio_set_command(vram.fd, PCI_COMMAND_MEMORY, true);
	check("mapping a buffer that is back", map_dmabuf(fd));
	check_copy(0);

	/* Once revoked it stays so, also when the memory is back. */
	vfio_set_command(vram.fd, PCI_COMMAND_MEMORY, false);
	vfio_set_command(vram.fd, PCI_COMMAND_MEMORY, true);
	expect("iommufd does not come back by itself", !is_mapped(fd));
	check_blocked("a write after revoke changes nothing", BUF_IOVA, 0, 0);
	call("unmapping what is gone", iommufd, IOMMU_IOAS_UNMAP, &unmap);
}

/* The memory is back as soon as the reset is over, but not for who had it mapped. */
static void check_reset(int fd)
{
	struct iommu_ioas_unmap unmap = {
		.size = sizeof(unmap),
		.ioas_id = ioas,
		.iova = BUF_IOVA,
		.length = BUF_SIZE,
	};

	check("mapping the buffer", map_dmabuf(fd));
	check_copy(0);
	expect("it is mapped", is_mapped(fd));
	call("resetting the device", vram.fd, VFIO_DEVICE_RESET, NULL);
	expect("a reset revokes", !is_mapped(fd));
	check_blocked("a write after a reset changes nothing", BUF_IOVA, 0, 0);
	call("unmapping what was reset", iommufd, IOMMU_IOAS_UNMAP, &unmap);
	check("mapping it again", map_dmabuf(fd));
	check_copy(0);
	call("unmapping it again", iommufd, IOMMU_IOAS_UNMAP, &unmap);
}

static void run(const struct vfio_region_dma_range *ranges, unsigned int nr)
{
	struct dma_buf_query_reach answer;
	unsigned int verified = 0, i;
	struct record record;
	size_t border = 0;
	char sysfs[128];
	int fd;

	fd = export_bar(ranges, nr);
	check("asking", p2p_ask_as_nobody(fd, pci_find(EDU, sysfs, sizeof(sysfs)),
					  DMA_BUF_REACH_PHYS, &answer));
	check("mapping the buffer", map_dmabuf(fd));
	read_record(fd, &record);
	verified += check_copy(0);
	verified += check_copy(BUF_SIZE - CHUNK);
	for (i = 0; i < nr; i++) {
		verified += check_copy(border + ranges[i].length / 2 - CHUNK / 2);
		if (border)
			verified += check_copy(border - CHUNK / 2);
		border += ranges[i].length;
	}

	check_blocked("a write past the end changes nothing",
		      BUF_IOVA + BUF_SIZE, 0, 0);
	check_blocked("a write before the start changes nothing",
		      BUF_IOVA - CHUNK, 0, 0);
	check_blocked("a write across the end changes nothing behind it",
		      BUF_IOVA + BUF_SIZE - CHUNK / 2, last, CHUNK / 2);
	check_revoke(fd);
	check_reset(fd);
	close(fd);

	expect("what was said before came true",
	       answer.memory == DMA_BUF_MEMORY_PEER &&
	       !strcmp(p2p_reason_token(answer.reason), record.attach));

	printf("result: ask=%s attach=\"%s\" memory=%s route=%s chunks=%s verified=%u system=0 confined=yes\n",
	       p2p_answer(&answer), record.attach, record.memory, record.route,
	       record.chunks, verified);
}

int main(int argc, char **argv)
{
	setup(argc > 1 && !strcmp(argv[1], "--small-pages"));
	p2p_random(vram.bar, BAR_SIZE);
	run(whole, 1);
	run(pieces, 3);
	return 0;
}
