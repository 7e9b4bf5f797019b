#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# matrix.sh [option ...] - the rows of matrix.table on the debug kernel, which
# finds fault where it can, reported to test.sh. With --demo one table for people
# on the fast kernel; see matrix.py --help.
# shellcheck source=testbed/lib.sh

set -eu
. "$(dirname "$0")/lib.sh"

kernel=debug
case " $* " in *" --demo "*) kernel=fast ;; esac
need python3 qemu-system-x86_64 gcc cpio
"$TOP/testbed/kernel.sh" "$kernel"

# The sample importer with an IOMMU domain of its own
step "building an importer with a domain of its own" "$LOG/edu-domain.log" guest_modules "$kernel" edu-domain
exec "$TOP/testbed/matrix.py" --kernel "$kernel" "$@"
