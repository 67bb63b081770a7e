"""Runs ceph/s3-tests against a server of its own and compares what fails with the baseline.

See scripts/s3tests. The suite's checkout is given; nothing of it is kept here."""
import argparse
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
import xml.etree.ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))

from ports import free_port  # noqa: E402

# What a store without these features cannot answer, and what the suite itself calls broken.
WITHOUT_MARKS = (
    "bucket_logging bucket_logging_cleanup sse_s3 bucket_encryption cloud_transition cloud_restore "
    "iam_account sns fails_on_rgw"
).split()
# The subset that gates: without ACL, encryption, logging, tenant and ownership tests.
SUBSET_WITHOUT = (
    "acl logging sse encryption cloud tenant ownership public_block block_public public_access"
).split()

# How long a day of lifecycle rules is, and what runs by it: most tests wait for some days, as long
# as lc_debug_interval says; those of x-amz-expiration read a date, a day from now. With the latter
# runs what wants its account for itself: these go one after another.
SHORT_DAY = 10
ALONE = "lifecycle_expiration_header or list_buckets_paginated"
ROUNDS = ((86400, ALONE), (SHORT_DAY, f"not ({ALONE})"))
NO_FAILURE = ("passed", "skipped", "unknown")
USERS = ("main", "alt", "tenant", "iam")


def make_certificate(directory):
    """A certificate for localhost and its key, in one file."""
    path = os.path.join(directory, "localhost.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", path + ".key",
         "-out", path + ".crt", "-addext", "subjectAltName=DNS:localhost,DNS:*.localhost"],
        check=True, capture_output=True,
    )
    with open(path, "wb") as file:
        for part in (path + ".key", path + ".crt"):
            with open(part, "rb") as source:
                file.write(source.read())
    os.chmod(path, 0o600)
    return path


class Server:
    """`holdfast serve` on free ports over an empty directory, with the suite's users."""

    def __init__(self, program, directory, day_seconds, https):
        os.makedirs(directory)
        self.program = program
        self.directory = directory
        self.certificate = make_certificate(directory) if https else None
        self.data = os.path.join(directory, "data")
        self.port = free_port()
        config = os.path.join(directory, "holdfast.toml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(
                f'data = "{self.data}"\n'
                f'[s3]\nlisten = "127.0.0.1:{self.port}"\n'
                + (
                    f'tls_certificate = "{self.certificate}"\ntls_key = "{self.certificate}"\n'
                    if https else ""
                )
                # The suite opens its buckets by policy and ACL and expects no block before it puts one.
                + 'bucket_creators = "everyone"\nv2_forms = true\nblock_public_access = false\n'
                f'[web]\nlisten = "127.0.0.1:{free_port()}"\n'
                f"[lifecycle]\nday_seconds = {day_seconds}\n"
                "[tools]\nenabled = false\n"
            )
        self.log = open(os.path.join(directory, "serve.log"), "wb")
        self.process = subprocess.Popen(
            [program, "serve", "--config", config], stdout=self.log, stderr=subprocess.STDOUT
        )
        self.wait_until_it_answers()
        self.keys = {user: self.make_user(user) for user in USERS}

    def wait_until_it_answers(self):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise SystemExit("s3tests: the server ended: see " + self.log.name)
            try:
                context = None
                if self.certificate:
                    context = ssl.create_default_context(cafile=self.certificate)
                url = f"{'https' if context else 'http'}://localhost:{self.port}/-/health"
                urllib.request.urlopen(url, timeout=5, context=context)
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit("s3tests: the server did not answer within a minute")

    def command(self, *arguments):
        run = subprocess.run(
            [self.program, "--data", self.data, "--json", *arguments],
            capture_output=True, text=True, timeout=60, check=False,
        )
        if run.returncode != 0:
            raise SystemExit(f"s3tests: holdfast {' '.join(arguments)}: {run.stderr.strip()}")
        return run.stdout

    def make_user(self, name):
        self.command("user", "add", name, "--kind", "service")
        return json.loads(self.command("key", "create", name))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


