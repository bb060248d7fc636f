<?php
// SPDX-License-Identifier: BSD-3-Clause
// php_suite.php - the server as php-memcached sees it.
//
// Arguments: three ports on 127.0.0.1, and the path of a Unix socket.

error_reporting(E_ALL);
set_error_handler(function ($number, $text) {
    if (error_reporting() & $number) {
        echo "# warning: $text\n";
    }
    return true;
});

$ports = array_map('intval', array_slice($argv, 1, 3));
$port = $ports[0];
$unix = $argv[4];
$reference = getenv('LEASECACHED_REFERENCE') != '';

function check($good, $name)
{
    echo $good ? '' : 'not ', "ok - $name\n";
    return $good;
}

function shown($value)
{
    $text = json_encode($value, JSON_PARTIAL_OUTPUT_ON_ERROR) ?: 'something';
    return strlen($text) > 300 ? substr($text, 0, 200) . '...' : $text;
}

function same($got, $wanted, $name)
{
    if (!check($got === $wanted, $name)) {
        echo '#      got: ', shown($got), "\n";
        echo '# expected: ', shown($wanted), "\n";
    }
}

function code($m, $wanted, $name)
{
    same($m->getResultCode(), $wanted, $name);
}

// Moves the server's clock; false where it has none to move.
function advance($port, $seconds)
{
    $s = stream_socket_client("tcp://127.0.0.1:$port", $e, $t, 30);
    fwrite($s, sprintf("debugtime %+d\r\n", $seconds));
    return fgets($s) === "OK\r\n";
}

function stats($port)
{
    $found = [];
    $s = stream_socket_client("tcp://127.0.0.1:$port", $e, $t, 30);
    fwrite($s, "stats\r\n");
    while (($line = fgets($s)) !== "END\r\n" && $line !== false) {
        [, $name, $value] = explode(' ', trim($line), 3);
        $found[$name] = $value;
    }
    return $found;
}

// A value of any bytes, always the same, that no compression makes smaller.
function noise($length, $seed = 1)
{
    mt_srand($seed);
    $bytes = '';
    while (strlen($bytes) < $length) {
        $bytes .= pack('V', mt_rand() << 1 ^ mt_rand());
    }
    return substr($bytes, 0, $length);
}

function connect(array $ports, array $options = [])
{
    $m = new Memcached();
    $m->setOptions($options + [
        Memcached::OPT_POLL_TIMEOUT => 60000,
        Memcached::OPT_RECV_TIMEOUT => 60000000,
        Memcached::OPT_SEND_TIMEOUT => 60000000,
        Memcached::OPT_CONNECT_TIMEOUT => 60000,
    ]);
    foreach ($ports as $port) {
        $m->addServer('127.0.0.1', $port);
    }
    return $m;
}

function storage($m, $how)
{
    $m->deleteMulti(['k', 'fresh', 'none', 'object']);
    same($m->get('none'), false, $how . 'get of a missing key');
    code($m, Memcached::RES_NOTFOUND, $how . 'and its code');
    same($m->set('k', 'text'), true, $how . 'set');
    same($m->get('k'), 'text', $how . 'get');
    code($m, Memcached::RES_SUCCESS, $how . 'and its code');
    same($m->set('k', ''), true, $how . 'set of nothing');
    same($m->get('k'), '', $how . 'get of nothing');
    code($m, Memcached::RES_SUCCESS, $how . 'is not a miss');
    same($m->add('k', 'x'), false, $how . 'add of a key that is there');
    code($m, Memcached::RES_NOTSTORED, $how . 'and its code');
    same($m->add('fresh', 'x'), true, $how . 'add of a new one');
    same($m->replace('fresh', 'y'), true, $how . 'replace');
    same($m->replace('none', 'y'), false, $how . 'replace of a missing key');
    code($m, Memcached::RES_NOTSTORED, $how . 'and its code');
    $m->setOption(Memcached::OPT_COMPRESSION, false);
    $m->set('fresh', 'y');
    same($m->append('fresh', '>'), true, $how . 'append');
    same($m->prepend('fresh', '<'), true, $how . 'prepend');
    same($m->get('fresh'), '<y>', $how . 'and their result');
    same($m->append('none', 'y'), false, $how . 'append to a missing key');
    code($m, Memcached::RES_NOTSTORED, $how . 'and its code');
    $m->setOption(Memcached::OPT_COMPRESSION, true);
    same($m->delete('fresh'), true, $how . 'delete');
    same($m->delete('fresh'), false, $how . 'delete again');
    code($m, Memcached::RES_NOTFOUND, $how . 'and its code');
    foreach ([12, -7, 2.5, true, false, null, [1, 'two' => [3]],
        'ünïcödé', "\r\nEND\r\n"] as $value) {
        $m->set('object', $value);
        same($m->get('object'), $value, $how . gettype($value) .
            ' comes back');
    }
}

