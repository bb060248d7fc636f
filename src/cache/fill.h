/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fill.h - whether a value may be stored, and what a store leaves behind.
 *
 * What a token allows is decided by five rules, in this order (F1 to F5 of
 * doc/protocol.md, where each is explained):
 *
 *	F1  the token is ours, not from the future and not too old
 *	F5  no newer value stands
 *	F2  nothing was flushed since the grant
 *	F3  no tag of the value was invalidated since the grant
 *	F4  the key was not invalidated since, or the version is good enough
 *
 * Called under the lock of the act's shard.
 *
 * Layer: cache.
 */
#ifndef CACHE_FILL_H
#define CACHE_FILL_H

#include "cache/lease.h"

/* What stands under the key, for everybody or not. */
struct standing {
	struct item *item; /* NULL: nothing */
	enum found why;
	struct place at;
	bool visible; /* to every reader */
};

struct standing fill_look(struct act *st) REQUIRES(st->s->lock);

/*
 * Judges a fill by F1 to F5; `seq` is the number of its grant.  STORED when all
 * hold, else NOT_FOUND, EXISTS or REFUSED, counted; *out says the floor.
 */
enum result fill_judge(struct act *st, const struct store_spec *spec,
    const struct item *it, const struct standing *old, uint64_t seq,
    struct stored *out) REQUIRES(st->s->lock);

/* The same for a store without a token: floor, cached version, guard. */
enum result fill_judge_plain(struct act *st, const struct store_spec *spec,
    const struct standing *old, struct stored *out) REQUIRES(st->s->lock);

/*
 * A value was stored: notes floor or base, and ends the key's lease, whose
 * waiters get it.  `token` is the one it was stored by, 0 none.
 */
void fill_stored(struct act *st, const struct store_spec *spec, struct item *it,
    struct lease *lease, uint64_t token) REQUIRES(st->s->lock);

/* Something without a version became of the key: the tombstone's base moves. */
void fill_move_base(struct act *st, uint64_t seq) REQUIRES(st->s->lock);

/* The key's clock alone moves: of a change that tells its version. */
uint64_t fill_move_clock(struct act *st) REQUIRES(st->s->lock);

/*
 * The key is invalidated: its clock moves, and the base of its tombstone.
 * Returns the number.
 */
uint64_t fill_invalidate(struct act *st) REQUIRES(st->s->lock);

/*
 * Nothing below that version is valid up to `until`.  `old` is what stands, or
 * stood before what happens now: a record that begins counts it as gone.
 */
void fill_set_floor(struct act *st, const struct item *old, uint64_t version,
    rel_time until) REQUIRES(st->s->lock);

/* Raises the floor of a record that is there. */
void fill_raise_floor(struct act *st, uint64_t version) REQUIRES(st->s->lock);

/* As fill_set_floor(), for as long as usual. */
void fill_set_usual_floor(struct act *st, const struct item *old,
    uint64_t version) REQUIRES(st->s->lock);

#endif
