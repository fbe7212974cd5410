//! The executor: the tasks of one kind of node are futures of one type, kept in reusable slots.
//!
//! The future in a slot is a worker that serves one request after another: it takes a request from
//! the pool's desk, handles it, and is idle until the next. So serving a request allocates nothing
//! once a kind of node has seen its peak concurrency, and neither builds a future nor drops one.
//! Nodes of a kind share the slots, so that a hundred thousand idle nodes cost no executor each.
//! There are no wakers: an event names the task to poll.

use std::any::Any;
use std::cell::Cell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::cx::{Core, Cx};
use super::environment::Environment;
use super::message::{Msg, NodeId};
use super::waits::TaskId;

/// The tasks of all nodes of one kind, the type of the node erased.
pub(crate) trait Pool<E: Environment> {
    /// Takes in a node of this kind; `spec` is what it is made from, again after every restart.
    fn add(&mut self, spec: Box<dyn Any>) -> u32;
    /// Makes a node afresh from its spec, in the place of the one before; returns where it lies.
    fn make(&mut self, local: u32) -> *const u8;
    /// Starts a node's boot task.
    fn boot(&mut self, core: &Rc<Core<E>>, me: NodeId, local: u32);
    /// Starts a task that serves one message.
    fn deliver(&mut self, core: &Rc<Core<E>>, local: u32, me: NodeId, index: u32);
    /// Goes on with a task.
    fn poll(&mut self, slot: u32);
    /// Drops a task that serves a request.
    fn withdraw(&mut self, slot: u32);
    /// From its next start on a node is made from this spec, which is of this kind.
    fn respec(&mut self, local: u32, spec: Box<dyn Any>);
    /// Is no task of the node at work on a request?
    fn is_idle(&self, me: NodeId) -> bool;
    /// Drops every task of the node.
    fn crash(&mut self, me: NodeId, local: u32);
}

/// A node's background work.
pub(crate) type Boot = Pin<Box<dyn Future<Output = ()>>>;

/// Slots from here on are boot tasks, one a node.
const BOOT: u32 = 1 << 31;

/// Where a pool leaves a request for the worker that it polls.
pub(crate) struct Desk<N> {
    node: Cell<Option<Rc<N>>>,
    me: Cell<NodeId>,
    index: Cell<u32>,
    /// The worker that was polled last has finished its request.
    idle: Cell<bool>,
}

impl<N> Desk<N> {
    /// Waits for the next request for this worker: the node that it is for. What it says is taken
    /// by [`Desk::open`] and not waited for, since what a future yields is copied once more. Not an
    /// `async fn`, whose state would be one more to enter and to leave at every poll.
    #[inline]
    pub fn next(&self) -> impl Future<Output = Rc<N>> {
        poll_fn(|_| match self.node.take() {
            Some(node) => Poll::Ready(node),
            None => {
                self.idle.set(true);
                Poll::Pending
            }
        })
    }

    /// What the request says that has just come.
    #[inline(always)]
    pub fn open<E: Environment>(&self, cx: &Cx<E>) -> Msg {
        cx.accept(self.me.get(), self.index.get())
    }
}

/// Whose request a slot is at work on, if any.
const NOBODY: NodeId = NodeId(u32::MAX);

struct Slot<Worker> {
    node: NodeId,
    worker: Option<Pin<Box<Worker>>>,
}

struct Tasks<N, Begin, Serve, Worker> {
    desk: Rc<Desk<N>>,
    nodes: Vec<Rc<N>>,
    specs: Vec<N>,
    boots: Vec<Option<Boot>>,
    begin: Begin,
    serve: Serve,
    slots: Vec<Slot<Worker>>,
    free: Vec<u32>,
}

/// A pool for nodes of type `N`: `begin` makes a boot task, `serve` a worker.
pub(crate) fn pool<E, N, Worker>(
    begin: impl Fn(Rc<N>, Cx<E>) -> Boot + 'static,
    serve: impl Fn(Rc<Desk<N>>, Cx<E>) -> Worker + 'static,
) -> Box<dyn Pool<E>>
where
    E: Environment,
    N: Clone + 'static,
    Worker: Future<Output = Infallible> + 'static,
{
    let desk = Rc::new(Desk {
        node: Cell::new(None),
        me: Cell::new(NOBODY),
        index: Cell::new(0),
        idle: Cell::new(false),
    });
    let (nodes, specs, boots) = (Vec::new(), Vec::new(), Vec::new());
    let (slots, free) = (Vec::new(), Vec::new());
    Box::new(Tasks { desk, nodes, specs, boots, begin, serve, slots, free })
}

