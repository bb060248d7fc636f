/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_lock.c - mutexes with a rank.
 *
 * What must end the process is done by a child of the test.
 */
#include "config.h"

#include "base/lock.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

enum { THREADS = 4, ROUNDS = 20000, SURVIVED = 0 };

#ifdef LEASECACHED_DEBUG
static const bool order_is_checked = true;
#else
static const bool order_is_checked = false;
#endif

/* Whether the child is ended by abort(). */
static bool
aborts(void (*run)(void))
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		struct rlimit no_core = { 0, 0 };
		int null = open("/dev/null", O_WRONLY);

		setrlimit(RLIMIT_CORE, &no_core);
		dup2(null, STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		run();
		_exit(SURVIVED);
	}
	REQUIRE(child > 0);
	REQUIRE(waitpid(child, &status, 0) == child);
	if (WIFEXITED(status))
		CHECK_EQ(WEXITSTATUS(status), SURVIVED);
	else
		CHECK_EQ(WTERMSIG(status), SIGABRT);
	return WIFSIGNALED(status);
}

/* Takes two locks, one after the other, and drops them. */
static void
take_both(enum lock_rank first, enum lock_rank second) UNCHECKED_LOCKING
{
	struct lock a, b;

	lock_init(&a, first);
	lock_init(&b, second);
	lock_take(&a);
	lock_take(&b);
	lock_drop(&b);
	lock_drop(&a);
	lock_destroy(&a);
	lock_destroy(&b);
}

static void
rising(void) UNCHECKED_LOCKING
{
	struct lock l[LOCK_FEED + 1];

	for (unsigned rank = LOCK_SERVER; rank <= LOCK_FEED; rank++) {
		lock_init(&l[rank], (enum lock_rank)rank);
		lock_take(&l[rank]);
	}
	/* in any order: every second one first */
	for (unsigned rank = LOCK_SERVER; rank <= LOCK_FEED; rank += 2)
		lock_drop(&l[rank]);
	for (unsigned rank = LOCK_SERVER + 1; rank <= LOCK_FEED; rank += 2)
		lock_drop(&l[rank]);
	take_both(LOCK_SERVER, LOCK_SHARD);
}

static void
falling(void)
{
	take_both(LOCK_FEED, LOCK_SHARD);
}

static void
falling_by_one(void)
{
	take_both(LOCK_SHARD, LOCK_SERVER);
}

static void
two_of_a_rank(void)
{
	take_both(LOCK_SHARD, LOCK_SHARD);
}

static void
one_after_the_other(void)
{
	take_both(LOCK_SHARD, LOCK_FEED);
	take_both(LOCK_SHARD, LOCK_FEED);
	take_both(LOCK_SERVER, LOCK_PREFIX);
}

static void
drop_what_is_not_held(void)
{
	lock_order_leave(LOCK_SHARD);
}

static void
locks_may_be_taken_in_rising_rank(void)
{
	CHECK(!aborts(rising));
	CHECK(!aborts(one_after_the_other));
}

static void
a_falling_rank_ends_a_debug_build(void)
{
	CHECK_EQ(aborts(falling), order_is_checked);
	CHECK_EQ(aborts(falling_by_one), order_is_checked);
}

static void
two_locks_of_a_rank_end_a_debug_build(void)
{
	CHECK_EQ(aborts(two_of_a_rank), order_is_checked);
}

static void
a_lock_that_is_not_held_can_not_be_left(void)
{
	CHECK(aborts(drop_what_is_not_held));
}

/* The order is each thread's own. */
static void *
take_a_low_one(void *arg)
{
	(void)arg;
	take_both(LOCK_SERVER, LOCK_SHARD);
	return NULL;
}

static void
another_threads_locks_do_not_matter(void) UNCHECKED_LOCKING
{
	struct lock high;
	pthread_t t;

	lock_init(&high, LOCK_FEED);
	lock_take(&high);
	REQUIRE(pthread_create(&t, NULL, take_a_low_one, NULL) == 0);
	pthread_join(t, NULL);
	lock_drop(&high);
	lock_destroy(&high);
}

struct guarded {
	struct lock lock;
	long n;
};

static void *
count_up(void *arg) UNCHECKED_LOCKING
{
	struct guarded *g = arg;

	for (int i = 0; i < ROUNDS; i++) {
		lock_take(&g->lock);
		g->n++;
		lock_drop(&g->lock);
	}
	return NULL;
}

static void
one_thread_at_a_time_is_inside(void)
{
	struct guarded g = { .n = 0 };
	pthread_t t[THREADS];

	lock_init(&g.lock, LOCK_SHARD);
	for (int i = 0; i < THREADS; i++)
		REQUIRE(pthread_create(&t[i], NULL, count_up, &g) == 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);

	CHECK_EQ(g.n, THREADS * ROUNDS);
	lock_destroy(&g.lock);
}

UNIT("lock", TEST(locks_may_be_taken_in_rising_rank),
    TEST(a_falling_rank_ends_a_debug_build),
    TEST(two_locks_of_a_rank_end_a_debug_build),
    TEST(a_lock_that_is_not_held_can_not_be_left),
    TEST(another_threads_locks_do_not_matter),
    TEST(one_thread_at_a_time_is_inside))
