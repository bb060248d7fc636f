/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * table_world.c - a hash table and the items that it should hold.
 */
#include "config.h"

#include "table_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "fake_arena.h"
#include "rig.h"
#include "store/table_bucket.h"
#include "store/table_slots.h"
#include "unit.h"

struct key
world_key(const struct world *w, size_t i)
{
	struct item *it = w->item[i];

	return (
	    struct key){ item_key(it), item_key_len(it), false, w->hash[i] };
}

expire_code
world_position(size_t i)
{
	return (expire_code)(i * 7);
}

uint8_t
world_level(size_t i)
{
	return (uint8_t)(i * 31 + 5);
}

struct item *
world_item(size_t i)
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

void
world_begin(struct world *w, size_t n)
{
	rig_start();
	w->n = n;
	w->present = 0;
	w->item = calloc(n, sizeof(*w->item));
	w->hash = calloc(n, sizeof(*w->hash));
	w->in = calloc(n, sizeof(*w->in));
	REQUIRE(w->item != NULL && w->hash != NULL && w->in != NULL);
	for (size_t i = 0; i < n; i++) {
		w->item[i] = world_item(i);
		w->hash[i] = hash_key(item_key(w->item[i]),
		    item_key_len(w->item[i]));
	}
	REQUIRE(table_init(&w->table, NULL));
}

/* Whether the table knows what it should of item i. */
bool
world_knows(struct world *w, size_t i)
{
	struct key key = world_key(w, i);
	struct place at, same;
	struct item *it = table_find(&w->table, &key, &at);

	if (!w->in[i])
		return it == NULL;
	if (it != w->item[i] || slot_item(at.bucket, at.slot) != it ||
	    slot_position(at.bucket, at.slot) != world_position(i) ||
	    slot_level(at.bucket, at.slot) != world_level(i))
		return false;
	same = table_locate(&w->table, w->hash[i], it);
	return same.bucket == at.bucket && same.slot == at.slot;
}

bool
world_knows_all(struct world *w)
{
	for (size_t i = 0; i < w->n; i++)
		if (!world_knows(w, i))
			return false;
	return w->table.items == w->present;
}

bool
world_insert(struct world *w, size_t i)
{
	if (!table_insert(&w->table, w->hash[i], w->item[i], world_position(i),
		world_level(i)))
		return false;
	w->in[i] = true;
	w->present++;
	return true;
}

void
world_remove(struct world *w, size_t i)
{
	struct key key = world_key(w, i);
	struct place at;

	REQUIRE(table_find(&w->table, &key, &at) == w->item[i]);
	table_remove(&w->table, w->hash[i], at);
	w->in[i] = false;
	w->present--;
}

/* The addresses of segments that were given back stay. */
static bool
bytes_are_right(const struct world *w)
{
	int64_t more = fake_arena_bytes() - (int64_t)w->table.bytes;

	return more >= 0 &&
	    more % (int64_t)(TABLE_SEGMENT * sizeof(struct bucket)) == 0;
}

void
world_end(struct world *w)
{
	for (size_t i = 0; i < w->n; i++) {
		if (w->in[i])
			world_remove(w, i);
		free(w->item[i]);
	}
	CHECK_EQ(w->table.items, 0);
	CHECK_EQ(w->table.chained, 0);
	CHECK(bytes_are_right(w));
	table_free(&w->table);
	CHECK_EQ(fake_arena_bytes(), 0);
	CHECK_EQ(fake_arena_blocks(), 0);
	free(w->item);
	free(w->hash);
	free(w->in);
}

size_t
world_number(const struct item *it)
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
				index = world_number(it);
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

/* What the notes of a group's buckets should say of items that are away. */
static void
expect_notes(struct world *w, const struct bucket_group *g,
    uint64_t notes[2 * TABLE_GROUP], bool *good)
{
	for (unsigned n = 0; n < g->buckets; n++) {
		struct bucket *head = table_group_bucket(&w->table, g, n);

		for (struct bucket *b = head; b != NULL; b = table_next(b))
			for (int i = 0; i < TABLE_SLOTS; i++) {
				uint64_t tag = slot_word(b, i) >> SLOT_TAG;
				unsigned home = home_of(tag, g);
				unsigned turn = turn_of(tag);

				if (slot_item(b, i) == NULL ||
				    (b == head && n == home))
					continue;
				notes[home] |= note_turn(turn);
				if (b != head)
					notes[home] |= NOTE_IN_CHAIN;
				else if (n != other_of(home, turn, g))
					*good = false;
			}
	}
}

/*
 * All items are where a lookup finds them, no note sends it elsewhere in vain,
 * and no item is away from a bucket with room.
 */
bool
world_is_in_order(struct world *w)
{
	bool good = true;

	for (uint32_t i = 0; good && i < table_groups(&w->table); i++) {
		struct bucket_group g = table_group(&w->table, i);
		uint64_t notes[2 * TABLE_GROUP] = { 0 };

		expect_notes(w, &g, notes, &good);
		for (unsigned n = 0; good && n < g.buckets; n++) {
			struct bucket *b = table_group_bucket(&w->table, &g, n);

			good = (load(&b->notes) & AWAY) == notes[n] &&
			    (notes[n] == 0 || slots_free(b) == 0) &&
			    (n == 0 || !is_chained(b));
		}
	}
	return good && walk_meets_each_once(w);
}
