/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_outbuf.c - replies on their way to a client.
 */
#include "config.h"

#include "proto/outbuf.h"

#include <stdio.h>
#include <stdlib.h>

#include "fake_arena.h"
#include "rig.h"
#include "rng.h"
#include "unit.h"

/* A buffer, and the bytes that a client should get. */
struct reply {
	struct outbuf out;
	char *want;
	size_t len, room;
};

static void
begin(struct reply *p)
{
	memset(p, 0, sizeof(*p));
	p->out.buf = malloc(OUT_SIZE);
	p->room = 1 << 20;
	p->want = malloc(p->room);
	REQUIRE(p->out.buf != NULL && p->want != NULL);
}

static void
expect(struct reply *p, const char *bytes, size_t n)
{
	REQUIRE(p->len + n <= p->room);
	memcpy(p->want + p->len, bytes, n);
	p->len += n;
}

static void
add(struct reply *p, const char *text)
{
	out_add(&p->out, text, strlen(text));
	expect(p, text, strlen(text));
}

/* A private item whose value is n bytes that differ from place to place. */
static struct item *
make_item(struct rig *r, size_t n)
{
	struct item_spec spec = {
		.key = rig_key("key"),
		.value_len = (uint32_t)n,
	};
	struct item *it = store_item_new(&r->local, &spec);
	struct rng random = { n };

	REQUIRE(it != NULL);
	rng_fill(&random, item_value(it), n);
	return it;
}

static void
add_item(struct reply *p, struct rig *r, size_t n)
{
	struct item *it = make_item(r, n);

	out_item(&p->out, it, item_value(it), n);
	expect(p, item_value(it), n);
}

static void
add_text(struct reply *p, size_t n)
{
	struct rng random = { n + 1 };
	char *text = malloc(n + 1);

	REQUIRE(text != NULL);
	rng_fill(&random, text, n);
	out_text(&p->out, text, n);
	expect(p, text, n);
}

/* Text and items in turns, as a multi-get leaves them. */
static void
fill(struct reply *p, struct rig *r)
{
	add(p, "VALUE a 0 5000\r\n");
	add_item(p, r, 5000);
	add(p, "\r\nVALUE b 0 3\r\nabc\r\n");
	add_item(p, r, 1);
	add_item(p, r, 77); /* no bytes between two cuts */
	add(p, "\r\nEND\r\n");
	add_text(p, 300);
	add(p, "x");
}

static void
end(struct reply *p, struct rig *r)
{
	out_clear(&p->out, &r->local);
	CHECK(out_is_empty(&p->out));
	free(p->out.buf);
	free(p->want);
	CHECK(rig_is_sane(r, 0));
	rig_close(r);
	CHECK_EQ(fake_arena_bytes(), 0);
}

/*
 * Sends `n` bytes at a time, as the pieces give them; false when a byte is
 * not the one that is due.
 */
static bool
send_by(struct reply *p, struct rig *r, size_t n)
{
	struct iovec iov[OUT_PIECES];
	size_t at = 0;

	while (!out_is_empty(&p->out)) {
		int pieces = out_pieces(&p->out, iov);
		size_t sent = 0;

		if (pieces == 0 || pieces > OUT_PIECES)
			return false;
		for (int i = 0; i < pieces && sent < n; i++) {
			size_t m = iov[i].iov_len;

			if (m == 0 || at + sent + m > p->len)
				return false;
			if (m > n - sent)
				m = n - sent;
			if (memcmp(p->want + at + sent, iov[i].iov_base, m) !=
			    0)
				return false;
			sent += m;
		}
		out_sent(&p->out, sent, &r->local);
		at += sent;
	}
	return at == p->len;
}

static void
a_new_buffer_is_empty_and_has_room(void)
{
	struct reply p;
	struct rig r;
	struct iovec iov[OUT_PIECES];

	rig_open(&r, &(struct rig_config){ 0 });
	begin(&p);
	CHECK(out_is_empty(&p.out));
	CHECK(out_has_room(&p.out));
	CHECK_EQ(out_pieces(&p.out, iov), 0);
	end(&p, &r);
}

