//! Determines the address of the client, also behind trusted proxies.

use std::net::{IpAddr, Ipv6Addr};

use actix_web::http::header::{FORWARDED, HeaderMap, HeaderName, X_FORWARDED_FOR};
use ipnet::IpNet;

/// Prefix length that identifies an IPv6 client: one client usually has a whole /64.
const IPV6_PREFIX_BITS: u32 = 64;

/// The address of the client. An IPv6 address is reduced to the first address of its /64.
///
/// If `peer` is not in `trusted`, it is the client. Otherwise the client is the rightmost untrusted
/// address in `X-Forwarded-For` or `Forwarded` (RFC 7239). Entries to the left of it can be forged
/// and are ignored. The same applies to entries to the left of one that is not an address.
///
/// A proxy may set one of the headers and pass the other through from the client. If both are
/// present and yield different addresses, the result is `peer`.
pub(super) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let peer = peer.to_canonical();
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    if !is_trusted(&peer) {
        return network_address(peer);
    }
    let rightmost_untrusted = |header: HeaderName, addresses: fn(&str) -> Vec<Option<IpAddr>>| {
        if !headers.contains_key(&header) {
            return None;
        }
        let mut last = peer;
        for address in addresses(&combined_value(headers, &header))
            .into_iter()
            .rev()
        {
            let Some(address) = address else { break };
            last = address;
            if !is_trusted(&address) {
                break;
            }
        }
        Some(last)
    };
    let x_forwarded_for = rightmost_untrusted(X_FORWARDED_FOR, |text| {
        text.split(',').map(parse_node).collect()
    });
    let forwarded =
        rightmost_untrusted(FORWARDED, |text| parse_forwarded(text).unwrap_or_default());
    network_address(match (x_forwarded_for, forwarded) {
        (Some(one), Some(other)) if one != other => peer,
        (one, other) => one.or(other).unwrap_or(peer),
    })
}

/// An IPv6 address reduced to the first address of its /64.
pub(in crate::http) fn network_address(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            Ipv6Addr::from_bits(v6.to_bits() >> IPV6_PREFIX_BITS << IPV6_PREFIX_BITS).into()
        }
    }
}

/// Combines all field lines of `header` into one value (RFC 9110, section 5.2).
fn combined_value(headers: &HeaderMap, header: &HeaderName) -> String {
    let lines = headers.get_all(header);
    let lines = lines.map(|line| String::from_utf8_lossy(line.as_bytes()));
    lines.collect::<Vec<_>>().join(",")
}

/// Returns the `for` address of each element of a `Forwarded` value, or `None` for an element
/// without a valid one.
///
/// Returns `None` for the whole value if a quoted string is not terminated: a client's open quote
/// would make the proxy's elements part of its string.
fn parse_forwarded(text: &str) -> Option<Vec<Option<IpAddr>>> {
    let elements = split(text, ',')?;
    let elements = elements.into_iter().map(|element| {
        let pairs = split(element, ';')?;
        let mut named = pairs.into_iter().filter_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            name.trim().eq_ignore_ascii_case("for").then_some(value)
        });
        match (named.next(), named.next()) {
            (Some(value), None) => parse_node(value),
            _ => None,
        }
    });
    Some(elements.collect())
}

/// Splits `text` at each `separator` outside quoted strings. Returns `None` if a quoted string is
/// not terminated.
fn split(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = text.split(|letter| {
        let literal = std::mem::take(&mut escaped);
        match letter {
            '\\' if quoted && !literal => escaped = true,
            '"' if !literal => quoted = !quoted,
            _ => {}
        }
        letter == separator && !quoted
    });
    let parts = parts.collect();
    (!quoted).then_some(parts)
}

/// Parses an address. Quotes, brackets and a port are allowed.
fn parse_node(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let unquoted = text.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
    let text = unquoted.unwrap_or(text);
    let address: IpAddr = if let Some(bracketed) = text.strip_prefix('[') {
        let (address, rest) = bracketed.split_once(']')?;
        if !rest.is_empty() && !rest.starts_with(':') {
            return None;
        }
        address.parse::<Ipv6Addr>().ok()?.into()
    } else {
        match text.split_once(':') {
            // Text with a second colon is an IPv6 address without a port.
            Some((address, port)) if !port.contains(':') => address.parse().ok()?,
            _ => text.parse().ok()?,
        }
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests;
