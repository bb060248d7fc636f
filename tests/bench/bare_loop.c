/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bare_loop.c - the least a server can do: read, count the lines, and write as
 * many fixed answers.
 *
 * No parsing, no table, no lock, no memory: what is left is the kernel's part,
 * and what any server over epoll costs at least.
 *
 *	bench_bare_loop -s BYTES [-C CPU]
 *
 * Listens on a free port of 127.0.0.1, prints it, and ends with standard input.
 * Each answer has the length of a value of BYTES that bench_load reads.
 */
#include "config.h"

#include "load.h"

#include "proc.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 256, READ_BYTES = 65536, WRITE_ANSWERS = 2048 };

struct loop {
	int epoll, listener;
	char *answers; /* WRITE_ANSWERS of them */
	size_t one;
};

static void
watch(const struct loop *b, int fd)
{
	struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(b->epoll, EPOLL_CTL_ADD, fd, &e) != 0)
		die("epoll_ctl");
}

static void
listen_on_any(struct loop *b)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t len = sizeof(sa);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	b->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (b->listener < 0 ||
	    bind(b->listener, (struct sockaddr *)&sa, sizeof(sa)) != 0 ||
	    listen(b->listener, 1024) != 0 ||
	    getsockname(b->listener, (struct sockaddr *)&sa, &len) != 0)
		die("listen");
	watch(b, b->listener);
	printf("%d\n", ntohs(sa.sin_port));
	fflush(stdout);
}

static void
make_answers(struct loop *b, size_t value)
{
	char line[KEY_BYTES + 64], name[KEY_BYTES];
	size_t n;

	key_name(name, 0);
	n = (size_t)snprintf(line, sizeof(line), "VALUE %.*s 0 %zu\r\n",
	    KEY_BYTES, name, value);
	b->one = n + value + strlen("\r\nEND\r\n");
	b->answers = grow(NULL, b->one * WRITE_ANSWERS);
	for (char *p = b->answers; p < b->answers + b->one * WRITE_ANSWERS;
	     p += b->one) {
		memcpy(p, line, n);
		memset(p + n, 'v', value);
		memcpy(p + n + value, "\r\nEND\r\n", 7);
	}
}

static void
answer(const struct loop *b, int fd)
{
	static char in[READ_BYTES];
	ssize_t n = recv(fd, in, sizeof(in), 0);
	size_t lines = 0;

	for (char *p = in;
	     n > 0 && (p = memchr(p, '\n', (size_t)(in + n - p))) != NULL; p++)
		lines++;
	if (n <= 0) {
		close(fd);
		return;
	}
	while (lines > 0) {
		size_t now = lines < WRITE_ANSWERS ? lines : WRITE_ANSWERS;

		/* (Blocks when there is no room: the client reads on.) */
		if (send(fd, b->answers, now * b->one, MSG_NOSIGNAL) < 0)
			break;
		lines -= now;
	}
}

static void
accept_one(const struct loop *b)
{
	int fd = accept4(b->listener, NULL, NULL, SOCK_CLOEXEC), on = 1;

	if (fd < 0)
		die("accept");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	watch(b, fd);
}

int
main(int argc, char **argv)
{
	struct loop b = { .epoll = epoll_create1(EPOLL_CLOEXEC) };
	struct epoll_event events[EVENTS];
	size_t value = 100;
	int o;

	while ((o = getopt(argc, argv, "s:C:")) != -1)
		if (o == 's')
			value = strtoull(optarg, NULL, 10);
		else if (o == 'C')
			proc_pin(atoi(optarg));
		else
			return EXIT_FAILURE;
	make_answers(&b, value);
	watch(&b, STDIN_FILENO);
	listen_on_any(&b);
	for (;;) {
		int n = epoll_wait(b.epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++)
			if (events[i].data.fd == STDIN_FILENO)
				return EXIT_SUCCESS;
			else if (events[i].data.fd == b.listener)
				accept_one(&b);
			else
				answer(&b, events[i].data.fd);
	}
}
