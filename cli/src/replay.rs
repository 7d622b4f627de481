//! Replays the audit log behind a restore's point over the restored tables.
//!
//! What a run has to do follows from the tables alone, each write is a transaction or conditional, and what is replayed
//! doesn't come again. The replay may therefore be interrupted at any time and run again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use latchkey::app::retry::{ATTEMPTS, retry_on_conflict, unless_conflict};
use latchkey::domain::action::Action;
use latchkey::domain::audit::{AuditRecord, Change, Origin, changes};
use latchkey::domain::entropy::Entropy;
use latchkey::domain::id::{AccountId, TokenId};
use latchkey::domain::replay::{Replay, Replayed, lost_token};
use latchkey::domain::secret::PlainSecret;
use latchkey::domain::time::rfc3339;
use latchkey::domain::token::{NewSecret, StoredToken, Token};
use latchkey::ports::{Clock, EncryptSecret, ListDigests, PortError};
use latchkey::store::{Store, StoredRecord};

/// The number of records or tokens that are processed at the same time.
const CONCURRENCY: usize = 16;

/// How long before the point the records are read from. A record has the time at which its request began, and its
/// transaction may have come after the point.
const MARGIN: SignedDuration = SignedDuration::from_mins(15);

/// The stores that a replay needs.
pub(crate) struct Stores<'a> {
    /// The audit log of the stack that was restored: the source.
    pub(crate) source: &'a Store,
    /// The restored tables.
    pub(crate) restored: &'a Store,
}

/// The options of a replay.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// The point to which the tables were restored.
    pub(crate) since: Timestamp,
    /// Whether to write nothing.
    pub(crate) dry_run: bool,
}

/// What the replay did, or would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// A record was copied into the restored audit table.
    Copied,
    /// A token was changed as it had been, or deleted.
    Token(Action),
    /// The last use of a token, or the last warning of its end, was noted.
    Noted,
    /// A digest that the old stack sends was removed.
    Digest,
}

impl Step {
    fn words(self) -> String {
        match self {
            Self::Copied => "audit records copied".into(),
            Self::Token(Action::Delete) => "tokens deleted".into(),
            Self::Token(Action::Regenerate) => {
                "tokens given a new secret in place of a lost one".into()
            }
            Self::Token(action) => format!("tokens whose last change was {}", action.as_str()),
            Self::Noted => "tokens with a later use or warning".into(),
            Self::Digest => "digests of mails removed".into(),
        }
    }
}

/// What can't be brought back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lost {
    /// A token that was created after the point.
    Token,
    /// The current secret of a token that the restored table has.
    Secret,
}

/// The result of a replay.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    /// How often each step was done.
    pub(crate) done: BTreeMap<Step, usize>,
    /// What is lost: its account, its token, what it is, and the token's name.
    pub(crate) lost: BTreeSet<(AccountId, TokenId, Lost, String)>,
    /// Failures, each with what it is about.
    pub(crate) failures: Vec<String>,
}

