/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_command.c - the table of commands.
 */
#include "config.h"

#include "proto/command.h"

#include <stdlib.h>
#include <string.h>

#include "rng.h"
#include "unit.h"

static const struct row {
	const char *name;
	unsigned flags;
	enum step (*run)(struct exec *x, struct request *req);
} rows[] = {
#define COMMAND(name, flags, handler, usage, text) { #name, flags, handler },
#include "proto/command.def"
#undef COMMAND
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

/* Looks up a name in a block of its size: no byte behind it is read. */
static const struct command *
find(const char *name, size_t len)
{
	char *copy = malloc(len + (len == 0));
	const struct command *c;

	REQUIRE(copy != NULL);
	memcpy(copy, name, len);
	c = command_find(copy, len);
	free(copy);
	return c;
}

static bool
is_a_name(const char *name, size_t len)
{
	for (size_t i = 0; i < ROWS; i++)
		if (strlen(rows[i].name) == len &&
		    memcmp(rows[i].name, name, len) == 0)
			return true;
	return false;
}

/* A text is found if and only if it is a name. */
static void
is_found_rightly(const char *name, size_t len)
{
	const struct command *c = find(name, len);

	unit_note("'%.*s'", (int)len, name);
	CHECK_EQ(c != NULL, is_a_name(name, len));
	if (c != NULL)
		CHECK(c->len == len && memcmp(c->name, name, len) == 0);
}

static void
every_row_is_found_by_its_name(void)
{
	command_start();
	for (size_t i = 0; i < ROWS; i++) {
		const struct command *c = find(rows[i].name,
		    strlen(rows[i].name));

		unit_note("%s", rows[i].name);
		REQUIRE(c != NULL);
		CHECK_STR(c->name, rows[i].name);
		CHECK_EQ(c->len, strlen(rows[i].name));
		CHECK_EQ(c->flags, rows[i].flags);
		CHECK(c->run == rows[i].run);
	}
}

static void
the_lookup_can_be_built_again(void)
{
	command_start();
	command_start();
	CHECK(find("get", 3) != NULL);
	CHECK(find("debugtime", 9) != NULL);
}

static void
a_name_with_a_letter_changed_is_not_found(void)
{
	command_start();
	for (size_t i = 0; i < ROWS; i++) {
		size_t len = strlen(rows[i].name);
		char name[32];

		for (size_t at = 0; at < len; at++)
			for (int c = 0; c < 256; c++) {
				memcpy(name, rows[i].name, len);
				name[at] = (char)c;
				is_found_rightly(name, len);
			}
	}
}

static void
a_name_with_a_letter_more_or_less_is_not_found(void)
{
	command_start();
	for (size_t i = 0; i < ROWS; i++) {
		size_t len = strlen(rows[i].name);
		char name[32];

		for (size_t at = 0; at < len; at++) {
			memcpy(name, rows[i].name, at);
			memcpy(name + at, rows[i].name + at + 1, len - at - 1);
			is_found_rightly(name, len - 1);
		}
		for (size_t at = 0; at <= len; at++)
			for (int c = 0; c < 256; c++) {
				memcpy(name, rows[i].name, at);
				name[at] = (char)c;
				memcpy(name + at + 1, rows[i].name + at,
				    len - at);
				is_found_rightly(name, len + 1);
			}
	}
}

static void
short_and_long_texts_are_not_found(void)
{
	char name[5000];

	command_start();
	CHECK(find("", 0) == NULL);
	for (int c = 0; c < 256; c++) {
		name[0] = (char)c;
		CHECK(find(name, 1) == NULL);
	}
	memset(name, 'g', sizeof(name));
	memcpy(name, "get", 3);
	for (size_t len = 4; len < sizeof(name); len += 97)
		CHECK(find(name, len) == NULL);
	CHECK(find("get\0", 4) == NULL);
	CHECK(find("\0get", 4) == NULL);
}

static void
two_letters_are_enough_for_a_name_of_two(void)
{
	char name[2];

	command_start();
	for (int a = 0; a < 256; a++)
		for (int b = 0; b < 256; b++) {
			name[0] = (char)a;
			name[1] = (char)b;
			is_found_rightly(name, 2);
		}
}

static void
random_texts_are_not_found(void)
{
	struct rng r = rng_start("names", 25);

	command_start();
	for (int i = 0; i < 200000; i++) {
		char name[20];
		size_t len = 2 + rng_below(&r, 14);

		for (size_t k = 0; k < len; k++)
			name[k] = "aceghimnorstuvw_"[rng_below(&r, 16)];
		is_found_rightly(name, len);
	}
}

UNIT("command", TEST(every_row_is_found_by_its_name),
    TEST(the_lookup_can_be_built_again),
    TEST(a_name_with_a_letter_changed_is_not_found),
    TEST(a_name_with_a_letter_more_or_less_is_not_found),
    TEST(short_and_long_texts_are_not_found),
    TEST(two_letters_are_enough_for_a_name_of_two),
    TEST(random_texts_are_not_found))
