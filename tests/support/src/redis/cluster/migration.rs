//! Moving a slot from one master to another.

use anyhow::{Context, Result};

use super::RedisCluster;

/// Keys moved at once.
const KEYS_AT_ONCE: &str = "10";

/// A slot on its way: the new home imports it, the old one asks clients to look there for what it
/// no longer has. Both stay so until [`finish`](Self::finish).
#[derive(Debug)]
#[must_use = "a slot left on its way stays so"]
pub struct Migration<'a> {
    cluster: &'a RedisCluster,
    slot: u16,
    from: usize,
    to: usize,
}

impl RedisCluster {
    /// The slot of a key (`CLUSTER KEYSLOT`).
    ///
    /// # Errors
    /// No node answers.
    pub fn slot_of(&self, key: &str) -> Result<u16> {
        let node = self.nodes.iter().find(|node| node.is_running()).context("no node runs")?;
        node.command(&["CLUSTER", "KEYSLOT", key])
    }

    /// Begins to move a slot to another master.
    ///
    /// # Errors
    /// A node refuses; `to` is no master.
    pub fn begin_migration(&self, slot: u16, to: usize) -> Result<Migration<'_>> {
        let from = self.master_of(slot)?;
        let slot_word = slot.to_string();
        let (from_id, to_id) = (self.id(from)?, self.id(to)?);
        self.nodes[to].command::<()>(&["CLUSTER", "SETSLOT", &slot_word, "IMPORTING", &from_id])?;
        self.nodes[from].command::<()>(&["CLUSTER", "SETSLOT", &slot_word, "MIGRATING", &to_id])?;
        Ok(Migration { cluster: self, slot, from, to })
    }

    /// Moves a slot and all of its keys to another master.
    ///
    /// # Errors
    /// See [`begin_migration`](Self::begin_migration).
    pub fn migrate(&self, slot: u16, to: usize) -> Result<()> {
        self.begin_migration(slot, to)?.finish()
    }
}

impl Migration<'_> {
    /// Moves some keys; tells whether there were any.
    ///
    /// # Errors
    /// A node refuses.
    pub fn move_some(&self) -> Result<bool> {
        let (from, to) = (&self.cluster.nodes[self.from], &self.cluster.nodes[self.to]);
        let slot = self.slot.to_string();
        let keys: Vec<String> = from.command(&["CLUSTER", "GETKEYSINSLOT", &slot, KEYS_AT_ONCE])?;
        if keys.is_empty() {
            return Ok(false);
        }
        let port = to.main_port().to_string();
        let mut words = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "REPLACE"];
        if let Some(password) = &self.cluster.options.password {
            words.extend(["AUTH", password]);
        }
        words.push("KEYS");
        words.extend(keys.iter().map(String::as_str));
        from.command::<()>(&words)?;
        Ok(true)
    }

    /// Moves what is left and gives the slot to its new home.
    ///
    /// # Errors
    /// A node refuses.
    pub fn finish(self) -> Result<()> {
        while self.move_some()? {}
        let (slot, id) = (self.slot.to_string(), self.cluster.id(self.to)?);
        let told = |node: usize| -> Result<()> {
            self.cluster.nodes[node].command(&["CLUSTER", "SETSLOT", &slot, "NODE", &id])
        };
        // First the new home, so that at no time nobody has it.
        told(self.to)?;
        told(self.from)
    }
}
