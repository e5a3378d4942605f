-- Puts a build back to its place in the queue, if its lease is the caller's.
-- ARGV build, owner, place.
if redis.call('hget', OWNERS, ARGV[1]) ~= ARGV[2] then
  return 0
end
let_go(ARGV[1])
wait(ARGV[1], ARGV[3])
return 1
