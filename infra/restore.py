"""Restore the tables of a stack to a point in time, as the tables of a new stack.

Runs under the Python of the SAM tool, which has boto3, with the credentials and the region of the environment:

    make restore ARGS="--from latchkey --to latchkey-restored --at 2026-11-28T10:00:00Z"

docs/restoring.md has the whole procedure. This program restores both tables under new names and makes them the first
resources of the new stack, still without streams. It writes the new stack's parameters to a file and prints the commands
that follow. It may be interrupted and run again with the same arguments. It changes nothing of the old stack.
"""

import argparse
import json
import re
import shlex
import sys
import time
import zlib
from datetime import datetime, timezone
from pathlib import Path

import boto3
from botocore.exceptions import ClientError, WaiterError

ROOT = Path(__file__).resolve().parents[1]
TABLES = ("TokensTable", "AuditTable")
CHANGE_SET = "restored-tables"
# Seconds between two looks at what takes minutes.
PAUSE = 10
# Parameters that the new stack can't share with the old one: only one stack has the sign-in address, or the identity.
OWN = ("SignInDomainPrefix",)


def say(text):
    print(text, file=sys.stderr, flush=True)


def arguments():
    parser = argparse.ArgumentParser(prog="make restore", description=__doc__.split("\n")[0])
    parser.add_argument("--from", dest="old", required=True, metavar="STACK", help="the stack whose tables are restored")
    parser.add_argument("--to", dest="new", required=True, metavar="STACK", help="the new stack")
    parser.add_argument("--at", required=True, type=point, metavar="TIME", help="the point, such as 2026-11-28T10:00:00Z")
    parser.add_argument("--tokens-backup", metavar="ARN", help="restore the tokens table from this backup of that time")
    parser.add_argument("--audit-backup", metavar="ARN", help="restore the audit table from this backup of that time")
    given = parser.parse_args()
    if given.old == given.new:
        parser.error("--to must name another stack")
    return given


def point(text):
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text):
        raise argparse.ArgumentTypeError("the time must be in whole seconds and in UTC: 2026-11-28T10:00:00Z")
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)


def described(cloudformation, stack):
    """Return a stack's description, or None."""
    try:
        return cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise


def table(dynamodb, name):
    """Return a table's description, or None."""
    try:
        return dynamodb.describe_table(TableName=name)["Table"]
    except dynamodb.exceptions.ResourceNotFoundException:
        return None


def restored_name(stack, logical, at, source):
    """Return the name of a restored table. Another point has another name, and so has another table or backup."""
    return f"{stack}-{logical}-{at:%Y%m%dT%H%M%SZ}-{zlib.crc32(source.encode()):08x}"


def end_if_taken(cloudformation, stack, names):
    """End if the new stack has other tables than these. It would keep them, and the replay would be of these."""
    found = described(cloudformation, stack)
    if found is None or found["StackStatus"] == "REVIEW_IN_PROGRESS":
        return
    for logical, name in names.items():
        try:
            one = cloudformation.describe_stack_resource(StackName=stack, LogicalResourceId=logical)
        except ClientError as error:
            if "does not exist" not in str(error):
                raise
            sys.exit(f"the stack {stack} exists, without the table {name}: name another new stack")
        other = one["StackResourceDetail"]["PhysicalResourceId"]
        if other != name:
            sys.exit(f"the stack {stack} has the table {other}, and not {name}: name another new stack")


def restore(dynamodb, source, target, at, backup):
    """Begin a restore, unless an earlier run did."""
    if table(dynamodb, target):
        return
    if backup:
        dynamodb.restore_table_from_backup(TargetTableName=target, BackupArn=backup)
    else:
        dynamodb.restore_table_to_point_in_time(SourceTableName=source, TargetTableName=target, RestoreDateTime=at)


def wait_for(dynamodb, name):
    """Wait until a table is restored, and return its description."""
    while True:
        found = table(dynamodb, name)
        if found["TableStatus"] == "ACTIVE":
            return found
        say(f"{name}: {found['TableStatus']}")
        time.sleep(PAUSE)


def resource(found):
    """Return a restored table as a resource of a template, with the settings that a restore brings.

    The template of the new stack adds those that a restore doesn't bring: time to live, stream, recovery, protection from
    deletion, tags, and the new stack's own key.
    """

    def only(mapping, *names):
        return {name: mapping[name] for name in names if name in mapping}

    properties = {
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": found["AttributeDefinitions"],
        "KeySchema": found["KeySchema"],
        "GlobalSecondaryIndexes": [
            only(index, "IndexName", "KeySchema", "Projection") for index in found["GlobalSecondaryIndexes"]
        ],
    }
    encryption = found.get("SSEDescription", {})
    if encryption.get("KMSMasterKeyArn"):
        properties["SSESpecification"] = {
            "SSEEnabled": True,
            "SSEType": "KMS",
            "KMSMasterKeyId": encryption["KMSMasterKeyArn"],
        }
    return {
        "Type": "AWS::DynamoDB::Table",
        # An import asks for it.
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": properties,
    }


