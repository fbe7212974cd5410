//! The executor: the tasks of one kind of node are futures of one type, kept in reusable slots.
//!
//! Serving a request allocates nothing once a kind of node has seen its peak concurrency: the future
//! is written over the last one in its slot. Nodes of a kind share the slots, so that a hundred
//! thousand idle nodes cost no executor each. There are no wakers: an event names the task to poll.

use std::any::Any;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Waker};

use super::cx::{Core, Cx};
use super::environment::Environment;
use super::message::{Msg, NodeId};
use super::waits::TaskId;

/// The tasks of all nodes of one kind, the type of the node erased.
pub(crate) trait Pool<E: Environment> {
    /// Takes in a node of this kind; `spec` is what it is made from, again after every restart.
    fn add(&mut self, spec: Box<dyn Any>) -> u32;
    /// Makes the node afresh and starts its boot task.
    fn boot(&mut self, core: &Rc<Core<E>>, me: NodeId, local: u32);
    /// Starts a task that serves one message.
    fn deliver(&mut self, core: &Rc<Core<E>>, local: u32, index: u32);
    /// Goes on with a task.
    fn poll(&mut self, slot: u32);
    /// Drops every task of the node and its volatile state.
    fn crash(&mut self, me: NodeId, local: u32);
}

/// A node's background work.
pub(crate) type Boot = Pin<Box<dyn Future<Output = ()>>>;

/// Slots from here on are boot tasks, one a node.
const BOOT: u32 = 1 << 31;

struct Slot<Task> {
    node: NodeId,
    task: Pin<Box<Option<Task>>>,
}

struct Member<N> {
    spec: N,
    node: Rc<N>,
    boot: Option<Boot>,
}

struct Tasks<N, Begin, Serve, Task> {
    members: Vec<Member<N>>,
    begin: Begin,
    serve: Serve,
    slots: Vec<Slot<Task>>,
    free: Vec<u32>,
}

impl<N, Begin, Serve, Task> Tasks<N, Begin, Serve, Task> {
    #[cold]
    fn grow(&mut self, node: NodeId) -> u32 {
        self.slots.push(Slot { node, task: Box::pin(None) });
        self.slots.len() as u32 - 1
    }
}

/// A pool for nodes of type `N`: `begin` makes a boot task, `serve` the task for one message.
pub(crate) fn pool<E, N, Task>(
    begin: impl Fn(Rc<N>, Cx<E>) -> Boot + 'static,
    serve: impl Fn(Rc<N>, Cx<E>, Msg) -> Task + 'static,
) -> Box<dyn Pool<E>>
where
    E: Environment,
    N: Clone + 'static,
    Task: Future<Output = ()> + 'static,
{
    Box::new(Tasks { members: Vec::new(), begin, serve, slots: Vec::new(), free: Vec::new() })
}

impl<E, N, Begin, Serve, Task> Pool<E> for Tasks<N, Begin, Serve, Task>
where
    E: Environment,
    N: Clone + 'static,
    Begin: Fn(Rc<N>, Cx<E>) -> Boot,
    Serve: Fn(Rc<N>, Cx<E>, Msg) -> Task,
    Task: Future<Output = ()>,
{
    fn add(&mut self, spec: Box<dyn Any>) -> u32 {
        let spec = *spec.downcast::<N>().expect("a pool holds nodes of one type");
        let node = Rc::new(spec.clone());
        self.members.push(Member { spec, node, boot: None });
        self.members.len() as u32 - 1
    }

    fn boot(&mut self, core: &Rc<Core<E>>, me: NodeId, local: u32) {
        let member = &mut self.members[local as usize];
        member.node = Rc::new(member.spec.clone());
        let slot = BOOT | local;
        let cx = Cx::new(core, TaskId { node: me, slot });
        member.boot = Some((self.begin)(member.node.clone(), cx));
        self.poll(slot);
    }

    #[inline]
    fn deliver(&mut self, core: &Rc<Core<E>>, local: u32, index: u32) {
        let (body, from, wait, node, root) = core.state_mut().open(index);
        let Ok(msg) = body else { return };
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => self.grow(node),
        };
        let place = &mut self.slots[slot as usize];
        place.node = node;
        let cx = Cx::serving(core, TaskId { node, slot }, root, (from, wait));
        let member = &self.members[local as usize];
        place.task.set(Some((self.serve)(member.node.clone(), cx, msg)));
        let mut context = Context::from_waker(Waker::noop());
        let running = place.task.as_mut().as_pin_mut();
        if running.is_some_and(|task| task.poll(&mut context).is_ready()) {
            place.task.set(None);
            self.free.push(slot);
        }
    }

    #[inline]
    fn poll(&mut self, slot: u32) {
        let mut context = Context::from_waker(Waker::noop());
        if slot & BOOT != 0 {
            let boot = &mut self.members[(slot ^ BOOT) as usize].boot;
            if boot.as_mut().is_some_and(|task| task.as_mut().poll(&mut context).is_ready()) {
                *boot = None;
            }
            return;
        }
        let task = &mut self.slots[slot as usize].task;
        let Some(running) = task.as_mut().as_pin_mut() else { return };
        if running.poll(&mut context).is_ready() {
            task.set(None);
            self.free.push(slot);
        }
    }

    /// Its calls leave the wait table and its connections break as its tasks are dropped.
    fn crash(&mut self, me: NodeId, local: u32) {
        self.members[local as usize].boot = None;
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if slot.node == me && slot.task.is_some() {
                slot.task.set(None);
                self.free.push(index as u32);
            }
        }
        let member = &mut self.members[local as usize];
        member.node = Rc::new(member.spec.clone());
    }
}
