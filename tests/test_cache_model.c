/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_cache_model.c - random verbs on the cache and on a naive model of it.
 *
 * Each step does the same to both and compares everything that comes back.
 * What the store numbers by itself is checked to rise, and then believed.
 */
#include "config.h"

#include "cache/cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_arena.h"
#include "model.h"
#include "rig.h"
#include "rng.h"
#include "unit.h"

enum { KEYS = MODEL_KEYS, ITEM_MAX = MODEL_ITEM_MAX, STEPS = 400000 };

/* The cache, the model, and what happens to both. */
struct play {
	struct rig rig;
	struct model model;
	struct rng rng;
	rel_time flush_at;
	uint64_t last_number; /* the highest that the store gave */
	bool same;            /* no difference was seen */
	const char *step;
	unsigned done;
};

#define SAME(p, cond) differ((p), (cond), #cond, __LINE__)

static void
differ(struct play *p, bool same, const char *text, int line)
{
	if (!same && p->same) {
		fprintf(stderr, "# step %u (%s), line %d: not %s\n", p->done,
		    p->step, line, text);
		p->same = false;
	}
}

static rel_time
now(const struct play *p)
{
	return p->rig.x.now;
}

static size_t
pick(struct play *p, size_t n)
{
	return rng_below(&p->rng, n);
}

static struct key
key_of(unsigned i)
{
	static char text[16];

	return rig_key_bytes(text,
	    (size_t)snprintf(text, sizeof(text), "key:%u", i));
}

static rel_time
any_exptime(struct play *p)
{
	switch (pick(p, 4)) {
	case 0:
		return 0;
	case 1:
		return pick(p, 8) == 0 ? CLOCK_LONG_AGO : now(p) + 1;
	default:
		return now(p) + 1 + (rel_time)rng_any(&p->rng, 12);
	}
}

static uint64_t
any_cas(struct play *p, const struct known *k)
{
	switch (pick(p, 6)) {
	case 0:
		return 0;
	case 1:
		return k->cas + 1;
	case 2:
		return k->cas > 0 ? k->cas - 1 : 0;
	case 3:
		return rng_any(&p->rng, 20);
	default:
		return k->cas;
	}
}

/* A value that is often a number, or nearly one; its length. */
static size_t
any_value(struct play *p, char *value)
{
	static const char *const before[] = { "", " ", "+", "-", "x", "\t+" };
	static const char *const after[] = { "", " ", "x", "\t", " x" };
	size_t n;

	switch (pick(p, 6)) {
	case 0:
		return (size_t)sprintf(value, "%" PRIu64, rng_any(&p->rng, 64));
	case 1:
		return (size_t)sprintf(value, "%u  ", (unsigned)pick(p, 200));
	case 2:
		return (size_t)sprintf(value, "%s%u%s", before[pick(p, 6)],
		    (unsigned)pick(p, 99), after[pick(p, 5)]);
	case 3:
		n = rng_any(&p->rng, 12);
		rng_fill(&p->rng, value, n);
		return n;
	case 4:
		/* now and then one that is just within the limit, or not */
		n = pick(p, 2) ? pick(p, ITEM_MAX - 100) :
				 ITEM_MAX - 80 + pick(p, 30);
		memset(value, (int)pick(p, 256), n);
		return n;
	default:
		return (size_t)sprintf(value, "v%u", p->done);
	}
}

/* A number that the store gave now: higher than all before. */
static void
number(struct play *p, struct known *k, bool own, uint64_t own_cas,
    uint64_t cas)
{
	if (!p->model.cas_enabled)
		SAME(p, cas == 0);
	else if (own)
		SAME(p, cas == own_cas);
	else
		SAME(p, cas > p->last_number);
	if (!own && cas > p->last_number)
		p->last_number = cas;
	k->cas = cas;
}

/* ---- storing ------------------------------------------------------------- */

