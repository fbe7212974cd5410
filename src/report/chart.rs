//! Small charts in text: a line of eight heights, a bar, and a timeline of faults over a curve.
//!
//! They answer one question each at a glance, in the terminal and in a code block of Markdown: does
//! it move, how large is it, and which fault made it so. Curves start at zero where the size
//! matters, since an axis cut off above zero makes noise look like a collapse.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::number::{self, Unit};
use super::table::printable;

const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
/// The columns that labels may take at the left of a timeline.
const LABEL_MAX: usize = 24;
/// The narrowest plot that still shows something.
const PLOT_MIN: usize = 10;

/// One character for each value, from the smallest at `▁` to the largest at `█`. What is not a
/// number is a space, infinities are at their end, and a constant stands at half height.
pub fn sparkline(values: &[f64]) -> String {
    let (low, high) = range(values);
    values.iter().map(|&value| level(value, low, high)).collect()
}

/// A bar of `value` on a scale from 0 to `max`, at most `width` columns long, drawn to an eighth of
/// a column. Whatever is above zero can be seen; what is not a number has no bar.
pub fn bar(value: f64, max: f64, width: usize) -> String {
    if !(value > 0.0 && max > 0.0) {
        return String::new();
    }
    let share = if value >= max { 1.0 } else { value / max };
    let eighths = ((share * width as f64 * 8.0).round() as usize).max(usize::from(width > 0));
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

fn range(values: &[f64]) -> (f64, f64) {
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max))
}

fn level(value: f64, low: f64, high: f64) -> char {
    if value.is_nan() {
        return ' ';
    }
    if value.is_finite() && low == high {
        return LEVELS[LEVELS.len() / 2 - 1];
    }
    let share = ((value - low) / (high - low)).clamp(0.0, 1.0);
    let share = if value.is_infinite() { f64::from(u8::from(value > 0.0)) } else { share };
    LEVELS[((share * LEVELS.len() as f64) as usize).min(LEVELS.len() - 1)]
}

/// Faults over curves on one axis of simulated time, in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeline {
    /// The time at the left edge.
    pub from: u64,
    /// The time at the right edge.
    pub to: u64,
    /// Rows of intervals, from the top.
    pub lanes: Vec<Lane>,
    /// Curves below them, each from zero to its maximum.
    pub curves: Vec<Curve>,
}

/// A row of intervals, such as the faults of one node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lane {
    /// What the row is about.
    pub label: String,
    /// Its intervals, in any order.
    pub intervals: Vec<Interval>,
}

/// Something that lasted for a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interval {
    /// When it began, in nanoseconds.
    pub from: u64,
    /// When it ended; none if it did not.
    pub to: Option<u64>,
    /// Written into the interval where there is room; may be empty.
    pub label: String,
}

/// Values over time, such as the rates of a series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// What it shows, with the unit.
    pub label: String,
    /// The width of the window of each value, in nanoseconds; the first begins at time zero.
    pub window: u64,
    /// The values, zero or more; not a number where there is none.
    pub values: Vec<f64>,
}

impl Timeline {
    /// Draws it at most `width` columns wide, or as wide as its narrowest form: intervals as `━━━`,
    /// moments as `◆`, what does not end as `━━▶`. A curve shows the mean of each column, on a
    /// scale from zero to the largest value in sight, which stands at its right. Ends with a line
    /// break; no line has spaces at its end.
    ///
    /// # Panics
    /// If the timeline has no length, or a curve has windows without width.
    pub fn render(&self, width: usize) -> String {
        assert!(self.from < self.to, "a timeline has a length");
        let lanes = self.lanes.iter().map(|lane| &lane.label);
        let labels = lanes.chain(self.curves.iter().map(|curve| &curve.label));
        let labels: Vec<String> = labels.map(|label| elided(label, LABEL_MAX)).collect();
        let label_width = labels.iter().map(|label| label.width()).max().unwrap_or(0);
        let peaks: Vec<f64> = self.curves.iter().map(|curve| self.peak(curve)).collect();
        let notes: Vec<String> =
            peaks.iter().map(|&peak| format!("  max {}", number::human(peak, 3))).collect();
        let note_width = notes.iter().map(|note| note.width()).max().unwrap_or(0);
        let columns = width.saturating_sub(label_width + 2 + note_width).max(PLOT_MIN);
        let axis = Axis { from: self.from, to: self.to, columns };

        let mut rows: Vec<String> = self.lanes.iter().map(|lane| axis.lane(lane)).collect();
        for ((curve, &peak), note) in self.curves.iter().zip(&peaks).zip(&notes) {
            rows.push(format!("{}{note}", axis.curve(curve, peak)));
        }
        let mut out = String::new();
        for (label, row) in labels.iter().zip(rows) {
            let room = " ".repeat(label_width - label.width());
            out.push_str(format!("{label}{room} │{row}").trim_end());
            out.push('\n');
        }
        let indent = " ".repeat(label_width);
        let (marks, names) = axis.ticks(columns + note_width);
        out.push_str(&format!("{indent} └{marks}\n"));
        out.push_str(format!("{indent}  {names}").trim_end());
        out.push('\n');
        out
    }

