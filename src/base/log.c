/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * log.c - what operators read.
 */
#include "config.h"

#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static _Atomic int verbosity;

void
log_set_verbosity(int v)
{
	atomic_store_explicit(&verbosity, v, memory_order_relaxed);
}

int
log_verbosity(void)
{
	return atomic_load_explicit(&verbosity, memory_order_relaxed);
}

static void write_line(const char *level, const char *fmt, va_list ap)
    PRINTF_LIKE(2, 0);

static void
write_line(const char *level, const char *fmt, va_list ap)
{
	char line[1024];
	int n = snprintf(line, sizeof(line), "leasecached: %s", level);
	int m = vsnprintf(line + n, sizeof(line) - 1 - (size_t)n, fmt, ap);
	size_t len = (size_t)n + (m < 0 ? 0 : (size_t)m);

	if (len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	line[len++] = '\n';
	/* A log that can't be written has nowhere to be reported to. */
	if (write(STDERR_FILENO, line, len) < 0)
		return;
}

#define LOG_FUNCTION(name, prefix, shown)                                      \
	void name(const char *fmt, ...)                                        \
	{                                                                      \
		va_list ap;                                                    \
                                                                               \
		if (!(shown))                                                  \
			return;                                                \
		va_start(ap, fmt);                                             \
		write_line(prefix, fmt, ap);                                   \
		va_end(ap);                                                    \
	}

LOG_FUNCTION(log_error, "error: ", 1)
LOG_FUNCTION(log_warn, "warning: ", 1)
LOG_FUNCTION(log_info, "", 1)
LOG_FUNCTION(log_debug, "debug: ", log_verbosity() >= 2)
