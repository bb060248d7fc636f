/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz.h - what a fuzzer is: one function that takes any bytes.
 *
 * With ./configure --enable-fuzz CC=clang a fuzz engine calls it (make fuzz);
 * otherwise replay.c does, with the files of corpus/ (make check).  A wrong
 * state ends the process: CHECK().
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