    /// The largest value of a curve that is in sight, at least zero.
    fn peak(&self, curve: &Curve) -> f64 {
        assert!(curve.window > 0, "a window has a width");
        let first = (self.from / curve.window) as usize;
        let after = self.to.div_ceil(curve.window) as usize;
        let seen = curve.values.iter().take(after).skip(first).copied();
        seen.filter(|value| value.is_finite()).fold(0.0, f64::max)
    }
}

/// Simulated time on the columns of a line.
struct Axis {
    from: u64,
    to: u64,
    columns: usize,
}

impl Axis {
    /// The column in which a time from `from` on falls; `columns` or more from `to` on.
    fn column(&self, time: u64) -> usize {
        let (past, span) = (u128::from(time - self.from), u128::from(self.to - self.from));
        (past * self.columns as u128 / span) as usize
    }

    /// The time at which a column begins.
    fn start(&self, column: usize) -> u64 {
        let span = u128::from(self.to - self.from);
        // The quotient is at most the span, which is a u64.
        self.from + (span * column as u128 / self.columns as u128) as u64
    }

    fn lane(&self, lane: &Lane) -> String {
        let mut line = vec![' '; self.columns];
        let mut intervals: Vec<&Interval> = lane.intervals.iter().collect();
        // The short ones last, so that they stay visible on top of the long ones.
        let length = |interval: &Interval| {
            interval.to.map_or(u64::MAX, |to| to.saturating_sub(interval.from))
        };
        intervals.sort_by_key(|interval| (std::cmp::Reverse(length(interval)), interval.from));
        for interval in intervals {
            let end = interval.to.unwrap_or(u64::MAX);
            let over = end < self.from || (end == self.from && interval.from < end);
            if over || interval.from >= self.to {
                continue;
            }
            let first = self.column(interval.from.max(self.from));
            let last = match end {
                end if end >= self.to => self.columns - 1,
                // An end at the very start of a column does not reach into it.
                end => self.column(end.saturating_sub(1).max(self.from)).max(first),
            };
            if first == last && interval.to.is_some() {
                line[first] = '◆';
                continue;
            }
            line[first..=last].fill('━');
            if interval.to.is_none() {
                line[last] = '▶';
            }
            inscribe(&mut line[first..=last], &printable(&interval.label));
        }
        line.into_iter().filter(|&c| c != COVERED).collect()
    }

    /// The mean of a curve over each column, as heights from zero to `peak`.
    fn curve(&self, curve: &Curve, peak: f64) -> String {
        let high = if peak > 0.0 { peak } else { 1.0 };
        (0..self.columns).map(|column| level(self.mean(curve, column), 0.0, high)).collect()
    }

    /// The mean of the values in a column, weighted by how long each is part of it; not a number
    /// where there is none.
    fn mean(&self, curve: &Curve, column: usize) -> f64 {
        let from = self.start(column);
        let to = self.start(column + 1).max(from + 1);
        let first = (from / curve.window) as usize;
        let after = (to.div_ceil(curve.window) as usize).min(curve.values.len());
        let (mut total, mut weight) = (0.0, 0.0);
        for index in first..after {
            let value = curve.values[index];
            let begins = index as u64 * curve.window;
            let shared = to.min(begins.saturating_add(curve.window)) - from.max(begins);
            if !value.is_nan() {
                total += value * shared as f64;
                weight += shared as f64;
            }
        }
        total / weight
    }

    /// The line of the axis with its marks, and the line of their names, which may be `room` wide.
    fn ticks(&self, room: usize) -> (String, String) {
        let scale = Scale::of(self);
        let mut marks = vec!['─'; self.columns];
        let mut names = String::new();
        let first = self.from.div_ceil(scale.step);
        // The step is chosen so that there are fewer ticks than columns.
        for index in first..first + self.columns as u64 {
            let Some(time) = index.checked_mul(scale.step).filter(|&time| time < self.to) else {
                break;
            };
            let (column, name) = (self.column(time), scale.name(time));
            marks[column] = '┬';
            if column + name.width() <= room {
                names.push_str(&" ".repeat(column - names.width()));
                names.push_str(&name);
            }
        }
        (marks.into_iter().collect(), names)
    }
}

/// The distance of ticks, and the unit of their names.
struct Scale {
    step: u64,
    unit: Unit,
}

