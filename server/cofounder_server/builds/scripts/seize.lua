-- Takes over a build whose lease ran out or was forgotten, without permits: it does not run. 0 if it waits or is held.
-- ARGV build, owner, lease in milliseconds, job.
if not is_built() then
  return unbuilt()
end
local ends = redis.call('zscore', LEASES, ARGV[1])
if redis.call('zscore', WAITING, ARGV[1]) or (ends and tonumber(ends) > now) then
  return 0
end
redis.call('hset', JOBS, ARGV[1], ARGV[4])
let_go(ARGV[1])
lease(ARGV[1], ARGV[2], now + ARGV[3])
return 1
