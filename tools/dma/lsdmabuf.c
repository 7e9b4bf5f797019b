// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lists dma-bufs, who has them, and which PCI device could reach them how
 *
 * What is known of a buffer is in the fdinfo of its descriptors, see
 * Documentation/userspace-api/dma-buf-peer2peer.rst. Nothing of it is trusted to be
 * printable, to be there only once or to be in an order.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <linux/dma-buf.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof(*(a)))
#define NR_PIDS_SHOWN	3

/* An array that grows: the pointer and the number of elements are the caller's. */
#define append(array, nr)						\
({									\
	(array) = grow(array, nr, sizeof(*(array)));			\
	&(array)[(nr)++];						\
})

/* A device that has to do with a buffer: a line of fdinfo */
struct record {
	enum { ATTACH, MAP, FAILED, REFUSED } kind;
	char *dev;
	char *peer2peer;
	char *memory;
	char *route;
	char *chunks;
	char *error;
	char *reason;
	char *text;		/* for people, or empty */
};

/* A descriptor of a buffer */
struct holder {
	int pid;
	int fd;
	char *comm;
};

struct buffer {
	unsigned long long ino;
	unsigned long long size;
	char *exporter;
	char *name;
	struct record *records;
	size_t nr_records;
	struct holder *holders;
	size_t nr_holders;
	/* For the matrix: one for each device */
	struct answer *answers;
	bool has_ino;
	bool has_size;
	bool printed;
};

struct device {
	unsigned int domain;
	unsigned int bus;
	unsigned int slot;
	unsigned int fn;
	char driver[32];
};

struct answer {
	int error;		/* an errno */
	struct dma_buf_query_reach reach;
};

static const char * const kinds[] = { "attach", "map", "failed", "refused" };

static const char * const memories[] = {
	[DMA_BUF_MEMORY_NONE] = "none",
	[DMA_BUF_MEMORY_PEER] = "peer",
	[DMA_BUF_MEMORY_SYSTEM] = "system",
	[DMA_BUF_MEMORY_BOUNCED] = "bounced",
};

static const char * const routes[] = {
	[DMA_BUF_ROUTE_NONE] = "none",
	[DMA_BUF_ROUTE_BUS_ADDR] = "bus-address",
	[DMA_BUF_ROUTE_IOVA] = "iova",
	[DMA_BUF_ROUTE_PER_RUN] = "per-run",
	[DMA_BUF_ROUTE_MAP_SG] = "map-sg",
};

static const char * const contiguous[] = {
	[DMA_BUF_CONTIGUOUS_UNKNOWN] = "unknown",
	[DMA_BUF_CONTIGUOUS_NO] = "no",
	[DMA_BUF_CONTIGUOUS_YES] = "yes",
};

static const struct {
	const char *token;
	const char *text;
} reasons[] = {
	[DMA_BUF_P2P_OK] = { "reachable", "the device reaches the memory" },
	[DMA_BUF_P2P_PRIVATE_LINK] = { "private-link", "the two drivers have a link" },
	[DMA_BUF_P2P_PHYS] = { "physical", "taken by physical addresses" },
	[DMA_BUF_P2P_IMPORTER] = { "importer", "the importer takes no peer memory" },
	[DMA_BUF_P2P_EXPORTER] = { "exporter", "the exporter has no peer memory" },
	[DMA_BUF_P2P_NOT_PCI] = { "not-pci", "no PCI device" },
	[DMA_BUF_P2P_MAP_OPS] = { "map-ops", "the platform maps no peer memory" },
	[DMA_BUF_P2P_NO_PROVIDER] = { "no-provider", "p2pdma does not know the memory" },
	[DMA_BUF_P2P_NO_KERNEL] = { "no-kernel", "kernel without CONFIG_PCI_P2PDMA" },
	[DMA_BUF_P2P_NO_ROUTE] = { "no-route", "no route between the PCI devices" },
	[DMA_BUF_P2P_NOT_REVOCABLE] = { "not-revocable", "could not give the memory back" },
	[DMA_BUF_P2P_REVOKED] = { "revoked", "the exporter took the memory back" },
	[DMA_BUF_P2P_SUSPENDED] = { "suspended", "the exporting device is suspended" },
	[DMA_BUF_P2P_COMPRESSED] = { "compressed", "the memory is compressed" },
	[DMA_BUF_P2P_VETO] = { "veto", "the exporter refuses" },
	[DMA_BUF_P2P_SYSTEM] = { "system", "the buffer is in system memory" },
	[DMA_BUF_P2P_PINNED] = { "pinned", "pinned in system memory" },
	[DMA_BUF_P2P_OUTSIDE_BAR] = { "outside-bar", "not in the visible part of the BAR" },
	[DMA_BUF_P2P_DMA_MASK] = { "dma-mask", "beyond the DMA mask of the device" },
	[DMA_BUF_P2P_BOUNCE] = { "bounce", "would have to be bounced" },
	[DMA_BUF_P2P_BOUNCE_SHARED] = { "bounce-shared", "bounced, and others have it mapped" },
	[DMA_BUF_P2P_OVERRIDE] = { "override", "the command line trusts the host bridge" },
	[DMA_BUF_P2P_ERROR] = { "error", "failed for another reason" },
};

