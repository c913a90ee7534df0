//! The command line: one file a subcommand.
//!
//! Exit codes: 0 fine, 1 findings or a negative answer, 2 wrong use, 3 could not reach or read.
//! Answers go to stdout, everything about them to stderr; colours only to a terminal, and never
//! when `NO_COLOR` is set.

mod admin;
mod amount;
mod answer;
mod approvals;
mod approve;
mod authorize;
mod bench;
mod budget;
mod bundle;
mod check;
mod client;
mod completions;
mod config;
mod decisions;
mod eval;
mod exit;
mod explain;
mod findings;
mod grant;
mod guardrails;
mod healthcheck;
mod help;
mod keygen;
mod keys;
mod output;
mod page;
mod probe;
mod recorded;
mod reply;
mod report;
mod request;
mod retry;
mod serve;
mod status;
mod stop;
mod test;
mod tls;
mod version;
mod visible;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use exit::{Exit, Failure, Outcome};
use std::process::ExitCode;

/// Decides what agents, pipelines and queues may do: rules in, answers with reasons out
#[derive(Debug, Parser)]
#[command(name = "tollgate", version, disable_help_subcommand = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Authorize(authorize::Authorize),
    Retry(retry::Retry),
    Budget(budget::Budget),
    Report(report::Report),
    Explain(explain::Explain),
    Decisions(decisions::Decisions),
    Approvals(approvals::Approvals),
    Approve(approve::Approve),
    Grant(grant::Grant),
    Keygen(keygen::Keygen),
    Eval(eval::Eval),
    Check(check::Check),
    Test(test::Test),
    Bench(bench::Bench),
    Healthcheck(healthcheck::Healthcheck),
    Guardrails(guardrails::Guardrails),
    Stop(stop::Stop),
    Status(status::Status),
    Config(config::Config),
    Version(version::Version),
    Completions(completions::Completions),
}

/// Runs the command that this process was started with.
#[must_use]
pub fn main() -> ExitCode {
    // Whatever speaks TLS in this process does so by this library; nobody has chosen before.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let matches = command().get_matches();
    let outcome = match Cli::from_arg_matches(&matches) {
        Ok(cli) => run(cli.command),
        Err(error) => error.exit(),
    };
    match outcome {
        Ok(_) if output::lost() => Exit::Unreachable.into(),
        Ok(exit) => exit.into(),
        Err(failure) => {
            output::note(&explain(&failure));
            failure.exit.into()
        }
    }
}

/// The page `docs/command-line.md`: the help of every command, as this program prints it.
#[must_use]
pub fn page() -> String {
    page::markdown(&command())
}

fn command() -> clap::Command {
    help::grouped(Cli::command())
}

fn run(command: Command) -> Outcome {
    match command {
        Command::Serve(command) => command.run(),
        Command::Authorize(command) => command.run(),
        Command::Retry(command) => command.run(),
        Command::Budget(command) => command.run(),
        Command::Report(command) => command.run(),
        Command::Explain(command) => command.run(),
        Command::Decisions(command) => command.run(),
        Command::Approvals(command) => command.run(),
        Command::Approve(command) => command.run(),
        Command::Grant(command) => command.run(),
        Command::Keygen(command) => command.run(),
        Command::Eval(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Test(command) => command.run(),
        Command::Bench(command) => command.run(),
        Command::Healthcheck(command) => command.run(),
        Command::Guardrails(command) => command.run(),
        Command::Stop(command) => command.run(),
        Command::Status(command) => command.run(),
        Command::Config(command) => command.run(),
        Command::Version(command) => command.run(),
        Command::Completions(command) => command.run(),
    }
}

/// An error with its causes, one a line; several errors in one text get a line each too.
fn explain(failure: &Failure) -> String {
    let word = output::styled(output::BAD, "error");
    let error = failure.error.to_string();
    let first: String = visible::text(&error).lines().map(|line| format!("{word}: {line}\n")).collect();
    let causes = failure.error.chain().skip(1).map(|cause| cause.to_string());
    first + &causes.map(|cause| format!("  because: {}\n", visible::text(&cause))).collect::<String>()
}
