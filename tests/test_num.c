/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_num.c - decimal numbers as they stand on the wire.
 */
#include "config.h"

#include "base/num.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "rng.h"
#include "unit.h"

/* Never a result of the tests below. */
#define UNTOUCHED 4711

static void
strict_is(const char *text, uint64_t want)
{
	uint64_t n = UNTOUCHED;

	unit_note("%s", text);
	CHECK(num_strict(text, strlen(text), UINT64_MAX, &n));
	CHECK(n == want);
}

static void
strict_refuses(const char *text, size_t len)
{
	uint64_t n;

	unit_note("%.*s", (int)len, text);
	CHECK(!num_strict(text, len, UINT64_MAX, &n));
}

static void
digits_are_a_number(void)
{
	strict_is("0", 0);
	strict_is("7", 7);
	strict_is("10", 10);
	strict_is("4294967295", UINT32_MAX);
	strict_is("4294967296", (uint64_t)UINT32_MAX + 1);
	strict_is("9223372036854775808", (uint64_t)INT64_MAX + 1);
	strict_is("18446744073709551614", UINT64_MAX - 1);
	strict_is("18446744073709551615", UINT64_MAX);
}

static void
leading_zeros_do_not_count(void)
{
	strict_is("00", 0);
	strict_is("0000000000000000000000000000000000000000000000042", 42);
	strict_is("000018446744073709551615", UINT64_MAX);
}

static void
what_is_larger_than_64_bits_is_refused(void)
{
	strict_refuses("18446744073709551616", 20);
	strict_refuses("18446744073709551620", 20);
	strict_refuses("18446744073709551700", 20);
	strict_refuses("28446744073709551615", 20);
	strict_refuses("99999999999999999999", 20);
	strict_refuses("184467440737095516150", 21);
	strict_refuses("00018446744073709551616", 23);
}

static void
anything_but_digits_is_refused(void)
{
	static const char *const bad[] = { "", " ", " 1", "1 ", "+1", "-1",
		"1.0", "1e3", "0x10", "a", "1a", "a1", "1\n", "1\r", "\t1",
		"--1", "/", ":", "1/", "1:", "\xb1", "\x80" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		strict_refuses(bad[i], strlen(bad[i]));
	strict_refuses("1\0", 2);
	strict_refuses("\0", 1);
}

static void
a_limit_is_the_largest_that_is_taken(void)
{
	uint64_t n;

	CHECK(num_strict("255", 3, 255, &n));
	CHECK_EQ(n, 255);
	CHECK(!num_strict("256", 3, 255, &n));
	CHECK(num_strict("0", 1, 0, &n));
	CHECK_EQ(n, 0);
	CHECK(!num_strict("1", 1, 0, &n));
	CHECK(!num_loose("+256", 4, 255, &n));
	CHECK(num_loose("+255", 4, 255, &n));
}

static void
the_length_says_where_a_number_ends(void)
{
	uint64_t n;
	int64_t i;

	CHECK(num_strict("123x", 2, UINT64_MAX, &n));
	CHECK_EQ(n, 12);
	CHECK(num_loose("+123", 2, UINT64_MAX, &n));
	CHECK_EQ(n, 1);
	CHECK(num_signed("-123", 3, INT64_MIN, INT64_MAX, &i));
	CHECK_EQ(i, -12);
}

static void
loose_takes_one_plus(void)
{
	static const char *const bad[] = { "", "+", "-", "++1", "+-1", "-+1",
		"-1", "+ 1", " +1", "1+", "+18446744073709551616" };
	uint64_t n;

	CHECK(num_loose("+5", 2, UINT64_MAX, &n));
	CHECK_EQ(n, 5);
	CHECK(num_loose("5", 1, UINT64_MAX, &n));
	CHECK_EQ(n, 5);
	CHECK(num_loose("+18446744073709551615", 21, UINT64_MAX, &n));
	CHECK(n == UINT64_MAX);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		unit_note("%s", bad[i]);
		CHECK(!num_loose(bad[i], strlen(bad[i]), UINT64_MAX, &n));
	}
}

