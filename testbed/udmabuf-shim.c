// SPDX-License-Identifier: GPL-2.0
/*
 * Preloaded into QEMU where the host has no /dev/udmabuf: virtio-gpu insists on
 * opening it, but does not use it for a buffer that is contiguous in the guest.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/types.h>

static int shim(const char *name, const char *path, int flags, mode_t mode)
{
	int (*next)(const char *, int, ...) = dlsym(RTLD_NEXT, name);

	return next(strcmp(path, "/dev/udmabuf") ? path : "/dev/null", flags,
		    mode);
}

#define SHIM(name)						\
int name(const char *path, int flags, ...)			\
{								\
	va_list args;						\
	mode_t mode;						\
								\
	va_start(args, flags);					\
	mode = va_arg(args, mode_t);				\
	va_end(args);						\
	return shim(#name, path, flags, mode);			\
}

SHIM(open)
SHIM(open64)
