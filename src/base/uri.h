/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * uri.h - keys in dumps and logs, percent-encoded (RFC 3986, section 2).
 *
 * Layer: base.
 */
#ifndef BASE_URI_H
#define BASE_URI_H

#include <stddef.h>

/* Encodes all but unreserved characters; `out` has room for 3 * n bytes. */
size_t uri_encode(char *out, const char *in, size_t n);

#endif
