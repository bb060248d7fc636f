/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * binary.h - the answer to clients that speak memcached's binary protocol.
 *
 * It is not spoken here.  A client that tries gets one well-formed reply in
 * its own protocol (status 0x0081, unknown command), and the connection is
 * closed, so that it fails with a clear error instead of hanging.
 *
 * Layer: proto.
 */
#ifndef PROTO_BINARY_H
#define PROTO_BINARY_H

#include <stddef.h>

#include "proto/request.h"

enum { BINARY_MAGIC = 0x80 };

/* Answers the first header, when all of it is there. */
enum step binary_refuse(struct session *s, const char *in, size_t len,
    size_t *taken);

#endif
