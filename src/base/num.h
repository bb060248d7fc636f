/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * num.h - decimal numbers as they stand on the wire.
 *
 * A parser takes the whole token or nothing: no blanks, no trailing text, no
 * overflow.  `strict` takes digits only; `signed` and `loose` also take what
 * strtoll() and strtoull() take at the front of a number where memcached uses
 * them: one sign.
 *
 * Layer: base.
 */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum { NUM_MAX = 20 }; /* digits of the largest 64-bit number */

/* Digits only, any number of leading zeros, at most `max`. */
bool num_strict(const char *p, size_t n, uint64_t max, uint64_t *out) MUST_USE;

/* As num_strict(), with an optional `+`. */
bool num_loose(const char *p, size_t n, uint64_t max, uint64_t *out) MUST_USE;

/* With an optional sign; within min and max. */
bool num_signed(const char *p, size_t n, int64_t min, int64_t max,
    int64_t *out) MUST_USE;

/* Writes the digits to `out` (NUM_MAX bytes), no NUL; returns how many. */
size_t num_print(char *out, uint64_t v);

#endif
