//! Passwords: Argon2id (RFC 9106) on threads of their own.
//!
//! A hash takes 19 MiB and some 20 ms of a core. On the async threads it would stop every request;
//! on a pool of blocking threads many at once would take gigabytes. Here each of a few threads
//! keeps one block of memory while there is work, and works off a bounded queue.

use std::{
    error::Error as StdError,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::Duration,
};

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{Output, ParamsString, PasswordHash as Phc, Salt},
};
use entity::users::PasswordHash;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::oneshot;

use crate::error::Error;

/// How many passwords wait at most: at 50 a second and core, two seconds of work on two cores and
/// some more. Who comes later is told to try again instead of waiting for an answer that is late.
pub const QUEUE: usize = 256;

/// Hashes and checks passwords.
#[derive(Clone)]
pub struct Passwords {
    queue: SyncSender<Job>,
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passwords")
    }
}

struct Job {
    password: SecretString,
    work: Work,
}

enum Work {
    Hash(oneshot::Sender<Result<PasswordHash, Error>>),
    /// `None` for an unknown user: as much work as for a known one.
    Verify(Option<PasswordHash>, oneshot::Sender<Result<bool, Error>>),
}

impl Passwords {
    /// Starts `threads` threads, which end when the last clone is dropped; `queue` passwords wait
    /// at most.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn start(threads: usize, queue: usize) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(queue);
        let receiver = Arc::new(Mutex::new(receiver));
        for number in 0..threads {
            let receiver = Arc::clone(&receiver);
            thread::Builder::new()
                .name(format!("password {number}"))
                .spawn(move || work_off(&receiver))?;
        }
        Ok(Self { queue: sender })
    }

    /// The hash of `password`, with a salt of its own.
    ///
    /// # Errors
    /// [`Error::Overloaded`] when the queue is full.
    pub async fn hash(&self, password: SecretString) -> Result<PasswordHash, Error> {
        let (reply, answer) = oneshot::channel();
        self.submit(Job {
            password,
            work: Work::Hash(reply),
        })?;
        answer.await.map_err(Error::internal)?
    }

    /// Whether `hash` is of `password`; false, after the same work, when there is no hash.
    ///
    /// # Errors
    /// [`Error::Overloaded`] when the queue is full.
    pub async fn verify(
        &self,
        password: SecretString,
        hash: Option<PasswordHash>,
    ) -> Result<bool, Error> {
        let (reply, answer) = oneshot::channel();
        self.submit(Job {
            password,
            work: Work::Verify(hash, reply),
        })?;
        answer.await.map_err(Error::internal)?
    }

    fn submit(&self, job: Job) -> Result<(), Error> {
        self.queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => Error::Overloaded,
            TrySendError::Disconnected(_) => Error::internal("no password thread is left"),
        })
    }
}

/// Whether `hash` was made with less than a new one would be: another variant or version of Argon2,
/// or fewer of its memory, passes or lanes.
#[must_use]
pub fn is_outdated(hash: &PasswordHash) -> bool {
    let Ok(phc) = Phc::new(&hash.0) else {
        return true;
    };
    let Ok(of) = Params::try_from(&phc) else {
        return true;
    };
    let today = params();
    phc.algorithm != Algorithm::Argon2id.ident()
        || phc.version != Some(Version::V0x13.into())
        || of.m_cost() < today.m_cost()
        || of.t_cost() < today.t_cost()
        || of.p_cost() < today.p_cost()
}

/// Added to the niceness of a thread that hashes: under load it gets a third of what a thread of the
/// server gets. Sign-ins must not slow the readers down.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

/// A thread without work for so long gives its memory back.
const IDLE: Duration = Duration::from_secs(2);

fn work_off(queue: &Mutex<Receiver<Job>>) {
    // Of this thread alone on Linux, of the whole process elsewhere. It cannot fail upwards.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(NICENESS);
    let mut memory = Vec::new();
    loop {
        let next = queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv_timeout(IDLE);
        let Job { password, work } = match next {
            Ok(job) => job,
            Err(RecvTimeoutError::Timeout) => {
                memory = Vec::new();
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let password = password.expose_secret().as_bytes();
        // Nobody waits for the answer any more when the client has gone: then it may be lost.
        match work {
            Work::Hash(reply) if !reply.is_closed() => {
                let _ = reply.send(hash(password, &mut memory).map_err(Error::internal));
            }
            Work::Verify(of, reply) if !reply.is_closed() => {
                let same = match of {
                    Some(of) => verify(password, &of, &mut memory).map_err(Error::internal),
                    None => hash(password, &mut memory)
                        .map(|_| false)
                        .map_err(Error::internal),
                };
                let _ = reply.send(same);
            }
            Work::Hash(_) | Work::Verify(..) => {}
        }
    }
}

/// 19 MiB, two passes, one lane: the first choice of OWASP's Password Storage Cheat Sheet.
fn params() -> Params {
    Params::DEFAULT
}

type Failure = Box<dyn StdError + Send + Sync>;

fn hash(password: &[u8], memory: &mut Vec<Block>) -> Result<PasswordHash, Failure> {
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

fn verify(password: &[u8], of: &PasswordHash, memory: &mut Vec<Block>) -> Result<bool, Failure> {
    let phc = Phc::new(&of.0)?;
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
    memory: &mut Vec<Block>,
) -> Result<Output, Failure> {
    // A stored hash may be of other parameters than today's.
    if memory.len() < params.block_count() {
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
