//! The mails about what happens to tokens.

mod bounce;
mod digest;
mod mailer;
mod notification;
mod notify;
mod value;
mod words;

pub use mailer::{ACCOUNT_TAG, Mailer};
pub use notification::{Console, compose};
pub use notify::Notifier;

#[cfg(test)]
mod tests;
