-- Appends entries to the feed of revocations, drops some that have expired, and lets the feed live
-- as long as its last entry. A full feed is replaced by one entry.
-- KEYS[1] the stream
-- ARGV: lifetime of the entries in ms, the publisher's time, the entry that replaces a full feed,
--       entry, entry, ...
local key, life = KEYS[1], tonumber(ARGV[1])
-- A server whose clock is ahead must not drop entries too early.
local now = math.min(current_time(''), tonumber(ARGV[2]))
local left = math.max(0, redis.call('PTTL', key))

local function expiry_of(entry)
  return tonumber(string.match(entry, '"until":(%d+)') or nil)
end

-- Entries live as long as each says: publishers differ in the lifetime of access tokens. More are dropped than are
-- appended. The newest stays: readers go on from there.
local oldest = redis.call('XRANGE', key, '-', '+', 'COUNT', 64 + #ARGV)
local newest = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
for _, item in ipairs(oldest) do
  local expires_at = expiry_of(item[2][2])
  if expires_at and expires_at + CLOCK_MARGIN <= now and item[1] ~= newest[1] then
    redis.call('XDEL', key, item[1])
  end
end

-- Each entry ends with the size of all entries up to it, so that two of them tell the size of the feed.
local function size_at(entry)
  return entry and tonumber(string.match(entry, '"size":(%d+)}$') or nil) or 0
end

-- Entries of earlier versions tell no size and count as nothing until they expire.
local size = size_at(newest and newest[2][2])

local function append(entry)
  size = size + #entry
  entry = string.sub(entry, 1, -2) .. ',"size":' .. string.format('%d', size) .. '}'
  redis.call('XADD', key, '*', 'e', entry)
end

local function is_full()
  local first = redis.call('XRANGE', key, '-', '+', 'COUNT', 1)[1]
  local entries = redis.call('XLEN', key)
  return entries >= MAX_ENTRIES or entries > 0 and size - size_at(first[2][2]) >= MAX_BYTES
end

-- It must not expire before the entries that it replaces, which do not outlive the feed.
local function cutoff()
  local until_at = math.max(expiry_of(ARGV[3]), tonumber(ARGV[2]) + left)
  return string.gsub(ARGV[3], '"until":%d+', '"until":' .. string.format('%d', until_at), 1)
end

for i = 4, #ARGV do
  if is_full() then
    redis.call('XTRIM', key, 'MAXLEN', 0)
    append((cutoff()))
  end
  append(ARGV[i])
end
redis.call('PEXPIRE', key, string.format('%d', math.max(left, life)))
return #ARGV - 3
