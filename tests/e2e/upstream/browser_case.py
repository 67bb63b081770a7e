"""A person's browser at the console of a server in direct mode."""

import os

from upstream_world import PREFIX, wait_for

from browser import Person  # where upstream_world says that the story's parts are

SIZE = 40 << 20  # five parts


class BrowserCase:
    """For a test whose server is in front of an endpoint that takes parts direct (DirectCase)."""

    browser_file = "big & ünïcode.bin"

    def test_a_browser_sends_parts_to_the_endpoint_and_reads_from_it(self):
        folder = os.path.join(self.server.files, "browser")
        os.makedirs(folder)
        path = os.path.join(folder, self.browser_file)
        body = os.urandom(SIZE)
        with open(path, "wb") as file:
            file.write(body)
        downloads = os.path.join(folder, "downloads")
        os.makedirs(downloads)
        person = Person(downloads)
        self.addCleanup(person.close)
        person.go(self.server.cli("user", "link", "alice").strip())
        person.wait_text("who", "alice")

        person.go(self.server.web_url + "/files/research/from a browser/")
        person.find("upload-button")
        person.requests("PUT")
        person.drop("file-list", [path])
        wait_for("the upload to end", lambda: person.has("upload-done") or self.failed(person), 120)
        puts = person.requests("PUT")
        self.assertGreaterEqual(len(puts), 5)
        for url in puts:
            self.assert_direct(url)
        key = "from a browser/" + self.browser_file
        self.assertEqual(self.client.get_object(Bucket="research", Key=key)["Body"].read(), body)
        behind = self.behind.get_object(Bucket=PREFIX + "research", Key=key)
        self.assertEqual(behind["Body"].read(), body)

        person.click("file-menu-" + self.browser_file)
        person.click("download-" + self.browser_file)
        saved = os.path.join(downloads, self.browser_file)
        wait_for("the download", lambda: os.path.exists(saved) and os.path.getsize(saved) == SIZE, 60)
        with open(saved, "rb") as file:
            self.assertEqual(file.read(), body)
        gets = [url for url in person.requests("GET") if "X-Amz-Signature" in url]
        self.assertTrue(gets)
        for url in gets:
            self.assert_direct(url)

    def failed(self, person):
        self.assertFalse(person.has("upload-error"), person.console_errors())
