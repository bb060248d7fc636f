# tests/local.mk - unit tests: one program per module, src/*/x.c and test_x.c.
#
# A new test is one line here.  Its source has the program's name, and it is
# linked with all code but main.c and with the CUnit reporter of tests/unit.c:
#
#	unit_tests += tests/test_num

unit_tests =
unit_tests += tests/test_option

LDADD = tests/libunit.a $(leasecached_libs) $(CUNIT_LIBS)

if HAVE_CUNIT
check_PROGRAMS += $(unit_tests)
check_LIBRARIES += tests/libunit.a
endif
tests_libunit_a_SOURCES = tests/unit.c tests/unit.h
