//! Bodies of HTTP/1 messages: how far one reaches. Strict, since a body whose end two readers see in two places lets a
//! request be smuggled in. Pure.

/// The longest line of a chunk's size, its extensions included.
const SIZE_LINE_BYTES_MAX: usize = 4 * 1024;

/// The longest trailer section of a chunked body.
const TRAILER_BYTES_MAX: usize = 64 * 1024;

/// A chunked body that is not as RFC 9112, 7.1, writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadChunk;

/// What is still to come of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Body {
    /// So many bytes.
    Length(u64),
    /// Chunks up to the last one.
    Chunked(Chunks),
    /// All that comes until the connection ends.
    UntilClose,
}

/// Where in a chunked body the next byte is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chunks {
    at: Place,
    /// Bytes of the present size line, or of the trailer section.
    line_bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At a digit of a chunk's size, after so many digits.
    Size {
        size: u64,
        digits: u8,
    },
    /// In an extension after the size.
    Extension {
        size: u64,
    },
    /// At the line feed after a size.
    SizeEnd {
        size: u64,
    },
    /// In a chunk's data, with so much to come.
    Data {
        left: u64,
    },
    /// At the carriage return after the data.
    DataReturn,
    /// At the line feed after the data.
    DataEnd,
    /// At the start of a trailer line.
    TrailerStart,
    /// In a trailer line.
    Trailer,
    /// At the line feed of a trailer line.
    TrailerEnd,
    /// At the last line feed.
    LastEnd,
    Done,
}

impl Body {
    pub(crate) fn of_length(length: u64) -> Self {
        Self::Length(length)
    }

    pub(crate) fn chunked() -> Self {
        Self::Chunked(Chunks { at: Place::Size { size: 0, digits: 0 }, line_bytes: 0 })
    }

    /// Whether all of it has been taken. One that lasts until the connection ends never says so.
    pub(crate) fn is_done(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunks) => chunks.at == Place::Done,
            Self::UntilClose => false,
        }
    }

    /// How many bytes belong to it for certain, whatever they are.
    pub(crate) fn unread(&self) -> u64 {
        match self {
            Self::Length(left) | Self::Chunked(Chunks { at: Place::Data { left }, .. }) => *left,
            Self::Chunked(_) => 0,
            Self::UntilClose => u64::MAX,
        }
    }

    /// Takes note that so many of those bytes were taken by somebody else.
    pub(crate) fn skip(&mut self, bytes: u64) {
        match self {
            Self::Length(left) => *left = left.saturating_sub(bytes),
            Self::Chunked(chunks) => {
                if let Place::Data { left } = chunks.at {
                    chunks.at = after_data(left.saturating_sub(bytes));
                }
            }
            Self::UntilClose => {}
        }
    }

    /// Takes what of `bytes` belongs to the body and answers how much that is; `payload` is given what it carries, without
    /// the marks of chunks.
    pub(crate) fn take(&mut self, bytes: &[u8], mut payload: impl FnMut(&[u8])) -> Result<usize, BadChunk> {
        match self {
            Self::Length(left) => {
                let taken = at_most(bytes, *left);
                payload(taken);
                *left -= length(taken);
                Ok(taken.len())
            }
            Self::Chunked(chunks) => chunks.take(bytes, payload),
            Self::UntilClose => {
                payload(bytes);
                Ok(bytes.len())
            }
        }
    }
}

impl Chunks {
    fn take(&mut self, bytes: &[u8], mut payload: impl FnMut(&[u8])) -> Result<usize, BadChunk> {
        let mut rest = bytes;
        while let Some((first, after)) = rest.split_first() {
            match self.at {
                Place::Done => break,
                Place::Data { left } => {
                    let data = at_most(rest, left);
                    payload(data);
                    rest = rest.get(data.len()..).unwrap_or_default();
                    self.at = after_data(left - length(data));
                }
                place => {
                    self.at = self.step(place, *first)?;
                    rest = after;
                }
            }
        }
        Ok(bytes.len() - rest.len())
    }

