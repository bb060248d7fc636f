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
#include "play.h"

#include "unit.h"

enum { KEYS = MODEL_KEYS, ITEM_MAX = MODEL_ITEM_MAX, STEPS = 400000 };

/* ---- storing ------------------------------------------------------------- */

static void
make_spec(struct play *p, struct model_request *q, const struct known *k)
{
	q->spec = (struct store_spec){
		.mode = (enum store_mode)play_pick(p, STORE_PREPEND + 1),
		.compare = play_pick(p, 3) == 0,
		.cas = play_cas(p, k),
		.own_cas = q->item.own_cas,
		.new_cas = 1 + rng_any(&p->rng, 63),
		.vivify = play_pick(p, 2) == 0,
		.vivify_exptime = play_exptime(p),
		.versioned = q->extra.versioned,
		.version = q->extra.version,
	};
	q->spec.stale_if_older = play_pick(p, 2) == 0 &&
	    q->spec.mode != STORE_APPEND && q->spec.mode != STORE_PREPEND;
}

static void
make_request(struct play *p, struct model_request *q)
{
	const struct known *k;

	q->i = (unsigned)play_pick(p, KEYS);
	k = &p->model.known[q->i];
	q->item = (struct item_spec){
		.key = play_key(q->i),
		.value_len = (uint32_t)play_value(p, q->value),
		.client_flags = play_pick(p, 3) ? 0 : (uint32_t)play_pick(p, 9),
		.exptime = play_exptime(p),
		.own_cas = play_pick(p, 8) == 0,
		.extra = &q->extra,
	};
	q->item.key.binary = play_pick(p, 10) == 0;
	q->extra = (struct item_extra){
		.versioned = play_pick(p,
				 k->floored || k->versioned ? 2 : 10) == 0,
		.version = play_version(p, k),
		.negative = play_pick(p, 20) == 0,
		.grace = play_pick(p, 4) ? 0 : (uint32_t)rng_any(&p->rng, 10),
	};
	if (!q->extra.versioned)
		q->extra.version = 0;
	if (q->extra.negative)
		q->item.value_len = 0;
	q->tags = play_tags(p, &q->extra);
	make_spec(p, q, k);
	if (play_pick(p, 4) == 0) {
		/* a fill by the latest token */
		q->spec.compare = true;
		q->spec.cas = k->given[k->last_given].token;
		q->spec.mode = STORE_SET;
	}
	/* tags are judged by the number of the grant; others have room for it
	 */
	q->extra.born = q->spec.compare &&
	    (model_grant_of(k, q->spec.cas) != 0 || play_pick(p, 2));
}

/* What `set` does to the value that it could not replace. */
static void
step_drop(struct play *p, unsigned i)
{
	struct known *k = &p->model.known[i];
	struct key key = play_key(i);
	enum found why;

	cache_drop(&p->rig.cache, &p->rig.local, &key, play_now(p));
	if (model_look(&p->model, i, &why) == NULL)
		return;
	model_invalidate(&p->model, k);
	k->present = false;
}

static void
step_store(struct play *p)
{
	struct rig *r = &p->rig;
	struct known *k;
	struct model_request q;
	struct stored out, said;
	enum result res, want;
	struct item *it;

	p->step = "store";
	make_request(p, &q);
	k = &p->model.known[q.i];
	q.item.timed = cache_times_later(&q.spec) || play_pick(p, 4) == 0;
	it = cache_prepare(&r->cache, &r->local, &q.item, play_now(p), &res);
	SAME(p,
	    (it != NULL) ==
		model_fits(&p->model, q.item.key.len, q.item.value_len,
		    q.item.client_flags));
	if (it == NULL) {
		SAME(p, res == RESULT_TOO_LARGE);
		step_drop(p, q.i);
		return;
	}
	memcpy(item_value(it), q.value, q.item.value_len);
	res = cache_store(&r->cache, &r->local, &q.item.key, it, &q.spec,
	    play_now(p), &out);
	want = model_store(&p->model, &q, &said);
	SAME(p, res == want);
	SAME(p, out.versioned == said.versioned);
	SAME(p, out.version == said.version);
	if (res != RESULT_STORED) {
		SAME(p, out.cas == 0);
		return;
	}
	if (!k->present) /* it had expired on arrival */
		return;
	SAME(p, out.value_len == k->len);
	play_number(p, k, q.spec.own_cas, q.spec.new_cas, out.cas);
}

static void
step_touch(struct play *p)
{
	unsigned i = (unsigned)play_pick(p, KEYS);
	struct key key = play_key(i);
	rel_time exptime = play_exptime(p);
	enum result res;
	enum found why;
	struct known *k;

	p->step = "touch";
	res = cache_touch(&p->rig.cache, &p->rig.local, &key, exptime,
	    play_now(p));
	k = model_see(&p->model, i, &why);
	SAME(p, res == (k != NULL ? RESULT_TOUCHED : RESULT_NOT_FOUND));
	if (k != NULL) {
		k->exptime = exptime;
		k->fetched = true;
		k->accessed = play_now(p);
	}
}

