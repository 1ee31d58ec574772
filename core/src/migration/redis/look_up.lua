-- KEYS[1] the legacy key, KEYS[2] the marker, KEYS[3] user -> which of the user's tokens are revoked
-- Returns { the value under the legacy key or nil, the marker or nil, which tokens of the marker's user are revoked or nil }.
-- MGET, because it takes a key of another type for none.
local found = redis.call('MGET', KEYS[1], KEYS[2])
local user = found[2] and string.match(found[2], '^%a+ [-%d]+ (.*)$')
return { found[1], found[2], user and redis.call('HGET', KEYS[3], user) }
