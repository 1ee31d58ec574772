//! What a node says of the cluster (`CLUSTER NODES`).

use std::ops::RangeInclusive;

use anyhow::{Context, Result};

use crate::redis::RedisServer;

/// A node as another one knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) id: String,
    pub(super) is_master: bool,
    /// Neither failing nor unknown nor in a handshake.
    pub(super) is_well: bool,
    /// The id of its master, where it is a replica.
    pub(super) follows: Option<String>,
    pub(super) slots: Vec<RangeInclusive<u16>>,
}

/// All nodes that this one knows, itself included.
pub(super) fn known_to(server: &RedisServer) -> Result<Vec<Known>> {
    let text: String = server.command(&["CLUSTER", "NODES"])?;
    text.lines().map(|line| parse(line).with_context(|| line.to_owned())).collect()
}

/// `ID ADDRESS FLAGS MASTER PING PONG EPOCH LINK SLOT…`
fn parse(line: &str) -> Result<Known> {
    let words: Vec<&str> = line.split(' ').collect();
    let word = |place: usize| words.get(place).copied().context("too few words");
    let flags: Vec<&str> = word(2)?.split(',').collect();
    let slots = words
        .iter()
        .skip(8)
        // In brackets: slots that are on their way from here or to here.
        .filter(|slots| !slots.starts_with('['))
        .map(|slots| {
            let (first, last) = slots.split_once('-').unwrap_or((slots, slots));
            Ok(first.parse()?..=last.parse()?)
        })
        .collect::<Result<_>>()?;
    let ill = ["fail", "fail?", "handshake", "noaddr"];
    Ok(Known {
        id: word(0)?.to_owned(),
        is_master: flags.contains(&"master"),
        is_well: !flags.iter().any(|flag| ill.contains(flag)),
        follows: Some(word(3)?).filter(|&id| id != "-").map(str::to_owned),
        slots,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_understood() {
        let master = parse(
            "07c3 127.0.0.1:30004@31004,host myself,master - 0 1426238317239 4 connected \
             0-5460 7 [93->-292f] [77-<-e7d1]",
        );
        assert_eq!(
            master.unwrap(),
            Known {
                id: "07c3".to_owned(),
                is_master: true,
                is_well: true,
                follows: None,
                slots: vec![0..=5460, 7..=7],
            }
        );
        let replica = parse("824f 127.0.0.1:1@2 slave,fail? 07c3 0 1 4 connected").unwrap();
        assert_eq!(replica.follows.as_deref(), Some("07c3"));
        assert!(!replica.is_master && !replica.is_well && replica.slots.is_empty());
        assert!(parse("07c3 127.0.0.1:1@2").is_err());
    }
}
