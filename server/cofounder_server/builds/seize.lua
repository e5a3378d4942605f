-- Takes over a build whose lease ran out or was forgotten. 0 if it waits or is held.
-- KEYS ready, leases, owners; ARGV build, owner, lease in milliseconds.
local time = redis.call('time')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ends = redis.call('zscore', KEYS[2], ARGV[1])
if redis.call('zscore', KEYS[1], ARGV[1]) or (ends and tonumber(ends) > now) then
  return 0
end
redis.call('zadd', KEYS[2], now + ARGV[3], ARGV[1])
redis.call('hset', KEYS[3], ARGV[1], ARGV[2])
return 1
