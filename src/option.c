/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * option.c - the command line, read by getopt_long().
 *
 * getopt_long() is silent here (opterr is 0) and this file says what was
 * wrong, so that an error is one line.  Warnings wait until all is read: a
 * command line that ends in an error, or in -h, prints nothing else.
 */
#include "config.h"

#include "option.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "option_parse.h"

enum {
	/* getopt_long() returns this plus the number of the row */
	LONG_BASE = 256,
	MANY_THREADS = 64,
	ITEM_SIZE_MIN = 1024,
	ITEM_SIZE_MAX = 1024 * 1024 * 1024,
};

/* What getopt_long() wants, made from the rows. */
struct grammar {
	char letters[2 * 128 + 2];
	struct option *words; /* ends with a row of zeros */
};

/* ---- What the other option_*.c files use --------------------------------- */

bool
option_fail(struct option_parse *p, int status, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vfprintf(p->err, format, ap);
	va_end(ap);
	fputc('\n', p->err);
	p->o->exit_status = status;
	return false;
}

bool
option_fail_memory(struct option_parse *p)
{
	return option_fail(p, OPTION_EXIT_OS,
	    "leasecached: out of memory while reading the options");
}

const char *
option_label(const struct option_row *row, char buf[OPTION_LABEL_MAX])
{
	if (row->is_word)
		snprintf(buf, OPTION_LABEL_MAX, "-o %s", row->name);
	else
		snprintf(buf, OPTION_LABEL_MAX, "-%c", row->letter);
	return buf;
}

/* ---- One option ---------------------------------------------------------- */

static void
note_ignored(struct option_parse *p, const struct option_row *row, bool negated)
{
	char buf[OPTION_VALUE_MAX];

	if (row->ignored == NULL)
		return;
	if (row->unless != NULL &&
	    strcmp(row->unless, option_show(row, p->o, buf)) == 0)
		return;
	for (size_t i = 0; i < p->n_ignored; i++) {
		if (p->ignored[i].row == row)
			return;
	}
	p->ignored[p->n_ignored].row = row;
	p->ignored[p->n_ignored].negated = negated;
	p->n_ignored++;
}

static bool
take_value(struct option_parse *p, const struct option_row *row,
    const char *text, bool negated)
{
	if (!option_set(p, row, text, true))
		return false;
	note_ignored(p, row, negated);
	return true;
}

static bool
matches(const struct option_row *row, const char *word)
{
	size_t n = strlen(row->name);

	if (row->name[n - 1] == '*')
		return strncmp(row->name, word, n - 1) == 0;
	return strcmp(row->name, word) == 0;
}

/* The row of a word of -o; *negated when it is the `no_` form. */
static const struct option_row *
find_word(const char *word, bool *negated)
{
	for (size_t i = 0; i < option_nrows; i++) {
		const struct option_row *row = &option_rows[i];

		if (!row->is_word)
			continue;
		*negated = false;
		if (matches(row, word))
			return row;
		*negated = true;
		if (row->negatable && strncmp(word, "no_", 3) == 0 &&
		    matches(row, word + 3))
			return row;
	}
	return NULL;
}

/* One `word` or `word=value`; cuts it in two. */
static bool
take_word(struct option_parse *p, char *word)
{
	char *value = strchr(word, '=');
	const struct option_row *row;
	bool negated;

	if (value != NULL)
		*value = '\0';
	row = find_word(word, &negated);
	if (value != NULL)
		*value = '=';
	if (row == NULL && p->in_rule && option_is_rule_word(word))
		return option_rule_word(p, word);
	if (row == NULL)
		return option_fail(p, OPTION_EXIT_BAD,
		    "Illegal suboption \"%s\"", word);
	if (row->refused != NULL)
		return option_fail(p, row->status,
		    "leasecached: option -o %.*s is refused: %s",
		    (int)strcspn(word, "="), word, row->refused);
	if (negated)
		return take_value(p, row, row->type == OPTION_FLAG ? "no" : "0",
		    true);
	if (row->arg == NULL && row->strict && value != NULL)
		return option_fail(p, OPTION_EXIT_BAD,
		    "leasecached: option -o %s takes no value", row->name);
	if (row->arg == NULL)
		return take_value(p, row, NULL, false);
	if (value != NULL)
		return take_value(p, row, value + 1, false);
	if (row->optional != NULL)
		return take_value(p, row, row->optional, false);
	if (row->absent != NULL)
		return option_fail(p, OPTION_EXIT_BAD, "%s", row->absent);
	return option_fail(p, OPTION_EXIT_BAD, "Missing %s argument",
	    row->name);
}

