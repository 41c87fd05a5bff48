-- How many more jobs of a queue may begin now; stands before claim.lua and pass_on.lua.
--
-- What its model has taught (learn.lua) lies in the hash driftwarden:pace:{queue}. A bucket for calls and one
-- for tokens hold what a second allows; tokens are counted when they are known, and guessed until then.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function read_room(queue, slots, first, calls_per_minute, tokens_per_minute)
  local room = {queue = queue, slots = 'driftwarden:slots:' .. queue, pace = 'driftwarden:pace:' .. queue}
  redis.call('ZREMRANGEBYSCORE', room.slots, '-inf', now)
  room.running = redis.call('ZCARD', room.slots)
  local known = redis.call('HMGET', room.pace, 'limit', 'paused_until', 'epoch', 'calls', 'tokens', 'tokens_of_a_call', 'filled_at')
  local limit = math.min(slots, math.floor(tonumber(known[1]) or first))
  if now < (tonumber(known[2]) or 0) then limit = 0 end
  room.epoch = known[3] or '0'
  room.free = math.max(0, limit - room.running)
  room.tokens_of_a_call = tonumber(known[6]) or 0
  local minutes = (now - (tonumber(known[7]) or 0)) / 60000
  if calls_per_minute > 0 then
    local most = math.max(1, calls_per_minute / 60)
    room.calls = math.min(most, (tonumber(known[4]) or most) + minutes * calls_per_minute)
    room.free = math.min(room.free, math.max(0, math.floor(room.calls)))
  end
  if tokens_per_minute > 0 then
    local most = math.max(room.tokens_of_a_call, tokens_per_minute / 60)
    room.tokens = math.min(most, (tonumber(known[5]) or most) + minutes * tokens_per_minute)
    if room.tokens <= 0 then
      room.free = 0
    elseif room.tokens_of_a_call > 0 then
      room.free = math.min(room.free, math.floor(room.tokens / room.tokens_of_a_call))
    end
  end
  return room
end

local function spend(room, calls)
  if calls > 0 and (room.calls or room.tokens) then
    local tokens = (room.tokens or 0) - calls * room.tokens_of_a_call
    redis.call('HSET', room.pace, 'calls', (room.calls or 0) - calls, 'tokens', tokens, 'filled_at', now)
    redis.call('PEXPIRE', room.pace, 3600000)
  end
end

