/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * retime.h - an exptime for an item that was stored without one.
 *
 * Such an item has no room for it.  Whoever touches it makes it anew, with
 * room, and puts it in its place: same value, same numbers, no store.
 *
 * Layer: cache.
 */
#ifndef CACHE_RETIME_H
#define CACHE_RETIME_H

#include "cache/held.h"
#include "cache/lease.h"

/* Whether the item has to be made anew before it can have that exptime. */
static inline bool
retime_needed(const struct item *it, rel_time exptime)
{
	return exptime != 0 && !(it->word & ITEM_EXPTIME);
}

/*
 * What else a made item takes over from the one in whose place it is: that it
 * was fetched, when it was accessed, and its number, since it is no store.
 */
void retime_take_over(struct item *it, const struct item *old);

/*
 * Makes the held item anew with room for an exptime, and gives the reference
 * back.  Called without a lock.  True: look again, it has room now or something
 * else happened to it.  False: there is no memory.
 */
bool retime(struct act *st, struct held *held);

#endif
