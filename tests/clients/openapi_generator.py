"""Calls the API through the client that OpenAPI Generator made of its description.

Reads what to do as a JSON object, and writes what it found as another one.
"""

import json
import sys

task = json.load(sys.stdin)
sys.path.insert(0, task["generated"])

import latchkey_client as latchkey  # noqa: E402

account = task["account"]


def client(token):
    configuration = latchkey.Configuration(host=task["url"], access_token=token)
    # Its own format of times has offsets without a colon, which RFC 3339 doesn't know.
    configuration.datetime_format = "%Y-%m-%dT%H:%M:%S.%fZ"
    return latchkey.ApiClient(configuration)


tokens = latchkey.TokensApi(client(task["accessToken"]))


def create(name, scope):
    body = {"name": name, "autoPurge": "1h", "scope": scope}
    return tokens.create_token(account, latchkey.CreateTokenRequest.from_dict(body))


def problem(call):
    try:
        call()
    except latchkey.ApiException as error:
        return error.data
    raise AssertionError("no error")


issued = create("Generated", {"type": "custom", "exports": [task["export"]]})
asker = create("Asker", {"type": "full"})
token = tokens.get_token(account, issued.token.id)
renamed = tokens.update_token(account, token.id, latchkey.UpdateTokenRequest(name="Renamed"))
active = problem(lambda: tokens.delete_token(account, token.id))
missing = problem(lambda: tokens.get_token(account, "tok_unknown"))
invalid = {"name": "Invalid", "autoPurge": "1h", "scope": {"type": "full"}, "allowedCidrs": ["somewhere"]}
invalid = latchkey.CreateTokenRequest.from_dict(invalid)
invalid = problem(lambda: tokens.create_token(account, invalid))
revealed = tokens.reveal_token(account, token.id)
names, cursor = [], None
while True:
    page = tokens.list_tokens(account, limit=1, cursor=cursor)
    names += [token.name for token in page.tokens]
    cursor = page.next_cursor
    if cursor is None:
        break
holder = latchkey.VerificationApi(client(issued.secret))
info = holder.token_info(method="DELETE", path=f"/v1/exports/{task['export']}")
introspected = latchkey.VerificationApi(client(asker.secret)).introspect_token(issued.secret)
reason = latchkey.RevokeTokenRequest(reason="done")
revoked = tokens.revoke_token(account, token.id, revoke_token_request=reason)
refused = problem(lambda: latchkey.TokensApi(client("nobody")).get_token(account, token.id))
audit = latchkey.AuditApi(client(task["accessToken"]))
audit = audit.list_token_audit(account, token.id, to=revoked.revoked_at)
json.dump(
    {
        "names": names,
        "created": token.created_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "renamed": renamed.name,
        "exports": token.scope.actual_instance.exports,
        "status": revoked.status.value,
        "full": asker.token.scope.actual_instance.type,
        "problems": [active.code, missing.code],
        "failures": [[failure.var_field, failure.code] for failure in invalid.errors],
        "revealed": revealed.secret == issued.secret,
        "gateway": refused.actual_instance.message,
        "info": info.name,
        "decision": info.decision.code.value,
        "introspected": introspected.active,
        "actions": [record.action.value for record in audit.records],
    },
    sys.stdout,
)
