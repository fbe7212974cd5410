//! Values that are spelt in two ways: as a bare text such as `"5ms"`, or as a name with parameters.
//!
//! Deriving cannot read them: an enum refuses the string, and serde's `untagged` accepts both but
//! answers every mistake with "data did not match any variant". RON, not being told to expect
//! an enum, hands over the name of a variant to one reader only: serde's buffer for untagged
//! values. So such a buffer is asked for, with a tap before it: the tap reads from the live
//! document, which keeps positions and structured errors, and leaves the buffer an empty value.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use serde::{Deserialize, forward_to_deserialize_any};

/// A value that is spelt as a bare text or as a name with parameters.
pub(crate) trait Spelt: Sized {
    /// What a name with parameters is read as: an enum.
    type Named: for<'de> Deserialize<'de>;

    /// What is expected, in words.
    const EXPECTED: &'static str;

    /// What a bare text stands for.
    ///
    /// # Errors
    /// Why it stands for nothing.
    fn of_text(text: &str) -> Result<Self, String>;

    /// What a name with parameters stands for.
    ///
    /// # Errors
    /// Why it stands for nothing.
    fn of_named(named: Self::Named) -> Result<Self, String>;
}

/// Reads such a value.
pub(crate) fn deserialize<'de, T: Spelt, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    let mut found = None;
    let tap: Tap<'_, T, D> = Tap { inner: deserializer, found: &mut found };
    let Buffer::Empty = Buffer::deserialize(tap)?;
    match found {
        Some(Found::Value(value)) => Ok(value),
        Some(Found::Named(named)) => T::of_named(named).map_err(de::Error::custom),
        None => Err(de::Error::custom(format!("{} is missing", T::EXPECTED))),
    }
}

/// What stands there.
enum Found<T: Spelt> {
    Value(T),
    Named(T::Named),
}

/// Only its being untagged matters.
#[derive(Deserialize)]
#[serde(untagged)]
enum Buffer {
    Empty,
}

/// A deserializer that hands the buffer's visitor on, with the tap around it.
struct Tap<'s, T: Spelt, D> {
    inner: D,
    found: &'s mut Option<Found<T>>,
}

impl<'de, T: Spelt, D: Deserializer<'de>> Deserializer<'de> for Tap<'_, T, D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, buffer: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_any(TapVisitor { buffer, found: self.found })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

struct TapVisitor<'s, T: Spelt, V> {
    buffer: V,
    found: &'s mut Option<Found<T>>,
}

impl<'de, T: Spelt, V: Visitor<'de>> Visitor<'de> for TapVisitor<'_, T, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<V::Value, E> {
        *self.found = Some(Found::Value(T::of_text(text).map_err(E::custom)?));
        self.buffer.visit_unit()
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<V::Value, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<V::Value, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<V::Value, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        *self.found = Some(Found::Named(T::Named::deserialize(Named { map })?));
        self.buffer.visit_unit()
    }
}

/// A map with one entry, a variant's name and its content, in the form a derived enum asks for.
struct Named<A> {
    map: A,
}

impl<'de, A: MapAccess<'de>> Deserializer<'de> for Named<A> {
    type Error = A::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, A::Error> {
        self.deserialize_enum("", &[], visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        visitor.visit_enum(Variant { map: self.map, variants, name: "" })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct Variant<A> {
    map: A,
    variants: &'static [&'static str],
    /// The variant that was found, for the errors about its fields.
    name: &'static str,
}

impl<'de, A: MapAccess<'de>> EnumAccess<'de> for Variant<A> {
    type Error = A::Error;
    type Variant = Variant<A>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        mut self,
        seed: S,
    ) -> Result<(S::Value, Variant<A>), A::Error> {
        let name = self.map.next_key::<String>()?;
        let name = name.ok_or_else(|| de::Error::custom("a name is missing"))?;
        let reader: StrDeserializer<'_, A::Error> = name.as_str().into_deserializer();
        let value = seed.deserialize(reader)?;
        let known = self.variants.iter().find(|variant| **variant == name);
        self.name = known.copied().unwrap_or_default();
        Ok((value, self))
    }
}

impl<'de, A: MapAccess<'de>> VariantAccess<'de> for Variant<A> {
    type Error = A::Error;

    fn unit_variant(mut self) -> Result<(), A::Error> {
        self.map.next_value()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(
        mut self,
        seed: S,
    ) -> Result<S::Value, A::Error> {
        self.map.next_value_seed(Single { seed })
    }

    fn tuple_variant<V: Visitor<'de>>(
        mut self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(Tuple { len, visitor })
    }

    fn struct_variant<V: Visitor<'de>>(
        mut self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(Fields { name: self.name, fields, visitor })
    }
}

/// One value in parentheses.
struct Single<S> {
    seed: S,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Single<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        deserializer.deserialize_tuple(1, self)
    }
}

impl<'de, S: DeserializeSeed<'de>> Visitor<'de> for Single<S> {
    type Value = S::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one value in parentheses")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<S::Value, A::Error> {
        let missing = de::Error::custom("a value is missing between the parentheses");
        seq.next_element_seed(self.seed)?.ok_or(missing)
    }
}

/// Several values in parentheses.
struct Tuple<V> {
    len: usize,
    visitor: V,
}

impl<'de, V: Visitor<'de>> DeserializeSeed<'de> for Tuple<V> {
    type Value = V::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        deserializer.deserialize_tuple(self.len, self.visitor)
    }
}

/// Named values in parentheses.
struct Fields<V> {
    name: &'static str,
    fields: &'static [&'static str],
    visitor: V,
}

impl<'de, V: Visitor<'de>> DeserializeSeed<'de> for Fields<V> {
    type Value = V::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        deserializer.deserialize_struct(self.name, self.fields, self.visitor)
    }
}
