//! `tollgate decisions`

use std::collections::VecDeque;

use serde_json::Value;

use super::exit::{Exit, Outcome};
use super::output::{self, Output};
use super::recorded::{self, Following, LogPlace, Step, Wanted};

/// Look through a decision log, and follow it
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Compressed files are read too. Lines that are torn or are no records, and records that are missing,
are named on stderr; reading goes on. With `--output json` each record is printed as it stands, one a line.
Exit codes: 0 something was found, 1 nothing was, 2 wrong use, 3 the log cannot be read.

Examples:
  tollgate decisions --log /var/log/tollgate --effect DENY --since 15m
  tollgate decisions --log /var/log/tollgate --follow
  tollgate decisions --log /var/log/tollgate --decision 01a1c0de-... --output json"
)]
pub struct Decisions {
    #[command(flatten)]
    log: LogPlace,
    #[command(flatten)]
    wanted: Wanted,
    /// Only the last so many; with `--follow` 10 of those that are there already
    #[arg(long, short = 'n', value_name = "COUNT")]
    last: Option<usize>,
    /// Go on with what comes
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    output: Output,
}

/// How many are shown before what comes, if nobody says.
const BEFORE: usize = 10;

impl Decisions {
    /// Reads and shows.
    pub fn run(&self) -> Outcome {
        let filter = self.wanted.filter()?;
        let last = self.last.or_else(|| self.follow.then_some(BEFORE));
        let following = if self.follow { Following::Yes } else { Following::No };
        let (mut kept, mut at_the_end, mut shown) = (VecDeque::new(), false, 0_usize);
        self.log.read(self.wanted.needle(), following, &mut |step| {
            match (step, last) {
                (Step::Record(record), _) if !filter.wants(&record) => {}
                (Step::Record(record), Some(most)) if !at_the_end => {
                    kept.push_back(record);
                    if kept.len() > most {
                        kept.pop_front();
                    }
                }
                (Step::Record(record), _) => {
                    shown += 1;
                    self.show(&record);
                }
                (Step::End, _) => {
                    at_the_end = true;
                    shown += kept.len();
                    kept.drain(..).for_each(|record| self.show(&record));
                }
            }
            !output::lost()
        })?;
        Ok(if shown > 0 { Exit::Fine } else { Exit::Negative })
    }

    fn show(&self, record: &Value) {
        if self.output.is_json() {
            output::print(&record.to_string());
        } else {
            output::print(&recorded::row(record));
        }
    }
}
