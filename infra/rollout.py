#!/usr/bin/env python3
"""Roll out and back.

    rollout.py deploy [ARGUMENT...]           name a release, deploy it with `sam deploy ARGUMENT...`, try it with the
                                              probe, and remove old versions
    rollout.py rollback [FUNCTION] [STACK]    put every function, or one, back to its version before; stop a deployment
                                              that is under way, so that CloudFormation undoes it
    rollout.py probe [STACK]                  run the probe once
    rollout.py status [STACK]                 print which version of each function is called

Runs under the Python of the SAM tool, which has boto3. Targets of the Makefile have the commands' names. Stack, region
and profile are those of infra/samconfig.toml, unless STACK (`--stack-name`, `--region`, `--profile`) or arguments of
`sam deploy` name others.
"""

import json
import os
import re
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

import boto3
import tomlkit
from botocore.config import Config
from botocore.exceptions import ClientError

HERE = Path(__file__).resolve().parent
TEMPLATE = HERE / "template.yaml"
# Beside the template, whose paths are relative.
RELEASE_TEMPLATE = HERE / "release.yaml"
# The template's only line with the release's name.
NAME = "      Name: unnamed\n"
ALIAS = "live"
# The alias through which the probe calls a function, if it does.
PROBED = "probe"
# Versions of a function that stay. Lambda keeps at most 75 GB of code in an AWS account and region.
KEPT = 5
# The account with whose token the probe tries the service. Its only member has no address, so nobody gets mail.
PROBE_ACCOUNT = {
    "id": "latchkey-probe",
    "name": "Probe",
    "plan": "enterprise",
    "apiManagement": False,
    "members": [
        {"id": "latchkey-probe", "email": "", "name": "Probe", "role": "owner", "developerMode": True},
    ],
}
# The tag of a function with the versions from which somebody rolled back. No rollback goes there.
ROLLED_BACK = "rolled-back"
# The value of TrafficShift without CodeDeploy.
AT_ONCE = "AllAtOnce"
PAUSE_SECONDS = 5
PROJECTION_ATTEMPTS = 12


def fail(message):
    sys.exit(f"error: {message}")


def named(template, release):
    """Return the template's text with the release's name."""
    if template.count(NAME) != 1:
        fail(f"the template doesn't have the line {NAME.strip()!r} exactly once.")
    return template.replace(NAME, f"      Name: {json.dumps(release)}\n")


def new_name():
    """Return a release's name: the time, and the commit."""

    def git(*arguments):
        done = subprocess.run(["git", *arguments], cwd=HERE, capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else None

    commit = git("rev-parse", "--short=12", "HEAD") or "unknown"
    changed = "-changed" if git("status", "--porcelain") else ""
    return f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ} {commit}{changed}"