static const char *proc = "/proc";
static const char *sys = "/sys";

static struct buffer *buffers;
static size_t nr_buffers;
static struct device *devices;
static size_t nr_devices;
static unsigned int nr_unreadable;

static void die(const char *fmt, ...)
{
	va_list args;

	fputs("lsdmabuf: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static void *grow(void *array, size_t nr, size_t size)
{
	/* Each time that @nr gets to a power of two */
	if (nr && (nr & (nr - 1)))
		return array;
	array = reallocarray(array, nr ? 2 * nr : 1, size);
	if (!array)
		die("out of memory");
	return array;
}

static char *copy(const char *text)
{
	char *new = strdup(text ?: "");

	if (!new)
		die("out of memory");
	return new;
}

/*
 * The kernel escapes names, so a backslash of theirs stays as it is. That of a
 * process is whatever the process made it.
 */
static char *printable(const char *text, const char *escape)
{
	char *new = malloc(4 * strlen(text) + 1), *p = new;

	if (!new)
		die("out of memory");
	for (; *text; text++) {
		unsigned char c = *text;

		if (c >= ' ' && c <= '~' && !strchr(escape, c))
			*p++ = c;
		else
			p += sprintf(p, "\\%03o", c);
	}
	*p = '\0';
	return new;
}

/* Numbers of newer kernels have no word here. */
static const char *word(const char * const *words, size_t nr, unsigned int i)
{
	static char number[4][16];
	static unsigned int next;
	char *p;

	if (i < nr && words[i])
		return words[i];
	p = number[next++ % 4];
	snprintf(p, 16, "%u", i);
	return p;
}

#define WORD(words, i)	word(words, ARRAY_SIZE(words), i)

static const char *reason_token(unsigned int i)
{
	return i < ARRAY_SIZE(reasons) ? reasons[i].token : word(NULL, 0, i);
}

static const char *reason_text(unsigned int i)
{
	return i < ARRAY_SIZE(reasons) ? reasons[i].text :
					 "this program does not know it yet";
}

/* Reading fdinfo */

static char *read_file(const char *path)
{
	char *text = NULL;
	size_t len = 0, size = 0;
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	do {
		if (size - len < 4096) {
			size += 16384;
			text = realloc(text, size);
			if (!text)
				die("out of memory");
		}
		n = read(fd, text + len, size - len - 1);
		if (n > 0)
			len += n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0) {
		int error = errno;

		free(text);
		close(fd);
		errno = error;
		return NULL;
	}
	close(fd);
	/* What follows a zero byte is nothing that the kernel writes. */
	text[len] = '\0';
	return text;
}

/* The value if @line is that of @key. */
static char *value_of(char *line, const char *key)
{
	size_t len = strlen(key);

	if (strncmp(line, key, len) || line[len] != ':')
		return NULL;
	line += len + 1;
	return line + strspn(line, "\t ");
}

static bool parse_number(const char *text, unsigned long long *number)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*number = strtoull(text, &end, 10);
	return !errno && (!*end || *end == ' ');
}

/* "name=value name=value reason=token (text)", of which some may be new */
static void parse_fields(struct record *record, char *fields)
{
	struct {
		const char *name;
		char **value;
	} known[] = {
		{ "peer2peer", &record->peer2peer },
		{ "memory", &record->memory },
		{ "route", &record->route },
		{ "chunks", &record->chunks },
		{ "error", &record->error },
		{ "reason", &record->reason },
	};
	char *field, *value;
	size_t i;

	while ((field = strsep(&fields, " "))) {
		value = strchr(field, '=');
		if (!value)
			continue;
		*value++ = '\0';
		for (i = 0; i < ARRAY_SIZE(known); i++)
			if (!strcmp(field, known[i].name) && !*known[i].value)
				*known[i].value = printable(value, "");
		if (!strcmp(field, "reason"))
			break;
	}
	/* The rest of the line is for people. */
	if (fields && *fields == '(') {
		fields++;
		value = strrchr(fields, ')');
		if (value)
			*value = '\0';
		record->text = printable(fields, "");
	}
}

static void parse_record(struct buffer *buf, char *line)
{
	struct record *record;
	size_t kind;
	char *value;

	for (kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
		value = value_of(line, kinds[kind]);
		if (value)
			break;
	}
	if (kind == ARRAY_SIZE(kinds))
		return;

	record = append(buf->records, buf->nr_records);
	*record = (struct record) { .kind = kind };
	line = strsep(&value, " ");
	record->dev = printable(line, "");
	if (value)
		parse_fields(record, value);
	if (!record->text)
		record->text = copy("");
}

/* Of lines that are there once the first one counts: names come after them. */
static void parse_line(struct buffer *buf, char *line)
{
	char *value;

	value = value_of(line, "ino");
	if (value && !buf->has_ino) {
		buf->has_ino = parse_number(value, &buf->ino);
		return;
	}
	value = value_of(line, "size");
	if (value && !buf->has_size) {
		buf->has_size = parse_number(value, &buf->size);
		return;
	}
	value = value_of(line, "exp_name");
	if (value && !buf->exporter) {
		buf->exporter = printable(value, "");
		return;
	}
	value = value_of(line, "name");
	if (value && !buf->name)
		buf->name = printable(value, "");
	else if (buf->exporter)
		parse_record(buf, line);
}

/* Is this a dma-buf? No other file has both a size and an exporter. */
static bool parse_fdinfo(struct buffer *buf, char *text)
{
	char *line;

	*buf = (struct buffer) { };
	while ((line = strsep(&text, "\n")))
		parse_line(buf, line);
	return buf->has_ino && buf->has_size && buf->exporter;
}

static void buffer_free(struct buffer *buf)
{
	struct record *r;

	for (r = buf->records; r < buf->records + buf->nr_records; r++) {
		free(r->dev);
		free(r->peer2peer);
		free(r->memory);
		free(r->route);
		free(r->chunks);
		free(r->error);
		free(r->reason);
		free(r->text);
	}
	free(buf->records);
	free(buf->exporter);
	free(buf->name);
}

/* Many processes may have the same one: what the first says of it counts. */
static void add_buffer(struct buffer *buf, int pid, int fd, const char *comm)
{
	struct holder *holder;
	size_t i;

	for (i = 0; i < nr_buffers; i++)
		if (buffers[i].ino == buf->ino)
			break;
	if (i == nr_buffers)
		*append(buffers, nr_buffers) = *buf;
	else
		buffer_free(buf);

	holder = append(buffers[i].holders, buffers[i].nr_holders);
	*holder = (struct holder) { .pid = pid, .fd = fd, .comm = copy(comm) };
}

static char *read_comm(int pid)
{
	char path[PATH_MAX], *text, *comm;

	snprintf(path, sizeof(path), "%s/%d/comm", proc, pid);
	text = read_file(path);
	if (!text)
		return copy("?");
	if (*text && text[strlen(text) - 1] == '\n')
		text[strlen(text) - 1] = '\0';
	comm = printable(text, "\\");
	free(text);
	return comm;
}

static int name_to_number(const char *name)
{
	unsigned long long number;

	return parse_number(name, &number) && !strchr(name, ' ') &&
	       number <= INT_MAX ? (int)number : -1;
}

/* A process may go away, or close a descriptor, at any time. */
static void read_process(int pid)
{
	char path[PATH_MAX], *text, *comm;
	struct dirent *entry;
	struct buffer buf;
	DIR *dir;
	int fd;

	snprintf(path, sizeof(path), "%s/%d/fdinfo", proc, pid);
	dir = opendir(path);
	if (!dir) {
		nr_unreadable += errno == EACCES || errno == EPERM;
		return;
	}

	comm = read_comm(pid);
	while ((entry = readdir(dir))) {
		fd = name_to_number(entry->d_name);
		if (fd < 0)
			continue;
		snprintf(path, sizeof(path), "%s/%d/fdinfo/%d", proc, pid, fd);
		text = read_file(path);
		if (!text) {
			if (errno != EACCES && errno != EPERM)
				continue;
			nr_unreadable++;
			break;
		}
		if (parse_fdinfo(&buf, text))
			add_buffer(&buf, pid, fd, comm);
		else
			buffer_free(&buf);
		free(text);
	}
	closedir(dir);
	free(comm);
}

static void read_processes(void)
{
	struct dirent *entry;
	DIR *dir;
	int pid;

	dir = opendir(proc);
	if (!dir)
		die("%s: %s", proc, strerror(errno));
	while ((entry = readdir(dir))) {
		pid = name_to_number(entry->d_name);
		if (pid > 0)
			read_process(pid);
	}
	closedir(dir);
}

static int compare_holders(const void *a, const void *b)
{
	const struct holder *x = a, *y = b;

	return x->pid != y->pid ? (x->pid > y->pid) - (x->pid < y->pid) :
				  (x->fd > y->fd) - (x->fd < y->fd);
}

static int compare_buffers(const void *a, const void *b)
{
	const struct buffer *x = a, *y = b;

	return (x->ino > y->ino) - (x->ino < y->ino);
}

static void sort_buffers(void)
{
	size_t i;

	if (nr_buffers)
		qsort(buffers, nr_buffers, sizeof(*buffers), compare_buffers);
	for (i = 0; i < nr_buffers; i++)
		qsort(buffers[i].holders, buffers[i].nr_holders,
		      sizeof(struct holder), compare_holders);
}

/* The list, for people */

static const char *human(unsigned long long size)
{
	static const char units[] = "BKMGTPE";
	static char text[32];
	unsigned long long part = 0;
	int unit = 0;

	while (size >= 1024 && unit < 6) {
		part = size % 1024;
		size /= 1024;
		unit++;
	}
	if (part * 10 / 1024)
		snprintf(text, sizeof(text), "%llu.%llu%c", size,
			 part * 10 / 1024, units[unit]);
	else
		snprintf(text, sizeof(text), "%llu%c", size, units[unit]);
	return text;
}

static const char *error_text(const char *error)
{
	int number = error ? atoi(error) : 0;

	return number < 0 && number > -4096 ? strerror(-number) : "?";
}

static void print_reason(const struct record *r)
{
	if (!r->reason)
		return;
	printf("  %s", r->reason);
	if (*r->text)
		printf(" (%s)", r->text);
}

static bool is_mapped(const struct buffer *buf, const struct record *attach)
{
	size_t i;

	/* Where devices have no names any of them may be meant. */
	if (!strcmp(attach->dev, "-"))
		return false;
	for (i = 0; i < buf->nr_records; i++)
		if ((buf->records[i].kind == MAP || buf->records[i].kind == FAILED) &&
		    !strcmp(buf->records[i].dev, attach->dev))
			return true;
	return false;
}

static void print_record(const struct buffer *buf, const struct record *r)
{
	/* What it mapped says more. */
	if (r->kind == ATTACH && is_mapped(buf, r))
		return;

	printf("%21s%-14s ", "", r->dev);
	switch (r->kind) {
	case ATTACH:
		printf("attached, peer2peer=%s", r->peer2peer ?: "?");
		break;
	case MAP:
		printf("mapped in %s memory, %s, %s part%s", r->memory ?: "?",
		       r->route ?: "?", r->chunks ?: "?",
		       r->chunks && !strcmp(r->chunks, "1") ? "" : "s");
		break;
	case FAILED:
		printf("could not map it, %s", error_text(r->error));
		break;
	case REFUSED:
		printf("was refused, %s", error_text(r->error));
		break;
	}
	print_reason(r);
	putchar('\n');
}

static void print_holders(const struct buffer *buf)
{
	size_t i, shown = buf->nr_holders;

	if (shown > NR_PIDS_SHOWN + 1)
		shown = NR_PIDS_SHOWN;
	for (i = 0; i < shown; i++)
		printf(" %s[%d]:%d", buf->holders[i].comm, buf->holders[i].pid,
		       buf->holders[i].fd);
	if (shown < buf->nr_holders)
		printf(" and %zu more", buf->nr_holders - shown);
}

static void print_list(void)
{
	size_t i, j;

	printf("%9s %8s  %-16s %-16s PROCESS[PID]:FD\n", "INODE", "SIZE",
	       "EXPORTER", "NAME");
	for (i = 0; i < nr_buffers; i++) {
		const struct buffer *buf = &buffers[i];

		printf("%9llu %8s  %-16s %-16s", buf->ino, human(buf->size),
		       buf->exporter, buf->name ?: "-");
		print_holders(buf);
		putchar('\n');
		for (j = 0; j < buf->nr_records; j++)
			print_record(buf, &buf->records[j]);
	}
}

/* JSON. All strings are printable ASCII by now. */

static void json_string(const char *name, const char *value)
{
	printf("\"%s\":", name);
	if (!value) {
		printf("null");
		return;
	}
	putchar('"');
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			putchar('\\');
		putchar(*value);
	}
	putchar('"');
}

