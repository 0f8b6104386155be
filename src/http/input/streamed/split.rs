//! The thread that parses a streamed body.

use std::{
    cell::Cell,
    fmt,
    io::{self, Read},
    mem,
    rc::Rc,
};

use actix_web::web::{Buf, Bytes};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use tokio::sync::mpsc::{Receiver, Sender};

use super::{Member, Part};
use crate::http::MAX_BODY_BYTES;

/// Maximum size of a part, in bytes of JSON. A longer row, up to [`MAX_BODY_BYTES`], is a part by itself.
const PART_BYTES: usize = 64 * 1024;
/// Maximum number of rows of a part.
const PART_ROWS: usize = 200;

/// Reads `members` of the object in `chunks`, and sends them in parts.
pub(super) fn split(
    chunks: Receiver<Bytes>,
    parts: Sender<Part>,
    members: &'static [Member],
) -> serde_json::Result<()> {
    let left = Rc::default();
    let reader = Chunks {
        receiver: chunks,
        chunk: Bytes::new(),
        left: Rc::clone(&left),
    };
    let mut json = serde_json::Deserializer::from_reader(reader);
    let object = Object {
        members,
        output: &Output { left, parts },
    };
    object.output.begin_row();
    json.deserialize_map(object)?;
    json.end()
}

/// Bytes that arrive in chunks.
struct Chunks {
    receiver: Receiver<Bytes>,
    chunk: Bytes,
    /// The number of bytes that the current row may still have.
    left: Rc<Cell<usize>>,
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match self.receiver.blocking_recv() {
                Some(chunk) => self.chunk = chunk,
                None => return Ok(0),
            }
        }
        let left = self.left.get();
        if left == 0 {
            return Err(io::Error::other("a row is too long"));
        }
        let length = buffer.len().min(self.chunk.len()).min(left);
        self.chunk.copy_to_slice(buffer.split_at_mut(length).0);
        self.left.set(left - length);
        Ok(length)
    }
}

struct Output {
    left: Rc<Cell<usize>>,
    parts: Sender<Part>,
}

impl Output {
    /// The next row may have the maximum size.
    fn begin_row(&self) {
        self.left.set(MAX_BODY_BYTES);
    }

    fn send<E: Error>(&self, part: Part) -> Result<(), E> {
        let sent = self.parts.blocking_send(part);
        sent.map_err(|_| E::custom("nothing reads the parts"))
    }
}

struct Object<'a> {
    members: &'static [Member],
    output: &'a Output,
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        while let Some(name) = object.next_key::<String>()? {
            self.output.begin_row();
            let member = self.members.iter().find(|member| member.name() == name);
            match member {
                Some(member @ Member::Value(_)) => {
                    let part = Part {
                        member: *member,
                        index: 0,
                        rows: vec![object.next_value()?],
                    };
                    self.output.send::<A::Error>(part)?;
                }
                Some(member @ Member::List(_)) => object.next_value_seed(List {
                    member: *member,
                    output: self.output,
                })?,
                None => object.next_value_seed(Skipped(self.output))?,
            }
            self.output.begin_row();
        }
        Ok(())
    }
}

struct List<'a> {
    member: Member,
    output: &'a Output,
}

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an array `{}`", self.member.name())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        let (mut rows, mut bytes, mut index) = (Vec::new(), 0, 0);
        loop {
            self.output.begin_row();
            let row = array.next_element::<Box<RawValue>>()?;
            let length = row.as_ref().map_or(0, |row| row.get().len());
            if row.is_none() || bytes + length > PART_BYTES {
                self.send::<A::Error>(&mut index, &mut rows)?;
                bytes = 0;
            }
            let Some(row) = row else { return Ok(()) };
            rows.push(row);
            bytes += length;
            // At once, because the next row may be missing or malformed.
            if rows.len() == PART_ROWS {
                self.send::<A::Error>(&mut index, &mut rows)?;
                bytes = 0;
            }
        }
    }
}

impl List<'_> {
    /// Sends `rows`, if any, of which the first is at `index`.
    fn send<E: Error>(&self, index: &mut usize, rows: &mut Vec<Box<RawValue>>) -> Result<(), E> {
        if rows.is_empty() {
            return Ok(());
        }
        let part = Part {
            member: self.member,
            index: *index,
            rows: mem::take(rows),
        };
        *index += part.rows.len();
        self.output.send(part)
    }
}

/// A value that is not kept. Each item of an array may have the maximum size of a row, and any other value.
/// The parser needs a byte for each level of a value that is open.
struct Skipped<'a>(&'a Output);

impl<'de> DeserializeSeed<'de> for Skipped<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Skipped<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        self.0.begin_row();
        while array.next_element::<IgnoredAny>()?.is_some() {
            self.0.begin_row();
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }
}
