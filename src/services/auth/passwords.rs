//! Password hashing with Argon2id (RFC 9106) on dedicated threads.
//!
//! A hash takes 19 MiB and about 20 ms of a core. On async threads it would block every request; on
//! tokio's blocking pool, many at once would take gigabytes. Here a few threads serve a bounded
//! queue, and each reuses one block of memory.

use std::{
    error::Error as StdError,
    fmt, thread,
    time::{Duration, Instant},
};

use allocator_api2::{alloc::System, vec::Vec as AllocatedVec};
use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{Output, ParamsString, PasswordHash as Phc, Salt},
};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use entity::users::PasswordHash;
use opentelemetry::trace::SpanBuilder;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::oneshot;

use crate::{
    error::Error,
    metrics::Histogram,
    traces::{self, Child},
};

/// Maximum number of waiting passwords: about 2.5 s of work for two cores at 50 hashes a second each.
/// Further requests fail at once instead of after a long wait.
pub const QUEUE: usize = 256;

/// Hashes and verifies passwords.
#[derive(Clone)]
pub struct Passwords {
    queue: Sender<Job>,
    /// `None` if metrics are off.
    waits: Option<Histogram>,
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passwords")
    }
}

struct Job {
    password: SecretString,
    work: Work,
    /// `None` if metrics are off.
    since: Option<Instant>,
}

enum Work {
    Hash(oneshot::Sender<Result<PasswordHash, Error>>),
    /// `None` for an unknown user. The work is the same as for a known user.
    Verify(Option<PasswordHash>, oneshot::Sender<Result<bool, Error>>),
}

impl Passwords {
    /// Starts `threads` threads, which end when the last clone is dropped. At most `queue` passwords
    /// wait, and their times go to `waits`.
    ///
    /// # Errors
    /// If the operating system cannot start a thread.
    pub fn start(threads: usize, queue: usize, waits: Option<Histogram>) -> std::io::Result<Self> {
        let (sender, receiver) = bounded(queue);
        for number in 0..threads {
            let (receiver, waits) = (receiver.clone(), waits.clone());
            thread::Builder::new()
                .name(format!("password {number}"))
                .spawn(move || run_jobs(&receiver, waits.as_ref()))?;
        }
        Ok(Self {
            queue: sender,
            waits,
        })
    }

    /// Hashes `password` with a new salt.
    ///
    /// # Errors
    /// [`Error::Overloaded`] if the queue is full.
    pub async fn hash(&self, password: SecretString) -> Result<PasswordHash, Error> {
        let _span = span();
        let (reply, answer) = oneshot::channel();
        self.submit(password, Work::Hash(reply))?;
        answer.await.map_err(Error::internal)?
    }

    /// True if `hash` is a hash of `password`. Without a hash: false, after the same work.
    ///
    /// # Errors
    /// [`Error::Overloaded`] if the queue is full.
    pub async fn verify(
        &self,
        password: SecretString,
        hash: Option<PasswordHash>,
    ) -> Result<bool, Error> {
        let _span = span();
        let (reply, answer) = oneshot::channel();
        self.submit(password, Work::Verify(hash, reply))?;
        answer.await.map_err(Error::internal)?
    }

    /// The number of passwords that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    fn submit(&self, password: SecretString, work: Work) -> Result<(), Error> {
        let job = Job {
            password,
            work,
            since: self.waits.as_ref().map(|_| Instant::now()),
        };
        self.queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => Error::Overloaded,
            TrySendError::Disconnected(_) => Error::internal("every password thread has ended"),
        })
    }
}

/// The span of a password in the queue and on its thread.
fn span() -> Child {
    traces::child(|| SpanBuilder::from_name("hash a password"))
}

/// True if `hash` is weaker than a new one: another variant or version of Argon2, or less memory,
/// fewer passes or lanes.
pub(super) fn is_outdated(hash: &PasswordHash) -> bool {
    let Ok(phc) = Phc::new(&hash.0) else {
        return true;
    };
    let Ok(stored) = Params::try_from(&phc) else {
        return true;
    };
    let current = params();
    phc.algorithm != Algorithm::Argon2id.ident()
        || phc.version != Some(Version::V0x13.into())
        || stored.m_cost() < current.m_cost()
        || stored.t_cost() < current.t_cost()
        || stored.p_cost() < current.p_cost()
}

