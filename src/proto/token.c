/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * token.c - the words of a request line.
 */
#include "config.h"

#include "proto/token.h"

#include "store/item.h"

size_t
token_split(struct token *t, const char *line, size_t len)
{
	const char *at = line, *end = line + len;
	size_t n = 0;

	while (n < TOKEN_MAX) {
		t[n] = token_next(&at, end);
		if (t[n].len == 0)
			break;
		n++;
	}
	return n;
}

struct token
token_last(const char *line, size_t len)
{
	struct token t;

	while (len > 0 && line[len - 1] == ' ')
		len--;
	t.p = line + len;
	while (t.p > line && t.p[-1] != ' ')
		t.p--;
	t.len = (size_t)(line + len - t.p);
	return t;
}

bool
tokens_are_keys(const char *p, const char *end)
{
	struct token t;

	while (p < end && *p == ' ')
		p++;
	if (end - p <= KEY_MAX)
		return p < end; /* no part of it can be too long */
	for (t = token_next(&p, end); t.len > 0; t = token_next(&p, end))
		if (t.len > KEY_MAX)
			return false;
	return true;
}
