#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# matrix.sh [option ...] - the rows of matrix.table on a current fast kernel,
# reported to test.sh. With --demo one table for people; see matrix.py --help.
# shellcheck source=testbed/lib.sh

set -eu
. "$(dirname "$0")/lib.sh"

need python3 qemu-system-x86_64 gcc cpio
"$TOP/testbed/kernel.sh" fast
exec "$TOP/testbed/matrix.py" "$@"
