-- Takes the first build that may run, its lease and its permits. One that a limit keeps from running is set aside with
-- its place until somebody it waits for lets go, so that it neither blocks others nor is looked at again and again.
-- ARGV owner, lease in milliseconds, limits: {plan: {builds of a user, of a project}}, '' for any other plan.
-- Returns the build; false if none may run; '' if there are more to look at.
if not is_built() then
  return unbuilt()
end
local mine = redis.call('hget', CLAIMS, ARGV[1])
if mine and holds(mine, ARGV[1]) then
  return mine
end
local limits = cjson.decode(ARGV[3])

local function short_of(job)
  local limit = limits[job[3]] or limits['']
  if limit[1] >= 0 and held('user', job[1]) >= limit[1] then
    return blocked('user', job[1])
  end
  if limit[2] >= 0 and held('project', job[2]) >= limit[2] then
    return blocked('project', job[2])
  end
end

for _ = 1, 500 do
  local id = redis.call('zrange', READY, 0, 0)[1]
  if not id then
    return false
  end
  local job = job_of(id)
  local short = job and short_of(job)
  if not job then
    -- Nothing that we put there; if it is a build all the same, the sweeper misses it.
    forget(id)
  elseif short then
    redis.call('zrem', READY, id)
    redis.call('sadd', short, id)
  elseif redis.call('zrange', READY, 0, 0)[1] == id then
    -- Else permits that ran out have just freed one with an earlier place: it is looked at first.
    lease(id, ARGV[1], now + ARGV[2])
    permit(id, job, now + ARGV[2])
    return id
  end
end
return ''
