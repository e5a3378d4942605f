-- What every script of the queue begins with. KEYS[1] is the tag under which all keys are, and so in one slot; that of
-- Redis is the only clock. Each script is atomic: no build is ever in neither of two places.
local tag = KEYS[1]
local WAITING, READY, JOBS = tag .. ':waiting', tag .. ':ready', tag .. ':jobs'
local LEASES, OWNERS, CLAIMS = tag .. ':leases', tag .. ':owners', tag .. ':claims'
local BELL, BUILT = tag .. ':bell', tag .. ':built'

local time = redis.call('time')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- Names this run of this server. It changes when Redis restarts, whatever it restarts with, and at a failover.
local function run_id()
  return string.match(redis.call('info', 'server'), 'run_id:(%x+)')
end

-- False if the index was emptied, or may be older than what was last done to it: then only a rebuild may write.
local function is_built()
  return redis.call('get', BUILT) == run_id()
end

local function unbuilt()
  return redis.error_reply('UNBUILT the index of the queue must be made again from Postgres')
end

-- A job is {user who pays, project, plan}.
local function job_of(id)
  local stored = redis.call('hget', JOBS, id)
  return stored and cjson.decode(stored)
end

local function permits(kind, who)
  return tag .. ':' .. kind .. ':' .. who
end

local function blocked(kind, who)
  return tag .. ':blocked:' .. kind .. ':' .. who
end

-- Wakes workers, one for each of `count` builds. The bell keeps its last hundred tokens, so that a ring nobody waits
-- for is heard by the next to wait.
local function ring(count)
  for _ = 1, math.min(count, 100) do
    redis.call('lpush', BELL, 1)
  end
  redis.call('ltrim', BELL, 0, 99)
end

-- Those that a limit kept from running may be tried again, at their places.
local function unblock(kind, who)
  local key, freed = blocked(kind, who), 0
  for _, id in ipairs(redis.call('smembers', key)) do
    local place = redis.call('zscore', WAITING, id)
    if place then
      redis.call('zadd', READY, place, id)
      freed = freed + 1
    end
  end
  redis.call('del', key)
  ring(freed)
end

local function lease(id, owner, ends)
  redis.call('zrem', WAITING, id)
  redis.call('zrem', READY, id)
  redis.call('zadd', LEASES, ends, id)
  redis.call('hset', OWNERS, id, owner)
  redis.call('hset', CLAIMS, owner, id)
end

-- A permit ends with the lease that it came with: a lost worker's return by themselves.
local function permit(id, job, ends)
  redis.call('zadd', permits('user', job[1]), ends, id)
  redis.call('zadd', permits('project', job[2]), ends, id)
end

-- How many permits are held. Those that ran out return here, and free whoever waited for them.
local function held(kind, who)
  if redis.call('zremrangebyscore', permits(kind, who), '-inf', now) > 0 then
    unblock(kind, who)
  end
  return redis.call('zcard', permits(kind, who))
end

-- A lease that ran out is nobody's, though it is still written there: its permits may be another's by now.
local function holds(id, owner)
  local ends = redis.call('zscore', LEASES, id)
  return redis.call('hget', OWNERS, id) == owner and ends and tonumber(ends) > now
end

-- Ends the lease and the permits of a build, if it has any.
local function let_go(id)
  local owner, job = redis.call('hget', OWNERS, id), job_of(id)
  if owner then
    redis.call('hdel', CLAIMS, owner)
    redis.call('hdel', OWNERS, id)
  end
  redis.call('zrem', LEASES, id)
  if job then
    redis.call('zrem', permits('user', job[1]), id)
    redis.call('zrem', permits('project', job[2]), id)
    unblock('user', job[1])
    unblock('project', job[2])
  end
end

local function wait(id, place)
  redis.call('zadd', WAITING, place, id)
  redis.call('zadd', READY, place, id)
  ring(1)
end

local function forget(id)
  let_go(id)
  redis.call('zrem', WAITING, id)
  redis.call('zrem', READY, id)
  redis.call('hdel', JOBS, id)
end
