/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_compact.c - moving items out of thin slabs.
 */
#include "config.h"

#include "store/compact.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_arena.h"
#include "rig.h"
#include "rng.h"

#include "unit.h"

enum { KEYS = 4000, BYTES = 100 };

static const char *
name(unsigned i)
{
	static char key[32];

	snprintf(key, sizeof(key), "key:%05u", i);
	return key;
}

/* The value that belongs to a number. */
static size_t
value_of(unsigned i, char value[BYTES])
{
	struct rng r = { i };

	rng_fill(&r, value, BYTES);
	return BYTES;
}

/* All have room for one, so that all are of one size. */
static rel_time
end_of(const struct rig *r, unsigned i)
{
	return r->x.now + (i / 12 % 2 ? 1000000 : 100 + i);
}

static void
set(struct rig *r, unsigned i)
{
	char value[BYTES];

	REQUIRE(rig_set(r, name(i), value, value_of(i, value), end_of(r, i)) ==
	    RESULT_STORED);
}

static void
drop(struct rig *r, unsigned i)
{
	static const struct delete_spec spec = { 0 };
	struct key k = rig_key(name(i));
	uint32_t size;

	REQUIRE(cache_delete(&r->cache, &r->local, &k, &spec, r->x.now,
		    &size) == RESULT_DELETED);
}

/* The item has the bytes it was stored with. */
static bool
is_whole(struct rig *r, unsigned i)
{
	char value[BYTES];

	return rig_has(r, name(i), value, value_of(i, value));
}

static uint64_t
moved(const struct rig *r)
{
	return atomic_load(&r->store->moved);
}

/* Fills slabs of one class, and leaves one in `n` of the items in them. */
static void
open_thin(struct rig *r, unsigned n)
{
	rig_open(r, &(struct rig_config){ .slabs = true });
	for (unsigned i = 0; i < KEYS; i++)
		set(r, i);
	for (unsigned i = 0; i < KEYS; i++)
		if (i % n != 0)
			drop(r, i);
	store_local_done(&r->local);
}

static unsigned
compact_all(struct rig *r)
{
	unsigned n = 0;

	while (n < KEYS && compact(&r->local))
		n++;
	return n;
}

static void
end(struct rig *r)
{
	store_local_done(&r->local);
	CHECK(rig_is_sane(r, 0));
	rig_close(r);
	CHECK_EQ(fake_arena_bytes(), 0);
}

static void
full_slabs_are_left_alone(void)
{
	struct rig r;

	open_thin(&r, 1);
	CHECK_EQ(compact_all(&r), 0);
	CHECK_EQ(moved(&r), 0);
	CHECK(!compact_is_due(r.store, COMPACT_FOR_OTHERS));
	end(&r);
}

static void
thin_slabs_are_emptied_and_given_back(void)
{
	int64_t before, items;
	struct rig r;

	open_thin(&r, 4);
	before = slabs_bytes(r.store->slabs);
	items = rig_used(&r);
	CHECK(compact_is_due(r.store, COMPACT_FOR_OTHERS));
	CHECK(compact_all(&r) > 0);
	CHECK(slabs_bytes(r.store->slabs) < before / 2);
	CHECK(slabs_free_bytes(r.store->slabs) <= 2 * SLAB_UNIT);
	CHECK_EQ(rig_used(&r), items);
	CHECK(moved(&r) > KEYS / 8 && moved(&r) < KEYS);
	for (unsigned i = 0; i < KEYS; i += 4)
		REQUIRE(is_whole(&r, i));
	end(&r);
}

static void
moved_items_keep_all_they_have(void)
{
	static uint64_t cas[KEYS];
	struct item_note note;
	struct key k;
	struct rig r;

	open_thin(&r, 3);
	for (unsigned i = 0; i < KEYS; i += 3) {
		k = rig_key(name(i));
		CHECK(cache_note(&r.cache, &r.local, &k, r.x.now, &note));
		cas[i] = note.cas;
	}
	CHECK(compact_all(&r) > 0);
	for (unsigned i = 0; i < KEYS; i += 3) {
		k = rig_key(name(i));
		CHECK(cache_note(&r.cache, &r.local, &k, r.x.now, &note));
		REQUIRE(note.cas == cas[i]);
		REQUIRE(note.exptime == end_of(&r, i));
	}
	/* they expire when they should */
	r.x.now += 100 + KEYS;
	rig_sweep(&r, 50);
	for (unsigned i = 0; i < KEYS; i += 3)
		REQUIRE(is_whole(&r, i) == (i / 12 % 2 != 0));
	end(&r);
}

