-- Prolongs a lease, or makes it again where Redis forgot it. 0 if somebody else holds it.
-- KEYS ready, leases, owners; ARGV build, owner, lease in milliseconds.
local owner = redis.call('hget', KEYS[3], ARGV[1])
if owner and owner ~= ARGV[2] then
  return 0
end
local time = redis.call('time')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('zrem', KEYS[1], ARGV[1])
redis.call('zadd', KEYS[2], now + ARGV[3], ARGV[1])
redis.call('hset', KEYS[3], ARGV[1], ARGV[2])
return 1
