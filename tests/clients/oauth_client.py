"""Asks the OAuth endpoints as a program does that knows nothing of Latchkey: with Authlib's client, as it is.

Reads what to do as a JSON object, and writes the answer as another one.
"""

import json
import sys

from authlib.integrations.requests_client import OAuth2Session

task = json.load(sys.stdin)
session = OAuth2Session(**task["client"])
session.trust_env = False
operation = {"introspect": session.introspect_token, "revoke": session.revoke_token}[task["operation"]]
response = operation(task["url"], token=task["token"], token_type_hint="access_token")
json.dump({"status": response.status_code, "text": response.text}, sys.stdout)
