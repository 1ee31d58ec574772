-- Whether the feed has an entry: 1 or 0.
-- KEYS[1] the stream
-- ARGV: the id of the entry
return #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])
