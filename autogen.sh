#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# autogen.sh - makes ./configure; needed once after a checkout.

set -e
cd "$(dirname "$0")"

missing=
need() {
	command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need autoconf autoconf
need automake automake
need pkg-config pkg-config
if [ -n "$missing" ]; then
	echo "autogen.sh: missing; on Debian: apt install$missing" >&2
	exit 1
fi
exec autoreconf --force --install "$@"