/* A number if the kernel said one, or its very words. */
static void json_number(const char *name, const char *value)
{
	const char *digits = value && *value == '-' ? value + 1 : value;

	if (digits && *digits && strspn(digits, "0123456789") == strlen(digits) &&
	    (*digits != '0' || !digits[1]))
		printf("\"%s\":%s", name, value);
	else
		json_string(name, value);
}

static void json_record(const struct record *r)
{
	printf("{");
	json_string("record", kinds[r->kind]);
	printf(",");
	json_string("device", r->dev);
	if (r->kind == ATTACH) {
		printf(",");
		json_string("peer2peer", r->peer2peer);
	} else if (r->kind == MAP) {
		printf(",");
		json_string("memory", r->memory);
		printf(",");
		json_string("route", r->route);
		printf(",");
		json_number("chunks", r->chunks);
	} else {
		printf(",");
		json_number("error", r->error);
	}
	printf(",");
	json_string("reason", r->reason);
	printf(",");
	json_string("text", r->text);
	printf("}");
}

static void json_reach(const struct device *dev, const struct answer *answer)
{
	printf("{\"device\":\"%04x:%02x:%02x.%x\",", dev->domain, dev->bus,
	       dev->slot, dev->fn);
	json_string("driver", *dev->driver ? dev->driver : NULL);
	printf(",");
	if (answer->error) {
		printf("\"error\":%d", -answer->error);
	} else {
		json_string("memory", WORD(memories, answer->reach.memory));
		printf(",");
		json_string("route", WORD(routes, answer->reach.route));
		printf(",");
		json_string("contiguous", WORD(contiguous, answer->reach.contiguous));
		printf(",");
		json_string("reason", reason_token(answer->reach.reason));
	}
	printf("}");
}

