/* SPDX-License-Identifier: GPL-2.0 */
/* For a vmlinux.h without the kernel's functions, as a pahole before 1.26 leaves it */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>

extern int bpf_iter_dmabuf_new(struct bpf_iter_dmabuf *it) __weak __ksym;
extern struct dma_buf *bpf_iter_dmabuf_next(struct bpf_iter_dmabuf *it) __weak __ksym;
extern void bpf_iter_dmabuf_destroy(struct bpf_iter_dmabuf *it) __weak __ksym;
