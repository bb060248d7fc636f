/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * play.h - the cache, the model of it, and what happens to both.
 *
 * Each step draws a request, does it to both, and compares with SAME().
 */
#ifndef TESTS_PLAY_H
#define TESTS_PLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model.h"
#include "rig.h"
#include "rng.h"

struct play {
	struct rig rig;
	struct model model;
	struct rng rng;
	rel_time flush_at;
	uint64_t last_number; /* the highest that the store gave */
	uint64_t last_token;
	bool same;  /* no difference was seen */
	bool quiet; /* and none is to be told */
	const char *step;
	unsigned done;
};

#define SAME(p, cond) play_differ((p), (cond), #cond, __LINE__)

void play_differ(struct play *p, bool same, const char *text, int line);

static inline rel_time
play_now(const struct play *p)
{
	return p->rig.x.now;
}

static inline size_t
play_pick(struct play *p, size_t n)
{
	return rng_below(&p->rng, n);
}

/* The text stays until the next call. */
struct key play_key(unsigned i);

/* Things to draw; of numbers often the one that counts, or one near it. */
rel_time play_exptime(struct play *p);
uint64_t play_cas(struct play *p, const struct known *k);
uint64_t play_token(struct play *p, const struct known *k);
uint64_t play_version(struct play *p, const struct known *k);
unsigned play_tags(struct play *p, struct item_extra *extra);
uint32_t play_tag_slot(struct play *p, unsigned t);

/* A value that is often a number, or nearly one; its length. */
size_t play_value(struct play *p, char *value);

/* A number that the store gave now: higher than all before. */
void play_number(struct play *p, struct known *k, bool own, uint64_t own_cas,
    uint64_t cas);

/* What happens to leases, tags and time: a step each. */
void play_read(struct play *p);
void play_give_up(struct play *p);
void play_renew(struct play *p);
void play_tag(struct play *p);

#endif
