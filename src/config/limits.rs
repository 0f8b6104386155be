//! How often somebody may ask, and whose word counts on who asks.

use std::{net::IpAddr, num::NonZeroU32, time::Duration};

use ipnet::{IpNet, Ipv4Net};

use super::{
    Reader,
    settings::{
        RATE_LIMIT_REQUESTS, RATE_LIMIT_SIGN_IN, RATE_LIMIT_SIGN_IN_ACCOUNT, RATE_LIMIT_SIGN_UP,
        RATE_LIMIT_WRITES, TRUSTED_PROXIES,
    },
};

/// Highest count of a rate: above it the time of one request would be no whole nanoseconds.
const HIGHEST: u32 = 1_000_000;

/// `N/second`, `N/minute` or `N/hour`: N at once, and then one more each Nth part of the period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// N, 1 to 1,000,000.
    pub count: NonZeroU32,
    /// A second, a minute or an hour.
    pub period: Duration,
}

/// The limits of a run; `None` is off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// `RATE_LIMIT_REQUESTS`, of an address.
    pub requests: Option<Rate>,
    /// `RATE_LIMIT_SIGN_UP`, of an address.
    pub sign_up: Option<Rate>,
    /// `RATE_LIMIT_SIGN_IN`, of an address.
    pub sign_in: Option<Rate>,
    /// `RATE_LIMIT_SIGN_IN_ACCOUNT`, of a name to sign in with.
    pub sign_in_account: Option<Rate>,
    /// `RATE_LIMIT_WRITES`, of a user.
    pub writes: Option<Rate>,
    /// `TRUSTED_PROXIES`.
    pub trusted_proxies: Vec<IpNet>,
}

impl Limits {
    pub(super) fn read<L: Fn(&str) -> Option<String>>(reader: &mut Reader<L>) -> Option<Self> {
        let requests = reader.read(&RATE_LIMIT_REQUESTS, rate);
        let sign_up = reader.read(&RATE_LIMIT_SIGN_UP, rate);
        let sign_in = reader.read(&RATE_LIMIT_SIGN_IN, rate);
        let sign_in_account = reader.read(&RATE_LIMIT_SIGN_IN_ACCOUNT, rate);
        let writes = reader.read(&RATE_LIMIT_WRITES, rate);
        let trusted_proxies = reader.read(&TRUSTED_PROXIES, networks);
        Some(Self {
            requests: requests?,
            sign_up: sign_up?,
            sign_in: sign_in?,
            sign_in_account: sign_in_account?,
            writes: writes?,
            trusted_proxies: trusted_proxies?,
        })
    }
}

fn rate(text: &str) -> Result<Option<Rate>, String> {
    let text = text.to_ascii_lowercase();
    if text == "off" {
        return Ok(None);
    }
    let (count, period) = text.split_once('/').unwrap_or_default();
    let count = count.trim().parse::<NonZeroU32>().ok();
    let seconds = match period.trim() {
        "second" => Some(1),
        "minute" => Some(60),
        "hour" => Some(3600),
        _ => None,
    };
    match (count.filter(|count| count.get() <= HIGHEST), seconds) {
        (Some(count), Some(seconds)) => Ok(Some(Rate {
            count,
            period: Duration::from_secs(seconds),
        })),
        _ => Err(format!(
            "`{text}` is neither `off` nor such as 30/minute, a whole number from 1 to {HIGHEST} a second, minute or hour"
        )),
    }
}

fn networks(text: &str) -> Result<Vec<IpNet>, String> {
    text.split(',')
        .map(str::trim)
        .filter(|network| !network.is_empty())
        .map(network)
        .collect()
}

/// A network of IPv4 addresses written as IPv6 ones is one of IPv4.
fn network(text: &str) -> Result<IpNet, String> {
    let address = text.parse::<IpAddr>().map(IpNet::from);
    let network = address.or_else(|_| text.parse()).map_err(|_| {
        format!("`{text}` is not an address or a network such as 127.0.0.1 or 10.0.0.0/8")
    })?;
    let IpNet::V6(mapped) = network else {
        return Ok(network);
    };
    let v4 = mapped.network().to_ipv4_mapped();
    let length = mapped.prefix_len().checked_sub(96);
    let v4 = v4
        .zip(length)
        .and_then(|(v4, length)| Ipv4Net::new(v4, length).ok());
    Ok(v4.map_or(network, IpNet::V4))
}
