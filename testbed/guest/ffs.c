// SPDX-License-Identifier: GPL-2.0
/*
 * dma-bufs as what an endpoint of FunctionFS sends and receives. The gadget is ours,
 * the host at the other end of the cable is usbfs: what went through is compared.
 * Needs a dummy_hcd that knows scatterlists, /lib/dummy-sg.ko.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "buffer.h"

#include <linux/usb/functionfs.h>
#include <linux/usbdevice_fs.h>

#define GADGET		"/sys/kernel/config/usb_gadget/test"
#define FFS		"/tmp/ffs"
#define VENDOR		"1d6b"
#define PRODUCT		"0104"
#define PACKET		512
#define ADDR_IN		0x81
#define ADDR_OUT	0x02

static int host, ep0, ep_in, ep_out;

/* The gadget, on a machine that is little-endian as USB is */

#define ENDPOINT(address, packet) {				\
	.bLength = USB_DT_ENDPOINT_SIZE,			\
	.bDescriptorType = USB_DT_ENDPOINT,			\
	.bEndpointAddress = address,				\
	.bmAttributes = USB_ENDPOINT_XFER_BULK,			\
	.wMaxPacketSize = packet,			\
}

struct descs {
	struct usb_interface_descriptor interface;
	struct usb_endpoint_descriptor_no_audio in, out;
} __attribute__((packed));

#define DESCS(packet) {						\
	.interface = {						\
		.bLength = USB_DT_INTERFACE_SIZE,		\
		.bDescriptorType = USB_DT_INTERFACE,		\
		.bNumEndpoints = 2,				\
		.bInterfaceClass = USB_CLASS_VENDOR_SPEC,	\
	},							\
	.in = ENDPOINT(ADDR_IN, packet),			\
	.out = ENDPOINT(ADDR_OUT, packet),			\
}

static const struct {
	struct usb_functionfs_descs_head_v2 head;
	__le32 fs_count, hs_count;
	struct descs fs, hs;
} __attribute__((packed)) descs = {
	.head = {
		.magic = FUNCTIONFS_DESCRIPTORS_MAGIC_V2,
		.length = sizeof(descs),
		.flags = FUNCTIONFS_HAS_FS_DESC | FUNCTIONFS_HAS_HS_DESC,
	},
	.fs_count = 3, .hs_count = 3,
	.fs = DESCS(64), .hs = DESCS(PACKET),
};

static const struct usb_functionfs_strings_head strings = {
	.magic = FUNCTIONFS_STRINGS_MAGIC,
	.length = sizeof(strings),
};

static void make_dir(const char *path)
{
	check(path, p2p_errno(mkdir(path, 0755)));
}

static void set(const char *path, const char *text)
{
	check(path, p2p_write_file(path, text));
}

static int open_file(const char *path)
{
	return check(path, p2p_errno(open(path, O_RDWR | O_CLOEXEC)));
}

static void gadget_bind(void)
{
	set(GADGET "/UDC", "dummy_udc.0");
}

static void gadget_unbind(void)
{
	set(GADGET "/UDC", "\n");
}

static void gadget_make(void)
{
	mount("config", "/sys/kernel/config", "configfs", 0, NULL);
	make_dir(GADGET);
	set(GADGET "/idVendor", "0x" VENDOR);
	set(GADGET "/idProduct", "0x" PRODUCT);
	make_dir(GADGET "/functions/ffs.test");
	make_dir(GADGET "/configs/c.1");
	check("symlink", p2p_errno(symlink(GADGET "/functions/ffs.test",
					   GADGET "/configs/c.1/ffs.test")));
	make_dir(FFS);
	check("functionfs", p2p_errno(mount("test", FFS, "functionfs", 0, NULL)));
	ep0 = open_file(FFS "/ep0");
	check("descriptors", p2p_errno(write(ep0, &descs, sizeof(descs))));
	check("strings", p2p_errno(write(ep0, &strings, sizeof(strings))));
	ep_in = open_file(FFS "/ep1");
	ep_out = open_file(FFS "/ep2");
	gadget_bind();
}

/* The host */

static bool is(const char *dir, const char *file, const char *value)
{
	char path[300], text[16] = "";

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	return !p2p_read_file(path, text, sizeof(text)) &&
	       !strncmp(text, value, strlen(value));
}

