//! Removes what is stored of an account that the platform has deleted. Its audit log stays until its retention ends.
//!
//! Tokens go first, each with its record. The profile's people go last, so that an interrupted removal can be run
//! again.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use latchkey::app::retry::{ATTEMPTS, retry_on_conflict, unless_conflict};
use latchkey::domain::action::Action;
use latchkey::domain::audit::{AuditRecord, Origin};
use latchkey::domain::entropy::Entropy;
use latchkey::domain::id::{AccountId, TokenId};
use latchkey::domain::paging::{
    AuditFilter, AuditQuery, MAX_LIMIT, TokenFilter, TokenOrder, TokenQuery,
};
use latchkey::domain::redelivery::MARK_LIFETIME;
use latchkey::domain::token::StoredToken;
use latchkey::ports::{Clock, GetToken, ListAudit, ListTokens, PortError};
use latchkey::store::{Standing, Store};

/// How long after its deletion an account's items may still be needed: the platform's event is delivered again for a
/// day, and so are the records about which mails are sent.
const SETTLED: SignedDuration = SignedDuration::from_hours(24);

/// How long a mail's mark is kept, and a day more.
const MARKED: SignedDuration = SignedDuration::from_hours(MARK_LIFETIME.as_hours() + 24);

/// The options of a removal.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Options {
    /// Whether to remove an account that was deleted less than a day ago.
    pub(crate) at_once: bool,
    /// Whether to write nothing.
    pub(crate) dry_run: bool,
}

/// What was removed, or would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// A token with its secrets.
    Token,
    /// A secret that had ended before.
    Secret,
    /// Any other item.
    Other,
    /// The people and the name in the account's profile.
    Profile,
}

impl Step {
    fn words(self) -> &'static str {
        match self {
            Self::Token => "tokens deleted",
            Self::Secret => "ended secrets removed",
            Self::Other => "other items removed",
            Self::Profile => "profiles emptied",
        }
    }
}

/// Why an account isn't removed.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// The platform has not deleted it.
    Exists,
    /// The platform deleted it less than a day ago.
    Fresh(Timestamp),
    /// The store failed.
    Failed(PortError),
}

impl From<PortError> for Stopped {
    fn from(error: PortError) -> Self {
        Self::Failed(error)
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists => f.write_str(
                "the account exists: the platform has to delete it first (AccountDeleted)",
            ),
            Self::Fresh(at) => write!(
                f,
                "the account was deleted at {at}: its last mails may be under way for a day; \
                 --at-once removes it without them"
            ),
            Self::Failed(PortError::Conflict) => f.write_str(
                "the account exists again, or is being changed; what is removed is told above",
            ),
            Self::Failed(error) => write!(f, "{error}; run it again, it goes on from here"),
        }
    }
}

/// The result of a removal.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    /// How much was removed.
    pub(crate) done: BTreeMap<Step, usize>,
    /// Why the removal isn't complete.
    pub(crate) stopped: Option<Stopped>,
}

