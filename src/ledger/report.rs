//! The report (JSON) and the status line of a stream.

use super::{Ledger, Loss, Losses};
use crate::codes::{Stat, State};
use serde_json::{Map, Value, json};

/// Reasons that are told one by one; the rest is told together, so that the report stays short.
const REASONS_TOLD: usize = 20;

/// What there is to say of a stream, for `RHEED_TEXT_REPORT` and for the final report in the spool.
pub fn report(ledger: &Ledger) -> Value {
    let values = ledger.snapshot();
    let counts = |stats: &[(&str, Stat)]| -> Map<String, Value> {
        stats.iter().map(|(name, stat)| ((*name).into(), values[*stat as usize].into())).collect()
    };
    let (chunks_amiss, left_out, since) = ledger.chunks_amiss();
    json!({
        "local_id": ledger.local_id,
        "data_id": ledger.data_id(),
        "stream_name": ledger.name,
        "state": state_word(values[Stat::State as usize]),
        "frames": counts(&[
            ("accepted", Stat::FramesAccepted),
            ("confirmed", Stat::FramesConfirmed),
            ("pending", Stat::FramesPending),
            ("lost", Stat::FramesLost),
            ("dropped", Stat::FramesDropped),
            ("rejected", Stat::FramesRejected),
            ("missed", Stat::FramesMissed),
            ("incomplete", Stat::FramesIncomplete),
            ("left_out", Stat::FramesLeftOut),
        ]),
        "chunks": counts(&[
            ("sealed", Stat::ChunksSealed),
            ("confirmed", Stat::ChunksConfirmed),
            ("pending", Stat::ChunksPending),
            ("lost", Stat::ChunksLost),
        ]),
        "bytes": counts(&[("raw", Stat::BytesRaw), ("shards", Stat::BytesShards), ("sent", Stat::BytesSent)]),
        "losses": losses(&ledger.losses()),
        "chunks_amiss": chunks_amiss,
        "chunks_amiss_left_out": left_out,
        "amiss_since_last_chunk": since,
        "camera_stalls": values[Stat::CameraStalls as usize],
        "camera_clock": ledger.report_camera_clock(),
        "events_dropped": ledger.notices.events.dropped(),
    })
}

fn losses(by_reason: &Losses) -> Vec<Value> {
    let mut losses: Vec<(String, Loss)> = Vec::new();
    for (reason, loss) in by_reason.iter() {
        let place = losses.partition_point(|(_, larger)| larger.frames >= loss.frames);
        losses.insert(place, (reason.into(), loss));
    }
    if losses.len() > REASONS_TOLD {
        let rest = losses.split_off(REASONS_TOLD);
        let sum = |count: fn(&Loss) -> u64| rest.iter().map(|(_, loss)| count(loss)).sum();
        losses.push((
            format!("{} other reasons", rest.len()),
            Loss { frames: sum(|loss| loss.frames), chunks: sum(|loss| loss.chunks) },
        ));
    }
    losses.into_iter().map(|(reason, loss)| json!({ "reason": reason, "frames": loss.frames, "chunks": loss.chunks })).collect()
}

/// A state's name in reports.
fn state_word(state: i64) -> &'static str {
    const WORDS: [(State, &str); 8] = [
        (State::Connecting, "connecting"),
        (State::Offline, "offline"),
        (State::Streaming, "streaming"),
        (State::Spooling, "spooling"),
        (State::Finalizing, "finalizing"),
        (State::Finalized, "finalized"),
        (State::Aborted, "aborted"),
        (State::Fault, "closed by a fault"),
    ];
    WORDS.iter().find(|(known, _)| *known as i64 == state).map_or("unknown", |(_, word)| word)
}

/// A report without its oldest chunks in which something went amiss, where many reports have to fit: so many are left.
pub fn shorten(report: &mut Value, most: usize) {
    let Some(chunks) = report["chunks_amiss"].as_array_mut() else { return };
    let surplus = chunks.len().saturating_sub(most);
    chunks.drain(..surplus);
    let left_out = report["chunks_amiss_left_out"].as_u64().unwrap_or(0);
    report["chunks_amiss_left_out"] = (left_out + surplus as u64).into();
}

/// One line for a person, from a snapshot.
pub fn status_line(values: &[i64; Stat::COUNT], camera_stands_still: bool) -> String {
    let value = |stat: Stat| values[stat as usize];
    let mut line = format!(
        "{}: {} frames taken, {} confirmed, {} pending",
        state_word(value(Stat::State)),
        value(Stat::FramesAccepted),
        value(Stat::FramesConfirmed),
        value(Stat::FramesPending),
    );
    for (stat, word) in [
        (Stat::FramesLost, "LOST"),
        (Stat::FramesDropped, "dropped"),
        (Stat::FramesMissed, "missed by the camera"),
        (Stat::FramesRejected, "rejected"),
        (Stat::FramesIncomplete, "incomplete"),
        (Stat::FramesLeftOut, "left out"),
    ] {
        if value(stat) > 0 {
            line.push_str(&format!(", {} {word}", value(stat)));
        }
    }
    if camera_stands_still {
        line.push_str(", THE CAMERA STANDS STILL");
    }
    let fps = value(Stat::FpsMilli);
    if fps > 0 {
        line.push_str(&format!(", {}.{} fps", fps / 1000, fps % 1000 / 100));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Amiss, Connection, Place};
    use crate::spool::scratch::Scratch;

    #[test]
    fn each_count_stands_in_the_report_under_its_own_name() {
        let ledger = Ledger::new("id", "camera", Connection::Spooling, Scratch::new("endpoint=none").notices.clone());
        ledger.frames_accepted(100, 7, 1);
        ledger.transfer(Place::Slots, Place::Waiting, 90);
        (0..3).for_each(|chunk| ledger.chunk_confirmed(chunk, 20, &Amiss::default()));
        ledger.frames_lost(Place::Waiting, "a reason", Loss { frames: 24, chunks: 2 });
        ledger.frames_dropped(2);
        for (stat, count) in [
            (Stat::FramesRejected, 3),
            (Stat::FramesMissed, 4),
            (Stat::FramesIncomplete, 5),
            (Stat::FramesLeftOut, 6),
            (Stat::ChunksSealed, 9),
            (Stat::BytesShards, 8),
            (Stat::BytesSent, 11),
            (Stat::CameraStalls, 10),
        ] {
            ledger.add(stat, count);
        }
        let report = report(&ledger);
        let frames = json!({
            "accepted": 100, "confirmed": 60, "pending": 16, "lost": 24, "dropped": 2, "rejected": 3, "missed": 4, "incomplete": 5,
            "left_out": 6,
        });
        assert_eq!(report["frames"], frames);
        assert_eq!(report["chunks"], json!({ "sealed": 9, "confirmed": 3, "pending": 4, "lost": 2 }));
        assert_eq!(report["bytes"], json!({ "raw": 7, "shards": 8, "sent": 11 }));
        assert_eq!(report["losses"], json!([{ "reason": "a reason", "frames": 24, "chunks": 2 }]));
        assert_eq!(report["camera_stalls"], 10);
        let since = json!({ "dropped": 2, "rejected": 3, "missed": 4, "incomplete": 5, "stalls": 10 });
        assert_eq!(report["amiss_since_last_chunk"], since);
    }
}
