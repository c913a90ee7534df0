//! The items of a stream, found in what arrives: each is a flag, its length and its bytes.
//!
//! An item is a slice of what arrived where it arrived whole, so that nothing is copied; one that
//! comes in pieces is put together. One that is too long is passed over, byte by byte and without
//! keeping any of it, so that the stream goes on behind it.

use bytes::{Buf as _, Bytes, BytesMut};

/// The flag and the length.
const HEAD: usize = 5;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The bytes of an item.
    Item(Bytes),
    /// An item that says to have so many bytes, which are too many.
    TooLong(usize),
    /// An item that is compressed, which nobody asked for.
    Compressed,
    /// Something that is no item: nothing behind it can be told apart.
    NoItem,
}

/// What arrived and is not taken yet.
#[derive(Debug)]
pub(super) struct Frames {
    most: usize,
    rest: Bytes,
    /// The beginning of an item, and nothing beyond it.
    begun: BytesMut,
    /// Bytes of an item that are passed over.
    skip: usize,
}

impl Frames {
    /// Items of at most so many bytes.
    pub(super) fn new(most: usize) -> Self {
        Self { most, rest: Bytes::new(), begun: BytesMut::new(), skip: 0 }
    }

    /// Adds what arrived; all items before it have been taken.
    pub(super) fn push(&mut self, arrived: Bytes) {
        if self.rest.is_empty() {
            self.rest = arrived;
        } else {
            self.begun.extend_from_slice(&std::mem::replace(&mut self.rest, arrived));
        }
    }

    /// Whether an item has begun and is not complete.
    pub(super) fn is_amid(&self) -> bool {
        !self.rest.is_empty() || !self.begun.is_empty() || self.skip > 0
    }

    /// The bytes that are kept for an item that is not complete.
    pub(super) fn held(&self) -> usize {
        self.begun.len() + self.rest.len()
    }

    /// Forgets an item that is not complete: the rest of it is passed over. Whether there is one.
    pub(super) fn drop_begun(&mut self) -> bool {
        let Some(Ok(length)) = head(&self.begun).map(|(_, length)| usize::try_from(length)) else {
            return false;
        };
        self.skip = (HEAD + length).saturating_sub(self.begun.len());
        self.begun = BytesMut::new();
        true
    }

    /// The next item that is complete.
    pub(super) fn next(&mut self) -> Option<Found> {
        let skipped = self.skip.min(self.rest.len());
        self.rest.advance(skipped);
        self.skip -= skipped;
        if self.begun.is_empty() {
            return self.next_whole();
        }
        self.complete(HEAD)?;
        let (flag, length) = head(&self.begun)?;
        if let Some(not_taken) = self.not_taken(flag, length) {
            self.begun = BytesMut::new();
            return Some(not_taken);
        }
        self.complete(HEAD + length as usize)?;
        let mut item = std::mem::take(&mut self.begun).freeze();
        item.advance(HEAD);
        Some(Found::Item(item))
    }

    /// One that lies in one piece, if there is one; else its beginning is kept.
    fn next_whole(&mut self) -> Option<Found> {
        let Some((flag, length)) = head(&self.rest) else {
            self.begun.extend_from_slice(&std::mem::take(&mut self.rest));
            return None;
        };
        if let Some(not_taken) = self.not_taken(flag, length) {
            self.rest.advance(HEAD);
            let skipped = self.skip.min(self.rest.len());
            self.rest.advance(skipped);
            self.skip -= skipped;
            return Some(not_taken);
        }
        let end = HEAD + length as usize;
        if self.rest.len() < end {
            self.begun.extend_from_slice(&std::mem::take(&mut self.rest));
            return None;
        }
        let mut item = self.rest.split_to(end);
        item.advance(HEAD);
        Some(Found::Item(item))
    }

