/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Drives the dma-buf samples from userspace, for the tests here
 */
#ifndef P2P_H
#define P2P_H

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/udmabuf.h>

#include "../../../../samples/dma-buf/dma-buf-sample.h"

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))
#endif

#define BAR_NODES	"/dev/dma-buf-bar-"
#define EDU_NODES	"/dev/dma-buf-edu-"

/* An open sample device */
struct p2p_dev {
	int fd;
	char pci[32];
};

static inline int p2p_errno(int ret)
{
	return ret < 0 ? -errno : ret;
}

/* Opens a device of a sample, the first one is number 0. */
static inline int p2p_open_nth(struct p2p_dev *dev, const char *nodes, size_t n)
{
	char pattern[64];
	glob_t found;
	int ret;

	snprintf(pattern, sizeof(pattern), "%s*", nodes);
	if (glob(pattern, 0, NULL, &found))
		return -ENOENT;

	ret = -ENOENT;
	if (n < found.gl_pathc) {
		dev->fd = open(found.gl_pathv[n], O_RDWR | O_CLOEXEC);
		ret = dev->fd < 0 ? -errno : 0;
		snprintf(dev->pci, sizeof(dev->pci), "%s",
			 found.gl_pathv[n] + strlen(nodes));
	}
	globfree(&found);
	return ret;
}

static inline int p2p_open(struct p2p_dev *dev, const char *nodes)
{
	return p2p_open_nth(dev, nodes, 0);
}

static inline int bar_alloc(int bar, size_t size, unsigned int nr_ranges)
{
	struct dma_buf_bar_alloc arg = { .size = size, .nr_ranges = nr_ranges };

	return p2p_errno(ioctl(bar, DMA_BUF_BAR_ALLOC, &arg));
}

static inline int bar_move(int bar, int fd, enum dma_buf_bar_place place)
{
	struct dma_buf_bar_move arg = { .fd = fd, .place = place };

	return p2p_errno(ioctl(bar, DMA_BUF_BAR_MOVE, &arg));
}

/* From a heap in /dev/dma_heap */
static inline int heap_alloc(const char *name, size_t size)
{
	struct dma_heap_allocation_data data = {
		.len = size, .fd_flags = O_RDWR | O_CLOEXEC,
	};
	char path[64];
	int heap, ret;

	snprintf(path, sizeof(path), "/dev/dma_heap/%s", name);
	heap = open(path, O_RDONLY | O_CLOEXEC);
	if (heap < 0)
		return -errno;
	ret = p2p_errno(ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data));
	close(heap);
	return ret < 0 ? ret : (int)data.fd;
}

/* What a udmabuf is made of. @flags are those of memfd_create(). */
static inline int udmabuf_memfd(size_t size, unsigned int flags)
{
	int memfd = memfd_create("p2p", MFD_ALLOW_SEALING | MFD_CLOEXEC | flags);

	if (memfd >= 0 && !ftruncate(memfd, size) &&
	    !fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK))
		return memfd;
	close(memfd);
	return -EIO;
}

/*
 * @size bytes in pieces of @piece, and as much between any two of them that is
 * left out: @memfd has to have almost twice the size, if there is more than one.
 */
static inline int udmabuf_alloc(int memfd, size_t size, size_t piece)
{
	size_t i, n = size / piece;
	struct udmabuf_create_list *list;
	int dev, ret;

	list = calloc(1, sizeof(*list) + n * sizeof(list->list[0]));
	if (!list)
		return -ENOMEM;
	list->flags = UDMABUF_FLAGS_CLOEXEC;
	list->count = n;
	for (i = 0; i < n; i++) {
		list->list[i].memfd = memfd;
		list->list[i].offset = 2 * i * piece;
		list->list[i].size = piece;
	}
	dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	ret = dev < 0 ? -errno :
	      p2p_errno(ioctl(dev, UDMABUF_CREATE_LIST, list));
	close(dev);
	free(list);
	return ret;
}

static inline int edu_attach(int edu, int fd, unsigned int flags)
{
	struct dma_buf_edu_attach arg = { .fd = fd, .flags = flags };

	return p2p_errno(ioctl(edu, DMA_BUF_EDU_ATTACH, &arg));
}

