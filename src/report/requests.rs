//! Every request accounted for: succeeded, failed for a reason, or still under way.

use crate::check::outcome::{Flow, Outcome, Study, VariantStudy};
use crate::engine::Fault;
use crate::report::document::{Block, side_by_side};
use crate::report::table::{Align, Cell, Table, Tone};
use crate::report::{Medium, number};

/// The requests of all flows of all runs of a variant.
#[derive(Clone, Copy, Default)]
pub(super) struct Account {
    pub started: u64,
    pub succeeded: u64,
    pub failed: [u64; Fault::ALL.len()],
    pub in_flight: u64,
}

impl Account {
    /// The requests of one flow of one run.
    pub fn of_flow(flow: &Flow) -> Account {
        let &Flow { started, succeeded, failed, in_flight, .. } = flow;
        Account { started, succeeded, failed, in_flight }
    }

    /// The requests of one run.
    pub fn of_run(run: &Outcome) -> Account {
        Account::sum(run.flows.iter().map(Account::of_flow))
    }

    /// The requests of all runs.
    pub fn of(variant: &VariantStudy) -> Account {
        Account::sum(variant.runs.iter().map(Account::of_run))
    }

    fn sum(parts: impl Iterator<Item = Account>) -> Account {
        let mut all = Account::default();
        for part in parts {
            all.started += part.started;
            all.succeeded += part.succeeded;
            all.in_flight += part.in_flight;
            for (sum, failed) in all.failed.iter_mut().zip(part.failed) {
                *sum += failed;
            }
        }
        all
    }

    /// Is every request counted exactly once?
    pub fn adds_up(&self) -> bool {
        self.started == self.succeeded + self.failed.iter().sum::<u64>() + self.in_flight
    }
}

/// The section.
pub(super) fn section(study: &Study, medium: Medium) -> Vec<Block> {
    let accounts: Vec<Account> = study.variants.iter().map(Account::of).collect();
    if accounts.iter().all(|account| account.started == 0) {
        return Vec::new();
    }
    let note = match study.variants.iter().map(|variant| variant.runs.len()).max() {
        Some(runs) if runs > 1 => format!("of the whole run, {runs} seeds together"),
        _ => "of the whole run".to_string(),
    };
    let of = |variants: &[usize]| table(study, &accounts, variants);
    let mut blocks = vec![Block::heading("Every request accounted for", note)];
    blocks.extend(side_by_side(accounts.len(), medium, of));
    blocks
}

fn table(study: &Study, accounts: &[Account], variants: &[usize]) -> Table {
    let mut table = Table::new("").column("", Align::Left);
    for &variant in variants {
        table = table.column(&study.variants[variant].name, Align::Right);
    }
    let counts = accounts.iter().flat_map(|account| {
        let counts = account.failed.into_iter().chain([account.succeeded, account.in_flight]);
        counts.map(|count| percentage(count, account.started).chars().count())
    });
    let width = counts.max().unwrap_or(0);
    let mut line = |name: &str, count: &dyn Fn(&Account) -> u64| {
        let cells = variants.iter().map(|&variant| {
            let account = &accounts[variant];
            share(count(account), account.started, width)
        });
        table.row(std::iter::once(Cell::new(name)).chain(cells));
    };
    line("started", &|account| account.started);
    line("succeeded", &|account| account.succeeded);
    for (index, fault) in Fault::ALL.iter().enumerate() {
        if accounts.iter().any(|account| account.failed[index] > 0) {
            line(&format!("failed: {}", fault.label()), &|account| account.failed[index]);
        }
    }
    line("in flight at the end", &|account| account.in_flight);
    let sums = variants.iter().map(|&variant| match accounts[variant].adds_up() {
        true => Cell::new("✓").tone(Tone::Good),
        false => Cell::new("✗ some are lost").tone(Tone::Bad),
    });
    table.row(std::iter::once(Cell::new("adds up")).chain(sums));
    table
}

fn share(count: u64, started: u64, width: usize) -> Cell {
    if count == 0 {
        return Cell::new("0").tone(Tone::Dim);
    }
    let share = percentage(count, started);
    let text = Cell::new(number::integer(count));
    if share.is_empty() { text } else { text.note(format!("{share:>width$}")) }
}

/// The share of the requests; nothing for none and for all of them.
fn percentage(count: u64, started: u64) -> String {
    if count == 0 || count == started {
        return String::new();
    }
    number::percent(count as f64 / started as f64)
}
