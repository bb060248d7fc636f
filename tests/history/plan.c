/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plan.c - requests at random.
 */
#include "config.h"

#include "drive.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

enum { FLAG_BYTES = 300 };

static bool
percent(struct drive *d, uint64_t n)
{
	return rng_below(&d->rng, 100) < n;
}

static uint64_t
one_of(struct drive *d, const uint64_t *list, size_t n)
{
	return list[rng_below(&d->rng, n)];
}

__attribute__((format(printf, 3, 4))) static char *
add(char *p, const char *end, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(p, (size_t)(end - p), format, args);
	va_end(args);
	return n < 0 || n >= end - p ? p : p + n;
}

/* Half of the leases outlive a round. */
static uint64_t
lease_length(struct drive *d)
{
	static const uint64_t ms[] = { 20, 20, 60, 150, 2000, 5000, 30000,
		30000, 30000, 60000 };

	return one_of(d, ms, sizeof(ms) / sizeof(ms[0]));
}

/* A long wait ends early, unless the server has forgotten about it. */
static uint64_t
wait_length(struct drive *d)
{
	static const uint64_t ms[] = { 0, 1, 5, 20, 20, 50, 50, 100, 100, 200,
		300, 8000 };
	uint64_t wait = one_of(d, ms, sizeof(ms) / sizeof(ms[0]));

	return wait < d->patience ? wait : d->patience;
}

/* ---- reads --------------------------------------------------------------- */

static void
read_plain(struct drive *d, struct client *c, int key)
{
	static const char *const verbs[] = { "get", "get", "gets", "gat 0",
		"gats 300", "lease-get", "lease-get" };
	const char *verb = verbs[rng_below(&d->rng, 7)];
	struct pending *p;

	p = client_ask(c, SHAPE_VALUES, "%s %s", verb, d->key[key].name);
	p->key = key;
	p->lease = 1; /* lease-get; and gets, if the listener says so */
}

static void
read_meta(struct drive *d, struct client *c, int key)
{
	char flags[FLAG_BYTES] = "", *p = flags, *end = flags + sizeof(flags);
	uint64_t lease = percent(d, 75) ? lease_length(d) : 0;
	uint64_t wait = percent(d, 65) ? wait_length(d) : 0;
	const struct key *k = &d->key[key];
	struct pending *asked;

	if (lease >= 1000 && percent(d, 20))
		p = add(p, end, " N%" PRIu64, lease / 1000);
	else if (lease > 0)
		p = add(p, end, " n%" PRIu64, lease);
	if (wait > 0)
		p = add(p, end, " w%" PRIu64, wait);
	if (k->kind != KIND_PLAIN && k->kind != KIND_COUNTER &&
	    percent(d, 60)) {
		if (percent(d, 25))
			p = add(p, end, " V%" PRIu64,
			    k->version - (k->version > 1 && percent(d, 40)));
		else
			p = add(p, end, " V");
	}
	if (percent(d, 8))
		p = add(p, end, " e%d", percent(d, 50) ? 100 : 10000);
	if (percent(d, 5))
		p = add(p, end, " R30");
	if (percent(d, 5))
		add(p, end, " t s");
	asked = client_ask(c, SHAPE_META, "mg %s v c%s", k->name, flags);
	asked->key = key;
	asked->wait = wait;
	/* An `md I` value may be won without asking for a lease. */
	asked->lease = lease > 0 ? lease : 1;
}

/* ---- stores -------------------------------------------------------------- */

char *
plan_store_flags(struct drive *d, int key, char *p, const char *end,
    bool *versioned, bool *absent)
{
	const struct key *k = &d->key[key];
	unsigned tags = k->tags & (unsigned)rng_next(&d->rng);

	*versioned = k->kind == KIND_VERSIONED ||
	    (k->kind == KIND_MIXED && (d->hurry || percent(d, 50)));
	*absent = k->kind != KIND_COUNTER && percent(d, 5);
	if (*absent)
		p = add(p, end, " z");
	if (percent(d, 40))
		p = add(p, end, " T300");
	else if (percent(d, 15))
		p = add(p, end, " T1 H300");
	else if (percent(d, 2))
		p = add(p, end, " T-1");
	for (unsigned i = 0, first = 1; i < TAGS; i++) {
		if (!(tags >> i & 1))
			continue;
		p = add(p, end, first ? " A%s" : ",%s", d->tag[i]);
		first = 0;
	}
	return add(p, end, " c");
}

