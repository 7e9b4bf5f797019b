// SPDX-License-Identifier: GPL-2.0
/*
 * Peer-to-peer without a kernel driver on either side: vfio-pci exports part of
 * ivshmem's BAR 2 as a dma-buf, iommufd maps that for edu, and this program
 * drives edu's DMA engine through its BAR.
 *
 * Checks that bytes arrive in both directions, that a write past either end of
 * the mapping changes nothing, and that a revoked buffer cannot be reached.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/iommufd.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

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
	char bdf[32];
	int fd;
	uint8_t *bar;
};

static struct device edu, vram;
static int iommufd;
static uint32_t ioas;
static uint8_t *sys;			/* system memory that edu can reach */

static void write_file(const char *dir, const char *bdf, const char *file,
		       const char *text)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s/%s", dir, bdf, file);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		err(1, "%s", path);
	close(fd);
}

static int has_id(const char *bdf, const char *file, unsigned long id)
{
	char path[256];
	unsigned long value = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", bdf, file);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%lx", &value) != 1)
		err(1, "%s", path);
	fclose(f);
	return value == id;
}

static void find(struct device *dev, unsigned long vendor, unsigned long device)
{
	DIR *dir = opendir("/sys/bus/pci/devices");
	struct dirent *d;

	if (!dir)
		err(1, "/sys/bus/pci/devices");
	while ((d = readdir(dir))) {
		if (d->d_name[0] == '.' || !has_id(d->d_name, "vendor", vendor) ||
		    !has_id(d->d_name, "device", device))
			continue;
		snprintf(dev->bdf, sizeof(dev->bdf), "%.31s", d->d_name);
		closedir(dir);
		return;
	}
	errx(1, "no PCI device %04lx:%04lx", vendor, device);
}

/* Bind to vfio-pci and to our iommufd, with memory decoding and DMA enabled. */
static void open_device(struct device *dev)
{
	struct vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind),
		.iommufd = iommufd,
	};
	char path[320];
	struct dirent *d;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", dev->bdf);
	if (!access(path, F_OK))
		write_file("/sys/bus/pci/devices", dev->bdf, "driver/unbind",
			   dev->bdf);
	write_file("/sys/bus/pci/devices", dev->bdf, "driver_override", "vfio-pci");
	write_file("/sys/bus", "pci", "drivers_probe", dev->bdf);

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vfio-dev", dev->bdf);
	dir = opendir(path);
	if (!dir)
		err(1, "%s", path);
	do {
		d = readdir(dir);
		if (!d)
			errx(1, "%s is empty", path);
	} while (d->d_name[0] == '.');
	snprintf(path, sizeof(path), "/dev/vfio/devices/%s", d->d_name);
	closedir(dir);
	dev->fd = open(path, O_RDWR);
	if (dev->fd < 0)
		err(1, "%s", path);
	if (ioctl(dev->fd, VFIO_DEVICE_BIND_IOMMUFD, &bind))
		err(1, "bind %s to iommufd", dev->bdf);
}

static uint64_t region_offset(struct device *dev, unsigned int region)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = region };

	if (ioctl(dev->fd, VFIO_DEVICE_GET_REGION_INFO, &info))
		err(1, "region %u of %s", region, dev->bdf);
	return info.offset;
}

static void map_bar(struct device *dev, unsigned int bar, size_t size)
{
	dev->bar = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, dev->fd,
			region_offset(dev, bar));
	if (dev->bar == MAP_FAILED)
		err(1, "mmap BAR %u of %s", bar, dev->bdf);
}

static void set_command(struct device *dev, uint16_t bits, int on)
{
	off_t offset = region_offset(dev, VFIO_PCI_CONFIG_REGION_INDEX) + PCI_COMMAND;
	uint16_t command;

	if (pread(dev->fd, &command, 2, offset) != 2)
		err(1, "read the command register of %s", dev->bdf);
	command = on ? command | bits : command & ~bits;
	if (pwrite(dev->fd, &command, 2, offset) != 2)
		err(1, "write the command register of %s", dev->bdf);
}

