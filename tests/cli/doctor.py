#!/usr/bin/env python3
"""The doctor against servers that lie: a small S3 server that tells one lie at a time.

    doctor.py COMMAND

An honest server must pass every check; each lie must make the check fail that is there for it, and
no check in front of that one.
"""
import base64
import concurrent.futures
import email.utils
import hashlib
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from xml.sax.saxutils import escape

STATUSES = ("ok", "warn", "fail", "skip")


class Refused(Exception):
    """An answer other than success."""

    def __init__(self, status, code):
        super().__init__(code)
        self.status, self.code = status, code


class Handler(http.server.BaseHTTPRequestHandler):
    """One bucket "b" in memory. server.lies: the set of lies told."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def send_header(self, keyword, value):
        if keyword != "Date" or not self.lies("no_date"):
            super().send_header(keyword, value)

    def date_time_string(self, timestamp=None):
        return email.utils.formatdate(time.time() + self.server.clock_offset, usegmt=True)

    def lies(self, name):
        return name in self.server.lies

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if "Content-Length" not in dict(headers):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle_verb(self):
        url = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        path = urllib.parse.unquote(url.path).lstrip("/").split("/", 1)
        self.key = path[1] if len(path) > 1 else ""
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            self.check()
            getattr(self, "on_" + self.command.lower())()
        except Refused as e:
            text = f"<Error><Code>{e.code}</Code><Message>no</Message></Error>".encode()
            self.answer(e.status, text)
        except (BrokenPipeError, ConnectionResetError):
            pass

    do_GET = do_PUT = do_HEAD = do_DELETE = handle_verb

    # -- what comes before every operation

    def check(self):
        for lie, status, code in (("busy", 503, "SlowDown"),
                                  ("unknown_key", 403, "InvalidAccessKeyId"),
                                  ("no_bucket", 404, "NoSuchBucket")):
            if self.lies(lie):
                raise Refused(status, code)
        if "X-Amz-Expires" not in self.query:
            return
        if self.lies("refuses_query_signature"):
            raise Refused(403, "AccessDenied")
        begun = time.strptime(self.query["X-Amz-Date"] + " UTC", "%Y%m%dT%H%M%SZ %Z")
        begun = time.mktime(begun) - time.timezone
        now = time.time() + self.server.clock_offset
        expired = now > begun + int(self.query["X-Amz-Expires"])
        if expired and self.lies("stores_expired"):
            self.store()
        if expired and not self.lies("accepts_expired"):
            raise Refused(403, "AccessDenied")

    def check_body(self):
        sha = self.headers.get("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
        if sha != hashlib.sha256(self.body).hexdigest() and sha != "UNSIGNED-PAYLOAD" and \
                not self.lies("ignores_sha256"):
            if self.lies("stores_damaged"):
                self.store()
            raise Refused(400, "XAmzContentSHA256Mismatch")
        md5 = self.headers.get("Content-MD5")
        if md5 is not None and not self.lies("ignores_md5") and \
                base64.b64decode(md5) != hashlib.md5(self.body).digest():
            raise Refused(400, "BadDigest")

    def store(self):
        metadata = {name.lower(): value for name, value in self.headers.items()
                    if name.lower().startswith("x-amz-meta-")}
        if self.lies("drops_metadata"):
            metadata.pop("x-amz-meta-rowcount", None)
        body = self.body
        if self.lies("damages_large") and len(body) > 1000000:
            body = body[:-1] + b"?"
        self.server.objects[self.key] = (body, metadata, time.time())

    # -- the operations

    def on_put(self):
        name = self.key.rsplit("/", 1)[-1]
        if self.lies("refuses_put") or (self.lies("refuses_" + name)):
            raise Refused(403, "AccessDenied")
        if self.lies("busy_" + name):
            raise Refused(503, "SlowDown")
        if self.lies("slow_put") and name == "latency":
            time.sleep(0.4)
        self.check_body()
        conditional = self.headers.get("If-None-Match") == "*"
        if conditional and self.lies("knows_no_conditions"):
            raise Refused(501, "NotImplemented")
        with self.server.lock:
            exists = self.key in self.server.objects
            if conditional and exists and not self.lies("ignores_conditions"):
                if self.lies("stores_in_spite"):
                    self.store()
                raise Refused(412, "PreconditionFailed")
            if not (conditional and self.lies("looks_then_stores")):
                self.store()
        if conditional and self.lies("looks_then_stores"):
            time.sleep(0.2)
            self.store()
        self.answer(200, headers=[("ETag", '"' + hashlib.md5(self.body).hexdigest() + '"')])

    def find(self):
        if self.lies("refuses_get"):
            raise Refused(403, "AccessDenied")
        found = self.server.objects.get(self.key)
        if found is None:
            raise Refused(404, "NoSuchKey")
        return found

    def on_head(self):
        body, metadata, when = self.find()
        self.answer(200, headers=[("Content-Length", str(len(body))),
                                  ("Last-Modified", email.utils.formatdate(when, usegmt=True)),
                                  *metadata.items()])

    def on_get(self):
        if self.key == "":
            self.on_list()
            return
        body, _, when = self.find()
        if self.lies("other_bytes") and self.key.endswith("/probe"):
            body = body[:-1] + b"?"
        self.answer(200, body, [("Last-Modified", email.utils.formatdate(when, usegmt=True))])

    def on_list(self):
        if self.lies("refuses_list"):
            raise Refused(403, "AccessDenied")
        prefix = self.query.get("prefix", "")
        after = self.query.get("start-after", "")
        most = int(self.query.get("max-keys", 1000))
        fresh = time.time() - (1 if self.lies("stale_list") else -1)
        keys = sorted(k for k, o in list(self.server.objects.items())
                      if k.startswith(prefix) and k > after and o[2] < fresh)[:most]
        items = "".join(
            f"<Contents><Key>{escape(urllib.parse.quote(k))}</Key>"
            f"<Size>{len(self.server.objects[k][0])}</Size>"
            "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>" for k in keys)
        self.answer(200, ("<ListBucketResult><EncodingType>url</EncodingType>"
                          f"<IsTruncated>false</IsTruncated>{items}</ListBucketResult>").encode())

    def on_delete(self):
        if self.lies("refuses_delete"):
            raise Refused(403, "AccessDenied")
        self.server.objects.pop(self.key, None)
        self.answer(204)


class Server(http.server.ThreadingHTTPServer):
    """On a free port of 127.0.0.1, in a thread."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, lies, config):
        super().__init__(("127.0.0.1", 0), Handler)
        self.lies, self.clock_offset = lies, 0
        for lie in lies:
            if lie.startswith("clock"):
                self.clock_offset = float(lie[5:])
        self.lock = threading.Lock()
        self.objects = {f"d/_config/{name}": (text.encode(), {}, 0)
                        for name, text in config.items()}
        threading.Thread(target=self.serve_forever, daemon=True).start()


