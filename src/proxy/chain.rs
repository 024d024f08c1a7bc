//! The stages of one link in order, and the queue of what has passed them all. No I/O, no clock: the link gives both.

use std::collections::VecDeque;

use tokio::time::Instant;
use tokio_util::bytes::Buf as _;

use super::Direction;
use super::toxic::{ActiveToxic, Content, Cut, Parcel, Released, Stage, ToxicSet};

/// How many bytes a link without toxics reads ahead of its writer.
const PLAIN_BYTES_MAX: usize = 64 * 1024;

/// How many bytes a link with toxics holds back before it reads no more: 100 MB/s for 160 ms, or 16 MB/s for a second.
const HELD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The stages of one link.
#[derive(Debug)]
pub(crate) struct Chain {
    direction: Direction,
    connection: u64,
    stages: Vec<Fitted>,
    /// What is ready to be written, in order.
    ready: VecDeque<Parcel>,
    ready_bytes: usize,
}

/// A stage and the toxic that it serves.
#[derive(Debug)]
struct Fitted {
    id: u64,
    version: u64,
    stage: Stage,
}

impl Chain {
    pub(crate) fn new(direction: Direction, connection: u64) -> Self {
        Self { direction, connection, stages: Vec::new(), ready: VecDeque::new(), ready_bytes: 0 }
    }

    /// Puts the toxics of `set` to work in place of those before. What a removed toxic held goes on at once, in order.
    pub(crate) fn refit(&mut self, set: &ToxicSet, now: Instant) -> Result<(), Cut> {
        let wanted: Vec<_> = set
            .on(self.direction)
            .filter_map(|toxic| toxic.draw(self.connection).map(|generator| (toxic, generator)))
            .collect();
        // From the last stage to the first, so that what is ahead in the stream leaves first.
        for index in (0..self.stages.len()).rev() {
            let id = self.stages.get(index).map(|fitted| fitted.id);
            if wanted.iter().any(|(toxic, _)| Some(toxic.id) == id) {
                continue;
            }
            let remains = self.stages.remove(index).stage.dissolve(now);
            if remains.close {
                return Err(Cut::Close);
            }
            for parcel in remains.parcels {
                self.push_at(index, parcel, now);
            }
        }
        let mut old = std::mem::take(&mut self.stages);
        for (toxic, generator) in wanted {
            let place = old.iter().position(|fitted| fitted.id == toxic.id);
            let fitted = match place {
                Some(index) => adopted(old.remove(index), toxic, now),
                None => {
                    toxic.counters.connections.add(1);
                    let stage = Stage::new(toxic.spec.toxic, toxic.counters.clone(), generator, now);
                    Fitted { id: toxic.id, version: toxic.version, stage }
                }
            };
            self.stages.push(fitted);
        }
        Ok(())
    }

    /// Takes a parcel that was read at `now`.
    pub(crate) fn push(&mut self, parcel: Parcel, now: Instant) {
        self.push_at(0, parcel, now);
    }

    /// Moves on all that is due at `now`. One pass is enough, since parcels only go forward.
    pub(crate) fn advance(&mut self, now: Instant) -> Result<(), Cut> {
        for index in 0..self.stages.len() {
            while let Some(released) = self.stages.get_mut(index).and_then(|fitted| fitted.stage.pop(now)) {
                match released {
                    Released::Parcel(parcel) => self.push_at(index + 1, parcel, now),
                    Released::Cut(cut) => return Err(cut),
                }
            }
        }
        Ok(())
    }

    /// When [`Chain::advance`] is next needed.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.stages.iter().filter_map(|fitted| fitted.stage.due()).min()
    }

    /// What is to be written next.
    pub(crate) fn ready(&self) -> Option<Content> {
        self.ready.front().map(|parcel| parcel.content.clone())
    }

    /// Takes note that `written` bytes of the first ready parcel are written.
    pub(crate) fn consume(&mut self, written: usize) {
        let Some(Parcel { content: Content::Data(data), .. }) = self.ready.front_mut() else { return };
        data.advance(written);
        self.ready_bytes -= written;
        if data.is_empty() {
            self.ready.pop_front();
        }
    }

    /// Whether the link may read more.
    pub(crate) fn has_room(&self) -> bool {
        let held: usize = self.stages.iter().map(|fitted| fitted.stage.held_bytes()).sum();
        let limit = if self.stages.is_empty() { PLAIN_BYTES_MAX } else { HELD_BYTES_MAX };
        held + self.ready_bytes < limit && !self.stages.iter().any(|fitted| fitted.stage.is_full())
    }

    /// Whether nothing stands between reading and writing, now and until the toxics change.
    pub(crate) fn is_plain(&self) -> bool {
        self.has_no_toxic() && self.ready.is_empty()
    }

    /// Whether no toxic is at work.
    pub(crate) fn has_no_toxic(&self) -> bool {
        self.stages.is_empty()
    }

    /// Whether the end of the stream has come in and no stage will ever let it out.
    pub(crate) fn has_swallowed_end(&self) -> bool {
        self.stages.iter().any(|fitted| fitted.stage.has_swallowed_end())
    }

    fn push_at(&mut self, index: usize, parcel: Parcel, now: Instant) {
        match self.stages.get_mut(index) {
            Some(fitted) => fitted.stage.push(parcel, now),
            None => {
                self.ready_bytes += parcel.bytes();
                self.ready.push_back(parcel);
            }
        }
    }
}

