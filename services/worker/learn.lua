-- Learn from the replies of models how many calls each of them bears, for all processes together.
--
-- ARGV: how many ms a model may answer nobody before it is given up, then for each report: queue, how many
--       jobs may run at once, how many of them before anything was learned, the epoch in which these calls
--       began, how many were answered, refused as too many, and failed, the longest Retry-After in ms,
--       the tokens of the answers and how many answers told them.
-- Returns the queues whose models are given up.
--
-- Slow start, then additive increase and multiplicative decrease (Chiu & Jain, 1989). Each decrease begins an
-- epoch, and a refusal of a call that began in an earlier one decreases nothing more. When nobody is answered
-- any longer, all calls pause, and then one is tried: a circuit breaker, half open.
local TOO_MANY, AT_START = 0.9, 0.75
local IN_A_ROW = 10
local LONGEST_PAUSE_MS, LONGEST_RETRY_AFTER_MS, FORGET_MS = 30000, 600000, 3600000

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local patience_ms = tonumber(ARGV[1])
local given_up = {}

for i = 2, #ARGV, 10 do
  local queue = ARGV[i]
  local slots, first, epoch, answered, crowded, failed, retry_after_ms, tokens, told =
    tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3]), tonumber(ARGV[i + 4]),
    tonumber(ARGV[i + 5]), tonumber(ARGV[i + 6]), tonumber(ARGV[i + 7]), tonumber(ARGV[i + 8]), tonumber(ARGV[i + 9])
  local key = 'driftwarden:pace:' .. queue
  local known = redis.call('HMGET', key, 'limit', 'threshold', 'epoch', 'in_a_row', 'unanswered_since', 'pauses', 'tokens', 'tokens_of_a_call')
  local limit, threshold = tonumber(known[1]) or first, tonumber(known[2]) or slots
  local current, in_a_row = tonumber(known[3]) or 0, tonumber(known[4]) or 0
  local since, pauses = tonumber(known[5]) or 0, tonumber(known[6]) or 0
  local is_current = epoch == current
  local running = redis.call('ZCARD', 'driftwarden:slots:' .. queue)

  if answered > 0 then
    in_a_row, since, pauses = 0, 0, 0
    if is_current and running + answered + crowded + failed >= 0.75 * math.floor(limit) then
      for _ = 1, answered do
        limit = limit + (limit < threshold and 1 or 1 / limit)
      end
      limit = math.min(slots, limit)
    end
  end
  if crowded + failed > 0 then
    -- While many others are being served, refusals say how many, and not that nobody is.
    in_a_row = in_a_row + failed + (running < limit / 2 and crowded or 0)
    if since == 0 then since = now end
    if now - since >= patience_ms then given_up[#given_up + 1] = queue end
    if is_current and in_a_row >= IN_A_ROW then
      local pause_ms = math.max(math.min(LONGEST_PAUSE_MS, 1000 * 2 ^ pauses), math.min(LONGEST_RETRY_AFTER_MS, retry_after_ms))
      redis.call('HSET', key, 'paused_until', now + pause_ms)
      pauses, current = pauses + 1, current + 1
      threshold, limit = math.max(first, limit / 2), 1
    elseif is_current and crowded > 0 then
      current = current + 1
      limit = math.max(1, limit * (limit < threshold and AT_START or TOO_MANY))
      threshold = limit
    end
  end
  if told > 0 then
    local guess = tonumber(known[8]) or 0
    if known[7] then redis.call('HINCRBYFLOAT', key, 'tokens', told * guess - tokens) end
    guess = guess == 0 and tokens / told or guess + (tokens / told - guess) * math.min(1, told / 20)
    redis.call('HSET', key, 'tokens_of_a_call', guess)
  end
  redis.call('HSET', key, 'limit', limit, 'threshold', threshold, 'epoch', current, 'in_a_row', in_a_row, 'unanswered_since', since, 'pauses', pauses)
  redis.call('PEXPIRE', key, FORGET_MS)
end
return given_up
