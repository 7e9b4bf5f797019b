// SPDX-License-Identifier: GPL-2.0
/*
 * vimc captures into dma-bufs of other drivers:
 *
 *	vimc NAME...		udmabuf is scattered, all else is a heap
 *
 * The test pattern of its first sensor is the same in each frame, but for a text at the
 * top. So what it captures into memory of its own is what has to be in the dma-buf.
 */
#define _GNU_SOURCE
#include "buffer.h"

#include <linux/media-bus-format.h>
#include <linux/v4l2-subdev.h>
#include <linux/videodev2.h>

#define TYPE	V4L2_BUF_TYPE_VIDEO_CAPTURE

static int video;
static size_t size, skip;
static char *own;

/* Opens the node of that name: NODE0, NODE1, ... */
static int node_open(const char *node, const char *want_name)
{
	char path[64], name[64];
	int i;

	for (i = 0; i < 16; i++) {
		snprintf(path, sizeof(path), "/sys/class/video4linux/%s%d/name", node, i);
		if (p2p_read_file(path, name, sizeof(name)) < 0 ||
		    strncmp(name, want_name, strlen(want_name)))
			continue;
		snprintf(path, sizeof(path), "/dev/%s%d", node, i);
		return check(path, open(path, O_RDWR | O_CLOEXEC));
	}
	die(want_name, -ENODEV);
	return -1;
}

static int video_ioctl(unsigned long request, void *arg)
{
	return p2p_errno(ioctl(video, request, arg));
}

static void request(enum v4l2_memory memory, unsigned int count)
{
	struct v4l2_requestbuffers arg = { .type = TYPE, .memory = memory, .count = count };

	check("requesting buffers", video_ioctl(VIDIOC_REQBUFS, &arg));
}

/* One frame into @buf, which is queued */
static void capture(struct v4l2_buffer *buf)
{
	int type = TYPE;

	check("streaming", video_ioctl(VIDIOC_STREAMON, &type));
	check("waiting", video_ioctl(VIDIOC_DQBUF, buf));
	check("stopping", video_ioctl(VIDIOC_STREAMOFF, &type));
	expect("a whole frame", buf->bytesused == size);
}

/* What it should be: a frame in a buffer of vimc's own */
static void capture_own(void)
{
	struct v4l2_buffer buf = { .type = TYPE, .memory = V4L2_MEMORY_MMAP };
	char *map;

	request(V4L2_MEMORY_MMAP, 1);
	check("asking for the buffer", video_ioctl(VIDIOC_QUERYBUF, &buf));
	map = mmap(NULL, buf.length, PROT_READ | PROT_WRITE, MAP_SHARED, video, buf.m.offset);
	if (map == MAP_FAILED)
		die("mapping a frame", -errno);
	check("queueing", video_ioctl(VIDIOC_QBUF, &buf));
	capture(&buf);
	own = malloc(size);
	memcpy(own, map, size);
	munmap(map, buf.length);
	request(V4L2_MEMORY_MMAP, 0);
	expect("the frame is not blank", memcmp(own + skip, own + skip + 1, size - skip - 1));
}

static void import(const char *name)
{
	struct buffer buf = export_sized(name, (size + PAGE - 1) / PAGE * PAGE);
	struct v4l2_buffer queue = { .type = TYPE, .memory = V4L2_MEMORY_DMABUF, .m.fd = buf.fd };
	char *blank = calloc(1, buf.size), *frame = malloc(buf.size);
	int ret;

	check("blanking", cpu_write(buf.fd, buf.map, blank, buf.size));
	request(V4L2_MEMORY_DMABUF, 1);
	ret = video_ioctl(VIDIOC_QBUF, &queue);
	if (ret) {
		printf("result: exporter=%s importer=vimc error=%s verified=none\n", name, strerrorname_np(-ret));
	} else {
		capture(&queue);
		check("reading", cpu_read(buf.fd, buf.map, frame, buf.size));
		expect("the frame is in the buffer", !memcmp(own + skip, frame + skip, size - skip));
		printf("result: exporter=%s importer=vimc verified=%zu\n", name, size - skip);
	}
	request(V4L2_MEMORY_DMABUF, 0);
	expect("nothing is attached", !attached(&buf));
	buffer_close(&buf);
	free(blank);
	free(frame);
}

/* All that is behind the sensor takes nothing else. */
static void set_format(void)
{
	struct v4l2_subdev_format sensor = {
		.which = V4L2_SUBDEV_FORMAT_ACTIVE,
		.format = {
			.code = MEDIA_BUS_FMT_SRGGB8_1X8, .width = 640, .height = 480,
			.colorspace = V4L2_COLORSPACE_SRGB, .field = V4L2_FIELD_NONE,
		},
	};
	struct v4l2_format format = { .type = TYPE };
	int subdev = node_open("v4l-subdev", "Sensor A");

	check("setting the sensor's format", p2p_errno(ioctl(subdev, VIDIOC_SUBDEV_S_FMT, &sensor)));
	close(subdev);
	check("asking for the format", video_ioctl(VIDIOC_G_FMT, &format));
	format.fmt.pix.pixelformat = V4L2_PIX_FMT_SRGGB8;
	check("setting the format", video_ioctl(VIDIOC_S_FMT, &format));
	size = format.fmt.pix.sizeimage;
	/* The text is in the upper half. */
	skip = format.fmt.pix.bytesperline * (format.fmt.pix.height / 2);
}

int main(int argc, char **argv)
{
	video = node_open("video", "Raw Capture 0");
	set_format();
	capture_own();
	for (argv++; argc > 1; argv++, argc--)
		import(*argv);
	return 0;
}
