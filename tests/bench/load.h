/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * load.h - the parts of the load generator.
 *
 * load.c	the command line, and what is printed
 * load_draw.c	which key is next, and its name
 * load_conn.c	connections: requests out, replies in, each one checked
 * load_run.c	when a request is sent: closed loop, open loop, the probe
 * load_hold.c	many connections that do nothing
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mode { MODE_GET, MODE_SET, MODE_MIXED, MODE_FILL, MODE_HOLD };

/* What was asked for; see load.c. */
struct load {
	const char *host;
	int port, pid, cpu;
	enum mode mode;
	unsigned conns, pipeline, keys_per_get, probe_us;
	uint64_t keys, first, ops;
	size_t value;
	double seconds, warm_up, rate, zipf;
	bool fill, meta, any_reply;
};

/* ---- load_draw.c -----------------------------------------------------------
 */

enum { KEY_BYTES = 24 };

struct zipf {
	double s, n, low, high, cut;
};

/* Where keys come from: a random sequence, the same in each run. */
struct draw {
	uint64_t state[2], keys;
	struct zipf zipf;
};

void draw_start(struct draw *d, uint64_t keys, double zipf);
uint64_t draw_below(struct draw *d, uint64_t limit);
uint64_t draw_key(struct draw *d);

/* The wait until the next arrival when there are `rate` a second, ns. */
double draw_gap(struct draw *d, double rate);

/* KEY_BYTES, without a NUL. */
void key_name(char *out, uint64_t key);

/* ---- load_conn.c -----------------------------------------------------------
 */

/* What was asked on a connection and is not answered yet. */
enum expected { WANT_VALUE, WANT_END, WANT_STORED, WANT_ANY };

struct expect {
	uint64_t key;
	enum expected what;
	int64_t due; /* when it should have been sent */
};

struct wire;

/* What stands before and behind a key, and the short replies. */
struct words {
	const char *get, *get_end, *set, *miss, *stored;
	char value[40], value_end[40], set_end[40];
	size_t value_len, value_end_len;
};

struct conn {
	int fd;
	struct wire *wire;

	/* A ring with a power of two of places; first and next only grow. */
	struct expect *ring;
	unsigned places, first, next;

	size_t body;   /* of the value under way, still to come */
	char part[64]; /* the start of a reply that came in pieces */
	unsigned have;

	char *rest; /* what the kernel had no room for */
	size_t rest_at, rest_len;
};

/* What all connections share. */
struct wire {
	const struct load *load;
	int epoll;
	char *out, *in, *pattern;
	size_t out_len, out_room, in_room;
	struct words words;

	uint64_t done, missed; /* keys got or set; of them, not there */

	/*
	 * Where the times of replies with a `due` are added.  What was due
	 * before `undisturbed` is counted instead: it is the generator that was
	 * late.
	 */
	struct histogram *times;
	int64_t now, undisturbed;
	uint64_t disturbed;
};

void wire_start(struct wire *w, const struct load *l, int epoll);
void wire_stop(struct wire *w);
void conn_open(struct conn *c, struct wire *w);
void conn_close(struct conn *c);

/* Nothing outstanding. */
static inline bool
conn_idle(const struct conn *c)
{
	return c->first == c->next;
}

/* Each adds a request; conn_flush() sends all that were added, to `c`. */
void conn_get(struct conn *c, struct draw *d, unsigned keys, int64_t due);
void conn_set(struct conn *c, uint64_t key, int64_t due);
void conn_flush(struct conn *c);

/* After epoll: sends what had no room, reads and checks what has come. */
void conn_ready(struct conn *c, uint32_t events);

/* ---- load_run.c, load_hold.c ------------------------------------------------
 */

/* What was measured. */
struct result {
	uint64_t done, missed;
	double seconds;
	int64_t cpu, waited, own_cpu;

	/* Of an open loop, or of the probe; in ns. */
	uint64_t timed, disturbed;
	int64_t p50, p99, p999, max;
};

struct held {
	unsigned conns;
	double bytes; /* of the server's memory for each */
};

void load_run(const struct load *l, struct result *r);
void load_hold(const struct load *l, struct held *h);

#endif
