-- Claim jobs for one worker process from several queues, in the order given.
--
-- ARGV: the owner's name, the lease in ms, how many jobs the process has room for,
--       then for each queue its name, how many may run at once over all processes, how many of them before
--       anything was learned, and how many calls and tokens a minute may cost (0: any number).
-- Returns queue, job id, score, epoch, queue, job id, score, epoch, ...
--
-- A running job stays in its queue, so each queue is read past as many jobs as run already.
local owner, lease_ms, space = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local claimed = {}

local function take(room, from, to, free)
  local line = redis.call('ZRANGE', room.queue, from, to, 'BYSCORE', 'LIMIT', 0, free + room.running, 'WITHSCORES')
  for i = 1, #line, 2 do
    if free == 0 then break end
    local id, score = line[i], line[i + 1]
    if redis.call('SET', 'arq:in-progress:' .. id, owner, 'NX', 'PX', lease_ms) then
      redis.call('ZADD', room.slots, now + lease_ms, id)
      claimed[#claimed + 1] = room.queue
      claimed[#claimed + 1] = id
      claimed[#claimed + 1] = score
      claimed[#claimed + 1] = room.epoch
      free = free - 1
    end
  end
  return free
end

for i = 4, #ARGV, 5 do
  local queue = ARGV[i]
  local room = read_room(queue, tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3]), tonumber(ARGV[i + 4]))
  local free = math.min(space, room.free)
  if free > 0 then
    local left = take(room, 1e12, now, free)  -- retries whose time has come
    if left > 0 then
      left = take(room, '-inf', '(1e12', left)
    end
    spend(room, free - left)
    space = space - (free - left)
  end
  if room.running == 0 and redis.call('EXISTS', queue) == 0 then
    redis.call('SREM', 'driftwarden:queues', queue)
    redis.call('DEL', 'driftwarden:places:' .. queue)
  end
end
return claimed
