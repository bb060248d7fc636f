/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * store.c - all shards, the memory limit, and the one counter.
 */
#include "config.h"

#include "store/store.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "store/compact.h"
#include "store/sweep.h"

enum {
	CREDIT_MIN = 4096,
	CREDIT_MAX = 256 * 1024,
	CREDIT_PART = 2048, /* of the limit, reserved ahead by one thread */
	EVICT_BATCH = 16,   /* items at a time under a shard's lock */
	SWEEP_BATCH = 256,  /* buckets looked at for the dead before that */
	SWEEP_TAGS_BATCH = 1024, /* ... after a tag has died */
	TURNS = 1024,            /* of making room, in one request */
	FAR_PART = 32,           /* of the limit: far above it */
	SETTLE_BATCHES = 16384,  /* of evictions in one call */
	SWEEP_LOCKED = 32,       /* buckets at a time in the background */
	DEAD_SHIFT = 11,         /* of ITEM_FIELDS */
	SHRINK_LOCKED = 16,      /* buckets given back at a time */
	SHRINK_TURNS = 8,
	COARSE_MAX = 128 * 1024 * 1024, /* up to this limit, coarse classes */
};

static void
set_limit(struct store *st, size_t limit)
{
	int64_t step = (int64_t)limit / CREDIT_PART;

	if (step < CREDIT_MIN)
		step = CREDIT_MIN;
	if (step > CREDIT_MAX)
		step = CREDIT_MAX;
	atomic_store(&st->credit_step, step);
	atomic_store(&st->limit, (int64_t)limit);
}

struct store *
store_new(const struct store_config *config)
{
	struct store *st = aligned_alloc(CACHE_LINE, sizeof(*st));
	size_t bytes = config->shards * sizeof(struct shard);

	CHECK(config->shards > 1 && config->shards <= 256 &&
	    (config->shards & (config->shards - 1)) == 0);
	if (st == NULL)
		return NULL;
	memset((void *)st, 0, sizeof(*st));
	st->shard = aligned_alloc(CACHE_LINE, bytes);
	if (st->shard == NULL) {
		free(st);
		return NULL;
	}
	memset((void *)st->shard, 0, bytes);
	st->shard_shift = 64 - (unsigned)__builtin_ctz(config->shards);
	st->feed = config->feed;
	if (config->slabs &&
	    (st->slabs = slabs_new(config->limit <= COARSE_MAX)) == NULL)
		goto fail;
	st->evict = config->evict;
	st->keep_dead_tags = config->keep_dead_tags;
	if (!clocks_init(&st->clocks, config->clock_slots, config->tag_slots,
		config->token_max))
		goto fail;
	set_limit(st, config->limit);
	for (; st->shards < config->shards; st->shards++) {
		struct shard *s = &st->shard[st->shards];

		if (!shard_init(s, st))
			goto fail;
		atomic_fetch_add(&st->used,
		    (int64_t)(s->table.bytes + s->evict.bytes));
	}
	return st;
fail:
	for (unsigned i = 0; i < st->shards; i++)
		shard_destroy(&st->shard[i]);
	clocks_free(&st->clocks);
	if (st->slabs != NULL)
		slabs_free(st->slabs);
	free(st->shard);
	free(st);
	return NULL;
}

/* An item of the group that this hash leads to; false when it is empty. */
static bool
any_item(struct table *t, uint64_t hash, struct place *at)
{
	struct bucket_group g = table_group(t, hash);

	for (unsigned n = 0; n < g.buckets; n++)
		for (struct bucket *b = table_group_bucket(t, &g, n); b != NULL;
		     b = table_next(b))
			for (int k = 0; k < TABLE_SLOTS; k++)
				if (slot_item(b, k) != NULL) {
					*at = (struct place){ b, k };
					return true;
				}
	return false;
}

static void
remove_all(struct shard *s, struct store_local *l)
{
	struct place at;

	shard_lock(s);
	for (uint32_t i = 0; i < table_groups(&s->table); i++)
		/* i as a hash leads to group i */
		while (any_item(&s->table, i, &at))
			shard_remove(s, l, i, at,
			    slot_item(at.bucket, at.slot));
	shard_unlock(s, l);
}

