/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pages.c - giving memory back to the system without giving up its addresses.
 */
#include "config.h"

#include "base/pages.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

void
pages_give_back(void *from, void *to)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t first = ((uintptr_t)from + page - 1) & ~(page - 1);
	uintptr_t end = (uintptr_t)to & ~(page - 1);

	/* madvise() would round the end up, over what others use. */
	if (first < end)
		(void)madvise((void *)first, end - first, MADV_DONTNEED);
}
