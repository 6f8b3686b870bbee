//! Which addresses may be connected to: the public ones always, others only where a grant names them.
//!
//! A name can resolve to anything, and its owner can change it after we looked. So what is judged here is
//! each address, and what passed is what is connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{AddressRange, Capability, Refusal};

/// The `addresses` key of an endpoint or of a key's source.
#[derive(Debug, Clone)]
pub struct AddressGrant {
    /// Whose grant it is.
    pub capability: Capability,
    /// The key of the grants file: `grants.https.ecs.addresses`.
    pub key: String,
    /// Addresses besides the public ones.
    pub ranges: Vec<AddressRange>,
}

/// What an address is, as far as it matters whether a driver may speak to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Anyone's on the Internet.
    Public,
    /// Of this node, of its networks, or of none; the word says why.
    Local(&'static str),
    /// Answers with keys to whoever asks.
    Metadata,
    /// Nobody's: no grant makes sense of it.
    Nowhere(&'static str),
}

/// Where clouds answer questions about the machine that asks, keys among the answers. Alibaba's lies in a
/// range that is otherwise used for its own endpoints, so that a grant of the range must not open it.
const METADATA: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

impl AddressGrant {
    /// Those of a name's addresses that may be connected to, in the order given.
    pub fn allowed(&self, host: &str, addresses: &[IpAddr]) -> Result<Vec<IpAddr>, Refusal> {
        let (mut allowed, mut refused) = (Vec::new(), None);
        for address in addresses {
            match self.allows(host, *address) {
                Ok(address) => allowed.push(address),
                Err(refusal) => refused = refused.or(Some(refusal)),
            }
        }
        match (allowed.is_empty(), refused) {
            (true, Some(refusal)) => Err(refusal),
            (_, _) => Ok(allowed),
        }
    }

    /// Whether the address may be connected to, and in which form: an IPv4 address that came as IPv6 is
    /// judged and used as what it is.
    pub fn allows(&self, host: &str, address: IpAddr) -> Result<IpAddr, Refusal> {
        let address = address.to_canonical();
        let in_range = || self.ranges.iter().any(|range| range.contains(address));
        let named = || self.ranges.iter().any(|range| range.is_exactly(address));
        let (allowed, kind) = match reach(address) {
            Reach::Public => (true, "public"),
            Reach::Local(kind) => (in_range(), kind),
            Reach::Metadata => (named(), "a metadata service, which has to be named exactly"),
            Reach::Nowhere(kind) => (false, kind),
        };
        allowed.then_some(address).ok_or_else(|| Refusal {
            capability: self.capability,
            scope: format!("address {address} of {host:?} ({kind})"),
            grant: format!("{} = {:?}", self.key, self.texts()),
        })
    }

    fn texts(&self) -> Vec<String> {
        self.ranges.iter().map(ToString::to_string).collect()
    }
}

fn reach(address: IpAddr) -> Reach {
    if METADATA.contains(&address) {
        return Reach::Metadata;
    }
    match address {
        IpAddr::V4(address) => reach_of_v4(address),
        IpAddr::V6(address) => reach_of_v6(address),
    }
}

/// IANA's registry of special-purpose IPv4 addresses, everything that is not globally reachable.
fn reach_of_v4(address: Ipv4Addr) -> Reach {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        (0, _, _) => Reach::Nowhere("unspecified"),
        (255, 255, 255) if address.is_broadcast() => Reach::Nowhere("broadcast"),
        (224..=239, _, _) => Reach::Nowhere("multicast"),
        (127, _, _) => Reach::Local("loopback"),
        (10, _, _) | (172, 16..=31, _) | (192, 168, _) => Reach::Local("private"),
        (169, 254, _) => Reach::Local("link-local"),
        (100, 64..=127, _) => Reach::Local("carrier's or provider's own"),
        (192, 0, 2) | (198, 51, 100) | (203, 0, 113) => Reach::Local("documentation"),
        (192, 0, 0) => Reach::Local("protocol assignments"),
        (192, 88, 99) => Reach::Local("former 6to4 relays"),
        (198, 18..=19, _) => Reach::Local("benchmarking"),
        (240..=255, _, _) => Reach::Local("reserved"),
        _ => Reach::Public,
    }
}

/// Only 2000::/3 is given out (RFC 4291 section 2.4), and of that the special-purpose blocks are not for
/// everyone. Addresses that stand for an IPv4 address are judged as local: whoever wants them can name them.
fn reach_of_v6(address: Ipv6Addr) -> Reach {
    let [a, b, ..] = address.segments();
    match (a, b) {
        (0xff00..=0xffff, _) => Reach::Nowhere("multicast"),
        _ if address.is_unspecified() => Reach::Nowhere("unspecified"),
        _ if address.is_loopback() => Reach::Local("loopback"),
        (0x64, 0xff9b) => translated(address),
        (0xfc00..=0xfdff, _) => Reach::Local("unique local"),
        (0xfe80..=0xfebf, _) => Reach::Local("link-local"),
        (0x2001, 0xdb8) | (0x3fff, 0..=0xfff) => Reach::Local("documentation"),
        (0x2001, 0..=0x1ff) => Reach::Local("protocol assignments"),
        (0x2002, _) => Reach::Local("6to4"),
        (0x2000..=0x3fff, _) => Reach::Public,
        _ => Reach::Local("not assigned"),
    }
}

