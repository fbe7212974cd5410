//! What a broker does about old records: segments that are too old or too much go, and of compacted
//! topics all but the last record of each business object.

use super::replica::Replica;
use super::settings::Cleanup;
use super::wire::record_id;
use super::{LogBroker, facts};
use crate::world::Cx;

impl LogBroker {
    /// Cleans again and again.
    pub(super) async fn clean(&self, cx: &Cx) {
        loop {
            let _ = cx.sleep(self.cleaning).await;
            for replica in self.replicas() {
                match replica.rules.cleanup {
                    Cleanup::Delete => self.delete(cx, replica),
                    Cleanup::Compact => self.compact(cx, replica),
                }
            }
        }
    }

    /// The leader gives up what is too old or too much; followers do as it does.
    fn delete(&self, cx: &Cx, replica: &Replica) {
        if replica.leads().is_none() {
            return;
        }
        let start = {
            let log = replica.log.borrow();
            let known = (log.high_watermark(), log.end());
            log.segments.expired(cx.now(), &replica.rules.retention, known)
        };
        // On a full disk it is tried again the next time.
        if let Some(start) = start
            && self.expire(cx, replica, start).is_ok()
        {
            cx.note(facts::EXPIRED, record_id(replica.id, start), 0);
        }
    }

    /// Every replica compacts for itself what all in-sync replicas have.
    fn compact(&self, cx: &Cx, replica: &Replica) {
        let mut log = replica.log.borrow_mut();
        let before = log.segments.active().unwrap_or_default().min(log.high_watermark());
        let gone = log.compact(before);
        drop(log);
        self.waste(cx, gone as usize);
        if gone > 0 && replica.leads().is_some() {
            cx.note(facts::COMPACTED, record_id(replica.id, before), gone);
        }
    }
}
