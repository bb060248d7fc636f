/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_table.c - the hash table of one shard.
 *
 * Items are numbered, and their key, position and level follow from the
 * number: so whatever the table hands out can be checked without notes.
 */
#include "config.h"

#include "store/table.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "fake_arena.h"
#include "rig.h"
#include "rng.h"
#include "store/arena.h"
#include "unit.h"

enum { MANY = 200000, OPERATIONS = 1200000, DEEP = 20000 };

/* A table, and which of the items it should hold. */
struct world {
	struct table table;
	struct item **item;
	uint64_t *hash;
	bool *in;
	size_t n, present;
};

static struct key
key_of(const struct world *w, size_t i)
{
	struct item *it = w->item[i];

	return (
	    struct key){ item_key(it), item_key_len(it), false, w->hash[i] };
}

static expire_code
position_of(size_t i)
{
	return (expire_code)(i * 7);
}

static uint8_t
level_of(size_t i)
{
	return (uint8_t)(i * 31 + 5);
}

static struct item *
make_item(size_t i)
{
	char key[32];
	struct item_spec spec = {
		.key = { key, (size_t)snprintf(key, sizeof(key), "key:%zu", i),
		    false, 0 },
	};
	void *memory = malloc(item_size_for(&spec));

	REQUIRE(memory != NULL);
	return item_init(memory, &spec);
}

static void
begin(struct world *w, size_t n)
{
	rig_start();
	w->n = n;
	w->present = 0;
	w->item = calloc(n, sizeof(*w->item));
	w->hash = calloc(n, sizeof(*w->hash));
	w->in = calloc(n, sizeof(*w->in));
	REQUIRE(w->item != NULL && w->hash != NULL && w->in != NULL);
	for (size_t i = 0; i < n; i++) {
		w->item[i] = make_item(i);
		w->hash[i] = hash_key(item_key(w->item[i]),
		    item_key_len(w->item[i]));
	}
	REQUIRE(table_init(&w->table));
}

/* Whether the table knows what it should of item i. */
static bool
knows(struct world *w, size_t i)
{
	struct key key = key_of(w, i);
	struct place at, same;
	struct item *it = table_find(&w->table, &key, &at);

	if (!w->in[i])
		return it == NULL;
	if (it != w->item[i] || slot_item(at.bucket, at.slot) != it ||
	    slot_position(at.bucket, at.slot) != position_of(i) ||
	    slot_level(at.bucket, at.slot) != level_of(i))
		return false;
	same = table_locate(&w->table, w->hash[i], it);
	return same.bucket == at.bucket && same.slot == at.slot;
}

static bool
knows_all(struct world *w)
{
	for (size_t i = 0; i < w->n; i++)
		if (!knows(w, i))
			return false;
	return w->table.items == w->present;
}

static bool
insert(struct world *w, size_t i)
{
	if (!table_insert(&w->table, w->hash[i], w->item[i], position_of(i),
		level_of(i)))
		return false;
	w->in[i] = true;
	w->present++;
	return true;
}

static void
remove_one(struct world *w, size_t i)
{
	struct key key = key_of(w, i);
	struct place at;

	REQUIRE(table_find(&w->table, &key, &at) == w->item[i]);
	table_remove(&w->table, w->hash[i], at);
	w->in[i] = false;
	w->present--;
}

static void
end(struct world *w)
{
	for (size_t i = 0; i < w->n; i++) {
		if (w->in[i])
			remove_one(w, i);
		free(w->item[i]);
	}
	CHECK_EQ(w->table.items, 0);
	CHECK_EQ(w->table.chained, 0);
	CHECK_EQ(w->table.bytes, fake_arena_bytes());
	table_free(&w->table);
	CHECK_EQ(fake_arena_bytes(), 0);
	CHECK_EQ(fake_arena_blocks(), 0);
	free(w->item);
	free(w->hash);
	free(w->in);
}

static size_t
number_of(const struct item *it)
{
	char key[32] = "";

	memcpy(key, item_key(it), item_key_len(it));
	return strtoul(key + 4, NULL, 10);
}

/* Walks all buckets; false unless each item is met exactly once. */
static bool
walk_meets_each_once(struct world *w)
{
	bool *met = calloc(w->n, sizeof(*met));
	size_t items = 0, chained = 0, index;
	bool good = met != NULL;

	for (uint32_t i = 0; good && i < table_buckets(&w->table); i++) {
		struct bucket *b = table_bucket(&w->table, i);

		for (; b != NULL; b = table_next(b), chained++)
			for (int k = 0; k < TABLE_SLOTS; k++) {
				struct item *it = slot_item(b, k);

				if (it == NULL)
					continue;
				index = number_of(it);
				good = good && w->item[index] == it &&
				    w->in[index] && !met[index];
				met[index] = true;
				items++;
			}
		chained--; /* the head */
	}
	free(met);
	return good && items == w->present && chained == w->table.chained;
}

