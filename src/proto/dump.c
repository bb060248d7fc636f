/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dump.c - replies that are made from all items.
 */
#include "config.h"

#include "proto/dump.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/uri.h"

enum {
	LINE_BYTES = 3 * KEY_MAX + 160,
	ITEMS_BYTES = 2 * 1024 * 1024, /* of stats cachedump, as memcached */
	SIZES_STEP = 32,               /* bytes of size that count as one */
	SIZES_PAGE = 64, /* counts allocated, and shown, at once */
	STEPS_MAX = 20,  /* of the walk in one turn, whatever -R says */
};

struct dump {
	struct dump_spec spec;
	struct store_walk walk;
	bool enough, failed;
	size_t at, n; /* notes written, and there */
	struct item_note note[STORE_WALK_NOTES];

	uint64_t lines; /* of DUMP_ITEMS so far */
	size_t bytes;

	size_t pages, shown; /* of DUMP_SIZES */
	uint64_t *page[];    /* counts; NULL where all are 0 */
};

/* So many that there is one for the largest item. */
static size_t
pages_of_sizes(const struct cache *c)
{
	/* With -C an item may count as 8 bytes more than -I. */
	size_t counts = (c->item_max + sizeof(uint64_t)) / SIZES_STEP + 2;

	return counts / SIZES_PAGE + 1;
}

bool
dump_start(struct session *s, struct exec *x, const struct dump_spec *spec)
{
	size_t pages = spec->form == DUMP_SIZES ? pages_of_sizes(x->cache) : 0;
	struct dump *d = calloc(1, sizeof(*d) + pages * sizeof(d->page[0]));

	if (d == NULL)
		return false;
	d->spec = *spec;
	d->pages = pages;
	s->dump = d;
	s->state = SESSION_DUMP;
	return true;
}

void
dump_free(struct dump *d)
{
	for (size_t i = 0; i < d->pages; i++)
		free(d->page[i]);
	free(d);
}

static void
put_meta(struct outbuf *o, const struct item_note *note, bool cas)
{
	char line[LINE_BYTES];
	int n = snprintf(line, sizeof(line),
	    " exp=%" PRId64 " la=%" PRId64 " cas=%" PRIu64
	    " fetch=%s cls=%u size=%zu flags=%u \n",
	    note->exptime == 0 ? -1 : clock_unix(note->exptime),
	    clock_unix(note->accessed), cas ? note->cas : 0,
	    note->fetched ? "yes" : "no", note->class_id, note->size,
	    note->client_flags);

	OUT_LITERAL(o, "key=");
	o->used += (uint32_t)uri_encode(o->buf + o->used, note->key,
	    note->key_len);
	out_add(o, line, (size_t)n);
}

static void
put_mg(struct outbuf *o, const struct item_note *note)
{
	OUT_LITERAL(o, "mg ");
	if (note->binary) {
		o->used += (uint32_t)base64_encode(o->buf + o->used, note->key,
		    note->key_len);
		OUT_LITERAL(o, " b");
	} else {
		out_add(o, note->key, note->key_len);
	}
	OUT_LITERAL(o, "\r\n");
}

/* As memcached, but for keys that would break the line: they are encoded. */
static size_t
shown_key(const struct item_note *note, char key[3 * KEY_MAX])
{
	if (note->binary)
		return base64_encode(key, note->key, note->key_len);
	memcpy(key, note->key, note->key_len);
	return note->key_len;
}

static void
put_item(struct dump *d, struct outbuf *o, const struct item_note *note)
{
	char key[3 * KEY_MAX], line[LINE_BYTES];
	int n = snprintf(line, sizeof(line),
	    "ITEM %.*s [%u b; %" PRId64 " s]\r\n", (int)shown_key(note, key),
	    key, note->value_len,
	    note->exptime == 0 ? 0 : clock_unix(note->exptime));

	/* The end must fit as well; memcached counts its NUL. */
	if (d->bytes + (size_t)n + sizeof("END\r\n") > ITEMS_BYTES) {
		d->enough = true;
		return;
	}
	out_add(o, line, (size_t)n);
	d->bytes += (size_t)n;
	d->enough = ++d->lines == d->spec.limit;
}

static void
count_size(struct dump *d, const struct item_note *note)
{
	size_t i = (note->size + SIZES_STEP - 1) / SIZES_STEP;
	uint64_t **page = &d->page[i / SIZES_PAGE];

	if (*page == NULL)
		*page = calloc(SIZES_PAGE, sizeof(**page));
	if (*page == NULL)
		d->failed = d->enough = true;
	else
		(*page)[i % SIZES_PAGE]++;
}

static void
take_note(struct session *s, struct exec *x, const struct item_note *note)
{
	struct dump *d = s->dump;

	if (!(d->spec.classes >> note->class_id & 1))
		return;
	switch (d->spec.form) {
	case DUMP_META:
		put_meta(s->out, note, x->cache->cas_enabled);
		break;
	case DUMP_MG:
		put_mg(s->out, note);
		break;
	case DUMP_ITEMS:
		put_item(d, s->out, note);
		break;
	case DUMP_SIZES:
		count_size(d, note);
		break;
	}
}

/* A piece of the walk; STEP_DONE at its end. */
static enum step
walk_on(struct session *s, struct exec *x)
{
	struct dump *d = s->dump;

	while (!d->enough) {
		if (d->at < d->n) {
			if (!out_has_room(s->out))
				return STEP_FLUSH;
			take_note(s, x, &d->note[d->at++]);
			continue;
		}
		if (store_walk_is_done(x->cache->store, &d->walk))
			break;
		if (x->budget-- <= 0)
			return STEP_YIELD;
		d->at = 0;
		d->n = store_walk(x->local, &d->walk, x->now, d->note,
		    STORE_WALK_NOTES);
	}
	return STEP_DONE;
}

static void
put_size(struct outbuf *o, size_t size, uint64_t count)
{
	OUT_LITERAL(o, "STAT ");
	out_number(o, size);
	OUT_LITERAL(o, " ");
	out_number(o, count);
	OUT_LITERAL(o, "\r\n");
}

/* The counts, page by page; STEP_DONE after the last. */
static enum step
put_sizes(struct dump *d, struct exec *x, struct outbuf *o)
{
	for (; d->shown < d->pages; d->shown++) {
		const uint64_t *page = d->page[d->shown];
		size_t first = d->shown * SIZES_PAGE;

		if (page == NULL)
			continue;
		if (!out_has_room(o))
			return STEP_FLUSH;
		if (x->budget-- <= 0)
			return STEP_YIELD;
		for (size_t i = 0; i < SIZES_PAGE; i++)
			if (page[i] > 0)
				put_size(o, (first + i) * SIZES_STEP, page[i]);
	}
	return STEP_DONE;
}

enum step
dump_step(struct session *s, struct exec *x)
{
	struct dump *d = s->dump;
	enum step step;

	if (x->budget > STEPS_MAX)
		x->budget = STEPS_MAX;
	step = walk_on(s, x);
	if (step == STEP_DONE && !d->failed)
		step = put_sizes(d, x, s->out);
	if (step != STEP_DONE)
		return step;
	if (d->failed)
		OUT_LITERAL(s->out, SAY_STATS_MEMORY);
	else if (d->spec.form == DUMP_MG)
		OUT_LITERAL(s->out, "EN\r\n");
	else
		OUT_LITERAL(s->out, "END\r\n");
	dump_free(d);
	s->dump = NULL;
	s->state = SESSION_COMMAND;
	return STEP_DONE;
}
