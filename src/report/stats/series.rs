//! What happened when: counts, sums and maxima per window of simulated time.
//!
//! A run may last a millisecond or a week, and its series must stay small either way. So the
//! windows double in width whenever there would be too many: neighbours are added up, nothing is
//! lost but resolution, and the memory is taken once.

/// The most windows that a series has.
pub const WINDOWS_MAX: usize = 512;

/// The width of the first windows unless told otherwise: one millisecond.
const WIDTH_NS: u64 = 1_000_000;

/// What one window holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// How many events fell into it.
    pub count: u64,
    /// The sum of their values.
    pub sum: u128,
    /// The largest of their values; 0 if there are none.
    pub max: u64,
}

impl Window {
    fn merge(&mut self, other: &Window) {
        self.count += other.count;
        self.sum += other.sum;
        self.max = self.max.max(other.max);
    }

    /// The mean value; none of no events.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }
}

/// Events over simulated time, each with a value such as a latency (or 0 if only counted).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    first_width: u64,
    width: u64,
    /// When the run ended, if told; 0 before.
    end: u64,
    windows: Vec<Window>,
}

impl Default for Series {
    fn default() -> Series {
        Series::new(WIDTH_NS)
    }
}

impl Series {
    /// An empty series whose windows start `width` nanoseconds wide and double as needed.
    ///
    /// # Panics
    /// If `width` is zero.
    pub fn new(width: u64) -> Series {
        assert!(width > 0, "a window has a width");
        let windows = Vec::with_capacity(WINDOWS_MAX);
        Series { first_width: width, width, end: 0, windows }
    }

    /// Adds an event at `at` nanoseconds from the start of the run.
    pub fn record(&mut self, at: u64, value: u64) {
        while at / self.width >= WINDOWS_MAX as u64 {
            self.widen();
        }
        let index = (at / self.width) as usize;
        self.reach(index + 1);
        self.windows[index].merge(&Window { count: 1, sum: u128::from(value), max: value });
    }

    /// Says when the run ended, in nanoseconds from its start: windows without an event up to then
    /// belong to the series too, and the last window is judged by the part that the run covers.
    pub fn finish(&mut self, end: u64) {
        self.end = self.end.max(end);
        while self.end.div_ceil(self.width) > WINDOWS_MAX as u64 {
            self.widen();
        }
        self.reach(self.end.div_ceil(self.width) as usize);
    }

    /// Adds another run's series, window by window. The result has the wider windows of the two,
    /// and its counts and rates are those of both runs together.
    ///
    /// # Panics
    /// If the two started with windows of different width.
    pub fn merge(&mut self, other: &Series) {
        assert_eq!(self.first_width, other.first_width, "the windows of the series do not nest");
        while self.width < other.width {
            self.widen();
        }
        self.end = self.end.max(other.end);
        let ratio = (self.width / other.width) as usize;
        self.reach(other.windows.len().div_ceil(ratio));
        for (index, window) in other.windows.iter().enumerate() {
            self.windows[index / ratio].merge(window);
        }
    }

    /// The width of a window, in nanoseconds.
    pub fn width(&self) -> u64 {
        self.width
    }

    /// The windows from the start of the run to the last event, or to the end if that is known.
    pub fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// The number of events in all windows.
    pub fn count(&self) -> u64 {
        self.windows.iter().map(|window| window.count).sum()
    }

    /// Events per second, window by window.
    pub fn rates(&self) -> Vec<f64> {
        let rate = |(index, window): (usize, &Window)| {
            let from = index as u64 * self.width;
            let covered = match self.end.saturating_sub(from) {
                0 => self.width,
                rest => rest.min(self.width),
            };
            window.count as f64 * 1e9 / covered as f64
        };
        self.windows.iter().enumerate().map(rate).collect()
    }

    /// The mean value, window by window; not a number where there was no event.
    pub fn means(&self) -> Vec<f64> {
        self.windows.iter().map(|window| window.mean().unwrap_or(f64::NAN)).collect()
    }

