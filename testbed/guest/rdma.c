// SPDX-License-Identifier: GPL-2.0-only
/*
 * rdma rxe|siw - RDMA reads and writes over a dummy interface, and what
 * registering memory costs
 *
 * Two queue pairs of one process are connected with one another. Bytes are compared
 * for memory that begins within a page, for scattered pages, and for huge pages.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <rdma/rdma_netlink.h>
#include <rdma/rdma_cma.h>
#include <rdma/rdma_verbs.h>

#define MIB	(1UL << 20)
/* How often it is measured */
#define TIMES	33

static void die(const char *what)
{
	printf("rdma: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void *need(void *p, const char *what)
{
	if (!p)
		die(what);
	return p;
}

static void done(int ret, const char *what)
{
	if (ret)
		die(what);
}

static void put(struct nlmsghdr *h, int type, const char *value)
{
	struct nlattr *a = (void *)h + NLMSG_ALIGN(h->nlmsg_len);

	a->nla_type = type;
	a->nla_len = NLA_HDRLEN + strlen(value) + 1;
	strcpy((char *)a + NLA_HDRLEN, value);
	h->nlmsg_len = NLMSG_ALIGN(h->nlmsg_len) + a->nla_len;
}

/* What "rdma link add NAME type TYPE netdev dummy0" does */
static void link_add(const char *type)
{
	char buf[512] = "", reply[512];
	struct nlmsghdr *h = (void *)buf;
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_RDMA);

	h->nlmsg_len = NLMSG_HDRLEN;
	h->nlmsg_type = RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, RDMA_NLDEV_CMD_NEWLINK);
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	put(h, RDMA_NLDEV_ATTR_DEV_NAME, "soft");
	put(h, RDMA_NLDEV_ATTR_LINK_TYPE, type);
	put(h, RDMA_NLDEV_ATTR_NDEV_NAME, "dummy0");
	if (fd < 0 || send(fd, buf, h->nlmsg_len, 0) < 0 ||
	    recv(fd, reply, sizeof(reply), 0) < (ssize_t)sizeof(struct nlmsgerr))
		die("netlink");
	errno = -((struct nlmsgerr *)NLMSG_DATA((struct nlmsghdr *)reply))->error;
	done(errno, "add a link");
	close(fd);
}

static struct rdma_cm_id *ends[2];

static struct rdma_addrinfo *address(int flags)
{
	struct rdma_addrinfo hints = { .ai_port_space = RDMA_PS_TCP, .ai_flags = flags | RAI_NUMERICHOST }, *info;

	done(rdma_getaddrinfo("10.0.0.1", "4711", &hints, &info), "address");
	return info;
}

static struct ibv_qp_init_attr attr = {
	.cap = { .max_send_wr = 4, .max_recv_wr = 4, .max_send_sge = 1, .max_recv_sge = 1 },
	.sq_sig_all = 1,
};

static void *client(void *unused)
{
	struct rdma_conn_param param = { .initiator_depth = 1, .responder_resources = 1, .retry_count = 7 };
	struct ibv_qp_init_attr init = attr;

	done(rdma_create_ep(&ends[0], address(0), NULL, &init), "end of the client");
	done(rdma_connect(ends[0], &param), "connect");
	return NULL;
}

static void connect_both(void)
{
	struct rdma_conn_param param = { .initiator_depth = 1, .responder_resources = 1 };
	struct ibv_qp_init_attr init = attr;
	struct rdma_cm_id *listener;
	pthread_t thread;

	done(rdma_create_ep(&listener, address(RAI_PASSIVE), NULL, &init), "end of the server");
	done(rdma_listen(listener, 1), "listen");
	done(pthread_create(&thread, NULL, client, NULL), "thread");
	done(rdma_get_request(listener, &ends[1]), "request");
	done(rdma_accept(ends[1], &param), "accept");
	done(pthread_join(thread, NULL), "thread");
}