/*
 * As getsubopt() splits: a comma at the very end begins no further word.  The
 * words of a rule don't go on in the next -o.
 */
static bool
take_words(struct option_parse *p, const char *list)
{
	char *copy = strdup(list);
	char *next = copy;
	bool good = true;

	if (copy == NULL)
		return option_fail_memory(p);
	while (good && *next != '\0') {
		char *word = next;

		next += strcspn(word, ",");
		if (*next == ',')
			*next++ = '\0';
		good = take_word(p, word);
	}
	p->in_rule = false;
	free(copy);
	return good;
}

static enum option_outcome
take_option(struct option_parse *p, const struct option_row *row,
    const char *text)
{
	bool good;

	switch (row->type) {
	case OPTION_HELP:
		option_print_help(p->out);
		return OPTIONS_EXIT;
	case OPTION_VERSION:
		option_print_version(p->out);
		return OPTIONS_EXIT;
	case OPTION_LICENSE:
		option_print_license(p->out);
		return OPTIONS_EXIT;
	default:
		break;
	}
	p->given[(unsigned char)row->letter] = true;
	if (row->refused != NULL)
		good = option_fail(p, row->status,
		    "leasecached: option -%c is refused: %s", row->letter,
		    row->refused);
	else if (row->type == OPTION_WORDS)
		good = take_words(p, text);
	else
		good = take_value(p, row, text, false);
	return good ? OPTIONS_RUN : OPTIONS_ERROR;
}

/* ---- What getopt_long() does not understand ----------------------------- */

/* An unknown or ambiguous long option; `text` is the whole argument. */
static bool
fail_long(struct option_parse *p, const struct grammar *g, const char *text)
{
	size_t n = strcspn(text + 2, "=");
	size_t found = 0;

	for (const struct option *w = g->words; w->name != NULL; w++)
		found += strncmp(w->name, text + 2, n) == 0;
	if (found < 2)
		return option_fail(p, OPTION_EXIT_BAD,
		    "leasecached: unrecognized option '%s'", text);
	fprintf(p->err,
	    "leasecached: option '%s' is ambiguous; possibilities:", text);
	for (const struct option *w = g->words; w->name != NULL; w++) {
		if (strncmp(w->name, text + 2, n) == 0)
			fprintf(p->err, " '--%s'", w->name);
	}
	return option_fail(p, OPTION_EXIT_BAD, "%s", "");
}

static enum option_outcome
fail_getopt(struct option_parse *p, const struct grammar *g, int got,
    const char *text)
{
	if (got == ':' && optopt >= LONG_BASE)
		option_fail(p, OPTION_EXIT_BAD,
		    "leasecached: option '%s' requires an argument", text);
	else if (got == ':')
		option_fail(p, OPTION_EXIT_BAD,
		    "leasecached: option requires an argument -- '%c'", optopt);
	else if (optopt >= LONG_BASE)
		option_fail(p, OPTION_EXIT_BAD,
		    "leasecached: option '--%s' doesn't allow an argument",
		    option_rows[optopt - LONG_BASE].name);
	else if (optopt != 0)
		option_fail(p, OPTION_EXIT_BAD,
		    "leasecached: invalid option -- '%c'", optopt);
	else
		fail_long(p, g, text);
	return OPTIONS_ERROR;
}

/* ---- The whole line ------------------------------------------------------ */

/* The leading colon lets a missing argument be told from a wrong letter. */
static bool
grammar_make(struct grammar *g)
{
	char *c = g->letters;
	size_t n = 0;

	g->words = calloc(option_nrows + 1, sizeof(*g->words));
	if (g->words == NULL)
		return false;
	*c++ = ':';
	for (size_t i = 0; i < option_nrows; i++) {
		const struct option_row *row = &option_rows[i];

		if (row->letter == 0)
			continue;
		*c++ = row->letter;
		if (row->arg != NULL)
			*c++ = ':';
		if (row->name == NULL)
			continue;
		g->words[n].name = row->name;
		g->words[n].has_arg = row->arg != NULL ? required_argument :
							 no_argument;
		g->words[n++].val = LONG_BASE + (int)i;
	}
	*c = '\0';
	return true;
}

static const struct option_row *
row_of(int got)
{
	if (got >= LONG_BASE)
		return &option_rows[got - LONG_BASE];
	for (size_t i = 0; i < option_nrows; i++) {
		if (option_rows[i].letter == got)
			return &option_rows[i];
	}
	return NULL;
}