def import_tables(cloudformation, stack, restored):
    """Create the new stack with the restored tables, by CloudFormation's import, unless an earlier run did."""
    patience = {"Delay": 5, "MaxAttempts": 120}
    found = described(cloudformation, stack)
    if found and found["StackStatus"] != "REVIEW_IN_PROGRESS":
        if found["StackStatus"] == "IMPORT_IN_PROGRESS":
            cloudformation.get_waiter("stack_import_complete").wait(StackName=stack, WaiterConfig=patience)
        return
    if found:
        # An earlier run was interrupted before the import.
        cloudformation.delete_change_set(StackName=stack, ChangeSetName=CHANGE_SET)
    template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": {logical: resource(found) for logical, found in restored.items()},
    }
    cloudformation.create_change_set(
        StackName=stack,
        ChangeSetName=CHANGE_SET,
        ChangeSetType="IMPORT",
        TemplateBody=json.dumps(template),
        ResourcesToImport=[
            {
                "ResourceType": "AWS::DynamoDB::Table",
                "LogicalResourceId": logical,
                "ResourceIdentifier": {"TableName": found["TableName"]},
            }
            for logical, found in restored.items()
        ],
    )
    names = {"StackName": stack, "ChangeSetName": CHANGE_SET}
    cloudformation.get_waiter("change_set_create_complete").wait(**names, WaiterConfig=patience)
    cloudformation.execute_change_set(**names)
    cloudformation.get_waiter("stack_import_complete").wait(StackName=stack, WaiterConfig=patience)


def secrets_key(cloudformation, stack, outputs):
    """Return the ARN of the key that encrypts the secrets. A stack of an earlier version has no output for it."""
    if "SecretsKeyArn" in outputs:
        return outputs["SecretsKeyArn"]
    found = cloudformation.describe_stack_resource(StackName=stack["StackName"], LogicalResourceId="SecretsKey")
    _, partition, _, region, account, _ = stack["StackId"].split(":", 5)
    return f"arn:{partition}:kms:{region}:{account}:key/{found['StackResourceDetail']['PhysicalResourceId']}"


def sign_in(cognito, region, partition, outputs):
    """Return the parameters with which the new stack's callers are those of the old stack's user pool."""
    pool, client = outputs["UserPoolId"], outputs["ClientId"]
    suffix = "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"
    parameters = {
        "JwtIssuer": f"https://cognito-idp.{region}.{suffix}/{pool}",
        "JwtAudience": client,
        "ConsoleClientId": client,
        "AuthTimeClaim": "auth_time",
    }
    domain = cognito.describe_user_pool(UserPoolId=pool)["UserPool"].get("Domain")
    if domain:
        base = f"https://{domain}.auth.{region}.amazoncognito.com"
        parameters |= {
            "AuthorizationEndpoint": f"{base}/oauth2/authorize",
            "TokenEndpoint": f"{base}/oauth2/token",
            "RevocationEndpoint": f"{base}/oauth2/revoke",
            "EndSessionEndpoint": f"{base}/logout",
        }
    return parameters


def parameters_of_new(session, stack, outputs, key):
    """Return the new stack's parameters: those of the old one, its key for secrets and its callers."""
    given = {one["ParameterKey"]: one["ParameterValue"] for one in stack.get("Parameters", [])}
    parameters = {name: value for name, value in given.items() if name not in OWN}
    if not given.get("JwtIssuer"):
        partition = stack["StackId"].split(":")[1]
        found = sign_in(session.client("cognito-idp"), session.region_name, partition, outputs)
        # The endpoints may have been given.
        parameters |= {name: value for name, value in found.items() if not given.get(name)}
    return parameters | {"SecretsKeyArn": key, "CreateMailIdentity": "false"}


def main():
    given = arguments()
    session = boto3.Session()
    cloudformation, dynamodb = session.client("cloudformation"), session.client("dynamodb")
    stack = described(cloudformation, given.old)
    if stack is None:
        sys.exit(f"there is no stack {given.old}")
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    key = secrets_key(cloudformation, stack, outputs)
    backups = {"TokensTable": given.tokens_backup, "AuditTable": given.audit_backup}
    names = {
        logical: restored_name(given.new, logical, given.at, backups[logical] or outputs[logical]) for logical in TABLES
    }
    end_if_taken(cloudformation, given.new, names)
    for logical, name in names.items():
        say(f"Restoring {outputs[logical]} as {name}")
        restore(dynamodb, outputs[logical], name, given.at, backups[logical])
    restored = {logical: wait_for(dynamodb, name) for logical, name in names.items()}
    say(f"Importing the tables into the stack {given.new}")
    import_tables(cloudformation, given.new, restored)

    parameters = parameters_of_new(session, stack, outputs, key)
    target = ROOT / ".local" / f"{given.new}.parameters.yaml"
    target.parent.mkdir(exist_ok=True)
    # JSON is YAML too.
    target.write_text(json.dumps(parameters, indent=2) + "\n", encoding="utf-8")
    replay = [
        "cargo", "run", "-p", "latchkey-admin", "--", "replay",
        "--from-audit-table", outputs["AuditTable"],
        "--tokens-table", names["TokensTable"],
        "--audit-table", names["AuditTable"],
        "--audit-retention-days", parameters.get("AuditRetentionDays", "400"),
        "--secrets-key", key,
        "--since", given.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    ]  # fmt: skip
    deploy = f"--stack-name {given.new} --parameter-overrides file://../.local/{target.name}"
    print("# First, until it prints `nothing to do` and ends without a failure:")
    print(shlex.join(replay))
    print("# Then:")
    print(shlex.join(["make", "deploy", f"ARGS={deploy}"]))


if __name__ == "__main__":
    try:
        main()
    except (ClientError, WaiterError) as error:
        sys.exit(str(error))