static struct ibv_mr *reg(struct rdma_cm_id *end, void *addr, size_t size)
{
	return need(ibv_reg_mr(end->pd, addr, size, IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE |
			       IBV_ACCESS_REMOTE_READ), "register");
}

/* All of @local to or from @remote, at most 256 KiB at a time */
static void transfer(enum ibv_wr_opcode opcode, struct ibv_mr *local, struct ibv_mr *remote)
{
	size_t at, len;

	for (at = 0; at < local->length; at += len) {
		struct ibv_sge sge = { .addr = (uintptr_t)local->addr + at, .lkey = local->lkey };
		struct ibv_send_wr *bad, wr = { .opcode = opcode, .sg_list = &sge, .num_sge = 1 };
		struct ibv_wc wc;

		len = local->length - at < 262144 ? local->length - at : 262144;
		sge.length = len;
		wr.wr.rdma.remote_addr = (uintptr_t)remote->addr + at;
		wr.wr.rdma.rkey = remote->rkey;
		done(ibv_post_send(ends[0]->qp, &wr, &bad), "post");
		if (rdma_get_send_comp(ends[0], &wc) != 1 || wc.status != IBV_WC_SUCCESS) {
			printf("rdma: %s\n", ibv_wc_status_str(wc.status));
			exit(1);
		}
	}
}

static void fill(unsigned char *p, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		p[i] = rand() >> 8;
}

static void same(const void *a, const void *b, size_t size, const char *name, const char *what)
{
	if (memcmp(a, b, size)) {
		printf("rdma: %s: %s: other bytes\n", name, what);
		exit(1);
	}
}

/* Two regions of @size, @off bytes into what is mapped, and what is around them */
static void check(const char *name, unsigned char *a, unsigned char *b, size_t off, size_t size, size_t all)
{
	unsigned char *before = need(malloc(all), "memory");
	struct ibv_mr *ma = reg(ends[0], a + off, size), *mb = reg(ends[1], b + off, size);

	fill(a, all);
	fill(b, all);
	memcpy(before, b, all);
	transfer(IBV_WR_RDMA_WRITE, ma, mb);
	same(a + off, b + off, size, name, "write");
	same(before, b, off, name, "in front of it");
	same(before + off + size, b + off + size, all - off - size, name, "behind it");
	fill(b, all);
	transfer(IBV_WR_RDMA_READ, ma, mb);
	same(a + off, b + off, size, name, "read");
	done(ibv_dereg_mr(ma) || ibv_dereg_mr(mb), "deregister");
	printf("rdma: %s: %zu bytes written and read\n", name, size);
	free(before);
}

static void *memory(size_t size, int flags)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

/* The pages in another order than they were allocated in, so that few are neighbours */
static void *scattered(size_t size)
{
	unsigned char *p = memory(size, 0);
	size_t i, n = size / 4096;

	for (i = 0; i < n; i++)
		p[i * 1237 % n * 4096] = 1;
	return p;
}

/* What /proc says is pinned of this process, in KiB */
static unsigned long pinned(void)
{
	FILE *f = need(fopen("/proc/self/status", "r"), "status");
	unsigned long kib = 0;
	char line[128];

	while (fgets(line, sizeof(line), f))
		sscanf(line, "VmPin: %lu", &kib);
	fclose(f);
	return kib;
}

static struct ibv_mr *try_reg(void *p, size_t size, int want)
{
	struct ibv_mr *mr;

	errno = 0;
	mr = ibv_reg_mr(ends[0]->pd, p, size, IBV_ACCESS_LOCAL_WRITE);
	if (errno != want || !mr != !!want) {
		printf("rdma: limit: %zu bytes: %s, not %s\n", size, strerror(errno), strerror(want));
		exit(1);
	}
	return mr;
}

