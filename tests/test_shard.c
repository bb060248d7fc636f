/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_shard.c - one lock and all that it guards.
 */
#include "config.h"

#include "store/shard.h"

#include <stdio.h>
#include <string.h>

#include "fake_arena.h"
#include "rig.h"
#include "rng.h"
#include "store/arena.h"
#include "unit.h"

/* Makes a private item. */
static struct item *
make(struct rig *r, const char *key, const char *value, rel_time exptime)
{
	struct item_spec spec = {
		.key = rig_key(key),
		.value_len = (uint32_t)strlen(value),
		.exptime = exptime,
	};
	struct item *it;

	REQUIRE(store_reserve(&r->local, item_size_for(&spec), r->x.now));
	it = store_item_new(&r->local, &spec);
	REQUIRE(it != NULL);
	memcpy(item_value(it), value, spec.value_len);
	return it;
}

/* Links an item under a key that is not there. */
static struct item *
put(struct rig *r, const char *key, const char *value,
    rel_time exptime) UNCHECKED_LOCKING
{
	struct item *it = make(r, key, value, exptime);
	struct key k = rig_key(key);
	struct shard *s = store_shard(r->store, k.hash);

	shard_lock(s);
	CHECK(shard_insert(s, &r->local, k.hash, it, r->x.now));
	shard_unlock(s, &r->local);
	return it;
}

static struct item *
find(struct rig *r, const char *key, struct place *at,
    enum found *why) UNCHECKED_LOCKING
{
	struct key k = rig_key(key);
	struct shard *s = store_shard(r->store, k.hash);
	struct item *it;

	shard_lock(s);
	it = shard_find(s, &r->local, &k, r->x.now, at, why);
	shard_unlock(s, &r->local);
	return it;
}

static enum found
look(struct rig *r, const char *key)
{
	struct place at;
	enum found why;
	struct item *it = find(r, key, &at, &why);

	CHECK_EQ(it != NULL, why == FOUND);
	return why;
}

static uint64_t
counted(struct rig *r, enum shard_counter_id id)
{
	struct store_sums sums;

	store_sum(r->store, &sums);
	return sums.counted[id];
}

static void
end(struct rig *r)
{
	CHECK(rig_is_sane(r, 0));
	rig_close(r);
	CHECK_EQ(fake_arena_bytes(), 0);
}

static void
a_new_shard_is_empty(void)
{
	struct rig r;

	rig_open(&r, &(struct rig_config){ .shards = 4 });
	CHECK_EQ(look(&r, "a"), FOUND_NOTHING);
	for (unsigned i = 0; i < 4; i++) {
		CHECK_EQ(r.store->shard[i].table.items, 0);
		CHECK_EQ(r.store->shard[i].bytes, 0);
		CHECK(r.store->shard[i].store == r.store);
	}
	end(&r);
}

static void
an_inserted_item_is_numbered_linked_and_counted(void)
{
	struct rig r;
	struct item *a, *b;

	rig_open(&r, &(struct rig_config){ 0 });
	r.x.now = 5000;
	a = put(&r, "a", "one", 0);
	b = put(&r, "b", "two", 6000);

	CHECK(item_stored(a) > 0);
	CHECK_EQ(item_stored(b), item_stored(a) + 1);
	CHECK(a->word & ITEM_LINKED);
	CHECK_EQ(item_accessed(a, 5000), 5000);
	CHECK(!(a->word & (ITEM_FETCHED | ITEM_STALE | ITEM_WON)));
	CHECK_EQ(look(&r, "a"), FOUND);
	CHECK_EQ(look(&r, "b"), FOUND);
	CHECK(rig_is_sane(&r, 0));
	end(&r);
}

static void
a_replaced_item_is_freed_and_its_place_lifted(void) UNCHECKED_LOCKING
{
	struct key k = rig_key("a");
	struct place at;
	enum found why;
	struct rig r;
	struct shard *s;
	struct item *old, *it;
	uint64_t number;
	uint8_t level;
	int64_t blocks;

	rig_open(&r, &(struct rig_config){ 0 });
	k = rig_key("a");
	s = store_shard(r.store, k.hash);
	old = put(&r, "a", "old", 2000);
	number = item_stored(old);
	blocks = fake_arena_blocks();
	it = make(&r, "a", "a longer value", 0);

	shard_lock(s);
	CHECK(shard_find(s, &r.local, &k, r.x.now, &at, &why) == old);
	level = slot_level(at.bucket, at.slot);
	shard_replace(s, &r.local, at, old, it, r.x.now);
	CHECK(slot_level(at.bucket, at.slot) != level);
	CHECK_EQ(slot_position(at.bucket, at.slot), 0);
	shard_unlock(s, &r.local);

	CHECK_EQ(fake_arena_blocks(), blocks);
	CHECK(item_stored(it) > number);
	CHECK(find(&r, "a", &at, &why) == it);
	CHECK_EQ(s->table.items, 1);
	CHECK_EQ(s->timed, 0);
	end(&r);
}

