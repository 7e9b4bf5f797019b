// SPDX-License-Identifier: GPL-2.0
/*
 * dma-bufs as what an IIO device puts out and takes in. What the one device puts out
 * comes in at the other, see testbed/importer-devices/iio-copy.c.
 */
#define _GNU_SOURCE
#include <poll.h>

#include "buffer.h"

#include <linux/iio/buffer.h>

struct device {
	char sysfs[64];
	int fd;		/* of its buffer */
};

static struct device out, in;
/* With none attached, buffers would be enabled for read() and write(). */
static struct buffer keep;

/* The devices */

static void set(const struct device *dev, const char *file, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dev->sysfs, file);
	check(path, p2p_write_file(path, text));
}

static void enable(const struct device *dev, bool on)
{
	set(dev, "buffer0/enable", on ? "1" : "0");
}

static void device_open(struct device *dev)
{
	char path[80];
	int fd, buffer = 0;

	snprintf(path, sizeof(path), "/dev/%s", strrchr(dev->sysfs, '/') + 1);
	fd = check(path, p2p_errno(open(path, O_RDWR | O_CLOEXEC)));
	call("the buffer", fd, IIO_BUFFER_GET_FD_IOCTL, &buffer);
	close(fd);
	dev->fd = buffer;
}

static void device_find(struct device *dev, const char *name, const char *channel)
{
	char path[128], text[32];
	int i;

	for (i = 0; i < 8; i++) {
		snprintf(dev->sysfs, sizeof(dev->sysfs), "/sys/bus/iio/devices/iio:device%d", i);
		snprintf(path, sizeof(path), "%s/name", dev->sysfs);
		if (p2p_read_file(path, text, sizeof(text)))
			continue;
		text[strcspn(text, "\n")] = 0;
		if (strcmp(text, name))
			continue;
		set(dev, channel, "1");
		device_open(dev);
		return;
	}
	die(name, -ENODEV);
}

/* The dma-bufs */

static int attach(const struct device *dev, const struct buffer *buf)
{
	return p2p_errno(ioctl(dev->fd, IIO_BUFFER_DMABUF_ATTACH_IOCTL, &buf->fd));
}

static int detach(const struct device *dev, const struct buffer *buf)
{
	return p2p_errno(ioctl(dev->fd, IIO_BUFFER_DMABUF_DETACH_IOCTL, &buf->fd));
}

static int enqueue_flags(const struct device *dev, const struct buffer *buf,
			 __u64 len, __u32 flags)
{
	struct iio_dmabuf arg = { .fd = buf->fd, .flags = flags, .bytes_used = len };

	return p2p_errno(ioctl(dev->fd, IIO_BUFFER_DMABUF_ENQUEUE_IOCTL, &arg));
}

static void enqueue(const struct device *dev, const struct buffer *buf, size_t len)
{
	check("enqueueing", enqueue_flags(dev, buf, len, 0));
}

static bool ends(const struct buffer *buf, short events, int timeout_ms)
{
	struct pollfd fds = { .fd = buf->fd, .events = events };

	return poll(&fds, 1, timeout_ms) == 1;
}

static void wait_for(const struct buffer *buf, short events)
{
	expect("the transfer ends", ends(buf, events, 5000));
}

/* @len bytes have come in, and what was there before is behind them. */
static void compare(const struct buffer *buf, const char *bytes, size_t len,
		    const char *before)
{
	buffer_read(buf);
	expect("what comes in is what was put out", !memcmp(bytes, got, len));
	expect("nothing is written behind it",
	       !memcmp(before + len, got + len, buf->size - len));
}

/* What the tests do */

static size_t put_through(const struct buffer *from, const struct buffer *to,
			  size_t len)
{
	static char bytes[MAX_SIZE], before[MAX_SIZE];

	buffer_fill(to);
	memcpy(before, want, MAX_SIZE);
	buffer_fill(from);
	memcpy(bytes, want, MAX_SIZE);
	enqueue(&in, to, len);
	expect("the buffer is in use", !ends(to, POLLIN, 0));
	enqueue(&out, from, len);
	wait_for(from, POLLOUT);
	wait_for(to, POLLIN);
	compare(to, bytes, len, before);
	return len;
}

