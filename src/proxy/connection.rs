//! One client with its connection to the server: two links, one for each direction, in one task.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::change::Change;
use super::counters::{OpenConnection, ProxyCounters};
use super::exchanges::Exchanges;
use super::http::{HttpStream, Resigning, RuleSet, Tunnel};
use super::link::{self, LinkContext, LinkEnd};
use super::splice::Side;
use super::timer::Clockwork;
use super::tls::ProxyTls;
use super::toxic::ToxicSet;
use super::upstream::{self, Upstream};
use super::{Direction, Protocol, UpstreamAddress, connection_tls};

/// What every connection of a proxy shares.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionContext {
    pub(crate) upstream: UpstreamAddress,
    pub(crate) protocol: Protocol,
    /// There where a side speaks TLS.
    pub(crate) tls: Option<Arc<ProxyTls>>,
    pub(crate) clockwork: Clockwork,
    pub(crate) toxics: watch::Receiver<ToxicSet>,
    pub(crate) rules: watch::Receiver<RuleSet>,
    pub(crate) resigning: Option<Resigning>,
    pub(crate) counters: Arc<ProxyCounters>,
}

/// Serves one client until both sides are done, a toxic closes the connection, or a side fails.
///
/// Where the server can not be reached or fails, the client sees a reset, as it would without the proxy; over HTTP only
/// where no rule has an answer.
pub(crate) async fn serve(client: TcpStream, number: u64, context: ConnectionContext) {
    let _open = OpenConnection::begin(&context.counters);
    // Without it a small answer may wait 40 ms for an acknowledgement. It can fail only on a dead socket.
    client.set_nodelay(true).ok();
    match (&context.tls, context.protocol) {
        (Some(tls), _) => connection_tls::serve(client, number, &context, tls).await,
        (None, Protocol::Tcp) => serve_tcp(client, number, &context).await,
        (None, Protocol::Http) => {
            let connecting = context.clone();
            let server = Upstream::new(async move { connect(&connecting, &connecting.upstream).await });
            serve_http(client, server, Upstream::stream, number, &context).await;
        }
        (None, Protocol::Connect) => {
            let connecting = context.clone();
            let server = Tunnel::new(context.upstream.clone(), move |place| {
                let context = connecting.clone();
                async move { connect(&context, &place).await }
            });
            serve_http(client, server, Tunnel::stream, number, &context).await;
        }
    }
}

async fn serve_tcp(mut client: TcpStream, number: u64, context: &ConnectionContext) {
    let Ok(mut server) = connect(context, &context.upstream).await else {
        reset(&client);
        return;
    };
    let (client_reader, client_writer) = client.split();
    let (server_reader, server_writer) = server.split();
    let outcome = join(client_reader, client_writer, server_reader, server_writer, number, context).await;
    if is_broken(&outcome) {
        reset(&client);
        reset(&server);
    }
}

async fn serve_http<S>(
    mut client: TcpStream,
    server: S,
    socket: impl FnOnce(&S) -> Option<&TcpStream>,
    number: u64,
    context: &ConnectionContext,
) where
    S: AsyncRead + AsyncWrite + Side + Unpin,
{
    let stream = http_stream(server, context);
    let (client_reader, client_writer) = client.split();
    let (server_reader, server_writer) = stream.split();
    let outcome = join(client_reader, client_writer, server_reader, server_writer, number, context).await;
    if is_broken(&outcome) {
        reset(&client);
        if let Some(socket) = socket(&stream.into_server()) {
            reset(socket);
        }
    }
}

/// A server with the proxy's HTTP in front.
pub(super) fn http_stream<S>(server: S, context: &ConnectionContext) -> HttpStream<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let counters = Arc::clone(&context.counters);
    let stream =
        HttpStream::new(server, context.rules.clone(), context.resigning.clone(), context.clockwork.clone(), counters);
    match context.protocol {
        Protocol::Connect => stream.only_http(),
        Protocol::Http | Protocol::Tcp => stream,
    }
}

/// Connects to the server, and counts where that fails.
pub(super) async fn connect(context: &ConnectionContext, upstream: &UpstreamAddress) -> io::Result<TcpStream> {
    let connected = upstream::connect(upstream).await;
    context.counters.upstream_connect_failures.add(u64::from(connected.is_err()));
    connected
}

