/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * file.h - files that are written in directories which others may write to.
 *
 * Layer: base.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdio.h>

#include "base/attr.h"

/*
 * Creates a file of that name (mode 0644), in place of one that may be there,
 * and never through a link that somebody has put there.  NULL with errno.
 */
FILE *file_create(const char *path) MUST_USE;

#endif
