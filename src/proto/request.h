/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * request.h - one request while it is handled.
 *
 * Layer: proto.
 */
#ifndef PROTO_REQUEST_H
#define PROTO_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "proto/session.h"
#include "proto/token.h"

struct command;

struct request {
	struct session *s;
	struct outbuf *out;
	const struct command *command;
	const char *line; /* without its end */
	size_t len;
	const char *body; /* what input follows the line */
	size_t body_len;
	size_t body_used; /* set by the handler */
	bool loud;        /* this reply is not hidden by `noreply` */
};

/* What the session does after a handler. */
enum step {
	STEP_DONE,  /* answered */
	STEP_INPUT, /* not enough input: the request begins again with more */
	STEP_TAKEN, /* line and body_used bytes are taken, the answer is due */
	STEP_FLUSH, /* the output is full: call the handler again */
	STEP_YIELD, /* enough for one turn: call the handler again */
	STEP_PARK,  /* call the handler again when the wait is over */
	STEP_CLOSE, /* close after sending what is there */
};

/* Splits the line, command word included; returns the number of words. */
static inline size_t
request_split(const struct request *req, struct token t[TOKEN_MAX])
{
	return token_split(t, req->line, req->len);
}

/*
 * Splits the line and says whether it has at least `min` words.  The error of
 * a line that has fewer is not hidden by `noreply`.
 */
bool request_words(struct request *req, struct token t[TOKEN_MAX],
    size_t min) MUST_USE;

/* Whether the last of these words is `noreply`; it is then not counted. */
bool request_strip_noreply(const struct token *t, size_t *n);

/* A key from a token, hashed.  False when it is too long. */
bool request_key(struct key *key, struct token t) MUST_USE;

/* exptime as `set` reads it: 64 bit cut to 32.  False when it is no number. */
bool request_exptime(struct token t, rel_time now, rel_time *out) MUST_USE;

/* The data of a hit and its end, copied or by the reference it holds. */
static inline void
put_data(struct outbuf *o, const struct hit *hit)
{
	if (hit->pinned != NULL)
		out_item(o, hit->pinned, hit->value, hit->value_len);
	else
		out_add(o, hit->value, hit->value_len);
	OUT_LITERAL(o, "\r\n");
}

enum { DELTA_DIGITS = 22 /* of what incr adds, as memcached */ };

#define SAY_BAD_FORMAT "CLIENT_ERROR bad command line format\r\n"
#define SAY_BAD_EXPTIME "CLIENT_ERROR invalid exptime argument\r\n"
#define SAY_TOO_LARGE "SERVER_ERROR object too large for cache\r\n"
#define SAY_NO_MEMORY "SERVER_ERROR out of memory storing object\r\n"
#define SAY_NO_TOUCH "SERVER_ERROR out of memory touching item\r\n"
#define SAY_REFS "SERVER_ERROR refcount overflow during fetch\r\n"
#define SAY_STATS_MEMORY "SERVER_ERROR out of memory writing stats\r\n"
#define SAY_BAD_CHUNK "CLIENT_ERROR bad data chunk\r\n"

/* A whole reply line. */
#define SAY(req, literal) OUT_LITERAL((req)->out, literal)

#endif