/* To the DMA engine a segment has at most three pages, so that heaps are cut. */
static void run(const char *from_name, const char *to_name)
{
	static const size_t lens[] = {
		MAX_SIZE, 4, 40, PAGE - 4, PAGE, PAGE + 4, 3 * PAGE, 3 * PAGE + 4,
		17 * PAGE + 12, MAX_SIZE - 8,
	};
	struct buffer from = export(from_name), to = export(to_name);
	struct record record;
	size_t i, verified = 0;

	check("attaching", attach(&out, &from));
	check("attaching", attach(&in, &to));
	for (i = 0; i < ARRAY_SIZE(lens); i++)
		verified += put_through(&from, &to, lens[i]);
	read_record(from.fd, &record);
	check("detaching", detach(&out, &from));
	check("detaching", detach(&in, &to));
	expect_detached(&from);
	expect_detached(&to);
	buffer_close(&from);
	buffer_close(&to);
	printf("result: exporter=%s importer=iio memory=%s route=%s chunks=%s verified=%zu\n",
	       from_name, record.memory, record.route, record.chunks, verified);
}

/* All of them at the same time, and the sizes on both sides differ. */
static size_t run_blocks(void)
{
	static const size_t out_len[3] = { PAGE + 8, 20 * PAGE, 5 * PAGE };
	static const size_t in_len[3] = { 14 * PAGE + 4, 4, 12 * PAGE };
	static char bytes[3 * MAX_SIZE], before[MAX_SIZE];
	struct buffer from[3], to[3];
	size_t at = 0;
	int i;

	for (i = 0; i < 3; i++) {
		from[i] = export(i == 1 ? "system" : "udmabuf");
		to[i] = export(i == 1 ? "udmabuf" : "system");
		check("attaching", attach(&out, &from[i]));
		check("attaching", attach(&in, &to[i]));
		buffer_fill(&to[i]);
		buffer_fill(&from[i]);
		memcpy(bytes + at, want, out_len[i]);
		at += out_len[i];
	}
	/* The same for all of those that come in */
	p2p_random(before, MAX_SIZE);
	for (i = 0; i < 3; i++)
		check("writing", cpu_write(to[i].fd, to[i].map, before, MAX_SIZE));
	for (i = 0; i < 3; i++)
		enqueue(&out, &from[i], out_len[i]);
	for (i = 0; i < 3; i++)
		enqueue(&in, &to[i], in_len[i]);
	for (i = 0, at = 0; i < 3; i++) {
		wait_for(&from[i], POLLOUT);
		wait_for(&to[i], POLLIN);
		compare(&to[i], bytes + at, in_len[i], before);
		at += in_len[i];
	}
	for (i = 0; i < 3; i++) {
		check("detaching", detach(&out, &from[i]));
		check("detaching", detach(&in, &to[i]));
		expect_detached(&from[i]);
		expect_detached(&to[i]);
		buffer_close(&from[i]);
		buffer_close(&to[i]);
	}
	return at;
}

#define PERIOD	(5 * PAGE + 12)

static size_t run_cyclic(void)
{
	struct buffer from = export("udmabuf"), to = export("system"),
		      other = export("system");
	static char bytes[MAX_SIZE];
	size_t i;

	check("attaching", attach(&out, &from));
	check("attaching", attach(&out, &other));
	check("attaching", attach(&in, &to));
	buffer_fill(&from);
	for (i = 0; i < MAX_SIZE; i++)
		bytes[i] = want[i % PERIOD];
	expect("what comes in does not repeat",
	       enqueue_flags(&in, &to, PAGE, IIO_BUFFER_DMABUF_CYCLIC) == -EINVAL);
	check("enqueueing", enqueue_flags(&out, &from, PERIOD, IIO_BUFFER_DMABUF_CYCLIC));
	enqueue(&in, &to, MAX_SIZE);
	wait_for(&to, POLLIN);
	compare(&to, bytes, MAX_SIZE, want);
	expect("it goes on", !ends(&from, POLLOUT, 0));
	enable(&out, false);
	wait_for(&from, POLLOUT);
	enable(&out, true);

	check("detaching", detach(&out, &from));
	check("detaching", detach(&out, &other));
	check("detaching", detach(&in, &to));
	expect_detached(&from);
	expect_detached(&to);
	buffer_close(&from);
	buffer_close(&to);
	buffer_close(&other);
	return MAX_SIZE;
}

