-- KEYS[1] the user's hash
-- ARGV: now or '', reason
return revoke_live(KEYS[1], instant(ARGV[1]), tonumber(ARGV[2]))