function values($m, $port)
{
    $every = implode('', array_map('chr', range(0, 255)));
    foreach (['every byte' => $every, 'zeros' => str_repeat("\0", 5000),
        'what looks like a reply' => "x\r\nEND\r\nVALUE k 0 1\r\ny\r\n",
        '100,000 bytes' => noise(100000),
        '1,000,000 bytes' => noise(1000000)] as $name => $value) {
        same($m->set('bytes', $value), true, "$name: set");
        check($m->get('bytes') === $value, "$name: get");
        $all = $m->getMulti(['none', 'bytes']);
        check($all === ['bytes' => $value], "$name: getMulti");
    }
    $text = str_repeat('compressible ', 10000);
    $m->set('packed', $text);
    same($m->get('packed'), $text, 'a compressed value');
    $object = new ArrayObject([1, 2]);
    $m->set('object', $object);
    check($m->get('object') == $object, 'an object');
    $m->set('flags', 'x', 0);
    foreach ([0, 1, 65535] as $flags) {
        $m->setOption(Memcached::OPT_USER_FLAGS, $flags);
        $m->set('flags', 'x');
        $found = $m->get('flags', null, Memcached::GET_EXTENDED);
        same($found['flags'] ?? null, $flags, "user flags $flags");
    }
    $m->setOption(Memcached::OPT_USER_FLAGS, -1);
}

function limits($m)
{
    $most = 1048576 - 48 - 8 - strlen('limit') - 1 - 2;
    $value = noise($most);
    $m->setOption(Memcached::OPT_COMPRESSION, false);
    same($m->set('limit', $value), true, 'the longest value');
    check($m->get('limit') === $value, 'read again');
    same($m->set('limit', $value . 'x'), false, 'a byte more');
    check(in_array($m->getResultCode(), [Memcached::RES_E2BIG,
        Memcached::RES_SERVER_ERROR]), 'and its code');
    same($m->get('limit'), false, 'took the old value with it');
    same($m->set('limit', 'new'), true, 'and one goes on');
    same($m->replace('limit', $value . 'xx'), false, 'replace by too much');
    same($m->get('limit'), 'new', 'keeps the old value');
    $m->setOption(Memcached::OPT_COMPRESSION, true);
    $key = str_repeat('k', 250);
    same($m->set($key, 'x'), true, 'a key of 250 bytes');
    same($m->get($key), 'x', 'read again');
    same($m->set(str_repeat('k', 251), 'x'), false, 'a key of 251 bytes');
    foreach (['ключ', 'größe', 'a b', "a\n"] as $key) {
        same($m->set($key, 'x'), false, 'a key that is not plain ASCII');
        code($m, Memcached::RES_BAD_KEY_PROVIDED, 'is refused by php');
    }
    foreach (['a:b', 'a/b?c=d&e=%20', '~!@#$^*()_+{}|"<>'] as $key) {
        same($m->set($key, 'x'), true, 'a key with other signs');
        same($m->getMulti([$key]), [$key => 'x'], 'read again');
        same($m->delete($key), true, 'and deleted');
    }
}

function many($m)
{
    $pairs = [];
    for ($i = 0; $i < 1000; $i++) {
        $pairs["many$i"] = "value $i";
    }
    same($m->setMulti($pairs), true, 'setMulti of 1000');
    same($m->getMulti(array_keys($pairs), Memcached::GET_PRESERVE_ORDER),
        $pairs, 'getMulti of 1000, in order');
    same($m->getMulti(['many1', 'none', 'many2'],
        Memcached::GET_PRESERVE_ORDER), ['many1' => 'value 1',
        'none' => null, 'many2' => 'value 2'], 'getMulti, one missing');
    same($m->getMulti([]), [], 'getMulti of nothing');
    same($m->getDelayed(['many1', 'many2', 'none'], true), true,
        'getDelayed');
    $found = [];
    while ($one = $m->fetch()) {
        $found[$one['key']] = $one['value'];
        check($one['cas'] > 0, 'fetch: a number');
    }
    ksort($found);
    same($found, ['many1' => 'value 1', 'many2' => 'value 2'], 'fetch');
    $m->getDelayed(['many3', 'many4']);
    same(count($m->fetchAll()), 2, 'fetchAll');
    $gone = $m->deleteMulti(['many1', 'none', 'many2']);
    same($gone, ['many1' => true, 'none' => Memcached::RES_NOTFOUND,
        'many2' => true], 'deleteMulti tells which');
    $m->deleteMulti(array_keys($pairs));
    same($m->getMulti(array_keys($pairs)), [], 'all are gone');
    same($m->setMulti(['e1' => 1, 'e2' => 2], -1), true,
        'setMulti with a negative time');
    same($m->getMulti(['e1', 'e2']), [], 'they have expired');
}

