/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * claims.c - the leases that a connection was granted and has not filled.
 */
#include "config.h"

#include "proto/claims.h"

#include <stdlib.h>
#include <string.h>

#include "cache/cache.h"
#include "proto/session.h"

enum {
	ROOM_MIN = 4,
	GUARDS_MAX = 64, /* claims that are kept for their guard alone */
};

static bool
is_live(const struct claim *claim, struct exec *x)
{
	return claim->token != 0 &&
	    cache_holds(x->cache, x->local, claim->hash, claim->token, x->now);
}

/* Drops dead claims, and the oldest guards beyond what is kept of them. */
static void
prune(struct claims *c, struct exec *x)
{
	uint32_t kept = 0, guards = 0;

	for (uint32_t i = c->count; i-- > 0;)
		if (!is_live(&c->claim[i], x)) {
			c->claim[i].token = 0;
			if (c->claim[i].guard != 0 && ++guards > GUARDS_MAX)
				c->claim[i].guard = 0;
		}
	for (uint32_t i = 0; i < c->count; i++)
		if (c->claim[i].token != 0 || c->claim[i].guard != 0)
			c->claim[kept++] = c->claim[i];
	c->count = kept;
}

bool
claims_add(struct session *s, struct exec *x, struct claim claim)
{
	struct claims *c = s->claims;
	uint32_t room;

	if (c != NULL && c->count == c->room)
		prune(c, x);
	if (c == NULL || c->count > c->room / 2) {
		room = c == NULL ? ROOM_MIN : 2 * c->room;
		c = realloc(c, sizeof(*c) + room * sizeof(c->claim[0]));
		if (c == NULL)
			return false;
		if (s->claims == NULL)
			c->count = 0;
		c->room = room;
		s->claims = c;
	}
	c->claim[c->count++] = claim;
	return true;
}

uint64_t
claims_guard(const struct session *s, uint64_t hash)
{
	const struct claims *c = s->claims;

	for (uint32_t i = c != NULL ? c->count : 0; i-- > 0;)
		if (c->claim[i].hash == hash && c->claim[i].guard != 0)
			return c->claim[i].guard;
	return 0;
}

void
claims_forget(struct session *s, uint64_t hash)
{
	struct claims *c = s->claims;
	uint32_t kept = 0;

	if (LIKELY(c == NULL))
		return;
	for (uint32_t i = 0; i < c->count; i++)
		if (c->claim[i].hash != hash)
			c->claim[kept++] = c->claim[i];
	c->count = kept;
}

bool
claims_any(struct session *s, struct exec *x)
{
	struct claims *c = s->claims;

	if (c == NULL)
		return false;
	for (uint32_t i = c->count; i-- > 0;)
		if (is_live(&c->claim[i], x))
			return true;
	prune(c, x);
	return false;
}

void
claims_end(struct session *s, struct exec *x)
{
	struct claims *c = s->claims;

	for (uint32_t i = 0; c != NULL && i < c->count; i++)
		if (c->claim[i].token != 0)
			cache_abandon(x->cache, x->local, c->claim[i].hash,
			    c->claim[i].token, x->now);
	free(c);
	s->claims = NULL;
}
