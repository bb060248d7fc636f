/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * option_value.c - from the text of an option to its field, and back.
 *
 * Whole numbers are read as atoi() reads them unless their row says STRICT:
 * `-p x` is port 0, as it is with memcached.
 */
#include "config.h"

#include "option_parse.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/num.h"

static void *
field_of(const struct option_row *row, struct options *o)
{
	return (char *)o + row->offset;
}

static const void *
field_in(const struct option_row *row, const struct options *o)
{
	return (const char *)o + row->offset;
}

/* Fails with memcached's own message: `text` goes where it says %s. */
static bool
fail_in_their_words(struct option_parse *p, const struct option_row *row,
    const char *message, const char *text)
{
	const char *gap = strstr(message, "%s");
	int status = row->status != 0 ? row->status : OPTION_EXIT_BAD;

	if (gap == NULL)
		return option_fail(p, status, "%s", message);
	return option_fail(p, status, "%.*s%s%s", (int)(gap - message), message,
	    text, gap + 2);
}

static bool
fail_unparsed(struct option_parse *p, const struct option_row *row,
    const char *text)
{
	if (row->too_low != NULL)
		return fail_in_their_words(p, row, row->too_low, text);
	return option_fail(p, OPTION_EXIT_BAD, "could not parse argument to %s",
	    row->name);
}

static bool
fail_outside(struct option_parse *p, const struct option_row *row,
    const char *text, bool high)
{
	const char *message = high ? row->too_high : row->too_low;
	char label[OPTION_LABEL_MAX];

	if (message != NULL)
		return fail_in_their_words(p, row, message, text);
	return option_fail(p, row->status != 0 ? row->status : OPTION_EXIT_BAD,
	    "leasecached: option %s needs %s from %ld to %ld, not '%s'",
	    option_label(row, label),
	    row->power_of_two ? "a power of two" : "a number", row->min,
	    row->max, text);
}

/* A whole number within the limits of the row. */
static bool
whole_number(struct option_parse *p, const struct option_row *row,
    const char *text, bool checked, long *out)
{
	char *end;
	long v;

	errno = 0;
	v = strtol(text, &end, 10);
	if (row->strict && (end == text || *end != '\0' || errno != 0))
		return fail_unparsed(p, row, text);
	if (checked && (row->min != 0 || row->max != 0)) {
		if (v < row->min)
			return fail_outside(p, row, text, false);
		if (v > row->max)
			return fail_outside(p, row, text, true);
	}
	*out = v;
	return true;
}

static bool
set_number(struct option_parse *p, const struct option_row *row,
    const char *text, bool checked)
{
	long v;

	if (!whole_number(p, row, text, checked, &v))
		return false;
	if (v > INT_MAX)
		v = INT_MAX;
	if (v < INT_MIN)
		v = INT_MIN;
	*(int *)field_of(row, p->o) = (int)v;
	return true;
}

bool
option_read_u32(const char *text, long min, long max, uint32_t *out)
{
	uint64_t v;

	if (!num_strict(text, strlen(text), (uint64_t)max, &v) ||
	    v < (uint64_t)min)
		return false;
	*out = (uint32_t)v;
	return true;
}

static bool
set_uint(struct option_parse *p, const struct option_row *row, const char *text)
{
	uint32_t v;

	if (!option_read_u32(text, row->min, row->max, &v) ||
	    (row->power_of_two && (v & (v - 1)) != 0))
		return fail_outside(p, row, text, false);
	*(uint32_t *)field_of(row, p->o) = v;
	return true;
}

/* Negative amounts count as none; too large ones as the largest. */
static bool
set_amount(struct option_parse *p, const struct option_row *row,
    const char *text, bool checked)
{
	size_t unit = row->unit != 0 ? row->unit : 1;
	size_t most = SSIZE_MAX / unit;
	size_t n;
	long v;

	if (!whole_number(p, row, text, checked, &v))
		return false;
	if (v < 0 && row->strict)
		return fail_unparsed(p, row, text);
	n = v < 0 ? 0 : (size_t)v;
	*(size_t *)field_of(row, p->o) = (n > most ? most : n) * unit;
	return true;
}

