//! Deadlines, replacement of waiting connections, and a reset after bytes. The clock of the first
//! tests is paused.

use std::{
    future::{pending, poll_fn},
    io::ErrorKind,
    net::IpAddr,
    pin::{Pin, pin},
    rc::Rc,
    time::Duration,
};

use actix_web::{HttpRequest, test::TestRequest};
use futures_util::future::poll_immediate;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep},
};

use super::{
    Activity, Connections, OpenRequest, Stream,
    activity::{HEAD_TIMEOUT, KEEP_ALIVE, MIN_TAKEN, SLACK, WRITE_TIMEOUT},
    budget::{HUGE, MAX_UNSENT, MAX_WAITING_OF_ADDRESS, SENDING_TIME},
};
use crate::config::ConnectionSettings;

/// Longer than every deadline.
const LONG: Duration = Duration::from_hours(1);

fn connections(total: usize, per_address: usize) -> Connections {
    Connections::new(ConnectionSettings {
        total,
        per_address,
        trusted_proxies: vec!["10.0.0.0/8".parse().expect("not a network")],
    })
}

fn admit(connections: &Connections, address: &str) -> Option<Rc<Activity>> {
    connections.admit(address.parse::<IpAddr>().expect("not an address"))
}

/// The time after which the connection is closed, during which `work` happens.
async fn lifetime<F: Future<Output = ()>>(work: impl FnOnce(Rc<Activity>) -> F) -> Duration {
    let activity = admit(&connections(1, 1), "192.0.2.1").expect("refused");
    let start = Instant::now();
    let served = async {
        work(Rc::clone(&activity)).await;
        pending::<()>().await;
    };
    assert_eq!(activity.limit(served).await, None);
    start.elapsed()
}

