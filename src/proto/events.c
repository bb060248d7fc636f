/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * events.c - what watchers are told of requests.
 */
#include "config.h"

#include "proto/events.h"

#include "base/uri.h"
#include "proto/command.h"

static unsigned
class_of(const struct key *key, size_t value_len, uint32_t client_flags)
{
	return sizeclass_of(
	    sizeclass_item_size(key->len, value_len, client_flags));
}

void
event_get(struct exec *x, const struct session *s, const struct key *key,
    enum result res, const struct hit *hit)
{
	struct feed *feed = x->env->feed;
	char name[3 * KEY_MAX];
	const char *status = "found";
	bool found = res == RESULT_HIT;

	if (!feed_wanted(feed, FEED_FETCHERS))
		return;
	if (!found)
		status = hit->why == FOUND_EXPIRED ? "expired" :
		    hit->why == FOUND_FLUSHED      ? "flushed" :
						     "not_found";
	feed_publish(feed, FEED_FETCHERS, "item_get",
	    "key=%.*s status=%s clsid=%u cfd=%d size=%u",
	    (int)uri_encode(name, key->data, key->len), name, status,
	    found ? class_of(key, hit->value_len, hit->client_flags) : 0,
	    s->cfd, hit->value_len);
}

static const char *
store_status(enum result res)
{
	switch (res) {
	case RESULT_STORED:
		return "stored";
	case RESULT_EXISTS:
		return "exists";
	case RESULT_NOT_FOUND:
		return "not_found";
	case RESULT_TOO_LARGE:
		return "too_large";
	case RESULT_NO_MEMORY:
		return "no_memory";
	default:
		return "not_stored";
	}
}

static const char *
store_word(const struct store_spec *spec)
{
	static const char *const mode[] = {
		[STORE_SET] = "set",
		[STORE_ADD] = "add",
		[STORE_REPLACE] = "replace",
		[STORE_APPEND] = "append",
		[STORE_PREPEND] = "prepend",
	};

	return spec->compare && spec->mode == STORE_SET ? "cas" :
							  mode[spec->mode];
}

void
event_store(struct exec *x, const struct request *req,
    const struct store_request *sr, enum result res, const struct stored *done)
{
	struct feed *feed = x->env->feed;
	char name[3 * KEY_MAX];
	size_t size = res == RESULT_STORED ? done->value_len :
					     (size_t)sr->bytes;

	if (!feed_wanted(feed, FEED_MUTATIONS))
		return;
	feed_publish(feed, FEED_MUTATIONS, "item_store",
	    "key=%.*s status=%s cmd=%s ttl=%lld clsid=%u cfd=%d size=%zu",
	    (int)uri_encode(name, sr->key.data, sr->key.len), name,
	    store_status(res), store_word(&sr->spec),
	    sr->exptime == 0 ? 0 : (long long)sr->exptime - x->now,
	    class_of(&sr->key, size, sr->client_flags), req->s->cfd, size);
}

void
event_deleted(struct exec *x, const struct key *key, const char *cmd,
    uint32_t size)
{
	struct feed *feed = x->env->feed;
	char name[3 * KEY_MAX];

	if (!feed_wanted(feed, FEED_DELETIONS))
		return;
	feed_publish(feed, FEED_DELETIONS, "deleted",
	    "key=%.*s cmd=%s clsid=%u size=%u",
	    (int)uri_encode(name, key->data, key->len), name, cmd,
	    class_of(key, size, 0), size);
}
