-- KEYS[1] the hash of the user
-- ARGV: now or '', session, id, idle ttl, absolute ttl, label, session limit or '',
--       when the session began in the legacy app or '', client or ''
-- Returns the record, its texts, and the evicted sessions.
local key, session, label = KEYS[1], ARGV[2], ARGV[6]
local now = math.min(current_time(ARGV[1]), LAST_INSTANT)
local max, began = tonumber(ARGV[7]), tonumber(ARGV[8])
local all, known = {}, nil
each_session(key, now, function(id, record, texts)
  local it = { session = id, record = record, texts = texts }
  all[#all + 1] = it
  if id == session and now < record.expires_at then known = it end
end)
if known then
  return { pack_record(known.record), known.texts, evicted_at(all, known.record.created_at, now) }
end
local evicted = max and make_room(key, all, max, now) or {}
local expires = math.min(now + tonumber(ARGV[5]), LAST_INSTANT)
local bytes = pack_record({
  state = LIVE, gen = 0, id = ARGV[3], child = false, branch = 0, issued_at = 0, used = false,
  confirmed_at = now, created_at = began and math.min(math.max(began, 0), now) or now,
  expires_at = expires, idle_deadline = math.min(now + tonumber(ARGV[4]), expires), migrated = began ~= nil,
})
local left = redis.call('PTTL', key)
local client = ARGV[9]
-- The first write needs memory: a server without any refuses the login before something is written.
redis.call('HSET', key, session, bytes)
-- Perhaps of an expired session of the same id.
delete_texts(key, session)
if label ~= '' then redis.call('HSET', key, label_field(session), label) end
if client ~= '' then redis.call('HSET', key, note_field(session, CREATED_FROM), client) end
-- The key lives as long as its longest session, and for as long as expired sessions are kept; the
-- absolute lifetime of a session never changes.
redis.call('PEXPIRE', key, string.format('%d', math.max(left, expires - now + RETENTION)))
return { bytes, { label, '', client, '' }, evicted }
