-- Give up one job: it is done, or it is to run again. Whoever lost the lease changes nothing.
--
-- ARGV: the owner's name, the job's queue, its id, and 'done', or 'again' (in its old place),
--       or the time in ms at which it is to run again.
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
  redis.call('ZADD', queue, 'XX', outcome, id)
end
return 1