static int export_bar(unsigned int nr_ranges)
{
	struct {
		struct vfio_device_feature feature;
		struct vfio_device_feature_dma_buf buf;
		struct vfio_region_dma_range ranges[2];
	} arg = {
		.feature.argsz = sizeof(arg),
		.feature.flags = VFIO_DEVICE_FEATURE_GET |
				 VFIO_DEVICE_FEATURE_DMA_BUF,
		.buf.region_index = VFIO_PCI_BAR2_REGION_INDEX,
		.buf.open_flags = O_RDWR | O_CLOEXEC,
		.buf.nr_ranges = nr_ranges,
	};
	unsigned int i;
	int fd;

	for (i = 0; i < nr_ranges; i++) {
		arg.ranges[i].offset = BUF_OFFSET + i * (BUF_SIZE / nr_ranges);
		arg.ranges[i].length = BUF_SIZE / nr_ranges;
	}
	fd = ioctl(vram.fd, VFIO_DEVICE_FEATURE, &arg);
	if (fd < 0)
		err(1, "export %u ranges of BAR 2", nr_ranges);
	return fd;
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

	return ioctl(iommufd, IOMMU_IOAS_MAP_FILE, &map) ? -errno : 0;
}

static void setup(void)
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

	iommufd = open("/dev/iommu", O_RDWR);
	if (iommufd < 0)
		err(1, "/dev/iommu");
	find(&edu, 0x1234, 0x11e8);
	find(&vram, 0x1af4, 0x1110);
	open_device(&edu);
	open_device(&vram);
	set_command(&edu, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 1);
	set_command(&vram, PCI_COMMAND_MEMORY, 1);
	map_bar(&edu, VFIO_PCI_BAR0_REGION_INDEX, 4096);
	map_bar(&vram, VFIO_PCI_BAR2_REGION_INDEX, BAR_SIZE);

	if (ioctl(iommufd, IOMMU_IOAS_ALLOC, &alloc))
		err(1, "IOMMU_IOAS_ALLOC");
	ioas = alloc.out_ioas_id;
	attach.pt_id = ioas;
	if (ioctl(edu.fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach))
		err(1, "attach %s to the address space", edu.bdf);

	sys = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (sys == MAP_FAILED)
		err(1, "mmap");
	map.user_va = (uintptr_t)sys;
	map.ioas_id = ioas;
	if (ioctl(iommufd, IOMMU_IOAS_MAP, &map))
		err(1, "IOMMU_IOAS_MAP");
}

static void edu_write(unsigned int reg, uint64_t value)
{
	*(volatile uint64_t *)(edu.bar + reg) = value;
}

static void edu_dma(uint64_t src, uint64_t dst, uint64_t command)
{
	int i;

	edu_write(EDU_DMA_SRC, src);
	edu_write(EDU_DMA_DST, dst);
	edu_write(EDU_DMA_COUNT, CHUNK);
	edu_write(EDU_DMA_CMD, command | EDU_CMD_START);
	for (i = 0; i < 5000; i++) {
		if (!(*(volatile uint64_t *)(edu.bar + EDU_DMA_CMD) & EDU_CMD_START))
			return;
		usleep(1000);
	}
	errx(1, "edu does not finish its DMA");
}

/* edu copies by way of its own buffer, and does not notice a fault. */
static void copy(uint64_t to, uint64_t from)
{
	edu_dma(from, EDU_BUFFER, 0);
	edu_dma(EDU_BUFFER, to, EDU_CMD_TO_RAM);
}

static void randomize(void *to, size_t size)
{
	static uint8_t random[BAR_SIZE];
	size_t done = 0;
	ssize_t n;

	while (done < size) {
		n = getrandom(random + done, size - done, 0);
		if (n < 0)
			err(1, "getrandom");
		done += n;
	}
	memcpy(to, random, size);
}