static void
a_removed_item_lives_as_long_as_its_readers(void) UNCHECKED_LOCKING
{
	struct key k = rig_key("a");
	struct place at;
	enum found why;
	struct rig r;
	struct shard *s;
	struct item *it;
	int64_t bytes;

	rig_open(&r, &(struct rig_config){ 0 });
	k = rig_key("a");
	s = store_shard(r.store, k.hash);
	it = put(&r, "a", "read me", 0);
	bytes = (int64_t)arena_true_size(item_size(it));

	shard_lock(s);
	CHECK(shard_find(s, &r.local, &k, r.x.now, &at, &why) == it);
	CHECK(item_ref(it));
	shard_remove(s, &r.local, k.hash, at, it);
	shard_unlock(s, &r.local);

	CHECK_EQ(look(&r, "a"), FOUND_NOTHING);
	CHECK_BYTES(item_value(it), item_value_len(it), "read me");
	CHECK(rig_is_sane(&r, bytes));
	store_item_release(&r.local, it);
	CHECK(rig_is_sane(&r, 0));
	end(&r);
}

static void
a_dead_item_that_is_met_is_removed(void)
{
	struct rig r;

	rig_open(&r, &(struct rig_config){ 0 });
	put(&r, "expires", "x", r.x.now + 10);
	put(&r, "flushed", "x", 0);
	r.x.now += 9;
	CHECK_EQ(look(&r, "expires"), FOUND);
	r.x.now++;
	CHECK_EQ(look(&r, "expires"), FOUND_EXPIRED);
	CHECK_EQ(look(&r, "expires"), FOUND_NOTHING);

	store_flush(r.store, r.x.now);
	put(&r, "later", "x", 0);
	CHECK_EQ(look(&r, "flushed"), FOUND_FLUSHED);
	CHECK_EQ(look(&r, "flushed"), FOUND_NOTHING);
	CHECK_EQ(look(&r, "later"), FOUND);
	/* as memcached: that is no reclaim, and nobody's failure */
	CHECK_EQ(counted(&r, SHARD_COUNTER_reclaimed), 0);
	CHECK_EQ(counted(&r, SHARD_COUNTER_expired_unfetched), 0);
	end(&r);
}

static void
a_hit_marks_and_lifts(void) UNCHECKED_LOCKING
{
	struct key k = rig_key("a");
	struct place at;
	enum found why;
	struct rig r;
	struct shard *s;
	struct item *it;
	uint8_t level;

	rig_open(&r, &(struct rig_config){ 0 });
	k = rig_key("a");
	s = store_shard(r.store, k.hash);
	it = put(&r, "a", "x", 0);
	r.x.now += 7;

	shard_lock(s);
	CHECK(shard_find(s, &r.local, &k, r.x.now, &at, &why) == it);
	level = slot_level(at.bucket, at.slot);
	shard_lift(s, at, it);
	CHECK(slot_level(at.bucket, at.slot) != level);
	CHECK(!(it->word & ITEM_FETCHED));
	level = slot_level(at.bucket, at.slot);
	shard_hit(s, at, it, r.x.now);
	CHECK(slot_level(at.bucket, at.slot) != level);
	shard_unlock(s, &r.local);

	CHECK(it->word & ITEM_FETCHED);
	CHECK_EQ(item_accessed(it, r.x.now), r.x.now);
	r.x.now += 100;
	CHECK_EQ(item_accessed(it, r.x.now), r.x.now - 100);
	end(&r);
}

static void
a_touch_gives_another_exptime_and_position(void) UNCHECKED_LOCKING
{
	struct key k = rig_key("a");
	struct place at;
	enum found why;
	struct rig r;
	struct shard *s;
	struct item *it;
	uint64_t number;

	rig_open(&r, &(struct rig_config){ 0 });
	k = rig_key("a");
	s = store_shard(r.store, k.hash);
	it = put(&r, "a", "x", r.x.now + 10);
	number = item_stored(it);
	CHECK_EQ(s->timed, 1);

	shard_lock(s);
	CHECK(shard_find(s, &r.local, &k, r.x.now, &at, &why) == it);
	shard_touch(s, at, it, r.x.now + 20, r.x.now);
	CHECK_EQ(slot_position(at.bucket, at.slot),
	    expire_position(r.x.now + 20, r.x.now));
	CHECK_EQ(s->timed, 1);
	shard_touch(s, at, it, r.x.now + 30, r.x.now);
	CHECK_EQ(s->timed, 1);
	shard_touch(s, at, it, 0, r.x.now);
	CHECK_EQ(slot_position(at.bucket, at.slot), 0);
	CHECK_EQ(s->timed, 0);
	shard_touch(s, at, it, r.x.now + 5, r.x.now);
	shard_unlock(s, &r.local);

	CHECK_EQ(item_stored(it), number);
	r.x.now += 5;
	CHECK_EQ(look(&r, "a"), FOUND_EXPIRED);
	CHECK_EQ(s->timed, 0);
	end(&r);
}

