/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cache_store.c - set, add, replace, append, prepend, cas, ms.
 */
#include "config.h"

#include <string.h>

#include "base/check.h"
#include "cache/cache.h"
#include "cache/fill.h"
#include "cache/held.h"

bool
cache_fits(const struct cache *c, size_t key_len, size_t value_len,
    uint32_t client_flags)
{
	/* memcached's items have no room for a number under -C. */
	size_t unused = c->cas_enabled ? 0 : sizeof(uint64_t);

	return value_len <= VALUE_MAX &&
	    sizeclass_item_size(key_len, value_len, client_flags) - unused <=
	    c->item_max;
}

struct item *
cache_prepare(struct cache *c, struct store_local *l,
    const struct item_spec *spec, rel_time now, enum result *why)
{
	struct item *it;

	*why = RESULT_TOO_LARGE;
	if (!cache_fits(c, spec->key.len, spec->value_len, spec->client_flags))
		return NULL;
	*why = RESULT_NO_MEMORY;
	it = store_reserve(l, item_size_for(spec), now) ?
	    store_item_new(l, spec) :
	    NULL;
	if (it != NULL)
		*why = RESULT_STORED;
	else
		cache_count(c, &spec->key, spec->value_len, spec->client_flags,
		    CLASS_OUT_OF_MEMORY);
	return it;
}

void
cache_count(struct cache *c, const struct key *key, size_t value_len,
    uint32_t client_flags, enum class_event event)
{
	struct shard *s = store_shard(c->store, key->hash);
	unsigned id = sizeclass_of(
	    sizeclass_item_size(key->len, value_len, client_flags));

	lock_take(&s->lock);
	s->cls[id].event[event]++;
	lock_drop(&s->lock);
}

enum match { MATCH, MATCH_OLDER, MATCH_NOT };

static enum match
compare(const struct cache *c, const struct store_spec *spec,
    const struct item *old)
{
	uint64_t cas = c->cas_enabled ? item_cas(old) : 0;

	if (!spec->compare || (spec->cas == cas && spec->cas != 0))
		return MATCH;
	if (spec->stale_if_older && spec->cas != 0 && spec->cas < cas)
		return MATCH_OLDER;
	return MATCH_NOT;
}

/* What becomes of a store when a value stands that everybody sees. */
static enum result
judge(const struct cache *c, const struct store_spec *spec, struct shard *s,
    const struct item *old, enum match *match)
{
	*match = MATCH;
	if (spec->mode == STORE_ADD)
		return RESULT_NOT_STORED;
	*match = compare(c, spec, old);
	if (spec->compare &&
	    (spec->mode == STORE_SET || spec->mode == STORE_REPLACE))
		shard_class(s, old)
		    ->event[*match == MATCH_NOT ? CLASS_CAS_BADVAL :
						  CLASS_CAS_HITS]++;
	return *match == MATCH_NOT ? RESULT_EXISTS : RESULT_STORED;
}

static void
finish(struct cache *c, struct shard *s, struct item *it, struct stored *out)
{
	s->counted[SHARD_COUNTER_total_items]++;
	out->cas = c->cas_enabled ? item_cas(it) : 0;
	out->value_len = item_value_len(it);
}

/* A store and the key it is about, while the shard is locked. */
struct storing {
	struct act st;
	const struct store_spec *spec;
	struct item *it;
	struct standing old;
	struct lease *lease;
	uint64_t token; /* spec->cas, if it is one; 0: no fill */
	uint64_t seq;   /* of its grant */
	bool plain;     /* neither the store nor its shard knows of any of it */
	enum match match;
};

/* A versioned write that only refreshes: MR. */
static bool
is_refresh(const struct storing *g)
{
	return g->spec->versioned && g->spec->mode == STORE_REPLACE &&
	    g->token == 0;
}

/*
 * What it refreshes is fresh and has a version to compare.  What was marked may
 * have been marked for a newer version than this; of what has none nobody knows
 * which is newer.
 */
static bool
can_be_refreshed(const struct standing *old)
{
	return old->visible && !(old->item->word & ITEM_STALE) &&
	    old->item->word & ITEM_VERSION;
}

/*
 * A refresh of what isn't there is as md V: it leaves a floor, and nothing
 * fresh that is older; known to be absent is a value, too.
 */
