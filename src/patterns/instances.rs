//! Several nodes of one description behind one address.
//!
//! The nodes of `"api": Instances(of: …, count: 3)` are called `api/1`, `api/2` and `api/3`; each
//! has a machine, a disk, connections and random streams of its own. Callers speak to `api`, and a
//! policy chooses among the instances that may be called; what is sent without a policy goes to
//! them in turn. A fault of `api` befalls all of them at once, a fault of `api/2` that one.
//!
//! ```ron
//! Instances(
//!     of: Service(machine: (workers: 4), operations: {"buy": (cost: "5ms")}),
//!     count: 3,
//! )
//! ```

use serde::Deserialize;

use super::Spec;
use crate::engine::{Fault, Msg, Reply};
use crate::world::{Cx, DiskSpec, Edge, MachineSpec, Node};

/// Several nodes of one description behind one address.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instances {
    /// What each of them is: any node but a client.
    pub of: Box<Spec>,
    /// How many there are. From 1 to 10,000.
    pub count: u32,
    /// The zones that they are spread over, one after the other: the first instance is in the
    /// first zone. Each is a zone of the network. Default: none.
    #[serde(default)]
    pub zones: Vec<String>,
}

impl Instances {
    /// More than this are not read as a wish.
    pub const COUNT_MAX: u32 = 10_000;

    /// The name of an instance, counted from 1.
    pub fn name(address: &str, number: u32) -> String {
        format!("{address}/{number}")
    }

    /// The address that a name belongs to: its own, if it is that of no instance.
    pub fn address(name: &str) -> &str {
        name.split_once('/').map_or(name, |(address, _)| address)
    }
}

impl Node for Instances {
    /// An address is nobody: what is sent to it goes to one of its instances.
    async fn handle(&self, _: &Cx, _: Msg) -> Reply {
        Err(Fault::Unreachable)
    }

    fn machine(&self) -> MachineSpec {
        self.of.machine()
    }

    fn disk(&self) -> DiskSpec {
        self.of.disk()
    }

    fn edges(&self) -> Vec<Edge> {
        self.of.edges()
    }

    fn problem(&self) -> Option<String> {
        if !(1..=Self::COUNT_MAX).contains(&self.count) {
            return Some(format!("`count` is from 1 to {}", Self::COUNT_MAX));
        }
        match &*self.of {
            Spec::Client(_) => Some("a client has no instances: give it more load".to_owned()),
            Spec::Instances(_) => Some("instances of instances are not possible".to_owned()),
            other => other.problem(),
        }
    }
}
