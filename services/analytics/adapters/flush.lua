#!lua name=analytics_2
-- One flush of an aggregator, as one atomic call: adds a window to the counters, unless one of its parts was counted before.
--
-- A function is atomic but has no rollback, so everything that can fail is read and checked before the first write: the types of all keys,
-- the values of all counters, and the sums. Sums stay below 2^53, the largest number that Lua counts exactly.
--
-- KEYS[1]  prefix of all keys, with the hash tag of the shard
-- ARGV[1]  part ids, 16 bytes each, one after the other (Lua's MessagePack reads no byte strings)
-- ARGV[2]  MessagePack: [milliseconds of a slot, slots, [[key, seconds to live or 0, fields, increments], ...], published_ms, oldest_ms,
--          events, [name, count, ...]]; oldest_ms is when the oldest batch was published, the names are those of what is counted apart
-- returns  {"added"}, or {"known", part id, ...} when parts were counted before and nothing was added
--
-- Part ids are kept in one set a slot of time, and a whole set expires at once.
--
-- The call is noted in a stream, {prefix}flushes: its id has the store's time, so readers agree on what was counted in a second.

local MAX = 9007199254740991
local CHUNK = 1000
local ID_BYTES = 16
local FLUSHES_KEPT_MS = 900000

local function slice(list, first)
  local last = math.min(first + CHUNK - 1, #list)
  local part = {}
  for i = first, last do part[#part + 1] = list[i] end
  return part
end

local function known_parts(prefix, parts, slot, slots)
  local known = {}
  for age = 0, slots do
    local key = prefix .. 'parts:' .. string.format('%d', slot - age)
    for first = 1, #parts, CHUNK do
      local some = slice(parts, first)
      local found = redis.call('SMISMEMBER', key, unpack(some))
      for i = 1, #some do
        if found[i] == 1 then known[#known + 1] = some[i] end
      end
    end
  end
  return known
end

local function sum(key, field, value, by)
  local before = 0
  if value then before = tonumber(value) end
  if not before or before % 1 ~= 0 or before < 0 then
    error({err = 'COUNTER ' .. key .. ' has ' .. value .. ' for ' .. field .. ', which is no count'})
  end
  if type(by) ~= 'number' or by % 1 ~= 0 or by < 0 or before + by > MAX then
    error({err = 'OVERFLOW ' .. key .. ' has ' .. tostring(value) .. ' for ' .. field .. ' and cannot grow by ' .. tostring(by)})
  end
  return string.format('%d', before + by)
end

local function sums(key, fields, increments)
  local writes = {}
  if #fields ~= #increments then error({err = 'COUNTER ' .. key .. ' has fields without increments'}) end
  for first = 1, #fields, CHUNK do
    local some = slice(fields, first)
    local values = redis.call('HMGET', key, unpack(some))
    local write = {}
    for i = 1, #some do
      write[2 * i - 1] = some[i]
      write[2 * i] = sum(key, some[i], values[i], increments[first + i - 1])
    end
    writes[#writes + 1] = write
  end
  return writes
end

local function flush(keys, args)
  local prefix = keys[1]
  local parts = {}
  for first = 1, #args[1], ID_BYTES do parts[#parts + 1] = string.sub(args[1], first, first + ID_BYTES - 1) end
  local slot_ms, slots, hashes, published_ms, oldest_ms, events, apart = unpack(cmsgpack.unpack(args[2]))
  local time = redis.call('TIME')
  local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
  local slot = math.floor(now_ms / slot_ms)

  local known = known_parts(prefix, parts, slot, slots)
  if #known > 0 then
    table.insert(known, 1, 'known')
    return known
  end
  local meta, flushes = prefix .. 'meta', prefix .. 'flushes'
  local kind = redis.call('TYPE', flushes).ok
  if kind ~= 'stream' and kind ~= 'none' then error({err = 'COUNTER ' .. flushes .. ' is a ' .. kind .. ', not a stream'}) end
  local newest = tonumber(redis.call('HGET', meta, 'published_ms') or '0')
  local plan = {}
  for i, hash in ipairs(hashes) do plan[i] = sums(hash[1], hash[3], hash[4]) end
  local counted = sum(meta, 'events', redis.call('HGET', meta, 'events'), events)

  for i, hash in ipairs(hashes) do
    for _, write in ipairs(plan[i]) do redis.call('HSET', hash[1], unpack(write)) end
    if hash[2] > 0 then redis.call('EXPIRE', hash[1], hash[2], 'NX') end
  end
  local key = prefix .. 'parts:' .. string.format('%d', slot)
  for first = 1, #parts, CHUNK do redis.call('SADD', key, unpack(slice(parts, first))) end
  redis.call('PEXPIRE', key, string.format('%d', slot_ms * (slots + 1)), 'NX')
  redis.call('HSET', meta, 'events', counted, 'published_ms', string.format('%d', math.max(newest, published_ms)),
    'counted_ms', string.format('%d', now_ms))
  redis.call('XADD', flushes, 'MINID', '~', string.format('%d', math.max(0, now_ms - FLUSHES_KEPT_MS)), '*',
    'events', string.format('%d', events), 'delay_ms', string.format('%d', math.max(0, now_ms - oldest_ms)), unpack(apart))
  return {'added'}
end

redis.register_function('analytics_flush_2', flush)
