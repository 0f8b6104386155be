use actix_web::http::header::{FORWARDED, HeaderMap, HeaderValue, X_FORWARDED_FOR};

use super::{IpNet, client};

const NONE: [(&str, &[u8]); 0] = [];

/// The client of a request from `peer` with the headers `lines`, if 10.0.0.0/8 and `fd00::/8` are
/// trusted.
fn client_of<V: AsRef<[u8]>>(peer: &str, lines: &[(&str, V)]) -> String {
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
fn an_untrusted_peer_is_the_client() {
    let forged = [("x", "1.2.3.4"), ("f", "for=1.2.3.4")];
    assert_eq!(client_of("192.0.2.1", &forged), "192.0.2.1");
    assert_eq!(client_of("::ffff:192.0.2.1", &forged), "192.0.2.1");
    assert_eq!(client_of("192.0.2.1", &NONE), "192.0.2.1");
    assert_eq!(client_of("10.0.0.1", &NONE), "10.0.0.1");
}

#[test]
fn the_rightmost_untrusted_address_is_the_client() {
    for (sent, client) in [
        ("1.2.3.4", "1.2.3.4"),
        ("1.2.3.4, 192.0.2.7", "192.0.2.7"),
        ("1.2.3.4 ,192.0.2.7,10.1.1.1 , 10.2.2.2", "192.0.2.7"),
        ("1.2.3.4, 192.0.2.7, ::ffff:10.1.1.1", "192.0.2.7"),
        ("10.3.3.3, 10.2.2.2", "10.3.3.3"),
        ("192.0.2.7:8080", "192.0.2.7"),
        ("[2001:db8::7]:8080", "2001:db8::"),
        // An entry that is not an address ends the search.
        ("192.0.2.7, unknown, 10.2.2.2", "10.2.2.2"),
        ("192.0.2.7,", "10.0.0.1"),
        ("", "10.0.0.1"),
        ("999.1.1.1", "10.0.0.1"),
        ("[2001:db8::7", "10.0.0.1"),
        ("[2001:db8::7]8080", "10.0.0.1"),
        ("[192.0.2.7]", "10.0.0.1"),
        ("192.0.2.7 192.0.2.8", "10.0.0.1"),
    ] {
        assert_eq!(client_of("10.0.0.1", &[("x", sent)]), client, "{sent}");
    }
}

#[test]
fn repeated_headers_form_one_list() {
    let lines = [("x", "1.2.3.4"), ("x", "192.0.2.7, 10.2.2.2")];
    assert_eq!(client_of("10.0.0.1", &lines), "192.0.2.7");
    let lines = [("x", "192.0.2.7"), ("x", "10.2.2.2")];
    assert_eq!(client_of("::ffff:10.0.0.1", &lines), "192.0.2.7");
    let lines = [("x", &b"\xff, 192.0.2.7"[..])];
    assert_eq!(client_of("10.0.0.1", &lines), "192.0.2.7");
}

#[test]
fn forwarded_is_read_like_x_forwarded_for() {
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
        // An element without an address ends the search.
        ("for=192.0.2.7, for=unknown, for=10.2.2.2", "10.2.2.2"),
        ("for=192.0.2.7, for=_hidden", "10.0.0.1"),
        ("for=192.0.2.7, proto=https", "10.0.0.1"),
        ("for=192.0.2.7;for=192.0.2.8", "10.0.0.1"),
        ("for = 192.0.2.7 x", "10.0.0.1"),
        ("", "10.0.0.1"),
        // An unterminated string from the client must not absorb the proxy's elements.
        ("for=\"1.2.3.4, for=192.0.2.7", "10.0.0.1"),
        ("for=1.2.3.4;x=\", for=\"192.0.2.7\"", "10.0.0.1"),
    ] {
        assert_eq!(client_of("10.0.0.1", &[("f", sent)]), client, "{sent}");
    }
}

#[test]
fn contradicting_headers_are_ignored() {
    for (x_forwarded_for, forwarded, client) in [
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
        let lines = [("x", x_forwarded_for), ("f", forwarded)];
        assert_eq!(
            client_of("10.0.0.1", &lines),
            client,
            "{x_forwarded_for} {forwarded}"
        );
    }
}

#[test]
fn ipv6_clients_are_identified_by_their_64_bit_prefix() {
    assert_eq!(client_of("2001:db8:1:2:3:4:5:6", &NONE), "2001:db8:1:2::");
    assert_eq!(client_of("fd00::1", &[("x", "2001:db8::1")]), "2001:db8::");
    assert_eq!(client_of("fd00::1", &[("x", "::ffff:1.2.3.4")]), "1.2.3.4");
}