def write_suite_config(path, server):
    owner = "686f6c6466617374686f6c6466617374686f6c6466617374686f6c6466617374"

    def person(section, user, extra=""):
        key = server.keys[user]
        return (
            f"[{section}]\ndisplay_name = {user}\nuser_id = {owner if user == 'main' else user}\n"
            f"email = {user}@example.com\naccess_key = {key['access_key_id']}\n"
            f"secret_key = {key['secret_access_key']}\n{extra}"
        )

    with open(path, "w", encoding="utf-8") as file:
        file.write(
            f"[DEFAULT]\nhost = localhost\nport = {server.port}\nis_secure = {bool(server.certificate)}\n"
            "ssl_verify = False\n[fixtures]\nbucket prefix = hf-{random}-\n"
            # us-east-1 has no name in answers: the test of the name is skipped.
            + person("s3 main", "main", f"api_name =\nlc_debug_interval = {SHORT_DAY}\n")
            + person("s3 alt", "alt")
            + person("s3 tenant", "tenant", "tenant = testx\n")
            + person("iam", "iam")
            + person("iam root", "iam")
            + person("iam alt root", "iam")
            # Of an identity provider that is not there: its tests begin with the IAM API anyway.
            + "[webidentity]\ntoken = none\naud = none\nsub = none\nazp = none\nuser_token = none\n"
            f"thumbprint = {'0' * 40}\nKC_REALM = none\n"
        )


