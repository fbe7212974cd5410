//! A name is its 32-bit hash: verbs, tables and facts are compared as integers, in patterns too.
//!
//! Code declares names as constants, scenarios spell them as strings, and both give the same value,
//! whatever else is declared. The text is kept by the scenario's [`Lexicon`], which also refuses
//! two spellings with one hash.

use std::collections::BTreeMap;
use std::fmt;

/// An interned name: a verb of a service, a table of a store, a kind of fact.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(u32);

impl Name {
    /// The name spelt `text`: FNV-1a, 32 bits.
    pub const fn of(text: &str) -> Name {
        let bytes = text.as_bytes();
        let mut hash = 0x811c_9dc5_u32;
        let mut index = 0;
        while index < bytes.len() {
            hash = (hash ^ bytes[index] as u32).wrapping_mul(0x0100_0193);
            index += 1;
        }
        Name(hash)
    }

    /// The name with this hash, as [`Name::value`] gives it.
    pub(crate) const fn from_value(value: u32) -> Name {
        Name(value)
    }

    /// The hash itself, for digests.
    pub const fn value(self) -> u32 {
        self.0
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({:08x})", self.0)
    }
}

/// The spelling of every name in use.
#[derive(Clone, Debug, Default)]
pub struct Lexicon {
    spellings: BTreeMap<Name, String>,
}

impl Lexicon {
    /// Interns `text`.
    ///
    /// # Errors
    /// The earlier spelling, if another text has the same hash.
    pub fn intern(&mut self, text: &str) -> Result<Name, String> {
        let name = Name::of(text);
        let known = self.spellings.entry(name).or_insert_with(|| text.to_owned());
        if known == text { Ok(name) } else { Err(known.clone()) }
    }

    /// Takes in what another lexicon knows.
    pub fn extend(&mut self, other: Lexicon) {
        self.spellings.extend(other.spellings);
    }

    /// How `name` is spelt; `?` if it was never interned.
    pub fn spelling(&self, name: Name) -> &str {
        self.spellings.get(&name).map_or("?", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_and_a_string_are_the_same_name() {
        const RESERVE: Name = Name::of("reserve");
        let mut lexicon = Lexicon::default();
        assert_eq!(lexicon.intern("reserve"), Ok(RESERVE));
        assert_eq!(lexicon.spelling(RESERVE), "reserve");
        assert_eq!(lexicon.spelling(Name::of("other")), "?");
    }

    #[test]
    fn two_spellings_with_one_hash_are_refused() {
        // A known pair of FNV-1a 32 collisions.
        assert_eq!(Name::of("costarring"), Name::of("liquid"));
        let mut lexicon = Lexicon::default();
        lexicon.intern("costarring").unwrap();
        assert_eq!(lexicon.intern("liquid"), Err("costarring".to_owned()));
    }
}