static void
note_absent(struct storing *g) REQUIRES(g->st.s->lock)
{
	struct item *it = g->old.item;
	uint64_t floor = g->spec->version;
	bool fresh, stays;

	if (!is_refresh(g) || can_be_refreshed(&g->old))
		return;
	fresh = it != NULL && !(it->word & ITEM_STALE) &&
	    !item_is_overdue(it, g->st.now);
	stays = fresh && it->word & ITEM_VERSION && item_version(it) >= floor;
	fill_set_usual_floor(&g->st, it, stays ? item_version(it) : floor);
	fill_move_clock(&g->st);
	if (fresh && !stays)
		shard_remove(g->st.s, g->st.l, g->st.key->hash, g->old.at, it);
}

static bool
is_join(const struct store_spec *spec)
{
	return spec->mode == STORE_APPEND || spec->mode == STORE_PREPEND;
}

/* What was missing when it was to be appended to. */
static enum result
judge_join(struct storing *g) REQUIRES(g->st.s->lock)
{
	if (g->old.visible)
		return RESULT_MISS; /* somebody stored meanwhile: append */
	return g->spec->vivify || lease_shows_stub(&g->st) ? RESULT_STORED :
							     RESULT_NOT_STORED;
}

/* memcached's rules: mode, and the number to compare. */
static enum result
judge_mode(struct storing *g) REQUIRES(g->st.s->lock)
{
	const struct store_spec *spec = g->spec;
	struct item *visible = g->old.visible ? g->old.item : NULL;

	g->match = MATCH;
	if (is_join(spec))
		return judge_join(g);
	if (spec->mode == STORE_ADD && visible == NULL && g->token == 0 &&
	    lease_shows_stub(&g->st))
		return RESULT_NOT_STORED;
	if (spec->mode == STORE_ADD && visible != NULL) {
		/* as memcached: add bumps */
		shard_lift(g->st.s, g->old.at, visible);
		return RESULT_NOT_STORED;
	}
	if (g->old.item != NULL && spec->cas == item_cas(g->old.item))
		g->token = 0; /* a number that a client set himself */
	if (is_refresh(g) && !can_be_refreshed(&g->old))
		return RESULT_NOT_STORED;
	if (g->token != 0)
		return spec->mode == STORE_REPLACE && visible == NULL ?
		    RESULT_NOT_STORED :
		    RESULT_STORED;
	if (visible != NULL)
		return judge(g->st.c, spec, g->st.s, visible, &g->match);
	if (spec->compare && spec->mode != STORE_ADD)
		return RESULT_NOT_FOUND;
	return spec->mode == STORE_REPLACE && !lease_shows_stub(&g->st) ?
	    RESULT_NOT_STORED :
	    RESULT_STORED;
}

/* What a store that has expired on arrival says of its version. */
static uint64_t
note_expired(struct storing *g) REQUIRES(g->st.s->lock)
{
	if (!g->spec->versioned)
		return fill_invalidate(&g->st);
	if (g->token == 0)
		fill_set_usual_floor(&g->st, g->old.item, g->spec->version);
	else
		fill_raise_floor(&g->st, g->spec->version);
	return fill_move_clock(&g->st);
}

/* What has expired on arrival is an invalidation. */
static void
store_expired(struct storing *g, struct stored *out) REQUIRES(g->st.s->lock)
{
	bool own = lease_is(g->lease, g->token);

	out->cas = note_expired(g);
	out->value_len = item_value_len(g->it);
	if (!g->st.c->cas_enabled)
		out->cas = 0;
	if (g->old.item != NULL)
		shard_remove(g->st.s, g->st.l, g->st.key->hash, g->old.at,
		    g->old.item);
	g->st.s->counted[SHARD_COUNTER_total_items]++;
	if (own)
		lease_answer(&g->st, g->lease, NULL, LEASE_FILLED);
	else if (g->lease != NULL)
		lease_finish(&g->st, g->lease, LEASE_REVOKED);
}

/* Takes the reference on the item, unless it returns NO_MEMORY. */
static enum result
publish(struct storing *g, struct stored *out) REQUIRES(g->st.s->lock)
{
	uint32_t load_ms = 0;

	/* Another thread's batch, which granted it, may have begun later. */
	if (g->lease != NULL && g->lease->token == g->token &&
	    g->st.l->now_ms > g->lease->granted)
		load_ms = (uint32_t)(g->st.l->now_ms - g->lease->granted);
	if (load_ms > 0) /* eviction weighs it */
		item_set_birth(g->it, g->seq, load_ms);
	if (g->spec->versioned && g->token == 0 && g->old.item != NULL)
		/* For the floor that follows, what is replaced is gone. */
		clocks_move_key(&g->st.c->store->clocks, g->st.key->hash,
		    item_stored(g->old.item));
	if (g->old.item != NULL) {
		shard_replace(g->st.s, g->st.l, g->old.at, g->old.item, g->it,
		    g->st.now);
	} else {
		if (!shard_insert(g->st.s, g->st.l, g->st.key->hash, g->it,
			g->st.now))
			return RESULT_NO_MEMORY;
		if (g->old.why != FOUND_NOTHING)
			g->st.s->counted[SHARD_COUNTER_reclaimed]++;
	}
	finish(g->st.c, g->st.s, g->it, out);
	if (LIKELY(g->plain))
		return RESULT_STORED;
	item_set_birth(g->it, g->token != 0 ? g->seq : item_stored(g->it),
	    load_ms);
	fill_stored(&g->st, g->spec, g->it, g->lease, g->token);
	return RESULT_STORED;
}

