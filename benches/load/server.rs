//! Who is put under load: nginx on the first core.

use std::process::{Child, Command, Stdio};

use crate::rig::nginx_configuration;
use crate::support::{Workspace, free_port, wait_for};

/// nginx with one worker, in the foreground, with a file of 1 KB.
pub(crate) struct Nginx {
    pub(crate) url: String,
    process: Child,
    _workspace: Workspace,
}

impl Nginx {
    pub(crate) fn start() -> Self {
        let workspace = Workspace::empty();
        let (root, port) = (workspace.path().to_owned(), free_port());
        std::fs::create_dir_all(root.join("www")).expect("a folder");
        std::fs::write(root.join("www/1k"), vec![b'x'; 1_024]).expect("written");
        let configuration = nginx_configuration(&root, port);
        workspace.write("nginx.conf", &configuration);
        let process = Command::new("taskset")
            .args(["-c", "0", "nginx", "-c"])
            .arg(workspace.path().join("nginx.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx");
        wait_for("nginx", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        Self { url: format!("http://127.0.0.1:{port}/1k"), process, _workspace: workspace }
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
