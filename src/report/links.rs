//! How near the bandwidths of the network came to their limits, and what their queues dropped.

use crate::check::outcome::{LinkUse, Study, VariantStudy};
use crate::report::document::Block;
use crate::report::saturation::{busy, lost};
use crate::report::table::{Align, Cell, Table};
use crate::report::{Medium, number};

/// The busiest that a report shows of each variant; the JSON report has them all.
const LINKS_SHOWN: [usize; 2] = [4, 12];

/// The section; none if no bandwidth is configured.
pub(super) fn section(study: &Study, medium: Medium) -> Vec<Block> {
    let links: Vec<Vec<LinkUse>> = study.variants.iter().map(links).collect();
    let most = links.iter().map(Vec::len).max().unwrap_or(0);
    if most == 0 {
        return Vec::new();
    }
    let shown = LINKS_SHOWN[usize::from(medium == Medium::File)];
    let note = if most > shown {
        format!("the {shown} busiest of up to {}", number::integer(most as u64))
    } else {
        "the busiest first".to_owned()
    };
    let mut table = Table::new("")
        .column("", Align::Left)
        .column("busy", Align::Decimal)
        .column("dropped", Align::Right);
    for (variant, links) in study.variants.iter().zip(&links) {
        table.group(&variant.name);
        for link in links.iter().take(shown) {
            let name = Cell::new(&link.name);
            table.row(vec![name, busy(Some(link.utilisation)), lost(link.dropped)]);
        }
    }
    vec![Block::heading("Bandwidths", note), Block::Table(table)]
}

/// The bandwidths of a variant over all of its runs: the mean of how busy each was, and how many
/// packets it dropped in all. The busiest first.
fn links(variant: &VariantStudy) -> Vec<LinkUse> {
    let mut links: Vec<(LinkUse, usize)> = Vec::new();
    for link in variant.runs.iter().flat_map(|run| &run.links) {
        match links.iter_mut().find(|(known, _)| known.name == link.name) {
            None => links.push((link.clone(), 1)),
            Some((known, count)) => {
                known.utilisation += link.utilisation;
                known.dropped += link.dropped;
                *count += 1;
            }
        }
    }
    let mean = |(link, count): (LinkUse, usize)| LinkUse {
        utilisation: link.utilisation / count as f64,
        ..link
    };
    let mut links: Vec<LinkUse> = links.into_iter().map(mean).collect();
    links.sort_by(|a, b| b.utilisation.total_cmp(&a.utilisation).then(b.dropped.cmp(&a.dropped)));
    links
}
