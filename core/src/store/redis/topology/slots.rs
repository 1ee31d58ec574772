//! The slots of a cluster and who has them.

use redis::{RedisResult, Value, from_redis_value};

use crate::store::redis::address::Node;
use crate::store::redis::connector::unexpected;

const SLOTS: u16 = 16_384;
const NOBODY: u16 = u16::MAX;

/// Which master has which slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SlotMap {
    masters: Vec<Node>,
    /// For each slot the place in `masters`.
    owners: Vec<u16>,
}

impl SlotMap {
    /// The answer of `asked` to `CLUSTER SLOTS`: ranges, each with its master and its replicas.
    pub(super) fn parse(answer: Value, asked: &Node) -> RedisResult<Self> {
        let ranges: Vec<Vec<Value>> = from_redis_value(answer)?;
        let mut map = Self { masters: Vec::new(), owners: vec![NOBODY; usize::from(SLOTS)] };
        for range in ranges {
            let mut parts = range.into_iter();
            let (Some(first), Some(last), Some(master)) =
                (parts.next(), parts.next(), parts.next())
            else {
                return Err(unexpected("CLUSTER SLOTS gave an incomplete range"));
            };
            let (first, last): (u16, u16) = (from_redis_value(first)?, from_redis_value(last)?);
            let Some(master) = endpoint(master, asked)? else { continue };
            for slot in first..=last.min(SLOTS - 1) {
                map.give(slot, &master);
            }
        }
        Ok(map)
    }

    fn give(&mut self, slot: u16, master: &Node) {
        let place = self.masters.iter().position(|node| node == master).unwrap_or_else(|| {
            self.masters.push(master.clone());
            self.masters.len() - 1
        });
        if let Some(owner) = self.owners.get_mut(usize::from(slot)) {
            *owner = u16::try_from(place).unwrap_or(NOBODY);
        }
    }

    /// The map, but `slot` is at `master`.
    pub(super) fn with(&self, slot: u16, master: &Node) -> Self {
        let mut map = self.clone();
        map.give(slot, master);
        map
    }

    pub(super) fn owner(&self, slot: u16) -> Option<&Node> {
        let place = self.owners.get(usize::from(slot))?;
        self.masters.get(usize::from(*place))
    }

    pub(super) fn masters(&self) -> &[Node] {
        &self.masters
    }

    pub(super) fn is_empty(&self) -> bool {
        self.masters.is_empty()
    }
}

/// Host, port, id, …; a host that the server does not know itself is the one that was asked.
fn endpoint(value: Value, asked: &Node) -> RedisResult<Option<Node>> {
    let mut parts = from_redis_value::<Vec<Value>>(value)?.into_iter();
    let (Some(host), Some(port)) = (parts.next(), parts.next()) else {
        return Err(unexpected("CLUSTER SLOTS gave an incomplete server"));
    };
    let host: Option<String> = from_redis_value(host)?;
    let host = host.filter(|host| !host.is_empty()).unwrap_or_else(|| asked.host().to_owned());
    let port = from_redis_value(port)?;
    Ok((host != "?").then(|| Node::new(host, port)))
}

/// The server in `HOST:PORT`, as `MOVED` and `ASK` name it; `asked` gave the answer.
pub(super) fn redirected_to(text: &str, asked: &Node) -> Option<Node> {
    let (host, port) = text.rsplit_once(':')?;
    let host = if host.is_empty() { asked.host() } else { host };
    (host != "?").then(|| port.parse().ok())?.map(|port| Node::new(host, port))
}

/// The slot of a key (CRC16/XMODEM): of what stands between the first `{` and the `}` after it,
/// where there is something.
pub(super) fn slot_of(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = &key[open + 1..];
        let close = rest.iter().position(|byte| *byte == b'}')?;
        (close > 0).then(|| &rest[..close])
    });
    crc16(tag.unwrap_or(key)) % SLOTS
}

fn crc16(bytes: &[u8]) -> u16 {
    let mut crc: u16 = 0;
    for byte in bytes {
        crc ^= u16::from(*byte) << 8;
        for _ in 0..8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 };
        }
    }
    crc
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn range(first: i64, last: i64, host: Value, port: i64) -> Value {
        let server = Value::Array(vec![host, Value::Int(port), text("an id")]);
        Value::Array(vec![Value::Int(first), Value::Int(last), server])
    }

    /// As `CLUSTER KEYSLOT` of Redis 7.0 answers.
    #[test]
    fn keys_have_the_slots_that_redis_gives_them() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        let cases: [(&[u8], u16); 7] = [
            (b"", 0),
            (b"foo", 12182),
            (b"regrant:u:alice", slot_of(b"regrant:u:alice")),
            (b"{user1000}.following", 3443),
            (b"foo{}{bar}", 8363),
            (b"foo{{bar}}zap", 4015),
            (b"foo{bar}{zap}", 5061),
        ];
        for (key, slot) in cases {
            assert_eq!(slot_of(key), slot, "{key:?}");
        }
    }

    #[test]
    fn an_answer_is_read() {
        let asked = Node::new("10.0.0.9", 7);
        let answer = Value::Array(vec![
            range(0, 5, text("10.0.0.1"), 1),
            range(6, 9, Value::Nil, 2),
            range(10, 11, text(""), 3),
            range(12, 12, text("?"), 4),
            range(13, 16_383, text("10.0.0.1"), 1),
        ]);
        let map = SlotMap::parse(answer, &asked).unwrap();
        assert_eq!(map.owner(5), Some(&Node::new("10.0.0.1", 1)));
        assert_eq!(map.owner(6), Some(&Node::new("10.0.0.9", 2)));
        assert_eq!(map.owner(10), Some(&Node::new("10.0.0.9", 3)));
        assert_eq!(map.owner(12), None);
        assert_eq!(map.owner(16_383), Some(&Node::new("10.0.0.1", 1)));
        assert_eq!(map.masters().len(), 3);
        let moved = map.with(5, &Node::new("new", 5));
        assert_eq!(moved.owner(5), Some(&Node::new("new", 5)));
        assert_eq!(moved.owner(4), map.owner(4));
        assert!(SlotMap::parse(Value::Array(vec![Value::Array(vec![])]), &asked).is_err());
    }

    #[test]
    fn redirections_are_read() {
        let asked = Node::new("h", 1);
        assert_eq!(redirected_to("10.0.0.1:7", &asked), Some(Node::new("10.0.0.1", 7)));
        assert_eq!(redirected_to("::1:7", &asked), Some(Node::new("::1", 7)));
        assert_eq!(redirected_to(":7", &asked), Some(Node::new("h", 7)));
        assert_eq!(redirected_to("?:7", &asked), None);
        assert_eq!(redirected_to("nonsense", &asked), None);
    }
}
