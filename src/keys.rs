//! The keys of access tokens: secrets (HS256) or Ed25519 keys (EdDSA, RFC 8037).

use std::{collections::BTreeMap, iter};

use aws_lc_rs::{
    digest::{Context, SHA256},
    signature::{ED25519, Ed25519KeyPair, KeyPair, ParsedPublicKey},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use secrecy::{ExposeSecret, SecretString};

/// The maximum number of keys in a file.
pub const MAX_KEYS: usize = 100;

/// Length in bytes of the `SubjectPublicKeyInfo` of an Ed25519 key (RFC 8410, section 4).
const SUBJECT_PUBLIC_KEY_INFO_BYTES: usize = 44;

/// One signing key, and the verification keys by `kid`. Tokens of the signing key always verify.
///
/// All keys use one algorithm, so that a token cannot choose another (RFC 8725, section 3.1).
#[derive(Clone, Debug)]
pub struct Keys {
    algorithm: Algorithm,
    kid: String,
    sign: EncodingKey,
    verify: BTreeMap<String, DecodingKey>,
    public: BTreeMap<String, String>,
}

impl Keys {
    /// HS256 keys: `first` signs, and all secrets verify.
    #[must_use]
    pub fn from_secrets(first: &SecretString, others: &[SecretString]) -> Self {
        let verify = iter::once(first).chain(others).map(|secret| {
            let secret = secret.expose_secret().as_bytes();
            (kid(secret), DecodingKey::from_secret(secret))
        });
        let secret = first.expose_secret().as_bytes();
        Self {
            algorithm: Algorithm::HS256,
            kid: kid(secret),
            sign: EncodingKey::from_secret(secret),
            verify: verify.collect(),
            public: BTreeMap::new(),
        }
    }

    /// EdDSA keys: the first `PRIVATE KEY` block (PKCS#8) of `pem` signs. All `PRIVATE KEY` and
    /// `PUBLIC KEY` blocks verify.
    ///
    /// # Errors
    /// Describes the problem. The message never contains any part of `pem`.
    pub fn from_pem(pem: &str) -> Result<Self, String> {
        let blocks = pem::parse_many(pem)
            .ok()
            // The parser skips truncated blocks.
            .filter(|blocks| blocks.len() == pem.matches("-----BEGIN ").count())
            .ok_or("is not valid PEM, or is truncated")?;
        if blocks.len() > MAX_KEYS {
            return Err(format!("has more than {MAX_KEYS} keys"));
        }
        let mut signing = None;
        let mut keys = BTreeMap::new();
        for block in &blocks {
            let der = block.contents();
            let public = match block.tag() {
                "PRIVATE KEY" => public_from_private(der)?,
                "PUBLIC KEY" => public_from_spki(der)?,
                _ => return Err("contains a PEM block other than `PRIVATE KEY` and `PUBLIC KEY`; expected unencrypted keys, such as the output of `openssl genpkey -algorithm ed25519`".to_owned()),
            };
            let kid = kid(&public);
            if block.tag() == "PRIVATE KEY" {
                signing.get_or_insert_with(|| (kid.clone(), EncodingKey::from_ed_der(der)));
            }
            keys.insert(kid, public);
        }
        let (kid, sign) =
            signing.ok_or("has no PEM block `PRIVATE KEY`, which is needed to sign")?;
        let verify = |(kid, key): (&String, &Vec<u8>)| (kid.clone(), DecodingKey::from_ed_der(key));
        Ok(Self {
            algorithm: Algorithm::EdDSA,
            kid,
            sign,
            verify: keys.iter().map(verify).collect(),
            public: keys
                .into_iter()
                .map(|(kid, key)| (kid, URL_SAFE_NO_PAD.encode(key)))
                .collect(),
        })
    }

    /// The algorithm of all keys.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The `kid` of the signing key, and the key.
    #[must_use]
    pub fn signing_key(&self) -> (&str, &EncodingKey) {
        (&self.kid, &self.sign)
    }

    /// The verification key for `kid`.
    #[must_use]
    pub fn verification_key(&self, kid: &str) -> Option<&DecodingKey> {
        self.verify.get(kid)
    }

    /// The `x` parameter (RFC 8037, section 2) of each public key, by `kid`. Empty for HS256.
    #[must_use]
    pub fn public_keys(&self) -> &BTreeMap<String, String> {
        &self.public
    }
}

/// Derives the `kid` of a key: 64 bits of a SHA-256 hash. It reveals no more about a secret than a
/// token's signature does.
fn kid(key: &[u8]) -> String {
    let mut hash = Context::new(&SHA256);
    hash.update(b"acclaim kid\0");
    hash.update(key);
    let hash = hash.finish();
    let (short, _) = hash.as_ref().split_at(8);
    URL_SAFE_NO_PAD.encode(short)
}

/// The public key of a PKCS#8 private key.
fn public_from_private(der: &[u8]) -> Result<Vec<u8>, &'static str> {
    let pair = Ed25519KeyPair::from_pkcs8(der).map_err(
        |_| "has a `PRIVATE KEY` that is not an Ed25519 key; expected the output of `openssl genpkey -algorithm ed25519`",
    )?;
    Ok(pair.public_key().as_ref().to_vec())
}

/// The public key of a `SubjectPublicKeyInfo`: its last 32 bytes.
fn public_from_spki(der: &[u8]) -> Result<Vec<u8>, &'static str> {
    der.last_chunk::<32>()
        .filter(|_| der.len() == SUBJECT_PUBLIC_KEY_INFO_BYTES)
        .filter(|_| ParsedPublicKey::new(&ED25519, der).is_ok())
        .map(|key| key.to_vec())
        .ok_or("has a `PUBLIC KEY` that is not an Ed25519 key; expected the output of `openssl pkey -pubout`")
}