/*
 * An older number with I: the value is kept as stale, in the place of one that
 * is stale already.  It is a store all the same: a lease that was to refresh
 * the old one goes on, but what its holder brings is refused by F5.
 */
static enum result
publish_older(struct storing *g, struct stored *out) REQUIRES(g->st.s->lock)
{
	struct item *old = g->old.item;

	if (!(old->word & ITEM_STALE))
		return RESULT_EXISTS;
	g->it->word |= ITEM_STALE | (old->word & ITEM_WON);
	item_set_exptime(g->it, item_exptime(old));
	shard_replace(g->st.s, g->st.l, g->old.at, old, g->it, g->st.now);
	item_set_birth(g->it, item_stored(g->it), 0);
	finish(g->st.c, g->st.s, g->it, out);
	return RESULT_STORED;
}

static enum result
judge_store(struct storing *g, struct stored *out) REQUIRES(g->st.s->lock)
{
	enum result res = judge_mode(g);

	if (res != RESULT_STORED) {
		note_absent(g);
		return res;
	}
	if (g->plain || g->match == MATCH_OLDER)
		return RESULT_STORED;
	return g->token != 0 ?
	    fill_judge(&g->st, g->spec, g->it, &g->old, g->seq, out) :
	    fill_judge_plain(&g->st, g->spec, &g->old, out);
}

static void
refuse_fill(struct storing *g) REQUIRES(g->st.s->lock)
{
	if (g->lease != NULL && g->lease->token == g->token)
		lease_finish(&g->st, g->lease, LEASE_REFUSED);
	else
		lease_note_refusal(&g->st, g->token);
}

/*
 * set, add, replace, cas: the whole value came with the request.  Append and
 * prepend when the key was missing; MISS if it isn't any more.
 */
static enum result
store_whole(struct cache *c, struct store_local *l, const struct key *key,
    struct item *it, const struct store_spec *spec, rel_time now,
    struct stored *out)
{
	struct storing g = {
		.st = act_begin(c, l, key, now),
		.spec = spec,
		.it = it,
	};
	bool expired = item_is_overdue(it, now);
	enum result res;

	if (UNLIKELY(spec->compare &&
		lease_token_read(c->leases->secret, key, spec->cas, &g.seq))) {
		g.token = spec->cas;
		clocks_tick(&c->store->clocks, now, store_seq(c->store));
	}
	shard_lock(g.st.s);
	shard_class(g.st.s, it)->event[CLASS_CMD_SET]++;
	g.old = fill_look(&g.st);
	g.lease = lease_find(&g.st);
	g.plain = !spec->compare && !spec->versioned && !spec->guarded &&
	    g.lease == NULL && !tombs_any(&c->leases->tombs, key->hash);
	res = judge_store(&g, out);
	expired &= g.match == MATCH;
	if (res == RESULT_STORED && expired)
		store_expired(&g, out);
	else if (res == RESULT_STORED)
		res = g.match == MATCH_OLDER ? publish_older(&g, out) :
					       publish(&g, out);
	else if (g.token != 0 && res != RESULT_MISS)
		refuse_fill(&g);
	act_end(&g.st);
	if (res != RESULT_STORED || expired)
		store_item_release(l, it);
	return res;
}

