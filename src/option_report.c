/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * option_report.c - the lines of `stats settings`.
 *
 * Monitors split them at blanks and expect three words, so a value is always
 * one word: NULL when there is none, and without blanks.
 */
#include "config.h"

#include "option_parse.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* The values that commands can change; false: `name` is not one of them. */
static bool
show_live(const char *name, const struct option_live *live,
    char buf[OPTION_VALUE_MAX])
{
	if (strcmp(name, "maxbytes") == 0)
		snprintf(buf, OPTION_VALUE_MAX, "%zu", live->maxbytes);
	else if (strcmp(name, "verbosity") == 0)
		snprintf(buf, OPTION_VALUE_MAX, "%d", live->verbosity);
	else if (strcmp(name, "detail_enabled") == 0)
		snprintf(buf, OPTION_VALUE_MAX, "%s",
		    live->detail ? "yes" : "no");
	else if (strcmp(name, "oldest") == 0)
		snprintf(buf, OPTION_VALUE_MAX, "%ld", live->oldest);
	else
		return false;
	return true;
}

static const char *
value_of(const struct option_row *row, const struct options *o,
    const struct option_live *live, char buf[OPTION_VALUE_MAX])
{
	if (show_live(row->setting, live, buf))
		return buf;
	if (row->type == OPTION_SETTING)
		return row->preset;
	if (strcmp(row->setting, "inter") == 0 && o->n_listen == 0 &&
	    o->unix_path == NULL)
		return "127.0.0.1,::1";
	return option_show(row, o, buf);
}

/* Hands on a value with its blanks replaced; paths may have some. */
static void
report_one_word(option_stat *stat, void *ctx, const char *name,
    const char *value)
{
	char *copy = strdup(value);

	if (copy == NULL)
		return;
	for (char *c = copy; *c != '\0'; c++) {
		if (isspace((unsigned char)*c) || iscntrl((unsigned char)*c))
			*c = '_';
	}
	stat(ctx, name, copy);
	free(copy);
}

void
options_report(const struct options *o, const struct option_live *live,
    option_stat *stat, void *ctx)
{
	char buf[OPTION_VALUE_MAX];

	for (size_t i = 0; i < option_nrows; i++) {
		const struct option_row *row = &option_rows[i];

		if (row->setting == NULL)
			continue;
		report_one_word(stat, ctx, row->setting,
		    value_of(row, o, live, buf));
	}
}
