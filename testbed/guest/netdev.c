// SPDX-License-Identifier: GPL-2.0
/*
 * netdev STEP... - dma-bufs as what a network device receives into: bound to a queue by
 * devmem TCP, or registered with io_uring's zero copy (zcrx), and what it transmits
 *
 * The device is /lib/netdevsim-dma.ko, which goes by DMA addresses. What arrives is
 * compared with what was sent. A step is an exporter, udmabuf, system-heap, large (the
 * heap, in parts of 16 KiB) or bar; "refuse" for errors; or "revoke", which takes
 * the memory of a bar away while it is in use.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>

#include "netdev.h"

/* uio.h of the kernel does not go with that of the C library. */
struct dmabuf_cmsg {
	__u64 frag_offset;
	__u32 frag_size, frag_token, dmabuf_id, flags;
};

struct dmabuf_token {
	__u32 token_start, token_count;
};

#ifndef MSG_SOCK_DEVMEM
#define MSG_SOCK_DEVMEM		0x2000000
#endif
#ifndef SO_DEVMEM_DMABUF
#define SO_DEVMEM_DMABUF	79
#define SO_DEVMEM_DONTNEED	80
#endif
#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY		0x4000000
#endif

#define NR_PAGES	64
#define SIZE		(NR_PAGES * PAGE)
#define STREAM		(4 * SIZE)
#define LARGE		(4 * PAGE)
#define MAX_TOKENS	1024

struct buffer {
	const char *name;
	int fd;
	char *map;
	size_t part;		/* what the device receives at a time */
	bool used[NR_PAGES];	/* the parts in which something has arrived */
	bool lost;		/* with its device */
};

struct importer {
	const char *name;
	bool keeps;		/* the buffer, for as long as a socket has some of it */
	int (*bind)(struct buffer *buf);
	/* Returns what has arrived of a stream of which @done bytes have before. */
	size_t (*receive)(struct buffer *buf, size_t done);
	void (*give_back)(void);
	void (*unbind)(void);
};

static char sent[STREAM];
static size_t nr_verified, nr_plain, nr_lost;
static bool taken;		/* the memory, while the stream was on its way */
static bool torn;		/* the stream cannot go on without that */
static bool keeping;		/* what has arrived, until there is nothing to receive into */

static void compare(const void *data, size_t done, size_t len)
{
	expect("it is not more than was sent", done + len <= STREAM);
	expect("what arrives is what was sent", !memcmp(data, sent + done, len));
	nr_verified += len;
}

/* The other end of a stream, which is gone if this one dies. */
static pid_t fork_sender(void)
{
	pid_t pid;

	alarm(120);
	fflush(stdout);
	pid = check("fork", p2p_errno(fork()));
	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

/* Sends while another process receives. */
static pid_t send_all(size_t len)
{
	size_t done;
	pid_t pid;
	ssize_t n;

	p2p_random(sent, len);
	pid = fork_sender();
	if (pid)
		return pid;
	for (done = 0; done < len; done += n) {
		n = send(there, sent + done, len - done, 0);
		if (n <= 0)
			_exit(1);
	}
	_exit(0);
}

static void expect_sent(pid_t pid)
{
	int status;

	expect("all is sent", waitpid(pid, &status, 0) == pid && !status);
}

/* Into memory of the host, as without any of this */
static size_t receive_plain(int sock, size_t done)
{
	static char data[SIZE];
	ssize_t n = p2p_errno(recv(sock, data, sizeof(data), 0));

	/*
	 * A packet was lost while the memory was taken away. One behind it had arrived
	 * there before, and is gone with it.
	 */
	if (n == -EFAULT && taken) {
		torn = true;
		return 0;
	}
	check("receiving", n);
	expect("there is more", n);
	compare(data, done, n);
	nr_plain += n;
	return n;
}

static void receive_all_plain(size_t len)
{
	pid_t pid = send_all(len);
	size_t done;

	for (done = 0; done < len;)
		done += receive_plain(here, done);
	expect_sent(pid);
}

/* The dma-bufs */

static int export_bar(void)
{
	struct p2p_dev bar;
	int fd;

	check("no " BAR_NODES "*", p2p_open(&bar, BAR_NODES));
	fd = check("allocating in the BAR", bar_alloc(bar.fd, SIZE, 4));
	close(bar.fd);
	return fd;
}

static struct buffer export(const char *name)
{
	struct buffer buf = { .name = name, .part = PAGE };

	if (!strcmp(name, "udmabuf"))
		buf.fd = export_scattered(SIZE);
	else if (!strcmp(name, "bar"))
		buf.fd = export_bar();
	else
		buf.fd = check(name, heap_alloc("system", SIZE));
	if (!strcmp(name, "large"))
		buf.part = LARGE;
	buf.map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, buf.fd, 0);
	if (buf.map == MAP_FAILED)
		die("mapping the buffer", -errno);
	return buf;
}