/* A pinned item that some reader is half way through. */
static struct item *
pin(struct rig *r, unsigned i) UNCHECKED_LOCKING
{
	struct key k = rig_key(name(i));
	struct shard *s = store_shard(r->store, k.hash);
	struct item *it;
	enum found why;
	struct place at;

	shard_lock(s);
	it = shard_find(s, &r->local, &k, r->x.now, &at, &why);
	CHECK(it != NULL && item_ref(it));
	shard_unlock(s, &r->local);
	return it;
}

static void
items_with_readers_are_not_moved(void)
{
	static struct item *held[KEYS];
	struct rig r;

	open_thin(&r, 4);
	for (unsigned i = 0; i < KEYS; i += 4)
		held[i] = pin(&r, i);
	CHECK_EQ(compact_all(&r), 0);
	CHECK_EQ(moved(&r), 0);
	for (unsigned i = 0; i < KEYS; i += 4) {
		struct item *same = pin(&r, i);

		REQUIRE(same == held[i]);
		store_item_release(&r.local, same);
		store_item_release(&r.local, held[i]);
	}
	end(&r);
}

/* Slabs that could not be emptied don't keep others from it. */
static void
a_slab_with_a_reader_is_passed_over(void)
{
	struct item *held;
	struct rig r;

	open_thin(&r, 4);
	held = pin(&r, 0);
	for (unsigned tries = 0; tries < KEYS; tries++)
		(void)compact(&r.local);
	CHECK(slabs_free_bytes(r.store->slabs) <= 3 * SLAB_UNIT);
	CHECK(moved(&r) > KEYS / 8);
	store_item_release(&r.local, held);
	end(&r);
}

static void
what_is_not_linked_is_not_moved(void)
{
	struct item_spec spec = { .value_len = BYTES };
	struct item *it;
	struct rig r;

	open_thin(&r, 4);
	spec.key = rig_key(name(0));
	it = store_item_new(&r.local, &spec);
	REQUIRE(it != NULL);
	memset(item_value(it), 'x', BYTES);
	(void)compact_all(&r);
	CHECK_EQ(item_value(it)[BYTES - 1], 'x');
	CHECK(is_whole(&r, 0));
	store_item_release(&r.local, it);
	end(&r);
}

/* Of each of many sizes few items are left, which nobody can be moved to. */
static void
the_last_of_a_rare_size_are_evicted(void)
{
	static char value[16000];
	struct store_sums sums;
	uint64_t gone = 0;
	int64_t before;
	struct rig r;

	rig_open(&r, &(struct rig_config){ .slabs = true, .limit = 256 << 20 });
	for (unsigned i = 0; i < 40; i++)
		REQUIRE(rig_set(&r, name(i), value, 2000 + 300 * i, 0) ==
		    RESULT_STORED);
	for (unsigned i = 0; i < 1000; i++)
		REQUIRE(
		    rig_set(&r, name(100 + i), value, 100, 0) == RESULT_STORED);
	store_local_done(&r.local);
	before = slabs_bytes(r.store->slabs);
	CHECK(!compact(&r.local));
	/* not before as much was stored as there is, nor what was read */
	CHECK(!compact_rare(&r.local, r.x.now));
	for (unsigned i = 0; i < 1000; i++)
		REQUIRE(
		    rig_set(&r, name(100 + i), value, 100, 0) == RESULT_STORED);
	CHECK(rig_get(&r, name(39)) != NULL);
	store_local_done(&r.local);
	for (int tries = 0; tries < 200; tries++)
		gone += compact_rare(&r.local, r.x.now);
	CHECK(gone > 20 && gone < 40);
	CHECK(rig_get(&r, name(39)) != NULL);
	CHECK(rig_get(&r, name(0)) == NULL);
	CHECK(slabs_bytes(r.store->slabs) < before / 3);
	store_sum(r.store, &sums);
	CHECK(sums.counted[SHARD_COUNTER_evictions] >= gone);
	CHECK_EQ(sums.counted[SHARD_COUNTER_evictions] + sums.items, 1040);
	for (unsigned i = 0; i < 1000; i++)
		REQUIRE(rig_get(&r, name(100 + i)) != NULL);
	end(&r);
}

/*
 * A size that shifts: slabs of the old one are emptied for the new one, which
 * gets all of memory, and never is more taken than there may be.
 */