static void json_buffer(const struct buffer *buf)
{
	size_t i;

	printf("{\"inode\":%llu,\"size\":%llu,", buf->ino, buf->size);
	json_string("exporter", buf->exporter);
	printf(",");
	json_string("name", buf->name);
	printf(",\"holders\":[");
	for (i = 0; i < buf->nr_holders; i++) {
		printf("%s{\"pid\":%d,\"fd\":%d,", i ? "," : "",
		       buf->holders[i].pid, buf->holders[i].fd);
		json_string("comm", buf->holders[i].comm);
		printf("}");
	}
	printf("],\"devices\":[");
	for (i = 0; i < buf->nr_records; i++) {
		if (i)
			printf(",");
		json_record(&buf->records[i]);
	}
	printf("]");
	if (buf->answers) {
		printf(",\"reach\":[");
		for (i = 0; i < nr_devices; i++) {
			if (i)
				printf(",");
			json_reach(&devices[i], &buf->answers[i]);
		}
		printf("]");
	}
	printf("}");
}

static void print_json(void)
{
	size_t i;

	printf("{\"dmabufs\":[");
	for (i = 0; i < nr_buffers; i++) {
		printf("%s\n", i ? "," : "");
		json_buffer(&buffers[i]);
	}
	printf("\n],\"unreadable\":%u}\n", nr_unreadable);
}

