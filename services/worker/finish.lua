-- Give up one job: it is done, or it is to run again. Whoever lost the lease changes nothing.
--
-- ARGV: the owner's name, the job's queue, its id, and 'done', or 'again' (in its old place),
--       or in how many ms it is to run again.
-- Returns 1, or 0 when somebody else, or nobody, holds the job.
local owner, queue, id, outcome = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local key = 'arq:in-progress:' .. id
if redis.call('GET', key) ~= owner then
  return 0
end
redis.call('DEL', key)
redis.call('ZREM', 'driftwarden:slots:' .. queue, id)
if outcome == 'done' then
  redis.call('ZREM', queue, id)
  redis.call('DEL', 'arq:job:' .. id, 'arq:retry:' .. id)
elseif outcome ~= 'again' then
  local time = redis.call('TIME')
  redis.call('ZADD', queue, 'XX', time[1] * 1000 + math.floor(time[2] / 1000) + outcome, id)
end
return 1
