// SPDX-License-Identifier: GPL-2.0
/*
 * radeon imports a udmabuf of scattered pages, and what it writes into its GART is what
 * a GPU would read: the entries that are new, one after the other, are the addresses
 * of the buffer, until that is gone. There is no IOMMU, so /dev/mem has the bytes.
 *
 * And its cursor is pinned in VRAM, where no other device gets at it.
 */
#define _GNU_SOURCE
#include "buffer.h"

#include <drm/drm_mode.h>

#define NR_ENTRIES	(512UL << 20 >> 12)
#define NR_PAGES	(MAX_SIZE / PAGE)

static uint32_t before[NR_ENTRIES], bound[NR_ENTRIES], after[NR_ENTRIES];

/* Where the table is, as the driver says in the log */
static off_t table_address(void)
{
	static char log[1 << 20];
	int kmsg = check("kmsg", p2p_errno(open("/dev/kmsg", O_RDONLY | O_NONBLOCK)));
	unsigned long long address = 0;
	ssize_t len;
	char *found;

	while ((len = read(kmsg, log, sizeof(log) - 1)) > 0) {
		log[len] = 0;
		found = strstr(log, "PCI GART of 512M enabled (table at 0x");
		if (found)
			sscanf(found, "PCI GART of 512M enabled (table at %llx", &address);
	}
	close(kmsg);
	expect("the driver says where its table is", address);
	return address;
}

static void read_memory(int mem, off_t at, void *data, size_t len)
{
	expect("reading /dev/mem", pread(mem, data, len, at) == (ssize_t)len);
}

/* How many entries are others than before the import, and which is the first. */
static size_t new_entries(size_t *first)
{
	size_t i, count = 0;

	for (i = NR_ENTRIES; i--;) {
		if (before[i] != bound[i]) {
			*first = i;
			count++;
		}
	}
	return count;
}

static void import(int card)
{
	int mem = check("/dev/mem", p2p_errno(open("/dev/mem", O_RDONLY | O_CLOEXEC)));
	struct buffer buf = export("udmabuf");
	struct drm_prime_handle prime = { .fd = buf.fd };
	struct drm_gem_close gem = { };
	off_t table = table_address();
	struct record record;
	size_t i, first = 0;

	read_memory(mem, table, before, sizeof(before));
	buffer_fill(&buf);
	call("importing", card, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime);
	read_record(buf.fd, &record);
	read_memory(mem, table, bound, sizeof(bound));
	expect("as many entries are new as there are pages", new_entries(&first) == NR_PAGES);
	for (i = 0; i < NR_PAGES; i++)
		read_memory(mem, bound[first + i], got + i * PAGE, PAGE);
	expect("the GART has the bytes of the buffer", !memcmp(got, want, buf.size));

	gem.handle = prime.handle;
	call("closing the handle", card, DRM_IOCTL_GEM_CLOSE, &gem);
	expect_detached(&buf);
	/* An entry that is not used has the address of a page that is for nothing else. */
	read_memory(mem, table, after, sizeof(after));
	for (i = 0; i < NR_PAGES; i++)
		expect("the GART has nothing of the buffer", after[first + i] != bound[first + i]);
	printf("result: exporter=udmabuf importer=radeon memory=%s route=%s chunks=%s verified=%zu\n",
	       record.memory, record.route, record.chunks, buf.size);
	buffer_close(&buf);
}

static void export_cursor(int card)
{
	struct drm_mode_create_dumb dumb = { .width = 64, .height = 64, .bpp = 32 };
	uint32_t crtcs[16];
	struct drm_mode_card_res res = { .crtc_id_ptr = (uintptr_t)crtcs, .count_crtcs = 16 };
	struct drm_mode_cursor cursor = {
		.flags = DRM_MODE_CURSOR_BO, .width = dumb.width, .height = dumb.height,
	};
	struct dma_buf_edu_info info;
	struct p2p_dev edu;
	char byte;
	int fd;

	call("allocating a buffer", card, DRM_IOCTL_MODE_CREATE_DUMB, &dumb);
	call("resources", card, DRM_IOCTL_MODE_GETRESOURCES, &res);
	cursor.crtc_id = crtcs[0];
	cursor.handle = dumb.handle;
	call("setting the cursor", card, DRM_IOCTL_MODE_CURSOR, &cursor);

	fd = drm_export(card, dumb.handle);
	check("no " EDU_NODES "*", p2p_open(&edu, EDU_NODES));
	check("attaching", edu_attach(edu.fd, fd, 0));
	expect("DMA fails", edu_read(edu.fd, 0, &byte, 1) < 0);
	check("query", edu_query(edu.fd, &info));
	printf("result: exporter=radeon error=%s verified=none\n",
	       strerrorname_np(-info.map_error));
	close(edu.fd);
	close(fd);
}

int main(void)
{
	int card = drm_open("radeon", NULL);

	import(card);
	export_cursor(card);
	return 0;
}