static bool shows(const struct buffer *buf, const char *word)
{
	char text[4096];

	check("fdinfo", p2p_fdinfo(buf->fd, text, sizeof(text)));
	return strstr(text, word);
}

static bool attached(const struct buffer *buf)
{
	return shows(buf, "\nattach:");
}

/* What was received may keep it until the sockets are gone, and works have run. */
static void expect_detached(const struct buffer *buf)
{
	int tries;

	for (tries = 0; tries < 250 && attached(buf); tries++)
		usleep(20000);
	expect("nothing is attached", tries < 250);
}

static void buffer_close(struct buffer *buf)
{
	munmap(buf->map, SIZE);
	close(buf->fd);
}

/* @len bytes at @offset have arrived. */
static void arrived(struct buffer *buf, size_t done, size_t offset, size_t len)
{
	static char data[LARGE];

	expect("it is in the buffer and in one part", len && offset < SIZE &&
	       offset / buf->part == (offset + len - 1) / buf->part);
	buf->used[offset / buf->part] = true;
	if (buf->lost) {
		nr_lost += len;
		return;
	}
	check("reading", p2p_sync(buf->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ));
	memcpy(data, buf->map + offset, len);
	check("reading", p2p_sync(buf->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ));
	compare(data, done, len);
}

static bool all_used(const struct buffer *buf)
{
	return !memchr(buf->used, false, SIZE / buf->part);
}

/* devmem */

static int devmem_sock;
static long devmem_id;
static struct dmabuf_token tokens[MAX_TOKENS];
static int nr_tokens;

static int devmem_bind(struct buffer *buf)
{
	devmem_sock = netlink_open();
	devmem_id = bind_rx(devmem_sock, buf->fd, buf->part == PAGE ? 0 : buf->part);
	if (devmem_id >= 0) {
		expect("the queue says so", queue_has(NETDEV_A_QUEUE_DMABUF) == devmem_id);
		return 0;
	}
	close(devmem_sock);
	return devmem_id;
}

static void devmem_unbind(void)
{
	close(devmem_sock);
	expect("the queue is as before", queue_has(NETDEV_A_QUEUE_DMABUF) == -ENOENT);
}

static void devmem_return(void)
{
	int i, n;

	/* 128 is what one call takes. */
	for (i = 0; i < nr_tokens; i += n) {
		n = nr_tokens - i < 128 ? nr_tokens - i : 128;
		expect("returning what was received",
		       setsockopt(here, SOL_SOCKET, SO_DEVMEM_DONTNEED,
				  tokens + i, n * sizeof(*tokens)) == n);
	}
	nr_tokens = 0;
}

static size_t devmem_receive(struct buffer *buf, size_t done)
{
	static char data[SIZE];
	char control[CMSG_SPACE(sizeof(struct dmabuf_cmsg)) * 64];
	struct iovec iov = { .iov_base = data, .iov_len = sizeof(data) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	size_t n = check("receiving", p2p_errno(recvmsg(here, &msg, MSG_SOCK_DEVMEM)));
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	size_t parts = 0;

	expect("there is more", n);
	if (!cmsg) {
		compare(data, done, n);
		nr_plain += n;
		return n;
	}
	for (; cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg)) {
		struct dmabuf_cmsg *part = (void *)CMSG_DATA(cmsg);

		expect("it is in the dma-buf that was bound",
		       cmsg->cmsg_type == SO_DEVMEM_DMABUF && part->dmabuf_id == devmem_id);
		arrived(buf, done + parts, part->frag_offset, part->frag_size);
		parts += part->frag_size;
		expect("there is room for tokens", nr_tokens < MAX_TOKENS);
		tokens[nr_tokens++] = (struct dmabuf_token) { part->frag_token, 1 };
	}
	expect("the parts are all of it", parts == n);
	if (!keeping)
		devmem_return();
	return n;
}

/* zcrx */

