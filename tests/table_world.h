/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * table_world.h - a hash table and the items that it should hold.
 *
 * Items are numbered, and their key, position and level follow from the
 * number: so whatever the table hands out can be checked without notes.
 */
#ifndef TESTS_TABLE_WORLD_H
#define TESTS_TABLE_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/table.h"

/* A table, and which of the items it should hold. */
struct world {
	struct table table;
	struct item **item;
	uint64_t *hash;
	bool *in;
	size_t n, present;
};

/* A table for items 0 to n - 1, still empty; the end of it. */
void world_begin(struct world *w, size_t n);
void world_end(struct world *w);

/* What belongs to a number, and the number of an item. */
struct item *world_item(size_t i);
struct key world_key(const struct world *w, size_t i);
expire_code world_position(size_t i);
uint8_t world_level(size_t i);
size_t world_number(const struct item *it);

bool world_insert(struct world *w, size_t i);
void world_remove(struct world *w, size_t i);

/* Whether the table knows what it should of item i, of all. */
bool world_knows(struct world *w, size_t i);
bool world_knows_all(struct world *w);

/*
 * All items are where a lookup finds them, no note sends it elsewhere in vain,
 * no item is away from a bucket with room, and a walk meets each once.
 */
bool world_is_in_order(struct world *w);

#endif