static void
an_empty_table_finds_nothing(void)
{
	struct world w;

	begin(&w, 100);
	CHECK(knows_all(&w));
	CHECK_EQ(table_buckets(&w.table), TABLE_SEGMENT);
	CHECK_EQ(w.table.bytes, fake_arena_bytes());
	end(&w);
}

static void
what_is_inserted_is_found_until_it_is_removed(void)
{
	struct world w;

	begin(&w, 3);
	CHECK(insert(&w, 0));
	CHECK(insert(&w, 2));
	CHECK(knows_all(&w));
	remove_one(&w, 0);
	CHECK(knows_all(&w));
	CHECK(insert(&w, 0));
	CHECK(knows_all(&w));
	end(&w);
}

/* An address of 47 bits, aligned to 4: the table never looks behind it here. */
static void
any_address_aligned_to_four_bytes_fits(void)
{
	static const uint64_t address[] = { 4, 0x7ffffffffffc, 0x555555555554,
		0x2aaaaaaaaaa8 };
	struct world w;

	begin(&w, 1);
	for (size_t i = 0; i < sizeof(address) / sizeof(address[0]); i++) {
		struct item *it = (struct item *)(uintptr_t)address[i];
		struct place at;

		REQUIRE(table_insert(&w.table, UINT64_MAX, it, 255, 255));
		at = table_locate(&w.table, UINT64_MAX, it);
		CHECK(slot_item(at.bucket, at.slot) == it);
		CHECK_EQ(slot_position(at.bucket, at.slot), 255);
		slot_set_position(at, 0);
		CHECK(slot_item(at.bucket, at.slot) == it);
		CHECK_EQ(slot_position(at.bucket, at.slot), 0);
		table_remove(&w.table, UINT64_MAX, at);
	}
	end(&w);
}

/* Keys of one hash: only the key itself tells them apart. */
static void
keys_with_the_same_hash_are_told_apart(void)
{
	enum { SAME = 40 };
	struct world w;

	begin(&w, SAME);
	for (size_t i = 0; i < SAME; i++)
		w.hash[i] = 0x123456789abcdef0;
	for (size_t i = 0; i < SAME; i++) {
		CHECK(insert(&w, i));
		CHECK(knows_all(&w));
	}
	CHECK(w.table.chained >= 5);
	CHECK(walk_meets_each_once(&w));
	for (size_t i = 0; i < SAME; i += 3) {
		remove_one(&w, i);
		CHECK(knows_all(&w));
	}
	CHECK(walk_meets_each_once(&w));
	end(&w);
}

static void
a_replaced_item_keeps_place_and_level(void)
{
	struct world w;
	struct item *other;
	struct place at;
	struct key key;

	begin(&w, 2);
	CHECK(insert(&w, 1));
	other = make_item(1);
	key = key_of(&w, 1);
	REQUIRE(table_find(&w.table, &key, &at) != NULL);
	table_replace(at, other, 99);

	REQUIRE(table_find(&w.table, &key, &at) == other);
	CHECK_EQ(slot_position(at.bucket, at.slot), 99);
	CHECK_EQ(slot_level(at.bucket, at.slot), level_of(1));
	free(w.item[1]);
	w.item[1] = other;
	slot_set_position(at, position_of(1));
	CHECK(knows_all(&w));
	end(&w);
}

static void
position_and_level_are_set_without_touching_the_neighbours(void)
{
	enum { SAME = 12 };
	struct world w;
	struct place at[SAME];

	begin(&w, SAME);
	for (size_t i = 0; i < SAME; i++) {
		w.hash[i] = 42;
		CHECK(insert(&w, i));
	}
	for (size_t i = 0; i < SAME; i++) {
		at[i] = table_locate(&w.table, w.hash[i], w.item[i]);
		slot_set_position(at[i], (expire_code)(200 + i));
		slot_set_level(at[i], (uint8_t)(100 + i));
	}
	for (size_t i = 0; i < SAME; i++) {
		CHECK_EQ(slot_position(at[i].bucket, at[i].slot), 200 + i);
		CHECK_EQ(slot_level(at[i].bucket, at[i].slot), 100 + i);
		CHECK(slot_item(at[i].bucket, at[i].slot) == w.item[i]);
		slot_set_position(at[i], position_of(i));
		slot_set_level(at[i], level_of(i));
	}
	CHECK(knows_all(&w));
	end(&w);
}

