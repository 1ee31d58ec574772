-- KEYS[1] the legacy key, KEYS[2] the marker
-- Returns { whether the legacy key existed, the marker or nil }.
return { redis.call('DEL', KEYS[1]), redis.call('GET', KEYS[2]) }