/// NAT64 (RFC 6052) leads to the IPv4 address in the last four bytes.
fn translated(address: Ipv6Addr) -> Reach {
    let [.., a, b, c, d] = address.octets();
    match METADATA.contains(&IpAddr::from([a, b, c, d])) {
        true => Reach::Metadata,
        false => Reach::Local("translated to IPv4"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(ranges: &[&str]) -> AddressGrant {
        AddressGrant {
            capability: Capability::Https,
            key: "grants.https.ecs.addresses".into(),
            ranges: ranges
                .iter()
                .map(|text| text.parse().expect("a range"))
                .collect(),
        }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    /// One address at either end of every special range.
    const LOCAL: [&str; 47] = [
        "10.0.0.0",
        "10.255.255.255",
        "172.16.0.0",
        "172.31.255.255",
        "192.168.0.0",
        "192.168.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.0.1",
        "169.254.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "192.0.0.0",
        "192.0.0.255",
        "192.0.2.0",
        "192.0.2.255",
        "198.51.100.0",
        "198.51.100.255",
        "203.0.113.0",
        "203.0.113.255",
        "192.88.99.1",
        "198.18.0.0",
        "198.19.255.255",
        "240.0.0.0",
        "255.255.255.254",
        "::1",
        "::2",
        "::7f00:1",
        "64:ff9b::a00:1",
        "64:ff9b:1::1",
        "100::1",
        "1fff::1",
        "4000::1",
        "5f00::1",
        "fc00::1",
        "fdff::1",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "2001::1",
        "2001:1ff::1",
        "2001:db8::1",
        "2001:db8:ffff::1",
        "2002::1",
        "2002:ffff::1",
        "3fff::1",
        "3fff:fff::1",
    ];

    #[test]
    fn public_addresses_need_no_grant() {
        for text in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "128.0.0.1",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:200::1",
            "2400:3200::1",
            "2606:4700::1111",
            "3ffe::1",
        ] {
            assert_eq!(grant(&[]).allows("x", ip(text)), Ok(ip(text)), "{text}");
        }
    }

    #[test]
    fn every_special_range_needs_a_grant_and_can_have_one() {
        for text in LOCAL {
            assert!(grant(&[]).allows("x", ip(text)).is_err(), "{text}");
            assert_eq!(grant(&[text]).allows("x", ip(text)), Ok(ip(text)), "{text}");
        }
        let everything = grant(&["0.0.0.0/0", "::/0"]);
        for text in LOCAL {
            assert!(everything.allows("x", ip(text)).is_ok(), "{text}");
        }
    }

    #[test]
    fn addresses_of_nobody_cannot_be_granted() {
        let everything = grant(&["0.0.0.0/0", "::/0"]);
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "255.255.255.255",
            "224.0.0.1",
            "239.255.255.255",
            "::",
            "ff02::1",
        ] {
            assert!(everything.allows("x", ip(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn a_mapped_address_is_judged_and_used_as_the_ipv4_address_it_is() {
        assert!(grant(&["::/0"]).allows("x", ip("::ffff:10.0.0.1")).is_err());
        let allowed = grant(&["10.0.0.0/8"]).allows("x", ip("::ffff:10.0.0.1"));
        assert_eq!(allowed, Ok(ip("10.0.0.1")));
        assert!(grant(&[]).allows("x", ip("::ffff:127.0.0.1")).is_err());
    }

    #[test]
    fn a_metadata_service_is_reached_by_its_exact_name_only() {
        for text in [
            "169.254.169.254",
            "100.100.100.200",
            "fd00:ec2::254",
            "64:ff9b::a9fe:a9fe",
        ] {
            let wide = grant(&["0.0.0.0/0", "::/0", "100.64.0.0/10", "169.254.0.0/16"]);
            let refusal = wide.allows("x", ip(text)).expect_err(text);
            assert!(
                refusal.scope.contains("has to be named exactly"),
                "{refusal}"
            );
            assert!(grant(&[text]).allows("x", ip(text)).is_ok(), "{text}");
        }
        assert!(
            grant(&["100.100.100.200/32"])
                .allows("x", ip("::ffff:100.100.100.200"))
                .is_ok()
        );
    }

    #[test]
    fn of_several_addresses_the_allowed_ones_are_used() {
        let addresses = [ip("10.0.0.1"), ip("8.8.8.8"), ip("127.0.0.1")];
        assert_eq!(grant(&[]).allowed("x", &addresses), Ok(vec![ip("8.8.8.8")]));
        let refusal = grant(&["192.168.0.0/16"])
            .allowed("ecs.example.com", &addresses[..1])
            .expect_err("private");
        assert_eq!(
            refusal.to_string(),
            "address 10.0.0.1 of \"ecs.example.com\" (private) is not granted (grants.https.ecs.addresses = [\"192.168.0.0/16\"])"
        );
    }
}
