//! Splits the text of SQLite's `CREATE TABLE`, because its catalogue has no checks.

/// The columns and constraints of `CREATE TABLE name (..)`, by kind and name, and its options.
///
/// A constraint of one column, such as a check in `ADD COLUMN`, is part of the definition of the column.
pub(super) fn members(table: &str, sql: &str) -> Vec<(String, String)> {
    let sql = squeezed(sql);
    let mut members = Vec::new();
    let (Some(start), Some(end)) = (sql.find('('), sql.rfind(')')) else {
        return vec![(format!("table {table}"), sql)];
    };
    if sql.starts_with("CREATE VIRTUAL") {
        return vec![(format!("table {table}"), sql)];
    }
    let options = sql.get(end + 1..).unwrap_or_default().trim();
    members.push((format!("table {table}"), options.to_owned()));
    for item in split(sql.get(start + 1..end).unwrap_or_default()) {
        members.push((named(table, item), item.to_owned()));
    }
    members
}

/// `column posts.title` or `check posts_title_check on posts`.
fn named(table: &str, item: &str) -> String {
    let mut words = item.split([' ', '(']);
    let first = words.next().unwrap_or_default();
    let (name, rest) = if first.eq_ignore_ascii_case("CONSTRAINT") {
        let name = words.next().unwrap_or_default();
        (name, words.next().unwrap_or_default())
    } else {
        ("", first)
    };
    let kind = match rest.to_ascii_uppercase().as_str() {
        "PRIMARY" => "primary key",
        "UNIQUE" => "unique key",
        "FOREIGN" => "foreign key",
        "CHECK" => "check",
        _ => return format!("column {table}.{}", unquoted(first)),
    };
    let name = if name.is_empty() { item } else { name };
    format!("{kind} {} on {table}", unquoted(name))
}

fn unquoted(name: &str) -> &str {
    name.trim_matches(['"', '`', '[', ']'])
}

/// The parts between commas that are in no brackets and no quotation marks.
fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut quote, mut start) = (0_i32, None, 0);
    for (index, letter) in text.char_indices() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (None, '\'' | '"' | '`') => quote = Some(letter),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            (None, ',') if depth == 0 => {
                parts.extend(text.get(start..index).map(str::trim));
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.extend(text.get(start..).map(str::trim));
    parts
}

/// `text` with one space in place of each run of white space.
pub(super) fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::members;

    #[test]
    fn a_table_is_split_into_columns_and_constraints() {
        let sql = "CREATE TABLE \"t\" (\n  id integer PRIMARY KEY,\n  a text DEFAULT '), (' CHECK (a IN ('x', 'y')),
            CONSTRAINT t_fkey FOREIGN KEY (a) REFERENCES u (b), UNIQUE (a, id)) WITHOUT ROWID";
        let expected = [
            ("table t", "WITHOUT ROWID"),
            ("column t.id", "id integer PRIMARY KEY"),
            (
                "column t.a",
                "a text DEFAULT '), (' CHECK (a IN ('x', 'y'))",
            ),
            (
                "foreign key t_fkey on t",
                "CONSTRAINT t_fkey FOREIGN KEY (a) REFERENCES u (b)",
            ),
            ("unique key UNIQUE (a, id) on t", "UNIQUE (a, id)"),
        ];
        let expected = expected.map(|(name, text)| (name.to_owned(), text.to_owned()));
        assert_eq!(members("t", sql), expected);
    }
}
