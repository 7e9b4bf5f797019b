// SPDX-License-Identifier: GPL-2.0
/*
 * What another domain would see of a dma-buf: its pages are granted, here to the
 * own domain, and what is mapped by these grants is compared with the buffer.
 */
#define _GNU_SOURCE
#include "guest.h"

/* The header leaves these to who includes it. */
typedef uint32_t grant_ref_t;
typedef uint16_t domid_t;
#include <xen/gntdev.h>

#define NR	64
#define SIZE	(NR * PAGE)

static char *map_fd(int fd, off_t offset)
{
	char *map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			 offset);

	if (map == MAP_FAILED)
		die("mapping", -errno);
	return map;
}

int main(void)
{
	struct ioctl_gntdev_dmabuf_imp_to_refs *granted =
		calloc(1, sizeof(*granted) + NR * sizeof(*granted->refs));
	struct ioctl_gntdev_map_grant_ref *wanted =
		calloc(1, sizeof(*wanted) + NR * sizeof(*wanted->refs));
	int buf = check("allocating", heap_alloc("system", SIZE)), i;
	int xen = check("/dev/xen/gntdev",
			p2p_errno(open("/dev/xen/gntdev", O_RDWR | O_CLOEXEC)));
	char *here = map_fd(buf, 0), *there, want[SIZE];

	granted->fd = buf;
	granted->count = NR;
	call("granting", xen, IOCTL_GNTDEV_DMABUF_IMP_TO_REFS, granted);
	wanted->count = NR;
	for (i = 0; i < NR; i++)
		wanted->refs[i].ref = granted->refs[i];
	call("asking for the grants", xen, IOCTL_GNTDEV_MAP_GRANT_REF, wanted);
	there = map_fd(xen, wanted->index);

	/* Without a word to the kernel, so that nobody copies: they are one page. */
	p2p_random(want, SIZE);
	memcpy(here, want, SIZE);
	expect("who has the grants sees what was written",
	       !memcmp(there, want, SIZE));
	p2p_random(want, SIZE);
	memcpy(there, want, SIZE);
	expect("what who has the grants writes is seen",
	       !memcmp(here, want, SIZE));
	printf("result: verified=%lu\n", 2 * SIZE);
	return 0;
}
