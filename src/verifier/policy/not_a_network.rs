//! What people write in `from` that is no network, and what they mean by it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why `text` is no network. A host name is never looked up: the owner of its zone could choose the answer.
#[cold]
pub(super) fn explain(text: &str) -> String {
    let trimmed = text.trim();
    format!("`{text}` is neither an address nor a network; {}", cure(text, trimmed))
}

/// Why what stands behind the `/` of `text` is no prefix length of `address`.
#[cold]
pub(super) fn explain_prefix(text: &str, address: IpAddr, width: u8) -> String {
    let refused = format!("`{text}` has no prefix length of 0 to {width}");
    let mask = text.split_once('/').and_then(|(_, mask)| mask.parse::<Ipv4Addr>().ok()).map(u32::from);
    let (IpAddr::V4(base), Some(mask)) = (address, mask) else { return refused };
    let prefix = mask.leading_ones();
    // A mask of routers has ones first, one of access lists zeros.
    let is_wildcard = mask.leading_zeros().saturating_add(mask.trailing_ones()) == u32::BITS && mask != 0;
    if prefix.saturating_add(mask.trailing_zeros()) == u32::BITS {
        return format!("{refused}, but a mask; write `{}/{prefix}`", masked(base, prefix));
    }
    if is_wildcard {
        let prefix = mask.leading_zeros();
        return format!("{refused}, but a wildcard mask; write `{}/{prefix}`", masked(base, prefix));
    }
    refused
}

fn cure(text: &str, trimmed: &str) -> String {
    if trimmed.is_empty() {
        return "leave `from` out to match any".to_owned();
    }
    if text != trimmed {
        return format!("it has a blank at its end or start; write `{trimmed}`");
    }
    if let Some(rest) = text.strip_prefix('!') {
        return format!("a rule excludes nothing: write a rule for `{rest}` before this one");
    }
    if ["*", "ALL", "any", "all", "ANY"].contains(&text) {
        return "leave `from` out to match any".to_owned();
    }
    if text == "LOCAL" {
        return "for logins without a source write `services` or `ttys`".to_owned();
    }
    if text.eq_ignore_ascii_case("localhost") {
        return "write \"127.0.0.1\", \"::1\"".to_owned();
    }
    if text.contains([',', ';', ' ']) {
        return "write one per entry".to_owned();
    }
    of_an_address(text).unwrap_or_else(|| of_a_name(text))
}

/// What is nearly an address.
fn of_an_address(text: &str) -> Option<String> {
    let within = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    if let Some((address, _)) = within.filter(|(address, _)| address.parse::<Ipv6Addr>().is_ok()) {
        return Some(format!("write it without brackets and port: `{address}`"));
    }
    if let Some((address, zone)) = text.split_once('%') {
        return Some(format!("a login's zone is not looked at; write `{address}` without `%{zone}`"));
    }
    if let Some((address, _)) = text.split_once(':').filter(|(head, _)| head.parse::<Ipv4Addr>().is_ok()) {
        return Some(format!("ports are not looked at; write `{address}`"));
    }
    let is_range = text.split_once('-').is_some_and(|(first, _)| first.parse::<IpAddr>().is_ok());
    if is_range {
        return Some(
            "a range is written as the networks that it consists of, such as `10.0.0.0/29`".to_owned(),
        );
    }
    let numbers = text.split('/').next().unwrap_or_default().trim_end_matches(['.', '*', 'x']);
    if numbers.is_empty() || !numbers.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let parts: Vec<&str> = numbers.split('.').collect();
    if parts.len() > BYTES || parts.iter().any(|part| part.parse::<u8>().is_err()) {
        return Some("an address of IPv4 is four numbers of 0 to 255".to_owned());
    }
    if parts.iter().any(|part| part.len() > 1 && part.starts_with('0')) {
        return Some(
            "some programs read numbers with a zero in front as octal; write them without".to_owned(),
        );
    }
    let prefix = text
        .split_once('/')
        .and_then(|(_, prefix)| prefix.parse::<usize>().ok())
        .unwrap_or_else(|| parts.len().saturating_mul(8))
        .min(32);
    let missing = std::iter::repeat_n("0", BYTES.saturating_sub(parts.len()));
    let whole = parts.iter().copied().chain(missing).collect::<Vec<_>>().join(".");
    Some(format!("write all four numbers and a prefix length, such as `{whole}/{prefix}`"))
}

fn of_a_name(text: &str) -> String {
    if text.contains(['*', '?', '/', '@', '{', '$', '<']) || text.starts_with(['.', '%']) {
        return "write addresses and networks such as `192.0.2.7`, `10.0.0.0/8`, `2001:db8::/32`".to_owned();
    }
    format!("host names are never looked up: write the addresses that `getent ahosts {text}` shows")
}

fn masked(base: Ipv4Addr, prefix: u32) -> Ipv4Addr {
    let host_bits = u32::BITS.saturating_sub(prefix);
    Ipv4Addr::from(u32::from(base) & u32::MAX.checked_shl(host_bits).unwrap_or(0))
}

const BYTES: usize = 4;

#[cfg(test)]
mod tests {
    use super::super::network::Network;

    #[test]
    fn what_is_no_network_is_told_with_what_was_meant() {
        let cases = [
            ("example.org", "`getent ahosts example.org`"),
            ("localhost", "write \"127.0.0.1\", \"::1\""),
            ("LOCAL", "`services` or `ttys`"),
            ("ALL", "leave `from` out"),
            ("*", "leave `from` out"),
            ("", "leave `from` out"),
            (" 10.0.0.1", "write `10.0.0.1`"),
            ("10.0.0.1,10.0.0.2", "one per entry"),
            ("10.0.0.0 255.0.0.0", "one per entry"),
            ("!10.0.0.0/8", "write a rule for `10.0.0.0/8` before this one"),
            ("[2001:db8::1]", "`2001:db8::1`"),
            ("[2001:db8::1]:22", "`2001:db8::1`"),
            ("10.0.0.1:22", "ports are not looked at; write `10.0.0.1`"),
            ("fe80::1%eth0", "write `fe80::1` without `%eth0`"),
            ("10.0.0.1-10.0.0.9", "a range"),
            ("10.0.0", "such as `10.0.0.0/24`"),
            ("10.", "such as `10.0.0.0/8`"),
            ("10/8", "such as `10.0.0.0/8`"),
            ("10.1.*", "such as `10.1.0.0/16`"),
            ("10.1.*.*", "such as `10.1.0.0/16`"),
            ("010.0.0.1", "octal"),
            ("10.0.0.256", "four numbers of 0 to 255"),
            (".example.org", "addresses and networks"),
            ("@trusted", "addresses and networks"),
            ("10.0.0.0/255.0.0.0", "but a mask; write `10.0.0.0/8`"),
            ("10.1.2.3/255.255.255.255", "but a mask; write `10.1.2.3/32`"),
            ("10.0.0.0/0.255.255.255", "but a wildcard mask; write `10.0.0.0/8`"),
            ("10.0.0.0/255.0.255.0", "no prefix length of 0 to 32"),
        ];
        for (text, cure) in cases {
            let refused = Network::parse(text).expect_err(text);
            assert!(
                refused.starts_with(&format!("`{text}` ")) && refused.contains(cure),
                "{text}: {refused}"
            );
        }
    }
}