static bool host_find(char *path, size_t size)
{
	char text[300], bus[8], dev[8];
	bool found_one = false;
	glob_t found;
	size_t i;

	if (glob("/sys/bus/usb/devices/*", 0, NULL, &found))
		return false;
	for (i = 0; i < found.gl_pathc && !found_one; i++) {
		const char *dir = found.gl_pathv[i];

		if (!is(dir, "idVendor", VENDOR) || !is(dir, "idProduct", PRODUCT) ||
		    !is(dir, "bConfigurationValue", "1"))
			continue;
		snprintf(text, sizeof(text), "%s/busnum", dir);
		check(text, p2p_read_file(text, bus, sizeof(bus)));
		snprintf(text, sizeof(text), "%s/devnum", dir);
		check(text, p2p_read_file(text, dev, sizeof(dev)));
		snprintf(path, size, "/dev/bus/usb/%03d/%03d", atoi(bus), atoi(dev));
		found_one = true;
	}
	globfree(&found);
	return found_one;
}

static void host_open(void)
{
	unsigned int interface = 0;
	char path[64];
	int tries;

	for (tries = 0; !host_find(path, sizeof(path)); tries++) {
		if (tries == 500)
			die("the gadget never arrives at the host", -ETIMEDOUT);
		usleep(20000);
	}
	host = open_file(path);
	call("claiming the interface", host, USBDEVFS_CLAIMINTERFACE, &interface);
}

/* Returns how many bytes. */
static int bulk(unsigned int ep, void *data, size_t len, int timeout_ms)
{
	struct usbdevfs_bulktransfer bulk = {
		.ep = ep, .len = len, .timeout = timeout_ms, .data = data,
	};

	return p2p_errno(ioctl(host, USBDEVFS_BULK, &bulk));
}

static void bulk_out(void *data, size_t len)
{
	expect("the host sends", bulk(ADDR_OUT, data, len, 5000) == (int)len);
}

/* What is no multiple of the packet ends by itself: ask for more then. */
static void bulk_in(void *data, size_t len)
{
	size_t ask = (len + PACKET - 1) / PACKET * PACKET;

	expect("the host receives", bulk(ADDR_IN, data, ask, 5000) == (int)len);
}

/* The dma-bufs */

static int attach(int ep, const struct buffer *buf)
{
	return p2p_errno(ioctl(ep, FUNCTIONFS_DMABUF_ATTACH, &buf->fd));
}

static int detach(int ep, const struct buffer *buf)
{
	return p2p_errno(ioctl(ep, FUNCTIONFS_DMABUF_DETACH, &buf->fd));
}

static int transfer_flags(int ep, const struct buffer *buf, __u64 len, __u32 flags)
{
	struct usb_ffs_dmabuf_transfer_req req = {
		.fd = buf->fd, .flags = flags, .length = len,
	};

	return p2p_errno(ioctl(ep, FUNCTIONFS_DMABUF_TRANSFER, &req));
}

static int transfer(int ep, const struct buffer *buf, size_t len)
{
	return transfer_flags(ep, buf, len, 0);
}

static void wait_for(const struct buffer *buf, short events)
{
	struct pollfd fds = { .fd = buf->fd, .events = events };

	expect("the transfer ends", poll(&fds, 1, 5000) == 1);
}

static bool is_busy(const struct buffer *buf)
{
	struct pollfd fds = { .fd = buf->fd, .events = POLLOUT };

	return !poll(&fds, 1, 0);
}

static void compare(const struct buffer *buf, const char *what)
{
	buffer_read(buf);
	expect(what, !memcmp(want, got, buf->size));
}

/* What the tests do */

static size_t send_len(const struct buffer *buf, size_t len)
{
	buffer_fill(buf);
	check("transfer", transfer(ep_in, buf, len));
	bulk_in(got, len);
	wait_for(buf, POLLOUT);
	expect("the host has what is in the buffer", !memcmp(want, got, len));
	return len;
}

/* The host sends @len bytes, the gadget would take @max. */
static size_t receive_len(const struct buffer *buf, size_t len, size_t max)
{
	buffer_fill(buf);
	check("transfer", transfer(ep_out, buf, max));
	expect("the buffer is in use", is_busy(buf));
	p2p_random(want, len);
	bulk_out(want, len);
	wait_for(buf, POLLIN);
	compare(buf, "the buffer has what the host sent, and nothing behind it");
	return len;
}

static void send_and_receive(const char *name)
{
	static const size_t lens[] = {
		MAX_SIZE, 1, 40, PACKET, PAGE - 1, PAGE, PAGE + 1, 17 * PAGE,
		19 * PAGE + PACKET, MAX_SIZE - 5,
	};
	struct buffer buf = export(name);
	struct record record;
	size_t i, verified = 0;

	check("attaching", attach(ep_in, &buf));
	check("attaching", attach(ep_out, &buf));
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		verified += send_len(&buf, lens[i]);
		verified += receive_len(&buf, lens[i], lens[i]);
	}
	/* Less than asked for */
	verified += receive_len(&buf, PAGE + 7, 3 * PAGE);
	verified += receive_len(&buf, 5, MAX_SIZE);

	read_record(buf.fd, &record);
	check("detaching", detach(ep_in, &buf));
	check("detaching", detach(ep_out, &buf));
	expect_detached(&buf);
	buffer_close(&buf);
	printf("result: exporter=%s importer=f_fs memory=%s route=%s chunks=%s verified=%zu\n",
	       name, record.memory, record.route, record.chunks, verified);
}

