// SPDX-License-Identifier: GPL-2.0
/*
 * A device that does not reach a buffer, so that the DMA API would have it bounced
 *
 * A shared buffer never shows other bytes than the ones that were written to it:
 * either what bounces is copied whenever the CPU asks for access, or mapping it is
 * refused and fdinfo says why. Boot with swiotlb=force, or give the device fewer
 * address bits than there is memory. Where nothing bounces all of this holds, too.
 */
#define _GNU_SOURCE

#include <drm/drm.h>
#include <drm/drm_mode.h>
#include <drm/qxl_drm.h>

#include "p2p.h"
#include "../kselftest_harness.h"

/* Beyond what can be bounced at once, which is 256 KiB. */
#define SIZE	(2UL << 20)

/* Both ends, and across where a long run has to be cut. */
static const size_t places[] = {
	0, (256UL << 10) - 512, SIZE / 2 - 512, SIZE - 1024,
};

#define LEN	1024
#define NR	(sizeof(places) / sizeof(*places))

/* An emulated DMA is slow, and the machine that emulates it may be busy. */
#define TIMEOUT	150

FIXTURE(bounce) {
	struct p2p_dev edu, second;
	int buf;
	char *map;
	char want[NR][LEN], got[LEN];
};

FIXTURE_VARIANT(bounce) {
	const char *name;
	int (*export)(const char *name);
};

static int export_udmabuf(const char *name)
{
	int memfd = udmabuf_memfd(SIZE, 0);
	int buf = memfd < 0 ? memfd : udmabuf_alloc(memfd, SIZE, SIZE);

	close(memfd);
	return buf;
}

static int export_heap(const char *name)
{
	return heap_alloc(name, SIZE);
}

/* The first device of that driver */
static int open_card(const char *driver)
{
	char path[32], name[32];
	int i, card;

	for (i = 0; i < 8; i++) {
		struct drm_version version = {
			.name = name, .name_len = sizeof(name),
		};

		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		card = open(path, O_RDWR | O_CLOEXEC);
		if (card < 0)
			continue;
		memset(name, 0, sizeof(name));
		if (!ioctl(card, DRM_IOCTL_VERSION, &version) &&
		    !strncmp(name, driver, sizeof(name)))
			return card;
		close(card);
	}
	return -ENODEV;
}

static int export_handle(int card, int ret, __u32 handle)
{
	struct drm_prime_handle prime = {
		.handle = handle, .flags = DRM_CLOEXEC | DRM_RDWR,
	};

	ret = ret ?: p2p_errno(ioctl(card, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime));
	close(card);
	return ret ?: prime.fd;
}

static int export_dumb(const char *name)
{
	struct drm_mode_create_dumb dumb = {
		.width = 1024, .height = SIZE / 4 / 1024, .bpp = 32,
	};
	char command[64];
	int card, ret;

	snprintf(command, sizeof(command), "modprobe -q %s", name);
	ret = system(command);
	card = open_card(name);
	if (card < 0)
		return card;
	ret = p2p_errno(ioctl(card, DRM_IOCTL_MODE_CREATE_DUMB, &dumb));
	return export_handle(card, ret, dumb.handle);
}

static int export_qxl(const char *name)
{
	struct drm_qxl_alloc alloc = { .size = SIZE };
	int card = open_card(name), ret;

	if (card < 0)
		return card;
	ret = p2p_errno(ioctl(card, DRM_IOCTL_QXL_ALLOC, &alloc));
	return export_handle(card, ret, alloc.handle);
}

FIXTURE_VARIANT_ADD(bounce, udmabuf) {
	.name = "udmabuf", .export = export_udmabuf,
};

FIXTURE_VARIANT_ADD(bounce, system_heap) {
	.name = "system", .export = export_heap,
};

FIXTURE_VARIANT_ADD(bounce, cma_heap) {
	.name = "default_cma_region", .export = export_heap,
};

FIXTURE_VARIANT_ADD(bounce, vgem) {
	.name = "vgem", .export = export_dumb,
};

FIXTURE_VARIANT_ADD(bounce, vkms) {
	.name = "vkms", .export = export_dumb,
};

FIXTURE_VARIANT_ADD(bounce, qxl) {
	.name = "qxl", .export = export_qxl,
};

FIXTURE_SETUP(bounce)
{
	self->edu.fd = -1;
	self->second.fd = -1;
	self->map = MAP_FAILED;
	self->buf = variant->export(variant->name);
	if (self->buf < 0)
		SKIP(return, "no %s: %s", variant->name, strerror(-self->buf));
	if (p2p_open(&self->edu, EDU_NODES) < 0)
		SKIP(return, "no " EDU_NODES "*, is dma-buf-edu loaded?");
	self->map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->buf, 0);
	ASSERT_TRUE(self->map != MAP_FAILED);
}

FIXTURE_TEARDOWN(bounce)
{
	if (self->map != MAP_FAILED)
		munmap(self->map, SIZE);
	close(self->buf);
	close(self->second.fd);
	close(self->edu.fd);
}

