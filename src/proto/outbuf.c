/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * outbuf.c - replies on their way to a client.
 */
#include "config.h"

#include "proto/outbuf.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/num.h"
#include "store/store.h"

void
out_number(struct outbuf *o, uint64_t v)
{
	o->used += (uint32_t)num_print(o->buf + o->used, v);
}

static struct cut *
add_cut(struct outbuf *o, const char *data, size_t len)
{
	struct cut *c = &o->cut[o->cuts++];

	CHECK(o->cuts <= OUT_CUTS);
	c->at = o->used;
	c->data = data;
	c->len = len;
	c->item = NULL;
	c->text = NULL;
	o->cut_bytes += len;
	return c;
}

void
out_item(struct outbuf *o, struct item *it, const char *value, size_t len)
{
	add_cut(o, value, len)->item = it;
}

void
out_text(struct outbuf *o, char *text, size_t len)
{
	add_cut(o, text, len)->text = text;
}

static void
release(struct cut *c, struct store_local *l)
{
	if (c->item != NULL)
		store_item_release(l, c->item);
	free(c->text);
	c->item = NULL;
	c->text = NULL;
}

void
out_rewind(struct outbuf *o, struct out_mark mark, struct store_local *l)
{
	while (o->cuts > mark.cuts) {
		o->cut_bytes -= o->cut[--o->cuts].len;
		release(&o->cut[o->cuts], l);
	}
	o->used = mark.used;
}

int
out_pieces(const struct outbuf *o, struct iovec iov[OUT_PIECES])
{
	uint32_t at = o->sent;
	size_t skip = o->cut_done;
	int n = 0;

	for (uint32_t i = o->cut_sent; i < o->cuts; i++) {
		const struct cut *c = &o->cut[i];

		if (c->at > at)
			iov[n++] = (struct iovec){ o->buf + at, c->at - at };
		if (c->len > skip)
			iov[n++] = (struct iovec){
				(char *)(uintptr_t)c->data + skip, c->len - skip
			};
		at = c->at;
		skip = 0;
	}
	if (o->used > at)
		iov[n++] = (struct iovec){ o->buf + at, o->used - at };
	return n;
}

static void
out_reset(struct outbuf *o)
{
	o->used = o->sent = o->cuts = o->cut_sent = 0;
	o->cut_done = o->cut_bytes = 0;
}

void
out_sent(struct outbuf *o, size_t n, struct store_local *l)
{
	while (o->cut_sent < o->cuts) {
		struct cut *c = &o->cut[o->cut_sent];
		size_t before = c->at - o->sent, left;

		if (n < before) {
			o->sent += (uint32_t)n;
			return;
		}
		n -= before;
		o->sent = c->at;
		left = c->len - o->cut_done;
		if (n < left) {
			o->cut_done += n;
			return;
		}
		n -= left;
		release(c, l);
		o->cut_done = 0;
		o->cut_sent++;
	}
	o->sent += (uint32_t)n;
	CHECK(o->sent <= o->used);
	if (out_is_empty(o))
		out_reset(o);
}

void
out_clear(struct outbuf *o, struct store_local *l)
{
	for (uint32_t i = o->cut_sent; i < o->cuts; i++)
		release(&o->cut[i], l);
	out_reset(o);
}
