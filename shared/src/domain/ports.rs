//! What the domain needs of the world: one trait per capability, so that an operation's signature says
//! what it may do, exactly as its IAM policy does.

use jiff::Timestamp;

use super::account::Account;
use super::audit::{Action, AuditRecord, Origin, changes};
use super::budget::{Budget, Spending};
use super::event_time::EventTime;
use super::id::{AccountId, TokenId, UserId};
use super::mailing::{AddressMark, Digest, HeldMail, Undeliverable};
use super::paging::{AuditQuery, Page, ResourceQuery, TokenQuery};
use super::resource::{Resource, ResourceRef};
use super::secret::{PlainSecret, SecretHash};
use super::token::{Ciphertext, Ended, LastUse, StoredToken, Token};
use super::upkeep::{Ending, Position, Reminded};
use super::verification::{SecretRecord, Seen, Sighting, UsedFrom};

/// The time.
pub trait Clock: Sync {
    /// Now, in whole milliseconds: what is answered is what was stored.
    fn now(&self) -> Timestamp;
}

/// Random bits.
pub trait Entropy: Sync {
    /// Fills a buffer with random bits fit for secrets.
    ///
    /// # Errors
    /// When the source fails; the buffer must not be used then.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError>;
}

/// The random generator failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the random generator failed")]
pub struct EntropyError;

/// Why a table or the key service didn't do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// Somebody else changed the same thing at the same time; nothing was written.
    #[error("changed by another request at the same time")]
    Conflict,
    /// Too busy, timed out or not reachable; may work later. Nothing was written, or it isn't known.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// It will not work later either: a defect or a lack of rights.
    #[error("failed: {0}")]
    Broken(String),
}

impl From<EntropyError> for PortError {
    fn from(error: EntropyError) -> Self {
        Self::Broken(error.to_string())
    }
}

type Result<T, E = PortError> = std::result::Result<T, E>;

/// Reads an account's profile.
pub trait GetAccount: Sync {
    /// The account, or `None` if the platform never told of it or has deleted it.
    fn get_account(&self, id: &AccountId) -> impl Future<Output = Result<Option<Account>>> + Send;
}

/// Finds out who hears of an account's events.
pub trait GetRecipients: Sync {
    /// The account as it is or, if it was deleted of late, as it was: the last events of an account
    /// still have to reach its people.
    fn get_recipients(
        &self,
        id: &AccountId,
    ) -> impl Future<Output = Result<Option<Account>>> + Send;
}

/// Finds a person's accounts.
pub trait ListMemberships: Sync {
    /// The accounts of which the person is a member.
    fn list_memberships(
        &self,
        user: &UserId,
    ) -> impl Future<Output = Result<Vec<AccountId>>> + Send;
}

/// Reads one token.
pub trait GetToken: Sync {
    /// The token with its last use, or `None` if there is none or it is purged at `now`.
    fn get_token(
        &self,
        account: &AccountId,
        id: &TokenId,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<StoredToken>>> + Send;
}

/// Lists tokens.
pub trait ListTokens: Sync {
    /// A page of an account's tokens, newest first, without those purged at `now`.
    fn list_tokens(
        &self,
        account: &AccountId,
        query: &TokenQuery,
        now: Timestamp,
    ) -> impl Future<Output = Result<Page<Token, TokenId>>> + Send;
}

/// Finds resources by name.
pub trait GetResources: Sync {
    /// Those of the named resources that the account has, in no particular order.
    fn get_resources(
        &self,
        account: &AccountId,
        names: &[ResourceRef],
    ) -> impl Future<Output = Result<Vec<Resource>>> + Send;
}

/// Lists resources.
pub trait ListResources: Sync {
    /// A page of an account's resources, by type and id.
    fn list_resources(
        &self,
        account: &AccountId,
        query: &ResourceQuery,
    ) -> impl Future<Output = Result<Page<Resource, ResourceRef>>> + Send;
}

/// A token that is about to exist.
#[derive(Debug)]
pub struct NewToken {
    /// The token with its encrypted secret.
    pub stored: StoredToken,
    /// The record of its creation.
    pub audit: AuditRecord,
    /// Makes a repeat of the request recognisable.
    pub idempotency: Option<IdempotencyRecord>,
}

/// What is remembered of a request that carried an `Idempotency-Key`, for one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyRecord {
    /// SHA-256 of operation, caller and key, as hexadecimal digits.
    pub key: String,
    /// SHA-256 of the request, as hexadecimal digits: a repeat has the same.
    pub fingerprint: String,
    /// The token that the request made or changed.
    pub token_id: TokenId,
}

/// Creates tokens.
pub trait InsertToken: Sync {
    /// Writes token, secret, audit record and idempotency record, or nothing.
    fn insert_token(&self, new: &NewToken) -> impl Future<Output = Result<()>> + Send;
}