/* Is it on record that it was refused for being bounced? */
static bool refused_for_bouncing(int buf, const char *pci)
{
	char text[4096], want[64], *line;

	if (p2p_fdinfo(buf, text, sizeof(text)))
		return false;
	snprintf(want, sizeof(want), "\nfailed:\t%s error=", pci);
	line = strstr(text, want);
	if (!line)
		return false;
	line[1 + strcspn(line + 1, "\n")] = 0;
	return strstr(line, "bounce");
}

/*
 * Attaches, and has the device read a byte, which maps the buffer. Returns false
 * if it is refused for the one good reason.
 */
#define MAPPED(dev) ({							\
	const struct p2p_dev *_dev = (dev);				\
	int _ret = edu_attach(_dev->fd, self->buf, 0);			\
	bool _mapped;							\
									\
	_ret = _ret ?: edu_read(_dev->fd, 0, self->got, 1);		\
	_mapped = !_ret;						\
	if (_ret && refused_for_bouncing(self->buf, _dev->pci))		\
		TH_LOG("%s: refused: %s", variant->name, strerror(-_ret)); \
	else								\
		ASSERT_EQ(0, _ret);					\
	_mapped;							\
})

/* New bytes at each place, written by the CPU. */
#define CPU_WRITES() do {						\
	size_t _i;							\
									\
	p2p_random(self->want, sizeof(self->want));			\
	ASSERT_EQ(0, p2p_sync(self->buf, DMA_BUF_SYNC_START |		\
			      DMA_BUF_SYNC_WRITE));			\
	for (_i = 0; _i < NR; _i++)					\
		memcpy(self->map + places[_i], self->want[_i], LEN);	\
	ASSERT_EQ(0, p2p_sync(self->buf, DMA_BUF_SYNC_END |		\
			      DMA_BUF_SYNC_WRITE));			\
} while (0)

#define EXPECT_CPU_READS() do {						\
	size_t _i;							\
									\
	ASSERT_EQ(0, p2p_sync(self->buf, DMA_BUF_SYNC_START |		\
			      DMA_BUF_SYNC_READ));			\
	for (_i = 0; _i < NR; _i++)					\
		EXPECT_EQ(0, memcmp(self->map + places[_i],		\
				    self->want[_i], LEN));		\
	ASSERT_EQ(0, p2p_sync(self->buf, DMA_BUF_SYNC_END |		\
			      DMA_BUF_SYNC_READ));			\
} while (0)

#define DEVICE_WRITES(dev) do {						\
	size_t _i;							\
									\
	p2p_random(self->want, sizeof(self->want));			\
	for (_i = 0; _i < NR; _i++)					\
		ASSERT_EQ(0, edu_write((dev)->fd, places[_i],		\
				       self->want[_i], LEN));		\
} while (0)

#define EXPECT_DEVICE_READS(dev) do {					\
	size_t _i;							\
									\
	for (_i = 0; _i < NR; _i++) {					\
		ASSERT_EQ(0, edu_read((dev)->fd, places[_i],		\
				      self->got, LEN));			\
		EXPECT_EQ(0, memcmp(self->want[_i], self->got, LEN));	\
	}								\
} while (0)

TEST_F_TIMEOUT(bounce, cpu_and_device_see_what_the_other_wrote, TIMEOUT)
{
	int round;

	/* Before there is a mapping, which has to take it along */
	CPU_WRITES();
	if (!MAPPED(&self->edu))
		return;
	EXPECT_DEVICE_READS(&self->edu);
	for (round = 0; round < 2; round++) {
		DEVICE_WRITES(&self->edu);
		EXPECT_CPU_READS();
		CPU_WRITES();
		EXPECT_DEVICE_READS(&self->edu);
	}
}

/* What the device wrote last has to be there when the mapping is gone. */
TEST_F_TIMEOUT(bounce, unmapping_keeps_what_the_device_wrote, TIMEOUT)
{
	CPU_WRITES();
	if (!MAPPED(&self->edu))
		return;
	DEVICE_WRITES(&self->edu);
	ASSERT_EQ(0, ioctl(self->edu.fd, DMA_BUF_EDU_DETACH));
	EXPECT_CPU_READS();
	if (!MAPPED(&self->edu))
		return;
	EXPECT_DEVICE_READS(&self->edu);
}

/*
 * Devices share a buffer without a word to the CPU. One that bounces has a copy of
 * its own, so that two importers cannot be had then.
 */
TEST_F_TIMEOUT(bounce, two_importers_see_what_the_other_wrote, TIMEOUT)
{
	if (p2p_open_nth(&self->second, EDU_NODES, 1) < 0)
		ASSERT_EQ(0, p2p_open(&self->second, EDU_NODES));

	CPU_WRITES();
	if (!MAPPED(&self->edu) || !MAPPED(&self->second))
		return;
	EXPECT_DEVICE_READS(&self->edu);
	EXPECT_DEVICE_READS(&self->second);
	DEVICE_WRITES(&self->edu);
	EXPECT_DEVICE_READS(&self->second);
	DEVICE_WRITES(&self->second);
	EXPECT_DEVICE_READS(&self->edu);
	EXPECT_CPU_READS();
}

TEST_HARNESS_MAIN
