/**
 * What must happen at once in Redis. Each script is one atomic step (Redis runs nothing beside it), and every key it
 * touches is among its KEYS. `KEYS.md` lists the keys and what they hold.
 */

/**
 * A token bucket as one number: the moment it will be full again ("generic cell rate algorithm"). Redis' own clock counts,
 * because a bucket drains in milliseconds and the clocks of pods do not agree to the millisecond.
 *
 * ARGV: milliseconds a token takes to come back, milliseconds until an empty bucket is full, tokens to take, 1 to take
 * them whatever is left. Returns whether they were taken, and the milliseconds until the bucket is full.
 */
export const chargeScript = `
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local full = math.max(now, tonumber(redis.call('GET', KEYS[1]) or '0'))
local after = full + ARGV[1] * ARGV[3]
if ARGV[4] ~= '1' and after - now > ARGV[2] + 0.001 then
  return { 0, string.format('%.3f', full - now) }
end
redis.call('SET', KEYS[1], string.format('%.3f', after), 'PX', math.max(1, math.ceil(after - now)))
return { 1, string.format('%.3f', after - now) }
`;

/**
 * Takes one attempt from each of two budgets, or none when either is locked. The attempt that uses a budget up locks it.
 *
 * ARGV: now, length of the window, length of a lockout (all milliseconds), the size of each budget. Returns 0 and the end
 * of the lockout; or 1, and for each budget the end of its window and of the lockout this attempt began (0 for none).
 */
export const reserveScript = `
local now, window, lockout = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local lockedUntil = 0
for _, key in ipairs(KEYS) do
  lockedUntil = math.max(lockedUntil, tonumber(redis.call('HGET', key, 'locked_until') or '0'))
end
if lockedUntil > now then return { 0, string.format('%d', lockedUntil) } end
local answer = { 1 }
for index, key in ipairs(KEYS) do
  local held = redis.call('HMGET', key, 'left', 'window_ends', 'locked_until')
  local left, ends = tonumber(held[1]), tonumber(held[2])
  if not left or ends <= now or (held[3] and tonumber(held[3]) > 0) then
    left, ends = tonumber(ARGV[3 + index]), now + window
  end
  left = left - 1
  local locked = left <= 0 and now + lockout or 0
  redis.call('HSET', key, 'left', left, 'window_ends', string.format('%d', ends), 'locked_until', string.format('%d', locked))
  redis.call('PEXPIRE', key, math.ceil(math.max(ends, locked) - now))
  answer[#answer + 1] = string.format('%d', ends)
  answer[#answer + 1] = string.format('%d', locked)
end
return answer
`;

/**
 * Gives attempts back, to the window they were taken from. ARGV: the end of each window, and 1 to forget the first budget
 * altogether. A lockout that the attempt began ends with it.
 */
export const settleScript = `
for index, key in ipairs(KEYS) do
  local held = redis.call('HMGET', key, 'left', 'window_ends')
  if index == 1 and ARGV[3] == '1' then
    redis.call('DEL', key)
  elseif held[1] and held[2] == ARGV[index] then
    redis.call('HSET', key, 'left', held[1] + 1, 'locked_until', '0')
  end
end
return 1
`;
