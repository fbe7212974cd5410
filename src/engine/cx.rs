//! Everything a task may do to the world: the verbs of a node.

mod outgoing;

use std::cell::{Cell, Ref, RefCell, RefMut};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::dist::Dist;
use super::environment::Environment;
use super::message::{Baggage, Fault, Msg, NodeId, Reply, Root};
use super::name::Name;
use super::rng::Rng;
use super::state::State;
use super::time::{Span, Time};
use super::waits::{Branch, Outcome, TaskId, WaitId, Waits};

/// What a run's tasks share.
pub struct Core<E> {
    state: RefCell<State<E>>,
}

impl<E: Environment> Core<E> {
    pub(crate) fn new(state: State<E>) -> Rc<Core<E>> {
        Rc::new(Core { state: RefCell::new(state) })
    }

    #[inline]
    pub(crate) fn state(&self) -> Ref<'_, State<E>> {
        self.state.borrow()
    }

    #[inline]
    pub(crate) fn state_mut(&self) -> RefMut<'_, State<E>> {
        self.state.borrow_mut()
    }
}

/// Who asked, and where the answer is awaited: nowhere for a one-way message.
#[derive(Clone, Copy)]
struct Caller {
    node: NodeId,
    wait: WaitId,
}

impl Caller {
    const NONE: Caller = Caller { node: NodeId(u32::MAX), wait: WaitId::NONE };
}

/// What a task may do to the world. One per task.
pub struct Cx<E: Environment> {
    pub(super) core: Rc<Core<E>>,
    pub(super) task: Cell<TaskId>,
    root: Cell<Root>,
    caller: Cell<Caller>,
    /// May the caller take its request back?
    may_cancel: Cell<bool>,
    baggage: Cell<Baggage>,
    /// Size of the answer's body in bytes.
    answer: Cell<u32>,
}

impl<E: Environment> Cx<E> {
    pub(crate) fn new(core: &Rc<Core<E>>, task: TaskId) -> Cx<E> {
        Cx {
            core: core.clone(),
            task: Cell::new(task),
            root: Cell::new(Root::NONE),
            caller: Cell::new(Caller::NONE),
            may_cancel: Cell::new(false),
            baggage: Cell::new(Baggage::NONE),
            answer: Cell::new(0),
        }
    }

    /// Makes this the context of the request in record `index`, for `node`; returns what it says.
    #[inline(always)]
    pub(crate) fn accept(&self, node: NodeId, index: u32) -> Msg {
        let mut state = self.core.state_mut();
        self.task.set(TaskId::new(node, self.task.get().slot()));
        self.answer.set(0);
        let request = state.open(index, |record| {
            self.root.set(record.root);
            self.caller.set(Caller { node: record.from, wait: record.wait });
            self.may_cancel.set(record.is_cancellable);
            self.baggage.set(record.baggage());
        });
        if self.may_cancel.get() {
            self.watch(&mut state);
        }
        request
    }

    #[cold]
    fn watch(&self, state: &mut State<E>) {
        let (task, request, root) = (self.task.get(), self.caller.get().wait, self.root.get());
        state.withdrawals.watch(task, request, root);
    }

    /// The node that this task belongs to.
    #[inline]
    pub fn me(&self) -> NodeId {
        self.task.get().node()
    }

    /// The simulated time.
    #[inline]
    pub fn now(&self) -> Time {
        self.core.state().now()
    }

    /// The business operation that this task works for.
    pub fn root(&self) -> Root {
        self.root.get()
    }

    /// Begins a new business operation: what this task does from now on belongs to it.
    pub fn begin(&self) -> Root {
        let root = self.core.state_mut().next_root();
        self.root.set(root);
        root
    }

    /// Goes on with an earlier operation, as a recovery does.
    pub fn resume(&self, root: Root) {
        self.root.set(root);
    }

    /// Who asked for what this task does; `None` for a one-way message or a node's own work.
    pub fn caller(&self) -> Option<NodeId> {
        let Caller { node, wait } = self.caller.get();
        (wait != WaitId::NONE).then_some(node)
    }

    /// What came along with the request, and goes along with every call that is made for it.
    #[inline]
    pub fn baggage(&self) -> Baggage {
        self.baggage.get()
    }

    /// Changes what goes along with the calls that this task makes from now on.
    #[inline]
    pub fn set_baggage(&self, baggage: Baggage) {
        self.baggage.set(baggage);
    }

    /// Gives the answer a body of so many bytes. Default: none.
    pub fn set_answer(&self, bytes: u32) {
        self.answer.set(bytes);
    }

    /// Draws from this node's own random stream.
    #[inline]
    pub fn random<T>(&self, draw: impl FnOnce(&mut Rng) -> T) -> T {
        draw(&mut self.core.state_mut().places[self.me().index()].rng)
    }

    /// Draws a span from this node's own random stream.
    #[inline]
    pub fn draw(&self, dist: &Dist) -> Span {
        match self.random(|rng| dist.sample_at_once(rng)) {
            Some(span) => span,
            None => self.draw_other(dist),
        }
    }

    #[inline(never)]
    fn draw_other(&self, dist: &Dist) -> Span {
        self.random(|rng| dist.sample(rng))
    }

    /// May whoever asked for what this task does take it back?
    #[inline]
    pub fn is_cancellable(&self) -> bool {
        self.may_cancel.get()
    }

