/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drive.c - many clients that get in each other's way, and a record of it.
 *
 *	drive -p port... [-t seconds] [-c clients] [-s seed] [-w patience in ms]
 *	    [-g coalesced prefix] [-e] [-r] [-o name=n] | check
 *
 * Anything at random, most of the time; in between, unless -r, one situation
 * for all of them (scene.c).  -e: the server's memory is small, fill it.  -o:
 * what check must know of the server, see record.h.  Exit status 0 when the
 * time is over, and when check has seen enough and ended.
 */
#include "config.h"

#include "drive.h"

#include "map.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	BIG = 60000,
	ROUND_REQUESTS = 4000,
	ROUND_MS = 1500,
	SLOW_MS = 4500,
	RELIEF_MS = 200
};

/* Of so many rounds one is a scene, and one is slow. */
enum { SCENE_EVERY = 3, SLOW_EVERY = 20 };

/* ---- helpers ------------------------------------------------------------- */

uint64_t
drive_range(struct drive *d, uint64_t low, uint64_t high)
{
	return low + rng_below(&d->rng, high - low + 1);
}

struct client *
drive_any(struct drive *d)
{
	return &d->set.client[rng_below(&d->rng, d->set.n)];
}

void
drive_value(struct drive *d, const struct client *c, int key, uint64_t version,
    uint64_t read_at, bool piece)
{
	const struct key *k = &d->key[key];
	uint64_t dice = rng_below(&d->rng, 1000);
	struct chunk chunk = { .version = version,
		.unique = d->next_unique++,
		.conn = c->number,
		.read_at = read_at,
		.piece = piece };

	if (k->kind == KIND_COUNTER) {
		d->data_n = (size_t)snprintf(d->data, HEAD_BYTES, "%" PRIu64,
		    chunk.unique * COUNT_ROOM);
		return;
	}
	snprintf(chunk.key, sizeof(chunk.key), "%s", k->name);
	chunk.length = piece || dice < 850 ? rng_below(&d->rng, 60) :
	    dice < 990                     ? rng_below(&d->rng, 4000) :
					     rng_below(&d->rng, BIG);
	d->data_n = chunk_write(&chunk, d->data);
}

static void
replied(void *arg, struct client *c, const struct pending *p,
    const struct reply *r)
{
	struct drive *d = arg;

	if (r->won && r->token > 1 && p->lease > 0)
		jobs_add(d, c, p->key, r->token, p->lease);
	/* By a rule, whoever is shown a miss is to load. */
	if (d->scene && !p->shows && strcmp(r->line, "END") == 0)
		jobs_add(d, c, p->key, 0, 0);
}

/* ---- rounds -------------------------------------------------------------- */

void
drive_new_round(struct drive *d, const char *what)
{
	static const enum kind kinds[] = { KIND_PLAIN, KIND_VERSIONED,
		KIND_MIXED, KIND_PLAIN, KIND_COUNTER };
	static const unsigned prompt[] = { 95, 70, 20 };
	static const unsigned writes[] = { 4, 10, 20, 30 };
	unsigned r = ++d->round;

	fprintf(d->set.record, "# round %u: %s\n", r, what);
	/* Who still had a lease would never be parked. */
	for (size_t i = 0; i < d->set.n; i++)
		client_leave(&d->set.client[i], LEAVE_CLOSE);
	d->jobs = d->wins = 0;
	d->writes = d->slow ? 1 : writes[rng_below(&d->rng, 4)];
	d->hurry = false;
	snprintf(d->tag[0], sizeof(d->tag[0]), "p%u", r);
	for (unsigned i = 1; i < TAGS; i++)
		snprintf(d->tag[i], sizeof(d->tag[i]), "t%u.%u", r, i);
	for (unsigned i = 0; i < KEYS; i++) {
		struct key *k = &d->key[i];

		/* Half of the names begin with a tag. */
		snprintf(k->name, sizeof(k->name), "p%u%ck%u", r,
		    i & 1 ? ':' : '.', i);
		k->kind = d->slow && i > 2 ? KIND_VERSIONED : kinds[i % 5];
		k->prompt = prompt[rng_below(&d->rng, 3)];
		k->version = 1;
		k->events = 0;
		k->tags = (unsigned)rng_next(&d->rng) &
		    (unsigned)rng_next(&d->rng) & ((1 << TAGS) - 1);
	}
}

void
drive_wait(struct drive *d)
{
	d->hurry = true;
	while (!d->set.broken && (d->jobs > 0 || !clients_idle(&d->set))) {
		jobs_run(d);
		clients_turn(&d->set, 1);
	}
}

void
drive_settle(struct drive *d)
{
	uint64_t relief = 0, now;

	d->hurry = true;
	while (!d->set.broken && (d->jobs > 0 || !clients_idle(&d->set))) {
		now = client_time(&d->set);
		/* Some wait for one who has forgotten what he won. */
		if (!d->scene && now > relief) {
			if (relief != 0)
				plan_relieve(d);
			relief = now + (uint64_t)RELIEF_MS * MS_NS;
		}
		jobs_run(d);
		clients_turn(&d->set, 1);
	}
	fputs(".\n", d->set.record);
	fflush(d->set.record);
}

/* A client that waits, or is in the middle of it, may leave. */
static void
maybe_leave(struct drive *d, struct client *c)
{
	if (!rng_one_in(&d->rng, 1500))
		return;
	if (c->npending == 1 && !c->shut && rng_one_in(&d->rng, 3))
		client_leave(c, LEAVE_SHUT);
	else
		client_leave(c,
		    rng_one_in(&d->rng, 2) ? LEAVE_RESET : LEAVE_CLOSE);
}

