//! Finds the claims that have a meaning here among those of a token.

use super::policy::AccessPolicy;
use super::shapes::{Layout, Shapes};
use crate::error::Result;
use crate::token::json::{self, Item};

/// What a claim is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Issuer,
    Subject,
    /// The configured subject claim, where that is not `sub`.
    NamedSubject,
    Audience,
    Expiry,
    NotBefore,
    IssuedAt,
    Id,
    Session,
    Generation,
    Branch,
    /// The key that the token is bound to.
    Confirmation,
    /// None of these: the app's own.
    Other,
}

impl Role {
    const COUNT: usize = Self::Other as usize + 1;

    #[inline(always)]
    pub(super) fn of(name: &str, policy: &AccessPolicy) -> Self {
        match name {
            "iss" => Self::Issuer,
            "sub" => Self::Subject,
            "aud" => Self::Audience,
            "exp" => Self::Expiry,
            "nbf" => Self::NotBefore,
            "iat" => Self::IssuedAt,
            "jti" => Self::Id,
            "sid" => Self::Session,
            "gen" => Self::Generation,
            "brn" => Self::Branch,
            "cnf" => Self::Confirmation,
            name if name == policy.subject_claim => Self::NamedSubject,
            _ => Self::Other,
        }
    }
}

/// The claims as they were found.
#[derive(Default)]
pub(super) struct Found<'a> {
    items: [Option<Item<'a>>; Role::COUNT],
    /// One bit for each required claim.
    pub(super) required: u64,
}

impl<'a> Found<'a> {
    /// Reads `payload` strictly; by the way of tokens of its shape that were read before, if there
    /// is one.
    #[inline(always)]
    pub(super) fn read(
        payload: &'a str,
        policy: &AccessPolicy,
        shapes: &Shapes,
    ) -> Result<(Self, Layout)> {
        let mut found = Self::default();
        if let Some((shape, layout)) = shapes.find(payload, |role, item| found.set(role, item)) {
            found.required = shape.required;
            return Ok((found, layout));
        }
        // Some may have been set before it turned out to be no known shape.
        let mut found = Self::default();
        json::read_object(payload, |name, item| {
            found.required |= required(name, item, policy);
            found.set(Role::of(name, policy), item);
        })?;
        shapes.learn(payload, policy);
        Ok((found, Layout::default()))
    }

    fn set(&mut self, role: Role, item: Item<'a>) {
        self.items[role as usize] = Some(item);
    }

    pub(super) fn get(&self, role: Role) -> Option<Item<'a>> {
        self.items[role as usize]
    }
}

/// The bit of the required claim that this is, if it is one and not null.
pub(super) fn required(name: &str, item: Item<'_>, policy: &AccessPolicy) -> u64 {
    if item.is_null() {
        return 0;
    }
    let names = policy.required_claims.iter().enumerate();
    names.fold(0, |bits, (bit, required)| bits | u64::from(*required == name) << bit)
}