/* Old and new value in one new item; private, or NULL and why. */
static struct item *
join(struct cache *c, struct store_local *l, const struct key *key,
    const struct held *old, struct item *add, const struct store_spec *spec,
    rel_time now, enum result *why)
{
	bool append = spec->mode == STORE_APPEND;
	uint32_t added = item_value_len(add);
	struct item_spec joined = {
		.key = { .data = key->data,
		    .len = key->len,
		    .binary = old->binary_key,
		    .hash = key->hash },
		.value_len = old->value_len + added,
		.client_flags = old->client_flags,
		.own_cas = spec->own_cas,
		.timed = old->timed,
		.extra = &old->extra,
	};
	struct item *it = cache_prepare(c, l, &joined, now, why);
	char *value;

	if (it == NULL)
		return NULL;
	if (spec->own_cas)
		memcpy(it->data, &spec->new_cas, sizeof(uint64_t));
	value = item_value(it);
	memcpy(value + (append ? 0 : added), old->value, old->value_len);
	memcpy(value + (append ? old->value_len : 0), item_value(add), added);
	return it;
}

/* Replaces the pinned item by the joined one if it still stands. */
static enum result
put_joined(struct cache *c, struct store_local *l, const struct key *key,
    struct item *old, struct item *it, const struct store_spec *spec,
    rel_time now, struct stored *out)
{
	struct act st = act_begin(c, l, key, now);
	enum result res = RESULT_MISS;
	enum found why;
	struct place at;

	shard_lock(st.s);
	if (shard_find(st.s, l, key, now, &at, &why) == old &&
	    compare(c, spec, old) != MATCH_NOT) {
		item_set_exptime(it, item_exptime(old));
		it->word |= old->word & (ITEM_STALE | ITEM_WON);
		shard_replace(st.s, l, at, old, it, now);
		fill_move_base(&st, item_stored(it));
		finish(c, st.s, it, out);
		res = RESULT_STORED;
	}
	act_end(&st);
	if (res != RESULT_STORED)
		store_item_release(l, it);
	return res;
}

/*
 * One try to append: the old value is pinned, joined without the lock, and
 * replaced if it still stands.  MISS asks for another try.
 */
static enum result
try_extend(struct cache *c, struct store_local *l, const struct key *key,
    struct item *add, const struct store_spec *spec, rel_time now,
    struct stored *out)
{
	struct shard *s = store_shard(c->store, key->hash);
	enum result res = RESULT_NOT_STORED;
	struct item *it;
	struct held old;
	enum match match;
	enum found why;
	struct place at;

	shard_lock(s);
	it = shard_find(s, l, key, now, &at, &why);
	if (it != NULL) {
		res = judge(c, spec, s, it, &match);
		if (res == RESULT_STORED && !held_take(&old, it))
			res = RESULT_BUSY;
	}
	shard_unlock(s, l);
	if (it == NULL || res != RESULT_STORED)
		return res;
	it = join(c, l, key, &old, add, spec, now, &res);
	if (it != NULL)
		res = put_joined(c, l, key, old.item, it, spec, now, out);
	store_item_release(l, old.item);
	return res;
}

static enum result
extend(struct cache *c, struct store_local *l, const struct key *key,
    struct item *add, const struct store_spec *spec, rel_time now,
    struct stored *out)
{
	bool makes = spec->vivify || c->leases->config->visible_stubs;
	enum result res;

	do {
		do
			res = try_extend(c, l, key, add, spec, now, out);
		while (res == RESULT_MISS);
		if (res != RESULT_NOT_STORED || !makes)
			break;
		if (spec->vivify)
			item_set_exptime(add, spec->vivify_exptime);
		/* store_whole() takes a reference that we need once more. */
		CHECK(item_ref(add));
		res = store_whole(c, l, key, add, spec, now, out);
	} while (res == RESULT_MISS);
	store_item_release(l, add);
	/* As memcached: what would be too large together is not stored. */
	return res == RESULT_TOO_LARGE ? RESULT_NOT_STORED : res;
}

enum result
cache_store(struct cache *c, struct store_local *l, const struct key *key,
    struct item *it, const struct store_spec *spec, rel_time now,
    struct stored *out)
{
	memset(out, 0, sizeof(*out));
	if (it->word & ITEM_CAS)
		memcpy(it->data, &spec->new_cas, sizeof(uint64_t));
	if (is_join(spec)) {
		cache_count(c, key, item_value_len(it), item_client_flags(it),
		    CLASS_CMD_SET);
		return extend(c, l, key, it, spec, now, out);
	}
	return store_whole(c, l, key, it, spec, now, out);
}

void
cache_drop(struct cache *c, struct store_local *l, const struct key *key,
    rel_time now)
{
	struct act st = act_begin(c, l, key, now);
	struct standing old;

	shard_lock(st.s);
	old = fill_look(&st);
	if (old.item != NULL) {
		fill_invalidate(&st);
		shard_remove(st.s, l, key->hash, old.at, old.item);
	}
	act_end(&st);
}
