/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Two netdevsims with a cable between them, in a network namespace each, a connection
 * through it, and what of netlink and io_uring netdev.c needs.
 */
#ifndef NETDEV_H
#define NETDEV_H

#include <arpa/inet.h>
#include <linux/genetlink.h>
#include <linux/io_uring.h>
#include <linux/io_uring/zcrx.h>
#include <linux/netdev.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "guest.h"

#define SIMS		"/sys/bus/netdevsim"

static int home, away;		/* the network namespaces */
static int ifindex;		/* of the device at home, the one that is looked at */
static int here, there;		/* both ends of a connection */

/* Two devices, and a connection */

static void set(const char *path, const char *text)
{
	check(path, p2p_write_file(path, text));
}

static int this_netns(void)
{
	return check("netns", p2p_errno(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)));
}

static void enter(int netns)
{
	check("setns", p2p_errno(setns(netns, CLONE_NEWNET)));
}

static void configure(const char *name, const char *addr)
{
	int sock = check("socket", p2p_errno(socket(AF_INET, SOCK_DGRAM, 0)));
	struct ifreq req = { };
	struct sockaddr_in *in = (void *)&req.ifr_addr;

	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", name);
	in->sin_family = AF_INET;
	in->sin_addr.s_addr = inet_addr(addr);
	call("address", sock, SIOCSIFADDR, &req);
	in->sin_addr.s_addr = inet_addr("255.255.255.0");
	call("netmask", sock, SIOCSIFNETMASK, &req);
	req.ifr_flags = IFF_UP | IFF_RUNNING;
	call("up", sock, SIOCSIFFLAGS, &req);
	close(sock);
}

/* The one that is there besides the loopback; sysfs only shows those of one namespace. */
static int make_sim(int id, const char *addr)
{
	struct if_nameindex *all, *dev;
	char text[16];
	int index = 0;

	snprintf(text, sizeof(text), "%d 1 1", id);
	set(SIMS "/new_device", text);
	all = if_nameindex();
	expect("interfaces", all);
	for (dev = all; dev->if_index; dev++) {
		if (!strcmp(dev->if_name, "lo"))
			continue;
		index = dev->if_index;
		configure(dev->if_name, addr);
	}
	if_freenameindex(all);
	expect("a netdevsim", index);
	return index;
}

static void make_sims(void)
{
	char text[96];
	int other;

	home = this_netns();
	ifindex = make_sim(1, "10.0.0.1");
	check("unshare", p2p_errno(unshare(CLONE_NEWNET)));
	away = this_netns();
	other = make_sim(2, "10.0.0.2");
	enter(home);
	snprintf(text, sizeof(text), "%d:%d %d:%d", home, ifindex, away, other);
	set(SIMS "/link_device", text);
}

static void disconnect(void)
{
	struct linger linger = { .l_onoff = 1 };

	/* At once, with nothing left of it */
	setsockopt(there, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(there);
	close(here);
}

/* What is on the way is less than @window, so that nothing has to be dropped. */
static void reconnect(int window)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_port = htons(4711),
		.sin_addr.s_addr = inet_addr("10.0.0.1"),
	};
	int one = 1, listener;

	window /= 2;
	listener = check("socket", p2p_errno(socket(AF_INET, SOCK_STREAM, 0)));
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &window, sizeof(window));
	check("bind", p2p_errno(bind(listener, (void *)&addr, sizeof(addr))));
	check("listen", p2p_errno(listen(listener, 1)));
	enter(away);
	there = check("socket", p2p_errno(socket(AF_INET, SOCK_STREAM, 0)));
	enter(home);
	check("connect", p2p_errno(connect(there, (void *)&addr, sizeof(addr))));
	here = check("accept", p2p_errno(accept(listener, NULL, NULL)));
	close(listener);
}

/* Netlink, of which this is all that is needed */

struct request {
	struct nlmsghdr nl;
	struct genlmsghdr genl;
	char attrs[256];
};

static struct nlattr *put(struct request *req, int type, const void *data, size_t len)
{
	struct nlattr *attr = (void *)((char *)req + NLMSG_ALIGN(req->nl.nlmsg_len));

	attr->nla_type = type;
	attr->nla_len = NLA_HDRLEN + len;
	memcpy((char *)attr + NLA_HDRLEN, data, len);
	req->nl.nlmsg_len = NLMSG_ALIGN(req->nl.nlmsg_len) + NLA_ALIGN(attr->nla_len);
	return attr;
}