static enum option_outcome
read_line(struct option_parse *p, const struct grammar *g, int argc,
    char **argv)
{
	enum option_outcome outcome = OPTIONS_RUN;

	optind = 0; /* start anew: there may have been another line before */
	opterr = 0;
	while (outcome == OPTIONS_RUN) {
		int got = getopt_long(argc, argv, g->letters, g->words, NULL);

		if (got == -1)
			break;
		if (got == '?' || got == ':')
			outcome = fail_getopt(p, g, got, argv[optind - 1]);
		else
			outcome = take_option(p, row_of(got), optarg);
	}
	return outcome;
}

/* The limits of -I, with memcached's words. */
static bool
check_item_size(struct option_parse *p)
{
	const struct options *o = p->o;

	if (o->item_size_max < ITEM_SIZE_MIN)
		return option_fail(p, OPTION_EXIT_USAGE,
		    "Item max size cannot be less than 1024 bytes.");
	if (o->item_size_max > o->memory_limit / 2)
		return option_fail(p, OPTION_EXIT_USAGE,
		    "Cannot set item size limit higher than 1/2 of memory "
		    "max.");
	if (o->item_size_max > ITEM_SIZE_MAX)
		return option_fail(p, OPTION_EXIT_USAGE,
		    "Cannot set item size limit higher than a gigabyte.");
	return true;
}

/* What can only be known when all options are read. */
static bool
settle(struct option_parse *p)
{
	struct options *o = p->o;

	o->port_set = p->given['p'];
	if (o->udp_port != 0 && !o->port_set)
		o->port = o->udp_port;
	if (p->given['D'])
		o->detail_enabled = true;
	if (o->hot_lru_pct + o->warm_lru_pct > 80)
		return option_fail(p, OPTION_EXIT_USAGE,
		    "hot_lru_pct + warm_lru_pct cannot be more than 80%% "
		    "combined");
	return check_item_size(p) && option_settle_leases(p);
}

static void
warn(struct option_parse *p, int argc, char **argv)
{
	char label[OPTION_LABEL_MAX];

	for (size_t i = 0; i < p->n_ignored; i++) {
		const struct option_row *row = p->ignored[i].row;

		option_label(row, label);
		if (p->ignored[i].negated)
			snprintf(label, sizeof(label), "-o no_%s", row->name);
		fprintf(p->err,
		    "leasecached: option %s is accepted for compatibility but "
		    "does nothing: %s\n",
		    label, row->ignored);
	}
	if (p->o->threads > MANY_THREADS)
		fprintf(p->err,
		    "leasecached: option -t: %d threads are many; as many as "
		    "there are processors serve best\n",
		    p->o->threads);
	for (int i = optind; i < argc; i++)
		fprintf(p->err, "leasecached: argument '%s' is ignored\n",
		    argv[i]);
}

static bool
set_defaults(struct option_parse *p)
{
	for (size_t i = 0; i < option_nrows; i++) {
		const struct option_row *row = &option_rows[i];

		if (row->preset != NULL &&
		    !option_set(p, row, row->preset, false))
			return false;
	}
	return true;
}

enum option_outcome
options_parse(struct options *o, int argc, char **argv, FILE *out, FILE *err)
{
	struct option_parse p = { .o = o, .out = out, .err = err };
	struct grammar g = { .words = NULL };
	enum option_outcome outcome = OPTIONS_ERROR;

	memset(o, 0, sizeof(*o));
	p.ignored = calloc(option_nrows, sizeof(*p.ignored));
	if (p.ignored == NULL || !grammar_make(&g))
		option_fail_memory(&p);
	else if (set_defaults(&p))
		outcome = read_line(&p, &g, argc, argv);
	if (outcome == OPTIONS_RUN && !settle(&p))
		outcome = OPTIONS_ERROR;
	if (outcome == OPTIONS_RUN)
		warn(&p, argc, argv);
	free(p.ignored);
	free(g.words);
	return outcome;
}

void
options_free(struct options *o)
{
	for (size_t i = 0; i < o->n_listen; i++)
		free(o->listen[i].host);
	free(o->listen);
	for (unsigned i = 0; i < o->lease.rules; i++)
		free((char *)o->coalesce[i].prefix);
	free(o->coalesce);
	free(o->tag_key_prefix);
	free(o->inter);
	free(o->unix_path);
	free(o->user);
	free(o->pidfile);
	memset(o, 0, sizeof(*o));
}
