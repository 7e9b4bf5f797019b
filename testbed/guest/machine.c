// SPDX-License-Identifier: GPL-2.0
/*
 * What kind of machine this is
 */
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

int main(void)
{
	struct utsname name;
	int one = 1;

	uname(&name);
	printf("result: arch=%s pages=%ldK endian=%s\n", name.machine,
	       sysconf(_SC_PAGESIZE) / 1024, *(char *)&one ? "little" : "big");
	return 0;
}
