//! The endpoints to which webhooks may be delivered.

use ipnet::IpNet;

use super::{
    SettingsReader,
    limits::networks,
    parse::{boolean, items},
    settings::{WEBHOOK_ALLOW_HTTP, WEBHOOK_ALLOWED_HOSTS, WEBHOOK_ALLOWED_NETWORKS},
};

/// The settings of webhooks. By default every `https` endpoint with a public address is allowed.
#[derive(Clone, Debug, Default)]
pub struct WebhookSettings {
    /// `WEBHOOK_ALLOW_HTTP`.
    pub allow_http: bool,
    /// `WEBHOOK_ALLOWED_HOSTS`; empty for all.
    pub hosts: Vec<HostPattern>,
    /// `WEBHOOK_ALLOWED_NETWORKS`: allowed although they are not public.
    pub networks: Vec<IpNet>,
}

/// A host name, or `*.` and the name above it: then any number of labels may stand before the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern(String);

impl HostPattern {
    /// Whether `host`, in lower case, fits.
    #[must_use]
    pub fn fits(&self, host: &str) -> bool {
        match self.0.strip_prefix('*') {
            Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
            None => host == self.0,
        }
    }
}

impl WebhookSettings {
    pub(super) fn read<L: Fn(&str) -> Option<String>>(
        reader: &mut SettingsReader<L>,
    ) -> Option<Self> {
        let allow_http = reader.read(&WEBHOOK_ALLOW_HTTP, boolean);
        let hosts = reader.read(&WEBHOOK_ALLOWED_HOSTS, hosts);
        let networks = reader.read(&WEBHOOK_ALLOWED_NETWORKS, networks);
        Some(Self {
            allow_http: allow_http?,
            hosts: hosts?,
            networks: networks?,
        })
    }
}

fn hosts(text: &str) -> Result<Vec<HostPattern>, String> {
    let host = |item: &str| {
        let item = item.to_ascii_lowercase();
        let name = item.strip_prefix("*.").unwrap_or(&item);
        let is_name = !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        if is_name {
            Ok(HostPattern(item))
        } else {
            Err(format!(
                "`{item}` is neither a host such as hooks.example.com nor a pattern such as *.example.com"
            ))
        }
    };
    items(text).map(host).collect()
}
