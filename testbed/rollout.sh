#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The state of the roll-out: is what ROLLOUT.md says of it true. The last part,
# it looks at what the others have found.
# shellcheck source=testbed/lib.sh
. "$(dirname "$0")/lib.sh"
exec "$TOP/testbed/rollout.py" check
