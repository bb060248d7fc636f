/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * check.c - proves that what happened is what the server promises.
 *
 *	drive -p port | check [-k file]
 *
 * Reads a record (record.h) and judges each round of it when it is complete.
 * The first violation is printed with what led to it, and ends the program,
 *with status 1; that ends drive, too.  -k keeps the record of that round.
 */
#include "config.h"

#include "judge.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct tally {
	uint64_t rounds, requests, grants, values, lost;
};

static void
tally_round(struct tally *t, const struct history *h)
{
	t->rounds++;
	t->requests += h->ops;
	t->grants += h->grants;
	for (size_t i = 0; i < h->seens; i++)
		t->values += h->seen[i].how != SEEN_MISS;
	for (size_t i = 0; i < h->ops; i++)
		t->lost += h->op[i].recv == NEVER;
}

static int
fail(const struct history *h, const struct verdict *v, const char *keep)
{
	FILE *f = keep == NULL ? NULL : fopen(keep, "w");

	verdict_print(h, v, stdout);
	if (f != NULL) {
		for (size_t i = 0; i < h->lines; i++)
			fputs(h->line[i], f);
		fclose(f);
		printf("the whole round is in %s\n", keep);
	}
	return 1;
}

static int
check(FILE *in, const char *keep)
{
	struct history h;
	struct verdict v = { .key = NO_KEY };
	struct tally t = { 0 };
	char *line = NULL;
	size_t room = 0;
	int status = 0;
	bool ended = false;

	history_start(&h);
	while (status == 0 && getline(&line, &room, in) > 0) {
		ended = strcmp(line, ".\n") == 0;
		if (!ended && !history_line(&h, line)) {
			printf("not a line of a record: %s", line);
			status = 2;
		} else if (ended && !judge_round(&h, &v)) {
			status = fail(&h, &v, keep);
		} else if (ended) {
			tally_round(&t, &h);
			history_next_round(&h);
		}
	}
	if (status == 0 && !ended) {
		puts("the record ends within a round");
		status = 2;
	}
	if (status == 0 && !judge_counts(&h, &v))
		status = fail(&h, &v, keep);
	printf("%" PRIu64 " rounds, %" PRIu64 " requests, %" PRIu64
	       " without a reply, %" PRIu64 " leases, %" PRIu64
	       " values seen\n",
	    t.rounds, t.requests, t.lost, t.grants, t.values);
	history_end(&h);
	free(line);
	return status;
}

int
main(int argc, char **argv)
{
	const char *keep = NULL;
	int option;

	while ((option = getopt(argc, argv, "k:")) != -1) {
		if (option != 'k') {
			fprintf(stderr, "usage: drive ... | check [-k file]\n");
			return 2;
		}
		keep = optarg;
	}
	return check(stdin, keep);
}
