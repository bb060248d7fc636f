/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * compact.h - moving items out of thin slabs.
 *
 * An item is immutable, and one that only the table refers to is seen by nobody
 * without its shard's lock; so under that lock it may be copied, and its slot
 * be pointed to the copy.  Nobody notices.
 *
 * Layer: store.
 */
#ifndef STORE_COMPACT_H
#define STORE_COMPACT_H

#include <stdbool.h>

#include "store/store.h"

/*
 * Whether free regions take so much that moving is worth it: more than this
 * part of the limit.  The fewer are free, the more items lie in the slab to be
 * emptied; but what needs memory that can't be a region (large items, tables,
 * what the process holds otherwise) is rare, or worth it.
 */
enum compact_part { COMPACT_FOR_REGION = 64, COMPACT_FOR_OTHERS = 512 };
bool compact_is_due(const struct store *st, enum compact_part part);

/*
 * Empties one slab, taking the lock of one shard after the other for an item
 * each.  True if that gave a slab back.
 */
bool compact(struct store_local *l);

/*
 * Evicts the few items of a slab that are left of a size that became rare, if
 * they are old and were never read.
 */
bool compact_rare(struct store_local *l, rel_time now);

#endif
