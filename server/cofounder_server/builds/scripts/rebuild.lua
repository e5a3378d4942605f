-- Makes the index again, unless somebody else just did.
-- ARGV lease in milliseconds, then for each build {build, place, job, owner or ''}: one with an owner runs, with a lease
-- and permits from now; one without waits.
if is_built() then
  return 0
end
for _, key in ipairs(redis.call('keys', tag .. ':*')) do
  redis.call('del', key)
end
for place = 2, #ARGV do
  local build = cjson.decode(ARGV[place])
  redis.call('hset', JOBS, build[1], cjson.encode(build[3]))
  if build[4] == '' then
    wait(build[1], build[2])
  else
    lease(build[1], build[4], now + ARGV[1])
    permit(build[1], build[3], now + ARGV[1])
  end
end
redis.call('set', BUILT, run_id())
return 1
