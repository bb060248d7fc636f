/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * framing.c - whether a stream of replies can be told apart by a client.
 */
#include "config.h"

#include "framing.h"

#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "proto/token.h"

/* Whole lines. */
static const char *const lines[] = { "STORED", "NOT_STORED", "EXISTS",
	"NOT_FOUND", "DELETED", "TOUCHED", "END", "OK", "ERROR", "MN", "RESET",
	"Error TLS not enabled" };

/* What longer lines begin with. */
static const char *const begins[] = { "CLIENT_ERROR ", "SERVER_ERROR", "ERROR ",
	"VERSION ", "STAT ", "ITEM ", "PREFIX ", "ME ", "mg ", "SAME ",
	"BADCLASS ", "NOSPARE ", "MEMLIMIT_", "WATCHER_" };

/* Meta results: two letters, then flags. */
static const char *const results[] = { "HD", "EN", "NS", "EX", "NF" };

static bool
begins_with(struct token line, const char *text)
{
	return line.len >= strlen(text) &&
	    memcmp(line.p, text, strlen(text)) == 0;
}

static bool
is_number(struct token line)
{
	uint64_t n;

	return num_strict(line.p, line.len, UINT64_MAX, &n);
}

static bool
is_known(struct token line)
{
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (line.len == strlen(lines[i]) && begins_with(line, lines[i]))
			return true;
	for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++)
		if (begins_with(line, begins[i]))
			return true;
	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++)
		if (begins_with(line, results[i]) &&
		    (line.len == 2 || line.p[2] == ' '))
			return true;
	return is_number(line);
}

/* The length of the value that follows; false when none does. */
static bool
announces_value(struct token line, uint64_t *bytes)
{
	struct token t[TOKEN_MAX];
	size_t n = token_split(t, line.p, line.len), at = 0;

	if (n >= 4 && n <= 5 && TOKEN_IS(t[0], "VALUE"))
		at = 3;
	else if (n == 5 && TOKEN_IS(t[0], "LVALUE"))
		at = 4;
	else if (n >= 2 && TOKEN_IS(t[0], "VA"))
		at = 1;
	return at != 0 && num_strict(t[at].p, t[at].len, UINT32_MAX, bytes);
}

static bool
complain(struct token line)
{
	fprintf(stderr, "# no reply: %.*s\n",
	    line.len < 200 ? (int)line.len : 200, line.p);
	return false;
}

bool
framing_is_sane(const char *p, size_t n)
{
	const char *end;

	if (n == 0)
		return true;
	end = p + n;
	while (p < end) {
		const char *feed = memchr(p, '\n', (size_t)(end - p));
		struct token line = { p, (size_t)((feed ? feed : end) - p) };
		uint64_t bytes;

		if (feed == NULL)
			return complain(line);
		p = feed + 1;
		/* lines of events and of metadump end in LF alone */
		if (begins_with(line, "ts=") || begins_with(line, "key=") ||
		    begins_with(line, "skipped="))
			continue;
		if (line.len == 0 || line.p[--line.len] != '\r')
			return complain(line);
		if (!announces_value(line, &bytes)) {
			if (!is_known(line))
				return complain(line);
			continue;
		}
		if ((uint64_t)(end - p) < bytes + 2 || p[bytes] != '\r' ||
		    p[bytes + 1] != '\n')
			return complain(line);
		p += bytes + 2;
	}
	return true;
}