class Stack:
    """A deployed stack."""

    def __init__(self, arguments=()):
        given = dict(zip(arguments, arguments[1:], strict=False))
        given |= dict(each.split("=", 1) for each in arguments if re.match(r"--[a-z-]+=", each))
        settings = {}
        if (HERE / "samconfig.toml").exists():
            file = tomlkit.parse((HERE / "samconfig.toml").read_text(encoding="utf-8"))
            for command in ("global", "deploy"):
                settings |= file.get("default", {}).get(command, {}).get("parameters", {})
        self.name = str(given.get("--stack-name") or settings.get("stack_name") or "latchkey")
        region = given.get("--region") or settings.get("region") or os.environ.get("AWS_REGION")
        profile = given.get("--profile") or settings.get("profile")
        self.session = boto3.Session(region_name=region and str(region), profile_name=profile and str(profile))

    def client(self, service):
        # The probe takes longer than most calls of AWS.
        return self.session.client(service, config=Config(read_timeout=90, retries={"mode": "standard"}))

    def description(self):
        """Return what CloudFormation says of the stack; None if there is no such stack."""
        try:
            return self.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"][0]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise

    def outputs(self):
        return {each["OutputKey"]: each["OutputValue"] for each in self.description().get("Outputs", [])}

    def parameter(self, name):
        given = self.description().get("Parameters", [])
        return next((each["ParameterValue"] for each in given if each["ParameterKey"] == name), None)

    def resources(self, kind):
        """Return the resources of a type: logical id -> physical id."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.name)
        found = (each for page in pages for each in page["StackResourceSummaries"])
        return {
            each["LogicalResourceId"]: each["PhysicalResourceId"]
            for each in found
            if each["ResourceType"] == kind and each.get("PhysicalResourceId")
        }

    def functions(self):
        """Return the functions, by name."""
        aliases = self.resources("AWS::Lambda::Alias")
        probed = {logical for logical, arn in aliases.items() if arn.endswith(f":{PROBED}")}
        return {
            crate(name): Function(self.client("lambda"), aliases[logical], f"{name}ProbeAlias" in probed)
            for logical in sorted(aliases.keys() - probed)
            for name in [logical.removesuffix("Alias")]
        }

    def deployed(self):
        """Return the version of each function, by name, that the last completed deployment published."""
        versions = self.resources("AWS::Lambda::Version")
        return {crate(logical.removesuffix("Version")): int(arn.rsplit(":", 1)[1]) for logical, arn in versions.items()}

    def remove_undone(self):
        """Remove the versions that an undone deployment published: no rollback may find them.

        The template keeps a version that a newer one replaces (`UpdateReplacePolicy`). When CloudFormation undoes an
        update, this policy also keeps the new version, which the stack doesn't know any more.
        """
        if not self.description()["StackStatus"].endswith("_COMPLETE"):
            return
        deployed = self.deployed()
        for name, function in self.functions().items():
            for version in function.remove_newer(deployed[name]):
                print(f"{name}: removed version {version}, which an undone deployment left")

    # -- CodeDeploy --

    def shifts(self):
        """Yield the ids of the deployments of CodeDeploy that are under way."""
        groups = self.resources("AWS::CodeDeploy::DeploymentGroup")
        applications = self.resources("AWS::CodeDeploy::Application")
        if not groups or not applications:
            return
        (application,) = applications.values()
        codedeploy = self.client("codedeploy")
        for group in groups.values():
            pages = codedeploy.get_paginator("list_deployments").paginate(
                applicationName=application,
                deploymentGroupName=group,
                includeOnlyStatuses=["Created", "Queued", "InProgress", "Ready"],
            )
            for page in pages:
                yield from page["deployments"]

    def stop(self):
        """Stop CodeDeploy's deployments. It gives all calls back to the version before."""
        for deployment in self.shifts():
            print(f"CodeDeploy's deployment {deployment} is under way: stopping it.")
            try:
                self.client("codedeploy").stop_deployment(deploymentId=deployment, autoRollbackEnabled=True)
            except ClientError as error:
                # CloudFormation stops it too when the deployment of the stack is cancelled.
                print(f"CodeDeploy doesn't stop it: {error}")

    def settled(self):
        """Wait until CloudFormation is done. Return the stack's status."""
        while True:
            status = self.description()["StackStatus"]
            if not status.endswith("_IN_PROGRESS"):
                return status
            time.sleep(PAUSE_SECONDS)

    # -- The probe --

    def probe(self):
        """Create the probe's account, unless it is there, and run the probe once. Return whether it succeeded."""
        detail = json.dumps(PROBE_ACCOUNT)
        entry = {"EventBusName": self.outputs()["EventBus"], "Source": "platform", "DetailType": "AccountUpserted"}
        answer = self.client("events").put_events(Entries=[{**entry, "Detail": detail}])
        if answer["FailedEntryCount"]:
            fail(f"the event bus refused the probe's account: {json.dumps(answer['Entries'])}")
        probe = self.functions()["probe"]
        for attempt in range(PROJECTION_ATTEMPTS):
            failure = probe.failure()
            # The first event of the account takes a moment.
            if failure is None or "account_not_found" not in failure or attempt == PROJECTION_ATTEMPTS - 1:
                break
            time.sleep(PAUSE_SECONDS)
        print("The probe found nothing wrong." if failure is None else f"The probe failed: {failure}")
        return failure is None


