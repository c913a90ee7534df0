//! The threads that parallel steps of sequences run on.

use std::sync::Barrier;
use tollgate_engine::simulate::Crew;

/// Several threads that begin together.
#[derive(Clone, Copy, Debug)]
pub struct Threads;

/// More threads than this meet no more often.
const MOST: usize = 8;

impl Crew for Threads {
    fn at_once(&self, tasks: usize, task: &(dyn Fn(usize) + Sync)) {
        let threads = tasks.min(MOST);
        let start = Barrier::new(threads);
        std::thread::scope(|scope| {
            for first in 0..threads {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    (first..tasks).step_by(threads).for_each(task);
                });
            }
        });
    }
}
