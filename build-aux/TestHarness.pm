# SPDX-License-Identifier: BSD-3-Clause
# TestHarness.pm - what `make check` adds to prove.
#
# A test may not run longer than TEST_TIMEOUT seconds; an interrupt ends the
# tests that run; the last line counts results.  With TEST_TOTALS=FILE the
# counts are appended to FILE, so that several runs can be summed.

package TestHarness;

use strict;
use warnings;

use parent 'TAP::Harness';

sub new {
    my ($class, $args) = @_;
    my $lib = $args->{lib} || [];
    my @perl = ($^X, map { "-I$_" } ref $lib ? @$lib : $lib);
    my @limit = ('timeout', '-k', 10, $ENV{TEST_TIMEOUT} || 900);

    $args->{exec} ||= sub {
        my ($self, $test) = @_;
        return [@limit, $test =~ /\.t\z/ ? @perl : (), $test];
    };
    return $class->SUPER::new($args);
}

sub runtests {
    my ($self, @tests) = @_;

    # A time-limited test leads a process group of its own, which a Ctrl-C at
    # the terminal does not reach.
    local $SIG{INT} = \&end_tests;
    local $SIG{TERM} = \&end_tests;
    return $self->SUPER::runtests(@tests);
}

sub end_tests {
    my ($signal) = @_;

    if (open my $children, '<', "/proc/$$/task/$$/children") {
        kill TERM => split ' ', <$children> // '';
    }
    print STDERR "\ntests ended by SIG$signal\n";
    exit 130;
}

sub summary {
    my ($self, $results, @rest) = @_;

    $self->SUPER::summary($results, @rest);
    my ($passed, $failed, $skipped) = count($results);
    print "$passed passed, $failed failed, $skipped skipped\n";
    if (my $file = $ENV{TEST_TOTALS}) {
        open my $totals, '>>', $file or die "$file: $!\n";
        print $totals "$passed $failed $skipped\n";
        close $totals or die "$file: $!\n";
    }
    return;
}

# A file that breaks off, or exits badly with no result failed, counts as one
# failure; a file that skips itself counts as one skipped.
sub count {
    my ($results) = @_;
    my ($passed, $failed, $skipped) = (0, 0, 0);

    for my $test ($results->parsers) {
        $skipped += () = $test->skipped;
        $skipped++ if $test->skip_all;
        $passed += (() = $test->passed) - (() = $test->skipped);
        my $bad = () = $test->failed;
        $bad ||= 1 if $test->has_problems;
        $failed += $bad;
    }
    return ($passed, $failed, $skipped);
}

1;
