-- Puts a build into the queue at its place, unless it waits there or is held.
-- ARGV build, place, job. An index that is to be made again gets it from Postgres.
if not is_built() or redis.call('zscore', LEASES, ARGV[1]) or redis.call('zscore', WAITING, ARGV[1]) then
  return 0
end
redis.call('hset', JOBS, ARGV[1], ARGV[3])
wait(ARGV[1], ARGV[2])
return 1
