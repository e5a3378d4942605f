-- Puts a build into the queue, unless it waits there or is held, and wakes a worker. The bell keeps its last hundred
-- tokens: one for each build added, so that a ring nobody waits for is heard by the next to wait.
-- KEYS ready, leases, bell; ARGV build, priority.
if redis.call('zscore', KEYS[2], ARGV[1]) then
  return 0
end
redis.call('zadd', KEYS[1], 'nx', ARGV[2], ARGV[1])
redis.call('lpush', KEYS[3], 1)
redis.call('ltrim', KEYS[3], 0, 99)
return 1