static inline int edu_query(int edu, struct dma_buf_edu_info *info)
{
	return p2p_errno(ioctl(edu, DMA_BUF_EDU_QUERY, info));
}

/* DMA of any length, in the pieces that the device takes. */
static inline int edu_dma(int edu, size_t offset, void *data, size_t len,
			  unsigned int flags)
{
	size_t done;

	for (done = 0; done < len; done += DMA_BUF_EDU_MAX_LEN) {
		struct dma_buf_edu_dma arg = {
			.offset = offset + done,
			.data = (unsigned long)data + done,
			.len = DMA_BUF_EDU_MAX_LEN,
			.flags = flags,
		};

		if (arg.len > len - done)
			arg.len = len - done;
		if (ioctl(edu, DMA_BUF_EDU_DMA, &arg))
			return -errno;
	}
	return 0;
}

static inline int edu_read(int edu, size_t offset, void *data, size_t len)
{
	return edu_dma(edu, offset, data, len, 0);
}

static inline int edu_write(int edu, size_t offset, void *data, size_t len)
{
	return edu_dma(edu, offset, data, len, DMA_BUF_EDU_WRITE);
}

static inline int edu_overrun(int edu, size_t offset, void *data, size_t len)
{
	struct dma_buf_edu_dma arg = {
		.offset = offset,
		.data = (unsigned long)data,
		.len = len,
		.flags = DMA_BUF_EDU_WRITE,
	};

	return p2p_errno(ioctl(edu, DMA_BUF_EDU_OVERRUN, &arg));
}

static inline void p2p_random(void *data, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = getrandom((char *)data + done, len - done, 0);

		if (n < 0 && errno != EINTR)
			abort();
		done += n > 0 ? n : 0;
	}
}

static inline int p2p_sync(int fd, unsigned int flags)
{
	struct dma_buf_sync arg = { .flags = flags };

	return p2p_errno(ioctl(fd, DMA_BUF_IOCTL_SYNC, &arg));
}

/* The CPU's view of a dma-buf through a mapping of it */
static inline int cpu_read(int fd, const void *map, void *data, size_t len)
{
	int ret = p2p_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ);

	if (ret)
		return ret;
	memcpy(data, map, len);
	return p2p_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ);
}

static inline int cpu_write(int fd, void *map, const void *data, size_t len)
{
	int ret = p2p_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE);

	if (ret)
		return ret;
	memcpy(map, data, len);
	return p2p_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE);
}

/* Reads a whole file, or what fits. */
static inline int p2p_read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, text + len, size - 1 - len)) > 0)
		len += n;
	text[len] = 0;
	close(fd);
	return n < 0 ? -errno : 0;
}

static inline int p2p_write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/* remove, driver/unbind and so on of a PCI device, or rescan of the bus */
static inline int p2p_pci_write(const char *pci, const char *file,
				const char *text)
{
	char path[160];

	if (pci)
		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", pci,
			 file);
	else
		snprintf(path, sizeof(path), "/sys/bus/pci/%s", file);
	return p2p_write_file(path, text);
}

static inline int p2p_fdinfo(int fd, char *text, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	return p2p_read_file(path, text, size);
}

/* What fdinfo says of the mapping that a device has, or could not make */
struct p2p_map {
	int error;
	char memory[16], route[20], reason[64];
	unsigned long long nr_chunks;
};

/* Returns false if there is no such line, or not one that a program can read. */
static inline bool p2p_fdinfo_map(const char *text, const char *pci,
				  struct p2p_map *map)
{
	char name[64];
	const char *line;

	memset(map, 0, sizeof(*map));
	snprintf(name, sizeof(name), "\nfailed:\t%s ", pci);
	line = strstr(text, name);
	if (line)
		return sscanf(line + strlen(name), "error=%d reason=%63s",
			      &map->error, map->reason) == 2;
	snprintf(name, sizeof(name), "\nmap:\t%s ", pci);
	line = strstr(text, name);
	return line && sscanf(line + strlen(name),
			      "memory=%15s route=%19s chunks=%llu reason=%63s",
			      map->memory, map->route, &map->nr_chunks,
			      map->reason) == 4;
}

/*
 * Does the fdinfo of a dma-buf have the records that the importer sees? Also
 * returns what is recorded of the mapping, which the importer does not know. For
 * devices that are attached once.
 */
