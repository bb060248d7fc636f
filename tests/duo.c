/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * duo.c - two threads' worth of rigs, for tests of leases.
 */
#include "config.h"

#include "duo.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

struct rig duo_one, duo_two;

void
duo_begin(const struct lease_config *config)
{
	rig_open(&duo_one, &(struct rig_config){ .lease = config });
	rig_share(&duo_two, &duo_one);
}

void
duo_end(void)
{
	struct leases *ls = duo_one.cache.leases;

	rig_unshare(&duo_two);
	CHECK(rig_is_sane(&duo_one, 0));
	for (unsigned i = 0; i < ls->shards; i++)
		CHECK_EQ(ls->shard[i].count, ls->shard[i].timers.count);
	rig_close(&duo_one);
}

void
duo_pass(uint64_t ms)
{
	rig_pass(&duo_one, ms);
	rig_pass(&duo_two, ms);
}

uint64_t
duo_grant(struct rig *r, const char *text, uint32_t ms) UNCHECKED_LOCKING
{
	struct key key = rig_key(text);
	struct act st = act_begin(&r->cache, &r->local, &key, r->x.now);
	uint64_t token;

	shard_lock(st.s);
	token = lease_grant(&st, NULL, ms, 7, NULL);
	act_end(&st);
	return token;
}

struct lease
duo_look(const char *text) UNCHECKED_LOCKING
{
	struct key key = rig_key(text);
	struct act st = act_begin(&duo_one.cache, &duo_one.local, &key,
	    duo_one.x.now);
	struct lease copy = { .token = 0 };
	struct lease *found;

	shard_lock(st.s);
	found = lease_find(&st);
	if (found != NULL)
		memcpy(&copy, found, sizeof(copy));
	act_end(&st);
	return copy;
}

void
duo_finish(const char *text, enum lease_end how) UNCHECKED_LOCKING
{
	struct key key = rig_key(text);
	struct act st = act_begin(&duo_one.cache, &duo_one.local, &key,
	    duo_one.x.now);
	struct lease *lease;

	shard_lock(st.s);
	lease = lease_find(&st);
	CHECK(lease != NULL);
	if (lease != NULL)
		lease_finish(&st, lease, how);
	act_end(&st);
}

void
duo_prolong(const char *text, uint32_t ms) UNCHECKED_LOCKING
{
	struct key key = rig_key(text);
	struct act st = act_begin(&duo_one.cache, &duo_one.local, &key,
	    duo_one.x.now);
	struct lease *lease;

	shard_lock(st.s);
	lease = lease_find(&st);
	CHECK(lease != NULL);
	if (lease != NULL)
		lease_prolong(&st, lease, ms);
	act_end(&st);
}

struct waiter *
duo_park(struct rig *r, const char *text, uint32_t lease_ms) UNCHECKED_LOCKING
{
	struct key key = rig_key(text);
	struct act st = act_begin(&r->cache, &r->local, &key, r->x.now);
	struct waiter *w = calloc(1, sizeof(*w));
	struct lease *lease;
	bool parked = false;

	if (w == NULL)
		abort();
	w->lease_ms = lease_ms;
	w->owner = r;
	shard_lock(st.s);
	lease = lease_find(&st);
	if (lease != NULL)
		parked = lease_park(&st, lease, w, &r->mailbox);
	act_end(&st);
	if (!parked)
		free(w);
	return parked ? w : NULL;
}

static void
note(void *ctx, struct waiter *w)
{
	struct rig *r = ctx;

	CHECK(w->owner == r);
	CHECK(w->outcome != WAIT_PENDING);
}

void
duo_collect(void)
{
	rig_collect(&duo_one, note, &duo_one);
	rig_collect(&duo_two, note, &duo_two);
}

void
duo_done(struct waiter *w)
{
	struct rig *r = w->owner;

	wait_done(&r->cache, &r->local, w, r->x.now);
}

void
duo_leave(struct waiter *w)
{
	struct rig *r = w->owner;

	wait_leave(&r->cache, &r->local, w, r->x.now);
	free(w);
}

enum result
duo_fill(struct rig *r, const char *text, const char *value,
    uint64_t token) UNCHECKED_LOCKING
{
	struct store_spec spec = { .compare = true, .cas = token };
	struct item_spec item = { .key = rig_key(text),
		.value_len = (uint32_t)strlen(value) };
	struct stored out;
	enum result why;
	struct item *it = cache_prepare(&r->cache, &r->local, &item, r->x.now,
	    &why);

	if (it == NULL)
		return why;
	memcpy(item_value(it), value, item.value_len);
	return cache_store(&r->cache, &r->local, &item.key, it, &spec, r->x.now,
	    &out);
}
