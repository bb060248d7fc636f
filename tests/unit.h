/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * unit.h - unit tests: CUnit underneath, TAP outside.
 *
 * A test is a static function without arguments, named as a sentence that is
 * true when it passes.  UNIT() at the end of the file lists the tests and is
 * the program; the compiler warns of one that was left out:
 *
 *	static void
 *	an_empty_text_is_no_number(void)
 *	{
 *		uint64_t n;
 *
 *		CHECK(!num_parse_u64("", 0, &n));
 *	}
 *
 *	UNIT("num", TEST(an_empty_text_is_no_number))
 *
 * A failed CHECK is reported and the test goes on; REQUIRE ends the test.
 * CHECK means this one in tests: include unit.h last, since base/check.h has
 * one that aborts.  `tests/test_num empty` runs the tests with "empty" in
 * their names only.
 */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#undef CHECK

/* The condition holds. */
#define CHECK(cond) unit_check((cond), #cond, UNIT_HERE)

/* The condition holds, or there is no point in going on with this test. */
#define REQUIRE(cond) unit_require((cond), #cond, UNIT_HERE)

/* Two integers (or enumerators) are equal; both are evaluated once. */
#define CHECK_EQ(got, want)                                                    \
	unit_check_eq((intmax_t)(got), (intmax_t)(want), #got, UNIT_HERE)

/* Two strings are equal; either may be NULL. */
#define CHECK_STR(got, want) unit_check_str((got), (want), #got, UNIT_HERE)

/* `n` bytes are those of the string literal `want`. */
#define CHECK_BYTES(got, n, want)                                              \
	unit_check_bytes((got), (n), "" want, sizeof(want) - 1, #got, UNIT_HERE)

/* clang-format off */
#define TEST(function) { #function, function }
/* clang-format on */

#define UNIT(name, ...)                                                        \
	static const struct unit_test unit_tests[] = { __VA_ARGS__ };          \
	int main(int argc, char **argv)                                        \
	{                                                                      \
		return unit_main(name, unit_tests,                             \
		    sizeof(unit_tests) / sizeof(unit_tests[0]), argc, argv);   \
	}

/* For tables of cases: what failed besides the expression; "" for nothing. */
void unit_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The rest serves the macros above. */

#define UNIT_HERE __FILE__, __LINE__

struct unit_test {
	const char *name;
	void (*run)(void);
};

int unit_main(const char *name, const struct unit_test *tests, size_t ntests,
    int argc, char **argv);
void unit_check(bool ok, const char *text, const char *file, int line);
void unit_require(bool ok, const char *text, const char *file, int line);
void unit_check_eq(intmax_t got, intmax_t want, const char *text,
    const char *file, int line);
void unit_check_str(const char *got, const char *want, const char *text,
    const char *file, int line);
void unit_check_bytes(const void *got, size_t ngot, const char *want,
    size_t nwant, const char *text, const char *file, int line);

#endif
