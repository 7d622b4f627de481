"""Expand a template as CloudFormation does, with every Fn::ForEach and SAM's transform.

Runs under the Python of the SAM tool, with the same libraries as AWS. It needs neither network nor credentials:

    .local/tools/sam/bin/python infra/local/expand.py TEMPLATE [NAME=VALUE...]  print it as JSON; NAME=VALUE sets a parameter
                                                                                that otherwise has its default
    .local/tools/sam/bin/python infra/local/expand.py --count TEMPLATE          print how many resources it has, and fail
                                                                                if it has more than MAX_RESOURCES
"""

import json
import os
import sys
from pathlib import Path

# Turn off the SAM tool's telemetry.
os.environ["SAM_CLI_TELEMETRY"] = "0"

from samcli.lib.translate.sam_template_validator import SamTemplateValidator  # noqa: E402
from samcli.yamlhelper import yaml_parse  # noqa: E402

# CloudFormation's limit is 500, including resources that a condition omits.
MAX_RESOURCES = 450


class NoManagedPolicies:
    """An empty list of managed policies. No role here has one, and SAM would ask AWS for them."""

    def load(self):
        return {}


def expand(path, parameters):
    template = yaml_parse(Path(path).read_text(encoding="utf-8"))
    validator = SamTemplateValidator(
        template,
        NoManagedPolicies(),
        # Independent of the user's settings. The region only affects names that AWS defines.
        region="us-east-1",
        parameter_overrides=parameters,
        language_extensions_enabled=True,
    )
    return yaml_parse(validator.get_translated_template_if_valid())


def main(*arguments):
    counts = arguments[:1] == ("--count",)
    path, *parameters = arguments[1:] if counts else arguments
    template = expand(path, dict(parameter.split("=", 1) for parameter in parameters))
    if not counts:
        json.dump(template, sys.stdout)
        return
    count = len(template["Resources"])
    print(f"{path}: {count} resources, of {MAX_RESOURCES} at the most.")
    if count > MAX_RESOURCES:
        sys.exit("These are too many: move some to a nested stack.")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
