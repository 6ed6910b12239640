//! Addresses and networks in `from`, and the address of a login.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::not_a_network;

/// An IPv4 or IPv6 network; a lone address is a network of one.
///
/// IPv4-mapped IPv6 (RFC 4291 §2.5.5.2) counts as IPv4, since sshd shows IPv4 clients so on a dual socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Network {
    base: IpAddr,
    prefix: u8,
}

impl Network {
    /// Takes `10.1.2.3`, `10.0.0.0/8`, `2001:db8::1` or `2001:db8::/32`; otherwise tells what is wrong.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(head, tail)| (head, Some(tail)));
        let address: IpAddr = address.parse().map_err(|_| not_a_network::explain(text))?;
        let width = width(address);
        let Some(prefix) = prefix.map_or(Some(width), parse_prefix).filter(|prefix| *prefix <= width) else {
            return Err(not_a_network::explain_prefix(text, address, width));
        };
        let network = Self { base: masked(address, prefix), prefix }.canonical();
        if masked(address, prefix) != address {
            return Err(format!("`{text}` has bits set beyond its prefix; the network is `{network}`"));
        }
        Ok(network)
    }

    /// Whether `address`, as [`address_of`] gives it, lies within.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        width(self.base) == width(address) && masked(address, self.prefix) == self.base
    }

    /// Whether each of its addresses lies within one of `inner`, which lie within it.
    #[must_use]
    pub fn is_filled_by(&self, inner: &[Self]) -> bool {
        let mut apart: Vec<&Self> = Vec::new();
        let mut ours: Vec<&Self> = inner.iter().filter(|network| self.covers(network)).collect();
        ours.sort_by_key(|network| network.prefix);
        for network in ours {
            if !apart.iter().any(|outer| outer.covers(network)) {
                apart.push(network);
            }
        }
        let share = |network: &&Self| (-f64::from(network.prefix.saturating_sub(self.prefix))).exp2();
        // Exact down to 53 bits below this one.
        apart.iter().map(share).sum::<f64>() >= 1.0
    }

    /// Every address of IPv4, and every one of IPv6.
    #[must_use]
    pub fn all() -> [Self; 2] {
        let v4 = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let v6 = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        [v4, v6].map(|base| Self { base, prefix: 0 })
    }

    /// Whether every address of `other` lies within.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.prefix <= other.prefix && self.contains(other.base)
    }

    fn canonical(self) -> Self {
        match (self.base.to_canonical(), self.prefix.checked_sub(MAPPED_PREFIX)) {
            (base @ IpAddr::V4(_), Some(prefix)) if self.base.is_ipv6() => Self { base, prefix },
            _ => self,
        }
    }
}

/// Whether every address of IPv4 and of IPv6 lies within one of `networks`.
pub(super) fn hold_every_address(networks: &[Network]) -> bool {
    let fills = |is_ipv4: bool| {
        let mut apart: Vec<&Network> = Vec::new();
        let mut ours: Vec<&Network> = networks.iter().filter(|it| it.base.is_ipv4() == is_ipv4).collect();
        ours.sort_by_key(|network| network.prefix);
        for network in ours {
            if !apart.iter().any(|outer| outer.covers(network)) {
                apart.push(network);
            }
        }
        // The part of all addresses that each holds; exact down to /53.
        apart.iter().map(|network| (-f64::from(network.prefix)).exp2()).sum::<f64>() >= 1.0
    };
    fills(true) && fills(false)
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.prefix == width(self.base) {
            return write!(formatter, "{}", self.base);
        }
        write!(formatter, "{}/{}", self.base, self.prefix)
    }
}

/// The address in `PAM_RHOST`, without the zone of a link-local one (RFC 4007 §11); `None` for a host name,
/// which is never resolved: the owner of the reverse zone could choose the answer.
pub(super) fn address_of(rhost: &str) -> Option<IpAddr> {
    let address = match rhost.split_once('%') {
        Some((address, _zone)) => IpAddr::V6(address.parse().ok()?),
        None => rhost.parse().ok()?,
    };
    Some(address.to_canonical())
}

