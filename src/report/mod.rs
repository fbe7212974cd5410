//! Reports.
pub mod number;
use crate::check::outcome::Study;
#[derive(Clone, Copy)]
pub struct Style {
    pub width: usize,
    pub color: bool,
}
pub fn text(s: &Study, _: Style) -> String {
    format!("{:#?}", s.judgements)
}
pub fn markdown(_: &Study) -> String {
    String::new()
}
pub fn json(_: &Study) -> String {
    String::new()
}