/// Added to the niceness of hashing threads. Under load they get a third of the time of a server
/// thread, so that sign-ins do not slow down reads.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

/// A thread that is idle for this long frees its memory.
const IDLE: Duration = Duration::from_secs(2);
/// Minimum size of the allocation for a thread's memory. Only what a hash uses of it is backed by memory.
///
/// Above 32 MiB, glibc always maps an allocation by itself (`mallopt(3)`, `M_MMAP_THRESHOLD`), and so
/// returns it to the operating system when it is freed. A smaller one stays in the process the second
/// time.
const MIN_ALLOCATION: usize = 33 * 1024 * 1024;

/// The memory of a thread, from the C library: mimalloc would keep it in an idle process.
type Memory = AllocatedVec<Block, System>;

/// The main function of a hashing thread.
fn run_jobs(queue: &Receiver<Job>, waits: Option<&Histogram>) {
    // Affects only this thread on Linux. Raising the niceness cannot fail.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(NICENESS);
    let mut memory = Memory::new_in(System);
    loop {
        let Job {
            password,
            work,
            since,
        } = match queue.recv_timeout(IDLE) {
            Ok(job) => job,
            Err(RecvTimeoutError::Timeout) => {
                memory = Memory::new_in(System);
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return,
        };
        if let (Some(waits), Some(since)) = (waits, since) {
            waits.observe_time(since.elapsed());
        }
        let password = password.expose_secret().as_bytes();
        // The channel is closed if the client has disconnected. Then skip the work.
        match work {
            Work::Hash(reply) if !reply.is_closed() => {
                let _ = reply.send(hash(password, &mut memory).map_err(Error::internal));
            }
            Work::Verify(stored, reply) if !reply.is_closed() => {
                let matches = match stored {
                    Some(stored) => verify(password, &stored, &mut memory).map_err(Error::internal),
                    None => hash(password, &mut memory)
                        .map(|_| false)
                        .map_err(Error::internal),
                };
                let _ = reply.send(matches);
            }
            Work::Hash(_) | Work::Verify(..) => {}
        }
    }
}

/// 19 MiB, two passes, one lane: recommended by OWASP's Password Storage Cheat Sheet.
fn params() -> Params {
    Params::DEFAULT
}

type Failure = Box<dyn StdError + Send + Sync>;

fn hash(password: &[u8], memory: &mut Memory) -> Result<PasswordHash, Failure> {
    let salt = Salt::generate();
    let output = digest(
        password,
        &salt,
        params(),
        Version::V0x13,
        Algorithm::Argon2id,
        memory,
    )?;
    let phc = Phc {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params())?,
        salt: Some(salt),
        hash: Some(output),
    };
    Ok(PasswordHash(phc.to_string()))
}

fn verify(password: &[u8], stored: &PasswordHash, memory: &mut Memory) -> Result<bool, Failure> {
    let phc = Phc::new(&stored.0)?;
    let (Some(salt), Some(expected)) = (&phc.salt, &phc.hash) else {
        return Ok(false);
    };
    let version = phc.version.map_or(Ok(Version::V0x13), Version::try_from)?;
    let algorithm = Algorithm::try_from(phc.algorithm.as_str())?;
    let output = digest(
        password,
        salt,
        Params::try_from(&phc)?,
        version,
        algorithm,
        memory,
    )?;
    // `Output` compares in constant time.
    Ok(output == *expected)
}

fn digest(
    password: &[u8],
    salt: &Salt,
    params: Params,
    version: Version,
    algorithm: Algorithm,
    memory: &mut Memory,
) -> Result<Output, Failure> {
    // A stored hash may have other parameters than new ones.
    if memory.len() < params.block_count() {
        *memory = Memory::new_in(System);
        memory.reserve(params.block_count().max(MIN_ALLOCATION / Block::SIZE));
        memory.resize(params.block_count(), Block::default());
    }
    let mut out = [0; Output::MAX_LENGTH];
    let out = out
        .get_mut(..params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN))
        .ok_or("the hash is too long")?;
    Argon2::new(algorithm, version, params).hash_password_into_with_memory(
        password,
        salt.as_ref(),
        out,
        memory.as_mut_slice(),
    )?;
    Ok(Output::new(out)?)
}
