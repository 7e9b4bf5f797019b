/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Userspace interface of the dma-buf samples
 *
 * /dev/dma-buf-bar-<PCI device> exports, /dev/dma-buf-edu-<PCI device> imports.
 * Reserved fields must be zero. All calls return a negative value and set errno
 * on failure; -ENODEV says that the device was unplugged.
 */
#ifndef _DMA_BUF_SAMPLE_H
#define _DMA_BUF_SAMPLE_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * struct dma_buf_bar_alloc - argument of DMA_BUF_BAR_ALLOC
 * @size: in bytes, a multiple of the page size
 * @nr_ranges: number of pieces that the buffer is made of, at least one and not
 *	more than it has pages; a page that is not used separates them in the BAR
 * @reserved: zero
 *
 * Allocates a zeroed buffer in the BAR and returns a file descriptor of its
 * dma-buf, which outlives the device. Errors: -EINVAL for a bad argument,
 * -ENOSPC if the BAR is full.
 */
struct dma_buf_bar_alloc {
	__u64 size;
	__u32 nr_ranges;
	__u32 reserved;
};

enum dma_buf_bar_place {
	DMA_BUF_BAR_PLACE_BAR,
	DMA_BUF_BAR_PLACE_SYSTEM,
};

/**
 * struct dma_buf_bar_move - argument of DMA_BUF_BAR_MOVE
 * @fd: dma-buf from DMA_BUF_BAR_ALLOC of the same device
 * @place: enum dma_buf_bar_place
 * @reserved: zero
 *
 * Moves a buffer with its contents. Importers are told and map it again when
 * they need it next. Errors: -EBADF and -EINVAL for a bad argument, -EBUSY if
 * the buffer is pinned or mapped into the kernel, -ENOSPC if the BAR is full.
 */
struct dma_buf_bar_move {
	__s32 fd;
	__u32 place;
	__u64 reserved;
};

#define DMA_BUF_BAR_ALLOC	_IOW(0xdb, 0x00, struct dma_buf_bar_alloc)
#define DMA_BUF_BAR_MOVE	_IOW(0xdb, 0x01, struct dma_buf_bar_move)

/* An importer that does not handle the memory of a peer. */
#define DMA_BUF_EDU_NO_PEER2PEER	0x1
/* An importer that does not handle buffers that move: they are pinned. */
#define DMA_BUF_EDU_STATIC		0x2
/* Pin the buffer from attach to detach. */
#define DMA_BUF_EDU_PIN			0x4
/* An importer that cannot give the memory back. It has to pin. */
#define DMA_BUF_EDU_NO_INVALIDATE	0x8

/**
 * struct dma_buf_edu_attach - argument of DMA_BUF_EDU_ATTACH
 * @fd: any dma-buf
 * @flags: DMA_BUF_EDU_NO_PEER2PEER and so on, zero for all that a driver should
 *	be capable of
 * @reserved: zero
 *
 * Attaches the device to a dma-buf. Each open file can have one attachment.
 * DMA_BUF_EDU_DETACH, which takes no argument, or closing the file detaches it.
 * Errors: -EBADF and -EINVAL for a bad argument, -EBUSY if this file has an
 * attachment, and what the exporter returns. All other calls but DMA_BUF_EDU_COPY
 * fail with -ENOTCONN if it has none.
 */
struct dma_buf_edu_attach {
	__s32 fd;
	__u32 flags;
	__u64 reserved;
};

/* The device writes to the dma-buf, instead of reading from it. */
#define DMA_BUF_EDU_WRITE	0x1

/* The longest DMA of the device, in bytes. */
#define DMA_BUF_EDU_MAX_LEN	4095

/**
 * struct dma_buf_edu_dma - argument of DMA_BUF_EDU_DMA
 * @offset: first byte in the dma-buf
 * @data: address of the bytes to write, or of where to put what was read
 * @len: number of bytes, from one to DMA_BUF_EDU_MAX_LEN
 * @flags: DMA_BUF_EDU_WRITE or zero
 * @reserved: zero
 *
 * Moves bytes between the caller and the dma-buf with the DMA engine of the device.
 * Returns when they have arrived. Errors: -EINVAL for a bad argument, -EFAULT for a
 * bad @data, -EIO if the device does not answer, and what the exporter returns, for
 * example -EREMOTEIO if it cannot put the buffer where the device reaches it.
 */
struct dma_buf_edu_dma {
	__u64 offset;
	__u64 data;
	__u32 len;
	__u32 flags;
	__u64 reserved;
};

