/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_store_walk.c - walks over all items of a store.
 */
#include "config.h"

#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_arena.h"
#include "rig.h"
#include "rng.h"
#include "unit.h"

enum { KEYS = 5000 };

static const char *
name(int i)
{
	static char key[32];

	snprintf(key, sizeof(key), "key:%d", i);
	return key;
}

static void
remove_key(struct rig *r, const char *key)
{
	static const struct delete_spec plain;
	struct key k = rig_key(key);
	uint32_t size;

	cache_delete(&r->cache, &r->local, &k, &plain, r->x.now, &size);
}

static void
end(struct rig *r)
{
	CHECK(rig_is_sane(r, 0));
	rig_close(r);
	CHECK_EQ(fake_arena_bytes(), 0);
	CHECK_EQ(fake_arena_blocks(), 0);
}

/* How often a walk has met each key. */
struct met {
	unsigned times[KEYS];
	unsigned others;
};

static void
note_all(struct met *met, const struct item_note *notes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char key[KEY_MAX + 1];
		int k;

		memcpy(key, notes[i].key, notes[i].key_len);
		key[notes[i].key_len] = '\0';
		if (sscanf(key, "key:%d", &k) == 1 && k < KEYS)
			met->times[k]++;
		else
			met->others++;
	}
}

/* The next notes of a walk; false at its end. */
static bool
go_on(struct rig *r, struct store_walk *w, struct item_note *notes,
    struct met *met)
{
	size_t n = store_walk(&r->local, w, r->x.now, notes, STORE_WALK_NOTES);

	REQUIRE(n <= STORE_WALK_NOTES);
	note_all(met, notes, n);
	return !store_walk_is_done(r->store, w);
}

static void
a_walk_over_nothing_ends(void)
{
	struct store_walk w = { 0 };
	struct item_note note[STORE_WALK_NOTES];
	struct met met = { .others = 0 };
	unsigned steps = 0;
	struct rig r;

	rig_open(&r, &(struct rig_config){ .shards = 4 });
	while (go_on(&r, &w, note, &met))
		REQUIRE(++steps < 1000);
	CHECK_EQ(met.others, 0);
	CHECK_EQ(store_walk(&r.local, &w, r.x.now, note, 1), 0);
	end(&r);
}

/* However few notes there is room for. */
static void
a_walk_meets_each_item_once(void)
{
	struct item_note *notes = malloc(512 * sizeof(*notes));
	struct rig r;

	REQUIRE(notes != NULL);
	rig_open(&r, &(struct rig_config){ .shards = 4 });
	for (int i = 0; i < KEYS; i++)
		rig_set(&r, name(i), "value", 5, 0);
	for (size_t at_once = 1; at_once <= 512; at_once *= 3) {
		struct store_walk w = { 0 };
		struct met met = { .others = 0 };

		while (!store_walk_is_done(r.store, &w)) {
			size_t n = store_walk(&r.local, &w, r.x.now, notes,
			    at_once);

			REQUIRE(n <= at_once);
			note_all(&met, notes, n);
		}
		unit_note("%zu at once", at_once);
		for (int i = 0; i < KEYS; i++)
			REQUIRE(met.times[i] == 1);
		CHECK_EQ(met.others, 0);
	}
	unit_note("%s", "");
	free(notes);
	end(&r);
}

static void
a_walk_passes_over_dead_items(void)
{
	struct item_note notes[STORE_WALK_NOTES];
	struct store_walk w = { 0 };
	struct met met = { .others = 0 };
	struct rig r;

	rig_open(&r, &(struct rig_config){ 0 });
	for (int i = 0; i < 100; i++)
		rig_set(&r, name(i), "flushed", 7, 0);
	store_flush(r.store, r.x.now);
	for (int i = 100; i < 300; i++)
		rig_set(&r, name(i), "value", 5, i % 2 ? r.x.now + 5 : 0);
	r.x.now += 5;
	while (go_on(&r, &w, notes, &met))
		continue;
	for (int i = 0; i < 300; i++)
		CHECK_EQ(met.times[i], i >= 100 && i % 2 == 0);
	end(&r);
}