/* Two transfers of one buffer at the same time, and of two */
static size_t queue_several(void)
{
	struct buffer one = export("udmabuf"), two = export("system");
	char *first = malloc(MAX_SIZE);

	check("attaching", attach(ep_in, &one));
	check("attaching", attach(ep_in, &two));
	buffer_fill(&one);
	memcpy(first, want, MAX_SIZE);
	buffer_fill(&two);
	check("transfer", transfer(ep_in, &one, 3 * PAGE));
	check("transfer", transfer(ep_in, &one, 2 * PAGE));
	check("transfer", transfer(ep_in, &two, PAGE));
	check("transfer", transfer(ep_in, &one, PAGE));
	bulk_in(got, 3 * PAGE);
	expect("the first transfer", !memcmp(first, got, 3 * PAGE));
	bulk_in(got, 2 * PAGE);
	expect("the second transfer", !memcmp(first, got, 2 * PAGE));
	expect("the buffer is in use", is_busy(&one));
	bulk_in(got, PAGE);
	expect("the third transfer", !memcmp(want, got, PAGE));
	bulk_in(got, PAGE);
	expect("the last transfer", !memcmp(first, got, PAGE));
	wait_for(&one, POLLOUT);
	wait_for(&two, POLLOUT);
	check("detaching", detach(ep_in, &one));
	check("detaching", detach(ep_in, &two));
	expect_detached(&one);
	expect_detached(&two);
	buffer_close(&one);
	buffer_close(&two);
	free(first);
	return 7 * PAGE;
}

/* One that is taken away while the gadget waits for the host */

static void take_by_detaching(struct buffer *buf)
{
	check("detaching", detach(ep_out, buf));
}

static void take_by_closing(struct buffer *buf)
{
	close(ep_out);
	ep_out = open_file(FFS "/ep2");
}

static void take_by_unbinding(struct buffer *buf)
{
	close(host);
	gadget_unbind();
	wait_for(buf, POLLIN);
	expect("a transfer of what is unbound",
	       transfer(ep_out, buf, PAGE) == -ENODEV);
	check("detaching what is unbound", detach(ep_out, buf));
	gadget_bind();
	host_open();
}

static void take_away(void (*take)(struct buffer *buf))
{
	struct buffer buf = export("udmabuf");
	char sent[PAGE];

	check("attaching", attach(ep_out, &buf));
	buffer_fill(&buf);
	check("transfer", transfer(ep_out, &buf, buf.size));
	expect("the buffer is in use", is_busy(&buf));
	take(&buf);
	wait_for(&buf, POLLIN);
	expect_detached(&buf);

	/* Nobody is there to receive it. */
	p2p_random(sent, sizeof(sent));
	expect("the host cannot send",
	       bulk(ADDR_OUT, sent, sizeof(sent), 100) == -ETIMEDOUT);
	compare(&buf, "nothing is written any more");
	buffer_close(&buf);
}

static void refuse(void)
{
	struct buffer buf = export("system"), none = { .fd = ep0 };

	expect("a transfer of what is not attached",
	       transfer(ep_in, &buf, PAGE) == -EPERM);
	expect("detaching what is not attached", detach(ep_in, &buf) == -EPERM);
	expect("attaching what is no dma-buf", attach(ep_in, &none) == -EINVAL);
	check("attaching", attach(ep_in, &buf));
	expect("no bytes", transfer(ep_in, &buf, 0) == -EINVAL);
	expect("more bytes than there are",
	       transfer(ep_in, &buf, buf.size + 1) == -EINVAL);
	expect("more bytes than a number of 32 bits has",
	       transfer_flags(ep_in, &buf, 1ULL << 32 | PAGE, 0) == -EINVAL);
	expect("flags that do not exist",
	       transfer_flags(ep_in, &buf, PAGE, 1) == -EINVAL);
	expect("the other endpoint does not have it",
	       transfer(ep_out, &buf, PAGE) == -EPERM);
	check("detaching", detach(ep_in, &buf));
	expect("detaching again", detach(ep_in, &buf) == -EPERM);
	expect_detached(&buf);
	buffer_close(&buf);
}

int main(void)
{
	size_t verified;

	gadget_make();
	host_open();
	send_and_receive("udmabuf");
	send_and_receive("system-heap");
	verified = queue_several();
	take_away(take_by_detaching);
	take_away(take_by_closing);
	take_away(take_by_unbinding);
	refuse();
	printf("result: importer=f_fs verified=%zu\n", verified);
	return 0;
}
