"""Starts s3_test_server for a test class and stops it: one process, one port, one empty store."""

import os
import shutil
import subprocess
import tempfile
import unittest

ADMIN = ("AKADMIN", "admin-secret")
ALICE = ("AKALICE", "alice-secret")
BOB = ("AKBOB", "bob-secret")
DROP = ("AKDROP", "drop-secret")


class Server:
    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="s3clients-")
        arguments = [os.environ["S3_TEST_SERVER"], "--threads", "1"]
        if os.environ.get("S3_TEST_STORE", "memory") == "local":
            arguments += ["--data", os.path.join(self.directory, "data")]
            os.mkdir(arguments[-1])
        self.process = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        line = self.process.stdout.readline().split()
        if len(line) != 2 or line[0] != "listening":
            raise RuntimeError("the server did not start")
        self.port = int(line[1])
        self.url = f"http://localhost:{self.port}"

    def stop(self):
        self.process.stdin.close()
        code = self.process.wait(timeout=20)
        self.process.stdout.close()
        shutil.rmtree(self.directory, ignore_errors=True)
        if code != 0:
            raise RuntimeError(f"the server ended with {code}")


class ServerTest(unittest.TestCase):
    """Each class has its own server, each test its own working directory."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.stop)

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="s3clients-work-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)

    def write(self, name, data):
        path = os.path.join(self.directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def read(self, name):
        with open(os.path.join(self.directory, name), "rb") as file:
            return file.read()

    def environment(self, credentials=ADMIN):
        names = ("PATH", "HOME", "LANG", "TMPDIR")
        environment = {name: os.environ[name] for name in names if name in os.environ}
        environment["PATH"] = "/usr/bin:/bin"
        environment["HOME"] = self.directory
        environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"] = credentials
        environment["AWS_DEFAULT_REGION"] = "us-east-1"
        environment["AWS_EC2_METADATA_DISABLED"] = "true"
        return environment

    def run_client(self, arguments, credentials=ADMIN, expect=0):
        done = subprocess.run(
            arguments,
            env=self.environment(credentials),
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=120,
        )
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done.stdout