impl Summary {
    fn add(&mut self, step: Step, count: usize) {
        if count > 0 {
            *self.done.entry(step).or_default() += count;
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (step, count) in &self.done {
            writeln!(f, "{}: {count}", step.words())?;
        }
        match &self.stopped {
            Some(stopped) => writeln!(f, "stopped: {stopped}"),
            None if self.done.is_empty() => writeln!(f, "nothing is stored of it"),
            None => Ok(()),
        }
    }
}

/// Removes what is stored of an account. Calls `progress` with the number of items that were read since the last call.
pub(crate) async fn leave(
    store: &Store,
    system: &(impl Clock + Entropy),
    account: &AccountId,
    options: Options,
    progress: impl FnMut(usize),
) -> Summary {
    let mut summary = Summary::default();
    let removed = remove(store, system, account, options, progress, &mut summary);
    summary.stopped = removed.await.err();
    summary
}

async fn remove(
    store: &Store,
    system: &(impl Clock + Entropy),
    account: &AccountId,
    options: Options,
    mut progress: impl FnMut(usize),
    summary: &mut Summary,
) -> Result<(), Stopped> {
    match store.deletion(account, system.now()).await? {
        (Standing::Live, _) => return Err(Stopped::Exists),
        (_, Some(at)) if !options.at_once && system.now().duration_since(at) < SETTLED => {
            return Err(Stopped::Fresh(at));
        }
        _ => {}
    }
    let records = marked_records(store, account, system.now()).await?;
    // A dry run finds the secrets of tokens, which otherwise are gone with them.
    let mut of_tokens = HashSet::new();
    for id in tokens(store, account).await? {
        let stored = if options.dry_run {
            store.get_token(account, &id, Timestamp::MIN).await?
        } else {
            erase_token(store, system, account, &id).await?
        };
        of_tokens.extend(stored.iter().flat_map(StoredToken::secret_hashes));
        summary.add(Step::Token, usize::from(stored.is_some()));
    }
    let (mut position, mut secrets) = (None, Vec::new());
    loop {
        let (mut remnants, read, next) = store.scan_remnants(account, &records, position).await?;
        remnants.retain(|it| it.secret.is_none_or(|hash| !of_tokens.contains(&hash)));
        if !options.dry_run {
            store.erase(account, &remnants).await?;
        }
        progress(read);
        let found = secrets.len();
        secrets.extend(remnants.iter().filter_map(|remnant| remnant.secret));
        let ended = secrets.len() - found;
        summary.add(Step::Secret, ended);
        summary.add(Step::Other, remnants.len() - ended);
        position = next;
        if position.is_none() {
            break;
        }
    }
    if !options.dry_run {
        secrets.extend(of_tokens);
        store.erase_uses(account, &secrets).await?;
    }
    let emptied = store.empty_profile(account, options.dry_run).await?;
    summary.add(Step::Profile, usize::from(emptied));
    Ok(())
}

/// The ids of the account's records about which mails may still be marked as sent.
async fn marked_records(
    store: &Store,
    account: &AccountId,
    now: Timestamp,
) -> Result<HashSet<String>, PortError> {
    let mut query = AuditQuery {
        token_id: None,
        filter: AuditFilter::default(),
        from: Some(now.checked_sub(MARKED).unwrap_or(Timestamp::MIN)),
        to: None,
        limit: MAX_LIMIT,
        after: None,
    };
    let mut ids = HashSet::new();
    loop {
        let page = store.list_audit(account, &query).await?;
        ids.extend(page.items.into_iter().map(|record| record.id.into()));
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(ids),
        }
    }
}

/// The account's tokens, also those whose purge time is over.
async fn tokens(store: &Store, account: &AccountId) -> Result<Vec<TokenId>, PortError> {
    let mut query = TokenQuery {
        filter: TokenFilter::default(),
        order: TokenOrder::Oldest,
        limit: MAX_LIMIT,
        after: None,
    };
    let mut ids = Vec::new();
    loop {
        let page = store.list_tokens(account, &query, Timestamp::MIN).await?;
        ids.extend(page.items.into_iter().map(|token| token.id));
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(ids),
        }
    }
}

/// Deletes a token with its record. Returns it; `None` if there is none any more.
async fn erase_token(
    store: &Store,
    system: &(impl Clock + Entropy),
    account: &AccountId,
    id: &TokenId,
) -> Result<Option<StoredToken>, PortError> {
    let attempt = || async {
        let Some(stored) = store.get_token(account, id, Timestamp::MIN).await? else {
            return Ok(Some(None));
        };
        let origin = Origin::system("leave");
        let (token, now) = (&stored.token, system.now());
        let audit = AuditRecord::new(Action::Delete, token, vec![], origin, now, system)
            .map_err(PortError::from)?;
        let written = unless_conflict(store.erase_token(&stored, &audit).await)?;
        Ok::<_, PortError>(written.map(|()| Some(stored)))
    };
    retry_on_conflict(ATTEMPTS, attempt).await
}

#[cfg(test)]
mod tests;
