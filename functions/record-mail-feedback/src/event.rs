//! What SES publishes of a mail through EventBridge.

use std::collections::HashMap;

use latchkey::domain::id::AccountId;
use latchkey::domain::mailing::SuppressionReason;
use latchkey::mail::ACCOUNT_TAG;
use serde::Deserialize;

/// An event of the configuration set.
#[derive(Debug, Deserialize)]
pub struct Feedback {
    detail: Detail,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    mail: Mail,
    bounce: Option<Bounce>,
    complaint: Option<Complaint>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mail {
    message_id: String,
    destination: Vec<String>,
    #[serde(default)]
    tags: HashMap<String, Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bounce {
    bounce_type: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Complaint {
    complaint_feedback_type: Option<String>,
}

impl Feedback {
    /// SES's id of the mail.
    pub(crate) fn message_id(&self) -> &str {
        &self.detail.mail.message_id
    }

    /// Why no more mails are to be sent there; `None` if they may be.
    pub(crate) fn undeliverable(&self) -> Option<SuppressionReason> {
        let bounce = self.detail.bounce.as_ref();
        if bounce.is_some_and(|bounce| bounce.bounce_type == "Permanent") {
            return Some(SuppressionReason::Bounced);
        }
        let complaint = self.detail.complaint.as_ref()?;
        // The recipient has told his provider that it was a mistake to take the mail for spam.
        let mistake = complaint.complaint_feedback_type.as_deref() == Some("not-spam");
        (!mistake).then_some(SuppressionReason::Complained)
    }

    /// To whom the mail was sent: a single recipient. What SES names beside it may be an address to which the
    /// recipient forwards, or only one that may have complained.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &str> {
        self.detail.mail.destination.iter().map(String::as_str)
    }

    /// The account that the mail was about.
    pub(crate) fn account(&self) -> Option<AccountId> {
        let tag = self.detail.mail.tags.get(ACCOUNT_TAG)?;
        tag.first()?.parse().ok()
    }
}
