/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mkdoc.c - writes the manual page from its prose and the program's tables.
 *
 *	mkdoc leasecached.1.in >leasecached.1
 *
 * Copies the prose; a line that is one of these words alone becomes what the
 * table says, as roff:
 *
 *	@OPTIONS@      options and words that are honoured, by section
 *	@IGNORED@      those that are accepted and do nothing, and why
 *	@REFUSED@      those that are refused, and why
 *	@COMMANDS@     src/proto/command.def
 *	@FLAGS@        src/proto/meta.def
 *	@STATISTICS@   src/base/counter.def
 *	@LEASES@       src/base/lease_counter.def
 *
 * @VERSION@ and @WIRE_VERSION@ are replaced within a line.
 *
 * Built from this file and src/option_table.c, with -Isrc; needs no library.
 * It runs while building, so it must be rebuilt when one of the tables
 * changes (the compiler's dependency files see to that) and run again when it
 * or the prose changed.
 */
#include "config.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "option.h"
#include "option_table.h"

#ifndef __has_include
#define __has_include(file) 0
#endif

enum { LINE_MAX_LEN = 1024 };

/* Writes text that roff takes as it stands; `-` must be copied as a minus. */
static void
print_plain(const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", stdout);
	for (; *text != '\0'; text++) {
		if (*text == '-')
			fputs("\\-", stdout);
		else if (*text == '\\')
			fputs("\\e", stdout);
		else
			putchar(*text);
	}
}

/* Sentences end a line each: roff then sets the space between them. */
static void
print_sentence(const char *text)
{
	const char *end;

	while ((end = strstr(text, ".  ")) != NULL) {
		char part[LINE_MAX_LEN];

		snprintf(part, sizeof(part), "%.*s", (int)(end + 1 - text),
		    text);
		print_plain(part);
		putchar('\n');
		text = end + 3;
	}
	print_plain(text);
	putchar('\n');
}

/* ---- Options ------------------------------------------------------------- */

static void
print_argument(const struct option_row *row, const char *before)
{
	if (row->arg == NULL)
		return;
	fputs(before, stdout);
	printf("\\fI%s\\fR", row->arg);
}

static void
print_option_head(const struct option_row *row)
{
	printf(".TP\n\\fB");
	if (row->is_word) {
		printf("\\-o %s",
		    row->negatable ? "\\fR[\\fBno_\\fR]\\fB" : "");
		print_plain(row->name);
		printf("\\fR");
		print_argument(row, "=");
		putchar('\n');
		return;
	}
	printf("\\-%c\\fR", row->letter);
	if (row->name == NULL) {
		print_argument(row, " ");
	} else {
		printf(", \\fB\\-\\-");
		print_plain(row->name);
		printf("\\fR");
		print_argument(row, "=");
	}
	putchar('\n');
}

static void
print_option(const struct option_row *row)
{
	const char *preset = row->preset != NULL ? row->preset : row->derived;

	print_option_head(row);
	print_sentence(row->sentence);
	if (preset != NULL && row->arg != NULL) {
		printf("The default is ");
		print_plain(preset);
		puts(".");
	}
}

static void
print_options(void)
{
	for (int section = 0; section < OPTION_SECTIONS; section++) {
		printf(".SS %s\n", option_section_title(section));
		for (size_t i = 0; i < option_nrows; i++) {
			const struct option_row *row = &option_rows[i];

			if ((int)row->section == section &&
			    row->ignored == NULL && row->refused == NULL)
				print_option(row);
		}
	}
}

static void
print_without_effect(bool refused)
{
	for (size_t i = 0; i < option_nrows; i++) {
		const struct option_row *row = &option_rows[i];
		const char *why = refused ? row->refused : row->ignored;

		if (why == NULL)
			continue;
		print_option_head(row);
		print_sentence(row->sentence);
		printf("(");
		print_plain(why);
		puts(")");
	}
}

static void
print_ignored(void)
{
	print_without_effect(false);
}

static void
print_refused(void)
{
	print_without_effect(true);
}

/* ---- Commands, flags and statistics -------------------------------------- */

struct entry {
	const char *name;
	const char *unit; /* NULL: none */
	const char *sentence;
};

#define COMMAND(name, args, handler, usage, sentence, ...)                     \
	{ usage, NULL, sentence },
static const struct entry commands[] = {
#if __has_include("proto/command.def")
#include "proto/command.def"
#endif
	{ NULL, NULL, NULL },
};

#define COUNTER(name, unit, sentence) { #name, #unit, sentence },
#define SHARD_COUNTER(name, unit, sentence) { #name, #unit, sentence },
#define GAUGE(name, unit, sentence) { #name, #unit, sentence },
#define FIXED(name, value, sentence) { #name, "always " value, sentence },
static const struct entry statistics[] = {
#if __has_include("base/counter.def")
#include "base/counter.def"
#endif
	{ NULL, NULL, NULL },
};

static const struct entry leases[] = {
#if __has_include("base/lease_counter.def")
#include "base/lease_counter.def"
#endif
	{ NULL, NULL, NULL },
};

/* `commands` is NULL for a flag that all of them know. */
#define ALL NULL
#define META(letter, kind, commands, sentence) { #letter, commands, sentence },
static const struct {
	const char *letter; /* in quotes */
	const char *commands;
	const char *sentence;
} flags[] = {
#if __has_include("proto/meta.def")
#include "proto/meta.def"
#endif
	{ NULL, NULL, NULL },
};

static void
print_commands(void)
{
	for (const struct entry *e = commands; e->name != NULL; e++) {
		printf(".TP\n\\fB");
		print_plain(e->name);
		printf("\\fR\n");
		print_sentence(e->sentence);
	}
}

/* Units are written in capitals in the table, and small here. */
static void
print_unit(const char *unit)
{
	for (; *unit != '\0'; unit++)
		putchar(
		    *unit >= 'A' && *unit <= 'Z' ? *unit + 'a' - 'A' : *unit);
}

static void
print_counters(const struct entry *e)
{
	for (; e->name != NULL; e++) {
		printf(".TP\n\\fB");
		print_plain(e->name);
		printf("\\fR (");
		print_unit(e->unit);
		printf(")\n");
		print_sentence(e->sentence);
	}
}

static void
print_statistics(void)
{
	print_counters(statistics);
}

static void
print_leases(void)
{
	print_counters(leases);
}

/* Of the letters in `commands` each stands for one: m and it. */
static void
print_flags(void)
{
	for (size_t i = 0; flags[i].letter != NULL; i++) {
		printf(".TP\n\\fB%c\\fR", flags[i].letter[1]);
		for (const char *c = flags[i].commands; c && *c != '\0'; c++)
			printf("%s\\fBm%c\\fR",
			    c == flags[i].commands ? " (" : ", ", *c);
		puts(flags[i].commands != NULL ? ")" : "");
		print_sentence(flags[i].sentence);
	}
}

/* ---- The prose ----------------------------------------------------------- */

static const struct {
	const char *line;
	void (*print)(void);
} places[] = {
	{ "@OPTIONS@\n", print_options },
	{ "@IGNORED@\n", print_ignored },
	{ "@REFUSED@\n", print_refused },
	{ "@COMMANDS@\n", print_commands },
	{ "@FLAGS@\n", print_flags },
	{ "@STATISTICS@\n", print_statistics },
	{ "@LEASES@\n", print_leases },
};

static bool
print_place(const char *line)
{
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (strcmp(line, places[i].line) == 0) {
			places[i].print();
			return true;
		}
	}
	return false;
}

static void
print_prose(const char *line)
{
	static const struct {
		const char *word;
		const char *text;
	} words[] = {
		{ "@VERSION@", PACKAGE_VERSION },
		{ "@WIRE_VERSION@", OPTION_WIRE_VERSION },
	};

	while (*line != '\0') {
		bool found = false;

		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
			size_t n = strlen(words[i].word);

			if (strncmp(line, words[i].word, n) != 0)
				continue;
			fputs(words[i].text, stdout);
			line += n;
			found = true;
		}
		if (!found)
			putchar(*line++);
	}
}

int
main(int argc, char **argv)
{
	char line[LINE_MAX_LEN];
	FILE *in;

	if (argc != 2) {
		fprintf(stderr, "usage: mkdoc prose.in >page\n");
		return 1;
	}
	in = fopen(argv[1], "r");
	if (in == NULL) {
		perror(argv[1]);
		return 1;
	}
	while (fgets(line, sizeof(line), in) != NULL) {
		if (!print_place(line))
			print_prose(line);
	}
	fclose(in);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		perror("mkdoc: standard output");
		return 1;
	}
	return 0;
}
