-- The server's clock, by which the ids of the log of revocations go.
-- KEYS[1] the log: in a cluster it says whose clock is asked for
return instant('')
