"""Requests to the local cloud while it starts.

Runs under the Python of the MiniStack tool, which has boto3. cloud.py starts it with the endpoint and the
credentials in the environment.

    stack.py deployment               print the digest of what is deployed
    stack.py record-deployment DIGEST
    stack.py output STACK KEY         print one output of a stack
    stack.py seed FILE                fill the deployed stacks with the demo data, write the stack's description to FILE
    stack.py proxy URL | unproxy      send every function's invocations to URL/<crate>/invocations, or to itself again
    stack.py environment FILE         write the functions' environment variables to FILE
"""

import json
import os
import re
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

LATCHKEY, EXAMPLE, REST_EXAMPLE = "latchkey", "protected-api", "protected-rest-api"
DEPLOYMENT = "/latchkey/deployment"
PROXY = "MINISTACK_LAMBDA_PROXY_URL"
# The variable that keeps a function's own timeout during hot reload, while calls may wait for a build.
TIMEOUT = "LATCHKEY_TIMEOUT"
BUILD_SECONDS = 120
# What callers call. It is at a version, and during hot reload at what the function is now.
ALIAS = "live"
SCANNER_KEYS = "leak-report-keys"
# The parameter with the keys of the demo's tokens that exist, or did.
DEMO_TOKENS = "/latchkey/demo-tokens"
SEED = json.loads((Path(__file__).parent / "seed.json").read_text(encoding="utf-8"))


def client(service):
    # The tests' client makes the same number of attempts.
    return boto3.client(service, config=Config(retries={"mode": "standard", "total_max_attempts": 4}))


def outputs(stack):
    description = client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in description.get("Outputs", [])}


def deployment():
    """Return the digest of the deployment. It is stored in the cloud itself, so it is lost with the cloud's data."""
    ssm = client("ssm")
    try:
        return ssm.get_parameter(Name=DEPLOYMENT)["Parameter"]["Value"]
    except ssm.exceptions.ParameterNotFound:
        return ""


def record_deployment(digest):
    client("ssm").put_parameter(Name=DEPLOYMENT, Value=digest, Type="String", Overwrite=True)


def functions():
    """Yield the crate and the name of every function."""
    for stack in (LATCHKEY, EXAMPLE):
        for page in client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack):
            for resource in page["StackResourceSummaries"]:
                if resource["ResourceType"] == "AWS::Lambda::Function":
                    logical = resource["LogicalResourceId"].removesuffix("Function")
                    yield re.sub(r"(?<!^)(?=[A-Z])", "-", logical).lower(), resource["PhysicalResourceId"]


# ---- Seed -------------------------------------------------------------------------------------------


def ensure_users(pool):
    """Create the members' users; return e-mail address -> user id (`sub`)."""
    cognito = client("cognito-idp")
    subs = {}
    for page in cognito.get_paginator("list_users").paginate(UserPoolId=pool):
        for user in page["Users"]:
            attributes = {a["Name"]: a["Value"] for a in user["Attributes"]}
            subs[attributes["email"]] = attributes["sub"]
    for account in SEED["accounts"]:
        for member in account["members"]:
            email = member["email"]
            if email in subs:
                continue
            user = cognito.admin_create_user(
                UserPoolId=pool,
                Username=email,
                MessageAction="SUPPRESS",
                UserAttributes=[{"Name": "email", "Value": email}, {"Name": "email_verified", "Value": "true"}],
            )["User"]
            cognito.admin_set_user_password(
                UserPoolId=pool, Username=email, Password=SEED["password"], Permanent=True
            )
            subs[email] = {a["Name"]: a["Value"] for a in user["Attributes"]}["sub"]
    return subs


def publish(bus, events):
    """Publish (detail type, detail) pairs as the platform does."""
    for start in range(0, len(events), 10):
        answer = client("events").put_events(
            Entries=[
                {
                    "EventBusName": bus,
                    "Source": "platform",
                    "DetailType": detail_type,
                    "Detail": json.dumps(detail),
                    "Time": datetime.now(timezone.utc),
                }
                for detail_type, detail in events[start : start + 10]
            ]
        )
        if answer["FailedEntryCount"]:
            sys.exit(f"the event bus refused events: {json.dumps(answer['Entries'])}")


