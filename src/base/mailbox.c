/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mailbox.c - messages from any thread to one.
 */
#include "config.h"

#include "base/mailbox.h"

#include <stdatomic.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"

bool
mailbox_open(struct mailbox *box)
{
	atomic_store(&box->head, NULL);
	box->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return box->wake_fd >= 0;
}

void
mailbox_close(struct mailbox *box)
{
	CHECK(atomic_load(&box->head) == NULL);
	close(box->wake_fd);
}

void
mailbox_post(struct mailbox *box, struct mail *m)
{
	struct mail *head = atomic_load_explicit(&box->head,
	    memory_order_relaxed);

	do {
		m->next = head;
		/* release: pairs with the exchange in mailbox_take() */
	} while (!atomic_compare_exchange_weak_explicit(&box->head, &head, m,
	    memory_order_release, memory_order_relaxed));
	/* A full eventfd counter is readable all the same. */
	if (head == NULL && eventfd_write(box->wake_fd, 1) != 0)
		return;
}

struct mail *
mailbox_take(struct mailbox *box)
{
	eventfd_t ignored;
	struct mail *m, *in_order = NULL;

	/* Reset before the take: mail posted in between wakes again. */
	if (eventfd_read(box->wake_fd, &ignored) != 0)
		ignored = 0;
	m = atomic_exchange_explicit(&box->head, NULL, memory_order_acquire);
	while (m != NULL) {
		struct mail *next = m->next;

		m->next = in_order;
		in_order = m;
		m = next;
	}
	return in_order;
}
