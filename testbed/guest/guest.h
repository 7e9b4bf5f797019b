/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the programs here share: errors that end them, files in sysfs, the
 * devices that more than one of them uses.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdint.h>
#include <sys/types.h>

#include <drm/drm.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>

#include "../../tools/testing/selftests/dmabuf-heaps/p2p.h"

#define PAGE	4096UL

static inline void die(const char *what, int ret)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what,
		ret ? strerror(-ret) : "no");
	exit(1);
}

static inline int check(const char *what, int ret)
{
	if (ret < 0)
		die(what, ret);
	return ret;
}

static inline void expect(const char *what, bool right)
{
	if (!right)
		die(what, 0);
}

static inline int call(const char *what, int fd, unsigned long request, void *arg)
{
	return check(what, p2p_errno(ioctl(fd, request, arg)));
}

/* The one file that a pattern matches. */
static inline void find_file(const char *pattern, char *path, size_t size)
{
	glob_t found;

	check(pattern, glob(pattern, 0, NULL, &found) ? -ENOENT : 0);
	snprintf(path, size, "%s", found.gl_pathv[0]);
	globfree(&found);
}

/* What the core says of the first importer of a dma-buf. */
struct record {
	char attach[64];
	char memory[16];
	char route[16];
	char chunks[16];
	char reason[64];
	int error;
};

static inline void read_record(int fd, struct record *record)
{
	char text[4096], *line;

	memset(record, 0, sizeof(*record));
	check("fdinfo", p2p_fdinfo(fd, text, sizeof(text)));
	line = strstr(text, "\nattach:");
	if (line)
		sscanf(line, "\nattach: %*s peer2peer=%*s reason=%63s",
		       record->attach);
	line = strstr(text, "\nfailed:");
	if (line) {
		sscanf(line, "\nfailed: %*s error=%d reason=%63s",
		       &record->error, record->reason);
		return;
	}
	line = strstr(text, "\nmap:");
	if (line)
		sscanf(line, "\nmap: %*s memory=%15s route=%15s chunks=%15s reason=%63s",
		       record->memory, record->route, record->chunks,
		       record->reason);
}

/* The first device of a driver, and if wanted the number of its node. */
static inline int drm_open(const char *driver, int *nr)
{
	char path[32], name[32];
	int i, fd;

	for (i = 0; i < 8; i++) {
		struct drm_version version = {
			.name = name, .name_len = sizeof(name) - 1,
		};

		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (!ioctl(fd, DRM_IOCTL_VERSION, &version)) {
			name[version.name_len] = 0;
			if (!strcmp(name, driver)) {
				if (nr)
					*nr = i;
				return fd;
			}
		}
		close(fd);
	}
	die(driver, -ENODEV);
	return -1;
}

/* If the CPU sees two neighbours in memory among every other page from @map on. */
static inline bool any_neighbours(const char *map, size_t nr_pages)
{
	int pagemap = check("pagemap", p2p_errno(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC)));
	uint64_t entry, pfn, last = 0;
	bool found = false;
	size_t i;

	for (i = 0; i < nr_pages; i += 2) {
		expect("reading pagemap",
		       pread(pagemap, &entry, sizeof(entry),
			     ((uintptr_t)map / PAGE + i) * sizeof(entry)) == sizeof(entry));
		pfn = entry & ((1ULL << 55) - 1);
		expect("pagemap says where the page is", pfn);
		found |= i && pfn == last + 1;
		last = pfn;
	}
	close(pagemap);
	return found;
}

/* A udmabuf of single pages that have no neighbours: what an importer sees is sure. */
static inline int export_scattered(size_t size)
{
	int memfd, fd, tries;
	char *map;

	/* What does not fit stays as it is, for the next one to be somewhere else. */
	for (tries = 0; tries < 32; tries++) {
		memfd = check("memfd", udmabuf_memfd(2 * size, 0));
		map = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_POPULATE, memfd, 0);
		if (map == MAP_FAILED)
			die("the pages of a memfd", -errno);
		if (any_neighbours(map, 2 * size / PAGE))
			continue;
		munmap(map, 2 * size);
		fd = check("exporting", udmabuf_alloc(memfd, size, PAGE));
		close(memfd);
		return fd;
	}
	die("pages without neighbours", -ENOMEM);
	return -1;
}

/* A dma-buf of a handle, which is closed: what is left is the dma-buf. */
static inline int drm_export(int card, uint32_t handle)
{
	struct drm_prime_handle prime = {
		.handle = handle, .flags = DRM_CLOEXEC | DRM_RDWR,
	};
	struct drm_gem_close gem = { .handle = handle };

	call("exporting", card, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime);
	call("closing the handle", card, DRM_IOCTL_GEM_CLOSE, &gem);
	return prime.fd;
}

