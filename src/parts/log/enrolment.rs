//! What binds a broker to its controller: it registers, says again and again that it is there, and
//! hears how partitions stand.

use super::leader::PATIENCE;
use super::{AGAIN, LogBroker, wire};
use crate::engine::{Msg, Span};
use crate::world::Cx;

/// How long the controller keeps a question for news: as a KRaft broker's fetch of metadata.
const NEWS: Span = Span::from_millis(500);
impl LogBroker {
    /// Registers, and then says again and again that it is there, as long as this life lasts.
    pub(super) async fn enrolled(&self, cx: &Cx, incarnation: u64) {
        let mut is_known = false;
        while self.incarnation.get() == incarnation {
            if !is_known {
                let topics = (0..).zip(self.topics.values());
                let topics = topics.map(|(place, rules)| self.layout(cx, place, rules));
                let ask = wire::register(incarnation, topics);
                let answer = cx.call(self.controller, ask).within(PATIENCE).await;
                is_known = matches!(answer, Ok(Msg::Done { .. }));
                if !is_known {
                    let _ = cx.sleep(AGAIN).await;
                    continue;
                }
                self.opened.set(true);
                self.roles.announce(cx);
            }
            let _ = cx.sleep(self.heartbeat).await;
            let beat = Msg::Do { verb: wire::HEARTBEAT, key: incarnation, value: 0 };
            let answer = cx.call(self.controller, beat).within(PATIENCE).await;
            is_known = !matches!(answer, Ok(Msg::Clash { .. }));
        }
    }

    /// Hears from the controller how partitions stand, for ever.
    pub(super) async fn listen(&self, cx: &Cx) {
        let (mut version, mut heard) = (0, 0);
        loop {
            if !self.opened.get() {
                self.roles.wait(cx).await;
                continue;
            }
            let life = self.incarnation.get();
            if life != heard {
                (version, heard) = (0, life);
            }
            let ask = wire::watch(version, NEWS);
            match cx.call(self.controller, ask).within(NEWS + PATIENCE).await {
                Ok(Msg::Batch { parcels }) if self.incarnation.get() == life => {
                    let (newest, all) = wire::of_watched(&parcels);
                    if newest != version {
                        version = newest;
                        all.for_each(|(at, standing)| self.stands(cx, at, standing));
                    }
                }
                Ok(_) => {}
                Err(_) => _ = cx.sleep(AGAIN).await,
            }
        }
    }
}
