-- Move a running job into the line of another model, where it goes on at once if nobody waits before it.
--
-- ARGV: the owner's name, the lease in ms, the job's queue, its id, its run, then the other queue with its
--       four limits, as in claim.lua.
-- Returns the epoch of the other queue when the job goes on; nil when it waits there, or when somebody else
-- holds it by now.
--
-- Runs take turns in the new line (start-time fair queueing): each one's next place is noted in
-- driftwarden:places:{queue}.
local owner, lease_ms, queue, id, run, to = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local key = 'arq:in-progress:' .. id
if redis.call('GET', key) ~= owner then
  return false
end
local room = read_room(to, tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10]))
local waiting = redis.call('ZCARD', to) - room.running
local head = redis.call('ZRANGE', to, 0, 0, 'WITHSCORES')
local place = math.max(1, tonumber(redis.call('HGET', 'driftwarden:places:' .. to, run)) or 1)
if head[2] and tonumber(head[2]) < 1e12 then
  place = math.max(place, tonumber(head[2]))
end
redis.call('ZREM', queue, id)
redis.call('ZREM', 'driftwarden:slots:' .. queue, id)
redis.call('ZADD', to, 'NX', place, id)
redis.call('HSET', 'driftwarden:places:' .. to, run, place + 1)
redis.call('SADD', 'driftwarden:queues', to)
if room.free <= waiting then
  redis.call('DEL', key)
  return false
end
redis.call('SET', key, owner, 'PX', lease_ms)
redis.call('ZADD', room.slots, now + lease_ms, id)
spend(room, 1)
return room.epoch
