//! The audit log.

use super::error::Result;
use crate::domain::audit::AuditRecord;
use crate::domain::id::{AccountId, AuditId};
use crate::domain::paging::{AuditQuery, Page};

/// Records events that no request caused.
pub trait RecordAudit: Sync {
    /// Writes the record. If there is a record with the same id, the event was delivered again and nothing changes.
    fn record_audit(&self, audit: &AuditRecord) -> impl Future<Output = Result<()>> + Send;
}

/// Lists audit records.
pub trait ListAudit: Sync {
    /// A page of an account's records, newest first.
    fn list_audit(
        &self,
        account: &AccountId,
        query: &AuditQuery,
    ) -> impl Future<Output = Result<Page<AuditRecord, AuditId>>> + Send;
}
