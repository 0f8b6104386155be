//! Blank texts: those that show nothing.

/// The ranges of the code points that show nothing: Unicode's `White_Space` and
/// `Default_Ignorable_Code_Point`, such as the zero-width space. Sorted.
const BLANK: [(char, char); 23] = [
    ('\t', '\r'),
    (' ', ' '),
    ('\u{85}', '\u{85}'),
    ('\u{a0}', '\u{a0}'),
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{1680}', '\u{1680}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{2000}', '\u{200f}'),
    ('\u{2028}', '\u{202f}'),
    ('\u{205f}', '\u{206f}'),
    ('\u{3000}', '\u{3000}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fff8}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
];

/// Whether `text` has only code points that show nothing.
pub(super) fn is_blank(text: &str) -> bool {
    text.chars().all(|character| {
        BLANK
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&character))
    })
}

/// The pattern of a text that is not blank and has no U+0000, in the syntax that ECMA-262 (with the
/// flag `u`), the `regex` crate and Python share. They have no common escape for code points above
/// U+FFFF, so these stand for themselves.
pub(super) fn not_blank_pattern() -> String {
    let escaped = |character: char| match u32::from(character) {
        code @ ..0x1_0000 => format!(r"\u{code:04x}"),
        _ => character.to_string(),
    };
    let ranges = BLANK.map(|(first, last)| {
        if first == last {
            escaped(first)
        } else {
            format!("{}-{}", escaped(first), escaped(last))
        }
    });
    format!(r"^[^\u0000]*[^\u0000{}][^\u0000]*$", ranges.concat())
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::{BLANK, is_blank, not_blank_pattern};

    #[test]
    fn the_ranges_are_those_of_unicode() {
        let blank = Regex::new(r"^[\p{White_Space}\p{Default_Ignorable_Code_Point}]$").unwrap();
        let pattern = Regex::new(&not_blank_pattern()).unwrap();
        for character in '\u{1}'..=char::MAX {
            let text = character.to_string();
            let expected = blank.is_match(&text);
            assert_eq!(is_blank(&text), expected, "{character:?}");
            assert_eq!(pattern.is_match(&text), !expected, "{character:?}");
        }
        assert!(BLANK.is_sorted());
    }
}