static struct ring ring;
static int zcrx_error;		/* how receiving has ended */
static struct io_uring_zcrx_rqe refills[RING_REFILL];
static int nr_refills;

static int zcrx_bind(struct buffer *buf)
{
	struct io_uring_zcrx_area_reg area = { .len = SIZE, .dmabuf_fd = buf->fd };
	int ret;

	ring_open(&ring);
	zcrx_error = 0;
	ret = ring_register(&ring, area, buf->part == PAGE ? 0 : buf->part);
	if (ret)
		ring_close(&ring);
	else
		expect("the queue says so", !queue_has(NETDEV_A_QUEUE_IO_URING));
	return ret;
}

/* A ring that is closed goes some time later. */
static void zcrx_unbind(void)
{
	int tries;

	ring_close(&ring);
	for (tries = 0; tries < 250 && queue_has(NETDEV_A_QUEUE_IO_URING) != -ENOENT; tries++)
		usleep(20000);
	expect("the queue is as before", tries < 250);
}

static void zcrx_return(void)
{
	while (nr_refills)
		ring_return(&ring, &refills[--nr_refills]);
}

static size_t zcrx_receive(struct buffer *buf, size_t done)
{
	struct io_uring_cqe *cqe;
	size_t n = 0;

	if (zcrx_error)
		return receive_plain(here, done);
	ring_wait(&ring, here);
	for (; (cqe = ring_next(&ring)); ring_seen(&ring)) {
		__u64 off = ((struct io_uring_zcrx_cqe *)(cqe + 1))->off;

		if (cqe->res > 0) {
			expect("it is in the area that was registered",
			       (off & IORING_ZCRX_AREA_MASK) == ring.area.rq_area_token);
			arrived(buf, done + n, off & ~IORING_ZCRX_AREA_MASK, cqe->res);
			expect("there is room to return it", nr_refills < RING_REFILL);
			refills[nr_refills++] = (struct io_uring_zcrx_rqe) {
				.off = off, .len = cqe->res,
			};
			n += cqe->res;
		} else {
			expect("there is more", cqe->res);
			zcrx_error = cqe->res;
		}
		ring.armed = cqe->flags & IORING_CQE_F_MORE;
	}
	if (!keeping)
		zcrx_return();
	return n;
}

static const struct importer importers[] = {
	{ "devmem", true, devmem_bind, devmem_receive, devmem_return, devmem_unbind },
	{ "zcrx", false, zcrx_bind, zcrx_receive, zcrx_return, zcrx_unbind },
};

/* Receiving */

static void receive_all(const struct importer *importer, struct buffer *buf, size_t len)
{
	struct pollfd poll_here = { .fd = here, .events = POLLIN };
	pid_t pid = send_all(len);
	size_t done;

	for (done = 0; done < len;) {
		if (keeping && !poll(&poll_here, 1, 500)) {
			keeping = false;
			importer->give_back();
		}
		done += importer->receive(buf, done);
	}
	expect_sent(pid);
}

static void print(const struct importer *importer, const struct buffer *buf,
		  const struct record *record)
{
	printf("result: exporter=%s importer=%s attach=%s memory=%s route=%s ", buf->name,
	       importer->name, record->attach, record->memory, record->route);
	printf("reason=%s chunks=%s verified=%zu\n", record->reason, record->chunks,
	       nr_verified);
}

static void receive(const struct importer *importer, const char *name)
{
	struct buffer buf = export(name);
	struct io_uring_zcrx_area_reg area = { .len = SIZE, .dmabuf_fd = buf.fd };
	struct record record;
	struct ring other;
	char byte;
	int sock;

	nr_verified = 0;
	nr_plain = 0;
	check("binding", importer->bind(&buf));
	reconnect(SIZE / 2);
	receive_all(importer, &buf, STREAM);
	expect("all arrived in the buffer", !nr_plain);
	read_record(buf.fd, &record);

	/* The queue has one already. */
	sock = netlink_open();
	expect("binding another one", bind_rx(sock, buf.fd, 0) == -EEXIST);
	close(sock);
	ring_open(&other);
	expect("registering another one", ring_register(&other, area, 0) == -EEXIST);
	ring_close(&other);

	/* While nothing of it is in use */
	importer->unbind();
	receive_all_plain(STREAM);
	expect("all arrived somewhere else", nr_plain == STREAM);
	expect_detached(&buf);

	/* Again, and nothing is given back until there is nothing left to receive into */
	check("binding", importer->bind(&buf));
	memset(buf.used, 0, sizeof(buf.used));
	keeping = true;
	receive_all(importer, &buf, STREAM);
	expect("the device ran out of it", !keeping);
	expect("all of the buffer was used", all_used(&buf));
	/* While a socket still has some of it */
	check("sending", p2p_errno(send(there, sent, PAGE, 0)));
	usleep(100000);
	importer->unbind();
	usleep(100000);
	expect("what was received keeps the buffer, or not", attached(&buf) == importer->keeps);
	expect("it cannot be read", p2p_errno(recv(here, &byte, 1, 0)) == -EFAULT);
	disconnect();
	expect_detached(&buf);
	print(importer, &buf, &record);
	buffer_close(&buf);
}