/* Who may lock 16 pages can register 16, and has them all back after an error. */
static void check_limit(unsigned char *p)
{
	struct rlimit limit = { 16 * 4096, 16 * 4096 };
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];
	unsigned long before = pinned();
	struct ibv_mr *most, *rest;

	done(setrlimit(RLIMIT_MEMLOCK, &limit), "limit");
	done(syscall(SYS_capget, &header, caps), "capabilities");
	caps[0].effective &= ~(1U << CAP_IPC_LOCK);
	done(syscall(SYS_capset, &header, caps), "capabilities");

	try_reg(p, 17 * 4096, ENOMEM);
	most = try_reg(p, 15 * 4096, 0);
	try_reg(p + 15 * 4096, 2 * 4096, ENOMEM);
	rest = try_reg(p + 15 * 4096, 4096, 0);
	try_reg(p + 4095, 2, ENOMEM);
	done(ibv_dereg_mr(most) || ibv_dereg_mr(rest), "deregister");
	if (pinned() != before) {
		printf("rdma: limit: %lu KiB pinned, %lu before\n", pinned(), before);
		exit(1);
	}
	done(ibv_dereg_mr(try_reg(p, 16 * 4096, 0)), "deregister");
	printf("rdma: the limit of locked memory: kept\n");
}

static unsigned long long since(const struct timespec *from, const struct timespec *to)
{
	return (to->tv_sec - from->tv_sec) * 1000000000ULL + to->tv_nsec - from->tv_nsec;
}

static int compare(const void *a, const void *b)
{
	unsigned long long x = *(const unsigned long long *)a, y = *(const unsigned long long *)b;

	return x < y ? -1 : x > y;
}

/* The median, and how far a half of them spreads: the clock ticks and slabs run empty. */
static void tell(const char *what, unsigned long long *took)
{
	qsort(took, TIMES, sizeof(*took), compare);
	printf(" %s %llu %llu", what, took[TIMES / 2], took[TIMES * 3 / 4] - took[TIMES / 4]);
}

static void measure(const char *name, unsigned char *p, size_t size)
{
	unsigned long long in[TIMES], out[TIMES];
	struct timespec t[3];
	int i;

	/* What is cold costs more. */
	for (i = -2; i < TIMES; i++) {
		struct ibv_mr *mr;

		clock_gettime(CLOCK_MONOTONIC, &t[0]);
		mr = reg(ends[0], p, size);
		clock_gettime(CLOCK_MONOTONIC, &t[1]);
		done(ibv_dereg_mr(mr), "deregister");
		clock_gettime(CLOCK_MONOTONIC, &t[2]);
		if (i < 0)
			continue;
		in[i] = since(&t[0], &t[1]);
		out[i] = since(&t[1], &t[2]);
	}
	printf("rdma: %s", name);
	tell("register", in);
	tell("deregister", out);
	printf("\n");
}

int main(int argc, char **argv)
{
	struct ibv_device **list;
	unsigned char *a, *b;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 2)
		return 2;
	link_add(argv[1]);
	/* Makes the providers known that are linked in: librdmacm does not. */
	list = need(ibv_get_device_list(NULL), "list of devices");
	need(list[0], "device");
	ibv_free_device_list(list);
	connect_both();

	a = memory(5 * 4096, 0);
	b = memory(5 * 4096, 0);
	check("a part of a page", a, b, 4000, 50, 5 * 4096);
	check("across pages", a, b, 4095, 2, 5 * 4096);
	check("from within a page", a, b, 100, 3 * 4096 + 7, 5 * 4096);
	a = scattered(3 * MIB);
	b = scattered(3 * MIB);
	check("scattered", a, b, 77, 3 * MIB - 100, 3 * MIB);
	measure("4k-3m", a, 3 * MIB);
	a = memory(16 * MIB, MAP_HUGETLB);
	b = memory(16 * MIB, MAP_HUGETLB);
	check("huge pages", a, b, 2 * MIB - 3, 3 * MIB, 16 * MIB);
	measure("2m-16m", a, 16 * MIB);
	measure("2m-1p", a, 4096);
	check_limit(a);
	printf("rdma: ok\n");
	return 0;
}
