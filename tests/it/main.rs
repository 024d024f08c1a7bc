//! The one integration binary: real processes, real sockets, 127.0.0.1 only.

#![cfg(test)]

mod apart;
mod check;
mod contract;
mod crash;
mod hostile;
mod lambda;
mod layering;
mod load;
mod page;
mod peers;
mod proxy;
mod report;
mod run;
mod sandbox;
mod sandbox_cloudwatch;
mod sandbox_fis;
mod signed;
mod support;
mod template;
mod watchdog;
mod yaml;
