use std::sync::{Arc, Mutex};

use crate::ports::{Mail, PortError, SendMail, SendOutcome};

/// A mail service that keeps what it sent and refuses some addresses. Its clones are one and the same.
#[derive(Debug, Clone, Default)]
pub struct Post {
    sent: Arc<Mutex<Vec<Mail>>>,
    refuses: Arc<Mutex<Option<Refused>>>,
}

type Answer = Result<SendOutcome, PortError>;

/// An address, and what is answered to a mail to it.
type Refused = (&'static str, fn() -> Answer);

impl Post {
    /// One that refuses an address.
    pub fn refusing(address: &'static str) -> Self {
        let post = Self::default();
        post.refuse(address);
        post
    }

    /// From now on it refuses this address for a while, and no other.
    pub fn refuse(&self, address: &'static str) {
        self.answer(address, || Err(PortError::Unavailable("throttled".into())));
    }

    /// From now on it sends nothing to this address and answers that instead.
    pub fn answer(&self, address: &'static str, answer: fn() -> Answer) {
        *self.refuses.lock().unwrap() = Some((address, answer));
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
    async fn send_mail(&self, mail: &Mail) -> Answer {
        if let Some((address, answer)) = &*self.refuses.lock().unwrap()
            && *address == mail.to
        {
            return answer();
        }
        self.sent.lock().unwrap().push(mail.clone());
        Ok(SendOutcome::Accepted)
    }
}
