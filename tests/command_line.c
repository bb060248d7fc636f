/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * command_line.c - command lines for tests.
 */
#include "config.h"

#include "command_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

enum { MAX_ARGS = 64 };

struct run
run(const char *line)
{
	struct run r;
	char name[] = "leasecached", *argv[MAX_ARGS] = { name };
	char *copy = strdup(line);
	char *rest;
	size_t n_out, n_err;
	FILE *out = open_memstream(&r.out, &n_out);
	FILE *err = open_memstream(&r.err, &n_err);
	int argc = 1;

	for (char *w = strtok_r(copy, " ", &rest); w != NULL;
	     w = strtok_r(NULL, " ", &rest))
		argv[argc++] = w;
	r.outcome = options_parse(&r.o, argc, argv, out, err);
	fclose(out);
	fclose(err);
	free(copy);
	return r;
}

void
run_end(struct run *r)
{
	options_free(&r->o);
	free(r->out);
	free(r->err);
}

static size_t
count_lines(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += *text == '\n';
	return n;
}

void
fails(const char *line, int status, const char *message)
{
	struct run r = run(line);
	char want[512];

	snprintf(want, sizeof(want), "%s\n", message);
	unit_note("%s", line);
	CHECK_EQ(r.outcome, OPTIONS_ERROR);
	CHECK_EQ(r.o.exit_status, status);
	CHECK_STR(r.err, want);
	CHECK_STR(r.out, "");
	unit_note("%s", "");
	run_end(&r);
}

void
starts(const char *line, size_t lines)
{
	struct run r = run(line);

	unit_note("%s", line);
	CHECK_EQ(r.outcome, OPTIONS_RUN);
	CHECK_EQ(count_lines(r.err), lines);
	CHECK_STR(r.out, "");
	unit_note("%s", "");
	run_end(&r);
}
