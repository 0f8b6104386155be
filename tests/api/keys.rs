//! The keys of access tokens: how they change, and how others check with them.

use acclaim::keys::Keys;
use aws_lc_rs::{
    encoding::AsDer,
    signature::{Ed25519KeyPair, KeyPair},
};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation, decode, jwk::JwkSet};
use pem::Pem;
use serde_json::{Value, json};

use crate::{
    forgeries::{all_refused, inside, show},
    harness::{
        Fixture, SECRET, behaviours,
        process::Running,
        service::{Service, User},
        tokens,
    },
};

behaviours![
    a_new_secret_signs_while_the_old_one_is_still_good,
    a_new_ed25519_key_signs_while_the_old_one_is_still_good,
    a_key_file_signs_what_others_can_check,
    secrets_are_not_published,
];

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

/// Servers with the old key, with both, and with the new one, on one database.
async fn rotation(fixture: Fixture, old: Keys, both: Keys, new: Keys) {
    let old = serve(&fixture, old).await;
    let ada = old.user("ada").await;
    let both = serve(&fixture, both).await;
    let bob = both.user("bob").await;
    let new = serve(&fixture, new).await;
    let kid = |user: &User| inside(&user.token).0.kid.unwrap();
    assert_ne!(kid(&ada), kid(&bob));
    show(&both, &ada.token).await.expect(200);
    show(&both, &bob.token).await.expect(200);
    show(&new, &bob.token).await.expect(200);
    all_refused(&new, vec![("the old key was removed", ada.token)]).await;
    all_refused(&old, vec![("the new key is not known yet", bob.token)]).await;
}

async fn a_new_secret_signs_while_the_old_one_is_still_good(fixture: Fixture) {
    let other = "the next secret that the tests sign with";
    let both = secrets(other, &[SECRET]);
    rotation(fixture, secrets(SECRET, &[]), both, secrets(other, &[])).await;
}

async fn a_new_ed25519_key_signs_while_the_old_one_is_still_good(fixture: Fixture) {
    let (old, new) = (Ed25519::new(), Ed25519::new());
    let keys = |blocks: &[&str]| Keys::from_pem(&blocks.concat()).unwrap();
    // What only checks may stand before what signs.
    let both = keys(&[&old.public, &new.private]);
    rotation(fixture, keys(&[&old.private]), both, keys(&[&new.private])).await;
}

async fn a_key_file_signs_what_others_can_check(fixture: Fixture) {
    fixture.migrate().await;
    let (key, next) = (Ed25519::new(), Ed25519::new());
    let path = fixture.folder().join("keys.pem");
    // The key's own public half a second time is no second key.
    std::fs::write(&path, [&*key.private, &key.public, &next.private].concat()).unwrap();
    let settings = [
        ("DATABASE_URL", fixture.url.as_str()),
        ("JWT_KEY_FILE", path.to_str().unwrap()),
        ("RUST_LOG", "trace"),
    ];
    let running = Running::start(fixture.folder(), &settings).await;
    let ada = running.service.user("ada").await;
    show(&running.service, &ada.token).await.expect(200);
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
    let kid = inside(&ada.token).0.kid.unwrap();
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

async fn secrets_are_not_published(fixture: Fixture) {
    let service = fixture.serve().await;
    let path = "/.well-known/jwks.json";
    let set = service.call("GET", path, None, None).await.expect(200);
    assert_eq!(set.json(), json!({"keys": []}));
}
