# contrib/c/local.mk - the client in C, beside libmemcached: copied by its users,
# not installed; built here for its test, t/94-c-client.t.

EXTRA_DIST += contrib/c/README

contrib_c_test_lease_SOURCES = \
	contrib/c/lease.c \
	contrib/c/lease.h \
	contrib/c/lease_conn.c \
	contrib/c/lease_conn.h \
	contrib/c/test_lease.c \
	contrib/c/test_lease.h \
	contrib/c/test_lease_wire.c
contrib_c_test_lease_CFLAGS = $(AM_CFLAGS) $(LIBMEMCACHED_CFLAGS)
contrib_c_test_lease_LDADD = $(LIBMEMCACHED_LIBS)

if HAVE_LIBMEMCACHED
check_PROGRAMS += contrib/c/test_lease
else
EXTRA_PROGRAMS += contrib/c/test_lease
endif
