/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * trial.c - small models of the cache that try the ways to weigh.
 */
#include "config.h"

#include "store/trial.h"

#include <float.h>
#include <string.h>

#include "base/check.h"

enum {
	SET = 8,         /* places that a key may be in */
	ITEMS_MAX = 100, /* that a model should hold */
	ITEMS_MIN = 25,
	SHIFT_MAX = 18,
	NAME_SHIFT = 24,
	EVERY = 32,   /* accesses between two counts */
	FADE = 4096,  /* questions after which votes count half */
	VOTE = 16,    /* a vote at mean cost */
	LEAD_MIN = 3, /* votes, beside what chance explains */
	SUNKEN_MAX = 1 << 22,
};

void
trial_init(struct trial *t)
{
	memset(t, 0, sizeof(*t));
	for (int w = 0; w < WEIGH_WAYS; w++)
		for (int i = 0; i < TRIAL_KEYS; i++)
			t->model[w].worth[i] = -1;
}

/* The bits of a hash that tell a key, those of the sample among them. */
static uint32_t
name_of(uint64_t hash)
{
	return (uint32_t)(hash >> NAME_SHIFT) | 1;
}

static bool
is_wanted(const struct trial *t, uint32_t name)
{
	uint64_t hash = (uint64_t)name << NAME_SHIFT;
	uint64_t mask = ((uint64_t)1 << t->shift) - 1;

	/* bits that choose neither shard nor bucket: 40 to 50, 32 to 39 */
	return ((hash >> 40 & 0x7ff) & mask) == 0 &&
	    ((hash >> 32 & 0xff) & mask >> 11) == 0;
}

static void
leave(struct trial *t, struct trial_model *m, int i)
{
	if (m->worth[i] < 0)
		return;
	m->worth[i] = -1;
	m->used -= t->size[i];
	m->items--;
}

static void
leave_all(struct trial *t, int i)
{
	for (int w = 0; w < WEIGH_WAYS; w++)
		leave(t, &t->model[w], i);
}

/* Where the key is; -1 nowhere. */
static int
find(const struct trial *t, uint64_t hash)
{
	int set = (int)(hash % (TRIAL_KEYS / SET)) * SET;

	for (int i = set; i < set + SET; i++)
		if (t->key[i] == name_of(hash))
			return i;
	return -1;
}

/* In how many models a key is. */
static int
presence(const struct trial *t, int i)
{
	int n = 0;

	for (int w = 0; w < WEIGH_WAYS; w++)
		n += t->model[w].worth[i] >= 0;
	return n;
}

/* A place for a new key: a free one, or of one that is in the fewest models. */
static int
make_place(struct trial *t, uint64_t hash)
{
	int set = (int)(hash % (TRIAL_KEYS / SET)) * SET;
	int best = set, least = WEIGH_WAYS + 1;

	for (int i = set; i < set + SET; i++) {
		int n = t->key[i] == 0 ? -1 : presence(t, i);

		if (n < least ||
		    (n == least &&
			t->clock - t->seen[i] > t->clock - t->seen[best])) {
			best = i;
			least = n;
		}
	}
	leave_all(t, best);
	t->key[best] = name_of(hash);
	t->hits[best] = 0;
	return best;
}

/* Only differences matter: numbers stay small, so that they are exact. */
static void
lower(struct trial_model *m)
{
	for (int i = 0; i < TRIAL_KEYS; i++)
		if (m->worth[i] >= 0)
			m->worth[i] = m->worth[i] > m->sunken ?
			    m->worth[i] - m->sunken :
			    0;
	m->sunken = 0;
}

/* The item that is worth least; there must be one. */
static int
lowest(const struct trial_model *m)
{
	float worth = FLT_MAX;
	int least = 0;

	for (int i = 0; i < TRIAL_KEYS; i++)
		if (m->worth[i] >= 0 && m->worth[i] < worth) {
			worth = m->worth[i];
			least = i;
		}
	return least;
}

static void
make_room(struct trial *t, enum weigh_way way, double room)
{
	struct trial_model *m = &t->model[way];

	while (m->used > room && m->items > 0) {
		int least = lowest(m);

		m->sunken += (m->worth[least] - m->sunken) *
		    weigh_sinks(way, m->items);
		leave(t, m, least);
	}
	if (m->sunken > SUNKEN_MAX)
		lower(m);
}

/* Has a model what was asked for?  Then it gains on one that has not. */
static void
vote(struct trial *t, int i, enum weigh_way in_use, int cost)
{
	bool has = t->model[in_use].worth[i] >= 0;
	int64_t votes = VOTE;

	if (cost != 0)
		votes = (int64_t)(VOTE *
		    weigh_worth((uint8_t)(WEIGH_MIDDLE + cost)) /
		    weigh_worth(WEIGH_MIDDLE));
	t->asked++;
	for (int w = 0; w < WEIGH_WAYS; w++) {
		bool other = t->model[w].worth[i] >= 0;

		if (other == has)
			continue;
		t->lead[w] += other ? votes : -votes;
		t->noise[w] += votes * votes;
	}
}

