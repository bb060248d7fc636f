/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * request.c - what handlers share when they read a request.
 */
#include "config.h"

#include "proto/request.h"

#include "base/hash.h"
#include "base/num.h"

bool
request_words(struct request *req, struct token t[TOKEN_MAX], size_t min)
{
	if (request_split(req, t) >= min)
		return true;
	req->loud = true;
	return false;
}

bool
request_strip_noreply(const struct token *t, size_t *n)
{
	if (*n < 2 || !TOKEN_IS(t[*n - 1], "noreply"))
		return false;
	--*n;
	return true;
}

bool
request_key(struct key *key, struct token t)
{
	if (t.len == 0 || t.len > KEY_MAX)
		return false;
	key->data = t.p;
	key->len = t.len;
	key->binary = false;
	key->hash = hash_key(t.p, t.len);
	return true;
}

bool
request_exptime(struct token t, rel_time now, rel_time *out)
{
	int64_t v;

	if (!num_signed(t.p, t.len, INT64_MIN, INT64_MAX, &v))
		return false;
	*out = clock_exptime((int32_t)(uint32_t)v, now);
	return true;
}
