// SPDX-License-Identifier: GPL-2.0
/*
 * First process of a guest for which there is no busybox: what the script "init"
 * does, with one difference, run="..." is no shell but "program argument ... &&
 * program ...". Nor does it look for leaks.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SYSLOG_READ_ALL	3
#define LOG_SIZE	(4 << 20)
#define MAX_WORDS	64

/* Bad page 32, oops 128, warning 512, soft lockup 16384 */
#define BAD_TAINT	(32 | 128 | 512 | 16384)

static char why[1024];
static int kmsg;

/* Through the kernel's log, or its own messages would end up inside our lines. */
__attribute__((format(printf, 1, 2)))
static void say(const char *format, ...)
{
	char line[900];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	/* One call is one record, and dprintf() wants to seek. */
	if (write(kmsg, line, strlen(line)) < 0)
		abort();
}

__attribute__((format(printf, 1, 2)))
static void fail(const char *format, ...)
{
	size_t len = strlen(why);
	va_list args;

	if (len)
		len += snprintf(why + len, sizeof(why) - len, "; ");
	va_start(args, format);
	vsnprintf(why + len, sizeof(why) - len, format, args);
	va_end(args);
}

/* The first word of a file, or what is said in its place if there is none. */
static const char *word_of(const char *path, const char *none)
{
	static char word[64];
	FILE *file = fopen(path, "r");

	if (!file)
		return none;
	if (fscanf(file, "%63s", word) != 1)
		word[0] = 0;
	fclose(file);
	return word;
}

static void set_up(void)
{
	static const struct {
		const char *type, *path;
	} mounts[] = {
		{ "proc", "/proc" }, { "sysfs", "/sys" }, { "devtmpfs", "/dev" },
		{ "tmpfs", "/tmp" }, { "debugfs", "/sys/kernel/debug" },
		{ "tracefs", "/sys/kernel/tracing" },
	};
	size_t i;

	for (i = 0; i < sizeof(mounts) / sizeof(*mounts); i++) {
		mkdir(mounts[i].path, 0755);
		mount(mounts[i].type, mounts[i].path, mounts[i].type, 0, NULL);
	}
	kmsg = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
}

static void run_program(char *command, int out)
{
	char *words[MAX_WORDS + 1] = { };
	int i = 0, null = open("/dev/null", O_RDONLY);

	for (words[0] = strtok(command, " "); words[i] && i < MAX_WORDS - 1;)
		words[++i] = strtok(NULL, " ");
	dup2(null, 0);
	dup2(out, 1);
	dup2(out, 2);
	execvp(words[0], words);
	dprintf(2, "%s: %s\n", words[0], strerror(errno));
	_exit(127);
}

/* Returns the exit code. */
static int run_one(char *command)
{
	int pipes[2], status;
	char line[900];
	FILE *from;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC))
		return 126;
	pid = fork();
	if (!pid)
		run_program(command, pipes[1]);
	close(pipes[1]);
	from = fdopen(pipes[0], "r");
	while (fgets(line, sizeof(line), from)) {
		line[strcspn(line, "\n")] = 0;
		say("%s", line);
	}
	fclose(from);
	if (waitpid(pid, &status, 0) < 0)
		return 126;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run_all(char *commands)
{
	char *next;
	int ret = 0;

	for (; !ret && commands; commands = next) {
		next = strstr(commands, "&&");
		if (next) {
			*next = 0;
			next += 2;
		}
		if (strspn(commands, " ") != strlen(commands))
			ret = run_one(commands);
	}
	return ret;
}

/* A line of the file is a pattern. */
static void look_for_complaints(const char *path)
{
	char *log = malloc(LOG_SIZE), *rest, *line, pattern[512];
	int len = klogctl(SYSLOG_READ_ALL, log, LOG_SIZE - 1);
	FILE *patterns = fopen(path, "r");
	regex_t re;

	if (!patterns || len < 0) {
		fail("cannot look for complaints of the kernel");
		return;
	}
	log[len] = 0;
	while (!*why && fgets(pattern, sizeof(pattern), patterns)) {
		char *copy = strdup(log);

		pattern[strcspn(pattern, "\n")] = 0;
		if (regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB)) {
			fail("bad pattern %s", pattern);
			break;
		}
		for (line = strtok_r(copy, "\n", &rest); line && !*why;
		     line = strtok_r(NULL, "\n", &rest))
			if (!regexec(&re, line, 0, NULL, 0))
				fail("kernel: %.400s", line);
		regfree(&re);
		free(copy);
	}
}

static void look_at_counters(void)
{
	static const char dma[] = "/sys/kernel/debug/dma-api/";
	char path[64];
	long taint, errors;

	taint = atol(word_of("/proc/sys/kernel/tainted", "0"));
	if (taint & BAD_TAINT)
		fail("kernel tainted %ld", taint);
	snprintf(path, sizeof(path), "%serror_count", dma);
	errors = atol(word_of(path, "0"));
	if (errors)
		fail("DMA-API counts %ld errors", errors);
	snprintf(path, sizeof(path), "%sdisabled", dma);
	if (strcmp(word_of(path, "N"), "N"))
		fail("DMA-API debugging turned itself off");
}

int main(void)
{
	char *commands = getenv("run");
	int status;

	set_up();
	setenv("PATH", "/bin", 1);
	say("testbed: up after %s s: %s", word_of("/proc/uptime", "?"), commands);
	status = run_all(commands);
	if (status)
		fail("exit code %d", status);
	look_for_complaints("/complaints");
	look_at_counters();
	say("testbed: down after %s s", word_of("/proc/uptime", "?"));
	if (*why)
		say("testbed: verdict fail: %s", why);
	else
		say("testbed: verdict pass");
	sync();
	reboot(RB_POWER_OFF);
	return 0;
}
