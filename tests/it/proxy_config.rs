//! `gameday proxy --config`: a file of proxies that is followed while it changes.

use std::net::SocketAddr;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStderr, Command};

use crate::proxy::{Api, connect, end, exchange, gameday, http_server};
use crate::proxy_admin::{line_with, start};

const TAKEN_OVER: &str = "is taken over";
const GOES_ON: &str = "what it said before goes on";

/// A `gameday proxy` that follows a file.
struct Followed {
    folder: TempDir,
    process: Child,
    told: Lines<BufReader<ChildStderr>>,
    api: Api,
}

impl Followed {
    async fn start(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("proxies.yaml");
        std::fs::write(&path, text).expect("written");
        let mut command = Command::new(gameday());
        command.args(["proxy", "--admin", "127.0.0.1:0", "--time-limit", "2m", "--config"]).arg(&path);
        let (process, told, admin) = start(command).await;
        Self { folder, process, told, api: Api { admin } }
    }

    /// Writes the file anew and waits for what is said of it.
    async fn write(&mut self, text: &str, said: &str) -> String {
        std::fs::write(self.folder.path().join("proxies.yaml"), text).expect("written");
        line_with(&mut self.told, said).await
    }

    async fn get(&self, path: &str) -> Value {
        let (status, view) = self.api.ask("GET", path, None).await;
        assert_eq!(status, 200, "{path}: {view}");
        view
    }

    async fn listen(&self, proxy: &str) -> SocketAddr {
        let view = self.get(&format!("/proxies/{proxy}")).await;
        view["listen"].as_str().expect("an address").parse().expect("an address")
    }

    async fn connect(&self, proxy: &str) -> TcpStream {
        let mut stream = connect(self.listen(proxy).await).await;
        exchange(&mut stream).await.expect("an exchange");
        stream
    }

    async fn stop(mut self) {
        end(&mut self.process, Signal::TERM).await;
    }
}

#[tokio::test]
async fn the_file_of_proxies_is_followed_and_a_bad_one_changes_nothing() {
    let upstream = http_server().await;
    let kept = format!("- name: kept\n  upstream: {upstream}\n");
    let mut followed = Followed::start(&format!("{kept}- name: gone\n  upstream: {upstream}\n")).await;
    let mut live = followed.connect("kept").await;
    let by_hand = json!({"name": "by_hand", "upstream": upstream});
    assert_eq!(followed.api.ask("POST", "/proxies", Some(by_hand)).await.0, 201);

    let place = followed.write(&format!("- name: kept\n  upstrem: {upstream}\n"), "proxies.yaml:2").await;
    assert!(place.contains("proxies.yaml:2:3"), "{place}");
    line_with(&mut followed.told, GOES_ON).await;
    followed.get("/proxies/gone").await;

    let late = "  toxics:\n    - {type: latency, attributes: {latency: 300}}\n";
    followed.write(&format!("{kept}{late}- name: new\n  upstream: {upstream}\n"), TAKEN_OVER).await;
    let all = followed.get("/proxies").await;
    let names: Vec<&String> = all.as_object().expect("a map").keys().collect();
    assert_eq!(names, ["by_hand", "kept", "new"]);
    assert!(exchange(&mut live).await.expect("the same connection") >= Duration::from_millis(300));

    followed.write(&kept, TAKEN_OVER).await;
    assert_eq!(followed.get("/proxies/kept/toxics").await, json!([]));
    exchange(&mut live).await.expect("the same connection, still");

    std::fs::remove_file(followed.folder.path().join("proxies.yaml")).expect("removed");
    let told = line_with(&mut followed.told, "is gone").await;
    assert!(told.contains(GOES_ON), "{told}");
    exchange(&mut live).await.expect("and still");
    followed.stop().await;
}

/// What is bad in ways that only the system can tell: nothing is torn down, and nothing comes back that was taken away.
#[tokio::test]
async fn a_file_that_can_not_be_taken_over_changes_nothing_either() {
    let upstream = http_server().await;
    let held = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = held.local_addr().expect("an address");
    let plain = |listen: &str| format!("- name: plain\n  listen: \"{listen}\"\n  upstream: {upstream}\n");
    let sealed = |more: &str| format!("- name: sealed\n  upstream: {upstream}\n  tls: {{client: {{{more}}}}}\n");
    let fault = "  tls_fault: {fault: expired}\n";
    let mut followed = Followed::start(&(plain("127.0.0.1:0") + &sealed("") + fault)).await;
    let mut live = followed.connect("plain").await;
    let toxic = json!({"name": "by_hand", "type": "latency", "attributes": {"latency": 1}});
    assert_eq!(followed.api.ask("POST", "/proxies/plain/toxics", Some(toxic)).await.0, 200);
    assert_eq!(followed.api.ask("DELETE", "/proxies/sealed/tls/fault", None).await.0, 204);

    for (text, why) in [
        (plain(&taken.to_string()) + &sealed("") + fault, format!("proxy `plain`: cannot listen on `{taken}`")),
        (
            plain("127.0.0.1:0") + &sealed("certificate: {files: {cert: nope.pem, key: nope.key}}"),
            "nope.pem".to_owned(),
        ),
        (plain("127.0.0.1:0") + "  resign: true\n  protocol: http\n" + &sealed("") + fault, "proxy `plain`".to_owned()),
    ] {
        let told = followed.write(&text, GOES_ON).await;
        assert!(told.contains(&why), "{why} is not in {told}");
        exchange(&mut live).await.expect("the connection goes on");
        assert_eq!(followed.get("/proxies/plain/toxics").await[0]["name"], json!("by_hand"));
        assert_eq!(followed.api.ask("GET", "/proxies/sealed/tls/fault", None).await.0, 404, "it was taken away");
    }
    // What did not change in the file is left as the admin API has it.
    followed.write(&(plain("127.0.0.1:0") + &sealed("") + fault + "\n# a word\n"), TAKEN_OVER).await;
    exchange(&mut live).await.expect("the connection goes on");
    assert_eq!(followed.api.ask("GET", "/proxies/sealed/tls/fault", None).await.0, 404);
    assert_eq!(followed.get("/proxies/plain/toxics").await[0]["name"], json!("by_hand"));
    followed.stop().await;
}

#[tokio::test]
async fn a_proxy_of_the_file_may_take_the_port_that_another_leaves() {
    let upstream = http_server().await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let entry = |name: &str| format!("- name: {name}\n  listen: \"{port}\"\n  upstream: {upstream}\n");
    let mut followed = Followed::start(&entry("first")).await;
    let twice = followed.write(&(entry("first") + &entry("second")), "listens on").await;
    assert!(twice.contains("`first` listens on"), "{twice}");
    followed.write(&entry("second"), TAKEN_OVER).await;
    assert_eq!(followed.listen("second").await, port);
    followed.connect("second").await;
    followed.stop().await;
}
