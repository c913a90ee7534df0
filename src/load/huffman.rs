//! The Huffman code of HPACK (RFC 7541, appendix B), decoded.
//!
//! The code is canonical: those of one length count up in the order of the octets, so that the
//! lengths say all of it.

use std::sync::LazyLock;

/// Bits of the code of each octet.
#[rustfmt::skip]
const LENGTHS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
];
/// The longest code; the end of the text has one too, which no text may hold.
const LONGEST: usize = 30;

static CODE: LazyLock<Code> = LazyLock::new(Code::new);

/// Octets by the length of their codes, and where each length begins.
struct Code {
    octets: Vec<u8>,
    lengths: [Length; LONGEST + 1],
}

/// The codes of one length.
#[derive(Clone, Copy, Default)]
struct Length {
    first_code: u32,
    first_octet: usize,
    count: u32,
}

impl Code {
    fn new() -> Self {
        let mut octets = Vec::with_capacity(LENGTHS.len());
        let mut lengths = [Length::default(); LONGEST + 1];
        let mut code = 0;
        for (bits, length) in (0_u8..).zip(&mut lengths) {
            code <<= 1;
            *length = Length { first_code: code, first_octet: octets.len(), count: 0 };
            for (octet, _) in (0_u8..=255).zip(LENGTHS).filter(|(_, own)| *own == bits) {
                octets.push(octet);
                code += 1;
                length.count += 1;
            }
        }
        Self { octets, lengths }
    }

    fn octet(&self, code: u32, bits: usize) -> Option<u8> {
        let length = self.lengths.get(bits)?;
        let place = code.checked_sub(length.first_code).filter(|place| *place < length.count)?;
        self.octets.get(length.first_octet + place as usize).copied()
    }
}

/// The text of these bytes; `None` where they are no such code.
pub fn decode(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(bytes.len() * 2);
    let (mut code, mut bits) = (0_u32, 0_usize);
    for byte in bytes {
        for shift in (0..8).rev() {
            code = code << 1 | u32::from(byte >> shift & 1);
            bits += 1;
            if let Some(octet) = CODE.octet(code, bits) {
                text.push(octet);
                (code, bits) = (0, 0);
            } else if bits >= LONGEST {
                return None;
            }
        }
    }
    // What is left fills the last byte: ones, fewer than eight.
    let padding = bits < 8 && code == (1 << bits) - 1;
    padding.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_the_examples_of_the_standard() {
        for (bytes, want) in [
            (
                &[0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff][..],
                "www.example.com",
            ),
            (&[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf], "no-cache"),
            (&[0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xb8, 0xe8, 0xb4, 0xbf], "custom-value"),
            (&[0x64, 0x02], "302"),
            (&[], ""),
        ] {
            assert_eq!(decode(bytes).unwrap(), want.as_bytes());
        }
    }

    #[test]
    fn what_is_no_code_is_refused() {
        for bytes in [&[0xff, 0xff, 0xff, 0xff][..], &[0xff], &[0x64]] {
            assert_eq!(decode(bytes), None, "{bytes:?}");
        }
    }
}
