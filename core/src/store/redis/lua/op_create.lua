-- KEYS[1] the user's hash
-- ARGV: now or '', session, id, idle ttl, absolute ttl, label, most live sessions or '',
--       when it began in the app that was here before or ''
-- Answers the record, its label, and the sessions that gave way.
local key, session, label = KEYS[1], ARGV[2], ARGV[6]
local now = math.min(instant(ARGV[1]), LAST_INSTANT)
local most, began = tonumber(ARGV[7]), tonumber(ARGV[8])
local all, known = {}, nil
each_session(key, now, function(id, record, its_label)
  local it = { session = id, record = record, label = its_label }
  all[#all + 1] = it
  if id == session then known = it end
end)
if known then
  return { pack_record(known.record), known.label, displaced_at(all, known.record.created) }
end
local displaced = most and make_room(key, all, most, now) or {}
local expires = math.min(now + tonumber(ARGV[5]), LAST_INSTANT)
local bytes = pack_record({
  state = LIVE, gen = 0, id = ARGV[3], child = false, branch = 0, minted = 0, used = false,
  promoted = now, created = began and math.min(math.max(began, 0), now) or now,
  expires = expires, idle = math.min(now + tonumber(ARGV[4]), expires), adopted = began ~= nil,
})
local left = redis.call('PTTL', key)
redis.call('HSET', key, session, bytes)
if label ~= '' then redis.call('HSET', key, label_field(session), label) end
-- The key lives as long as its longest session, which never moves its end.
redis.call('PEXPIRE', key, string.format('%d', math.max(left, expires - now)))
return { bytes, label, displaced }
