/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * unit.c - runs a table of tests with CUnit and prints TAP.
 */
#include "config.h"

#include <CUnit/CUnit.h>
#include <CUnit/TestRun.h>

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

enum { MESSAGE_SIZE = 1024, QUOTED_SIZE = 400 };

/* What the test says about the case it is at; see unit_note(). */
static char note[200];
static unsigned tests_done;

void
unit_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(note, sizeof(note), format, args);
	va_end(args);
}

static void
check(bool ok, bool fatal, const char *file, int line, const char *message)
{
	char full[MESSAGE_SIZE + sizeof(note) + 4];

	if (note[0] != '\0')
		snprintf(full, sizeof(full), "%s (%s)", message, note);
	else
		snprintf(full, sizeof(full), "%s", message);
	CU_assertImplementation(ok, (unsigned)line, full, file, "", fatal);
}

void
unit_check(bool ok, const char *text, const char *file, int line)
{
	check(ok, false, file, line, text);
}

void
unit_require(bool ok, const char *text, const char *file, int line)
{
	check(ok, true, file, line, text);
}

void
unit_check_eq(intmax_t got, intmax_t want, const char *text, const char *file,
    int line)
{
	char message[MESSAGE_SIZE];

	snprintf(message, sizeof(message),
	    "%.200s is %jd (%#jx), not %jd (%#jx)", text, got, (uintmax_t)got,
	    want, (uintmax_t)want);
	check(got == want, false, file, line, message);
}

/* Writes bytes as a C string literal; a long one ends in "...". */
static void
quote(char *out, const char *bytes, size_t n)
{
	size_t used = 0;

	out[used++] = '"';
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (used > QUOTED_SIZE - 12) {
			strcpy(out + used, "\"...");
			return;
		}
		if (c == '\r' || c == '\n')
			used += (size_t)sprintf(out + used, "\\%c",
			    c == '\r' ? 'r' : 'n');
		else if (isprint(c) && c != '"' && c != '\\')
			out[used++] = (char)c;
		else
			used += (size_t)sprintf(out + used, "\\x%02x", c);
	}
	strcpy(out + used, "\"");
}

void
unit_check_bytes(const void *got, size_t ngot, const char *want, size_t nwant,
    const char *text, const char *file, int line)
{
	char message[MESSAGE_SIZE], quoted_got[QUOTED_SIZE],
	    quoted_want[QUOTED_SIZE];
	bool same = ngot == nwant &&
	    (ngot == 0 || memcmp(got, want, ngot) == 0);

	quote(quoted_got, got, ngot);
	quote(quoted_want, want, nwant);
	snprintf(message, sizeof(message), "%.150s is %zu bytes %s, not %zu %s",
	    text, ngot, quoted_got, nwant, quoted_want);
	check(same, false, file, line, message);
}

void
unit_check_str(const char *got, const char *want, const char *text,
    const char *file, int line)
{
	char message[MESSAGE_SIZE];

	if (got != NULL && want != NULL) {
		unit_check_bytes(got, strlen(got), want, strlen(want), text,
		    file, line);
		return;
	}
	snprintf(message, sizeof(message), "%.200s is %s, not %s", text,
	    got == NULL ? "NULL" : "a string",
	    want == NULL ? "NULL" : "a string");
	check(got == want, false, file, line, message);
}

/* One line of TAP for a test, then one for each failed check. */
static void
report(const CU_pTest test, const CU_pSuite suite,
    const CU_pFailureRecord failures)
{
	(void)suite;
	printf("%s %u - ", failures == NULL ? "ok" : "not ok", ++tests_done);
	for (const char *s = test->pName; *s != '\0'; s++)
		putchar(*s == '_' ? ' ' : *s);
	putchar('\n');
	for (CU_pFailureRecord f = failures; f != NULL; f = f->pNext) {
		fflush(stdout);
		fprintf(stderr, "# %s:%u: %s\n", f->strFileName,
		    f->uiLineNumber, f->strCondition);
	}
	note[0] = '\0';
}

static unsigned
add_tests(CU_pSuite suite, const struct unit_test *tests, size_t ntests,
    const char *wanted)
{
	unsigned added = 0;

	for (size_t i = 0; i < ntests; i++) {
		if (strstr(tests[i].name, wanted) == NULL)
			continue;
		if (CU_add_test(suite, tests[i].name, tests[i].run) == NULL)
			return 0;
		added++;
	}
	return added;
}

int
unit_main(const char *name, const struct unit_test *tests, size_t ntests,
    int argc, char **argv)
{
	CU_pSuite suite;
	unsigned added, failed;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (CU_initialize_registry() != CUE_SUCCESS ||
	    (suite = CU_add_suite(name, NULL, NULL)) == NULL) {
		printf("Bail out! %s\n", CU_get_error_msg());
		return EXIT_FAILURE;
	}
	added = add_tests(suite, tests, ntests, argc > 1 ? argv[1] : "");
	if (added == 0) {
		printf("Bail out! %s: no such test\n", name);
		return EXIT_FAILURE;
	}
	printf("1..%u\n", added);
	CU_set_test_complete_handler(report);
	CU_run_all_tests();
	failed = CU_get_number_of_tests_failed();
	CU_cleanup_registry();
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
