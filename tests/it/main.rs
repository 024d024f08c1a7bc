//! The one integration binary: real processes, real sockets, 127.0.0.1 only.

#[cfg(test)]
mod load;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod run;
#[cfg(test)]
mod sandbox;
#[cfg(test)]
mod support;
