/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * base64.c - binary keys of the meta commands (RFC 4648, section 4).
 */
#include "config.h"

#include "base/base64.h"

#include <stdint.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			       "abcdefghijklmnopqrstuvwxyz0123456789+/";

enum { PADDING = 64, SKIPPED = -1 };

static int
sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	if (c == '/')
		return 63;
	return c == '=' ? PADDING : SKIPPED;
}

size_t
base64_encode(char *out, const void *in, size_t n)
{
	const unsigned char *p = in;
	char *o = out;

	for (size_t i = 0; i < n; i += 3) {
		unsigned left = (unsigned)(n - i < 3 ? n - i : 3);
		uint32_t v = (uint32_t)p[i] << 16;

		if (left > 1)
			v |= (uint32_t)p[i + 1] << 8;
		if (left > 2)
			v |= p[i + 2];
		*o++ = alphabet[v >> 18];
		*o++ = alphabet[v >> 12 & 63];
		*o++ = left > 1 ? alphabet[v >> 6 & 63] : '=';
		*o++ = left > 2 ? alphabet[v & 63] : '=';
	}
	return (size_t)(o - out);
}

size_t
base64_decode(char *out, const char *in, size_t n)
{
	char *o = out;
	uint32_t v = 0;
	unsigned have = 0, pad = 0;

	for (size_t i = 0; i < n; i++) {
		int s = sextet(in[i]);

		if (s == SKIPPED)
			continue;
		if (pad > 0 && (s != PADDING || have == 0))
			return 0;
		if (s == PADDING)
			pad++;
		v = v << 6 | (uint32_t)(s & 63);
		if (++have < 4)
			continue;
		if (pad > 2)
			return 0;
		*o++ = (char)(v >> 16);
		if (pad < 2)
			*o++ = (char)(v >> 8);
		if (pad < 1)
			*o++ = (char)v;
		if (pad > 0)
			break;
		have = 0;
		v = 0;
	}
	return have == 0 || have == 4 ? (size_t)(o - out) : 0;
}
