"""What infra/rollout.py does where the local cloud can't go: CodeDeploy, and a deployment that is under way.

The clients of AWS are fakes that note what they are asked. `cargo test -p contract --test rollout` runs this.
"""

import contextlib
import io
import sys

sys.path.insert(0, "infra")
import rollout  # noqa: E402
from botocore.exceptions import ClientError  # noqa: E402

rollout.PAUSE_SECONDS = 0


class Pages:
    def __init__(self, *pages):
        self.pages = pages

    def paginate(self, **_):
        return self.pages


class Fake:
    """A client that answers with what it is given, and notes its calls."""

    def __init__(self, calls, **answers):
        self.calls, self.answers = calls, answers

    def get_paginator(self, name):
        return Pages(self.answers[name])

    def __getattr__(self, name):
        def call(**arguments):
            self.calls.append((name, arguments))
            answer = self.answers[name]
            if isinstance(answer, list):
                # The last one stays.
                answer = answer.pop(0) if len(answer) > 1 else answer[0]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


def resource(logical, kind, physical):
    return {"LogicalResourceId": logical, "ResourceType": kind, "PhysicalResourceId": physical}


RESOURCES = {
    "StackResourceSummaries": [
        resource("AuthorizeAlias", "AWS::Lambda::Alias", "arn:aws:lambda:eu-west-1:1:function:latchkey-Authorize-x:live"),
        resource("AuthorizeProbeAlias", "AWS::Lambda::Alias", "arn:aws:lambda:eu-west-1:1:function:latchkey-Authorize-x:probe"),
        resource("AuthorizeVersion", "AWS::Lambda::Version", "arn:aws:lambda:eu-west-1:1:function:latchkey-Authorize-x:7"),
        resource("AuthorizeRollout", "AWS::CodeDeploy::DeploymentGroup", "group"),
        resource("Rollout", "AWS::CodeDeploy::Application", "application"),
        resource("NotMade", "AWS::CodeDeploy::Application", None),
    ]
}


VERSIONS = ("$LATEST", "5", "6", "7")


def stack_with(statuses, called="7", deployments=(), stopped=None, cancelled=None, tag="", versions=VERSIONS):
    """Return a stack with one function, and the calls that it notes."""
    calls = []
    clients = {
        "cloudformation": Fake(
            calls,
            list_stack_resources=RESOURCES,
            describe_stacks=[{"Stacks": [{"StackStatus": status}]} for status in statuses],
            cancel_update_stack=cancelled or {},
        ),
        "codedeploy": Fake(calls, list_deployments={"deployments": list(deployments)}, stop_deployment=stopped or {}),
        "lambda": Fake(
            calls,
            get_alias={"FunctionVersion": called, "RevisionId": "r"},
            list_versions_by_function={"Versions": [{"Version": version} for version in versions]},
            list_tags={"Tags": {"rolled-back": tag} if tag else {}},
            tag_resource={},
            update_alias={},
            delete_function={},
        ),
    }
    stack = rollout.Stack()
    stack.client = clients.__getitem__
    return stack, calls


def rollback(*arguments, **options):
    """Roll back a fake stack. Return the names of the changing calls, what was printed, the exit, and all calls."""
    stack, calls = stack_with(*arguments, **options)
    rollout.Stack = lambda *_: stack
    printed, left = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        try:
            rollout.rollback()
        except SystemExit as stop:
            left = stop.code
    changing = ("update_alias", "tag_resource", "stop_deployment", "cancel_update_stack", "delete_function")
    return [name for name, _ in calls if name in changing], printed.getvalue(), left, calls


def only(calls, name, **arguments):
    """Return the arguments of the one call of that name that has these."""
    (found,) = [given for called, given in calls if called == name and arguments.items() <= given.items()]
    return found


REAL = rollout.Stack

# Nothing is under way: the alias goes to the version before.
done, said, left, calls = rollback(["UPDATE_COMPLETE"])
assert done == ["tag_resource", "update_alias", "update_alias"] and left is None, (done, left)
live, probe = (only(calls, "update_alias", Name=name) for name in ("live", "probe"))
assert live["FunctionVersion"] == "6" and live["RevisionId"] == "r", calls
assert live["RoutingConfig"] == {"AdditionalVersionWeights": {}}, calls
assert probe["FunctionVersion"] == "6", calls
assert only(calls, "tag_resource")["Tags"] == {"rolled-back": "7"}, calls
rollout.Stack = REAL

