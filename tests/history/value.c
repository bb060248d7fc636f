/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * value.c - values that say what they are.
 */
#include "config.h"

#include "value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

uint32_t
chunk_sum(const char *pad, size_t n)
{
	uint32_t sum = 2166136261u;

	for (size_t i = 0; i < n; i++)
		sum = (sum ^ (unsigned char)pad[i]) * 16777619u;
	return sum;
}

size_t
chunk_write(struct chunk *c, char *out)
{
	static const char ends[][3] = { "[]", "{}" };
	uint64_t state = c->unique * 0x9e3779b97f4a7c15u + 1;
	char *pad;
	int head;

	/* Line ends too: a value may hold what looks like a reply. */
	for (pad = out + HEAD_BYTES; pad < out + HEAD_BYTES + c->length;
	     pad++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		*pad = state >> 58 == 0 ? "\r\n"[state >> 57 & 1] :
					  (char)('a' + (state >> 40) % 26);
	}
	c->sum = chunk_sum(out + HEAD_BYTES, c->length);
	head = snprintf(out, HEAD_BYTES,
	    "%c%s v%" PRIu64 " u%" PRIu64 " c%" PRIu64 " r%" PRIu64 " n%" PRIu64
	    " s%08" PRIx32 "%c",
	    ends[c->piece][0], c->key, c->version, c->unique, c->conn,
	    c->read_at, c->length, c->sum, ends[c->piece][1]);
	memmove(out + head, out + HEAD_BYTES, c->length);
	return (size_t)head + c->length;
}

size_t
chunk_read(struct chunk *c, const char *p, size_t n)
{
	char head[HEAD_BYTES], first, last;
	const char *end;
	int used = 0;

	if (n == 0 || (*p != '[' && *p != '{'))
		return 0;
	end = memchr(p, *p == '[' ? ']' : '}', n < HEAD_BYTES ? n : HEAD_BYTES);
	if (end == NULL || end + 1 - p >= HEAD_BYTES)
		return 0;
	memcpy(head, p, (size_t)(end + 1 - p));
	head[end + 1 - p] = '\0';
	if (sscanf(head,
		"%c%79s v%" SCNu64 " u%" SCNu64 " c%" SCNu64 " r%" SCNu64
		" n%" SCNu64 " s%" SCNx32 "%c%n",
		&first, c->key, &c->version, &c->unique, &c->conn, &c->read_at,
		&c->length, &c->sum, &last, &used) != 9 ||
	    head[used] != '\0')
		return 0;
	c->piece = first == '{';
	return (size_t)used;
}

/* Bytes that are no value of ours, so that a person can read them. */
static void
quote(const char *p, size_t n, char *out, size_t room)
{
	size_t used = 0;

	out[used++] = '?';
	for (size_t i = 0; i < n && i < 120 && used + 6 < room; i++) {
		unsigned char c = (unsigned char)p[i];

		if (c > ' ' && c < 127 && c != '\\')
			out[used++] = (char)c;
		else
			used += (size_t)sprintf(out + used, "\\x%02x", c);
	}
	out[used] = '\0';
}

static bool
all_digits(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
	}
	return n < 20;
}

void
value_describe(const char *p, size_t n, char *out, size_t room)
{
	size_t used = 0;

	if (n == 0) {
		snprintf(out, room, "-");
		return;
	}
	if (all_digits(p, n)) {
		snprintf(out, room, "#%.*s", (int)n, p);
		return;
	}
	*out = '\0';
	while (n > 0) {
		struct chunk c;
		size_t head = chunk_read(&c, p, n);
		size_t pad = head == 0 || n - head > c.length ? c.length :
								n - head;

		if (head == 0 || room - used < HEAD_BYTES + 64) {
			quote(p, n, out + used, room - used);
			return;
		}
		used += (size_t)snprintf(out + used, room - used,
		    "%.*s=%zu:%08" PRIx32, (int)head, p, pad,
		    chunk_sum(p + head, pad));
		p += head + pad;
		n -= head + pad;
	}
}