def sort_keys(table, *partitions):
    """Return the sort keys of the items in these partitions."""
    dynamodb = client("dynamodb")
    keys = set()
    for partition in partitions:
        for page in dynamodb.get_paginator("query").paginate(
            TableName=table,
            ConsistentRead=True,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": partition}},
            ProjectionExpression="sk",
        ):
            keys.update(item["sk"]["S"] for item in page["Items"])
    return keys


def projected(table, account):
    """Return the sort keys of the account's profile, resources and Integration Apps in the tokens table."""
    return sort_keys(table, f"PROFILE#{account}", f"RESOURCE#{account}")


def await_projection(table, wanted):
    """Wait until each account has these sort keys. Events are processed asynchronously."""
    deadline = time.monotonic() + 60
    while True:
        missing = {account: keys - projected(table, account) for account, keys in wanted.items()}
        missing = {account: keys for account, keys in missing.items() if keys}
        if not missing:
            return
        if time.monotonic() > deadline:
            account, keys = next(iter(missing.items()))
            sys.exit(
                f"account {account} still lacks {', '.join(sorted(keys))} a minute after its events were published; "
                "what sync-platform said is in the local cloud's log"
            )
        time.sleep(0.1)


def profile(account, subs):
    return {
        **{key: account[key] for key in ("id", "name", "plan", "apiManagement")},
        "members": [{"id": subs[member["email"]], **member} for member in account["members"]],
    }


def resources(account):
    """Return the account's resources: those of the list, and those of its systems.

    Each system has a connection, an API, and an export and an import for each kind of object.
    """
    made = []
    for system in account.get("systems", []):
        rest = {key: value for key, value in system.items() if key == "integrationId"}

        def add(kind, prefix, what, description):
            name = f"{system['name']}: {what.lower()}" if what else system["name"]
            id = "-".join((prefix, system["id"], *what.lower().split()))
            made.append({"type": kind, "id": id, "name": name, "description": description, **rest})

        add("connection", "conn", "", "Production")
        add("api", "api", "status", "Whether it is reachable")
        for what in account["objects"]:
            add("export", "exp", what, f"{what} changed since the last run")
            add("import", "imp", what, f"Creates or updates {what.lower()}")
    return account["resources"] + made


def resource_key(resource):
    return f"{resource['type']}#{resource['id']}"


def integration_key(integration):
    return f"INTEGRATION#{integration['id']}"


def ensure_projection(latchkey, subs):
    """Create accounts, resources and Integration Apps as the platform does: by its events."""
    table, bus = latchkey["TokensTable"], latchkey["EventBus"]
    present = {account["id"]: projected(table, account["id"]) for account in SEED["accounts"]}
    # Accounts come first, so that no resource arrives before its account.
    profiles = [a for a in SEED["accounts"] if "PROFILE" not in present[a["id"]]]
    publish(bus, [("AccountUpserted", profile(account, subs)) for account in profiles])
    await_projection(table, {account["id"]: {"PROFILE"} for account in profiles})

    publish(
        bus,
        [
            ("ResourceUpserted", {"accountId": account["id"], **without(resource, "description")})
            for account in SEED["accounts"]
            for resource in resources(account)
            if resource_key(resource) not in present[account["id"]]
        ]
        + [
            ("IntegrationUpserted", {"accountId": account["id"], **integration})
            for account in SEED["accounts"]
            for integration in account["integrations"]
            if integration_key(integration) not in present[account["id"]]
        ],
    )
    await_projection(
        table,
        {
            account["id"]: {resource_key(resource) for resource in resources(account)}
            | {integration_key(integration) for integration in account["integrations"]}
            for account in SEED["accounts"]
        },
    )


def without(mapping, key):
    return {k: v for k, v in mapping.items() if k != key}


def ensure_example_data(table):
    """Write the example API's own data. Existing items are kept, because somebody may have changed them."""
    dynamodb = client("dynamodb")
    for account in SEED["accounts"]:
        partition = f"ACCOUNT#{account['id']}"
        present = sort_keys(table, partition)
        for resource in resources(account):
            item = {"pk": partition, "sk": resource_key(resource), "accountId": account["id"], **resource}
            if item["sk"] not in present:
                dynamodb.put_item(TableName=table, Item={name: {"S": value} for name, value in item.items()})


