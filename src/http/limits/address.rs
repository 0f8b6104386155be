//! Who asks: the address of the client, behind trusted proxies too.

use std::net::{IpAddr, Ipv6Addr};

use actix_web::http::header::{FORWARDED, HeaderMap, HeaderName, X_FORWARDED_FOR};
use ipnet::IpNet;

/// How many bits of an IPv6 address tell clients apart: one of them usually has a whole /64.
const V6_BITS: u32 = 64;

/// The client's address, or the lowest of its /64 if that is IPv6.
///
/// It is the one that connected, unless that is of `trusted`: then the rightmost that its
/// `X-Forwarded-For`, or its `Forwarded` (RFC 7239), names and that is not of `trusted` itself.
/// What stands left of it, or of anything that is no address, may be forged. A proxy sets one of
/// the headers and passes the other on as the client sent it, so that the two count only if they
/// lead to the same address.
pub(super) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let peer = peer.to_canonical();
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    if !is_trusted(&peer) {
        return of_network(peer);
    }
    let walk = |header: HeaderName, addresses: fn(&str) -> Vec<Option<IpAddr>>| {
        if !headers.contains_key(&header) {
            return None;
        }
        let mut last = peer;
        for address in addresses(&joined(headers, &header)).into_iter().rev() {
            let Some(address) = address else { break };
            last = address;
            if !is_trusted(&address) {
                break;
            }
        }
        Some(last)
    };
    let simple = walk(X_FORWARDED_FOR, |text| text.split(',').map(node).collect());
    let forwarded = walk(FORWARDED, |text| elements(text).unwrap_or_default());
    of_network(match (simple, forwarded) {
        (Some(one), Some(other)) if one != other => peer,
        (one, other) => one.or(other).unwrap_or(peer),
    })
}

fn of_network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> V6_BITS << V6_BITS).into(),
    }
}

/// All lines of `header` as one (RFC 9110, section 5.2).
fn joined(headers: &HeaderMap, header: &HeaderName) -> String {
    let lines = headers.get_all(header);
    let lines = lines.map(|line| String::from_utf8_lossy(line.as_bytes()));
    lines.collect::<Vec<_>>().join(",")
}

/// What the elements of a `Forwarded` say in `for`, `None` for one that names no address. `None`
/// for the whole when a quoted string does not end: then nobody can tell who wrote which part.
fn elements(text: &str) -> Option<Vec<Option<IpAddr>>> {
    let elements = split(text, ',')?;
    let elements = elements.into_iter().map(|element| {
        let pairs = split(element, ';')?;
        let mut named = pairs.into_iter().filter_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            name.trim().eq_ignore_ascii_case("for").then_some(value)
        });
        match (named.next(), named.next()) {
            (Some(value), None) => node(value),
            _ => None,
        }
    });
    Some(elements.collect())
}

/// The parts of `text` between `separator`s outside quoted strings.
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

/// An address, perhaps in quotes, in brackets, or with a port.
fn node(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let inside = text.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
    let text = inside.unwrap_or(text);
    let address: IpAddr = if let Some(bracketed) = text.strip_prefix('[') {
        let (address, rest) = bracketed.split_once(']')?;
        if !rest.is_empty() && !rest.starts_with(':') {
            return None;
        }
        address.parse::<Ipv6Addr>().ok()?.into()
    } else {
        match text.split_once(':') {
            // A second colon makes it an IPv6 address.
            Some((address, port)) if !port.contains(':') => address.parse().ok()?,
            _ => text.parse().ok()?,
        }
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests;
