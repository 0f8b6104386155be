//! Positions in the write-ahead log.

use std::fmt;

/// A position in the write-ahead log of PostgreSQL (`pg_lsn`). A server that has replayed the log up to a
/// position shows all that was committed before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(u64);

impl Position {
    /// Behind every position of a server.
    pub(super) const MAX: Self = Self(u64::MAX);

    /// Reads the text form of PostgreSQL, such as `16/B374D848`: two numbers of 1 to 8 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (high, low) = text.split_once('/')?;
        let number = |digits: &str| {
            let is_number = (1..=8).contains(&digits.len())
                && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            is_number
                .then(|| u64::from_str_radix(digits, 16).ok())
                .flatten()
        };
        Some(Self(number(high)? << 32 | number(low)?))
    }

    pub(super) fn from_number(number: u64) -> Self {
        Self(number)
    }

    pub(super) fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xffff_ffff)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_parsed_from_the_form_of_postgresql() {
        for text in ["0/0", "16/B374D848", "FFFFFFFF/FFFFFFFF"] {
            assert_eq!(Position::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Position::parse("0/ff"), Position::parse("0/00FF"));
        assert!(Position::parse("1/0") > Position::parse("0/FFFFFFFF"));
        for text in [
            "",
            "/",
            "1",
            "0/",
            "/0",
            "0/+1",
            "0/1/2",
            "0/123456789",
            "0/G",
            " 0/1",
        ] {
            assert_eq!(Position::parse(text), None, "{text}");
        }
    }
}
