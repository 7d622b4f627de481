"""A template as CloudFormation makes resources of it, with every Fn::ForEach and SAM's transform carried out.

Runs under the Python of the SAM tool, whose libraries do what AWS does, and needs neither network nor credentials:

    .local/tools/sam/bin/python infra/local/expand.py TEMPLATE [NAME=VALUE...]  print it as JSON; the values are those of
                                                                                parameters, which else have their defaults
    .local/tools/sam/bin/python infra/local/expand.py --count TEMPLATE          print how many resources it has, and fail
                                                                                if they are more than MAX_RESOURCES
"""

import json
import os
import sys
from pathlib import Path

# Else it would count our use of it.
os.environ["SAM_CLI_TELEMETRY"] = "0"

from samcli.lib.translate.sam_template_validator import SamTemplateValidator  # noqa: E402
from samcli.yamlhelper import yaml_parse  # noqa: E402

# CloudFormation takes 500, and counts what a condition leaves out too.
MAX_RESOURCES = 450


class NoManagedPolicies:
    """SAM would ask AWS for its policies, of which no role here has one."""

    def load(self):
        return {}


def expand(path, parameters):
    template = yaml_parse(Path(path).read_text(encoding="utf-8"))
    validator = SamTemplateValidator(
        template,
        NoManagedPolicies(),
        # Whatever the user's own settings are. It decides about nothing but names of AWS's.
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
