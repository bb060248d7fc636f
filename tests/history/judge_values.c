/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * judge_values.c - what may be seen, and which fills may be accepted: I1, I4,
 * I5 and I14.
 *
 * A value has a basis: what happened later than that, it cannot know.  For a
 * fill that is when its token was received, for any other store when it was
 * done.  Whatever ends a value is a mark in a list, so the question is always
 * the same: is there one that was sent after the basis, and done before this
 * read began?  Stores are among the marks, since they put an end to what was
 * there, and a token granted before one must not bring something older back.
 */
#include "config.h"

#include "judge.h"

#include <stdlib.h>

/* Marks by the time they were done; of those up to here, the two that were
   sent last. */
struct marks {
	struct mark {
		uint64_t done;
		size_t op, last, before_last;
	} * mark;
	size_t n;
};

/* What ends a value of a key: whether it is still to be seen as stale, and
   whether it is one with a version that came with another version. */
enum { HARD, SOFT, HARD_UNVERSIONED, SOFT_UNVERSIONED, KINDS };

struct ends {
	const struct history *h;
	struct marks of_key[KINDS]; /* of the key that is looked at */
	struct marks of_tag[MAX_TAGS];
};

static int
by_done(const void *a, const void *b)
{
	uint64_t x = ((const struct mark *)a)->done;
	uint64_t y = ((const struct mark *)b)->done;

	return (x > y) - (x < y);
}

static void
marks_add(struct marks *m, const struct history *h, size_t op)
{
	struct mark *mark;

	if (h->op[op].done == NEVER)
		return;
	mark = ARRAY_ADD(m->mark, m->n);
	mark->done = h->op[op].done;
	mark->op = op;
}

static void
marks_ready(struct marks *m, const struct history *h)
{
	size_t last = NOTHING, before_last = NOTHING;

	if (m->n > 0)
		qsort(m->mark, m->n, sizeof(*m->mark), by_done);
	for (size_t i = 0; i < m->n; i++) {
		size_t op = m->mark[i].op;

		if (last == NOTHING || h->op[op].send > h->op[last].send) {
			before_last = last;
			last = op;
		} else if (before_last == NOTHING ||
		    h->op[op].send > h->op[before_last].send) {
			before_last = op;
		}
		m->mark[i].last = last;
		m->mark[i].before_last = before_last;
	}
}

/* Of the marks done before `at`, but for one: the one sent last. */
static size_t
marks_last(const struct marks *m, uint64_t at, size_t except)
{
	size_t low = 0, high = m->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (m->mark[middle].done < at)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return NOTHING;
	return m->mark[low - 1].last != except ? m->mark[low - 1].last :
						 m->mark[low - 1].before_last;
}

static void
add_end(struct ends *e, size_t i)
{
	const struct op *op = &e->h->op[i];
	bool versioned = has(op, 'V');
	bool soft = op->what == OP_DROP && has(op, 'I');

	if (op->what != OP_DROP && op->what != OP_FLUSH && op->what != OP_STORE)
		return;
	marks_add(&e->of_key[versioned ?
			  (soft ? SOFT_UNVERSIONED : HARD_UNVERSIONED) :
			  (soft ? SOFT : HARD)],
	    e->h, i);
}

static void
gather(struct ends *e, int key)
{
	for (size_t k = 0; k < KINDS; k++)
		e->of_key[k].n = 0;
	for (size_t i = 0; i < e->h->list[key].n; i++)
		add_end(e, e->h->list[key].op[i]);
	for (size_t k = 0; k < KINDS; k++)
		marks_ready(&e->of_key[k], e->h);
}

static void
gather_tags(struct ends *e)
{
	for (size_t i = 0; i < e->h->ops; i++) {
		const struct op *op = &e->h->op[i];

		if (op->what != OP_TAG)
			continue;
		for (size_t t = 0; t < MAX_TAGS; t++) {
			if (op->tags >> t & 1)
				marks_add(&e->of_tag[t], e->h, i);
		}
	}
	for (size_t t = 0; t < MAX_TAGS; t++)
		marks_ready(&e->of_tag[t], e->h);
}