def ensure_tokens(client_id, api, protected):
    """Create the demo's tokens through the API, as their creators would, and bring them into their states.

    The parameter DEMO_TOKENS has the keys of those that are done. So a token that somebody deleted, or that has ended,
    isn't created again.
    """
    ssm = client("ssm")
    try:
        done = ssm.get_parameter(Name=DEMO_TOKENS)["Parameter"]["Value"].split(",")
    except ssm.exceptions.ParameterNotFound:
        done = []
    missing = [token for token in SEED["tokens"] if token["key"] not in done]
    sign_ins = {email: sign_in(client_id, email) for email in {token["by"] for token in missing}}
    for token in missing:
        tokens = f"{api}/v1/accounts/{token['account']}/tokens"
        key = f"demo-{token['key']}"
        created = call("POST", tokens, sign_ins[token["by"]], token["token"], idempotency_key=key)
        # A repeated creation is answered without the secret: an earlier run was interrupted after it.
        if "secret" in created:
            own, secret = f"{tokens}/{created['token']['id']}", created["secret"]
            for step in token.get("then", []):
                ((action, value),) = step.items()
                if action == "call":
                    method, path = value.split()
                    # An import takes a list of records.
                    call(method, protected + path, secret, [] if method == "POST" else None, refusable=True)
                elif action == "revokeBySecret":
                    call("POST", f"{api}/v1/revoke", form={"token": secret})
                else:
                    call("POST", f"{own}/{action}", sign_ins[token["by"]], value)
        done.append(token["key"])
        ssm.put_parameter(Name=DEMO_TOKENS, Value=",".join(done), Type="String", Overwrite=True)


def sign_in(client_id, email):
    """Return an access token of this person."""
    answer = client("cognito-idp").initiate_auth(
        ClientId=client_id,
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": email, "PASSWORD": SEED["password"]},
    )
    return answer["AuthenticationResult"]["AccessToken"]


def call(method, url, bearer=None, body=None, form=None, idempotency_key=None, refusable=False):
    """Call an API and return the JSON of its answer. The 403 of a refusable call is an answer too."""
    headers = {"User-Agent": "demo/1.0"}
    if bearer:
        headers["Authorization"] = f"Bearer {bearer}"
    if idempotency_key:
        headers["Idempotency-Key"] = idempotency_key
    if body is not None:
        headers["Content-Type"] = "application/json"
    data = urlencode(form) if form else None if body is None else json.dumps(body)
    try:
        with urlopen(Request(url, data and data.encode(), headers, method=method)) as answer:
            return json.loads(answer.read() or b"null")
    except HTTPError as error:
        if not (refusable and error.code == 403):
            sys.exit(f"{method} {url}: {error.code} {error.read().decode()}")


