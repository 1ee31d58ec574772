-- Adds entries to the log of revocations, drops those that are moot, and lets the log live as
-- long as its last entry.
-- KEYS[1] the stream
-- ARGV: life of the entries in ms, entry, entry, …
local key, life = KEYS[1], tonumber(ARGV[1])
local oldest = string.format('%d', math.max(0, instant('') - life))
for i = 2, #ARGV do
  redis.call('XADD', key, 'MINID', '~', oldest, '*', 'e', ARGV[i])
end
local left = redis.call('PTTL', key)
redis.call('PEXPIRE', key, string.format('%d', math.max(left, life)))
return #ARGV - 1
