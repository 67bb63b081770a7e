"""Buckets that notify webhooks, against a real receiver: what comes, in which order, what filters leave
out, and that nothing is lost when the receiver is away and the server is killed meanwhile."""
import http.server
import json
import os
import tempfile
import threading
import unittest

from botocore.exceptions import ClientError

from serve_fixture import NO_TOOLS, ServeTest, program, wait_for
from harness import Server

MIB = 1 << 20
ARN = "arn:holdfast:sqs::{}:webhook"


class Receiver:
    """An HTTP endpoint on a port of its own that can go away and come back. `refuse`: how many to answer 503."""

    def __init__(self):
        self.events, self.authorizations, self.refuse, self.redirect_to = [], [], 0, None
        self.asked = 0
        self.server, self.port = None, 0

    def start(self):
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.asked += 1
                status = 200
                if receiver.redirect_to is not None:
                    status = 307
                elif receiver.refuse > 0:
                    receiver.refuse -= 1
                    status = 503
                else:
                    receiver.authorizations.append(self.headers.get("Authorization"))
                    receiver.events.append(json.loads(body))
                self.send_response(status)
                if status == 307:
                    self.send_header("Location", receiver.redirect_to)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self):
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def told(self, prefix=""):
        """(event, key) in the order of their first arrival; what came twice, once."""
        seen = dict.fromkeys((event["EventName"], event["Key"], event["Records"][0]["s3"]["object"]["sequencer"])
                             for event in self.events)
        return [(name, key) for name, key, _ in seen if key.startswith(prefix)]


