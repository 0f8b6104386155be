//! Forged access tokens.

use acclaim::keys::Keys;
use aws_lc_rs::{encoding::AsDer, signature::KeyPair};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, EncodingKey, Header, dangerous::insecure_decode, encode, get_current_timestamp,
};
use serde_json::{Value, json};

use crate::{
    auth::keys::{Ed25519, serve},
    harness::{
        Fixture, SECRET, apply, behaviour,
        service::{Answer, Service},
    },
};

pub async fn get_me(service: &Service, token: &str) -> Answer {
    let request = service.request("GET", "/users/me").bearer_auth(token);
    Answer::of(request.send().await.unwrap()).await
}

pub async fn assert_all_refused(service: &Service, forgeries: Vec<(&str, String)>) {
    let refused = Some(r#"Bearer error="invalid_token""#);
    let mut passed = Vec::new();
    for (name, token) in forgeries {
        let answer = get_me(service, &token).await;
        if (answer.status, answer.header("www-authenticate")) != (401, refused) {
            passed.push(name);
        }
    }
    assert!(passed.is_empty(), "not refused: {passed:?}");
}

pub fn decoded(token: &str) -> (Header, Value) {
    let token = insecure_decode::<Value>(token).unwrap();
    (token.header, token.claims)
}

/// Invalid variants of the token `good`, each with a name. Changed tokens are signed with `key`.
fn forgeries(good: &str, key: &EncodingKey) -> Vec<(&'static str, String)> {
    let (header, claims) = decoded(good);
    let now = get_current_timestamp();
    let head = |change: fn(&mut Header)| {
        let mut header = header.clone();
        change(&mut header);
        encode(&header, &claims, key).unwrap()
    };
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        encode(&header, &claims, key).unwrap()
    };
    let without = |name| {
        let mut claims = claims.clone();
        claims.as_object_mut().unwrap().remove(name).unwrap();
        encode(&header, &claims, key).unwrap()
    };
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (first, payload) = message.split_once('.').unwrap();
    let none = json!({"typ": header.typ, "alg": "none", "kid": header.kid}).to_string();
    let none = URL_SAFE_NO_PAD.encode(none);
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    let other = with("exp", json!(now + 86400));
    let other = other.split('.').nth(1).unwrap();
    vec![
        ("alg none", format!("{none}.{payload}.")),
        ("alg none, signed", format!("{none}.{payload}.{signature}")),
        ("no typ", head(|header| header.typ = None)),
        ("wrong typ", head(|header| header.typ = Some("JWT".into()))),
        ("missing kid", head(|header| header.kid = None)),
        ("unknown kid", head(|header| header.kid = Some("x".into()))),
        (
            "critical extension",
            head(|header| header.crit = Some(vec!["b64".into()])),
        ),
        ("wrong iss", with("iss", json!("else"))),
        ("wrong aud", with("aud", json!("else"))),
        ("expired", with("exp", json!(now - 1))),
        ("expired this second", with("exp", json!(now))),
        ("not yet valid", with("nbf", json!(now + 20))),
        ("missing iss", without("iss")),
        ("missing aud", without("aud")),
        ("missing exp", without("exp")),
        ("missing sub", without("sub")),
        ("missing sid", without("sid")),
        (
            "sub of an unknown user",
            with("sub", json!("9223372036854775807")),
        ),
        ("sub not a number", with("sub", json!("x"))),
        ("sid not a number", with("sid", json!("x"))),
        ("tampered payload", format!("{first}.{other}.{signature}")),
        (
            "tampered signature",
            format!("{message}.{flipped}{}", &signature[1..]),
        ),
        ("truncated signature", good[..good.len() - 2].to_owned()),
        ("no signature", format!("{message}.")),
        ("truncated payload", format!("{first}.{}", &payload[1..])),
        ("only the header", first.to_owned()),
    ]
}

#[apply(behaviour)]
async fn forged_hs256_tokens_are_refused(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let (header, claims) = decoded(&ada.token);
    assert_eq!(header.typ.as_deref(), Some("at+jwt"));
    let again = encode(&header, &claims, &key).unwrap();
    get_me(&service, &again).await.expect(200);
    let mut bad = forgeries(&ada.token, &key);
    let other = EncodingKey::from_secret(b"another secret of enough bytes...");
    bad.push(("other key", encode(&header, &claims, &other).unwrap()));
    let hs512 = Header {
        alg: Algorithm::HS512,
        ..header
    };
    bad.push(("other alg", encode(&hs512, &claims, &key).unwrap()));
    assert_all_refused(&service, bad).await;
}

#[apply(behaviour)]
async fn forged_ed25519_tokens_are_refused(fixture: Fixture) {
    let key = Ed25519::new();
    let service = serve(&fixture, Keys::from_pem(&key.private).unwrap()).await;
    let ada = service.user("ada").await;
    let (header, claims) = decoded(&ada.token);
    assert_eq!(header.alg, Algorithm::EdDSA);
    let again = encode(&header, &claims, &key.signing()).unwrap();
    get_me(&service, &again).await.expect(200);
    let mut bad = forgeries(&ada.token, &key.signing());
    let other = encode(&header, &claims, &Ed25519::new().signing()).unwrap();
    bad.push(("other key", other));
    let hs256 = Header {
        alg: Algorithm::HS256,
        ..header
    };
    let hs256 = |key| encode(&hs256, &claims, &EncodingKey::from_secret(key)).unwrap();
    let public = key.pair.public_key();
    bad.extend([
        ("HS256 with the public PEM", hs256(key.public.as_bytes())),
        ("HS256 with the public key", hs256(public.as_ref())),
        (
            "HS256 with the public DER",
            hs256(public.as_der().unwrap().as_ref()),
        ),
    ]);
    assert_all_refused(&service, bad).await;
}
