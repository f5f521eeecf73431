/**
 * What must happen at once in Redis. Each script is one atomic step (Redis runs nothing beside it), and every key it
 * touches is among its KEYS. `KEYS.md` lists the keys and what they hold.
 */

/**
 * Claims something that may be used once. Only Redis' clock counts: what is over by it is not claimed, or a pod whose
 * clock is late could claim again what was forgotten on time.
 *
 * ARGV: milliseconds since 1970 until which it is kept, or 0 and how long. Returns 1 to the one that claimed it.
 */
export const claimScript = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lasts = ARGV[1] == '0' and tonumber(ARGV[2]) or ARGV[1] - now
if lasts < 1 then return 0 end
return redis.call('SET', KEYS[1], '1', 'NX', 'PX', string.format('%d', lasts)) and 1 or 0
`;

/**
 * A token bucket as the moment it will be full again ("generic cell rate algorithm"), and the moment that was reckoned. Redis'
 * own clock counts, because a bucket drains in milliseconds and the clocks of pods do not agree to the millisecond. It may go
 * back, as when a replica with another clock takes over: what was owed then is owed from now on.
 *
 * ARGV: milliseconds a token takes to come back, milliseconds until an empty bucket is full, tokens to take, 1 to take
 * them whatever is left. Returns whether they were taken, and the milliseconds until the bucket is full.
 */
export const chargeScript = `
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local full, at = string.match(redis.call('GET', KEYS[1]) or '0 0', '(%S+) (%S+)')
local back = math.max(0, at - now)
full = math.max(now, full - back)
local function keep(value)
  redis.call('SET', KEYS[1], string.format('%.3f %.3f', value, now), 'PX', math.max(1, math.ceil(value - now)))
end
local after = full + ARGV[1] * ARGV[3]
if ARGV[4] ~= '1' and after - now > ARGV[2] + 0.001 then
  if back > 0 then keep(full) end
  return { 0, string.format('%.3f', full - now) }
end
keep(after)
return { 1, string.format('%.3f', after - now) }
`;

/**
 * Takes one attempt from each of two budgets, or none when either is locked. The attempt that uses a budget up locks it.
 *
 * ARGV: length of the window, length of a lockout (both milliseconds), the size of each budget. Returns 0, the end of the
 * lockout and how long that is; or 1, and for each budget the end of its window and of the lockout this attempt began (0 for none).
 */
export const reserveScript = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local window, lockout = tonumber(ARGV[1]), tonumber(ARGV[2])
local lockedUntil = 0
for _, key in ipairs(KEYS) do
  lockedUntil = math.max(lockedUntil, tonumber(redis.call('HGET', key, 'locked_until') or '0'))
end
if lockedUntil > now then return { 0, string.format('%d', lockedUntil), string.format('%d', lockedUntil - now) } end
local answer = { 1 }
for index, key in ipairs(KEYS) do
  local held = redis.call('HMGET', key, 'left', 'window_ends', 'locked_until')
  local left, ends = tonumber(held[1]), tonumber(held[2])
  if not left or ends <= now or (held[3] and tonumber(held[3]) > 0) then
    left, ends = tonumber(ARGV[2 + index]), now + window
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

/**
 * Takes a lease that nobody has, or that this owner has already. The fencing token is Redis' clock in microseconds, so it
 * grows with every owner also after Redis has lost its data.
 *
 * ARGV: owner, milliseconds it lasts. Returns the token, or 0 while somebody else has it.
 */
export const takeLeaseScript = `
local held = redis.call('HMGET', KEYS[1], 'owner', 'token')
if held[1] and held[1] ~= ARGV[1] then return '0' end
local token = held[2]
if not held[1] then
  local time = redis.call('TIME')
  token = string.format('%.0f', time[1] * 1000000 + time[2])
  redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'token', token)
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return token
`;

/** Lets a lease last `ARGV[2]` milliseconds from now, if `ARGV[1]` has it. Returns whether. */
export const renewLeaseScript = `
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`;

/** Ends a lease, if `ARGV[1]` has it. */
export const releaseLeaseScript = `
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
`;