fn is_broken(outcome: &Result<(), LinkEnd>) -> bool {
    matches!(outcome, Err(LinkEnd::BrokenOff))
}

/// Runs the two links between a client and a server.
pub(super) async fn join<CR, CW, SR, SW>(
    client_reader: CR,
    client_writer: CW,
    server_reader: SR,
    server_writer: SW,
    connection: u64,
    context: &ConnectionContext,
) -> Result<(), LinkEnd>
where
    CR: AsyncRead + Side + Unpin,
    CW: AsyncWrite + Side + Unpin,
    SR: AsyncRead + Side + Unpin,
    SW: AsyncWrite + Side + Unpin,
{
    let exchanges = Exchanges::new(&context.counters.connections_asking);
    let (client_ended, client_ended_seen) = watch::channel(false);
    let (server_ended, server_ended_seen) = watch::channel(false);
    let towards_server = LinkContext {
        direction: Direction::Upstream,
        protocol: context.protocol,
        clockwork: context.clockwork.clone(),
        connection,
        toxics: Change::of(context.toxics.clone()),
        exchanges: &exchanges,
        received: &context.counters.received_upstream,
        bytes: &context.counters.bytes_upstream,
        ended: client_ended,
        other_ended: server_ended_seen,
    };
    let towards_client = LinkContext {
        direction: Direction::Downstream,
        protocol: context.protocol,
        clockwork: context.clockwork.clone(),
        connection,
        toxics: Change::of(context.toxics.clone()),
        exchanges: &exchanges,
        received: &context.counters.received_downstream,
        bytes: &context.counters.bytes_downstream,
        ended: server_ended,
        other_ended: client_ended_seen,
    };
    tokio::try_join!(
        link::run(client_reader, server_writer, towards_server),
        link::run(server_reader, client_writer, towards_client)
    )?;
    Ok(())
}

