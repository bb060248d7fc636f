/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * token.h - the words of a request line.
 *
 * Words are separated by spaces, any number of them; every other byte belongs
 * to a word.  Nothing is copied: a token points into the line.
 *
 * Layer: proto.
 */
#ifndef PROTO_TOKEN_H
#define PROTO_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/attr.h"

enum { TOKEN_MAX = 24 };

struct token {
	const char *p;
	size_t len;
};

/* The next blank from p on, or the end. */
static inline const char *
token_blank(const char *p, const char *end)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	/* Eight bytes at a time: in x the first zero byte is a blank. */
	while (end - p >= 8) {
		uint64_t x, hit;

		memcpy(&x, p, sizeof(x));
		x ^= 0x2020202020202020;
		hit = (x - 0x0101010101010101) & ~x & 0x8080808080808080;
		if (hit != 0)
			return p + __builtin_ctzll(hit) / 8;
		p += 8;
	}
#endif
	while (p < end && *p != ' ')
		p++;
	return p;
}

/* The next word from *at on, and *at moved behind it; len 0 at the end. */
static inline struct token
token_next(const char **at, const char *end)
{
	struct token t;
	const char *p = *at;

	while (p < end && *p == ' ')
		p++;
	t.p = p;
	*at = token_blank(p, end);
	t.len = (size_t)(*at - p);
	return t;
}

/* Splits up to TOKEN_MAX words; returns how many the line has (capped). */
size_t token_split(struct token *t, const char *line, size_t len);

/* Whether there is a word, and none is too long for a key. */
bool tokens_are_keys(const char *p, const char *end);

/* The last word of the line. */
struct token token_last(const char *line, size_t len);

#define TOKEN_IS(t, literal)                                                   \
	((t).len == sizeof(literal) - 1 &&                                     \
	    memcmp((t).p, literal, sizeof(literal) - 1) == 0)

#endif
