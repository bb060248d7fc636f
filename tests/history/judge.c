/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * judge.c - is a round of a history as the server has promised?
 */
#include "config.h"

#include "judge.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_BEFORE = 12, SHOWN = 60 };

bool
violated(struct verdict *v, const struct history *h, int key, const size_t *ops,
    const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(v->why, sizeof(v->why), format, args);
	va_end(args);
	v->key = key;
	v->line = h->lines;
	for (v->ops = 0; ops[v->ops] != NOTHING; v->ops++)
		v->op[v->ops] = ops[v->ops];
	return false;
}

const struct op *
grant_of(const struct history *h, const struct op *op)
{
	size_t i = has(op, 'C') ? map_get(&h->by_token, op->token) : NOTHING;

	return i == NOTHING || h->grant[i].key != op->key ?
	    NULL :
	    &h->op[h->grant[i].op];
}

size_t
store_of(const struct history *h, const struct seen *s)
{
	return s->how == SEEN_ABSENT ?
	    map_get(&h->by_cas, cas_mark(s->key, s->cas)) :
	    map_get(&h->by_unique, s->unique);
}

/*
 * An answered request has been done; a store that nobody has answered, too,
 * once somebody has seen the value.
 */
static void
find_done(struct history *h)
{
	for (size_t i = 0; i < h->ops; i++) {
		struct op *op = &h->op[i];

		op->done = op->outcome == OUT_DONE ? op->recv : NEVER;
	}
	for (size_t i = 0; i < h->seens; i++) {
		const struct seen *s = &h->seen[i];
		size_t store = s->how == SEEN_MISS ? NOTHING : store_of(h, s);

		if (store != NOTHING && h->op[s->op].recv < h->op[store].done)
			h->op[store].done = h->op[s->op].recv;
	}
}

static bool
nothing_wrong_by_itself(const struct history *h, struct verdict *v)
{
	if (h->wrong != NULL) {
		violated(v, h, NO_KEY, OPS(NOTHING), "%s", h->wrong);
		v->line = h->wrong_line;
		return false;
	}
	for (size_t i = 0; i < h->ops; i++) {
		if (h->op[i].outcome == OUT_ERROR)
			return violated(v, h, h->op[i].key, OPS(i),
			    "an error where there is none");
		if (h->op[i].misplaced)
			return violated(v, h, h->op[i].key, OPS(i),
			    "I6: the reply to another request");
	}
	return true;
}

bool
judge_round(struct history *h, struct verdict *v)
{
	history_complete(h);
	find_done(h);
	return nothing_wrong_by_itself(h, v) && judge_values(h, v) &&
	    judge_floors(h, v) && judge_leases(h, v) && judge_waits(h, v);
}

/* ---- counters ------------------------------------------------------------ */

static bool
count(const struct history *h, const char *name, uint64_t *n)
{
	for (size_t i = h->counts; i > 0; i--) {
		if (strcmp(h->count[i - 1].name, name) == 0) {
			*n = h->count[i - 1].n;
			return true;
		}
	}
	return false;
}

bool
judge_counts(struct history *h, struct verdict *v)
{
	static const char *const parts[] = { "lease_filled", "lease_refused",
		"lease_lapsed", "lease_given_up", "lease_revoked",
		"lease_live" };
	static const char *const none_left[] = { "lease_live", "waiters" };
	uint64_t granted, n, sum = 0;

	if (h->counts == 0)
		return true;
	if (!count(h, "lease_granted", &granted))
		return violated(v, h, NO_KEY, OPS(NOTHING),
		    "I10: stats leases lacks lease_granted");
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (!count(h, parts[i], &n))
			return violated(v, h, NO_KEY, OPS(NOTHING),
			    "I10: stats leases lacks %s", parts[i]);
		sum += n;
	}
	if (sum != granted)
		return violated(v, h, NO_KEY, OPS(NOTHING),
		    "I10: %" PRIu64 " granted, and %" PRIu64 " filled, refused,"
		    " lapsed, given up, revoked or live",
		    granted, sum);
	for (size_t i = 0; i < 2; i++) {
		if (!count(h, none_left[i], &n) || n != 0)
			return violated(v, h, NO_KEY, OPS(NOTHING),
			    "I9: at the end %s is not 0", none_left[i]);
	}
	return true;
}

/* ---- the report ---------------------------------------------------------- */

static bool
concerns(const struct op *op, int key)
{
	return key == NO_KEY || op->key == key || op->what == OP_FLUSH ||
	    op->what == OP_TAG;
}

/* 1 a line that matters, 2 the very ones it is about. */
static void
mark_lines(const struct history *h, const struct verdict *v, char *mark)
{
	size_t first = h->lines, last = 0;

	for (size_t i = 0; i < h->ops; i++) {
		const struct op *op = &h->op[i];
		char m = concerns(op, v->key) ? 1 : 0;

		for (size_t k = 0; k < v->ops; k++)
			m = v->op[k] == i ? 2 : m;
		mark[op->asked] = m;
		if (op->answered != NOTHING)
			mark[op->answered] = m;
		if (m < 2)
			continue;
		first = op->asked < first ? op->asked : first;
		last = op->asked > last ? op->asked : last;
		if (op->answered != NOTHING && op->answered > last)
			last = op->answered;
	}
	/* A value stands before the line that ends the reply. */
	for (size_t i = 0; i < h->seens; i++)
		mark[h->seen[i].line] |= mark[h->op[h->seen[i].op].asked];
	if (v->line < h->lines) {
		mark[v->line] = 2;
		first = v->line < first ? v->line : first;
		last = v->line > last ? v->line : last;
	}
	if (v->ops == 0 && v->line < h->lines)
		first = last > SHOWN ? last - SHOWN : 0;
	for (size_t i = 0; i < h->lines; i++) {
		if (strchr("x?h", h->line[i][0]) != NULL && mark[i] == 0)
			mark[i] = 1;
		if (i + SHOWN_BEFORE < first || i > last)
			mark[i] = 0;
	}
}

void
verdict_print(const struct history *h, const struct verdict *v, FILE *out)
{
	char *mark = calloc(h->lines + 1, 1);
	size_t left = 0, shown = 0;

	if (mark == NULL)
		abort();
	mark_lines(h, v, mark);
	fprintf(out, "VIOLATION %s\n", v->why);
	if (v->key != NO_KEY)
		fprintf(out, "key %s\n", h->key[v->key]);
	for (size_t i = 0; i < h->lines; i++)
		left += mark[i] != 0;
	for (size_t i = 0; i < h->lines; i++) {
		if (mark[i] == 0)
			continue;
		left--;
		if (mark[i] == 1 && shown > SHOWN / 2 && left > SHOWN / 2)
			continue;
		shown++;
		fprintf(out, "%s %.400s%s", mark[i] == 2 ? "*" : " ",
		    h->line[i], strchr(h->line[i], '\n') ? "" : "\n");
	}
	free(mark);
}
