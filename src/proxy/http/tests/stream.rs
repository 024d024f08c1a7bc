//! The stream without a link that copies.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;

use crate::proxy::http::rule::RuleSet;
use crate::proxy::http::stream::HttpStream;
use crate::proxy::splice::{Pipe, Side as _};
use crate::proxy::timer::Clockwork;

#[tokio::test(start_paused = true)]
async fn what_the_server_could_not_take_is_sent_while_a_pipe_waits_for_its_bytes() {
    let (server_side, mut server) = tokio::io::duplex(16);
    let (_rules, seen) = watch::channel(RuleSet::default());
    let stream = HttpStream::new(server_side, seen, None, Clockwork::Wheel, Arc::default());
    let (mut reader, mut writer) = stream.split();
    let said = [0x16; 40];
    writer.write_all(&said).await.expect("taken, though the server has room for 16 bytes");
    let pipe = Pipe::open(None).expect("a pipe");
    let mut heard = Vec::new();
    while heard.len() < said.len() {
        let spliced = poll_fn(|context| reader.poll_splice_in(context, &pipe, 1)).await;
        assert!(spliced.is_err(), "no pipe leads out of this server");
        let read = tokio::time::timeout(Duration::from_secs(3_600), server.read_buf(&mut heard)).await;
        read.expect("more of what the client said").expect("it is open");
    }
    assert_eq!(heard, said);
}
