/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * outbuf.h - replies on their way to a client.
 *
 * Small replies are bytes in one buffer.  Large values and long texts are not
 * copied: a cut notes where in these bytes they stand, and holds a reference
 * on the item, or the text itself, until they are sent.
 *
 * The session sees to it that OUT_ROOM bytes and one cut are free before each
 * request; when they are not, what is there is sent first.  So the memory of a
 * slow reader is bounded.
 *
 * Layer: proto.
 */
#ifndef PROTO_OUTBUF_H
#define PROTO_OUTBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

#include "base/attr.h"

struct item;
struct store_local;

enum {
	OUT_SIZE = 64 * 1024, /* bytes of a buffer while it is filled */
	OUT_ROOM = 4096,      /* most that one key's reply takes */
	OUT_CUTS = 64,
	OUT_CUT_BYTES = 1024 * 1024, /* above this, more waits */
	OUT_PIECES = 2 * OUT_CUTS + 1,
};

struct cut {
	uint32_t at; /* bytes of the buffer that go before it */
	const char *data;
	size_t len;
	struct item *item; /* reference to give back, or NULL */
	char *text;        /* malloc'ed, to free; or NULL */
};

struct outbuf {
	char *buf;
	uint32_t used, sent;     /* bytes of buf */
	uint32_t cuts, cut_sent; /* cuts, and those that are sent */
	size_t cut_done;  /* bytes of the first unsent cut that are sent */
	size_t cut_bytes; /* of all cuts */
	struct cut cut[OUT_CUTS];
};

static inline bool
out_is_empty(const struct outbuf *o)
{
	return o->used == o->sent && o->cuts == o->cut_sent;
}

/* Whether one more request may be answered before sending. */
static inline bool
out_has_room(const struct outbuf *o)
{
	return OUT_SIZE - o->used >= OUT_ROOM && o->cuts < OUT_CUTS &&
	    o->cut_bytes < OUT_CUT_BYTES;
}

static inline void
out_add(struct outbuf *o, const char *p, size_t n)
{
	memcpy(o->buf + o->used, p, n);
	o->used += (uint32_t)n;
}

/* A string literal. */
#define OUT_LITERAL(o, s) out_add((o), (s), sizeof(s) - 1)

void out_number(struct outbuf *o, uint64_t v);

/* Takes over the reference on the item. */
void out_item(struct outbuf *o, struct item *it, const char *value, size_t len);

/* Takes over the malloc'ed text. */
void out_text(struct outbuf *o, char *text, size_t len);

/* A mark to return to: what was added since is dropped. */
struct out_mark {
	uint32_t used, cuts;
};

static inline struct out_mark
out_mark(const struct outbuf *o)
{
	return (struct out_mark){ o->used, o->cuts };
}

void out_rewind(struct outbuf *o, struct out_mark mark, struct store_local *l);

/* The pieces to send, in order; returns how many. */
int out_pieces(const struct outbuf *o, struct iovec iov[OUT_PIECES]);

/* Notes that `n` bytes were sent; releases what is done with. */
void out_sent(struct outbuf *o, size_t n, struct store_local *l);

/* Drops everything. */
void out_clear(struct outbuf *o, struct store_local *l);

#endif
