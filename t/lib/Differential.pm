# SPDX-License-Identifier: BSD-3-Clause
# Differential.pm - the same requests to two servers, and all bytes compared.
#
#	my $d = Differential->new(peer => sub { ... }, ours => sub { ... },
#	    known => Differential::Known->load($file, $version));
#	my $failure = $d->run($batches);	# undef when they agree
#	print $d->report($failure, $d->shrink($batches, $failure));
#
# `peer` and `ours` start a server each: an object with port(), running(),
# err() and stop().  Batches are made by Differential::Stream, or read from a
# file with from_text().
#
# What a server chooses itself isn't compared as it is: CAS numbers must stand
# for one another throughout a stream, lifetimes may differ by some seconds,
# times of the last access by any number.

package Differential;

use strict;
use warnings;

use Errno ();
use Fcntl qw(F_GETFL F_SETFL O_NONBLOCK);
use Socket qw(:DEFAULT IPPROTO_TCP TCP_NODELAY);
use Time::HiRes ();

use Differential::Known;
use Leasecached::Proc qw(is_sanitized);

use constant {
	CONNECTIONS => 3,
	# Seconds by which two lifetimes may differ: one server may be behind.
	# Those that are told apart differ by far more.
	LATER => 60,
	# Seconds without a byte that mean that none comes.
	SILENCE => 30,
};

# The key of the barrier, which nothing else uses.
my $BARRIER = '@barrier';

sub
new
{
	my ($class, %is) = @_;

	return bless { %is, serial => 0, silence => SILENCE }, $class;
}

# ---- servers and connections ------------------------------------------------

sub
server
{
	my ($self, $side) = @_;

	return $self->{server}{$side} //= $self->{$side}->();
}

# Ends both servers at once; those of the next run are fresh.
sub
restart
{
	my ($self) = @_;

	$self->disconnect;
	for my $server (values %{ delete $self->{server} // {} }) {
		$server->stop('KILL') if $server->running;
	}
}

# Ends our server as it should end: 'exit 0', or how it did, and its log.
sub
end
{
	my ($self) = @_;
	my $server = delete $self->{server}{ours};
	my $how = $server ? $server->stop : 'exit 0';

	$self->restart;
	return $how eq 'exit 0' ? $how : "$how\n" . $server->err;
}

sub
disconnect
{
	my ($self) = @_;

	delete $self->{conn};
}

# The connection of a side with this number.
sub
connection
{
	my ($self, $side, $i) = @_;

	return $self->{conn}{$side}[$i] //= _connect(
	    $self->server($side)->port);
}

sub
_connect
{
	my ($port) = @_;

	socket my $s, AF_INET, SOCK_STREAM, 0 or die "socket: $!\n";
	connect $s, pack_sockaddr_in($port, INADDR_LOOPBACK)
	    or die "port $port: $!\n";
	setsockopt $s, IPPROTO_TCP, TCP_NODELAY, pack 'i', 1;
	fcntl $s, F_SETFL, fcntl($s, F_GETFL, 0) | O_NONBLOCK;
	return $s;
}

