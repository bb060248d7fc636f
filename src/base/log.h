/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * log.h - what operators read.
 *
 * One event, one line on stderr: fixed words first, then key=value.  Facts of
 * single requests are counters, not lines.
 *
 * Layer: base.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/attr.h"

enum log_level {
	LOG_LEVEL_ERROR, /* needs a human */
	LOG_LEVEL_WARN,  /* may need one soon */
	LOG_LEVEL_INFO,  /* start, stop, settings */
	LOG_LEVEL_DEBUG, /* one connection; shown from -vv */
};

/* Lines above this level are dropped.  0 is the quiet default; -v adds. */
void log_set_verbosity(int verbosity);
int log_verbosity(void);

/* Writes one line with one write(2); safe from any thread. */
void log_error(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_warn(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_info(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_debug(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