/* One that is taken away while nothing comes in */

static void take_by_disabling(struct buffer *buf)
{
	enable(&in, false);
	wait_for(buf, POLLIN);
	check("detaching", detach(&in, buf));
	enable(&in, true);
}

static void take_by_closing(struct buffer *buf)
{
	close(in.fd);
	enable(&in, false);
	device_open(&in);
	check("attaching", attach(&in, &keep));
}

static void take_by_detaching(struct buffer *buf)
{
	check("detaching", detach(&in, buf));
	enable(&in, false);
}

static void take_away(void (*take)(struct buffer *buf))
{
	struct buffer buf = export("udmabuf"), from = export("udmabuf");

	check("attaching", attach(&in, &buf));
	check("attaching", attach(&out, &from));
	buffer_fill(&from);
	buffer_fill(&buf);
	enqueue(&in, &buf, PAGE);
	expect("the buffer is in use", !ends(&buf, POLLIN, 0));
	take(&buf);
	wait_for(&buf, POLLIN);
	expect_detached(&buf);
	enqueue(&out, &from, PAGE);
	wait_for(&from, POLLOUT);
	compare(&buf, want, 0, want);
	check("detaching", detach(&out, &from));
	expect_detached(&from);
	buffer_close(&from);
	buffer_close(&buf);

	/* What was put out has nobody to take it: it goes with this. */
	enable(&out, false);
	enable(&out, true);
	enable(&in, true);
}

static void refuse(void)
{
	struct buffer buf = export("system"), none = { .fd = in.fd };

	expect("what is not attached", enqueue_flags(&in, &buf, PAGE, 0) == -EPERM);
	expect("detaching what is not attached", detach(&in, &buf) == -EPERM);
	expect("attaching what is no dma-buf", attach(&in, &none) == -EINVAL);
	check("attaching", attach(&in, &buf));
	expect("attaching again", attach(&in, &buf) == -EBUSY);
	expect("no bytes", enqueue_flags(&in, &buf, 0, 0) == -EINVAL);
	expect("more bytes than there are",
	       enqueue_flags(&in, &buf, buf.size + 4, 0) == -EINVAL);
	expect("more bytes than a number of 32 bits has",
	       enqueue_flags(&in, &buf, 1ULL << 32 | PAGE, 0) == -EINVAL);
	expect("flags that do not exist",
	       enqueue_flags(&in, &buf, PAGE, 2) == -EINVAL);
	expect("the other device does not have it",
	       enqueue_flags(&out, &buf, PAGE, 0) == -EPERM);
	check("detaching", detach(&in, &buf));
	expect("detaching again", detach(&in, &buf) == -EPERM);
	expect_detached(&buf);
	buffer_close(&buf);
}

int main(void)
{
	size_t verified;

	device_find(&out, "copy-out", "buffer0/out_voltage_en");
	device_find(&in, "copy-in", "buffer0/in_voltage_en");
	keep = export("system");
	check("attaching", attach(&out, &keep));
	check("attaching", attach(&in, &keep));
	enable(&out, true);
	enable(&in, true);
	run("udmabuf", "system-heap");
	run("system-heap", "udmabuf");
	verified = run_blocks() + run_cyclic();
	take_away(take_by_disabling);
	take_away(take_by_closing);
	take_away(take_by_detaching);
	refuse();
	printf("result: importer=iio verified=%zu\n", verified);
	return 0;
}