static void put_u32(struct request *req, int type, __u32 value)
{
	put(req, type, &value, sizeof(value));
}

static struct request request(int family, int cmd)
{
	return (struct request) {
		.nl = { .nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN), .nlmsg_type = family,
			.nlmsg_flags = NLM_F_REQUEST },
		.genl = { .cmd = cmd, .version = 1 },
	};
}

/*
 * Returns the number that an attribute of the answer holds, -ENOENT without it, and 0 for
 * one with other attributes in it.
 */
static long ask(int sock, struct request *req, int type)
{
	char text[8192];
	struct nlmsghdr *nl = (void *)text;
	struct nlattr *attr;
	ssize_t len;

	check("netlink", p2p_errno(send(sock, req, req->nl.nlmsg_len, 0)));
	len = check("netlink", p2p_errno(recv(sock, text, sizeof(text), 0)));
	if (nl->nlmsg_type == NLMSG_ERROR)
		return ((struct nlmsgerr *)NLMSG_DATA(nl))->error;
	attr = (void *)(text + NLMSG_LENGTH(GENL_HDRLEN));
	while ((char *)attr < text + len) {
		if ((attr->nla_type & NLA_TYPE_MASK) == type)
			return attr->nla_type & NLA_F_NESTED ? 0 :
			       attr->nla_len == NLA_HDRLEN + 2 ?
			       *(__u16 *)((char *)attr + NLA_HDRLEN) :
			       *(__u32 *)((char *)attr + NLA_HDRLEN);
		attr = (void *)((char *)attr + NLA_ALIGN(attr->nla_len));
	}
	return -ENOENT;
}

static int netlink_open(void)
{
	return check("netlink", p2p_errno(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC,
						 NETLINK_GENERIC)));
}

static struct request netdev_request(int sock, int cmd)
{
	struct request req = request(GENL_ID_CTRL, CTRL_CMD_GETFAMILY);

	put(&req, CTRL_ATTR_FAMILY_NAME, NETDEV_FAMILY_NAME, sizeof(NETDEV_FAMILY_NAME));
	return request(check("netdev", ask(sock, &req, CTRL_ATTR_FAMILY_ID)), cmd);
}

/* Bound for as long as the socket is open. Returns the ID. */
static long bind_rx(int sock, int fd, __u32 page_size)
{
	struct request req = netdev_request(sock, NETDEV_CMD_BIND_RX);
	struct nlattr *queues;

	put_u32(&req, NETDEV_A_DMABUF_IFINDEX, ifindex);
	put_u32(&req, NETDEV_A_DMABUF_FD, fd);
	if (page_size)
		put_u32(&req, NETDEV_A_DMABUF_RX_PAGE_SIZE, page_size);
	queues = put(&req, NETDEV_A_DMABUF_QUEUES | NLA_F_NESTED, NULL, 0);
	put_u32(&req, NETDEV_A_QUEUE_ID, 0);
	put_u32(&req, NETDEV_A_QUEUE_TYPE, NETDEV_QUEUE_TYPE_RX);
	queues->nla_len = (char *)&req + req.nl.nlmsg_len - (char *)queues;
	return ask(sock, &req, NETDEV_A_DMABUF_ID);
}

static long bind_tx(int sock, int fd)
{
	struct request req = netdev_request(sock, NETDEV_CMD_BIND_TX);

	put_u32(&req, NETDEV_A_DMABUF_IFINDEX, ifindex);
	put_u32(&req, NETDEV_A_DMABUF_FD, fd);
	return ask(sock, &req, NETDEV_A_DMABUF_ID);
}

/* An attribute of the queue that receives */
static long queue_has(int type)
{
	int sock = netlink_open();
	struct request req = netdev_request(sock, NETDEV_CMD_QUEUE_GET);
	long value;

	put_u32(&req, NETDEV_A_QUEUE_IFINDEX, ifindex);
	put_u32(&req, NETDEV_A_QUEUE_TYPE, NETDEV_QUEUE_TYPE_RX);
	put_u32(&req, NETDEV_A_QUEUE_ID, 0);
	value = ask(sock, &req, type);
	close(sock);
	return value;
}

/* A ring of io_uring that receives into a dma-buf */

#define RING_CQES	4096
#define RING_REFILL	256

