// SPDX-License-Identifier: GPL-2.0
/*
 * A picture in the memory of one PCI device that another one shows:
 *
 *	scanout sample | vfio-pci | qxl
 *
 * draws it into the BAR of the exporter, imports the dma-buf into virtio-gpu and
 * scans it out. Then says so on the second serial port and waits until whoever
 * is at its other end has looked at the display.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdint.h>
#include <termios.h>
#include <sys/types.h>

#include <drm/drm.h>
#include <drm/drm_fourcc.h>
#include <drm/qxl_drm.h>
#include <linux/iommufd.h>
#include <linux/vfio.h>

#include "../../tools/testing/selftests/dmabuf-heaps/p2p.h"

#define WIDTH	640
#define HEIGHT	480
#define SIZE	(WIDTH * HEIGHT * 4)

static void die(const char *what, int ret)
{
	fprintf(stderr, "scanout: %s: %s\n", what, strerror(-ret));
	exit(1);
}

static int check(const char *what, int ret)
{
	if (ret < 0)
		die(what, ret);
	return ret;
}

static int call(const char *what, int fd, unsigned long request, void *arg)
{
	return check(what, p2p_errno(ioctl(fd, request, arg)));
}

static void write_file(const char *path, const char *text)
{
	int fd = check(path, p2p_errno(open(path, O_WRONLY)));

	check(path, p2p_errno(write(fd, text, strlen(text))));
	close(fd);
}

/* matrix.py draws the same. */
static void draw(uint32_t *pixels)
{
	int x, y;

	for (y = 0; y < HEIGHT; y++) {
		for (x = 0; x < WIDTH; x++) {
			int dx = x - WIDTH / 2, dy = y - HEIGHT / 2;
			uint32_t ring = (dx * dx + dy * dy) / 1024 % 32 * 8;
			uint32_t red = x / 16 * 6, green = y / 16 * 8;

			if ((x ^ y) & 32)
				ring = 255 - ring;
			pixels[y * WIDTH + x] = red << 16 | green << 8 | ring;
		}
	}
}

static int drm_open(const char *driver)
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
			if (!strcmp(name, driver))
				return fd;
		}
		close(fd);
	}
	die(driver, -ENODEV);
	return -1;
}

/* The exporters: a dma-buf, and its memory mapped for the CPU. */

static int export_sample(void **map)
{
	struct p2p_dev bar;
	int fd;

	check("no " BAR_NODES "*", p2p_open(&bar, BAR_NODES));
	fd = check("allocating a buffer", bar_alloc(bar.fd, SIZE, 1));
	*map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return fd;
}

static int export_qxl(void **map)
{
	struct drm_qxl_alloc alloc = { .size = SIZE };
	struct drm_prime_handle prime = { .flags = DRM_CLOEXEC | DRM_RDWR };
	int card = drm_open("qxl");

	call("allocating a buffer", card, DRM_IOCTL_QXL_ALLOC, &alloc);
	prime.handle = alloc.handle;
	call("exporting it", card, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime);
	*map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, prime.fd, 0);
	return prime.fd;
}