/// Makes the coming close a reset. It can fail only on a dead socket.
pub(super) fn reset(stream: &TcpStream) {
    stream.set_zero_linger().ok();
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use serde_json::json;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
    use tokio::task::JoinHandle;
    use tokio::time::Instant;

    use super::*;
    use crate::proxy::toxic::ActiveToxic;

    const MILLISECOND: Duration = Duration::from_millis(1);
    const HOUR: Duration = Duration::from_secs(3_600);
    /// Tokio rounds a timer up to the next millisecond.
    const TIMER_ERROR_MAX: Duration = Duration::from_millis(2);
    const PIPE_BYTES: usize = 1024 * 1024;

    /// A connection through the proxy without sockets.
    struct Wire {
        client: DuplexStream,
        server: DuplexStream,
        toxics: watch::Sender<ToxicSet>,
        counters: Arc<ProxyCounters>,
        links: JoinHandle<Result<(), LinkEnd>>,
    }

    impl Wire {
        fn new(protocol: Protocol) -> Self {
            let (client, client_side) = tokio::io::duplex(PIPE_BYTES);
            let (server_side, server) = tokio::io::duplex(PIPE_BYTES);
            let (toxics, seen) = watch::channel(ToxicSet::default());
            let counters = Arc::<ProxyCounters>::default();
            let upstream = "127.0.0.1:1".parse().expect("an upstream");
            let (_, rules) = watch::channel(RuleSet::default());
            let context = ConnectionContext {
                upstream,
                protocol,
                tls: None,
                clockwork: Clockwork::Wheel,
                toxics: seen,
                rules,
                resigning: None,
                counters: Arc::clone(&counters),
            };
            let links = tokio::spawn(async move {
                let (client_reader, client_writer) = tokio::io::split(client_side);
                let (server_reader, server_writer) = tokio::io::split(server_side);
                join(client_reader, client_writer, server_reader, server_writer, 0, &context).await
            });
            Self { client, server, toxics, counters, links }
        }

        fn add(&self, json: serde_json::Value) {
            let number = self.toxics.borrow().iter().count();
            let spec = serde_json::from_value(json).expect("a toxic");
            let id = u64::try_from(number).expect("few");
            let toxic = ActiveToxic::new(id, spec, &"p".parse().expect("a name"), 1);
            self.toxics.send_modify(|set| *set = set.with(toxic));
        }

        fn remove(&self, name: &str) {
            self.toxics.send_modify(|set| *set = set.without(name));
        }

        fn hits(&self, name: &str) -> u64 {
            self.toxics.borrow().get(name).expect("the toxic is there").counters.hits.get()
        }

        /// One request with its response, and how long it took.
        async fn exchange(&mut self) -> Duration {
            let began = Instant::now();
            self.client.write_all(b"request").await.expect("written");
            expect(&mut self.server, b"request").await;
            self.server.write_all(b"response").await.expect("written");
            expect(&mut self.client, b"response").await;
            began.elapsed()
        }
    }

    async fn expect(stream: &mut DuplexStream, bytes: &[u8]) {
        let mut received = vec![0; bytes.len()];
        stream.read_exact(&mut received).await.expect("all the bytes");
        assert_eq!(received, bytes);
    }

    fn latency(stream: &str, latency_ms: u64, jitter_ms: u64) -> serde_json::Value {
        json!({"name": "slow", "type": "latency", "stream": stream,
                           "attributes": {"latency": latency_ms, "jitter": jitter_ms}})
    }

    fn black_hole(timeout_ms: u64) -> serde_json::Value {
        json!({"name": "hole", "type": "timeout", "attributes": {"timeout": timeout_ms}})
    }

    fn assert_took(elapsed: Duration, expected: Duration) {
        assert!(elapsed >= expected && elapsed <= expected + TIMER_ERROR_MAX, "{elapsed:?} is not {expected:?}");
    }

    /// A proxy that is told to end waits for those.
    #[tokio::test(start_paused = true)]
    async fn a_client_asks_from_when_it_spoke_until_it_is_answered_or_gone() {
        for protocol in [Protocol::Http, Protocol::Tcp] {
            let mut wire = Wire::new(protocol);
            let asking = |wire: &Wire| wire.counters.connections_asking.get();
            assert_eq!(asking(&wire), 0, "an idle connection");
            for _ in 0..2 {
                wire.client.write_all(b"ask").await.expect("written");
                wire.server.read_exact(&mut [0; 3]).await.expect("asked");
                assert_eq!(asking(&wire), 1);
                wire.server.write_all(b"answer").await.expect("written");
                wire.client.read_exact(&mut [0; 6]).await.expect("answered");
                assert_eq!(asking(&wire), 0);
            }
            wire.client.write_all(b"ask").await.expect("written");
            wire.server.read_exact(&mut [0; 3]).await.expect("asked");
            wire.links.abort();
            (&mut wire.links).await.expect_err("it was ended");
            assert_eq!(asking(&wire), 0, "nobody is left");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn every_exchange_on_a_kept_connection_is_delayed_in_either_direction() {
        for (protocol, stream) in [
            (Protocol::Http, "downstream"),
            (Protocol::Http, "upstream"),
            (Protocol::Tcp, "downstream"),
            (Protocol::Tcp, "upstream"),
        ] {
            let mut wire = Wire::new(protocol);
            assert_took(wire.exchange().await, Duration::ZERO);
            wire.add(latency(stream, 100, 0));
            for _ in 0..5 {
                assert_took(wire.exchange().await, 100 * MILLISECOND);
                tokio::time::sleep(30 * MILLISECOND).await;
            }
            assert_eq!(wire.hits("slow"), 5, "{protocol:?} {stream}");
            wire.remove("slow");
            assert_took(wire.exchange().await, Duration::ZERO);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn jitter_is_drawn_for_each_exchange_and_stays_in_its_bounds() {
        let mut wire = Wire::new(Protocol::Http);
        wire.add(latency("downstream", 50, 20));
        let mut took = Vec::new();
        for _ in 0..200 {
            took.push(wire.exchange().await);
        }
        took.sort_unstable();
        let (least, most) = (took.first().expect("200 of them"), took.last().expect("200 of them"));
        assert!(*least >= 30 * MILLISECOND && *least < 33 * MILLISECOND, "{least:?}");
        assert!(*most > 67 * MILLISECOND && *most <= 70 * MILLISECOND + TIMER_ERROR_MAX, "{most:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_response_arrives_late_but_no_slower() {
        let mut wire = Wire::new(Protocol::Http);
        wire.add(latency("downstream", 500, 0));
        let began = Instant::now();
        for _ in 0..100 {
            wire.server.write_all(b"chunk").await.expect("written");
            tokio::time::sleep(5 * MILLISECOND).await;
        }
        expect(&mut wire.client, &b"chunk".repeat(100)).await;
        let elapsed = began.elapsed();
        assert!(elapsed >= 990 * MILLISECOND && elapsed <= 1_005 * MILLISECOND, "{elapsed:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn removing_latency_delivers_what_was_held_at_once() {
        let mut wire = Wire::new(Protocol::Http);
        wire.add(latency("downstream", 3_600_000, 0));
        wire.server.write_all(b"held").await.expect("written");
        while wire.hits("slow") == 0 {
            tokio::task::yield_now().await;
        }
        let began = Instant::now();
        wire.remove("slow");
        expect(&mut wire.client, b"held").await;
        assert_took(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_black_hole_lets_nothing_pass_and_closes_after_its_timeout() {
        let mut wire = Wire::new(Protocol::Http);
        wire.exchange().await;
        let began = Instant::now();
        wire.add(black_hole(5_000));
        wire.client.write_all(b"request").await.expect("written");
        expect(&mut wire.server, b"request").await;
        wire.server.write_all(b"response").await.expect("written");
        assert_eq!(wire.client.read(&mut [0; 8]).await.expect("a clean end"), 0);
        assert_took(began.elapsed(), Duration::from_secs(5));
        assert!(matches!(wire.links.await, Ok(Err(LinkEnd::Closed))));
        assert_eq!(wire.counters.bytes_downstream.get(), 8, "the first response alone");
    }

    #[tokio::test(start_paused = true)]
    async fn a_black_hole_without_a_timeout_holds_until_it_is_removed_then_the_client_must_connect_again() {
        let mut wire = Wire::new(Protocol::Http);
        wire.add(black_hole(0));
        wire.server.write_all(b"lost").await.expect("written");
        // Not even the server's end comes through.
        wire.server.shutdown().await.expect("shut");
        let mut answer = [0; 8];
        assert!(tokio::time::timeout(HOUR, wire.client.read(&mut answer)).await.is_err(), "nothing in an hour");
        assert_eq!(wire.hits("hole"), 1);
        wire.remove("hole");
        assert_eq!(wire.client.read(&mut answer).await.expect("a clean end"), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_black_hole_does_not_keep_a_connection_that_both_sides_have_left() {
        let mut wire = Wire::new(Protocol::Http);
        wire.add(black_hole(0));
        wire.server.shutdown().await.expect("shut");
        assert!(tokio::time::timeout(HOUR, &mut wire.links).await.is_err(), "the client is still there");
        wire.client.shutdown().await.expect("shut");
        assert!(matches!(wire.links.await, Ok(Err(LinkEnd::Closed))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_shuts_its_side_still_gets_the_late_answer() {
        for delay_ms in [0, 250] {
            let mut wire = Wire::new(Protocol::Tcp);
            wire.add(latency("downstream", delay_ms, 0));
            wire.client.write_all(b"question").await.expect("written");
            wire.client.shutdown().await.expect("shut");
            let mut question = Vec::new();
            wire.server.read_to_end(&mut question).await.expect("the end is carried through");
            assert_eq!(question, b"question");
            tokio::time::sleep(200 * MILLISECOND).await;
            wire.server.write_all(b"answer").await.expect("written");
            drop(wire.server);
            let mut answer = Vec::new();
            wire.client.read_to_end(&mut answer).await.expect("the answer and its end");
            assert_eq!(answer, b"answer");
            assert!(matches!(wire.links.await, Ok(Ok(()))));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_leaves_early_still_has_its_answer_delivered_to_a_client_that_goes_on_sending() {
        let mut wire = Wire::new(Protocol::Http);
        wire.add(latency("downstream", 300, 0));
        wire.server.write_all(b"413").await.expect("written");
        drop(wire.server);
        // The server is gone, so that these bytes can not be delivered.
        wire.client.write_all(&[0; 100_000]).await.expect("written");
        let mut answer = Vec::new();
        wire.client.read_to_end(&mut answer).await.expect("the answer and its end");
        assert_eq!(answer, b"413");
        drop(wire.client);
        tokio::time::timeout(HOUR, wire.links)
            .await
            .expect("the links end")
            .expect("no panic")
            .expect("without a reset");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_has_gone_ends_the_connection_even_if_the_server_never_stops_sending() {
        let Wire { client, mut server, links, toxics: _toxics, .. } = Wire::new(Protocol::Tcp);
        drop(client);
        let sending = tokio::spawn(async move { while server.write_all(&[0; 50_000]).await.is_ok() {} });
        assert!(matches!(tokio::time::timeout(HOUR, links).await, Ok(Ok(Ok(())))));
        sending.await.expect("the server sees that nobody is there");
    }

    #[tokio::test(start_paused = true)]
    async fn deleting_the_proxy_closes_the_connection() {
        let Wire { mut client, toxics, links, server: _server, .. } = Wire::new(Protocol::Tcp);
        drop(toxics);
        assert_eq!(client.read(&mut [0; 1]).await.expect("a clean end"), 0);
        assert!(matches!(links.await, Ok(Err(LinkEnd::Closed))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_stalls_stops_the_sender_instead_of_filling_the_memory() {
        let mut wire = Wire::new(Protocol::Tcp);
        let chunk = vec![7; PIPE_BYTES];
        let mut sent = 0;
        while let Ok(written) = tokio::time::timeout(HOUR, wire.server.write(&chunk)).await {
            sent += written.expect("written");
            assert!(sent < 8 * PIPE_BYTES, "nobody reads, and yet it takes more");
        }
        let mut received = vec![0; sent];
        wire.client.read_exact(&mut received).await.expect("all that was taken is delivered");
    }

    #[tokio::test(start_paused = true)]
    async fn bandwidth_lets_so_many_bytes_pass_in_a_second() {
        let mut wire = Wire::new(Protocol::Tcp);
        wire.add(json!({"name": "narrow", "type": "bandwidth", "attributes": {"rate": 100}}));
        let began = Instant::now();
        let sent = vec![7; 300_000];
        wire.server.write_all(&sent).await.expect("written");
        expect(&mut wire.client, &sent).await;
        assert_took(began.elapsed(), Duration::from_secs(3));
        assert_eq!(wire.counters.bytes_downstream.get(), 300_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reset_breaks_off_a_live_connection_at_its_next_data_and_never_with_toxicity_0() {
        let mut wire = Wire::new(Protocol::Tcp);
        wire.exchange().await;
        wire.add(json!({"name": "spared", "type": "reset_peer", "toxicity": 0}));
        wire.exchange().await;
        wire.remove("spared");
        wire.add(json!({"name": "broken", "type": "reset_peer", "attributes": {"timeout": 100}}));
        let began = Instant::now();
        wire.client.write_all(b"request").await.expect("written");
        expect(&mut wire.server, b"request").await;
        assert!(tokio::time::timeout(HOUR, &mut wire.links).await.is_err(), "upstream data resets nothing");
        wire.server.write_all(b"response").await.expect("written");
        assert!(matches!(wire.links.await, Ok(Err(LinkEnd::BrokenOff))));
        assert_took(began.elapsed(), HOUR + 100 * MILLISECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_close_delivers_data_at_once_and_the_end_late() {
        let mut wire = Wire::new(Protocol::Tcp);
        wire.add(json!({"name": "late", "type": "slow_close", "attributes": {"delay": 700}}));
        assert_took(wire.exchange().await, Duration::ZERO);
        let began = Instant::now();
        wire.server.shutdown().await.expect("shut");
        assert_eq!(wire.client.read(&mut [0; 1]).await.expect("a clean end"), 0);
        assert_took(began.elapsed(), 700 * MILLISECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_delivers_its_bytes_to_the_last_then_closes_also_behind_a_delay() {
        for latency_ms in [0, 200] {
            let mut wire = Wire::new(Protocol::Tcp);
            wire.add(json!({"name": "limit", "type": "limit_data", "attributes": {"bytes": 11}}));
            wire.add(latency("downstream", latency_ms, 0));
            wire.exchange().await;
            wire.server.write_all(b"response").await.expect("written");
            let mut rest = Vec::new();
            wire.client.read_to_end(&mut rest).await.expect("a clean end");
            assert_eq!(rest, b"res");
            assert!(matches!(wire.links.await, Ok(Err(LinkEnd::Closed))));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slicer_hands_over_one_piece_at_a_time() {
        let mut wire = Wire::new(Protocol::Tcp);
        wire.add(json!({"name": "knife", "type": "slicer", "attributes": {"average_size": 10, "delay": 20_000}}));
        wire.server.write_all(&[7; 95]).await.expect("written");
        let began = Instant::now();
        let mut sizes = Vec::new();
        let mut buffer = [0; 100];
        while sizes.iter().sum::<usize>() < 95 {
            sizes.push(wire.client.read(&mut buffer).await.expect("a piece"));
        }
        assert_eq!(sizes, [10, 10, 10, 10, 10, 10, 10, 10, 10, 5]);
        assert_took(began.elapsed(), 9 * 20 * MILLISECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn removing_any_toxic_delivers_what_it_held_at_once() {
        for json in [
            json!({"name": "t", "type": "bandwidth", "attributes": {"rate": 0}}),
            json!({"name": "t", "type": "slicer", "attributes": {"average_size": 1, "delay": 3_600_000_000_u64}}),
            json!({"name": "t", "type": "reset_peer", "attributes": {"timeout": 3_600_000}}),
        ] {
            let mut wire = Wire::new(Protocol::Tcp);
            wire.add(json);
            wire.server.write_all(b"held").await.expect("written");
            while wire.hits("t") == 0 {
                tokio::task::yield_now().await;
            }
            let began = Instant::now();
            wire.remove("t");
            expect(&mut wire.client, b"held").await;
            assert_took(began.elapsed(), Duration::ZERO);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn random_slicing_in_random_chunks_at_any_rate_loses_and_reorders_nothing(
            chunks in prop::collection::vec((prop::collection::vec(any::<u8>(), 1..3_000), 0_u64..20), 1..20),
            (average, variation) in (1_usize..500).prop_flat_map(|average| (Just(average), 0..=average)),
            delay_us in 0_u64..2_000,
            rate in 1_u64..100,
            remove_after in 0_usize..30,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .expect("a runtime");
            let sent: Vec<u8> = chunks.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
            let received = runtime.block_on(async {
                let mut wire = Wire::new(Protocol::Tcp);
                wire.add(json!({"name": "knife", "type": "slicer", "attributes":
                    {"average_size": average, "size_variation": variation, "delay": delay_us}}));
                wire.add(json!({"name": "narrow", "type": "bandwidth", "attributes": {"rate": rate}}));
                for (index, (bytes, pause_ms)) in chunks.iter().enumerate() {
                    wire.server.write_all(bytes).await.expect("written");
                    tokio::time::sleep(Duration::from_millis(*pause_ms)).await;
                    if index == remove_after {
                        wire.remove("knife");
                    }
                }
                wire.server.shutdown().await.expect("shut");
                let mut received = Vec::new();
                wire.client.read_to_end(&mut received).await.expect("all and the end");
                received
            });
            prop_assert_eq!(received, sent);
        }

        #[test]
        fn any_chunking_passes_identical_and_in_order(
            chunks in prop::collection::vec((prop::collection::vec(any::<u8>(), 1..3_000), 0_u64..20), 1..30),
            latency_ms in 0_u64..100,
            jitter_ms in 0_u64..100,
            remove_after in 0_usize..40,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .expect("a runtime");
            let sent: Vec<u8> = chunks.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
            let received = runtime.block_on(async {
                let mut wire = Wire::new(Protocol::Tcp);
                wire.add(latency("downstream", latency_ms, jitter_ms));
                for (index, (bytes, pause_ms)) in chunks.iter().enumerate() {
                    wire.server.write_all(bytes).await.expect("written");
                    tokio::time::sleep(Duration::from_millis(*pause_ms)).await;
                    if index == remove_after {
                        wire.remove("slow");
                    }
                }
                wire.server.shutdown().await.expect("shut");
                let mut received = Vec::new();
                wire.client.read_to_end(&mut received).await.expect("all and the end");
                received
            });
            prop_assert_eq!(received, sent);
        }
    }
}