/* Asking the kernel */

static bool parse_device(const char *name, struct device *dev)
{
	int len = 0;

	*dev = (struct device) { };
	/* %x would take more than that. */
	if (name[strspn(name, "0123456789abcdefABCDEF:.")])
		return false;
	if (sscanf(name, "%x:%x:%x.%x%n", &dev->domain, &dev->bus, &dev->slot,
		   &dev->fn, &len) != 4 || name[len]) {
		dev->domain = 0;
		len = 0;
		if (sscanf(name, "%x:%x.%x%n", &dev->bus, &dev->slot, &dev->fn,
			   &len) != 3 || name[len])
			return false;
	}
	return dev->bus < 256 && dev->slot < 32 && dev->fn < 8;
}

/*
 * Those that may have to do with buffers: no bridges, timers, serial ports or USB.
 * What has no class is an example of QEMU, and what is of an unknown one may be
 * anything.
 */
static bool is_interesting(unsigned int class)
{
	switch (class >> 16) {
	case 0x06: case 0x07: case 0x08: case 0x09: case 0x0a: case 0x0c:
		return false;
	default:
		return true;
	}
}

static void read_driver(struct device *dev, const char *name)
{
	char path[PATH_MAX], target[PATH_MAX];
	char *driver;
	ssize_t len;

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/driver", sys, name);
	len = readlink(path, target, sizeof(target) - 1);
	if (len <= 0)
		return;
	target[len] = '\0';
	driver = printable(strrchr(target, '/') ? strrchr(target, '/') + 1 : target,
			   "\\");
	snprintf(dev->driver, sizeof(dev->driver), "%s", driver);
	free(driver);
}

