/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * load_conn.c - connections: requests out, replies in, each one checked.
 *
 * What is outstanding stands in the connection's ring, and replies are compared
 * with it as they come, in whatever pieces: the line of a value must have its
 * key and length, its bytes must be those that are stored under this key.  An
 * END where a value was expected is a miss; anything else ends the program.
 */
#include "config.h"

#include "load.h"

#include "histogram.h"
#include "proc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	SPREAD = 251,   /* values of neighbouring keys differ */
	CHECKED = 8192, /* values up to this are compared in full, ... */
	SAMPLE = 16,    /* ... and of larger ones, one in so many keys */
	READ_BYTES = 256 * 1024,
	LINE_BYTES = 128
};

static const char end_line[] = "END\r\n";

/* ---- words -----------------------------------------------------------------
 */

static void
words_start(struct words *s, const struct load *l)
{
	bool meta = l->meta;

	s->get = meta ? "mg" : "get";
	s->get_end = meta ? " v k\r\n" : "\r\n";
	s->miss = meta ? "EN\r\n" : end_line;
	s->stored = meta ? "HD\r\n" : "STORED\r\n";
	s->set = meta ? "ms " : "set ";
	if (meta) {
		snprintf(s->set_end, sizeof(s->set_end), " %zu\r\n", l->value);
		snprintf(s->value, sizeof(s->value), "VA %zu k", l->value);
		snprintf(s->value_end, sizeof(s->value_end), "\r\n");
	} else {
		snprintf(s->set_end, sizeof(s->set_end), " 0 0 %zu\r\n",
		    l->value);
		snprintf(s->value, sizeof(s->value), "VALUE ");
		snprintf(s->value_end, sizeof(s->value_end), " 0 %zu\r\n",
		    l->value);
	}
	s->value_len = strlen(s->value);
	s->value_end_len = strlen(s->value_end);
}

static size_t
value_line_len(const struct words *s)
{
	return s->value_len + KEY_BYTES + s->value_end_len;
}

/* ---- requests --------------------------------------------------------------
 */

static char *
room(struct wire *w, size_t n)
{
	if (w->out_room - w->out_len < n) {
		w->out_room = 2 * (w->out_room + n);
		w->out = grow(w->out, w->out_room);
	}
	return w->out + w->out_len;
}

static void
want(struct conn *c, enum expected what, uint64_t key, int64_t due)
{
	if (c->next - c->first == c->places) {
		unsigned places = c->places ? 2 * c->places : 2;
		struct expect *ring = grow(NULL, places * sizeof(*ring));

		for (unsigned i = c->first; i != c->next; i++)
			ring[i & (places - 1)] = c->ring[i & (c->places - 1)];
		free(c->ring);
		c->ring = ring;
		c->places = places;
	}
	c->ring[c->next++ & (c->places - 1)] = (struct expect){ .key = key,
		.what = what,
		.due = due };
}

void
conn_get(struct conn *c, struct draw *d, unsigned keys, int64_t due)
{
	struct wire *w = c->wire;
	bool meta = w->load->meta;
	char *p = room(w, LINE_BYTES + (size_t)keys * (KEY_BYTES + 1));

	p = stpcpy(p, w->words.get);
	for (unsigned i = 0; i < keys; i++) {
		uint64_t key = draw_key(d);

		*p++ = ' ';
		key_name(p, key);
		p += KEY_BYTES;
		if (!w->load->any_reply)
			want(c, WANT_VALUE, key, meta ? due : 0);
	}
	p = stpcpy(p, w->words.get_end);
	w->out_len = (size_t)(p - w->out);
	if (w->load->any_reply)
		want(c, WANT_ANY, 0, due);
	else if (!meta)
		want(c, WANT_END, 0, due);
}

void
conn_set(struct conn *c, uint64_t key, int64_t due)
{
	struct wire *w = c->wire;
	size_t value = w->load->value;
	char *p = room(w, LINE_BYTES + value);

	p = stpcpy(p, w->words.set);
	key_name(p, key);
	p = stpcpy(p + KEY_BYTES, w->words.set_end);
	memcpy(p, w->pattern + key % SPREAD, value);
	memcpy(p + value, "\r\n", 2);
	w->out_len = (size_t)(p + value + 2 - w->out);
	want(c, WANT_STORED, key, due);
}