static inline int iommufd_open(void)
{
	return check("/dev/iommu",
		     p2p_errno(open("/dev/iommu", O_RDWR | O_CLOEXEC)));
}

/* The vfio device of a device in sysfs */
static inline int vfio_open(const char *sysfs, int iommufd)
{
	struct vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind), .iommufd = iommufd,
	};
	char pattern[160], path[160];
	int fd;

	snprintf(pattern, sizeof(pattern), "%s/vfio-dev/*", sysfs);
	find_file(pattern, path, sizeof(path));
	snprintf(pattern, sizeof(pattern), "%s", strrchr(path, '/') + 1);
	snprintf(path, sizeof(path), "/dev/vfio/devices/%.32s", pattern);
	fd = check(path, p2p_errno(open(path, O_RDWR | O_CLOEXEC)));
	call("binding", fd, VFIO_DEVICE_BIND_IOMMUFD, &bind);
	return fd;
}

/* Where a region is in the vfio device */
static inline off_t vfio_region(int vfio, unsigned int index)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };

	call("region", vfio, VFIO_DEVICE_GET_REGION_INFO, &info);
	return info.offset;
}

/* Bits of the command register of a PCI device */
static inline void vfio_set_command(int vfio, __u16 bits, bool on)
{
	off_t at = vfio_region(vfio, VFIO_PCI_CONFIG_REGION_INDEX) + PCI_COMMAND;
	__u16 command;

	check("reading the command register",
	      p2p_errno(pread(vfio, &command, 2, at)));
	command = on ? command | bits : command & ~bits;
	check("writing the command register",
	      p2p_errno(pwrite(vfio, &command, 2, at)));
}

/* The directory of the first PCI device with this ID, returns its address in there. */
static inline char *pci_find(const char *device, char *sysfs, size_t size)
{
	char path[160], *bdf = NULL;
	glob_t found;
	size_t i;

	check("looking for devices",
	      glob("/sys/bus/pci/devices/*", 0, NULL, &found) ? -ENOENT : 0);
	for (i = 0; i < found.gl_pathc && !bdf; i++) {
		char id[16] = "";

		snprintf(path, sizeof(path), "%s/device", found.gl_pathv[i]);
		p2p_read_file(path, id, sizeof(id));
		if (strncmp(id, device, 6))
			continue;
		snprintf(sysfs, size, "%s", found.gl_pathv[i]);
		bdf = strrchr(sysfs, '/') + 1;
	}
	globfree(&found);
	if (!bdf)
		die(device, -ENODEV);
	return bdf;
}

/* Takes the first PCI device with that ID away from its driver. */
static inline int vfio_open_pci(const char *device, int iommufd)
{
	char sysfs[128], *bdf = pci_find(device, sysfs, sizeof(sysfs));

	/* It may have none. */
	p2p_pci_write(bdf, "driver/unbind", bdf);
	check("driver_override", p2p_pci_write(bdf, "driver_override", "vfio-pci"));
	check("drivers_probe", p2p_pci_write(NULL, "drivers_probe", bdf));
	return vfio_open(sysfs, iommufd);
}

#define IVSHMEM	"0x1110"

static inline int vfio_open_ivshmem(void)
{
	int vfio = vfio_open_pci(IVSHMEM, iommufd_open());

	vfio_set_command(vfio, PCI_COMMAND_MEMORY, true);
	return vfio;
}

#define VFIO_MAX_RANGES	3

/*
 * A dma-buf of as many ranges of ivshmem's BAR 2, which do not touch, and all of
 * them one after the other for the CPU.
 */
static inline int vfio_export(int vfio, size_t size, unsigned int nr_ranges,
			      void **map)
{
	struct {
		struct vfio_device_feature feature;
		struct vfio_device_feature_dma_buf buf;
		struct vfio_region_dma_range ranges[VFIO_MAX_RANGES];
	} arg = {
		.feature = {
			.argsz = sizeof(arg),
			.flags = VFIO_DEVICE_FEATURE_GET |
				 VFIO_DEVICE_FEATURE_DMA_BUF,
		},
		.buf = {
			.region_index = VFIO_PCI_BAR2_REGION_INDEX,
			.open_flags = O_CLOEXEC | O_RDWR,
			.nr_ranges = nr_ranges,
		},
	};
	off_t bar = vfio_region(vfio, VFIO_PCI_BAR2_REGION_INDEX);
	size_t len = size / nr_ranges;
	unsigned int i;

	*map = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (i = 0; i < nr_ranges && *map != MAP_FAILED; i++) {
		arg.ranges[i].offset = i * (len + PAGE);
		arg.ranges[i].length = len;
		if (mmap((char *)*map + i * len, len, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, vfio,
			 bar + arg.ranges[i].offset) == MAP_FAILED)
			*map = MAP_FAILED;
	}
	return call("exporting", vfio, VFIO_DEVICE_FEATURE, &arg);
}

#endif
