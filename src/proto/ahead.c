/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ahead.c - loading what the next requests will need, before they are handled.
 */
#include "config.h"

#include "proto/ahead.h"

#include <string.h>

#include "base/attr.h"
#include "base/hash.h"
#include "cache/cache.h"

enum { DIGITS = 7 };

/* The end of the word at p: a blank, or the end of the line. */
static const char *
word_end(const char *p, const char *end)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	/* The first of eight bytes that is not above a blank. */
	while (end - p >= 8) {
		uint64_t x, hit;

		memcpy(&x, p, sizeof(x));
		hit = (x - 0x2121212121212121) & ~x & 0x8080808080808080;
		if (hit != 0)
			return p + __builtin_ctzll(hit) / 8;
		p += 8;
	}
#endif
	while (p < end && (unsigned char)*p > ' ')
		p++;
	return p;
}

/*
 * Bytes of the data block behind a storage command, of which `p` is behind the
 * key: its length is that many words on.
 */
static size_t
body_bytes(const char *p, const char *end, int words)
{
	size_t n = 0;
	int digits = 0;

	while (words-- > 0) {
		while (p < end && *p == ' ')
			p++;
		if (words > 0)
			p = word_end(p, end);
	}
	for (; p < end && *p >= '0' && *p <= '9' && digits < DIGITS; digits++)
		n = n * 10 + (size_t)(*p++ - '0');
	return n + 2;
}

/* Words from the key to the length of a data block; 0: there is none. */
static int
words_to_length(const char *command, size_t len)
{
	switch (len) {
	case 2:
		return memcmp(command, "ms", 2) == 0 ? 1 : 0;
	case 3:
		return memcmp(command, "set", 3) == 0 ||
			memcmp(command, "add", 3) == 0 ||
			memcmp(command, "cas", 3) == 0 ?
		    3 :
		    0;
	case 6:
		return memcmp(command, "append", 6) == 0 ? 3 : 0;
	case 7:
		return memcmp(command, "replace", 7) == 0 ||
			memcmp(command, "prepend", 7) == 0 ?
		    3 :
		    0;
	default:
		return 0;
	}
}

unsigned
ahead_look(struct ahead *a, struct cache *c, const char *in, size_t len)
{
	const char *end = in + len;
	unsigned n = 0;

	while (a->n < AHEAD_MAX && in < end) {
		const char *blank = word_end(in, end);
		const char *key = blank, *key_end, *eol;
		int words;

		while (key < end && *key == ' ')
			key++;
		if (key == blank)
			break;
		key_end = word_end(key, end);
		eol = memchr(key_end, '\n', (size_t)(end - key_end));
		if (eol == NULL || key_end - key > KEY_MAX)
			break;
		a->hash[a->n] = hash_key(key, (size_t)(key_end - key));
		cache_prefetch(c, a->hash[a->n++]);
		n++;
		words = words_to_length(in, (size_t)(blank - in));
		in = eol + 1;
		if (words > 0) {
			size_t body = body_bytes(key_end, eol, words);

			if (body >= (size_t)(end - in))
				break;
			in += body;
		}
	}
	return n;
}

void
ahead_load(struct ahead *a, struct cache *c)
{
	for (unsigned i = 0; i < a->n; i++)
		cache_prefetch_item(c, a->hash[i]);
	a->n = 0;
}
