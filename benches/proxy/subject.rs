//! What is measured: nginx itself, and relays in front of it, each a process of its own.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use gameday::proxy::{AdminClient, ListenScope, ProxyProcess, ProxySpec};
use gameday::unit::ProxyName;
use serde_json::json;

use crate::rig::{find, nginx_configuration, say};
use crate::support::{Workspace, free_port, wait_for};

/// How long the large body is.
pub(crate) const BODY_BYTES: usize = 64 * 1024 * 1024;

/// The system's unit of CPU time in `/proc`, which is fixed (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// Something that answers HTTP on an address.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) address: String,
    process: u32,
}

impl Subject {
    /// The CPU time of its process so far.
    pub(crate) fn cpu(&self) -> Duration {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.process)).expect("it runs");
        let (_, fields) = text.rsplit_once(')').expect("its name");
        let ticks = |index| fields.split_whitespace().nth(index).and_then(|text| text.parse::<f64>().ok());
        let (user, system) = (ticks(11).expect("user time"), ticks(12).expect("system time"));
        Duration::from_secs_f64((user + system) / TICKS_PER_SECOND)
    }

    /// The memory of its process that is in use.
    pub(crate) fn memory(&self) -> Memory {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.process)).expect("it runs");
        let megabytes = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("Linux tells it");
            line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") * 1_024.0 / 1e6
        };
        Memory {
            resident_mb: megabytes("VmRSS:"),
            anonymous_mb: megabytes("RssAnon:"),
            of_files_mb: megabytes("RssFile:"),
        }
    }

    /// wrk with fifty connections for a time.
    pub(crate) fn wrk(&self, seconds: u32) -> Command {
        let mut wrk = Command::new("wrk");
        wrk.args(["-t1", "-c50", "--latency", &format!("-d{seconds}s"), &format!("http://{}/1k", self.address)]);
        wrk
    }
}

/// The memory of a process that is in use: what is its own, and what it maps of files, its program for the most part, which
/// other processes share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) resident_mb: f64,
    anonymous_mb: f64,
    of_files_mb: f64,
}

impl std::fmt::Display for Memory {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { resident_mb, anonymous_mb, of_files_mb } = self;
        write!(formatter, "{resident_mb:.1} MB, of which {anonymous_mb:.1} anonymous and {of_files_mb:.1} of files")
    }
}

/// A proxy in a process that has done nothing else.
pub(crate) struct Fresh {
    pub(crate) subject: Subject,
    _process: ProxyProcess,
    _workspace: Workspace,
}

impl Fresh {
    pub(crate) async fn start(upstream: &str) -> Self {
        let workspace = Workspace::empty();
        let process = start_gameday(&workspace).await;
        let address = add_proxy(&process.client(), "fresh", "http", upstream).await;
        let subject = Subject { name: "fresh", address, process: process.pid() };
        Self { subject, _process: process, _workspace: workspace }
    }
}

async fn start_gameday(workspace: &Workspace) -> ProxyProcess {
    let socket = workspace.path().join("private/proxy.sock");
    let gameday = std::path::Path::new(env!("CARGO_BIN_EXE_gameday"));
    let limit = Some(Duration::from_secs(3_600));
    ProxyProcess::spawn(gameday, &socket, 1, limit, ListenScope::Loopback).await.expect("a proxy")
}

/// Makes a proxy, and tells where it listens.
async fn add_proxy(admin: &AdminClient, name: &str, protocol: &str, upstream: &str) -> String {
    let name: ProxyName = name.parse().expect("a name");
    let spec = json!({"listen": "127.0.0.1:0", "upstream": upstream, "protocol": protocol});
    let spec: ProxySpec = serde_json::from_value(spec).expect("a proxy");
    admin.create_proxy(&name, &spec).await.expect("made");
    admin.get_proxy(&name).await.expect("asked").expect("there").listen.to_string()
}

/// All of them, nginx first. They end with this value.
pub(crate) struct Subjects {
    pub(crate) all: Vec<Subject>,
    pub(crate) admin: AdminClient,
    _proxy: ProxyProcess,
    children: Vec<Child>,
    _workspace: Workspace,
}

