-- Fails with READONLY on a replica, which may lag behind or have lost its primary: its "unknown
-- session" must not sign anybody out. Changes nothing on a primary. Needs no memory: Redis runs the
-- rest of a script whose first write needs none even when its memory is full.
redis.call('HDEL', KEYS[1], '')
