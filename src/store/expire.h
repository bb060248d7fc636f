/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * expire.h - a timing wheel that costs one byte an item.
 *
 * A hierarchical timing wheel (Varghese and Lauck, SOSP 1987) with four levels
 * of 63 positions, of 1, 16, 256 and 4096 seconds.  Items are not linked into
 * it: each slot of the hash table carries the position of its item, and the
 * sweep, which reads the table in order, looks only at items whose position
 * the wheel has passed.  It then removes the item, or gives it a position on
 * a finer level, until the second of its exptime is reached.  A position that
 * has wrapped around costs a look too many, never a wrong removal.
 *
 * Layer: store.
 */
#ifndef STORE_EXPIRE_H
#define STORE_EXPIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

/* A position of the wheel; 0 for an item that never expires. */
typedef uint8_t expire_code;

/* The set of positions that the wheel passes in one sweep. */
struct expire_due {
	uint64_t code[4];
};

/* The position for an exptime, seen from `now`. */
expire_code expire_position(rel_time exptime, rel_time now);

/* The positions passed after `from`, up to and including `to`. */
void expire_passed(struct expire_due *due, rel_time from, rel_time to);

/* All positions, and with them items that never expire. */
void expire_everything(struct expire_due *due);

static inline bool
expire_is_due(const struct expire_due *due, expire_code c)
{
	return due->code[c >> 6] >> (c & 63) & 1;
}

#endif
