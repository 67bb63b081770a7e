"""A server whose store encrypts: clients see what they always see, the disk shows nothing of it, and without
its root key the server does not start."""
import hashlib
import os
import shutil
import subprocess
import tempfile
import unittest

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError

from serve_fixture import NO_TOOLS, program
from harness import Server

MARK = b"PLAIN-TEXT-THAT-NOBODY-MAY-SEE"
MIB = 1 << 20


def marked(size):
    """Random bytes with the mark in every 4 KiB."""
    block = MARK + os.urandom(4096 - len(MARK))
    return (block * (size // len(block) + 1))[:size]


def files_with(folder, needle):
    found = []
    for at, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(at, name)
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    if needle in file.read():
                        found.append(path)
    return found


class EncryptionTest(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.mkdtemp(prefix="holdfast-keys-", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.place, ignore_errors=True)
        self.key_text = os.urandom(32).hex()
        self.key = self.write_key("root.key", self.key_text)
        self.server = Server(program(), options=[*NO_TOOLS, f'store.root_key_file = "{self.key}"'])
        self.addCleanup(self.server.cleanup)

    def write_key(self, name, text, mode=0o600):
        path = os.path.join(self.place, name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, mode), "w", encoding="ascii") as file:
            file.write(text + "\n")
        os.chmod(path, mode)
        return path

    def start(self):
        self.server.start()
        self.server.cli("user", "add", "alice")
        self.server.cli("bucket", "create", "research")
        self.server.cli("grant", "add", "alice", "write", "research")
        self.keys = self.server.keys_of("alice")
        self.s3 = self.server.s3(self.keys)

    def read(self, key, **arguments):
        return self.s3.get_object(Bucket="research", Key=key, **arguments)["Body"].read()

    def refused(self, *options):
        """What `serve` says when it ends at once."""
        path = os.path.join(self.place, "refused.toml")
        with open(path, "w", encoding="ascii") as file:
            file.write("\n".join([*NO_TOOLS, *options]) + "\n")
        done = subprocess.run([program(), "serve", "--data", self.server.data, "--config", path,
                               "--s3-listen", f"127.0.0.1:{self.server.s3_port}",
                               "--web-listen", f"127.0.0.1:{self.server.web_port}"],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def test_clients_see_plain_text_and_the_disk_does_not(self):
        self.start()
        bodies = {"small": marked(5000), "inline": marked(128 << 10), "large": marked(3 * MIB + 17)}
        for key, body in bodies.items():
            put = self.s3.put_object(Bucket="research", Key=key, Body=body)
            self.assertEqual(put["ETag"], f'"{hashlib.md5(body).hexdigest()}"')
        parts = marked(21 * MIB + 5)
        path = os.path.join(self.place, "parts")
        with open(path, "wb") as file:
            file.write(parts)
        self.s3.upload_file(path, "research", "parts", Config=TransferConfig(multipart_chunksize=8 * MIB))
        self.s3.copy_object(Bucket="research", Key="copy", CopySource={"Bucket": "research", "Key": "large"})
        bodies.update(parts=parts, copy=bodies["large"])

        for restarted in (False, True):
            for key, body in bodies.items():
                self.assertEqual(self.s3.head_object(Bucket="research", Key=key)["ContentLength"], len(body))
                self.assertEqual(self.read(key), body, key)
                for first, last in ((0, 0), (65535, 65536), (4000, len(body) - 1), (len(body) - 10, len(body) - 1)):
                    if first <= last < len(body):
                        self.assertEqual(self.read(key, Range=f"bytes={first}-{last}"), body[first:last + 1], key)
            self.s3.download_file("research", "parts", path + ".back")
            with open(path + ".back", "rb") as file:
                self.assertEqual(file.read(), parts)
            self.assertEqual(files_with(self.server.data, MARK), [])
            if not restarted:
                self.server.kill()
                self.server.start()

        # Without a key: nothing starts, but the checks of the disk do.
        self.server.stop()
        self.assertIn("root key", self.refused())
        other = self.write_key("other.key", os.urandom(32).hex())
        self.assertIn("objects", self.refused(f'store.root_key_file = "{other}"'))
        self.assertIn("no damage", self.server.cli("check", "--rebuild-index", "--scrub"))

        # Another key from now on; damage is an error, never other bytes.
        self.server.options = [*NO_TOOLS, f'store.root_key_file = "{other}"',
                               f'store.old_root_key_files = ["{self.key}"]']
        self.server.start()
        self.s3.put_object(Bucket="research", Key="newer", Body=bodies["large"])
        bodies["newer"] = bodies["large"]
        for key, body in bodies.items():
            self.assertEqual(self.read(key), body, key)
        for at, _, names in os.walk(os.path.join(self.server.data, "store", "blobs")):
            for name in names:
                with open(os.path.join(at, name), "r+b") as file:
                    file.seek(2 * MIB)
                    byte = file.read(1)
                    file.seek(2 * MIB)
                    file.write(bytes([byte[0] ^ 1]))
        for key in ("large", "parts", "newer"):
            with self.assertRaises((BotoCoreError, ClientError)):
                self.read(key)
        self.assertEqual(self.read("large", Range="bytes=0-999999"), bodies["large"][:1000000])
        with open(self.server.log_path, encoding="utf-8", errors="replace") as log:
            self.assertNotIn(self.key_text, log.read())

    def test_aes256_may_be_asked_for_and_is_told(self):
        self.start()
        asked = {"Bucket": "research", "ServerSideEncryption": "AES256"}

        def told(answer):
            return answer.get("ServerSideEncryption")

        self.assertEqual(told(self.s3.put_object(**asked, Key="asked", Body=b"x")), "AES256")
        self.assertEqual(told(self.s3.put_object(Bucket="research", Key="unasked", Body=b"x")), "AES256")
        self.assertEqual(told(self.s3.copy_object(**asked, Key="copy", CopySource="research/asked")), "AES256")
        path = os.path.join(self.place, "parts")
        with open(path, "wb") as file:
            file.write(os.urandom(12 * MIB))
        self.s3.upload_file(path, "research", "parts", ExtraArgs={"ServerSideEncryption": "AES256"})
        for key in ("asked", "unasked", "copy", "parts"):
            self.assertEqual(told(self.s3.head_object(Bucket="research", Key=key)), "AES256", key)
            self.assertEqual(told(self.s3.get_object(Bucket="research", Key=key)), "AES256", key)
        for extra in ({"ServerSideEncryption": "aws:kms"}, {"SSECustomerAlgorithm": "AES256",
                                                            "SSECustomerKey": "k" * 32}):
            with self.assertRaises(ClientError) as caught:
                self.s3.put_object(Bucket="research", Key="refused", Body=b"x", **extra)
            self.assertEqual(caught.exception.response["Error"]["Code"], "NotImplemented", extra)

        # After a start that does not encrypt, nobody knows what lies there any more.
        self.server.stop()
        self.server.options = [*NO_TOOLS, f'store.old_root_key_files = ["{self.key}"]']
        self.server.start()
        self.assertIsNone(told(self.s3.put_object(Bucket="research", Key="clear", Body=b"x")))
        self.assertIsNone(told(self.s3.get_object(Bucket="research", Key="asked")))
        with self.assertRaises(ClientError) as caught:
            self.s3.put_object(**asked, Key="refused", Body=b"x")
        self.assertEqual(caught.exception.response["Error"]["Code"], "NotImplemented")
        self.server.stop()
        self.server.options = [*NO_TOOLS, f'store.root_key_file = "{self.key}"']
        self.server.start()
        self.assertEqual(told(self.s3.put_object(**asked, Key="again", Body=b"x")), "AES256")
        self.assertIsNone(told(self.s3.get_object(Bucket="research", Key="again")))
        self.assertIsNone(told(self.s3.get_object(Bucket="research", Key="clear")))

    def test_a_key_that_protects_nothing_is_refused(self):
        shutil.rmtree(self.server.data)
        for path, words in ((self.write_key("open.key", self.key_text, 0o644), "chmod 600"),
                            (self.write_key("short.key", "secret"), "openssl rand"),
                            (os.path.join(self.place, "missing"), "missing")):
            self.assertIn(words, self.refused(f'store.root_key_file = "{path}"'))
            self.assertFalse(os.path.exists(self.server.data), "a data directory was laid out")
        inside = os.path.join(self.server.data, "root.key")
        os.mkdir(self.server.data)
        shutil.copy(self.key, inside)
        self.assertIn("lies in the data directory", self.refused(f'store.root_key_file = "{inside}"'))
        self.assertEqual(os.listdir(self.server.data), ["root.key"])


if __name__ == "__main__":
    unittest.main()