static void
make_request(struct play *p, struct model_request *q)
{
	q->i = (unsigned)pick(p, KEYS);
	q->item = (struct item_spec){
		.key = key_of(q->i),
		.value_len = (uint32_t)any_value(p, q->value),
		.client_flags = pick(p, 3) ? 0 : (uint32_t)pick(p, 9),
		.exptime = any_exptime(p),
		.own_cas = pick(p, 8) == 0,
	};
	q->item.key.binary = pick(p, 10) == 0;
	q->spec = (struct store_spec){
		.mode = (enum store_mode)pick(p, STORE_PREPEND + 1),
		.compare = pick(p, 3) == 0,
		.cas = any_cas(p, &p->model.known[q->i]),
		.own_cas = q->item.own_cas,
		.new_cas = 1 + rng_any(&p->rng, 63),
		.vivify = pick(p, 2) == 0,
		.vivify_exptime = any_exptime(p),
	};
	q->spec.stale_if_older = pick(p, 2) == 0 &&
	    q->spec.mode != STORE_APPEND && q->spec.mode != STORE_PREPEND;
}

static void
step_store(struct play *p)
{
	struct rig *r = &p->rig;
	struct known *k;
	struct model_request q;
	struct stored out;
	enum result res, want;
	struct item *it;

	p->step = "store";
	make_request(p, &q);
	k = &p->model.known[q.i];
	it = cache_prepare(&r->cache, &r->local, &q.item, now(p), &res);
	SAME(p,
	    (it != NULL) ==
		model_fits(&p->model, q.item.key.len, q.item.value_len,
		    q.item.client_flags));
	if (it == NULL) {
		SAME(p, res == RESULT_TOO_LARGE);
		cache_drop(&r->cache, &r->local, &q.item.key, now(p));
		k->present = false;
		return;
	}
	memcpy(item_value(it), q.value, q.item.value_len);
	res = cache_store(&r->cache, &r->local, &q.item.key, it, &q.spec,
	    now(p), &out);
	want = model_store(&p->model, &q);
	SAME(p, res == want);
	if (res != RESULT_STORED) {
		SAME(p, out.cas == 0);
		return;
	}
	SAME(p, out.value_len == k->len);
	number(p, k, q.spec.own_cas, q.spec.new_cas, out.cas);
}

/* ---- reading ------------------------------------------------------------- */

static void
compare_hits(struct play *p, const struct hit *hit, const struct hit *want,
    const char *value)
{
	SAME(p, hit->why == want->why);
	SAME(p, hit->value_len == want->value_len);
	SAME(p, hit->client_flags == want->client_flags);
	SAME(p, hit->cas == want->cas);
	SAME(p, hit->exptime == want->exptime);
	SAME(p, hit->accessed == want->accessed);
	SAME(p, hit->fetched == want->fetched);
	SAME(p, hit->binary_key == want->binary_key);
	SAME(p, hit->made == want->made);
	SAME(p, hit->won == want->won);
	SAME(p, hit->stale == want->stale);
	SAME(p, hit->taken == want->taken);
	SAME(p,
	    (hit->pinned != NULL) ==
		(hit->value != NULL && hit->value_len > CACHE_COPY_MAX));
	if (value != NULL && hit->value_len == want->value_len)
		SAME(p, memcmp(hit->value, value, hit->value_len) == 0);
}

static void
model_vivify(struct play *p, struct known *k, const struct key *key,
    const struct read_spec *spec, const struct hit *hit)
{
	model_put(&p->model, k, "", 0);
	k->exptime = spec->vivify_exptime;
	k->client_flags = 0;
	k->binary = key->binary;
	k->won = true;
	k->fetched = !spec->peek;
	number(p, k, spec->vivify_cas != 0, spec->vivify_cas, hit->cas);
}