struct ring {
	int fd;
	char *map, *refill;
	struct io_uring_sqe *sqes;
	struct io_uring_params params;
	struct io_uring_zcrx_ifq_reg ifq;
	struct io_uring_zcrx_area_reg area;
	bool armed;
};

static __u32 *ring_word(struct ring *ring, __u32 offset)
{
	return (__u32 *)(ring->map + offset);
}

static void ring_open(struct ring *ring)
{
	size_t size;

	*ring = (struct ring) {
		.params = {
			.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
				 IORING_SETUP_CQE32 | IORING_SETUP_NO_SQARRAY |
				 IORING_SETUP_CQSIZE,
			.cq_entries = RING_CQES,
		},
	};
	ring->fd = check("io_uring", p2p_errno(syscall(__NR_io_uring_setup, 8, &ring->params)));
	size = ring->params.cq_off.cqes + RING_CQES * 2 * sizeof(struct io_uring_cqe);
	ring->map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd,
			 IORING_OFF_SQ_RING);
	ring->sqes = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd,
			  IORING_OFF_SQES);
	ring->refill = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	expect("a ring", ring->map != MAP_FAILED && ring->sqes != MAP_FAILED &&
	       ring->refill != MAP_FAILED);
}

/* @area as for a dma-buf, but for what is wrong with it on purpose */
static int ring_register(struct ring *ring, struct io_uring_zcrx_area_reg area,
			 __u32 page_size)
{
	struct io_uring_region_desc region = {
		.user_addr = (__u64)ring->refill, .size = 2 * PAGE,
		.flags = IORING_MEM_REGION_TYPE_USER,
	};

	area.flags = IORING_ZCRX_AREA_DMABUF;
	ring->area = area;
	ring->ifq = (struct io_uring_zcrx_ifq_reg) {
		.if_idx = ifindex, .rq_entries = RING_REFILL,
		.area_ptr = (__u64)&ring->area, .region_ptr = (__u64)&region,
		.rx_buf_len = page_size,
	};
	return p2p_errno(syscall(__NR_io_uring_register, ring->fd,
				 IORING_REGISTER_ZCRX_IFQ, &ring->ifq, 1));
}

/* Has it receive for as long as it works, and waits for what there is. */
static void ring_wait(struct ring *ring, int sock)
{
	__u32 *tail = ring_word(ring, ring->params.sq_off.tail);
	unsigned int submit = !ring->armed;

	if (submit) {
		ring->sqes[*tail & (ring->params.sq_entries - 1)] = (struct io_uring_sqe) {
			.opcode = IORING_OP_RECV_ZC, .fd = sock,
			.ioprio = IORING_RECV_MULTISHOT, .zcrx_ifq_idx = ring->ifq.zcrx_id,
		};
		__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
		ring->armed = true;
	}
	check("io_uring", p2p_errno(syscall(__NR_io_uring_enter, ring->fd, submit, 1,
					    IORING_ENTER_GETEVENTS, NULL, 0)));
}

/* The next one that there is, or NULL; it stays where it is until ring_seen(). */
static struct io_uring_cqe *ring_next(struct ring *ring)
{
	__u32 *head = ring_word(ring, ring->params.cq_off.head);
	__u32 *tail = ring_word(ring, ring->params.cq_off.tail);
	struct io_uring_cqe *cqes = (void *)(ring->map + ring->params.cq_off.cqes);

	if (*head == __atomic_load_n(tail, __ATOMIC_ACQUIRE))
		return NULL;
	return cqes + 2 * (*head & (RING_CQES - 1));
}

static void ring_seen(struct ring *ring)
{
	__u32 *head = ring_word(ring, ring->params.cq_off.head);

	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
}

/* Gives back what was received there. */
static void ring_return(struct ring *ring, const struct io_uring_zcrx_rqe *rqe)
{
	struct io_uring_zcrx_rqe *rqes = (void *)(ring->refill + ring->ifq.offsets.rqes);
	__u32 *tail = (__u32 *)(ring->refill + ring->ifq.offsets.tail);

	rqes[*tail & (RING_REFILL - 1)] = *rqe;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
}

static void ring_close(struct ring *ring)
{
	munmap(ring->map, ring->params.cq_off.cqes + RING_CQES * 2 * sizeof(struct io_uring_cqe));
	munmap(ring->sqes, PAGE);
	munmap(ring->refill, 2 * PAGE);
	close(ring->fd);
}

#endif
