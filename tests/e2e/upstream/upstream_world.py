"""`holdfast serve` in front of Ceph's object gateway: what the tests of upstream mode stand on."""

import os
import subprocess
import sys
import tempfile

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
[store.buckets]
mapped = "somewhere-else"
[tools]
enabled = false
"""


class UpstreamServer(Server):
    """The story's server with an upstream store behind it."""

    def __init__(self, program, ceph, endpoint=None, secret=None):
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


def client_of(endpoint, keys, retries=0, read_timeout=60):
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=keys[0],
        aws_secret_access_key=keys[1],
        region_name="us-east-1",
        config=Config(
            signature_version="s3v4",
            retries={"max_attempts": retries, "mode": "standard"},
            s3={"addressing_style": "path"},
            connect_timeout=5,
            read_timeout=read_timeout,
        ),
    )


__all__ = ["Ceph", "PREFIX", "UpstreamServer", "client_of", "wait_for"]
