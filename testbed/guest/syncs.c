// SPDX-License-Identifier: GPL-2.0
/*
 * How often the caches are written back for a device, and emptied for the CPU
 *
 *	syncs PROGRAM ARGUMENT...
 *
 * An emulated CPU has no caches, so the bytes arrive whatever is forgotten. What
 * can be seen is whether the architecture is told.
 */
#define _GNU_SOURCE
#include "guest.h"

#include <sys/wait.h>

#define TRACING	"/sys/kernel/tracing/"

static const char * const probes[] = { "for_device", "for_cpu" };

static unsigned long hits(const char *name)
{
	char text[4096], *line;

	check("kprobe_profile",
	      p2p_read_file(TRACING "kprobe_profile", text, sizeof(text)));
	line = strstr(text, name);
	return line ? strtoul(line + strlen(name), NULL, 0) : 0;
}

int main(int argc, char **argv)
{
	int status, fd;
	char text[128];
	size_t i;

	if (argc < 2)
		die("no program", 0);
	fd = check("kprobe_events", p2p_errno(open(TRACING "kprobe_events",
						   O_WRONLY | O_APPEND)));
	for (i = 0; i < 2; i++) {
		snprintf(text, sizeof(text), "p:%s arch_sync_dma_%s\n", probes[i],
			 probes[i]);
		check(text, p2p_errno(write(fd, text, strlen(text))));
	}
	close(fd);
	check("enable", p2p_write_file(TRACING "events/kprobes/enable", "1"));

	if (!fork()) {
		execvp(argv[1], argv + 1);
		die(argv[1], -errno);
	}
	wait(&status);
	printf("result: for-device=%lu for-cpu=%lu\n", hits(probes[0]),
	       hits(probes[1]));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
