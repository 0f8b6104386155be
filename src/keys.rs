//! What signs access tokens and what checks them: secrets (HS256), or Ed25519 keys (EdDSA, RFC 8037).

use std::{collections::BTreeMap, iter};

use aws_lc_rs::{
    digest::{Context, SHA256},
    signature::{ED25519, Ed25519KeyPair, KeyPair, ParsedPublicKey},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use secrecy::{ExposeSecret, SecretString};

/// Length of an Ed25519 public key as PEM files hold it (RFC 8410, section 4).
const SUBJECT_PUBLIC_KEY_INFO_BYTES: usize = 44;

/// One key that signs and at least that one that checks, all of one algorithm, so that no token can
/// choose another for the key that it names (RFC 8725, section 3.1).
#[derive(Clone, Debug)]
pub struct Keys {
    algorithm: Algorithm,
    kid: String,
    sign: EncodingKey,
    check: BTreeMap<String, DecodingKey>,
    public: BTreeMap<String, String>,
}

impl Keys {
    /// HS256: `first` signs, and `others` check too.
    #[must_use]
    pub fn from_secrets(first: &SecretString, others: &[SecretString]) -> Self {
        let check = iter::once(first).chain(others).map(|secret| {
            let secret = secret.expose_secret().as_bytes();
            (kid(secret), DecodingKey::from_secret(secret))
        });
        let secret = first.expose_secret().as_bytes();
        Self {
            algorithm: Algorithm::HS256,
            kid: kid(secret),
            sign: EncodingKey::from_secret(secret),
            check: check.collect(),
            public: BTreeMap::new(),
        }
    }

    /// EdDSA: the first `PRIVATE KEY` block (PKCS#8) of `pem` signs; that and every further one, and
    /// every `PUBLIC KEY` block, check.
    ///
    /// # Errors
    /// What is wrong with the text, without repeating any of it.
    pub fn from_pem(pem: &str) -> Result<Self, String> {
        let blocks = pem::parse_many(pem)
            .ok()
            // A block that was cut off is not seen by the parser.
            .filter(|blocks| blocks.len() == pem.matches("-----BEGIN ").count())
            .ok_or("is not whole PEM text")?;
        let mut signs = None;
        let mut keys = BTreeMap::new();
        for block in &blocks {
            let der = block.contents();
            let public = match block.tag() {
                "PRIVATE KEY" => public_of(der)?,
                "PUBLIC KEY" => public(der)?,
                _ => return Err("holds something else than the PEM blocks `PRIVATE KEY` and `PUBLIC KEY`; expected keys as `openssl genpkey -algorithm ed25519` writes them, without a password".to_owned()),
            };
            let kid = kid(&public);
            if block.tag() == "PRIVATE KEY" {
                signs.get_or_insert_with(|| (kid.clone(), EncodingKey::from_ed_der(der)));
            }
            keys.insert(kid, public);
        }
        let (kid, sign) = signs.ok_or("has no PEM block `PRIVATE KEY` to sign with")?;
        let check = |(kid, key): (&String, &Vec<u8>)| (kid.clone(), DecodingKey::from_ed_der(key));
        Ok(Self {
            algorithm: Algorithm::EdDSA,
            kid,
            sign,
            check: keys.iter().map(check).collect(),
            public: keys
                .into_iter()
                .map(|(kid, key)| (kid, URL_SAFE_NO_PAD.encode(key)))
                .collect(),
        })
    }

    /// The one algorithm of all keys.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key that signs, and its `kid`.
    #[must_use]
    pub fn signing(&self) -> (&str, &EncodingKey) {
        (&self.kid, &self.sign)
    }

    /// The key that checks tokens of `kid`.
    #[must_use]
    pub fn checking(&self, kid: &str) -> Option<&DecodingKey> {
        self.check.get(kid)
    }

    /// `kid` and `x` (RFC 8037, section 2) of each public key; none of secrets.
    #[must_use]
    pub fn public(&self) -> &BTreeMap<String, String> {
        &self.public
    }
}

/// Names a key in the header of a token: 64 bits of a hash. It tells nobody more of a secret than
/// the signature beside it does.
fn kid(key: &[u8]) -> String {
    let mut hash = Context::new(&SHA256);
    hash.update(b"acclaim kid\0");
    hash.update(key);
    let hash = hash.finish();
    let (short, _) = hash.as_ref().split_at(8);
    URL_SAFE_NO_PAD.encode(short)
}

/// The public key of a private one in PKCS#8.
fn public_of(der: &[u8]) -> Result<Vec<u8>, &'static str> {
    let pair = Ed25519KeyPair::from_pkcs8(der).map_err(
        |_| "has a `PRIVATE KEY` that is not of Ed25519; expected one of `openssl genpkey -algorithm ed25519`",
    )?;
    Ok(pair.public_key().as_ref().to_vec())
}

/// The public key itself out of its `SubjectPublicKeyInfo`, whose last 32 bytes it is.
fn public(der: &[u8]) -> Result<Vec<u8>, &'static str> {
    der.last_chunk::<32>()
        .filter(|_| der.len() == SUBJECT_PUBLIC_KEY_INFO_BYTES)
        .filter(|_| ParsedPublicKey::new(&ED25519, der).is_ok())
        .map(|key| key.to_vec())
        .ok_or("has a `PUBLIC KEY` that is not of Ed25519; expected one of `openssl pkey -pubout`")
}
