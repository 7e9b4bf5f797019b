// SPDX-License-Identifier: GPL-2.0
/*
 * Every exporter that runs here, and real bytes through each of them:
 *
 *	exporters NAME...		the importer is edu, which does DMA
 *	exporters --vivid NAME...	the importer is vivid, a driver that takes
 *					nothing but one contiguous range
 *	exporters --vivid-sg NAME...	the same where it takes any
 *
 * The CPU fills a buffer and the device reads it, the device writes and the CPU
 * reads. Reports one result for each name, in that order. Each has a process of
 * its own: what it has open is closed before the next one starts, and one that
 * fails does not hide the others.
 */
#define _GNU_SOURCE
#include <sys/time.h>
#include <sys/wait.h>

#include "guest.h"

#include <drm/drm_mode.h>
#include <linux/videodev2.h>

#include <drivers/iommu/iommufd/iommufd_test.h>

#define NR_PAGES	3
#define SIZE		(NR_PAGES * PAGE)
#define MAX_SIZE	(8 * PAGE)

/*
 * @map is for the CPU. NULL says that the exporter has nothing to offer: then
 * the buffer starts out zeroed, and only devices get at it afterwards.
 */
struct buffer {
	int fd;
	int vfio;	/* if that exports it, the device */
	size_t size;
	char *map;
};

struct exporter {
	const char *name;
	void (*export)(const struct exporter *exporter, struct buffer *buf);
	const char *device;
	const char *module;
};

/* What the buffer holds when all is well */
static char want[MAX_SIZE];

/* Maps the dma-buf itself. */
static void map_buffer(struct buffer *buf)
{
	buf->map = mmap(NULL, buf->size, PROT_READ | PROT_WRITE, MAP_SHARED,
			buf->fd, 0);
	if (buf->map == MAP_FAILED)
		die("mapping the buffer", -errno);
}

/* The exporters */

static void export_udmabuf(const struct exporter *exporter, struct buffer *buf)
{
	buf->fd = export_scattered(buf->size);
	map_buffer(buf);
}

static void export_heap(const struct exporter *exporter, struct buffer *buf)
{
	buf->fd = check("allocating a buffer",
			heap_alloc(exporter->device, buf->size));
	map_buffer(buf);
}

static void export_drm(const struct exporter *exporter, struct buffer *buf)
{
	struct drm_mode_create_dumb dumb = {
		.width = PAGE / 4 / 16, .height = 16 * NR_PAGES, .bpp = 32,
	};
	int card = drm_open(exporter->device, NULL);

	call("allocating a buffer", card, DRM_IOCTL_MODE_CREATE_DUMB, &dumb);
	expect("the buffer has the size asked for", dumb.size == SIZE);
	buf->fd = drm_export(card, dumb.handle);
	close(card);
	map_buffer(buf);
}

static int vivid_open(const char *bus_info)
{
	struct v4l2_capability cap;
	char path[32];
	int i, fd;

	for (i = 0; i < 8; i++) {
		snprintf(path, sizeof(path), "/dev/video%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (!ioctl(fd, VIDIOC_QUERYCAP, &cap) &&
		    !strcmp((char *)cap.bus_info, bus_info))
			return fd;
		close(fd);
	}
	die(bus_info, -ENODEV);
	return -1;
}

static void export_vivid(const struct exporter *exporter, struct buffer *buf)
{
	struct v4l2_create_buffers create = {
		.count = 1, .memory = V4L2_MEMORY_MMAP,
		.format = {
			.type = V4L2_BUF_TYPE_META_CAPTURE,
			.fmt.meta.buffersize = buf->size,
		},
	};
	struct v4l2_exportbuffer export = {
		.type = V4L2_BUF_TYPE_META_CAPTURE, .flags = O_RDWR | O_CLOEXEC,
	};
	int video = vivid_open(exporter->device);

	call("allocating a buffer", video, VIDIOC_CREATE_BUFS, &create);
	export.index = create.index;
	call("exporting", video, VIDIOC_EXPBUF, &export);
	close(video);
	buf->fd = export.fd;
	map_buffer(buf);
}

/* A mediated device that mbochs makes, each has a name of its own. */
#define MBOCHS_UUID	"6d626f63-6873-4000-8000-000000000001"
#define MBOCHS_REGS	0x500
#define DRM_PRIMARY	1

