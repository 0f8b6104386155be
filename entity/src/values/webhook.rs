//! Values of webhooks.

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};
use rand::Rng;
use sea_orm::DeriveValueType;
use url::{Host, Url};
use utoipa::openapi::{
    ObjectBuilder,
    schema::{KnownFormat, Schema, SchemaFormat, Type},
};

use super::Invalid;

/// The URL of an endpoint: `https` or `http`, without user, password and fragment. `Debug` shows only the
/// host, because path and query can be a credential.
#[derive(Clone, PartialEq, Eq, DeriveValueType)]
#[sea_orm(column_type = "Text")]
pub struct WebhookUrl(String);

impl WebhookUrl {
    /// In bytes, normalised.
    const MAX_LENGTH: usize = 2000;

    /// Accepts an absolute URL with `https` or `http`, without user, password and fragment, of at most 2,000 bytes
    /// when it is normalised. Ports below 1024 other than 80 and 443 belong to other protocols.
    pub fn parse(text: impl AsRef<str>) -> Result<Self, Invalid> {
        let format = |message| Invalid::new("format", message);
        let url = Url::parse(text.as_ref()).map_err(|_| format("must be an absolute URL"))?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(format("must begin with https://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(format("must not have a user or a password"));
        }
        if url.fragment().is_some() {
            return Err(format("must not have a fragment"));
        }
        if matches!(url.port(), Some(port) if port < 1024 && ![80, 443].contains(&port)) {
            return Err(format("must have port 80, 443 or one from 1024 on"));
        }
        let url = String::from(url);
        if url.len() > Self::MAX_LENGTH {
            return Err(Invalid::new(
                "length",
                "must be at most 2000 characters, percent-encoded",
            ));
        }
        Ok(Self(url))
    }

    /// The URL itself, normalised.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The URL; `None` if the database has another text.
    fn url(&self) -> Option<Url> {
        Url::parse(&self.0).ok()
    }

    /// The host, in the form that a request uses: numbers in other notations than dotted decimals are
    /// addresses here.
    #[must_use]
    pub fn host(&self) -> Option<Host> {
        self.url()?.host().map(|host| host.to_owned())
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.host().map(|host| host.to_string());
        write!(f, "WebhookUrl({})", host.unwrap_or_default())
    }
}

input_value!(
    WebhookUrl,
    read_text,
    Schema::from(
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Uri)))
            .max_length(Some(Self::MAX_LENGTH))
            .pattern(Some("^[hH][tT][tT][pP][sS]?://[^@#]+$"))
            .examples(["https://hooks.example.com/acclaim"])
    )
);

/// The key that signs deliveries: `whsec_` and 32 random bytes in base64, as Standard Webhooks specifies.
#[derive(Clone, PartialEq, Eq, DeriveValueType)]
#[sea_orm(column_type = "Text")]
pub struct WebhookSecret(String);

impl WebhookSecret {
    /// A random secret.
    #[must_use]
    pub fn random() -> Self {
        let mut bytes = [0; 32];
        rand::rng().fill_bytes(&mut bytes);
        Self(format!("whsec_{}", BASE64_STANDARD.encode(bytes)))
    }

    /// The secret itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(hidden)")
    }
}