    /// The largest value, window by window; not a number where there was no event.
    pub fn maxima(&self) -> Vec<f64> {
        let figure = |window: &Window| if window.count == 0 { f64::NAN } else { window.max as f64 };
        self.windows.iter().map(figure).collect()
    }

    fn reach(&mut self, length: usize) {
        if length > self.windows.len() {
            self.windows.resize(length, Window::default());
        }
    }

    fn widen(&mut self) {
        let pairs = self.windows.len().div_ceil(2);
        for index in 0..pairs {
            let mut both = self.windows[2 * index];
            if let Some(second) = self.windows.get(2 * index + 1) {
                both.merge(second);
            }
            self.windows[index] = both;
        }
        self.windows.truncate(pairs);
        // Saturated, a single window reaches as far as time does.
        self.width = self.width.saturating_mul(2);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Splitmix;
    use super::*;

    #[test]
    fn events_fall_into_windows_of_their_time() {
        let mut series = Series::new(10);
        for (at, value) in [(0, 5), (9, 7), (10, 1), (35, 100)] {
            series.record(at, value);
        }
        let shape: Vec<(u64, u128, u64)> =
            series.windows().iter().map(|window| (window.count, window.sum, window.max)).collect();
        assert_eq!(shape, [(2, 12, 7), (1, 1, 1), (0, 0, 0), (1, 100, 100)]);
        assert_eq!(series.means()[0], 6.0);
        assert!(series.means()[2].is_nan() && series.maxima()[2].is_nan());
        assert_eq!(series.maxima()[3], 100.0);
    }

    #[test]
    fn a_long_run_widens_the_windows_and_loses_no_event() {
        let mut rng = Splitmix(2);
        let mut series = Series::default();
        let mut total = 0;
        for _ in 0..5000 {
            let value = rng.below(1000);
            series.record(rng.below(60_000_000_000), value);
            total += u128::from(value);
        }
        assert_eq!(series.width(), 128_000_000);
        assert!(series.windows().len() <= WINDOWS_MAX);
        assert_eq!(series.count(), 5000);
        assert_eq!(series.windows().iter().map(|window| window.sum).sum::<u128>(), total);
    }

    #[test]
    fn any_time_has_a_window_and_no_memory_is_taken_twice() {
        let mut series = Series::new(1);
        let memory = series.windows.capacity();
        for at in [0, 511, 512, 1 << 40, u64::MAX, 3] {
            series.record(at, 1);
        }
        assert_eq!(series.count(), 6);
        assert_eq!(series.windows.capacity(), memory);
    }

    #[test]
    fn an_outage_until_the_end_is_part_of_the_series() {
        let mut series = Series::new(1_000_000_000);
        (0..20).for_each(|i| series.record(i * 100_000_000, 0));
        series.finish(4_500_000_000);
        assert_eq!(series.rates(), [10.0, 10.0, 0.0, 0.0, 0.0]);
        series.record(4_200_000_000, 0);
        assert_eq!(series.rates()[4], 2.0, "half a second was covered");
        series.finish(604_800_000_000_000);
        assert!(series.windows().len() <= WINDOWS_MAX);
        assert_eq!(series.count(), 21);
    }

    #[test]
    fn merging_runs_equals_recording_them_into_one() {
        let mut rng = Splitmix(9);
        let events: Vec<(u64, u64)> =
            (0..3000).map(|i| (rng.below(1 << (20 + i / 250)), rng.below(99))).collect();
        let of = |events: &[(u64, u64)]| {
            let mut series = Series::new(1000);
            events.iter().for_each(|&(at, value)| series.record(at, value));
            series
        };
        let (short, long) = (of(&events[..900]), of(&events[900..]));
        assert!(short.width() < long.width());
        let mut merged = short.clone();
        merged.merge(&long);
        assert_eq!(merged, of(&events));
        let mut other_way = long.clone();
        other_way.merge(&short);
        assert_eq!(other_way, merged);
    }
}