static void
play_at_random(struct drive *d)
{
	uint64_t first = d->set.next_id, end, now;

	d->slow = d->round % SLOW_EVERY == 12;
	drive_new_round(d, d->slow ? "anything, slowly" : "anything");
	now = client_time(&d->set);
	end = now + (d->slow ? SLOW_MS : ROUND_MS) * (uint64_t)MS_NS;
	while (!d->set.broken && now < end &&
	    d->set.next_id < first + ROUND_REQUESTS) {
		for (size_t i = 0; i < d->set.n; i++) {
			struct client *c = &d->set.client[i];

			if (now < c->next || !client_can_ask(c))
				continue;
			/* Mostly it reads the replies before it goes on. */
			if (c->npending == 0 ||
			    (c->npending < 8 && rng_one_in(&d->rng, 60)))
				plan_batch(d, c);
			else
				maybe_leave(d, c);
		}
		jobs_run(d);
		clients_turn(&d->set, 1);
		now = client_time(&d->set);
	}
	drive_settle(d);
	d->slow = false;
}

/* ---- the counters at the end --------------------------------------------- */

/* One blocking connection: "stats leases", whole; or nothing.  flush_all ends
   the leases that are bound to no connection. */
static char *
lease_stats(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	static const char ask[] = "flush_all\r\nstats leases\r\n";
	static char text[65536];
	size_t n = 0;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*text = '\0';
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0 ||
	    send(fd, ask, sizeof(ask) - 1, MSG_NOSIGNAL) < 0)
		return text;
	for (;;) {
		ssize_t got = recv(fd, text + n, sizeof(text) - n - 1, 0);

		if (got <= 0)
			break;
		n += (size_t)got;
		text[n] = '\0';
		if (strstr(text, "ERROR\r\n") != NULL ||
		    (n >= 5 && strcmp(text + n - 5, "END\r\n") == 0))
			break;
	}
	text[n] = '\0';
	close(fd);
	return text;
}

/* The sums are exact when nothing goes on any more. */
static void
record_counts(struct drive *d)
{
	uint64_t end = client_time(&d->set) + (uint64_t)30000 * MS_NS;
	char *text, *line, *save, name[40];
	uint64_t n;

	do {
		text = lease_stats(d->set.port[0]);
		if (strstr(text, "STAT lease_live 0\r\n") != NULL)
			break;
		usleep(20000);
	} while (client_time(&d->set) < end && *text != '\0');
	for (line = strtok_r(text, "\r\n", &save); line != NULL;
	     line = strtok_r(NULL, "\r\n", &save)) {
		if (sscanf(line, "STAT %39s %" SCNu64, name, &n) == 2)
			fprintf(d->set.record, "= %s %" PRIu64 "\n", name, n);
	}
	fputs(".\n", d->set.record);
}

/* ---- main ---------------------------------------------------------------- */

static void
run(struct drive *d, uint64_t seconds)
{
	uint64_t end = client_time(&d->set) + seconds * 1000 * MS_NS;
	unsigned scene = 0;

	while (client_time(&d->set) < end && !d->set.broken) {
		if (d->round % SCENE_EVERY == 1 && !d->random_only)
			scene_play(d, scene++ % SCENES);
		else
			play_at_random(d);
	}
}

static void
usage(void)
{
	fputs("usage: drive -p port... [-t seconds] [-c clients] [-s seed]\n"
	      "    [-w patience in ms] [-g coalesced prefix] [-e] [-r] [-o "
	      "name=n]"
	      " | check\n",
	    stderr);
	exit(2);
}

static void
tell(struct drive *d, char *setting)
{
	char *equals = strchr(setting, '=');

	if (equals == NULL)
		usage();
	*equals = ' ';
	fprintf(d->set.record, "@ %s\n", setting);
}

static void
take_option(struct drive *d, int option, uint64_t *seconds, uint64_t *clients)
{
	switch (option) {
	case 'p':
		if (d->set.nports == MAX_PORTS)
			usage();
		d->set.port[d->set.nports++] = atoi(optarg);
		break;
	case 't':
		*seconds = strtoull(optarg, NULL, 10);
		break;
	case 'c':
		*clients = strtoull(optarg, NULL, 10);
		break;
	case 's':
		d->rng.state = strtoull(optarg, NULL, 10);
		break;
	case 'w':
		d->patience = strtoull(optarg, NULL, 10);
		break;
	case 'g':
		d->coalesced = optarg;
		break;
	case 'o':
		tell(d, optarg);
		break;
	case 'e':
		d->evicts = true;
		break;
	case 'r':
		d->random_only = true;
		break;
	default:
		usage();
	}
}

int
main(int argc, char **argv)
{
	struct drive d = { .patience = 10000,
		.next_unique = 1,
		.set = { .next_id = 1, .record = stdout, .replied = replied } };
	uint64_t seconds = 10, clients = 24;
	int option;

	signal(SIGPIPE, SIG_IGN);
	while ((option = getopt(argc, argv, "p:t:c:s:w:g:o:er")) != -1)
		take_option(&d, option, &seconds, &clients);
	if (d.set.nports == 0 || clients < 4 || optind != argc)
		usage();
	d.set.arg = &d;
	d.data = malloc(HEAD_BYTES + BIG);
	if (d.data == NULL)
		abort();
	clients_open(&d.set, clients);
	run(&d, seconds);
	/* Who leaves has no lease any more. */
	clients_close(&d.set);
	if (!d.set.broken)
		record_counts(&d);
	free(d.data);
	free(d.job);
	free(d.won);
	return 0;
}