function cas($m, $other)
{
    $m->set('cas', 1);
    $found = $m->get('cas', null, Memcached::GET_EXTENDED);
    same($found['value'], 1, 'get with its number');
    same($m->cas($found['cas'], 'cas', 2), true, 'cas with the right one');
    same($m->cas($found['cas'], 'cas', 3), false, 'cas with an old one');
    code($m, Memcached::RES_DATA_EXISTS, 'and its code');
    same($m->get('cas'), 2, 'has not stored');
    $again = $m->get('cas', null, Memcached::GET_EXTENDED);
    check($again['cas'] > $found['cas'], 'the number rises');
    $other->set('cas', 'other');
    same($m->cas($again['cas'], 'cas', 'mine'), false,
        'cas after somebody else');
    $again = $m->get('cas', null, Memcached::GET_EXTENDED);
    $other->delete('cas');
    same($m->cas($again['cas'], 'cas', 'mine'), false, 'cas after a delete');
    code($m, Memcached::RES_NOTFOUND, 'and its code');
    $all = $m->getMulti(['k'], Memcached::GET_EXTENDED);
    check(!isset($all['k']) || $all['k']['cas'] > 0, 'getMulti with numbers');

    // Through the call that php offers for reading and filling.
    $calls = 0;
    $fill = function ($m, $key, &$value) use (&$calls) {
        $calls++;
        $value = "filled $key";
        return true;
    };
    $m->delete('through');
    same($m->get('through', $fill), 'filled through', 'a read-through');
    same($m->get('through', $fill), 'filled through', 'read again');
    same($calls, 1, 'filled once');
}

function arithmetic($m)
{
    $m->set('n', 10);
    same($m->increment('n'), 11, 'increment');
    same($m->increment('n', 9), 20, 'increment by 9');
    same($m->decrement('n', 11), 9, 'decrement');
    same($m->get('n'), 9, 'is still a number');
    same($m->decrement('n', 100), 0, 'decrement stops at 0');
    same($m->increment('none'), false, 'increment of a missing key');
    code($m, Memcached::RES_NOTFOUND, 'and its code');
    same($m->decrement('none'), false, 'decrement of a missing key');
    $m->set('n', 4294967295);
    same($m->increment('n'), 4294967296, 'beyond 32 bits');
    $m->set('n', 'text');
    same($m->increment('n'), false, 'increment of a text');
    same($m->get('n'), 'text', 'leaves it');
    // The text protocol has no initial value.
    same(@$m->increment('fresh', 1, 5, 100), false,
        'an initial value is not for the text protocol');
}

function expiry($m, $port)
{
    same($m->touch('none', 10), false, 'touch of a missing key');
    code($m, Memcached::RES_NOTFOUND, 'and its code');
    $m->set('t', 1);
    same($m->touch('t', 100), true, 'touch');
    // As unsigned numbers of 32 bits on the wire.
    $m->set('t', 1, -1);
    same($m->get('t'), false, 'set with a negative time');
    $m->set('t', 1);
    same($m->touch('t', -1), true, 'touch with a negative time');
    same($m->get('t'), false, 'ends it');
    $m->set('t', 1, time() - 10);
    same($m->get('t'), false, 'set with a time that has passed');
    if (!advance($port, 0)) {
        echo "ok - expiry # skip no clock to move\n";
        return;
    }
    $now = (int)stats($port)['time'];
    $m->set('ten', 1, 10);
    $m->set('month', 1, 2592000);
    $m->set('date', 1, $now + 2592100);
    $m->set('touched', 1, 10);
    $m->touch('touched', 100);
    $m->set('ever', 1);
    $m->setMulti(['multi' => 1], 10);
    $keys = ['date', 'ever', 'month', 'multi', 'ten', 'touched'];
    $left = function () use ($m, $keys) {
        $found = array_keys($m->getMulti($keys));
        sort($found);
        return implode(' ', $found);
    };
    same($left(), implode(' ', $keys), 'nothing has expired');
    advance($port, 11);
    same($left(), 'date ever month touched', 'after 11 seconds');
    advance($port, 100);
    same($left(), 'date ever month', 'after 111');
    advance($port, 2591950);
    same($left(), 'date ever', 'after a month');
    advance($port, 100);
    same($left(), 'ever', 'after the date');
    same($m->flush(50), true, 'flush with a delay');
    same($m->get('ever'), 1, 'not yet');
    advance($port, 51);
    same($m->get('ever'), false, 'but then');
}