# Sends a text to each side, in pieces, and collects the replies until they
# end in what they are to end with, or the server closes, or falls silent.
# Reads while it writes: a server may be unable to take more before.
sub
exchange
{
	my ($self, $split, $conn, $text, $ends) = @_;
	my %left = map { $_ => 1 } keys %$text;
	my (%sent, %got, %fate);
	my $moved = Time::HiRes::time;
	local $SIG{PIPE} = 'IGNORE';

	for my $side (keys %$text) {
		$sent{$side} = 0;
		$got{$side} = '';
	}
	while (%left) {
		my ($r, $w) = ('', '');
		for my $side (keys %left) {
			my $fd = fileno $conn->{$side};
			vec($r, $fd, 1) = 1;
			vec($w, $fd, 1) = 1
			    if $sent{$side} < length $text->{$side};
		}
		my $n = select $r, $w, undef, 1;
		next if $n < 0;
		if ($n == 0) {
			last if Time::HiRes::time - $moved >
			    $self->{silence};
			next;
		}
		$moved = Time::HiRes::time;
		for my $side (sort keys %left) {
			my $s = $conn->{$side};
			my $fd = fileno $s;

			if (vec($w, $fd, 1)) {
				my $rest = length($text->{$side}) -
				    $sent{$side};
				my $size = _piece($split, $sent{$side}, $rest);
				my $sent = syswrite $s, $text->{$side}, $size,
				    $sent{$side};
				# What it said before it closed is still
				# to be read.
				$sent = $rest if !defined $sent &&
				    !$!{EAGAIN} && !$!{EINTR};
				$sent{$side} += $sent // 0;
				# Now and then the other end sees the piece
				# before there is more.
				select undef, undef, undef, 0.0005
				    if $size < $rest && rand() < 0.05;
			}
			next unless vec($r, $fd, 1);
			my $n = sysread $s, $got{$side}, 1 << 18,
			    length $got{$side};
			next if !defined $n && ($!{EAGAIN} || $!{EINTR});
			if (!$n) {
				$fate{$side} = 'closed';
				delete $left{$side};
			} elsif (defined $ends->{$side} &&
			    substr($got{$side}, -length $ends->{$side}) eq
			    $ends->{$side}) {
				$fate{$side} = 'answered';
				delete $left{$side};
			}
		}
	}
	return (\%got, { map { $_ => $fate{$_} // 'silent' } keys %$text });
}

sub
_piece
{
	my ($split, $done, $rest) = @_;

	return $rest if $split eq 'whole' || $done > 65536;
	my $n = $split eq 'crumbs' && $done < 400 ? 1 + int rand 5 :
	    1 + int rand 1500;
	return $n < $rest ? $n : $rest;
}

# ---- a stream ---------------------------------------------------------------

# Runs batches; undef, or a failure: { batch, step, request, ours, peer, what,
# rule, expected }.
sub
run
{
	my ($self, $batches) = @_;

	$self->disconnect;
	$self->{cas} = {};
	$self->{seen} = {};
	$self->{explicit} = {};
	$self->{last_cas} = {};
	for my $i (0 .. $#$batches) {
		$self->{batch} = $i;
		my $failure = $batches->[$i]{close} ?
		    $self->_run_close($batches->[$i]) :
		    $self->_run_batch($batches->[$i]);
		next unless $failure;
		$failure->{batch} = $i;
		$self->_note_death($failure);
		$self->disconnect;
		return $failure;
	}
	return;
}

sub
_note_death
{
	my ($self, $failure) = @_;

	for my $side (qw(ours peer)) {
		my $server = $self->{server}{$side} // next;
		# It may take some time to say why.
		Time::HiRes::sleep(0.2)
		    if ($failure->{fate}{$side} // '') eq 'closed';
		next if $server->running;
		$failure->{what} .= ", and the server of '$side' has ended";
		$failure->{log} = $server->err;
		delete $self->{server}{$side};
	}
}

# What a step asks, as it is written.
sub
request_of
{
	my ($step) = @_;

	return join '', @{ $step->{cmds} };
}

# The bytes for one side.
sub
_spoken
{
	my ($self, $side, $request) = @_;

	return $request if index($request, '<<') < 0;
	my $now = $self->{now};
	my $last = $self->{last_cas};
	$request =~ s{<<(cas:([^:]+)|now):(-?\d+)>>}{
	    defined $2 ? ($last->{$2} ? _sum($last->{$2}{$side}, $3) :
		999999999998) : $now + $3}ge;
	return $request;
}

# Numbers of up to 64 bits; Perl's are good for it while they are positive.
sub
_sum
{
	my ($number, $add) = @_;

	return $add < 0 ? $number - -$add : $number + $add;
}

sub
_run_batch
{
	my ($self, $batch) = @_;
	my %text = (ours => '', peer => '');
	my (@barrier, $last);

	$self->{now} = time;
	for my $step (@{ $batch->{steps} }) {
		my $request = request_of($step);
		my $n = ++$self->{serial};
		push @barrier, "EN O$n\r\n";
		if (index($request, ' E') >= 0) {
			$self->{explicit}{$1} = 1 while $request =~ / E(\d+)/g;
		}
		for my $side (qw(ours peer)) {
			$text{$side} .= $self->_spoken($side, $request) .
			    "mg $BARRIER O$n\r\n";
		}
	}
	return unless @barrier;
	my %conn = map { $_ => $self->connection($_, $batch->{conn} // 0) }
	    qw(ours peer);
	my ($got, $fate) = $self->exchange($batch->{split} // 'whole', \%conn,
	    \%text, { ours => $barrier[-1], peer => $barrier[-1] });

	my %at = (ours => 0, peer => 0);
	for my $i (0 .. $#barrier) {
		my $step = $batch->{steps}[$i];
		my (%reply, $odd);
		for my $side (qw(ours peer)) {
			my $end = index $got->{$side}, $barrier[$i], $at{$side};
			if ($end < 0) {
				$odd = 1;
				$reply{$side} = substr($got->{$side},
				    $at{$side}) . "<$fate->{$side}>";
				next;
			}
			$reply{$side} = substr $got->{$side}, $at{$side},
			    $end - $at{$side};
			$at{$side} = $end + length $barrier[$i];
		}
		if (my $watch = $self->{watch}) {
			@$watch{qw(ours peer)} = @reply{qw(ours peer)}
			    if $watch->{step} == $i &&
			    $watch->{batch} == $self->{batch};
		}
		my $failure = $odd ? { what => 'no answer to the barrier' } :
		    $self->judge($step, $reply{peer}, $reply{ours});
		next unless $failure;
		return { %$failure, step => $i, fate => $fate,
			request => request_of($step),
			ours => $reply{ours}, peer => $reply{peer} };
	}
	return;
}

# A request that makes the server close, on a new connection.
sub
_run_close
{
	my ($self, $batch) = @_;
	my $step = $batch->{steps}[0];
	my $request = request_of($step);
	my %conn = map { $_ => _connect($self->server($_)->port) }
	    qw(ours peer);
	my ($got, $fate) = $self->exchange('whole', \%conn,
	    { ours => $request, peer => $request }, {});

	for my $side (qw(ours peer)) {
		$got->{$side} .= "<$fate->{$side}>";
	}
	my $failure = $self->judge($step, $got->{peer}, $got->{ours}) // return;
	return { %$failure, step => 0, fate => $fate, request => $request,
		ours => $got->{ours}, peer => $got->{peer} };
}

# ---- replies ----------------------------------------------------------------

# Whether our reply is what it should be: undef, or a failure.
sub
judge
{
	my ($self, $step, $peer, $ours) = @_;

	if ($step->{rules}) {
		my ($expected, $rule) = $self->{known}->expected(
		    request_of($step), $peer, @{ $step->{rules} });
		if ($rule) {
			my $what = $self->differ($expected, $ours) // return;
			return { what => $what, rule => $rule,
				expected => $expected };
		}
	}
	my $what = $self->differ($peer, $ours) // return;
	return { what => $what };
}

# A reply as a list of lines and data blocks.
sub
parts
{
	my ($reply) = @_;
	my @parts;

	pos($reply) = 0;
	while ($reply =~ /\G(VALUE [^ \n]+ \d+ (\d+)[^\n]*\n|
	    VA (\d+)[^\n]*\n|[^\n]*\n)/gcx) {
		push @parts, $1;
		my $n = $2 // $3 // next;
		push @parts, substr $reply, pos($reply), $n + 2;
		my $next = pos($reply) + $n + 2;
		last if $next >= length $reply;
		pos($reply) = $next;
	}
	my $all = 0;
	$all += length for @parts;
	push @parts, substr $reply, $all if $all < length $reply;
	return @parts;
}

# undef when the replies are alike, or in what they differ.
sub
differ
{
	my ($self, $expected, $ours) = @_;

	# Most often there are no numbers to remember in it.
	return if $expected eq $ours &&
	    $expected !~ / (?:c\d|cas=)| \d+ \d+ \d+\r/;
	my @expected = parts($expected);
	my @ours = parts($ours);
	for my $i (0 .. $#expected) {
		return 'part ' . ($i + 1) . ' is missing' if $i > $#ours;
		next if $expected[$i] eq $ours[$i] &&
		    $expected[$i] !~ / (?:c\d|cas=)|VALUE /;
		my $what = $self->_differ_part($expected[$i], $ours[$i]);
		return $what if $what;
	}
	return 'there is more than expected' if @ours > @expected;
	return;
}

sub
_differ_part
{
	my ($self, $expected, $ours) = @_;

	return _first_byte($expected, $ours)
	    unless $ours =~ /\A(?:VALUE|VA|HD|NS|EX|NF|EN|ME) /;
	my @e = split / /, $expected, -1;
	my @o = split / /, $ours, -1;
	return _first_byte($expected, $ours) if @e != @o || $e[0] ne $o[0];
	# What belongs to the value of a line is 'c123' or 'cas=123' and such.
	$e[-1] =~ s/\r?\n\z// and $o[-1] =~ s/\r?\n\z//;
	my ($key, @cas);

	for my $i (1 .. $#e) {
		my ($e, $o) = ($e[$i], $o[$i]);
		if ($e[0] eq 'VALUE') {
			$key = $e if $i == 1;
			@cas = ($e, $o), next if $i == 4;
		} elsif ($e[0] eq 'ME') {
			$key = $e if $i == 1;
			next if $e =~ /^la=\d+$/ && $o =~ /^la=\d+$/;
			next if $e =~ /^exp=/ && $o =~ /^exp=/ &&
			    _close_to(substr($e, 4), substr $o, 4);
			@cas = (substr($e, 4), substr $o, 4), next
			    if $e =~ /^cas=\d+$/ && $o =~ /^cas=\d+$/;
		} else {
			$key = substr $e, 1 if $e =~ /^k/;
			$key = undef if $e eq 'b';
			next if $e =~ /^l\d+$/ && $o =~ /^l\d+$/;
			# t!0 is exactly that.
			next if $e =~ /^t!(.*)/ && $o eq "t$1";
			next if $e =~ /^t/ && $o =~ /^t/ &&
			    _close_to(substr($e, 1), substr $o, 1);
			next if $e =~ /^c!(\d+)$/ && $o eq "c$1";
			next if $e eq 'c*' && $o =~ /^c[1-9]\d*$/;
			next if $e eq 'c^' && $o =~ /^c\d{19,}$/ &&
			    substr($o, 1) >= 2 ** 61;
			@cas = (substr($e, 1), substr $o, 1), next
			    if $e =~ /^c\d+$/ && $o =~ /^c\d+$/;
		}
		next if $e =~ /^(\w+=)\*$/ && $o =~ /^\Q$1\E\d+$/;
		return "'$o' instead of '$e'" if $e ne $o;
	}
	return unless @cas;
	return "CAS $cas[1] can't be the peer's $cas[0]"
	    unless $self->_same_cas(@cas);
	$self->{last_cas}{$key} = { peer => $cas[0], ours => $cas[1] }
	    if defined $key && $cas[0] ne '0';
	return;
}

sub
_first_byte
{
	my ($e, $o) = @_;
	return if $e eq $o;
	my $same = ($e ^ $o) =~ /^(\0+)/ ? length $1 : 0;

	return "they differ at byte $same of the part that begins with '" .
	    printable(substr $o, 0, 40) . "'";
}

# Lifetimes: -1 is none.
sub
_close_to
{
	my ($e, $o) = @_;

	return 0 unless $e =~ /^-?\d+$/ && $o =~ /^-?\d+$/;
	return $e eq $o if $e == -1 || $o == -1;
	return abs($e - $o) <= LATER;
}

# A number of the peer and one of ours stand for each other from now on.
sub
_same_cas
{
	my ($self, $peer, $ours) = @_;

	return $peer eq $ours if $peer eq '0' || $ours eq '0';
	# Chosen by the client, and perhaps by the server for another store.
	return 1 if $self->{explicit}{$peer} || $self->{explicit}{$ours};
	return $self->{cas}{$peer} eq $ours if exists $self->{cas}{$peer};
	return 0 if exists $self->{seen}{$ours};
	$self->{cas}{$peer} = $ours;
	$self->{seen}{$ours} = $peer;
	return 1;
}

# ---- chance ---------------------------------------------------------------

# Runs a stream that failed again, on fresh servers: 'peer' when it answers
# the request otherwise now, and we don't; 'ours' when we do; 'none' when both
# answer as before.  1.6.18 reads memory behind its items, among other things,
# so that some of its answers are a matter of chance.
sub
chance
{
	my ($self, $batches, $failure) = @_;
	my %before = map { $_ => _without_numbers($failure->{$_}) }
	    qw(ours peer);
	local $self->{watch} = {
		batch => $failure->{batch}, step => $failure->{step},
	};

	my $again = $self->_again($batches);
	# What came before is another failure.
	my $seen = $self->{watch};
	return 'none' if !defined $seen->{ours};
	return 'ours' if _without_numbers($seen->{ours}) ne $before{ours};
	return 'peer' if _without_numbers($seen->{peer}) ne $before{peer};
	return 'none';
}

# A reply without the numbers that servers choose, and times.
sub
_without_numbers
{
	my ($reply) = @_;

	$reply =~ s/( (?:cas=|la=|exp=|[clt])|VALUE \S+ \d+ \d+ )\d+/$1#/g;
	return $reply;
}

# ---- the smallest stream ----------------------------------------------------

# Batches that fail in the same way and from which nothing can be left out;
# undef when the failure doesn't come again.
sub
shrink
{
	my ($self, $batches, $failure) = @_;
	my $end = Time::HiRes::time + ($self->{shrink_seconds} // 60);
	local $self->{silence} = is_sanitized() ? 10 : 3;

	# All that comes later goes first.
	my @batches = @$batches[0 .. $failure->{batch}];
	my %last = %{ $batches[-1] };
	$last{steps} = [ @{ $last{steps} }[0 .. $failure->{step}] ];
	$batches[-1] = \%last;
	my $found = $self->_again(\@batches);
	if (!$found) {
		# What the server did may depend on what was yet to come.
		$batches[-1] = $batches->[$failure->{batch}];
		$found = $self->_again(\@batches) // return;
	}

	# Then requests are looked at one by one, if it shows like that, too.
	my @units = map { my $b = $_; map { [ $b, $_ ] } @{ $b->{steps} } }
	    @batches;
	my @single = map { my ($b, $s) = @$_; $s->{rules} ? $_ :
	    map { [ $b, { cmds => [ $_ ] } ] } @{ $s->{cmds} } } @units;
	my $again = $self->_again(_batches_of(@single));
	if ($again) {
		$found = $again;
		@units = @single;
	}
	my $mark = _mark($found);
	my $fails = sub {
		my $f = $self->_again(_batches_of(@_));
		return $f && _mark($f) eq $mark;
	};
	for (my $size = int(@units / 2) || 1; ; $size = int($size / 2) || 1) {
		my $left_out = 0;
		for (my $at = @units - $size; $at > -$size; $at -= $size) {
			last if Time::HiRes::time > $end;
			my $from = $at < 0 ? 0 : $at;
			my @fewer = @units;
			splice @fewer, $from, $at < 0 ? $size + $at : $size;
			next unless @fewer && $fails->(@fewer);
			@units = @fewer;
			$left_out = 1;
		}
		last if Time::HiRes::time > $end ||
		    $size == 1 && !$left_out;
	}
	# One batch, if that is enough.  Not with numbers: those of 1.6.18 need
	# the end of a batch.
	my ($conn, $split) = (0, 'whole');
	my @whole = map { [ { conn => $conn, split => $split }, $_->[1] ] }
	    @units;
	$_->[0] = $whole[0][0] for @whole;
	my $plain = !grep { $_->[0]{close} ||
	    request_of($_->[1]) =~ /^(?:incr|decr|ma) /m } @units;
	@units = @whole if $plain && $fails->(@whole);
	return _batches_of(@units);
}

# Steps with the batch each is from, as batches.
sub
_batches_of
{
	my @batches;
	my $before;

	for (@_) {
		my ($batch, $step) = @$_;
		if (!$before || $before != $batch) {
			push @batches, { %$batch, steps => [] };
			$before = $batch;
		}
		push @{ $batches[-1]{steps} }, $step;
	}
	return \@batches;
}

sub
_again
{
	my ($self, $batches) = @_;

	$self->restart;
	return $self->run($batches);
}

# What makes two failures look like one.
sub
_mark
{
	my ($failure) = @_;

	return join '|', $failure->{rule} ? $failure->{rule}{id} : '',
	    map { /\A(\w*)/ } $failure->{request}, $failure->{ours},
	    $failure->{peer};
}

# ---- texts ------------------------------------------------------------------

# Bytes as one line of ASCII; \{x*1000} is a thousand times x.
sub
printable
{
	my ($bytes) = @_;
	my %short = ("\r" => '\r', "\n" => '\n', "\t" => '\t', '\\' => '\\\\');

	$bytes =~ s/((.)\2{63,30000})|([^ -~]|\\)/
	    defined $1 ? _many($2, length $1) :
	    $short{$3} \/\/ sprintf '\x%02x', ord $3/gse;
	return $bytes;
}

sub
_many
{
	my ($byte, $n) = @_;

	return sprintf '\{%s*%d}', $byte =~ /[!-~]/ && $byte !~ /[\\{}]/ ?
	    $byte : sprintf('\x%02x', ord $byte), $n;
}

sub
bytes
{
	my ($text) = @_;
	my %short = (r => "\r", n => "\n", t => "\t", '\\' => '\\');

	$text =~ s/\\(?:\{(\\x..|.)\*(\d+)\}|x(..)|(.))/
	    defined $1 ? bytes($1) x $2 :
	    defined $3 ? chr hex $3 : $short{$4} \/\/ $4/gse;
	return $text;
}

# A line for each step, '--' before another batch; the requests of a step are
# not kept apart.
sub
to_text
{
	my ($batches) = @_;

	return join '', map {
		my $b = $_;
		'-- ' . ($b->{close} ? 'close' :
		    "connection $b->{conn} " . ($b->{split} // 'whole')) .
		    "\n" . join '', map { printable(request_of($_)) . "\n" }
		    @{ $b->{steps} };
	} @$batches;
}

sub
from_text
{
	my ($self, $text) = @_;
	my @batches;

	for my $line (split /\n/, $text) {
		next if $line =~ /^(?:#|$)/;
		if ($line =~ /^-- close/) {
			push @batches, { close => 1, conn => 0, steps => [] };
			next;
		} elsif ($line =~ /^-- connection (\d) (\w+)/) {
			push @batches, { conn => $1, split => $2,
				steps => [] };
			next;
		}
		push @batches, { conn => 0, steps => [] } unless @batches;
		my $request = bytes($line);
		my @rules = $self->{known}->rules_for($request);
		push @{ $batches[-1]{steps} }, { cmds => [ $request ],
			@rules ? (rules => \@rules) : () };
	}
	return \@batches;
}

# For people: what was asked and answered, and the smallest stream.
sub
report
{
	my ($self, $f, $smallest) = @_;
	my $text = "$f->{what}\n";

	$text .= _told('asked  ', $f->{request}) .
	    _told("peer   ", $f->{peer});
	$text .= _told('due    ', $f->{expected}) .
	    "rule    $f->{rule}{id}: $f->{rule}{why}\n" if $f->{rule};
	$text .= _told('we     ', $f->{ours});
	$text .= "log     $_\n" for split /\n/, $f->{log} // '';
	return $text if @_ < 3;
	return $text . "no smaller stream was found that fails alike\n"
	    unless $smallest;
	my $n = 0;
	$n += @{ $_->{steps} } for @$smallest;
	return $text . "smallest stream ($n steps), for t/differential " .
	    "--replay:\n" . to_text($smallest);
}

sub
_told
{
	my ($who, $bytes) = @_;
	my $text = printable($bytes);

	substr $text, 1000, length($text) - 1500, ' ... '
	    if length $text > 2000;
	return "$who $text\n";
}

# How many requests there are in batches.
sub
requests_in
{
	my ($batches) = @_;
	my $n = 0;

	for my $b (@$batches) {
		$n += @{ $_->{cmds} } for @{ $b->{steps} };
	}
	return $n;
}

1;
