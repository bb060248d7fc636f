/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * framing.h - whether a stream of replies can be told apart by a client.
 */
#ifndef TESTS_FRAMING_H
#define TESTS_FRAMING_H

#include <stdbool.h>
#include <stddef.h>

/*
 * True when the bytes are whole replies, one after the other: lines that begin
 * with a word of the protocol, and values as long as their lines say.
 */
bool framing_is_sane(const char *p, size_t n);

#endif
