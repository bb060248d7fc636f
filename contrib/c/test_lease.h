/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_lease.h - what the tests of lease.h share.
 *
 * Results are lines "ok - name" and "not ok - name"; "finished" is the last.
 */
#ifndef CONTRIB_C_TEST_LEASE_H
#define CONTRIB_C_TEST_LEASE_H

#include "lease.h"

/* A bound for what is broken; what works is never waited for this long. */
enum { LONG_MS = 30000 };

void test_result(bool good, const char *name, const char *file, int line);
#define OK(cond, name) test_result(cond, name, __FILE__, __LINE__)

/* Ends the program: what a test stands on is missing. */
void test_stop(const char *what) __attribute__((noreturn));

/* Is it "expected"?  Frees the value. */
bool test_value_is(char *value, size_t n, const char *expected);

/* On servers that are played by a script. */
void test_wire(void);

#endif
