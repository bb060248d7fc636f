/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_session.c - three clients of a tiny cache, who send any bytes.
 *
 * The input begins with four bytes of settings.  The rest is what the clients
 * send; a byte 0xff ends a piece of it, and the byte behind it says what
 * happens next: enum event.
 *
 * Nothing may end the process.  Replies must be such that a client can tell
 * them apart, the store's sums must agree, and in the end no byte is left, no
 * lease and nobody who waits.
 */
#include "config.h"

#include <string.h>

#include "base/check.h"
#include "fake_arena.h"
#include "framing.h"
#include "fuzz/fuzz.h"
#include "rig.h"
#include "wire.h"

enum {
	SETTINGS = 4,
	CLIENTS = 3,
	MARK = 0xff,
	INPUT_MAX = 4096,
	OUTPUT_MAX = 256 * 1024, /* a client who gets more than that goes */
	FILLER_BYTES = 512,
};

enum event {
	PIECE,    /* what follows comes later: 0xff 0x00 */
	A_SECOND, /* the clock moves on */
	AN_HOUR,
	SWEEP, /* a pass of the sweep */
	CREEP, /* one in small steps */
	OTHER_CLIENT,
	RECONNECT, /* the client goes, and comes again */
	SETTLE,    /* what the maintenance thread does */
	NO_MEMORY, /* allocations of the store fail after a few more */
	MEMORY,
	THE_BYTE_ITSELF,
	FILLER, /* the client sends up to 11000 bytes of a value */
	EVENTS,
};

/* Of PIECE, event / EVENTS: of leases. */
enum lease_event {
	COLLECT = 1, /* what the worker does: waits that are over end */
	TICK,        /* what the maintenance thread does to leases */
	A_TENTH,     /* of a second goes by */
	A_TOKEN,     /* the client sends the latest token that anybody got */
};

struct play {
	struct rig rig;
	struct lease_config lease;
	struct wire wire[CLIENTS];
	unsigned client;
};

static const struct coalesce_rule rules[] = {
	{ "k", 1, 500, 2000, 30, true },
	{ "*", 0, 300, 1000, 0, false },
};

static struct lease_config
leases_from(const uint8_t *s)
{
	struct lease_config config = rig_lease_config;

	config.lax_sets = s[3] & 4;
	config.visible_stubs = s[3] & 8;
	if (s[3] & 16) {
		config.tag_prefix = ':';
		config.tag_key_prefix = "~";
	}
	if (s[3] & 32) {
		config.leases = config.waiters = 2;
		config.waiters_per_key = config.waiters_per_address = 1;
		config.tombstones = 8;
	}
	if (s[3] & 64) {
		config.rule = rules;
		config.rules = 2;
	}
	return config;
}

static struct rig_config
config_from(const uint8_t *s)
{
	static const size_t limits[] = { 40 * 1024, 64 * 1024, 256 * 1024,
		16 * 1024 * 1024 };
	static const size_t largest[] = { 1024, 9000, 20000, 1 << 20 };

	return (struct rig_config){
		.limit = limits[s[0] & 3],
		.item_max = largest[s[0] >> 2 & 3],
		.no_evict = s[0] & 16,
		.no_cas = s[0] & 32,
	};
}

static void
connect(struct play *p, unsigned client, const uint8_t *s)
{
	static const size_t readers[] = { 0, 97, 1000, 4000 };
	struct wire *w = &p->wire[client];

	wire_open(w, &p->rig);
	w->send_max = readers[s[1] & 3];
	w->budget = s[1] >> 2 & 7;
	w->copies_values = s[1] & 32;
	w->got_max = OUTPUT_MAX;
	w->session.mode = s[3] % 4 % 3;
	w->session.wait_ms = s[3] & 128 ? 400 : 0;
}

static void
disconnect(struct play *p, unsigned client)
{
	struct wire *w = &p->wire[client];

	CHECK(w->session.binary || w->len > OUTPUT_MAX ||
	    framing_is_sane(w->got, w->len));
	wire_close(w);
}

static void
begin(struct play *p, const uint8_t *s)
{
	struct rig_config config = config_from(s);

	memset((void *)p, 0, sizeof(*p));
	p->lease = leases_from(s);
	config.lease = &p->lease;
	rig_open(&p->rig, &config);
	p->rig.env.flush_enabled = !(s[2] & 1);
	p->rig.env.dump_enabled = !(s[2] & 2);
	p->rig.env.watch_enabled = !(s[2] & 4);
	p->rig.env.track_sizes = s[2] & 8;
	p->rig.env.shutdown_enabled = s[2] & 16;
	p->rig.env.watch_buffer = s[2] & 32 ? FEED_RING_MIN : 64 * 1024;
	for (unsigned i = 0; i < CLIENTS; i++)
		connect(p, i, s);
}

