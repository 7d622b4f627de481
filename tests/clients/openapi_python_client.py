"""Calls the API through the client that openapi-python-client made of its description.

Reads what to do as a JSON object, and writes what it found as another one.
"""

import json
import sys

task = json.load(sys.stdin)
sys.path.insert(0, task["generated"])

from latchkey_client import AuthenticatedClient  # noqa: E402
from latchkey_client.api.audit import list_token_audit  # noqa: E402
from latchkey_client.api.tokens import (  # noqa: E402
    create_token,
    delete_token,
    get_token,
    list_tokens,
    reveal_token,
    revoke_token,
    update_token,
)
from latchkey_client.api.verification import introspect_token, token_info  # noqa: E402
from latchkey_client.models import (  # noqa: E402
    CreateTokenRequest,
    DeleteTokenRequest,
    IntrospectTokenRequest,
    RevealTokenRequest,
    RevokeTokenRequest,
    TokenInfoMethod,
    UpdateTokenRequest,
)
from latchkey_client.types import UNSET  # noqa: E402

account = task["account"]
person = AuthenticatedClient(base_url=task["url"], token=task["accessToken"])


def create(name, scope):
    body = CreateTokenRequest.from_dict({"name": name, "autoPurge": "1h", "scope": scope})
    return create_token.sync(account, client=person, body=body)


issued = create("Generated", {"type": "custom", "exports": [task["export"]]})
asker = create("Asker", {"type": "full"})
token = get_token.sync(account, issued.token.id, client=person)
renamed = UpdateTokenRequest.from_dict({"name": "Renamed"})
renamed = update_token.sync(account, token.id, client=person, body=renamed)
problem = delete_token.sync(account, token.id, client=person, body=DeleteTokenRequest())
missing = get_token.sync(account, "tok_unknown", client=person)
invalid = {"name": "Invalid", "autoPurge": "1h", "scope": {"type": "full"}, "allowedCidrs": ["somewhere"]}
invalid = create_token.sync(account, client=person, body=CreateTokenRequest.from_dict(invalid))
revealed = reveal_token.sync(account, token.id, client=person, body=RevealTokenRequest())
names, cursor = [], UNSET
while cursor is not None:
    page = list_tokens.sync(account, client=person, limit=1, cursor=cursor)
    names += [token.name for token in page.tokens]
    cursor = page.next_cursor
holder = AuthenticatedClient(base_url=task["url"], token=issued.secret)
method, path = TokenInfoMethod.DELETE, f"/v1/exports/{task['export']}"
info = token_info.sync(client=holder, method=method, path=path)
asking = AuthenticatedClient(base_url=task["url"], token=asker.secret)
question = IntrospectTokenRequest(token=issued.secret)
introspected = introspect_token.sync(client=asking, body=question)
reason = RevokeTokenRequest(reason="done")
revoked = revoke_token.sync(account, token.id, client=person, body=reason)
nobody = AuthenticatedClient(base_url=task["url"], token="nobody")
refused = get_token.sync(account, token.id, client=nobody)
audit = list_token_audit.sync(account, token.id, client=person, to=revoked.revoked_at)
json.dump(
    {
        "names": names,
        "created": token.created_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "renamed": renamed.name,
        "exports": token.scope.exports,
        "status": revoked.status.value,
        "full": asker.token.scope.type_.value,
        "problems": [problem.code, missing.code],
        "failures": [[failure.field, failure.code] for failure in invalid.errors],
        "revealed": revealed.secret == issued.secret,
        "gateway": refused.message,
        "info": info.name,
        "decision": info.decision.code.value,
        "introspected": introspected.active,
        "actions": [record.action.value for record in audit.records],
    },
    sys.stdout,
)
