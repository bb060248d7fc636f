/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * play.c - the cache, the model of it, and what happens to both.
 */
#include "config.h"

#include "play.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ITEM_MAX = MODEL_ITEM_MAX };

void
play_differ(struct play *p, bool same, const char *text, int line)
{
	if (!same && p->same && !p->quiet)
		fprintf(stderr, "# step %u (%s), line %d: not %s\n", p->done,
		    p->step, line, text);
	p->same &= same;
}

struct key
play_key(unsigned i)
{
	static char text[16];

	return rig_key_bytes(text,
	    (size_t)snprintf(text, sizeof(text), "key:%u", i));
}

rel_time
play_exptime(struct play *p)
{
	switch (play_pick(p, 4)) {
	case 0:
		return 0;
	case 1:
		return play_pick(p, 8) == 0 ? CLOCK_LONG_AGO : play_now(p) + 1;
	default:
		return play_now(p) + 1 + (rel_time)rng_any(&p->rng, 12);
	}
}

uint64_t
play_cas(struct play *p, const struct known *k)
{
	switch (play_pick(p, 8)) {
	case 0:
		return 0;
	case 1:
		return k->cas + 1;
	case 2:
		return k->cas > 0 ? k->cas - 1 : 0;
	case 3:
		return rng_any(&p->rng, 20);
	case 4:
	case 5:
		return play_token(p, k);
	default:
		return k->cas;
	}
}

uint64_t
play_token(struct play *p, const struct known *k)
{
	return k
	    ->given[play_pick(p, 2) ? k->last_given :
				      play_pick(p, MODEL_TOKENS)]
	    .token;
}

uint64_t
play_version(struct play *p, const struct known *k)
{
	uint64_t v = play_pick(p, 2) ? k->floor : k->version;

	return play_pick(p, 10) == 0 ? rng_any(&p->rng, 64) :
				       v + play_pick(p, 4) - (v > 1);
}

unsigned
play_tags(struct play *p, struct item_extra *extra)
{
	unsigned tags = play_pick(p, 5) ? 0 : play_pick(p, 1 << MODEL_TAGS);

	extra->tags = 0;
	for (unsigned t = 0; t < MODEL_TAGS; t++)
		if (tags >> t & 1)
			extra->tag[extra->tags++] = play_tag_slot(p, t);
	return tags;
}

uint32_t
play_tag_slot(struct play *p, unsigned t)
{
	return cache_tag_slot(&p->rig.cache, &"abcd"[t], 1);
}

size_t
play_value(struct play *p, char *value)
{
	static const char *const before[] = { "", " ", "+", "-", "x", "\t+" };
	static const char *const after[] = { "", " ", "x", "\t", " x" };
	size_t n;

	switch (play_pick(p, 6)) {
	case 0:
		return (size_t)sprintf(value, "%" PRIu64, rng_any(&p->rng, 64));
	case 1:
		return (
		    size_t)sprintf(value, "%u  ", (unsigned)play_pick(p, 200));
	case 2:
		return (size_t)sprintf(value, "%s%u%s", before[play_pick(p, 6)],
		    (unsigned)play_pick(p, 99), after[play_pick(p, 5)]);
	case 3:
		n = rng_any(&p->rng, 12);
		rng_fill(&p->rng, value, n);
		return n;
	case 4:
		/* now and then one that is just within the limit, or not */
		n = play_pick(p, 2) ? play_pick(p, ITEM_MAX - 100) :
				      ITEM_MAX - 80 + play_pick(p, 30);
		memset(value, (int)play_pick(p, 256), n);
		return n;
	default:
		return (size_t)sprintf(value, "v%u", p->done);
	}
}

void
play_number(struct play *p, struct known *k, bool own, uint64_t own_cas,
    uint64_t cas)
{
	if (!p->model.cas_enabled)
		SAME(p, cas == 0);
	else if (own)
		SAME(p, cas == own_cas);
	else
		SAME(p, cas > p->last_number);
	if (!own && cas > p->last_number)
		p->last_number = cas;
	k->cas = cas;
}
