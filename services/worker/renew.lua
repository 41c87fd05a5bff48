-- Renew the leases of all jobs that one worker process holds.
--
-- ARGV: the owner's name, the lease in ms, then for each job its queue and its id.
-- Returns the ids of the jobs that somebody else holds by now.
--
-- A lease that is gone without another holder is taken again: so running jobs survive a FLUSHALL.
local owner, lease_ms = ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lost = {}

for i = 3, #ARGV, 2 do
  local queue, id = ARGV[i], ARGV[i + 1]
  local key = 'arq:in-progress:' .. id
  local holder = redis.call('GET', key)
  if holder and holder ~= owner then
    lost[#lost + 1] = id
  else
    redis.call('SET', key, owner, 'PX', lease_ms)
    redis.call('ZADD', 'driftwarden:slots:' .. queue, now + lease_ms, id)
    redis.call('SADD', 'driftwarden:queues', queue)
  end
end
return lost