void
store_free(struct store *st)
{
	struct store_local l;

	store_local_init(&l, st, NULL);
	for (unsigned i = 0; i < st->shards; i++) {
		remove_all(&st->shard[i], &l);
		shard_destroy(&st->shard[i]);
	}
	store_local_done(&l);
	clocks_free(&st->clocks);
	if (st->slabs != NULL)
		slabs_free(st->slabs);
	free(st->shard);
	free(st);
}

void
store_local_init(struct store_local *l, struct store *st,
    struct counters *counters)
{
	memset(l, 0, sizeof(*l));
	l->store = st;
	l->counters = counters;
	if (st->slabs != NULL)
		slab_cache_init(&l->slabs, st->slabs);
}

void
store_local_rest(struct store_local *l)
{
	if (l->store->slabs != NULL)
		slab_cache_empty(&l->slabs);
}

void
store_local_done(struct store_local *l)
{
	atomic_fetch_sub(&l->store->used, l->credit);
	l->credit = 0;
	if (l->store->slabs != NULL)
		slab_cache_empty(&l->slabs);
}

/* Memory. */

/* What may be taken in all. */
static int64_t
usable(const struct store *st)
{
	return atomic_load_explicit(&st->limit, memory_order_relaxed) -
	    atomic_load_explicit(&st->squeeze, memory_order_relaxed);
}

/* Tries to take `want` bytes from the limit as credit. */
static bool
take_credit(struct store_local *l, int64_t want)
{
	struct store *st = l->store;

	atomic_fetch_add_explicit(&st->used, want, memory_order_relaxed);
	if (store_account(st) <= usable(st)) {
		l->credit += want;
		return true;
	}
	atomic_fetch_sub_explicit(&st->used, want, memory_order_relaxed);
	return false;
}

/* The same beyond the limit. */
static void
force_credit(struct store_local *l, int64_t want)
{
	atomic_fetch_add_explicit(&l->store->used, want, memory_order_relaxed);
	l->credit += want;
}

static void
return_credit(struct store_local *l)
{
	int64_t step = atomic_load_explicit(&l->store->credit_step,
	    memory_order_relaxed);

	if (l->credit > 4 * step) {
		atomic_fetch_sub_explicit(&l->store->used, l->credit - step,
		    memory_order_relaxed);
		l->credit = step;
	}
}

/*
 * Takes memory from one shard: what is dead first.  A shard that the sweep has
 * not been through for this second is swept a bit, and its living items are
 * spared if that gave enough.  False when the shard has nothing more to give.
 */
static bool
take_from(struct store_local *l, struct shard *s, int64_t need, rel_time now)
    REQUIRES(s->lock)
{
	enum evict_outcome found = EVICT_PICKED;
	size_t before = s->bytes;

	sweep_dead(s, l, now,
	    sweep_awaits_tags(s) ? SWEEP_TAGS_BATCH : SWEEP_BATCH);
	for (int n = 0; found == EVICT_PICKED && n < EVICT_BATCH &&
	     (int64_t)(before - s->bytes) < need;
	     n++)
		found = shard_evict(s, l, now);
	return found != EVICT_NOTHING;
}

/* Evicts some items of the next shard; false when all shards are empty. */
static bool
evict_some(struct store_local *l, int64_t need, rel_time now)
{
	struct store *st = l->store;

	for (unsigned tried = 0; tried < st->shards; tried++) {
		struct shard *s = &st->shard[l->cursor++ % st->shards];
		size_t before;
		bool more;

		shard_lock(s);
		before = s->bytes;
		more = take_from(l, s, need, now) || s->bytes < before;
		shard_unlock(s, l);
		if (more)
			return true;
	}
	return false;
}

/* Readers may have let go of what eviction passed over. */
static void
look_again(struct shard *s, struct store_local *l)
{
	shard_lock(s);
	evict_retry(&s->evict);
	shard_unlock(s, l);
}

