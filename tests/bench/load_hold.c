/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * load_hold.c - many connections that do nothing.
 *
 * Each asks for one key, gets it, and is kept open.  What one of them costs is
 * the growth of the server's resident memory, after the first BASE of them,
 * divided by their number.
 */
#include "config.h"

#include "load.h"

#include "proc.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BASE = 200, WAIT_MS = 2000, SETTLE_MS = 500 };

static int
connect_to(const struct load *l)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	struct linger reset = { .l_onoff = 1 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sa.sin_port = htons((uint16_t)l->port);
	if (fd < 0 || inet_pton(AF_INET, l->host, &sa.sin_addr) != 1 ||
	    connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	return fd;
}

/* Sends a request; its reply must come soon, and be this. */
static bool
ask(int fd, const char *request, const char *reply)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t len = strlen(reply), have = 0;
	char in[128];

	if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
		return false;
	while (have < len && poll(&p, 1, WAIT_MS) == 1) {
		ssize_t n = recv(fd, in + have, len - have, 0);

		if (n <= 0)
			return false;
		have += (size_t)n;
	}
	if (have > 0 && memcmp(in, reply, have) != 0) {
		fprintf(stderr, "bench: wrong reply: %.*s\n", (int)have, in);
		exit(EXIT_FAILURE);
	}
	return have == len;
}

static int64_t
settled(int pid)
{
	struct timespec ts = { .tv_nsec = SETTLE_MS * 1000000L };

	nanosleep(&ts, NULL);
	return proc_resident(pid);
}

void
load_hold(const struct load *l, struct held *h)
{
	int *fds = calloc(l->conns, sizeof(*fds));
	int64_t before = 0;

	if (fds == NULL)
		die("calloc");
	memset(h, 0, sizeof(*h));
	while (h->conns < l->conns) {
		int fd = connect_to(l);
		bool ok = fd >= 0 &&
		    (h->conns > 0 ||
			ask(fd, "set bench 0 0 5\r\nhello\r\n", "STORED\r\n"));

		if (!ok ||
		    !ask(fd, "get bench\r\n",
			"VALUE bench 0 5\r\nhello\r\nEND\r\n")) {
			if (fd >= 0)
				close(fd);
			break;
		}
		fds[h->conns++] = fd;
		if (h->conns == BASE)
			before = settled(l->pid);
	}
	if (h->conns > BASE)
		h->bytes = (double)(settled(l->pid) - before) /
		    (h->conns - BASE);
	for (unsigned i = 0; i < h->conns; i++)
		close(fds[i]);
	free(fds);
}
