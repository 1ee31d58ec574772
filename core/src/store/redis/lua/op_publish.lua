-- Appends entries to the feed of revocations, drops those that have expired, and lets the feed live
-- as long as its last entry. A full feed is replaced by one entry.
-- KEYS[1] the stream
-- ARGV: lifetime of the entries in ms, the publisher's time, the entry that replaces a full feed,
--       entry, entry, ...
local key, life = KEYS[1], tonumber(ARGV[1])
-- A server whose clock is ahead must not drop entries too early.
local now = math.min(current_time(''), tonumber(ARGV[2]))
local oldest = string.format('%d', math.max(0, now - life))

-- Each entry ends with the size of all entries up to it, so that two of them tell the size of the feed.
local function size_at(entry)
  return entry and tonumber(string.match(entry, '"size":(%d+)}$') or nil) or 0
end

local function first_of(entries)
  return entries[1] and entries[1][2][2]
end

-- Entries of earlier versions tell no size and count as nothing until they expire.
local size = size_at(first_of(redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)))

local function append(entry)
  size = size + #entry
  entry = string.sub(entry, 1, -2) .. ',"size":' .. string.format('%d', size) .. '}'
  redis.call('XADD', key, 'MINID', '~', oldest, '*', 'e', entry)
end

local function is_full()
  local first = redis.call('XRANGE', key, '-', '+', 'COUNT', 1)
  local entries = redis.call('XLEN', key)
  return entries >= MAX_ENTRIES or entries > 0 and size - size_at(first_of(first)) >= MAX_BYTES
end

for i = 4, #ARGV do
  if is_full() then
    redis.call('XTRIM', key, 'MAXLEN', 0)
    append(ARGV[3])
  end
  append(ARGV[i])
end
local left = redis.call('PTTL', key)
redis.call('PEXPIRE', key, string.format('%d', math.max(left, life)))
return #ARGV - 3