/* A number of bytes; one k or m at the end multiplies.  Limits: see option.c */
static void
set_size(struct option_parse *p, const struct option_row *row, const char *text)
{
	size_t len = strlen(text);
	int last = len == 0 ? 0 : tolower((unsigned char)text[len - 1]);
	size_t unit = last == 'k' ? 1024 : last == 'm' ? 1024 * 1024 : 1;
	long v = strtol(text, NULL, 10);
	size_t n = v < 0 ? 0 : (size_t)v;
	size_t most = SSIZE_MAX / unit;

	*(size_t *)field_of(row, p->o) = (n > most ? most : n) * unit;
}

static bool
set_fraction(struct option_parse *p, const struct option_row *row,
    const char *text, bool checked)
{
	char *end;
	double v = strtod(text, &end);

	if (row->strict && (end == text || *end != '\0'))
		return fail_unparsed(p, row, text);
	/* written so that "nan" fails, too */
	if (checked && row->between &&
	    !(v > row->low && (row->high == 0 || v < row->high)))
		return fail_outside(p, row, text, false);
	*(double *)field_of(row, p->o) = v;
	return true;
}

static bool
set_octal(struct option_parse *p, const struct option_row *row,
    const char *text)
{
	char *end;
	unsigned long v = strtoul(text, &end, 8);
	char label[OPTION_LABEL_MAX];

	if (!isdigit((unsigned char)*text) || *end != '\0' || v > 0777)
		return option_fail(p, OPTION_EXIT_BAD,
		    "leasecached: option %s needs an octal access mask from 0 "
		    "to 777, not '%s'",
		    option_label(row, label), text);
	*(mode_t *)field_of(row, p->o) = (mode_t)v;
	return true;
}

static bool
set_text(struct option_parse *p, const struct option_row *row, const char *text)
{
	char **field = field_of(row, p->o);
	char *copy = strdup(text);

	if (copy == NULL)
		return option_fail_memory(p);
	free(*field);
	*field = copy;
	return true;
}

static bool
fits_key(char c)
{
	return isgraph((unsigned char)c) || (unsigned char)c >= 0x80;
}

bool
option_fits_key(const char *text)
{
	while (fits_key(*text))
		text++;
	return *text == '\0';
}

static bool
set_key_part(struct option_parse *p, const struct option_row *row,
    const char *text)
{
	char label[OPTION_LABEL_MAX];
	long len = (long)strlen(text);

	if (len < row->min || len > row->max || !option_fits_key(text))
		return option_fail(p, OPTION_EXIT_BAD,
		    "leasecached: option %s needs %ld to %ld bytes that can be "
		    "in a key",
		    option_label(row, label), row->min, row->max);
	return set_text(p, row, text);
}

/* A blank can't be in a key, and would break the line of `stats settings`. */
static bool
set_letter(struct option_parse *p, const struct option_row *row,
    const char *text)
{
	char label[OPTION_LABEL_MAX];

	if (*text == '\0')
		return option_fail(p, OPTION_EXIT_BAD, "%s", row->absent);
	if (row->strict && text[1] != '\0')
		return option_fail(p, OPTION_EXIT_BAD,
		    "leasecached: option %s needs one character, not '%s'",
		    option_label(row, label), text);
	if (!fits_key(*text))
		return option_fail(p, OPTION_EXIT_BAD,
		    "leasecached: option %s needs a character that can be in "
		    "a key",
		    option_label(row, label));
	*(char *)field_of(row, p->o) = *text;
	return true;
}

static bool
set_protocol(struct option_parse *p, const struct option_row *row,
    const char *text)
{
	enum option_protocol *field = field_of(row, p->o);

	if (strcmp(text, "auto") == 0)
		*field = PROTOCOL_AUTO;
	else if (strcmp(text, "ascii") == 0)
		*field = PROTOCOL_ASCII;
	else if (strcmp(text, "binary") == 0)
		return option_fail(p, row->status,
		    "leasecached: option -B binary is refused: "
		    "the binary protocol is not spoken");
	else
		return option_fail(p, row->status,
		    "Invalid value for binding protocol: %s"
		    " -- should be one of auto, binary, or ascii",
		    text);
	return true;
}