function administration($m, $port)
{
    same($m->flush(), true, 'flush');
    $versions = $m->getVersion();
    same(array_keys($versions), ["127.0.0.1:$port"], 'getVersion: which');
    check(preg_match('/^1\.6\.\d+$/', reset($versions)), 'getVersion');
    $all = $m->getStats();
    same(array_keys($all), ["127.0.0.1:$port"], 'getStats: which');
    $stats = reset($all);
    check($stats['pid'] > 0, 'getStats: pid');
    same($stats['pointer_size'], 64, 'getStats: a number');
    check(isset($stats['rusage_user'], $stats['cmd_get'],
        $stats['limit_maxbytes']), 'getStats: the others');
    $m->set('one', 1);
    $settings = $m->getStats('settings');
    check(reset($settings)['evictions'] === 'on', "getStats('settings')");
    $items = $m->getStats('items');
    check(isset(reset($items)['items:1:number']), "getStats('items')");
    $slabs = $m->getStats('slabs');
    check(isset(reset($slabs)['1:chunk_size']), "getStats('slabs')");

    // It asks for each class until there is none.
    $m->deleteMulti(['bytes', 'limit', 'packed']);
    $m->flush();
    $wanted = [];
    for ($i = 0; $i < 200; $i++) {
        $m->set("key$i", noise($i * 20));
        $wanted[] = "key$i";
    }
    $keys = $m->getAllKeys();
    sort($keys);
    sort($wanted);
    same($keys, $wanted, 'getAllKeys: 200 keys of many sizes');
    $m->flush();
    same($m->getMulti($wanted), [], 'flush');
    same($m->getAllKeys() ?: [], [], 'getAllKeys of an empty server');
    $m->set('after', 1);
    same($m->get('after'), 1, 'and set works at once');
}

function ways($port, $unix, $reference)
{
    storage(connect([$port], [Memcached::OPT_NO_BLOCK => true]),
        'no block: ');
    storage(connect([$port], [Memcached::OPT_TCP_NODELAY => true]),
        'no delay: ');
    storage(connect([$port], [Memcached::OPT_PREFIX_KEY => 'pre:']),
        'prefix: ');
    storage(connect([$port], [Memcached::OPT_SERIALIZER =>
        Memcached::SERIALIZER_PHP, Memcached::OPT_COMPRESSION => false]),
        'no compression: ');
    $u = new Memcached();
    $u->addServer($unix, 0);
    storage($u, 'unix: ');

    $n = connect([$port], [Memcached::OPT_NOREPLY => true,
        Memcached::OPT_COMPRESSION => false]);
    for ($i = 0; $i < 300; $i++) {
        $n->set('quiet' . $i % 30, $i);
    }
    $n->delete('quiet0');
    $n->delete('quiet0');
    $n->add('quiet1', 'x');
    $n->add('quiet0', 'new');
    $n->replace('nothing', 'x');
    $n->increment('quiet2', 1000);
    $n->touch('quiet3', 1000);
    $n->append('nothing', 'x');
    $wanted = ['quiet0' => 'new'];
    for ($i = 1; $i < 30; $i++) {
        $wanted["quiet$i"] = 270 + $i + ($i == 2 ? 1000 : 0);
    }
    same($n->getMulti(array_keys($wanted), Memcached::GET_PRESERVE_ORDER),
        $wanted, 'noreply: all requests in order, and in step');

    $b = connect([$port], [Memcached::OPT_BUFFER_WRITES => true]);
    $wanted = [];
    for ($i = 0; $i < 500; $i++) {
        $b->set("buffered$i", $i);
        $wanted["buffered$i"] = $i;
    }
    same($b->flushBuffers(), true, 'buffer: flushBuffers');
    same($b->getMulti(array_keys($wanted), Memcached::GET_PRESERVE_ORDER),
        $wanted, 'buffer: 500 sets, then read');
    for ($i = 0; $i < 500; $i++) {
        $b->delete("buffered$i");
    }
    same($b->getMulti(array_keys($wanted)), [], 'buffer: 500 deletes, too');

    $both = connect([$port], [Memcached::OPT_BUFFER_WRITES => true,
        Memcached::OPT_NOREPLY => true]);
    for ($i = 0; $i < 500; $i++) {
        $both->set("both$i", noise(1000, $i));
    }
    $both->flushBuffers();
    $good = 0;
    for ($i = 0; $i < 500; $i++) {
        $good += $both->get("both$i") === noise(1000, $i);
    }
    same($good, 500, 'buffer and noreply: 500 sets');

    if ($reference) {
        echo "ok - binary # skip the reference speaks it\n";
        return;
    }
    // Told at once that nobody speaks it here.
    $start = microtime(true);
    $binary = connect([$port], [Memcached::OPT_BINARY_PROTOCOL => true]);
    same($binary->set('k', 'v'), false, 'binary: an error');
    same($binary->get('k'), false, 'binary: and again');
    check(microtime(true) - $start < 30, 'binary: no long wait');
    $text = connect([$port]);
    same($text->set('k', 'v'), true, 'text goes on');
}