/* Whether evicting gave anything; if not, all shards look again next time. */
static bool
evict_or_give_up(struct store_local *l, int64_t need, rel_time now)
{
	struct store *st = l->store;

	if (evict_some(l, need, now))
		return true;
	for (unsigned i = 0; i < st->shards; i++)
		look_again(&st->shard[i], l);
	return false;
}

/*
 * Without eviction, memory comes back from what is dead already: a turn of
 * sweeping each shard, while the sweep has work for this second.
 */
static bool
reclaim(struct store_local *l, rel_time now)
{
	struct store *st = l->store;
	bool done = true, freed = false;

	for (unsigned i = 0; i < st->shards && !freed; i++) {
		struct shard *s = &st->shard[l->cursor++ % st->shards];
		size_t before;

		shard_lock(s);
		before = s->bytes;
		done &= sweep_dead(s, l, now, SWEEP_BATCH);
		freed = s->bytes < before;
		shard_unlock(s, l);
	}
	return !done || freed;
}

/* The last resort: what this thread keeps may be all that is in its slab. */
static bool
scrape(struct store_local *l)
{
	struct slabs *slabs = l->store->slabs;
	int64_t before;

	if (slabs == NULL)
		return false;
	before = slabs_bytes(slabs);
	slab_cache_empty(&l->slabs);
	return slabs_bytes(slabs) < before || compact(l);
}

/* Frees some `need` bytes; false when all that can go has gone. */
static bool
make_room(struct store_local *l, int64_t need, enum compact_part part,
    rel_time now)
{
	struct store *st = l->store;

	if (compact_is_due(st, part) && compact(l))
		return true;
	if (st->evict && compact_is_due(st, COMPACT_FOR_REGION) &&
	    compact_rare(l, now))
		return true;
	if (st->evict ? evict_or_give_up(l, need, now) : reclaim(l, now))
		return true;
	return scrape(l);
}

/*
 * Whether one request has done enough to make room.  What a lowered limit asks
 * for is left to the maintenance thread, and the request may go beyond; with -M
 * it is refused, and the next one goes on.
 */
static bool
has_toiled(const struct store *st, int turn)
{
	int64_t over = store_account(st) - usable(st);

	if (turn < TURNS)
		return false;
	return !st->evict || over > usable(st) / FAR_PART;
}

/* Credit of `need` bytes, paid for by others if need be. */
static bool
raise_credit(struct store_local *l, int64_t need, rel_time now)
{
	struct store *st = l->store;
	int64_t step = atomic_load_explicit(&st->credit_step,
	    memory_order_relaxed);

	/* All items would go for one, and tables stay. */
	if (UNLIKELY(need > usable(st) - usable(st) / 4))
		return false;
	for (int turn = 0; UNLIKELY(l->credit < need); turn++) {
		int64_t missing = need - l->credit;

		if (take_credit(l, missing + step) || take_credit(l, missing))
			break;
		if (UNLIKELY(has_toiled(st, turn))) {
			if (st->evict)
				force_credit(l, missing);
			return st->evict;
		}
		if (!make_room(l, missing, COMPACT_FOR_OTHERS, now))
			return false;
	}
	return true;
}

/* A region of class `c` in the thread's cache. */
static bool
raise_region(struct store_local *l, unsigned c, rel_time now)
{
	struct store *st = l->store;
	int64_t batch = (int64_t)st->slabs->cls[c].batch *
	    st->slabs->cls[c].size;

	for (int turn = 0;; turn++) {
		int64_t room = usable(st) -
		    atomic_load_explicit(&st->used, memory_order_relaxed);
		bool enough = UNLIKELY(has_toiled(st, turn));
		enum slab_outcome outcome;

		if (enough && st->evict)
			room = INT64_MAX;
		outcome = slab_fill(&l->slabs, c, room);
		if (outcome == SLAB_READY)
			return true;
		/* Where the system has none, others' memory will do. */
		if (enough || !make_room(l, batch, COMPACT_FOR_REGION, now))
			/* out of memory is for store_item_new() to say */
			return outcome == SLAB_NO_MEMORY;
	}
}