static void
store(struct drive *d, struct client *c, int key, const char *mode,
    bool may_version)
{
	char flags[FLAG_BYTES], *end;
	bool versioned, absent;
	struct key *k = &d->key[key];

	drive_value(d, c, key, k->version, client_time(&d->set), false);
	end = plan_store_flags(d, key, flags, flags + sizeof(flags), &versioned,
	    &absent);
	if (versioned && may_version)
		add(end, flags + sizeof(flags), " V%" PRIu64,
		    k->version - (k->version > 1 && percent(d, 30)));
	client_store(c, SHAPE_META, d->data, absent ? 0 : d->data_n,
	    "ms %s %zu%s%s", k->name, absent ? 0 : d->data_n, mode, flags);
}

static void
store_plain(struct drive *d, struct client *c, int key, const char *verb)
{
	bool piece = verb[0] == 'p' || strcmp(verb, "append") == 0;

	drive_value(d, c, key, d->key[key].version, client_time(&d->set),
	    piece);
	client_store(c, SHAPE_LINE, d->data, d->data_n, "%s %s 7 %d %zu", verb,
	    d->key[key].name, percent(d, 80) ? 0 : 300, d->data_n);
}

static void
join(struct drive *d, struct client *c, int key)
{
	if (percent(d, 50)) {
		store_plain(d, c, key, percent(d, 50) ? "append" : "prepend");
		return;
	}
	drive_value(d, c, key, d->key[key].version, client_time(&d->set), true);
	client_store(c, SHAPE_META, d->data, d->data_n, "ms %s %zu M%c",
	    d->key[key].name, d->data_n, percent(d, 50) ? 'A' : 'P');
}

void
plan_relieve(struct drive *d)
{
	for (int key = 0; key < KEYS; key++) {
		struct client *c = drive_any(d);

		if (client_can_ask(c) && c->npending == 0)
			store(d, c, key, "", true);
	}
}

/* ---- versioned events ---------------------------------------------------- */

static void
deliver(struct drive *d, struct client *c, int key, const struct event *e)
{
	const char *name = d->key[key].name;

	if (!e->store) {
		client_ask(c, SHAPE_META, "md %s V%" PRIu64 "%s", name,
		    e->version, e->flags);
		return;
	}
	drive_value(d, c, key, e->version, client_time(&d->set), false);
	client_store(c, SHAPE_META, d->data, d->data_n,
	    "ms %s %zu V%" PRIu64 "%s", name, d->data_n, e->version, e->flags);
}

static void
new_event(struct drive *d, struct client *c, int key)
{
	static const char *const drops[] = { "", "", " I", " T60", " T1",
		" I T60" };
	struct key *k = &d->key[key];
	struct event *e = &k->event[k->events++ % EVENTS];

	e->version = k->version;
	e->store = percent(d, 40) && !d->slow;
	if (e->store)
		e->flags = percent(d, 50) ? " MR" : "";
	else if (d->slow)
		e->flags = " T2"; /* ends before the round does */
	else
		e->flags = drops[rng_below(&d->rng, 6)];
	/* Some are late, others come twice. */
	if (percent(d, k->prompt))
		deliver(d, c, key, e);
}

/* One of the last, once more perhaps. */
static void
old_event(struct drive *d, struct client *c, int key)
{
	const struct key *k = &d->key[key];
	unsigned n = k->events < EVENTS ? k->events : EVENTS;

	if (n > 0)
		deliver(d, c, key, &k->event[rng_below(&d->rng, n)]);
}

/* ---- writes -------------------------------------------------------------- */