def crate(logical):
    """Return a function's name in the sources: create-token for CreateToken."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", logical).lower()


class Function:
    """A function with an alias, and perhaps another one for the probe."""

    def __init__(self, client, alias_arn, is_probed=False):
        self.client, self.is_probed = client, is_probed
        self.arn = alias_arn.rsplit(":", 1)[0]
        self.name, alias = alias_arn.split(":function:")[1].split(":")
        if alias != ALIAS:
            fail(f"{alias_arn} isn't the alias {ALIAS}.")

    def alias(self):
        return self.client.get_alias(FunctionName=self.name, Name=ALIAS)

    def versions(self):
        """Return the published versions, oldest first: number -> the release's name."""
        pages = self.client.get_paginator("list_versions_by_function").paginate(FunctionName=self.name)
        found = (each for page in pages for each in page["Versions"])
        numbered = {int(each["Version"]): each.get("Description", "") for each in found if each["Version"] != "$LATEST"}
        return dict(sorted(numbered.items()))

    def rolled_back(self):
        """Return the versions from which somebody rolled back."""
        tags = self.client.list_tags(Resource=self.arn)["Tags"]
        return {int(version) for version in tags.get(ROLLED_BACK, "").split()}

    def move_back(self, alias, version):
        """Move the alias, unless somebody else has moved it meanwhile, and note from where."""
        left = self.rolled_back() | {int(alias["FunctionVersion"])}
        known = sorted(left & set(self.versions()))
        self.client.tag_resource(Resource=self.arn, Tags={ROLLED_BACK: " ".join(map(str, known))})
        self.client.update_alias(
            FunctionName=self.name,
            Name=ALIAS,
            FunctionVersion=str(version),
            RoutingConfig={"AdditionalVersionWeights": {}},
            RevisionId=alias["RevisionId"],
        )
        if self.is_probed:
            self.client.update_alias(FunctionName=self.name, Name=PROBED, FunctionVersion=str(version))

    def remove_old_versions(self):
        """Remove all but the newest versions, and never one that is called. Return how many."""
        used = self.used()
        old = [version for version in list(self.versions())[:-KEPT] if str(version) not in used]
        for version in old:
            self.client.delete_function(FunctionName=self.name, Qualifier=str(version))
        return len(old)

    def remove_newer(self, than):
        """Remove the versions after that one, and never one that is called. Return them."""
        newer = [version for version in self.versions() if version > than]
        used = self.used() if newer else ()
        removed = [version for version in newer if str(version) not in used]
        for version in removed:
            self.client.delete_function(FunctionName=self.name, Qualifier=str(version))
        return removed

    def used(self):
        """Return the versions that are called."""
        alias = self.alias()
        used = {alias["FunctionVersion"], *alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})}
        if self.is_probed:
            used.add(self.client.get_alias(FunctionName=self.name, Name=PROBED)["FunctionVersion"])
        return used

    def failure(self):
        """Run the function as its schedule does. Return what it says of its failure; None if it succeeded."""
        answer = self.client.invoke(FunctionName=self.name, Qualifier=ALIAS, Payload=b'{"id": "rollout"}')
        said = answer["Payload"].read().decode()
        if "FunctionError" not in answer:
            return None
        try:
            return json.loads(said)["errorMessage"]
        except (ValueError, KeyError, TypeError):
            return said


# ---- Commands ---------------------------------------------------------------------------------------


def deploy(arguments):
    if "AWS_ENDPOINT_URL" in os.environ:
        fail("AWS_ENDPOINT_URL is set, and this deploys to AWS. `make up` deploys to the local cloud.")
    stack = Stack(arguments)
    if stack.description() is not None:
        stack.remove_undone()
        refuse_after_rollback(stack, arguments)
    release = new_name()
    print(f"The release is {release}.", flush=True)
    RELEASE_TEMPLATE.write_text(named(TEMPLATE.read_text(encoding="utf-8"), release), encoding="utf-8")
    sam = str(Path(sys.executable).with_name("sam"))
    command = [sam, "deploy", "--template-file", RELEASE_TEMPLATE.name, *arguments]
    try:
        done = subprocess.run(command, cwd=HERE, env={**os.environ, "SAM_CLI_TELEMETRY": "0"})
    finally:
        RELEASE_TEMPLATE.unlink()
    if done.returncode:
        if stack.description() is not None:
            stack.remove_undone()
        sys.exit(done.returncode)
    # The first deployment may have asked for the stack's name.
    stack = Stack(arguments)
    if release not in newest(stack).values():
        print("Nothing was deployed.")
        return
    if not stack.probe():
        fail("the new release doesn't work as it should: `make rollback` brings the one before back.")
    removed = sum(function.remove_old_versions() for function in stack.functions().values())
    print(f"Removed {removed} versions; of each function, {KEPT} stay.")
    if stack.parameter("TrafficShift") == AT_ONCE:
        print(f"TrafficShift is {AT_ONCE}, also for the next deployment: give it another value then.")


def newest(stack):
    """Return the release's name of each function's newest version."""
    versions = {name: function.versions() for name, function in stack.functions().items()}
    return {name: found[max(found)] for name, found in versions.items() if found}


