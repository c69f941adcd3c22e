"""A network that loses, delays, repeats, damages and swallows packets, between two network namespaces:
that of this program, where the server is, and one made for clients. The packets of both go through a
thread of this program by TUN devices, so that the kernel needs no netem, and TCP, the kernel's own, has
to live with it. What a proxy cannot do: a packet that vanishes leaves no reset behind.

    enter([COMMAND...])               once, first: runs COMMAND in a network namespace of its own
    with Network(seed) as network:
        run([*network.command, "curl", f"http://{SERVER}:80/"])      in the clients' namespace
        network.change(Weather("loss", loss=0.05))

Both namespaces have no name: they are gone when their last process is, however that ends.
"""
import collections
import ctypes
import dataclasses
import fcntl
import heapq
import os
import queue
import random
import select
import shutil
import signal
import struct
import subprocess
import threading
import time

SERVER, CLIENT = "198.18.0.1", "198.18.0.2"  # of the range for tests of networks (RFC 2544)
INSIDE = "S3STORE_TEST_NAMESPACE"
MTU = 1500
QUEUE_BYTES = 256 * 1024  # of a slow link: more is lost
CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000


class Unavailable(Exception):
    """This machine has no such network; the text says why."""


@dataclasses.dataclass(frozen=True)
class Weather:
    """What becomes of packets, in both directions unless it says otherwise."""
    name: str
    loss: float = 0.0            # of each packet
    delay_s: float = 0.0         # each way
    jitter_s: float = 0.0        # on top, up to: packets overtake one another
    repeat: float = 0.0          # it comes twice
    damage: float = 0.0          # a bit of it is turned
    rate: int = 0                # bytes in a second; 0 = as they come
    forth: bool = True           # what clients send arrives
    back: bool = True            # what the server sends arrives
    largest: int = MTU           # a packet beyond vanishes without a word
    down: bool = False           # the clients' device is down: they are told at once


CALM = Weather("calm")


# ---- namespaces ------------------------------------------------------------------------------------

