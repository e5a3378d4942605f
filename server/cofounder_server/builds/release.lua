-- Gives a lease back, if it is the caller's.
-- KEYS leases, owners; ARGV build, owner.
if redis.call('hget', KEYS[2], ARGV[1]) == ARGV[2] then
  redis.call('zrem', KEYS[1], ARGV[1])
  redis.call('hdel', KEYS[2], ARGV[1])
end
return 0
