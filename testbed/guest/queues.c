// SPDX-License-Identifier: GPL-2.0
/*
 * What videobuf2 keeps of the dma-bufs of a queue that fails: nothing. And what it
 * takes: not more than a dma-buf has, be it for one plane or for two.
 *
 *	queues N...		for these devices of vivid, loaded with multiplanar=2
 *
 * Frames have two planes of which the second one starts at an offset, so it is the
 * larger one. Each case queues two file descriptors.
 */
#define _GNU_SOURCE
#include "guest.h"

#include <linux/videodev2.h>

#define FRAME	(640 * 480UL)
#define OFFSET	128UL
#define TYPE	V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE

/* The dma-bufs: as large as the first plane, and a page larger */
enum { SMALL, LARGE, SCATTERED, NONE };

static int fds[4];
static const size_t sizes[4] = { FRAME, FRAME + PAGE, FRAME + PAGE, 0 };

static const struct {
	const char *name;
	int buf[2];
	size_t len[2];
	int want;
	/* as expected of a driver that takes nothing but one contiguous range */
	int want_contig;
	int nr_attach;
} cases[] = {
	{ "the first plane is longer than its buffer",
	  { SMALL, LARGE }, { FRAME + 1, FRAME + OFFSET }, -EFAULT, -EFAULT },
	{ "the second plane is longer than its buffer",
	  { SMALL, LARGE }, { FRAME, 2 * FRAME }, -EFAULT, -EFAULT },
	{ "the second plane has no buffer",
	  { SMALL, NONE }, { FRAME, FRAME + OFFSET }, -EINVAL, -EINVAL },
	{ "the second plane is too short",
	  { SMALL, LARGE }, { FRAME, FRAME }, -EINVAL, -EINVAL },
	{ "the second plane is scattered",
	  { SMALL, SCATTERED }, { FRAME, FRAME + OFFSET }, 0, -EFAULT, 2 },
	{ "the first plane is scattered",
	  { SCATTERED, LARGE }, { FRAME, FRAME + OFFSET }, 0, -EFAULT, 2 },
	{ "one buffer for both is too short for the second one",
	  { SMALL, SMALL }, { FRAME, FRAME + OFFSET }, -EFAULT, -EFAULT },
	{ "one buffer for both, of which the second one has more",
	  { LARGE, LARGE }, { FRAME, FRAME + OFFSET }, 0, 0, 2 },
	{ "one buffer for both",
	  { LARGE, LARGE }, { FRAME + PAGE, FRAME + PAGE }, 0, 0, 1 },
	{ "a buffer for each",
	  { SMALL, LARGE }, { FRAME, FRAME + OFFSET }, 0, 0, 2 },
};
#define NR_CASES	(sizeof(cases) / sizeof(*cases))
#define GOOD		(NR_CASES - 1)

static int vivid_open(int n)
{
	struct v4l2_capability cap;
	char path[32], want[32];
	int i, fd;

	snprintf(want, sizeof(want), "platform:vivid-%03d", n);
	for (i = 0; i < 32; i++) {
		snprintf(path, sizeof(path), "/dev/video%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (!ioctl(fd, VIDIOC_QUERYCAP, &cap) &&
		    !strcmp((char *)cap.bus_info, want) &&
		    cap.device_caps & V4L2_CAP_VIDEO_CAPTURE_MPLANE)
			return fd;
		close(fd);
	}
	die(want, -ENODEV);
	return -1;
}

static void set_format(int video)
{
	struct v4l2_format format = {
		.type = TYPE,
		.fmt.pix_mp = {
			.width = 640, .height = 480, .num_planes = 2,
			.pixelformat = V4L2_PIX_FMT_NV61M,
		},
	};
	struct v4l2_pix_format_mplane *pix = &format.fmt.pix_mp;

	call("setting the format", video, VIDIOC_S_FMT, &format);
	expect("the planes have the sizes asked for",
	       pix->num_planes == 2 && pix->plane_fmt[0].sizeimage == FRAME &&
	       pix->plane_fmt[1].sizeimage == FRAME + OFFSET);
}

static void request(int video, int count)
{
	struct v4l2_requestbuffers request = {
		.type = TYPE, .memory = V4L2_MEMORY_DMABUF, .count = count,
	};

	call("requesting buffers", video, VIDIOC_REQBUFS, &request);
}

static int queue(int video, const int *buf, const size_t *len)
{
	struct v4l2_plane planes[2] = {
		{ .m.fd = fds[buf[0]], .length = len[0] },
		{ .m.fd = fds[buf[1]], .length = len[1] },
	};
	struct v4l2_buffer queue = {
		.type = TYPE, .memory = V4L2_MEMORY_DMABUF, .length = 2,
		.m.planes = planes,
	};

	return p2p_errno(ioctl(video, VIDIOC_QBUF, &queue));
}

static int queue_case(int video, size_t i)
{
	return queue(video, cases[i].buf, cases[i].len);
}

/* What the second plane's buffer holds: nobody may write there once it is mapped. */
static char *fill(size_t i)
{
	static char want[FRAME + PAGE];
	int fd = fds[cases[i].buf[1]];
	size_t size = sizes[cases[i].buf[1]];
	char *map;

	if (fd < 0)
		return NULL;
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		die("mapping the buffer", -errno);
	p2p_random(want, size);
	check("writing to the buffer", cpu_write(fd, map, want, size));
	munmap(map, size);
	return want;
}

