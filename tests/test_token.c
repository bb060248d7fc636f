/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_token.c - the words of a request line.
 */
#include "config.h"

#include "proto/token.h"

#include <stdlib.h>

#include "rng.h"
#include "unit.h"

/* Splits a text; the words come back with one `|` behind each. */
static const char *
words(const char *line, size_t len)
{
	static char text[256];
	struct token t[TOKEN_MAX];
	size_t n = token_split(t, line, len), used = 0;

	for (size_t i = 0; i < n; i++) {
		memcpy(text + used, t[i].p, t[i].len);
		used += t[i].len;
		text[used++] = '|';
	}
	text[used] = '\0';
	return text;
}

#define WORDS(literal) words(literal, sizeof(literal) - 1)

static void
words_are_split_at_spaces(void)
{
	CHECK_STR(WORDS("get"), "get|");
	CHECK_STR(WORDS("get a"), "get|a|");
	CHECK_STR(WORDS("set key 0 0 5"), "set|key|0|0|5|");
}

static void
any_number_of_spaces_is_one(void)
{
	CHECK_STR(WORDS(""), "");
	CHECK_STR(WORDS("    "), "");
	CHECK_STR(WORDS("  get   a "), "get|a|");
	CHECK_STR(WORDS("get a    "), "get|a|");
}

static void
every_other_byte_belongs_to_a_word(void)
{
	struct token t[TOKEN_MAX];

	CHECK_STR(WORDS("get\ta\tb\r c\x01"), "get\ta\tb\r|c\x01|");
	CHECK_STR(WORDS("a\xff\x80 b"), "a\xff\x80|b|");
	CHECK_EQ(token_split(t, "a\0b c", 5), 2);
	CHECK_EQ(t[0].len, 3);
}

static void
tokens_point_into_the_line(void)
{
	static const char line[] = "set  key 0";
	struct token t[TOKEN_MAX];

	CHECK_EQ(token_split(t, line, sizeof(line) - 1), 3);
	CHECK(t[0].p == line);
	CHECK(t[1].p == line + 5);
	CHECK(t[2].p == line + 9);
}

static void
the_length_says_where_the_line_ends(void)
{
	CHECK_STR(words("get abc def", 7), "get|abc|");
	CHECK_STR(words("get abc def", 6), "get|ab|");
	CHECK_STR(words("get abc def", 4), "get|");
	CHECK_STR(words("get abc def", 0), "");
}

static void
a_line_of_too_many_words_is_capped(void)
{
	struct token t[TOKEN_MAX + 1] = { { NULL, 0 } };
	char line[2 * (TOKEN_MAX + 6)];

	for (int i = 0; i < TOKEN_MAX + 6; i++) {
		line[2 * i] = (char)('a' + i % 26);
		line[2 * i + 1] = ' ';
	}
	CHECK_EQ(token_split(t, line, sizeof(line)), TOKEN_MAX);
	CHECK(t[TOKEN_MAX].p == NULL);
	CHECK_EQ(token_split(t, line, 2 * TOKEN_MAX), TOKEN_MAX);
	CHECK_EQ(token_split(t, line, 2 * TOKEN_MAX - 2), TOKEN_MAX - 1);
	CHECK_EQ(*token_last(line, sizeof(line)).p, 'a' + (TOKEN_MAX + 5) % 26);
}

static void
one_word_after_the_other_can_be_had(void)
{
	static const char line[] = " a bc  ";
	const char *at = line, *end = line + sizeof(line) - 1;
	struct token t = token_next(&at, end);

	CHECK_BYTES(t.p, t.len, "a");
	CHECK(at == line + 2);
	t = token_next(&at, end);
	CHECK_BYTES(t.p, t.len, "bc");
	for (int i = 0; i < 3; i++) {
		t = token_next(&at, end);
		CHECK_EQ(t.len, 0);
		CHECK(at == end);
	}
}

static void
the_last_word_is_that_before_the_blanks(void)
{
	static const char *const line[][2] = { { "", "" }, { "   ", "" },
		{ "a", "a" }, { "  a", "a" }, { "get a noreply", "noreply" },
		{ "get a noreply  ", "noreply" } };

	for (size_t i = 0; i < sizeof(line) / sizeof(line[0]); i++) {
		struct token t = token_last(line[i][0], strlen(line[i][0]));

		unit_note("'%s'", line[i][0]);
		CHECK_EQ(t.len, strlen(line[i][1]));
		CHECK(memcmp(t.p, line[i][1], t.len) == 0);
	}
}

static void
a_token_is_a_literal_or_it_is_not(void)
{
	struct token t = { "noreply!", 7 };

	CHECK(TOKEN_IS(t, "noreply"));
	CHECK(!TOKEN_IS(t, "norepl"));
	CHECK(!TOKEN_IS(t, "noreply!"));
	CHECK(!TOKEN_IS(t, "nOreply"));
}

/* In a block of the line's size: a sanitizer sees a read behind it. */
static void
any_line_is_split_as_its_last_word_says(void)
{
	struct rng r = rng_start("lines", 24);

	for (int i = 0; i < 100000; i++) {
		struct token t[TOKEN_MAX], last;
		size_t len = rng_below(&r, 40), n;
		char *line = malloc(len + (len == 0));

		REQUIRE(line != NULL);
		for (size_t k = 0; k < len; k++)
			line[k] = "  ab\r"[rng_below(&r, 5)];
		n = token_split(t, line, len);
		last = token_last(line, len);
		if (n == 0)
			REQUIRE(last.len == 0);
		else if (n < TOKEN_MAX)
			REQUIRE(
			    last.p == t[n - 1].p && last.len == t[n - 1].len);
		free(line);
	}
}

UNIT("token", TEST(words_are_split_at_spaces),
    TEST(any_number_of_spaces_is_one), TEST(every_other_byte_belongs_to_a_word),
    TEST(tokens_point_into_the_line), TEST(the_length_says_where_the_line_ends),
    TEST(a_line_of_too_many_words_is_capped),
    TEST(one_word_after_the_other_can_be_had),
    TEST(the_last_word_is_that_before_the_blanks),
    TEST(a_token_is_a_literal_or_it_is_not),
    TEST(any_line_is_split_as_its_last_word_says))
