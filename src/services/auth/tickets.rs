//! Tickets for streams: a browser's `EventSource` sends no `Authorization` header, and a token must not be in
//! a URL, which proxies log.

use entity::{
    event_tickets::{ActiveModel, Column, Entity, Model},
    personal_tokens,
    values::TokenId,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use secrecy::{ExposeSecret, SecretString};
use time::Duration;

use super::{
    Authenticator, Credential, Identity,
    opaque_token::{hash, new_ticket},
};
use crate::{
    db::{Constraint, Db, First, OnConstraint},
    error::Error,
    services::now,
};

/// Lifetime of a ticket.
pub const LIFETIME: Duration = Duration::seconds(30);

/// The credential of the caller ended meanwhile.
const ENDED: [Constraint; 3] = [
    Constraint::foreign_key("event_tickets_user_id_fkey"),
    Constraint::foreign_key("event_tickets_session_id_fkey"),
    Constraint::foreign_key("event_tickets_token_id_fkey"),
];

/// Creates a ticket with the rights of `caller`, that can be used once within [`LIFETIME`].
///
/// # Errors
/// [`Error::InvalidToken`] if the credential of the caller has ended.
pub async fn create(db: &Db, caller: &Identity) -> Result<SecretString, Error> {
    let ticket = SecretString::from(new_ticket());
    let (session_id, token_id) = match &caller.credential {
        Credential::Session(id) => (Some(*id), None),
        Credential::Token(hash) => (None, Some(token_id(db, hash).await?)),
    };
    let row = &ActiveModel {
        hash: Set(hash(ticket.expose_secret())),
        user_id: Set(caller.id),
        session_id: Set(session_id),
        token_id: Set(token_id),
        scopes: Set(caller.scopes),
        expires_at: Set(now() + LIFETIME),
        stream_until: Set(caller.expires_at),
    };
    db.write(|transaction| async move {
        let inserted = Entity::insert(row.clone())
            .exec_without_returning(&transaction)
            .await;
        inserted
            .map(drop)
            .on_constraint(ENDED.map(|constraint| (constraint, Error::InvalidToken)))
    })
    .await?;
    Ok(ticket)
}

/// The identity of the caller who got `ticket`. It cannot be used again.
///
/// # Errors
/// [`Error::InvalidTicket`] if it is unknown, used or expired, or if the credential of its caller has ended.
pub async fn redeem(
    db: &Db,
    authenticator: &Authenticator,
    ticket: &str,
) -> Result<Identity, Error> {
    let hash = &hash(ticket);
    // Anyone can send any ticket, and a write would take a turn of the writer.
    let known = Entity::find().filter(Column::Hash.eq(hash.as_str()));
    if known.first(db.read()).await?.is_none() {
        return Err(Error::InvalidTicket);
    }
    let tickets = db
        .write(|transaction| async move {
            let delete = Entity::delete_many().filter(Column::Hash.eq(hash.as_str()));
            Ok(delete.exec_with_returning(&transaction).await?)
        })
        .await?;
    let ticket = tickets.into_iter().next();
    let ticket = ticket.filter(|ticket| ticket.expires_at > now());
    let ticket = ticket.ok_or(Error::InvalidTicket)?;
    let credential = credential(db, &ticket).await?;
    let identity = match authenticator.identity(db, credential).await {
        Err(Error::InvalidToken) => return Err(Error::InvalidTicket),
        identity => identity?,
    };
    Ok(Identity {
        scopes: identity.scopes.intersection(ticket.scopes),
        expires_at: ticket.stream_until,
        ..identity
    })
}

async fn credential(db: &Db, ticket: &Model) -> Result<Credential, Error> {
    if let Some(id) = ticket.session_id {
        return Ok(Credential::Session(id));
    }
    let id = ticket.token_id.ok_or(Error::InvalidTicket)?;
    let token = personal_tokens::Entity::find_by_id(id);
    let token = token.first(db.read()).await?;
    let token = token.ok_or(Error::InvalidTicket)?;
    Ok(Credential::Token(token.hash))
}

async fn token_id(db: &Db, hash: &str) -> Result<TokenId, Error> {
    let token = personal_tokens::Entity::find().filter(personal_tokens::COLUMN.hash.eq(hash));
    let token = token.first(db.read()).await?;
    token.map(|token| token.id).ok_or(Error::InvalidToken)
}