    /// Goes on whatever becomes of the caller: for what must come to an end once it has begun.
    pub fn detach(&self) {
        if self.may_cancel.take() {
            self.core.state_mut().withdrawals.release(self.task.get());
        }
    }

    /// What the process of this node keeps of type `T`: made when it is first asked for, and gone
    /// with the process.
    pub fn local<T: Default + 'static>(&self) -> Rc<T> {
        self.core.state_mut().local(self.me())
    }

    /// Waits for `span`.
    #[inline]
    pub fn sleep(&self, span: Span) -> Call<'_, E> {
        Call { cx: self, wait: self.alarm(span) }
    }

    #[inline(never)]
    fn alarm(&self, span: Span) -> WaitId {
        let mut state = self.core.state_mut();
        let wait = state.waits.open(self.task.get(), Waits::NOBODY, self.root.get());
        let at = state.now() + state.env.timer(self.me(), span);
        state.wake_at(wait, at);
        wait
    }

    #[inline(always)]
    fn finish(&self, wait: WaitId) -> Option<Outcome> {
        self.core.state_mut().waits.finish(wait)
    }

    #[inline(never)]
    fn open(&self, index: u32) -> Reply {
        self.core.state_mut().open_reply(index)
    }

    /// Waits until somebody settles the row that `register` is given: the way in for conditions and
    /// for what surrounds the nodes.
    #[inline]
    pub fn wait(&self, register: impl FnOnce(&mut State<E>, WaitId)) -> Call<'_, E> {
        let mut state = self.core.state_mut();
        let wait = state.waits.open(self.task.get(), Waits::NOBODY, self.root.get());
        register(&mut state, wait);
        drop(state);
        Call { cx: self, wait }
    }

    /// So many branches of this task, of which this is the first.
    pub(super) fn fork(&self, count: usize) -> Branch {
        self.core.state_mut().waits.fork(count)
    }

    /// Polls a branch of this task: what it waits for is its own.
    pub(super) fn within<T>(&self, branch: Branch, poll: impl FnOnce() -> T) -> T {
        let before = self.core.state_mut().waits.enter(branch);
        let value = poll();
        self.core.state_mut().waits.enter(before);
        value
    }

    /// The branch that this task is polled for.
    pub(super) fn woken(&self) -> Branch {
        self.core.state().waits.woken()
    }

    /// Looks at, or changes, what surrounds the nodes.
    #[inline]
    pub fn with<T>(&self, look: impl FnOnce(&mut State<E>) -> T) -> T {
        look(&mut self.core.state_mut())
    }

    /// Records a fact: the only verb of observation.
    #[inline]
    pub fn note(&self, what: Name, key: u64, value: u64) {
        self.core.state_mut().note(self.me(), self.root.get(), what, (key, value));
    }
}

impl<E: Environment> Drop for Cx<E> {
    /// A task that ends without an answer has crashed: its connection breaks.
    #[inline]
    fn drop(&mut self) {
        self.reply(Err(Fault::Reset));
    }
}

/// Something awaited: a reply, a timer. Dropping it forgets the answer.
#[must_use = "it does nothing for you until it is awaited"]
pub struct Call<'a, E: Environment> {
    pub(super) cx: &'a Cx<E>,
    pub(super) wait: WaitId,
}

impl<E: Environment> Call<'_, E> {
    /// Fails with [`Fault::Timeout`] unless the reply arrives within `timeout`.
    #[inline]
    pub fn within(self, timeout: Span) -> Self {
        let mut state = self.cx.core.state_mut();
        let timeout = state.env.timer(self.cx.me(), timeout);
        state.set_deadline(self.wait, timeout);
        drop(state);
        self
    }

    /// The row that it waits on, unless it has been answered.
    #[inline]
    pub fn pending(&self) -> Option<WaitId> {
        (self.wait != WaitId::NONE).then_some(self.wait)
    }

    /// Whose call it is.
    pub fn cx(&self) -> &Cx<E> {
        self.cx
    }

    /// Fails with [`Fault::Timeout`] unless the reply arrives by `at`. For instants of all kinds;
    /// what has the same length every time is better bounded with [`Call::within`].
    pub fn until(self, at: Time) -> Self {
        self.cx.core.state_mut().set_end(self.wait, at);
        self
    }
}

impl<E: Environment> Future for Call<'_, E> {
    type Output = Reply;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Reply> {
        let Some(outcome) = self.cx.finish(self.wait) else { return Poll::Pending };
        self.wait = WaitId::NONE;
        // Each arm makes its own reply, so that a caller who knows what comes pays for no other.
        match outcome {
            Outcome::Done(value) => Poll::Ready(Ok(Msg::Done { value })),
            Outcome::Failed(fault) => Poll::Ready(Err(Fault::ALL[fault as usize])),
            Outcome::Replied(index) => Poll::Ready(self.cx.open(index as u32)),
            Outcome::Waiting(_) | Outcome::Free => unreachable!("it was settled"),
        }
    }
}

impl<E: Environment> Drop for Call<'_, E> {
    #[inline]
    fn drop(&mut self) {
        // A call that was answered has closed its row.
        if self.wait != WaitId::NONE {
            self.forget();
        }
    }
}

impl<E: Environment> Call<'_, E> {
    #[cold]
    #[inline(never)]
    fn forget(&self) {
        self.cx.core.state_mut().close(self.wait);
    }
}