static void
note_one(struct play *p, unsigned i)
{
	struct key key = play_key(i);
	struct item_note note;
	bool found;
	enum found why;
	struct known *k;

	found = cache_note(&p->rig.cache, &p->rig.local, &key, play_now(p),
	    &note);
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
	SAME(p, note.versioned == k->versioned && note.version == k->version);
	SAME(p, note.grace == k->grace);
	SAME(p, note.negative == k->negative);
	SAME(p, note.tags == (unsigned)__builtin_popcount(k->tags));
}

/* ---- numbers ------------------------------------------------------------- */

static struct arith_spec
any_arith(struct play *p, const struct known *k)
{
	return (struct arith_spec){
		.decrement = play_pick(p, 2),
		.delta = rng_any(&p->rng, play_pick(p, 3) ? 8 : 64),
		.compare = play_pick(p, 5) == 0,
		.cas = play_cas(p, k),
		.own_cas = play_pick(p, 8) == 0,
		.new_cas = 1 + rng_any(&p->rng, 63),
		.touch = play_pick(p, 5) == 0,
		.exptime = play_exptime(p),
		.vivify = play_pick(p, 4) == 0,
		.initial = rng_any(&p->rng, 64),
		.vivify_exptime = play_exptime(p),
	};
}

static void
step_arith(struct play *p)
{
	unsigned i = (unsigned)play_pick(p, KEYS);
	struct arith_spec spec = any_arith(p, &p->model.known[i]);
	struct key key = play_key(i);
	struct arith_done done;
	enum result res, want = RESULT_NOT_FOUND;
	rel_time before = 0;
	bool binary = false;
	enum found why;
	struct known *k;
	uint64_t n = 0;

	p->step = "arith";
	key.binary = play_pick(p, 4) == 0;
	res = cache_arith(&p->rig.cache, &p->rig.local, &key, &spec,
	    play_now(p), &done);
	k = model_see(&p->model, i, &why);
	if (k != NULL) {
		before = k->exptime;
		binary = k->binary;
		want = model_arith(&p->model, k, &spec, &n);
	} else if (spec.vivify) {
		k = &p->model.known[i];
		binary = key.binary;
		want = model_make_number(&p->model, k, &spec, &n);
		if (want == RESULT_STORED)
			k->binary = binary;
	}
	SAME(p, res == want);
	SAME(p, done.made == (why != FOUND && spec.vivify));
	SAME(p, done.exptime == before);
	SAME(p, done.binary_key == binary);
	if (res != RESULT_STORED || k == NULL)
		return;
	SAME(p, done.number == n);
	play_number(p, k, spec.own_cas, spec.new_cas, done.cas);
}

/* ---- deleting ------------------------------------------------------------ */

/* The number that stands now; to look at it removes what is dead. */
static void
check_number(struct play *p, unsigned i, const struct delete_spec *spec,
    bool numbered)
{
	struct key key = play_key(i);
	struct item_note note = { .cas = 0 };
	bool found = cache_note(&p->rig.cache, &p->rig.local, &key, play_now(p),
	    &note);
	enum found why;
	struct known *k = model_look(&p->model, i, &why);

	SAME(p, found == (k != NULL));
	if (k == NULL)
		return;
	if (numbered)
		play_number(p, k, spec->own_cas, spec->new_cas, note.cas);
	else
		SAME(p, note.cas == k->cas);
}

static void
step_delete(struct play *p)
{
	struct rig *r = &p->rig;
	unsigned i = (unsigned)play_pick(p, KEYS);
	struct known *k = &p->model.known[i];
	struct delete_spec spec = {
		.compare = play_pick(p, 3) == 0,
		.cas = play_cas(p, k),
		.stale = play_pick(p, 2) == 0,
		.clear = play_pick(p, 3) == 0,
		.own_cas = play_pick(p, 5) == 0,
		.new_cas = 1 + rng_any(&p->rng, 63),
		.touch = play_pick(p, 3) == 0,
		.exptime = play_exptime(p),
		.client_flags = (uint32_t)play_pick(p, 3),
		.versioned = play_pick(p, 4) == 0,
		.version = play_version(p, k),
		.floor_until = play_now(p) + 1 + (rel_time)rng_any(&p->rng, 8),
	};
	struct key key = play_key(i);
	enum result res;
	bool numbered;
	uint32_t size;

	p->step = "delete";
	if (spec.versioned)
		spec.touch = false;
	spec.classic = !spec.stale && !spec.clear && play_pick(p, 2);
	res = cache_delete(&r->cache, &r->local, &key, &spec, play_now(p),
	    &size);
	SAME(p, res == model_delete(&p->model, i, &spec, &numbered));
	check_number(p, i, &spec, numbered);
}

/* ---- what happens by itself ---------------------------------------------- */