static void
step_read(struct play *p)
{
	struct rig *r = &p->rig;
	unsigned i = (unsigned)pick(p, KEYS);
	struct read_spec spec = {
		.want_value = pick(p, 4) != 0,
		.peek = pick(p, 5) == 0,
		.touch = pick(p, 6) == 0,
		.exptime = any_exptime(p),
		.meta = pick(p, 2) == 0,
		.recache_until = pick(p, 2) ? now(p) + (rel_time)pick(p, 99) :
					      0,
		.recache_first = pick(p, 2) == 0,
		.vivify = pick(p, 8) == 0,
		.vivify_exptime = any_exptime(p),
		.vivify_cas = pick(p, 4) ? 0 : pick(p, 1000),
	};
	struct key key = key_of(i);
	struct hit hit, want = { .why = FOUND };
	enum result res;
	struct known *k;

	p->step = "read";
	key.binary = pick(p, 4) == 0;
	res = cache_read(&r->cache, &r->local, &key, &spec, now(p),
	    r->x.scratch, &hit);
	k = model_look(&p->model, i, &want.why);
	if (k != NULL) {
		want = model_hit(&p->model, k, &spec);
		SAME(p, res == RESULT_HIT);
		compare_hits(p, &hit, &want, spec.want_value ? k->value : NULL);
	} else if (spec.vivify) {
		want = (struct hit){ .why = FOUND,
			.made = true,
			.won = true,
			.cas = hit.cas,
			.accessed = now(p),
			.binary_key = key.binary };
		SAME(p, res == RESULT_HIT);
		compare_hits(p, &hit, &want, "");
		model_vivify(p, &p->model.known[i], &key, &spec, &hit);
	} else {
		SAME(p, res == RESULT_MISS);
		SAME(p, hit.why == want.why);
	}
	if (hit.pinned != NULL)
		store_item_release(&r->local, hit.pinned);
}

static void
step_touch(struct play *p)
{
	unsigned i = (unsigned)pick(p, KEYS);
	struct key key = key_of(i);
	rel_time exptime = any_exptime(p);
	enum result res;
	enum found why;
	struct known *k;

	p->step = "touch";
	res = cache_touch(&p->rig.cache, &p->rig.local, &key, exptime, now(p));
	k = model_look(&p->model, i, &why);
	SAME(p, res == (k != NULL ? RESULT_TOUCHED : RESULT_NOT_FOUND));
	if (k != NULL) {
		k->exptime = exptime;
		k->fetched = true;
		k->accessed = now(p);
	}
}

static void
step_note(struct play *p)
{
	unsigned i = (unsigned)pick(p, KEYS);
	struct key key = key_of(i);
	struct item_note note;
	bool found;
	enum found why;
	struct known *k;

	p->step = "note";
	found = cache_note(&p->rig.cache, &p->rig.local, &key, now(p), &note);
	k = model_look(&p->model, i, &why);
	SAME(p, found == (k != NULL));
	if (!found || k == NULL)
		return;
	SAME(p, note.key_len == key.len);
	SAME(p, memcmp(note.key, key.data, key.len) == 0);
	SAME(p, note.cas == k->cas);
	SAME(p, note.exptime == k->exptime);
	SAME(p, note.accessed == k->accessed);
	SAME(p, note.fetched == k->fetched);
	SAME(p, note.binary == k->binary);
	SAME(p, note.client_flags == k->client_flags);
	SAME(p, note.value_len == k->len);
}

/* ---- numbers ------------------------------------------------------------- */

static struct arith_spec
any_arith(struct play *p, const struct known *k)
{
	return (struct arith_spec){
		.decrement = pick(p, 2),
		.delta = rng_any(&p->rng, pick(p, 3) ? 8 : 64),
		.compare = pick(p, 5) == 0,
		.cas = any_cas(p, k),
		.own_cas = pick(p, 8) == 0,
		.new_cas = 1 + rng_any(&p->rng, 63),
		.touch = pick(p, 5) == 0,
		.exptime = any_exptime(p),
		.vivify = pick(p, 4) == 0,
		.initial = rng_any(&p->rng, 64),
		.vivify_exptime = any_exptime(p),
	};
}

