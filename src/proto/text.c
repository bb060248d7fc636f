/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * text.c - a growing text, for reports.
 */
#include "config.h"

#include "proto/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROOM_FIRST = 4096, LINE_MAX_BYTES = 1024 };

static void add(struct text *t, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);

static void
add(struct text *t, const char *fmt, va_list ap)
{
	int n;

	if (t->failed)
		return;
	if (t->room - t->len < LINE_MAX_BYTES) {
		size_t room = t->room == 0 ? ROOM_FIRST : 2 * t->room;
		char *p = realloc(t->p, room);

		if (p == NULL) {
			t->failed = true;
			return;
		}
		t->p = p;
		t->room = room;
	}
	n = vsnprintf(t->p + t->len, t->room - t->len, fmt, ap);
	if (n < 0 || (size_t)n >= t->room - t->len)
		t->failed = true;
	else
		t->len += (size_t)n;
}

void
text_add(struct text *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(t, fmt, ap);
	va_end(ap);
}

void
text_stat(struct text *t, const char *name, const char *fmt, ...)
{
	va_list ap;

	text_add(t, "STAT %s ", name);
	va_start(ap, fmt);
	add(t, fmt, ap);
	va_end(ap);
	text_add(t, "\r\n");
}

enum step
text_send(struct text *t, struct request *req)
{
	if (t->failed) {
		free(t->p);
		SAY(req, "SERVER_ERROR out of memory writing stats\r\n");
	} else if (t->len > 0) {
		out_text(req->out, t->p, t->len);
	}
	return STEP_DONE;
}
