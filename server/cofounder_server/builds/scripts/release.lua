-- Ends a lease and takes the build out of the index, if the lease is the caller's.
-- ARGV build, owner.
if redis.call('hget', OWNERS, ARGV[1]) == ARGV[2] then
  forget(ARGV[1])
  return 1
end
return 0
