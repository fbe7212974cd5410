//! stub
use super::*;
pub struct Topology;
impl Topology {
    pub fn of(_: &Scenario, _: &Variant) -> Topology {
        Topology
    }
    pub fn edges(&self) -> usize {
        0
    }
    pub fn asynchronous_edges(&self) -> usize {
        0
    }
    pub fn depth(&self) -> usize {
        0
    }
    pub fn single_points(&self) -> Vec<u8> {
        vec![]
    }
}
