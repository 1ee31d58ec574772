-- KEYS[1] the user's hash
-- ARGV: now or '', reason, session to leave alone or '', only those created before this or ''
-- Answers the sessions that were live, and those that had been ended before.
local except, created_before = ARGV[3], tonumber(ARGV[4])
return revoke_live(KEYS[1], instant(ARGV[1]), tonumber(ARGV[2]), function(session, record)
  return session ~= except and (not created_before or record.created < created_before)
end)
