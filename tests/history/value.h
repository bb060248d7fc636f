/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * value.h - values that say what they are.
 *
 * A value is a base chunk, with pieces before or behind it once somebody has
 * appended or prepended:
 *
 *	[<key> v<version> u<unique> c<conn> r<read at> n<length> s<sum>]<pad>
 *	{<key> v<version> u<unique> c<conn> r<read at> n<length> s<sum>}<pad>
 *
 * unique: a number that one request alone has; conn: who wrote it; read at:
 * when the writer looked at the source of truth, in ns; then the pad's length
 * and sum, so that a value that is torn, or a mix of two, does not go
 * unnoticed.  The value of a counter is unique * COUNT_ROOM + what was added.
 *
 * A record holds a value without its pad: behind each head stands "=", how many
 * bytes were there, ":" and their sum.
 */
#ifndef TESTS_HISTORY_VALUE_H
#define TESTS_HISTORY_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HEAD_BYTES = 224, KEY_BYTES = 80, COUNT_ROOM = 1000000 };

struct chunk {
	char key[KEY_BYTES];
	uint64_t version, unique, conn, read_at, length;
	uint32_t sum;
	bool piece;
};

/* The head and the pad of a chunk, HEAD_BYTES + its length at most; the sum is
   found here.  Returns the length of both. */
size_t chunk_write(struct chunk *c, char *out);

/* Takes a head; its length, or 0 when these bytes are none. */
size_t chunk_read(struct chunk *c, const char *p, size_t n);

uint32_t chunk_sum(const char *pad, size_t n);

/* What a record says of a value: text, NUL at its end. */
void value_describe(const char *p, size_t n, char *out, size_t room);

#endif
