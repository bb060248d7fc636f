/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * jobs.c - what those who win a lease do with it.
 *
 * Most read the source of truth after a while and fill after another, some in
 * less time than their lease lasts and some in more; others renew first, give
 * up, leave, or forget it.
 */
#include "config.h"

#include "drive.h"

#include "map.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { FLAG_BYTES = 300, LONGEST_BACKOFF = 400 };

/* Most are quick, some take longer than a short lease. */
static uint64_t
some_time(struct drive *d)
{
	uint64_t dice = rng_below(&d->rng, 100);

	if (d->slow)
		return drive_range(d, 0, 1500) * MS_NS;
	if (dice < 40)
		return drive_range(d, 0, 2000) * 1000;
	return drive_range(d, 1, dice < 85 ? 15 : 120) * MS_NS;
}

void
jobs_add(struct drive *d, struct client *c, int key, uint64_t token,
    uint64_t lease)
{
	uint64_t dice = rng_below(&d->rng, 100);
	struct job *j;

	if (dice < 5 && !d->scene && !d->hurry)
		return; /* forgotten */
	j = d->scene ? ARRAY_ADD(d->won, d->wins) : ARRAY_ADD(d->job, d->jobs);
	*j = (struct job){ .token = token,
		.lease = lease,
		.key = key,
		.client = (size_t)(c - d->set.client),
		.number = c->number };
	j->step = dice < 80 ? STEP_LOAD :
	    dice < 90       ? STEP_GIVE_UP :
	    dice < 97       ? STEP_RENEW :
			      STEP_LEAVE;
	j->at = client_time(&d->set) + some_time(d);
}

static struct client *
client_of(struct drive *d, const struct job *j)
{
	struct client *c = &d->set.client[j->client];

	/* Now and then somebody else does it. */
	if (c->number == j->number && client_can_ask(c) &&
	    !rng_one_in(&d->rng, 12))
		return c;
	for (int i = 0; i < 100; i++) {
		c = drive_any(d);
		if (client_can_ask(c) && c->npending == 0)
			return c;
	}
	return NULL;
}

/* cas fills where the listener says so. */
static void
fill_plainly(struct drive *d, struct client *c, const struct job *j)
{
	const char *name = d->key[j->key].name;

	if (d->set.nports > 1 && rng_one_in(&d->rng, 2))
		client_store(c, SHAPE_LINE, d->data, d->data_n,
		    "cas %s 9 0 %zu %" PRIu64, name, d->data_n, j->token);
	else
		client_store(c, SHAPE_LINE, d->data, d->data_n,
		    "lease-set %s %" PRIu64 " 9 0 %zu", name, j->token,
		    d->data_n);
}

void
jobs_fill(struct drive *d, struct client *c, const struct job *j)
{
	char flags[FLAG_BYTES], *end;
	const struct key *k = &d->key[j->key];
	bool versioned, absent;

	drive_value(d, c, j->key, j->version, j->read_at, false);
	end = plan_store_flags(d, j->key, flags, flags + sizeof(flags),
	    &versioned, &absent);
	if (!versioned && rng_one_in(&d->rng, 3)) {
		fill_plainly(d, c, j);
		return;
	}
	if (versioned)
		snprintf(end, (size_t)(flags + sizeof(flags) - end),
		    " V%" PRIu64, j->version);
	client_store(c, SHAPE_META, d->data, absent ? 0 : d->data_n,
	    "ms %s %zu C%" PRIu64 "%s", k->name, absent ? 0 : d->data_n,
	    j->token, flags);
}

static void
give_up(struct drive *d, struct client *c, const struct job *j)
{
	const char *name = d->key[j->key].name;
	uint64_t dice = rng_below(&d->rng, 10);

	if (dice == 0)
		client_store(c, SHAPE_LINE, "", 0,
		    "lease-set %s %" PRIu64 " 0 -1 0", name, j->token);
	else if (dice <= 6)
		client_ask(c, SHAPE_META, "md %s C%" PRIu64 "%s", name,
		    j->token, dice == 1 ? "" : " U");
	else
		client_ask(c, SHAPE_META, "md %s C%" PRIu64 " U d%" PRIu64,
		    name, j->token, drive_range(d, 0, LONGEST_BACKOFF));
}

static void
renew(struct drive *d, struct client *c, const struct job *j)
{
	/* Without u, it could win a stale value when it comes too late. */
	client_ask(c, SHAPE_META, "mg %s C%" PRIu64 " n%" PRIu64 " u",
	    d->key[j->key].name, j->token, j->lease > 1 ? j->lease : 1000)
	    ->key = j->key;
}

/* Does the step; false when the job is done with. */
static bool
run(struct drive *d, struct job *j)
{
	struct client *c = client_of(d, j);
	struct key *k = &d->key[j->key];
	uint64_t lag;

	if (c == NULL)
		return true;
	switch (j->step) {
	case STEP_LOAD:
		/* Versions make it safe to read from a copy that is late. */
		lag = k->kind != KIND_VERSIONED ? 0 : rng_below(&d->rng, 3);
		j->version = lag < k->version ? k->version - lag : 1;
		j->read_at = client_time(&d->set);
		j->step = STEP_FILL;
		j->at += some_time(d);
		return true;
	case STEP_FILL:
		jobs_fill(d, c, j);
		return false;
	case STEP_GIVE_UP:
		give_up(d, c, j);
		return false;
	case STEP_RENEW:
		renew(d, c, j);
		j->step = STEP_LOAD;
		j->at += some_time(d);
		return true;
	case STEP_LEAVE:
		/* The token stays good: another client may fill with it. */
		if (c->number == j->number)
			client_leave(c,
			    rng_below(&d->rng, 2) ? LEAVE_CLOSE : LEAVE_RESET);
		j->step = STEP_LOAD;
		return rng_one_in(&d->rng, 3);
	}
	return false;
}

void
jobs_run(struct drive *d)
{
	uint64_t now = client_time(&d->set);

	for (size_t i = 0; i < d->jobs;) {
		if (d->job[i].at > now && !d->hurry) {
			i++;
		} else if (!run(d, &d->job[i])) {
			d->job[i] = d->job[--d->jobs];
		} else {
			i++;
		}
	}
}