static void
drop(struct drive *d, struct client *c, int key)
{
	static const char *const how[] = { "", "", " I", " I", " I T300" };
	const char *name = d->key[key].name;

	if (percent(d, 30))
		client_ask(c, SHAPE_LINE, "delete %s", name);
	else
		client_ask(c, SHAPE_META, "md %s%s", name,
		    how[rng_below(&d->rng, 5)]);
}

static void
add_up(struct drive *d, struct client *c, int key)
{
	if (percent(d, 50))
		client_ask(c, SHAPE_LINE, "incr %s 1", d->key[key].name);
	else
		client_ask(c, SHAPE_META, "ma %s v", d->key[key].name);
}

static void
touch(struct drive *d, struct client *c, int key)
{
	client_ask(c, SHAPE_LINE, "touch %s %d", d->key[key].name,
	    percent(d, 80) ? 300 : 1);
}

static void
write_unversioned(struct drive *d, struct client *c, int key)
{
	static const char *const plain[] = { "set", "set", "add", "replace" };
	static const char *const modes[] = { "", "", " ME", " MR" };
	uint64_t dice = rng_below(&d->rng, 100);

	if (dice < 45)
		drop(d, c, key);
	else if (dice < 58)
		store_plain(d, c, key, plain[rng_below(&d->rng, 4)]);
	else if (dice < 70)
		store(d, c, key, modes[rng_below(&d->rng, 4)], false);
	else if (dice < 78)
		touch(d, c, key);
	else if (d->key[key].kind == KIND_COUNTER)
		add_up(d, c, key);
	else
		join(d, c, key);
}

static void
write_versioned(struct drive *d, struct client *c, int key)
{
	uint64_t dice = rng_below(&d->rng, 100);

	if (dice < 60)
		new_event(d, c, key);
	else if (dice < 80)
		old_event(d, c, key);
	else if (dice < 92 && !d->slow)
		store(d, c, key, percent(d, 50) ? "" : " MR", true);
	else
		join(d, c, key);
}

static void
invalidate_tag(struct drive *d, struct client *c)
{
	client_ask(c, SHAPE_META, "md %s A", d->tag[rng_below(&d->rng, TAGS)]);
}

/* Other data, so that some of ours has to go. */
static void
crowd(struct drive *d, struct client *c)
{
	static char bulk[50000];

	memset(bulk, 'x', sizeof(bulk));
	client_store(c, SHAPE_LINE, bulk, sizeof(bulk),
	    "set crowd.%" PRIu64 " 0 0 %zu", rng_below(&d->rng, 100000),
	    sizeof(bulk));
}

static void
write_something(struct drive *d, struct client *c, int key)
{
	struct key *k = &d->key[key];

	if (percent(d, 1) && percent(d, 30)) {
		client_ask(c, SHAPE_LINE, "flush_all");
		return;
	}
	if (percent(d, 12)) {
		invalidate_tag(d, c);
		return;
	}
	if (d->evicts && percent(d, 30)) {
		crowd(d, c);
		return;
	}
	if (percent(d, 80))
		k->version++;
	if (k->kind == KIND_VERSIONED ||
	    (k->kind == KIND_MIXED && percent(d, 50)))
		write_versioned(d, c, key);
	else
		write_unversioned(d, c, key);
}

/* ---- a client's turn ----------------------------------------------------- */

static void
think(struct drive *d, struct client *c)
{
	uint64_t now = d->set.last_time;

	c->next = now;
	if (percent(d, 1))
		c->next += drive_range(d, 20, 250) * MS_NS;
	else if (percent(d, 60))
		c->next += drive_range(d, 0, d->slow ? 150 : 6) * MS_NS;
}

void
plan_batch(struct drive *d, struct client *c)
{
	uint64_t n = rng_below(&d->rng, 100) < 60 ? 1 : drive_range(d, 2, 8);

	for (; n > 0; n--) {
		int key = (int)rng_below(&d->rng, KEYS);
		uint64_t dice = rng_below(&d->rng, 100);

		if (dice < d->writes)
			write_something(d, c, key);
		else if (dice < d->writes + 20)
			read_plain(d, c, key);
		else
			read_meta(d, c, key);
	}
	think(d, c);
}
