use actix_web::http::header::{FORWARDED, HeaderMap, HeaderValue, X_FORWARDED_FOR};

use super::{IpNet, client};

const NONE: [(&str, &[u8]); 0] = [];

/// The client of a request of `peer` with `lines`, where 10.0.0.0/8 and `fd00::/8` are trusted.
fn behind<V: AsRef<[u8]>>(peer: &str, lines: &[(&str, V)]) -> String {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let name = match *name {
            "x" => X_FORWARDED_FOR,
            _ => FORWARDED,
        };
        headers.append(name, HeaderValue::from_bytes(value.as_ref()).unwrap());
    }
    let trusted: [IpNet; 2] = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap());
    client(peer.parse().unwrap(), &headers, &trusted).to_string()
}

#[test]
fn without_a_trusted_proxy_the_peer_counts() {
    let forged = [("x", "1.2.3.4"), ("f", "for=1.2.3.4")];
    assert_eq!(behind("192.0.2.1", &forged), "192.0.2.1");
    assert_eq!(behind("::ffff:192.0.2.1", &forged), "192.0.2.1");
    assert_eq!(behind("192.0.2.1", &NONE), "192.0.2.1");
    assert_eq!(behind("10.0.0.1", &NONE), "10.0.0.1");
}

#[test]
fn the_rightmost_address_that_is_no_proxy_counts() {
    for (sent, client) in [
        ("1.2.3.4", "1.2.3.4"),
        ("1.2.3.4, 192.0.2.7", "192.0.2.7"),
        ("1.2.3.4 ,192.0.2.7,10.1.1.1 , 10.2.2.2", "192.0.2.7"),
        ("1.2.3.4, 192.0.2.7, ::ffff:10.1.1.1", "192.0.2.7"),
        ("10.3.3.3, 10.2.2.2", "10.3.3.3"),
        ("192.0.2.7:8080", "192.0.2.7"),
        ("[2001:db8::7]:8080", "2001:db8::"),
        // What is no address ends the walk.
        ("192.0.2.7, unknown, 10.2.2.2", "10.2.2.2"),
        ("192.0.2.7,", "10.0.0.1"),
        ("", "10.0.0.1"),
        ("999.1.1.1", "10.0.0.1"),
        ("[2001:db8::7", "10.0.0.1"),
        ("[2001:db8::7]8080", "10.0.0.1"),
        ("[192.0.2.7]", "10.0.0.1"),
        ("192.0.2.7 192.0.2.8", "10.0.0.1"),
    ] {
        assert_eq!(behind("10.0.0.1", &[("x", sent)]), client, "{sent}");
    }
}

#[test]
fn all_lines_of_a_header_are_one_list() {
    let lines = [("x", "1.2.3.4"), ("x", "192.0.2.7, 10.2.2.2")];
    assert_eq!(behind("10.0.0.1", &lines), "192.0.2.7");
    let lines = [("x", "192.0.2.7"), ("x", "10.2.2.2")];
    assert_eq!(behind("::ffff:10.0.0.1", &lines), "192.0.2.7");
    let lines = [("x", &b"\xff, 192.0.2.7"[..])];
    assert_eq!(behind("10.0.0.1", &lines), "192.0.2.7");
}

#[test]
fn forwarded_counts_likewise() {
    for (sent, client) in [
        ("for=192.0.2.7", "192.0.2.7"),
        ("For=\"192.0.2.7:80\";proto=https; by=10.0.0.1", "192.0.2.7"),
        (
            "for=1.2.3.4, proto=http;FOR=192.0.2.7, for=10.2.2.2",
            "192.0.2.7",
        ),
        ("for=\"[2001:db8:1:2:3::4]\"", "2001:db8:1:2::"),
        ("for=\"[2001:db8:1:2:3::4]:_port\"", "2001:db8:1:2::"),
        ("for=192.0.2.7;host=\"a\\\",;for=1.2.3.4\"", "192.0.2.7"),
        // What names no address ends the walk.
        ("for=192.0.2.7, for=unknown, for=10.2.2.2", "10.2.2.2"),
        ("for=192.0.2.7, for=_hidden", "10.0.0.1"),
        ("for=192.0.2.7, proto=https", "10.0.0.1"),
        ("for=192.0.2.7;for=192.0.2.8", "10.0.0.1"),
        ("for = 192.0.2.7 x", "10.0.0.1"),
        ("", "10.0.0.1"),
        // An unfinished string of the client's must not make the proxy's words its own.
        ("for=\"1.2.3.4, for=192.0.2.7", "10.0.0.1"),
        ("for=1.2.3.4;x=\", for=\"192.0.2.7\"", "10.0.0.1"),
    ] {
        assert_eq!(behind("10.0.0.1", &[("f", sent)]), client, "{sent}");
    }
}

#[test]
fn both_headers_must_lead_to_the_same_address() {
    for (simple, forwarded, client) in [
        ("192.0.2.7", "for=192.0.2.7", "192.0.2.7"),
        (
            "1.1.1.1, 192.0.2.7",
            "for=192.0.2.7, for=10.2.2.2",
            "192.0.2.7",
        ),
        ("192.0.2.7", "for=1.2.3.4", "10.0.0.1"),
        ("1.2.3.4", "for=192.0.2.7", "10.0.0.1"),
        ("192.0.2.7", "for=unknown", "10.0.0.1"),
        ("192.0.2.7", "", "10.0.0.1"),
        ("", "for=192.0.2.7", "10.0.0.1"),
    ] {
        let lines = [("x", simple), ("f", forwarded)];
        assert_eq!(behind("10.0.0.1", &lines), client, "{simple} {forwarded}");
    }
}

#[test]
fn ipv6_clients_are_their_network() {
    assert_eq!(behind("2001:db8:1:2:3:4:5:6", &NONE), "2001:db8:1:2::");
    assert_eq!(behind("fd00::1", &[("x", "2001:db8::1")]), "2001:db8::");
    assert_eq!(behind("fd00::1", &[("x", "::ffff:1.2.3.4")]), "1.2.3.4");
}