/// The timer has a resolution of 1 ms.
#[track_caller]
fn assert_about(measured: Duration, expected: Duration) {
    let tick = Duration::from_millis(2);
    assert!(
        (expected..=expected + tick).contains(&measured),
        "{measured:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed() {
    let measured = lifetime(async |_| {}).await;
    assert_about(measured, KEEP_ALIVE + SLACK);
}

#[tokio::test(start_paused = true)]
async fn an_incomplete_head_is_closed_after_its_first_byte() {
    let measured = lifetime(async |activity| {
        for _ in 0..5 {
            sleep(Duration::from_secs(1)).await;
            activity.received();
        }
    });
    assert_about(
        measured.await,
        Duration::from_secs(1) + HEAD_TIMEOUT + SLACK,
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_disconnected() {
    let measured = lifetime(async |activity| {
        activity.block();
        sleep(WRITE_TIMEOUT / 2).await;
        activity.sent(MIN_TAKEN - 1);
        activity.block();
    });
    assert_about(measured.await, WRITE_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_slowly_is_served() {
    let measured = lifetime(async |activity| {
        activity.block();
        for _ in 0..100 {
            sleep(WRITE_TIMEOUT / 2).await;
            activity.sent(MIN_TAKEN);
        }
        activity.flushed();
    });
    assert_about(measured.await, WRITE_TIMEOUT * 50 + KEEP_ALIVE + SLACK);
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_take_longer_than_the_deadlines_of_a_connection() {
    let measured = lifetime(async |activity| {
        let open = OpenRequest::of(Rc::clone(&activity), &request(false));
        sleep(LONG).await;
        drop(open);
    });
    assert_about(measured.await, LONG + KEEP_ALIVE + SLACK);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_no_handler_reads_must_arrive_soon() {
    let measured = lifetime(async |activity| {
        drop(OpenRequest::of(activity, &request(true)));
    });
    assert_about(measured.await, HEAD_TIMEOUT + SLACK);
}

fn request(is_chunked: bool) -> HttpRequest {
    let request = TestRequest::default();
    if is_chunked {
        let header = ("transfer-encoding", "chunked");
        return request.insert_header(header).to_http_request();
    }
    request.to_http_request()
}

fn is_closed(activity: &Activity) -> bool {
    activity.entry.is_closed()
}

#[tokio::test]
async fn at_the_limit_the_connection_that_waits_longest_is_replaced() {
    for (connections, other) in [
        (connections(2, 2), "192.0.2.1"),
        (connections(2, 9), "192.0.2.2"),
    ] {
        let busy = admit(&connections, "192.0.2.1").expect("refused");
        let request = OpenRequest::of(Rc::clone(&busy), &request(false));
        let idle = admit(&connections, other).expect("refused");
        let newest = admit(&connections, other).expect("refused");
        assert!(is_closed(&idle) && !is_closed(&busy));
        assert_eq!(connections.count(), 2);
        let second = OpenRequest::of(Rc::clone(&newest), &self::request(false));
        assert!(admit(&connections, other).is_none());
        drop((request, second, busy, idle, newest));
        assert_eq!(connections.count(), 0);
    }
}

/// The connection is chosen by another worker during the poll that begins its request.
#[tokio::test]
async fn a_connection_that_begins_a_request_while_it_is_chosen_counts() {
    let connections = connections(1, 1);
    let chosen = admit(&connections, "192.0.2.1").expect("refused");
    let served = async {
        let newest = admit(&connections, "192.0.2.1").expect("refused");
        assert!(is_closed(&chosen));
        let request = OpenRequest::of(Rc::clone(&chosen), &request(false));
        assert!(!is_closed(&chosen));
        assert_eq!(connections.count(), 2);
        // The new connection is counted too, so it makes room, and the limit holds again.
        assert!(admit(&connections, "192.0.2.1").is_none());
        assert!(is_closed(&newest));
        assert_eq!(connections.count(), 1);
        tokio::task::yield_now().await;
        drop(request);
        admit(&connections, "192.0.2.1").expect("refused");
        pending::<()>().await;
    };
    assert_eq!(chosen.limit(served).await, None);
    assert_eq!(connections.count(), 0);
}

#[tokio::test]
async fn a_trusted_proxy_has_no_limit_of_its_own() {
    let connections = connections(9, 1);
    let first = admit(&connections, "10.1.2.3").expect("refused");
    let second = admit(&connections, "10.1.2.3").expect("refused");
    assert!(!is_closed(&first) && !is_closed(&second));
}

#[tokio::test]
async fn unread_responses_are_bounded_in_all() {
    let connections = connections(9, 9);
    let open = |activity: &Rc<Activity>| OpenRequest::of(Rc::clone(activity), &request(false));
    let [stalled, idle, reading, late] =
        [(); 4].map(|()| admit(&connections, "192.0.2.1").expect("refused"));
    let held = open(&stalled)
        .reserve(MAX_UNSENT / 2 + 1)
        .await
        .expect("full");
    stalled.block();
    // The second waits until the first had its time.
    let request = open(&reading);
    let (second, ()) = tokio::join!(request.reserve(MAX_UNSENT / 2), async {
        while !is_closed(&stalled) {
            sleep(SENDING_TIME / 8).await;
        }
        drop(held);
    });
    drop(request);
    let second = second.expect("full");
    assert!(!is_closed(&idle) && !is_closed(&reading));
    // A response that is being produced, or read, is not cut off for another.
    let busy = open(&reading);
    assert!(open(&late).reserve(MAX_UNSENT).await.is_none());
    drop((busy, second));
    assert!(open(&late).reserve(MAX_UNSENT * 2).await.is_some());
}

/// A response to a write is sent although the budget is used up, and its bytes count.
#[tokio::test]
async fn unread_responses_to_writes_are_bounded_too() {
    let connections = connections(9, 9);
    let open = |activity: &Rc<Activity>| OpenRequest::of(Rc::clone(activity), &request(false));
    let [first, second, third] = ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
        .map(|address| admit(&connections, address).expect("refused"));
    let _full = open(&first).reserve(MAX_UNSENT / 2).await.expect("full");
    first.block();
    let _beyond = open(&second).exceed(MAX_UNSENT / 2);
    second.block();
    assert!(!is_closed(&first) && !is_closed(&second));
    sleep(SENDING_TIME).await;
    // Its own bytes do not count before it.
    let _more = open(&third).exceed(MAX_UNSENT);
    assert!(is_closed(&first) && is_closed(&second));
}

/// A client that takes some bytes again and again is closed as well.
#[tokio::test]
async fn a_slow_reader_makes_room_for_others() {
    let connections = connections(9, 9);
    let open = |activity: &Rc<Activity>| OpenRequest::of(Rc::clone(activity), &request(false));
    let [slow, other] = [(); 2].map(|()| admit(&connections, "192.0.2.1").expect("refused"));
    let held = open(&slow).reserve(MAX_UNSENT).await.expect("full");
    slow.block();
    let other = open(&other);
    let (reserved, ()) = tokio::join!(other.reserve(MAX_UNSENT), async {
        for _ in 0..300 {
            if is_closed(&slow) {
                break;
            }
            sleep(SENDING_TIME / 100).await;
            slow.sent(1000);
        }
        drop(held);
    });
    assert!(reserved.is_some());
}

#[tokio::test]
async fn huge_responses_and_one_address_do_not_use_up_the_budget_of_others() {
    let connections = connections(99, 99);
    let open = |address: &str| {
        let activity = admit(&connections, address).expect("refused");
        OpenRequest::of(activity, &request(false))
    };
    let huge = open("192.0.2.1").reserve(MAX_UNSENT).await;
    let mut sent = Vec::new();
    for _ in 0..MAX_UNSENT / HUGE {
        sent.push(open("192.0.2.1").reserve(HUGE).await.expect("full"));
    }
    let waiting: Vec<_> = (0..MAX_WAITING_OF_ADDRESS / HUGE)
        .map(|_| open("192.0.2.1"))
        .collect();
    // The clients of a proxy share its address.
    let of_proxy: Vec<_> = (0..=MAX_WAITING_OF_ADDRESS / HUGE)
        .map(|_| open("10.1.2.3"))
        .collect();
    let mut waits: Vec<_> = waiting
        .iter()
        .map(|open| Box::pin(open.reserve(HUGE)))
        .collect();
    for wait in &mut waits {
        assert!(poll_immediate(wait).await.is_none());
    }
    let of_same = open("192.0.2.1");
    assert!(
        poll_immediate(pin!(of_same.reserve(HUGE)))
            .await
            .is_some_and(|place| place.is_none())
    );
    for open in &of_proxy {
        let mut wait = Box::pin(open.reserve(HUGE));
        assert!(poll_immediate(&mut wait).await.is_none());
        waits.push(wait);
    }
    let of_other = open("192.0.2.2");
    let mut other = pin!(of_other.reserve(HUGE));
    assert!(poll_immediate(&mut other).await.is_none());
    drop((sent, huge, waits));
    assert!(other.await.is_some());
}

/// The connections of a trusted proxy count as one address each.
#[tokio::test]
async fn the_address_that_holds_most_of_the_budget_makes_room_for_others() {
    let connections = connections(99, 99);
    let hold = async |address: &str| {
        let activity = admit(&connections, address).expect("refused");
        let request = OpenRequest::of(Rc::clone(&activity), &request(false));
        let place = request.reserve(HUGE).await.expect("full");
        activity.block();
        (activity, request, place)
    };
    let mut old = vec![hold("2001:db8::1").await];
    for _ in 0..MAX_UNSENT / HUGE / 2 {
        old.push(hold("10.1.2.3").await);
    }
    sleep(SENDING_TIME).await;
    let mut renewed = Vec::new();
    for last in old.len()..MAX_UNSENT / HUGE {
        renewed.push(hold(&format!("2001:db8:0:1::{last}")).await);
    }
    let wait = |address: &str| {
        let activity = admit(&connections, address).expect("refused");
        OpenRequest::of(activity, &request(false))
    };
    let any_closed = |held: &[(Rc<Activity>, _, _)]| held.iter().any(|held| is_closed(&held.0));
    // Its own may be too new, and older ones of others are not closed for it.
    let same = wait("2001:db8:0:1::1");
    assert!(poll_immediate(pin!(same.reserve(HUGE))).await.is_none());
    assert!(!any_closed(&old));
    sleep(SENDING_TIME).await;
    let other = wait("192.0.2.1");
    assert!(poll_immediate(pin!(other.reserve(HUGE))).await.is_none());
    assert!(!any_closed(&old) && any_closed(&renewed));
}

#[tokio::test]
async fn a_reset_after_bytes_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("no port");
    let address = listener.local_addr().expect("no address");
    let mut client = TcpStream::connect(address).await.expect("no connection");
    client.write_all(b"GET").await.expect("cannot write");
    socket2::SockRef::from(&client)
        .set_linger(Some(Duration::ZERO))
        .expect("no linger");
    drop(client);
    let (tcp, peer) = listener.accept().await.expect("no connection");
    let activity = connections(1, 1).admit(peer.ip()).expect("refused");
    let mut stream = Stream::new(tcp, activity);
    // The buffer has room for these bytes only: after a shorter read, tokio itself waits.
    let mut bytes = [0; 3];
    assert_eq!(stream.read(&mut bytes).await.expect("no bytes"), 3);
    // actix-http reads until there is nothing more.
    let mut first = true;
    let error = poll_fn(|context| {
        let polled = Pin::new(&mut stream).poll_read(context, &mut ReadBuf::new(&mut bytes));
        if std::mem::take(&mut first) {
            assert!(polled.is_pending(), "{polled:?}");
        }
        polled
    });
    assert_eq!(error.await.unwrap_err().kind(), ErrorKind::ConnectionReset);
}