fn parse_prefix(text: &str) -> Option<u8> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    let host_bits = u32::from(width(address).saturating_sub(prefix));
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(host_bits).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
        }
    }
}

const fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// `::ffff:0:0/96` holds the IPv4-mapped addresses.
const MAPPED_PREFIX: u8 = 96;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_networks_are_taken_and_shown() {
        let cases = [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.1.2.3", "10.1.2.3"),
            ("10.1.2.3/32", "10.1.2.3"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("2001:DB8::/32", "2001:db8::/32"),
            ("::1", "::1"),
            ("::/0", "::/0"),
            ("::ffff:10.1.2.3", "10.1.2.3"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::/95", "::/95"),
        ];
        for (text, shown) in cases {
            assert_eq!(Network::parse(text).expect(text).to_string(), shown, "{text}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused_with_a_remedy() {
        let cases = [
            ("10.0.0.0/33", "`10.0.0.0/33` has no prefix length of 0 to 32"),
            ("10.0.0.0/", "`10.0.0.0/` has no prefix length of 0 to 32"),
            ("10.0.0.0/+8", "`10.0.0.0/+8` has no prefix length of 0 to 32"),
            ("::/129", "`::/129` has no prefix length of 0 to 128"),
            ("10.1.2.3/8", "`10.1.2.3/8` has bits set beyond its prefix; the network is `10.0.0.0/8`"),
            (
                "2001:db8::1/32",
                "`2001:db8::1/32` has bits set beyond its prefix; the network is `2001:db8::/32`",
            ),
            (
                "::ffff:10.1.2.3/104",
                "`::ffff:10.1.2.3/104` has bits set beyond its prefix; the network is `10.0.0.0/8`",
            ),
        ];
        for (text, message) in cases {
            assert_eq!(Network::parse(text), Err(message.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_login_lies_within_a_network_by_its_address_alone() {
        let cases = [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("::/0", "10.1.2.3", false),
            ("0.0.0.0/0", "::1", false),
            ("0.0.0.0/0", "192.0.2.1", true),
            ("fe80::/10", "fe80::1%eth0", true),
            ("10.0.0.0/8", "10.1.2.3%eth0", false),
            ("10.0.0.0/8", "10.example.org", false),
            ("10.0.0.0/8", "", false),
        ];
        for (network, rhost, within) in cases {
            let parsed = Network::parse(network).expect(network);
            let found = address_of(rhost).is_some_and(|address| parsed.contains(address));
            assert_eq!(found, within, "{rhost} in {network}");
        }
    }

    #[test]
    fn networks_that_hold_every_address_are_known() {
        let hold = |texts: &[&str]| {
            let parsed: Vec<Network> = texts.iter().map(|text| Network::parse(text).expect(text)).collect();
            hold_every_address(&parsed)
        };
        assert!(hold(&["0.0.0.0/0", "::/0"]));
        assert!(hold(&["::/0", "128.0.0.0/1", "0.0.0.0/2", "64.0.0.0/2", "10.0.0.0/8"]));
        for texts in
            [&["0.0.0.0/0"][..], &["::/0"], &[], &["0.0.0.0/1", "0.0.0.0/1", "::/0"], &["0.0.0.0/0", "::/1"]]
        {
            assert!(!hold(texts), "{texts:?}");
        }
    }

    #[test]
    fn a_network_covers_itself_and_its_parts() {
        let cases = [
            ("10.0.0.0/8", "10.0.0.0/8", true),
            ("10.0.0.0/8", "10.1.0.0/16", true),
            ("10.1.0.0/16", "10.0.0.0/8", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("0.0.0.0/0", "::/0", false),
        ];
        for (outer, inner, covers) in cases {
            let found = Network::parse(outer).expect(outer).covers(&Network::parse(inner).expect(inner));
            assert_eq!(found, covers, "{outer} covers {inner}");
        }
    }
}