fn adopted(mut fitted: Fitted, toxic: &ActiveToxic, now: Instant) -> Fitted {
    if fitted.version != toxic.version {
        fitted.stage.adopt(toxic.spec.toxic, now);
        fitted.version = toxic.version;
    }
    fitted
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use tokio_util::bytes::Bytes;

    use super::*;
    use crate::proxy::toxic::ToxicSpec;

    fn data(bytes: Bytes, unit: u64) -> Parcel {
        Parcel { content: Content::Data(bytes), unit }
    }

    fn toxic(id: u64, json: serde_json::Value) -> ActiveToxic {
        let spec: ToxicSpec = serde_json::from_value(json).expect("a toxic");
        ActiveToxic::new(id, spec, &"p".parse().expect("a name"), 1)
    }

    fn latency(id: u64, latency: u64, jitter: u64) -> ActiveToxic {
        toxic(
            id,
            serde_json::json!({"name": format!("t{id}"), "type": "latency",
                               "attributes": {"latency": latency, "jitter": jitter}}),
        )
    }

    fn black_hole(id: u64) -> ActiveToxic {
        toxic(id, serde_json::json!({"name": format!("t{id}"), "type": "timeout"}))
    }

    fn chain() -> Chain {
        Chain::new(Direction::Downstream, 0)
    }

    fn drain(chain: &mut Chain) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Some(Content::Data(data)) = chain.ready() {
            bytes.extend_from_slice(&data);
            chain.consume(data.len());
        }
        bytes
    }

    const MILLISECOND: Duration = Duration::from_millis(1);

    #[test]
    fn delays_of_several_toxics_add_up_and_toxics_of_the_other_direction_do_nothing() {
        let start = Instant::now();
        let mut chain = chain();
        let up = toxic(9, serde_json::json!({"type": "timeout", "stream": "upstream"}));
        chain
            .refit(&ToxicSet::default().with(latency(1, 20, 0)).with(up).with(latency(2, 30, 0)), start)
            .expect("open");
        chain.push(data(Bytes::from_static(b"x"), 0), start);
        chain.advance(start + 20 * MILLISECOND).expect("open");
        assert_eq!(chain.due(), Some(start + 50 * MILLISECOND));
        chain.advance(start + 50 * MILLISECOND).expect("open");
        assert_eq!(drain(&mut chain), b"x");
    }

    #[test]
    fn removing_toxics_flushes_what_they_held_in_order() {
        let start = Instant::now();
        let mut chain = chain();
        let both = ToxicSet::default().with(latency(1, 10, 0)).with(latency(2, 1_000, 0));
        chain.refit(&both, start).expect("open");
        chain.push(data(Bytes::from_static(b"first "), 0), start);
        chain.advance(start + 10 * MILLISECOND).expect("open");
        chain.push(data(Bytes::from_static(b"second"), 1), start + 10 * MILLISECOND);
        // The first parcel is in the second stage, the second parcel in the first.
        chain.refit(&ToxicSet::default(), start + 11 * MILLISECOND).expect("open");
        assert_eq!(drain(&mut chain), b"first second");
        assert_eq!(chain.due(), None);
    }

    #[test]
    fn removing_the_first_toxic_sends_what_it_held_through_the_next() {
        let start = Instant::now();
        let mut chain = chain();
        let both = ToxicSet::default().with(latency(1, 1_000, 0)).with(latency(2, 50, 0));
        chain.refit(&both, start).expect("open");
        chain.push(data(Bytes::from_static(b"x"), 0), start);
        chain.refit(&both.without("t1"), start).expect("open");
        chain.advance(start).expect("open");
        assert_eq!(drain(&mut chain), b"");
        chain.advance(start + 50 * MILLISECOND).expect("open");
        assert_eq!(drain(&mut chain), b"x");
    }

    #[test]
    fn a_change_keeps_the_time_of_what_is_held_and_counts_for_what_comes() {
        let start = Instant::now();
        let mut chain = chain();
        let first = latency(1, 100, 0);
        let changed = first.changed(latency(1, 5, 0).spec, false);
        let set = ToxicSet::default().with(first);
        chain.refit(&set, start).expect("open");
        chain.push(data(Bytes::from_static(b"a"), 0), start);
        chain.refit(&set.with_changed(changed), start).expect("open");
        assert_eq!(chain.due(), Some(start + 100 * MILLISECOND));
        chain.advance(start + 100 * MILLISECOND).expect("open");
        chain.push(data(Bytes::from_static(b"b"), 0), start + 100 * MILLISECOND);
        assert_eq!(chain.due(), Some(start + 105 * MILLISECOND));
    }

    #[test]
    fn removing_a_black_hole_closes_the_connection_but_only_where_it_was_at_work() {
        let start = Instant::now();
        let mut chain = chain();
        let set = ToxicSet::default().with(black_hole(1));
        chain.refit(&set, start).expect("open");
        chain.push(data(Bytes::from_static(b"lost"), 0), start);
        assert_eq!((chain.advance(start), drain(&mut chain)), (Ok(()), Vec::new()));
        assert_eq!(chain.refit(&ToxicSet::default(), start), Err(Cut::Close));

        let spared = toxic(2, serde_json::json!({"type": "timeout", "toxicity": 0}));
        let mut chain = Chain::new(Direction::Downstream, 1);
        chain.refit(&ToxicSet::default().with(spared), start).expect("open");
        assert_eq!(chain.refit(&ToxicSet::default(), start), Ok(()));
    }

    #[test]
    fn a_toxic_put_in_the_place_of_another_of_its_name_is_a_new_one() {
        let start = Instant::now();
        let mut chain = chain();
        chain.refit(&ToxicSet::default().with(latency(1, 1_000, 0)), start).expect("open");
        chain.push(data(Bytes::from_static(b"x"), 0), start);
        let mut again = latency(2, 7, 0);
        again.spec.name = "t1".parse().expect("a name");
        chain.refit(&ToxicSet::default().with(again), start).expect("open");
        assert_eq!(drain(&mut chain), b"x");
    }

    #[test]
    fn a_link_reads_no_further_ahead_than_its_limit() {
        let start = Instant::now();
        let mut chain = chain();
        chain.push(data(Bytes::from(vec![0; PLAIN_BYTES_MAX]), 0), start);
        assert!(!chain.has_room());
        chain.consume(1);
        assert!(chain.has_room());
        chain.refit(&ToxicSet::default().with(latency(1, 50, 0)), start).expect("open");
        chain.push(data(Bytes::from(vec![0; HELD_BYTES_MAX - PLAIN_BYTES_MAX]), 0), start);
        assert!(chain.has_room());
        chain.push(data(Bytes::from_static(b"x"), 0), start);
        assert!(!chain.has_room());
    }

    #[derive(Debug, Clone)]
    enum Move {
        Push(u8),
        Wait(u32),
        Fit { slot: u64, latency_ms: u64, jitter_ms: u64 },
        Remove(u64),
    }

    fn moves() -> impl Strategy<Value = Vec<Move>> {
        let one = prop_oneof![
            4 => (1_u8..20).prop_map(Move::Push),
            2 => (0_u32..30).prop_map(Move::Wait),
            1 => (0_u64..3, 0_u64..50, 0_u64..20)
                .prop_map(|(slot, latency_ms, jitter_ms)| Move::Fit { slot, latency_ms, jitter_ms }),
            1 => (0_u64..3).prop_map(Move::Remove),
        ];
        prop::collection::vec(one, 1..80)
    }

    proptest! {
        #[test]
        fn whatever_toxics_come_and_go_the_bytes_pass_identical_and_in_order(moves in moves()) {
            let mut now = Instant::now();
            let mut chain = chain();
            let mut set = ToxicSet::default();
            let (mut sent, mut received) = (Vec::new(), Vec::new());
            for (step, next) in (0_u64..).zip(moves) {
                match next {
                    Move::Push(length) => {
                        let bytes: Vec<u8> = (0..length).map(|byte| byte.wrapping_mul(7).wrapping_add(length)).collect();
                        sent.extend_from_slice(&bytes);
                        chain.push(data(bytes.into(), step), now);
                    }
                    Move::Wait(millis) => now += millis * MILLISECOND,
                    Move::Fit { slot, latency_ms, jitter_ms } => {
                        let name = format!("t{slot}");
                        let fresh = latency(slot, latency_ms, jitter_ms);
                        set = match set.get(&name) {
                            Some(old) => set.with_changed(old.changed(fresh.spec, false)),
                            None => set.with(ActiveToxic::new(100 + step, fresh.spec, &"p".parse().expect("a name"), 1)),
                        };
                    }
                    Move::Remove(slot) => set = set.without(&format!("t{slot}")),
                }
                prop_assert_eq!(chain.refit(&set, now), Ok(()));
                prop_assert_eq!(chain.advance(now), Ok(()));
                received.extend(drain(&mut chain));
            }
            while let Some(due) = chain.due() {
                prop_assert_eq!(chain.advance(due), Ok(()));
                received.extend(drain(&mut chain));
            }
            received.extend(drain(&mut chain));
            prop_assert_eq!(received, sent);
        }
    }
}
