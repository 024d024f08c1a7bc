//! A client that speaks just enough HTTP on kept connections.

use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Bytes of one answer for `/1k`, its head included, at most.
const BUFFER_BYTES: usize = 64 * 1024;

pub(crate) async fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).await.expect("a connection");
    stream.set_nodelay(true).expect("no delay");
    stream
}

async fn request(stream: &mut TcpStream, path: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("it is sent");
}

/// The length of the body, and how much of it came with the head.
async fn head(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> (usize, usize) {
    buffer.clear();
    loop {
        assert!(stream.read_buf(buffer).await.expect("an answer") > 0, "the connection was closed");
        if let Some(end) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(buffer.get(..end).expect("a head")).to_lowercase();
            assert!(text.starts_with("http/1.1 200"), "{text}");
            let length = text.lines().find_map(|line| line.strip_prefix("content-length:")).expect("a length");
            return (length.trim().parse().expect("a number"), buffer.len() - end - 4);
        }
    }
}

/// One request to the end of its answer.
pub(crate) async fn exchange(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Duration {
    let began = Instant::now();
    request(stream, "/1k").await;
    let (length, mut came) = head(stream, buffer).await;
    while came < length {
        let read = stream.read_buf(buffer).await.expect("an answer");
        assert!(read > 0, "the answer breaks off");
        came += read;
    }
    began.elapsed()
}

/// The times of requests one after another, in nanoseconds.
pub(crate) async fn sequential(address: &str, requests: usize) -> Histogram<u64> {
    let mut histogram = Histogram::new(3).expect("a histogram");
    let mut stream = connect(address).await;
    let mut buffer = Vec::with_capacity(BUFFER_BYTES);
    for _ in 0..requests {
        let took = exchange(&mut stream, &mut buffer).await;
        histogram.record(u64::try_from(took.as_nanos()).expect("a short time")).expect("a value");
    }
    histogram
}

/// How long a whole body takes.
pub(crate) async fn body(address: &str, bytes: usize) -> Duration {
    let began = Instant::now();
    part_of_body(address, bytes).await;
    began.elapsed()
}

/// How long `bytes` of a body take, from the first of them to the last.
pub(crate) async fn part_of_body(address: &str, bytes: usize) -> (usize, Duration) {
    let mut stream = connect(address).await;
    let mut buffer = Vec::with_capacity(BUFFER_BYTES);
    request(&mut stream, "/64m").await;
    let (_, mut came) = head(&mut stream, &mut buffer).await;
    let began = Instant::now();
    let first = came;
    let mut piece = vec![0; BUFFER_BYTES];
    while came < bytes {
        let read = stream.read(&mut piece).await.expect("an answer");
        assert!(read > 0, "the body breaks off");
        came += read;
    }
    (came - first, began.elapsed())
}

/// Connections that have carried one request each and stay open.
pub(crate) async fn idle(address: &str, connections: usize) -> Vec<TcpStream> {
    let mut held = Vec::with_capacity(connections);
    let mut buffer = Vec::with_capacity(BUFFER_BYTES);
    for _ in 0..connections {
        let mut stream = connect(address).await;
        exchange(&mut stream, &mut buffer).await;
        held.push(stream);
    }
    held
}
