//! Waiting for several things at once: all of them, enough of them, or the first of them.
//!
//! A task is polled once for each row of its that settles; these look at their parts in order, so
//! nothing but the queue decides what comes first.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use super::message::Fault;

/// Runs futures together and collects their outputs in order.
pub async fn all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut parts: Vec<_> = futures.into_iter().map(|f| (Some(Box::pin(f)), None)).collect();
    poll_fn(|cx| {
        let mut pending = false;
        for (future, output) in &mut parts {
            if let Some(running) = future {
                match running.as_mut().poll(cx) {
                    Poll::Ready(value) => (*future, *output) = (None, Some(value)),
                    Poll::Pending => pending = true,
                }
            }
        }
        if pending { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    parts.into_iter().filter_map(|(_, output)| output).collect()
}

/// Waits until `needed` calls have succeeded, or too many have failed for that to happen still.
/// The rest go on without us: a copy that arrives late is still a copy.
///
/// # Errors
/// The fault of the last call that failed, once success is out of reach.
pub async fn quorum<T, F>(needed: usize, calls: impl IntoIterator<Item = F>) -> Result<(), Fault>
where
    F: Future<Output = Result<T, Fault>> + Unpin,
{
    let mut calls: Vec<_> = calls.into_iter().collect();
    let (mut succeeded, mut fault) = (0, Fault::Refused);
    poll_fn(|cx| {
        calls.retain_mut(|call| match Pin::new(call).poll(cx) {
            Poll::Ready(Ok(_)) => {
                succeeded += 1;
                false
            }
            Poll::Ready(Err(why)) => {
                fault = why;
                false
            }
            Poll::Pending => true,
        });
        if succeeded >= needed {
            Poll::Ready(Ok(()))
        } else if succeeded + calls.len() < needed {
            Poll::Ready(Err(fault))
        } else {
            Poll::Pending
        }
    })
    .await
}

/// Which of two futures was done first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Either<A, B> {
    /// The left one.
    Left(A),
    /// The right one.
    Right(B),
}

/// Waits for the first of two futures and drops the other. If both are ready, the left one wins: no
/// coin is tossed.
pub async fn race<A: Future, B: Future>(left: A, right: B) -> Either<A::Output, B::Output> {
    let (mut left, mut right) = (Box::pin(left), Box::pin(right));
    poll_fn(|cx| {
        if let Poll::Ready(value) = left.as_mut().poll(cx) {
            return Poll::Ready(Either::Left(value));
        }
        right.as_mut().poll(cx).map(Either::Right)
    })
    .await
}
