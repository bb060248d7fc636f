/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wording.c - what the words of a request and of its reply mean.
 */
#include "config.h"

#include "wording.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_WORDS = 40 };

/* No token is smaller, no CAS number as large. */
static const uint64_t first_token = (uint64_t)1 << 61;

/* The words of a line, and what stands behind " | ". */
struct words {
	const char *word[MAX_WORDS];
	size_t length[MAX_WORDS];
	size_t n;
	const char *value;
};

static void
split(struct words *w, const char *text)
{
	w->n = 0;
	w->value = NULL;
	while (*text != '\0' && w->n < MAX_WORDS) {
		size_t n = strcspn(text, " \n");

		if (n == 1 && *text == '|') {
			w->value = text + 2;
			return;
		}
		w->word[w->n] = text;
		w->length[w->n++] = n;
		text += n;
		text += strspn(text, " \n");
	}
}

static bool
is(const struct words *w, size_t i, const char *text)
{
	return i < w->n && strlen(text) == w->length[i] &&
	    memcmp(w->word[i], text, w->length[i]) == 0;
}

static uint64_t
number(const struct words *w, size_t i)
{
	return i < w->n ? strtoull(w->word[i], NULL, 10) : 0;
}

static int
key_of(struct history *h, const struct words *w, size_t i)
{
	return i < w->n ? history_key(h, w->word[i], w->length[i]) : NO_KEY;
}

/* ---- tags ---------------------------------------------------------------- */

static uint64_t
tag_bit(struct history *h, const char *name, size_t n)
{
	size_t i;

	if (n >= KEY_BYTES)
		abort();
	for (i = 0; i < h->tags; i++) {
		if (strncmp(h->tag[i], name, n) == 0 && h->tag[i][n] == '\0')
			return (uint64_t)1 << i;
	}
	if (i == MAX_TAGS)
		abort();
	memcpy(*ARRAY_ADD(h->tag, h->tags), name, n);
	return (uint64_t)1 << i;
}

static uint64_t
tags_of(struct history *h, const char *list, size_t n)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < n;) {
		const char *comma = memchr(list + i, ',', n - i);
		size_t one = comma == NULL ? n - i : (size_t)(comma - list) - i;

		bits |= tag_bit(h, list + i, one);
		i += one + 1;
	}
	return bits;
}

/* The tag that a key has by its name. */
static uint64_t
prefix_tag(struct history *h, int key)
{
	const char *name, *end;

	if (h->tag_prefix == 0 || key == NO_KEY)
		return 0;
	name = h->key[key];
	end = strchr(name, (int)h->tag_prefix);
	return end == NULL || end == name ?
	    0 :
	    tag_bit(h, name, (size_t)(end - name));
}

/* ---- requests ------------------------------------------------------------ */

static void
take_flag(struct history *h, struct op *op, const char *flag, size_t n)
{
	uint64_t value = n > 1 ? strtoull(flag + 1, NULL, 10) : 0;

	op->letters |= (uint64_t)1 << (flag[0] & 31)
				   << (flag[0] >= 'a' ? 32 : 0);
	switch (flag[0]) {
	case 'C':
		op->token = value;
		break;
	case 'V':
		op->version = value;
		break;
	case 'n':
		op->lease = value;
		break;
	case 'N':
		op->lease = value * 1000;
		break;
	case 'w':
		op->wait = value;
		break;
	case 'd':
		op->backoff = value;
		break;
	case 'T':
		op->exptime = strtoll(flag + 1, NULL, 10);
		break;
	case 'M':
		op->mode = (char)toupper((unsigned char)flag[1]);
		break;
	case 'A':
		op->tags |= n > 1 ? tags_of(h, flag + 1, n - 1) : 0;
		break;
	}
}

static void
meta_request(struct history *h, struct op *op, const struct words *w)
{
	size_t i = is(w, 0, "ms") ? 3 : 2;

	op->lease = h->lease_default;
	for (; i < w->n; i++)
		take_flag(h, op, w->word[i], w->length[i]);
	if (is(w, 0, "md") && has(op, 'A')) {
		op->what = OP_TAG;
		op->tags = tag_bit(h, w->word[1], w->length[1]);
		return;
	}
	op->key = key_of(h, w, 1);
	if (is(w, 0, "mg"))
		op->what = has(op, 'C') ? OP_RENEW : OP_READ;
	else if (is(w, 0, "md"))
		op->what = has(op, 'C') ? OP_GIVE_UP : OP_DROP;
	else if (is(w, 0, "ma"))
		op->what = OP_COUNT;
	else if (is(w, 0, "ms"))
		op->what = op->mode == 'A' || op->mode == 'P' ? OP_JOIN :
								OP_STORE;
	if (op->what == OP_STORE)
		op->tags |= prefix_tag(h, op->key);
}

struct verb {
	const char *name;
	enum what what;
	size_t key, exptime;
};

