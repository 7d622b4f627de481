//! The audit log.

use super::error::Result;
use crate::domain::audit::AuditRecord;
use crate::domain::id::{AccountId, AuditId};
use crate::domain::paging::{AuditQuery, Page};

/// Records what happened without anybody's request.
pub trait RecordAudit: Sync {
    /// Writes the record. A record of the same id is left as it is: the same thing was told again.
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