static void
signed_is(const char *text, int64_t want)
{
	int64_t n = UNTOUCHED;

	unit_note("%s", text);
	CHECK(num_signed(text, strlen(text), INT64_MIN, INT64_MAX, &n));
	CHECK_EQ(n, want);
}

static void
signed_takes_one_sign(void)
{
	static const char *const bad[] = { "", "+", "-", "--1", "-+1", "+-1",
		"++1", "- 1", " -1", "1-", "-1-", "9223372036854775808",
		"+9223372036854775808", "-9223372036854775809",
		"-18446744073709551615", "-18446744073709551616" };
	int64_t n;

	signed_is("0", 0);
	signed_is("-0", 0);
	signed_is("+0", 0);
	signed_is("+17", 17);
	signed_is("-17", -17);
	signed_is("-00017", -17);
	signed_is("9223372036854775807", INT64_MAX);
	signed_is("+9223372036854775807", INT64_MAX);
	signed_is("-9223372036854775807", -INT64_MAX);
	signed_is("-9223372036854775808", INT64_MIN);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		unit_note("%s", bad[i]);
		CHECK(!num_signed(bad[i], strlen(bad[i]), INT64_MIN, INT64_MAX,
		    &n));
	}
}

static void
signed_keeps_to_its_range(void)
{
	int64_t n;

	CHECK(num_signed("-5", 2, -5, 5, &n));
	CHECK(!num_signed("-6", 2, -5, 5, &n));
	CHECK(num_signed("5", 1, -5, 5, &n));
	CHECK(!num_signed("6", 1, -5, 5, &n));
	CHECK(num_signed("-2147483648", 11, INT32_MIN, UINT32_MAX, &n));
	CHECK_EQ(n, INT32_MIN);
	CHECK(!num_signed("-2147483649", 11, INT32_MIN, UINT32_MAX, &n));
	CHECK(num_signed("4294967295", 10, INT32_MIN, UINT32_MAX, &n));
	CHECK_EQ(n, UINT32_MAX);
	CHECK(!num_signed("4294967296", 10, INT32_MIN, UINT32_MAX, &n));
}

static void
prints_as(uint64_t n)
{
	char want[32], got[NUM_MAX];
	int len = snprintf(want, sizeof(want), "%" PRIu64, n);

	unit_note("%s", want);
	CHECK_EQ(num_print(got, n), len);
	CHECK(memcmp(got, want, (size_t)len) == 0);
}

static void
numbers_print_as_they_are_read(void)
{
	struct rng r = rng_start("print", 1);
	uint64_t power = 1;

	prints_as(0);
	prints_as(UINT64_MAX);
	for (int digits = 0; digits < 19; digits++) {
		power *= 10;
		prints_as(power - 1);
		prints_as(power);
		prints_as(power + 1);
	}
	for (uint64_t n = 0; n < 1200; n++)
		prints_as(n);
	for (int i = 0; i < 100000; i++) {
		uint64_t n = rng_any(&r, 64), back;
		char text[NUM_MAX];
		size_t len = num_print(text, n);

		REQUIRE(num_strict(text, len, UINT64_MAX, &back));
		REQUIRE(back == n);
	}
}

static void
printing_writes_the_digits_and_nothing_more(void)
{
	char text[NUM_MAX + 1];

	memset(text, '#', sizeof(text));
	CHECK_EQ(num_print(text, 5), 1);
	CHECK_BYTES(text, 3, "5##");
	CHECK_EQ(num_print(text, 1234567), 7);
	CHECK_BYTES(text, 9, "1234567##");
	CHECK_EQ(num_print(text, UINT64_MAX), NUM_MAX);
	CHECK_BYTES(text, 21, "18446744073709551615#");
}

UNIT("num", TEST(digits_are_a_number), TEST(leading_zeros_do_not_count),
    TEST(what_is_larger_than_64_bits_is_refused),
    TEST(anything_but_digits_is_refused),
    TEST(a_limit_is_the_largest_that_is_taken),
    TEST(the_length_says_where_a_number_ends), TEST(loose_takes_one_plus),
    TEST(signed_takes_one_sign), TEST(signed_keeps_to_its_range),
    TEST(numbers_print_as_they_are_read),
    TEST(printing_writes_the_digits_and_nothing_more))
