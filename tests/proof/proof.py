"""What the proofs of the command share: datasets on a real store, the command as a process, a reader
that follows the stream all the while, and the objects as they lie there.

The programs take PLACE COMMAND [TEST...]: PLACE is "file" (a directory of their own) or "s3" (below
S3STORE_TEST_URL). S3S_FULL=1: the full counts. S3S_SEED: the seed that an earlier run printed.
"""
import concurrent.futures
import datetime
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import xml.etree.ElementTree

LIMIT_S = 120
FULL = os.environ.get("S3S_FULL", "") not in ("", "0")


class Skip(Exception):
    """This test cannot be run here; the text says why."""


class Place:
    """Where datasets are made."""

    def __init__(self, kind, command):
        self.command = [os.path.abspath(command)]  # and what goes before it
        self.is_s3 = kind == "s3"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="s3store-proof-"))
        self.seed = int(os.environ.get("S3S_SEED") or random.SystemRandom().randrange(1 << 32))
        self.random = random.Random(self.seed)
        self.endpoint = os.environ.get("AWS_ENDPOINT_URL_S3", "")
        self.names = 0
        if self.is_s3:
            base = os.environ.get("S3STORE_TEST_URL")
            if not base:
                raise Skip("S3STORE_TEST_URL names no S3 server")
            self.base = f"{base}/proof-{time.time_ns():x}-{os.getpid()}/"
            self.env = dict(os.environ)
        else:
            (self.folder / "store").mkdir()
            self.base = f"file://{self.folder}/store/"
            self.env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}

    def close(self):
        """Removes what is local; objects on a server go with the server."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def new(self, name, *options):
        """A fresh dataset's URL."""
        self.names += 1
        url = f"{self.base}{name}-{self.names}" + ("" if self.is_s3 else "?fsync=0")
        done = self.run("init", url, *options)
        assert done.returncode == 0, done.stderr
        return url

    def path(self, name):
        """A file of this run."""
        return self.folder / name

    def run(self, verb, url, *arguments, text=None, endpoint=None):
        """The command to its end."""
        return subprocess.run([*self.command, verb, url, *arguments], input=text, text=True,
                              env=self.env_for(endpoint), capture_output=True, timeout=LIMIT_S,
                              check=False)

    def start(self, verb, url, *arguments, source=None, out, err=None, endpoint=None):
        """The command in the background; source, out, err are files."""
        stdin = open(source, "rb") if source else subprocess.DEVNULL
        try:
            return subprocess.Popen([*self.command, verb, url, *arguments], stdin=stdin, stdout=out,
                                    stderr=err or subprocess.DEVNULL, env=self.env_for(endpoint))
        finally:
            if source:
                stdin.close()

    def env_for(self, endpoint):
        """The environment, with another way to the server."""
        return self.env if endpoint is None else {**self.env, "AWS_ENDPOINT_URL_S3": endpoint}

    def keys(self, url):
        """All keys of a dataset, as they lie there, without its prefix."""
        if self.is_s3:
            bucket, _, prefix = url[len("s3://"):].partition("/")
            return [k[len(prefix) + 1:] for k in list_bucket(self.endpoint, bucket, prefix + "/")]
        root = pathlib.Path(url[len("file://"):].partition("?")[0])
        return sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())

    def rows(self, url, *arguments):
        """The rows of a snapshot, every version."""
        done = self.run("read", url, "--history", "--format", "jsonl", *arguments)
        assert done.returncode == 0, done.stderr
        return lines(done.stdout)

    def poll(self, url, *arguments):
        """The stream from the beginning: its entries."""
        entries, since = [], []
        while True:
            done = self.run("poll", url, *since, *arguments)
            assert done.returncode == 0, done.stderr
            *found, last = lines(done.stdout)
            entries += found
            if not found:
                return entries
            since = ["--since", last["next_offset"]]


def lines(text):
    """JSON lines; a last one that was cut short is left out."""
    return [json.loads(line) for line in text.split("\n")[:-1]]