static void
step_arith(struct play *p)
{
	unsigned i = (unsigned)pick(p, KEYS);
	struct arith_spec spec = any_arith(p, &p->model.known[i]);
	struct key key = key_of(i);
	struct arith_done done;
	enum result res, want = RESULT_NOT_FOUND;
	rel_time before = 0;
	bool binary = false;
	enum found why;
	struct known *k;
	uint64_t n = 0;

	p->step = "arith";
	key.binary = pick(p, 4) == 0;
	res = cache_arith(&p->rig.cache, &p->rig.local, &key, &spec, now(p),
	    &done);
	k = model_look(&p->model, i, &why);
	if (k != NULL) {
		before = k->exptime;
		binary = k->binary;
		want = model_arith(&p->model, k, &spec, &n);
	} else if (spec.vivify) {
		k = &p->model.known[i];
		model_make_number(&p->model, k, &spec, &n);
		binary = k->binary = key.binary;
		want = RESULT_STORED;
	}
	SAME(p, res == want);
	SAME(p, done.made == (why != FOUND && spec.vivify));
	SAME(p, done.exptime == before);
	SAME(p, done.binary_key == binary);
	if (res != RESULT_STORED || k == NULL)
		return;
	SAME(p, done.number == n);
	number(p, k, spec.own_cas, spec.new_cas, done.cas);
}

/* ---- deleting ------------------------------------------------------------ */

/* The number that stands now, as any client could ask for it. */
static uint64_t
cas_of(struct play *p, const struct key *key)
{
	static const struct read_spec peek = { .peek = true };
	struct hit hit;

	return cache_read(&p->rig.cache, &p->rig.local, key, &peek, now(p),
		   p->rig.x.scratch, &hit) == RESULT_HIT ?
	    hit.cas :
	    0;
}

static void
model_delete(struct play *p, struct known *k, const struct key *key,
    const struct delete_spec *spec)
{
	if (!spec->stale && !spec->clear) {
		k->present = false;
		return;
	}
	if (spec->clear) {
		model_put(&p->model, k, "", 0);
		k->client_flags = spec->client_flags;
		k->exptime = 0;
	}
	if (spec->touch)
		k->exptime = spec->exptime;
	if (spec->stale) {
		k->stale = true;
		k->won = false;
	}
	/* an item that is only cleared keeps its number */
	if (model_expired(&p->model, k))
		return;
	if (!spec->stale && !spec->own_cas)
		SAME(p, cas_of(p, key) == k->cas);
	else
		number(p, k, spec->own_cas, spec->new_cas, cas_of(p, key));
}

static void
step_delete(struct play *p)
{
	struct rig *r = &p->rig;
	unsigned i = (unsigned)pick(p, KEYS);
	struct delete_spec spec = {
		.compare = pick(p, 3) == 0,
		.cas = any_cas(p, &p->model.known[i]),
		.stale = pick(p, 2) == 0,
		.clear = pick(p, 3) == 0,
		.own_cas = pick(p, 5) == 0,
		.new_cas = 1 + rng_any(&p->rng, 63),
		.touch = pick(p, 3) == 0,
		.exptime = any_exptime(p),
		.client_flags = (uint32_t)pick(p, 3),
	};
	struct key key = key_of(i);
	enum result res, want = RESULT_DELETED;
	enum found why;
	struct known *k;
	uint32_t size;

	p->step = "delete";
	res = cache_delete(&r->cache, &r->local, &key, &spec, now(p), &size);
	k = model_look(&p->model, i, &why);
	if (k == NULL)
		want = RESULT_NOT_FOUND;
	else if (spec.compare && (!p->model.cas_enabled || k->cas != spec.cas))
		want = RESULT_EXISTS;
	SAME(p, res == want);
	if (res == RESULT_DELETED && want == RESULT_DELETED)
		model_delete(p, k, &key, &spec);
}

/* ---- what happens by itself ---------------------------------------------- */

static void
model_flush(struct play *p)
{
	for (unsigned i = 0; i < KEYS; i++)
		p->model.known[i].flushed = true;
	p->flush_at = 0;
}

static void
step_flush(struct play *p)
{
	struct store *st = p->rig.store;

	p->step = "flush";
	if (pick(p, 2) == 0) {
		store_flush(st, now(p));
		model_flush(p);
	} else {
		p->flush_at = pick(p, 4) ? now(p) + (rel_time)pick(p, 50) : 0;
		store_flush_at(st, p->flush_at);
	}
}

static void
step_time(struct play *p)
{
	struct store *st = p->rig.store;
	bool due;

	p->step = "time";
	p->rig.x.now += 1 + (rel_time)rng_any(&p->rng, 8);
	p->model.now = now(p);
	due = p->flush_at != 0 && p->flush_at <= now(p);
	SAME(p, store_flush_is_due(st, now(p)) == due);
	store_flush_due(st, now(p));
	if (due)
		model_flush(p);
}