static void add_device(const struct device *dev)
{
	char name[32];

	snprintf(name, sizeof(name), "%04x:%02x:%02x.%x", dev->domain, dev->bus,
		 dev->slot, dev->fn);
	*append(devices, nr_devices) = *dev;
	read_driver(&devices[nr_devices - 1], name);
}

static int compare_devices(const void *a, const void *b)
{
	const struct device *x = a, *y = b;
	unsigned long long i = (unsigned long long)x->domain << 16 | x->bus << 8 |
			       x->slot << 3 | x->fn;
	unsigned long long j = (unsigned long long)y->domain << 16 | y->bus << 8 |
			       y->slot << 3 | y->fn;

	return (i > j) - (i < j);
}

static void read_devices(bool all)
{
	char path[PATH_MAX], *text;
	struct dirent *entry;
	struct device dev;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/bus/pci/devices", sys);
	dir = opendir(path);
	if (!dir)
		die("%s: %s", path, strerror(errno));
	while ((entry = readdir(dir))) {
		if (!parse_device(entry->d_name, &dev))
			continue;
		snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/class", sys,
			 entry->d_name);
		text = read_file(path);
		if (all || (text && is_interesting(strtoul(text, NULL, 16))))
			add_device(&dev);
		free(text);
	}
	closedir(dir);
	if (nr_devices)
		qsort(devices, nr_devices, sizeof(*devices), compare_devices);
}

/* Of the first process that lets us. @error says why none of them did. */
static int open_buffer(const struct buffer *buf, int *error)
{
	struct stat st;
	size_t i;

	*error = ESRCH;
	for (i = 0; i < buf->nr_holders; i++) {
		const struct holder *holder = &buf->holders[i];
		int pidfd, fd;

		pidfd = syscall(SYS_pidfd_open, holder->pid, 0);
		if (pidfd < 0) {
			*error = errno;
			continue;
		}
		fd = syscall(SYS_pidfd_getfd, pidfd, holder->fd, 0);
		if (fd < 0)
			*error = errno;
		close(pidfd);
		if (fd < 0)
			continue;
		/* Both the process and its descriptor may be others by now. */
		if (!fstat(fd, &st) && st.st_ino == buf->ino)
			return fd;
		*error = ESRCH;
		close(fd);
	}
	return -1;
}

static void ask(int fd, const struct device *dev, struct answer *answer)
{
	int tries = 10;

	do {
		answer->error = 0;
		answer->reach = (struct dma_buf_query_reach) {
			.size = sizeof(answer->reach),
			.domain = dev->domain,
			.bus = dev->bus,
			.devfn = dev->slot << 3 | dev->fn,
		};
		if (!ioctl(fd, DMA_BUF_IOCTL_QUERY_REACH, &answer->reach))
			return;
		answer->error = errno;
	} while ((errno == EAGAIN || errno == EINTR) && --tries &&
		 !usleep(10000));
}

/* The same for all buffers: nothing that a cell could say. */
static void die_of(int error)
{
	if (error == ENOTTY)
		die("this kernel cannot be asked, it has no DMA_BUF_IOCTL_QUERY_REACH");
	if (error == EPERM)
		die("the kernel tells nobody in a user namespace");
}

