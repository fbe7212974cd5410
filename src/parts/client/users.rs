//! Closed loops: a user waits for the answer, thinks, and asks again.

use super::load::Session;
use super::{Client, Load};
use crate::engine::{Ratio, Span, Time};
use crate::world::Cx;

impl Client {
    /// One of the users of a closed loop.
    pub(super) async fn user(&self, cx: &Cx, number: u64) {
        let Load::Closed { users, think, every, ramp_up, session } = &self.load else { return };
        let after = (u128::from(ramp_up.0) * u128::from(number) / u128::from(*users)) as u64;
        let start = self.starts(cx) + Span(after);
        if start > cx.now() {
            let _ = cx.sleep(start - cx.now()).await;
        }
        let (mut planned, mut made) = (start, 0);
        loop {
            let due = match every {
                Some(_) => planned,
                None => cx.now() + cx.draw(&think.0),
            };
            if !self.ask_at(cx, due).await {
                return;
            }
            planned += every.unwrap_or_default();
            made += 1;
            if let Some(Session { requests, pause }) = session
                && made % u64::from(*requests) == 0
            {
                let pause = cx.draw(pause);
                let _ = cx.sleep(pause).await;
                // Nothing was meant to be asked meanwhile.
                planned = planned.max(cx.now());
            }
        }
    }

    /// A user who has come: asks, may ask again, and leaves.
    pub(super) async fn visitor(&self, cx: &Cx, came: Time) {
        let Load::Sessions { stay, think, .. } = &self.load else { return };
        let mut due = came;
        while self.ask_at(cx, due).await && stays(cx, *stay) {
            due = cx.now() + cx.draw(&think.0);
        }
    }

    /// Waits for an instant and asks then, late if need be; false if nothing is asked any more.
    async fn ask_at(&self, cx: &Cx, due: Time) -> bool {
        if self.is_over(due) {
            return false;
        }
        let _ = cx.sleep(due.max(cx.now()) - cx.now()).await;
        if !cx.is_loading() || !self.claim() {
            return false;
        }
        self.ask(cx, due, 0).await;
        true
    }
}

fn stays(cx: &Cx, stay: Ratio) -> bool {
    cx.random(|rng| rng.chance(stay))
}
