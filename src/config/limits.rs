//! Rate limits, limits of connections, and trusted proxies.

use std::{net::IpAddr, num::NonZeroU32, time::Duration};

use ipnet::{IpNet, Ipv4Net};

use super::{
    SettingsReader,
    parse::items,
    settings::{
        MAX_CONNECTIONS, MAX_CONNECTIONS_PER_ADDRESS, RATE_LIMIT_REQUESTS, RATE_LIMIT_SIGN_IN,
        RATE_LIMIT_SIGN_IN_ACCOUNT, RATE_LIMIT_SIGN_UP, RATE_LIMIT_WRITES, TRUSTED_PROXIES,
    },
};

/// Highest count of a rate. It keeps the interval between requests at 1 µs or more.
const MAX_COUNT: u32 = 1_000_000;

/// `N/second`, `N/minute` or `N/hour`: a burst of N, then one more every 1/N of the period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// N, from 1 to 1,000,000.
    pub count: NonZeroU32,
    /// One second, minute or hour.
    pub period: Duration,
}

/// The rate limits. `None` turns a limit off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitSettings {
    /// `RATE_LIMIT_REQUESTS`, per address.
    pub requests: Option<Rate>,
    /// `RATE_LIMIT_SIGN_UP`, per address.
    pub sign_up: Option<Rate>,
    /// `RATE_LIMIT_SIGN_IN`, per address.
    pub sign_in: Option<Rate>,
    /// `RATE_LIMIT_SIGN_IN_ACCOUNT`, per e-mail address or username.
    pub sign_in_account: Option<Rate>,
    /// `RATE_LIMIT_WRITES`, per user.
    pub writes: Option<Rate>,
    /// `TRUSTED_PROXIES`.
    pub trusted_proxies: Vec<IpNet>,
}

impl LimitSettings {
    pub(super) fn read<L: Fn(&str) -> Option<String>>(
        reader: &mut SettingsReader<L>,
    ) -> Option<Self> {
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

/// The limits of open connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionSettings {
    /// `MAX_CONNECTIONS`.
    pub total: usize,
    /// `MAX_CONNECTIONS_PER_ADDRESS`.
    pub per_address: usize,
    /// `TRUSTED_PROXIES`, which have no limit per address: many clients share their addresses.
    pub trusted_proxies: Vec<IpNet>,
}

impl ConnectionSettings {
    pub(super) fn read<L: Fn(&str) -> Option<String>>(
        reader: &mut SettingsReader<L>,
        limits: Option<&LimitSettings>,
    ) -> Option<Self> {
        let total = reader.read(&MAX_CONNECTIONS, connections);
        let per_address = reader.read(&MAX_CONNECTIONS_PER_ADDRESS, connections);
        Some(Self {
            total: total?,
            per_address: per_address?,
            trusted_proxies: limits?.trusted_proxies.clone(),
        })
    }
}

fn connections(text: &str) -> Result<usize, String> {
    let count = text.parse().ok();
    count
        .filter(|count| (1..=MAX_COUNT as usize).contains(count))
        .ok_or_else(|| format!("`{text}` is not an integer from 1 to {MAX_COUNT}"))
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
    match (count.filter(|count| count.get() <= MAX_COUNT), seconds) {
        (Some(count), Some(seconds)) => Ok(Some(Rate {
            count,
            period: Duration::from_secs(seconds),
        })),
        _ => Err(format!(
            "`{text}` is neither `off` nor a rate such as 30/minute; expected an integer from 1 to {MAX_COUNT} per second, minute or hour"
        )),
    }
}

pub(super) fn networks(text: &str) -> Result<Vec<IpNet>, String> {
    items(text).map(network).collect()
}

/// Parses an address or a network. An IPv4-mapped IPv6 network becomes an IPv4 network.
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
