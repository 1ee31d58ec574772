-- KEYS[1] the old key, KEYS[2] the note, KEYS[3] user -> which of the old tokens are ended
-- ARGV: note, ttl in ms, remove the old key 0|1, user
-- Answers { the note that stands or nil, which are ended or nil }.
local ended = redis.call('HGET', KEYS[3], ARGV[4])
if redis.call('EXISTS', KEYS[1]) == 0 then
  -- Gone: removed by a sweep, or the user was logged out. A note that says "kept" is of the latter.
  local note = redis.call('GET', KEYS[2])
  if note and string.sub(note, 1, 6) ~= 'swept ' then note = false end
  return { note, ended }
end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
if ARGV[3] == '1' then
  redis.call('DEL', KEYS[1])
else
  -- Both end with the session: a key that outlived it would begin another one.
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return { ARGV[1], ended }
