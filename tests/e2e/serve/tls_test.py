"""Both listeners over HTTPS on a domain of their own, as from another machine: S3 clients, commands,
mounts and a browser that trust a test authority, and those that do not."""
import base64
import hashlib
import http.client
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import unittest
import zlib
from unittest import mock

import boto3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import SSLError

from serve_fixture import ServeTest, program, wait_for
from browser import Person
from test_authority import TestAuthority

DOMAIN = "files.test"
NAMES = [DOMAIN, f"*.{DOMAIN}"]
resolve = socket.getaddrinfo


def resolve_here(host, *arguments, **more):
    """What a DNS entry of the domain and its wildcard would answer."""
    if isinstance(host, str) and (host == DOMAIN or host.endswith("." + DOMAIN)):
        host = "127.0.0.1"
    return resolve(host, *arguments, **more)


class TlsTest(ServeTest):
    @classmethod
    def setUpClass(cls):
        cls.authority = TestAuthority(NAMES)
        cls.addClassCleanup(cls.authority.remove)
        patch = mock.patch("socket.getaddrinfo", resolve_here)
        patch.start()
        cls.addClassCleanup(patch.stop)
        cls.start_server(tls=cls.authority, domain=DOMAIN)
        cls.local_url = f"https://127.0.0.1:{cls.server.s3_port}"

    def setUp(self):
        self.scratch = tempfile.mkdtemp(prefix="holdfast-tls-", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.scratch, ignore_errors=True)

    def client(self, style="path", verify=None):
        return boto3.client("s3", endpoint_url=self.server.s3_url, aws_access_key_id=self.keys[0],
                            aws_secret_access_key=self.keys[1], region_name="us-east-1",
                            verify=verify or self.authority.ca,
                            config=Config(signature_version="s3v4", retries={"max_attempts": 0},
                                          s3={"addressing_style": style}))

    def environment(self):
        return {"PATH": "/usr/bin:/bin:/usr/sbin", "HOME": self.scratch, "AWS_ACCESS_KEY_ID": self.keys[0],
                "AWS_SECRET_ACCESS_KEY": self.keys[1], "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_ENDPOINT_URL": self.local_url, "AWS_EC2_METADATA_DISABLED": "true"}

    def context(self):
        return ssl.create_default_context(cafile=self.authority.ca)

    def serial(self):
        """Of the certificate that a new connection is shown."""
        with socket.create_connection(("127.0.0.1", self.server.s3_port)) as plain:
            with self.context().wrap_socket(plain, server_hostname=DOMAIN) as secure:
                return secure.getpeercert()["serialNumber"]

    def test_boto3_reads_and_writes_by_path_and_by_host_name(self):
        data = os.urandom(20 << 20)
        for style in ("path", "virtual"):
            s3 = self.client(style)
            path = os.path.join(self.scratch, "large")
            with open(path, "wb") as file:
                file.write(data)
            s3.upload_file(path, "research", f"{style}/large")
            got = s3.get_object(Bucket="research", Key=f"{style}/large")["Body"].read()
            self.assertEqual(hashlib.sha256(got).digest(), hashlib.sha256(data).digest())
            some = s3.get_object(Bucket="research", Key=f"{style}/large", Range="bytes=5000000-5000999")
            self.assertEqual(some["Body"].read(), data[5000000:5001000])
            keys = [row["Key"] for row in s3.list_objects_v2(Bucket="research", Prefix=style)["Contents"]]
            self.assertEqual(keys, [f"{style}/large"])

    def test_a_client_that_does_not_know_the_authority_refuses(self):
        with self.assertRaises(SSLError):
            self.client(verify="/etc/ssl/certs/ca-certificates.crt").list_objects_v2(Bucket="research")

    def test_boto3_streams_with_a_checksum_behind_the_body(self):
        s3 = self.client()
        sent = {}
        s3.meta.events.register("before-send.s3.PutObject",
                                lambda request, **_: sent.update(
                                    (name.lower(), value) for name, value in request.headers.items()))
        data = os.urandom(300_000)
        s3.put_object(Bucket="research", Key="trailer", Body=data, ChecksumAlgorithm="CRC32")
        value = sent["x-amz-content-sha256"]
        self.assertEqual(value if isinstance(value, str) else value.decode(), "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
        got = s3.get_object(Bucket="research", Key="trailer", ChecksumMode="ENABLED")
        self.assertEqual(got["Body"].read(), data)
        self.assertEqual(got["ChecksumCRC32"], base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode())

    def put_with_trailer(self, key, data, checksum):
        """What current SDKs send over HTTPS, byte for byte."""
        url = f"{self.local_url}/research/{key}"
        request = AWSRequest("PUT", url, headers={
            "content-encoding": "aws-chunked", "x-amz-trailer": "x-amz-checksum-crc32",
            "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            "x-amz-sdk-checksum-algorithm": "CRC32", "x-amz-decoded-content-length": str(len(data))})
        request.context["checksum"] = {"request_algorithm": {"in": "trailer", "algorithm": "crc32",
                                                             "name": "x-amz-checksum-crc32"}}
        S3SigV4Auth(Credentials(*self.keys), "s3", "us-east-1").add_auth(request)
        body = b"%x\r\n%s\r\n0\r\nx-amz-checksum-crc32:%s\r\n\r\n" % (len(data), data, checksum)
        connection = http.client.HTTPSConnection("127.0.0.1", self.server.s3_port, context=self.context())
        connection.request("PUT", f"/research/{key}", body, dict(request.headers.items()))
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def test_a_checksum_trailer_is_proven_over_tls(self):
        data = b"rows of a table\n" * 5000
        right = base64.b64encode(zlib.crc32(data).to_bytes(4, "big"))
        self.assertEqual(self.put_with_trailer("proven", data, right)[0], 200)
        self.assertEqual(self.client().get_object(Bucket="research", Key="proven")["Body"].read(), data)
        status, text = self.put_with_trailer("forged", data, b"AAAAAA==")
        self.assertEqual(status, 400, text)
        self.assertIn("BadDigest", text)
        self.assertNotIn("forged", str(self.client().list_objects_v2(Bucket="research").get("Contents")))

    def test_the_aws_command_line_works_with_the_authority(self):
        path = os.path.join(self.scratch, "in")
        with open(path, "wb") as file:
            file.write(os.urandom(9 << 20))
        command = ["/usr/bin/aws", "--endpoint-url", self.local_url, "--ca-bundle", self.authority.ca]
        for arguments in (["s3", "cp", path, "s3://research/aws/in"], ["s3", "cp", "s3://research/aws/in", path + "2"]):
            done = subprocess.run([*command, *arguments], env=self.environment(), capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(subprocess.run(["cmp", path, path + "2"]).returncode, 0)

    def test_our_commands_need_no_certificate_on_the_servers_machine(self):
        path = os.path.join(self.scratch, "plan.txt")
        with open(path, "w", encoding="ascii") as file:
            file.write("by our own socket")
        self.server.cli("cp", path, "s3://research/cli/plan.txt")
        self.assertEqual(self.server.cli("cat", "s3://research/cli/plan.txt"), "by our own socket")
        self.assertTrue(self.server.cli("presign", "s3://research/cli/plan.txt").startswith(f"https://{DOMAIN}:"))

    def test_a_mount_elsewhere_trusts_the_ca_file_it_is_given(self):
        cache, home = (os.path.join(self.scratch, name) for name in ("cache", "home"))
        os.mkdir(home)
        log_path = os.path.join(self.scratch, "mount.log")
        with open(log_path, "wb") as log:
            mount = subprocess.Popen([program(), "mount", "--user", "alice", "--cache", cache, "--home", home,
                                      "--ca-file", self.authority.ca], env=self.environment(),
                                     stdout=subprocess.PIPE, stderr=log)
        try:
            self.assertIn(b"ready", mount.stdout.readline(), "the mount did not start")
            with open(os.path.join(home, "saved.txt"), "w", encoding="ascii") as file:
                file.write("over TLS")
            s3 = self.client()
            wait_for("the save in the store", lambda: "Contents" in s3.list_objects_v2(
                Bucket="homes", Prefix="alice/saved.txt"), 30)
            self.assertEqual(s3.get_object(Bucket="homes", Key="alice/saved.txt")["Body"].read(), b"over TLS")
        finally:
            mount.send_signal(signal.SIGTERM)
            self.assertEqual(mount.wait(60), 0)
            mount.stdout.close()

    def test_the_sidecar_trusts_the_ca_file_it_is_given_and_nobody_else(self):
        tree = os.path.join(self.scratch, "tree")
        os.mkdir(tree)
        with open(os.path.join(tree, "note"), "w", encoding="ascii") as file:
            file.write("sidecar")
        command = [program(), "sync", "--bucket", "homes", "--prefix", "alice/side/", "--once", tree]
        trusting = subprocess.run([*command, "--ca-file", self.authority.ca], env=self.environment(),
                                  capture_output=True, text=True, timeout=120)
        self.assertEqual(trusting.returncode, 0, trusting.stderr)
        self.assertEqual(self.client().get_object(Bucket="homes", Key="alice/side/note")["Body"].read(), b"sidecar")

    def test_a_browser_signs_in_and_moves_files_from_another_machine(self):
        person = Person(self.scratch, [*self.authority.browser_flags(),
                                       f"--host-resolver-rules=MAP *.{DOMAIN} 127.0.0.1, MAP {DOMAIN} 127.0.0.1"])
        self.addCleanup(person.close)
        person.go(self.server.cli("user", "link", "alice").strip())
        person.wait_text("who", "alice")
        # The session lives in a __Host- cookie, which no browser keeps from plain HTTP on this domain.
        cookies = person.driver.get_cookies()
        self.assertTrue(any(row["name"].startswith("__Host-") and row["secure"] for row in cookies), cookies)
        self.assertTrue(person.script("return window.isSecureContext"))
        person.go(self.server.web_url + "/files/homes/alice/")
        person.find("upload-button")
        folder = os.path.join(self.scratch, "survey")
        os.mkdir(folder)
        data = os.urandom(3_000_000)
        with open(os.path.join(folder, "raw.bin"), "wb") as file:
            file.write(data)
        person.drop("file-list", [folder])
        person.find("upload-done", 60)
        got = self.client().get_object(Bucket="homes", Key="alice/survey/raw.bin")["Body"].read()
        self.assertEqual(got, data)

    def test_answers_of_the_console_bind_browsers_to_tls_and_those_of_s3_do_not(self):
        fields = {}
        for port in (self.server.web_port, self.server.s3_port):
            connection = http.client.HTTPSConnection(DOMAIN, port, context=self.context())
            connection.request("GET", "/-/health")
            fields[port] = connection.getresponse().getheader("Strict-Transport-Security")
            connection.close()
        self.assertEqual(fields[self.server.web_port], "max-age=31536000")
        self.assertIsNone(fields[self.server.s3_port])

    def test_a_plain_request_is_told_what_the_port_speaks(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.s3_port)
        connection.request("GET", "/")
        answer = connection.getresponse()
        self.assertEqual(answer.status, 400)
        self.assertIn("https://", answer.read().decode())

    def test_a_new_certificate_is_shown_after_sighup_and_after_a_while_and_drops_nobody(self):
        standing = http.client.HTTPSConnection(DOMAIN, self.server.s3_port, context=self.context())
        standing.request("GET", "/-/health")
        self.assertEqual(standing.getresponse().read() is not None, True)
        first = self.serial()
        self.authority.issue(NAMES)
        self.server.process.send_signal(signal.SIGHUP)
        wait_for("the new certificate after SIGHUP", lambda: self.serial() != first, 20)
        second = self.serial()
        self.authority.issue(NAMES)
        begun = time.monotonic()
        wait_for("the new certificate without a signal", lambda: self.serial() != second, 40, 0.5)
        self.assertLess(time.monotonic() - begun, 40)
        standing.request("GET", "/-/health")
        self.assertLess(standing.getresponse().status, 500)

    def test_a_broken_pair_or_half_a_setting_does_not_start(self):
        config = os.path.join(self.scratch, "broken.toml")
        cases = [(f'[s3]\ntls_key = "{self.authority.key}"\n', "s3.tls_certificate"),
                 (f'[s3]\ntls_key = "{self.authority.key}"\ntls_certificate = "/nonexistent.pem"\n', "/nonexistent.pem"),
                 (f'domain = "files.test"\n[web]\ntls_key = "{self.authority.key}"\n'
                  f'tls_certificate = "{self.authority.certificate}"\n', "s3.tls_key")]
        for text, expected in cases:
            with open(config, "w", encoding="ascii") as file:
                file.write(text)
            done = subprocess.run([program(), "serve", "--data", os.path.join(self.scratch, "data"), "--config", config,
                                   "--s3-listen", "127.0.0.1:0", "--web-listen", "127.0.0.1:0"],
                                  capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 1 if "nonexistent" in text else done.returncode)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(expected, done.stderr)


if __name__ == "__main__":
    unittest.main(warnings="ignore")