# A lie (or several), the checks that must say so, and the configuration of the dataset.
GOOD = {"commit-timeout": "15s", "max-clock-skew": "1s"}
CASES = [
    ("", {}, GOOD),
    ("busy", {"endpoint": "fail"}, GOOD),
    ("unknown_key", {"credentials": "fail", "list": "fail", "dataset": "fail", "put": "fail"}, GOOD),
    ("no_bucket", {"list": "fail", "dataset": "fail", "put": "fail"}, GOOD),
    ("refuses_list", {"list": "fail"}, GOOD),
    ("", {"dataset": "warn"}, {}),
    ("", {"dataset": "warn"}, {"commit-timeout": "5s", "max-clock-skew": "1s"}),
    ("", {"dataset": "fail"}, {"commit-timeout": "soon", "max-clock-skew": "1s"}),
    ("refuses_put", {"put": "fail"}, GOOD),
    ("refuses_get", {"dataset": "fail", "get": "fail"}, GOOD),
    ("other_bytes", {"get": "fail"}, GOOD),
    ("clock90", {"clock": "fail"}, GOOD),
    ("clock-90", {"clock": "fail"}, GOOD),
    ("no_date", {"clock": "warn"}, GOOD),
    ("stale_list", {"list_after_put": "fail"}, GOOD),
    ("drops_metadata", {"metadata": "fail"}, GOOD),
    ("ignores_conditions", {"if_none_match": "fail", "if_none_match_race": "fail"}, GOOD),
    ("knows_no_conditions", {"if_none_match": "fail", "if_none_match_race": "fail"}, GOOD),
    ("stores_in_spite", {"if_none_match": "fail", "if_none_match_race": "fail"}, GOOD),
    ("looks_then_stores", {"if_none_match_race": "fail"}, GOOD),
    ("accepts_expired", {"fence": "fail"}, GOOD),
    ("stores_expired", {"fence": "fail"}, GOOD),
    ("refuses_query_signature", {"fence": "warn", "checksum": "ok"}, GOOD),
    ("ignores_sha256", {"checksum": "fail"}, GOOD),
    ("ignores_md5", {"checksum": "fail"}, GOOD),
    ("busy_damaged-sha256", {"checksum": "fail"}, GOOD),
    ("stores_damaged", {"checksum": "fail"}, GOOD),
    ("ignores_sha256 ignores_md5", {"checksum": "fail"}, GOOD),
    ("", {}, {**GOOD, "dataset.json": '{"format": 1, "consistency": "strong-site"}'}),
    ("slow_put", {"latency": "warn", "dataset": "warn"},
     {"commit-timeout": "1s", "max-clock-skew": "0s"}),
    ("refuses_latency", {"latency": "fail"}, GOOD),
    ("refuses_large", {"throughput": "fail"}, GOOD),
    ("damages_large", {"throughput": "fail"}, GOOD),
    ("refuses_delete", {"cleanup": "warn"}, GOOD),
]


