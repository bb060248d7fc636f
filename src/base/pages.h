/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pages.h - giving memory back to the system without giving up its addresses.
 *
 * Layer: base.
 */
#ifndef BASE_PAGES_H
#define BASE_PAGES_H

/*
 * Gives back the whole pages from `from` up to `to`, whatever the system's size
 * of a page: they read as zeros from then on.  A failure leaves them as they
 * are.
 */
void pages_give_back(void *from, void *to);

#endif
