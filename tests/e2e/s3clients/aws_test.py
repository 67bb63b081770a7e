"""The aws command line (Debian's) against the S3 service."""

import unittest

from server import ALICE, BOB, ServerTest


class AwsTest(ServerTest):
    def aws(self, *arguments, credentials=None, expect=0):
        command = ["/usr/bin/aws", "--endpoint-url", self.server.url, *arguments]
        more = {"credentials": credentials} if credentials else {}
        return self.run_client(command, expect=expect, **more)

    def test_buckets_and_objects_go_round(self):
        self.aws("s3", "mb", "s3://round")
        data = bytes(range(256)) * 65536  # 16 MiB: multipart
        self.write("dir/large.bin", data)
        self.write("dir/sub/small.txt", b"small")
        self.aws("s3", "cp", "dir", "s3://round/dir", "--recursive", "--only-show-errors")
        listed = self.aws("s3", "ls", "s3://round/dir/", "--recursive")
        self.assertIn("dir/large.bin", listed)
        self.assertIn("dir/sub/small.txt", listed)
        self.aws("s3", "sync", "s3://round/dir", "back", "--only-show-errors")
        self.assertEqual(self.read("back/large.bin"), data)
        self.assertEqual(self.read("back/sub/small.txt"), b"small")
        self.aws("s3", "mv", "s3://round/dir/large.bin", "s3://round/moved.bin",
                 "--only-show-errors")
        self.aws("s3", "rm", "s3://round", "--recursive", "--only-show-errors")
        self.aws("s3", "rb", "s3://round")
        self.assertNotIn("round", self.aws("s3", "ls"))

    def test_a_stream_is_stored(self):
        self.aws("s3", "mb", "s3://stream")
        self.write("in", b"piped")
        self.run_client(["/bin/sh", "-c", "/usr/bin/aws --endpoint-url "
                         f"{self.server.url} s3 cp - s3://stream/k < in"])
        self.aws("s3api", "get-object", "--bucket", "stream", "--key", "k", "out")
        self.assertEqual(self.read("out"), b"piped")

    def test_rights_hold_for_the_command_line(self):
        self.aws("s3", "mb", "s3://research")
        self.write("f", b"x")
        self.aws("s3", "cp", "f", "s3://research/public/f", credentials=ALICE)
        self.aws("s3", "cp", "s3://research/public/f", "got", credentials=BOB)
        self.aws("s3", "cp", "f", "s3://research/public/g", credentials=BOB, expect=1)
        self.aws("s3", "ls", "s3://research/", credentials=BOB, expect=254)


if __name__ == "__main__":
    unittest.main()
