//! Requests that boto3 signed with a wrong secret, signed anew, where somebody else verifies signatures: MiniStack with
//! `AUTH=true`.

use std::process::{Command, Stdio};

use gameday::aws::{Aws, Connection};
use gameday::unit::{NotResigned, Resign, sha256_hex};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::peers::{python, script, start_ministack, stop};
use crate::signed::create_surroundings;
use crate::support::{Workspace, free_port};

const SERVICES: &str = "dynamodb,events,iam,lambda,s3,sqs,ssm,sts";
/// Where the test that runs with a key of its own finds MiniStack's port.
const PORT_VARIABLE: &str = "GAMEDAY_TEST_RESIGN_PORT";

/// What becomes of boto3's calls at the endpoint, with a key and perhaps a token whose secret it does not know.
fn outcomes(workspace: &Workspace, endpoint: &str, key: &[&str]) -> Value {
    let mut python = python("signing anew").expect("there is one");
    let output = workspace.start_command(python.arg(script("resigned.py")).arg(endpoint).args(key)).wait();
    assert_eq!(output.code(), 0, "{}{}", output.stdout, output.stderr);
    serde_json::from_str(&output.stdout).expect("JSON")
}

#[test]
fn what_boto3_signed_with_a_wrong_secret_is_good_once_it_is_signed_anew() {
    let Some(mut python) = python("signing anew") else { return };
    let workspace = Workspace::empty();
    let port = free_port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let ministack = start_ministack(python.env("AUTH", "true"), &workspace, port, SERVICES);
    let (id, secret) = create_surroundings(&workspace, &endpoint);
    let refused = outcomes(&workspace, &endpoint, &[&id]);
    for call in ["form", "json", "queue", "rest", "bucket"] {
        let code = refused[call].as_str().unwrap_or_default();
        assert!(["InvalidSignatureException", "SignatureDoesNotMatch"].contains(&code), "{refused}");
    }
    // Credentials come from the environment, which a process can only give to another.
    let mut command = Command::new(std::env::current_exe().expect("this binary"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
        command.env_remove(name);
    }
    command
        .args(["--ignored", "--exact", "resign::a_proxy_with_a_key", "--nocapture"])
        .stdin(Stdio::null())
        .env(PORT_VARIABLE, port.to_string())
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ACCESS_KEY_ID", &id)
        .env("AWS_SECRET_ACCESS_KEY", &secret);
    let output = workspace.start_command(&mut command).wait();
    assert_eq!(output.code(), 0, "{}{}", output.stdout, output.stderr);
    assert!(output.stdout.contains("1 passed"), "{}", output.stdout);
    stop(ministack);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by another test, with credentials in its environment"]
async fn a_proxy_with_a_key() {
    let Ok(port) = std::env::var(PORT_VARIABLE) else { return };
    let connection = Connection::Account { region: "us-east-1".to_owned(), profile: None };
    let resigner = Aws::connect(&connection).await.resigner();
    let upstream = format!("127.0.0.1:{port}");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (resigner, upstream) = (resigner.clone(), upstream.clone());
            tokio::spawn(async move { forward(client, &upstream, &resigner).await });
        }
    });
    let workspace = Workspace::empty();
    let outcomes = tokio::task::block_in_place(|| outcomes(&workspace, &endpoint, &["AKIDNOBODY", "no token"]));
    let expected = json!({
        "form": "user/facilitator", "json": "kept", "queue": "sent", "rest": 0, "bucket": "stored", "presigned": 403,
    });
    assert_eq!(outcomes, expected);
}

/// One request and its answer.
async fn forward(mut client: TcpStream, upstream: &str, resigner: &dyn Resign) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = client.read_u8().await else { return };
        head.push(byte);
    }
    let text = std::str::from_utf8(&head).expect("text").to_lowercase();
    if text.contains("expect: 100-continue") {
        client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.expect("written");
    }
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a number"))];
    client.read_exact(&mut body).await.expect("the whole body");

    let known_without_body = resigner.resign(&head, upstream, None).await;
    assert!(
        body.is_empty() || text.contains("x-amz-content-sha256") || known_without_body == Err(NotResigned::BodyNeeded)
    );
    let resigned = match resigner.resign(&head, upstream, Some(&sha256_hex(&body))).await {
        Err(NotResigned::Presigned) => head,
        outcome => outcome.expect("a request that boto3 signed"),
    };
    // One request a connection keeps this short; neither header is signed.
    let mut lines: Vec<&str> = std::str::from_utf8(&resigned).expect("text").trim_end().split("\r\n").collect();
    lines.retain(|line| !line.to_lowercase().starts_with("expect:") && !line.to_lowercase().starts_with("connection:"));
    lines.push("Connection: close\r\n\r\n");
    let mut server = TcpStream::connect(upstream).await.expect("MiniStack listens");
    server.write_all(lines.join("\r\n").as_bytes()).await.expect("written");
    server.write_all(&body).await.expect("written");
    tokio::io::copy(&mut server, &mut client).await.expect("the answer");
}