static inline bool p2p_fdinfo_agrees(int fd, const char *pci,
				     const struct dma_buf_edu_info *info,
				     struct p2p_map *map)
{
	char text[4096], attach[256];
	bool mapped;

	if (p2p_fdinfo(fd, text, sizeof(text)))
		return false;

	snprintf(attach, sizeof(attach), "\nattach:\t%s peer2peer=%s reason=%s (",
		 pci, info->peer2peer ? "yes" : "no", info->reason);
	mapped = p2p_fdinfo_map(text, pci, map);
	if (!strstr(text, attach) ||
	    mapped != (info->map_error || info->npages) ||
	    map->error != info->map_error)
		return false;
	return !mapped || map->error ||
	       (map->nr_chunks == info->nr_chunks &&
		!info->peer == !!strcmp(map->memory, "peer"));
}

/* What a number of the uapi is called in fdinfo */
static inline const char *p2p_reason_token(__u32 reason)
{
	static const char * const tokens[] = {
		"reachable", "private-link", "physical", "importer", "exporter",
		"not-pci", "map-ops", "no-provider", "no-kernel", "no-route",
		"not-revocable", "revoked", "suspended", "compressed", "veto",
		"system", "pinned", "outside-bar", "dma-mask", "bounce",
		"bounce-shared", "override", "error",
	};

	return reason < ARRAY_SIZE(tokens) ? tokens[reason] : "?";
}

static inline const char *p2p_route_token(__u32 route)
{
	static const char * const tokens[] = {
		"none", "bus-address", "iova", "per-run", "map-sg",
	};

	return route < ARRAY_SIZE(tokens) ? tokens[route] : "?";
}

static inline const char *p2p_memory_token(__u32 memory)
{
	static const char * const tokens[] = {
		"none", "peer", "system", "bounced",
	};

	return memory < ARRAY_SIZE(tokens) ? tokens[memory] : "?";
}

/* Some programs are compiled for kernels without it, too. */
#ifdef DMA_BUF_IOCTL_QUERY_REACH
/* @pci as the kernel names a device, 0000:01:00.0 */
static inline int p2p_ask(int fd, const char *pci, __u32 flags,
			  struct dma_buf_query_reach *answer)
{
	unsigned int domain, bus, dev, fn;

	if (sscanf(pci, "%x:%x:%x.%x", &domain, &bus, &dev, &fn) != 4)
		return -EINVAL;
	*answer = (struct dma_buf_query_reach) {
		.size = sizeof(*answer), .flags = flags, .domain = domain,
		.bus = bus, .devfn = dev << 3 | fn,
	};
	return p2p_errno(ioctl(fd, DMA_BUF_IOCTL_QUERY_REACH, answer));
}

/* The same, as a user who has nothing but the descriptor. */
static inline int p2p_ask_as_nobody(int fd, const char *pci, __u32 flags,
				    struct dma_buf_query_reach *answer)
{
	int pipes[2], ret, status;
	pid_t pid;

	if (pipe(pipes))
		return -errno;
	pid = fork();
	if (!pid) {
		ret = setgroups(0, NULL) ?: setresgid(65534, 65534, 65534) ?:
		      setresuid(65534, 65534, 65534);
		ret = ret ? -errno : p2p_ask(fd, pci, flags, answer);
		if (write(pipes[1], answer, sizeof(*answer)) != sizeof(*answer))
			ret = -EPIPE;
		_exit(-ret);
	}
	close(pipes[1]);
	ret = read(pipes[0], answer, sizeof(*answer)) == sizeof(*answer) ? 0 : -EPIPE;
	close(pipes[0]);
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -ECHILD;
	return -WEXITSTATUS(status) ?: ret;
}

/* The buffer does not lie where the device would reach it, or only just not. */
static inline bool p2p_fell_back(const char *reason)
{
	static const char * const reasons[] = {
		"system", "pinned", "outside-bar", "dma-mask", "bounce", "map-ops",
		"revoked", "suspended",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(reasons); i++)
		if (!strcmp(reason, reasons[i]))
			return true;
	return false;
}

/*
 * Is what the kernel said before what came of it? @nr_ranges are those that are
 * contiguous for the device.
 */
