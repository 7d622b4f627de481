//! `latchkey-admin`: the command for operators of a stack.

#[cfg(test)]
mod breaking;
mod leave;
mod migrate;
mod quotas;
mod replay;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use clap::{Args, Parser, Subcommand};
use jiff::{SignedDuration, Timestamp};
use latchkey::aws::aws_defaults;
use latchkey::config::Tables;
use latchkey::domain::id::AccountId;
use latchkey::store::{Store, Vault};
use latchkey::system::System;
use migrate::{Options, migrate};
use quotas::{Quotas, quotas};
use replay::{Stores, parse_point, replay};

/// Administers a Latchkey stack. The AWS SDK finds credentials and region: in the environment, a profile or a role.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Migrate the items of a stack of the first version.
    ///
    /// Run it before the new version is deployed, and with --after-switch afterwards. Before the deployment it copies
    /// accounts and resources to where the new version reads them, and changes nothing that the old version reads. It
    /// may be repeated, and interrupted at any moment. The exit code is not 0 if an item could not be migrated.
    Migrate(Migrate),
    /// Remove what is stored of an account that the platform has deleted.
    ///
    /// Tokens, secrets, people, resources, choices, counters and held mails go. The audit log stays until its retention
    /// ends, and gets a record of each token's deletion. Nobody is mailed. It may be repeated, and interrupted at any
    /// moment. The exit code is not 0 if something may be left.
    Leave(Leave),
    /// Compute which of AWS's quotas a load needs.
    ///
    /// It prints what the load needs of each limit beside the default, and how to ask for more. It asks nothing of AWS,
    /// and needs no credentials. Defaults are those of AWS's documents; an AWS account may have others.
    Quotas(Quotas),
    /// Replay the audit log behind a restore's point over the restored tables.
    ///
    /// Run it before the restored tables belong to a deployed stack: they must have no streams. Whatever ended after the
    /// point ends again, and the records since the point are copied. It prints what is lost. It may be repeated, and
    /// interrupted at any moment. The exit code is not 0 if a record or a token could not be replayed.
    Replay(Replay),
}

// The next two have no documentation, which would take the place of the subcommands' own in the help.

#[derive(Debug, Args)]
struct Stack {
    /// The name of the tokens table: the stack's output `TokensTable`.
    #[arg(long)]
    tokens_table: String,
    /// The name of the audit table: the stack's output `AuditTable`.
    #[arg(long)]
    audit_table: String,
    #[command(flatten)]
    retention: Retention,
}

impl Stack {
    fn tables(self) -> Tables {
        self.retention.of(self.tokens_table, self.audit_table)
    }
}

#[derive(Debug, Args)]
struct Retention {
    /// The number of days for which audit records are kept, at least 400: the stack's parameter `AuditRetentionDays`.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(i64).range(400..=36_500))]
    audit_retention_days: i64,
}

impl Retention {
    /// Returns the tables with these names.
    fn of(&self, tokens: String, audit: String) -> Tables {
        Tables {
            tokens,
            audit,
            audit_retention: SignedDuration::from_hours(24 * self.audit_retention_days),
        }
    }
}

