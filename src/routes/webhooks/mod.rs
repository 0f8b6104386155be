//! `/webhooks`

mod types;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{LINK, LOCATION},
    },
    web::{Data, Json},
};
use entity::{
    users::Role,
    values::{Scope, WebhookId},
    webhooks::Model,
};

use crate::{
    http::{
        Body, CurrentSession, Id, PositionSegment, Problem, Query, Route, State,
        idempotency::Keyed,
        link,
        problem::types::{
            ANSWER_NOT_STORED, EVENTS_EXPIRED, NOT_FOUND, QUOTA_EXCEEDED, ROLE_REQUIRED,
            SERVICE_BUSY, WEBHOOK_DISABLED, WEBHOOK_LIMIT, WEBHOOK_TEST_RUNNING,
        },
        route::route,
    },
    services::{
        auth::Identity,
        idempotency::{self, StoredAnswer},
        webhooks::{self, NewWebhook},
    },
};
pub(super) use types::Webhook;
use types::{Delivery, DeliveryParameters, Redelivery, WebhookCreate, WebhookTest, WebhookUpdate};

pub(super) fn routes() -> Vec<Route> {
    vec![
        route!(create)
            .needs_full_session()
            .idempotent()
            .fails_with(&[
                WEBHOOK_LIMIT,
                ROLE_REQUIRED,
                ANSWER_NOT_STORED,
                QUOTA_EXCEEDED,
            ]),
        route!(list).needs(Scope::Account),
        route!(get).needs(Scope::Account).fails_with(&[NOT_FOUND]),
        route!(update).needs_full_session().fails_with(&[NOT_FOUND]),
        route!(delete)
            .needs(Scope::Account)
            .fails_with(&[NOT_FOUND]),
        route!(rotate_secret)
            .needs_full_session()
            .idempotent()
            .fails_with(&[NOT_FOUND, ANSWER_NOT_STORED, QUOTA_EXCEEDED]),
        route!(send_test).needs(Scope::Account).fails_with(&[
            NOT_FOUND,
            WEBHOOK_TEST_RUNNING,
            SERVICE_BUSY,
        ]),
        route!(deliveries)
            .needs(Scope::Account)
            .fails_with(&[NOT_FOUND]),
        route!(redeliver).needs(Scope::Account).fails_with(&[
            NOT_FOUND,
            WEBHOOK_DISABLED,
            EVENTS_EXPIRED,
        ]),
        route!(redeliver_one)
            .needs(Scope::Account)
            .fails_with(&[NOT_FOUND, WEBHOOK_DISABLED]),
    ]
}

/// The stored answer of a request that creates a secret, which must not be stored.
fn withheld(keyed: idempotency::KeyedRequest) -> idempotency::Keyed<Model> {
    keyed.answered_by(|webhook: &Model| {
        let location = format!("/webhooks/{}", webhook.id);
        Ok(StoredAnswer::withheld(
            StatusCode::CREATED.as_u16(),
            &location,
        ))
    })
}

/// Create a webhook
///
/// The endpoint gets every event from now on that the caller may see at the time of the delivery, by a `POST`
/// with JSON, signed as Standard Webhooks 1.0 specifies. Answer 2xx within 15 seconds. Otherwise the delivery is
/// tried 9 more times in 3 days, with the same `webhook-id`. 410 disables the webhook, and so does a failure 5
/// days after the last success or later. Requires the access token of a session with every scope: the webhook goes on after the session.
///
/// The response is not stored, because it has the secret. If the request is repeated with its
/// `Idempotency-Key`, the response is 409 (`answer-not-stored`) and names the webhook.
#[utoipa::path(
    post, path = "/webhooks", tag = "webhooks", operation_id = "createWebhook",
    request_body = WebhookCreate,
    responses(
        (status = 201, description = "The new webhook, with its secret, which is not shown again", body = Webhook, headers(
            ("Location" = String, description = "The path of the webhook"),
            ("Cache-Control" = String, description = "`no-store`"),
        )),
    ),
)]
async fn create(
    session: CurrentSession,
    Body(new): Body<WebhookCreate>,
    Keyed(keyed): Keyed,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let selection = new.selection();
    let new = NewWebhook {
        user_id: session.identity.id,
        session_id: session.id,
        is_admin: session.identity.acts_as(Role::Admin),
        url: new.url,
        selection,
        sees_all: new.everything,
    };
    let keyed = keyed.map(withheld);
    let webhook = webhooks::create(&state.db, &state.webhooks, new, keyed.as_ref()).await?;
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/webhooks/{}", webhook.id)))
        .json(Webhook::with_secret(webhook)))
}

