//! What benchmarks of the network share.

use std::io::Write as _;
use std::path::{Path, PathBuf};

pub(crate) fn say(text: &str) {
    writeln!(std::io::stdout().lock(), "{text}").expect("somebody reads");
}

/// A whole number of the environment.
pub(crate) fn number(variable: &str, default: u32) -> u32 {
    std::env::var(variable).map_or(default, |text| text.parse().expect("a number"))
}

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().expect("a value")
}

/// A program on the path.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// nginx with one worker, in the foreground, that keeps its connections and serves what is in `www` below `root`; `more` is said
/// of its server.
pub(crate) fn nginx_configuration(root: &Path, port: u16, more: &str) -> String {
    let root = root.display();
    format!(
        "daemon off; worker_processes 1; worker_rlimit_nofile 65536; pid {root}/nginx.pid; error_log {root}/error.log;
         user root;
         events {{ worker_connections 32768; }}
         http {{
           access_log off; sendfile on; tcp_nodelay on; keepalive_timeout 3600; keepalive_requests 100000000;
           client_body_temp_path {root}; proxy_temp_path {root}; fastcgi_temp_path {root}; uwsgi_temp_path {root};
           scgi_temp_path {root};
           server {{ listen 127.0.0.1:{port} backlog=4096; root {root}/www; {more} }}
         }}"
    )
}