impl Scale {
    /// The smallest step of 1, 2 or 5 times a power of ten at which the names stay apart.
    fn of(axis: &Axis) -> Scale {
        let unit = match axis.to {
            0..1_000 => Unit::Nanoseconds,
            1_000..1_000_000 => Unit::Microseconds,
            1_000_000..1_000_000_000 => Unit::Milliseconds,
            _ if axis.to - axis.from < 600_000_000_000 => Unit::Seconds,
            _ if axis.to - axis.from < 36_000_000_000_000 => Unit::Minutes,
            _ => Unit::Hours,
        };
        // Parts of minutes and hours are not decimal: there the steps are whole.
        let mut power = if unit > Unit::Seconds { unit.nanoseconds() } else { 1 };
        loop {
            for factor in [1, 2, 5] {
                let scale = Scale { step: power.saturating_mul(factor), unit };
                if scale.fits(axis) {
                    return scale;
                }
            }
            power = power.saturating_mul(10);
        }
    }

    fn fits(&self, axis: &Axis) -> bool {
        if self.step >= axis.to - axis.from {
            return true;
        }
        let last = (axis.to - 1) / self.step * self.step;
        // One tick before the last has as many decimals as any.
        let widest = self.name(last).width().max(self.name(last - self.step).width());
        let apart = u128::from(self.step) * axis.columns as u128 / u128::from(axis.to - axis.from);
        apart >= widest as u128 + 2
    }

    fn name(&self, time: u64) -> String {
        if self.unit > Unit::Seconds {
            let count = number::integer(time / self.unit.nanoseconds());
            return format!("{count} {}", self.unit.symbol());
        }
        number::in_unit(time, self.unit)
    }
}

/// Stands for the second column of a wide character.
const COVERED: char = '\0';

/// Writes a label into an interval if there is room for it and for a bit of line at both ends.
fn inscribe(line: &mut [char], label: &str) {
    if label.is_empty() || label.width() + 4 > line.len() {
        return;
    }
    let mut column = 2;
    line[1] = ' ';
    for c in label.chars() {
        match c.width() {
            Some(1) => line[column] = c,
            Some(2) => {
                line[column] = c;
                line[column + 1] = COVERED;
            }
            // A combining mark has no column of its own, and no place here.
            _ => continue,
        }
        column += c.width().unwrap_or(0);
    }
    line[column] = ' ';
}

