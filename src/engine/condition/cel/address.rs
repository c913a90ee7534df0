//! IP addresses and address blocks, as Kubernetes' `ip()` and `cidr()`, with IPv4-mapped
//! addresses taken as IPv4.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One address; never an IPv4-mapped one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ip(IpAddr);

/// A block of addresses, its host bits all zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    base: Ip,
    length: u8,
}

impl Ip {
    /// Reads an address; `None` when the text is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        text.parse::<IpAddr>().ok().map(|ip| Self(ip.to_canonical()))
    }

    const fn bits(self) -> (u128, u8) {
        match self.0 {
            IpAddr::V4(v4) => (Ipv4Addr::to_bits(v4) as u128, 32),
            IpAddr::V6(v6) => (Ipv6Addr::to_bits(v6), 128),
        }
    }
}

impl std::fmt::Display for Ip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Block {
    /// Reads `address/length`; `None` when the text is no block or has host bits set.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, length) = text.split_once('/')?;
        let padded = length.len() > 1 && length.starts_with('0');
        if length.is_empty() || padded || !length.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let written: IpAddr = address.parse().ok()?;
        let length: u8 = length.parse().ok()?;
        let base = Ip(written.to_canonical());
        let mapped = written.is_ipv6() && base.0.is_ipv4();
        let length = if mapped { length.checked_sub(96)? } else { length };
        let (bits, width) = base.bits();
        let host = u32::from(width.checked_sub(length)?);
        let clean = host == 0 || bits.trailing_zeros() >= host || bits == 0;
        clean.then_some(Self { base, length })
    }

    /// Whether the address lies in the block.
    pub(super) fn contains(self, ip: Ip) -> bool {
        let ((own, width), (other, others_width)) = (self.base.bits(), ip.bits());
        let host = u32::from(width.saturating_sub(self.length));
        let shift = |bits: u128| bits.checked_shr(host).unwrap_or(0);
        width == others_width && shift(own) == shift(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_contain_what_they_should() {
        for (block, ip, want) in [
            ("10.0.0.0/8", "10.1.2.3", Some(true)),
            ("10.0.0.0/8", "11.1.2.3", Some(false)),
            ("10.0.0.0/8", "::ffff:10.1.2.3", Some(true)),
            ("::ffff:10.0.0.0/104", "10.1.2.3", Some(true)),
            ("0.0.0.0/0", "1.2.3.4", Some(true)),
            ("::/0", "1.2.3.4", Some(false)),
            ("2001:db8::/32", "2001:db8::1", Some(true)),
            ("1.2.3.4/32", "1.2.3.4", Some(true)),
            ("10.0.0.1/8", "10.1.2.3", None),
            ("10.0.0.0/33", "10.1.2.3", None),
            ("10.0.0.0/+8", "10.1.2.3", None),
            ("10.0.0.0/08", "10.1.2.3", None),
            ("10.0.0.0", "10.1.2.3", None),
        ] {
            let got = Block::parse(block).zip(Ip::parse(ip)).map(|(b, ip)| b.contains(ip));
            assert_eq!(got, want, "{block} {ip}");
        }
    }
}
