/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * meta.h - the flags of a meta command.
 *
 * A flag is one letter with an optional token glued on; meta.def lists them.
 * All commands share the parser, so a wrong token is an error even where the
 * flag has no effect.
 *
 * Layer: proto.
 */
#ifndef PROTO_META_H
#define PROTO_META_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/request.h"

enum {
	META_WORDS_MAX = 20,  /* of a line, with command and key */
	META_OPAQUE_MAX = 32, /* the letter included */
	META_TAG_MAX = 64,
	META_TAGS_MAX = 8,
	META_GRACE_MAX = 30 * 24 * 60 * 60, /* s */
	META_BETA = 100,                    /* hundredths */
	META_BETA_MAX = 10000,
	META_NO_MODE = 0,
	META_BAD_MODE = 1,
};

#define META_BAD_TOKEN "CLIENT_ERROR bad token in command line format\r\n"

struct meta {
	struct key key;
	struct token flag[META_WORDS_MAX]; /* in the order of the request */
	unsigned flags;
	uint64_t has;     /* bit (letter - 'A') */
	rel_time N, T, R; /* as an exptime */
	uint64_t C, D, E, J;
	uint32_t F;
	uint32_t n, w, d; /* ms */
	uint32_t e;       /* hundredths; 0: not asked for */
	uint32_t H;       /* s */
	uint64_t V;
	bool V_told;       /* V has a number */
	struct token tags; /* of A: a list with commas */
	char mode;         /* the letter, META_NO_MODE or META_BAD_MODE */
	char decoded[KEY_MAX];
};

static inline bool
meta_has(const struct meta *m, char letter)
{
	return m->has >> (letter - 'A') & 1;
}

/* What went wrong with a line, in the order it is looked for. */
enum meta_fault {
	META_GOOD,
	META_SHORT,    /* no key: not a meta request at all */
	META_BAD_WORD, /* a flag that is no letter: the data can't be trusted */
	META_FAULT,    /* *error says */
};

/*
 * Reads key and flags; the first flag is word number `first`.  *error is the
 * reply line of a META_FAULT or META_BAD_WORD.
 */
enum meta_fault meta_parse(struct meta *m, const struct request *req,
    unsigned first, rel_time now, const char **error) MUST_USE;

/* Takes flags out, as if the request did not have them. */
void meta_drop(struct meta *m, const char *letters);

/*
 * The tags of A, one at a time: *at begins at 0.  False after the last one.
 * They are known to be good.
 */
bool meta_tag(const struct meta *m, size_t *at, struct token *tag);

/* ` k<key>` and, if it is binary, ` b`; ` O<text>`. */
void meta_put_key(struct outbuf *o, const struct key *key, bool binary);
void meta_put_opaque(struct outbuf *o, struct token flag);

/* The flags that every reply echoes, misses included: k, b with it, O. */
void meta_put_echo(struct outbuf *o, const struct meta *m);

/* ` t<seconds left>`, -1 for never. */
void meta_put_ttl(struct outbuf *o, rel_time exptime, rel_time now);

/* An error line, which is never hidden. */
enum step meta_fail(struct request *req, const char *error);

#endif
