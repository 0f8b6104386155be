//! Measures how many password hashes per second this machine computes if it does nothing else:
//! Argon2id with 19 MiB, two passes and one lane, one thread per core, each with one block of memory.
//!
//! The argument is the duration in seconds. Prints the rate.

use std::{
    thread,
    time::{Duration, Instant},
};

use argon2::{Algorithm, Argon2, Block, Params, Version};

fn main() {
    let seconds = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let time = Duration::from_secs_f64(seconds.unwrap_or(3.0));
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let began = Instant::now();
    let threads: Vec<_> = (0..cores)
        .map(|_| thread::spawn(move || count(began, time)))
        .collect();
    let hashes: u32 = threads.into_iter().map(|each| each.join().unwrap_or(0)).sum();
    println!("{}", f64::from(hashes) / began.elapsed().as_secs_f64());
}

fn count(began: Instant, time: Duration) -> u32 {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT);
    let mut memory = vec![Block::default(); Params::DEFAULT.block_count()];
    let mut hash = [0; 32];
    let mut count = 0_u32;
    while began.elapsed() < time {
        let salt = u128::from(count).to_le_bytes();
        argon2
            .hash_password_into_with_memory(b"correct horse", &salt, &mut hash, &mut memory)
            .expect("its parameters are right");
        count += 1;
    }
    count
}
