//! A run's work: it reads the trail, compares it with the audit log, and tells what it finds.

use std::collections::BTreeMap;

use jiff::Timestamp;
use latchkey::domain::action::Action;
use latchkey::domain::id::{AccountId, AuditId, TokenId};
use latchkey::domain::paging::{AuditFilter, AuditQuery, MAX_LIMIT};
use latchkey::domain::text::redact;
use latchkey::domain::trail::{
    Decryption, Stack, TrailEvent, Watched, Window, recorded_within, remembered_until, unrecorded,
};
use latchkey::ports::{Clock, ListAudit, NoteFinding, PortError, ReadTrail};

/// What a run has done.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) events: usize,
    pub(crate) findings: usize,
    /// What couldn't be done.
    pub(crate) left: Vec<String>,
}

/// A finding: its kind, the stack's resource, and of a decryption the token and its account.
pub(crate) struct Finding<'a> {
    pub(crate) kind: &'static str,
    pub(crate) resource: &'a str,
    pub(crate) token: Option<&'a (AccountId, TokenId)>,
}

/// What a run works with.
pub(crate) struct Watch<'a, T, S, C> {
    pub(crate) trail: &'a T,
    pub(crate) store: &'a S,
    pub(crate) clock: &'a C,
    pub(crate) stack: &'a Stack,
    pub(crate) until: Timestamp,
    pub(crate) hour: Timestamp,
}

impl<T: ReadTrail, S: ListAudit + NoteFinding, C: Clock> Watch<'_, T, S, C> {
    fn is_late(&self) -> bool {
        self.clock.now() >= self.until
    }

    /// Reads an operation's events, as far as possible. CloudTrail has the newest first.
    pub(crate) async fn read(&self, watched: &Watched, progress: &mut Progress) -> Vec<TrailEvent> {
        let (window, name) = (Window::of(self.hour), watched.name);
        let mut events = Vec::<TrailEvent>::new();
        let mut position = None;
        loop {
            let failure = if self.is_late() {
                "out of time".to_owned()
            } else {
                match self.trail.read_trail(watched, window, position).await {
                    Ok(page) => {
                        progress.events += page.items.len();
                        events.extend(page.items);
                        position = page.next;
                        if position.is_some() {
                            continue;
                        }
                        return events;
                    }
                    Err(error) => error.to_string(),
                }
            };
            let read = events.last().map_or(window.to, |oldest| oldest.time);
            let from = window.from;
            progress
                .left
                .push(format!("{name} from {from} to {read}: {failure}"));
            return events;
        }
    }

    /// Compares decryptions with the records of the tokens' views.
    pub(crate) async fn compare(&self, decrypted: Vec<Decryption>, progress: &mut Progress) {
        let mut of_tokens = BTreeMap::<_, Vec<TrailEvent>>::new();
        for Decryption { event, of } in decrypted {
            of_tokens.entry(of).or_default().push(event);
        }
        for (token, events) in of_tokens {
            let times: Vec<_> = events.iter().map(|event| event.time).collect();
            let views = match (&token, self.is_late()) {
                (_, true) => Err(PortError::Unavailable("out of time".into())),
                // Nothing is recorded of no token.
                (None, _) => Ok(Vec::new()),
                (Some((account, token)), _) => self.views(account, token, &times).await,
            };
            match views {
                Ok(views) => {
                    for place in unrecorded(&times, &views) {
                        let Some(event) = events.get(place) else {
                            continue;
                        };
                        let finding = Finding {
                            kind: "unrecorded_decryption",
                            resource: self.stack.secrets_key(),
                            token: token.as_ref(),
                        };
                        self.tell(event, &finding, progress).await;
                    }
                }
                Err(error) => {
                    let of = token.map(|(account, token)| format!(" of {token} of {account}"));
                    let of = of.unwrap_or_default();
                    progress.left.push(format!("decryptions{of}: {error}"));
                }
            }
        }
    }

    /// The times at which a token's secret was shown, around those of its decryptions.
    async fn views(
        &self,
        account: &AccountId,
        token: &TokenId,
        times: &[Timestamp],
    ) -> Result<Vec<Timestamp>, PortError> {
        let Some((from, to)) = recorded_within(times) else {
            return Ok(Vec::new());
        };
        let mut query = AuditQuery {
            token_id: Some(token.clone()),
            filter: AuditFilter {
                action: Some(Action::View),
                ..AuditFilter::default()
            },
            from: Some(from),
            to: Some(to),
            limit: MAX_LIMIT,
            after: None::<AuditId>,
        };
        let mut views = Vec::new();
        loop {
            let page = self.store.list_audit(account, &query).await?;
            views.extend(page.items.iter().map(|record| record.time));
            if page.next.is_none() {
                return Ok(views);
            }
            query.after = page.next;
        }
    }

    /// Tells a finding that wasn't told, and then notes it: a run that ends in between tells it again.
    pub(crate) async fn tell(
        &self,
        event: &TrailEvent,
        finding: &Finding<'_>,
        progress: &mut Progress,
    ) {
        let told = async {
            if self.store.is_noted(&event.id).await? {
                return Ok(());
            }
            log(event, finding);
            progress.findings += 1;
            let until = remembered_until(self.hour);
            self.store.note_finding(&event.id, until).await
        };
        let told: Result<(), PortError> = told.await;
        if let Err(error) = told {
            let TrailEvent { id, name, .. } = event;
            progress.left.push(format!("{name} {id}: {error}"));
        }
    }
}

fn log(event: &TrailEvent, finding: &Finding<'_>) {
    // Whoever calls AWS names sessions and resources, and anything may be in a name.
    let text = |text: Option<&str>| text.map(redact);
    let (account, token) = finding
        .token
        .map(|(account, token)| (account.as_str(), token.as_str()))
        .unzip();
    tracing::error!(
        finding = finding.kind,
        event_name = event.name,
        event_id = redact(&event.id),
        event_time = %event.time,
        principal = text(event.principal()),
        source_ip = text(event.source_ip.as_deref()),
        resource = redact(finding.resource),
        deployment = event.is_deployment(),
        account_id = account,
        token_id = token,
        "the trail has a call that needs a person"
    );
}