/// Counts what an account and its members do of what has a budget.
pub trait SpendBudget: Sync {
    /// Counts one more, unless the budget is spent. What is counted here stays counted, whatever becomes of
    /// the request.
    fn spend_budget(
        &self,
        account: &AccountId,
        budget: &Budget,
        now: Timestamp,
    ) -> impl Future<Output = Result<Spending>> + Send;
}

/// Gives back what was counted for nothing.
pub trait RefundBudget: Sync {
    /// Gives a mail back that was counted at `spent` and could not be sent.
    fn refund_mail(
        &self,
        account: &AccountId,
        member: &UserId,
        spent: Timestamp,
    ) -> impl Future<Output = Result<()>> + Send;
}

/// Recognises repeated requests.
pub trait GetIdempotency: Sync {
    /// What is remembered under the key.
    fn get_idempotency(
        &self,
        account: &AccountId,
        key: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<IdempotencyRecord>>> + Send;
}

/// A change of a token and of all its secrets.
#[derive(Debug)]
pub struct TokenChange {
    /// The token as it was read; the change fails if it isn't so any more.
    pub before: StoredToken,
    /// The token as it is to be.
    pub after: StoredToken,
    /// The secret of it that is compromised from now on. Any other that it has no more has ended.
    pub compromised: Option<SecretHash>,
    /// The record of the change.
    pub audit: AuditRecord,
    /// Makes a repeat of the request recognisable.
    pub idempotency: Option<IdempotencyRecord>,
}

impl TokenChange {
    /// The change of a token that keeps its secrets, with the record of what differs.
    ///
    /// # Errors
    /// When the system's random generator fails.
    pub fn new(
        before: StoredToken,
        token: Token,
        action: Action,
        origin: Origin,
        now: Timestamp,
        entropy: &impl Entropy,
    ) -> Result<Self, EntropyError> {
        let changes = changes(Some(&before.token), &token);
        let audit = AuditRecord::new(action, &token, changes, origin, now, entropy)?;
        Ok(Self {
            after: before.with(token, now),
            before,
            compromised: None,
            audit,
            idempotency: None,
        })
    }
}

/// Changes tokens.
pub trait ChangeToken: Sync {
    /// Writes token, every secret and audit record, or nothing. [`PortError::Conflict`] if the token is
    /// no more as it was read.
    fn change_token(&self, change: &TokenChange) -> impl Future<Output = Result<()>> + Send;
}

/// A scanner's public keys, as all instances of the function know them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeptKeys {
    /// The list, in the scanner's form, and when it was fetched.
    pub fetched: Option<(String, Timestamp)>,
    /// When it was last asked for, with whatever success.
    pub asked: Option<Timestamp>,
}

/// Keeps a scanner's public keys for all instances of the function, so that the scanner is asked once for
/// all of them, and that what it said still counts when it can't be asked.
pub trait KeepKeys: Sync {
    /// What is kept.
    fn kept_keys(&self) -> impl Future<Output = Result<KeptKeys>> + Send;

    /// Notes that the list is asked for now. `false`, and nothing is noted, if it was asked for after
    /// `since`.
    fn note_asking(
        &self,
        now: Timestamp,
        since: Timestamp,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Keeps a list, unless one is kept that was fetched later.
    fn keep_keys(&self, list: &str, fetched: Timestamp) -> impl Future<Output = Result<()>> + Send;
}

/// A compromise of a secret.
#[derive(Debug)]
pub enum Compromise {
    /// Of one of a token's secrets: the change that it brings about.
    OfToken(Box<TokenChange>),
    /// Of one that has ended already, as it was read: when and by what it is compromised, and the record of
    /// that.
    OfTombstone(Box<SecretRecord>, Ended, Box<AuditRecord>),
}

impl Compromise {
    /// The record of it.
    pub fn into_audit(self) -> AuditRecord {
        match self {
            Self::OfToken(change) => change.audit,
            Self::OfTombstone(_, _, audit) => *audit,
        }
    }
}

/// Marks secrets as compromised, for ever.
pub trait CompromiseSecret: Sync {
    /// Writes secret, token and audit record, or nothing. [`PortError::Conflict`] if secret or token are no
    /// more as they were read.
    fn compromise_secret(&self, compromise: &Compromise)
    -> impl Future<Output = Result<()>> + Send;
}

/// Deletes tokens.
pub trait DeleteToken: Sync {
    /// Deletes a token with every secret and writes the audit record, or nothing.
    /// [`PortError::Conflict`] if the token is no more as it was read.
    fn delete_token(
        &self,
        deleted: &StoredToken,
        audit: &AuditRecord,
    ) -> impl Future<Output = Result<()>> + Send;
}

/// Finds the tokens, of all accounts, that will end soon.
pub trait ListEnding: Sync {
    /// A page of the active tokens that end after `now` and not after `until`. They may be shown as
    /// they were a moment ago.
    fn list_ending(
        &self,
        now: Timestamp,
        until: Timestamp,
        position: Option<Position>,
    ) -> impl Future<Output = Result<Page<Ending, Position>>> + Send;