/* Another way is in use: all begin anew. */
static void
clear_votes(struct trial_votes *v)
{
	atomic_store_explicit(&v->asked, 0, memory_order_relaxed);
	for (int w = 0; w < WEIGH_WAYS; w++) {
		atomic_store_explicit(&v->lead[w], 0, memory_order_relaxed);
		atomic_store_explicit(&v->noise[w], 0, memory_order_relaxed);
	}
}

/* A lead of two standard deviations, and some votes more. */
static bool
is_ahead(int64_t lead, int64_t noise)
{
	lead -= LEAD_MIN * VOTE;
	return lead > 0 && lead * lead > 4 * noise;
}

static void
elect(struct trial_votes *v)
{
	int way = atomic_load_explicit(&v->way, memory_order_relaxed);
	int best = way;
	int64_t most = 0;

	for (int w = 0; w < WEIGH_WAYS; w++) {
		int64_t lead = atomic_load_explicit(&v->lead[w],
		    memory_order_relaxed);

		if (lead > most &&
		    is_ahead(lead,
			atomic_load_explicit(&v->noise[w],
			    memory_order_relaxed))) {
			best = w;
			most = lead;
		}
	}
	/* Two threads may do it at a time: some votes more or less. */
	if (best != way && atomic_compare_exchange_strong(&v->way, &way, best))
		clear_votes(v);
}

static void
fade(struct trial_votes *v)
{
	int64_t asked = atomic_load_explicit(&v->asked, memory_order_relaxed);

	if (asked < FADE ||
	    !atomic_compare_exchange_strong(&v->asked, &asked, asked / 2))
		return;
	for (int w = 0; w < WEIGH_WAYS; w++) {
		atomic_fetch_sub_explicit(&v->lead[w],
		    atomic_load_explicit(&v->lead[w], memory_order_relaxed) / 2,
		    memory_order_relaxed);
		atomic_fetch_sub_explicit(&v->noise[w],
		    atomic_load_explicit(&v->noise[w], memory_order_relaxed) /
			2,
		    memory_order_relaxed);
	}
}

static void
count_votes(struct trial *t, struct trial_votes *v)
{
	atomic_fetch_add_explicit(&v->asked, t->asked, memory_order_relaxed);
	t->asked = 0;
	for (int w = 0; w < WEIGH_WAYS; w++) {
		if (t->noise[w] == 0)
			continue;
		atomic_fetch_add_explicit(&v->lead[w], t->lead[w],
		    memory_order_relaxed);
		atomic_fetch_add_explicit(&v->noise[w], t->noise[w],
		    memory_order_relaxed);
		t->lead[w] = t->noise[w] = 0;
	}
	elect(v);
	fade(v);
}

/* Sees a smaller part of the keys when the shard has more items. */
static void
fit_sample(struct trial *t, size_t items)
{
	if (t->shift > 0 && items >> t->shift < ITEMS_MIN)
		t->shift--;
	while (t->shift < SHIFT_MAX && items >> t->shift > ITEMS_MAX) {
		t->shift++;
		for (int i = 0; i < TRIAL_KEYS; i++)
			if (!is_wanted(t, t->key[i])) {
				leave_all(t, i);
				t->key[i] = 0;
			}
	}
}

static void
drop_expired(struct trial *t, rel_time now)
{
	for (int i = 0; i < TRIAL_KEYS; i++)
		if (t->end[i] != 0 && t->end[i] <= now)
			leave_all(t, i);
}

static void
enter_models(struct trial *t, int i, const struct trial_access *a)
{
	double room = (double)a->bytes / (double)((uint64_t)1 << t->shift);

	if (t->hits[i] < WEIGH_HITS_MAX)
		t->hits[i]++;
	for (int w = 0; w < WEIGH_WAYS; w++) {
		struct trial_model *m = &t->model[w];
		bool there = m->worth[i] >= 0;

		if (!there && (double)a->size > room)
			continue;
		m->worth[i] = m->sunken +
		    weigh_worth(weigh(w, t->hits[i], a->log_size, a->log_mean,
			a->cost));
		if (there)
			continue;
		m->used += (double)a->size;
		m->items++;
		make_room(t, w, room);
	}
}

void
trial_see(struct trial *t, struct trial_votes *votes,
    const struct trial_access *a)
{
	int way = atomic_load_explicit(&votes->way, memory_order_relaxed);
	int i;

	fit_sample(t, a->items);
	if (!is_wanted(t, name_of(a->hash)))
		return;
	i = find(t, a->hash);
	if (i < 0)
		i = make_place(t, a->hash);
	if (t->size[i] != a->size || (t->end[i] != 0 && t->end[i] <= a->now))
		leave_all(t, i);
	t->size[i] = (uint32_t)a->size;
	t->end[i] = a->end;
	t->seen[i] = t->clock++;
	if (a->asked)
		vote(t, i, way, a->cost);
	enter_models(t, i, a);
	if (t->clock % EVERY == 0) {
		drop_expired(t, a->now);
		count_votes(t, votes);
	}
}

void
trial_drop(struct trial *t, uint64_t hash)
{
	int i = is_wanted(t, name_of(hash)) ? find(t, hash) : -1;

	if (i >= 0)
		leave_all(t, i);
}
