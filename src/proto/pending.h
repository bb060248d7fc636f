/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pending.h - a storage request whose large value is still coming in.
 *
 * The item is there already, and input is read into it.  The request line is
 * kept and handled a second time when the value is whole: so a handler has no
 * state of its own.
 *
 * Layer: proto.
 */
#ifndef PROTO_PENDING_H
#define PROTO_PENDING_H

#include <stddef.h>

#include "proto/request.h"

/* Longest data block that memcached's parser takes: 2^31 - 3. */
#define BYTES_MAX ((uint64_t)2147483645)

struct pending {
	struct item *item;
	char *value;
	size_t len, filled; /* bytes of the value */
	size_t line_len;
	char line[];
};

/* A storage request as its parser understood it. */
struct store_request {
	struct key key;
	uint32_t client_flags;
	rel_time exptime;
	uint64_t bytes;
	struct store_spec spec;
	const struct item_extra *extra; /* NULL: none */
	bool drops_on_failure; /* a refused value takes the old one with it */
};

enum body {
	BODY_AWAITED,  /* return *step */
	BODY_ANSWERED, /* an error line was written: return *step */
	BODY_STORED,   /* the cache was asked: *res, *done */
};

/*
 * Gets the value of a storage request and stores it.  On AWAITED and ANSWERED
 * the handler returns *step at once.
 */
enum body body_store(struct exec *x, struct request *req,
    const struct store_request *sr, enum step *step, enum result *res,
    struct stored *done);

/*
 * The length of a request's data block, word number `at` of n.  False with the
 * error said, which is not hidden by `noreply`: without a length nobody knows
 * where the data would end.
 */
bool body_length(struct request *req, const struct token *t, size_t n,
    size_t at, uint64_t *bytes) MUST_USE;

/* Refuses a request: its data block, `bytes` long, is swallowed unread. */
enum step body_swallow(struct request *req, uint64_t bytes);

void pending_free(struct pending *p, struct exec *x);

#endif