/* A turn of the worker: waits end, and sessions go on. */
static void
collect(struct play *p)
{
	wire_collect(&p->rig);
	for (unsigned i = 0; i < CLIENTS; i++) {
		wire_end_due_wait(&p->wire[i]);
		wire_wake(&p->wire[i]);
	}
}

static void
pass(struct play *p, uint64_t ms)
{
	struct rig *r = &p->rig;

	rig_pass(r, ms);
	cache_flush_due(&r->cache, &r->local, r->x.now);
	collect(p);
}

static void
send_token(struct play *p)
{
	static const char none[] = "2305843009213693953";
	const char *latest = NULL;

	for (unsigned i = 0; i < CLIENTS; i++) {
		const char *t = wire_last_token(&p->wire[i]);

		if (t != NULL &&
		    (latest == NULL || memcmp(t, latest, WIRE_TOKEN) > 0))
			latest = t;
	}
	wire_put(&p->wire[p->client], latest != NULL ? latest : none,
	    WIRE_TOKEN);
}

static void
happen_to_leases(struct play *p, unsigned event)
{
	switch (event) {
	case COLLECT:
		collect(p);
		break;
	case TICK:
		rig_tick(&p->rig);
		break;
	case A_TENTH:
		pass(p, 100);
		break;
	case A_TOKEN:
		send_token(p);
		break;
	default:
		break;
	}
}

static void
happen(struct play *p, uint8_t event, const uint8_t *s)
{
	static const char filler[FILLER_BYTES];
	struct rig *r = &p->rig;

	switch (event % EVENTS) {
	case A_SECOND:
	case AN_HOUR:
		pass(p, event % EVENTS == A_SECOND ? 1000 : 3600000);
		break;
	case SWEEP:
	case CREEP:
		rig_sweep(r, event % EVENTS == CREEP ? 1 : 50);
		break;
	case OTHER_CLIENT:
		p->client = (p->client + 1) % CLIENTS;
		wire_wake(&p->wire[p->client]);
		break;
	case RECONNECT:
		disconnect(p, p->client);
		connect(p, p->client, s);
		break;
	case SETTLE:
		store_settle(&r->local, r->x.now);
		break;
	case NO_MEMORY:
		fake_arena_fail_after(event / EVENTS);
		break;
	case MEMORY:
		fake_arena_heal();
		break;
	case THE_BYTE_ITSELF:
		wire_put(&p->wire[p->client], "\xff", 1);
		break;
	case FILLER:
		for (int i = 0; i <= event / EVENTS; i++)
			wire_put(&p->wire[p->client], filler, FILLER_BYTES);
		break;
	default:
		happen_to_leases(p, event / EVENTS);
		break;
	}
}

/* Leases end with their connections, and nobody is left to wait. */
static void
check_leases(struct play *p)
{
	struct leases *ls = p->rig.cache.leases;

	wire_collect(&p->rig);
	CHECK(atomic_load(&ls->waiting) == 0);
	for (int i = 0; i < LEASE_ADDRESSES; i++)
		CHECK(atomic_load(&ls->address[i]) == 0);
	CHECK(p->wire[0].session.mode == LISTEN_PROXY ||
	    leases_live(ls, p->rig.store) == 0);
}

static void
end(struct play *p)
{
	fake_arena_heal();
	CHECK(rig_used(&p->rig) == fake_arena_bytes());
	for (unsigned i = 0; i < CLIENTS; i++)
		disconnect(p, i);
	check_leases(p);
	CHECK(rig_is_sane(&p->rig, 0));
	store_flush(p->rig.store, p->rig.x.now);
	rig_sweep(&p->rig, 1000);
	for (unsigned i = 0; i < p->rig.store->shards; i++)
		CHECK(p->rig.store->shard[i].table.items == 0);
	rig_close(&p->rig);
	CHECK(fake_arena_bytes() == 0 && fake_arena_blocks() == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct play p;
	const uint8_t *at = data + SETTINGS, *stop = data + size;

	if (size < SETTINGS || size > INPUT_MAX)
		return 0;
	begin(&p, data);
	while (at < stop) {
		const uint8_t *mark = memchr(at, MARK, (size_t)(stop - at));
		const uint8_t *to = mark != NULL ? mark : stop;

		if (to > at)
			wire_put(&p.wire[p.client], (const char *)at,
			    (size_t)(to - at));
		at = to + 1;
		if (mark != NULL && at < stop)
			happen(&p, *at++, data);
	}
	end(&p);
	return 0;
}
