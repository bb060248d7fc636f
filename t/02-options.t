#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 02-options.t - the command line: exit statuses, messages, `stats settings`.
#
# What ends at once is run directly, with a deadline that only a server that
# started by mistake can meet.  Rows marked `both` hold for memcached, too.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Temp;
use POSIX ();
use Leasecached;
no warnings 'qw';    # words of -o have commas between them

my $reference = $ENV{LEASECACHED_REFERENCE};
my $root = $> == 0;
my $dir = File::Temp->newdir;

sub binary {
    for ($ENV{LEASECACHED_BIN}, './leasecached', '../leasecached') {
        return $_ if defined $_ && -x $_;
    }
    BAIL_OUT('no leasecached to test: set LEASECACHED_BIN');
}

sub slurp {
    my ($name) = @_;
    open my $in, '<', $name or die "$name: $!";
    local $/;
    return scalar <$in> // '';
}

# Runs the binary until it ends; returns (exit status, stdout, stderr).
# The status is a text when a signal, or the deadline, ended it.
sub run {
    my @args = @_;
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$dir/out";
        open STDERR, '>', "$dir/err";
        alarm 30;
        { exec { binary() } binary(), @args }
        POSIX::_exit(127);
    }
    waitpid $pid, 0;
    my $status = $? & 127 ? 'killed by signal ' . ($? & 127) : $? >> 8;
    $status = 'still running after 30 s' if ($? & 127) == POSIX::SIGALRM();
    return ($status, slurp("$dir/out"), slurp("$dir/err"));
}