static inline bool p2p_came_true(const struct dma_buf_query_reach *answer,
				 const char *attach, const struct p2p_map *map,
				 unsigned long long nr_ranges)
{
	const char *route = p2p_route_token(answer->route);
	bool peer = answer->memory == DMA_BUF_MEMORY_PEER;

	if (strcmp(p2p_reason_token(answer->reason), attach))
		return false;
	if (map->error)
		return p2p_fell_back(map->reason) || !strcmp(map->reason, attach);
	if (peer && strcmp(map->memory, "peer"))
		return p2p_fell_back(map->reason);
	if (!peer == !strcmp(map->memory, "peer"))
		return false;
	if (!strcmp(map->memory, "bounced") &&
	    answer->memory != DMA_BUF_MEMORY_BOUNCED)
		return false;
	/* One run is mapped by itself, whatever would have been done with more. */
	if (strcmp(route, map->route) &&
	    (strcmp(route, "iova") || strcmp(map->route, "per-run") ||
	     map->nr_chunks != 1))
		return false;
	return answer->contiguous == DMA_BUF_CONTIGUOUS_UNKNOWN ||
	       (answer->contiguous == DMA_BUF_CONTIGUOUS_YES) == (nr_ranges == 1);
}

/* The answer in a word, memory/route/is it one range? */
static inline const char *p2p_answer(const struct dma_buf_query_reach *answer)
{
	static const char * const contiguous[] = { "unknown", "parts", "one" };
	static char text[64];

	snprintf(text, sizeof(text), "%s/%s/%s", p2p_memory_token(answer->memory),
		 p2p_route_token(answer->route), contiguous[answer->contiguous % 3]);
	return text;
}
#endif

/* Does an IOMMU translate what the device sends? */
static inline bool p2p_translated(const char *pci)
{
	char path[128], type[32];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group/type",
		 pci);
	return !p2p_read_file(path, type, sizeof(type)) &&
	       !strncmp(type, "DMA", 3);
}

/* All of the exporter's BAR, whoever uses which part of it. */
static inline const char *p2p_map_bar(const char *pci, size_t *size)
{
	char path[128];
	void *map;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource2_wc", pci);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	*size = lseek(fd, 0, SEEK_END);
	map = mmap(NULL, *size, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	return map == MAP_FAILED ? NULL : map;
}

/* The kernel log from here on. */
static inline int kmsg_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

/* Waits a second for the IOMMU to report a fault. */
static inline bool kmsg_has_fault(int fd)
{
	char text[8192];
	int i;

	for (i = 0; i < 100; i++) {
		ssize_t n = read(fd, text, sizeof(text) - 1);

		if (n < 0) {
			usleep(10000);
			continue;
		}
		text[n] = 0;
		/* What VT-d, AMD's IOMMU and the SMMUv3 call it */
		if (strstr(text, "fault addr") ||
		    strstr(text, "IO_PAGE_FAULT") ||
		    strstr(text, "F_TRANSLATION"))
			return true;
	}
	return false;
}

/*
 * Has the device write beyond the end of its mapping. Returns one if that did
 * nothing but fault, zero if it did anything else.
 */
static inline int p2p_confined(const struct p2p_dev *bar,
			       const struct p2p_dev *edu, int fd,
			       const void *map, size_t size)
{
	/* Few bytes, for some IOMMUs tell of no more than ten faults in 5 s. */
	char before[size], after[size], data[8];
	size_t vram_size = 0;
	const char *vram = p2p_map_bar(bar->pci, &vram_size);
	char *copy = malloc(vram_size);
	int kmsg = kmsg_open(), ret;

	if (!vram || !copy || kmsg < 0)
		return -ENOENT;

	ret = cpu_read(fd, map, before, size);
	if (ret)
		return ret;
	memcpy(copy, vram, vram_size);
	p2p_random(data, sizeof(data));
	ret = edu_overrun(edu->fd, 0, data, sizeof(data));
	if (ret)
		return ret;
	ret = cpu_read(fd, map, after, size);
	if (ret)
		return ret;

	ret = kmsg_has_fault(kmsg) && !memcmp(before, after, size) &&
	      !memcmp(copy, vram, vram_size);
	close(kmsg);
	free(copy);
	munmap((void *)vram, vram_size);
	return ret;
}

#endif