static bool
check_hash(struct option_parse *p, const char *text)
{
	if (strcmp(text, "jenkins") == 0 || strcmp(text, "murmur3") == 0 ||
	    strcmp(text, "xxh3") == 0)
		return true;
	return option_fail(p, OPTION_EXIT_BAD,
	    "Unknown hash_algorithm option (jenkins, murmur3, xxh3)");
}

/* An option given turns its default round; `no_word` brings "no" as text. */
static void
set_flag(struct option_parse *p, const struct option_row *row, const char *text)
{
	bool on = row->preset == NULL || row->is_word;

	if (text != NULL)
		on = strcmp(text, "yes") == 0;
	*(bool *)field_of(row, p->o) = on;
}

bool
option_set(struct option_parse *p, const struct option_row *row,
    const char *text, bool checked)
{
	switch (row->type) {
	case OPTION_FLAG:
		set_flag(p, row, text);
		return true;
	case OPTION_COUNT:
		++*(int *)field_of(row, p->o);
		return true;
	case OPTION_NUMBER:
		return set_number(p, row, text, checked);
	case OPTION_UINT:
		return set_uint(p, row, text);
	case OPTION_AMOUNT:
		return set_amount(p, row, text, checked);
	case OPTION_SIZE:
		set_size(p, row, text);
		return true;
	case OPTION_FRACTION:
		return set_fraction(p, row, text, checked);
	case OPTION_OCTAL:
		return set_octal(p, row, text);
	case OPTION_TEXT:
		return set_text(p, row, text);
	case OPTION_LETTER:
		return set_letter(p, row, text);
	case OPTION_KEY_PART:
		return set_key_part(p, row, text);
	case OPTION_PROTOCOL:
		return set_protocol(p, row, text);
	case OPTION_LISTEN:
		return option_listen(p, text);
	case OPTION_COALESCE:
		return option_rule(p, text);
	case OPTION_FAULT:
		return option_fault(p, text);
	case OPTION_HASH:
		return check_hash(p, text);
	default:
		return true;
	}
}

static const char *
show_flag(const struct option_row *row, bool on)
{
	if (row->on_off)
		return on ? "on" : "off";
	return on ? "yes" : "no";
}

static const char *
show_text(const char *text)
{
	return text == NULL || *text == '\0' ? "NULL" : text;
}

const char *
option_show(const struct option_row *row, const struct options *o,
    char buf[OPTION_VALUE_MAX])
{
	const void *field = field_in(row, o);

	buf[0] = '\0';
	switch (row->type) {
	case OPTION_FLAG:
		return show_flag(row, *(const bool *)field);
	case OPTION_COUNT:
	case OPTION_NUMBER:
		snprintf(buf, OPTION_VALUE_MAX, "%d", *(const int *)field);
		return buf;
	case OPTION_AMOUNT:
	case OPTION_SIZE:
		snprintf(buf, OPTION_VALUE_MAX, "%zu", *(const size_t *)field);
		return buf;
	case OPTION_FRACTION:
		snprintf(buf, OPTION_VALUE_MAX, "%.*f",
		    row->decimals != 0 ? row->decimals : 2,
		    *(const double *)field);
		return buf;
	case OPTION_OCTAL:
		snprintf(buf, OPTION_VALUE_MAX, "%o", *(const mode_t *)field);
		return buf;
	case OPTION_TEXT:
		return show_text(*(char *const *)field);
	case OPTION_LETTER:
		snprintf(buf, OPTION_VALUE_MAX, "%c", *(const char *)field);
		return buf;
	case OPTION_PROTOCOL:
		return *(const enum option_protocol *)field == PROTOCOL_ASCII ?
		    "ascii" :
		    "auto-negotiate";
	default:
		return buf;
	}
}
