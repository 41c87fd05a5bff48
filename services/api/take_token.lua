-- Take a token out of a bucket, if one is left.
--
-- KEYS[1]: the bucket. ARGV: how many tokens it holds, and how many ms it takes to fill.
-- Returns 1 or 0 for taken or not, the tokens left, ms until there is one to take, ms until it is full.
--
-- What is stored is the moment at which the bucket will be full (GCRA): a bucket that is full is no key.
local size, fills_ms = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local each_ms = fills_ms / size
local full_at = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local taken = 0

if full_at + each_ms - now <= fills_ms + 0.001 then
  taken = 1
  full_at = full_at + each_ms
  redis.call('SET', KEYS[1], string.format('%.3f', full_at), 'PX', math.ceil(full_at - now))
end
local missing_ms = full_at - now
local left = math.floor((fills_ms - missing_ms) / each_ms + 0.001)
local wait_ms = math.max(0, missing_ms + each_ms - fills_ms)
return {taken, math.max(0, left), math.ceil(wait_ms), math.ceil(missing_ms)}
