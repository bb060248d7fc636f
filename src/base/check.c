/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * check.c - the end of a process whose state is wrong.
 */
#include "config.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

void
check_failed(const char *cond, const char *file, int line)
{
	fprintf(stderr, "leasecached: check failed: %s at %s:%d\n", cond, file,
	    line);
	abort();
}