static void ask_about(struct buffer *buf)
{
	int fd, error;
	size_t i;

	buf->answers = calloc(nr_devices ?: 1, sizeof(*buf->answers));
	if (!buf->answers)
		die("out of memory");
	fd = open_buffer(buf, &error);
	for (i = 0; i < nr_devices; i++) {
		if (fd < 0) {
			buf->answers[i].error = error;
			continue;
		}
		ask(fd, &devices[i], &buf->answers[i]);
		die_of(buf->answers[i].error);
	}
	if (fd >= 0)
		close(fd);
}

/* The matrix, for people */

#define MAX_NOTES	64

static struct {
	int error;
	unsigned int reason;
} notes[MAX_NOTES];
static unsigned int nr_notes;

/* The number of the note for this, which is printed below */
static unsigned int note(int error, unsigned int reason)
{
	unsigned int i;

	for (i = 0; i < nr_notes; i++)
		if (notes[i].error == error && notes[i].reason == reason)
			return i + 1;
	if (nr_notes == MAX_NOTES)
		return 0;
	notes[nr_notes].error = error;
	notes[nr_notes].reason = reason;
	return ++nr_notes;
}

static const char *cell_word(const struct dma_buf_query_reach *reach)
{
	switch (reach->memory) {
	case DMA_BUF_MEMORY_NONE:
		return "-";
	case DMA_BUF_MEMORY_SYSTEM:
		return "SYS";
	case DMA_BUF_MEMORY_BOUNCED:
		return "BNC";
	case DMA_BUF_MEMORY_PEER:
		break;
	default:
		return WORD(memories, reach->memory);
	}
	switch (reach->route) {
	case DMA_BUF_ROUTE_BUS_ADDR:
		return "SW";
	case DMA_BUF_ROUTE_IOVA:
		return "MMU";
	case DMA_BUF_ROUTE_NONE:
		return "PEER";
	default:
		return "HB";
	}
}

static void format_cell(char *cell, size_t size, const struct answer *answer)
{
	const struct dma_buf_query_reach *reach = &answer->reach;
	const char *one = reach->contiguous == DMA_BUF_CONTIGUOUS_YES ? "*" : "";

	if (answer->error)
		snprintf(cell, size, "?(%u)", note(answer->error, 0));
	else if (reach->reason == DMA_BUF_P2P_OK)
		snprintf(cell, size, "%s%s", cell_word(reach), one);
	else
		snprintf(cell, size, "%s%s(%u)", cell_word(reach), one,
			 note(0, reach->reason));
}

static bool same_answers(const struct buffer *a, const struct buffer *b)
{
	size_t i;

	if (strcmp(a->exporter, b->exporter))
		return false;
	for (i = 0; i < nr_devices; i++) {
		const struct answer *x = &a->answers[i], *y = &b->answers[i];

		if (x->error != y->error)
			return false;
		if (!x->error &&
		    (x->reach.memory != y->reach.memory ||
		     x->reach.route != y->reach.route ||
		     x->reach.reason != y->reach.reason ||
		     x->reach.contiguous != y->reach.contiguous))
			return false;
	}
	return true;
}

/* Buffers of one exporter with the same answers are one row. */
static void print_row(size_t first)
{
	const struct buffer *buf = &buffers[first];
	unsigned long long size = 0;
	unsigned int nr = 0;
	char cell[32];
	size_t i;

	for (i = first; i < nr_buffers; i++) {
		if (buffers[i].printed || !same_answers(buf, &buffers[i]))
			continue;
		buffers[i].printed = true;
		size += buffers[i].size;
		nr++;
	}
	printf("%-16s %7u %8s", buf->exporter, nr, human(size));
	for (i = 0; i < nr_devices; i++) {
		format_cell(cell, sizeof(cell), &buf->answers[i]);
		printf("  %-12s", cell);
	}
	putchar('\n');
}

static void print_header(void)
{
	bool short_names = true;
	char name[32];
	size_t i;

	for (i = 0; i < nr_devices; i++)
		short_names &= !devices[i].domain;

	printf("%-16s %7s %8s", "EXPORTER", "BUFFERS", "SIZE");
	for (i = 0; i < nr_devices; i++) {
		snprintf(name, sizeof(name), "%04x:%02x:%02x.%x", devices[i].domain,
			 devices[i].bus, devices[i].slot, devices[i].fn);
		printf("  %-12s", short_names ? name + 5 : name);
	}
	printf("\n%-16s %7s %8s", "", "", "");
	for (i = 0; i < nr_devices; i++)
		printf("  %-12.12s", *devices[i].driver ? devices[i].driver : "-");
	putchar('\n');
}