/**
 * struct dma_buf_edu_info - argument of DMA_BUF_EDU_QUERY
 * @npages: length of the current mapping; zero if there is none, which is the case
 *	before the first DMA and after the buffer has moved
 * @nr_chunks: number of chunks of the mapping
 * @nr_ranges: number of ranges that are contiguous for the device, not more than
 *	@nr_chunks because neighbours merge
 * @invalidations: how often the exporter took mappings back
 * @peer2peer: one if the device may access the memory of the exporter's device
 * @peer: one if the mapping is of that memory, zero for system memory
 * @map_error: zero, or the negative errno that the last mapping failed with
 * @reason: why @peer2peer is what it is, the word for it in fdinfo
 * @reserved: zero
 *
 * Tells what an importer knows. The route of the mapping, and why the buffer is where
 * it is, are in /proc/PID/fdinfo/FD of the dma-buf.
 */
struct dma_buf_edu_info {
	__u64 npages;
	__u64 nr_chunks;
	__u64 nr_ranges;
	__u64 invalidations;
	__u32 peer2peer;
	__u32 peer;
	__s32 map_error;
	char reason[64];
	__u32 reserved;
};

/* The longest copy, in bytes. */
#define DMA_BUF_EDU_MAX_COPY	65536

/**
 * struct dma_buf_edu_copy - argument of DMA_BUF_EDU_COPY
 * @from: address of the bytes to read, any alignment
 * @to: address of where to write them, any alignment
 * @len: number of bytes, from one to DMA_BUF_EDU_MAX_COPY
 * @reserved: zero
 *
 * The DMA engine of the device copies memory of the caller. Needs no attachment.
 * Errors: -EINVAL for a bad argument or if the two overlap, -EFAULT if one of them is
 * not there, -EREMOTEIO or -ENOMEM if the device does not reach the memory or does not
 * see what is in the caches, -EIO if it does not answer, and a part may have been
 * written then.
 */
struct dma_buf_edu_copy {
	__u64 from;
	__u64 to;
	__u32 len;
	__u32 reserved;
};

#define DMA_BUF_EDU_ATTACH	_IOW(0xdb, 0x10, struct dma_buf_edu_attach)
#define DMA_BUF_EDU_DETACH	_IO(0xdb, 0x11)
#define DMA_BUF_EDU_DMA		_IOW(0xdb, 0x12, struct dma_buf_edu_dma)
#define DMA_BUF_EDU_QUERY	_IOR(0xdb, 0x13, struct dma_buf_edu_info)
#define DMA_BUF_EDU_COPY	_IOW(0xdb, 0x14, struct dma_buf_edu_copy)

/*
 * The rest is for tests, and only exists with CONFIG_SAMPLE_DMA_BUF_TEST.
 */

/*
 * As DMA_BUF_EDU_DMA with DMA_BUF_EDU_WRITE, but the offset counts from the end
 * of the last range: the device writes to memory that is not the buffer's.
 */
#define DMA_BUF_EDU_OVERRUN	_IOW(0xdb, 0x20, struct dma_buf_edu_dma)

/**
 * struct dma_buf_vmap_copy - argument of DMA_BUF_VMAP_READ and DMA_BUF_VMAP_WRITE
 * @offset: first byte in the dma-buf
 * @data: address of the bytes to write, or of where to put what was read
 * @len: number of bytes, not more than DMA_BUF_VMAP_MAX_LEN
 * @reserved: zero
 */
struct dma_buf_vmap_copy {
	__u64 offset;
	__u64 data;
	__u32 len;
	__u32 reserved;
};

#define DMA_BUF_VMAP_MAX_LEN	4096

/*
 * On /dev/dma-buf-vmap-test. DMA_BUF_VMAP maps the dma-buf, whose descriptor is
 * the argument itself, into the kernel until the file is closed. Returns one if
 * the memory is that of a device, zero for system memory.
 */
#define DMA_BUF_VMAP		_IO(0xdb, 0x21)
#define DMA_BUF_VMAP_READ	_IOW(0xdb, 0x22, struct dma_buf_vmap_copy)
#define DMA_BUF_VMAP_WRITE	_IOW(0xdb, 0x23, struct dma_buf_vmap_copy)

/*
 * As DMA_BUF_EDU_DMA with DMA_BUF_EDU_WRITE within a page, but the device waits
 * half a second for the exporter to take the mapping back, and then writes to
 * where it was. -ETIME if the exporter does not.
 */
#define DMA_BUF_EDU_REVOKED	_IOW(0xdb, 0x24, struct dma_buf_edu_dma)

/* Map as a DMA does before it starts, and unmap; no error if nothing is mapped. */
#define DMA_BUF_EDU_MAP		_IO(0xdb, 0x25)
#define DMA_BUF_EDU_UNMAP	_IO(0xdb, 0x26)

#endif