/// List the caller's webhooks
#[utoipa::path(
    get, path = "/webhooks", tag = "webhooks", operation_id = "listWebhooks",
    responses((status = 200, description = "The webhooks, newest first", body = [Webhook], headers(("Cache-Control" = String, description = "`no-store`")))),
)]
async fn list(caller: Identity, state: Data<State>) -> Result<HttpResponse, Problem> {
    let webhooks = webhooks::list(&state.db, caller.id).await?;
    let webhooks: Vec<_> = webhooks.into_iter().map(Webhook::from).collect();
    Ok(HttpResponse::Ok().json(webhooks))
}

/// Read a webhook
#[utoipa::path(
    get, path = "/webhooks/{id}", tag = "webhooks", operation_id = "getWebhook",
    params(Id<WebhookId>),
    responses((status = 200, description = "The webhook", body = Webhook, headers(("Cache-Control" = String, description = "`no-store`")))),
)]
async fn get(
    caller: Identity,
    Id(id): Id<WebhookId>,
    state: Data<State>,
) -> Result<Json<Webhook>, Problem> {
    Ok(Json(webhooks::get(&state.db, caller.id, id).await?.into()))
}

/// Change a webhook
///
/// Enables it too: then the endpoint gets what it has missed, as far as events are kept. Requires the access
/// token of a session with every scope.
#[utoipa::path(
    patch, path = "/webhooks/{id}", tag = "webhooks", operation_id = "updateWebhook",
    params(Id<WebhookId>),
    request_body = WebhookUpdate,
    responses((status = 200, description = "The changed webhook", body = Webhook)),
)]
async fn update(
    session: CurrentSession,
    Id(id): Id<WebhookId>,
    Body(update): Body<WebhookUpdate>,
    state: Data<State>,
) -> Result<Json<Webhook>, Problem> {
    let (db, caller) = (&state.db, session.identity.id);
    let webhook = webhooks::update(db, &state.webhooks, caller, id, update.into()).await?;
    Ok(Json(webhook.into()))
}

/// Delete a webhook
///
/// Deletes its log of deliveries too. A delivery that is in progress may still arrive.
#[utoipa::path(
    delete, path = "/webhooks/{id}", tag = "webhooks", operation_id = "deleteWebhook",
    params(Id<WebhookId>),
    responses((status = 204, description = "The webhook is deleted")),
)]
async fn delete(
    caller: Identity,
    Id(id): Id<WebhookId>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    webhooks::delete(&state.db, caller.id, id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Replace the secret of a webhook
///
/// Deliveries of the next 24 hours have two signatures, one by the new secret and one by the secret before it:
/// a receiver that knows either accepts them. Requires the access token of a session with every scope.
///
/// The response is not stored, because it has the secret. If the request is repeated with its
/// `Idempotency-Key`, the response is 409 (`answer-not-stored`).
#[utoipa::path(
    post, path = "/webhooks/{id}/secret", tag = "webhooks", operation_id = "rotateWebhookSecret",
    params(Id<WebhookId>),
    responses((status = 201, description = "The webhook, with its new secret, which is not shown again", body = Webhook, headers(("Cache-Control" = String, description = "`no-store`")))),
)]
async fn rotate_secret(
    session: CurrentSession,
    Id(id): Id<WebhookId>,
    Keyed(keyed): Keyed,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let keyed = keyed.map(withheld);
    let caller = session.identity.id;
    let webhook = webhooks::rotate_secret(&state.db, caller, id, keyed.as_ref()).await?;
    Ok(HttpResponse::Created().json(Webhook::with_secret(webhook)))
}

