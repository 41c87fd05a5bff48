-- Claim jobs for one worker process from several queues, in the order given.
--
-- ARGV: the owner's name, the lease in ms, how many jobs the process has room for,
--       then for each queue its name and its limit over all processes.
-- Returns queue, job id, score, queue, job id, score, ...
--
-- A running job stays in its queue, so each queue is read past as many jobs as run already.
local owner, lease_ms, room = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local claimed = {}

local function take(queue, slots, from, to, free, running)
  local line = redis.call('ZRANGE', queue, from, to, 'BYSCORE', 'LIMIT', 0, free + running, 'WITHSCORES')
  for i = 1, #line, 2 do
    if free == 0 then break end
    local id, score = line[i], line[i + 1]
    if redis.call('SET', 'arq:in-progress:' .. id, owner, 'NX', 'PX', lease_ms) then
      redis.call('ZADD', slots, now + lease_ms, id)
      claimed[#claimed + 1] = queue
      claimed[#claimed + 1] = id
      claimed[#claimed + 1] = score
      free = free - 1
    end
  end
  return free
end

for i = 4, #ARGV, 2 do
  local queue, limit = ARGV[i], tonumber(ARGV[i + 1])
  local slots = 'driftwarden:slots:' .. queue
  redis.call('ZREMRANGEBYSCORE', slots, '-inf', now)
  local running = redis.call('ZCARD', slots)
  local free = math.min(room, limit - running)
  if free > 0 then
    local left = take(queue, slots, 1e12, now, free, running)  -- retries whose time has come
    if left > 0 then
      left = take(queue, slots, '-inf', '(1e12', left, running)
    end
    room = room - (free - left)
  end
  if running == 0 and redis.call('EXISTS', queue) == 0 then
    redis.call('SREM', 'driftwarden:queues', queue)
  end
end
return claimed