    /// The token as it is, with the last warning that was given; `None` if there is none or it is
    /// purged at `now`.
    fn get_ending(
        &self,
        account: &AccountId,
        id: &TokenId,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<(Token, Option<Reminded>)>>> + Send;
}

/// A warning of a token's end.
#[derive(Debug)]
pub struct Reminder {
    /// The warning.
    pub reminded: Reminded,
    /// Its record, which names the token.
    pub audit: AuditRecord,
}

/// Records warnings.
pub trait RecordReminder: Sync {
    /// Writes that the warning was given, and its record, or nothing. [`PortError::Conflict`] if the
    /// token isn't active any more, ends at another time, or had this or a later warning already.
    fn record_reminder(&self, reminder: &Reminder) -> impl Future<Output = Result<()>> + Send;
}

/// Ends tokens that nobody uses.
pub trait EndIdle: Sync {
    /// A page of the active tokens, of all accounts, to which nothing has happened after `since`. They
    /// may be shown as they were a moment ago.
    fn list_idle(
        &self,
        since: Timestamp,
        position: Option<Position>,
    ) -> impl Future<Output = Result<Page<(AccountId, TokenId), Position>>> + Send;

    /// Writes a change as [`ChangeToken`] does, provided that none of its secrets was used after `since`.
    fn change_idle(
        &self,
        change: &TokenChange,
        since: Timestamp,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Notes on a token that it was used lately, so that it isn't among the idle ones until that is long
    /// ago. Nothing is noted if the token has changed meanwhile.
    fn note_activity(&self, used: &StoredToken) -> impl Future<Output = Result<()>> + Send;
}

/// Records what happened without anybody's request.
pub trait RecordAudit: Sync {
    /// Writes the record. A record of the same id is left as it is: the same thing was told again.
    fn record_audit(&self, audit: &AuditRecord) -> impl Future<Output = Result<()>> + Send;
}

/// Records a viewing.
pub trait RecordView: Sync {
    /// Writes the audit record, provided that the token still is as it was read.
    fn record_view(
        &self,
        viewed: &StoredToken,
        audit: &AuditRecord,
    ) -> impl Future<Output = Result<()>> + Send;
}

/// Lists audit records.
pub trait ListAudit: Sync {
    /// A page of an account's records, newest first.
    fn list_audit(
        &self,
        account: &AccountId,
        query: &AuditQuery,
    ) -> impl Future<Output = Result<Page<AuditRecord, super::id::AuditId>>> + Send;
}

/// Finds what a verification needs.
pub trait GetSecret: Sync {
    /// The record of a secret, by one strongly consistent read.
    fn get_secret(
        &self,
        hash: &SecretHash,
    ) -> impl Future<Output = Result<Option<SecretRecord>>> + Send;
}

/// What is known of the uses of a secret.
#[derive(Debug)]
pub enum Recall {
    /// The use that was asked about is on record.
    OnRecord,
    /// It is, but the secret was read a while ago. Only a grant may rest on it: whoever would refuse recalls
    /// again, and what comes then is read.
    Kept,
    /// What is on record.
    Read(Seen),
}

/// Finds what a verification needs, and what is on record of the secret's uses.
pub trait RecallSecret: Sync {
    /// The record of a secret and what is known of its uses, by one strongly consistent read.
    fn recall_secret(
        &self,
        hash: &SecretHash,
        from: UsedFrom,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<(SecretRecord, Recall)>>> + Send;

    /// What is on record of a secret's uses.
    fn get_seen(&self, hash: &SecretHash) -> impl Future<Output = Result<Seen>> + Send;
}

/// A use or a refusal of a secret that is worth a record.
#[derive(Debug)]
pub struct Use {
    /// The secret.
    pub secret: SecretHash,
    /// What it adds to what is on record.
    pub sighting: Sighting,
    /// The secret's last use, if it is one.
    pub last_use: Option<LastUse>,
    /// The record of it.
    pub audit: AuditRecord,
}

/// Records uses and refusals.
pub trait RecordUse: Sync {
    /// Writes what is remembered and the audit record, or nothing. [`PortError::Conflict`] if that is on
    /// record by now, or others are at it at the same time: it is to be read again.
    fn record_use(&self, used: &Use) -> impl Future<Output = Result<()>> + Send;
}

/// Encrypts secrets.
pub trait EncryptSecret: Sync {
    /// The secret, encrypted for this token of this account only.
    fn encrypt_secret(
        &self,
        account: &AccountId,
        token: &TokenId,
        secret: &PlainSecret,
    ) -> impl Future<Output = Result<Ciphertext>> + Send;
}

/// Decrypts secrets.
pub trait DecryptSecret: Sync {
    /// The secret that was encrypted for this token of this account.
    fn decrypt_secret(
        &self,
        account: &AccountId,
        token: &TokenId,
        ciphertext: &Ciphertext,
    ) -> impl Future<Output = Result<PlainSecret>> + Send;
}

/// Projects the platform's accounts, members and resources. Every state is versioned by its event's
/// time: an older event never overwrites a newer state, and is dropped with a warning in the log. A state
/// from a future that isn't believed counts as older.
pub trait ProjectPlatform: Sync {
    /// Stores an account and the memberships of its members.
    fn put_account(
        &self,
        account: &Account,
        event_time: impl Into<EventTime> + Send,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Marks an account as deleted: from then on no route knows it. Answers whether the event was news.
    fn delete_account(
        &self,
        account: &AccountId,
        event_time: impl Into<EventTime> + Send,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Stores a resource.
    fn put_resource(
        &self,
        resource: &Resource,
        event_time: impl Into<EventTime> + Send,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Forgets a resource.
    fn delete_resource(
        &self,
        account: &AccountId,
        name: &ResourceRef,
        event_time: impl Into<EventTime> + Send,
    ) -> impl Future<Output = Result<()>> + Send;
}

/// A mail ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The account that it is about: what becomes of the mail is told with it.
    pub account: AccountId,
    /// The recipient's address.
    pub to: String,
    /// The subject.
    pub subject: String,
    /// The text version.
    pub text: String,
    /// The HTML version.
    pub html: String,
}

/// What became of a mail that was handed to the mail service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handover {
    /// The service took it.
    Taken,
    /// The service takes no mail to this address, now or later, for this reason.
    NoAddress(String),
    /// No answer came: the service may have taken it.
    Unanswered(String),
}

/// Sends mail.
pub trait SendMail: Sync {
    /// Hands a mail to the mail service. After an error the service hasn't taken it.
    fn send_mail(&self, mail: &Mail) -> impl Future<Output = Result<Handover>> + Send;
}

/// Whether a notification has to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It has, by whoever got this answer.
    Granted,
    /// It was sent already.
    Sent,
    /// Somebody else is sending it right now.
    Held,
}

/// Sees to it that a retry doesn't mail twice.
pub trait ClaimMail: Sync {
    /// Claims the sending of a record's mail to a recipient.
    fn claim_mail(
        &self,
        audit: &str,
        recipient: &UserId,
        now: Timestamp,
    ) -> impl Future<Output = Result<Claim>> + Send;