function rings($ports)
{
    foreach ([
        'modula' => [],
        'ketama' => [Memcached::OPT_LIBKETAMA_COMPATIBLE => true],
        'consistent, md5' => [Memcached::OPT_DISTRIBUTION =>
            Memcached::DISTRIBUTION_CONSISTENT,
            Memcached::OPT_HASH => Memcached::HASH_MD5],
    ] as $name => $options) {
        $m = connect($ports, $options);
        $m->flush();
        $pairs = [];
        for ($i = 0; $i < 600; $i++) {
            $pairs["ring$i"] = $i;
        }
        same($m->setMulti($pairs), true, "$name: setMulti on three servers");
        same($m->getMulti(array_keys($pairs), Memcached::GET_PRESERVE_ORDER),
            $pairs, "$name: getMulti");
        $again = connect($ports, $options);
        $good = 0;
        foreach ($pairs as $key => $value) {
            $good += $again->get($key) === $value;
        }
        same($good, 600, "$name: found by another client");
        $share = [];
        foreach ($pairs as $key => $value) {
            $server = $m->getServerByKey($key)['port'];
            $share[$server] = ($share[$server] ?? 0) + 1;
        }
        check(count($share) == 3 && min($share) > 60,
            "$name: each has its share");
        // Where the client says it is, there it is.
        $right = 0;
        foreach (array_slice(array_keys($pairs), 0, 60) as $key) {
            $one = connect([$m->getServerByKey($key)['port']]);
            $right += $one->get($key) === $pairs[$key];
        }
        same($right, 60, "$name: on the server that it says");
        same(count($m->getStats()), 3, "$name: getStats of three");
        same($m->setByKey('group', 'a', 1), true, "$name: setByKey");
        same($m->getByKey('group', 'a'), 1, "$name: getByKey");
    }
}

// Eight processes at once, where others have threads.
function crowd($port)
{
    connect([$port])->setMulti(['counter' => 0, 'guarded' => 0]);
    $children = [];
    for ($number = 0; $number < 8; $number++) {
        $pid = pcntl_fork();
        if ($pid == 0) {
            $m = connect([$port]);
            for ($i = 0; $i < 150; $i++) {
                $key = "p$number-" . $i % 10;
                $value = noise(10 + 13 * $i, $number * 1000 + $i);
                $good = $m->set($key, $value) && $m->get($key) === $value &&
                    $m->increment('counter') !== false;
                if (!$good) {
                    posix_kill(getmypid(), 9);
                }
            }
            for ($i = 0; $i < 40; ) {
                $found = $m->get('guarded', null, Memcached::GET_EXTENDED);
                $i += $m->cas($found['cas'], 'guarded',
                    $found['value'] + 1) ? 1 : 0;
            }
            posix_kill(getmypid(), 15);
        }
        $children[] = $pid;
    }
    $good = 0;
    foreach ($children as $pid) {
        pcntl_waitpid($pid, $status);
        $good += pcntl_wifsignaled($status) && pcntl_wtermsig($status) == 15;
    }
    same($good, 8, '8 processes, each sees its own');
    $m = connect([$port]);
    same($m->get('counter'), 1200, 'and all together counted right');
    same($m->get('guarded'), 320, 'cas on one key loses no update');
}

$m = connect([$port]);
storage($m, '');
values($m, $port);
limits($m);
many($m);
cas($m, connect([$port]));
arithmetic($m);
expiry($m, $port);
administration($m, $port);
ways($port, $unix, $reference);
rings($ports);
if (function_exists('pcntl_fork') && function_exists('posix_kill')) {
    crowd($port);
}
echo "finished\n";
