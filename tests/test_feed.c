/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_feed.c - lines published to subscribers.
 */
#include "config.h"

#include "base/feed.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

enum { ONE = 1, TWO = 2, ROOM = 64 * 1024, PUBLISHERS = 3, LINES = 5000 };

static void
wake(void *arg)
{
	++*(int *)arg;
}

/* A subscriber that counts its calls in *woken. */
static struct subscriber *
subscribe(struct feed *f, uint32_t mask, size_t size, int *woken)
{
	bool out_of_memory;
	struct subscriber *s = feed_subscribe(f, mask, size, wake, woken,
	    &out_of_memory);

	REQUIRE(s != NULL);
	CHECK(!out_of_memory);
	return s;
}

/* All unread text, at most `room` bytes at a time. */
static char *
take_all(struct feed *f, struct subscriber *s, size_t room)
{
	char *text = malloc(ROOM), *block = malloc(room);
	size_t len = 0, n;

	REQUIRE(text != NULL && block != NULL);
	while ((n = feed_take(f, s, block, room)) > 0) {
		REQUIRE(len + n < ROOM);
		memcpy(text + len, block, n);
		len += n;
	}
	text[len] = '\0';
	free(block);
	return text;
}

/* A line without what changes: its time.  NULL at the end. */
static char *
line_after_time(char **at)
{
	char *line = strsep(at, "\n");

	if (line == NULL || *line == '\0')
		return NULL;
	if (strncmp(line, "ts=", 3) != 0)
		return line;
	line = strchr(line, ' ');
	return line != NULL ? line + 1 : NULL;
}

static void
nothing_is_wanted_without_subscribers(void)
{
	struct subscriber *s;
	struct feed f;
	int woken = 0;

	feed_init(&f);
	CHECK(!feed_wanted(&f, ONE));
	s = subscribe(&f, ONE, ROOM, &woken);
	CHECK(feed_wanted(&f, ONE));
	CHECK(feed_wanted(&f, ONE | TWO));
	CHECK(!feed_wanted(&f, TWO));

	feed_unsubscribe(&f, s);
	CHECK(!feed_wanted(&f, ONE));
	feed_destroy(&f);
}

static void
a_line_has_time_number_and_type(void)
{
	struct subscriber *s;
	struct feed f;
	char *text, *at;
	int woken = 0;

	feed_init(&f);
	s = subscribe(&f, ONE, ROOM, &woken);
	feed_publish(&f, ONE, "first", "key=%s size=%d", "abc", 5);
	feed_publish(&f, ONE, "second", "%s", "");
	at = text = take_all(&f, s, ROOM);

	CHECK_EQ(strspn(text + 3, "0123456789."), strchr(text, ' ') - text - 3);
	CHECK_STR(line_after_time(&at), "gid=1 type=first key=abc size=5");
	CHECK_STR(line_after_time(&at), "gid=2 type=second ");
	CHECK(line_after_time(&at) == NULL);
	free(text);
	feed_unsubscribe(&f, s);
	feed_destroy(&f);
}

static void
a_subscriber_gets_its_classes_only(void)
{
	struct subscriber *one, *both;
	struct feed f;
	char *text, *at;
	int woken_one = 0, woken_both = 0;

	feed_init(&f);
	one = subscribe(&f, ONE, ROOM, &woken_one);
	both = subscribe(&f, ONE | TWO, ROOM, &woken_both);
	feed_publish(&f, TWO, "two", "x");
	CHECK_EQ(woken_one, 0);
	CHECK_EQ(woken_both, 1);
	feed_publish(&f, ONE, "one", "x");

	at = text = take_all(&f, one, ROOM);
	CHECK_STR(line_after_time(&at), "gid=2 type=one x");
	CHECK(line_after_time(&at) == NULL);
	free(text);
	at = text = take_all(&f, both, ROOM);
	CHECK_STR(line_after_time(&at), "gid=1 type=two x");
	CHECK_STR(line_after_time(&at), "gid=2 type=one x");
	free(text);
	feed_unsubscribe(&f, one);
	feed_unsubscribe(&f, both);
	feed_destroy(&f);
}