def write_lines(path, rows):
    """Rows as JSON lines in a file."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def wait_for(claim, what, limit_s=LIMIT_S):
    """Until the claim holds."""
    end = time.monotonic() + limit_s
    while not claim():
        assert time.monotonic() < end, f"after {limit_s} s: {what}"
        time.sleep(0.02)


def data_paths(entries):
    """In order."""
    return [e["data_path"] for e in entries]


class Follower:
    """A reader that polls the stream all the while, from the beginning, by the contract."""

    def __init__(self, place, url, name):
        self.place, self.url = place, url
        self.out = place.path(f"{name}.follow")
        self.err = place.path(f"{name}.follow-errors")
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.child = place.start("tail", url, "--since", "2000-01-01T00:00:00Z", out=out, err=err)

    def entries(self):
        """What it has seen, in order."""
        return lines(self.out.read_text(encoding="utf-8"))

    def wait_for(self, commits, limit_s=LIMIT_S):
        """Until it has seen so many."""
        end = time.monotonic() + limit_s
        while len(seen := set(data_paths(self.entries()))) < commits:
            if time.monotonic() > end:
                missed = [e for e in self.place.poll(self.url) if e["data_path"] not in seen]
                raise AssertionError(
                    f"after {limit_s} s the follower has {len(seen)} commits of {commits}; a poll "
                    f"gives also {missed}; it is {'there' if self.child.poll() is None else 'gone'}"
                    f" and said: {self.err.read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self):
        """Ends it; what it has seen."""
        assert self.child.poll() is None, "the follower ended: " + self.err.read_text()
        self.child.send_signal(signal.SIGINT)
        code = self.child.wait(LIMIT_S)
        assert code in (130, -signal.SIGINT), code
        return self.entries()


# ---- S3 without the library -------------------------------------------------------------------------

def sign(key, text):
    """One step of a signature."""
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signed_get(endpoint, path, query):
    """GET of a path ("/bucket") with a signature in headers: the body."""
    host = urllib.parse.urlsplit(endpoint).netloc
    now = datetime.datetime.now(datetime.timezone.utc)
    date, region = now.strftime("%Y%m%dT%H%M%SZ"), os.environ.get("AWS_REGION", "us-east-1")
    scope = f"{date[:8]}/{region}/s3/aws4_request"
    empty = hashlib.sha256(b"").hexdigest()
    text = "&".join(f"{urllib.parse.quote(k, safe='-_.~')}={urllib.parse.quote(v, safe='-_.~')}"
                    for k, v in sorted(query.items()))
    headers = {"host": host, "x-amz-content-sha256": empty, "x-amz-date": date}
    names = ";".join(headers)
    canonical = "\n".join(["GET", path, text, *(f"{k}:{v}" for k, v in headers.items()), "", names,
                           empty])
    key = ("AWS4" + os.environ["AWS_SECRET_ACCESS_KEY"]).encode()
    for step in (date[:8], region, "s3", "aws4_request"):
        key = sign(key, step)
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    signature = sign(key, f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{digest}").hex()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={os.environ['AWS_ACCESS_KEY_ID']}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}")
    connection = http.client.HTTPConnection(host, timeout=60)
    connection.request("GET", f"{path}?{text}", headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status == 200, (answer.status, body[:500])
    return body


def list_bucket(endpoint, bucket, prefix):
    """All keys below a prefix."""
    keys, query = [], {"list-type": "2", "prefix": prefix}
    while True:
        root = xml.etree.ElementTree.fromstring(signed_get(endpoint, "/" + bucket, query))
        space = root.tag.partition("}")[0] + "}" if root.tag.startswith("{") else ""
        keys += [c.findtext(space + "Key") for c in root.iter(space + "Contents")]
        token = root.findtext(space + "NextContinuationToken")
        if not token:
            return keys
        query["continuation-token"] = token


# ---- running ----------------------------------------------------------------------------------------

def side_by_side(jobs):
    """Runs functions in threads; the first failure is raised."""
    failures = []

    def one(job):
        try:
            job()
        except BaseException as error:  # pylint: disable=broad-except
            failures.append(error)
    threads = [threading.Thread(target=one, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def for_each(items, job):
    """Some at a time; the first failure is raised."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for _ in pool.map(job, items):
            pass


def main(tests):
    """Runs the tests; 77 = skipped."""
    kind, command, *wanted = sys.argv[1:]
    # A shell's background jobs ignore Ctrl-C, and would hand that on; told to end, it cleans up.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        place = Place(kind, command)
    except Skip as why:
        print(f"SKIP: {why}")
        sys.exit(77)
    skipped = 0
    try:
        for test in tests:
            if wanted and test.__name__ not in wanted:
                continue
            begun = time.monotonic()
            try:
                test(place)
            except Skip as why:
                skipped += 1
                print(f"SKIP: {test.__name__}: {why}", flush=True)
                continue
            except BaseException:
                print(f"FAILED: {test.__name__} (S3S_SEED={place.seed})", flush=True)
                raise
            print(f"ok: {test.__name__}, {time.monotonic() - begun:.1f} s", flush=True)
    finally:
        place.close()
    sys.exit(77 if skipped == len(tests) else 0)
