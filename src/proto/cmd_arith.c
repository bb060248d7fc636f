/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_arith.c - incr and decr.
 */
#include "config.h"

#include "base/num.h"
#include "proto/command.h"
#include "proto/tally.h"

enum { KEY = 1, DELTA, WORDS_MIN = 3 };

static void
answer(struct request *req, enum result res, const struct arith_done *done)
{
	switch (res) {
	case RESULT_STORED:
		out_number(req->out, done->number);
		SAY(req, "\r\n");
		break;
	case RESULT_NOT_A_NUMBER:
		SAY(req,
		    "CLIENT_ERROR cannot increment or decrement "
		    "non-numeric value\r\n");
		break;
	case RESULT_NO_MEMORY:
		SAY(req, "SERVER_ERROR out of memory\r\n");
		break;
	default:
		SAY(req, "NOT_FOUND\r\n");
		break;
	}
}

enum step
cmd_incr(struct exec *x, struct request *req)
{
	struct arith_spec spec = {
		.decrement = req->command->name[0] == 'd',
	};
	struct token t[TOKEN_MAX];
	struct arith_done done;
	struct key key;
	enum result res;

	if (!request_words(req, t, WORDS_MIN) || !request_key(&key, t[KEY])) {
		SAY(req, SAY_BAD_FORMAT);
		return STEP_DONE;
	}
	if (t[DELTA].len > DELTA_DIGITS ||
	    !num_strict(t[DELTA].p, t[DELTA].len, UINT64_MAX, &spec.delta)) {
		SAY(req, "CLIENT_ERROR invalid numeric delta argument\r\n");
		return STEP_DONE;
	}
	res = cache_arith(x->cache, x->local, &key, &spec, x->now, &done);
	tally_arith(x, spec.decrement, res);
	answer(req, res, &done);
	return STEP_DONE;
}