/// The label if it fits, else its beginning and `…`.
fn elided(label: &str, width: usize) -> String {
    let label = printable(label);
    if label.width() <= width {
        return label;
    }
    let mut text = String::new();
    for c in label.chars() {
        if text.width() + c.width().unwrap_or(0) + 1 > width {
            break;
        }
        text.push(c);
    }
    text.push('…');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_sparkline_spans_its_values() {
        assert_eq!(sparkline(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]), "▁▂▃▄▅▆▇█");
        assert_eq!(sparkline(&[5.0, f64::NAN, 9.0]), "▁ █");
        assert_eq!(sparkline(&[1.0, f64::INFINITY, 3.0, f64::NEG_INFINITY]), "▁██▁");
    }

    #[test]
    fn a_sparkline_of_little_is_no_trouble() {
        assert_eq!(sparkline(&[]), "");
        assert_eq!(sparkline(&[3.0, 3.0]), "▄▄");
        assert_eq!(sparkline(&[f64::NAN; 2]), "  ");
        assert_eq!(sparkline(&[f64::INFINITY]), "█");
        assert_eq!(sparkline(&[-f64::MAX, f64::MAX]).chars().count(), 2);
    }

    #[test]
    fn a_bar_is_drawn_to_an_eighth_of_a_column() {
        assert_eq!(bar(5.0, 10.0, 10), "█████");
        assert_eq!(bar(10.0, 10.0, 3), "███");
        assert_eq!(bar(99.0, 10.0, 3), "███");
        assert_eq!(bar(1.0, 16.0, 2), "▏");
        assert_eq!(bar(3.0, 8.0, 4), "█▌");
        assert_eq!(bar(1e-9, 10.0, 10), "▏");
        for nothing in [bar(0.0, 1.0, 9), bar(f64::NAN, 1.0, 9), bar(1.0, 0.0, 9), bar(1.0, 1.0, 0)]
        {
            assert_eq!(nothing, "");
        }
        assert_eq!(bar(f64::INFINITY, f64::INFINITY, 2), "██");
    }

    fn interval(from: u64, to: Option<u64>, label: &str) -> Interval {
        Interval { from: from * SECOND, to: to.map(|to| to * SECOND), label: label.into() }
    }

    fn sample() -> Timeline {
        let rate = |second: u64| if (20..35).contains(&second) { 400.0 } else { 812.0 };
        Timeline {
            from: 0,
            to: 60 * SECOND,
            lanes: vec![
                Lane {
                    label: "payments".into(),
                    intervals: vec![interval(20, Some(35), "crash"), interval(50, Some(50), "")],
                },
                Lane {
                    label: "orders ↔ stock".into(), intervals: vec![interval(45, None, "cut")]
                },
            ],
            curves: vec![Curve {
                label: "goodput /s".into(),
                window: SECOND,
                values: (0..60).map(rate).collect(),
            }],
        }
    }

    #[test]
    fn faults_stand_above_the_curve_at_the_same_time() {
        let expected = "\
payments       │                    ━ crash ━━━━━━━               ◆
orders ↔ stock │                                             ━ cut ━━━━━━━━▶
goodput /s     │████████████████████▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄█████████████████████████  max 812
               └┬─────────┬─────────┬─────────┬─────────┬─────────┬─────────
                0 s       10 s      20 s      30 s      40 s      50 s
";
        assert_eq!(sample().render(16 + 60 + 9), expected);
    }

    #[test]
    fn a_timeline_keeps_to_its_width_and_shows_every_fault() {
        for width in 40..160 {
            let text = sample().render(width);
            assert!(text.contains('◆') && text.contains('▶'), "{text}");
            for line in text.lines() {
                assert!(line.width() <= width, "{width}: {line}");
                assert_eq!(line, line.trim_end());
            }
        }
    }

    #[test]
    fn intervals_are_clipped_to_what_is_in_sight() {
        let axis = Axis { from: 10 * SECOND, to: 20 * SECOND, columns: 10 };
        let draw = |from, to| {
            let intervals = vec![interval(from, to, "")];
            axis.lane(&Lane { label: String::new(), intervals })
        };
        assert_eq!(draw(5, Some(12)), "━━        ");
        assert_eq!(draw(18, Some(99)), "        ━━");
        assert_eq!(draw(12, Some(13)), "  ◆       ");
        assert_eq!(draw(10, Some(10)), "◆         ");
        assert_eq!(draw(19, None), "         ▶");
        for outside in [draw(2, Some(10)), draw(20, Some(30)), draw(3, Some(3)), draw(25, None)] {
            assert_eq!(outside.trim(), "");
        }
    }

    #[test]
    fn a_short_fault_stays_visible_on_a_long_one() {
        let axis = Axis { from: 0, to: 10 * SECOND, columns: 10 };
        let intervals = vec![interval(4, Some(5), ""), interval(0, Some(10), "")];
        assert_eq!(axis.lane(&Lane { label: String::new(), intervals }), "━━━━◆━━━━━");
    }

    #[test]
    fn labels_of_any_script_keep_the_columns() {
        let axis = Axis { from: 0, to: 20 * SECOND, columns: 20 };
        let intervals = vec![interval(0, Some(20), "停電")];
        let line = axis.lane(&Lane { label: String::new(), intervals });
        assert_eq!(line, "━ 停電 ━━━━━━━━━━━━━");
        assert_eq!(line.width(), 20);
        assert_eq!(elided("a very long label of a lane", 10), "a very lo…");
    }

    #[test]
    fn a_curve_averages_what_a_column_holds() {
        let axis = Axis { from: 0, to: 4 * SECOND, columns: 2 };
        let curve =
            |values: &[f64], window| Curve { label: String::new(), window, values: values.into() };
        assert_eq!(axis.mean(&curve(&[1.0, 3.0, 5.0, f64::NAN], SECOND), 0), 2.0);
        assert_eq!(axis.mean(&curve(&[1.0, 3.0, 5.0, f64::NAN], SECOND), 1), 5.0);
        assert_eq!(axis.mean(&curve(&[7.0], 4 * SECOND), 1), 7.0);
        assert!(axis.mean(&curve(&[7.0], SECOND), 1).is_nan());
        // Two thirds of the second window of three seconds are part of the second column.
        assert_eq!(axis.mean(&curve(&[2.0, 8.0], 3 * SECOND), 1), 5.0);
        assert_eq!(axis.curve(&curve(&[0.0], 4 * SECOND), 0.0), "▁▁");
    }

    #[test]
    fn ticks_have_round_times_in_one_unit() {
        let names = |from, to, columns| Axis { from, to, columns }.ticks(columns).1;
        assert_eq!(names(0, 600_000_000, 40), "0 ms         200 ms       400 ms");
        assert_eq!(names(0, 3 * SECOND, 30), "0 s       1 s       2 s");
        assert_eq!(names(1_250_000_000, 2_250_000_000, 24), "      1.5 s       2 s");
        assert_eq!(names(0, 7200 * SECOND, 40), "0 min           50 min           100 min");
        assert_eq!(names(0, 7, 12), "0 ns    5 ns");
        assert!(names(0, 604_800 * SECOND, 60).ends_with(" h"));
        assert!(!names(0, u64::MAX, 60).is_empty());
    }
}
