// SPDX-License-Identifier: GPL-2.0
/*
 * vmwgfx imports a udmabuf of scattered pages and maps it for the CPU. There is nothing
 * in QEMU's vmware-svga that would read the memory of the guest.
 */
#define _GNU_SOURCE
#include "buffer.h"

#include <drm/drm_mode.h>

int main(void)
{
	int card = drm_open("vmwgfx", NULL);
	struct buffer buf = export("udmabuf");
	struct drm_prime_handle prime = { .fd = buf.fd };
	struct drm_mode_map_dumb where = { };
	struct drm_gem_close gem = { };
	struct record record;
	char *map;

	call("importing", card, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime);
	read_record(buf.fd, &record);

	where.handle = prime.handle;
	call("where it is mapped", card, DRM_IOCTL_MODE_MAP_DUMB, &where);
	map = mmap(NULL, buf.size, PROT_READ | PROT_WRITE, MAP_SHARED, card, where.offset);
	if (map == MAP_FAILED)
		die("mapping what was imported", -errno);
	buffer_fill(&buf);
	expect("it has what the exporter wrote", !memcmp(map, want, buf.size));
	p2p_random(want, buf.size);
	memcpy(map, want, buf.size);
	buffer_read(&buf);
	expect("the exporter reads what was written to it", !memcmp(got, want, buf.size));

	munmap(map, buf.size);
	gem.handle = prime.handle;
	call("closing the handle", card, DRM_IOCTL_GEM_CLOSE, &gem);
	expect_detached(&buf);
	printf("result: exporter=udmabuf importer=vmwgfx memory=%s route=%s chunks=%s verified=%zu\n",
	       record.memory, record.route, record.chunks, 2 * buf.size);
	buffer_close(&buf);
	return 0;
}
