//! Signing keys of access tokens: rotation and the published key set (RFC 7517).

use acclaim::keys::Keys;
use aws_lc_rs::{
    encoding::AsDer,
    signature::{Ed25519KeyPair, KeyPair},
};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation, decode, jwk::JwkSet};
use pem::Pem;
use serde_json::{Value, json};

use crate::{
    auth::access_tokens::{assert_all_refused, decoded, get_me},
    harness::{
        Fixture, SECRET, apply, behaviour,
        process::Running,
        service::{Service, User},
        tokens,
    },
};

/// An Ed25519 key as `openssl genpkey` writes it.
pub struct Ed25519 {
    pub pair: Ed25519KeyPair,
    pub private: String,
    pub public: String,
}

impl Ed25519 {
    pub fn new() -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        let pem = |tag, der: &[u8]| pem::encode(&Pem::new(tag, der));
        Self {
            private: pem("PRIVATE KEY", pair.to_pkcs8v1().unwrap().as_ref()),
            public: pem("PUBLIC KEY", pair.public_key().as_der().unwrap().as_ref()),
            pair,
        }
    }

    pub fn signing(&self) -> EncodingKey {
        EncodingKey::from_ed_der(self.pair.to_pkcs8v1().unwrap().as_ref())
    }
}

fn secrets(first: &str, others: &[&str]) -> Keys {
    let others: Vec<_> = others.iter().map(|&secret| secret.into()).collect();
    Keys::from_secrets(&first.into(), &others)
}

pub async fn serve(fixture: &Fixture, keys: Keys) -> Service {
    fixture.migrate().await;
    let mut state = fixture.state(&fixture.database()).await;
    state.access_tokens = tokens(keys);
    fixture.start(state, acclaim::config::Origins::These(Vec::new()))
}

/// Three servers on one database: with the old key, with both keys, with the new key.
async fn rotation(fixture: Fixture, old: Keys, both: Keys, new: Keys) {
    let old = serve(&fixture, old).await;
    let ada = old.user("ada").await;
    let both = serve(&fixture, both).await;
    let bob = both.user("bob").await;
    let new = serve(&fixture, new).await;
    let kid = |user: &User| decoded(&user.token).0.kid.unwrap();
    assert_ne!(kid(&ada), kid(&bob));
    get_me(&both, &ada.token).await.expect(200);
    get_me(&both, &bob.token).await.expect(200);
    get_me(&new, &bob.token).await.expect(200);
    assert_all_refused(&new, vec![("the old key was removed", ada.token)]).await;
    assert_all_refused(&old, vec![("the new key is not known yet", bob.token)]).await;
}

#[apply(behaviour)]
async fn tokens_of_the_old_secret_stay_valid_during_rotation(fixture: Fixture) {
    let other = "the next secret that the tests sign with";
    let both = secrets(other, &[SECRET]);
    rotation(fixture, secrets(SECRET, &[]), both, secrets(other, &[])).await;
}

#[apply(behaviour)]
async fn tokens_of_the_old_ed25519_key_stay_valid_during_rotation(fixture: Fixture) {
    let (old, new) = (Ed25519::new(), Ed25519::new());
    let keys = |blocks: &[&str]| Keys::from_pem(&blocks.concat()).unwrap();
    // A key that only verifies may precede the signing key.
    let both = keys(&[&old.public, &new.private]);
    rotation(fixture, keys(&[&old.private]), both, keys(&[&new.private])).await;
}

#[apply(behaviour)]
async fn others_can_verify_tokens_with_the_published_keys(fixture: Fixture) {
    fixture.migrate().await;
    let (key, next) = (Ed25519::new(), Ed25519::new());
    let path = fixture.folder().join("keys.pem");
    // The public half of the signing key must not count as another key.
    std::fs::write(&path, [&*key.private, &key.public, &next.private].concat()).unwrap();
    let settings = [
        ("DATABASE_URL", fixture.url.as_str()),
        ("JWT_KEY_FILE", path.to_str().unwrap()),
        ("RUST_LOG", "trace"),
    ];
    let running = Running::start(fixture.folder(), &settings).await;
    let ada = running.service.user("ada").await;
    get_me(&running.service, &ada.token).await.expect(200);
    let path = "/.well-known/jwks.json";
    let set = running.service.call("GET", path, None, None).await;
    let set = set.expect(200);
    assert_eq!(set.header("content-type"), Some("application/json"));
    assert_eq!(set.header("cache-control"), Some("public, max-age=300"));
    for jwk in set.json()["keys"].as_array().unwrap() {
        let kind = json!({
            "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "x": jwk["x"], "kid": jwk["kid"],
        });
        assert_eq!(jwk, &kind);
    }
    let set: JwkSet = serde_json::from_str(&set.text).unwrap();
    assert_eq!(set.keys.len(), 2);
    let kid = decoded(&ada.token).0.kid.unwrap();
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_issuer(&["acclaim"]);
    validation.set_audience(&["acclaim"]);
    for jwk in &set.keys {
        let checking = DecodingKey::from_jwk(jwk).unwrap();
        let claims = decode::<Value>(&ada.token, &checking, &validation);
        let sub = claims.ok().map(|token| token.claims["sub"].clone());
        let signed = jwk.common.key_id.as_ref() == Some(&kid);
        assert_eq!(sub, signed.then(|| json!(ada.id.to_string())));
    }
    running.signal("TERM");
    let (_, log) = running.end().await;
    let secret = key.private.lines().nth(1).unwrap();
    assert!(!log.contains(secret) && !log.contains(&ada.token), "{log}");
}

#[apply(behaviour)]
async fn secrets_are_not_published(fixture: Fixture) {
    let service = fixture.serve().await;
    let path = "/.well-known/jwks.json";
    let set = service.call("GET", path, None, None).await.expect(200);
    assert_eq!(set.json(), json!({"keys": []}));
}
