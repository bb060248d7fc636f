/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scene.c - one situation for all clients, whose outcome is known.
 *
 * Each is a round of its own.  What must be true of it is put into the record
 * (record.h, "!").  The first client is the operator, who never waits.
 *
 * None of them depends on who is quick: whether a waiter is parked when a lease
 * ends, or asks for it a moment later, there is one new lease for each end.
 */
#include "config.h"

#include "drive.h"

#include <inttypes.h>
#include <string.h>

enum { LONG_LEASE = 60000, MANY_EVENTS = 24 };

static struct client *
operator_of(struct drive *d)
{
	return &d->set.client[0];
}

static void
begin(struct drive *d, const char *what)
{
	drive_new_round(d, what);
	d->scene = true;
}

static void
end(struct drive *d)
{
	drive_settle(d);
	d->scene = false;
}

static void
expect(struct drive *d, int key, const char *what, unsigned n)
{
	fprintf(d->set.record, "! %s %s %u\n", what, d->key[key].name, n);
}

static void
lead(struct drive *d, struct client *c, int key, uint64_t lease,
    const char *more)
{
	struct pending *p = client_ask(c, SHAPE_META,
	    "mg %s v c n%" PRIu64 " w%" PRIu64 "%s", d->key[key].name, lease,
	    d->patience, more);

	p->key = key;
	p->lease = lease;
	p->wait = d->patience;
}

/* Until the operator is answered. */
static void
settle_operator(struct drive *d)
{
	while (operator_of(d)->npending > 0 && !d->set.broken)
		clients_turn(&d->set, 1);
}

/* Until so many leases were won; false when that will not happen. */
static bool
await(struct drive *d, size_t wins)
{
	while (d->wins < wins) {
		if (d->set.broken || clients_idle(&d->set))
			return false;
		clients_turn(&d->set, 1);
	}
	return true;
}

/* The lease that was won last, and its client, or the operator for one who has
   left. */
static struct client *
winner(struct drive *d, struct job **j)
{
	struct client *c;

	*j = &d->won[d->wins - 1];
	c = &d->set.client[(*j)->client];
	return c->number == (*j)->number ? c : operator_of(d);
}

/* The source of truth is read, and the value filled. */
static void
fill(struct drive *d, uint64_t version)
{
	struct job *j;
	struct client *c = winner(d, &j);

	j->version = version;
	j->read_at = client_time(&d->set);
	jobs_fill(d, c, j);
}

/* Just the value: scenes know what a fill's outcome is. */
static void
fill_with(struct drive *d, uint64_t version, const char *flags)
{
	struct job *j;
	struct client *c = winner(d, &j);

	drive_value(d, c, j->key, version, client_time(&d->set), false);
	client_store(c, SHAPE_META, d->data, d->data_n,
	    "ms %s %zu C%" PRIu64 " c%s", d->key[j->key].name, d->data_n,
	    j->token, flags);
}

/* Time for others to be parked, more likely than not. */
static void
let_them_park(struct drive *d)
{
	for (int i = 0; i < 8; i++) {
		client_ask(operator_of(d), SHAPE_LINE, "mn");
		settle_operator(d);
	}
}

/* ---- many that miss at once ---------------------------------------------- */

enum act { GIVE_UP, LEAVE, REFUSED, DELETE, MARK, FLUSH, ACTS };

/* Ends the lease that was won last, without a value. */
static void
end_lease(struct drive *d, int key, enum act act)
{
	const char *name = d->key[key].name;
	struct client *op = operator_of(d);
	char tags[80];
	struct job *j;
	struct client *c = winner(d, &j);

	switch (act) {
	case GIVE_UP:
		client_ask(c, SHAPE_META, "md %s C%" PRIu64 " U", name,
		    j->token);
		break;
	case LEAVE:
		client_leave(c,
		    rng_one_in(&d->rng, 2) ? LEAVE_RESET : LEAVE_CLOSE);
		break;
	case REFUSED:
		client_ask(op, SHAPE_META, "md %s A", d->tag[1]);
		settle_operator(d);
		snprintf(tags, sizeof(tags), " A%s", d->tag[1]);
		fill_with(d, 1, tags);
		break;
	case FLUSH:
		client_ask(op, SHAPE_LINE, "flush_all");
		settle_operator(d);
		break;
	default:
		client_ask(op, SHAPE_META, "md %s%s", name,
		    act == MARK ? " I" : "");
		settle_operator(d);
	}
}

/* One loads, the others are served; when it fails, one of them loads. */
static void
herd(struct drive *d)
{
	int key = 0;
	unsigned turns = 1 + (unsigned)rng_below(&d->rng, 4), i;

	begin(d, "many miss at once");
	for (size_t c = 1; c < d->set.n; c++)
		lead(d, &d->set.client[c], key, LONG_LEASE, "");
	let_them_park(d);
	for (i = 0; i < turns && await(d, i + 1); i++)
		end_lease(d, key, (enum act)rng_below(&d->rng, ACTS));
	if (i == turns && await(d, i + 1))
		fill_with(d, 1, "");
	expect(d, key, "loads", turns + 1);
	expect(d, key, "served", 0);
	end(d);
}

