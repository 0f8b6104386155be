//! `/events`

mod query;
mod stream;
mod types;

use std::collections::VecDeque;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        Method,
        header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, LINK, VARY},
    },
    web::Data,
};
use entity::values::{EventPosition, Scope};
use futures_util::stream::unfold;
use secrecy::ExposeSecret;

use crate::{
    error::Error,
    http::{
        Problem, Query, Route, State,
        event_stream::EVENT_STREAM,
        link, page,
        problem::types::{EVENTS_EXPIRED, TOO_MANY_EXPENSIVE_READS, TOO_MANY_STREAMS},
        route::route,
    },
    services::{
        auth::{Identity, tickets},
        events::{self, Extent, Reader, Told, Viewer},
    },
};
use query::{EventParameters, Include, position};
use stream::{Stream, first};
use types::{Event, EventTicket};

/// Maximum number of events that one step reads.
const ROWS: u64 = 500;
/// Maximum number of steps of a page, whose filter may select few events.
const STEPS: usize = 10;
/// Tells nginx to pass a stream on at once.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

pub(super) fn routes() -> Vec<Route> {
    vec![
        route!(list).streams(Scope::EventsRead).fails_with(&[
            EVENTS_EXPIRED,
            TOO_MANY_STREAMS,
            TOO_MANY_EXPENSIVE_READS,
        ]),
        route!(create_ticket).needs(Scope::EventsRead),
    ]
}

/// Follow what happens
///
/// The events that the caller may see, by the same rule as in lists and searches, at the time when the
/// server reads them. Changes of one post, vote or user are in their order.
///
/// With `Accept: text/event-stream` the response is a stream of Server-Sent Events, which ends only if the
/// server stops, the credential ends (`event: unauthorized`) or the client does not keep up (`event:
/// too-slow`). `id` of an event is its position, `event` its kind and `data` the JSON of an event. After a
/// pause, send the last position as `Last-Event-ID`, as browsers do, and nothing is missing. `event: reset`
/// means that events are missing: read the lists that you follow again.
///
/// Otherwise the response is a page of JSON. Follow `next` in `Link`; if the page is empty, wait before
/// that.
///
/// A browser's `EventSource` sends no token. Give it a `ticket`, from `POST /events/tickets`.
#[utoipa::path(
    get, path = "/events", tag = "events", operation_id = "listEvents",
    params(
        EventParameters,
        ("Last-Event-ID" = Option<i64>, Header, description = "The position of the last event that the client has. It replaces `after`", nullable = false, minimum = 0),
    ),
    responses((status = 200, description = "A page of events, or a stream", headers(
        ("Link" = String, description = "The URI of the page `next` (RFC 8288)"),
        ("Vary" = String, description = "`Accept, Authorization`"),
    ), content(
        ([Event] = "application/json"),
        (String = "text/event-stream", example = "id: 42\nevent: post.created\ndata: {\"position\":42,\"kind\":\"post.created\",\"at\":\"2026-11-21T06:00:42.915716Z\",\"post_id\":1,\"owner_id\":1}\n\n"),
    ))),
)]
async fn list(
    caller: Option<Identity>,
    Query(parameters): Query<EventParameters>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let with_posts = parameters.include == Some(Include::Post);
    if let Some(caller) = caller.as_ref().filter(|_| with_posts)
        && !caller.scopes.contains(Scope::PostsRead)
    {
        let scope = Scope::PostsRead;
        return Err(Error::InsufficientScope { scope }.into());
    }
    let after = position(&request, &parameters)?;
    let viewer = caller.as_ref().map(Viewer::from).unwrap_or_default();
    let filter = parameters.filter(&state.db, viewer.user).await?;
    let reader = Reader {
        viewer,
        filter,
        with_posts,
    };
    let media_type = mime::TEXT_EVENT_STREAM;
    if page::prefers(&request, &media_type) {
        stream(&request, state, caller, reader, after).await
    } else {
        // A page reads up to 5,000 events.
        let _place = state
            .limits
            .begin_expensive_read(&request, viewer.user)
            .await?;
        json(&request, &state, &reader, after, parameters.limit.get()).await
    }
}

/// The JSON of an event, as in pages and streams, for the messages of webhooks.
///
/// # Errors
/// If metadata in the database is not JSON.
pub fn render_event(delivery: &events::Delivery) -> serde_json::Result<String> {
    serde_json::to_string(&Event::from(delivery))
}

