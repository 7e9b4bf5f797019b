// SPDX-License-Identifier: GPL-2.0
/*
 * A picture in the memory of one PCI device that another one shows:
 *
 *	scanout sample | vfio-pci | qxl
 *
 * draws it into the BAR of the exporter, imports the dma-buf into virtio-gpu and
 * scans it out. Then says so on the second serial port and waits until whoever
 * is at its other end has looked at the display.
 *
 *	scanout --on DRIVER cma-heap | udmabuf ...
 *
 * does so in system memory, with a display controller that need not be a PCI
 * device. More than one exporter is for those that it refuses, without a trace.
 */
#define _GNU_SOURCE
#include <termios.h>

#include "guest.h"

#include <drm/drm_fourcc.h>
#include <drm/qxl_drm.h>

#define VIRTIO_GPU "0x1050"
#define WIDTH	640
#define HEIGHT	480
#define SIZE	(WIDTH * HEIGHT * 4)

/* screen.py draws the same. */
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

/* The exporters: a dma-buf, and its memory mapped for the CPU. */

static int map_for_cpu(int fd, void **map)
{
	*map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return fd;
}

static int export_sample(void **map)
{
	struct p2p_dev bar;

	check("no " BAR_NODES "*", p2p_open(&bar, BAR_NODES));
	return map_for_cpu(check("allocating a buffer",
				 bar_alloc(bar.fd, SIZE, 1)), map);
}

static int export_qxl(void **map)
{
	struct drm_qxl_alloc alloc = { .size = SIZE };
	int card = drm_open("qxl", NULL);

	call("allocating a buffer", card, DRM_IOCTL_QXL_ALLOC, &alloc);
	return map_for_cpu(drm_export(card, alloc.handle), map);
}

static int export_vfio(void **map)
{
	return vfio_export(vfio_open_ivshmem(), SIZE, 1, map);
}

static int export_cma(void **map)
{
	return map_for_cpu(check("allocating a buffer",
				 heap_alloc("default_cma_region", SIZE)), map);
}

static int export_udmabuf(void **map)
{
	return map_for_cpu(export_scattered(SIZE), map);
}

static const struct exporter {
	const char *name;
	int (*export)(void **map);
	bool system;
} exporters[] = {
	{ "sample", export_sample },
	{ "vfio-pci", export_vfio },
	{ "qxl", export_qxl },
	{ "cma-heap", export_cma, true },
	{ "udmabuf", export_udmabuf, true },
	{ }
};

static const struct exporter *exporter_named(const char *name, bool system)
{
	const struct exporter *exporter = exporters;

	while (exporter->name &&
	       (strcmp(exporter->name, name) || exporter->system != system))
		exporter++;
	return exporter->name ? exporter : NULL;
}

/* A dma-buf with the picture */
static int export_picture(const struct exporter *exporter)
{
	void *map;
	int fd = exporter->export(&map);

	if (map == MAP_FAILED)
		die("mapping the buffer", -errno);
	draw(map);
	munmap(map, SIZE);
	return fd;
}

/* The importer */

static void show(int card, uint32_t handle)
{
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

	fb.handles[0] = handle;
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

/* What was said before, and what came of it */
static void report(int fd, const struct dma_buf_query_reach *answer)
{
	struct record record;

	read_record(fd, &record);
	expect("what was said before came true",
	       answer->memory == DMA_BUF_MEMORY_PEER &&
	       !strcmp(p2p_reason_token(answer->reason), record.attach));
	printf("result: ask=%s attach=\"%s\" memory=%s route=%s reason=\"%s\"\n",
	       p2p_answer(answer), record.attach, record.memory, record.route, record.reason);
	fflush(stdout);
}

static void wait_for_look(void)
{
	struct termios raw;
	char path[32], byte;
	int fd;

	find_file("/dev/tty[ASP]*1", path, sizeof(path));
	fd = check(path, p2p_errno(open(path, O_RDWR)));
	tcgetattr(fd, &raw);
	cfmakeraw(&raw);
	tcsetattr(fd, TCSANOW, &raw);
	check("saying that it is there", p2p_errno(write(fd, "look\n", 5)));
	check("waiting", p2p_errno(read(fd, &byte, 1)));
}

static void show_peer(const struct exporter *exporter)
{
	struct drm_prime_handle prime = { .fd = export_picture(exporter) };
	struct dma_buf_query_reach answer;
	int card = drm_open("virtio_gpu", NULL);
	char sysfs[128];

	check("asking", p2p_ask_as_nobody(prime.fd, pci_find(VIRTIO_GPU, sysfs, sizeof(sysfs)),
					  0, &answer));
	call("importing", card, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime);
	show(card, prime.handle);
	report(prime.fd, &answer);
	wait_for_look();
}

static void show_system(int card, const struct exporter *exporter)
{
	struct drm_prime_handle prime = { .fd = export_picture(exporter) };
	struct record record;

	if (ioctl(card, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime)) {
		printf("result: exporter=%s error=%s verified=none\n", exporter->name,
		       strerrorname_np(errno));
		read_record(prime.fd, &record);
		expect("nothing is attached", !record.attach[0]);
		return;
	}
	show(card, prime.handle);
	read_record(prime.fd, &record);
	printf("result: exporter=%s memory=%s route=%s chunks=%s\n",
	       exporter->name, record.memory, record.route, record.chunks);
	fflush(stdout);
	wait_for_look();
}

int main(int argc, char **argv)
{
	bool system = argc > 3 && !strcmp(argv[1], "--on");
	const struct exporter *exporter = NULL;
	int i, card;

	for (i = system ? 3 : 1; i < argc; i++) {
		exporter = exporter_named(argv[i], system);
		if (!exporter)
			break;
	}
	if (!exporter || (!system && argc > 2)) {
		fprintf(stderr, "usage: scanout sample | vfio-pci | qxl\n"
				"       scanout --on DRIVER cma-heap | udmabuf ...\n");
		return 2;
	}

	if (!system) {
		show_peer(exporter);
		return 0;
	}
	card = drm_open(argv[2], NULL);
	for (i = 3; i < argc; i++)
		show_system(card, exporter_named(argv[i], true));
	return 0;
}
