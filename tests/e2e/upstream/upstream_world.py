"""`holdfast serve` in front of Ceph's object gateway: what the tests of upstream mode stand on."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "story"))
sys.path.insert(0, os.path.join(HERE, "..", "..", "upstream"))

from ceph import Ceph, free_port  # noqa: E402
from harness import Server, wait_for  # noqa: E402

PREFIX = "hf-"

CONFIGURATION = """
data = "{data}"
[store]
kind = "s3"
endpoint = "{endpoint}"
credentials = "{credentials}"
bucket_prefix = "{prefix}"
fsync = false
{more}
[store.buckets]
mapped = "somewhere-else"
[tools]
enabled = false
"""


class UpstreamServer(Server):
    """The story's server with an upstream store behind it; `more`: lines of its [store]."""

    def __init__(self, program, ceph, endpoint=None, secret=None, more=""):
        super().__init__(program)
        # Several of these run beside other tests: ports of their own.
        self.s3_port, self.web_port = free_port(), free_port()
        self.files = tempfile.mkdtemp(prefix="holdfast-upstream-")
        self.credentials = os.path.join(self.files, "credentials")
        self.write_credentials(ceph.key, secret or ceph.secret)
        configuration = os.path.join(self.files, "holdfast.toml")
        with open(configuration, "w", encoding="utf-8") as file:
            file.write(
                CONFIGURATION.format(
                    data=self.data,
                    endpoint=endpoint or ceph.endpoint,
                    credentials=self.credentials,
                    prefix=PREFIX,
                    more=more,
                )
            )
        self.arguments = ["--config", configuration]
        self.listen = ["--s3-listen", f"127.0.0.1:{self.s3_port}"]
        self.listen += ["--web-listen", f"127.0.0.1:{self.web_port}"]

    def write_credentials(self, key, secret):
        with open(self.credentials, "w", encoding="utf-8") as file:
            file.write(f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n")
        os.chmod(self.credentials, 0o600)

    def cleanup(self):
        super().cleanup()
        subprocess.run(["rm", "-rf", self.files, self.log_path], check=False)


class Plain(Server):
    """A server of its own, whose S3 API is the endpoint behind another."""

    def __init__(self, program):
        super().__init__(program, options=["[tools]", "enabled = false"])
        self.s3_port, self.web_port = free_port(), free_port()

    def start(self):
        super().start()
        self.endpoint = self.s3_url
        self.key, self.secret = self.keys_of("admin")


class Console:
    """The web console's API as somebody who is signed in."""

    def __init__(self, server, user):
        self.url = server.web_url
        link = server.cli_json("user", "link", user)["url"]
        opener = urllib.request.build_opener(NoRedirect())
        with opener.open(link, timeout=30) as answer:
            self.cookie = answer.headers["Set-Cookie"].split(";")[0]
        self.csrf = self.call("GET", "session")["csrf"]

    def call(self, method, path, body=None):
        headers = {"Cookie": self.cookie, "Content-Type": "application/json"}
        if method != "GET":
            headers["X-Holdfast-Csrf"] = self.csrf
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url}/api/v1/{path}", data=data, method=method, headers=headers
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def post(self, path, **body):
        return self.call("POST", path, body)


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def http_error_303(self, request, answer, code, message, headers):
        return answer


class Stopped:
    """While it lasts the server's process stands still, so that no byte can pass through it."""

    def __init__(self, server):
        self.pid = server.process.pid

    def __enter__(self):
        os.kill(self.pid, signal.SIGSTOP)

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGCONT)


def transfer(url, method="GET", data=None, headers=None):
    """Status, headers and body of one request."""
    request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def client_of(endpoint, keys, retries=0, read_timeout=60):
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=keys[0],
        aws_secret_access_key=keys[1],
        aws_session_token=keys[2] if len(keys) > 2 else None,
        region_name="us-east-1",
        config=Config(
            signature_version="s3v4",
            retries={"max_attempts": retries, "mode": "standard"},
            s3={"addressing_style": "path"},
            connect_timeout=5,
            read_timeout=read_timeout,
        ),
    )


__all__ = [
    "Ceph", "Console", "PREFIX", "Plain", "Stopped", "UpstreamServer", "client_of", "transfer", "wait_for",
]