/* Transmitting */

static int transmit_part(long id, size_t offset, size_t len)
{
	char control[CMSG_SPACE(sizeof(__u32))] = "";
	struct iovec iov = { .iov_base = (void *)offset, .iov_len = len };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SO_DEVMEM_DMABUF;
	cmsg->cmsg_len = CMSG_LEN(sizeof(__u32));
	*(__u32 *)CMSG_DATA(cmsg) = id;
	return p2p_errno(sendmsg(here, &msg, MSG_ZEROCOPY));
}

static void transmit(const char *name)
{
	static const struct importer devmem_tx = { .name = "devmem-tx" };
	struct buffer buf = export(name);
	int sock = netlink_open(), one = 1;
	struct record record;
	size_t done, n;
	pid_t pid;
	long id;

	nr_verified = 0;
	id = check("binding", bind_tx(sock, buf.fd));
	read_record(buf.fd, &record);
	p2p_random(sent, SIZE);
	check("writing", cpu_write(buf.fd, buf.map, sent, SIZE));
	reconnect(SIZE);
	expect("SO_ZEROCOPY", !setsockopt(here, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)));
	expect("behind the end", transmit_part(id, SIZE, 1) == -EFAULT);
	expect("what is not bound", transmit_part(id + 1000, 0, 1) == -EINVAL);

	pid = fork_sender();
	if (!pid) {
		/* Parts that begin and end within pages */
		for (done = 0; done < SIZE; done += n) {
			n = SIZE - done < 10000 ? SIZE - done : 10000;
			n = check("transmitting", transmit_part(id, done, n));
		}
		_exit(0);
	}
	for (done = 0; done < SIZE;)
		done += receive_plain(there, done);
	expect_sent(pid);
	close(sock);
	disconnect();
	expect_detached(&buf);
	print(&devmem_tx, &buf, &record);
	buffer_close(&buf);
}

/* Errors */

static void refuse_devmem(void)
{
	struct buffer heap = export("system-heap"), pages = export("udmabuf");
	int sock = netlink_open();

	expect("what is no dma-buf", bind_rx(sock, sock, 0) == -EINVAL);
	expect("what is not open", bind_rx(sock, 999, 0) == -EBADF);
	expect("parts of no power of two", bind_rx(sock, heap.fd, 3 * PAGE) == -EINVAL);
	expect("parts that the device does not have", bind_rx(sock, heap.fd, 32 * PAGE) < 0);
	expect("ranges that are shorter", bind_rx(sock, pages.fd, LARGE) == -EINVAL);
	expect("nothing stays bound", queue_has(NETDEV_A_QUEUE_DMABUF) == -ENOENT);
	expect_detached(&heap);
	expect_detached(&pages);
	close(sock);
	buffer_close(&heap);
	buffer_close(&pages);
}

static int refuse_area(int fd, size_t at, size_t len, size_t part)
{
	struct io_uring_zcrx_area_reg area = { .addr = at, .len = len, .dmabuf_fd = fd };
	struct ring other;
	int ret;

	ring_open(&other);
	ret = ring_register(&other, area, part);
	ring_close(&other);
	return ret;
}