static void mbochs_create(void)
{
	char path[128];

	find_file("/sys/class/mbochs/mbochs/mdev_supported_types/*-small/create",
		  path, sizeof(path));
	check(path, p2p_write_file(path, MBOCHS_UUID));
}

/* Hardly more than the least it takes, so that the picture ends within a page. */
static void mbochs_set_mode(int vfio)
{
	static const struct {
		int index;
		__u16 value;
	} regs[] = {
		{ 1, 65 },	/* width */
		{ 2, 65 },	/* height */
		{ 3, 32 },	/* bits per pixel */
		{ 4, 1 },	/* enabled */
	};
	off_t base = vfio_region(vfio, VFIO_PCI_BAR2_REGION_INDEX) + MBOCHS_REGS;
	size_t i;

	for (i = 0; i < sizeof(regs) / sizeof(*regs); i++)
		check("setting the mode",
		      p2p_errno(pwrite(vfio, &regs[i].value, 2,
				       base + 2 * regs[i].index)));
}

static void export_mbochs(const struct exporter *exporter, struct buffer *buf)
{
	struct vfio_device_gfx_plane_info plane = {
		.argsz = sizeof(plane),
		.flags = VFIO_GFX_PLANE_TYPE_DMABUF,
		.drm_plane_type = DRM_PRIMARY,
	};
	int vfio, ret;

	mbochs_create();
	vfio = vfio_open("/sys/bus/mdev/devices/" MBOCHS_UUID, iommufd_open());
	mbochs_set_mode(vfio);

	/* Some versions make the buffer, and do not find it until asked again. */
	ret = p2p_errno(ioctl(vfio, VFIO_DEVICE_QUERY_GFX_PLANE, &plane));
	if (ret == -ENOMEM)
		ret = p2p_errno(ioctl(vfio, VFIO_DEVICE_QUERY_GFX_PLANE, &plane));
	check("looking for the picture", ret);

	buf->size = plane.size;
	buf->fd = call("exporting", vfio, VFIO_DEVICE_GET_GFX_DMABUF,
		       &plane.dmabuf_id);
	/* The dma-buf is read-only, the BAR of the device is not. */
	buf->map = mmap(NULL, buf->size, PROT_READ | PROT_WRITE, MAP_SHARED,
			vfio, vfio_region(vfio, VFIO_PCI_BAR0_REGION_INDEX));
	if (buf->map == MAP_FAILED)
		die("mapping the BAR", -errno);
}

static void export_iommufd_test(const struct exporter *exporter,
				struct buffer *buf)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_DMABUF_GET,
		.dmabuf_get = {
			.length = buf->size, .open_flags = O_RDWR | O_CLOEXEC,
		},
	};
	int dev = check(exporter->device,
			p2p_errno(open(exporter->device, O_RDWR | O_CLOEXEC)));
	/* Some versions return zero for it, but this is what it has to be. */
	int next = dup(dev);

	close(next);
	buf->fd = call("exporting", dev, IOMMU_TEST_CMD, &cmd) ?: next;
	close(dev);
}

static void export_vfio_pci(const struct exporter *exporter, struct buffer *buf)
{
	void *map;

	buf->vfio = vfio_open_ivshmem();
	buf->fd = vfio_export(buf->vfio, buf->size, NR_PAGES, &map);
	if (map == MAP_FAILED)
		die("mapping the BAR", -errno);
	buf->map = map;
}

/*
 * The first vivid device allocates from the DMA API, the second one with
 * vmalloc(), the third one pages that it maps. Metadata is the queue that takes buffers of any size, and goes with
 * the first input, a webcam. The driver crashes if it has others and no video.
 */
#define VIVID_DMA	"platform:vivid-000"
#define VIVID_VMALLOC	"platform:vivid-001"
#define VIVID_SG	"platform:vivid-002"
#define VIVID_MODULE	"vivid n_devs=3 allocators=1,0,2 num_inputs=1,1,1 " \
			"node_types=0x20000,0x20000,0x20000"

static const struct exporter exporters[] = {
	{ "udmabuf", export_udmabuf },
	{ "system-heap", export_heap, "system" },
	{ "cma-heap", export_heap, "default_cma_region" },
	{ "vgem", export_drm, "vgem", "vgem" },
	{ "vkms", export_drm, "vkms", "vkms" },
	{ "virtio-gpu", export_drm, "virtio_gpu" },
	{ "radeon", export_drm, "radeon", "radeon" },
	{ "vmwgfx", export_drm, "vmwgfx", "vmwgfx" },
	{ "vivid-contig", export_vivid, VIVID_DMA, VIVID_MODULE },
	{ "vivid-vmalloc", export_vivid, VIVID_VMALLOC, VIVID_MODULE },
	{ "vivid-sg", export_vivid, VIVID_SG, VIVID_MODULE },
	{ "mbochs", export_mbochs, NULL, "mbochs" },
	{ "iommufd-test", export_iommufd_test, "/dev/iommu" },
	{ "vfio-pci", export_vfio_pci },
	{ }
};

