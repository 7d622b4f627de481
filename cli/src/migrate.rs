//! Scans the tokens table and has the store rewrite the first version's items in this version's form.
//!
//! Every write is a transaction, or conditional on what was read, and what is left to do depends on the stored items
//! alone. The migration may therefore be interrupted at any time and run again.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use latchkey::app::compromise::{Compromised, Evidence, compromise};
use latchkey::app::retry::{ATTEMPTS, retry_on_conflict, unless_conflict};
use latchkey::app::revoke::{Revoked, revoke};
use latchkey::domain::action::Action;
use latchkey::domain::actor::Actor;
use latchkey::domain::audit::{Change, Origin};
use latchkey::domain::entropy::Entropy;
use latchkey::domain::id::{AccountId, TokenId};
use latchkey::domain::leak::LEAKED;
use latchkey::domain::secret::SecretHash;
use latchkey::domain::token::{Status, Token};
use latchkey::domain::verification::{SecretRecord, SecretState};
use latchkey::ports::{Clock, GetSecret, PortError};
use latchkey::store::{Found, Kept, Reading, Standing, Store};

/// The number of items that are processed at the same time.
const CONCURRENCY: usize = 16;

/// The options of a migration.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Options {
    /// Whether the old version no longer runs.
    pub(crate) after_switch: bool,
    /// Whether to write nothing.
    pub(crate) dry_run: bool,
}

/// A change that the migration made, or would make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// A profile was copied to where this version reads it.
    Profile,
    /// A resource was copied to where this version reads it.
    Resource,
    /// A token and its secrets were stored in this version's form.
    Token,
    /// A token was ended because its account is deleted.
    AccountDeleted,
    /// A replaced secret of a revoked token was ended.
    Retired,
    /// A working secret that was found in public was compromised.
    Compromised,
    /// A profile or a resource was removed from where only the first version reads it.
    Removed,
}

impl Step {
    fn words(self) -> &'static str {
        match self {
            Self::Profile => "accounts copied",
            Self::Resource => "resources copied",
            Self::Token => "tokens stored anew",
            Self::AccountDeleted => "tokens of deleted accounts ended",
            Self::Retired => "replaced secrets of revoked tokens ended",
            Self::Compromised => "leaked secrets ended",
            Self::Removed => "old items removed",
        }
    }
}

/// The result of a migration.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    /// How often each change was made.
    pub(crate) done: BTreeMap<Step, usize>,
    /// Failures, each with the key of its item.
    pub(crate) failures: Vec<String>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (step, count) in &self.done {
            writeln!(f, "{}: {count}", step.words())?;
        }
        if self.done.is_empty() && self.failures.is_empty() {
            writeln!(f, "nothing to do")?;
        }
        for failure in &self.failures {
            writeln!(f, "not migrated: {failure}")?;
        }
        Ok(())
    }
}

/// Migrates all items of the table. Calls `progress` with the number of items that were read since the last call.
///
/// The first pass copies profiles and resources. The second needs the profiles: they say whether a token's account is
/// deleted.
pub(crate) async fn migrate(
    store: &Store,
    system: &(impl Clock + Entropy),
    options: Options,
    mut progress: impl FnMut(usize),
) -> Summary {
    let run = Run {
        store,
        system,
        options,
        accounts: Mutex::default(),
    };
    let mut summary = Summary::default();
    go_through(store, &mut summary, &mut progress, |found| {
        run.carry_over(found)
    })
    .await;
    if options.after_switch && summary.failures.is_empty() {
        go_through(store, &mut summary, &mut progress, |found| {
            run.settle(found)
        })
        .await;
    }
    summary
}

