//! The requests to services whose operations are methods and paths, or names in a form. See `calls`.

use end_to_end::Attempt;
use reqwest::Method;
use serde_json::json;

use crate::calls::Call;
use crate::stack::Resources;

fn rest(action: &str, resource: &str, method: Method, path: &str, body: &str) -> Call {
    let service = action.split(':').next().expect("a service");
    Call {
        action: action.into(),
        resource: resource.into(),
        how: path.into(),
        attempt: Attempt::rest(method, service, path, body),
    }
}

/// The requests on a bucket.
pub(crate) fn bucket(resources: &Resources, bucket: &str) -> Vec<Call> {
    let (whole, one) = (bucket.to_owned(), format!("{bucket}/neighbour"));
    let (whole, one) = (resources.arn("s3", &whole), resources.arn("s3", &one));
    let mut calls = Vec::new();
    let (get, put, post, delete) = (Method::GET, Method::PUT, Method::POST, Method::DELETE);
    for (action, method, query) in [
        ("ListBucket", &get, ""),
        ("ListBucketVersions", &get, "?versions="),
        ("GetBucketPolicy", &get, "?policy="),
        ("PutBucketPolicy", &put, "?policy="),
        ("DeleteBucketPolicy", &delete, "?policy="),
        ("PutLifecycleConfiguration", &put, "?lifecycle="),
        ("DeleteBucket", &delete, ""),
    ] {
        let path = format!("/{bucket}{query}");
        calls.push(rest(
            &format!("s3:{action}"),
            &whole,
            method.clone(),
            &path,
            "",
        ));
    }
    for (action, method, query) in [
        ("GetObject", &get, ""),
        ("GetObjectVersion", &get, "?versionId=none"),
        ("GetObjectAcl", &get, "?acl="),
        ("PutObjectAcl", &put, "?acl="),
        ("PutObjectTagging", &put, "?tagging="),
        // The upload doesn't exist.
        ("PutObject", &put, "?partNumber=1&uploadId=none"),
        ("PutObject", &post, "?uploadId=none"),
        ("AbortMultipartUpload", &delete, "?uploadId=none"),
        ("DeleteObject", &delete, ""),
        ("DeleteObjectVersion", &delete, "?versionId=none"),
    ] {
        let path = format!("/{bucket}/neighbour{query}");
        calls.push(rest(
            &format!("s3:{action}"),
            &one,
            method.clone(),
            &path,
            "",
        ));
    }
    calls
}

/// The requests on a function.
pub(crate) fn function(resources: &Resources, name: &str) -> Vec<Call> {
    let arn = resources.arn("lambda", &format!("function:{name}"));
    let path = format!("/2015-03-31/functions/{name}");
    let (get, put, post) = (Method::GET, Method::PUT, Method::POST);
    let mut calls = Vec::new();
    for (action, method, part) in [
        ("InvokeFunction", &post, "/invocations"),
        ("GetFunction", &get, ""),
        ("UpdateFunctionCode", &put, "/code"),
        ("UpdateFunctionConfiguration", &put, "/configuration"),
        ("AddPermission", &post, "/policy"),
        ("PutFunctionConcurrency", &put, "/concurrency"),
        ("DeleteFunction", &Method::DELETE, ""),
    ] {
        let action = format!("lambda:{action}");
        calls.push(rest(
            &action,
            &arn,
            method.clone(),
            &format!("{path}{part}"),
            "",
        ));
    }
    calls
}

/// A call of a function's alias, with an event that no function knows.
pub(crate) fn alias(resources: &Resources, alias: &str) -> Call {
    let arn = resources.arn("lambda", &format!("function:{alias}"));
    let path = format!("/2015-03-31/functions/{alias}/invocations");
    rest("lambda:InvokeFunction", &arn, Method::POST, &path, "")
}

/// The requests on a role.
pub(crate) fn role(resources: &Resources, name: &str) -> Vec<Call> {
    let arn = resources.arn("iam", &format!("role/{name}"));
    let mut calls = Vec::new();
    for action in [
        "GetRole",
        "GetRolePolicy",
        "ListRolePolicies",
        "PutRolePolicy",
        "DeleteRolePolicy",
        "AttachRolePolicy",
        "UpdateAssumeRolePolicy",
        "DeleteRole",
    ] {
        let attempt = Attempt::query("iam", "2010-05-08", action, &[("RoleName", name)]);
        calls.push(Call {
            action: format!("iam:{action}"),
            resource: arn.clone(),
            how: action.into(),
            attempt,
        });
    }
    let parameters = [("RoleArn", &*arn), ("RoleSessionName", "neighbour")];
    calls.push(Call {
        action: "sts:AssumeRole".into(),
        resource: arn.clone(),
        how: "AssumeRole".into(),
        attempt: Attempt::query("sts", "2011-06-15", "AssumeRole", &parameters),
    });
    calls
}

/// The requests to SES, with mails of which the content is missing.
pub(crate) fn mail(from: &str) -> Vec<Call> {
    let body =
        json!({"FromEmailAddress": from, "Destination": {"ToAddresses": ["any@another.example"]}});
    let body = body.to_string();
    let (post, put) = (Method::POST, Method::PUT);
    let mut calls = Vec::new();
    for (action, method, path) in [
        ("SendEmail", &post, "outbound-emails"),
        ("SendBulkEmail", &post, "outbound-bulk-emails"),
        ("CreateEmailIdentity", &post, "identities"),
        ("ListEmailIdentities", &Method::GET, "identities"),
        ("GetAccount", &Method::GET, "account"),
        ("PutAccountDetails", &post, "account/details"),
        ("PutSuppressedDestination", &put, "suppression/addresses"),
        ("CreateConfigurationSet", &post, "configuration-sets"),
    ] {
        let path = format!("/v2/email/{path}");
        calls.push(rest(
            &format!("ses:{action}"),
            "*",
            method.clone(),
            &path,
            &body,
        ));
    }
    for action in ["SendRawEmail", "SendTemplatedEmail", "VerifyEmailIdentity"] {
        calls.push(Call {
            action: format!("ses:{action}"),
            resource: "*".into(),
            how: action.into(),
            attempt: Attempt::query("ses", "2010-12-01", action, &[("Source", "any")]),
        });
    }
    calls
}
