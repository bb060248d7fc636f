/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_counter.c - counters that cost a plain add.
 */
#include "config.h"

#include "base/counter.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

enum { THREADS = 3, ROUNDS = 200000, SUMS = 10000000 };

static void
a_new_set_counts_from_0(void)
{
	struct counter_set set = { .first = NULL };
	struct counters *c = counters_new(&set);

	REQUIRE(c != NULL);
	CHECK_EQ((uintptr_t)c % CACHE_LINE, 0);
	for (int id = 0; id < COUNTER_COUNT; id++)
		CHECK_EQ(counter_sum(&set, (enum counter_id)id), 0);
	counters_free(&set);
}

static void
a_sum_is_over_all_threads(void)
{
	struct counter_set set = { .first = NULL };
	struct counters *a = counters_new(&set), *b = counters_new(&set);

	REQUIRE(a != NULL && b != NULL);
	COUNT(a, get_hits);
	COUNT(b, get_hits);
	COUNT_BY(b, get_hits, 40);
	COUNT(b, get_misses);
	CHECK_EQ(counter_sum(&set, COUNTER_get_hits), 42);
	CHECK_EQ(counter_sum(&set, COUNTER_get_misses), 1);
	CHECK_EQ(counter_sum(&set, COUNTER_cmd_get), 0);
	counters_free(&set);
	CHECK_EQ(counter_sum(&set, COUNTER_get_hits), 0);
}

static void
a_reset_begins_again_at_0(void)
{
	struct counter_set set = { .first = NULL };
	struct counters *a = counters_new(&set), *b;

	REQUIRE(a != NULL);
	COUNT_BY(a, cmd_set, 100);
	counters_reset(&set);
	CHECK_EQ(counter_sum(&set, COUNTER_cmd_set), 0);
	COUNT_BY(a, cmd_set, 5);
	CHECK_EQ(counter_sum(&set, COUNTER_cmd_set), 5);

	b = counters_new(&set);
	REQUIRE(b != NULL);
	COUNT_BY(b, cmd_set, 2);
	CHECK_EQ(counter_sum(&set, COUNTER_cmd_set), 7);
	counters_reset(&set);
	counters_reset(&set);
	CHECK_EQ(counter_sum(&set, COUNTER_cmd_set), 0);
	counters_free(&set);
}

static void
large_counts_are_not_cut(void)
{
	struct counter_set set = { .first = NULL };
	struct counters *a = counters_new(&set);

	REQUIRE(a != NULL);
	COUNT_BY(a, bytes_read, (uint64_t)5 << 32);
	COUNT(a, bytes_read);
	CHECK(counter_sum(&set, COUNTER_bytes_read) == ((uint64_t)5 << 32) + 1);
	counters_free(&set);
}

struct adder {
	struct counter_set *set;
	pthread_t thread;
};

/* Each thread gets its block while others count already. */
static void *
add_all(void *arg)
{
	struct adder *a = arg;
	struct counters *c = counters_new(a->set);

	for (int i = 0; c != NULL && i < ROUNDS; i++) {
		COUNT(c, get_hits);
		COUNT_BY(c, bytes_written, 3);
	}
	return NULL;
}

static void
start_adders(struct adder a[THREADS], struct counter_set *set)
{
	for (int i = 0; i < THREADS; i++) {
		a[i].set = set;
		REQUIRE(
		    pthread_create(&a[i].thread, NULL, add_all, &a[i]) == 0);
	}
}

static void
no_add_is_lost_and_no_sum_falls(void)
{
	struct counter_set set = { .first = NULL };
	struct adder a[THREADS];
	uint64_t sum = 0;
	bool rises = true;

	start_adders(a, &set);
	while (sum < (uint64_t)THREADS * ROUNDS) {
		uint64_t now = counter_sum(&set, COUNTER_get_hits);

		rises = rises && now >= sum;
		sum = now;
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(a[i].thread, NULL);

	CHECK(rises);
	CHECK_EQ(counter_sum(&set, COUNTER_get_hits), THREADS * ROUNDS);
	CHECK_EQ(counter_sum(&set, COUNTER_bytes_written),
	    3 * THREADS * ROUNDS);
	counters_free(&set);
}

/* Three threads that go on until they are told to stop. */
struct busy {
	struct counter_set *set;
	_Atomic bool stop;
};

static void *
add_on(void *arg)
{
	struct busy *b = arg;
	struct counters *c = counters_new(b->set);

	while (c != NULL && !atomic_load(&b->stop))
		COUNT(c, get_hits);
	return NULL;
}

static void *
reset_on(void *arg)
{
	struct busy *b = arg;

	while (!atomic_load(&b->stop))
		counters_reset(b->set);
	return NULL;
}

/* A sum that went below 0 would show as one close to 2^64. */
static void
a_reset_meanwhile_leaves_no_sum_below_0(void)
{
	struct counter_set set = { .first = NULL };
	struct busy b = { .set = &set };
	uint64_t largest = 0;
	pthread_t t[3];

	for (int i = 0; i < 3; i++)
		REQUIRE(pthread_create(&t[i], NULL, i < 2 ? add_on : reset_on,
			    &b) == 0);
	for (int i = 0; i < SUMS; i++) {
		uint64_t sum = counter_sum(&set, COUNTER_get_hits);

		largest = sum > largest ? sum : largest;
	}
	atomic_store(&b.stop, true);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);

	CHECK(largest <= INT64_MAX);
	counters_reset(&set);
	CHECK_EQ(counter_sum(&set, COUNTER_get_hits), 0);
	counters_free(&set);
}

UNIT("counter", TEST(a_new_set_counts_from_0), TEST(a_sum_is_over_all_threads),
    TEST(a_reset_begins_again_at_0), TEST(large_counts_are_not_cut),
    TEST(no_add_is_lost_and_no_sum_falls),
    TEST(a_reset_meanwhile_leaves_no_sum_below_0))
