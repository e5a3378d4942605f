-- Takes the first build that waits and writes its lease: no instant at which it is in neither.
-- KEYS ready, leases, owners; ARGV owner, lease in milliseconds. The clock is that of Redis.
local first = redis.call('zrange', KEYS[1], 0, 0)[1]
if not first then
  return false
end
local time = redis.call('time')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('zrem', KEYS[1], first)
redis.call('zadd', KEYS[2], now + ARGV[2], first)
redis.call('hset', KEYS[3], first, ARGV[1])
return first
