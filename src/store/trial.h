/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * trial.h - small models of the cache that try the ways to weigh.
 *
 * A trial sees a sample of a shard's keys, so small that some hundred items
 * would be in a cache that has the same part of the shard's memory.  For each
 * way it models such a cache, exactly, and without values: miniature simulation
 * (Waldspurger, Saemundsson, Ahmad, Park, USENIX ATC 2017).  Where one model
 * has a key that another has not, that is a vote.  The votes of all trials are
 * counted together; a way that leads the one in use by more than chance does
 * takes its place.
 *
 * Shards are guarded by their locks; the votes are atomic.
 *
 * Layer: store.
 */
#ifndef STORE_TRIAL_H
#define STORE_TRIAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/clock.h"
#include "store/weigh.h"

enum {
	TRIAL_KEYS = 256,
	TRIAL_SHARDS = 16, /* of a store have one; they see enough */
};

/* Since the way in use took its place; fades. */
struct trial_votes {
	_Atomic int way; /* in use: enum weigh_way */
	_Atomic int64_t asked;
	_Atomic int64_t lead[WEIGH_WAYS];  /* over it; 1/16 votes */
	_Atomic int64_t noise[WEIGH_WAYS]; /* sum of their squares */
};

/* A modelled cache. */
struct trial_model {
	float worth[TRIAL_KEYS]; /* and what had sunk; below 0: not there */
	float sunken;
	double used; /* bytes */
	size_t items;
};

struct trial {
	unsigned shift; /* one key in 2^shift is seen */
	uint32_t clock; /* keys seen */
	uint32_t key[TRIAL_KEYS];
	uint32_t size[TRIAL_KEYS];
	uint32_t seen[TRIAL_KEYS]; /* when, by the clock */
	rel_time end[TRIAL_KEYS];
	uint8_t hits[TRIAL_KEYS];
	struct trial_model model[WEIGH_WAYS];

	/* not counted with the others' yet */
	int64_t asked;
	int64_t lead[WEIGH_WAYS];
	int64_t noise[WEIGH_WAYS];
};

/* A key that was asked for or stored. */
struct trial_access {
	uint64_t hash;
	size_t size;
	unsigned log_size, log_mean; /* see weigh() */
	int cost;
	rel_time end; /* when it expires */
	rel_time now;
	bool asked;   /* a hit would have saved a load */
	size_t items; /* of the shard, and their bytes */
	size_t bytes;
};

/* `memory` is sizeof(struct trial) bytes. */
void trial_init(struct trial *t);

/* Whether the key is in the sample, by some bits of its hash: bits 40 to 50. */
static inline bool
trial_may_want(const struct trial *t, unsigned tag)
{
	return (tag & (((unsigned)1 << t->shift) - 1) & 0x7ff) == 0;
}

void trial_see(struct trial *t, struct trial_votes *votes,
    const struct trial_access *a);

/* The key was deleted or has expired. */
void trial_drop(struct trial *t, uint64_t hash);

#endif