static void refuse_zcrx(void)
{
	struct buffer heap = export("system-heap"), pages = export("udmabuf");
	int sock = netlink_open();

	expect("what is no dma-buf", refuse_area(sock, 0, SIZE, 0) == -EINVAL);
	expect("what is not open", refuse_area(999, 0, SIZE, 0) == -EBADF);
	expect("an offset", refuse_area(heap.fd, PAGE, SIZE - PAGE, 0) == -EINVAL);
	expect("less than all", refuse_area(heap.fd, 0, SIZE - PAGE, 0) == -EINVAL);
	expect("more than all", refuse_area(heap.fd, 0, SIZE + PAGE, 0) == -EINVAL);
	expect("parts that the device does not have", refuse_area(heap.fd, 0, SIZE, 32 * PAGE) < 0);
	expect("ranges that are shorter", refuse_area(pages.fd, 0, SIZE, LARGE) == -ERANGE);
	expect("nothing stays bound", queue_has(NETDEV_A_QUEUE_IO_URING) == -ENOENT);
	expect_detached(&heap);
	expect_detached(&pages);
	close(sock);
	buffer_close(&heap);
	buffer_close(&pages);
}

/* Taking the memory away */

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1000000000.0;
}

/* While a stream is on its way. If it is in system memory it just goes on. */
static void take_away(const struct importer *importer)
{
	struct buffer buf = export("bar");
	struct record record;
	size_t done, bar_size;
	struct p2p_dev bar;
	const char *vram;
	double start;
	char *copy;
	bool peer;
	pid_t pid;

	nr_verified = 0;
	nr_plain = 0;
	nr_lost = 0;
	taken = false;
	torn = false;
	check("bar", p2p_open(&bar, BAR_NODES));
	check("binding", importer->bind(&buf));
	read_record(buf.fd, &record);
	peer = !strcmp(record.memory, "peer");
	expect("the buffer stays where it is", bar_move(bar.fd, buf.fd, peer ?
	       DMA_BUF_BAR_PLACE_SYSTEM : DMA_BUF_BAR_PLACE_BAR) == -EBUSY);
	reconnect(SIZE / 2);
	pid = send_all(STREAM);
	for (done = 0; done < STREAM / 4;)
		done += importer->receive(&buf, done);

	start = seconds();
	check("unbinding", p2p_pci_write(bar.pci, "driver/unbind", bar.pci));
	expect("nobody had to wait for long", seconds() - start < 5);
	buf.lost = peer;
	taken = peer;
	expect("the device has it, or not", shows(&buf, "\nmap:") == !peer);
	expect("the queue has it, or not",
	       (queue_has(NETDEV_A_QUEUE_DMABUF) == -ENOENT &&
		queue_has(NETDEV_A_QUEUE_IO_URING) == -ENOENT) == peer);

	vram = p2p_map_bar(bar.pci, &bar_size);
	copy = vram ? malloc(bar_size) : NULL;
	expect("the BAR", copy);
	memcpy(copy, vram, bar_size);
	while (done < STREAM && !torn)
		done += importer->receive(&buf, done);
	if (torn) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	} else {
		expect_sent(pid);
	}
	expect("nothing is written to the BAR any more", !memcmp(copy, vram, bar_size));
	expect("most went to memory of the host, or nothing",
	       torn || (peer ? nr_plain >= STREAM / 2 : !nr_plain));
	expect("the socket keeps the attachment, or not",
	       attached(&buf) == (!peer || importer->keeps));
	if (importer->receive == zcrx_receive)
		expect("the request ended for want of memory", zcrx_error == (peer ? -ENOMEM : 0));

	importer->unbind();
	disconnect();
	expect_detached(&buf);
	expect("it can be bound again, or not", importer->bind(&buf) == (peer ? -ENODEV : 0));
	if (!peer)
		importer->unbind();
	expect_detached(&buf);
	printf("taken away: %zu bytes compared, %zu of them not in the buffer; %zu lost%s\n",
	       nr_verified, nr_plain, nr_lost, torn ? ", and the end of the stream" : "");
	print(importer, &buf, &record);
	munmap((void *)vram, bar_size);
	free(copy);
	buffer_close(&buf);
	close(bar.fd);
	check("binding the driver", p2p_pci_write(NULL, "drivers_probe", bar.pci));
}

int main(int argc, char **argv)
{
	size_t i;

	make_sims();
	reconnect(SIZE / 2);
	receive_all_plain(STREAM);
	disconnect();
	for (argv++; argc > 1; argv++, argc--) {
		if (!strcmp(*argv, "refuse")) {
			refuse_devmem();
			refuse_zcrx();
			continue;
		}
		for (i = 0; i < ARRAY_SIZE(importers); i++)
			if (!strcmp(*argv, "revoke"))
				take_away(importers + i);
			else
				receive(importers + i, *argv);
		if (strcmp(*argv, "revoke") && strcmp(*argv, "large"))
			transmit(*argv);
	}
	return 0;
}
