//! The shapes of the tokens that a verifier has read: those of one issuer are nearly always of one
//! or two, and are then read in half of the time.

use std::sync::OnceLock;

use super::found::{Role, required};
use super::policy::AccessPolicy;
use crate::token::json::{self, Item, Shape, Written};

/// How many shapes are tried, one after the other, at most. They are those that came first, and
/// only of tokens that were signed.
const MOST_SHAPES: usize = 4;

/// Tokens with more claims are read the ordinary way.
const MOST_CLAIMS: usize = 16;

/// Filled once and then only read, so that threads do not wait for each other.
#[derive(Default)]
pub(super) struct Shapes([OnceLock<ClaimsShape>; MOST_SHAPES]);

pub(super) struct ClaimsShape {
    shape: Shape,
    roles: Box<[Role]>,
    /// One bit for each required claim that tokens of this shape have.
    pub(super) required: u64,
}

/// Where the claims stand in the text of a token whose shape was known.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Layout {
    /// Nothing where its shape was not known.
    shape: Option<u8>,
    count: u8,
    places: [Place; MOST_CLAIMS],
}

/// Part of the text: that of a value without its quotes.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    start: u16,
    end: u16,
    form: Form,
}

#[derive(Clone, Copy, Debug, Default)]
enum Form {
    Text,
    EscapedText,
    #[default]
    Other,
}

impl Shapes {
    /// Reads `payload` if its shape is known. `claim` may be called with some of the claims, too,
    /// if it is not.
    #[inline(always)]
    pub(super) fn find<'a>(
        &self,
        payload: &'a str,
        mut claim: impl FnMut(Role, Item<'a>),
    ) -> Option<(&ClaimsShape, Layout)> {
        let known = self.0.iter().map_while(OnceLock::get).enumerate();
        for (number, known) in known {
            let mut layout = Layout { shape: u8::try_from(number).ok(), ..Layout::default() };
            let is_like = known.shape.read(payload, |index, item| {
                layout.add(Place::of(item, payload));
                claim(known.roles.get(index).copied().unwrap_or(Role::Other), item);
            });
            if is_like {
                return Some((known, layout));
            }
        }
        None
    }

    /// Takes in the shape of `payload`, which was read and was of none that is known.
    #[cold]
    pub(super) fn learn(&self, payload: &str, policy: &AccessPolicy) {
        let Some(free) = self.0.iter().find(|place| place.get().is_none()) else { return };
        let (mut roles, mut bits) = (Vec::new(), 0);
        let read = json::read_object(payload, |name, item| {
            roles.push(Role::of(name, policy));
            bits |= required(name, item, policy);
        });
        let (Ok(()), Some(shape)) = (read, Shape::of(payload)) else { return };
        // Another thread may have read one like it at the same time.
        let is_known = self.0.iter().filter_map(OnceLock::get).any(|known| known.shape == shape);
        if roles.len() <= MOST_CLAIMS && !is_known {
            // Or have been first with this place: then the next such token is learnt from.
            let _ = free.set(ClaimsShape { shape, roles: roles.into(), required: bits });
        }
    }
}

impl Layout {
    fn add(&mut self, place: Place) {
        if let Some(free) = self.places.get_mut(usize::from(self.count)) {
            *free = place;
            self.count += 1;
        }
    }

    /// The number of the shape.
    pub(super) fn shape(&self) -> Option<usize> {
        self.shape.map(usize::from)
    }

    /// The values in `payload`, in their order.
    pub(super) fn values<'a>(&self, payload: &'a str) -> impl Iterator<Item = Written<'a>> {
        self.places.iter().take(self.count.into()).map(|place| place.in_text(payload))
    }
}

impl Place {
    fn of(item: Item<'_>, payload: &str) -> Self {
        let (form, text) = match item.written() {
            Written::Text(text) => (Form::Text, text),
            Written::EscapedText(text) => (Form::EscapedText, text),
            Written::Other(text) => (Form::Other, text),
        };
        let start = (text.as_ptr() as usize).saturating_sub(payload.as_ptr() as usize);
        // Tokens are of 64 KiB at most, so that it fits.
        let place = |at: usize| u16::try_from(at).unwrap_or_default();
        Self { start: place(start), end: place(start + text.len()), form }
    }

    fn in_text(self, payload: &str) -> Written<'_> {
        let text = payload.get(usize::from(self.start)..usize::from(self.end)).unwrap_or_default();
        match self.form {
            Form::Text => Written::Text(text),
            Form::EscapedText => Written::EscapedText(text),
            Form::Other => Written::Other(text),
        }
    }
}