/* The first holder never comes back, its lease lapses. */
static void
lapse(struct drive *d)
{
	int key = 0;

	begin(d, "a lease lapses");
	lead(d, operator_of(d), key, 100, "");
	if (await(d, 1)) {
		for (size_t c = 1; c < d->set.n; c++)
			lead(d, &d->set.client[c], key, LONG_LEASE, "");
		if (await(d, 2))
			fill_with(d, 1, "");
	}
	expect(d, key, "loads", 2);
	expect(d, key, "served", 0);
	end(d);
}

/* Some want a newer version than the first that is filled. */
static void
picky(struct drive *d)
{
	int key = 1;

	begin(d, "some want a newer version");
	lead(d, operator_of(d), key, LONG_LEASE, " V");
	if (await(d, 1)) {
		for (size_t c = 1; c < d->set.n; c++)
			lead(d, &d->set.client[c], key, LONG_LEASE,
			    c % 2 ? " V5" : " V");
		fill_with(d, 3, " V3");
		if (await(d, 2))
			fill_with(d, 7, " V7");
	}
	expect(d, key, "loads", 2);
	expect(d, key, "served", 0);
	end(d);
}

/* ---- no hold and wait ---------------------------------------------------- */

/* Each holds one lease and asks for the next one's. */
static void
circle(struct drive *d)
{
	unsigned n = d->set.n < KEYS ? (unsigned)d->set.n : KEYS;

	begin(d, "each holds one and asks for the next");
	for (unsigned i = 0; i < n; i++)
		lead(d, &d->set.client[i], (int)i, LONG_LEASE, "");
	if (await(d, n)) {
		for (unsigned i = 0; i < n; i++)
			lead(d, &d->set.client[i], (int)((i + 1) % n),
			    LONG_LEASE, "");
		drive_wait(d);
	}
	while (d->wins > 0 && !d->set.broken) {
		fill(d, 1);
		d->wins--;
	}
	end(d);
}

/* ---- versioned events in any order --------------------------------------- */

static void
event(struct drive *d, int key, unsigned what, uint64_t version)
{
	static const char *const drops[] = { "", " I", " T60" };
	const char *name = d->key[key].name;
	struct client *c = drive_any(d);

	while (c->npending > 30)
		c = drive_any(d);
	if (what < 3) {
		client_ask(c, SHAPE_META, "md %s V%" PRIu64 "%s", name, version,
		    drops[what]);
		return;
	}
	drive_value(d, c, key, version, client_time(&d->set), false);
	client_store(c, SHAPE_META, d->data, d->data_n,
	    "ms %s %zu V%" PRIu64 "%s", name, d->data_n, version,
	    what == 3 ? " MR" : "");
}

/* What the floor is, told by a refusal. */
static void
ask_floor(struct drive *d, int key)
{
	client_store(drive_any(d), SHAPE_META, "", 0, "ms %s 0 V0",
	    d->key[key].name);
}

/* The same to two keys, to one in another order and some of it twice. */
static void
replay(struct drive *d)
{
	struct {
		unsigned what;
		uint64_t version;
	} e[MANY_EVENTS];

	begin(d, "versioned events in any order");
	for (unsigned i = 0; i < MANY_EVENTS; i++) {
		e[i].what = (unsigned)rng_below(&d->rng, 5);
		e[i].version = 1 + rng_below(&d->rng, 40);
		event(d, 1, e[i].what, e[i].version);
	}
	for (unsigned i = MANY_EVENTS; i > 0; i--) {
		unsigned k = (unsigned)rng_below(&d->rng, i);

		event(d, 6, e[k].what, e[k].version);
		if (rng_one_in(&d->rng, 2))
			event(d, 6, e[k].what, e[k].version);
		e[k] = e[i - 1];
	}
	drive_wait(d);
	ask_floor(d, 1);
	ask_floor(d, 6);
	end(d);
}

/* ---- clients that know nothing of leases --------------------------------- */

static void
coalesce(struct drive *d)
{
	int key = 0;
	unsigned turns = (unsigned)rng_below(&d->rng, 3), i;
	struct job *j;

	if (d->coalesced == NULL) {
		herd(d);
		return;
	}
	begin(d, "plain gets under a rule");
	snprintf(d->key[key].name, sizeof(d->key[key].name), "%sr%u",
	    d->coalesced, d->round);
	for (size_t c = 1; c < d->set.n; c++) {
		struct pending *p = client_ask(&d->set.client[c], SHAPE_VALUES,
		    "get %s", d->key[key].name);

		p->key = key;
		p->wait = d->patience;
	}
	let_them_park(d);
	for (i = 0; i < turns && await(d, i + 1); i++)
		client_leave(winner(d, &j), LEAVE_CLOSE);
	if (i == turns && await(d, i + 1)) {
		struct client *c = winner(d, &j);

		drive_value(d, c, key, 1, client_time(&d->set), false);
		client_store(c, SHAPE_LINE, d->data, d->data_n,
		    "set %s 0 0 %zu", d->key[key].name, d->data_n);
	}
	expect(d, key, "misses", turns + 1);
	end(d);
}

void
scene_play(struct drive *d, unsigned number)
{
	static void (*const scenes[SCENES])(
	    struct drive *) = { herd, circle, replay, picky, coalesce, lapse };

	scenes[number](d);
}
