//! What brokers of logs note about a record, in words.

use crate::engine::Fact;
use crate::parts::{Acks, log_facts as facts, of_record_id};

/// What has happened to a record, and whether that is bad; `None` for what is no step of its story.
pub(super) fn logged(fact: &Fact) -> Option<(String, bool)> {
    let (at, offset) = of_record_id(fact.key);
    let record = format!("record {offset} of partition {}", at.number);
    let text = match fact.what {
        facts::APPENDED => format!("{record} is written"),
        facts::STORED => format!("{record} is durable"),
        facts::ACCEPTED if Acks::of(fact.value >> 32) == Acks::All => {
            format!("{record} is acknowledged: all in-sync replicas have it")
        }
        facts::ACCEPTED => format!("{record} is acknowledged: its leader has it"),
        _ => return None,
    };
    Some((text, false))
}
