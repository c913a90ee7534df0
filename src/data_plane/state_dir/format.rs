//! The bytes of a state file: a version, blocks of records, and a checksum over all of it.
//!
//! ```text
//! "TOLLGATE", major, minor          two bytes each; all numbers little endian
//! (section, length, records) ...    two and four bytes; a section may have many blocks
//! (0, 4, CRC-32 of all before it)   the end: nothing follows
//! ```
//!
//! Records are in postcard's format, which has no names: the layout of a section never changes. A
//! changed one gets a new number, and the minor version goes up where older programs may pass it
//! over, the major one where they must not.

use std::io::{self, Write};
use std::ops::Range;

use crc32fast::Hasher;
use serde::Serialize;
use serde::de::DeserializeOwned;

const MAGIC: &[u8; 8] = b"TOLLGATE";
const MAJOR: u16 = 1;
/// 1: emergency stops.
const MINOR: u16 = 1;
/// Section and length before each block.
const LEAD: usize = 6;
const END: u16 = 0;
/// A block is written when it has grown to this.
const BLOCK: usize = 64 << 10;
/// No record is larger: a key with a hundred million leases.
const LARGEST: usize = 1 << 30;

/// What a block holds. The numbers are those of the file, and are never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::data_plane) enum Section {
    /// When it was written, and by whom: one [`super::Head`], first of all.
    Head = 1,
    /// Guardrails without their keys.
    Guards = 2,
    /// Open decisions.
    Open = 3,
    /// Keys, each with the number of its guardrail.
    Keys = 4,
    /// Decisions that were settled. Where one is open too, it was settled during the writing.
    Settled = 5,
    /// What people were asked; at a clean end only.
    Approvals = 6,
    /// Grants that were used; at a clean end only.
    Spent = 7,
    /// Emergency stops.
    Stops = 8,
}

/// Why a file is not what was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::data_plane) enum Bad {
    /// It is no state file, or not all of one, or it was changed since.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    /// A later version of this program wrote it.
    #[error("a later version of tollgate wrote it, in format {major}; this one reads {MAJOR}")]
    Newer {
        /// The format.
        major: u16,
    },
}

/// Writes a file from front to back.
pub(in crate::data_plane) struct Writer<'w> {
    out: &'w mut dyn Write,
    crc: Hasher,
    section: u16,
    block: Vec<u8>,
    /// How much of the block is records.
    filled: usize,
    written: u64,
}

impl<'w> Writer<'w> {
    /// Begins a file.
    pub(super) fn new(out: &'w mut dyn Write) -> io::Result<Self> {
        let block = vec![0; 2 * BLOCK];
        let mut file = Self { out, crc: Hasher::new(), section: END, block, filled: 0, written: 0 };
        file.put(MAGIC)?;
        file.put(&MAJOR.to_le_bytes())?;
        file.put(&MINOR.to_le_bytes())?;
        Ok(file)
    }

