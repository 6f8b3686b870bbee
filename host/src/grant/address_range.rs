//! Ranges of addresses: one address, or a network with its prefix length.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// `10.0.0.0/8`, `fd00::/8`, or one address. Matched against the address that is really used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressRange {
    network: u128,
    prefix: u32,
    family: Family,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

impl AddressRange {
    /// Whether the address lies in it. An IPv4-mapped IPv6 address is the IPv4 address it stands for.
    pub fn contains(self, address: IpAddr) -> bool {
        let (bits, family) = bits_of(address);
        family == self.family && bits & mask(self.prefix, family) == self.network
    }

    /// Whether it is that address and no other.
    pub fn is_exactly(self, address: IpAddr) -> bool {
        self.prefix == self.family.width() && self.contains(address)
    }

    /// From an address and the text behind its slash, if there is one.
    pub(super) fn new(address: IpAddr, prefix: Option<&str>) -> Result<Self, &'static str> {
        let (bits, family) = bits_of(address);
        let width = family.width();
        let prefix = match prefix {
            None => width,
            Some(prefix) => prefix
                .parse()
                .ok()
                .filter(|prefix| *prefix <= width)
                .ok_or("the prefix length is too large")?,
        };
        let network = bits & mask(prefix, family);
        if network != bits {
            return Err("the address has bits set beyond the prefix length");
        }
        Ok(Self {
            network,
            prefix,
            family,
        })
    }
}

impl FromStr for AddressRange {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address = address
            .parse()
            .map_err(|_| "it is neither an address nor a range")?;
        Self::new(address, prefix)
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = match self.family {
            // The bits came from an IPv4 address, so nothing is cut off.
            Family::V4 => IpAddr::from(
                u32::try_from(self.network)
                    .unwrap_or_default()
                    .to_be_bytes(),
            ),
            Family::V6 => IpAddr::from(self.network.to_be_bytes()),
        };
        match self.prefix == self.family.width() {
            true => write!(f, "{address}"),
            false => write!(f, "{address}/{}", self.prefix),
        }
    }
}

impl Family {
    fn width(self) -> u32 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }
}

/// An IPv4-mapped IPv6 address is the IPv4 address it stands for.
fn bits_of(address: IpAddr) -> (u128, Family) {
    match address.to_canonical() {
        IpAddr::V4(address) => (u128::from(u32::from(address)), Family::V4),
        IpAddr::V6(address) => (u128::from(address), Family::V6),
    }
}

fn mask(prefix: u32, family: Family) -> u128 {
    let host_bits = family.width() - prefix;
    let ones = match family {
        Family::V4 => u128::from(u32::MAX),
        Family::V6 => u128::MAX,
    };
    ones.checked_shr(host_bits)
        .and_then(|network| network.checked_shl(host_bits))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_reads_as_it_was_written() {
        for text in [
            "10.0.0.0/8",
            "100.100.100.200",
            "fd00::/8",
            "fd00:ec2::254",
            "0.0.0.0/0",
        ] {
            let range: AddressRange = text.parse().expect(text);
            assert_eq!(range.to_string(), text);
        }
    }

    #[test]
    fn one_address_is_a_range_of_one() {
        let address: IpAddr = "100.100.100.200".parse().expect("an address");
        for text in ["100.100.100.200", "100.100.100.200/32"] {
            let range: AddressRange = text.parse().expect(text);
            assert!(range.is_exactly(address) && range.contains(address));
        }
        let wide: AddressRange = "100.100.100.200/31".parse().expect("a range");
        assert!(wide.contains(address) && !wide.is_exactly(address));
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in [
            "",
            "metadata",
            "10.0.0.1/8",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
        ] {
            assert!(text.parse::<AddressRange>().is_err(), "{text:?}");
        }
    }
}
