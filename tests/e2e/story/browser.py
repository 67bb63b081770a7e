"""A person at a real Chromium: the console and the classic notebook."""
import json
import time

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from harness import StepFailed, wait_for

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking",
         "--disable-sync", "--disable-dev-shm-usage", "--no-first-run", "--disable-component-update",
         "--window-size=1360,900"]


def addresses_are_settled():
    """No IPv6 address of this host is being looked at for duplicates (IFA_F_TENTATIVE of linux/if_addr.h)."""
    with open("/proc/net/if_inet6", encoding="ascii") as table:
        return not any(int(line.split()[4], 16) & 0x40 for line in table)


class Person:
    def __init__(self, downloads, flags=()):
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for flag in [*FLAGS, *flags]:
            options.add_argument(flag)
        options.add_experimental_option("prefs", {"download.default_directory": downloads,
                                                  "download.prompt_for_download": False})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
        self.driver.execute_cdp_cmd("Page.setDownloadBehavior", {"behavior": "allow", "downloadPath": downloads})

        self.said = []  # what the browser's console has said so far
        self.changes = 0  # of the network, that lost_something() has told

    def close(self):
        self.driver.quit()

    def go(self, url):
        """Again where a container's interface that came or went meanwhile made Chromium drop the page."""
        for left in reversed(range(10)):
            try:
                return self.driver.get(url)
            except WebDriverException as error:
                if left == 0 or "ERR_NETWORK_CHANGED" not in str(error):
                    raise

    def find(self, test_id, seconds=20):
        selector = f'[data-testid="{test_id}"]'
        return wait_for(f"{test_id} on {self.driver.current_url}", lambda: self._first(selector), seconds)

    def _first(self, selector):
        try:
            return self.driver.find_element(By.CSS_SELECTOR, selector)
        except WebDriverException:  # there is none, or the page is just being replaced
            return None

    def has(self, test_id):
        return self._first(f'[data-testid="{test_id}"]') is not None

    def click(self, test_id, seconds=20):
        def press():
            try:
                self.find(test_id, 1).click()
                return True
            except WebDriverException:
                return False
        wait_for(f"{test_id} to take a click", press, seconds)

    def text(self, test_id, seconds=20):
        def read():
            try:
                return self.find(test_id, 1).text or None
            except StaleElementReferenceException:
                return None
        return wait_for(f"text in {test_id}", read, seconds)

    def wait_text(self, test_id, wanted, seconds=30):
        def matches():
            try:
                return wanted in self.find(test_id, 1).text
            except StaleElementReferenceException:
                return False
        wait_for(f"{test_id} to say {wanted!r}", matches, seconds)

    def script(self, code, *arguments):
        return self.driver.execute_script(code, *arguments)

    def console_errors(self):
        """All errors so far: the driver tells each of them once."""
        self.said += [row["message"] for row in self.driver.get_log("browser") if row["level"] == "SEVERE"]
        return self.said

    def network_changes(self):
        return sum("ERR_NETWORK_CHANGED" in line for line in self.console_errors())

    def lost_something(self):
        """Whether Chromium dropped requests since this was last asked."""
        before, self.changes = self.changes, self.network_changes()
        return self.changes != before

    def settle(self):
        """Waits for a new container's interface on this host to have its address. Chromium drops what it is
        fetching when that happens (ERR_NETWORK_CHANGED), so a page that lost something by it is loaded again."""
        wait_for("every interface to have its address", addresses_are_settled)
        seen = -1
        while seen != self.network_changes():
            seen = self.network_changes()
            if seen > 0:
                self.driver.refresh()

    def screenshot(self, path):
        self.driver.save_screenshot(path)

    def requests(self, method):
        """The URLs of the requests with that method since this was last asked."""
        rows = [json.loads(row["message"])["message"] for row in self.driver.get_log("performance")]
        sent = [row["params"]["request"] for row in rows if row["method"] == "Network.requestWillBeSent"]
        return [request["url"] for request in sent if request["method"] == method]

    def limit_uploads(self, bytes_per_second):
        """-1: no longer."""
        self.driver.execute_cdp_cmd("Network.enable", {})
        self.driver.execute_cdp_cmd("Network.emulateNetworkConditions", {
            "offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes_per_second})

    def drop(self, test_id, paths):
        """Drags files and folders from the desktop onto an element."""
        box = self.find(test_id).rect
        point = {"x": int(box["x"] + box["width"] / 2), "y": int(box["y"] + min(box["height"], 400) / 2)}
        data = {"items": [], "files": paths, "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.driver.execute_cdp_cmd("Input.dispatchDragEvent", {"type": kind, **point, "data": data})


class Notebook:
    """The classic notebook page, driven through its own JavaScript over its own websocket."""

    def __init__(self, person, base_url):
        self.person = person
        self.base_url = base_url

    def create(self):
        """Makes a Python notebook by the contents API of the page's own origin and opens it."""
        changes = -1
        while changes != self.person.network_changes():  # that would end any request, and is nobody's fault
            changes = self.person.network_changes()
            name = self._make()
            if name.endswith(".ipynb"):
                self.open(name)
                return name
        raise StepFailed(f"the notebook server made no notebook: {name}")

    def _make(self):
        return self.person.driver.execute_async_script("""
            const done = arguments[arguments.length - 1];
            const xsrf = (document.cookie.match(/(?:^|; )_xsrf=([^;]*)/) || [])[1] || "";
            fetch("/api/contents", {method: "POST", headers: {"X-XSRFToken": xsrf, "Content-Type": "application/json"},
              body: JSON.stringify({type: "notebook"})}).then(r => r.json()).then(j => done(j.path || JSON.stringify(j)),
                                                                                 e => done("error: " + e));
        """)

    def open(self, name):
        url = f"{self.base_url}/notebooks/{name}"
        self.person.lost_something()
        self.person.go(url)

        def idle():
            if self.person.lost_something():
                self.person.go(url)
            return self.person.script(
                "return typeof Jupyter !== 'undefined' && Jupyter.notebook && Jupyter.notebook.kernel && "
                "Jupyter.notebook.kernel.is_connected() && Jupyter.notebook.kernel.info_reply.status === 'ok'")
        wait_for("the kernel to be idle", idle, 60)

    def run(self, code, seconds=120):
        """Types into a new cell at the end, runs it, and answers its text output."""
        self.person.script("""
            const nb = Jupyter.notebook;
            const cell = nb.insert_cell_at_bottom('code');
            cell.set_text(arguments[0]);
            nb.select(nb.find_cell_index(cell));
            window.__cell = cell;
            cell.execute();
        """, code)
        deadline = time.monotonic() + seconds
        while not self.person.script(
                "return window.__cell.input_prompt_number !== '*' && "
                "window.__cell.input_prompt_number !== null && "
                "window.__cell.input_prompt_number !== undefined"):
            if time.monotonic() > deadline:
                raise StepFailed(f"the cell did not end within {seconds} s:\n{code}")
            time.sleep(0.05)
        outputs = self.person.script("return window.__cell.output_area.toJSON()")
        text = ""
        for output in outputs:
            if output["output_type"] == "error":
                raise StepFailed("the cell failed: " + output["ename"] + ": " + output["evalue"] + "\n" + code)
            if output["output_type"] == "stream":
                text += "".join(output["text"])
            elif "data" in output:
                text += "".join(output["data"].get("text/plain", ""))
        return text

    def save(self):
        self.person.script("Jupyter.notebook.save_notebook()")
        wait_for("the notebook to be saved", lambda: not self.person.script("return Jupyter.notebook.dirty"), 30)
