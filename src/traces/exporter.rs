//! Sends spans to the collector.

use std::{
    error::Error,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use opentelemetry::{InstrumentationScope, trace::TracerProvider};
use opentelemetry_otlp::{WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{self, SdkTracerProvider, SpanData, SpanExporter},
};
use reqwest::{blocking::Client, redirect};
use tokio::task::spawn_blocking;

use super::TRACER;
use crate::config::{Sampler, TraceSettings};

/// Maximum time for one batch of spans, its repetitions included.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum time for the last batches when the service stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);

/// A thread that sends spans in batches. Up to 2,048 wait; while there are more, they are dropped. The
/// SDK logs the first one that is, and their number at the end.
pub struct Exporter(SdkTracerProvider);

impl Exporter {
    /// Turns traces on. Does not wait for the collector.
    ///
    /// # Errors
    /// If the collector has TLS, and the system has no certificates.
    pub async fn start(settings: TraceSettings) -> Result<Self, String> {
        // The blocking client must be built on a thread without a runtime.
        let provider = spawn_blocking(move || provider(settings)).await;
        let provider = provider.map_err(|error| error.to_string())??;
        let scope =
            InstrumentationScope::builder("acclaim").with_version(env!("CARGO_PKG_VERSION"));
        let _ = TRACER.set(provider.tracer_with_scope(scope.build()));
        Ok(Self(provider))
    }

    /// Sends what waits, for at most 3 s.
    pub async fn stop(self) {
        let stopped = spawn_blocking(move || self.0.shutdown_with_timeout(STOP_TIMEOUT)).await;
        if let Ok(Err(error)) = stopped {
            tracing::warn!(%error, "the last traces were not sent in time");
        }
    }
}

fn provider(settings: TraceSettings) -> Result<SdkTracerProvider, String> {
    let error = |cause: &dyn Error| {
        let cause = cause
            .source()
            .map_or_else(|| cause.to_string(), ToString::to_string);
        format!("cannot send traces: {cause}")
    };
    let mut client = Client::builder()
        .timeout(EXPORT_TIMEOUT)
        // The headers are for the collector alone.
        .redirect(redirect::Policy::none());
    if settings.endpoint.scheme() == "http" {
        // Otherwise it fails on a system without certificates.
        client = client.tls_certs_only([]);
    }
    let client = client.build().map_err(|cause| error(&cause))?;
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_endpoint(settings.endpoint)
        .with_timeout(EXPORT_TIMEOUT)
        .with_headers(settings.headers.0.into_iter().collect())
        .build()
        .map_err(|cause| error(&cause))?;
    let resource = Resource::builder().with_service_name(settings.service_name);
    Ok(SdkTracerProvider::builder()
        .with_resource(resource.build())
        .with_sampler(sampler(settings.sampler))
        .with_batch_exporter(Reporting {
            exporter,
            lost: AtomicUsize::default(),
        })
        .build())
}

fn sampler(sampler: Sampler) -> trace::Sampler {
    let root = trace::Sampler::TraceIdRatioBased(sampler.ratio);
    if sampler.parent_based {
        trace::Sampler::ParentBased(Box::new(root))
    } else {
        root
    }
}

/// Logs when the collector begins and ceases to refuse spans. The SDK would log each batch.
#[derive(Debug)]
struct Reporting {
    exporter: opentelemetry_otlp::SpanExporter,
    /// The spans that were lost since the collector last took some.
    lost: AtomicUsize,
}

impl SpanExporter for Reporting {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        match self.exporter.export(batch).await {
            Ok(()) => {
                let lost = self.lost.swap(0, Ordering::Relaxed);
                if lost > 0 {
                    tracing::info!(lost, "the collector takes traces again");
                }
            }
            Err(error) => {
                if self.lost.fetch_add(spans, Ordering::Relaxed) == 0 {
                    tracing::warn!(%error, "traces are lost until the collector takes them again");
                }
            }
        }
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        let lost = self.lost.load(Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(lost, "the collector did not take the last traces");
        }
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