    /// Adds a record to a section.
    pub(in crate::data_plane) fn record(
        &mut self,
        section: Section,
        record: &impl Serialize,
    ) -> io::Result<()> {
        if self.section != section as u16 || self.filled >= BLOCK {
            self.end_block()?;
            self.section = section as u16;
        }
        loop {
            let room = self.block.get_mut(self.filled..).unwrap_or_default();
            match postcard::to_slice(record, room).map(|used| used.len()) {
                Ok(used) => {
                    self.filled += used;
                    return Ok(());
                }
                Err(postcard::Error::SerializeBufferFull) if self.filled > 0 => self.end_block()?,
                Err(postcard::Error::SerializeBufferFull) if self.block.len() < LARGEST => {
                    self.block.resize(self.block.len() * 2, 0);
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
    }

    /// Adds the blocks of another file as they are, but for those of a section.
    pub(in crate::data_plane) fn copy(&mut self, from: &Blocks, without: Section) -> io::Result<()> {
        self.end_block()?;
        for (section, range) in from.blocks.iter().filter(|(number, _)| *number != without as u16) {
            let block = from.bytes.get(range.clone()).unwrap_or_default();
            self.put_block(*section, block)?;
        }
        Ok(())
    }

    /// Ends the file; how many bytes it has.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        self.end_block()?;
        self.put(&END.to_le_bytes())?;
        self.put(&4_u32.to_le_bytes())?;
        let crc = self.crc.clone().finalize();
        self.put(&crc.to_le_bytes())?;
        Ok(self.written)
    }

    fn end_block(&mut self) -> io::Result<()> {
        let filled = std::mem::take(&mut self.filled);
        if filled == 0 {
            return Ok(());
        }
        let block = std::mem::take(&mut self.block);
        let done = self.put_block(self.section, block.get(..filled).unwrap_or_default());
        self.block = block;
        done
    }

    fn put_block(&mut self, section: u16, block: &[u8]) -> io::Result<()> {
        let length = u32::try_from(block.len()).map_err(io::Error::other)?;
        self.put(&section.to_le_bytes())?;
        self.put(&length.to_le_bytes())?;
        self.put(block)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.crc.update(bytes);
        self.written += bytes.len() as u64;
        self.out.write_all(bytes)
    }
}

/// A file whose checksum is right, by its blocks.
#[derive(Debug)]
pub(in crate::data_plane) struct Blocks {
    bytes: Vec<u8>,
    blocks: Vec<(u16, Range<usize>)>,
}

impl Blocks {
    /// Looks through a whole file.
    pub(super) fn read(bytes: Vec<u8>) -> Result<Self, Bad> {
        let version =
            bytes.strip_prefix(MAGIC).ok_or(Bad::Damaged("it does not begin as one of tollgate"))?;
        let (major, _) = version.split_first_chunk().ok_or(CUT)?;
        match u16::from_le_bytes(*major) {
            MAJOR => {}
            major if major > MAJOR => return Err(Bad::Newer { major }),
            _ => return Err(Bad::Damaged("there is no such version of the format")),
        }
        let (before, crc) = bytes.split_last_chunk().ok_or(CUT)?;
        if crc32fast::hash(before) != u32::from_le_bytes(*crc) {
            return Err(Bad::Damaged("the checksum is wrong"));
        }
        let blocks = split(before)?;
        Ok(Self { bytes, blocks })
    }

    /// The blocks of a section, in order.
    pub(super) fn of(&self, section: Section) -> impl Iterator<Item = &[u8]> {
        let ours = self.blocks.iter().filter(move |(number, _)| *number == section as u16);
        ours.filter_map(|(_, range)| self.bytes.get(range.clone()))
    }

    /// The records of a section, in order; after one that cannot be read there is none.
    pub(super) fn records<T: DeserializeOwned>(
        &self,
        section: Section,
    ) -> impl Iterator<Item = Result<T, Bad>> {
        self.of(section).flat_map(Records::new)
    }
}

const CUT: Bad = Bad::Damaged("it ends too early");

/// The blocks of a file up to its checksum.
fn split(file: &[u8]) -> Result<Vec<(u16, Range<usize>)>, Bad> {
    let mut at = MAGIC.len() + 4;
    let mut blocks = Vec::new();
    loop {
        let lead: Option<&[u8; LEAD]> = file.get(at..).and_then(<[u8]>::first_chunk);
        let [s0, s1, l0, l1, l2, l3] = *lead.ok_or(CUT)?;
        let section = u16::from_le_bytes([s0, s1]);
        let length = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).map_err(|_| CUT)?;
        at += LEAD;
        if section == END {
            let is_last = at == file.len() && length == 4;
            return if is_last { Ok(blocks) } else { Err(Bad::Damaged("something follows its end")) };
        }
        let end = at.checked_add(length).filter(|end| *end <= file.len()).ok_or(CUT)?;
        blocks.push((section, at..end));
        at = end;
    }
}

struct Records<'b, T> {
    rest: &'b [u8],
    of: std::marker::PhantomData<T>,
}

impl<'b, T> Records<'b, T> {
    fn new(rest: &'b [u8]) -> Self {
        Self { rest, of: std::marker::PhantomData }
    }
}

impl<T: DeserializeOwned> Iterator for Records<'_, T> {
    type Item = Result<T, Bad>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match postcard::take_from_bytes(self.rest) {
            // A record of no bytes would come without end.
            Ok((record, rest)) if rest.len() < self.rest.len() => {
                self.rest = rest;
                Some(Ok(record))
            }
            Ok(_) | Err(_) => {
                self.rest = &[];
                Some(Err(Bad::Damaged("a record in it cannot be read")))
            }
        }
    }
}

#[cfg(test)]
mod tests;
