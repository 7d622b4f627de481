//! Serves the API tokens page: the HTML, its files, and its configuration. The function holds no data and no
//! secrets. The browser fetches the data from the API, with the signed-in person's access token.

mod assets;
pub mod config;

use assets::File;
use config::Config;
use lambda_http::http::HeaderValue;
use lambda_http::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use lambda_http::http::response::Builder;
use lambda_http::{Body, Error, Request, RequestExt, Response};
use latchkey::http::security::{policy, secured};
use latchkey::http::{ApiError, media};

/// The browser asks at each use whether the file has changed, and downloads it only then.
const REVALIDATE: &str = "no-cache";
/// The browser never asks again, because the address contains the version.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// The files to serve, and the page's security policy.
#[derive(Debug)]
pub struct Site {
    version: String,
    page: File,
    config: File,
    files: Vec<File>,
    policy: HeaderValue,
}

impl Site {
    /// Creates the site with its configuration.
    ///
    /// # Errors
    /// When an address of the configuration isn't an absolute HTTP URL or can't be part of a content security policy,
    /// or a file can't be compressed.
    pub fn new(config: &Config) -> Result<Self, Error> {
        let version = assets::version();
        let policy = policy(&config.origins()?).parse()?;
        let config = serde_json::to_string(config)?;
        Ok(Self {
            page: assets::page(&version)?,
            config: File::new("config.json", "application/json", config)?,
            files: assets::files()?,
            policy,
            version,
        })
    }

    fn file(&self, version: &str, name: &str) -> Option<&File> {
        let current = version == self.version;
        self.files.iter().find(|file| current && file.name == name)
    }
}

/// Returns the page, its configuration or one of its files, whichever the path names. Compresses it with gzip
/// if the browser accepts that. Returns 304 if the browser has the current version, and 404 for a file of another
/// version.
///
/// # Errors
/// [`latchkey::http::ErrorCode::Internal`] when the response can't be built, which is a defect.
pub fn handle(site: &Site, request: &Request) -> Result<Response<Body>, ApiError> {
    let path = request.path_parameters_ref();
    let asset = path.and_then(|path| path.first("version").zip(path.first("file")));
    if let Some((version, name)) = asset {
        return match site.file(version, name) {
            Some(file) => respond(site, request, file, IMMUTABLE),
            None => not_found(site),
        };
    }
    if request.raw_http_path().ends_with("/config.json") {
        return respond(site, request, &site.config, REVALIDATE);
    }
    respond(site, request, &site.page, REVALIDATE)
}

fn respond(
    site: &Site,
    request: &Request,
    file: &File,
    caching: &str,
) -> Result<Response<Body>, ApiError> {
    let gzip = media::accepts_coding(request, "gzip");
    let form = if gzip { "gzip" } else { "plain" };
    let tag = format!("\"{}-{form}\"", file.digest);
    let response = secured(&site.policy)
        .header(CACHE_CONTROL, caching)
        .header(VARY, "accept-encoding")
        .header(ETAG, &tag);
    let known = request.headers().get(IF_NONE_MATCH);
    if known.is_some_and(|tags| tags.as_bytes() == tag.as_bytes()) {
        return build(response.status(304), Body::Empty);
    }
    let response = response.header(CONTENT_TYPE, file.content_type);
    if gzip {
        let response = response.header(CONTENT_ENCODING, "gzip");
        return build(response, Body::Binary(file.gzip.clone()));
    }
    build(response, Body::Text(file.plain.clone()))
}

fn not_found(site: &Site) -> Result<Response<Body>, ApiError> {
    let response = secured(&site.policy)
        .status(404)
        .header(CACHE_CONTROL, "no-store")
        .header(CONTENT_TYPE, "text/plain; charset=utf-8");
    build(
        response,
        Body::from("There is no such file. Reload the page."),
    )
}

fn build(response: Builder, body: Body) -> Result<Response<Body>, ApiError> {
    response.body(body).map_err(ApiError::internal)
}

#[cfg(test)]
mod tests;