bool
store_reserve(struct store_local *l, size_t size, rel_time now)
{
	struct store *st = l->store;
	unsigned c;

	if (!store_has_slab(st, size))
		return raise_credit(l, (int64_t)arena_item_size(size), now);
	/* Tables may have grown. */
	if (UNLIKELY(l->credit < 0) && !raise_credit(l, 0, now))
		return false;
	c = slab_class_of(st->slabs, size);
	return LIKELY(slab_is_ready(&l->slabs, c)) || raise_region(l, c, now);
}

void
store_settle(struct store_local *l, rel_time now)
{
	struct store *st = l->store;

	return_credit(l);
	/* Bounded, so that a much lower limit does not hold up the end. */
	for (int i = 0; i < SETTLE_BATCHES; i++) {
		int64_t over = store_account(st) - usable(st);

		if (over <= 0 || !make_room(l, over, COMPACT_FOR_OTHERS, now))
			break;
		store_local_done(l);
	}
}

struct item *
store_item_new(struct store_local *l, const struct item_spec *spec)
{
	size_t size = item_size_for(spec);
	bool slab = store_has_slab(l->store, size);
	void *memory = LIKELY(slab) ? slab_alloc(&l->slabs, size) :
				      arena_alloc_item(size);

	if (UNLIKELY(memory == NULL)) {
		COUNT(l->counters, malloc_fails);
		return NULL;
	}
	if (!slab)
		l->credit -= (int64_t)arena_item_size(size);
	return item_init(memory, spec);
}

static void
item_free(struct store_local *l, struct item *it)
{
	size_t size = item_size(it);

	if (LIKELY(store_has_slab(l->store, size))) {
		slab_free(&l->slabs, it, size);
		return;
	}
	arena_free_item(it, size);
	l->credit += (int64_t)arena_item_size(size);
}

void
store_item_release(struct store_local *l, struct item *it)
{
	if (item_unref(it)) {
		item_free(l, it);
		return_credit(l);
	}
}

/*
 * The queue is linked through `word`, but for the bits that tell the size: 46
 * bits of an address that is a multiple of 4.
 */
void
store_doom(struct store_local *l, struct item *it)
{
	uint64_t next = (uint64_t)(uintptr_t)l->dead;

	it->word = next << (DEAD_SHIFT - 2) | (it->word & ITEM_FIELDS);
	l->dead = it;
}

void
store_bury(struct store_local *l)
{
	while (l->dead != NULL) {
		struct item *it = l->dead;

		l->dead = (struct item *)(uintptr_t)(it->word >> DEAD_SHIFT
			<< 2);
		item_free(l, it);
	}
	return_credit(l);
}

void
store_set_limit(struct store *st, size_t limit)
{
	set_limit(st, limit);
}

/* flush_all. */

static void
raise_flush_clock(struct store *st)
{
	uint64_t seq = store_next_seq(st);
	uint64_t clock = atomic_load(&st->flush_clock);

	/* release: pairs with store_is_flushed() */
	while (clock < seq &&
	    !atomic_compare_exchange_weak_explicit(&st->flush_clock, &clock,
		seq, memory_order_release, memory_order_relaxed))
		;
}

/*
 * Twice: between the first number and its being seen, a step under a shard's
 * lock may still find a value that is flushed, and store what it made of it
 * with a later number.  Once each lock was free all such steps are over, and
 * the second number is above theirs.
 */
static void
flush(struct store *st, rel_time now)
{
	raise_flush_clock(st);
	for (unsigned i = 0; i < st->shards; i++) {
		lock_take(&st->shard[i].lock);
		lock_drop(&st->shard[i].lock);
	}
	raise_flush_clock(st);
	atomic_store(&st->flushed, now);
}

void
store_flush(struct store *st, rel_time now)
{
	atomic_store(&st->flush_at, 0);
	flush(st, now);
}

