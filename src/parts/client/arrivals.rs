//! Open loops: requests come when they are due, however the system fares.

use super::bursts::{BurstState, Bursts};
use super::curve::Curve;
use super::profile::Intensity;
use super::{ASK, Client, Load, SESSION};
use crate::engine::{Dist, Msg, Name, Rate, Rng, Span, Time};
use crate::world::Cx;

impl Client {
    /// Begins requests, or users, as the load has it.
    pub(super) async fn arrive(&self, cx: &Cx) {
        let verb = if matches!(self.load, Load::Sessions { .. }) { SESSION } else { ASK };
        match &self.load {
            Load::Poisson { rate: Intensity::Varying(profile) }
            | Load::Sessions { rate: Intensity::Varying(profile), .. } => {
                self.follow(cx, verb, &profile.curve()).await;
            }
            Load::Sessions { rate: Intensity::Even(rate), .. } => {
                self.renew(cx, verb, &Dist::exponential(rate.mean_gap())).await;
            }
            Load::Constant { rate: Intensity::Even(rate), first } => {
                self.evenly(cx, *rate, *first).await;
            }
            Load::Constant { rate: Intensity::Varying(profile), first } => {
                self.pace(cx, &profile.curve(), *first).await;
            }
            Load::Bursts { states } => self.burst(cx, states).await,
            Load::At(times) => self.replay(cx, times).await,
            Load::Trace { file } => self.replay(cx, file.times()).await,
            other => {
                if let Some(Ok(gaps)) = other.gaps() {
                    self.renew(cx, verb, &gaps).await;
                }
            }
        }
    }

    /// Waits for an instant and begins what is due then, late if need be. False if nothing comes
    /// any more.
    async fn due(&self, cx: &Cx, verb: Name, due: Time, row: usize) -> bool {
        if self.is_over(due) {
            return false;
        }
        let _ = cx.sleep(due.max(cx.now()) - cx.now()).await;
        if !cx.is_loading() {
            return false;
        }
        for _ in 0..self.batch {
            if verb == ASK && !self.claim() {
                return false;
            }
            cx.kick(Msg::Do { verb, key: row as u64, value: due.0 });
        }
        true
    }

    /// Independent gaps of one distribution. What is due while the client is frozen is late, and
    /// not put off.
    async fn renew(&self, cx: &Cx, verb: Name, gaps: &Dist) {
        let mut due = self.starts(cx);
        loop {
            due += cx.draw(gaps);
            if !self.due(cx, verb, due, 0).await {
                return;
            }
        }
    }

    /// Every gap counts from the start, so that their roundings do not add up.
    async fn evenly(&self, cx: &Cx, rate: Rate, first: Option<Span>) {
        let start = self.starts(cx) + first.unwrap_or_default();
        for count in u64::from(first.is_none()).. {
            if !self.due(cx, ASK, start + rate.span_of(count), 0).await {
                return;
            }
        }
    }

    /// At random, as often as a curve says.
    async fn follow(&self, cx: &Cx, verb: Name, curve: &Curve) {
        let mut area = curve.area(self.starts(cx).0 as f64);
        loop {
            area += cx.random(Rng::exp);
            let Some(at) = curve.when(area) else { return };
            if !self.due(cx, verb, instant(at), 0).await {
                return;
            }
        }
    }

    /// One request whenever a curve has risen by one.
    async fn pace(&self, cx: &Cx, curve: &Curve, first: Option<Span>) {
        let start = self.starts(cx) + first.unwrap_or_default();
        let area = curve.area(start.0 as f64);
        for count in u64::from(first.is_none()).. {
            let Some(at) = curve.when(area + count as f64) else { return };
            if !self.due(cx, ASK, instant(at), 0).await {
                return;
            }
        }
    }

    async fn burst(&self, cx: &Cx, states: &[BurstState]) {
        let mut rng = cx.stream("bursts", self.born.get());
        let mut bursts = Bursts::new(states, self.starts(cx).0 as f64, &mut rng);
        loop {
            let Some(at) = bursts.next(cx.random(Rng::exp), &mut rng) else { return };
            if !self.due(cx, ASK, instant(at), 0).await {
                return;
            }
        }
    }

    /// At given instants, from the start on; rows count from 1.
    async fn replay(&self, cx: &Cx, times: &[Span]) {
        let start = self.starts(cx);
        for (place, time) in times.iter().enumerate() {
            let due = Time(0) + *time;
            if due >= start && !self.due(cx, ASK, due, place + 1).await {
                return;
            }
        }
    }
}

/// So many nanoseconds after the start of the run, rounded to a whole one.
fn instant(nanos: f64) -> Time {
    Time(0) + Span::from_nanos_f64(nanos)
}
