/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * binary.c - the answer to clients that speak memcached's binary protocol.
 */
#include "config.h"

#include "proto/binary.h"

#include <string.h>

#include "base/log.h"

enum {
	HEADER = 24,
	REPLY_MAGIC = 0x81,
	OPCODE_AT = 1,
	STATUS_AT = 6,
	BODY_AT = 8,
	OPAQUE_AT = 12,
	UNKNOWN_COMMAND = 0x81,
};

enum step
binary_refuse(struct session *s, const char *in, size_t len, size_t *taken)
{
	static const char text[] = "Unknown command";
	char reply[HEADER] = { (char)REPLY_MAGIC };

	*taken = 0;
	if (len < HEADER)
		return STEP_INPUT;
	reply[OPCODE_AT] = in[OPCODE_AT];
	reply[STATUS_AT + 1] = (char)UNKNOWN_COMMAND;
	reply[BODY_AT + 3] = (char)(sizeof(text) - 1);
	memcpy(reply + OPAQUE_AT, in + OPAQUE_AT, 4);
	out_add(s->out, reply, sizeof(reply));
	OUT_LITERAL(s->out, "Unknown command");
	*taken = len;
	log_warn("binary protocol refused cfd=%d: this server speaks the text "
		 "protocol only; set the client to text (ascii)",
	    s->cfd);
	return STEP_CLOSE;
}
