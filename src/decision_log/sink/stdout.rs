//! The log on stdout, for whoever collects what containers say.

use std::io::{self, Write as _};

use super::{Batch, Sink, Trouble};

/// Writes lines to stdout.
#[derive(Debug, Default)]
pub struct StdoutSink {
    /// How much of the lines that are brought again was written.
    written: usize,
}

impl Sink for StdoutSink {
    fn write(&mut self, batch: &Batch<'_>) -> Result<(), Trouble> {
        let mut stdout = io::stdout().lock();
        while let Some(rest) = batch.lines.get(self.written..).filter(|rest| !rest.is_empty()) {
            match stdout.write(rest) {
                Ok(0) => return Err(Trouble::Stdout(io::ErrorKind::WriteZero.into())),
                Ok(some) => self.written += some,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Trouble::Stdout(error)),
            }
        }
        self.written = 0;
        stdout.flush().map_err(Trouble::Stdout)
    }

    fn tend(&mut self) -> Result<bool, Trouble> {
        Ok(true)
    }

    fn finish(&mut self, _: u64) -> u64 {
        0
    }
}
