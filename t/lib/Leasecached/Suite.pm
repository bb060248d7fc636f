# SPDX-License-Identifier: BSD-3-Clause
# Leasecached/Suite.pm - tests that are carried out by real clients.
#
# A suite is a script beside the tests, in t/clients, in the language of the
# client.  It prints lines of TAP without numbers ("ok - name", "not ok - name",
# "# remark", "ok - name # skip why") and "finished" at its end; run_suite turns
# each into a result, and the lack of the last one into a failure.
#
# A client that is not installed is no failure when somebody runs the tests by
# hand, and is one when LEASECACHED_REQUIRE_CLIENTS is set, as in continuous
# integration.
#
# PYTHON3	the interpreter that knows the clients; else /usr/bin/python3

package Leasecached::Suite;

use strict;
use warnings;

use Exporter 'import';
use File::Basename qw(dirname);
use File::Spec ();
use IO::Select ();
use POSIX ();
use Test::More ();
use Time::HiRes qw(time);

our @EXPORT = qw(need needs_program needs_python needs_php needs_ruby
    needs_perl program run_suite output_of python3);

# Nothing takes this long, not even under a sanitizer on a busy machine.
use constant LONG => 120;

my $here = File::Spec->rel2abs(dirname($0));

sub
python3
{
	return $ENV{PYTHON3} || '/usr/bin/python3';
}

# The whole test needs it.
sub
need
{
	my ($there, $what) = @_;

	return 1 if $there;
	my $builder = Test::More->builder;
	if ($ENV{LEASECACHED_REQUIRE_CLIENTS}) {
		$builder->ok(0, "$what is installed");
		$builder->done_testing;
		exit 1;
	}
	$builder->plan(skip_all => "$what is not installed");
}

# The path of a program, or undef.
sub
program
{
	my ($name) = @_;

	for my $dir (split(/:/, $ENV{PATH} // ''), qw(/usr/local/bin /usr/bin
	    /usr/sbin)) {
		return "$dir/$name" if -x "$dir/$name" && !-d _;
	}
	return undef;
}

sub
_works
{
	my (@command) = @_;
	my (undef, $status) = output_of(@command);

	return $status == 0;
}

sub
needs_program
{
	my ($name, $package) = @_;

	need(defined program($name), $package // $name);
	return program($name);
}

sub
needs_python
{
	my ($module, $package) = @_;

	need(_works(python3(), '-c', "import $module"), $package);
}

sub
needs_php
{
	my ($extension, $package) = @_;
	my $php = program('php');

	need(defined $php && _works($php, '-r',
	    "exit(extension_loaded('$extension') ? 0 : 1);"), $package);
}

sub
needs_ruby
{
	my ($library, $package) = @_;
	my $ruby = program('ruby');

	need(defined $ruby && _works($ruby, '-e', "require '$library'"),
	    $package);
}

sub
needs_perl
{
	my ($module, $package) = @_;

	need(eval "require $module; 1", $package);
}

# ---- running ----------------------------------------------------------------

# Starts a command; its standard output comes through the handle, its errors do
# as well or are dropped.
sub
_start
{
	my ($in, $with_errors, @command) = @_;

	pipe my $read, my $write or die "pipe: $!\n";
	my $pid = fork // die "fork: $!\n";
	if ($pid == 0) {
		close $read;
		@SIG{qw(HUP INT TERM PIPE ALRM)} = ('DEFAULT') x 5;
		setpgrp;
		open STDIN, '<', $in // '/dev/null' and
		    open STDOUT, '>&', $write or POSIX::_exit(126);
		$with_errors ? open STDERR, '>&', \*STDOUT :
		    open STDERR, '>', '/dev/null';
		{ no warnings 'exec'; exec { $command[0] } @command; }
		POSIX::_exit(127);
	}
	close $write;
	return ($pid, $read);
}

# Reads until the end, or until the time is over; (bytes, ended in time).
sub
_read_all
{
	my ($read, $on_line) = @_;
	my ($bytes, $rest, $end) = ('', '', time + LONG);
	my $select = IO::Select->new($read);

	for (;;) {
		my $left = $end - time;
		return ($bytes, 0) if $left <= 0 || !$select->can_read($left);
		my $n = sysread $read, my $more, 1 << 16;
		return ($bytes, 1) unless $n;
		$bytes .= $more;
		next unless $on_line;
		$rest .= $more;
		$on_line->($1) while $rest =~ s/\A(.*)\n//;
	}
}

# The exit status as the shell tells it.
sub
_end
{
	my ($pid, $in_time) = @_;

	kill KILL => -$pid unless $in_time;
	local ($?, $!);
	waitpid $pid, 0;
	return $? & 127 ? 128 + ($? & 127) : $? >> 8;
}

# Runs a command: (what it wrote, its exit status).  A first argument that is
# a hash may hold in => file for its standard input.
sub
output_of
{
	my %how = ref $_[0] eq 'HASH' ? %{ shift() } : ();
	my ($pid, $read) = _start($how{in}, !$how{no_errors}, @_);
	my ($bytes, $in_time) = _read_all($read);
	my $status = _end($pid, $in_time);

	return ($bytes, $in_time ? $status : 255);
}

# Runs t/clients/$script and makes each of its lines a result.
sub
run_suite
{
	my ($interpreter, $script, @args) = @_;
	my $builder = Test::More->builder;
	my $finished = 0;

	local $ENV{PYTHONDONTWRITEBYTECODE} = 1;
	local $ENV{PYTHONUNBUFFERED} = 1;
	local $ENV{LEASECACHED_REFERENCE} = $ENV{LEASECACHED_REFERENCE} // '';
	my ($pid, $read) = _start(undef, 1, $interpreter,
	    "$here/clients/$script", @args);
	my (undef, $in_time) = _read_all($read, sub {
		my ($line) = @_;

		if ($line =~ /^ok - (.*?) # skip (.*)/) {
			$builder->skip("$1: $2");
		} elsif ($line =~ /^(not )?ok - (.*)/) {
			$builder->ok(!$1, $2 =~ s/#/\\#/gr);
		} elsif ($line eq 'finished') {
			$finished = 1;
		} else {
			$builder->diag($line =~ s/^# ?//r);
		}
	});
	my $status = _end($pid, $in_time);
	$builder->ok($finished && $status == 0 && $in_time,
	    "$script came to its end") or
	    $builder->diag($in_time ? "exit status $status" :
	    'it took too long');
}

1;
