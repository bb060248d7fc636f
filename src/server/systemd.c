/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * systemd.c - the service manager: sockets from it, and word back to it.
 */
#include "config.h"

#include "server/systemd.h"

#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A number of the environment; `most` is exceeded by what is none. */
static long
number(const char *name, long most)
{
	const char *text = getenv(name);
	char *end;
	long n;

	if (text == NULL)
		return 0;
	n = strtol(text, &end, 10);
	return *text == '\0' || *end != '\0' || n < 1 || n > most ? -1 : n;
}

int
systemd_sockets(void)
{
	long pid = number("LISTEN_PID", LONG_MAX);
	long n = number("LISTEN_FDS", INT_MAX - SYSTEMD_FIRST);

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (pid < 0 || (pid == getpid() && n < 0))
		return -1;
	/* They may be those of the process that started this one. */
	if (pid != getpid())
		return 0;
	for (int i = 0; i < n; i++)
		if (fcntl(SYSTEMD_FIRST + i, F_SETFD, FD_CLOEXEC) != 0)
			return -1;
	return (int)n;
}

static int
option(int fd, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) == 0 ? value : -1;
}

bool
systemd_listens(int fd, bool *local)
{
	*local = option(fd, SO_DOMAIN) == AF_UNIX;
	return option(fd, SO_TYPE) == SOCK_STREAM &&
	    option(fd, SO_ACCEPTCONN) == 1;
}

void
systemd_tell(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = path != NULL ? strlen(path) : 0;
	int fd;

	if (len < 2 || len > sizeof(to.sun_path) ||
	    (*path != '/' && *path != '@'))
		return;
	memcpy(to.sun_path, path, len);
	if (*path == '@') /* a name that is in no file system */
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL,
	    (const struct sockaddr *)&to,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	close(fd);
}
