/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * command_line.h - command lines for tests.
 *
 * A run keeps the outcome of one command line: what it set, what it said.
 */
#ifndef TESTS_COMMAND_LINE_H
#define TESTS_COMMAND_LINE_H

#include <stddef.h>

#include "option.h"

struct run {
	enum option_outcome outcome;
	struct options o;
	char *out;
	char *err;
};

/* Runs a command line that is split at blanks. */
struct run run(const char *line);

void run_end(struct run *r);

/* The command line fails with this status and this one line. */
void fails(const char *line, int status, const char *message);

/* The command line starts the server, with `lines` of warning. */
void starts(const char *line, size_t lines);

#endif