void
store_flush_at(struct store *st, rel_time when)
{
	atomic_store(&st->flush_at, when);
}

bool
store_flush_due(struct store *st, rel_time now)
{
	rel_time at = atomic_load(&st->flush_at);

	/* The exchange makes sure that one thread does it. */
	if (at == 0 || at > now ||
	    !atomic_compare_exchange_strong(&st->flush_at, &at, 0))
		return false;
	flush(st, now);
	return true;
}

/* Sweeping. */

static void
sweep_shard(struct shard *s, struct store_local *l, rel_time now,
    uint32_t buckets)
{
	bool done = false;

	for (; !done && buckets >= SWEEP_LOCKED; buckets -= SWEEP_LOCKED) {
		shard_lock(s);
		done = sweep_dead(s, l, now, SWEEP_LOCKED);
		shard_unlock(s, l);
	}
}

static void
shrink_shard(struct shard *s, struct store_local *l)
{
	bool more = true;

	for (int i = 0; more && i < SHRINK_TURNS; i++) {
		shard_lock(s);
		more = shard_shrink(s, l, SHRINK_LOCKED);
		shard_unlock(s, l);
	}
}

void
store_keep_house(struct store_local *l, rel_time now, uint32_t sweep)
{
	struct store *st = l->store;

	for (unsigned i = 0; i < st->shards; i++) {
		look_again(&st->shard[i], l);
		sweep_shard(&st->shard[i], l, now, sweep / st->shards);
		shrink_shard(&st->shard[i], l);
	}
}

/* Sums and walks. */

static void
add_shard(struct store_sums *sums, struct shard *s)
{
	sums->items += s->table.items;
	sums->bytes += s->bytes;
	sums->tagged += s->tagged;
	sums->tag_reclaimed += s->tag_reclaimed;
	sums->table_bytes += s->table.bytes + s->evict.bytes;
	sums->buckets += table_buckets(&s->table);
	sums->passes += s->sweep.passes;
	for (int i = 0; i < SHARD_COUNTER_COUNT; i++)
		sums->counted[i] += s->counted[i];
	for (int i = 0; i < SIZECLASS_COUNT; i++) {
		struct sizeclass *to = &sums->cls[i];

		to->items += s->cls[i].items;
		to->bytes += s->cls[i].bytes;
		to->most_items += s->cls[i].most_items;
		if (s->cls[i].evicted_time > to->evicted_time)
			to->evicted_time = s->cls[i].evicted_time;
		for (int e = 0; e < CLASS_EVENTS; e++)
			to->event[e] += s->cls[i].event[e];
	}
}

static void
sum_raw(struct store *st, struct store_sums *sums)
{
	memset(sums, 0, sizeof(*sums));
	for (unsigned i = 0; i < st->shards; i++) {
		lock_take(&st->shard[i].lock);
		add_shard(sums, &st->shard[i]);
		lock_drop(&st->shard[i].lock);
	}
}

void
store_sum(struct store *st, struct store_sums *sums)
{
	uint64_t base[SHARD_COUNTER_COUNT];

	/* Read first: then no sum can be below it. */
	for (int i = 0; i < SHARD_COUNTER_COUNT; i++)
		base[i] = atomic_load(&st->base[i]);
	sum_raw(st, sums);
	for (int i = 0; i < SHARD_COUNTER_COUNT; i++)
		sums->counted[i] -= base[i];
}

void
store_reset_counters(struct store *st)
{
	struct store_sums sums;

	for (unsigned i = 0; i < st->shards; i++) {
		struct shard *s = &st->shard[i];

		lock_take(&s->lock);
		for (int c = 0; c < SIZECLASS_COUNT; c++)
			memset(s->cls[c].event, 0, sizeof(s->cls[c].event));
		lock_drop(&s->lock);
	}
	sum_raw(st, &sums);
	for (int i = 0; i < SHARD_COUNTER_COUNT; i++)
		atomic_store(&st->base[i], sums.counted[i]);
}

