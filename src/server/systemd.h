/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * systemd.h - the service manager: sockets from it, and word back to it.
 *
 * Both are a few variables of the environment, as sd_listen_fds(3) and
 * sd_notify(3) tell.  libsystemd would do the same, and bring five libraries
 * with it that take a megabyte in each process.
 *
 * Layer: server.
 */
#ifndef SERVER_SYSTEMD_H
#define SERVER_SYSTEMD_H

#include <stdbool.h>

#include "base/attr.h"

enum { SYSTEMD_FIRST = 3 /* descriptor of those that are passed */ };

/*
 * How many sockets were passed, the first is SYSTEMD_FIRST; -1 when the
 * environment makes no sense.  Those that this process starts inherit none.
 */
int systemd_sockets(void) MUST_USE;

/* Whether that is a listening stream socket; `local`: of the Unix family. */
bool systemd_listens(int fd, bool *local) MUST_USE;

/* Says "READY=1" or the like; nobody may be there to hear it. */
void systemd_tell(const char *state);

#endif
