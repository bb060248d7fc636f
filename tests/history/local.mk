# tests/history/local.mk - many clients at once, and a proof of what they saw.
#
# drive opens connections to a server and records all that it sends and is
# answered; check reads the record and proves the promises about leases,
# versions and tags on it.  t/39-history.t runs both for some seconds:
#
#	make history HISTORY_SECONDS=600
#
# By hand, against any server:
#
#	tests/history/drive -p 11211 -t 60 | tests/history/check -k bad.txt

history_check = \
	tests/history/judge.c tests/history/judge.h \
	tests/history/judge_floors.c \
	tests/history/judge_leases.c \
	tests/history/judge_values.c \
	tests/history/judge_waits.c \
	tests/history/map.c tests/history/map.h \
	tests/history/record.c tests/history/record.h \
	tests/history/value.c tests/history/value.h \
	tests/history/wording.c tests/history/wording.h

check_PROGRAMS += tests/history/check tests/history/drive

tests_history_check_SOURCES = tests/history/check.c $(history_check)
tests_history_check_LDADD =

tests_history_drive_SOURCES = tests/history/drive.c tests/history/drive.h \
	tests/history/client.c tests/history/client.h \
	tests/history/jobs.c \
	tests/history/map.c tests/history/map.h \
	tests/history/plan.c \
	tests/history/scene.c \
	tests/history/value.c tests/history/value.h \
	tests/rng.h
tests_history_drive_LDADD =

unit_tests += tests/history/test_check
tests_history_test_check_SOURCES = tests/history/test_check.c $(history_check)

# The round in which a violation was found.
CLEANFILES += tests/history/violation.txt

HISTORY_SECONDS = 600

history:
	LEASECACHED_HISTORY_SECONDS='$(HISTORY_SECONDS)' \
	$(MAKE) $(AM_MAKEFLAGS) check TESTS=t/39-history.t PROVE_FLAGS=-v \
		TEST_TIMEOUT=$$(($(HISTORY_SECONDS) * 2 + 900))

.PHONY: history
