//! Who does the repetitions of a parallel step: the engine has no threads of its own.

/// Does several things at once.
pub trait Crew {
    /// Does all tasks, by their numbers from 0; returns when all are done.
    fn at_once(&self, tasks: usize, task: &(dyn Fn(usize) + Sync));
}

/// One after the other.
#[derive(Clone, Copy, Debug, Default)]
pub struct InTurn;

impl Crew for InTurn {
    fn at_once(&self, tasks: usize, task: &(dyn Fn(usize) + Sync)) {
        (0..tasks).for_each(task);
    }
}