#[derive(Debug, Args)]
struct Replay {
    /// The name of the audit table of the stack that was restored. It is only read.
    #[arg(long)]
    from_audit_table: String,
    /// The name of the restored tokens table.
    #[arg(long)]
    tokens_table: String,
    /// The name of the restored audit table.
    #[arg(long)]
    audit_table: String,
    #[command(flatten)]
    retention: Retention,
    /// The ARN of the KMS key that encrypts the tokens' secrets: the stack's output `SecretsKeyArn`.
    #[arg(long)]
    secrets_key: String,
    /// The point to which the tables were restored, such as 2026-11-28T10:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = parse_point)]
    since: Timestamp,
    /// Print what would be done, and write nothing.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
struct Migrate {
    #[command(flatten)]
    stack: Stack,
    /// Finish the migration, after the new version is deployed and no old function runs any more: copy the old
    /// version's last writes, store tokens and secrets as the new version does, end secrets that must not work any
    /// more, and remove the items that the new version doesn't read.
    #[arg(long)]
    after_switch: bool,
    /// Print what would be done, and write nothing.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
struct Leave {
    /// The account's id.
    #[arg(long)]
    account: AccountId,
    #[command(flatten)]
    stack: Stack,
    /// Remove an account that was deleted less than a day ago. Mails about its end that aren't sent yet are lost.
    #[arg(long)]
    at_once: bool,
    /// Print what would be removed, and write nothing.
    #[arg(long)]
    dry_run: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Migrate(arguments) => run(arguments).await,
        Command::Replay(arguments) => run_replay(arguments).await,
        Command::Leave(arguments) => run_leave(arguments).await,
        Command::Quotas(arguments) => {
            let written = io::stdout().write_all(quotas(&arguments).as_bytes());
            written.map(|()| ExitCode::SUCCESS)
        }
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            // If stderr can't be written, the exit code still says it.
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

/// The configuration of the SDK's clients. A page of a scan has up to a megabyte. The command does nothing else
/// meanwhile, so it waits longer for a throttled table.
async fn patient() -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .operation_attempt_timeout(Duration::from_secs(30))
        .operation_timeout(Duration::from_mins(5))
        .build();
    aws_defaults()
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(12))
        .load()
        .await
}

/// Calls what it returns with each number of things that were read.
fn progress(what: &str) -> impl FnMut(usize) {
    let mut read = 0;
    move |count| {
        read += count;
        // The progress needn't be written.
        let _ = writeln!(io::stderr(), "{read} {what} read");
    }
}

fn exit_code(is_complete: bool) -> ExitCode {
    if is_complete {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

async fn run(arguments: Migrate) -> io::Result<ExitCode> {
    let options = Options {
        after_switch: arguments.after_switch,
        dry_run: arguments.dry_run,
    };
    let store = Store::new(&patient().await, arguments.stack.tables());
    let summary = migrate(&store, &System, options, progress("items")).await;
    write!(io::stdout(), "{summary}")?;
    Ok(exit_code(summary.failures.is_empty()))
}

async fn run_leave(arguments: Leave) -> io::Result<ExitCode> {
    let options = leave::Options {
        at_once: arguments.at_once,
        dry_run: arguments.dry_run,
    };
    let account = &arguments.account;
    let store = Store::new(&patient().await, arguments.stack.tables());
    let summary = leave::leave(&store, &System, account, options, progress("items")).await;
    write!(io::stdout(), "{summary}")?;
    Ok(exit_code(summary.stopped.is_none()))
}

async fn run_replay(arguments: Replay) -> io::Result<ExitCode> {
    let config = patient().await;
    let tables = arguments
        .retention
        .of(arguments.tokens_table, arguments.audit_table);
    let source = Tables {
        audit: arguments.from_audit_table,
        ..tables.clone()
    };
    let stores = Stores {
        source: &Store::new(&config, source),
        restored: &Store::new(&config, tables),
    };
    let vault = Vault::new(&config, arguments.secrets_key);
    let options = replay::Options {
        since: arguments.since,
        dry_run: arguments.dry_run,
    };
    let summary = replay(stores, &vault, &System, options, progress("records")).await;
    write!(io::stdout(), "{summary}")?;
    Ok(exit_code(summary.failures.is_empty()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn its_arguments_are_well_defined() {
        Cli::command().debug_assert();
    }

    #[test]
    fn tables_and_retention_have_no_default() {
        for (command, more) in [("migrate", None), ("leave", Some("--account=acme"))] {
            let all = [
                "latchkey-admin",
                command,
                "--tokens-table=Tokens",
                "--audit-table=Audit",
                "--audit-retention-days=400",
            ];
            let all: Vec<_> = all.into_iter().chain(more).collect();
            assert!(Cli::try_parse_from(&all).is_ok());
            for left_out in 2..all.len() {
                let rest = all.iter().enumerate().filter(|(at, _)| *at != left_out);
                assert!(Cli::try_parse_from(rest.map(|(_, it)| it)).is_err());
            }
        }
    }

    /// The options that a document names in its calls of a subcommand.
    fn named(document: &str, subcommand: &str) -> Vec<String> {
        let text = document.replace("\\\n", " ");
        let mut named = Vec::new();
        for line in text.lines().map(str::trim) {
            let of_cargo = line.split_once(&format!("latchkey-admin -- {subcommand} "));
            let in_short = line.split_once(&format!("{subcommand} "));
            let arguments = of_cargo.or(in_short.filter(|it| it.0.is_empty()));
            let words = arguments.into_iter().flat_map(|it| it.1.split_whitespace());
            named.extend(words.filter_map(|word| word.strip_prefix("--").map(str::to_owned)));
        }
        named
    }

    #[test]
    fn the_options_that_the_documents_name_exist() {
        let deploying = include_str!("../../docs/deploying.md");
        let personal = include_str!("../../docs/personal-data.md");
        let command = Cli::command();
        for (subcommand, document, expected) in [
            ("migrate", deploying, ["dry-run", "after-switch"]),
            ("leave", personal, ["dry-run", "account"]),
        ] {
            let subcommand_of = command.find_subcommand(subcommand).unwrap();
            let known: Vec<_> = subcommand_of
                .get_arguments()
                .filter_map(|it| it.get_long())
                .collect();
            let named = named(document, subcommand);
            for option in ["tokens-table", "audit-table"].into_iter().chain(expected) {
                assert!(named.iter().any(|it| it == option), "{subcommand} {option}");
            }
            for option in named {
                assert!(known.contains(&option.as_str()), "{subcommand} {option}");
            }
        }
    }

    #[test]
    fn the_documents_name_every_option_of_a_replay_and_no_other() {
        let text = include_str!("../../docs/restoring.md").replace("\\\n", " ");
        let command = text.split("latchkey-admin -- replay ").nth(1).unwrap();
        let words = command.lines().next().unwrap().split_whitespace();
        let named: Vec<_> = words.filter_map(|word| word.strip_prefix("--")).collect();
        let command = Cli::command();
        let replay = command.find_subcommand("replay").unwrap();
        let required = replay.get_arguments().filter(|it| it.is_required_set());
        let required: Vec<_> = required.filter_map(|it| it.get_long()).collect();
        assert_eq!(named, required);
        assert!(text.contains("`--dry-run`"));
    }
}
