//! The proxy's TLS on real sockets, with a peer that we did not write: Python's `ssl`, which is OpenSSL.

use std::process::{Command, Stdio};
use std::sync::Arc;

use gameday::proxy::{ClientTls, Connector, Terminator, TlsFault, UpstreamTls};
use gameday::unit::Clock;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::peers::{python, script};
use crate::support::Workspace;

const NAME: &str = "cards.example.test";
/// Where the test that trusts the system's authorities finds the port of its upstream.
const PORT_VARIABLE: &str = "GAMEDAY_TEST_TLS_PORT";

/// Answers each client of `terminator` with what it said; the port.
async fn echo(terminator: Arc<Terminator>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let terminator = Arc::clone(&terminator);
            tokio::spawn(async move {
                let Ok(mut stream) = terminator.accept(stream).await else { return };
                let mut bytes = [0; 100];
                let length = stream.read(&mut bytes).await.expect("what the client said");
                stream.write_all(&bytes[..length]).await.expect("written");
                stream.shutdown().await.expect("shut down");
            });
        }
    });
    port
}

fn terminator(workspace: &Workspace) -> Arc<Terminator> {
    let terminator = Terminator::new(&ClientTls::default(), &[NAME.to_owned()], Clock::start().now()).expect("good");
    workspace.write("ca.pem", terminator.ca_pem().expect("an authority"));
    Arc::new(terminator)
}

#[tokio::test(flavor = "multi_thread")]
async fn openssl_sees_each_fault_for_what_it_is() {
    if python("OpenSSL on the proxy's TLS").is_none() {
        return;
    }
    let workspace = Workspace::empty();
    let terminator = terminator(&workspace);
    let port = echo(Arc::clone(&terminator)).await;
    let said_within = |seconds: &str, name: &str| {
        let mut python = python("OpenSSL on the proxy's TLS").expect("there is one");
        let authorities = workspace.path().join("ca.pem");
        let command = python.arg(script("tls_client.py")).args([&port.to_string(), name]).arg(authorities).arg(seconds);
        let output = tokio::task::block_in_place(|| workspace.start_command(command).wait());
        assert_eq!(output.code(), 0, "{}{}", output.stdout, output.stderr);
        output.stdout.trim().to_owned()
    };
    let said = |name: &str| said_within("60", name);
    assert_eq!((said(NAME), said("127.0.0.1")), ("http/1.1 hello".to_owned(), "http/1.1 hello".to_owned()));
    for (fault, expected) in [
        (TlsFault::Expired, "certificate has expired"),
        (TlsFault::WrongName, "Hostname mismatch, certificate is not valid for 'cards.example.test'."),
        (TlsFault::SelfSigned, "self-signed certificate"),
    ] {
        terminator.set_fault(Some(fault)).expect("an authority of its own");
        assert_eq!(said(NAME), expected);
    }
    terminator.set_fault(Some(TlsFault::StalledHandshake)).expect("any can stall");
    assert_eq!(said_within("0.5", NAME), "timed out");
    terminator.set_fault(None).expect("none is always good");
    assert_eq!(said(NAME), "http/1.1 hello");
    assert_eq!(terminator.hits(), 4);
}

#[tokio::test]
async fn a_connection_with_tls_can_be_reset() {
    let workspace = Workspace::empty();
    let terminator = terminator(&workspace);
    let connector = Connector::new(&UpstreamTls { authorities: Some(workspace.path().join("ca.pem")) }).expect("good");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let stream = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("it listens");
    let (accepted, _) = listener.accept().await.expect("a client");
    let (client, server) = tokio::join!(connector.connect(stream, NAME), terminator.accept(accepted));
    let (mut client, server) = (client.expect("a handshake"), server.expect("a handshake"));
    server.transport().set_zero_linger().expect("a socket");
    drop(server);
    let error = client.read(&mut [0; 1]).await.expect_err("a reset");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_is_trusted_as_the_system_trusts_it() {
    let workspace = Workspace::empty();
    let port = echo(terminator(&workspace)).await;
    let run = |authorities: &std::path::Path| {
        // Which authorities the system trusts, a process can only tell another.
        let mut command = Command::new(std::env::current_exe().expect("this binary"));
        command
            .args(["--ignored", "--exact", "tls::a_connector_with_the_systems_authorities", "--nocapture"])
            .stdin(Stdio::null())
            .env(PORT_VARIABLE, port.to_string())
            .env("SSL_CERT_FILE", authorities)
            .env_remove("SSL_CERT_DIR");
        let output = tokio::task::block_in_place(|| workspace.start_command(&mut command).wait());
        assert_eq!(output.code(), 0, "{}{}", output.stdout, output.stderr);
        output.stdout
    };
    assert!(run(&workspace.path().join("ca.pem")).contains("the upstream said hello"));
    let other = Workspace::empty();
    terminator(&other);
    assert!(run(&other.path().join("ca.pem")).contains("the upstream was refused"));
    assert!(run(&workspace.path().join("none.pem")).contains("the system has no authorities to trust"));
}

#[tokio::test]
#[ignore = "run by another test, with authorities in its environment"]
async fn a_connector_with_the_systems_authorities() {
    let Ok(port) = std::env::var(PORT_VARIABLE) else { return };
    let connector = match Connector::new(&UpstreamTls::default()) {
        Ok(connector) => connector,
        Err(error) => return println!("{error}"),
    };
    let stream = TcpStream::connect(format!("127.0.0.1:{port}")).await.expect("it listens");
    let Ok(mut stream) = connector.connect(stream, NAME).await else { return println!("the upstream was refused") };
    stream.write_all(b"hello").await.expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer with an end");
    println!("the upstream said {answer}");
}