class WebhookTest(ServeTest):
    def setUp(self):
        self.receiver, self.other = Receiver(), Receiver()
        for receiver in (self.receiver, self.other):
            receiver.start()
            self.addCleanup(receiver.stop)
        token = tempfile.NamedTemporaryFile("w", prefix="holdfast-token-")
        self.addCleanup(token.close)
        token.write("opaque\n")
        token.flush()
        os.chmod(token.name, 0o600)
        self.server = Server(program(), options=[
            *NO_TOOLS,
            "[[notify.webhook]]", 'id = "x"', f'url = "http://127.0.0.1:{self.receiver.port}/hook"',
            f'auth_token_file = "{token.name}"',
            "[[notify.webhook]]", 'id = "y"', f'url = "http://127.0.0.1:{self.other.port}/"',
            "[[notify.webhook]]", 'id = "metadata"', 'url = "http://169.254.169.254/latest"'])
        self.addCleanup(self.server.cleanup)
        self.server.start()
        self.server.cli("user", "add", "alice")
        for bucket in ("one", "two"):
            self.server.cli("bucket", "create", bucket, *(["--unversioned"] if bucket == "two" else []))
            self.server.cli("grant", "add", "alice", "admin", bucket)
        self.s3 = self.server.s3(self.server.keys_of("alice"))

    def notify(self, bucket, *rules):
        self.s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={
            "QueueConfigurations": list(rules)})

    @staticmethod
    def rule(target="x", events=("s3:*",), **filters):
        events = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"] if events == ("s3:*",) else list(events)
        rule = {"Id": f"rule-{target}", "QueueArn": ARN.format(target), "Events": events}
        if filters:
            rule["Filter"] = {"Key": {"FilterRules": [{"Name": n, "Value": v} for n, v in filters.items()]}}
        return rule

    def put(self, bucket, key, body=b"x"):
        return self.s3.put_object(Bucket=bucket, Key=key, Body=body)

    def test_each_kind_of_write_is_told_in_order(self):
        self.put("one", "before")
        self.notify("one", self.rule())
        self.put("one", "plain key", b"12345")
        self.s3.copy_object(Bucket="one", Key="copied", CopySource={"Bucket": "one", "Key": "plain key"})
        upload = self.s3.create_multipart_upload(Bucket="one", Key="parts")["UploadId"]
        part = self.s3.upload_part(Bucket="one", Key="parts", UploadId=upload, PartNumber=1, Body=b"p" * MIB)
        self.s3.complete_multipart_upload(Bucket="one", Key="parts", UploadId=upload, MultipartUpload={
            "Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
        self.s3.delete_object(Bucket="one", Key="plain key")
        expected = [("s3:ObjectCreated:Put", "one/plain key"), ("s3:ObjectCreated:Put", "one/copied"),
                    ("s3:ObjectCreated:CompleteMultipartUpload", "one/parts"),
                    ("s3:ObjectRemoved:DeleteMarkerCreated", "one/plain key")]
        wait_for("the events", lambda: len(self.receiver.events) >= len(expected))
        self.assertEqual(self.receiver.told(), expected)
        record = self.receiver.events[0]["Records"][0]
        self.assertEqual(record["s3"]["bucket"]["name"], "one")
        self.assertEqual(record["s3"]["configurationId"], "rule-x")
        self.assertEqual(record["s3"]["object"]["key"], "plain+key")
        self.assertEqual(record["s3"]["object"]["size"], 5)
        self.assertEqual(set(self.receiver.authorizations), {"Bearer opaque"})
        # Taken back, nothing is told any more.
        self.notify("one")
        self.put("one", "after")
        self.notify("one", self.rule())
        self.put("one", "again")
        wait_for("the last", lambda: ("s3:ObjectCreated:Put", "one/again") in self.receiver.told())
        self.assertNotIn(("s3:ObjectCreated:Put", "one/after"), self.receiver.told())

    def test_filters_hold(self):
        self.notify("one", self.rule(events=["s3:ObjectCreated:*"], prefix="in/", suffix=".csv"),
                    self.rule("y", events=["s3:ObjectRemoved:*"]))
        for key in ("in/a.csv", "in/a.txt", "out/a.csv"):
            self.put("one", key)
        self.s3.delete_object(Bucket="one", Key="in/a.csv")
        self.put("one", "in/last.csv")
        wait_for("the events", lambda: len(self.receiver.events) >= 2 and len(self.other.events) >= 1)
        self.assertEqual(self.receiver.told(), [("s3:ObjectCreated:Put", "one/in/a.csv"),
                                                ("s3:ObjectCreated:Put", "one/in/last.csv")])
        self.assertEqual(self.other.told(), [("s3:ObjectRemoved:DeleteMarkerCreated", "one/in/a.csv")])

    def test_what_cannot_be_is_refused(self):
        bad = [{"QueueArn": "arn:aws:sqs:us-east-1:1:q", "Events": ["s3:ObjectCreated:*"]},
               {"QueueArn": ARN.format("unknown"), "Events": ["s3:ObjectCreated:*"]},
               {"QueueArn": ARN.format("x"), "Events": ["s3:ObjectCreated:Nonsense"]}]
        for rule in bad:
            with self.assertRaises(ClientError) as caught:
                self.notify("one", rule)
            self.assertEqual(caught.exception.response["Error"]["Code"], "InvalidArgument", rule)
        found = self.s3.get_bucket_notification_configuration(Bucket="one")
        self.assertNotIn("QueueConfigurations", found)

    def test_nothing_is_lost_while_the_receiver_is_away_and_the_server_is_killed(self):
        self.notify("one", self.rule())
        self.notify("two", self.rule("y"))
        expected = []

        def write(count):
            for _ in range(count):
                key = f"k{len(expected)}"
                self.put("one", key)
                expected.append(("s3:ObjectCreated:Put", f"one/{key}"))

        write(20)
        wait_for("the first events", lambda: len(self.receiver.events) >= 5)
        self.receiver.stop()
        write(20)
        # The dead endpoint holds up neither writes nor another bucket's events.
        self.put("two", "elsewhere")
        wait_for("the other bucket's", lambda: ("s3:ObjectCreated:Put", "two/elsewhere") in self.other.told())
        self.server.kill()
        self.server.start()
        write(20)
        rows = {row["bucket"]: row for row in self.server.cli_json("status")["webhooks"]}
        wait_for("the failure to be shown", lambda: {
            row["bucket"]: row for row in self.server.cli_json("status")["webhooks"]}["one"]["failed"] > 0)
        self.assertEqual(rows["one"]["webhook"], "x")
        self.server.kill()
        self.receiver.refuse = 2
        self.receiver.start()
        self.server.start()
        write(20)
        wait_for("all events", lambda: len(self.receiver.told("one/")) >= len(expected), 120)
        self.assertEqual(self.receiver.told("one/"), expected)
        rows = {row["bucket"]: row for row in self.server.cli_json("status")["webhooks"]}
        self.assertEqual(rows["one"]["lost"], 0)

    def test_neither_redirects_nor_link_local_addresses_are_followed(self):
        self.receiver.redirect_to = f"http://127.0.0.1:{self.other.port}/elsewhere"
        self.notify("one", self.rule())
        self.notify("two", self.rule("metadata"))
        self.put("one", "a")
        self.put("two", "b")
        wait_for("the redirect", lambda: self.receiver.asked >= 2)

        def failures():
            return {row["webhook"]: row for row in self.server.cli_json("status")["webhooks"]}

        wait_for("the address to be refused", lambda: failures()["metadata"]["failed"] > 0, 10)
        self.assertEqual(self.other.asked, 0)
        self.assertEqual(failures()["x"]["delivered"], 0)


if __name__ == "__main__":
    unittest.main(warnings="ignore")
