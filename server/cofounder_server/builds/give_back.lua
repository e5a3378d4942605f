-- Puts a build back to its place in the queue, if the caller holds it, and wakes a worker.
-- KEYS ready, leases, owners, bell; ARGV build, owner, priority.
if redis.call('hget', KEYS[3], ARGV[1]) ~= ARGV[2] then
  return 0
end
redis.call('zrem', KEYS[2], ARGV[1])
redis.call('hdel', KEYS[3], ARGV[1])
redis.call('zadd', KEYS[1], ARGV[3], ARGV[1])
redis.call('lpush', KEYS[4], 1)
return 1
