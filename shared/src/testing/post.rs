use std::sync::{Arc, Mutex};

use crate::domain::ports::{Mail, PortError, SendMail};

/// A mail service that keeps what it sent and refuses some addresses. Its clones are one and the same.
#[derive(Debug, Clone, Default)]
pub struct Post {
    sent: Arc<Mutex<Vec<Mail>>>,
    refuses: Arc<Mutex<Option<&'static str>>>,
}

impl Post {
    /// One that refuses an address.
    pub fn refusing(address: &'static str) -> Self {
        let post = Self::default();
        post.refuse(address);
        post
    }

    /// From now on it refuses this address, and no other.
    pub fn refuse(&self, address: &'static str) {
        *self.refuses.lock().unwrap() = Some(address);
    }

    /// From now on it refuses none.
    pub fn recover(&self) {
        *self.refuses.lock().unwrap() = None;
    }

    /// The mails since this was last asked.
    pub fn take(&self) -> Vec<Mail> {
        std::mem::take(&mut self.sent.lock().unwrap())
    }

    /// Their recipients.
    pub fn recipients(&self) -> Vec<String> {
        self.take().into_iter().map(|mail| mail.to).collect()
    }
}

impl SendMail for Post {
    async fn send_mail(&self, mail: &Mail) -> Result<(), PortError> {
        if *self.refuses.lock().unwrap() == Some(mail.to.as_str()) {
            return Err(PortError::Unavailable("throttled".into()));
        }
        self.sent.lock().unwrap().push(mail.clone());
        Ok(())
    }
}