def refuse_after_rollback(stack, arguments):
    """Refuse to shift calls gradually away from a version that isn't called.

    CloudFormation tells CodeDeploy which version is called, and it doesn't know of a rollback: during the shift, most
    calls could get the version from which somebody rolled back.
    """
    given = re.findall(r"\bTrafficShift=(\w+)", " ".join(arguments))
    if (given[-1] if given else stack.parameter("TrafficShift")) in (AT_ONCE, None):
        return
    functions, deployed = stack.functions(), stack.deployed()
    groups = stack.resources("AWS::CodeDeploy::DeploymentGroup")
    # Without groups, the last deployment was at once, and this one makes them.
    for name in [crate(logical.removesuffix("Rollout")) for logical in groups] or functions:
        called = functions[name].alias()["FunctionVersion"]
        if int(called) != deployed[name]:
            fail(
                f"{name} was rolled back to version {called}. CloudFormation doesn't know, and the gradual shift would "
                f"give most calls to version {deployed[name]} again. Deploy at once, this time:\n"
                f'  make deploy ARGS="--parameter-overrides TrafficShift={AT_ONCE}"'
            )


def rollback(only=None, arguments=()):
    stack = Stack(arguments)
    undone = undo_deployment(stack, stack.description()["StackStatus"])
    stack.remove_undone()
    if undone:
        return
    functions = stack.functions()
    if only is not None and only not in functions:
        fail(f"there is no function {only}; there are {', '.join(functions)}.")
    moved = 0
    for name, function in functions.items():
        if only not in (None, name):
            continue
        alias, versions = function.alias(), function.versions()
        called = int(alias["FunctionVersion"])
        bad = function.rolled_back()
        earlier = [version for version in versions if version < called and version not in bad]
        if not earlier:
            print(f"{name}: stays at version {called}; there is none before it")
            continue
        function.move_back(alias, earlier[-1])
        moved += 1
        print(f"{name}: version {called} -> {earlier[-1]} ({versions[earlier[-1]] or 'without a name'})")
    print(f"Moved {moved} of {1 if only else len(functions)} functions.")
    if not moved:
        sys.exit(1)


def undo_deployment(stack, status):
    """Undo a deployment that is under way. Return whether there was one: then nothing is left to move."""
    stack.stop()
    if status == "UPDATE_IN_PROGRESS":
        print("A deployment is under way: cancelling it.")
        try:
            stack.client("cloudformation").cancel_update_stack(StackName=stack.name)
        except ClientError as error:
            # It is being undone already, since CodeDeploy's deployment was stopped; or it has just ended.
            print(f"CloudFormation doesn't cancel it: {error}")
    elif status != "UPDATE_ROLLBACK_IN_PROGRESS":
        return False
    status = stack.settled()
    print(f"The stack's status is {status}.")
    if status == "UPDATE_ROLLBACK_COMPLETE":
        print("CloudFormation undid the deployment. Every function is at the release before.")
        return True
    if status == "UPDATE_COMPLETE":
        return False
    fail("CloudFormation could not undo the deployment: `aws cloudformation continue-update-rollback`.")


def status(stack):
    for name, function in stack.functions().items():
        alias, versions = function.alias(), function.versions()
        called = int(alias["FunctionVersion"])
        others = alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
        shares = "".join(f", {share:.0%} of the calls at {version}" for version, share in others.items())
        behind = "" if called == max(versions) or others else f", of {max(versions)}"
        print(f"{name}: version {called}{behind}{shares} ({versions[called]})")


def main(command=None, *arguments):
    if command == "deploy":
        return deploy(arguments)
    only = None
    if command == "rollback" and arguments and not arguments[0].startswith("-"):
        only, *arguments = arguments
    if command not in ("rollback", "probe", "status") or not only_name_a_stack(arguments):
        sys.exit(__doc__)
    stack = Stack(arguments)
    if stack.description() is None:
        fail(f"there is no stack {stack.name}.")
    if command == "rollback":
        rollback(only, arguments)
    elif command == "probe":
        sys.exit(0 if stack.probe() else 1)
    else:
        status(stack)


def only_name_a_stack(arguments):
    """Return whether the arguments say which stack, and nothing else."""
    split = [part for each in arguments for part in each.split("=", 1)]
    return len(split) % 2 == 0 and set(split[::2]) <= {"--stack-name", "--region", "--profile"}


if __name__ == "__main__":
    main(*sys.argv[1:])