def enter(command):
    """Becomes COMMAND in a namespace of its own; as root of a user namespace where this is not root's."""
    for tool in ("unshare", "nsenter", "ip"):
        if shutil.which(tool) is None:
            raise Unavailable(f"{tool} is not installed (scripts/setup test)")
    said = ""
    for options in (["--net"], ["--user", "--map-root-user", "--net"]):
        words = ["unshare", *options, "sh", "-c",
                 f"ip link set lo up && ip address add {SERVER}/32 dev lo && exec \"$@\"", "sh"]
        done = subprocess.run([*words, "true"], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            os.environ[INSIDE] = "1"
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and that is inherited
            os.execvp(words[0], [*words, *command])
        said = done.stderr.strip().split("\n")[-1]
    raise Unavailable(f"no network namespace can be made: {said}")


def say_to_ip(words):
    """One command of ip(8), in the namespace of the calling thread."""
    done = subprocess.run(["ip", *words.split()], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unavailable(f"ip {words}: {done.stderr.strip()}")


def set_up(device):
    """Its packets are as large as on Ethernet."""
    say_to_ip(f"link set {device} mtu {MTU} up")


def open_tun(name):
    """A device of the calling thread's namespace; what is read from it are the packets sent there."""
    try:
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    except OSError as error:
        raise Unavailable(f"/dev/net/tun: {error.strerror}") from None
    return fd


class Network:
    """See above. Each packet goes as the weather says at that moment."""

    def __init__(self, seed):
        self.weather = CALM
        self.figures = collections.Counter()
        self._dice = random.Random(seed)
        self._trap = None
        self._waiting, self._number = [], 0  # (due, number, device, packet)
        self._free = {}                  # when the slow link to a device has sent what it took
        self._wake = os.pipe()
        self._server = open_tun("s3s-server")
        set_up("s3s-server")
        say_to_ip(f"route add {CLIENT} dev s3s-server src {SERVER}")
        self._jobs = queue.SimpleQueue()  # of the thread that lives where the clients are
        self._done = queue.SimpleQueue()
        self._there = threading.Thread(target=self._live_there, daemon=True)
        self._there.start()
        self._namespace, self._client = self._do_there(make_client)
        self.command = ["nsenter", f"--net=/proc/{os.getpid()}/fd/{self._namespace}", "--"]
        self._carrier = threading.Thread(target=self._carry, daemon=True)
        self._carrier.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.write(self._wake[1], b"x")
        self._carrier.join()
        self._jobs.put(None)
        self._there.join()
        for fd in (*self._wake, self._server, self._client, self._namespace):
            os.close(fd)

    def change(self, weather):
        """What holds from now on; packets under way arrive as they would have."""
        if weather.down != self.weather.down:
            self._do_there(lambda: say_to_ip(f"link set s3s-client {'down' if weather.down else 'up'}"))
        self.weather = weather

    def change_after(self, text, weather):
        """As soon as a client sends a packet with these bytes, which still goes as before; sets the
        event that it returns."""
        self._trap = text, weather, threading.Event()
        return self._trap[2]

    # ---- where the clients are -----------------------------------------------------------------------

    def _live_there(self):
        """A thread has the namespace that it made; its children too."""
        while (job := self._jobs.get()) is not None:
            try:
                self._done.put((job(), None))
            except Unavailable as why:
                self._done.put((None, why))

    def _do_there(self, job):
        self._jobs.put(job)
        value, why = self._done.get()
        if why is not None:
            raise why
        return value

    # ---- packets -------------------------------------------------------------------------------------

    def _carry(self):
        """Until told to stop."""
        devices = {self._client: self._server, self._server: self._client}
        while True:
            now = time.monotonic()
            while self._waiting and self._waiting[0][0] <= now:
                _, _, device, packet = heapq.heappop(self._waiting)
                self._deliver(device, packet)
            wait_s = self._waiting[0][0] - now if self._waiting else None
            ready, _, _ = select.select([*devices, self._wake[0]], [], [], wait_s)
            if self._wake[0] in ready:
                return
            for device in ready:
                for packet in packets_of(device):
                    self._send(devices[device], packet, time.monotonic())

    def _deliver(self, device, packet):
        try:
            os.write(device, packet)
            self.figures["packets"] += 1
        except OSError:  # the device is down, or its queue is full
            self.figures["lost"] += 1

    def _send(self, device, packet, now):
        """One packet's fate."""
        w, dice = self.weather, self._dice
        if self._trap is not None and device == self._server and self._trap[0] in packet:
            (_, self.weather, sprung), self._trap = self._trap, None
            sprung.set()
        arrives = w.forth if device == self._server else w.back
        start = max(now, self._free.get(device, 0.0)) if w.rate else now
        if not arrives or w.down or len(packet) > w.largest or dice.random() < w.loss or \
                (start - now) * w.rate > QUEUE_BYTES:
            self.figures["lost"] += 1
            return
        if w.rate:
            start += len(packet) / w.rate
            self._free[device] = start
        copies = 1
        if dice.random() < w.repeat:
            copies = 2
            self.figures["repeated"] += 1
        if dice.random() < w.damage:
            packet = turn_a_bit(packet, dice)
            self.figures["damaged"] += 1
        for _ in range(copies):
            due = start + w.delay_s + w.jitter_s * dice.random()
            if due <= now:
                self._deliver(device, packet)
            else:
                self._number += 1
                heapq.heappush(self._waiting, (due, self._number, device, packet))


def make_client():
    """In the thread of the clients: their namespace, and their device in it."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        raise Unavailable(f"unshare: {os.strerror(ctypes.get_errno())}")
    namespace = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    device = open_tun("s3s-client")
    say_to_ip("link set lo up")
    say_to_ip(f"address add {CLIENT} peer {SERVER} dev s3s-client")
    set_up("s3s-client")
    return namespace, device


def packets_of(device):
    """What has come to it by now; IPv4 alone."""
    for _ in range(64):
        try:
            packet = os.read(device, 65536)
        except BlockingIOError:
            return
        if packet[0] >> 4 == 4:
            yield packet


def turn_a_bit(packet, dice):
    """Behind the header of IP: TCP's checksum has to notice."""
    place = dice.randrange(min(20, len(packet) - 1), len(packet))
    return packet[:place] + bytes([packet[place] ^ (1 << dice.randrange(8))]) + packet[place + 1:]
