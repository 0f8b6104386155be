//! Migrations by name: `--to`, `current`, `heads` and `history`.

use super::{all, lines, migrate, newest_first, report_lines};
use crate::harness::{Fixture, apply, behaviour};

#[apply(behaviour)]
async fn up_and_down_stop_at_a_name(fixture: Fixture) {
    let all = all(&fixture).await;
    assert_eq!(
        lines(&fixture, &["up", "--to", "000004"]).await,
        report_lines("applied", &all[..4])
    );
    // A name that is applied already.
    assert_eq!(
        lines(&fixture, &["up", "--to", &all[2]]).await,
        ["nothing to do"]
    );
    assert_eq!(
        lines(&fixture, &["down", "--to", "create_posts"]).await,
        report_lines("reverted", &newest_first(&all[2..4]))
    );
    assert_eq!(
        lines(&fixture, &["up", "--to", "head"]).await,
        report_lines("applied", &all[2..])
    );
    assert_eq!(
        lines(&fixture, &["down", "--to", "base"]).await,
        report_lines("reverted", &newest_first(&all))
    );
}

#[apply(behaviour)]
async fn a_name_that_is_unknown_or_ambiguous_changes_nothing(fixture: Fixture) {
    let all = all(&fixture).await;
    lines(&fixture, &["up", "-n", "1"]).await;
    let cases = [
        (
            ["up", "--to", "nothing"],
            "no migration is called `nothing`: there are base, m20261121_000001 to m",
        ),
        (["up", "--to", ""], "no migration is called ``"),
        (
            ["up", "--to", "create_"],
            "`create_` is a part of several names: m20261121_000001_create_users, m",
        ),
        (
            ["down", "--to", "create_votes"],
            "is not applied, so the database cannot go back to it",
        ),
    ];
    for (arguments, message) in cases {
        let refused = migrate(&fixture, &arguments).await;
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""));
        assert!(refused.stderr.contains(message), "{}", refused.stderr);
        assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
    }
    let both = migrate(&fixture, &["up", "-n", "1", "--to", "head"]).await;
    assert!(
        both.stderr.contains("cannot be used with"),
        "{}",
        both.stderr
    );
    assert_eq!(lines(&fixture, &["current"]).await, [all[0].clone()]);
}

#[apply(behaviour)]
async fn current_heads_and_history_show_the_place_in_the_list(fixture: Fixture) {
    let all = all(&fixture).await;
    let head = format!("{} (head)", all[all.len() - 1]);
    // It needs no database.
    assert_eq!(lines(&fixture, &["heads"]).await, [head.as_str()]);
    lines(&fixture, &["up", "-n", "2"]).await;
    assert_eq!(lines(&fixture, &["current"]).await, [all[1].clone()]);
    let history = lines(&fixture, &["history"]).await;
    assert_eq!(history.len(), all.len());
    assert_eq!(
        history[history.len() - 3..],
        [
            "pending  m20261121_000003  create votes",
            "applied  m20261121_000002  create posts",
            "applied  m20261121_000001  create users",
        ]
    );
    lines(&fixture, &["down", "-n", "2"]).await;
    assert_eq!(lines(&fixture, &["current"]).await, ["base"]);
    lines(&fixture, &["up"]).await;
    assert_eq!(lines(&fixture, &["current"]).await, [head]);
}
