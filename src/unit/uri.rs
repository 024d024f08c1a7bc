//! What of a name is written as it is in a reference.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};

/// The characters of a segment of a path that are written by their bytes: all but the unreserved ones (RFC 3986, 2.3).
pub const URI_SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