/// Send a test to a webhook
///
/// Sends a message with the type `webhook.test` now, also to a disabled webhook, and waits up to 15 seconds for
/// the answer. The outcome counts neither for nor against the endpoint.
///
/// Safe to repeat without `Idempotency-Key`: the endpoint gets another test.
#[utoipa::path(
    post, path = "/webhooks/{id}/test", tag = "webhooks", operation_id = "testWebhook",
    params(Id<WebhookId>),
    responses((status = 200, description = "The outcome, whether the endpoint took the message or not", body = WebhookTest, headers(("Cache-Control" = String, description = "`no-store`")))),
)]
async fn send_test(
    caller: Identity,
    Id(id): Id<WebhookId>,
    state: Data<State>,
) -> Result<Json<WebhookTest>, Problem> {
    let attempt = webhooks::send_test(&state.db, &state.webhooks, caller.id, id).await?;
    Ok(Json(attempt.into()))
}

/// Read the log of deliveries
///
/// The deliveries of the last 30 days, at most 1,000 besides those that are tried again, newest event first. A
/// delivery that is in progress for the first time is not among them yet.
#[utoipa::path(
    get, path = "/webhooks/{id}/deliveries", tag = "webhooks", operation_id = "listWebhookDeliveries",
    params(Id<WebhookId>, DeliveryParameters),
    responses((status = 200, description = "A page of deliveries", body = [Delivery], headers(
        ("Cache-Control" = String, description = "`no-store`"),
        ("Link" = String, description = "The URI of the page `next` (RFC 8288)"),
    ))),
)]
async fn deliveries(
    caller: Identity,
    Id(id): Id<WebhookId>,
    Query(DeliveryParameters { limit, before }): Query<DeliveryParameters>,
    state: Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let page = webhooks::deliveries(&state.db, caller.id, id, before, limit).await?;
    let mut response = HttpResponse::Ok();
    let next = page.next;
    if let Some(next) = next.and_then(|next| link::next(&request, "before", next, &[])) {
        response.insert_header((LINK, next));
    }
    let deliveries: Vec<_> = page.items.into_iter().map(Delivery::from).collect();
    Ok(response.json(deliveries))
}

/// Deliver events again
///
/// All events after a position, with the `webhook-id` that they had, as the caller may see them now. Events that
/// are no longer kept cannot be delivered again.
///
/// Safe to repeat without `Idempotency-Key`: the deliveries begin at the position anew.
#[utoipa::path(
    post, path = "/webhooks/{id}/redeliver", tag = "webhooks", operation_id = "redeliverEvents",
    params(Id<WebhookId>),
    request_body = Redelivery,
    responses((status = 202, description = "The events are going to be delivered", body = Webhook)),
)]
async fn redeliver(
    caller: Identity,
    Id(id): Id<WebhookId>,
    Body(Redelivery { after }): Body<Redelivery>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let context = &state.webhooks;
    let webhook = webhooks::redeliver(&state.db, context, caller.id, id, after).await?;
    Ok(HttpResponse::Accepted().json(Webhook::from(webhook)))
}

/// Deliver one event again
///
/// With the same `webhook-id`, and all attempts anew.
///
/// Safe to repeat without `Idempotency-Key`: the delivery is pending already, or made once more.
#[utoipa::path(
    post, path = "/webhooks/{id}/deliveries/{position}/redeliver", tag = "webhooks", operation_id = "redeliverEvent",
    params(Id<WebhookId>, PositionSegment),
    responses((status = 202, description = "The event is going to be delivered", body = Delivery)),
)]
async fn redeliver_one(
    caller: Identity,
    Id(id): Id<WebhookId>,
    PositionSegment(position): PositionSegment,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let context = &state.webhooks;
    let delivery = webhooks::redeliver_one(&state.db, context, caller.id, id, position).await?;
    Ok(HttpResponse::Accepted().json(Delivery::from(delivery)))
}
