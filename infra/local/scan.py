"""Scan the templates as AWS sees them, after every Fn::ForEach and SAM's transform, with Checkov.

Runs under the Python of the SAM tool, and needs neither network nor credentials:

    .local/tools/sam/bin/python infra/local/scan.py [REPORT]

infra/findings.yaml lists the findings that stay, each with its reason. A finding that isn't in the list fails the scan,
and so does an entry of the list that no longer matches a finding. REPORT is a report of Checkov in JSON to compare with
the list; without it, Checkov is run.
"""

import json
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

import yaml

ROOT = Path(__file__).resolve().parents[2]
CHECKOV = ROOT / ".local" / "tools" / "checkov" / "bin" / "checkov"
EXPANDED = ROOT / ".local" / "scan"
FINDINGS = ROOT / "infra" / "findings.yaml"
TEMPLATES = ("infra/template.yaml", "examples/protected-api/template.yaml", "examples/protected-api/rest-api.yaml")


def scan():
    """Return Checkov's report. Nothing is sent: it downloads no policies and uploads no results."""
    # It takes a second to load, and a comparison doesn't need it.
    from expand import expand

    for template in TEMPLATES:
        expanded = (EXPANDED / template).with_suffix(".json")
        expanded.parent.mkdir(parents=True, exist_ok=True)
        expanded.write_text(json.dumps(expand(ROOT / template, {})), encoding="utf-8")
    command = [
        str(CHECKOV), "--directory", str(EXPANDED), "--framework", "cloudformation", "--compact", "--quiet",
        "--skip-download", "--soft-fail", "--output", "json",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=EXPANDED, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit("error: Checkov failed.")
    return json.loads(done.stdout)


def found(report):
    """Return the findings as (check, template, resource), with what each check asks for."""
    summary = report["summary"]
    if summary["parsing_errors"] or not summary["passed"]:
        sys.exit("error: Checkov could not read every template.")
    findings = {}
    for finding in report["results"]["failed_checks"]:
        template = PurePosixPath(finding["file_path"].lstrip("/")).with_suffix(".yaml")
        # The resource is its type and its name, parted by a dot.
        resource = finding["resource"].rsplit(".", 1)[1]
        findings[finding["check_id"], str(template), resource] = finding["check_name"]
    return findings


def main(*arguments):
    findings = found(json.loads(Path(arguments[0]).read_text(encoding="utf-8")) if arguments else scan())
    unused = {
        (check, template, pattern)
        for check, entry in yaml.safe_load(FINDINGS.read_text(encoding="utf-8")).items()
        for template, patterns in entry["where"].items()
        for pattern in patterns
    }
    listed = tuple(unused)
    errors = []
    for (check, template, resource), asks in sorted(findings.items()):
        matches = {entry for entry in listed if entry[:2] == (check, template) and fnmatchcase(resource, entry[2])}
        unused -= matches
        if not matches:
            errors.append(f"{check} at {resource} of {template}: {asks}")
    for check, template, pattern in sorted(unused):
        errors.append(f"{check} is no finding at {pattern} of {template}: remove the entry of infra/findings.yaml")
    if errors:
        sys.exit("\n".join(f"error: {error}" for error in errors))
    print(f"Scanned: {len(findings)} findings, each with its reason in infra/findings.yaml.")


if __name__ == "__main__":
    main(*sys.argv[1:])
