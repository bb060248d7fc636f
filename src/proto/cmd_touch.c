/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_touch.c - touch.
 */
#include "config.h"

#include "proto/command.h"

enum { KEY = 1, EXPTIME, WORDS_MIN = 3 };

enum step
cmd_touch(struct exec *x, struct request *req)
{
	struct token t[TOKEN_MAX];
	struct key key;
	rel_time exptime;

	if (!request_words(req, t, WORDS_MIN) || !request_key(&key, t[KEY])) {
		SAY(req, SAY_BAD_FORMAT);
		return STEP_DONE;
	}
	if (!request_exptime(t[EXPTIME], x->now, &exptime)) {
		SAY(req, SAY_BAD_EXPTIME);
		return STEP_DONE;
	}
	COUNT(x->counters, cmd_touch);
	switch (cache_touch(x->cache, x->local, &key, exptime, x->now)) {
	case RESULT_TOUCHED:
		COUNT(x->counters, touch_hits);
		SAY(req, "TOUCHED\r\n");
		break;
	case RESULT_BUSY:
		SAY(req, SAY_REFS);
		break;
	case RESULT_NO_MEMORY:
		SAY(req, SAY_NO_TOUCH);
		break;
	default:
		COUNT(x->counters, touch_misses);
		SAY(req, "NOT_FOUND\r\n");
		break;
	}
	return STEP_DONE;
}