static void
a_subscriber_is_woken_once_until_it_has_taken_all(void)
{
	struct subscriber *s;
	struct feed f;
	char byte;
	int woken = 0;

	feed_init(&f);
	s = subscribe(&f, ONE, ROOM, &woken);
	feed_publish(&f, ONE, "a", "x");
	feed_publish(&f, ONE, "b", "x");
	CHECK_EQ(woken, 1);
	CHECK_EQ(feed_take(&f, s, &byte, 1), 1);
	feed_publish(&f, ONE, "c", "x");
	CHECK_EQ(woken, 1);

	free(take_all(&f, s, 7));
	CHECK_EQ(woken, 1);
	feed_publish(&f, ONE, "d", "x");
	CHECK_EQ(woken, 2);
	feed_unsubscribe(&f, s);
	feed_destroy(&f);
}

/* Small, uneven pieces through a small ring: it wraps at every place. */
static void
text_comes_whole_through_a_ring_that_wraps(void)
{
	struct subscriber *s;
	struct feed f;
	char want[100], *text, *at;
	int woken = 0;

	feed_init(&f);
	s = subscribe(&f, ONE, FEED_RING_MIN + 3, &woken);
	for (int i = 1; i <= 3000; i++) {
		snprintf(want, sizeof(want), "gid=%d type=t %0*d", i,
		    1 + i % 23, i);
		feed_publish(&f, ONE, "t", "%0*d", 1 + i % 23, i);
		at = text = take_all(&f, s, 1 + (size_t)i % 31);
		CHECK_STR(line_after_time(&at), want);
		CHECK(line_after_time(&at) == NULL);
		free(text);
	}
	CHECK_EQ(feed_stats(&f).skipped, 0);
	feed_unsubscribe(&f, s);
	feed_destroy(&f);
}

static void
what_does_not_fit_is_counted_and_told(void)
{
	enum { MANY = 300 };
	struct feed_stats st;
	struct subscriber *s;
	struct feed f;
	char *text, *at, *line;
	int woken = 0, fitted = 0;

	feed_init(&f);
	s = subscribe(&f, ONE, FEED_RING_MIN, &woken);
	for (int i = 0; i < MANY; i++)
		feed_publish(&f, ONE, "t", "%d", i);
	at = text = take_all(&f, s, ROOM);
	while ((line = line_after_time(&at)) != NULL)
		fitted++;
	free(text);
	CHECK(fitted >= 1 && fitted < MANY);
	CHECK_EQ(woken, 1);

	feed_publish(&f, ONE, "late", "x");
	feed_publish(&f, ONE, "later", "x");
	at = text = take_all(&f, s, ROOM);
	line = line_after_time(&at);
	REQUIRE(line != NULL);
	CHECK_EQ(strncmp(line, "skipped=", 8), 0);
	CHECK_EQ(atoi(line + 8), MANY - fitted);
	CHECK_STR(line_after_time(&at), "gid=301 type=late x");
	CHECK_STR(line_after_time(&at), "gid=302 type=later x");
	CHECK(line_after_time(&at) == NULL);
	free(text);

	st = feed_stats(&f);
	CHECK_EQ(st.written, MANY + 2);
	CHECK_EQ(st.sent, fitted + 2);
	CHECK_EQ(st.skipped, MANY - fitted);
	CHECK_EQ(st.subscribers, 1);
	feed_unsubscribe(&f, s);
	CHECK_EQ(feed_stats(&f).subscribers, 0);
	feed_destroy(&f);
}

static void
there_is_a_limit_to_subscribers(void)
{
	struct subscriber *s[FEED_SUBSCRIBERS];
	bool out_of_memory = true;
	struct feed f;
	int woken = 0;

	feed_init(&f);
	for (int i = 0; i < FEED_SUBSCRIBERS; i++)
		s[i] = subscribe(&f, ONE, FEED_RING_MIN, &woken);
	CHECK(feed_subscribe(&f, ONE, FEED_RING_MIN, wake, &woken,
		  &out_of_memory) == NULL);
	CHECK(!out_of_memory);
	feed_publish(&f, ONE, "t", "x");
	CHECK_EQ(woken, FEED_SUBSCRIBERS);

	/* one goes, from the middle: another may come */
	feed_unsubscribe(&f, s[3]);
	s[3] = subscribe(&f, TWO, FEED_RING_MIN, &woken);
	CHECK_EQ(feed_stats(&f).subscribers, FEED_SUBSCRIBERS);
	for (int i = 0; i < FEED_SUBSCRIBERS; i++)
		feed_unsubscribe(&f, s[i]);
	feed_destroy(&f);
}