void
item_note_fill(struct item_note *note, const struct item *it, rel_time now)
{
	note->key_len = item_key_len(it);
	memcpy(note->key, item_key(it), note->key_len);
	note->binary = it->word & ITEM_BINARY_KEY;
	note->fetched = it->word & ITEM_FETCHED;
	note->exptime = item_exptime(it);
	note->accessed = item_accessed(it, now);
	note->cas = item_cas(it);
	note->versioned = it->word & ITEM_VERSION;
	note->version = item_version(it);
	note->negative = it->word & ITEM_NEGATIVE;
	note->tags = item_tags(it);
	note->grace = item_grace(it);
	note->birth = item_birth(it);
	note->stored = item_stored(it);
	note->client_flags = item_client_flags(it);
	note->value_len = item_value_len(it);
	note->size = sizeclass_item_size(note->key_len, note->value_len,
	    note->client_flags);
	note->class_id = sizeclass_of(note->size);
}

/*
 * A walk goes by the hash, its lowest bit first: in this order a group has all
 * hashes from one to another, and so have those that it becomes two of.
 */
static uint64_t
reversed(uint64_t hash)
{
	hash = (hash >> 1 & 0x5555555555555555) |
	    (hash & 0x5555555555555555) << 1;
	hash = (hash >> 2 & 0x3333333333333333) |
	    (hash & 0x3333333333333333) << 2;
	hash = (hash >> 4 & 0x0f0f0f0f0f0f0f0f) |
	    (hash & 0x0f0f0f0f0f0f0f0f) << 4;
	return __builtin_bswap64(hash);
}

/* Living items of a group, noted up to n, or only counted. */
static size_t
note_group(struct shard *s, const struct bucket_group *g, uint64_t from,
    uint64_t to, rel_time now, struct item_note *notes, size_t n)
    REQUIRES(s->lock)
{
	size_t got = 0;

	for (unsigned i = 0; i < g->buckets; i++)
		for (struct bucket *b = table_group_bucket(&s->table, g, i);
		     b != NULL; b = table_next(b))
			for (int k = 0; k < TABLE_SLOTS && got < n; k++) {
				struct item *it = slot_item(b, k);
				uint64_t order;

				if (it == NULL)
					continue;
				order = reversed(
				    hash_key(item_key(it), item_key_len(it)));
				if (order < from || order > to ||
				    item_is_overdue(it, now) ||
				    shard_is_dead(s, it, now) ||
				    it->word & ITEM_NEGATIVE)
					continue;
				if (notes != NULL)
					item_note_fill(&notes[got], it, now);
				got++;
			}
	return got;
}

/* The next hashes of one group: as many as there is room for their items. */
static size_t
walk_group(struct shard *s, struct store_walk *w, rel_time now,
    struct item_note *notes, size_t n) REQUIRES(s->lock)
{
	uint64_t from = w->next, to;
	struct bucket_group g = table_group(&s->table, reversed(from));

	to = from | UINT64_MAX >> g.shift;
	while (
	    to > from && note_group(s, &g, from, to, now, NULL, SIZE_MAX) > n)
		to = from + (to - from) / 2;
	w->next = to + 1;
	if (w->next == 0)
		w->shard++;
	return note_group(s, &g, from, to, now, notes, n);
}

size_t
store_walk(struct store_local *l, struct store_walk *w, rel_time now,
    struct item_note *notes, size_t n)
{
	enum { LOOK = 8, LOCKS = 16 };
	size_t got = 0;

	/* A group that may not fit begins the next batch. */
	for (int locks = 0; locks < LOCKS && !store_walk_is_done(l->store, w) &&
	     (got == 0 || n - got >= STORE_WALK_SPARE);
	     locks++) {
		unsigned shard = w->shard;
		struct shard *s = &l->store->shard[shard];

		shard_lock(s);
		for (int i = 0; i < LOOK && w->shard == shard &&
		     (got == 0 || n - got >= STORE_WALK_SPARE);
		     i++)
			got += walk_group(s, w, now, notes + got, n - got);
		shard_unlock(s, l);
	}
	return got;
}