def run(command, url, key_id="AKTEST", more=()):
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true",
           "AWS_SECRET_ACCESS_KEY": "secret"}
    env.update({k: v for k, v in os.environ.items() if "SAN_OPTIONS" in k})
    if key_id:
        env["AWS_ACCESS_KEY_ID"] = key_id
    done = subprocess.run([command, "doctor", "s3://b/d", "--endpoint-url", url, "--json", *more],
                          env=env, capture_output=True, text=True, timeout=100, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return done, {line["check"]: line for line in lines}


def judge(name, wanted, checks, done):
    problems = []
    for check, line in checks.items():
        expected = wanted.get(check, "ok")
        if line["status"] not in STATUSES or not line["detail"]:
            problems.append(f"{check}: {line}")
        # What is skipped hangs on what failed.
        if line["status"] != expected and not (line["status"] == "skip" and wanted):
            problems.append(f"{check} is {line['status']}, not {expected}: {line['detail']}")
        if line["status"] in ("warn", "fail") and not line["remedy"]:
            problems.append(f"{check} has no remedy")
    for check in wanted:
        if check not in checks:
            problems.append(f"{check} was not made")
    code = 5 if "fail" in wanted.values() else 0
    if done.returncode != code:
        problems.append(f"exit code {done.returncode}, not {code}: {done.stderr.strip()}")
    return [f"{name or 'honest'}: {p}" for p in problems]


def run_case(command, case):
    lies, wanted, config = case
    server = Server(set(lies.split()), config)
    try:
        done, checks = run(command, f"http://127.0.0.1:{server.server_port}")
        problems = judge(lies, wanted, checks, done)
        left = [k for k in server.objects if "/_doctor/" in k]
        elsewhere = [k for k in server.objects
                     if "/_doctor/" not in k and not k.startswith("d/_config/")]
        if elsewhere:
            problems.append(f"{lies}: it left {elsewhere}")
        if left and "refuses_delete" not in server.lies:
            problems.append(f"{lies}: it left {left}")
        return problems
    finally:
        server.shutdown()
        server.server_close()


def main(command):
    problems = []
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda case: run_case(command, case), CASES):
            problems += found
    # A public bucket: requests are not signed, so they do not expire.
    server = Server(set(), GOOD)
    done, checks = run(command, f"http://127.0.0.1:{server.server_port}", None,
                       ["--no-sign-request"])
    problems += judge("not signed", {"fence": "warn"}, checks, done)
    server.shutdown()
    server.server_close()
    # Nobody there, and nobody to be.
    with tempfile.TemporaryDirectory():
        done, checks = run(command, "http://127.0.0.1:9")
        problems += judge("no server", {"endpoint": "fail"}, checks, done)
        done, checks = run(command, "http://127.0.0.1:9", key_id=None)
        problems += judge("no credentials", {"endpoint": "skip", "credentials": "fail"}, checks,
                          done)
    for problem in problems:
        print(problem)
    print(f"{len(CASES) + 3} servers, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
