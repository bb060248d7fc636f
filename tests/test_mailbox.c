/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_mailbox.c - messages from any thread to one.
 */
#include "config.h"

#include "base/mailbox.h"

#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "unit.h"

enum { POSTERS = 4, MAILS = 20000, PATIENCE_MS = 30 * 1000 };

struct letter {
	struct mail mail;
	int number;
};

/* Waits up to `ms` until the owner is woken. */
static bool
is_woken(const struct mailbox *box, int ms)
{
	struct pollfd p = { .fd = box->wake_fd, .events = POLLIN };

	return poll(&p, 1, ms) == 1;
}

static void
an_empty_box_has_nothing_and_wakes_nobody(void)
{
	struct mailbox box;

	REQUIRE(mailbox_open(&box));
	CHECK(!is_woken(&box, 0));
	CHECK(mailbox_take(&box) == NULL);
	mailbox_close(&box);
}

static void
mail_comes_in_the_order_it_was_posted(void)
{
	struct letter l[5];
	struct mailbox box;
	struct mail *m;

	REQUIRE(mailbox_open(&box));
	for (int i = 0; i < 5; i++) {
		l[i] = (struct letter){ .mail.kind = i };
		mailbox_post(&box, &l[i].mail);
	}
	CHECK(is_woken(&box, PATIENCE_MS));
	m = mailbox_take(&box);
	for (int i = 0; i < 5; i++, m = m->next) {
		REQUIRE(m == &l[i].mail);
		CHECK_EQ(m->kind, i);
	}
	CHECK(m == NULL);
	mailbox_close(&box);
}

static void
taken_mail_does_not_wake_again(void)
{
	struct letter l = { .number = 0 };
	struct mailbox box;

	REQUIRE(mailbox_open(&box));
	mailbox_post(&box, &l.mail);
	CHECK(mailbox_take(&box) == &l.mail);
	CHECK(!is_woken(&box, 0));
	CHECK(mailbox_take(&box) == NULL);

	/* and the same letter may be sent once more */
	mailbox_post(&box, &l.mail);
	CHECK(is_woken(&box, PATIENCE_MS));
	CHECK(mailbox_take(&box) == &l.mail);
	CHECK(l.mail.next == NULL);
	mailbox_close(&box);
}

static void
a_batch_costs_one_wake_up(void)
{
	struct letter l[10] = { 0 };
	struct mailbox box;
	eventfd_t wakes = 0;

	REQUIRE(mailbox_open(&box));
	for (int i = 0; i < 10; i++)
		mailbox_post(&box, &l[i].mail);
	CHECK_EQ(eventfd_read(box.wake_fd, &wakes), 0);
	CHECK_EQ(wakes, 1);
	CHECK(mailbox_take(&box) != NULL);
	mailbox_close(&box);
}

struct poster {
	struct mailbox *box;
	int id;
	struct letter *letters;
	pthread_t thread;
};

static void *
post_all(void *arg)
{
	struct poster *p = arg;

	for (int i = 0; i < MAILS; i++) {
		p->letters[i].mail.kind = p->id;
		p->letters[i].number = i;
		mailbox_post(p->box, &p->letters[i].mail);
	}
	return NULL;
}

/* Takes until all has come; false when a letter is missing or out of order. */
static bool
take_all(struct mailbox *box)
{
	int next[POSTERS] = { 0 };

	for (int got = 0; got < POSTERS * MAILS;) {
		struct mail *m;

		if (!is_woken(box, PATIENCE_MS))
			return false;
		for (m = mailbox_take(box); m != NULL; m = m->next, got++)
			if (((struct letter *)m)->number != next[m->kind]++)
				return false;
	}
	return true;
}

static void
nothing_is_lost_among_many_posters(void)
{
	struct poster p[POSTERS];
	struct mailbox box;

	REQUIRE(mailbox_open(&box));
	for (int i = 0; i < POSTERS; i++) {
		p[i].box = &box;
		p[i].id = i;
		p[i].letters = calloc(MAILS, sizeof(struct letter));
		REQUIRE(p[i].letters != NULL);
		REQUIRE(
		    pthread_create(&p[i].thread, NULL, post_all, &p[i]) == 0);
	}
	CHECK(take_all(&box));
	for (int i = 0; i < POSTERS; i++) {
		pthread_join(p[i].thread, NULL);
		free(p[i].letters);
	}
	CHECK(mailbox_take(&box) == NULL);
	mailbox_close(&box);
}

UNIT("mailbox", TEST(an_empty_box_has_nothing_and_wakes_nobody),
    TEST(mail_comes_in_the_order_it_was_posted),
    TEST(taken_mail_does_not_wake_again), TEST(a_batch_costs_one_wake_up),
    TEST(nothing_is_lost_among_many_posters))
