/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * record.c - rounds, and the lines between requests and replies.
 */
#include "config.h"

#include "record.h"

#include "wording.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
history_start(struct history *h)
{
	memset(h, 0, sizeof(*h));
	h->tombstone_ttl = 60;
	h->lease_default = 10000;
	h->lease_max = 60000;
}

static void
free_lists(struct history *h)
{
	for (size_t i = 0; h->list != NULL && i < h->keys; i++)
		free(h->list[i].op);
	free(h->list);
	h->list = NULL;
}

void
history_complete(struct history *h)
{
	free_lists(h);
	h->list = calloc(h->keys + 1, sizeof(*h->list));
	if (h->list == NULL)
		abort();
	for (size_t i = 0; i < h->ops; i++) {
		const struct op *op = &h->op[i];
		bool all = op->what == OP_FLUSH || op->what == OP_TAG;
		size_t first = all ? 0 : (size_t)op->key;
		size_t end = all ? h->keys : first + 1;

		if (!all && op->key == NO_KEY)
			continue;
		for (struct list *l = h->list + first; l < h->list + end; l++)
			*ARRAY_ADD(l->op, l->n) = i;
	}
}

void
history_next_round(struct history *h)
{
	free_lists(h);
	for (size_t i = 0; i < h->lines; i++)
		free(h->line[i]);
	h->lines = h->ops = h->seens = h->grants = h->expects = 0;
	h->keys = h->tags = h->pieces = 0;
	map_free(&h->by_id);
	map_free(&h->by_unique);
	map_free(&h->by_token);
	map_free(&h->by_cas);
	map_free(&h->closed);
	map_free(&h->last_of);
	h->wrong = NULL;
}

void
history_end(struct history *h)
{
	history_next_round(h);
	free(h->line);
	free(h->op);
	free(h->seen);
	free(h->grant);
	free(h->expect);
	free(h->key);
	free(h->tag);
	free(h->piece);
	free(h->count);
}

int
history_key(struct history *h, const char *name, size_t n)
{
	char(*key)[KEY_BYTES];

	for (size_t i = 0; i < h->keys; i++) {
		if (strncmp(h->key[i], name, n) == 0 && h->key[i][n] == '\0')
			return (int)i;
	}
	if (n >= KEY_BYTES)
		return NO_KEY;
	key = ARRAY_ADD(h->key, h->keys);
	memcpy(*key, name, n);
	return (int)h->keys - 1;
}

static bool
take_request(struct history *h, const char *p, uint64_t at)
{
	unsigned conn;
	uint64_t id;
	int used = 0;
	struct op *op;

	if (sscanf(p, "%u %" SCNu64 " %n", &conn, &id, &used) != 2 || used == 0)
		return false;
	op = ARRAY_ADD(h->op, h->ops);
	op->conn = conn;
	op->id = id;
	op->send = at;
	op->recv = NEVER;
	op->key = NO_KEY;
	op->asked = h->lines - 1;
	op->answered = NOTHING;
	op->before = map_get(&h->last_of, conn);
	map_set(&h->last_of, conn, h->ops - 1);
	map_put(&h->by_id, id, h->ops - 1);
	return wording_request(h, op, p + used);
}

static bool
take_reply(struct history *h, const char *p, uint64_t at)
{
	unsigned conn;
	uint64_t id;
	int used = 0;
	size_t i;

	if (sscanf(p, "%u %" SCNu64 " %n", &conn, &id, &used) != 2 || used == 0)
		return false;
	i = map_get(&h->by_id, id);
	if (i == NOTHING || h->op[i].recv != NEVER)
		return false;
	h->op[i].answered = h->lines - 1;
	return wording_reply(h, i, p + used, at);
}

static bool
take_expectation(struct history *h, const char *p)
{
	struct expectation *e = ARRAY_ADD(h->expect, h->expects);
	char key[KEY_BYTES];

	if (sscanf(p, "%11s %79s %" SCNu64, e->what, key, &e->n) < 2)
		return false;
	e->key = history_key(h, key, strlen(key));
	e->line = h->lines - 1;
	return true;
}

static bool
take_setting(struct history *h, const char *p)
{
	static const struct {
		const char *name;
		size_t at;
	} known[] = {
		{ "lax", offsetof(struct history, lax) },
		{ "evicts", offsetof(struct history, evicts) },
		{ "tombstone_ttl", offsetof(struct history, tombstone_ttl) },
		{ "lease_default", offsetof(struct history, lease_default) },
		{ "lease_max", offsetof(struct history, lease_max) },
		{ "tag_prefix", offsetof(struct history, tag_prefix) },
	};
	char name[40];
	uint64_t n;

	if (sscanf(p, "%39s %" SCNu64, name, &n) != 2)
		return false;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(name, known[i].name) == 0)
			memcpy((char *)h + known[i].at, &n, sizeof(n));
	}
	return true;
}

static bool
take_count(struct history *h, const char *p)
{
	struct counted *c = ARRAY_ADD(h->count, h->counts);

	return sscanf(p, "%39s %" SCNu64, c->name, &c->n) == 2;
}

static void
take_wrong(struct history *h, const char *why)
{
	if (h->wrong == NULL) {
		h->wrong = why;
		h->wrong_line = h->lines - 1;
	}
}

bool
history_line(struct history *h, const char *line)
{
	uint64_t at;
	int used = 0;
	unsigned conn;

	*ARRAY_ADD(h->line, h->lines) = strdup(line);
	switch (line[0]) {
	case '!':
		return take_expectation(h, line + 1);
	case '@':
		return take_setting(h, line + 1);
	case '=':
		return take_count(h, line + 1);
	case '#':
		return true;
	}
	if (sscanf(line + 1, " %" SCNu64 " %n", &at, &used) != 1 || used == 0)
		return false;
	switch (line[0]) {
	case '>':
		return take_request(h, line + 1 + used, at);
	case '<':
		return take_reply(h, line + 1 + used, at);
	case 'x':
		if (sscanf(line + 1 + used, "%u", &conn) != 1)
			return false;
		map_put(&h->closed, conn, at);
		return true;
	case '?':
		take_wrong(h,
		    "I6: a reply that nobody asked for, "
		    "or the server closed the connection");
		return true;
	case 'h':
		take_wrong(h, "I6: a request is not answered");
		return true;
	}
	return false;
}
