-- Prolongs a lease and its permits. 0 if it is not the caller's, or ran out.
-- ARGV build, owner, lease in milliseconds.
-- While the index is to be made again nobody can take the build, and it will be made with this lease in it.
if not is_built() then
  return 1
end
if not holds(ARGV[1], ARGV[2]) then
  return 0
end
redis.call('zadd', LEASES, now + ARGV[3], ARGV[1])
permit(ARGV[1], job_of(ARGV[1]), now + ARGV[3])
return 1