def ensure_scanner_keys():
    """Publish the list of keys in GitHub's place, without a key. A test may add one."""
    s3 = client("s3")
    existing = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    if SCANNER_KEYS not in existing:
        s3.create_bucket(Bucket=SCANNER_KEYS)
        s3.delete_public_access_block(Bucket=SCANNER_KEYS)
        statement = {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{SCANNER_KEYS}/*",
        }
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        s3.put_bucket_policy(Bucket=SCANNER_KEYS, Policy=json.dumps(policy))
        s3.put_object(Bucket=SCANNER_KEYS, Key="secret_scanning", Body=b'{"public_keys": []}')


def api_url(api_id):
    """Return an API's address on 127.0.0.1. Not every client resolves the outputs' `<id>.execute-api.localhost`."""
    return f"{os.environ['AWS_ENDPOINT_URL']}/_aws/execute-api/{api_id}"


def id_of_api(url):
    """Return the id of an HTTP API, from the address in its stack's output."""
    return urlsplit(url).hostname.split(".")[0]


def seed(target):
    latchkey, example, rest_example = outputs(LATCHKEY), outputs(EXAMPLE), outputs(REST_EXAMPLE)
    ensure_scanner_keys()
    subs = ensure_users(latchkey["UserPoolId"])
    ensure_projection(latchkey, subs)
    ensure_example_data(example["ResourcesTable"])
    description = {
        "endpointUrl": os.environ["AWS_ENDPOINT_URL"],
        "region": os.environ["AWS_REGION"],
        "apiUrl": api_url(id_of_api(latchkey["ApiUrl"])),
        "consoleUrl": latchkey["ConsoleUrl"],
        "protectedApiUrl": api_url(id_of_api(example["ApiUrl"])),
        "protectedRestApiUrl": f"{api_url(rest_example['ApiId'])}/{rest_example['StageName']}",
        "userPoolId": latchkey["UserPoolId"],
        "clientId": latchkey["ClientId"],
        "tokensTable": latchkey["TokensTable"],
        "auditTable": latchkey["AuditTable"],
        "eventBus": latchkey["EventBus"],
        "users": [
            {
                "email": member["email"],
                "password": SEED["password"],
                "accountId": account["id"],
                "role": member["role"],
            }
            for account in SEED["accounts"]
            for member in account["members"]
        ],
    }
    # What the parameter PlatformApiUrl sets. The example API is deployed after Latchkey: it needs the authorizer.
    tell("console", "PLATFORM_API_URL", description["protectedApiUrl"])
    # The outputs' address doesn't resolve everywhere.
    tell("probe", "CONSOLE_URL", f"{description['apiUrl']}/")
    ensure_tokens(description["clientId"], description["apiUrl"], description["protectedApiUrl"])
    Path(target).write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
    write_events(subs, Path(target).with_name("events"))


def tell(crate, variable, value):
    """Set a variable of a function, and have its callers call the function with it."""
    functions_api = client("lambda")
    name = dict(functions())[crate]
    variables = environment_of(functions_api.get_function_configuration(FunctionName=name))
    changed = variables | {variable: value}
    if changed != variables:
        functions_api.update_function_configuration(FunctionName=name, Environment={"Variables": changed})
        version = functions_api.publish_version(FunctionName=name)["Version"]
        functions_api.update_alias(FunctionName=name, Name=ALIAS, FunctionVersion=version)


def write_events(subs, directory):
    """Write copies of the sample events with the demo account's owner and resources, for calls of one function."""
    samples = Path(__file__).resolve().parents[2] / "events"
    names = {
        "owner-1": subs["owner@acme.example"],
        "exp_orders": "exp-customers",
        "imp_stock": "imp-contacts",
        "app1": "app-orders",
    }
    for sample in samples.glob("*/*.json"):
        text = sample.read_text(encoding="utf-8")
        for generic, own in names.items():
            text = text.replace(generic, own)
        copy = directory / sample.parent.name / sample.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(text, encoding="utf-8")


# ---- Hot reload -------------------------------------------------------------------------------------


def set_proxy(url):
    functions_api = client("lambda")
    for crate, name in functions():
        configuration = functions_api.get_function_configuration(FunctionName=name)
        variables = environment_of(configuration)
        changed = deployed(variables)
        timeout = int(variables.get(TIMEOUT, configuration["Timeout"]))
        if url:
            changed |= {PROXY: f"{url}/{crate}/invocations", TIMEOUT: str(timeout)}
            timeout = max(timeout, BUILD_SECONDS)
        if changed != variables:
            functions_api.update_function_configuration(
                FunctionName=name, Environment={"Variables": changed}, Timeout=timeout
            )
        if crate != "protected-api":
            version = "$LATEST" if url else newest_version(functions_api, name)
            functions_api.update_alias(FunctionName=name, Name=ALIAS, FunctionVersion=version)


def newest_version(functions_api, name):
    """Return the number of a function's newest version."""
    pages = functions_api.get_paginator("list_versions_by_function").paginate(FunctionName=name)
    numbers = (each["Version"] for page in pages for each in page["Versions"] if each["Version"] != "$LATEST")
    return max(numbers, key=int)


def environment_of(configuration):
    return configuration.get("Environment", {}).get("Variables", {})


def deployed(variables):
    """Return the variables without those that hot reload adds."""
    return without(without(variables, PROXY), TIMEOUT)


def write_environment(target):
    functions_api = client("lambda")
    variables = {}
    for _, name in functions():
        configuration = functions_api.get_function_configuration(FunctionName=name)
        variables.update(deployed(environment_of(configuration)))
    for name in ("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        variables[name] = os.environ[name]
    lines = (f"{name}={value}\n" for name, value in sorted(variables.items()))
    Path(target).write_text("".join(lines), encoding="utf-8")


def main(command, *arguments):
    try:
        if command == "deployment":
            print(deployment())
        elif command == "record-deployment":
            record_deployment(arguments[0])
        elif command == "output":
            print(outputs(arguments[0])[arguments[1]])
        elif command == "seed":
            seed(arguments[0])
        elif command == "proxy":
            set_proxy(arguments[0])
        elif command == "unproxy":
            set_proxy(None)
        elif command == "environment":
            write_environment(arguments[0])
        else:
            sys.exit(__doc__)
    except ClientError as error:
        sys.exit(f"the local cloud refused {error.operation_name}: {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])