    /// Takes from the rest until so many bytes of the item are there.
    fn complete(&mut self, bytes: usize) -> Option<()> {
        let more = bytes.saturating_sub(self.begun.len()).min(self.rest.len());
        self.begun.extend_from_slice(&self.rest.split_to(more));
        (self.begun.len() >= bytes).then_some(())
    }

    /// What is wrong with an item by its head; its bytes are to be passed over then.
    fn not_taken(&mut self, flag: u8, length: u32) -> Option<Found> {
        let length = length as usize;
        let wrong = match flag {
            0 if length <= self.most => return None,
            0 => Found::TooLong(length),
            1 => Found::Compressed,
            _ => return Some(Found::NoItem),
        };
        self.skip = length;
        Some(wrong)
    }
}

fn head(bytes: &[u8]) -> Option<(u8, u32)> {
    match bytes {
        [flag, a, b, c, d, ..] => Some((*flag, u32::from_be_bytes([*a, *b, *c, *d]))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MOST: usize = 40;

    fn written(flag: u8, bytes: &[u8]) -> Vec<u8> {
        let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
        [&[flag], &length[..], bytes].concat()
    }

    fn read(frames: &mut Frames, pieces: impl Iterator<Item = Bytes>) -> Vec<Found> {
        let mut found = Vec::new();
        for piece in pieces {
            frames.push(piece);
            found.extend(std::iter::from_fn(|| frames.next()));
        }
        found
    }

    proptest! {
        #[test]
        fn items_are_found_however_they_are_cut(
            items in prop::collection::vec((0..2_u8, prop::collection::vec(any::<u8>(), 0..80)), 0..20),
            cuts in prop::collection::vec(1..30_usize, 1..20),
        ) {
            let stream: Vec<u8> = items.iter().flat_map(|(flag, bytes)| written(*flag, bytes)).collect();
            let mut left = Bytes::from(stream);
            let mut sizes = cuts.iter().cycle();
            let pieces = std::iter::from_fn(|| {
                let size = sizes.next().map_or(1, |size| *size).min(left.len());
                (size > 0).then(|| left.split_to(size))
            });
            let want: Vec<Found> = items.iter().map(|(flag, bytes)| match flag {
                0 if bytes.len() <= MOST => Found::Item(Bytes::copy_from_slice(bytes)),
                0 => Found::TooLong(bytes.len()),
                _ => Found::Compressed,
            }).collect();
            let mut frames = Frames::new(MOST);
            prop_assert_eq!(read(&mut frames, pieces), want);
            prop_assert!(!frames.is_amid());
        }
    }

    #[test]
    fn nothing_of_what_is_too_long_is_kept() {
        let mut frames = Frames::new(MOST);
        frames.push(Bytes::from_static(&[0, 0xff, 0xff, 0xff, 0xff, 7]));
        assert_eq!(frames.next(), Some(Found::TooLong(u32::MAX as usize)));
        for _ in 0..1_000 {
            frames.push(Bytes::from_static(&[0; 1_000]));
            assert_eq!((frames.next(), frames.held(), frames.is_amid()), (None, 0, true));
        }
    }

    #[test]
    fn an_item_that_is_dropped_half_way_is_passed_over() {
        let mut frames = Frames::new(MOST);
        let stream = [written(0, &[1; 30]), written(0, &[2; 3])].concat();
        frames.push(Bytes::copy_from_slice(&stream[..20]));
        assert_eq!((frames.next(), frames.held()), (None, 20));
        assert!(frames.drop_begun() && frames.held() == 0 && frames.is_amid());
        frames.push(Bytes::copy_from_slice(&stream[20..]));
        assert_eq!(frames.next(), Some(Found::Item(Bytes::from_static(&[2; 3]))));
    }

    #[test]
    fn noise_is_no_item() {
        let mut frames = Frames::new(MOST);
        frames.push(Bytes::from_static(b"GET / HTTP/1.1"));
        assert_eq!(frames.next(), Some(Found::NoItem));
    }
}