static void
bytes_and_numbers_are_added_in_order(void)
{
	struct reply p;
	struct rig r;

	rig_open(&r, &(struct rig_config){ 0 });
	begin(&p);
	OUT_LITERAL(&p.out, "VALUE ");
	out_add(&p.out, "key", 3);
	OUT_LITERAL(&p.out, " ");
	out_number(&p.out, 0);
	OUT_LITERAL(&p.out, " ");
	out_number(&p.out, UINT64_MAX);
	CHECK_BYTES(p.out.buf, p.out.used, "VALUE key 0 18446744073709551615");
	CHECK(!out_is_empty(&p.out));
	end(&p, &r);
}

static void
a_reply_arrives_whole_however_it_is_split(void)
{
	struct reply p;
	struct rig r;
	size_t whole = 1;

	rig_open(&r, &(struct rig_config){ 0 });
	for (size_t by = 1; by <= whole + 1; by += 1 + by / 50) {
		begin(&p);
		fill(&p, &r);
		whole = p.len;
		unit_note("%zu bytes at a time", by);
		REQUIRE(send_by(&p, &r, by));
		free(p.out.buf);
		free(p.want);
		REQUIRE(rig_is_sane(&r, 0));
	}
	unit_note("%s", "");
	begin(&p);
	end(&p, &r);
}

/* Sends the first part in one go, then the rest. */
static void
a_reply_may_be_cut_at_every_byte(void)
{
	struct reply p;
	struct rig r;
	size_t whole = 1;

	rig_open(&r, &(struct rig_config){ 0 });
	for (size_t first = 0; first <= whole; first++) {
		struct iovec iov[OUT_PIECES];
		size_t left = 0;
		int n;

		begin(&p);
		fill(&p, &r);
		whole = p.len;
		out_sent(&p.out, first, &r.local);
		n = out_pieces(&p.out, iov);
		for (int i = 0; i < n; i++)
			left += iov[i].iov_len;
		unit_note("cut at %zu", first);
		REQUIRE(left == whole - first);
		REQUIRE((n == 0) == (first == whole));
		memmove(p.want, p.want + first, whole - first);
		p.len -= first;
		REQUIRE(send_by(&p, &r, SIZE_MAX));
		REQUIRE(p.out.used == 0 && p.out.cuts == 0);
		free(p.out.buf);
		free(p.want);
	}
	unit_note("%s", "");
	begin(&p);
	end(&p, &r);
}

static void
an_item_is_given_back_with_its_last_byte(void)
{
	struct reply p;
	struct rig r;
	int64_t blocks;

	rig_open(&r, &(struct rig_config){ 0 });
	begin(&p);
	blocks = fake_arena_blocks();
	add(&p, "abc");
	add_item(&p, &r, 100);
	add(&p, "\r\n");
	CHECK_EQ(fake_arena_blocks(), blocks + 1);
	out_sent(&p.out, 3 + 99, &r.local);
	CHECK_EQ(fake_arena_blocks(), blocks + 1);
	out_sent(&p.out, 1, &r.local);
	CHECK_EQ(fake_arena_blocks(), blocks);
	CHECK(!out_is_empty(&p.out));
	out_sent(&p.out, 2, &r.local);
	CHECK(out_is_empty(&p.out));
	end(&p, &r);
}

static void
what_is_rewound_is_released(void)
{
	struct out_mark mark;
	struct reply p;
	struct rig r;
	int64_t blocks;
	size_t len;

	rig_open(&r, &(struct rig_config){ 0 });
	begin(&p);
	add(&p, "kept\r\n");
	add_item(&p, &r, 3000);
	add(&p, "\r\n");
	len = p.len;
	blocks = fake_arena_blocks();
	mark = out_mark(&p.out);

	add(&p, "dropped\r\n");
	add_item(&p, &r, 4000);
	add_text(&p, 50);
	add(&p, "dropped too");
	out_rewind(&p.out, mark, &r.local);
	CHECK_EQ(fake_arena_blocks(), blocks);
	p.len = len;
	CHECK(send_by(&p, &r, 10));
	end(&p, &r);
}

