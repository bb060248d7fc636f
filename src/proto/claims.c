/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * claims.c - the leases that a connection was granted and has not filled.
 */
#include "config.h"

#include "proto/claims.h"

#include <stdlib.h>

#include "cache/cache_lease.h"
#include "proto/session.h"

enum {
	ROOM_MIN = 4,
	GUARDS_MAX = 64, /* that are kept without a live lease */
	DEAD_MANY = 64,  /* met on the way to a live one */
};

static bool
is_free(const struct claim *claim)
{
	return claim->token == 0 && claim->guard == 0;
}

/* The key's place, or the free one where it would be. */
static struct claim *
place_of(struct claims *c, uint64_t hash)
{
	uint32_t i = (uint32_t)hash & (c->room - 1);

	while (!is_free(&c->claim[i]) && c->claim[i].hash != hash)
		i = (i + 1) & (c->room - 1);
	return &c->claim[i];
}

/* Frees a place, and closes the gap that it leaves (Knuth, TAOCP 6.4, R). */
static void
vacate(struct claims *c, struct claim *claim)
{
	uint32_t gap = (uint32_t)(claim - c->claim), mask = c->room - 1;

	for (uint32_t i = (gap + 1) & mask; !is_free(&c->claim[i]);
	     i = (i + 1) & mask) {
		uint32_t home = (uint32_t)c->claim[i].hash & mask;

		if (((i - home) & mask) >= ((i - gap) & mask)) {
			c->claim[gap] = c->claim[i];
			gap = i;
		}
	}
	c->claim[gap] = (struct claim){ .token = 0 };
	c->count--;
}

static bool
is_live(const struct claim *claim, struct exec *x)
{
	return claim->token != 0 &&
	    cache_holds(x->cache, x->local, claim->hash, claim->token, x->now);
}

static int64_t
size_of(const struct claims *c)
{
	return c == NULL ?
	    0 :
	    (int64_t)(sizeof(*c) + c->room * sizeof(c->claim[0]));
}

/* What is still of use of `old`, in a table of that room. */
static struct claims *
rebuild(struct exec *x, const struct claims *old, uint32_t room)
{
	struct claims *c = calloc(1, sizeof(*c) + room * sizeof(c->claim[0]));
	uint32_t guards = 0;

	if (c == NULL)
		return NULL;
	c->room = room;
	c->more = old != NULL && old->more;
	for (uint32_t i = 0; old != NULL && i < old->room; i++) {
		struct claim claim = old->claim[i];

		if (!is_live(&claim, x)) {
			claim.token = 0;
			if (claim.guard == 0 || ++guards > GUARDS_MAX)
				continue;
		}
		*place_of(c, claim.hash) = claim;
		c->count++;
	}
	return c;
}

/* Drops dead claims, and makes room for one more. */
static bool
make_room(struct session *s, struct exec *x)
{
	struct claims *c = s->claims;
	uint32_t room = c == NULL ? ROOM_MIN : c->room;

	if (c != NULL && c->count < room / 4 * 3)
		return true;
	/* To look at all of them each time in vain would cost too much. */
	if (c != NULL && c->more && c->unnoted++ < room / 4)
		return false;
	c = rebuild(x, s->claims, room);
	if (c != NULL && c->count >= room / 2 && room < 2 * CLAIMS_MAX) {
		struct claims *larger = rebuild(x, c, 2 * room);

		free(larger != NULL ? c : NULL);
		c = larger != NULL ? larger : c;
	}
	if (c == NULL)
		return false;
	leases_count_bytes(x->cache->leases, size_of(c) - size_of(s->claims));
	free(s->claims);
	s->claims = c;
	return c->count < c->room / 4 * 3;
}

void
claims_add(struct session *s, struct exec *x, struct claim claim)
{
	struct claim *at;

	if (!make_room(s, x)) {
		if (s->claims != NULL)
			s->claims->more = true;
		return;
	}
	at = place_of(s->claims, claim.hash);
	if (is_free(at)) {
		at->hash = claim.hash;
		s->claims->count++;
	}
	if (claim.token != 0)
		at->token = claim.token;
	if (claim.guard != 0)
		at->guard = claim.guard;
}

uint64_t
claims_guard(const struct session *s, uint64_t hash)
{
	return LIKELY(s->claims == NULL) ? 0 : place_of(s->claims, hash)->guard;
}

void
claims_unguard(struct session *s, uint64_t hash)
{
	struct claim *at;

	if (s->claims == NULL)
		return;
	at = place_of(s->claims, hash);
	if (at->token == 0 && at->guard != 0)
		vacate(s->claims, at);
	else
		at->guard = 0;
}

void
claims_forget(struct session *s, uint64_t hash)
{
	struct claim *at;

	if (LIKELY(s->claims == NULL))
		return;
	at = place_of(s->claims, hash);
	if (!is_free(at))
		vacate(s->claims, at);
}

bool
claims_any(struct session *s, struct exec *x)
{
	struct claims *c = s->claims, *less;
	uint32_t dead = 0;
	bool live = false, more;

	if (c == NULL)
		return false;
	more = c->more;
	for (uint32_t i = 0; i < c->room && !live; i++) {
		live = is_live(&c->claim[i], x);
		dead += !live && c->claim[i].token != 0;
	}
	if (dead > DEAD_MANY && (less = rebuild(x, c, c->room)) != NULL) {
		free(c);
		s->claims = less;
	}
	/* Of those that were not noted nobody knows when they end. */
	return live || more;
}

void
claims_end(struct session *s, struct exec *x)
{
	struct claims *c = s->claims;

	if (c == NULL)
		return;
	for (uint32_t i = 0; i < c->room; i++)
		if (c->claim[i].token != 0)
			cache_abandon(x->cache, x->local, c->claim[i].hash,
			    c->claim[i].token, x->now);
	leases_count_bytes(x->cache->leases, -size_of(c));
	free(c);
	s->claims = NULL;
}
