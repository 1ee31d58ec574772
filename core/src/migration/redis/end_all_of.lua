-- KEYS[1] user -> which of the old tokens are ended: until when, and perhaps the session that is not
-- ARGV: user, until, the note
-- A note that reaches further stays.
local note = redis.call('HGET', KEYS[1], ARGV[1])
if note and tonumber(string.match(note, '^[-%d]+')) > tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