/* Inserts and removes at random, growing as the store does. */
static void
hundreds_of_thousands_of_changes_keep_the_table_right(void)
{
	struct rng r = rng_start("changes", 12);
	struct world w;

	begin(&w, MANY);
	for (size_t done = 0; done < OPERATIONS; done++) {
		/* first it fills, then it is in balance, then it empties */
		uint64_t want = done < OPERATIONS / 3 ? 4 :
		    done < OPERATIONS / 3 * 2         ? 2 :
							1;
		size_t i = rng_below(&r, MANY);

		REQUIRE(knows(&w, i));
		table_prefetch(&w.table, w.hash[i]);
		if (!w.in[i] && rng_below(&r, 5) < want) {
			REQUIRE(insert(&w, i));
			table_grow(&w.table);
		} else if (w.in[i] && rng_below(&r, 5) >= want) {
			remove_one(&w, i);
		}
		table_prefetch_item(&w.table, w.hash[i]);
		if (done % (OPERATIONS / 6) == 0) {
			CHECK(knows_all(&w));
			CHECK(walk_meets_each_once(&w));
			CHECK_EQ(w.table.bytes, fake_arena_bytes());
		}
	}
	CHECK(knows_all(&w));
	CHECK(walk_meets_each_once(&w));
	CHECK(table_buckets(&w.table) > 20000);
	end(&w);
}

static void
a_growing_table_stays_within_its_load(void)
{
	struct world w;

	begin(&w, MANY);
	for (size_t i = 0; i < MANY; i++) {
		REQUIRE(insert(&w, i));
		table_grow(&w.table);
		REQUIRE(w.table.items * 2 <=
			table_buckets(&w.table) * (size_t)9 + 9 ||
		    table_buckets(&w.table) == TABLE_SEGMENT);
	}
	CHECK(knows_all(&w));
	/* seven slots for 4.5 items on average: few buckets overflow */
	CHECK(w.table.chained < table_buckets(&w.table) / 4);
	CHECK(w.table.bytes < MANY * 18);
	end(&w);
}

/* A full cache: each new item comes for one that goes. */
static void
chains_do_not_pile_up_in_a_table_that_is_always_full(void)
{
	enum { HELD = MANY / 8 };
	struct rng r = rng_start("turnover", 14);
	struct world w;
	size_t out = 0;

	begin(&w, MANY);
	for (size_t i = 0; i < MANY; i++) {
		while (w.present == HELD) {
			out = rng_below(&r, i);
			if (w.in[out])
				remove_one(&w, out);
		}
		REQUIRE(insert(&w, i));
		table_grow(&w.table);
	}
	CHECK(w.table.chained < table_buckets(&w.table) / 2);
	CHECK(knows_all(&w));
	end(&w);
}

/* As after many failed splits: chains of eleven buckets, then all at once. */
static void
deep_chains_are_split_when_growing_is_made_up_for(void)
{
	struct world w;
	uint32_t before;

	begin(&w, DEEP);
	for (size_t i = 0; i < DEEP; i++)
		REQUIRE(insert(&w, i));
	CHECK(w.table.chained > 10 * TABLE_SEGMENT);
	CHECK(walk_meets_each_once(&w));
	for (size_t i = 0; i < DEEP; i += 5)
		remove_one(&w, i);
	CHECK(knows_all(&w));
	do {
		before = table_buckets(&w.table);
		table_grow(&w.table);
		if (before % 512 == 0) {
			REQUIRE(knows_all(&w));
			REQUIRE(walk_meets_each_once(&w));
			REQUIRE(w.table.bytes == (size_t)fake_arena_bytes());
		}
	} while (table_buckets(&w.table) > before);
	CHECK(knows_all(&w));
	CHECK(w.table.chained < table_buckets(&w.table));
	end(&w);
}

static void
without_memory_an_insert_changes_nothing(void)
{
	struct world w;
	size_t refused = 0;
	int64_t bytes;

	begin(&w, 4000);
	for (size_t i = 0; i < w.n; i++) {
		fake_arena_fail_after(0);
		bytes = fake_arena_bytes();
		if (!insert(&w, i)) {
			refused++;
			REQUIRE(knows(&w, i));
			REQUIRE(w.table.items == w.present);
			REQUIRE(w.table.bytes == (size_t)bytes);
			fake_arena_heal();
			REQUIRE(insert(&w, i));
		}
		fake_arena_heal();
	}
	CHECK(refused > 100);
	CHECK(knows_all(&w));
	CHECK(walk_meets_each_once(&w));
	end(&w);
}

