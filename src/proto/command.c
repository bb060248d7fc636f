/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * command.c - the table of commands.
 */
#include "config.h"

#include "proto/command.h"

#include <string.h>

#include "base/check.h"

static const struct command commands[] = {
#define COMMAND(name, flags, handler, usage, text)                             \
	{ #name, sizeof(#name) - 1, flags, handler },
#include "proto/command.def"
#undef COMMAND
};

enum {
	COMMANDS = sizeof(commands) / sizeof(commands[0]),
	LOOKUP = 256, /* a power of two, large enough for no two to collide */
};

/* 1 + the command's place, or 0; written once at start. */
static uint8_t lookup[LOOKUP];

static unsigned
slot_of(const char *name, size_t len)
{
	unsigned first = (unsigned char)name[0];
	unsigned second = (unsigned char)name[1];
	unsigned later = (unsigned char)name[len * 2 / 3];

	return (first + second + later * 2 + (unsigned)len * 10) % LOOKUP;
}

void
command_start(void)
{
	memset(lookup, 0, sizeof(lookup));
	for (unsigned i = 0; i < COMMANDS; i++) {
		unsigned slot = slot_of(commands[i].name, commands[i].len);

		CHECK(lookup[slot] == 0);
		lookup[slot] = (uint8_t)(i + 1);
	}
}

const struct command *
command_find(const char *name, size_t len)
{
	const struct command *c;
	unsigned i;

	if (len < 2)
		return NULL;
	i = lookup[slot_of(name, len)];
	if (i == 0)
		return NULL;
	c = &commands[i - 1];
	return c->len == len && memcmp(c->name, name, len) == 0 ? c : NULL;
}
