//! Lists of posts: one query each.

use entity::posts::{COLUMN, Column, Entity};
use sea_orm::{
    Condition, ConnectionTrait, FromQueryResult, Order, QueryFilter, QueryOrder, QueryTrait,
    sea_query::{BinOper, Expr, ExprTrait, Func},
};

use super::{Post, visible_posts};
use crate::{
    db::{Db, page},
    error::Error,
};

/// In which order posts are listed. The number of a post grows with time, and ties with no other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// Newest first.
    #[default]
    New,
    /// Oldest first.
    Old,
}

/// Which posts to list.
#[derive(Clone, Debug)]
pub struct Query {
    /// How many at most, 1 to 100.
    pub limit: u64,
    /// How many to pass over first.
    pub skip: u64,
    /// In which order.
    pub sort: Sort,
    /// Words that must all occur in the title or the content; none when empty.
    pub search: String,
    /// Only this user's.
    pub owner_id: Option<i64>,
    /// Only published ones, or only (the reader's own) drafts.
    pub published: Option<bool>,
}

/// The posts that `reader` may see and that fit `query`.
pub async fn list(db: &Db, reader: Option<i64>, query: &Query) -> Result<Vec<Post>, Error> {
    let order = match query.sort {
        Sort::New => Order::Desc,
        Sort::Old => Order::Asc,
    };
    let mut select = visible_posts(reader.map(Expr::value)).order_by(Column::Id, order);
    if let Some(owner_id) = query.owner_id {
        select = select.filter(COLUMN.owner_id.eq(owner_id));
    }
    if let Some(published) = query.published {
        select = select.filter(COLUMN.published.eq(published));
    }
    if query.published == Some(false) {
        // Only one's own drafts are visible, which neither planner concludes by itself.
        let Some(reader) = reader else {
            return Ok(Vec::new());
        };
        select = select.filter(COLUMN.owner_id.eq(reader));
    }
    for word in query.search.split_whitespace() {
        let pattern = pattern(word);
        select = select.filter(
            Condition::any()
                .add(contains(Column::Title, &pattern))
                .add(contains(Column::Content, &pattern)),
        );
    }
    let statement = select.build(db.read().get_database_backend());
    let rows = db.list(page(statement, query.limit, query.skip)).await?;
    let posts = rows.iter().map(|row| Post::from_query_result(row, ""));
    Ok(posts.collect::<Result<_, _>>()?)
}

/// Letters compare without case as far as the database's `lower` knows them: ASCII on SQLite, the
/// locale's on PostgreSQL.
fn contains(column: Column, pattern: &str) -> Expr {
    let pattern =
        Expr::from(Func::lower(pattern)).binary(BinOper::Escape, Expr::Constant('!'.into()));
    Func::lower(Expr::col((Entity, column))).binary(BinOper::Like, pattern)
}

/// `word` anywhere, none of its characters an operator.
fn pattern(word: &str) -> String {
    let mut pattern = String::with_capacity(word.len() + 2);
    pattern.push('%');
    for letter in word.chars() {
        if matches!(letter, '!' | '%' | '_') {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::pattern;

    #[test]
    fn no_character_of_a_word_is_an_operator() {
        assert_eq!(pattern("50%_!"), "%50!%!_!!%");
    }
}
