//! The endpoints to which the service sends requests. A user chooses the URL, so without rules every user
//! could send requests into the operator's network (server-side request forgery).

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use entity::values::{Invalid, WebhookUrl};
use ipnet::{Ipv4Net, Ipv6Net};
use url::Host;

use crate::config::WebhookSettings;

/// Addresses that are not public, from the IANA registry of special-purpose addresses (RFC 6890), and
/// multicast.
const SPECIAL_V4: [Ipv4Net; 15] = [
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    v4([169, 254, 0, 0], 16),
    v4([172, 16, 0, 0], 12),
    v4([192, 0, 0, 0], 24),
    v4([192, 0, 2, 0], 24),
    v4([192, 88, 99, 0], 24),
    v4([192, 168, 0, 0], 16),
    v4([198, 18, 0, 0], 15),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    v4([224, 0, 0, 0], 4),
    v4([240, 0, 0, 0], 4),
];
/// Only this network has public IPv6 addresses. It contains neither IPv4-mapped addresses nor those of NAT64
/// (`64:ff9b::/96`), which lead to IPv4.
const GLOBAL_V6: Ipv6Net = v6([0x2000, 0, 0], 3);
/// The parts of it that are not public, or lead to IPv4: protocol assignments with Teredo, documentation,
/// 6to4, documentation.
const SPECIAL_V6: [Ipv6Net; 4] = [
    v6([0x2001, 0, 0], 23),
    v6([0x2001, 0xdb8, 0], 32),
    v6([0x2002, 0, 0], 16),
    v6([0x3fff, 0, 0], 20),
];

const fn v4([a, b, c, d]: [u8; 4], length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6([a, b, c]: [u16; 3], length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), length)
}

/// The rules for endpoints. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Policy(Arc<WebhookSettings>);

impl Policy {
    /// The rules of `settings`.
    #[must_use]
    pub fn new(settings: WebhookSettings) -> Self {
        Self(settings.into())
    }

    /// Checks a URL by itself. Its host is not resolved: that happens, with a check of the addresses, at each
    /// connection.
    ///
    /// # Errors
    /// The reason, for the user.
    pub fn check(&self, url: &WebhookUrl) -> Result<(), Invalid> {
        let Self(settings) = self;
        let refused = |message| Invalid::new("refused", message);
        if !settings.allow_http && !url.as_str().starts_with("https:") {
            return Err(refused("must begin with https://"));
        }
        let host = url.host().ok_or_else(|| refused("must have a host"))?;
        let name = host.to_string();
        if !settings.hosts.is_empty() && !settings.hosts.iter().any(|pattern| pattern.fits(&name)) {
            return Err(refused("must have a host that the operator allows"));
        }
        let address = match host {
            Host::Ipv4(address) => address.into(),
            Host::Ipv6(address) => address.into(),
            Host::Domain(_) => return Ok(()),
        };
        if self.permits(address) {
            return Ok(());
        }
        Err(refused("must have a public address"))
    }

    /// Whether the service may connect to `address`.
    #[must_use]
    pub fn permits(&self, address: IpAddr) -> bool {
        let Self(settings) = self;
        let is_allowed = settings.networks.iter().any(|net| net.contains(&address));
        is_allowed || is_public(address)
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|net| net.contains(&address)),
        IpAddr::V6(address) => {
            GLOBAL_V6.contains(&address) && !SPECIAL_V6.iter().any(|net| net.contains(&address))
        }
    }
}

#[cfg(test)]
mod tests;
