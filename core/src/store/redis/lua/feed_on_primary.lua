-- As on_primary.lua, for the stream of the feed: no entry has this id.
redis.call('XDEL', KEYS[1], '0-0')
