//! One extractor after another.

use actix_web::{Error, FromRequest, HttpRequest, dev::Payload};
use futures_util::future::LocalBoxFuture;

/// `A`, and only then `B`.
///
/// actix-web polls the extractors of a handler's arguments together, so that a fault of the body
/// would be told to a caller whose token is still being looked up.
pub struct Then<A, B>(pub A, pub B);

impl<A, B> FromRequest for Then<A, B>
where
    A: FromRequest + 'static,
    B: FromRequest + 'static,
{
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let mut payload = payload.take();
        Box::pin(async move {
            let first = A::from_request(&request, &mut Payload::None);
            let first = first.await.map_err(Into::into)?;
            let second = B::from_request(&request, &mut payload);
            Ok(Self(first, second.await.map_err(Into::into)?))
        })
    }
}
