/* SPDX-License-Identifier: BSD-3-Clause */
/* proc.c - see proc.h. */
#include "config.h"

#include "proc.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void
die(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

void *
grow(void *old, size_t bytes)
{
	void *p = realloc(old, bytes);

	if (p == NULL)
		die("realloc");
	return p;
}

static int64_t
clock_ns(clockid_t clock)
{
	struct timespec ts = { 0 };

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t
now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* (The sum of what task/N/schedstat has, but with the slice under way.) */
int64_t
proc_cpu(int pid)
{
	clockid_t clock;

	return pid > 0 && clock_getcpuclockid(pid, &clock) == 0 ?
	    clock_ns(clock) :
	    0;
}

int64_t
proc_waited(int pid)
{
	char path[300];
	struct dirent *d;
	int64_t sum = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = pid > 0 ? opendir(path) : NULL;
	if (dir == NULL)
		return 0;
	while ((d = readdir(dir)) != NULL) {
		long long waited = 0;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%d/task/%.20s/schedstat",
		    pid, d->d_name);
		f = fopen(path, "r");
		if (f == NULL)
			continue;
		if (fscanf(f, "%*d %lld", &waited) == 1)
			sum += waited;
		fclose(f);
	}
	closedir(dir);
	return sum;
}

int64_t
proc_resident(int pid)
{
	char path[64];
	long long pages = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/statm", pid);
	f = pid > 0 ? fopen(path, "r") : NULL;
	if (f == NULL)
		return 0;
	if (fscanf(f, "%*d %lld", &pages) != 1)
		pages = 0;
	fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

void
proc_pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET((unsigned)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		die("sched_setaffinity");
}
