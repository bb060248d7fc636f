/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * prefix.c - counters per key prefix (`stats detail`).
 */
#include "config.h"

#include "proto/prefix.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

void
prefix_init(struct prefix_table *t, char delimiter, bool on)
{
	memset(t, 0, sizeof(*t));
	lock_init(&t->lock, LOCK_PREFIX);
	t->delimiter = delimiter;
	atomic_store(&t->on, on);
}

void
prefix_clear(struct prefix_table *t)
{
	lock_take(&t->lock);
	for (int i = 0; i < PREFIX_BUCKETS; i++)
		while (t->bucket[i] != NULL) {
			struct prefix *p = t->bucket[i];

			t->bucket[i] = p->next;
			free(p);
		}
	t->count = 0;
	lock_drop(&t->lock);
}

void
prefix_destroy(struct prefix_table *t)
{
	prefix_clear(t);
	lock_destroy(&t->lock);
}

void
prefix_switch(struct prefix_table *t, bool on)
{
	atomic_store(&t->on, on);
}

/* The counters of a prefix; NULL when it can't be counted. */
static struct prefix *
find(struct prefix_table *t, const char *name, size_t len)
{
	struct prefix **head = &t->bucket[hash_key(name, len) % PREFIX_BUCKETS];
	struct prefix *p;

	for (p = *head; p != NULL; p = p->next)
		if (p->len == len && memcmp(p->name, name, len) == 0)
			return p;
	if (t->count == PREFIX_MAX)
		return NULL;
	p = calloc(1, sizeof(*p) + len);
	if (p == NULL)
		return NULL;
	p->len = len;
	memcpy(p->name, name, len);
	p->next = *head;
	*head = p;
	t->count++;
	return p;
}

void
prefix_record(struct prefix_table *t, const struct key *key,
    enum prefix_event event)
{
	const char *end = memchr(key->data, t->delimiter, key->len);
	struct prefix *p;

	/* The report has no way to write a binary prefix. */
	if (end == NULL || key->binary)
		return;
	lock_take(&t->lock);
	p = find(t, key->data, (size_t)(end - key->data));
	if (p != NULL) {
		p->get += event == PREFIX_GET || event == PREFIX_HIT;
		p->hit += event == PREFIX_HIT;
		p->set += event == PREFIX_SET;
		p->del += event == PREFIX_DELETE;
	}
	lock_drop(&t->lock);
}

char *
prefix_dump(struct prefix_table *t, size_t *len)
{
	enum { NUMBERS = 128 };
	size_t room = sizeof("END\r\n");
	char *text;
	int n = 0;

	lock_take(&t->lock);
	for (int i = 0; i < PREFIX_BUCKETS; i++)
		for (struct prefix *p = t->bucket[i]; p != NULL; p = p->next)
			room += p->len + NUMBERS;
	text = malloc(room);
	for (int i = 0; text != NULL && i < PREFIX_BUCKETS; i++)
		for (struct prefix *p = t->bucket[i]; p != NULL; p = p->next)
			n += snprintf(text + n, room - (size_t)n,
			    "PREFIX %.*s get %" PRIu64 " hit %" PRIu64
			    " set %" PRIu64 " del %" PRIu64 "\r\n",
			    (int)p->len, p->name, p->get, p->hit, p->set,
			    p->del);
	lock_drop(&t->lock);
	if (text != NULL)
		n += snprintf(text + n, room - (size_t)n, "END\r\n");
	*len = (size_t)n;
	return text;
}