static void
memory_follows_the_sizes(void)
{
	static const uint32_t sizes[] = { 100, 1000, 4000, 12000, 60, 300 };
	enum { LIMIT = 24 << 20 };
	static char value[12000];
	unsigned key = 0;
	struct rig r;

	rig_open(&r, &(struct rig_config){ .slabs = true, .limit = LIMIT });
	for (unsigned k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		struct store_sums sums;

		for (size_t sent = 0; sent < 2 * LIMIT; sent += sizes[k]) {
			REQUIRE(rig_set(&r, name(key++), value, sizes[k], 0) ==
			    RESULT_STORED);
			REQUIRE(store_account(r.store) <= LIMIT + 64 * 1024);
		}
		store_sum(r.store, &sums);
		unit_note("values of %u bytes", sizes[k]);
		CHECK(sums.items * (sizes[k] + 24) >
		    (LIMIT - sums.table_bytes) / 100 * 90);
	}
	unit_note("%s", "");
	store_set_limit(r.store, LIMIT / 4);
	for (int tick = 0; tick < 50; tick++)
		store_settle(&r.local, r.x.now);
	CHECK(store_account(r.store) <= LIMIT / 4);
	end(&r);
}

static void
a_large_item_finds_room_among_small_ones(void)
{
	enum { LIMIT = 16 << 20 };
	static char value[1 << 20];
	struct rig r;

	rig_open(&r,
	    &(struct rig_config){ .slabs = true,
		.limit = LIMIT,
		.item_max = 2 << 20 });
	for (unsigned i = 0; i < 200000; i++)
		REQUIRE(rig_set(&r, name(i), value, 100, 0) == RESULT_STORED);
	for (unsigned i = 0; i < 10; i++) {
		REQUIRE(rig_set(&r, name(i), value, sizeof(value), 0) ==
		    RESULT_STORED);
		REQUIRE(store_account(r.store) <= LIMIT + 64 * 1024);
	}
	end(&r);
}

/* With -M memory that is full refuses; what is freed can be had for any size.
 */
static void
without_eviction_what_is_freed_serves_other_sizes(void)
{
	enum { LIMIT = 4 << 20 };
	static char value[4000];
	unsigned n = 0;
	struct rig r;

	rig_open(&r,
	    &(struct rig_config){ .slabs = true,
		.limit = LIMIT,
		.no_evict = true });
	while (rig_set(&r, name(n), value, 100, 0) == RESULT_STORED)
		n++;
	CHECK(n > LIMIT / 200);
	for (unsigned i = 0; i < n; i += 2)
		drop(&r, i);
	for (unsigned i = 0; i < 300; i++)
		REQUIRE(
		    rig_set(&r, name(i * 2), value, 4000, 0) == RESULT_STORED);
	for (unsigned i = 1; i < n; i += 2)
		REQUIRE(rig_get(&r, name(i)) != NULL);
	end(&r);
}

/* Regions that can't be moved, in slabs that are nearly empty. */
static void
what_is_kept_of_one_size_does_not_keep_others_full(void)
{
	struct item_spec spec = { .key = rig_key("large"), .value_len = 12000 };
	struct item *it[60];
	struct store_local idle;
	struct rig r;

	open_thin(&r, 8);
	store_local_init(&idle, r.store, r.local.counters);
	for (int i = 0; i < 60; i++) {
		REQUIRE(store_reserve(&idle, item_size_for(&spec), r.x.now));
		it[i] = store_item_new(&idle, &spec);
		REQUIRE(it[i] != NULL);
	}
	for (int i = 0; i < 60; i++)
		store_item_release(&idle, it[i * 37 % 60]);
	CHECK(compact_all(&r) > 0);
	CHECK(moved(&r) > 0);

	/* Nor are they kept for ever. */
	compact_all(&r);
	CHECK(!compact(&r.local));
	store_local_rest(&idle);
	CHECK(slabs_bytes(r.store->slabs) <= (int64_t)(KEYS / 8 * 200 + 65536));
	store_local_done(&idle);
	end(&r);
}

UNIT("compact", TEST(what_is_kept_of_one_size_does_not_keep_others_full),
    TEST(full_slabs_are_left_alone),
    TEST(thin_slabs_are_emptied_and_given_back),
    TEST(moved_items_keep_all_they_have),
    TEST(items_with_readers_are_not_moved),
    TEST(a_slab_with_a_reader_is_passed_over),
    TEST(what_is_not_linked_is_not_moved),
    TEST(the_last_of_a_rare_size_are_evicted), TEST(memory_follows_the_sizes),
    TEST(a_large_item_finds_room_among_small_ones),
    TEST(without_eviction_what_is_freed_serves_other_sizes))