/* Each allocation of a split is refused in turn; then it is made up for. */
static void
without_memory_growing_waits_and_loses_nothing(void)
{
	struct rng r = rng_start("failures", 13);
	struct world w;
	size_t failed = 0;

	begin(&w, MANY / 4);
	for (size_t i = 0; i < w.n; i++) {
		REQUIRE(insert(&w, i));
		if (rng_one_in(&r, 2))
			fake_arena_fail_after((int64_t)rng_below(&r, 4));
		table_grow(&w.table);
		failed += w.table.growth_failed;
		fake_arena_heal();
		if (i % 5000 == 0) {
			REQUIRE(knows_all(&w));
			REQUIRE(walk_meets_each_once(&w));
			REQUIRE(w.table.bytes == (size_t)fake_arena_bytes());
		}
	}
	CHECK(failed > 10);
	CHECK(knows_all(&w));
	end(&w);
}

/* A table that may not grow at all for a while has deep chains to split. */
static void
a_split_of_a_deep_chain_that_fails_changes_nothing(void)
{
	struct world w;
	size_t failed = 0;

	begin(&w, DEEP);
	for (size_t i = 0; i < DEEP; i++)
		REQUIRE(insert(&w, i));
	for (int i = 0; i < 3000; i++) {
		size_t bytes = w.table.bytes, chained = w.table.chained;

		fake_arena_fail_after(i % 7);
		table_grow(&w.table);
		fake_arena_heal();
		if (!w.table.growth_failed)
			continue;
		failed++;
		REQUIRE(w.table.chained == chained);
		/* a segment or its directory may be there already */
		REQUIRE(w.table.bytes >= bytes);
		REQUIRE(w.table.bytes == (size_t)fake_arena_bytes());
	}
	CHECK(failed > 100);
	CHECK(knows_all(&w));
	CHECK(walk_meets_each_once(&w));
	end(&w);
}

static void
a_table_without_memory_is_not_made(void)
{
	struct table t;

	for (int64_t n = 0; n < 2; n++) {
		fake_arena_fail_after(n);
		CHECK(!table_init(&t));
		fake_arena_heal();
		table_free(&t);
		CHECK_EQ(fake_arena_blocks(), 0);
	}
}

static void
buckets_never_move(void)
{
	struct world w;
	struct bucket *first, *last;

	begin(&w, MANY / 4);
	first = table_bucket(&w.table, 0);
	last = table_bucket(&w.table, TABLE_SEGMENT - 1);
	for (size_t i = 0; i < w.n; i++) {
		REQUIRE(insert(&w, i));
		table_grow(&w.table);
	}
	CHECK(table_bucket(&w.table, 0) == first);
	CHECK(table_bucket(&w.table, TABLE_SEGMENT - 1) == last);
	CHECK_EQ((uintptr_t)last % CACHE_LINE, 0);
	end(&w);
}

struct prefetcher {
	struct world *w;
	_Atomic bool stop;
};

static void *
prefetch_on(void *arg)
{
	struct prefetcher *p = arg;

	for (size_t i = 0; !atomic_load(&p->stop); i++) {
		table_prefetch(&p->w->table, p->w->hash[i % p->w->n]);
		table_prefetch_item(&p->w->table, p->w->hash[i % p->w->n]);
	}
	return NULL;
}

static void
prefetching_needs_no_lock_while_the_table_grows(void)
{
	struct world w;
	struct prefetcher p = { .w = &w };
	pthread_t t;

	begin(&w, MANY / 4);
	REQUIRE(pthread_create(&t, NULL, prefetch_on, &p) == 0);
	for (size_t i = 0; i < w.n; i++) {
		REQUIRE(insert(&w, i));
		table_grow(&w.table);
		if (i % 3 == 0)
			remove_one(&w, i);
	}
	atomic_store(&p.stop, true);
	pthread_join(t, NULL);
	CHECK(knows_all(&w));
	end(&w);
}

UNIT("table", TEST(an_empty_table_finds_nothing),
    TEST(what_is_inserted_is_found_until_it_is_removed),
    TEST(any_address_aligned_to_four_bytes_fits),
    TEST(keys_with_the_same_hash_are_told_apart),
    TEST(a_replaced_item_keeps_place_and_level),
    TEST(position_and_level_are_set_without_touching_the_neighbours),
    TEST(hundreds_of_thousands_of_changes_keep_the_table_right),
    TEST(a_growing_table_stays_within_its_load),
    TEST(chains_do_not_pile_up_in_a_table_that_is_always_full),
    TEST(deep_chains_are_split_when_growing_is_made_up_for),
    TEST(without_memory_an_insert_changes_nothing),
    TEST(without_memory_growing_waits_and_loses_nothing),
    TEST(a_split_of_a_deep_chain_that_fails_changes_nothing),
    TEST(a_table_without_memory_is_not_made), TEST(buckets_never_move),
    TEST(prefetching_needs_no_lock_while_the_table_grows))