static void
the_longest_line_fits(void)
{
	enum { KEY_BYTES = 750, FIELDS = 200 };
	struct subscriber *s;
	struct feed f;
	char field[KEY_BYTES + FIELDS + 1], *text;
	int woken = 0;

	memset(field, 'x', sizeof(field) - 1);
	field[sizeof(field) - 1] = '\0';
	feed_init(&f);
	s = subscribe(&f, ONE, FEED_RING_MIN, &woken);
	feed_publish(&f, ONE, "item_store", "%s", field);
	text = take_all(&f, s, ROOM);

	CHECK(strstr(text, field) != NULL);
	CHECK(strlen(text) < FEED_LINE);
	free(text);
	feed_unsubscribe(&f, s);
	feed_destroy(&f);
}

struct publisher {
	struct feed *feed;
	int id;
	pthread_t thread;
};

static void *
publish_all(void *arg)
{
	struct publisher *p = arg;

	for (int i = 0; i < LINES; i++)
		if (feed_wanted(p->feed, ONE))
			feed_publish(p->feed, ONE, "t", "p=%d n=%d", p->id, i);
	return NULL;
}

/* What a taker has seen of the stream. */
struct seen {
	uint64_t last, lines, skipped;
	bool in_order;
};

static void
read_line(struct seen *seen, const char *line)
{
	uint64_t number, skipped;
	int p, n;

	if (sscanf(line, "skipped=%" SCNu64, &skipped) == 1) {
		seen->skipped += skipped;
	} else if (sscanf(line, "gid=%" SCNu64 " type=t p=%d n=%d", &number, &p,
		       &n) == 3) {
		seen->in_order = seen->in_order && number > seen->last;
		seen->last = number;
		seen->lines++;
	} else {
		seen->in_order = false;
	}
}

/* Takes what is there in one piece after another; `half` is a broken line. */
static void
read_some(struct feed *f, struct subscriber *s, struct seen *seen, char *half)
{
	char text[1024], *at = text, *line, *end;
	size_t have = strlen(half), n;

	memcpy(text, half, have);
	n = feed_take(f, s, text + have, 300);
	text[have + n] = '\0';
	*half = '\0';
	while ((end = strchr(at, '\n')) != NULL) {
		at = end + 1;
		*end = '\0';
	}
	strcpy(half, at);
	for (char *p = text; p < at; p += strlen(p) + 1) {
		line = p;
		if (strncmp(line, "ts=", 3) == 0)
			line = strchr(line, ' ') + 1;
		read_line(seen, line);
		p = line;
	}
}

/* Lines that come plus those that are skipped are all lines. */
static void
many_publishers_leave_whole_lines_in_order(void)
{
	struct publisher p[PUBLISHERS];
	struct seen seen = { .in_order = true };
	struct subscriber *s;
	char half[1024] = "";
	struct feed f;
	int woken = 0;

	feed_init(&f);
	s = subscribe(&f, ONE, FEED_RING_MIN, &woken);
	for (int i = 0; i < PUBLISHERS; i++) {
		p[i] = (struct publisher){ .feed = &f, .id = i };
		REQUIRE(pthread_create(&p[i].thread, NULL, publish_all,
			    &p[i]) == 0);
	}
	while (feed_stats(&f).written < PUBLISHERS * LINES)
		read_some(&f, s, &seen, half);
	for (int i = 0; i < PUBLISHERS; i++)
		pthread_join(p[i].thread, NULL);
	for (int i = 0; i < 100; i++)
		read_some(&f, s, &seen, half);
	feed_publish(&f, ONE, "t", "p=%d n=%d", 0, 0);
	for (int i = 0; i < 100; i++)
		read_some(&f, s, &seen, half);

	CHECK(seen.in_order);
	CHECK_EQ(seen.lines + seen.skipped, PUBLISHERS * LINES + 1);
	CHECK_EQ(feed_stats(&f).skipped, seen.skipped);
	CHECK_EQ(feed_stats(&f).sent, seen.lines);
	CHECK_STR(half, "");
	feed_unsubscribe(&f, s);
	feed_destroy(&f);
}

UNIT("feed", TEST(nothing_is_wanted_without_subscribers),
    TEST(a_line_has_time_number_and_type),
    TEST(a_subscriber_gets_its_classes_only),
    TEST(a_subscriber_is_woken_once_until_it_has_taken_all),
    TEST(text_comes_whole_through_a_ring_that_wraps),
    TEST(what_does_not_fit_is_counted_and_told),
    TEST(there_is_a_limit_to_subscribers), TEST(the_longest_line_fits),
    TEST(many_publishers_leave_whole_lines_in_order))
