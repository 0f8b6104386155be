//! The client that a limit applies to, with forged headers and behind proxies.

use std::collections::BTreeMap;

use super::{assert_limited, guess, serve};
use crate::harness::{Fixture, apply, behaviour, nginx::Nginx, service::Answer};

/// The number of `answers` by status.
fn counted(answers: &[Answer]) -> BTreeMap<u16, usize> {
    let mut counts = BTreeMap::new();
    for answer in answers {
        *counts.entry(answer.status).or_default() += 1;
    }
    counts
}

#[apply(behaviour)]
async fn forged_addresses_do_not_evade_limits(fixture: Fixture) {
    for forged in [false, true] {
        let service = serve(&fixture, &[("RATE_LIMIT_SIGN_IN", "30/hour")]).await;
        let mut answers = Vec::new();
        for n in 0..1000 {
            let claimed = if forged {
                format!("198.51.{}.{}", n / 250, n % 250)
            } else {
                String::new()
            };
            answers.push(guess(&service, "ada", &claimed).await);
        }
        assert_eq!(counted(&answers), BTreeMap::from([(401, 30), (429, 970)]));
    }
}

#[apply(behaviour)]
async fn clients_behind_a_trusted_proxy_are_limited_separately(fixture: Fixture) {
    let settings = [
        ("RATE_LIMIT_SIGN_IN", "2/hour"),
        ("TRUSTED_PROXIES", "127.0.0.1"),
    ];
    let service = serve(&fixture, &settings).await;
    for client in 0..20 {
        let mut answers = Vec::new();
        for forged in 0..4 {
            let claimed = format!("10.0.0.{forged}, 2001:db8:0:{client:x}::{forged:x}");
            answers.push(guess(&service, "ada", &claimed).await);
        }
        assert_eq!(counted(&answers), BTreeMap::from([(401, 2), (429, 2)]));
    }
    let form = [("username", "ada"), ("password", "wrong")];
    let mut answers = Vec::new();
    for forged in 0..4 {
        let request = service.request("POST", "/login").form(&form);
        let request = request.header("forwarded", format!("for=192.0.2.{forged}"));
        let request = request.header("x-forwarded-for", "192.0.2.200");
        answers.push(Answer::of(request.send().await.expect("no answer")).await);
    }
    assert_eq!(counted(&answers), BTreeMap::from([(401, 2), (429, 2)]));
}

#[apply(behaviour)]
async fn a_name_is_limited_across_all_addresses(fixture: Fixture) {
    serve(&fixture, &[]).await.user("ada").await;
    let settings = [
        ("RATE_LIMIT_SIGN_IN_ACCOUNT", "5/hour"),
        ("TRUSTED_PROXIES", "127.0.0.1"),
    ];
    let service = serve(&fixture, &settings).await;
    let mut header_names = Vec::new();
    for names in [["ada", " ADA "], ["nobody", "noBody\t"]] {
        let mut answers = Vec::new();
        for n in 0..20 {
            answers.push(guess(&service, names[n % 2], &format!("192.0.2.{n}")).await);
        }
        assert_eq!(counted(&answers), BTreeMap::from([(401, 5), (429, 15)]));
        let last = answers.pop().unwrap();
        let wait = assert_limited(&last, "sign-in-account", "sign-ins for this account");
        assert!((600..=720).contains(&wait), "{wait}");
        let mut names: Vec<_> = last.headers.keys().map(ToString::to_string).collect();
        names.sort();
        header_names.push(names);
    }
    assert_eq!(header_names[0], header_names[1]);
}

#[apply(behaviour)]
async fn clients_behind_nginx_are_limited_by_their_own_address(fixture: Fixture) {
    let configuration = include_str!("../../../deploy/nginx/acclaim-proxy.conf");
    for (trusted, admitted) in [("127.0.0.1/32", [4, 4, 4]), ("", [4, 0, 0])] {
        let settings = [
            ("RATE_LIMIT_SIGN_IN", "4/hour"),
            ("TRUSTED_PROXIES", trusted),
        ];
        let service = serve(&fixture, &settings).await;
        let nginx = Nginx::start(&configuration.replace("http://acclaim", &service.base));
        for (client, admitted) in [2, 3, 4].into_iter().zip(admitted) {
            let client = nginx.service.from([127, 0, 0, client]);
            let mut answers = Vec::new();
            for forged in 0..10 {
                let form = [("username", "ada"), ("password", "wrong")];
                let mut request = client.request("POST", "/login").form(&form);
                // Each request forges another client address, with every known header.
                if forged % 3 > 0 {
                    request = request.header("x-forwarded-for", format!("192.0.2.{forged}"));
                }
                if forged % 3 > 1 {
                    request = request.header("forwarded", format!("for=192.0.2.{forged}"));
                }
                answers.push(Answer::of(request.send().await.expect("no answer")).await);
            }
            let counts = counted(&answers);
            assert_eq!(
                counts.get(&401).copied().unwrap_or(0),
                admitted,
                "{counts:?}"
            );
            assert_eq!(counts.get(&429), Some(&(10 - admitted)), "{counts:?}");
        }
    }
}