    /// Marks a claimed mail as sent.
    fn confirm_mail(
        &self,
        audit: &str,
        recipient: &UserId,
        now: Timestamp,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Gives a claim back after the sending failed.
    fn release_mail(
        &self,
        audit: &str,
        recipient: &UserId,
    ) -> impl Future<Output = Result<()>> + Send;
}

/// Keeps what mails would tell that are over their recipient's budget.
pub trait HoldMail: Sync {
    /// Puts a record into a digest. The same record is in it once, however often it is put there.
    fn hold_mail(
        &self,
        digest: &Digest,
        held: &HeldMail,
        now: Timestamp,
    ) -> impl Future<Output = Result<()>> + Send;
}

/// Finds the digests that are to be sent.
pub trait ListDigests: Sync {
    /// Those that are to be sent, of hours up to that one.
    fn list_digests(
        &self,
        last_hour: Timestamp,
    ) -> impl Future<Output = Result<Vec<Digest>>> + Send;

    /// All that a digest tells, in the order of the records.
    fn held_mails(&self, digest: &Digest) -> impl Future<Output = Result<Vec<HeldMail>>> + Send;

    /// Takes a digest off the list.
    fn forget_digest(&self, digest: &Digest) -> impl Future<Output = Result<()>> + Send;
}

/// Marks addresses to which no mail is to be sent.
pub trait MarkAddress: Sync {
    /// Marks an address. Answers since when it is marked: whoever marks it again gets the same answer.
    fn mark_address(
        &self,
        address: &str,
        why: Undeliverable,
        now: Timestamp,
    ) -> impl Future<Output = Result<Timestamp>> + Send;
}

/// Knows the addresses to which no mail is to be sent.
pub trait GetAddressMark: Sync {
    /// The mark of an address, if it has one.
    fn address_mark(
        &self,
        address: &str,
    ) -> impl Future<Output = Result<Option<AddressMark>>> + Send;
}
