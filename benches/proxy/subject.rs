//! What is measured: nginx itself, and relays in front of it, each a process of its own.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use gameday::proxy::{AdminClient, ListenScope, ProxyProcess, ProxySpec};
use gameday::unit::ProxyName;
use serde_json::json;

use crate::say;
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

    /// The memory of its process that is in use, in MB.
    pub(crate) fn resident_mb(&self) -> f64 {
        let text = std::fs::read_to_string(format!("/proc/{}/statm", self.process)).expect("it runs");
        let pages: f64 = text.split_whitespace().nth(1).expect("pages").parse().expect("a number");
        pages * 4_096.0 / 1e6
    }
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

/// A program on the path.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// The proxy with toxics on it that work on no connection.
pub(crate) const SPARED: &str = "gameday, toxics at 0";

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

        let socket = workspace.path().join("private/proxy.sock");
        let gameday = std::path::Path::new(env!("CARGO_BIN_EXE_gameday"));
        let limit = Some(Duration::from_secs(3_600));
        let proxy = ProxyProcess::spawn(gameday, &socket, 1, limit, ListenScope::Loopback).await.expect("a proxy");
        let admin = proxy.client();
        for (name, protocol, shown) in
            [("tcp", "tcp", "gameday tcp"), ("http", "http", "gameday http"), ("spared", "tcp", SPARED)]
        {
            let name: ProxyName = name.parse().expect("a name");
            let spec = json!({"listen": "127.0.0.1:0", "upstream": upstream, "protocol": protocol});
            let spec: ProxySpec = serde_json::from_value(spec).expect("a proxy");
            admin.create_proxy(&name, &spec).await.expect("made");
            let address = admin.get_proxy(&name).await.expect("asked").expect("there").listen.to_string();
            all.push(Subject { name: shown, address, process: proxy.pid() });
        }
        spare(&admin).await;
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

async fn spare(admin: &AdminClient) {
    let proxy: ProxyName = "spared".parse().expect("a name");
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
    let root = root.display();
    let configuration = format!(
        "daemon off; worker_processes 1; worker_rlimit_nofile 65536; pid {root}/nginx.pid; error_log {root}/error.log;
         user root;
         events {{ worker_connections 32768; }}
         http {{
           access_log off; sendfile on; tcp_nodelay on; keepalive_timeout 3600; keepalive_requests 100000000;
           client_body_temp_path {root}; proxy_temp_path {root}; fastcgi_temp_path {root}; uwsgi_temp_path {root};
           scgi_temp_path {root};
           server {{ listen 127.0.0.1:{port} backlog=4096; root {root}/www; }}
         }}"
    );
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
