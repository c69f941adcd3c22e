#!/usr/bin/env python3
"""A real Prometheus scrapes a working `tail` and the metrics files of a writer and readers; every query of
the dashboard must then find data, and promtool must be content with the pages.

    prometheus.py COMMAND
"""
import http.server
import json
import math
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
COMMAND = os.path.abspath(sys.argv[1])
DATA = ROOT / "examples" / "data" / "earthquakes.jsonl"
SECONDS = 12


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def fetch(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


class World:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="s3store-prometheus-"))
        self.url = f"file://{self.folder}/data/quakes?fsync=0"
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "OTEL_"))}
        self.processes = []
        (self.folder / "pages").mkdir()

    def run(self, verb, *arguments, **more):
        return subprocess.run([COMMAND, verb, self.url, *arguments], env=self.env, check=True,
                              capture_output=True, text=True, **more)

    def start(self, arguments, **more):
        process = subprocess.Popen(arguments, env=self.env, stdin=subprocess.DEVNULL, **more)
        self.processes.append(process)
        return process

    def close(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(timeout=30)
        shutil.rmtree(self.folder)


def serve_pages(folder):
    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *a, **k):
            super().__init__(*a, directory=str(folder), **k)

        def guess_type(self, path):
            return "text/plain; version=0.0.4"

        def log_message(self, *a):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def start_tail(world):
    tail = world.start([COMMAND, "tail", world.url, "--records", "--metrics-port", "0"],
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    for line in tail.stderr:
        found = re.search(r"metrics at (http://127\.0\.0\.1:\d+)/metrics", line)
        if found:
            threading.Thread(target=tail.stderr.read, daemon=True).start()
            return found.group(1)
    raise SystemExit("prometheus: tail does not say where its metrics are")


def start_prometheus(world, targets):
    jobs = "".join(f"  - job_name: {name}\n    metrics_path: {path}\n    static_configs:\n"
                   f"      - targets: ['{place}']\n" for name, place, path in targets)
    config = world.folder / "prometheus.yml"
    config.write_text("global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\nscrape_configs:\n" + jobs)
    port = free_port()
    world.start(["prometheus", f"--config.file={config}", f"--storage.tsdb.path={world.folder}/tsdb",
                 f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=world.folder)
    base = f"http://127.0.0.1:{port}"
    for _ in range(300):
        try:
            fetch(base + "/-/ready")
            return base
        except OSError:
            time.sleep(0.1)
    raise SystemExit("prometheus: it did not start")


def queries():
    dashboard = json.loads((ROOT / "dashboards" / "s3store.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            text = target["expr"].replace("$__rate_interval", "8s")
            yield panel["title"], text.replace("$bucket", ".*").replace("$prefix", ".*")


def values_of(base, query):
    answer = json.loads(fetch(base + "/api/v1/query?query=" + urllib.parse.quote(query)))
    if answer["status"] != "success":
        raise SystemExit(f"prometheus: {query}: {answer}")
    return [float(r["value"][1]) for r in answer["data"]["result"]]


def check_collector(world):
    """What OTEL_EXPORTER_OTLP_ENDPOINT names gets one request of OTLP/HTTP in JSON; one that refuses
    is told and changes no exit code."""
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.path, dict(self.headers), json.loads(body)))
            self.send_response(503 if self.path.startswith("/busy") else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *a):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    place = f"http://127.0.0.1:{server.server_address[1]}"
    env = dict(world.env, OTEL_EXPORTER_OTLP_ENDPOINT=place + "/", OTEL_SERVICE_NAME="feed",
               OTEL_EXPORTER_OTLP_HEADERS="x-tenant=a%20b, x-key=secret")
    subprocess.run([COMMAND, "ls", world.url], env=env, check=True, capture_output=True)
    path, headers, body = seen[0]
    resource = body["resourceMetrics"][0]
    names = [m["name"] for m in resource["scopeMetrics"][0]["metrics"]]
    good = (len(seen) == 1 and path == "/v1/metrics" and headers["x-tenant"] == "a b"
            and headers["Content-Type"] == "application/json" and headers["x-key"] == "secret"
            and resource["resource"]["attributes"][0]["value"]["stringValue"] == "feed"
            and "s3store.s3.request.count" in names)
    env["OTEL_EXPORTER_OTLP_ENDPOINT"] = place + "/busy"
    busy = subprocess.run([COMMAND, "ls", world.url], env=env, capture_output=True, text=True,
                          check=False)
    good = (good and busy.returncode == 0 and "HTTP 503" in busy.stderr
            and "secret" not in busy.stderr)
    env["OTEL_SDK_DISABLED"] = "true"
    subprocess.run([COMMAND, "ls", world.url], env=env, check=True, capture_output=True)
    return good and len(seen) == 2


def main():
    missing = [tool for tool in ("prometheus", "promtool") if shutil.which(tool) is None]
    if missing:
        print(f"SKIPPED: not installed: {' '.join(missing)} (scripts/setup test)")
        return 77
    world = World()
    try:
        world.run("init", "--partition-by", "day", "--entity", "id", "--version", "updated",
                  "--commit-timeout", "200ms")
        pages = serve_pages(world.folder / "pages")
        place = f"127.0.0.1:{pages.server_address[1]}"
        tail = start_tail(world)
        base = start_prometheus(world, [("tail", tail.removeprefix("http://"), "/metrics"),
                                        ("writer", place, "/write"), ("reader", place, "/read")])
        lines = DATA.read_text().splitlines(keepends=True)
        for i in range(SECONDS):
            world.run("write", "-", "--metrics-file", str(world.folder / "pages" / "write"),
                      input="".join(lines[i * 20:(i + 1) * 20]))
            world.run("read", "--metrics-file", str(world.folder / "pages" / "read"))
            time.sleep(1)
        bad = 0
        for page in (tail + "/metrics", f"http://{place}/write", f"http://{place}/read"):
            check = subprocess.run(["promtool", "check", "metrics"], input=fetch(page), text=True,
                                   capture_output=True, check=False)
            if check.returncode != 0 or check.stderr.strip():
                print(f"promtool on {page}: {check.stderr}", file=sys.stderr)
                bad += 1
        count = 0
        for title, query in queries():
            count += 1
            values = values_of(base, query)
            if not [v for v in values if not math.isnan(v)]:
                print(f"no data for \"{title}\": {query}: {values}", file=sys.stderr)
                bad += 1
        rows = sum(values_of(base, 'sum(s3store_read_records_sum{s3store_method="poll_records"})'))
        if rows <= 0:
            print("tail delivered rows, but none is counted", file=sys.stderr)
            bad += 1
        if not check_collector(world):
            print("the collector did not get what it should", file=sys.stderr)
            bad += 1
        print(f"prometheus: {count} queries, {bad} problems")
        return 1 if bad or count < 12 else 0
    finally:
        world.close()


if __name__ == "__main__":
    sys.exit(main())