async fn json(
    request: &HttpRequest,
    state: &State,
    reader: &Reader,
    after: Option<EventPosition>,
    limit: u64,
) -> Result<HttpResponse, Problem> {
    let extent = events::extent(&state.db).await?;
    let begin = start(extent, after)?.unwrap_or(extent.last);
    let mut end = begin;
    let kinds = reader.filter.kinds_in_log();
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut told: Vec<Told> = Vec::new();
    for _ in 0..STEPS {
        if end >= extent.last || told.len() >= limit {
            break;
        }
        let page = events::read(&state.db.read_list(), end, extent.last, kinds, ROWS).await?;
        let more = page.events.iter().filter_map(|event| reader.told(event));
        told.extend(more.take(limit - told.len()));
        end = match told.last() {
            Some(newest) if told.len() == limit => newest.position,
            _ => page.end,
        };
    }
    let now = events::extent(&state.db).await?;
    if after.is_some() && begin < now.before_first {
        // Events were removed before they were read.
        let (after, last) = (begin, now.last);
        return Err(Error::EventsExpired { after, last }.into());
    }
    let deliveries = reader.with_posts(&state.db, &told).await?;
    let events: Vec<Event> = deliveries.iter().map(Event::from).collect();
    let mut response = HttpResponse::Ok();
    response.insert_header((VARY, "Accept, Authorization"));
    if let Some(next) = link::next(request, "after", end, &["ticket"]) {
        response.insert_header((LINK, next));
    }
    Ok(response.json(events))
}

/// The position to start after, if `after` names one. 0 is before the oldest event.
///
/// # Errors
/// [`Error::EventsExpired`] if events after it are missing, or if the log does not have it.
fn start(extent: Extent, after: Option<EventPosition>) -> Result<Option<EventPosition>, Error> {
    let Extent { before_first, last } = extent;
    match after {
        None => Ok(None),
        Some(EventPosition::START) => Ok(Some(before_first)),
        Some(after) if after < before_first || after > last => {
            Err(Error::EventsExpired { after, last })
        }
        Some(after) => Ok(Some(after)),
    }
}

async fn stream(
    request: &HttpRequest,
    state: Data<State>,
    identity: Option<Identity>,
    reader: Reader,
    after: Option<EventPosition>,
) -> Result<HttpResponse, Problem> {
    let mut response = HttpResponse::Ok();
    response
        .insert_header((CONTENT_TYPE, EVENT_STREAM))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((VARY, "Accept, Authorization"))
        .insert_header((X_ACCEL_BUFFERING, "no"));
    if request.method() == Method::HEAD {
        return Ok(response.finish());
    }
    let place = state
        .streams
        .begin(&state.limits, request, reader.viewer.user)?;
    // Before the extent is read, so that no event is between them.
    let subscription = state.events.subscribe(reader.filter.kinds_in_log());
    let subscription =
        subscription.ok_or_else(|| Error::unavailable("the log was not read yet"))?;
    let tail = subscription.tail();
    let extent = events::extent(&state.db).await?;
    let (position, reset) = match start(extent, after) {
        Ok(position) => (position.unwrap_or(extent.last), None),
        Err(Error::EventsExpired { last, .. }) => (last, Some(last)),
        Err(error) => return Err(error.into()),
    };
    let stream = Stream {
        state,
        identity,
        reader,
        subscription,
        position,
        known: tail,
        with_posts: VecDeque::new(),
        first: Some(first(reset)),
        is_checked: false,
        ended: false,
        _place: place,
    };
    // Boxed, because the futures around it would contain it several times.
    let stream = unfold(Box::new(stream), |mut stream| async move {
        let bytes = stream.next().await?;
        Some((Ok::<_, Error>(bytes), stream))
    });
    Ok(response.streaming(stream))
}

/// Get a ticket for a stream
///
/// `GET /events?ticket=TICKET` accepts it in place of a token, once and within 30 seconds, with the rights of
/// this request. For `EventSource`, which sends no headers: a token must not be in a URL.
///
/// Safe to repeat without `Idempotency-Key`: a second request gets another ticket.
#[utoipa::path(
    post, path = "/events/tickets", tag = "events", operation_id = "createEventTicket",
    responses((status = 201, description = "The ticket", body = EventTicket, headers(("Cache-Control" = String, description = "`no-store`")))),
)]
async fn create_ticket(caller: Identity, state: Data<State>) -> Result<HttpResponse, Problem> {
    let ticket = tickets::create(&state.db, &caller).await?;
    Ok(HttpResponse::Created().json(EventTicket {
        ticket: ticket.expose_secret().to_owned(),
        expires_in: tickets::LIFETIME.whole_seconds(),
    }))
}
