/* SPDX-License-Identifier: BSD-3-Clause */
/* proc.h - what the kernel knows of a process: its CPU time, waits, memory. */
#ifndef BENCH_PROC_H
#define BENCH_PROC_H

#include <stddef.h>
#include <stdint.h>

/* Monotonic time, ns. */
int64_t now_ns(void);

/* CPU time of all threads of a process, dead ones too, in ns and exact. */
int64_t proc_cpu(int pid);

/*
 * How long the living threads of a process could have run and something else
 * had the CPU, ns; 0 if the kernel does not say (CONFIG_SCHED_INFO).
 */
int64_t proc_waited(int pid);

/* Resident memory of a process, bytes. */
int64_t proc_resident(int pid);

/* Runs this process on one CPU from now on; below 0 leaves it as it is. */
void proc_pin(int cpu);

_Noreturn void die(const char *what);

/* realloc(), which ends the program when there is no memory. */
void *grow(void *old, size_t bytes);

#endif
