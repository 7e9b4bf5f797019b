// SPDX-License-Identifier: GPL-2.0
/*
 * The machine goes to sleep as far as pm_test lets it, with buffers that are mapped:
 *
 *	sleeps LEVEL...		of /sys/power/pm_test
 *
 * Each buffer has an importer of its own, which maps it before. Afterwards nobody maps
 * again: the device finds what the CPU wrote before, and the CPU what the device writes
 * through the mapping that was there all the time. One more importer does DMA on and
 * on, and is frozen in the middle of it.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/wait.h>

#include "guest.h"

#define SIZE	(3 * PAGE)

struct import {
	const char *name;
	struct p2p_dev edu;
	struct dma_buf_edu_info before;
	int buf;
	char *map;
	char want[SIZE];
};

static void import(struct import *imp, const char *name, int buf)
{
	char got[SIZE];

	imp->name = name;
	imp->buf = check(name, buf);
	imp->map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, buf, 0);
	if (imp->map == MAP_FAILED)
		die(name, -errno);
	check("no edu", p2p_open(&imp->edu, EDU_NODES));
	check("attaching", edu_attach(imp->edu.fd, buf, 0));
	check("DMA", edu_read(imp->edu.fd, 0, got, SIZE));
	p2p_random(imp->want, SIZE);
	check("writing", cpu_write(buf, imp->map, imp->want, SIZE));
	check("query", edu_query(imp->edu.fd, &imp->before));
	expect("the buffer is mapped", imp->before.npages == SIZE / PAGE);
}

/* Both ways, through the mapping that slept. */
static void verify(struct import *imp, const char *level)
{
	struct dma_buf_edu_info info;
	struct p2p_map where;
	char got[SIZE];

	check("query", edu_query(imp->edu.fd, &info));
	expect("nobody took the mapping away", !memcmp(&info, &imp->before, sizeof(info)));
	check("DMA from the buffer", edu_read(imp->edu.fd, 0, got, SIZE));
	expect("the device reads what was there before", !memcmp(got, imp->want, SIZE));
	p2p_random(imp->want, SIZE);
	check("DMA to the buffer", edu_write(imp->edu.fd, 0, imp->want, SIZE));
	check("reading", cpu_read(imp->buf, imp->map, got, SIZE));
	expect("the CPU reads what the device wrote", !memcmp(got, imp->want, SIZE));
	expect("fdinfo agrees with the importer", p2p_fdinfo_agrees(imp->buf, imp->edu.pci, &info, &where));
	printf("result: slept=%s exporter=%s memory=%s route=%s verified=%lu\n", level, imp->name,
	       where.memory, where.route, 2 * SIZE);
}

/* Ends with what was wrong, or when it is told to. */
static void keep_busy(void)
{
	char want[SIZE], got[SIZE];
	struct import imp;

	import(&imp, "busy", heap_alloc("system", SIZE));
	for (;;) {
		p2p_random(want, SIZE);
		check("DMA meanwhile", edu_write(imp.edu.fd, 0, want, SIZE));
		check("reading meanwhile", cpu_read(imp.buf, imp.map, got, SIZE));
		expect("DMA meanwhile arrives", !memcmp(want, got, SIZE));
	}
}

static long successes(void)
{
	char text[32];

	check("suspend_stats", p2p_read_file("/sys/power/suspend_stats/success", text, sizeof(text)));
	return atol(text);
}

int main(int argc, char **argv)
{
	static struct import imports[4];
	struct p2p_dev bar;
	int i, n = 0, level, status, memfd;
	pid_t busy;
	long before;

	check("no bar", p2p_open(&bar, BAR_NODES));
	import(&imports[n++], "bar", bar_alloc(bar.fd, SIZE, 3));
	memfd = check("memfd", udmabuf_memfd(2 * SIZE, 0));
	import(&imports[n++], "udmabuf", udmabuf_alloc(memfd, SIZE, PAGE));
	import(&imports[n++], "system-heap", heap_alloc("system", SIZE));
	import(&imports[n++], "cma-heap", heap_alloc("default_cma_region", SIZE));

	busy = fork();
	if (!busy)
		keep_busy();
	check("delay", p2p_write_file("/sys/module/suspend/parameters/pm_test_delay", "1"));
	for (level = 1; level < argc; level++) {
		check(argv[level], p2p_write_file("/sys/power/pm_test", argv[level]));
		before = successes();
		check("sleeping", p2p_write_file("/sys/power/state", "mem"));
		expect("the machine slept", successes() == before + 1);
		for (i = 0; i < n; i++)
			verify(&imports[i], argv[level]);
		expect("DMA went on meanwhile", !waitpid(busy, &status, WNOHANG));
	}
	kill(busy, SIGKILL);
	waitpid(busy, &status, 0);
	return 0;
}
