/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mailbox.h - messages from any thread to one.
 *
 * A lock-free stack of messages and an eventfd: the sender that finds the
 * stack empty wakes the owner, so a batch costs one wake-up.  Messages are
 * embedded in what they carry; the sender gives up what it sends.
 *
 * Layer: base.
 */
#ifndef BASE_MAILBOX_H
#define BASE_MAILBOX_H

#include <stdbool.h>

#include "base/attr.h"

struct mail {
	struct mail *next;
	int kind; /* the owner's enum */
};

struct mailbox {
	struct mail *_Atomic head;
	int wake_fd; /* readable while mail may wait */
};

/* False with errno when no descriptor could be had. */
bool mailbox_open(struct mailbox *box) MUST_USE;
void mailbox_close(struct mailbox *box);

/* Any thread. */
void mailbox_post(struct mailbox *box, struct mail *m);

/*
 * The owner, when wake_fd is readable: all mail in the order it was posted,
 * linked by `next`; NULL when there is none.
 */
struct mail *mailbox_take(struct mailbox *box) MUST_USE;

#endif
