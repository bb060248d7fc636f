/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tally.c - what classic and meta requests count alike.
 */
#include "config.h"

#include "proto/tally.h"

void
tally_cas(struct exec *x, const struct store_spec *spec, enum result res)
{
	if (!spec->compare ||
	    (spec->mode != STORE_SET && spec->mode != STORE_REPLACE))
		return;
	if (res == RESULT_STORED)
		COUNT(x->counters, cas_hits);
	else if (res == RESULT_EXISTS)
		COUNT(x->counters, cas_badval);
	else if (res == RESULT_NOT_FOUND)
		COUNT(x->counters, cas_misses);
}

void
tally_arith(struct exec *x, bool decrement, enum result res)
{
	if (res == RESULT_STORED && decrement)
		COUNT(x->counters, decr_hits);
	else if (res == RESULT_STORED)
		COUNT(x->counters, incr_hits);
	else if (res == RESULT_NOT_FOUND && decrement)
		COUNT(x->counters, decr_misses);
	else if (res == RESULT_NOT_FOUND)
		COUNT(x->counters, incr_misses);
}
