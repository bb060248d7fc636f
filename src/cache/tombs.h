/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tombs.h - tombstones: below which version is a key not valid?
 *
 * A fixed set-associative table.  A record holds the floor, a deadline, and the
 * base: the key clock when the record began, moved at every invalidation or
 * store of the key that carries no version.  A fill with a version is judged by
 * floor and base while the record lives, and by the key clock otherwise.
 *
 * When a record ends, by time or because its set is full, the key clock moves:
 * what the floor would have refused must not come in afterwards.
 *
 * Records belong to the shard of their key, whose lock guards them.
 *
 * Layer: cache.
 */
#ifndef CACHE_TOMBS_H
#define CACHE_TOMBS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "store/store.h"

struct tomb {
	uint64_t hash;
	uint64_t floor;
	uint64_t base;
	rel_time deadline; /* 0: no record */
	uint32_t unused;
};

struct tombs {
	struct store *store;
	struct tomb *tomb;
	unsigned sets; /* of each shard: a power of two */
	unsigned shards;
	unsigned swept;          /* the shard to look at next */
	_Atomic uint32_t *count; /* records of each shard, dead ones too */
};

/* Room for about `records`; false when out of memory.  tombs_free() is due. */
bool tombs_init(struct tombs *t, struct store *store,
    uint32_t records) MUST_USE;
void tombs_free(struct tombs *t);

/* Whether the shard of a key may have records. */
static inline bool
tombs_any(const struct tombs *t, uint64_t hash)
{
	return atomic_load_explicit(&t->count[hash >> t->store->shard_shift],
		   memory_order_relaxed) > 0;
}

/* The record of a key, or NULL; one whose time is over ends here. */
struct tomb *tombs_find(struct tombs *t, struct store_local *l, uint64_t hash,
    rel_time now);

/*
 * Raises floor and deadline of a key's record, or begins one, whose base is the
 * key clock as it stands.
 */
void tombs_raise(struct tombs *t, struct store_local *l, uint64_t hash,
    uint64_t floor, rel_time deadline, rel_time now);

/* Ends records whose time is over, of some shards; takes their locks. */
void tombs_sweep(struct tombs *t, struct store_local *l, rel_time now);

/* Records, and the bytes of the table. */
uint64_t tombs_count(const struct tombs *t);
size_t tombs_bytes(const struct tombs *t);

#endif
