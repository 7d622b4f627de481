//! The mails about what happens to tokens.

mod bounce;
mod changes;
mod digest;
mod frame;
mod mailer;
mod notification;
mod notify;
mod phrase;
mod value;
mod words;

pub use frame::Console;
pub use mailer::{ACCOUNT_TAG, Mailer};
pub use notify::Notifier;

#[cfg(test)]
mod tests;