/* What has ended, for sure before `at`, a value of this basis; or NOTHING. */
static size_t
ended_by(const struct ends *e, size_t store, bool versioned, uint64_t basis,
    uint64_t at, bool soft_too)
{
	const struct history *h = e->h;
	uint64_t tags = h->op[store].tags;

	for (size_t k = 0; k < KINDS; k++) {
		size_t end = marks_last(&e->of_key[k], at, store);
		bool soft = k == SOFT || k == SOFT_UNVERSIONED;

		if ((soft && !soft_too) || (versioned && k >= HARD_UNVERSIONED))
			continue;
		if (end != NOTHING && h->op[end].send > basis)
			return end;
	}
	for (size_t t = 0; t < MAX_TAGS; t++) {
		size_t end = tags >> t & 1 ?
		    marks_last(&e->of_tag[t], at, store) :
		    NOTHING;

		if (end != NOTHING && h->op[end].send > basis)
			return end;
	}
	return NOTHING;
}

static uint64_t
basis_of(const struct history *h, size_t store)
{
	const struct op *grant = grant_of(h, &h->op[store]);

	return grant != NULL ? grant->recv : h->op[store].done;
}

static size_t
grant_index(const struct history *h, size_t store)
{
	const struct op *grant = grant_of(h, &h->op[store]);

	return grant == NULL ? NOTHING : (size_t)(grant - h->op);
}

/* ---- what was seen ------------------------------------------------------- */

/* Somebody wrote it, to this key, and was not refused. */
static bool
is_real(const struct history *h, const struct seen *s, size_t store,
    struct verdict *v)
{
	const struct op *op;

	if (store == NOTHING)
		return violated(v, h, s->key, OPS(s->op),
		    "I14: a value that nobody has written");
	op = &h->op[store];
	if (op->key != s->key)
		return violated(v, h, s->key, OPS(s->op, store),
		    "I14: a value of another key");
	if (op->outcome == OUT_REFUSED)
		return violated(v, h, s->key, OPS(s->op, store),
		    "I5: a value that was refused");
	if (op->send > h->op[s->op].recv)
		return violated(v, h, s->key, OPS(s->op, store),
		    "I14: a value before it was written");
	return true;
}

static bool
pieces_hold(const struct ends *e, const struct seen *s, bool versioned,
    bool soft_too, struct verdict *v)
{
	const struct history *h = e->h;

	for (size_t i = s->piece; i < s->piece + s->pieces; i++) {
		size_t join = map_get(&h->by_unique, h->piece[i]);
		size_t end;

		if (!is_real(h, s, join, v))
			return false;
		end = ended_by(e, join, versioned, h->op[join].done,
		    h->op[s->op].send, soft_too);
		if (end != NOTHING)
			return violated(v, h, s->key, OPS(s->op, join, end),
			    "I1: what was appended outlives the value");
	}
	return true;
}

/* A read with a version wants at least that one; and it is told the truth. */
static bool
version_holds(const struct history *h, const struct seen *s, size_t store,
    struct verdict *v)
{
	const struct op *read = &h->op[s->op], *op = &h->op[store];

	if (s->how != SEEN_FRESH)
		return true;
	if (read->version > 0 && read->version > op->version)
		return violated(v, h, s->key, OPS(s->op, store),
		    "I4: older than the version that the read asked for");
	if (read->tells_version && read->told != op->version)
		return violated(v, h, s->key, OPS(s->op, store),
		    "a version that is not the value's");
	return true;
}