static void
plain_request(struct history *h, struct op *op, const struct words *w)
{
	static const struct verb verbs[] = {
		{ "get", OP_READ, 1, 0 },
		{ "gets", OP_READ, 1, 0 },
		{ "gat", OP_READ, 2, 1 },
		{ "gats", OP_READ, 2, 1 },
		{ "lease-get", OP_READ, 1, 0 },
		{ "set", OP_STORE, 1, 3 },
		{ "add", OP_STORE, 1, 3 },
		{ "replace", OP_STORE, 1, 3 },
		{ "cas", OP_STORE, 1, 3 },
		{ "lease-set", OP_STORE, 1, 4 },
		{ "append", OP_JOIN, 1, 0 },
		{ "prepend", OP_JOIN, 1, 0 },
		{ "delete", OP_DROP, 1, 0 },
		{ "incr", OP_COUNT, 1, 0 },
		{ "decr", OP_COUNT, 1, 0 },
		{ "touch", OP_OTHER, 1, 2 },
		{ "flush_all", OP_FLUSH, 0, 0 },
	};

	op->plain = true;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		const struct verb *v = &verbs[i];

		if (!is(w, 0, v->name))
			continue;
		op->what = v->what;
		if (v->key != 0)
			op->key = key_of(h, w, v->key);
		if (v->exptime != 0 && v->exptime < w->n)
			op->exptime = strtoll(w->word[v->exptime], NULL, 10);
	}
	if (op->what == OP_STORE)
		op->tags = prefix_tag(h, op->key);
	op->shows_marked = !is(w, 0, "lease-get");
	op->lease = h->lease_default;
	if (is(w, 0, "lease-set") && op->exptime < 0)
		op->what = OP_GIVE_UP;
	if (is(w, 0, "lease-set") || is(w, 0, "cas")) {
		op->token = number(w, is(w, 0, "cas") ? 5 : 2);
		op->letters |= 1 << ('C' & 31);
	}
}

bool
wording_request(struct history *h, struct op *op, const char *text)
{
	struct words w;
	struct chunk c;

	split(&w, text);
	if (w.n == 0)
		return false;
	if (w.length[0] == 2 && w.word[0][0] == 'm')
		meta_request(h, op, &w);
	else
		plain_request(h, op, &w);
	if (w.value == NULL)
		return true;
	if (*w.value == '#')
		op->unique = strtoull(w.value + 1, NULL, 10) / COUNT_ROOM;
	else if (chunk_read(&c, w.value, strcspn(w.value, "=")) != 0)
		op->unique = c.unique;
	map_put(&h->by_unique, op->unique, (size_t)(op - h->op));
	return true;
}

/* ---- replies ------------------------------------------------------------- */

/* The chunks of a value that was read. */
static bool
take_value(struct history *h, struct seen *s, const char *text)
{
	s->piece = h->pieces;
	if (*text == '#') {
		s->unique = strtoull(text + 1, NULL, 10) / COUNT_ROOM;
		return true;
	}
	while (*text == '[' || *text == '{') {
		struct chunk c;
		size_t n = chunk_read(&c, text, strlen(text));
		uint64_t length;
		uint32_t sum;
		char *end;

		if (n == 0 || text[n] != '=')
			return false;
		length = strtoull(text + n + 1, &end, 10);
		sum = (uint32_t)strtoul(end + 1, &end, 16);
		if (length != c.length || sum != c.sum ||
		    history_key(h, c.key, strlen(c.key)) != s->key)
			return false;
		if (c.piece)
			*ARRAY_ADD(h->piece, h->pieces) = c.unique;
		else if (s->unique != 0)
			return false;
		else
			s->unique = c.unique;
		text = end;
	}
	s->pieces = h->pieces - s->piece;
	return s->unique != 0 && (*text == '\0' || *text == '\n');
}

static struct seen *
see(struct history *h, size_t op, int key, enum how how)
{
	struct seen *s = ARRAY_ADD(h->seen, h->seens);

	s->op = op;
	s->key = key;
	s->how = how;
	s->line = h->lines - 1;
	return s;
}

static void
see_value(struct history *h, struct seen *s, const char *value)
{
	if (!take_value(h, s, value) && h->wrong == NULL) {
		h->wrong = "I14: a value is torn, mixed, or another key's";
		h->wrong_line = h->lines - 1;
	}
}

static void
take_grant(struct history *h, size_t op, int key, uint64_t token)
{
	struct grant *g = ARRAY_ADD(h->grant, h->grants);

	g->op = op;
	g->key = key;
	g->token = token;
	g->lease = h->op[op].lease;
	map_put(&h->by_token, token, h->grants - 1);
}

