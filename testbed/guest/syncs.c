// SPDX-License-Identifier: GPL-2.0
/*
 * How often the caches are written back for a device, and emptied for the CPU
 *
 *	syncs PROGRAM ARGUMENT...
 *
 * An emulated CPU has no caches, so the bytes arrive whatever is forgotten. What
 * can be seen is whether the architecture is told. For each chunk of the mapping
 * that the program reports that is twice for the device, when it is mapped and
 * after the CPU wrote, and twice for the CPU.
 */
#define _GNU_SOURCE
#include "guest.h"

#include <sys/wait.h>

#define TRACING	"/sys/kernel/tracing/"

static const char * const probes[] = { "for_device", "for_cpu" };

static void count_from_here(void)
{
	int fd = check("kprobe_events",
		       p2p_errno(open(TRACING "kprobe_events",
				      O_WRONLY | O_APPEND)));
	char text[128];
	size_t i;

	for (i = 0; i < 2; i++) {
		snprintf(text, sizeof(text), "p:%s arch_sync_dma_%s\n", probes[i],
			 probes[i]);
		check(text, p2p_errno(write(fd, text, strlen(text))));
	}
	close(fd);
	check("enable", p2p_write_file(TRACING "events/kprobes/enable", "1"));
}

static unsigned long hits(const char *name)
{
	char text[4096], *line;

	check("kprobe_profile",
	      p2p_read_file(TRACING "kprobe_profile", text, sizeof(text)));
	line = strstr(text, name);
	return line ? strtoul(line + strlen(name), NULL, 0) : 0;
}

/* Returns the number of chunks that it reports. */
static unsigned long run(char **argv, int *status)
{
	unsigned long chunks = 0;
	char line[1024], *at;
	int pipes[2];
	FILE *from;

	check("pipe", p2p_errno(pipe(pipes)));
	if (!fork()) {
		dup2(pipes[1], 1);
		execvp(argv[0], argv);
		die(argv[0], -errno);
	}
	close(pipes[1]);
	from = fdopen(pipes[0], "r");
	while (fgets(line, sizeof(line), from)) {
		fputs(line, stdout);
		at = strstr(line, "chunks=");
		if (at)
			chunks = strtoul(at + 7, NULL, 0);
	}
	fclose(from);
	wait(status);
	return chunks;
}

int main(int argc, char **argv)
{
	unsigned long chunks;
	int status;

	if (argc < 2)
		die("no program", 0);
	count_from_here();
	chunks = run(argv + 1, &status);
	expect("the program says how many chunks there are", chunks);
	printf("result: for-device=%lu for-cpu=%lu verified=none\n",
	       hits(probes[0]) / chunks, hits(probes[1]) / chunks);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
