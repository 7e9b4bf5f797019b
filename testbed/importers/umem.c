// SPDX-License-Identifier: GPL-2.0-only
/*
 * RDMA umem without the rest of RDMA, and its own tests from the tree
 */
#define CONFIG_INFINIBAND_USER_MEM 1
#include "drivers/infiniband/core/umem_dmabuf.c"
#include "drivers/infiniband/core/umem.c"
#include "drivers/infiniband/core/iter.c"
#include "drivers/dma-buf/st-dma-buf-umem.c"
