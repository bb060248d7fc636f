/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * check.h - assertions that stay in the product.
 *
 * CHECK() is cheap and always on: a broken contract or corrupt memory stops
 * the process with the condition and its place, because a cache that goes on
 * with a wrong state serves wrong bytes.  DCHECK() is for costly invariants
 * and exists in debug builds only.
 *
 * Layer: base.
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#include "base/attr.h"

#define CHECK(cond)                                                            \
	(LIKELY(cond) ? (void)0 : check_failed(#cond, __FILE__, __LINE__))

#ifdef LEASECACHED_DEBUG
#define DCHECK(cond) CHECK(cond)
#else
#define DCHECK(cond) ((void)sizeof(cond))
#endif

/* Prints the condition and its place to stderr, then aborts. */
void check_failed(const char *cond, const char *file, int line) NORETURN;

#endif
