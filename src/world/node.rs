//! A node is an async function from a request to a reply.

use std::rc::Rc;

use super::{Ask, ClassInfo, Cx, Dated, DiskSpec, Flaw, MachineSpec, Offers, Sim, Way};
use crate::engine::{Desk, Msg, NodeId, Reply, pool};

/// A node is an async function from a request to a reply.
///
/// Its fields are its configuration, and volatile state in `Cell`s. It is cloned from the scenario
/// at every start, so a crash loses the volatile state by construction; what must survive goes to
/// [`Cx::disk`].
#[expect(async_fn_in_trait, reason = "single-threaded by design: no `Send` bound is wanted")]
pub trait Node: Clone + 'static {
    /// Runs when the node starts, and again after every restart. Background loops live here.
    async fn boot(&self, _cx: &Cx) {}

    /// Serves one request, concurrently with the others: state lives in `Cell`s of `self`.
    async fn handle(&self, cx: &Cx, request: Msg) -> Reply;

    /// The machine that it runs on. Default: as many workers as there is work.
    fn machine(&self) -> MachineSpec {
        MachineSpec::default()
    }

    /// The disk that it writes to. Default: [`DiskSpec::default`].
    fn disk(&self) -> DiskSpec {
        DiskSpec::default()
    }

    /// What it asks of others. Default: nothing.
    fn asks(&self) -> Vec<Ask> {
        Vec::new()
    }

    /// What it answers. Default: nothing.
    fn offers(&self) -> Offers {
        Offers::default()
    }

    /// Whom it speaks to: the edges of the topology. Default: whom it asks for something, in the
    /// way in which it does.
    fn edges(&self) -> Vec<Edge> {
        let mut edges: Vec<Edge> = Vec::new();
        for Ask { to, way, .. } in self.asks() {
            let edge = Edge { to, way };
            if !edges.contains(&edge) {
                edges.push(edge);
            }
        }
        edges
    }

    /// The classes that it gives to requests that it begins. Default: none.
    fn classes(&self) -> Vec<ClassInfo> {
        Vec::new()
    }

    /// What it does at instants of the run that its configuration names. Default: nothing.
    fn dated(&self) -> Vec<Dated> {
        Vec::new()
    }

    /// What it says that could have no effect, because of something else that it says. Default:
    /// nothing. Unlike a problem it does no harm, and a variant may be there to make it count. What
    /// is as its default is not said, though it may be written.
    fn idle(&self) -> Vec<Flaw> {
        Vec::new()
    }

    /// What is wrong with its configuration, for the loader: what types cannot say. Default:
    /// nothing.
    fn problem(&self) -> Option<Flaw> {
        None
    }
}

/// One node speaks to another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Edge {
    /// To whom.
    pub to: NodeId,
    /// How.
    pub way: Way,
}

/// From its next start on a node is made from this.
pub fn upgrade<N: Node>(sim: &mut Sim, id: NodeId, node: N) {
    sim.respec(id, node);
}

/// Adds a node that is down until [`Sim::boot`]. Its random streams are named after it, so they do
/// not depend on what else there is.
pub fn add<N: Node>(sim: &mut Sim, name: &str, node: N) -> NodeId {
    let (machine, disk) = (node.machine(), node.disk());
    sim.with(|state| state.env.admit(name, machine, disk));
    sim.add(name, node, || {
        pool(
            |node: Rc<N>, cx: Cx| Box::pin(async move { node.boot(&cx).await }),
            |desk: Rc<Desk<N>>, cx: Cx| async move {
                loop {
                    let node = desk.next().await;
                    let reply = node.handle(&cx, desk.open(&cx)).await;
                    cx.reply(reply);
                }
            },
        )
    })
}
