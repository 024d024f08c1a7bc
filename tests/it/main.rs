//! The one integration binary: real processes, real sockets, 127.0.0.1 only.

#[cfg(test)]
mod check;
#[cfg(test)]
mod load;
mod proxy;
mod sandbox;
