"""A certificate authority for tests, made by openssl: who trusts it, and a certificate to show."""
import base64
import hashlib
import os
import shutil
import subprocess
import tempfile


# Where clients look for whom to trust: boto3 and aws, Go (rclone) and Python, curl, requests.
TRUST = ("AWS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE")


class TestAuthority:
    """Lives in a folder of its own until remove()."""

    def __init__(self, names):
        self.folder = tempfile.mkdtemp(prefix="holdfast-authority-", dir="/tmp")
        self.ca = os.path.join(self.folder, "ca.pem")
        self.certificate = os.path.join(self.folder, "server.pem")
        self.key = os.path.join(self.folder, "server.key")
        self._openssl("req", "-x509", *self._new_key("ca.key"), "-out", self.ca, "-days", "2",
                      "-subj", "/CN=Holdfast test authority", "-addext", "basicConstraints=critical,CA:TRUE",
                      "-addext", "keyUsage=critical,keyCertSign")
        self.issue(names)

    @staticmethod
    def _openssl(*arguments):
        done = subprocess.run(["/usr/bin/openssl", *arguments], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"openssl {arguments[0]}: {done.stderr}")
        return done.stdout

    def _new_key(self, name):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", os.path.join(self.folder, name)]

    def issue(self, names):
        """A new pair for these DNS names and 127.0.0.1, put in place as certbot does: file by file."""
        request, signed, key = (os.path.join(self.folder, name) for name in ("new.csr", "new.pem", "new.key"))
        extensions = os.path.join(self.folder, "extensions")
        with open(extensions, "w", encoding="ascii") as file:
            file.write("subjectAltName=" + ",".join([f"DNS:{name}" for name in names] + ["IP:127.0.0.1"]) + "\n")
            file.write("extendedKeyUsage=serverAuth\n")
        self._openssl("req", *self._new_key("new.key"), "-out", request, "-subj", f"/CN={names[0]}")
        self._openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", os.path.join(self.folder, "ca.key"),
                      "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", signed)
        os.replace(key, self.key)
        os.replace(signed, self.certificate)

    def trust(self):
        """For this process and what it starts."""
        for name in TRUST:
            os.environ[name] = self.ca

    def browser_flags(self):
        """Chromium takes exactly this certificate's key, as if its authority were known."""
        public = self._openssl("x509", "-in", self.certificate, "-pubkey", "-noout")
        der = subprocess.run(["/usr/bin/openssl", "pkey", "-pubin", "-outform", "DER"], input=public.encode(),
                             capture_output=True, check=True).stdout
        pin = base64.b64encode(hashlib.sha256(der).digest()).decode()
        return [f"--ignore-certificate-errors-spki-list={pin}",
                f"--user-data-dir={os.path.join(self.folder, 'browser')}"]

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)
