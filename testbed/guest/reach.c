// SPDX-License-Identifier: GPL-2.0
/*
 * reach EXPORTER...: what lsdmabuf --matrix says of buffers, and if it comes true
 *
 * Makes a buffer of each exporter, bar (the sample), qxl, udmabuf or system (the
 * heap), and prints the table. Then has each edu device import each of them, and
 * compares what came of it with what was said before: one result for each pair, and
 * one for the buffers of a user without privileges, who sees his own.
 */
#define _GNU_SOURCE
#include <sys/prctl.h>
#include <sys/wait.h>

#include "guest.h"

#include <drm/qxl_drm.h>

#define SIZE		(4 * PAGE)
#define NR_RANGES	3
#define LSDMABUF	"lsdmabuf"

struct said {
	char memory[16];
	char route[16];
	char contiguous[16];
	char reason[32];
};

static int export_bar(void)
{
	struct p2p_dev bar;

	check("no " BAR_NODES "*", p2p_open(&bar, BAR_NODES));
	return check("allocating in the BAR", bar_alloc(bar.fd, SIZE, NR_RANGES));
}

static int export_qxl(void)
{
	struct drm_qxl_alloc alloc = { .size = SIZE };
	int card = drm_open("qxl", NULL);

	call("allocating in VRAM", card, DRM_IOCTL_QXL_ALLOC, &alloc);
	return drm_export(card, alloc.handle);
}

static int export_udmabuf(void)
{
	return export_scattered(SIZE);
}

static int export_system(void)
{
	return check("allocating from the heap", heap_alloc("system", SIZE));
}

static const struct exporter {
	const char *name;
	int (*export)(void);
} exporters[] = {
	{ "bar", export_bar },
	{ "qxl", export_qxl },
	{ "udmabuf", export_udmabuf },
	{ "system", export_system },
};

/* The string with that name behind @from, in JSON that has no escapes here */
static void find_string(const char *from, const char *name, char *value, size_t size)
{
	char pattern[32];
	const char *at;
	size_t len;

	snprintf(pattern, sizeof(pattern), "\"%s\":\"", name);
	at = strstr(from, pattern);
	expect(name, at);
	at += strlen(pattern);
	len = strcspn(at, "\"");
	expect("the value is short", len < size);
	memcpy(value, at, len);
	value[len] = '\0';
}

static void read_output(const char *command, char *text, size_t size)
{
	FILE *pipe = popen(command, "r");
	size_t len;

	expect(command, pipe);
	len = fread(text, 1, size - 1, pipe);
	text[len] = '\0';
	expect(command, !pclose(pipe) && len < size - 1);
}

static unsigned long long inode_of(int fd)
{
	char text[4096], *line;
	unsigned long long ino;

	check("fdinfo", p2p_fdinfo(fd, text, sizeof(text)));
	line = strstr(text, "\nino:");
	expect("an inode", line && sscanf(line, "\nino: %llu", &ino) == 1);
	return ino;
}

static void ask(int fd, const char *pci, struct said *said)
{
	char command[128], text[16384], pattern[48], *at;

	snprintf(command, sizeof(command), LSDMABUF " --matrix --json -p %d %s",
		 getpid(), pci);
	read_output(command, text, sizeof(text));
	snprintf(pattern, sizeof(pattern), "{\"inode\":%llu,", inode_of(fd));
	at = strstr(text, pattern);
	expect("the buffer is listed", at);
	at = strstr(at, "\"reach\":");
	expect("the kernel was asked", at);
	find_string(at, "memory", said->memory, sizeof(said->memory));
	find_string(at, "route", said->route, sizeof(said->route));
	find_string(at, "contiguous", said->contiguous, sizeof(said->contiguous));
	find_string(at, "reason", said->reason, sizeof(said->reason));
}

/* Texts come behind the word in fdinfo. */
static bool same_word(const char *word, const char *text)
{
	size_t len = strlen(word);

	return !strncmp(word, text, len) && (!text[len] || text[len] == ' ');
}

/* What depends on where the buffer is going to be need not be said, all else is so. */
static void compare(const char *exporter, const char *pci, const struct said *said,
		    const struct record *record)
{
	bool one = !strcmp(record->chunks, "1");

	expect("the reason of attaching is the one that was said",
	       same_word(said->reason, record->attach));
	expect("the memory is the one that was said",
	       !strcmp(said->memory, record->memory));
	/* What is one run needs no help of the IOMMU to become one range. */
	expect("the route is the one that was said",
	       !strcmp(said->route, record->route) ||
	       !strcmp(said->route, "none") ||
	       (one && !strcmp(said->route, "iova") &&
		!strcmp(record->route, "per-run")));
	expect("it is one range, or not, as it was said",
	       !strcmp(said->contiguous, "unknown") ||
	       !strcmp(said->contiguous, one ? "yes" : "no"));
	printf("result: exporter=%s importer=%s memory=%s route=%s chunks=%s reason=%s verified=1\n",
	       exporter, pci, record->memory, record->route, record->chunks,
	       said->reason);
}

static void import(const struct exporter *exporter, int fd)
{
	struct record record;
	struct p2p_dev edu;
	struct said said;
	char byte;
	size_t n;

	for (n = 0; !p2p_open_nth(&edu, EDU_NODES, n); n++) {
		ask(fd, edu.pci, &said);
		check("attaching", edu_attach(edu.fd, fd, 0));
		check("DMA", edu_read(edu.fd, 0, &byte, 1));
		read_record(fd, &record);
		compare(exporter->name, edu.pci, &said, &record);
		check("detaching", p2p_errno(ioctl(edu.fd, DMA_BUF_EDU_DETACH)));
		close(edu.fd);
	}
	expect("there is an edu device", n);
}

/* As a user who may do nothing: the table of his own buffers is the same. */
static void as_nobody(const char *table)
{
	char command[64], text[16384];
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		check("becoming nobody", p2p_errno(setgid(65534)));
		check("becoming nobody", p2p_errno(setuid(65534)));
		/* Or what it has of root is kept from its own children. */
		check("being looked at", p2p_errno(prctl(PR_SET_DUMPABLE, 1)));
		snprintf(command, sizeof(command), LSDMABUF " --matrix -p %d",
			 getpid());
		read_output(command, text, sizeof(text));
		expect("the table is that of root", !strcmp(text, table));
		_exit(0);
	}
	waitpid(pid, &status, 0);
	expect("a user without privileges can ask", !status);
}

int main(int argc, char **argv)
{
	const struct exporter *used[8];
	char command[64], table[16384];
	int fd[8], i;
	size_t j;

	expect("some exporters, and not too many", argc > 1 && argc <= 8);
	for (i = 0; i < argc - 1; i++) {
		for (j = 0; j < sizeof(exporters) / sizeof(*exporters); j++)
			if (!strcmp(exporters[j].name, argv[i + 1]))
				break;
		expect(argv[i + 1], j < sizeof(exporters) / sizeof(*exporters));
		used[i] = &exporters[j];
		fd[i] = exporters[j].export();
	}

	snprintf(command, sizeof(command), LSDMABUF " --matrix -p %d", getpid());
	read_output(command, table, sizeof(table));
	fputs(table, stdout);
	as_nobody(table);
	for (i = 0; i < argc - 1; i++)
		import(used[i], fd[i]);
	return 0;
}