sub ends {
    my ($args, $status, $message) = @_;
    my @user = $root ? qw(-u root) : ();
    my ($got, $out, $err) = run(@user, @$args);
    subtest "@$args ends with $status" => sub {
        is $got, $status, 'exit status';
        is $out, '', 'nothing on standard output';
        if (ref $message) {
            like $err, $message, 'message';
        } else {
            is $err, "$message\n", 'message';
        }
        is +($err =~ tr/\n//), 1, 'one line' unless $reference;
    };
}

my $half = 'Cannot set item size limit higher than 1/2 of memory max.';
my $small = 'Item max size cannot be less than 1024 bytes.';

my @both = (
    [[qw(-c 0)],      1, 'Maximum connections must be greater than 0'],
    [[qw(-c -1)],     1, 'Maximum connections must be greater than 0'],
    [[qw(-c x)],      1, 'Maximum connections must be greater than 0'],
    [[qw(-t 0)],      1, 'Number of threads must be greater than 0'],
    [[qw(-R 0)],      1, 'Number of requests per event must be greater than 0'],
    [[qw(-f 1)],      1, 'Factor must be greater than 1'],
    [[qw(-n 0)],      1, 'Chunk size must be greater than 0'],
    [['-D', ''],      1, 'No delimiter specified'],
    [[qw(-B http)],   64, qr/^Invalid value for binding protocol: http\b/],
    [[qw(-I 1000)],   64, $small],
    [[qw(-I x)],      64, $small],
    [[qw(-I 256m)],   64, $half],
    [[qw(-m 1)],      64, $half],
    [[qw(-m 0)],      64, $half],
    [[qw(-I 1025m -m 4096)], 64,
        'Cannot set item size limit higher than a gigabyte.'],
    [[qw(-p 65536)],  64, 'ERROR: Invalid port number 65536.'],
    [[qw(-o bogus)],  1, 'Illegal suboption "bogus"'],
    [[qw(-o bogus=1)], 1, 'Illegal suboption "bogus=1"'],
    [[qw(-o track_sizes,bogus)], 1, 'Illegal suboption "bogus"'],
    [[qw(-o idle_timeout)], 1, 'Missing numeric argument for idle_timeout'],
    [[qw(-o tail_repair_time=1)], 1,
        'Cannot set tail_repair_time to less than 10 seconds'],
    [[qw(-o hash_algorithm=md5)], 1,
        'Unknown hash_algorithm option (jenkins, murmur3, xxh3)'],
    [[qw(-o hashpower=5)], 1, 'Initial hashtable multiplier of 5 is too low'],
    [[qw(-o hot_lru_pct=50,warm_lru_pct=50)], 64,
        'hot_lru_pct + warm_lru_pct cannot be more than 80% combined'],
    # no name can have so long a part: fails without a look into the net
    [['-l', 'x' x 64],        71, qr/xxx/],
    [[qw(-l 203.0.113.1)],    71, qr/203\.0\.113\.1/],
    [[qw(-l 127.0.0.1:x)],    71, qr/^Invalid port number: "x"\n/],
    [[qw(-l [::1)],           71, qr/^Invalid IPV6 address: "\[::1"/],
);

my @ours = (
    [[qw(-q)],       1, "leasecached: invalid option -- 'q'"],
    [[qw(--bogus)],  1, "leasecached: unrecognized option '--bogus'"],
    [[qw(-p)],       1, "leasecached: option requires an argument -- 'p'"],
    [[qw(--memory=64)], 1, "leasecached: option '--memory=64' is ambiguous; "
        . "possibilities: '--memory-limit' '--memory-file'"],
    [[qw(-a 900)],   1, qr/octal access mask/],
    [[qw(-S)],       64, qr/^leasecached: option -S is refused: /],
    [[qw(-S -B ascii)], 64, qr/^leasecached: option -S is refused: /],
    [[qw(-Z)],       64, qr/^leasecached: option -Z is refused: /],
    [[qw(-Y /dev/null)], 64, qr/^leasecached: option -Y is refused: /],
    [[qw(-e /dev/null)], 64, qr/^leasecached: option -e is refused: /],
    [[qw(-B binary)], 64, qr/^leasecached: option -B binary is refused: /],
    [[qw(-l btls:127.0.0.1)], 64, qr/^leasecached: option -l with TLS is /],
    [[qw(-o ext_path=/x:1m)], 1,
        qr/^leasecached: option -o ext_path is refused: /],
    [[qw(-o ssl_key=/x)], 1, qr/^leasecached: option -o ssl_key is refused: /],
    [[qw(-o proxy_config=/x)], 1,
        qr/^leasecached: option -o proxy_config is refused: /],
    # a warning doesn't get in the way of the error
    [[qw(-L -c 0)],  1, 'Maximum connections must be greater than 0'],
);

ends(@$_) for @both;
unless ($reference) {
    ends(@$_) for @ours;
}

# ---- root -------------------------------------------------------------------

SKIP: {
    skip 'not root', 2 unless $root && !$reference;

    my ($status, undef, $err) = run(qw(-p 0));
    is "$status $err", "64 must add '-u root' to start as root\n",
        'root must name a user';

    ($status, undef, $err) = run(qw(-p 0 -u no-such-user));
    is "$status $err",
        "67 can't find the user no-such-user to switch to\n",
        'the user must exist';
}

# ---- texts --------------------------------------------------------------------

my ($status, $help, $err) = run('-h');
is $status, 0, '-h ends with 0';
is $err, '', '... without an error';
for my $name (qw(port udp-port unix-socket unix-mask enable-shutdown listen
    daemon enable-coredumps user memory-limit disable-evictions conn-limit
    lock-memory verbose help license version pidfile slab-growth-factor
    slab-min-size threads max-reqs-per-event disable-cas listen-backlog
    protocol max-item-size disable-flush-all disable-dumping disable-watch)) {
    like $help, qr/--\Q$name\E\b/, "-h names --$name";
}
is +(run('--help'))[1], $help, '--help says the same';
is +(run(qw(-d -h)))[0], 0, '-h works with others before it';

unless ($reference) {
    my $first = qr/^leasecached \d+\.\d+\.\d+ \(memcached protocol 1\.6\.45\)$/;

    like +(split /\n/, $help)[0], $first, '-h begins with name and version';
    unlike $help, qr/sasl|enable-ssl|ext_path|proxy_config|no_drop_priv/i,
        '-h has none of the words that stand for something absent';
    is scalar(grep { length > 80 } split /\n/, $help), 0, '-h fits 80 columns';

    ($status, my $version, $err) = run('-V');
    is $status, 0, '-V ends with 0';
    like $version, qr/$first\n\z/, '-V prints name and version';
    is +(run('--version'))[1], $version, '--version says the same';
    is $err, '', '... without an error';

    ($status, my $license, $err) = run('-i');
    is $status, 0, '-i ends with 0';
    like $license, qr/^Redistribution and use in source and binary forms/m,
        '-i prints the licence';
}

# ---- a running server ---------------------------------------------------------

my @settings = qw(maxbytes maxconns tcpport udpport inter verbosity oldest
    evictions domain_socket umask shutdown_command growth_factor chunk_size
    num_threads num_threads_per_udp stat_key_prefix detail_enabled
    reqs_per_event cas_enabled tcp_backlog binding_protocol
    auth_enabled_sasl auth_enabled_ascii item_size_max maxconns_fast
    hashpower_init slab_reassign slab_automove slab_automove_ratio
    slab_automove_window slab_chunk_max lru_crawler lru_crawler_sleep
    lru_crawler_tocrawl tail_repair_time flush_enabled dump_enabled
    hash_algorithm lru_maintainer_thread lru_segmented hot_lru_pct
    warm_lru_pct hot_max_factor warm_max_factor temp_lru temporary_ttl
    idle_timeout watcher_logbuf_size worker_logbuf_size read_buf_mem_limit
    track_sizes inline_ascii_response ext_item_size ext_item_age ext_low_ttl
    ext_recache_rate ext_wbuf_size ext_compact_under ext_drop_under
    ext_max_sleep ext_max_frag slab_automove_freeratio ext_drop_unread
    ssl_enabled ssl_chain_cert ssl_key ssl_verify_mode ssl_keyformat
    ssl_ciphers ssl_ca_cert ssl_wbuf_size ssl_session_cache ssl_kernel_tls
    ssl_min_version num_napi_ids memory_file client_flags_size);

{
    my $srv = Leasecached->start;
    my $c = $srv->connect;

    $c->put("stats settings\r\n");
    my @lines = $c->until_line(qr/^END$/);
    is pop @lines, 'END', 'stats settings ends';
    is scalar(grep { !/^STAT \S+ \S+$/ } @lines), 0, 'each line is three words';
    my @names = map { (split)[1] } @lines;
    if ($reference) {
        my %have = map { $_ => 1 } @names;
        is_deeply \@names, [grep { $have{$_} } @settings],
            'names are in this order';
    } else {
        is_deeply \@names, \@settings, 'names and their order';
        unlike $srv->stderr, qr/does nothing/, 'defaults cause no warning';
    }
}

sub settings_are {
    my ($args, %want) = @_;
    my $srv = Leasecached->start(@$args);
    my $got = $srv->connect->stats('settings');
    subtest "stats settings after @$args" => sub {
        is $got->{$_}, $want{$_}, $_ for sort keys %want;
    };
}

settings_are [], (
    maxbytes => 67108864, maxconns => 1024, udpport => 0, verbosity => 0,
    oldest => 0, evictions => 'on', domain_socket => 'NULL', umask => 700,
    shutdown_command => 'no', growth_factor => '1.25', chunk_size => 48,
    num_threads => 4, stat_key_prefix => ':', detail_enabled => 'no',
    reqs_per_event => 20, cas_enabled => 'yes', tcp_backlog => 1024,
    binding_protocol => 'auto-negotiate', auth_enabled_sasl => 'no',
    auth_enabled_ascii => 'no', item_size_max => 1048576,
    maxconns_fast => 'yes', flush_enabled => 'yes', dump_enabled => 'yes',
    idle_timeout => 0, track_sizes => 'no', temp_lru => 'no',
    ssl_enabled => 'no', inter => '127.0.0.1',
    $reference ? () : (lru_crawler => 'no', client_flags_size => 4),
);
settings_are [qw(-m 100 -c 50 -M -A -t 2 -D / -R 7 -b 8675 -B ascii -I 2m)], (
    maxbytes => 100 << 20, maxconns => 50, evictions => 'off',
    shutdown_command => 'yes', num_threads => 2, stat_key_prefix => '/',
    detail_enabled => 'yes', reqs_per_event => 7, tcp_backlog => 8675,
    binding_protocol => 'ascii', item_size_max => 2 << 20,
);
settings_are [qw(-C -F -X -o no_maxconns_fast,idle_timeout=900),
    qw(-o track_sizes)], (
    cas_enabled => 'no', flush_enabled => 'no', dump_enabled => 'no',
    maxconns_fast => 'no', idle_timeout => 900, track_sizes => 'yes',
);
settings_are [qw(-Mm 70 --memory-l=80 --conn-limit 20 -c 30)], (
    evictions => 'off', maxbytes => 80 << 20, maxconns => 30,
);
settings_are [qw(-l 127.0.0.1 -l), '127.0.0.2;127.0.0.3'], (
    inter => '127.0.0.1,127.0.0.2;127.0.0.3',
);

{
    my $srv = Leasecached->start(-unix => "$dir/socket", '-a', 770);
    my $got = $srv->connect->stats('settings');

    is $got->{domain_socket}, "$dir/socket", 'stats settings names the socket';
    is $got->{umask}, 770, '... and its mask';
    is sprintf('%o', (stat "$dir/socket")[2] & 0777), 770,
        'the socket has the mask';
}

# What commands change at run time shows in the settings.
{
    my $srv = Leasecached->start;
    my $c = $srv->connect;

    $c->ask("cache_memlimit 128\r\n", "OK\r\n", 'cache_memlimit');
    $c->ask("verbosity 1\r\n", "OK\r\n", 'verbosity');
    my $got = $c->stats('settings');
    is $got->{maxbytes}, 128 << 20, 'maxbytes follows cache_memlimit';
    is $got->{verbosity}, 1, 'verbosity follows verbosity';
}

# ---- accepted, with a word about it -------------------------------------------

sub warns {
    my ($args, @options) = @_;
    my $srv = Leasecached->start(@$args);
    $srv->connect->ask("mn\r\n", "MN\r\n", "@$args starts a server");
    my @got = $srv->stderr
        =~ /^leasecached: option (.*) is accepted for compatibility but does nothing: ./mg;
    is_deeply \@got, \@options, '... that says what does nothing';
}

unless ($reference) {
    warns([qw(-f 1.5 -n 80 -L -N 2 -f 1.3)], qw(-f -n -L -N));
    warns([qw(-U 11211 -p -1)], '-U');
    warns([qw(-U 0 -B auto -o relaxed_privileges,no_drop_privileges)]);
    warns(['-o', 'hashpower=20,no_hashexpand,hash_algorithm=murmur3,'
        . 'tail_repair_time=3600,lru_crawler,lru_crawler_sleep=1,'
        . 'lru_crawler_tocrawl=1,lru_maintainer,hot_lru_pct=30'],
        map { "-o $_" } qw(hashpower no_hashexpand hash_algorithm
            tail_repair_time lru_crawler lru_crawler_sleep
            lru_crawler_tocrawl lru_maintainer hot_lru_pct));
    warns(['-o', 'no_lru_crawler,no_lru_maintainer,no_slab_reassign,'
        . 'slab_automove,slab_automove_ratio=0.5,slab_automove_window=9,'
        . 'slab_chunk_max=16,slab_sizes=100-200,modern,drop_privileges'],
        map { "-o $_" } qw(no_lru_crawler no_lru_maintainer no_slab_reassign
            slab_automove slab_automove_ratio slab_automove_window
            slab_chunk_max slab_sizes modern drop_privileges));
}

# ---- completion -----------------------------------------------------------------

SKIP: {
    my $script = "$FindBin::Bin/../contrib/completion/leasecached.bash";
    my $bash = (grep { -x } qw(/bin/bash /usr/bin/bash /usr/local/bin/bash))[0];
    skip 'completion needs bash', 7 unless defined $bash && !$reference;

    # What is offered for the last of the words.
    my $offered = sub {
        my @words = (binary(), @_);
        open my $pipe, '-|', $bash, '-c', <<'BASH', $script, @words or die $!;
. "$0"
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_leasecached "$1" "${COMP_WORDS[$COMP_CWORD]}" "${COMP_WORDS[$COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
BASH
        chomp(my @got = <$pipe>);
        return sort @got;
    };
    my @long = sort grep { $_ ne '' } $help =~ /^  -., (--[a-z-]+)/mg;

    is_deeply [$offered->('--')], \@long, 'completion offers the long options';
    is_deeply [$offered->('--memory')], ['--memory-limit'],
        '... that begin so';
    is_deeply [$offered->('-o', 'track_sizes,id')],
        ['track_sizes,idle_timeout='], '... and words of -o';
    is_deeply [$offered->('-o', 'idle_timeout', '=', '9,coal')],
        ['9,coalesce='], '... also where bash took them apart';
    is_deeply [$offered->('-o', 'coalesce=a,wai')],
        [map { "coalesce=a,$_" } qw(wait= waiters= waiters_per_address=
            waiters_per_key=)], '... and those of a rule behind it';
    is_deeply [$offered->('-o', 'coalesce', '=', 'a', ':', ',gu')],
        [',guard'], '... wherever bash took them apart';
    is_deeply [$offered->('-o', 'wait', '=', '5,gu')], [''],
        '... and only there';
}

done_testing;