/// Makes a worker for a slot.
#[cold]
#[inline(never)]
fn hire<E: Environment, N, Worker>(
    serve: &impl Fn(Rc<Desk<N>>, Cx<E>) -> Worker,
    desk: &Rc<Desk<N>>,
    core: &Rc<Core<E>>,
    slot: u32,
) -> Worker {
    serve(desk.clone(), Cx::new(core, TaskId::new(NOBODY, slot)))
}

impl<N, Begin, Serve, Worker> Tasks<N, Begin, Serve, Worker> {
    /// Adds a slot to the free ones.
    #[cold]
    #[inline(never)]
    fn open(&mut self) -> u32 {
        let slot = self.slots.len() as u32;
        self.slots.push(Slot { node: NOBODY, worker: None });
        self.free.push(slot);
        slot
    }

    #[inline(never)]
    fn poll_boot(&mut self, slot: u32) {
        let boot = &mut self.boots[(slot ^ BOOT) as usize];
        let mut context = Context::from_waker(Waker::noop());
        if boot.as_mut().is_some_and(|task| task.as_mut().poll(&mut context).is_ready()) {
            *boot = None;
        }
    }
}

impl<E, N, Begin, Serve, Worker> Pool<E> for Tasks<N, Begin, Serve, Worker>
where
    E: Environment,
    N: Clone + 'static,
    Begin: Fn(Rc<N>, Cx<E>) -> Boot,
    Serve: Fn(Rc<Desk<N>>, Cx<E>) -> Worker,
    Worker: Future<Output = Infallible>,
{
    fn add(&mut self, spec: Box<dyn Any>) -> u32 {
        let spec = *spec.downcast::<N>().expect("a pool holds nodes of one type");
        self.nodes.push(Rc::new(spec.clone()));
        self.specs.push(spec);
        self.boots.push(None);
        self.specs.len() as u32 - 1
    }

    fn make(&mut self, local: u32) -> *const u8 {
        let node = &mut self.nodes[local as usize];
        *node = Rc::new(self.specs[local as usize].clone());
        Rc::as_ptr(node).cast()
    }

    fn boot(&mut self, core: &Rc<Core<E>>, me: NodeId, local: u32) {
        let slot = BOOT | local;
        let cx = Cx::new(core, TaskId::new(me, slot));
        let node = self.nodes[local as usize].clone();
        self.boots[local as usize] = Some((self.begin)(node, cx));
        self.poll_boot(slot);
    }

    /// Most requests are served in one poll: their worker never leaves the list of the free.
    #[inline]
    fn deliver(&mut self, core: &Rc<Core<E>>, local: u32, me: NodeId, index: u32) {
        let slot = self.free.last().copied().unwrap_or_else(|| self.open());
        let place = &mut self.slots[slot as usize];
        let worker = match &mut place.worker {
            Some(worker) => worker,
            vacant => vacant.insert(Box::pin(hire(&self.serve, &self.desk, core, slot))),
        };
        self.desk.node.set(Some(self.nodes[local as usize].clone()));
        self.desk.me.set(me);
        self.desk.index.set(index);
        let _ = worker.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if !self.desk.idle.take() {
            place.node = me;
            self.free.pop();
        }
    }

    #[inline]
    fn poll(&mut self, slot: u32) {
        let Some(place) = self.slots.get_mut(slot as usize) else { return self.poll_boot(slot) };
        // A worker without a request would take itself for one that has just finished.
        if place.node == NOBODY {
            return;
        }
        if let Some(worker) = &mut place.worker {
            let _ = worker.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
        if self.desk.idle.take() {
            place.node = NOBODY;
            self.free.push(slot);
        }
    }

    fn withdraw(&mut self, slot: u32) {
        if let Some(place) = self.slots.get_mut(slot as usize).filter(|place| place.node != NOBODY)
        {
            (place.node, place.worker) = (NOBODY, None);
            self.free.push(slot);
        }
    }

    fn respec(&mut self, local: u32, spec: Box<dyn Any>) {
        self.specs[local as usize] = *spec.downcast::<N>().expect("a pool holds nodes of one type");
    }

    fn is_idle(&self, me: NodeId) -> bool {
        self.slots.iter().all(|slot| slot.node != me)
    }

    /// Its calls leave the wait table and its connections break as its tasks are dropped.
    fn crash(&mut self, me: NodeId, local: u32) {
        self.boots[local as usize] = None;
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if slot.node == me {
                (slot.node, slot.worker) = (NOBODY, None);
                self.free.push(index as u32);
            }
        }
    }
}
