/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * option_parse.h - what the option_*.c files share.
 *
 * Nothing else includes it.
 *
 * Layer: none (beside main.c).
 */
#ifndef OPTION_PARSE_H
#define OPTION_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "option.h"
#include "option_table.h"

struct option_ignored {
	const struct option_row *row;
	bool negated; /* a word with `no_` before it */
};

/* One run over a command line. */
struct option_parse {
	struct options *o;
	FILE *out;
	FILE *err;
	bool given[128]; /* by letter */
	bool in_rule;    /* words of the last rule of -o coalesce= may follow */

	/* the options without effect met so far, each once, in argv's order */
	struct option_ignored *ignored;
	size_t n_ignored;
};

enum {
	OPTION_LABEL_MAX = 64,
	OPTION_VALUE_MAX = 64,
};

/*
 * Prints the one line of an error, keeps the exit status; returns false, for
 * the caller to return.
 */
bool option_fail(struct option_parse *p, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* option_fail() for want of memory. */
bool option_fail_memory(struct option_parse *p);

/* How the user wrote it, or could have: "-m", "-o idle_timeout". */
const char *option_label(const struct option_row *row,
    char buf[OPTION_LABEL_MAX]);

/*
 * Sets the field of a row from a text.  `text` is NULL for an option without
 * an argument.  Defaults (`checked` is false) may lie outside the limits.
 */
bool option_set(struct option_parse *p, const struct option_row *row,
    const char *text, bool checked);

/*
 * The value of the row's field as `stats settings` shows it; the result may
 * be `buf` or belong to `o`.
 */
const char *option_show(const struct option_row *row, const struct options *o,
    char buf[OPTION_VALUE_MAX]);

/* A text of digits only, within the limits. */
bool option_read_u32(const char *text, long min, long max, uint32_t *out);

/* Can all bytes of the text be in a key? */
bool option_fits_key(const char *text);

/* Adds the addresses of one -l. */
bool option_listen(struct option_parse *p, const char *list);

/*
 * Adds a rule of -o coalesce=.  After it, words that option_is_rule_word()
 * belong to option_rule_word(), which adds them to that rule.
 */
bool option_rule(struct option_parse *p, const char *prefix);
bool option_is_rule_word(const char *word);
bool option_rule_word(struct option_parse *p, const char *word);

/* Sets the fault of -o debug_fault=. */
bool option_fault(struct option_parse *p, const char *name);

/* When all is read: ->lease as a whole, its defaults, what contradicts. */
bool option_settle_leases(struct option_parse *p);

void option_print_help(FILE *out);
void option_print_version(FILE *out);
void option_print_license(FILE *out);

#endif
