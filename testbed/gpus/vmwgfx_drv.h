/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Included before vmwgfx_drv.c, after its header. QEMU's vmware-svga does not let the
 * driver say how long a line of the display is, and so it refuses to probe. It would
 * not do so if told that there is the register: this one is never written.
 */
#define vmw_fifo_have_pitchlock(dev_priv) true
