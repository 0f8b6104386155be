use entity::values::WebhookUrl;

use super::Policy;
use crate::config::WebhookSettings;

/// URLs that lead to addresses that are not public, in notations that a URL parser accepts.
const REFUSED: [&str; 29] = [
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://127.0.0.1./",
    "https://%31%32%37.0.0.1/",
    "https://\u{ff11}27.0.0.1/",
    "https://\u{2460}\u{2461}\u{2466}.0.0.1/",
    "https://0.0.0.0/",
    "https://0/",
    "https://10.0.0.1/",
    "https://100.64.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://172.16.0.1/",
    "https://192.168.0.1/",
    "https://198.18.0.1/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:a9fe:a9fe]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[fe80::1]/",
    "https://[fd00:ec2::254]/",
];

fn url(text: &str) -> WebhookUrl {
    WebhookUrl::parse(text).unwrap_or_else(|invalid| panic!("{text}: {invalid}"))
}

fn policy(set: impl FnOnce(&mut WebhookSettings)) -> Policy {
    let mut settings = WebhookSettings::default();
    set(&mut settings);
    Policy::new(settings)
}

#[test]
fn addresses_that_are_not_public_are_refused_in_every_notation() {
    let policy = Policy::default();
    for text in REFUSED {
        let refused = policy.check(&url(text));
        assert!(refused.is_err(), "{text}");
    }
    for text in [
        "https://93.184.215.14/",
        "https://[2606:4700::1111]/",
        "https://hooks.example.com:8443/a?b=c",
    ] {
        assert_eq!(policy.check(&url(text)), Ok(()), "{text}");
    }
}

#[test]
fn other_schemes_parts_and_ports_are_refused() {
    for text in [
        "ftp://hooks.example.com/",
        "file:///etc/passwd",
        "gopher://hooks.example.com/",
        "https://user@hooks.example.com/",
        "https://:password@hooks.example.com/",
        "https://hooks.example.com/#part",
        "https://hooks.example.com:22/",
        "https://hooks.example.com:25/",
        "/webhooks",
        "",
    ] {
        assert!(WebhookUrl::parse(text).is_err(), "{text}");
    }
}

#[test]
fn http_needs_the_setting() {
    let url = url("http://hooks.example.com/");
    assert!(Policy::default().check(&url).is_err());
    let policy = policy(|settings| settings.allow_http = true);
    assert_eq!(policy.check(&url), Ok(()));
}

#[test]
fn networks_can_be_allowed() {
    let network = "10.1.0.0/16".parse().unwrap();
    let policy = policy(|settings| settings.networks.push(network));
    assert_eq!(policy.check(&url("https://10.1.2.3/")), Ok(()));
    assert!(policy.check(&url("https://10.2.0.1/")).is_err());
}