static void
reply_flags(struct op *op, const struct words *w, size_t i)
{
	for (; i < w->n; i++) {
		uint64_t n = strtoull(w->word[i] + 1, NULL, 10);

		switch (w->word[i][0]) {
		case 'c':
			op->number = n;
			break;
		case 'V':
			op->tells_version = true;
			op->told = n;
			break;
		case 'O':
			op->misplaced = n != op->id;
			break;
		case 'W':
			op->won = true;
			break;
		case 'X':
			op->stale = true;
			break;
		case 'Z':
			op->busy = true;
			break;
		case 'z':
			op->absent = true;
			break;
		}
	}
}

static void
see_meta(struct history *h, size_t i, const struct words *w)
{
	struct op *op = &h->op[i];
	bool value = is(w, 0, "VA");
	struct seen *s;

	if (op->what == OP_COUNT && value && w->value != NULL) {
		see_value(h, see(h, i, op->key, SEEN_PLAIN), w->value);
		return;
	}
	if (op->what != OP_READ && op->what != OP_RENEW)
		return;
	if (op->won && op->what == OP_READ && op->number != 0)
		take_grant(h, i, op->key, op->number);
	if (op->absent && op->stale)
		return; /* it has no name */
	if (op->absent) {
		see(h, i, op->key, SEEN_ABSENT)->cas = op->won ? 0 : op->number;
	} else if (is(w, 0, "EN") || (value && number(w, 1) == 0)) {
		see(h, i, op->key, SEEN_MISS);
	} else if (value) {
		s = see(h, i, op->key, op->stale ? SEEN_STALE : SEEN_FRESH);
		s->cas = op->won ? 0 : op->number;
		see_value(h, s, w->value == NULL ? "" : w->value);
	}
}

static enum outcome
outcome_of(const struct op *op, const struct words *w)
{
	static const char *const refusals[] = { "NS", "EX", "NF", "NOT_STORED",
		"EXISTS", "NOT_FOUND" };

	if (is(w, 0, "ERROR") || is(w, 0, "CLIENT_ERROR"))
		return OUT_ERROR;
	if (is(w, 0, "SERVER_ERROR"))
		return OUT_UNSURE;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		/* What is not there is dropped, too. */
		if (is(w, 0, refusals[i]))
			return op->what == OP_DROP && i % 3 == 2 ? OUT_DONE :
								   OUT_REFUSED;
	}
	return OUT_DONE;
}

static bool
meta_reply(struct history *h, size_t i, const struct words *w, uint64_t at)
{
	struct op *op = &h->op[i];

	reply_flags(op, w, is(w, 0, "VA") ? 2 : 1);
	op->recv = at;
	op->outcome = outcome_of(op, w);
	see_meta(h, i, w);
	if (op->what == OP_STORE && op->outcome == OUT_DONE && op->number != 0)
		map_put(&h->by_cas, cas_mark(op->key, op->number), i);
	return true;
}

/* One key of a reply.  Under lease mode, gets shows a token, or 1, and no
   value, as lease-get does. */
static void
see_plain(struct history *h, size_t i, const struct words *w)
{
	bool marked = h->op[i].shows_marked;
	size_t flags = is(w, 0, "LVALUE") ? 3 : 2;
	uint64_t token = number(w, flags == 3 ? 2 : 4);
	int key = key_of(h, w, 1);
	struct seen *s;

	if (flags == 2 &&
	    (number(w, 3) > 0 || (token > 1 && token < first_token)))
		token = 0;
	if (token > 1)
		take_grant(h, i, key, token);
	if (number(w, flags + 1) == 0) {
		see(h, i, key, token > 0 ? SEEN_MISS : SEEN_ABSENT);
		return;
	}
	s = see(h, i, key,
	    flags == 3 ? SEEN_STALE :
		marked ? SEEN_PLAIN :
			 SEEN_FRESH);
	see_value(h, s, w->value == NULL ? "" : w->value);
}

/* VALUE and LVALUE lines come before an END; all else is one line. */
static bool
plain_reply(struct history *h, size_t i, const struct words *w, uint64_t at)
{
	struct op *op = &h->op[i];

	if (is(w, 0, "LVALUE") || is(w, 0, "VALUE")) {
		see_plain(h, i, w);
		return true;
	}
	op->recv = at;
	op->outcome = outcome_of(op, w);
	if (op->what == OP_READ &&
	    (h->seens == 0 || h->seen[h->seens - 1].op != i))
		see(h, i, op->key, SEEN_MISS);
	if (op->what == OP_COUNT && op->outcome == OUT_DONE && w->value != NULL)
		see_value(h, see(h, i, op->key, SEEN_PLAIN), w->value);
	return true;
}

bool
wording_reply(struct history *h, size_t i, const char *text, uint64_t at)
{
	struct op *op = &h->op[i];
	struct words w;

	split(&w, text);
	if (w.n == 0)
		return false;
	snprintf(op->code, sizeof(op->code), "%.*s", (int)w.length[0],
	    w.word[0]);
	return op->plain ? plain_reply(h, i, &w, at) : meta_reply(h, i, &w, at);
}
