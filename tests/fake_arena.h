/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake_arena.h - store/arena.h as tests like it: it counts, and it can fail.
 *
 * A program with fake_arena.c among its sources is linked with it instead of
 * the real arena.  Every size that is passed to a free is checked; memory is
 * handed out dirty and made unreadable again when it is freed.
 */
#ifndef TESTS_FAKE_ARENA_H
#define TESTS_FAKE_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is allocated now: arena_true_size() of each block, and blocks. */
int64_t fake_arena_bytes(void);
int64_t fake_arena_blocks(void);

/* After `n` more allocations all fail, until fake_arena_heal(). */
void fake_arena_fail_after(int64_t n);
void fake_arena_heal(void);

/* Allocations that have failed so far. */
int64_t fake_arena_failures(void);

#endif