static void
step_flush(struct play *p)
{
	struct store *st = p->rig.store;

	p->step = "flush";
	if (play_pick(p, 2) == 0) {
		cache_flush(&p->rig.cache, &p->rig.local, play_now(p));
		model_flush(&p->model);
		p->flush_at = 0;
	} else {
		p->flush_at = play_pick(p, 4) ?
		    play_now(p) + (rel_time)play_pick(p, 50) :
		    0;
		store_flush_at(st, p->flush_at);
	}
}

static void
pass(struct play *p, uint64_t ms)
{
	struct store *st = p->rig.store;
	bool due;

	rig_pass(&p->rig, ms);
	model_pass(&p->model, p->rig.x.now_ms);
	due = p->flush_at != 0 && p->flush_at <= play_now(p);
	SAME(p, store_flush_is_due(st, play_now(p)) == due);
	if (play_pick(p, 2))
		rig_tick(&p->rig);
	else
		cache_flush_due(&p->rig.cache, &p->rig.local, play_now(p));
	if (due) {
		model_flush(&p->model);
		p->flush_at = 0;
	}
}

static void
step_time(struct play *p)
{
	p->step = "time";
	pass(p, 1 + rng_any(&p->rng, 18));
}

/*
 * A pass of the sweep removes the dead, and moves some of the living.  What is
 * stored dead goes a second later, so time moves on first.
 */
static void
step_sweep(struct play *p)
{
	enum found why;

	p->step = "sweep";
	pass(p, 1000 + rng_any(&p->rng, 18));
	rig_sweep(&p->rig, play_pick(p, 2) == 0 ? 1000 : 7);
	for (unsigned i = 0; i < KEYS; i++)
		model_look(&p->model, i, &why);
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
	uint64_t present = 0;

	for (unsigned i = 0; i < KEYS; i++)
		present += p->model.known[i].present;
	SAME(p, held(p) == present);
	for (unsigned i = 0; i < KEYS; i++)
		note_one(p, i);
	SAME(p, rig_is_sane(&p->rig, 0));
}

static void
step(struct play *p)
{
	switch (play_pick(p, 40)) {
	case 0:
		step_time(p);
		break;
	case 1:
		if (play_pick(p, 10) == 0)
			step_flush(p);
		break;
	case 2:
		if (play_pick(p, 4) == 0)
			step_sweep(p);
		break;
	case 3:
		p->step = "note";
		note_one(p, (unsigned)play_pick(p, KEYS));
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
	case 9:
		if (play_pick(p, 4) == 0)
			play_tag(p);
		break;
	case 10:
		play_give_up(p);
		break;
	case 11:
		play_renew(p);
		break;
	default:
		if (play_pick(p, 4) == 0)
			step_arith(p);
		else if (play_pick(p, 5) < 2)
			step_store(p);
		else
			play_read(p);
		break;
	}
	p->done++;
}

static struct play *
begin(const char *what, uint64_t seed, const struct rig_config *config)
{
	struct play *p = calloc(1, sizeof(*p));

	if (p == NULL)
		abort();
	p->rng = rng_start(what, seed);
	p->model.cas_enabled = !config->no_cas;
	p->same = true;
	rig_open(&p->rig, config);
	model_pass(&p->model, p->rig.x.now_ms);
	return p;
}

static void
play(struct play *p, unsigned steps)
{
	while (p->done < steps && p->same) {
		step(p);
		if (p->done % 500 == 0) {
			p->step = "all";
			compare_all(p);
		}
	}
}

static void
end(struct play *p)
{
	rig_close(&p->rig);
	CHECK_EQ(fake_arena_bytes(), 0);
	free(p);
}

static void
run(const char *what, uint64_t seed, unsigned steps, bool no_cas)
{
	struct lease_config lease = rig_lease_config;
	struct rig_config config = { .item_max = ITEM_MAX,
		.no_cas = no_cas,
		.lease = &lease };
	struct play *p;

	lease.token_max = 1 << 20; /* no token is too old */
	p = begin(what, seed, &config);
	play(p, steps);
	CHECK(p->same);
	end(p);
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

/* Planted faults: those that one thread without waiters can notice. */
static void
a_cache_with_a_fault_is_not_as_the_model_says(void)
{
	static const enum lease_fault faults[] = { FAULT_SKIP_F2, FAULT_SKIP_F3,
		FAULT_SKIP_F4, FAULT_SKIP_F5, FAULT_DEAD_TAG, FAULT_KEEP_TOKENS,
		FAULT_NO_FLOOR };

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct lease_config lease = rig_lease_config;
		struct rig_config config = { .item_max = ITEM_MAX,
			.lease = &lease };
		struct play *p;

		lease.token_max = 1 << 20;
		lease.fault = faults[i];
		p = begin("model with a fault", 43, &config);
		p->quiet = true;
		play(p, STEPS);
		unit_note("fault %d, step %u", (int)faults[i], p->done);
		CHECK(!p->same);
		end(p);
	}
	unit_note("%s", "");
}

UNIT("cache model", TEST(the_cache_is_as_the_model_says),
    TEST(other_seeds_show_nothing_else),
    TEST(without_cas_it_is_the_same_but_for_the_numbers),
    TEST(a_cache_with_a_fault_is_not_as_the_model_says))