impl Drop for Subjects {
    fn drop(&mut self) {
        for child in &mut self.children {
            // It may have ended by itself.
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// The proxy with toxics on it that work on no connection.
pub(crate) const SPARED: &str = "gameday, toxics at 0";

/// The same, with 64 rules besides, none of which is about what is asked.
pub(crate) const RULED: &str = "gameday, and 64 rules";

impl Subjects {
    pub(crate) async fn start() -> Self {
        let workspace = Workspace::new();
        let mut children = Vec::new();
        let nginx_port = free_port();
        children.push(start_nginx(&workspace, nginx_port));
        let upstream = format!("127.0.0.1:{nginx_port}");
        let mut all = vec![Subject { name: "direct", address: upstream.clone(), process: worker_of(&children, 0) }];

        let copy = format!("127.0.0.1:{}", free_port());
        let own = std::env::current_exe().expect("this program");
        children.push(start(Command::new(own).args(["copy", &copy, &upstream])));
        all.push(Subject { name: "copy", address: copy, process: process_of(&children, 1) });

        let proxy = start_gameday(&workspace).await;
        let admin = proxy.client();
        for (name, protocol, shown) in [
            ("tcp", "tcp", "gameday tcp"),
            ("http", "http", "gameday http"),
            ("spared", "tcp", SPARED),
            ("ruled", "http", RULED),
        ] {
            let address = add_proxy(&admin, name, protocol, &upstream).await;
            all.push(Subject { name: shown, address, process: proxy.pid() });
        }
        spare(&admin, "spared").await;
        spare(&admin, "ruled").await;
        add_rules(&admin).await;
        start_fault(&workspace, &upstream, &mut all, &mut children);
        for subject in &all {
            wait_for(subject.name, || std::net::TcpStream::connect(&subject.address).ok());
        }
        Self { all, admin, _proxy: proxy, children, _workspace: workspace }
    }

    pub(crate) fn of(&self, name: &str) -> &Subject {
        self.all.iter().find(|subject| subject.name == name).expect("it was started")
    }
}

/// 64 rules of different kinds, of which none is about what wrk asks.
async fn add_rules(admin: &AdminClient) {
    let proxy: ProxyName = "ruled".parse().expect("a name");
    for number in 0..64 {
        let (matches, action) = match number % 3 {
            0 => (json!({"path": format!("/orders/{number}/*")}), json!({"http_error": {"status": 503}})),
            1 => (json!({"header": {"X-Tenant": format!("tenant-{number}*")}}), json!({"latency": {"latency": "1s"}})),
            _ => (
                json!({"aws": {"service": "dynamodb", "operation": format!("Operation{number}*")}}),
                json!({"aws_error": {"code": "ThrottlingException"}}),
            ),
        };
        let rule = json!({"name": format!("rule-{number}"), "match": matches, "action": action});
        admin.add_rule(&proxy, &serde_json::from_value(rule).expect("a rule")).await.expect("added");
    }
}

async fn spare(admin: &AdminClient, proxy: &str) {
    let proxy: ProxyName = proxy.parse().expect("a name");
    for (toxic_type, attributes) in [
        ("latency", json!({"latency": 1_000})),
        ("bandwidth", json!({"rate": 1})),
        ("timeout", json!({})),
        ("reset_peer", json!({})),
        ("slicer", json!({"average_size": 1})),
        ("limit_data", json!({"bytes": 1})),
    ] {
        let toxic = json!({"type": toxic_type, "toxicity": 0, "attributes": attributes});
        admin.add_toxic(&proxy, &serde_json::from_value(toxic).expect("a toxic")).await.expect("added");
    }
}

fn start(command: &mut Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("started")
}

fn process_of(children: &[Child], index: usize) -> u32 {
    children.get(index).expect("it was started").id()
}

/// nginx with one worker, in the foreground, with a small and a large file.
fn start_nginx(workspace: &Workspace, port: u16) -> Child {
    let root = workspace.path();
    std::fs::create_dir_all(root.join("www")).expect("a folder");
    std::fs::write(root.join("www/1k"), vec![b'x'; 1_024]).expect("written");
    std::fs::write(root.join("www/64m"), vec![b'x'; BODY_BYTES]).expect("written");
    let configuration = nginx_configuration(root, port, "");
    workspace.write("nginx.conf", &configuration);
    start(Command::new("nginx").arg("-c").arg(workspace.path().join("nginx.conf")))
}

/// The one worker of nginx, which does the work.
fn worker_of(children: &[Child], index: usize) -> u32 {
    let master = process_of(children, index);
    let path = format!("/proc/{master}/task/{master}/children");
    wait_for("nginx's worker", || {
        let text = std::fs::read_to_string(&path).ok()?;
        text.split_whitespace().next()?.parse().ok()
    })
}

/// fault-cli 1.2 as a pass-through, where it is installed.
fn start_fault(workspace: &Workspace, upstream: &str, all: &mut Vec<Subject>, children: &mut Vec<Child>) {
    let Some(program) = find("fault") else {
        say("left out: fault-cli is not installed (`cargo install fault-cli`)");
        return;
    };
    let address = format!("127.0.0.1:{}", free_port());
    let file = json!({
        "schema_version": 1,
        "name": "bench",
        "proxies": [{"name": "p", "protocol": "tcp", "listen": address, "upstream": upstream}],
        "phases": [{"name": "plain", "proxies": [{"proxy": "p", "faults": []}]}],
    });
    workspace.write("fault.yaml", &file.to_string());
    children.push(start(Command::new(program).arg("run").arg(workspace.path().join("fault.yaml"))));
    all.push(Subject { name: "fault-cli", address, process: process_of(children, children.len() - 1) });
}
