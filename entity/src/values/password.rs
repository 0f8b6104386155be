//! Passwords and other secrets in requests. `Debug` does not print them.

use secrecy::{ExposeSecret, SecretString};
use utoipa::openapi::schema::KnownFormat;
use zxcvbn::zxcvbn;

use super::{
    Email, Invalid, Username,
    text::{CharacterRule, Rule},
};

/// A password to set: 8 to 128 characters, and not one of the most common passwords.
#[derive(Clone, Debug)]
pub struct ChosenPassword(SecretString);

/// A password to verify, 1 to 128 characters. The limit bounds the cost of the check.
#[derive(Clone, Debug)]
pub struct Password(SecretString);

/// A refresh token to verify, 1 to 128 characters.
#[derive(Clone, Debug)]
pub struct RefreshToken(SecretString);

/// A token of any kind, to revoke or introspect, 1 to 2048 characters.
#[derive(Clone, Debug)]
pub struct PresentedToken(SecretString);

impl ChosenPassword {
    const RULE: Rule = Rule {
        min: 8,
        format: Some(KnownFormat::Password),
        example: Some("correct horse"),
        ..Rule::up_to(128)
    };
    /// Minimum number of estimated guesses for a password. Common passwords need fewer.
    const MIN_GUESSES: u64 = 10_000;
    /// Maximum length of a password that is estimated, in characters. The estimator takes 2 ms for
    /// 16 and half a second for 100. Few common passwords are longer.
    const MAX_ESTIMATED: usize = 16;

    /// Checks `password`.
    pub fn parse(password: impl Into<SecretString>) -> Result<Self, Invalid> {
        let password = password.into();
        let text = password.expose_secret();
        Self::RULE.check(text)?;
        let short = text.chars().count() <= Self::MAX_ESTIMATED;
        if short && zxcvbn(text, &[]).guesses() < Self::MIN_GUESSES {
            return Err(Invalid::new(
                "common",
                "is one of the most common passwords; choose another one",
            ));
        }
        Ok(Self(password))
    }

    /// Rejects the user's own e-mail address, its local part, and the username. Ignores case.
    pub fn check_names(
        &self,
        email: Option<&Email>,
        username: Option<&Username>,
    ) -> Result<(), Invalid> {
        let text = self.0.expose_secret();
        let email = email.map(Email::as_str);
        let local_part = email.and_then(|email| email.split('@').next());
        let names = [email, local_part, username.map(Username::as_str)];
        if names
            .into_iter()
            .flatten()
            .any(|name| name.eq_ignore_ascii_case(text))
        {
            return Err(Invalid::new(
                "common",
                "is your own name or e-mail address; choose another one",
            ));
        }
        Ok(())
    }
}

/// The rule of a secret that is compared and not stored.
const SECRET: Rule = Rule {
    min: 1,
    characters: CharacterRule::Any,
    format: Some(KnownFormat::Password),
    ..Rule::up_to(128)
};

macro_rules! secret {
    ($name:ident) => {
        impl $name {
            /// The secret itself.
            #[must_use]
            pub fn into_secret(self) -> SecretString {
                self.0
            }
        }

        input_value!($name, read_text, Self::RULE.schema());
    };
}

/// A secret of which only the length is checked.
macro_rules! secret_of_length {
    ($name:ident, $rule:expr) => {
        impl $name {
            const RULE: Rule = $rule;

            /// Checks only the length of `secret`.
            pub fn parse(secret: impl Into<SecretString>) -> Result<Self, Invalid> {
                let secret = secret.into();
                Self::RULE.check(secret.expose_secret())?;
                Ok(Self(secret))
            }
        }

        secret!($name);
    };
}

secret!(ChosenPassword);
secret_of_length!(
    Password,
    Rule {
        example: Some("correct horse"),
        ..SECRET
    }
);
secret_of_length!(
    RefreshToken,
    Rule {
        example: Some("Zx1kqP0vB7sD3fJ9mW2nR5tY8uC4hL6gA1eQ0iO7pKj"),
        ..SECRET
    }
);
secret_of_length!(
    PresentedToken,
    Rule {
        max: 2048,
        ..RefreshToken::RULE
    }
);