static void
a_rewind_without_cuts_drops_bytes_only(void)
{
	struct out_mark mark;
	struct reply p;
	struct rig r;

	rig_open(&r, &(struct rig_config){ 0 });
	begin(&p);
	mark = out_mark(&p.out);
	OUT_LITERAL(&p.out, "ERROR\r\n");
	out_rewind(&p.out, mark, &r.local);
	CHECK(out_is_empty(&p.out));
	add(&p, "MN\r\n");
	CHECK(send_by(&p, &r, 1));
	end(&p, &r);
}

static void
clearing_releases_what_is_left(void)
{
	struct reply p;
	struct rig r;
	int64_t blocks;

	rig_open(&r, &(struct rig_config){ 0 });
	begin(&p);
	blocks = fake_arena_blocks();
	fill(&p, &r);
	out_sent(&p.out, 16 + 2000, &r.local);
	CHECK_EQ(fake_arena_blocks(), blocks + 3);
	out_clear(&p.out, &r.local);
	CHECK_EQ(fake_arena_blocks(), blocks);
	CHECK(out_is_empty(&p.out));

	/* and it can be filled again */
	p.len = 0;
	fill(&p, &r);
	CHECK(send_by(&p, &r, 1000));
	end(&p, &r);
}

static void
room_ends_before_the_buffer_or_the_cuts_do(void)
{
	char reply[OUT_ROOM];
	struct reply p;
	struct rig r;
	int replies = 0;

	memset(reply, 'x', sizeof(reply));
	rig_open(&r, &(struct rig_config){ 0 });
	begin(&p);
	for (; out_has_room(&p.out); replies++)
		out_add(&p.out, reply, sizeof(reply));
	CHECK_EQ(replies, OUT_SIZE / OUT_ROOM);
	CHECK(p.out.used <= OUT_SIZE);
	out_clear(&p.out, &r.local);

	for (replies = 0; out_has_room(&p.out); replies++)
		add_item(&p, &r, 10);
	CHECK_EQ(replies, OUT_CUTS);
	CHECK(send_by(&p, &r, 7));
	end(&p, &r);
}

/* A reader takes some bytes, more replies are added behind what is left. */
static void
replies_may_be_added_behind_what_is_half_sent(void)
{
	struct rng random = rng_start("adding", 23);
	struct reply p;
	struct rig r;

	rig_open(&r, &(struct rig_config){ 0 });
	begin(&p);
	for (int i = 0; i < 3000; i++) {
		struct iovec iov[OUT_PIECES];
		size_t left = 0, n;

		if (out_has_room(&p.out) && p.len < p.room / 2) {
			if (rng_one_in(&random, 3))
				add_item(&p, &r, rng_below(&random, 3000) + 1);
			else
				add(&p, "HD\r\n");
		}
		for (int k = out_pieces(&p.out, iov); k-- > 0;)
			left += iov[k].iov_len;
		REQUIRE(left == p.len);
		n = rng_below(&random, left / 2 + 2);
		n = n > left ? left : n;
		out_sent(&p.out, n, &r.local);
		memmove(p.want, p.want + n, p.len - n);
		p.len -= n;
	}
	CHECK(send_by(&p, &r, 100));
	end(&p, &r);
}

UNIT("outbuf", TEST(a_new_buffer_is_empty_and_has_room),
    TEST(bytes_and_numbers_are_added_in_order),
    TEST(a_reply_arrives_whole_however_it_is_split),
    TEST(a_reply_may_be_cut_at_every_byte),
    TEST(an_item_is_given_back_with_its_last_byte),
    TEST(what_is_rewound_is_released),
    TEST(a_rewind_without_cuts_drops_bytes_only),
    TEST(clearing_releases_what_is_left),
    TEST(room_ends_before_the_buffer_or_the_cuts_do),
    TEST(replies_may_be_added_behind_what_is_half_sent))
