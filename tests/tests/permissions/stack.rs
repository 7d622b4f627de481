//! The deployed stack's resources, by type.

use end_to_end::Stack;
use serde_json::{Value, json};

use crate::roles::texts;

/// Everything that a role may be tried with.
#[derive(Debug)]
pub(crate) struct Resources {
    /// The types, each with the name by which requests name the resource.
    all: Vec<(String, String)>,
    /// The part of ARNs with region and account.
    place: String,
    /// The streams of the tables.
    pub(crate) streams: Vec<String>,
    /// The indexes of the tables, each with its table's name.
    pub(crate) indexes: Vec<(String, String)>,
}

impl Resources {
    pub(crate) async fn of(stack: &Stack) -> Self {
        let mut all = Vec::new();
        let mut next = String::new();
        loop {
            let mut parameters = vec![("StackName", "latchkey")];
            if !next.is_empty() {
                parameters.push(("NextToken", &next));
            }
            let answer = stack.query(
                "cloudformation",
                "2010-05-15",
                "ListStackResources",
                &parameters,
            );
            let page = answer.await;
            for member in page.split("<member>").skip(1) {
                let part = |element: &str| texts(member, element)[0].to_owned();
                all.push((part("ResourceType"), part("PhysicalResourceId")));
            }
            match texts(&page, "NextToken").first() {
                Some(token) => next = (*token).to_owned(),
                None => break,
            }
        }
        let mut resources = Self {
            all,
            place: String::new(),
            streams: vec![],
            indexes: vec![],
        };
        for table in resources.names("AWS::DynamoDB::Table") {
            let described = describe(stack, &table).await;
            let table_arn = described["TableArn"].as_str().expect("an ARN");
            let mut parts = table_arn.split(':').skip(3);
            let (region, account) = (parts.next(), parts.next());
            resources.place = format!("{}:{}", region.expect("a region"), account.expect("one"));
            let stream = described["LatestStreamArn"].as_str();
            resources.streams.push(stream.expect("a stream").to_owned());
            let indexes = described["GlobalSecondaryIndexes"].as_array();
            for index in indexes.into_iter().flatten() {
                let name = index["IndexName"].as_str().expect("a name");
                resources.indexes.push((table.clone(), name.to_owned()));
            }
        }
        resources
    }

    /// The names of the resources of a type.
    pub(crate) fn names(&self, kind: &str) -> Vec<String> {
        let these = self.all.iter().filter(|(of, _)| of == kind);
        these.map(|(_, name)| name.clone()).collect()
    }

    /// The ARN of a resource in a service: `table/name` in `dynamodb`.
    pub(crate) fn arn(&self, service: &str, resource: &str) -> String {
        match service {
            "s3" => format!("arn:aws:s3:::{resource}"),
            "iam" => {
                let (_, account) = self.place.split_once(':').expect("a place");
                format!("arn:aws:iam::{account}:{resource}")
            }
            _ => format!("arn:aws:{service}:{}:{resource}", self.place),
        }
    }

    /// The ARN of a queue, of which the URL is given.
    pub(crate) fn queue(&self, url: &str) -> String {
        self.arn("sqs", url.rsplit('/').next().expect("a name"))
    }

    /// The first of these names that isn't the given one.
    pub(crate) fn another(&self, kind: &str, than: &str) -> String {
        let mut names = self.names(kind).into_iter();
        names.find(|name| name != than).expect("another one")
    }
}

async fn describe(stack: &Stack, table: &str) -> Value {
    let request = json!({"TableName": table});
    let target = "DynamoDB_20120810.DescribeTable";
    stack.aws("dynamodb", target, request).await["Table"].clone()
}