/// Calls `work` with every item of the table, and adds the results to `summary`.
async fn go_through<F: Future<Output = Result<Vec<Step>, PortError>>>(
    store: &Store,
    summary: &mut Summary,
    progress: &mut impl FnMut(usize),
    work: impl Fn(Found) -> F,
) {
    let mut position = None;
    loop {
        let (found, next) = match store.scan(position).await {
            Ok(page) => page,
            Err(error) => return summary.failures.push(format!("all that follows: {error}")),
        };
        progress(found.len());
        let mut results = stream::iter(found)
            .map(|found| {
                let key = format!("{} {}", found.pk, found.sk);
                let work = work(found);
                async move { (key, work.await) }
            })
            .buffer_unordered(CONCURRENCY);
        while let Some((key, result)) = results.next().await {
            match result {
                Ok(steps) => {
                    for step in steps {
                        *summary.done.entry(step).or_default() += 1;
                    }
                }
                Err(error) => summary.failures.push(format!("{key}: {error}")),
            }
        }
        position = next;
        if position.is_none() {
            return;
        }
    }
}

struct Run<'a, S> {
    store: &'a Store,
    system: &'a S,
    options: Options,
    accounts: Mutex<HashMap<AccountId, Standing>>,
}

impl<S: Clock + Entropy> Run<'_, S> {
    async fn carry_over(&self, found: Found) -> Result<Vec<Step>, PortError> {
        let Kept::Projected(projected) = found.kept else {
            return Ok(vec![]);
        };
        let step = if projected.is_profile() {
            Step::Profile
        } else {
            Step::Resource
        };
        let (now, dry_run) = (self.system.now(), self.options.dry_run);
        let done = self.store.carry_over(&projected, now, dry_run).await?;
        Ok(done.then_some(step).into_iter().collect())
    }

    async fn settle(&self, found: Found) -> Result<Vec<Step>, PortError> {
        match found.kept {
            Kept::Projected(projected) => {
                let (now, dry_run) = (self.system.now(), self.options.dry_run);
                let done = self.store.clear_old_place(&projected, now, dry_run).await?;
                Ok(done.then_some(Step::Removed).into_iter().collect())
            }
            Kept::Token(account, id) => self.settle_token(&account, &id).await,
            Kept::Leak(hash) => self.settle_leak(&hash).await,
            Kept::Other => Ok(vec![]),
            Kept::Odd => Err(PortError::Broken("it has an unknown key".into())),
        }
    }

    /// Stores a token in this version's form, and ends what must not work again.
    ///
    /// # Errors
    /// When the store fails.
    async fn settle_token(
        &self,
        account: &AccountId,
        id: &TokenId,
    ) -> Result<Vec<Step>, PortError> {
        let mut steps = Vec::new();
        let Some(reading) = self.store_anew(account, id, &mut steps).await? else {
            return Ok(steps);
        };
        let token = &reading.after.token;
        let standing = self.standing(account).await?;
        let step = if ends_with_account(token, standing) {
            Step::AccountDeleted
        } else if has_retired_secret(token, self.system.now()) {
            Step::Retired
        } else {
            return Ok(steps);
        };
        if !self.options.dry_run && !self.end(account, id, step, standing).await? {
            return Ok(steps);
        }
        steps.push(step);
        Ok(steps)
    }

    /// Reads a token. Stores it in this version's form if it isn't yet.
    ///
    /// # Errors
    /// When the store fails.
    async fn store_anew(
        &self,
        account: &AccountId,
        id: &TokenId,
        steps: &mut Vec<Step>,
    ) -> Result<Option<Reading>, PortError> {
        let attempt = || async {
            let reading = self.store.read_form(account, id, self.system.now()).await?;
            let to_rewrite = reading
                .as_ref()
                .filter(|reading| reading.is_to_be_rewritten);
            if let Some(to_rewrite) = to_rewrite.filter(|_| !self.options.dry_run) {
                let written = unless_conflict(self.store.rewrite(to_rewrite).await)?;
                return Ok(written.map(|()| reading));
            }
            Ok::<_, PortError>(Some(reading))
        };
        let reading = retry_on_conflict(ATTEMPTS, attempt).await?;
        if reading
            .as_ref()
            .is_some_and(|reading| reading.is_to_be_rewritten)
        {
            steps.push(Step::Token);
        }
        Ok(reading)
    }

    /// Ends a token, or its replaced secret, and records that. Returns whether there was something to end.
    ///
    /// # Errors
    /// When the store fails.
    async fn end(
        &self,
        account: &AccountId,
        id: &TokenId,
        step: Step,
        standing: Standing,
    ) -> Result<bool, PortError> {
        let with_account = step == Step::AccountDeleted;
        let action = if with_account {
            Action::Revoke
        } else {
            Action::Retire
        };
        let end = |token: &Token, now| {
            if with_account {
                ends_with_account(token, standing)
                    .then(|| token.end_with_account(Actor::system(), now))
                    .flatten()
            } else {
                has_retired_secret(token, now)
                    .then(|| token.end_previous_secret(Actor::system(), now))
            }
        };
        let origin = origin();
        let ended = revoke(
            self.store,
            self.system,
            (account, id),
            &origin,
            action,
            |before, now| Ok::<_, PortError>(end(&before.token, now)),
        );
        Ok(matches!(ended.await?, Revoked::Changed(_)))
    }

    /// Compromises a secret that was found in public if it still works: the first version allowed the reactivation of
    /// its token. The token's people are mailed. If the secret no longer works, they were mailed when it was reported.
    ///
    /// # Errors
    /// When the store fails.
    async fn settle_leak(&self, hash: &SecretHash) -> Result<Vec<Step>, PortError> {
        let mut steps = Vec::new();
        let Some(secret) = self.store.get_secret(hash).await? else {
            return Ok(steps);
        };
        let (account, id) = (&secret.account_id, &secret.token_id);
        let reading = self.store_anew(account, id, &mut steps).await?;
        let works = if self.options.dry_run {
            // The token's own item reports this step.
            steps.clear();
            let secrets = reading.map(|reading| SecretRecord::all_of(&reading.after));
            let mut secrets = secrets.unwrap_or_default().into_iter();
            secrets.find(|secret| secret.hash == *hash)
        } else {
            self.store.get_secret(hash).await?
        };
        let state = works.map(|secret| secret.state_at(self.system.now()));
        if !matches!(state, Some(SecretState::Current | SecretState::Retired)) {
            return Ok(steps);
        }
        let done = self.options.dry_run
            || matches!(
                compromise(self.store, self.system, hash, &Leak).await?,
                Compromised::Recorded(_)
            );
        steps.extend(done.then_some(Step::Compromised));
        Ok(steps)
    }

    async fn standing(&self, account: &AccountId) -> Result<Standing, PortError> {
        let known = |accounts: &HashMap<_, _>| accounts.get(account).copied();
        let standing = known(&self.accounts.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(standing) = standing {
            return Ok(standing);
        }
        let standing = self.store.standing(account, self.system.now()).await?;
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.insert(account.clone(), standing);
        Ok(standing)
    }
}

/// Whether a token must end with its account. Revoked tokens end too: if the platform uses the account's id again,
/// people of the new account must not reactivate them. An active token only ends if its account is known to be
/// deleted.
fn ends_with_account(token: &Token, standing: Standing) -> bool {
    let ended = token
        .revocation
        .as_ref()
        .is_some_and(|it| it.account_deleted);
    let applies = match standing {
        Standing::Live => false,
        Standing::Deleted => true,
        Standing::Unknown => token.status() == Status::Revoked,
    };
    applies && !ended
}

/// Whether a revoked token has a replaced secret that would work again after a reactivation. In this version,
/// revocation ends it.
fn has_retired_secret(token: &Token, now: Timestamp) -> bool {
    token.status() == Status::Revoked && token.has_previous_secret(now)
}

/// Evidence that a secret was found in public before the migration.
struct Leak;

impl Evidence for Leak {
    fn action(&self) -> Action {
        Action::Leak
    }

    fn reason(&self) -> &str {
        LEAKED
    }

    fn origin(&self, _: &SecretRecord) -> Origin {
        origin()
    }

    fn changes(&self) -> Vec<Change> {
        vec![]
    }
}

fn origin() -> Origin {
    Origin::system("migration")
}

#[cfg(test)]
mod tests;
