// SPDX-License-Identifier: GPL-2.0
#include "../../samples/dma-buf/edu-user.c"
