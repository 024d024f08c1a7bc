//! The one integration binary: real processes, real sockets, 127.0.0.1 only.

#![cfg(test)]

mod account;
mod alarm;
mod apart;
mod check;
mod contract;
mod crash;
mod deadman;
mod effect;
mod exec;
mod explain;
mod faults_page;
mod fis;
mod hostile;
mod lambda;
mod layering;
mod least_privilege;
mod load;
mod page;
mod peers;
mod permission;
mod permit;
mod proxy;
mod proxy_admin;
mod proxy_fault;
mod proxy_live;
mod proxy_rules;
mod proxy_soak;
mod recorder;
mod remote_lock;
mod report;
mod run;
mod sandbox;
mod sandbox_asynchronous;
mod sandbox_cloudwatch;
mod sandbox_event_source;
mod sandbox_fis;
mod sandbox_provisioned;
mod sandbox_url;
mod sandbox_versions;
mod signed;
mod support;
mod template;
mod watchdog;
mod yaml;
