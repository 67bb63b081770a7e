"""Docker's registry with its S3 driver: an image is pushed to it and pulled again, by skopeo."""

import gzip
import hashlib
import http.client
import io
import json
import os
import subprocess
import sys
import tarfile
import time
import unittest

from server import ADMIN, ServerTest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))

from ports import free_port  # noqa: E402

CONFIGURATION = """version: 0.1
log: {{level: warn}}
storage:
  s3:
    accesskey: {key}
    secretkey: {secret}
    region: us-east-1
    regionendpoint: {url}
    bucket: registry
    secure: false
    rootdirectory: /images
    chunksize: 5242880
  delete: {{enabled: true}}
  redirect: {{disable: {proxied}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


class DockerRegistryTest(ServerTest):
    def start_registry(self, proxied):
        self.port = free_port()
        text = CONFIGURATION.format(key=ADMIN[0], secret=ADMIN[1], url=self.server.url,
                                    port=self.port, proxied=str(proxied).lower())
        path = self.write("registry.yml", text.encode())
        log = open(os.path.join(self.directory, "registry.log"), "wb")
        process = subprocess.Popen(["/usr/bin/docker-registry", "serve", path], stdout=log,
                                   stderr=log, env=self.environment())
        log.close()
        self.addCleanup(process.wait, 20)
        self.addCleanup(process.terminate)
        deadline = time.monotonic() + 30
        while not self.answers():
            self.assertIsNone(process.poll(), self.read("registry.log"))
            self.assertLess(time.monotonic(), deadline, self.read("registry.log"))
            time.sleep(0.05)

    def answers(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/v2/")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def make_image(self, name, layer_bytes):
        """The smallest OCI layout: an index, a manifest, a configuration, one layer."""
        def blob(data):
            digest = hashlib.sha256(data).hexdigest()
            self.write(f"{name}/blobs/sha256/{digest}", data)
            return {"digest": "sha256:" + digest, "size": len(data)}

        tar = io.BytesIO()
        with tarfile.open(fileobj=tar, mode="w") as archive:
            entry = tarfile.TarInfo("data")
            entry.size = layer_bytes
            archive.addfile(entry, io.BytesIO(os.urandom(layer_bytes)))
        kind = "application/vnd.oci.image."
        layer = blob(gzip.compress(tar.getvalue(), 1))
        layer["mediaType"] = kind + "layer.v1.tar+gzip"
        diff = "sha256:" + hashlib.sha256(tar.getvalue()).hexdigest()
        configuration = blob(json.dumps({
            "architecture": "amd64", "os": "linux", "config": {},
            "rootfs": {"type": "layers", "diff_ids": [diff]}}).encode())
        configuration["mediaType"] = kind + "config.v1+json"
        manifest = blob(json.dumps({"schemaVersion": 2, "mediaType": kind + "manifest.v1+json",
                                    "config": configuration, "layers": [layer]}).encode())
        manifest |= {"mediaType": kind + "manifest.v1+json",
                     "annotations": {"org.opencontainers.image.ref.name": "latest"}}
        index = {"schemaVersion": 2, "manifests": [manifest]}
        self.write(f"{name}/index.json", json.dumps(index).encode())
        self.write(f"{name}/oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
        return manifest["digest"], layer["digest"]

    def skopeo(self, source, target):
        self.run_client(["/usr/bin/skopeo", "--insecure-policy", "copy", "--src-tls-verify=false",
                         "--dest-tls-verify=false", source, target])

    def push_and_pull(self, proxied):
        self.run_client(["/usr/bin/aws", "--endpoint-url", self.server.url, "s3", "mb",
                         "s3://registry"])
        self.start_registry(proxied)
        manifest, layer = self.make_image("image", 12_000_000)
        image = f"docker://127.0.0.1:{self.port}/team/tool:1"
        self.skopeo(f"oci:{self.directory}/image:latest", image)
        self.skopeo(image, f"oci:{self.directory}/back:latest")
        for digest in (manifest, layer):
            name = "blobs/sha256/" + digest.removeprefix("sha256:")
            self.assertEqual(self.read("back/" + name), self.read("image/" + name))
        listed = self.run_client(["/usr/bin/aws", "--endpoint-url", self.server.url, "s3", "ls",
                                  "--recursive", "s3://registry"])
        self.assertIn("images/docker/registry/v2/repositories/team/tool/", listed)
        self.run_client(["/usr/bin/aws", "--endpoint-url", self.server.url, "s3", "rb", "--force",
                         "s3://registry"])

    def test_an_image_goes_through_the_registry(self):
        self.push_and_pull(proxied=True)

    def test_an_image_is_pulled_by_the_registrys_signed_urls(self):
        self.push_and_pull(proxied=False)


if __name__ == "__main__":
    unittest.main()
