/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * warp.c - a server's clock, made faster.
 *
 * A replay squeezes hours into seconds, while memcached's ages and exptimes
 * have steps of a second: it would evict among items that it can't tell apart.
 * Loaded into a server (LD_PRELOAD) this makes its time run WARP times as fast,
 * from the moment it starts, and its sleeps and timeouts as much shorter.
 * Exptimes are multiplied by the client (bench_replay -Z).
 */
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { CLOCKS = 12, SHORTEST = 50000 /* ns, of a sleep */ };

#define SECOND 1000000000ll

static long factor;
static long long start[CLOCKS];

static long long
true_time(clockid_t id)
{
	struct timespec t = { 0, 0 };

	syscall(SYS_clock_gettime, id, &t);
	return t.tv_sec * SECOND + t.tv_nsec;
}

__attribute__((constructor)) static void
begin(void)
{
	const char *text = getenv("WARP");
	long f = text != NULL ? strtol(text, NULL, 10) : 1;

	if (factor != 0)
		return;
	for (int i = 0; i < CLOCKS; i++)
		start[i] = true_time(i);
	factor = f > 0 ? f : 1;
}

/* Time, but not that of a process or thread. */
static int
is_warped(clockid_t id)
{
	return id >= 0 && id < CLOCKS && id != CLOCK_PROCESS_CPUTIME_ID &&
	    id != CLOCK_THREAD_CPUTIME_ID;
}

int
clock_gettime(clockid_t id, struct timespec *t)
{
	long long now;

	if (!is_warped(id))
		return (int)syscall(SYS_clock_gettime, id, t);
	begin();
	now = start[id] + (true_time(id) - start[id]) * factor;
	t->tv_sec = now / SECOND;
	t->tv_nsec = now % SECOND;
	return 0;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec t;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &t);
	tv->tv_sec = t.tv_sec;
	tv->tv_usec = t.tv_nsec / 1000;
	return 0;
}

time_t
time(time_t *at)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	if (at != NULL)
		*at = t.tv_sec;
	return t.tv_sec;
}

static int
shorter(int ms)
{
	begin();
	if (ms <= 0)
		return ms;
	return ms > factor ? (int)(ms / factor) : 1;
}

int
epoll_wait(int fd, struct epoll_event *events, int n, int ms)
{
	return (
	    int)syscall(SYS_epoll_pwait, fd, events, n, shorter(ms), NULL, 8);
}

int
poll(struct pollfd *fds, nfds_t n, int ms)
{
	int wait = shorter(ms);
	struct timespec t = { wait / 1000, wait % 1000 * 1000000l };

	return (int)syscall(SYS_ppoll, fds, n, wait < 0 ? NULL : &t, NULL, 8);
}

static int
nap(long long ns)
{
	struct timespec t;

	begin();
	ns /= factor;
	if (ns < SHORTEST)
		ns = SHORTEST;
	t = (struct timespec){ ns / SECOND, ns % SECOND };
	return (int)syscall(SYS_nanosleep, &t, NULL);
}

int
nanosleep(const struct timespec *t, struct timespec *left)
{
	(void)left;
	return nap(t->tv_sec * SECOND + t->tv_nsec);
}

int
usleep(useconds_t us)
{
	return nap((long long)us * 1000);
}

unsigned
sleep(unsigned s)
{
	nap(s * SECOND);
	return 0;
}