static const char *ask_error(int error)
{
	switch (error) {
	case EPERM:
		return "who has it is not yours to trace";
	case ESRCH:
		return "nobody has it any more";
	case ENODEV:
		return "there is no such device";
	default:
		return strerror(error);
	}
}

static void print_legend(void)
{
	unsigned int i;

	printf("\n"
	       "  SW    peer-to-peer, a PCI switch turns it round\n"
	       "  HB    peer-to-peer through the host bridge\n"
	       "  MMU   peer-to-peer through the host bridge and the IOMMU\n"
	       "  PEER  peer-to-peer, and the device has no driver to say how\n"
	       "  SYS   in system memory, where the buffer moves if it is not there\n"
	       "  BNC   in system memory, and copied for the device\n"
	       "  -     not at all\n"
	       "  *     one contiguous range for the device\n");
	for (i = 0; i < nr_notes; i++) {
		if (notes[i].error)
			printf("  (%u)   cannot tell: %s\n", i + 1,
			       ask_error(notes[i].error));
		else
			printf("  (%u)   %s: %s\n", i + 1,
			       reason_token(notes[i].reason),
			       reason_text(notes[i].reason));
	}
}

static void print_matrix(void)
{
	size_t i;

	print_header();
	for (i = 0; i < nr_buffers; i++)
		if (!buffers[i].printed)
			print_row(i);
	print_legend();
}

static void print_help(FILE *to)
{
	fprintf(to,
		"usage: lsdmabuf [-j] [-p PID]...\n"
		"       lsdmabuf -m [-a] [-j] [-p PID]... [DEVICE]...\n"
		"\n"
		"Lists dma-bufs, who has them, and which devices have them mapped where.\n"
		"\n"
		"  -m, --matrix     ask how each PCI device, or each DEVICE, would reach them\n"
		"  -a, --all        with --matrix, bridges and the like too\n"
		"  -p, --pid=PID    of this process only, may be repeated\n"
		"  -j, --json       print JSON\n"
		"      --proc=DIR   look there in place of /proc\n"
		"      --sys=DIR    look there in place of /sys\n"
		"  -h, --help       print this\n");
	exit(to == stderr ? 2 : 0);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "matrix", no_argument, NULL, 'm' },
		{ "all", no_argument, NULL, 'a' },
		{ "pid", required_argument, NULL, 'p' },
		{ "json", no_argument, NULL, 'j' },
		{ "proc", required_argument, NULL, 'P' },
		{ "sys", required_argument, NULL, 'S' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	bool matrix = false, all = false, json = false;
	struct device dev;
	int *pids = NULL;
	size_t i, nr_pids = 0;
	int opt;

	while ((opt = getopt_long(argc, argv, "map:jh", options, NULL)) != -1) {
		switch (opt) {
		case 'm':
			matrix = true;
			break;
		case 'a':
			all = true;
			break;
		case 'j':
			json = true;
			break;
		case 'P':
			proc = optarg;
			break;
		case 'S':
			sys = optarg;
			break;
		case 'h':
			print_help(stdout);
			break;
		case 'p':
			*append(pids, nr_pids) = name_to_number(optarg);
			if (pids[nr_pids - 1] <= 0)
				die("%s is no process ID", optarg);
			break;
		default:
			print_help(stderr);
		}
	}
	if (!matrix && (all || optind < argc))
		print_help(stderr);

	for (; optind < argc; optind++) {
		if (!parse_device(argv[optind], &dev))
			die("%s is no PCI device, write 0000:01:00.0", argv[optind]);
		add_device(&dev);
	}
	if (matrix && !nr_devices)
		read_devices(all);

	for (i = 0; i < nr_pids; i++)
		read_process(pids[i]);
	if (!nr_pids)
		read_processes();
	sort_buffers();
	if (matrix)
		for (i = 0; i < nr_buffers; i++)
			ask_about(&buffers[i]);

	if (json)
		print_json();
	else if (matrix)
		print_matrix();
	else
		print_list();
	fflush(stdout);

	if (nr_unreadable)
		fprintf(stderr, "lsdmabuf: %u process%s could not be looked at\n",
			nr_unreadable, nr_unreadable == 1 ? "" : "es");
	return ferror(stdout) ? 1 : 0;
}
