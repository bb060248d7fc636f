/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_delete.c - delete.
 */
#include "config.h"

#include "proto/command.h"
#include "proto/events.h"
#include "proto/prefix.h"

enum { KEY = 1, WORDS_MIN = 2 };

enum step
cmd_delete(struct exec *x, struct request *req)
{
	static const struct delete_spec plain;
	struct token t[TOKEN_MAX];
	struct key key;
	uint32_t size;

	if (!request_words(req, t, WORDS_MIN) || !request_key(&key, t[KEY])) {
		SAY(req, SAY_BAD_FORMAT);
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
