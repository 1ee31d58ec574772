-- The server's clock, which the ids of the feed's entries are based on.
-- KEYS[1] the feed: in a cluster it selects the server
return current_time('')
