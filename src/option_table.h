/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * option_table.h - the rows of option.def as data.
 *
 * For the option_*.c files, and for doc/mkdoc.c, which writes the manual from
 * the same rows.  Nothing else includes it.
 *
 * Layer: none (beside main.c).
 */
#ifndef OPTION_TABLE_H
#define OPTION_TABLE_H

#include <stdbool.h>
#include <stddef.h>

enum option_type {
	/* with a field, of this C type */
	OPTION_FLAG,     /* bool: the option turns the default round */
	OPTION_COUNT,    /* int: how often it was given */
	OPTION_NUMBER,   /* int */
	OPTION_UINT,     /* uint32_t: digits only, always within the limits */
	OPTION_AMOUNT,   /* size_t: a number of units */
	OPTION_SIZE,     /* size_t: bytes, or with k or m behind it */
	OPTION_FRACTION, /* double */
	OPTION_OCTAL,    /* mode_t */
	OPTION_TEXT,     /* char *: a copy */
	OPTION_LETTER,   /* char: the first of the value; STRICT: all of it */
	OPTION_KEY_PART, /* char *: a copy; the limits are of its length */
	OPTION_PROTOCOL, /* enum option_protocol */
	OPTION_LISTEN,   /* struct listen_spec *: one more or several */
	OPTION_COALESCE, /* struct coalesce_rule *: one more */
	OPTION_FAULT,    /* enum lease_fault */

	/* without a field */
	OPTION_BARE,  /* accepted or refused, never kept */
	OPTION_HASH,  /* as BARE, for the name of a hash function */
	OPTION_WORDS, /* -o */
	OPTION_HELP,  /* print and exit */
	OPTION_VERSION,
	OPTION_LICENSE,
	OPTION_SETTING, /* no option: a fixed line of `stats settings` */
};

enum option_section {
	OPTION_IN_NETWORK,
	OPTION_IN_MEMORY,
	OPTION_IN_PROCESS,
	OPTION_IN_COMMANDS,
	OPTION_IN_ASKING,
	OPTION_IN_WORDS, /* -o itself, and then its words */
	OPTION_SECTIONS,
	OPTION_IN_NONE = OPTION_SECTIONS, /* only in `stats settings` */
};

/* The columns are explained at the top of option.def. */
struct option_row {
	enum option_type type;
	enum option_section section;
	size_t offset; /* of the field in struct options */
	char letter;   /* 0: none */
	bool is_word;
	bool strict;
	bool negatable;
	bool on_off;
	bool power_of_two;
	int decimals;
	int status;
	const char *name; /* long name or word */
	const char *arg;
	const char *setting;
	const char *sentence;
	const char *preset; /* of a SETTING: its value */
	const char *derived;
	const char *optional;
	long min, max; /* both 0: no limits */
	double low, high;
	bool between; /* low and high count; high 0: none */
	size_t unit;
	const char *too_low;
	const char *too_high;
	const char *absent;
	const char *ignored;
	const char *unless;
	const char *refused;
};

extern const struct option_row option_rows[];
extern const size_t option_nrows;

/* The heading of a section. */
const char *option_section_title(enum option_section section);

#endif