def run_suite(options, server, config, report, expression):
    """Answers {name: "passed" | "skipped" | "unknown" (to the client) | why it failed}."""
    environment = dict(os.environ, S3TEST_CONF=config, AWS_MAX_ATTEMPTS="1")
    for name in list(environment):
        if name.startswith("AWS_") and name != "AWS_MAX_ATTEMPTS":
            del environment[name]
    if server.certificate:
        environment["SSL_CERT_FILE"] = server.certificate  # for the tests that speak by themselves
    command = [
        options.python, "-B", "-m", "pytest", "-q", "--tb=line", "-p", "no:cacheprovider",
        f"--junit-xml={report}", f"s3tests/functional/test_{'sts' if options.sts else 's3'}.py",
        "-m", " and ".join("not " + mark for mark in WITHOUT_MARKS),
    ]
    words = [f"({expression})"]
    if not options.all and not options.sts:
        words += ["not " + word for word in SUBSET_WITHOUT]
    if options.only:
        words.append(f"({options.only})")
    command += ["-k", " and ".join(words)]
    if options.jobs > 1 and expression != ALONE:
        command += ["-n", str(options.jobs)]
    log = report + ".log"
    with open(log, "wb") as file:
        code = subprocess.run(
            command, cwd=options.suite, env=environment, stdout=file, stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    if code == 5:  # nothing of this round was chosen
        return {}
    if code not in (0, 1) or not os.path.exists(report):
        with open(log, encoding="utf-8", errors="replace") as file:
            sys.stderr.write(file.read()[-4000:])
        raise SystemExit(f"s3tests: pytest ended with {code}")
    return read_report(report)


def read_report(report):
    results = {}
    for case in xml.etree.ElementTree.parse(report).iter("testcase"):
        name = case.get("name")
        bad = case.find("failure")
        if bad is None:
            bad = case.find("error")
        if bad is not None:
            text = " ".join((bad.get("message") or bad.text or "failed").split())
            # The test never spoke to the server: its client is older than what it tests.
            if "ParamValidationError" in text and "Unknown parameter" in text:
                results[name] = "unknown"
                continue
            results[name] = re.sub(r"^botocore\.\S+?(ClientError|factory\.\S+?): ", "", text)[:160]
        elif case.find("skipped") is not None:
            results.setdefault(name, "skipped")
        else:
            results.setdefault(name, "passed")
    return results


def read_baseline(path, tags):
    """Lines of `NAME  WHEN  REASON`: WHEN is always, or tags of runs (new, old, http, https),
    separated by commas, joined by + where both must be."""
    expected = {}
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            fields = line.split(None, 2)
            if len(fields) != 3:
                raise SystemExit(f"s3tests: {path}:{number}: NAME WHEN REASON is wanted")
            name, when, reason = fields
            if when == "sometimes":
                expected[name] = (None, reason)
            elif when == "always" or any(set(run.split("+")) <= tags for run in when.split(",")):
                expected[name] = (True, reason)
    return expected


def compare(results, expected):
    failed = {name for name, text in results.items() if text not in NO_FAILURE}
    known = {name for name, (surely, _) in expected.items()}
    regressions = sorted(failed - known)
    fixed = sorted(
        name for name, (surely, _) in expected.items()
        if surely and results.get(name) == "passed"
    )
    return failed, regressions, fixed


def tags_of(options):
    code = "import boto3; print(boto3.__version__)"
    version = subprocess.run(
        [options.python, "-c", code], capture_output=True, text=True, check=False
    ).stdout.strip()
    if not version:
        raise SystemExit(f"s3tests: {options.python} has no boto3")
    major, minor = (int(part) for part in version.split(".")[:2])
    return version, {
        "new" if (major, minor) >= (1, 36) else "old", "https" if options.https else "http"
    }


def parse(arguments):
    parser = argparse.ArgumentParser(prog="scripts/s3tests", description=__doc__)
    parser.add_argument("--suite", required=True, help="a checkout of ceph/s3-tests")
    parser.add_argument("--python", default="/usr/bin/python3", help="has boto3 and pytest")
    parser.add_argument("--program", help="the holdfast program (default: build/release/cli/…)")
    parser.add_argument("--all", action="store_true", help="all of test_s3, not the subset only")
    parser.add_argument("--sts", action="store_true", help="test_sts.py instead of test_s3.py")
    parser.add_argument("--only", help="a pytest -k expression; compares what ran")
    parser.add_argument("--jobs", type=int, default=1, help="with pytest-xdist; default 1")
    parser.add_argument("--https", action="store_true", help="over TLS, with its own certificate")
    parser.add_argument("--keep", help="a directory for the report and the server's log")
    return parser.parse_args(arguments)


def keep_files(options, directory):
    if not options.keep:
        return
    target = os.path.join(options.keep, os.path.basename(directory))
    os.makedirs(target, exist_ok=True)
    for name in ("report.xml", "report.xml.log", "serve.log"):
        if os.path.exists(os.path.join(directory, name)):
            shutil.copy(os.path.join(directory, name), target)


def main(arguments):
    options = parse(arguments)
    root = os.path.dirname(os.path.dirname(HERE))
    program = options.program or os.path.join(root, "build/release/cli/holdfast")
    if not os.access(program, os.X_OK):
        raise SystemExit(f"s3tests: no program at {program}: scripts/build release holdfast")
    if not os.path.exists(os.path.join(options.suite, "s3tests/functional/test_s3.py")):
        raise SystemExit(f"s3tests: {options.suite} is no checkout of ceph/s3-tests")
    version, tags = tags_of(options)
    work = tempfile.mkdtemp(prefix="holdfast-s3tests-")
    results = {}
    try:
        for number, (day_seconds, expression) in enumerate(ROUNDS, 1):
            directory = os.path.join(work, f"round{number}")
            server = Server(os.path.abspath(program), directory, day_seconds, options.https)
            try:
                config = os.path.join(directory, "s3tests.conf")
                write_suite_config(config, server)
                report = os.path.join(directory, "report.xml")
                results |= run_suite(options, server, config, report, expression)
            finally:
                server.stop()
                keep_files(options, directory)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    expected = read_baseline(os.path.join(HERE, "baseline.txt"), tags)
    failed, regressions, fixed = compare(results, expected)
    ran = [text for text in results.values() if text not in ("skipped", "unknown")]
    unknown = sum(text == "unknown" for text in results.values())
    for name in regressions:
        print(f"REGRESSION {name}: {results[name]}")
    for name in fixed:
        print(f"FIXED {name}: take it out of tests/s3tests/baseline.txt")
    print(
        f"boto3 {version} over {'HTTPS' if options.https else 'HTTP'}: {len(results)} tests, {len(ran) - len(failed)} passed, {len(failed)} "
        f"failed, {len(results) - len(ran) - unknown} skipped themselves, {unknown} use what this "
        f"boto3 does not know; {len(regressions)} regressions, {len(fixed)} fixes not recorded"
    )
    return 1 if regressions or fixed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
