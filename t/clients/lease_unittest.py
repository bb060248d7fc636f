# SPDX-License-Identifier: BSD-3-Clause
# lease_unittest.py - runs tests of contrib/python; each becomes a result.
#
# Arguments: names of modules in contrib/python/tests.  LEASECACHED and
# MEMCACHED name the programs to start.

import logging
import os
import sys
import unittest

from tap import check, finish, remark, skip

PYTHON = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                      os.pardir, os.pardir, 'contrib', 'python')
sys.path[:0] = [PYTHON, os.path.join(PYTHON, 'tests')]


def named(test):
    """Leases.test_a_value_is_loaded is "Leases: a value is loaded"."""
    words = test.id().split('.')
    if len(words) < 2 or not words[-1].startswith('test_'):
        return str(test)
    return '%s: %s' % (words[-2], words[-1][5:].replace('_', ' '))


class Results(unittest.TestResult):
    def addSuccess(self, test):
        check(True, named(test))

    def addError(self, test, error):
        check(False, named(test))
        remark(self._exc_info_to_string(error, test))

    addFailure = addError

    def addSkip(self, test, reason):
        # Programs that a test needs are asked for before.
        skip(named(test), reason)


# Warnings that are wanted are caught by the tests.
logging.getLogger('leasecached').addHandler(logging.NullHandler())
unittest.defaultTestLoader.loadTestsFromNames(sys.argv[1:]).run(Results())
finish()
