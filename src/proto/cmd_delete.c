/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_delete.c - delete.
 */
#include "config.h"

#include <string.h>

#include "proto/command.h"
#include "proto/events.h"
#include "proto/meta.h"
#include "proto/prefix.h"

enum { KEY = 1, WORDS_MIN = 2 };

/* -o tag_key_prefix: what follows it is a tag, which any client can delete. */
static bool
invalidates_tag(struct exec *x, const struct key *key)
{
	const char *prefix = x->cache->leases->config->tag_key_prefix;
	size_t n;

	if (LIKELY(prefix == NULL))
		return false;
	n = strlen(prefix);
	if (key->len <= n || key->len - n > META_TAG_MAX ||
	    memcmp(key->data, prefix, n) != 0)
		return false;
	cache_invalidate_tag(x->cache, key->data + n, key->len - n);
	return true;
}

enum step
cmd_delete(struct exec *x, struct request *req)
{
	static const struct delete_spec plain = { .classic = true };
	struct token t[TOKEN_MAX];
	struct key key;
	uint32_t size;

	if (!request_words(req, t, WORDS_MIN) || !request_key(&key, t[KEY])) {
		SAY(req, SAY_BAD_FORMAT);
		return STEP_DONE;
	}
	if (UNLIKELY(invalidates_tag(x, &key))) {
		SAY(req, "DELETED\r\n");
		return STEP_DONE;
	}
	prefix_count(x->env->prefixes, &key, PREFIX_DELETE);
	if (cache_delete(x->cache, x->local, &key, &plain, x->now, &size) ==
	    RESULT_DELETED) {
		COUNT(x->counters, delete_hits);
		event_deleted(x, &key, "delete", size);
		SAY(req, "DELETED\r\n");
	} else {
		COUNT(x->counters, delete_misses);
		SAY(req, "NOT_FOUND\r\n");
	}
	return STEP_DONE;
}