/* Removes and adds keys between the steps of a walk; every third key goes. */
static bool
walk_meets_what_stays(struct rig *r, struct rng *random, int adds, int removes)
{
	struct met *met = calloc(1, sizeof(*met));
	struct item_note notes[STORE_WALK_NOTES];
	struct store_walk w = { 0 };
	int next_out = 0, next_in = 0;
	bool good = met != NULL;

	for (int i = 0; i < KEYS; i++)
		rig_set(r, name(i), "value", 5, 0);
	while (good && go_on(r, &w, notes, met)) {
		for (int i = 0; i < removes && next_out < KEYS; i++, next_out++)
			if (next_out % 3 == 0)
				remove_key(r, name(next_out));
		for (uint64_t i = rng_below(random, (uint64_t)adds + 1); i > 0;
		     i--)
			rig_set(r, name(KEYS + next_in++), "value", 5, 0);
	}
	for (int i = 0; good && i < KEYS; i++)
		good = met->times[i] == 1 || (i % 3 == 0 && met->times[i] == 0);
	free(met);
	return good;
}

static void
repeat_walks(const char *what, uint64_t seed, int adds, int removes)
{
	struct rng random = rng_start(what, seed);

	for (int i = 0; i < 3; i++) {
		struct rig r;
		bool good;

		rig_open(&r, &(struct rig_config){ 0 });
		good = walk_meets_what_stays(&r, &random, adds, removes);
		end(&r);
		REQUIRE(good);
	}
}

/* The table doubles while it is walked over. */
static void
a_walk_meets_what_stays_while_others_come(void)
{
	repeat_walks("walk, adds", 19, 200, 0);
}

static void
a_walk_meets_what_stays_while_others_go(void)
{
	repeat_walks("walk, removes", 20, 0, 60);
}

static void
a_walk_meets_what_stays_while_others_come_and_go(void)
{
	repeat_walks("walk, both", 21, 200, 60);
}

/* Most items go during the walk, and the tables give memory back. */
static void
a_walk_meets_what_stays_while_tables_shrink(void)
{
	enum { OTHERS = 30000 };
	struct item_note notes[STORE_WALK_NOTES];
	struct store_walk w = { 0 };
	struct met met = { .others = 0 };
	uint64_t before, buckets;
	struct store_sums sums;
	int out = 0;
	struct rig r;

	rig_open(&r, &(struct rig_config){ .shards = 2 });
	for (int i = 0; i < KEYS + OTHERS; i++)
		rig_set(&r, name(i), "value", 5, 0);
	store_sum(r.store, &sums);
	before = sums.buckets;
	while (go_on(&r, &w, notes, &met)) {
		for (int i = 0; i < 150 && out < OTHERS; i++)
			remove_key(&r, name(KEYS + out++));
		store_keep_house(&r.local, r.x.now, 64);
	}
	store_sum(r.store, &sums);
	buckets = sums.buckets;
	CHECK(buckets < before / 2);
	for (int i = 0; i < KEYS; i++)
		REQUIRE(met.times[i] == 1);
	end(&r);
}

static void
a_note_says_what_is_known_of_an_item(void)
{
	struct item_spec spec = {
		.value_len = 3,
		.client_flags = 7,
		.own_cas = true,
		.exptime = 5000,
	};
	struct store_spec store = { .own_cas = true, .new_cas = 99 };
	struct item_note note;
	struct stored done;
	struct item *it;
	struct rig r;

	rig_open(&r, &(struct rig_config){ 0 });
	spec.key = rig_key("a\xff");
	spec.key.binary = true;
	it = store_item_new(&r.local, &spec);
	REQUIRE(it != NULL);
	memcpy(item_value(it), "abc", 3);
	CHECK_EQ(cache_store(&r.cache, &r.local, &spec.key, it, &store, r.x.now,
		     &done),
	    RESULT_STORED);
	CHECK(cache_note(&r.cache, &r.local, &spec.key, r.x.now, &note));

	CHECK_BYTES(note.key, note.key_len, "a\xff");
	CHECK(note.binary);
	CHECK(!note.fetched);
	CHECK_EQ(note.exptime, 5000);
	CHECK_EQ(note.accessed, r.x.now);
	CHECK_EQ(note.cas, 99);
	CHECK_EQ(note.client_flags, 7);
	CHECK_EQ(note.value_len, 3);
	CHECK_EQ(note.size, 48 + 8 + 2 + 1 + 4 + 3 + 2);
	CHECK_EQ(note.class_id, 1);
	end(&r);
}

UNIT("store walk", TEST(a_walk_over_nothing_ends),
    TEST(a_walk_meets_each_item_once), TEST(a_walk_passes_over_dead_items),
    TEST(a_walk_meets_what_stays_while_others_come),
    TEST(a_walk_meets_what_stays_while_others_go),
    TEST(a_walk_meets_what_stays_while_others_come_and_go),
    TEST(a_walk_meets_what_stays_while_tables_shrink),
    TEST(a_note_says_what_is_known_of_an_item))
