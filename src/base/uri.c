/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * uri.c - keys in dumps and logs, percent-encoded (RFC 3986, section 2).
 */
#include "config.h"

#include "base/uri.h"

#include <stdbool.h>

static bool
is_unreserved(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
	    c == '~';
}

size_t
uri_encode(char *out, const char *in, size_t n)
{
	static const char hex[] = "0123456789ABCDEF";
	char *o = out;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)in[i];

		if (is_unreserved(c)) {
			*o++ = (char)c;
			continue;
		}
		*o++ = '%';
		*o++ = hex[c >> 4];
		*o++ = hex[c & 15];
	}
	return (size_t)(o - out);
}