/* ivshmem's PCI address, and its vfio device once vfio-pci has it. */
static int vfio_open(void)
{
	char path[128], bdf[32] = "";
	glob_t found;
	size_t i;
	int fd;

	check("looking for devices",
	      glob("/sys/bus/pci/devices/*/device", 0, NULL, &found) ? -ENOENT : 0);
	for (i = 0; i < found.gl_pathc; i++) {
		char id[16] = "";

		p2p_read_file(found.gl_pathv[i], id, sizeof(id));
		if (!strncmp(id, "0x1110", 6))
			sscanf(found.gl_pathv[i], "/sys/bus/pci/devices/%31[^/]", bdf);
	}
	globfree(&found);

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver/unbind", bdf);
	write_file(path, bdf);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver_override", bdf);
	write_file(path, "vfio-pci");
	write_file("/sys/bus/pci/drivers_probe", bdf);

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vfio-dev/*", bdf);
	check(path, glob(path, 0, NULL, &found) ? -ENOENT : 0);
	snprintf(path, sizeof(path), "/dev/vfio/devices/%s",
		 strrchr(found.gl_pathv[0], '/') + 1);
	globfree(&found);
	fd = check(path, p2p_errno(open(path, O_RDWR | O_CLOEXEC)));
	return fd;
}

static int export_vfio(void **map)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	struct vfio_region_info region = {
		.argsz = sizeof(region),
		.index = VFIO_PCI_BAR2_REGION_INDEX,
	};
	struct {
		struct vfio_device_feature feature;
		struct vfio_device_feature_dma_buf buf;
		struct vfio_region_dma_range range;
	} arg = {
		.feature = {
			.argsz = sizeof(arg),
			.flags = VFIO_DEVICE_FEATURE_GET |
				 VFIO_DEVICE_FEATURE_DMA_BUF,
		},
		.buf = {
			.region_index = VFIO_PCI_BAR2_REGION_INDEX,
			.open_flags = O_CLOEXEC | O_RDWR,
			.nr_ranges = 1,
		},
		.range = { .length = SIZE },
	};
	uint16_t command;
	int vfio = vfio_open();
	struct vfio_region_info config = {
		.argsz = sizeof(config),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};

	bind.iommufd = check("/dev/iommu",
			     p2p_errno(open("/dev/iommu", O_RDWR | O_CLOEXEC)));
	call("binding", vfio, VFIO_DEVICE_BIND_IOMMUFD, &bind);
	call("config region", vfio, VFIO_DEVICE_GET_REGION_INFO, &config);
	check("reading the command register",
	      p2p_errno(pread(vfio, &command, 2, config.offset + 4)));
	command |= 2;
	check("enabling memory",
	      p2p_errno(pwrite(vfio, &command, 2, config.offset + 4)));
	call("region", vfio, VFIO_DEVICE_GET_REGION_INFO, &region);
	*map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, vfio,
		    region.offset);
	return call("exporting", vfio, VFIO_DEVICE_FEATURE, &arg);
}

/* The importer */

static void show(int card, int fd)
{
	struct drm_prime_handle prime = { .fd = fd };
	struct drm_mode_fb_cmd2 fb = {
		.width = WIDTH, .height = HEIGHT,
		.pixel_format = DRM_FORMAT_XRGB8888,
		.pitches = { WIDTH * 4 },
	};
	uint32_t crtcs[16], connectors[16];
	struct drm_mode_card_res res = {
		.crtc_id_ptr = (uintptr_t)crtcs, .count_crtcs = 16,
		.connector_id_ptr = (uintptr_t)connectors, .count_connectors = 16,
	};
	struct drm_mode_modeinfo modes[128];
	struct drm_mode_get_connector connector = { };
	struct drm_mode_crtc crtc = { .count_connectors = 1, .mode_valid = 1 };
	uint32_t i;

	call("importing", card, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime);
	fb.handles[0] = prime.handle;
	call("making a framebuffer", card, DRM_IOCTL_MODE_ADDFB2, &fb);

	call("resources", card, DRM_IOCTL_MODE_GETRESOURCES, &res);
	connector.connector_id = connectors[0];
	/* The first call is what makes it look for modes. */
	call("probing", card, DRM_IOCTL_MODE_GETCONNECTOR, &connector);
	connector = (struct drm_mode_get_connector) {
		.connector_id = connectors[0],
		.modes_ptr = (uintptr_t)modes, .count_modes = 128,
	};
	call("modes", card, DRM_IOCTL_MODE_GETCONNECTOR, &connector);
	for (i = 0; i < connector.count_modes; i++)
		if (modes[i].hdisplay == WIDTH && modes[i].vdisplay == HEIGHT)
			break;
	if (i == connector.count_modes)
		die("no mode of that size", -ENOENT);

	crtc.mode = modes[i];
	crtc.crtc_id = crtcs[0];
	crtc.fb_id = fb.fb_id;
	crtc.set_connectors_ptr = (uintptr_t)connectors;
	call("scanning out", card, DRM_IOCTL_MODE_SETCRTC, &crtc);
}

/* What the core says of the one importer. */
static void report(int fd)
{
	char text[4096], attach[64] = "", memory[16] = "", route[16] = "";
	char reason[64] = "", *line;

	check("fdinfo", p2p_fdinfo(fd, text, sizeof(text)));
	line = strstr(text, "\nattach:");
	if (line)
		sscanf(line, "\nattach: %*s peer2peer=%*s reason=%63[^\n]", attach);
	line = strstr(text, "\nmap:");
	if (line)
		sscanf(line, "\nmap: %*s memory=%15s route=%15s chunks=%*u reason=%63[^\n]",
		       memory, route, reason);
	printf("result: attach=\"%s\" memory=%s route=%s reason=\"%s\"\n", attach,
	       memory, route, reason);
	fflush(stdout);
}

static void wait_for_look(void)
{
	struct termios raw;
	char byte;
	int fd = check("/dev/ttyS1", p2p_errno(open("/dev/ttyS1", O_RDWR)));

	tcgetattr(fd, &raw);
	cfmakeraw(&raw);
	tcsetattr(fd, TCSANOW, &raw);
	check("saying that it is there", p2p_errno(write(fd, "look\n", 5)));
	check("waiting", p2p_errno(read(fd, &byte, 1)));
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*export)(void **map);
	} exporters[] = {
		{ "sample", export_sample },
		{ "vfio-pci", export_vfio },
		{ "qxl", export_qxl },
	};
	const char *name = argc == 2 ? argv[1] : "";
	void *map;
	size_t i;
	int fd;

	for (i = 0; i < 3 && strcmp(name, exporters[i].name); i++)
		;
	if (i == 3) {
		fprintf(stderr, "usage: scanout sample | vfio-pci | qxl\n");
		return 2;
	}

	fd = exporters[i].export(&map);
	if (map == MAP_FAILED)
		die("mapping the buffer", -errno);
	draw(map);

	show(drm_open("virtio_gpu"), fd);
	report(fd);
	wait_for_look();
	return 0;
}
