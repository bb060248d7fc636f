/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * text.h - a growing text, for reports.
 *
 * Layer: proto.
 */
#ifndef PROTO_TEXT_H
#define PROTO_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "proto/request.h"

struct text {
	char *p;
	size_t len, room;
	bool failed; /* out of memory: what comes after is dropped */
};

void text_add(struct text *t, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* `STAT <name> <value>`; the value takes a format. */
void text_stat(struct text *t, const char *name, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* Hands the text to the reply; says so when memory ran out. */
enum step text_send(struct text *t, struct request *req);

#endif
