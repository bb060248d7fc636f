/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * base64.h - binary keys of the meta commands (RFC 4648, section 4).
 *
 * Layer: base.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stddef.h>

#include "base/attr.h"

#define BASE64_LEN(n) (((n) + 2) / 3 * 4)

/* Writes BASE64_LEN(n) characters, padded, no NUL; returns how many. */
size_t base64_encode(char *out, const void *in, size_t n);

/*
 * Decodes into `out` (room for n / 4 * 3 bytes).  As memcached does: characters
 * outside the alphabet are skipped, what remains must be whole groups of four,
 * and a padded group ends it.  Returns the length, 0 when it can't be decoded.
 */
size_t base64_decode(char *out, const char *in, size_t n) MUST_USE;

#endif