/* ---- out --------------------------------------------------------------------
 */

static void
interest(struct conn *c, int op, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = c };

	if (epoll_ctl(c->wire->epoll, op, c->fd, &e) != 0)
		die("epoll_ctl");
}

static size_t
try_send(struct conn *c, const char *bytes, size_t n)
{
	ssize_t sent = send(c->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (sent < 0 && errno != EAGAIN)
		die("send");
	return sent < 0 ? 0 : (size_t)sent;
}

/* Keeps what the kernel has not taken. */
static void
keep(struct conn *c, const char *bytes, size_t n)
{
	size_t left = c->rest_len - c->rest_at;
	char *rest = grow(NULL, left + n);

	if (left > 0)
		memcpy(rest, c->rest + c->rest_at, left);
	else
		interest(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
	memcpy(rest + left, bytes, n);
	free(c->rest);
	c->rest = rest;
	c->rest_at = 0;
	c->rest_len = left + n;
}

void
conn_flush(struct conn *c)
{
	struct wire *w = c->wire;
	size_t sent = 0;

	if (c->rest_len == 0)
		sent = try_send(c, w->out, w->out_len);
	if (sent < w->out_len)
		keep(c, w->out + sent, w->out_len - sent);
	w->out_len = 0;
}

static void
send_rest(struct conn *c)
{
	c->rest_at += try_send(c, c->rest + c->rest_at,
	    c->rest_len - c->rest_at);
	if (c->rest_at == c->rest_len) {
		c->rest_at = c->rest_len = 0;
		interest(c, EPOLL_CTL_MOD, EPOLLIN);
	}
}

/* ---- in ---------------------------------------------------------------------
 */

static _Noreturn void
wrong(const char *reply, size_t n)
{
	fprintf(stderr, "bench: wrong reply: %.*s\n", (int)(n < 60 ? n : 60),
	    reply);
	exit(EXIT_FAILURE);
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* It is the text, as far as it has come. */
static bool
begins(const char *p, size_t n, const char *text, size_t text_len)
{
	return memcmp(p, text, least(n, text_len)) == 0;
}

static void
answered(struct conn *c, const struct expect *x)
{
	struct wire *w = c->wire;

	if (x->due != 0 && w->times != NULL) {
		if (x->due < w->undisturbed)
			w->disturbed++;
		else
			histogram_add(w->times, w->now - x->due);
	}
	if (x->what == WANT_ANY)
		w->done += w->load->keys_per_get;
	else if (x->what != WANT_END)
		w->done++;
	c->first++;
}

static void
missed(struct conn *c, const struct expect *x)
{
	c->wire->missed++;
	answered(c, x);
}

/* Takes the bytes of a value, or of what follows it, that are there. */
static size_t
take_body(struct conn *c, const struct expect *x, const char *p, size_t n)
{
	const struct wire *w = c->wire;
	size_t value = w->load->value, at = value + 2 - c->body, inside;

	n = least(n, c->body);
	c->body -= n;
	if (x->what == WANT_ANY)
		return n;
	inside = at < value ? least(n, value - at) : 0;
	if ((value <= CHECKED || x->key % SAMPLE == 0) &&
	    memcmp(p, w->pattern + x->key % SPREAD + at, inside) != 0)
		wrong(p, n);
	if (inside < n &&
	    memcmp(p + inside, &"\r\n"[at + inside - value], n - inside) != 0)
		wrong(p, n);
	return n;
}

/* The line of a value: its length, or 0 when more must come. */
static size_t
take_line(struct conn *c, const struct expect *x, const char *p, size_t n)
{
	const struct words *s = &c->wire->words;
	bool meta = c->wire->load->meta;
	size_t miss_len = strlen(s->miss), len = value_line_len(s);
	char name[KEY_BYTES];

	if (begins(p, n, s->miss, miss_len)) {
		if (n < miss_len)
			return 0;
		missed(c, x);
		return meta ? miss_len : 0; /* END ends all keys of a get */
	}
	if (!begins(p, n, s->value, s->value_len))
		wrong(p, n);
	if (n < len)
		return 0;
	key_name(name, x->key);
	if (memcmp(p + s->value_len, name, KEY_BYTES) != 0) {
		if (meta)
			wrong(p, n);
		missed(c, x);
		return 0;
	}
	if (memcmp(p + s->value_len + KEY_BYTES, s->value_end,
		s->value_end_len) != 0)
		wrong(p, n);
	c->body = c->wire->load->value + 2;
	return len;
}

/* Takes the next piece of what is expected; 0 when more must come, or a miss.
 */
static size_t
take(struct conn *c, const char *p, size_t n)
{
	const struct expect *x = &c->ring[c->first & (c->places - 1)];
	const struct words *s = &c->wire->words;
	const char *line = x->what == WANT_END ? end_line : s->stored;
	size_t len = strlen(line);

	if (c->body == 0 && x->what == WANT_ANY)
		c->body = value_line_len(s) + c->wire->load->value + 2 +
		    strlen(end_line);
	if (c->body > 0) {
		len = take_body(c, x, p, n);
		if (c->body == 0)
			answered(c, x);
		return len;
	}
	if (x->what == WANT_VALUE)
		return take_line(c, x, p, n);
	if (!begins(p, n, line, len))
		wrong(p, n);
	if (n < len)
		return 0;
	answered(c, x);
	return len;
}

static void
parse(struct conn *c, const char *p, size_t n)
{
	while (n > 0) {
		unsigned first = c->first;
		size_t len;

		if (conn_idle(c))
			wrong(p, n);
		len = take(c, p, n);
		if (len == 0 && first == c->first)
			break;
		p += len;
		n -= len;
	}
	if (n > sizeof(c->part))
		wrong(p, n);
	memcpy(c->part, p, n);
	c->have = (unsigned)n;
}

void
conn_ready(struct conn *c, uint32_t events)
{
	struct wire *w = c->wire;
	char *in = w->in + sizeof(c->part);
	ssize_t n;

	if (events & EPOLLOUT)
		send_rest(c);
	if ((events & ~(uint32_t)EPOLLOUT) == 0)
		return;
	n = recv(c->fd, in, w->in_room, MSG_DONTWAIT);
	if (n == 0)
		errno = ECONNRESET;
	if (n == 0 || (n < 0 && errno != EAGAIN))
		die("recv");
	if (n < 0)
		return;
	memcpy(in - c->have, c->part, c->have);
	parse(c, in - c->have, (size_t)n + c->have);
}

/* ---- start and end ----------------------------------------------------------
 */

void
wire_start(struct wire *w, const struct load *l, int epoll)
{
	size_t n = l->value + SPREAD;

	memset(w, 0, sizeof(*w));
	w->load = l;
	w->in_room = READ_BYTES;
	w->epoll = epoll;
	w->in = grow(NULL, w->in_room + sizeof(((struct conn *)0)->part));
	w->pattern = grow(NULL, n);
	for (size_t i = 0; i < n; i++)
		w->pattern[i] = (char)('!' + i * i % 89);
	words_start(&w->words, l);
}

void
wire_stop(struct wire *w)
{
	free(w->in);
	free(w->out);
	free(w->pattern);
}

void
conn_open(struct conn *c, struct wire *w)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	int on = 1;

	memset(c, 0, sizeof(*c));
	c->wire = w;
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	sa.sin_port = htons((uint16_t)w->load->port);
	if (c->fd < 0 || inet_pton(AF_INET, w->load->host, &sa.sin_addr) != 1 ||
	    connect(c->fd, (struct sockaddr *)&sa, sizeof(sa)) != 0)
		die("connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	interest(c, EPOLL_CTL_ADD, EPOLLIN);
}

/* With a reset, so that no port is left behind in TIME_WAIT. */
void
conn_close(struct conn *c)
{
	struct linger l = { .l_onoff = 1 };

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(c->fd);
	free(c->ring);
	free(c->rest);
}
