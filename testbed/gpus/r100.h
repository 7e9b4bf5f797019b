/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Included before r100.c, after radeon.h. QEMU's ati-vga has what a buffer in the GART
 * of a Radeon needs, a table in memory and the registers that say where, but not the
 * engine that runs commands. The driver notices, goes on without acceleration, and gives
 * the GART up, so that nothing can be imported or exported. Keep it until the device goes.
 */
#define radeon_gart_fini(rdev) \
	do { if (!(rdev)->accel_working) radeon_gart_fini(rdev); } while (0)
#define radeon_gart_table_ram_free(rdev) \
	do { if (!(rdev)->accel_working) radeon_gart_table_ram_free(rdev); } while (0)