/* Takes a frame, and looks whether it is where it should be and nowhere else. */
static size_t stream(int video, size_t i, const char *want)
{
	struct v4l2_plane planes[2];
	struct v4l2_buffer frame = {
		.type = TYPE, .memory = V4L2_MEMORY_DMABUF, .length = 2,
		.m.planes = planes,
	};
	int type = TYPE, fd = fds[cases[i].buf[1]];
	size_t size = sizes[cases[i].buf[1]], end = FRAME + OFFSET;
	char *map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	static char got[FRAME + PAGE];

	if (map == MAP_FAILED)
		die("mapping the buffer", -errno);
	call("streaming", video, VIDIOC_STREAMON, &type);
	call("waiting", video, VIDIOC_DQBUF, &frame);
	call("stopping", video, VIDIOC_STREAMOFF, &type);
	check("reading from the buffer", cpu_read(fd, map, got, size));
	/* Colour bars: each line of a plane is like the one above it. */
	expect("the picture is there",
	       !memcmp(got + OFFSET, got + OFFSET + 640, 640));
	expect("nothing is written after it",
	       !memcmp(want + end, got + end, size - end));
	munmap(map, size);
	return size;
}

static int nr_attachments(void)
{
	char text[8192], *line;
	int i, n = 0;

	for (i = SMALL; i < NONE; i++) {
		check("fdinfo", p2p_fdinfo(fds[i], text, sizeof(text)));
		for (line = text; (line = strstr(line, "\nattach:")); line++)
			n++;
	}
	return n;
}

static int nr_dmabufs(void)
{
	static char text[1 << 20];
	char *line;
	int n;

	check("bufinfo", p2p_read_file("/sys/kernel/debug/dma_buf/bufinfo",
				       text, sizeof(text)));
	for (line = text; (line = strstr(line, "\nTotal ")); line++)
		if (sscanf(line, "\nTotal %d objects", &n) == 1)
			return n;
	die("counting dma-bufs", -EIO);
	return 0;
}

/* Whoever has the last reference may be late. */
static bool all_gone(void)
{
	int tries;

	for (tries = 0; tries < 50 && nr_dmabufs(); tries++)
		usleep(20000);
	return tries < 50;
}

static void export_all(void)
{
	fds[SMALL] = check("allocating",
			   heap_alloc("default_cma_region", sizes[SMALL]));
	fds[LARGE] = check("allocating",
			   heap_alloc("default_cma_region", sizes[LARGE]));
	fds[SCATTERED] = export_scattered(sizes[SCATTERED]);
	fds[NONE] = -1;
}

/* Each case in a queue of its own. @n is what gets its memory from the DMA API. */
static size_t run_case(int n, size_t i)
{
	int want = n ? cases[i].want : cases[i].want_contig, ret, attached;
	int video = vivid_open(n);
	size_t verified = 0;
	const char *before;

	export_all();
	before = fill(i);
	set_format(video);
	request(video, 2);
	ret = queue_case(video, i);
	attached = nr_attachments();
	if (ret != want)
		fprintf(stderr, "queues: %s: %s, not %s\n", cases[i].name,
			ret ? strerrorname_np(-ret) : "taken",
			want ? strerrorname_np(-want) : "taken");
	expect(cases[i].name, ret == want);
	if (ret) {
		expect("nothing is attached", !attached);
	} else {
		/* vmalloc() does without. */
		expect("as many are attached as there should be",
		       n == 1 || attached == cases[i].nr_attach);
		verified = stream(video, i, before);
		request(video, 0);
		expect("nothing is left attached", !nr_attachments());
	}
	close(video);
	for (int buf = SMALL; buf < NONE; buf++)
		close(fds[buf]);
	expect("nothing is left of the dma-bufs", all_gone());
	return verified;
}

/*
 * A queue that fails after one that did not. Who counts with VIDEO_ADV_DEBUG
 * whether a buffer is cleaned up as often as it is initialized, says so in the log.
 */
static void run_again(int n)
{
	int video = vivid_open(n);
	struct v4l2_plane planes[2];
	struct v4l2_buffer frame = {
		.type = TYPE, .memory = V4L2_MEMORY_DMABUF, .length = 2,
		.m.planes = planes,
	};
	int type = TYPE, i;

	export_all();
	set_format(video);
	request(video, 2);
	call("streaming", video, VIDIOC_STREAMON, &type);
	for (i = 0; i < 3; i++) {
		check("queueing", queue_case(video, GOOD));
		call("waiting", video, VIDIOC_DQBUF, &frame);
		expect("queueing what does not exist",
		       queue_case(video, 2) == -EINVAL);
		expect("nothing is attached", !nr_attachments());
	}
	call("stopping", video, VIDIOC_STREAMOFF, &type);
	request(video, 0);
	close(video);
	for (i = SMALL; i < NONE; i++)
		close(fds[i]);
	expect("nothing is left of the dma-bufs", all_gone());
}

int main(int argc, char **argv)
{
	size_t i, verified;
	int arg, n;

	for (arg = 1; arg < argc; arg++) {
		n = atoi(argv[arg]);
		verified = 0;
		for (i = 0; i < NR_CASES; i++)
			verified += run_case(n, i);
		run_again(n);
		printf("result: importer=vivid-%d verified=%zu\n", n, verified);
	}
	return 0;
}
