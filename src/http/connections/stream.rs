//! The byte stream of one connection.

use std::{
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::Activity;

/// A TCP connection that records its [`Activity`].
pub struct Stream {
    tcp: TcpStream,
    activity: Rc<Activity>,
    /// The last call of `poll_read` returned bytes.
    has_read: bool,
    /// An error for the next call of `poll_read`.
    reset: Option<io::Error>,
    /// The client takes no more bytes for now.
    is_full: bool,
}

impl Stream {
    /// Records the activity of `tcp` in `activity`.
    #[must_use]
    pub fn new(tcp: TcpStream, activity: Rc<Activity>) -> Self {
        Self {
            tcp,
            activity,
            has_read: false,
            reset: None,
            is_full: false,
        }
    }

    /// The activity of the connection.
    #[must_use]
    pub fn activity(&self) -> &Rc<Activity> {
        &self.activity
    }

    fn wrote(&self, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &outcome {
            Poll::Ready(Ok(bytes)) => self.activity.sent(*bytes),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.activity.block(),
        }
        outcome
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Further requests wait in the buffers of the kernel, which are bounded. actix-http would read and parse
        // them, and keep more than 10 MB for a client that sends many and reads no response.
        if self.is_full {
            return Poll::Pending;
        }
        if let Some(reset) = self.reset.take() {
            return Poll::Ready(Err(reset));
        }
        let before = buffer.filled().len();
        let follows_bytes = std::mem::take(&mut self.has_read);
        match ready!(Pin::new(&mut self.tcp).poll_read(context, buffer)) {
            Ok(()) => {
                self.has_read = buffer.filled().len() > before;
                if self.has_read {
                    self.activity.received();
                }
                Poll::Ready(Ok(()))
            }
            // actix-http treats a reset that directly follows bytes as a half-closed connection, and
            // goes on with the request. The client cannot read the response, and a statement that
            // waits for a lock would keep its connection to the database.
            Err(error) if follows_bytes && error.kind() == io::ErrorKind::ConnectionReset => {
                self.reset = Some(error);
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.tcp).poll_write(context, bytes);
        let was_full = std::mem::replace(&mut self.is_full, outcome.is_pending());
        if was_full && !self.is_full {
            // `poll_read` has registered no waker.
            context.waker().wake_by_ref();
        }
        self.wrote(outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.activity.flushed();
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}
