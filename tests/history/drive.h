/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drive.h - the clients, and the source of truth that they cache.
 *
 * A round has keys and tags of its own.  For each key the source of truth has a
 * version number; writers raise it and then invalidate, those who win a lease
 * read it some time later and fill some time after that.  Keys are of several
 * kinds, by who writes them: with versions, without, both; or they are
 * counters.
 */
#ifndef TESTS_HISTORY_DRIVE_H
#define TESTS_HISTORY_DRIVE_H

#include "client.h"
#include "value.h"

#include "rng.h"

enum { KEYS = 10, TAGS = 6, EVENTS = 12, MS_NS = 1000000 };

enum kind { KIND_PLAIN, KIND_VERSIONED, KIND_MIXED, KIND_COUNTER, KINDS };

/* A versioned event: md or ms. */
struct event {
	bool store;
	uint64_t version;
	const char *flags;
};

struct key {
	char name[64];
	enum kind kind;
	uint64_t version;
	struct event event[EVENTS]; /* to be delivered once more */
	unsigned events, prompt;    /* percent that are delivered at once */
	unsigned tags;              /* bits: those its values may have */
};

enum step { STEP_LOAD, STEP_FILL, STEP_GIVE_UP, STEP_RENEW, STEP_LEAVE };

/* A lease that was won, and what comes next. */
struct job {
	enum step step;
	uint64_t at, token, lease; /* ns, -, ms */
	int key;
	size_t client;
	unsigned number; /* the client may be another by then */
	uint64_t version, read_at;
};

struct drive {
	struct client_set set;
	struct rng rng;
	struct key key[KEYS];
	char tag[TAGS][64];
	struct job *job;
	size_t jobs;
	uint64_t next_unique, patience; /* -, ms */
	unsigned round, writes;         /* number; percent of the requests */
	const char *coalesced; /* keys that begin so are loaded once; or NULL */
	bool random_only;      /* no scenes */
	bool evicts;           /* the memory is small: fill it */
	bool slow;             /* think longer: leases lapse, times run out */
	bool hurry;            /* the round ends */
	/* while a scene is played: what was won is kept here */
	bool scene;
	struct job *won;
	size_t wins;
	char *data; /* of the value made last */
	size_t data_n;
};

/* drive.c */
void drive_new_round(struct drive *d, const char *what);
struct client *drive_any(struct drive *d);

/* Makes a value (or piece of one) for a key in d->data. */
void drive_value(struct drive *d, const struct client *c, int key,
    uint64_t version, uint64_t read_at, bool piece);

uint64_t drive_range(struct drive *d, uint64_t low, uint64_t high);

/* Turns until there is no open request, or the record is broken. */
void drive_wait(struct drive *d);

/* The same, and ends the round. */
void drive_settle(struct drive *d);

/* plan.c: anything, at random */
void plan_batch(struct drive *d, struct client *c);

/* A value for everybody who still waits. */
void plan_relieve(struct drive *d);

/* The flags of a store, at random; where it ends. */
char *plan_store_flags(struct drive *d, int key, char *p, const char *end,
    bool *versioned, bool *absent);

/* jobs.c: what is done with a lease */
void jobs_add(struct drive *d, struct client *c, int key, uint64_t token,
    uint64_t lease);
void jobs_run(struct drive *d);
void jobs_fill(struct drive *d, struct client *c, const struct job *j);

/* scene.c: one situation, for all clients */
void scene_play(struct drive *d, unsigned number);
enum { SCENES = 6 };

#endif
