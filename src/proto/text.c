/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * text.c - a growing text, for reports.
 */
#include "config.h"

#include "proto/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROOM_FIRST = 4096 };

static void add(struct text *t, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);

/* Makes room for `more` bytes and their NUL. */
static bool
make_room(struct text *t, size_t more)
{
	size_t room = t->room == 0 ? ROOM_FIRST : t->room;
	char *p;

	while (room - t->len <= more)
		room *= 2;
	if (room == t->room)
		return true;
	p = realloc(t->p, room);
	if (p == NULL)
		return false;
	t->p = p;
	t->room = room;
	return true;
}

static void
add(struct text *t, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	if (t->failed)
		return;
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0 || !make_room(t, (size_t)n)) {
		t->failed = true;
		return;
	}
	vsnprintf(t->p + t->len, t->room - t->len, fmt, ap);
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
		SAY(req, SAY_STATS_MEMORY);
	} else if (t->len > 0) {
		out_text(req->out, t->p, t->len);
	}
	return STEP_DONE;
}
