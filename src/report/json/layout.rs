//! Prints JSON that a person can look at and a version control system can compare.
//!
//! The outer levels have a line for each entry; the inner ones, of which there are thousands, stand
//! on one line each.

use std::io;

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// Below so many levels a value stands on one line.
const LEVELS: usize = 6;

/// Prints a value, with a line break at the end.
///
/// # Panics
/// If the value has maps whose keys are no strings, which is a mistake in its type.
pub(super) fn print(value: &impl Serialize) -> String {
    let mut bytes = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut bytes, Outline::default());
    value.serialize(&mut serializer).expect("the keys of a report are strings");
    bytes.push(b'\n');
    String::from_utf8(bytes).expect("JSON is text")
}

#[derive(Default)]
struct Outline {
    level: usize,
    /// Has the innermost array or object an entry?
    has_entry: bool,
}

impl Outline {
    fn open<W: ?Sized + io::Write>(&mut self, out: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.level += 1;
        self.has_entry = false;
        out.write_all(bracket)
    }

    fn close<W: ?Sized + io::Write>(&mut self, out: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.level -= 1;
        if self.has_entry && self.level < LEVELS {
            self.break_line(out)?;
        }
        self.has_entry = true;
        out.write_all(bracket)
    }

    fn entry<W: ?Sized + io::Write>(&mut self, out: &mut W, is_first: bool) -> io::Result<()> {
        if !is_first {
            out.write_all(b",")?;
        }
        if self.level <= LEVELS { self.break_line(out) } else { Ok(()) }
    }

    fn break_line<W: ?Sized + io::Write>(&self, out: &mut W) -> io::Result<()> {
        out.write_all(b"\n")?;
        (0..self.level).try_for_each(|_| out.write_all(b"  "))
    }
}

impl Formatter for Outline {
    fn begin_array<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.open(out, b"[")
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.close(out, b"]")
    }

    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.entry(out, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.has_entry = true;
        Ok(())
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.open(out, b"{")
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.close(out, b"}")
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.entry(out, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.has_entry = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outer_levels_have_lines_and_inner_ones_do_not() {
        let deep = [[[[[[[1, 2], [3, 4]]]]]]];
        let text = print(&deep);
        assert_eq!(text.lines().count(), 14);
        assert!(text.contains("\n            [1,2],\n            [3,4]\n"), "{text}");
        assert_eq!(print(&Vec::<u8>::new()), "[]\n");
    }
}