static bool
is_thin(const void *p, size_t size)
{
	return ((uintptr_t)p >> 5 ^ size) % 3 == 0;
}

/*
 * A pass of the sweep removes the dead, and moves some of the living.  What is
 * stored dead goes a second later, so time moves on first.
 */
static void
step_sweep(struct play *p)
{
	step_time(p);
	p->step = "sweep";
	rig_sweep(&p->rig, 1000, pick(p, 2) * 1000);
	for (unsigned i = 0; i < KEYS; i++) {
		struct known *k = &p->model.known[i];

		if (k->flushed || model_expired(&p->model, k))
			k->present = false;
	}
}

static uint64_t
held(struct play *p)
{
	struct store_sums sums;

	store_sum(p->rig.store, &sums);
	return sums.items;
}

/* All of the model is in the store, and the store's own sums agree. */
static void
compare_all(struct play *p)
{
	static const struct read_spec peek = { .want_value = true,
		.peek = true };
	uint64_t present = 0;

	for (unsigned i = 0; i < KEYS; i++)
		present += p->model.known[i].present;
	SAME(p, held(p) == present);
	for (unsigned i = 0; i < KEYS; i++) {
		struct key key = key_of(i);
		struct hit hit, want;
		enum found why;
		enum result res;
		struct known *k;

		res = cache_read(&p->rig.cache, &p->rig.local, &key, &peek,
		    now(p), p->rig.x.scratch, &hit);
		k = model_look(&p->model, i, &why);
		SAME(p, res == (k != NULL ? RESULT_HIT : RESULT_MISS));
		if (res != RESULT_HIT || k == NULL)
			continue;
		want = model_hit(&p->model, k, &peek);
		compare_hits(p, &hit, &want, k->value);
		if (hit.pinned != NULL)
			store_item_release(&p->rig.local, hit.pinned);
	}
	SAME(p, rig_is_sane(&p->rig, 0));
}

static void
step(struct play *p)
{
	switch (pick(p, 40)) {
	case 0:
		step_time(p);
		break;
	case 1:
		if (pick(p, 10) == 0)
			step_flush(p);
		break;
	case 2:
		if (pick(p, 4) == 0)
			step_sweep(p);
		break;
	case 3:
		step_note(p);
		break;
	case 4:
	case 5:
		step_touch(p);
		break;
	case 6:
	case 7:
	case 8:
		step_delete(p);
		break;
	default:
		if (pick(p, 4) == 0)
			step_arith(p);
		else if (pick(p, 5) < 2)
			step_store(p);
		else
			step_read(p);
		break;
	}
	p->done++;
}

static void
run(const char *what, uint64_t seed, unsigned steps, bool no_cas)
{
	struct play *p = calloc(1, sizeof(*p));

	REQUIRE(p != NULL);
	p->rng = rng_start(what, seed);
	p->model.cas_enabled = !no_cas;
	p->same = true;
	rig_open(&p->rig,
	    &(struct rig_config){ .item_max = ITEM_MAX, .no_cas = no_cas });
	p->model.now = now(p);
	fake_arena_set_thin(is_thin);
	while (p->done < steps && p->same) {
		step(p);
		if (p->done % 500 == 0) {
			p->step = "all";
			compare_all(p);
		}
	}
	CHECK(p->same);
	rig_close(&p->rig);
	CHECK_EQ(fake_arena_bytes(), 0);
	fake_arena_set_thin(NULL);
	free(p);
}

static void
the_cache_is_as_the_model_says(void)
{
	run("model", 31, STEPS, false);
}

static void
other_seeds_show_nothing_else(void)
{
	for (uint64_t seed = 32; seed < 42; seed++)
		run("model", seed, STEPS / 20, false);
}

static void
without_cas_it_is_the_same_but_for_the_numbers(void)
{
	run("model without cas", 42, STEPS / 4, true);
}

UNIT("cache model", TEST(the_cache_is_as_the_model_says),
    TEST(other_seeds_show_nothing_else),
    TEST(without_cas_it_is_the_same_but_for_the_numbers))
