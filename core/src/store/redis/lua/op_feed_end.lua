-- The id of the last entry of the feed, or '' if it is empty.
-- KEYS[1] the stream
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
return last[1] and last[1][1] or ''
