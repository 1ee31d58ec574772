-- KEYS[1] the old key, KEYS[2] the note
-- Answers { whether the old key was there, the note or nil }.
return { redis.call('DEL', KEYS[1]), redis.call('GET', KEYS[2]) }
