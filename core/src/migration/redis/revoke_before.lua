-- KEYS[1] user -> which of the user's tokens are revoked: up to when, and the excepted session, if any
-- ARGV: user, until, the record
-- A record that reaches further is kept.
local record = redis.call('HGET', KEYS[1], ARGV[1])
if record and tonumber(string.match(record, '^[-%d]+')) > tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
