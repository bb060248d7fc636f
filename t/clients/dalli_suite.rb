# frozen_string_literal: true

# SPDX-License-Identifier: BSD-3-Clause
# dalli_suite.rb - the server as Dalli sees it.
#
# Before 3.2 Dalli knows only the binary protocol, and has to be told at once
# that it is not spoken here; from then on there is protocol: :meta.
#
# Argument: a port on 127.0.0.1.

require 'dalli'
require 'socket'

PORT = Integer(ARGV[0])
REFERENCE = !ENV['LEASECACHED_REFERENCE'].to_s.empty?
META = Gem::Version.new(Dalli::VERSION) >= Gem::Version.new('3.2')
Dalli.logger.level = Logger::FATAL
$stdout.sync = true

def check(good, name)
  puts "#{'not ' unless good}ok - #{name}"
  good
end

def same(got, wanted, name)
  return if check(got == wanted, name)

  puts "#      got: #{got.inspect[0, 300]}", "# expected: #{wanted.inspect[0, 300]}"
end

def connect(**how)
  Dalli::Client.new("127.0.0.1:#{PORT}", { socket_timeout: 60 }.merge(how))
end

def text(request)
  TCPSocket.open('127.0.0.1', PORT) do |s|
    s.write(request)
    s.gets
  end
end

def clock
  Process.clock_gettime(Process::CLOCK_MONOTONIC)
end

def refusal
  start = clock
  [['set', ->(d) { d.set('k', 'v') }], ['get', ->(d) { d.get('k') }],
   ['incr', ->(d) { d.incr('k', 1) }], ['add', ->(d) { d.add('k', 'v') }],
   ['delete', ->(d) { d.delete('k') }], ['flush', ->(d) { d.flush }],
   ['get_multi', ->(d) { d.get_multi('k', 'l') }]].each do |name, call|
    dalli = connect
    begin
      got = call.call(dalli)
      # Some are told as nothing done, not as an error.
      check([nil, false, [nil], {}].include?(got), "binary #{name}: nothing done")
    rescue Dalli::DalliError => e
      check(e.message =~ /Unknown command|129|No server|down|reset/i, "binary #{name}: an error that tells")
    end
    dalli.close
  end
  check(clock - start < 30, 'and nobody had to wait')
  same(text("mg k v\r\n"), "EN\r\n", 'nothing was stored')
  same(text("mn\r\n"), "MN\r\n", 'and text clients are served')
end

def raises(kind, name)
  yield
  check(false, name)
rescue kind
  check(true, name)
end

def meta
  d = connect(protocol: :meta)
  d.flush
  same(d.get('none'), nil, 'get of a missing key')
  check(d.set('k', { 'a' => [1, 'x'] }), 'set')
  same(d.get('k'), { 'a' => [1, 'x'] }, 'get')
  check(!d.add('k', 'x'), 'add of a key that is there')
  check(d.add('fresh', 'x'), 'add of a new one')
  check(d.replace('fresh', 'y'), 'replace')
  check(!d.replace('none', 'y'), 'replace of a missing key')
  d.set('raw', 'y', 0, raw: true)
  check(d.append('raw', '>'), 'append')
  check(d.prepend('raw', '<'), 'prepend')
  same(d.get('raw', raw: true), '<y>', 'and their result')
  check(!d.append('none', 'y'), 'append to a missing key')
  check(d.delete('fresh'), 'delete')
  check(!d.delete('fresh'), 'delete again')

  same(d.incr('n', 1, 0, 5), 5, 'incr makes an initial value')
  same(d.incr('n', 10), 15, 'incr')
  same(d.decr('n', 100), 0, 'decr stops at 0')
  same(d.incr('none', 1), nil, 'incr of a missing key')

  check(d.cas('k') { |value| value.merge('b' => 1) }, 'cas')
  same(d.get('k'), { 'a' => [1, 'x'], 'b' => 1 }, 'its result')
  same(d.cas('none') { |_| 1 }, nil, 'cas of a missing key')
  lost = d.cas('k') do |_|
    connect(protocol: :meta).set('k', 'other')
    'mine'
  end
  check(!lost, 'cas after somebody else')
  same(d.get('k'), 'other', 'and that one stays')

  200.times { |i| d.set("many#{i}", i) }
  keys = (0...200).map { |i| "many#{i}" }
  same(d.get_multi(*keys), keys.each_with_index.to_h, 'get_multi of 200')
  same(d.get_multi('many1', 'none'), { 'many1' => 1 }, 'one missing')
  d.quiet { keys.each { |key| d.set(key, 'quiet') } } if d.respond_to?(:quiet)
  same(d.get_multi(*keys).values.uniq, ['quiet'], 'quiet: 200 sets') if d.respond_to?(:quiet)

  check(d.set('ключ', 'unicode'), 'a key of letters')
  same(d.get('ключ'), 'unicode', 'read again')
  same(d.get_multi('ключ', 'none'), { 'ключ' => 'unicode' }, 'among others')
  binary = (0..255).to_a.pack('C*') * 2000
  d.set('binary', binary, 0, raw: true)
  check(d.get('binary', raw: true).b == binary, '512,000 bytes of any value')
  raises(Dalli::ValueOverMaxSize, 'a value that is too large') do
    connect(protocol: :meta, value_max_bytes: 1_000_000).set('large', 'x' * 1_100_000, 0, raw: true)
  end

  check(d.touch('k', 100), 'touch')
  same(d.gat('k', 100), 'other', 'gat')
  calls = 0
  2.times { same(d.fetch('filled', 100) { calls += 1 }, 1, 'fetch') }
  if text("debugtime +0\r\n") == "OK\r\n"
    text("debugtime +101\r\n")
    same(d.get_multi('k', 'filled'), {}, 'all of them expire')
  end

  d.set('counter', '0', 0, raw: true)
  threads = (0...8).map do |number|
    Thread.new do
      100.times do |i|
        d.set("t#{number}-#{i}", "#{number} #{i}")
        raise 'another value' if d.get("t#{number}-#{i}") != "#{number} #{i}"

        d.incr('counter', 1)
      end
    end
  end
  threads.each(&:join)
  same(d.incr('counter', 0), 800, '8 threads on one client')

  check(d.version.values.first =~ /^1\.6\./, 'version')
  check(d.stats.values.first['curr_items'].to_i.positive?, 'stats')
  check(d.stats(:settings).values.first['item_size_max'] == '1048576', 'stats settings')
  check(d.flush, 'flush')
  same(d.get_multi(*keys), {}, 'all are gone')
end

if META
  meta
elsif REFERENCE
  puts 'ok - binary # skip the reference speaks it'
else
  refusal
end
puts 'finished'
