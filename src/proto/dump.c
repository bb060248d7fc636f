/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dump.c - lru_crawler metadump and mgdump: listing all keys.
 */
#include "config.h"

#include "proto/dump.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/uri.h"

enum { LINE_BYTES = 3 * KEY_MAX + 160 };

struct dump {
	enum dump_form form;
	uint64_t classes;
	struct store_walk walk;
	size_t at, n; /* notes written, and there */
	struct item_note note[STORE_WALK_NOTES];
};

bool
dump_start(struct session *s, enum dump_form form, uint64_t classes)
{
	struct dump *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return false;
	d->form = form;
	d->classes = classes;
	s->dump = d;
	s->state = SESSION_DUMP;
	return true;
}

void
dump_free(struct dump *d)
{
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

static void
put_line(struct session *s, struct exec *x, const struct item_note *note)
{
	struct dump *d = s->dump;

	if (!(d->classes >> note->class_id & 1))
		return;
	if (d->form == DUMP_META)
		put_meta(s->out, note, x->cache->cas_enabled);
	else
		put_mg(s->out, note);
}

enum step
dump_step(struct session *s, struct exec *x)
{
	struct dump *d = s->dump;

	for (;;) {
		while (d->at < d->n) {
			if (!out_has_room(s->out))
				return STEP_FLUSH;
			put_line(s, x, &d->note[d->at++]);
		}
		if (store_walk_is_done(x->cache->store, &d->walk))
			break;
		if (x->budget-- <= 0)
			return STEP_YIELD;
		d->at = 0;
		d->n = store_walk(x->local, &d->walk, x->now, d->note,
		    STORE_WALK_NOTES);
	}
	if (d->form == DUMP_META)
		OUT_LITERAL(s->out, "END\r\n");
	else
		OUT_LITERAL(s->out, "EN\r\n");
	dump_free(d);
	s->dump = NULL;
	s->state = SESSION_COMMAND;
	return STEP_DONE;
}
