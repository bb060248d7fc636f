/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clocks.c - when was this key, or this tag, last invalidated?
 */
#include "config.h"

#include "store/clocks.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

/* Untouched pages of these arrays cost no memory. */
static _Atomic uint64_t *
make_slots(uint32_t slots, unsigned *shift)
{
	CHECK(slots >= CLOCKS_MIN && (slots & (slots - 1)) == 0);
	*shift = 64 - (unsigned)__builtin_ctz(slots);
	return calloc(slots, sizeof(_Atomic uint64_t));
}

bool
clocks_init(struct clocks *c, uint32_t key_slots, uint32_t tag_slots,
    uint32_t token_max)
{
	c->key = make_slots(key_slots, &c->key_shift);
	c->tag = make_slots(tag_slots, &c->tag_shift);
	c->token_max = token_max;
	c->ring = calloc((size_t)token_max + 1, sizeof(*c->ring));
	lock_init(&c->lock, LOCK_CLOCKS);
	/* Before the first grant there is no token. */
	atomic_store(&c->oldest_token, 1);
	return c->key != NULL && c->tag != NULL && c->ring != NULL;
}

void
clocks_free(struct clocks *c)
{
	free((void *)c->key);
	free((void *)c->tag);
	free(c->ring);
	lock_destroy(&c->lock);
}

size_t
clocks_key_bytes(const struct clocks *c)
{
	return sizeof(*c->key) << (64 - c->key_shift);
}

size_t
clocks_tag_bytes(const struct clocks *c)
{
	return sizeof(*c->tag) << (64 - c->tag_shift);
}

void
clocks_sample(struct clocks *c, rel_time now, uint64_t seq)
{
	uint32_t samples = c->token_max + 1;
	uint64_t then;
	rel_time at;

	lock_take(&c->lock);
	at = atomic_load(&c->sampled);
	if (at > now) {
		/* A batch that began earlier, or tests moved the time back. */
		lock_drop(&c->lock);
		return;
	}
	if (at == 0)
		at = now - 1;
	else if (now - at > samples)
		at = now - samples; /* a pause longer than the ring */
	while (at < now)
		c->ring[++at % samples] = seq;
	/* What was granted up to then is too old. */
	then = c->ring[(now + 1) % samples];
	if (then > 0)
		atomic_store(&c->oldest_token, then + 1);
	atomic_store_explicit(&c->sampled, now, memory_order_release);
	lock_drop(&c->lock);
}

static void
raise(_Atomic uint64_t *at, uint64_t to)
{
	uint64_t is = atomic_load_explicit(at, memory_order_relaxed);

	while (is < to &&
	    !atomic_compare_exchange_weak_explicit(at, &is, to,
		memory_order_release, memory_order_relaxed))
		;
}

void
clocks_granted(struct clocks *c, uint64_t seq)
{
	raise(&c->last_grant, seq);
}

void
clocks_move_tag(struct clocks *c, uint32_t slot, uint64_t seq)
{
	raise(&c->tag[slot], seq);
	raise(&c->last_tag, seq);
	atomic_fetch_add_explicit(&c->tags_moved, 1, memory_order_relaxed);
}
