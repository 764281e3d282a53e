//! The way of answers from the threads that compute them to the thread of the network.

use super::response::{HttpResponse, Refusal};
use mio::{Token, Waker};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Makes the answer to a request whose outputs have come.
pub(super) type LateAnswer = Box<dyn FnOnce() -> HttpResponse + Send>;

/// Answers that were computed by other threads, on their way to the thread of the network.
pub(in crate::command) struct Outbox {
    answers: Mutex<Vec<(Token, LateAnswer)>>,
    waker: Waker,
}

/// The sender of one answer. If it is dropped, the client is told that there is none.
pub(in crate::command) struct ReplyTo {
    token: Token,
    outbox: Arc<Outbox>,
    sent: bool,
}

impl Outbox {
    /// An empty one, whose reader `waker` wakes.
    pub fn new(waker: Waker) -> Outbox {
        Outbox { answers: Mutex::default(), waker }
    }

    /// The answers that have come, which are taken out.
    pub fn take(&self) -> Vec<(Token, LateAnswer)> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Token, LateAnswer)>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, token: Token, answer: LateAnswer) {
        let mut answers = self.lock();
        answers.push((token, answer));
        // Whoever put in the first has woken the reader.
        if answers.len() == 1 {
            drop(answers);
            self.wake();
        }
    }

    /// Makes the thread of the network look at what is new.
    pub fn wake(&self) {
        // The system refuses only where the thread is gone, which needs no waking.
        let _ = self.waker.wake();
    }
}

impl ReplyTo {
    /// Of the answer to a connection's request.
    pub fn new(token: Token, outbox: &Arc<Outbox>) -> ReplyTo {
        ReplyTo { token, outbox: Arc::clone(outbox), sent: false }
    }

    /// Sends the answer; it is made by the thread of the network.
    pub fn send(mut self, answer: impl FnOnce() -> HttpResponse + Send + 'static) {
        self.sent = true;
        self.outbox.put(self.token, Box::new(answer));
    }
}

impl Drop for ReplyTo {
    fn drop(&mut self) {
        if !self.sent {
            let refusal = Refusal::new(500, "the server could not compute an answer");
            self.outbox.put(self.token, Box::new(move || refusal.into()));
        }
    }
}
