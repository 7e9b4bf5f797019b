#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The demo: every topology in turn, real DMA between two devices, one table.
exec "$(dirname "$0")/matrix.sh" --demo "$@"