# A version from which somebody rolled back is passed over, and one that is gone is forgotten.
done, said, left, calls = rollback(["UPDATE_COMPLETE"], tag="4 6")
assert only(calls, "update_alias", Name="live")["FunctionVersion"] == "5", calls
assert only(calls, "tag_resource")["Tags"] == {"rolled-back": "6 7"}, calls
rollout.Stack = REAL

# Nothing is before it.
done, said, left, calls = rollback(["UPDATE_COMPLETE"], called="5")
assert done == [] and left == 1 and "stays at version 5" in said, (done, said)
rollout.Stack = REAL

# A deployment with a shift is stopped and undone, and no alias moves: it would go one release too far.
statuses = ["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"]
done, said, left, calls = rollback(list(statuses), deployments=["d-1"])
assert done == ["stop_deployment", "cancel_update_stack"] and left is None, (done, said)
assert only(calls, "stop_deployment") == {"deploymentId": "d-1", "autoRollbackEnabled": True}, calls
assert "Every function is at the release before." in said, said
rollout.Stack = REAL

# It is being undone already, because the shift was stopped.
refused = ClientError({"Error": {"Code": "ValidationError", "Message": "cannot be called"}}, "CancelUpdateStack")
done, said, left, calls = rollback(list(statuses), deployments=["d-1"], cancelled=refused)
assert done == ["stop_deployment", "cancel_update_stack"] and left is None, (done, said)
rollout.Stack = REAL

# CodeDeploy can't be told to stop: the stack's deployment is cancelled all the same.
denied = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "StopDeployment")
done, said, left, calls = rollback(list(statuses), deployments=["d-1"], stopped=denied)
assert done == ["stop_deployment", "cancel_update_stack"] and left is None, (done, said)
rollout.Stack = REAL

# An undone deployment leaves the version that it published. It goes, and no rollback finds it.
undone = (*VERSIONS, "8")
done, said, left, calls = rollback(list(statuses), deployments=["d-1"], versions=undone)
assert done == ["stop_deployment", "cancel_update_stack", "delete_function"] and left is None, (done, said)
assert only(calls, "delete_function")["Qualifier"] == "8", calls
rollout.Stack = REAL
done, said, left, calls = rollback(["UPDATE_ROLLBACK_COMPLETE"], versions=undone)
assert done[0] == "delete_function" and only(calls, "delete_function")["Qualifier"] == "8", (done, said)
assert only(calls, "update_alias", Name="live")["FunctionVersion"] == "6", calls
rollout.Stack = REAL

# It ended just before it could be cancelled: then the aliases move.
done, said, left, calls = rollback(["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"], cancelled=refused)
assert done == ["cancel_update_stack", "tag_resource", "update_alias", "update_alias"], (done, said)
rollout.Stack = REAL

# CloudFormation undoes a failed deployment by itself: only wait.
done, said, left, calls = rollback(["UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"])
assert done == [], done
rollout.Stack = REAL

# It can't undo it: a person must know, and nothing is removed.
done, said, left, calls = rollback(["UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED"], versions=undone)
assert done == [] and "continue-update-rollback" in left, left
rollout.Stack = REAL


def refuses(arguments, shift="Canary10Percent5Minutes", **options):
    stack, _ = stack_with([], **options)
    stack.parameter = lambda name: {"TrafficShift": shift}[name]
    try:
        rollout.refuse_after_rollback(stack, arguments)
    except SystemExit as stop:
        return stop.code
    return None


# After a rollback, no gradual shift away from a version that isn't called.
assert refuses([]) is None
assert "rolled back to version 6" in refuses([], called="6")
assert refuses([], versions=undone) is None
assert refuses(["--parameter-overrides", "TrafficShift=AllAtOnce"], called="6") is None
assert refuses([], called="6", shift="AllAtOnce") is None
assert refuses(["--parameter-overrides", "TrafficShift=Linear10PercentEvery1Minute"], called="6", shift="AllAtOnce")

# Old versions go, but none that is called, and not the newest five.
numbers = [str(number) for number in range(1, 10)]
stack, calls = stack_with([], called="2", versions=("$LATEST", *numbers))
assert stack.functions()["authorize"].remove_old_versions() == 3
removed = [arguments["Qualifier"] for name, arguments in calls if name == "delete_function"]
assert removed == ["1", "3", "4"], removed
print("checked")
