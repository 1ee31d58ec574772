-- Appends entries to the feed of revocations, drops those that have expired, and lets the feed live
-- as long as its last entry.
-- KEYS[1] the stream
-- ARGV: lifetime of the entries in ms, entry, entry, …
local key, life = KEYS[1], tonumber(ARGV[1])
local oldest = string.format('%d', math.max(0, current_time('') - life))
for i = 2, #ARGV do
  redis.call('XADD', key, 'MINID', '~', oldest, '*', 'e', ARGV[i])
end
local left = redis.call('PTTL', key)
redis.call('PEXPIRE', key, string.format('%d', math.max(left, life)))
return #ARGV - 1
