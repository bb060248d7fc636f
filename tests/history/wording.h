/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wording.h - what the words of a request and of its reply mean.
 */
#ifndef TESTS_HISTORY_WORDING_H
#define TESTS_HISTORY_WORDING_H

#include "record.h"

/* Reads a request into the op, whose other members are set. */
bool wording_request(struct history *h, struct op *op, const char *text);

/* Reads a line of the reply to the op of this number. */
bool wording_reply(struct history *h, size_t op, const char *text, uint64_t at);

#endif