impl Summary {
    fn add(&mut self, what: &str, result: Result<Option<Step>, PortError>) {
        match result {
            Ok(step) => {
                if let Some(step) = step {
                    *self.done.entry(step).or_default() += 1;
                }
            }
            Err(error) => self.failures.push(format!("{what}: {error}")),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (step, count) in &self.done {
            writeln!(f, "{}: {count}", step.words())?;
        }
        if self.done.is_empty() && self.failures.is_empty() {
            writeln!(f, "nothing to do")?;
        }
        for (account, token, lost, name) in &self.lost {
            let what = match lost {
                Lost::Token => "token",
                Lost::Secret => "secret of the token",
            };
            writeln!(f, "lost: {account}: the {what} {token} ({name:?})")?;
        }
        for failure in &self.failures {
            writeln!(f, "not replayed: {failure}")?;
        }
        Ok(())
    }
}

/// Copies the records since the point, and then replays them over each token that they are about. Calls `progress`
/// with the number of records that were read since the last call.
pub(crate) async fn replay(
    stores: Stores<'_>,
    vault: &impl EncryptSecret,
    system: &(impl Clock + Entropy),
    options: Options,
    mut progress: impl FnMut(usize),
) -> Summary {
    let since = options.since.checked_sub(MARGIN).unwrap_or(Timestamp::MIN);
    let run = Run {
        stores,
        vault,
        system,
        since,
        dry_run: options.dry_run,
    };
    let mut summary = Summary::default();
    match run.stores.restored.has_stream().await {
        Ok(false) => {}
        Ok(true) => {
            let text =
                "anything: a table has a stream, from which what is written now would be mailed";
            summary.failures.push(text.into());
            return summary;
        }
        Err(error) => {
            summary.failures.push(format!("anything: {error}"));
            return summary;
        }
    }
    run.remove_digests(&mut summary).await;
    let accounts = run.copy(&mut summary, &mut progress).await;
    for account in accounts {
        run.replay_account(&account, &mut summary).await;
    }
    summary
}

struct Run<'a, V, S> {
    stores: Stores<'a>,
    vault: &'a V,
    system: &'a S,
    since: Timestamp,
    dry_run: bool,
}

/// What became of a token.
struct Done {
    step: Option<Step>,
    lost: Option<Lost>,
    name: String,
}

