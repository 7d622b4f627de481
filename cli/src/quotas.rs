//! The subcommand `quotas`: what a load needs of AWS's quotas.

use std::fmt::Write;

use clap::Args;
use latchkey_planning::{Load, Need, Remedy, needs};

/// The load. All numbers are those of the busiest second or day, not means.
#[derive(Debug, Args)]
pub(crate) struct Quotas {
    /// Verifications in the busiest second.
    #[arg(long, value_name = "N")]
    verifications_per_second: u64,
    /// Accounts that have tokens.
    #[arg(long, value_name = "N")]
    accounts: u64,
    /// Active tokens.
    #[arg(long, value_name = "N")]
    tokens: u64,
    /// Mails on the busiest day. If left out, two for each token: each is used every day from one address, and each
    /// account has two recipients.
    #[arg(long, value_name = "N")]
    mails_per_day: Option<u64>,
    /// Requests to the management API in the busiest second.
    #[arg(long, value_name = "N", default_value_t = 100)]
    management_per_second: u64,
    /// Read units of a verification: one for each 4 KB of a secret's item. A scope of a thousand ids has seven.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100))]
    read_units: u64,
    /// Verifications of the busiest secret in a second. If left out, all secrets are equally busy.
    #[arg(long, value_name = "N")]
    busiest_secret: Option<u64>,
    /// First uses of a secret in the busiest account in a second, after midnight UTC. If left out, all accounts are
    /// equally busy.
    #[arg(long, value_name = "N")]
    busiest_account: Option<u64>,
}

impl Quotas {
    /// Returns the load that the arguments describe.
    fn load(&self) -> Load {
        let even = Load::even(
            self.verifications_per_second,
            self.management_per_second,
            self.accounts,
            self.tokens,
        );
        Load {
            mails_per_day: self.mails_per_day.unwrap_or(even.mails_per_day),
            read_units: self.read_units,
            busiest_secret: self.busiest_secret.unwrap_or(even.busiest_secret),
            busiest_account: self.busiest_account.unwrap_or(even.busiest_account),
            ..even
        }
    }
}

/// Returns the limits with what the load needs of them, and below how to get more where the default isn't enough.
pub(crate) fn quotas(arguments: &Quotas) -> String {
    let needs = needs(&arguments.load());
    let mut text = "     needed  by default  limit\n".to_owned();
    for need in &needs {
        let mark = if need.is_met() { ' ' } else { '!' };
        let Need {
            needed,
            default,
            limit,
            ..
        } = need;
        line(
            &mut text,
            format_args!("{mark} {needed:>9}  {default:>10}  {limit}"),
        );
    }
    let short: Vec<_> = needs.iter().filter(|need| !need.is_met()).collect();
    if short.is_empty() {
        line(&mut text, format_args!("\nThe defaults are enough."));
        return text;
    }
    line(
        &mut text,
        format_args!("\nMore than the default is needed:"),
    );
    for need in short {
        line(&mut text, format_args!("{}", remedy(need)));
    }
    text
}

/// Returns how to get what is needed.
fn remedy(need: &Need) -> String {
    let Need {
        needed,
        limit,
        remedy,
        ..
    } = need;
    match remedy {
        Remedy::Ask { service, code } => format!(
            "aws service-quotas request-service-quota-increase --service-code {service} --quota-code {code} \
             --desired-value {needed}"
        ),
        Remedy::Warm => format!("{limit}: set the table's warm throughput to {needed}"),
        Remedy::Set(parameter) => format!("{limit}: deploy with {parameter}={needed}"),
        Remedy::Change(what) => format!("{limit}: cannot be raised; {what}"),
    }
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a text can't fail.
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Only {
        #[command(flatten)]
        quotas: Quotas,
    }

    fn said(arguments: &str) -> String {
        let words = ["quotas"].into_iter().chain(arguments.split_whitespace());
        quotas(&Only::try_parse_from(words).unwrap().quotas)
    }

    #[test]
    fn what_is_enough_is_listed_and_what_is_not_has_its_remedy() {
        let idle = said("--verifications-per-second 0 --accounts 0 --tokens 0");
        assert!(idle.ends_with("\nThe defaults are enough.\n"), "{idle}");
        let large = said("--verifications-per-second 20000 --accounts 10 --tokens 1000000");
        for part in [
            "!     20100       10000  API Gateway: Throttle rate\n",
            "aws service-quotas request-service-quota-increase --service-code apigateway --quota-code L-8A5B8E43 \
             --desired-value 20100\n",
            "writes a second of a new audit table: set the table's warm throughput to 40200\n",
            "deploy with AuthorizeConcurrency=2000\n",
            "by the busiest account's first uses: cannot be raised; spread the first calls after midnight UTC\n",
        ] {
            assert!(large.contains(part), "{part}: {large}");
        }
        assert!(!large.contains("KMS: Cryptographic operations (symmetric) request rate:"));
    }

    #[test]
    fn what_is_said_of_the_load_takes_the_place_of_what_is_assumed() {
        let assumed = said("--verifications-per-second 100 --accounts 10 --tokens 50");
        assert!(
            assumed.contains("100         200  SES: Sending quota"),
            "{assumed}"
        );
        let told = said(
            "--verifications-per-second 100 --accounts 10 --tokens 50 --mails-per-day 7 --busiest-secret 90 \
             --busiest-account 80 --read-units 3 --management-per-second 4",
        );
        for part in [
            "  7         200  SES: Sending quota",
            "270        3000  DynamoDB: read units of a partition",
            "160        1000  DynamoDB: write units of a partition",
            "104       10000  API Gateway",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }

    /// Every command of the documents can be run, and the output that they show is the command's.
    #[test]
    fn the_documents_show_what_the_command_prints() {
        let text = include_str!("../../docs/cost.md");
        let (_, rest) = text.split_once("latchkey-admin -- quotas ").unwrap();
        let (arguments, rest) = rest.split_once("\n```\n").unwrap();
        let (_, shown) = rest.split_once("```text\n").unwrap();
        let (shown, _) = shown.split_once("```\n").unwrap();
        assert_eq!(shown, said(&arguments.replace("\\\n", " ")));
    }
}
