//! The header `traceparent` (W3C Trace Context, level 1).

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// The length of a header of version 00. Later versions may append more after a hyphen.
const LENGTH: usize = 55;

/// The span in the caller that `traceparent` names. `None` if it is malformed, and then ignored, as the
/// specification demands.
///
/// `tracestate` is not read: the service sends traces to no other service, and the header could fill
/// the queue of spans with the client's text.
#[must_use]
pub fn parent(traceparent: &str) -> Option<SpanContext> {
    let is_hex = |text: &str| {
        let mut bytes = text.bytes();
        bytes.all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let (fields, rest) = traceparent.split_at_checked(LENGTH)?;
    let fields: Vec<&str> = fields.split('-').collect();
    let [version, trace_id, span_id, flags] = fields[..] else {
        return None;
    };
    let lengths = [version, trace_id, span_id, flags].map(str::len);
    let is_valid = fields.iter().all(|field| is_hex(field)) && lengths == [2, 32, 16, 2];
    let has_valid_rest = rest.is_empty() || version != "00" && rest.starts_with('-');
    if !is_valid || !has_valid_rest || version == "ff" {
        return None;
    }
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
    let caller = SpanContext::new(
        TraceId::from_hex(trace_id).ok()?,
        SpanId::from_hex(span_id).ok()?,
        flags,
        true,
        TraceState::NONE,
    );
    caller.is_valid().then_some(caller)
}

#[cfg(test)]
mod tests {
    use super::parent;

    const IDS: &str = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";

    #[test]
    fn the_flag_says_whether_the_caller_records_its_trace() {
        for (flags, is_sampled) in [("01", true), ("00", false), ("ff", true), ("02", false)] {
            let caller = parent(&format!("00-{IDS}-{flags}")).expect(flags);
            assert_eq!(caller.is_sampled(), is_sampled, "{flags}");
            let ids = format!("{}-{}", caller.trace_id(), caller.span_id());
            assert_eq!(ids, IDS);
        }
    }

    #[test]
    fn a_later_version_may_have_more_fields() {
        for (header, is_valid) in [
            (format!("cc-{IDS}-01-what-the-future-brings"), true),
            (format!("cc-{IDS}-01"), true),
            (format!("cc-{IDS}-01.what"), false),
            (format!("00-{IDS}-01-more"), false),
            (format!("ff-{IDS}-01"), false),
        ] {
            assert_eq!(parent(&header).is_some(), is_valid, "{header}");
        }
    }

    #[test]
    fn a_malformed_header_names_no_span() {
        for header in [
            String::new(),
            format!("00-{IDS}"),
            format!("00-{IDS}-1"),
            format!("0-{IDS}-011"),
            format!("00-{}-01", IDS.to_uppercase()),
            format!("00-{}-01", IDS.replace('-', "a-")),
            format!("+0-{IDS}-01"),
            format!("00-{}-b7ad6b7169203331-01", "0".repeat(32)),
            format!("00-0af7651916cd43dd8448eb211c80319c-{}-01", "0".repeat(16)),
            format!("00-{IDS}-é"),
        ] {
            assert!(parent(&header).is_none(), "{header}");
        }
    }
}
