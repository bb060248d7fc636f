/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sweep.h - the background walk over the table.
 *
 * One pass visits every bucket, some at a time under the shard's lock.  It
 * removes what the timing wheel (expire.h) has passed; after a flush it
 * removes what was flushed; and when the allocator holds many half-empty
 * pages it moves items out of the thinnest, so that these can be given back.
 * Moving is safe because an item that only the table refers to is seen by
 * nobody else, and copying it changes nothing.
 *
 * Layer: store.
 */
#ifndef STORE_SWEEP_H
#define STORE_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "store/expire.h"
#include "store/store.h"

struct sweep {
	bool running;
	unsigned shard;
	uint32_t bucket;
	struct expire_due due;
	bool all;        /* look at every item: a flush took effect */
	bool compact;    /* move items out of thin regions */
	rel_time swept;  /* the wheel stands here */
	rel_time target;
	uint64_t flush_clock; /* as of the last pass that looked at all */
	uint64_t moved;       /* items moved in this pass */
	uint64_t passes;
};

/* Begins a pass; the previous one has ended. */
void sweep_start(struct sweep *w, struct store *st, rel_time now,
    bool compact);

/* Goes on for up to `buckets` buckets; true when the pass has ended. */
bool sweep_step(struct sweep *w, struct store_local *l, rel_time now,
    uint32_t buckets);

#endif
