//! Who is put under load: nginx on the first core.

use std::process::{Child, Command, Stdio};

use crate::rig::nginx_configuration;
use crate::support::{Workspace, free_port, wait_for};

/// What it answers beside its files: a function's invocation, and a shop whose baskets are all the same.
const PLACES: &str = r#"
           default_type application/json;
           location /2015-03-31/functions/ { return 200 '{"ok": true}'; }
           location = /items { return 200 '{"items": [{"id": 17, "name": "blue shoes"}, {"id": 18, "name": "red shoes"}]}'; }
           location = /basket { return 201 '{"id": "b-17", "items": []}'; }
           location = /basket/b-17 { return 200 '{"id": "b-17", "items": [17], "total": 40}'; }"#;

/// nginx with one worker, in the foreground, with a file of 1 KB.
pub(crate) struct Nginx {
    /// Without a slash at its end.
    pub(crate) url: String,
    /// The same with TLS.
    pub(crate) tls_url: String,
    /// Who signed its certificate, as PEM.
    pub(crate) authority: String,
    process: Child,
    _workspace: Workspace,
}

impl Nginx {
    pub(crate) fn start() -> Self {
        let workspace = Workspace::empty();
        let (root, port, tls_port) = (workspace.path().to_owned(), free_port(), free_port());
        std::fs::create_dir_all(root.join("www")).expect("a folder");
        std::fs::write(root.join("www/1k"), vec![b'x'; 1_024]).expect("written");
        let names = vec!["127.0.0.1".to_owned()];
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(names).expect("a certificate");
        workspace.write("cert.pem", &cert.pem());
        workspace.write("key.pem", &signing_key.serialize_pem());
        let folder = root.display();
        let tls = format!(
            "listen 127.0.0.1:{tls_port} ssl; ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;"
        );
        workspace.write("nginx.conf", &nginx_configuration(&root, port, &format!("{tls} {PLACES}")));
        let process = Command::new("taskset")
            .args(["-c", "0", "nginx", "-c"])
            .arg(workspace.path().join("nginx.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx");
        wait_for("nginx", || std::net::TcpStream::connect(("127.0.0.1", tls_port)).ok());
        Self {
            url: format!("http://127.0.0.1:{port}"),
            tls_url: format!("https://127.0.0.1:{tls_port}"),
            authority: cert.pem(),
            process,
            _workspace: workspace,
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its worker ends with it by SIGTERM, and not by SIGKILL.
        let process = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(process, rustix::process::Signal::TERM).ok();
        self.process.wait().ok();
    }
}
