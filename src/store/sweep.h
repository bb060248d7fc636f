/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sweep.h - the walk over a shard that gives memory back.
 *
 * It removes the dead: what the timing wheel (expire.h) has passed and, after a
 * flush, what was flushed.  It goes on a few buckets at a time: the maintenance
 * thread drives it, and a thread that needs memory helps, so that the dead go
 * before the living.
 *
 * The shard's lock guards the state and is held by the caller.
 *
 * Layer: store.
 */
#ifndef STORE_SWEEP_H
#define STORE_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/clock.h"
#include "store/expire.h"

struct shard;
struct store_local;

struct sweep {
	bool running;
	bool whole;            /* this pass looks at every item */
	uint32_t group;        /* next to look at */
	struct expire_due due; /* positions that this pass looks at */
	rel_time swept;        /* the wheel stands here */
	rel_time target;       /* and will stand here */
	uint64_t flush_clock;  /* up to which the flushed are gone */
	uint64_t flush_target;
	uint64_t tag_clock; /* up to which dead tags have left no items */
	uint64_t tag_target;
	rel_time aged;    /* when items were last made older */
	rel_time began;   /* when this pass did */
	rel_time tags_at; /* no pass for tags before that */
	uint64_t passes;  /* completed */
};

/*
 * Removes the dead from about `buckets` more buckets, whole groups of them.
 * True when none are left that have to go by `now`.
 */
bool sweep_dead(struct shard *s, struct store_local *l, rel_time now,
    uint32_t buckets);

/* Whether there may be items of tags that died since the last pass. */
bool sweep_awaits_tags(const struct shard *s);

#endif