static unsigned int check_copy(uint64_t offset)
{
	uint8_t *bar = vram.bar + BUF_OFFSET + offset;

	randomize(sys, CHUNK);
	randomize(bar, CHUNK);
	copy(BUF_IOVA + offset, SYS_IOVA);
	if (memcmp(bar, sys, CHUNK))
		errx(1, "wrong bytes in the BAR at %#llx",
		     (unsigned long long)offset);

	randomize(bar, CHUNK);
	copy(SYS_IOVA, BUF_IOVA + offset);
	if (memcmp(sys, bar, CHUNK))
		errx(1, "wrong bytes from the BAR at %#llx",
		     (unsigned long long)offset);
	return 2 * CHUNK;
}

/* A write to @iova must leave the BAR alone from @from on for @size bytes. */
static void check_blocked(const char *what, uint64_t iova, size_t from, size_t size)
{
	static uint8_t before[BAR_SIZE];

	randomize(sys, CHUNK);
	memcpy(before, vram.bar, BAR_SIZE);
	copy(iova, SYS_IOVA);
	if (memcmp(before + from, vram.bar + from, size))
		errx(1, "%s changed the BAR", what);
}

static void check_revoke(int fd)
{
	struct iommu_ioas_unmap unmap = {
		.size = sizeof(unmap),
		.ioas_id = ioas,
		.iova = BUF_IOVA,
		.length = BUF_SIZE,
	};
	int ret;

	/* Without memory decoding nobody may touch the BAR: vfio revokes. */
	set_command(&vram, PCI_COMMAND_MEMORY, 0);
	if (ioctl(iommufd, IOMMU_IOAS_UNMAP, &unmap))
		err(1, "unmap the revoked buffer");
	ret = map_dmabuf(fd);
	if (ret != -ENODEV)
		errx(1, "mapping a revoked buffer: %d, not -ENODEV", ret);
	set_command(&vram, PCI_COMMAND_MEMORY, 1);
	ret = map_dmabuf(fd);
	if (ret)
		errx(1, "mapping a buffer that is back: %d", ret);
	check_copy(0);

	/* Once revoked it stays so, also when the memory is back. */
	set_command(&vram, PCI_COMMAND_MEMORY, 0);
	set_command(&vram, PCI_COMMAND_MEMORY, 1);
	check_blocked("a write after revoke", BUF_IOVA, 0, BAR_SIZE);
}

/* What the kernel noted about the attachment of edu's address space. */
static void attach_record(int fd, char *reason, size_t size)
{
	char path[64], line[256];
	const char *text;
	FILE *f;

	snprintf(reason, size, "none");
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "r");
	if (!f)
		err(1, "%s", path);
	while (fgets(line, sizeof(line), f)) {
		text = strstr(line, "reason=");
		if (strncmp(line, "attach:", 7) || !text)
			continue;
		line[strcspn(line, "\n")] = 0;
		snprintf(reason, size, "%s", text + strlen("reason="));
	}
	fclose(f);
}

int main(void)
{
	char attach[128];
	unsigned int verified = 0;
	int fd, two, ret;

	setup();
	randomize(vram.bar, BAR_SIZE);

	two = export_bar(2);
	ret = map_dmabuf(two);
	if (ret != -EOPNOTSUPP)
		errx(1, "mapping two ranges: %d, not -EOPNOTSUPP", ret);
	close(two);

	fd = export_bar(1);
	ret = map_dmabuf(fd);
	if (ret)
		errx(1, "IOMMU_IOAS_MAP_FILE: %s", strerror(-ret));

	attach_record(fd, attach, sizeof(attach));
	verified += check_copy(0);
	verified += check_copy(BUF_SIZE / 2 - CHUNK / 2);
	verified += check_copy(BUF_SIZE - CHUNK);

	check_blocked("a write past the end", BUF_IOVA + BUF_SIZE, 0, BAR_SIZE);
	check_blocked("a write before the start", BUF_IOVA - CHUNK, 0, BAR_SIZE);
	check_blocked("a write across the end", BUF_IOVA + BUF_SIZE - CHUNK / 2,
		      BUF_OFFSET + BUF_SIZE, BAR_SIZE - BUF_OFFSET - BUF_SIZE);
	check_revoke(fd);

	printf("result: attach=\"%s\" memory=peer route=physical chunks=1 verified=%u system=0 confined=yes\n",
	       attach, verified);
	return 0;
}
