/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stats_class.c - the reports of `stats` that go by size class.
 *
 * There are no slab pages: a page here is what memcached would need, so that
 * a monitor's arithmetic (chunks, pages, waste) comes out sensibly.
 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/num.h"
#include "proto/command.h"
#include "proto/dump.h"
#include "proto/stats.h"
#include "proto/text.h"

enum { PAGE = 1024 * 1024 };

static struct store_sums *
sums_of(struct exec *x, struct text *text)
{
	struct store_sums *sums = malloc(sizeof(*sums));

	if (sums == NULL)
		text->failed = true;
	else
		store_sum(x->cache->store, sums);
	return sums;
}

static void
item_line(struct text *text, unsigned id, const char *name, uint64_t value)
{
	text_add(text, "STAT items:%u:%s %" PRIu64 "\r\n", id, name, value);
}

static void
items_of_class(struct text *text, unsigned id, const struct sizeclass *c)
{
	item_line(text, id, "number", c->items);
	item_line(text, id, "number_hot", 0);
	item_line(text, id, "number_warm", 0);
	item_line(text, id, "number_cold", c->items);
	item_line(text, id, "age_hot", 0);
	item_line(text, id, "age_warm", 0);
	item_line(text, id, "age", c->evicted_time);
	item_line(text, id, "mem_requested", c->bytes);
	item_line(text, id, "evicted", c->event[CLASS_EVICTED]);
	item_line(text, id, "evicted_nonzero", c->event[CLASS_EVICTED_NONZERO]);
	item_line(text, id, "evicted_time", c->evicted_time);
	item_line(text, id, "outofmemory", c->event[CLASS_OUT_OF_MEMORY]);
	item_line(text, id, "tailrepairs", 0);
	item_line(text, id, "reclaimed", c->event[CLASS_RECLAIMED]);
	item_line(text, id, "expired_unfetched",
	    c->event[CLASS_EXPIRED_UNFETCHED]);
	item_line(text, id, "evicted_unfetched",
	    c->event[CLASS_EVICTED_UNFETCHED]);
	item_line(text, id, "evicted_active", c->event[CLASS_EVICTED_ACTIVE]);
	item_line(text, id, "crawler_reclaimed",
	    c->event[CLASS_CRAWLER_RECLAIMED]);
	item_line(text, id, "crawler_items_checked",
	    c->event[CLASS_CRAWLER_CHECKED]);
	item_line(text, id, "lrutail_reflocked", 0);
	item_line(text, id, "moves_to_cold", 0);
	item_line(text, id, "moves_to_warm", 0);
	item_line(text, id, "moves_within_lru", 0);
	item_line(text, id, "direct_reclaims", 0);
	item_line(text, id, "hits_to_hot", 0);
	item_line(text, id, "hits_to_warm", 0);
	item_line(text, id, "hits_to_cold", c->event[CLASS_GET_HITS]);
	item_line(text, id, "hits_to_temp", 0);
}

void
stats_items(struct exec *x, struct text *text)
{
	struct store_sums *sums = sums_of(x, text);

	if (sums == NULL)
		return;
	for (unsigned id = SIZECLASS_FIRST; id < SIZECLASS_COUNT; id++)
		if (sums->cls[id].items > 0)
			items_of_class(text, id, &sums->cls[id]);
	free(sums);
	text_add(text, "END\r\n");
}

static void
slab_line(struct text *text, unsigned id, const char *name, uint64_t value)
{
	text_add(text, "STAT %u:%s %" PRIu64 "\r\n", id, name, value);
}

/* Returns the pages that the class would have in memcached. */
static uint64_t
slab_of_class(struct text *text, unsigned id, const struct sizeclass *c)
{
	static const struct {
		const char *name;
		enum class_event event;
	} events[] = {
		{ "get_hits", CLASS_GET_HITS },
		{ "cmd_set", CLASS_CMD_SET },
		{ "delete_hits", CLASS_DELETE_HITS },
		{ "incr_hits", CLASS_INCR_HITS },
		{ "decr_hits", CLASS_DECR_HITS },
		{ "cas_hits", CLASS_CAS_HITS },
		{ "cas_badval", CLASS_CAS_BADVAL },
		{ "touch_hits", CLASS_TOUCH_HITS },
	};
	uint64_t per_page = PAGE / sizeclass_chunk(id);
	uint64_t pages = (c->most_items + per_page - 1) / per_page;

	slab_line(text, id, "chunk_size", sizeclass_chunk(id));
	slab_line(text, id, "chunks_per_page", per_page);
	slab_line(text, id, "total_pages", pages);
	slab_line(text, id, "total_chunks", pages * per_page);
	slab_line(text, id, "used_chunks", c->items);
	slab_line(text, id, "free_chunks", pages * per_page - c->items);
	slab_line(text, id, "free_chunks_end", 0);
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		slab_line(text, id, events[i].name, c->event[events[i].event]);
	return pages;
}

void
stats_slabs(struct exec *x, struct text *text)
{
	struct store_sums *sums = sums_of(x, text);
	uint64_t pages = 0;
	unsigned active = 0;

	if (sums == NULL)
		return;
	for (unsigned id = SIZECLASS_FIRST; id < SIZECLASS_COUNT; id++)
		if (sums->cls[id].most_items > 0) {
			pages += slab_of_class(text, id, &sums->cls[id]);
			active++;
		}
	text_stat(text, "active_slabs", "%u", active);
	text_stat(text, "total_malloced", "%" PRIu64, pages * PAGE);
	free(sums);
	text_add(text, "END\r\n");
}

enum step
stats_sizes(struct exec *x, struct request *req)
{
	static const struct dump_spec spec = { .form = DUMP_SIZES,
		.classes = UINT64_MAX };

	if (!x->env->track_sizes)
		SAY(req, "STAT sizes_status disabled\r\nEND\r\n");
	else if (!dump_start(req->s, x, &spec))
		SAY(req, SAY_STATS_MEMORY);
	return STEP_DONE;
}

enum step
stats_cachedump(struct exec *x, struct request *req, const struct token *t,
    size_t n)
{
	struct dump_spec spec = { .form = DUMP_ITEMS };
	uint64_t id;

	if (!x->env->dump_enabled) {
		SAY(req, "CLIENT_ERROR stats cachedump not allowed\r\n");
	} else if (n < 4) {
		SAY(req, "CLIENT_ERROR bad command line\r\n");
	} else if (!num_loose(t[2].p, t[2].len, UINT32_MAX, &id) ||
	    !num_loose(t[3].p, t[3].len, UINT32_MAX, &spec.limit)) {
		SAY(req, SAY_BAD_FORMAT);
	} else if (id >= SIZECLASS_LIMIT) {
		SAY(req, "CLIENT_ERROR Illegal slab id\r\n");
	} else {
		spec.classes = (uint64_t)1 << id;
		if (!dump_start(req->s, x, &spec))
			SAY(req, SAY_STATS_MEMORY);
	}
	return STEP_DONE;
}