/* The importers */

static void fill(const struct buffer *buf)
{
	p2p_random(want, buf->size);
	check("writing to the buffer",
	      cpu_write(buf->fd, buf->map, want, buf->size));
}

/* Returns the error of mapping the buffer, everything else is the end. */
static int edu_verify(const struct p2p_dev *edu, const struct buffer *buf)
{
	struct dma_buf_edu_info info;
	struct p2p_map where;
	char got[MAX_SIZE];
	int ret;

	/* What the CPU writes from here on, it writes to a mapped buffer. */
	ret = edu_read(edu->fd, 0, got, 1);
	check("query", edu_query(edu->fd, &info));
	expect("fdinfo agrees with the importer",
	       p2p_fdinfo_agrees(buf->fd, edu->pci, &info, &where));
	if (info.map_error)
		return info.map_error;
	check("DMA", ret);

	if (buf->map)
		fill(buf);
	check("DMA from the buffer", edu_read(edu->fd, 0, got, buf->size));
	expect("DMA from the buffer reads what the CPU wrote",
	       !memcmp(want, got, buf->size));

	p2p_random(want, buf->size);
	check("DMA to the buffer", edu_write(edu->fd, 0, want, buf->size));
	if (buf->map)
		ret = cpu_read(buf->fd, buf->map, got, buf->size);
	else
		ret = edu_read(edu->fd, 0, got, buf->size);
	check("reading from the buffer", ret);
	expect("the CPU reads what DMA wrote", !memcmp(want, got, buf->size));
	return 0;
}

/* It is still there for the next one, that does not follow buffers that move. */
static void edu_verify_again(const struct p2p_dev *edu,
			     const struct buffer *buf)
{
	char got[16];

	check("detaching", p2p_errno(ioctl(edu->fd, DMA_BUF_EDU_DETACH)));
	check("attaching again", edu_attach(edu->fd, buf->fd, DMA_BUF_EDU_STATIC));
	check("DMA", edu_read(edu->fd, PAGE - 8, got, sizeof(got)));
	expect("DMA reads the same bytes", !memcmp(want + PAGE - 8, got, 16));
}

/*
 * A reset that fails takes the buffer away and gives it back. It comes after one
 * when vfio opened the device, which says that there are ways to do it.
 */
static void verify_failed_reset(const struct p2p_dev *edu,
				const struct buffer *buf)
{
	struct dma_buf_edu_info info;
	char path[160], got[MAX_SIZE];

	find_file("/sys/bus/pci/drivers/vfio-pci/*/reset_method", path,
		  sizeof(path));
	check("taking all of them away", p2p_write_file(path, "\n"));
	expect("resetting the device fails",
	       p2p_errno(ioctl(buf->vfio, VFIO_DEVICE_RESET)) == -ENOTTY);

	check("query", edu_query(edu->fd, &info));
	expect("the mapping was taken back", info.invalidations && !info.npages);
	check("DMA from the buffer", edu_read(edu->fd, 0, got, buf->size));
	expect("DMA from the buffer reads what was there before",
	       !memcmp(want, got, buf->size));
	p2p_random(want, buf->size);
	check("DMA to the buffer", edu_write(edu->fd, 0, want, buf->size));
	expect("the CPU reads what DMA wrote",
	       !memcmp(want, buf->map, buf->size));
}

