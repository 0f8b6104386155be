//! Posts with words.

use entity::posts::{COLUMN, Entity};
use sea_orm::{
    IntoSimpleExpr, Order, QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::{Expr, ExprTrait, SimpleExpr},
};

use super::{Among, Place, Words};
use crate::services::posts::{
    Sort,
    feed::{Wanted, among},
    visible,
};

/// The posts with `words`, best match or by number first. Where it orders them, whether all words are
/// in the title is each one's `key`.
pub(in crate::services::posts) fn found(
    posts: Select<Entity>,
    wanted: &Wanted,
    words: &Words,
) -> Select<Entity> {
    let Wanted { query, backend, .. } = *wanted;
    let mut filter = visible(wanted.own.clone())
        .add(wanted.fitting.clone())
        .add(among(wanted.reader, query));
    let rows = wanted.rows.saturating_add(query.skip);
    let few = query.owner_id.is_some()
        || query.published == Some(false)
        || query.voted == Some(true)
        || query.tag.is_some();
    let direction = query.sort().direction(query.backwards());
    let id = COLUMN.id.into_simple_expr();
    let mut key = id.clone();
    let select = if query.sort() == Sort::Best {
        let among = Among { filter, few, rows };
        let place = query.position.map(|position| Place {
            in_title: position.key == 1,
            id: position.id,
        });
        let in_title = words.in_title(backend);
        let one: SimpleExpr = Expr::case(in_title.clone(), 1_i64).finally(0_i64).into();
        key = one.cast_as("bigint");
        posts
            .filter(words.best(backend, &among, place, query.backwards()))
            .order_by(in_title, direction.clone())
    } else {
        if let Some(position) = query.position {
            filter = filter.add(match direction {
                Order::Asc => id.clone().gt(position.id),
                _ => id.clone().lt(position.id),
            });
        }
        let among = Among { filter, few, rows };
        posts.filter(words.sorted(backend, &among, &[("id", direction.clone())]))
    };
    select.expr_as(key, "key").order_by(id, direction)
}