    /// One byte that is no data.
    fn step(&mut self, at: Place, byte: u8) -> Result<Place, BadChunk> {
        self.line_bytes += 1;
        let is_text = byte == b'\t' || (byte >= b' ' && byte != 0x7f);
        match (at, byte) {
            (Place::Size { size, digits: 1.. }, b'\r') => Ok(Place::SizeEnd { size }),
            (Place::Size { size, digits: 1.. }, b';') => Ok(Place::Extension { size }),
            (Place::Size { size, digits: digits @ ..16 }, _) => {
                let digit = char::from(byte).to_digit(16).ok_or(BadChunk)?;
                Ok(Place::Size { size: size << 4 | u64::from(digit), digits: digits + 1 })
            }
            (Place::Extension { size }, b'\r') => Ok(Place::SizeEnd { size }),
            (Place::Extension { size }, _) if is_text && self.line_bytes <= SIZE_LINE_BYTES_MAX => {
                Ok(Place::Extension { size })
            }
            (Place::SizeEnd { size }, b'\n') => {
                self.line_bytes = 0;
                Ok(if size == 0 { Place::TrailerStart } else { Place::Data { left: size } })
            }
            (Place::DataReturn, b'\r') => Ok(Place::DataEnd),
            (Place::DataEnd, b'\n') => {
                self.line_bytes = 0;
                Ok(Place::Size { size: 0, digits: 0 })
            }
            (Place::TrailerStart, b'\r') => Ok(Place::LastEnd),
            // A line that begins with a blank would go on with the one before.
            (Place::TrailerStart, _) if is_text && !byte.is_ascii_whitespace() => Ok(Place::Trailer),
            (Place::Trailer, b'\r') => Ok(Place::TrailerEnd),
            (Place::Trailer, _) if is_text && self.line_bytes <= TRAILER_BYTES_MAX => Ok(Place::Trailer),
            (Place::TrailerEnd, b'\n') => Ok(Place::TrailerStart),
            (Place::LastEnd, b'\n') => Ok(Place::Done),
            (
                Place::Size { .. }
                | Place::Extension { .. }
                | Place::SizeEnd { .. }
                | Place::Data { .. }
                | Place::DataReturn
                | Place::DataEnd
                | Place::TrailerStart
                | Place::Trailer
                | Place::TrailerEnd
                | Place::LastEnd
                | Place::Done,
                _,
            ) => Err(BadChunk),
        }
    }
}

fn after_data(left: u64) -> Place {
    if left == 0 { Place::DataReturn } else { Place::Data { left } }
}

fn at_most(bytes: &[u8], most: u64) -> &[u8] {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    bytes.get(..most).unwrap_or(bytes)
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn take_all(body: &mut Body, bytes: &[u8]) -> Result<(usize, Vec<u8>), BadChunk> {
        let mut payload = Vec::new();
        let taken = body.take(bytes, |data| payload.extend_from_slice(data))?;
        Ok((taken, payload))
    }

    #[test]
    fn a_chunked_body_ends_where_its_last_chunk_does() {
        let bytes = b"3\r\nabc\r\nA;x=\"y\"\r\n0123456789\r\n0\r\nT: v\r\n\r\nGET /";
        let mut body = Body::chunked();
        assert_eq!(take_all(&mut body, bytes), Ok((bytes.len() - 5, b"abc0123456789".to_vec())));
        assert!(body.is_done());
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        for bytes in [
            "\r\n",
            "x\r\n",
            " 3\r\n",
            "3 \r\n",
            "-1\r\n",
            "0x3\r\n",
            "3\n",
            "3\rx",
            ";\r\n",
            "3\r\nabcd",
            "3\r\nabc\n",
            "11111111111111111\r\n",
            "0\r\n folded\r\n",
            "0\r\nT: v\n",
            "3;\n\r\n",
            "3;a\0\r\n",
        ] {
            assert_eq!(take_all(&mut Body::chunked(), bytes.as_bytes()), Err(BadChunk), "{bytes:?}");
        }
        let long = format!("3;{}\r\n", "x".repeat(SIZE_LINE_BYTES_MAX));
        assert_eq!(take_all(&mut Body::chunked(), long.as_bytes()), Err(BadChunk));
        let long = format!("0\r\nT: {}\r\n", "x".repeat(TRAILER_BYTES_MAX));
        assert_eq!(take_all(&mut Body::chunked(), long.as_bytes()), Err(BadChunk));
    }

    proptest! {
        #[test]
        fn chunks_carry_their_payload_however_they_are_cut(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6),
            cuts in prop::collection::vec(1_usize..9, 1..200),
        ) {
            let mut wire = Vec::new();
            for chunk in &chunks {
                wire.extend_from_slice(format!("{:X}\r\n", chunk.len()).as_bytes());
                wire.extend_from_slice(chunk);
                wire.extend_from_slice(b"\r\n");
            }
            wire.extend_from_slice(b"0\r\n\r\n");
            let mut body = Body::chunked();
            let mut payload = Vec::new();
            let mut rest = wire.as_slice();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                let taken = body.take(piece, |data| payload.extend_from_slice(data)).expect("good chunks");
                prop_assert_eq!(taken, piece.len());
                rest = after;
            }
            prop_assert!(body.is_done());
            prop_assert_eq!(payload, chunks.concat());
        }
    }
}
