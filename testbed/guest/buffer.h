/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Buffers of the exporters that every machine has, for programs that let a device read
 * and write them.
 */
#ifndef BUFFER_H
#define BUFFER_H

#include "guest.h"

#define MAX_SIZE	(64 * PAGE)

struct buffer {
	int fd;
	size_t size;
	char *map;
};

/* What buffer_fill() wrote last, and room for what is read */
static char want[MAX_SIZE], got[MAX_SIZE];

/* "udmabuf" is scattered, all else is a heap of that name. */
static inline struct buffer export_sized(const char *name, size_t size)
{
	struct buffer buf = { .size = size };

	if (!strcmp(name, "udmabuf"))
		buf.fd = export_scattered(buf.size);
	else
		buf.fd = check(name, heap_alloc(name, buf.size));
	buf.map = mmap(NULL, buf.size, PROT_READ | PROT_WRITE, MAP_SHARED, buf.fd, 0);
	if (buf.map == MAP_FAILED)
		die("mapping the buffer", -errno);
	return buf;
}

/* "udmabuf" is scattered, all else is from the system heap. */
static inline struct buffer export(const char *name)
{
	return export_sized(strcmp(name, "udmabuf") ? "system" : name, MAX_SIZE);
}

static inline void buffer_close(struct buffer *buf)
{
	munmap(buf->map, buf->size);
	close(buf->fd);
}

static inline void buffer_fill(const struct buffer *buf)
{
	p2p_random(want, buf->size);
	check("writing", cpu_write(buf->fd, buf->map, want, buf->size));
}

static inline void buffer_read(const struct buffer *buf)
{
	check("reading", cpu_read(buf->fd, buf->map, got, buf->size));
}

static inline bool attached(const struct buffer *buf)
{
	char text[4096];

	check("fdinfo", p2p_fdinfo(buf->fd, text, sizeof(text)));
	return strstr(text, "\nattach:");
}

static inline void expect_detached(const struct buffer *buf)
{
	int tries;

	/* The last reference is put by a work. */
	for (tries = 0; tries < 50 && attached(buf); tries++)
		usleep(20000);
	expect("nothing is attached", tries < 50);
}

#endif
