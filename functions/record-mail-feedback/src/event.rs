//! SES's events about mails, as EventBridge delivers them.

use std::collections::HashMap;

use latchkey::domain::id::AccountId;
use latchkey::domain::mailing::SuppressionReason;
use latchkey::domain::text::recorded;
use latchkey::mail::ACCOUNT_TAG;
use latchkey::telemetry::request::Subject;
use serde::Deserialize;

/// The longest id of a mail in a log, in characters. SES's have about 60.
const MAX_ID: usize = 128;

/// An event about one mail.
#[derive(Debug, Deserialize)]
pub struct Feedback {
    /// EventBridge's id of the event.
    id: Option<String>,
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
    /// Returns what the log's line says of the event.
    pub fn subject(&self) -> Subject {
        Subject {
            request_id: self.id.clone(),
            account_id: self.account(),
        }
    }

    /// Returns SES's id of the mail, as logs have it.
    pub(crate) fn message_id(&self) -> String {
        recorded(&self.detail.mail.message_id, MAX_ID)
    }

    /// Returns why no more mails may be sent to the recipient; `None` if they may.
    pub(crate) fn undeliverable(&self) -> Option<SuppressionReason> {
        let bounce = self.detail.bounce.as_ref();
        if bounce.is_some_and(|bounce| bounce.bounce_type == "Permanent") {
            return Some(SuppressionReason::Bounced);
        }
        let complaint = self.detail.complaint.as_ref()?;
        // The recipient has told the provider that the mail wasn't spam.
        let mistake = complaint.complaint_feedback_type.as_deref() == Some("not-spam");
        (!mistake).then_some(SuppressionReason::Complained)
    }

    /// Returns the addresses to which the mail was sent; each mail has one recipient. SES also names other addresses
    /// in events. They may be forwarding targets, or recipients that only may have complained.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &str> {
        self.detail.mail.destination.iter().map(String::as_str)
    }

    /// Returns the account that the mail was about, from the mail's tags.
    pub(crate) fn account(&self) -> Option<AccountId> {
        let tag = self.detail.mail.tags.get(ACCOUNT_TAG)?;
        tag.first()?.parse().ok()
    }
}