static bool
seen_holds(const struct ends *e, const struct seen *s, struct verdict *v)
{
	const struct history *h = e->h;
	const struct op *read = &h->op[s->op];
	bool fresh = s->how == SEEN_FRESH || s->how == SEEN_ABSENT, versioned;
	size_t store = store_of(h, s), end;

	/* What a fill without a `c` has stored as absent has no name. */
	if (s->how == SEEN_ABSENT && read->plain && read->shows_marked)
		return violated(v, h, s->key, OPS(s->op),
		    "a plain verb shows what is known to be absent");
	if (s->how == SEEN_ABSENT && store == NOTHING)
		return true;
	if (!is_real(h, s, store, v))
		return false;
	versioned = has(&h->op[store], 'V');
	if (!pieces_hold(e, s, versioned, fresh, v))
		return false;
	end = ended_by(e, store, versioned, basis_of(h, store), read->send,
	    fresh);
	if (end == NOTHING)
		return version_holds(h, s, store, v);
	return violated(v, h, s->key,
	    OPS(s->op, end, store, grant_index(h, store)), "%s: %s",
	    h->op[end].what == OP_STORE ? "I4" : "I1",
	    s->how == SEEN_STALE ? "a value that is gone is seen as stale" :
		h->op[end].what == OP_STORE ? "an older value is back" :
					      "a value that was invalidated");
}

/* ---- which fills may be accepted ----------------------------------------- */

static bool
fill_holds(const struct ends *e, size_t i, struct verdict *v)
{
	const struct history *h = e->h;
	const struct op *op = &h->op[i];
	size_t grant = grant_index(h, i), end;

	if (op->what != OP_STORE || op->outcome != OUT_DONE ||
	    op->exptime < 0 || grant == NOTHING)
		return true;
	end = ended_by(e, i, has(op, 'V'), h->op[grant].recv, op->send, true);
	if (end == NOTHING)
		return true;
	return violated(v, h, op->key, OPS(i, end, grant),
	    "I1: a fill is accepted although its token was granted before %s",
	    h->op[end].what == OP_STORE ? "another store" : "an invalidation");
}

/* ---- what must be seen --------------------------------------------------- */

/* What is known to be absent is a miss for all who know nothing of that; among
   them is a renewal that comes too late. */
static bool
knows_absence(const struct op *read)
{
	if (has(read, 'e') || has(read, 'V'))
		return true;
	return read->what == OP_READ && !read->plain &&
	    (has(read, 'n') || has(read, 'N') || has(read, 'w'));
}

/* A value that nothing has touched is found, and no other. */
static bool
present_is_seen(const struct history *h, const struct seen *s,
    struct verdict *v)
{
	const struct op *read = &h->op[s->op], *op;
	size_t store = present_for(h, s->op, s->key);
	bool found;

	if (store == NOTHING)
		return true;
	op = &h->op[store];
	if (read->version > op->version)
		return true;
	if (has(op, 'z'))
		found = s->how == SEEN_ABSENT ||
		    (s->how == SEEN_MISS && !knows_absence(read));
	else
		found = (s->how == SEEN_FRESH || s->how == SEEN_PLAIN) &&
		    store_of(h, s) == store;
	return found ||
	    violated(v, h, s->key, OPS(s->op, store),
		"I5: a value that nobody has touched is not seen");
}

bool
judge_values(const struct history *h, struct verdict *v)
{
	struct ends e = { .h = h };
	bool good = true;

	gather_tags(&e);
	for (int key = 0; good && key < (int)h->keys; key++) {
		gather(&e, key);
		for (size_t i = 0; good && i < h->list[key].n; i++)
			good = fill_holds(&e, h->list[key].op[i], v);
		for (size_t i = 0; good && i < h->seens; i++) {
			const struct seen *s = &h->seen[i];

			if (s->key != key)
				continue;
			good = (s->how == SEEN_MISS || seen_holds(&e, s, v)) &&
			    present_is_seen(h, s, v);
		}
	}
	for (size_t k = 0; k < KINDS; k++)
		free(e.of_key[k].mark);
	for (size_t t = 0; t < MAX_TAGS; t++)
		free(e.of_tag[t].mark);
	return good;
}
