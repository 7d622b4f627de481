//! The security headers of pages.

use lambda_http::Response;
use lambda_http::http::header::{
    CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use lambda_http::http::response::Builder;
use lambda_http::http::{HeaderName, HeaderValue};

/// Returns the content security policy. It allows scripts, styles and images only from the page's own origin, no
/// inline scripts, no evaluation of text as code, and requests only to the API and to `origins`, separated by spaces.
pub fn policy(origins: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
         connect-src 'self' {origins}; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
}

/// Starts a response with the security headers.
pub fn secured(policy: &HeaderValue) -> Builder {
    Response::builder()
        .header(CONTENT_SECURITY_POLICY, policy)
        .header(STRICT_TRANSPORT_SECURITY, "max-age=63072000")
        .header(X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header(X_FRAME_OPTIONS, "DENY")
        .header(REFERRER_POLICY, "no-referrer")
        .header(name("cross-origin-opener-policy"), "same-origin")
        .header(name("cross-origin-resource-policy"), "same-origin")
        .header(
            name("permissions-policy"),
            "camera=(), clipboard-write=(self), geolocation=(), microphone=(), payment=(), usb=()",
        )
}

const fn name(name: &'static str) -> HeaderName {
    HeaderName::from_static(name)
}