static void import_edu(const char *name, const struct buffer *buf)
{
	struct dma_buf_query_reach answer;
	struct dma_buf_edu_info info;
	struct record record;
	struct p2p_map where;
	struct p2p_dev edu;
	int ret;

	check("no " EDU_NODES "*, is dma-buf-edu loaded and an edu device there",
	      p2p_open(&edu, EDU_NODES));
	check("asking", p2p_ask_as_nobody(buf->fd, edu.pci, 0, &answer));
	check("attaching", edu_attach(edu.fd, buf->fd, 0));
	ret = edu_verify(&edu, buf);
	read_record(buf->fd, &record);
	check("query", edu_query(edu.fd, &info));
	expect("fdinfo agrees with the importer",
	       p2p_fdinfo_agrees(buf->fd, edu.pci, &info, &where));
	expect("what was said before came true",
	       p2p_came_true(&answer, info.reason, &where, info.nr_ranges));
	if (ret) {
		printf("result: exporter=%s error=%s reason=\"%s\" verified=none\n",
		       name, strerrorname_np(-ret), record.reason);
		return;
	}

	/* The memory of a device is only for those that can give it back. */
	if (strcmp(record.memory, "peer"))
		edu_verify_again(&edu, buf);
	if (buf->vfio)
		verify_failed_reset(&edu, buf);
	printf("result: exporter=%s ask=%s memory=%s route=%s reason=\"%s\" chunks=%s verified=%zu\n",
	       name, p2p_answer(&answer), record.memory, record.route, record.reason, record.chunks,
	       2 * buf->size);
}

/*
 * vivid asks for a mapping, but then it is the CPU that writes: a few bytes that
 * are different each time, and ones all over the rest.
 */
static void import_vivid(const char *device, const char *name,
			 const struct buffer *buf)
{
	const char *importer = strcmp(device, VIVID_SG) ? "vivid" : "vivid-sg";
	struct v4l2_requestbuffers request = {
		.type = V4L2_BUF_TYPE_META_CAPTURE,
		.memory = V4L2_MEMORY_DMABUF, .count = 1,
	};
	struct v4l2_buffer queue = {
		.type = V4L2_BUF_TYPE_META_CAPTURE,
		.memory = V4L2_MEMORY_DMABUF, .m.fd = buf->fd,
	};
	int type = V4L2_BUF_TYPE_META_CAPTURE, video = vivid_open(device);
	char got[MAX_SIZE];
	struct record record;
	size_t len;

	fill(buf);
	memset(want, 1, buf->size);
	call("requesting a buffer", video, VIDIOC_REQBUFS, &request);
	if (ioctl(video, VIDIOC_QBUF, &queue)) {
		printf("result: exporter=%s importer=%s error=%s verified=none\n",
		       name, importer, strerrorname_np(errno));
		return;
	}

	read_record(buf->fd, &record);
	call("streaming", video, VIDIOC_STREAMON, &type);
	call("waiting", video, VIDIOC_DQBUF, &queue);
	call("stopping", video, VIDIOC_STREAMOFF, &type);
	len = queue.bytesused;
	check("reading from the buffer",
	      cpu_read(buf->fd, buf->map, got, buf->size));
	expect("the capture is in the buffer",
	       len < buf->size && !memcmp(want + len, got + len, buf->size - len));
	printf("result: exporter=%s importer=%s memory=%s route=%s chunks=%s verified=%zu\n",
	       name, importer, record.memory, record.route, record.chunks,
	       buf->size - len);
}

static void load(const char *module)
{
	char command[128];

	snprintf(command, sizeof(command), "modprobe %s", module);
	expect(command, !system(command));
}

/* @vivid: the device that imports, or NULL for edu */
static int run(const struct exporter *exporter, const char *vivid)
{
	struct buffer buf = { .size = SIZE };
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid) {
		waitpid(pid, &status, 0);
		return status;
	}

	/* Every message says whose it is. */
	program_invocation_short_name = (char *)exporter->name;
	if (exporter->module)
		load(exporter->module);
	if (vivid)
		load(VIVID_MODULE);
	exporter->export(exporter, &buf);
	expect("the buffer is as small as it should be", buf.size <= MAX_SIZE);
	if (vivid)
		import_vivid(vivid, exporter->name, &buf);
	else
		import_edu(exporter->name, &buf);
	exit(0);
}

int main(int argc, char **argv)
{
	const char *vivid = NULL;
	int i, failed = 0;

	if (argc > 1 && !strcmp(argv[1], "--vivid"))
		vivid = VIVID_DMA;
	else if (argc > 1 && !strcmp(argv[1], "--vivid-sg"))
		vivid = VIVID_SG;

	for (i = vivid ? 2 : 1; i < argc; i++) {
		const struct exporter *exporter = exporters;

		while (exporter->name && strcmp(exporter->name, argv[i]))
			exporter++;
		if (!exporter->name) {
			fprintf(stderr, "exporters: no exporter %s\n", argv[i]);
			return 2;
		}
		failed |= run(exporter, vivid);
	}
	return !!failed;
}