static void
an_eviction_counts_what_it_takes(void) UNCHECKED_LOCKING
{
	struct place at;
	enum found why;
	struct rig r;
	struct shard *s;
	struct item *it;
	struct key k;
	unsigned n = 0;

	rig_open(&r, &(struct rig_config){ 0 });
	put(&r, "never read", "x", 0);
	it = put(&r, "read now", "x", 9999);
	k = rig_key("read now");
	s = store_shard(r.store, k.hash);
	shard_lock(s);
	CHECK(shard_find(s, &r.local, &k, r.x.now, &at, &why) == it);
	shard_hit(s, at, it, r.x.now);
	shard_unlock(s, &r.local);
	put(&r, "expired", "x", r.x.now + 1);
	r.x.now += 2;

	for (unsigned i = 0; i < r.store->shards; i++) {
		s = &r.store->shard[i];
		shard_lock(s);
		for (int tries = 0; tries < 100; tries++)
			n += shard_evict(s, &r.local, r.x.now) == EVICT_PICKED;
		CHECK_EQ(s->table.items, 0);
		shard_unlock(s, &r.local);
	}
	CHECK_EQ(n, 3);
	CHECK_EQ(counted(&r, SHARD_COUNTER_evictions), 2);
	CHECK_EQ(counted(&r, SHARD_COUNTER_evicted_unfetched), 1);
	CHECK_EQ(counted(&r, SHARD_COUNTER_evicted_active), 1);
	CHECK_EQ(counted(&r, SHARD_COUNTER_reclaimed), 1);
	end(&r);
}

static void
nothing_to_wake(void *arg)
{
	(void)arg;
}

static void
an_eviction_is_published(void) UNCHECKED_LOCKING
{
	struct subscriber *sub;
	bool out_of_memory;
	char text[512];
	struct rig r;
	struct key k;
	struct shard *s;
	size_t n = 0;

	rig_open(&r, &(struct rig_config){ 0 });
	sub = feed_subscribe(&r.feed, STORE_FEED_EVICTIONS, FEED_RING_MIN,
	    nothing_to_wake, NULL, &out_of_memory);
	REQUIRE(sub != NULL);
	put(&r, "a b", "value", r.x.now + 100);
	r.x.now += 30;
	k = rig_key("a b");
	s = store_shard(r.store, k.hash);
	shard_lock(s);
	while (s->table.items > 0)
		n += shard_evict(s, &r.local, r.x.now) == EVICT_PICKED;
	shard_unlock(s, &r.local);
	CHECK_EQ(n, 1);

	n = feed_take(&r.feed, sub, text, sizeof(text) - 1);
	text[n] = '\0';
	REQUIRE(strstr(text, "gid=") != NULL);
	CHECK_STR(strstr(text, "gid="),
	    "gid=1 type=eviction key=a%20b fetch=no ttl=70 la=30 clsid=1 "
	    "size=5\n");
	feed_unsubscribe(&r.feed, sub);
	end(&r);
}

static void
an_item_counts_in_memcacheds_class(void)
{
	struct rig r;
	struct item *it;
	struct key k;
	struct shard *s;

	rig_open(&r, &(struct rig_config){ 0 });
	it = put(&r, "a", "0123456789012345678901234567890123456789", 0);
	k = rig_key("a");
	s = store_shard(r.store, k.hash);
	/* 48 + 8 + 1 + 1 + 40 + 2 */
	CHECK(shard_class(s, it) == &s->cls[2]);
	CHECK_EQ(s->cls[2].items, 1);
	CHECK_EQ(s->cls[2].bytes, 100);
	end(&r);
}

static void
without_memory_for_a_bucket_the_caller_keeps_the_item(void) UNCHECKED_LOCKING
{
	unsigned refused = 0;
	struct rig r;
	char key[32];

	rig_open(&r, &(struct rig_config){ 0 });
	for (int i = 0; i < 5000; i++) {
		struct item *it;
		struct shard *s;
		struct key k;

		snprintf(key, sizeof(key), "key:%d", i);
		it = make(&r, key, "x", 0);
		k = rig_key(key);
		s = store_shard(r.store, k.hash);
		fake_arena_fail_after(0);
		shard_lock(s);
		if (!shard_insert(s, &r.local, k.hash, it, r.x.now)) {
			refused++;
			CHECK(item_unref(it));
			store_doom(&r.local, it);
		}
		shard_unlock(s, &r.local);
		fake_arena_heal();
	}
	CHECK(refused > 100);
	CHECK_EQ(fake_arena_bytes(), rig_used(&r));
	end(&r);
}

UNIT("shard", TEST(a_new_shard_is_empty),
    TEST(an_inserted_item_is_numbered_linked_and_counted),
    TEST(a_replaced_item_is_freed_and_its_place_lifted),
    TEST(a_removed_item_lives_as_long_as_its_readers),
    TEST(a_dead_item_that_is_met_is_removed), TEST(a_hit_marks_and_lifts),
    TEST(a_touch_gives_another_exptime_and_position),
    TEST(an_eviction_counts_what_it_takes), TEST(an_eviction_is_published),
    TEST(an_item_counts_in_memcacheds_class),
    TEST(without_memory_for_a_bucket_the_caller_keeps_the_item))
