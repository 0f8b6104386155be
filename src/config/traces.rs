//! Where traces are sent, and which requests have one. The names are those of the OpenTelemetry
//! specification.

use std::fmt;

use actix_web::http::header::{HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use url::Url;

use super::{
    SettingsReader,
    parse::optional_url,
    settings::{
        OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS, OTEL_SERVICE_NAME,
        OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG,
    },
};

/// Maximum length of the name of the service, in bytes.
const MAX_NAME: usize = 255;

/// The settings of traces.
#[derive(Clone, Debug)]
pub struct TraceSettings {
    /// `OTEL_EXPORTER_OTLP_ENDPOINT` with the path of traces.
    pub endpoint: Url,
    /// `OTEL_EXPORTER_OTLP_HEADERS`.
    pub headers: CollectorHeaders,
    /// `OTEL_SERVICE_NAME`.
    pub service_name: String,
    /// `OTEL_TRACES_SAMPLER`, and the ratio of `OTEL_TRACES_SAMPLER_ARG`.
    pub sampler: Sampler,
}

/// The headers of requests to the collector: names and values. `Debug` hides them, because they may be
/// credentials.
#[derive(Clone, Default)]
pub struct CollectorHeaders(pub Vec<(String, String)>);

/// Decides which requests have a trace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampler {
    /// A request with `traceparent` has one if the caller says so.
    pub parent_based: bool,
    /// The share of the other requests, from 0 to 1.
    pub ratio: f64,
}

impl TraceSettings {
    /// `Some(None)` if traces are off.
    #[expect(
        clippy::option_option,
        reason = "the outer one is `None` after an error"
    )]
    pub(super) fn read<L: Fn(&str) -> Option<String>>(
        reader: &mut SettingsReader<L>,
    ) -> Option<Option<Self>> {
        let endpoint = reader.read(&OTEL_EXPORTER_OTLP_ENDPOINT, endpoint);
        let headers = reader.read(&OTEL_EXPORTER_OTLP_HEADERS, headers);
        let service_name = reader.read(&OTEL_SERVICE_NAME, service_name);
        let ratio = reader.read(&OTEL_TRACES_SAMPLER_ARG, ratio);
        let sampler = reader.read(&OTEL_TRACES_SAMPLER, |name| sampler(name, ratio));
        let (headers, service_name, sampler) = (headers?, service_name?, sampler?);
        ratio?;
        Some(endpoint?.map(|endpoint| Self {
            endpoint,
            headers,
            service_name,
            sampler,
        }))
    }
}

fn endpoint(text: &str) -> Result<Option<Url>, String> {
    let refused = "is not an http or https URL without username, password and query, such as http://127.0.0.1:4318";
    let of_traces = |mut url: Url| {
        let path = format!("{}/v1/traces", url.path().trim_end_matches('/'));
        url.set_path(&path);
        (url.query().is_none() && url.fragment().is_none()).then_some(url)
    };
    optional_url(text, of_traces, refused)
}

/// Errors name the position and not the text, which may be a credential.
fn headers(text: &str) -> Result<CollectorHeaders, String> {
    let parts = text.split(',').map(str::trim);
    let parts = parts.enumerate().filter(|(_, part)| !part.is_empty());
    let headers = parts.map(|(index, part)| {
        header(part).ok_or_else(|| {
            format!(
                "header {} is not NAME=VALUE with a percent-encoded value, such as x-api-key=abc",
                index + 1
            )
        })
    });
    headers.collect::<Result<_, _>>().map(CollectorHeaders)
}

fn header(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=')?;
    let name = name.trim().parse::<HeaderName>().ok()?;
    let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
    HeaderValue::from_str(&value).ok()?;
    Some((name.to_string(), value.into_owned()))
}

fn service_name(text: &str) -> Result<String, String> {
    let is_valid = text.len() <= MAX_NAME && !text.contains(char::is_control);
    let refused = || format!("is longer than {MAX_NAME} bytes or has control characters");
    is_valid.then(|| text.to_owned()).ok_or_else(refused)
}

fn ratio(text: &str) -> Result<f64, String> {
    let ratio = text
        .parse()
        .ok()
        .filter(|ratio| (0.0..=1.0).contains(ratio));
    ratio.ok_or_else(|| format!("`{text}` is not a number from 0 to 1"))
}

/// An invalid `ratio` is another error.
fn sampler(name: &str, ratio: Option<f64>) -> Result<Sampler, String> {
    let (parent_based, root) = match name.strip_prefix("parentbased_") {
        Some(root) => (true, root),
        None => (false, name),
    };
    let ratio = match root {
        "always_on" => 1.0,
        "always_off" => 0.0,
        "traceidratio" => ratio.unwrap_or_default(),
        _ => {
            return Err(format!(
                "`{name}` is none of always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off and parentbased_traceidratio"
            ));
        }
    };
    Ok(Sampler {
        parent_based,
        ratio,
    })
}

impl fmt::Debug for CollectorHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CollectorHeaders(..)")
    }
}