impl<V: EncryptSecret, S: Clock + Entropy> Run<'_, V, S> {
    /// Removes the digests that were waiting at the point. The old stack has sent them, or will.
    async fn remove_digests(&self, summary: &mut Summary) {
        let store = self.stores.restored;
        let waiting = match store.list_digests(Timestamp::MAX).await {
            Ok(waiting) => waiting,
            Err(error) => return summary.failures.push(format!("the digests: {error}")),
        };
        for digest in waiting {
            let done = if self.dry_run {
                Ok(())
            } else {
                store.delete_digest(&digest).await
            };
            summary.add("a digest", done.map(|()| Some(Step::Digest)));
        }
    }

    /// Copies the records that the restored table lacks. Returns the accounts of all records since the point.
    async fn copy(
        &self,
        summary: &mut Summary,
        progress: &mut impl FnMut(usize),
    ) -> BTreeSet<AccountId> {
        let mut accounts = BTreeSet::new();
        let mut position = None;
        loop {
            let (records, next) = match self.stores.source.scan_audit(self.since, position).await {
                Ok(page) => page,
                Err(error) => {
                    let text = format!("all records that follow: {error}");
                    summary.failures.push(text);
                    return accounts;
                }
            };
            progress(records.len());
            accounts.extend(records.iter().map(|record| record.account.clone()));
            let mut copied = stream::iter(&records)
                .map(|record| self.copy_record(record))
                .buffer_unordered(CONCURRENCY);
            while let Some(copied) = copied.next().await {
                let step = copied.map(|is_new| is_new.then_some(Step::Copied));
                summary.add("a record", step);
            }
            position = next;
            if position.is_none() {
                return accounts;
            }
        }
    }

    async fn copy_record(&self, record: &StoredRecord) -> Result<bool, PortError> {
        let restored = self.stores.restored;
        if self.dry_run {
            return Ok(!restored.has_record(record).await?);
        }
        restored.copy_record(record).await
    }

    async fn replay_account(&self, account: &AccountId, summary: &mut Summary) {
        let records = self.stores.source.records_since(account, self.since).await;
        let records = match records {
            Ok(records) => records,
            Err(error) => return summary.failures.push(format!("account {account}: {error}")),
        };
        let mut of_tokens: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for record in records {
            let token = record.token_id.clone();
            of_tokens.entry(token).or_default().push(record);
        }
        let mut replayed = stream::iter(&of_tokens)
            .map(|(token, records)| async move {
                (token, self.replay_token(account, token, records).await)
            })
            .buffer_unordered(CONCURRENCY);
        while let Some((token, done)) = replayed.next().await {
            let done = done.map(|done| {
                if let Some(lost) = done.lost {
                    let lost = (account.clone(), token.clone(), lost, done.name);
                    summary.lost.insert(lost);
                }
                done.step
            });
            summary.add(&format!("{account} {token}"), done);
        }
    }

    /// Replays the records of a token, in one transaction with a record of that.
    ///
    /// # Errors
    /// When a store or the key fails, or a record can't be read.
    async fn replay_token(
        &self,
        account: &AccountId,
        id: &TokenId,
        records: &[AuditRecord],
    ) -> Result<Done, PortError> {
        let attempt = || async {
            let now = self.system.now();
            let Some((before, reminded)) = self.stores.restored.restored(account, id).await? else {
                let created = lost_token(records, now);
                return Ok(Some(Done {
                    step: None,
                    lost: created.map(|_| Lost::Token),
                    name: created.map_or_else(String::new, |it| it.token_name.clone()),
                }));
            };
            let mut replay = Replay::new(before.clone(), reminded);
            for record in records {
                let applied = replay.apply(record);
                applied.map_err(|error| PortError::Broken(error.to_string().into()))?;
            }
            let is_lost = replay.needs_secret(now);
            let fresh = if is_lost {
                Some(self.fresh_secret(&before.token).await?)
            } else {
                None
            };
            let replayed = replay.finish(fresh, now);
            let written = match &replayed {
                Some(replayed) => self.write(&before, replayed, now).await?,
                None => Some(()),
            };
            let step = replayed.map(|it| it.changed.map_or(Step::Noted, Step::Token));
            Ok(written.map(|()| Done {
                step,
                lost: is_lost.then_some(Lost::Secret),
                name: before.token.name,
            }))
        };
        retry_on_conflict(ATTEMPTS, attempt).await
    }

    /// A secret that nobody knows until the account's people have it shown.
    async fn fresh_secret(&self, token: &Token) -> Result<NewSecret, PortError> {
        let plain = PlainSecret::generate(token.kind, self.system)?;
        let sealed = self
            .vault
            .encrypt_secret(&token.account_id, &token.id, &plain);
        Ok(NewSecret {
            hash: plain.hash(),
            hint: plain.hint(),
            ciphertext: sealed.await?,
        })
    }

    /// Writes what became of a token. Returns `None` if it was changed meanwhile.
    async fn write(
        &self,
        before: &StoredToken,
        replayed: &Replayed,
        now: Timestamp,
    ) -> Result<Option<()>, PortError> {
        if self.dry_run {
            return Ok(Some(()));
        }
        let audit = replayed.changed.map(|action| {
            let token = replayed
                .after
                .as_ref()
                .map_or(&before.token, |it| &it.token);
            let changes = recorded(&before.token, token);
            AuditRecord::new(action, token, changes, origin(), now, self.system)
        });
        let audit = audit.transpose()?;
        let restored = self.stores.restored;
        let written = restored.write_replayed(before, replayed, audit.as_ref());
        unless_conflict(written.await)
    }
}

/// What the record of a replayed token tells.
fn recorded(before: &Token, after: &Token) -> Vec<Change> {
    let hint = |token: &Token| Some(token.hint.clone());
    let mut recorded = Vec::new();
    if before.hint != after.hint {
        recorded.push(Change::new("hint", hint(before), hint(after)));
    }
    recorded.extend(changes(Some(before), after));
    recorded
}

fn origin() -> Origin {
    Origin::system("replay")
}

/// A time in the form of RFC 3339, for the command line.
pub(crate) fn parse_point(text: &str) -> Result<Timestamp, String> {
    let point = latchkey::domain::time::parse_rfc3339(text);
    point.ok_or_else(|| format!("not a time such as {}", rfc3339(Timestamp::UNIX_EPOCH)))
}

#[cfg(test)]
mod tests;
