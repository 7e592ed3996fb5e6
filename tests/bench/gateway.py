#!/usr/bin/env python3
"""The gateway under load: `make bench-gateway CONNECTIONS=10000`.

Up to 15,000 connections: one gateway process beside a bare loop of send() with as many sockets, in turn, so that a machine that changes
its speed changes it for both. More: as many gateway processes as the limit of descriptors asks for, all on one Redis. All of it is in a
network namespace of its own, without the machine's firewall and its ports. Everything is started here, on a release build, and ended
here. Prints Markdown, which docs/benchmarks.md keeps.
"""
import argparse
import os
import signal
import statistics
import subprocess
import sys
import time

import gateway_big
from gateway_parts import broadcast_row, broadcasts, joined, memory_row, one_user, publish_to_client, say_latency
from gateway_stand import (FRAME_BYTES, ONE_PROCESS, Bare, GatewayBench, Listeners, Records, close_all, enter_namespace, in_namespace,
                           private_bytes, raise_descriptors, set_up_namespace, settle)
from stand import TESTS, row, say

CONFORMANCE_MAX = 10000  # connections of conformance-ws


# ---- memory ----


def idle_memory(connections):
    """Bytes a socket without a user, of the gateway's own engine (tests/conformance/ws.c)."""
    server = subprocess.Popen([os.path.join(TESTS, "conformance-ws"), "--port", "0"], stdout=subprocess.PIPE)
    try:
        address = server.stdout.readline().decode().strip()
        warm = Listeners([address], 100, "--nobody", "--path", "/")
        warm.wait_open()
        warm.close()
        before = private_bytes(server.pid)
        crowd = Listeners([address], connections, "--nobody", "--path", "/")
        try:
            crowd.wait_open()
            return (settle(lambda: private_bytes(server.pid)) - before) / connections
        finally:
            crowd.close()
    finally:
        server.terminate()
        server.wait(20)
        server.stdout.close()


def say_memory(idle, user, buffers):
    say("\n### Memory\n")
    row("socket", "bytes of user memory", "asked: at most")
    row("---", "---", "---")
    row("idle, without a user", f"{idle:.0f}", 64)
    row("a user's, with room and resume state", f"{user:.0f}", 300)
    say(f"\nThe kernel, for both ends of one: {buffers}.")


# ---- the parts ----


def users_part(bench, connections, rate, seconds):
    warm = bench.listeners(100, "--user", "warm")
    for one in warm:
        one.wait_open()
    close_all(warm)
    before = memory_row(bench)
    crowd = bench.listeners(connections, "--user", "u")
    try:
        took = max(one.wait_open()["took_us"] for one in crowd)
        say(f"{connections} users connected in {took / 1e6:.1f} s: {connections * 1e6 / took:.0f}/s.")
        settle(bench.private)
        after = memory_row(bench)
        for seconds_now in (2, seconds):  # the first warms up
            latency = one_user(bench, crowd, connections, rate, seconds_now)
        alone = publish_to_client(bench, crowd, connections)
        for one in crowd:
            one.settled()
    finally:
        close_all(crowd)
    return before, after, latency, alone


def operators_part(bench, connections, rounds):
    records = Records(bench.folder)
    crowd = bench.listeners(connections, "--ops")
    bare = Bare()
    beside = Listeners([bare.address], connections, "--nobody", source=1000)
    try:
        for one in [*crowd, beside]:
            one.wait_open()
        times = broadcasts(bench, crowd, records, rounds, bare, beside)
        bursts = joined(bench, crowd, records)
        for one in [*crowd, beside]:
            one.settled()
        return times, bursts
    finally:
        close_all([*crowd, beside, bare])


def say_broadcast(connections, times, bursts):
    say(f"\n### A frame of {FRAME_BYTES} bytes to all, one at a time\n")
    row("sender", "last client, median", "best", "worst", "deliveries/s")
    row(*["---"] * 5)
    broadcast_row("bare loop", connections, times["bare"])
    broadcast_row("gateway", connections, times["gateway"])
    ratio = statistics.median(times["gateway"]) / statistics.median(times["bare"])
    pairs = statistics.median(g / b for g, b in zip(times["gateway"], times["bare"]))
    say(f"\n{ratio:.2f} times the bare loop by the medians, {pairs:.2f} by the median of {len(times['bare'])} pairs. Asked: at most 1.1, and "
        "80,000 deliveries/s.")
    count, took = bursts
    rate = statistics.median(count * connections * 1e6 / t for t in took)
    say(f"\n### Joined\n\n{len(took)} bursts of {count} records in one write to Redis: the last client had the last byte after "
        f"{', '.join(f'{t / 1e6:.2f}' for t in took)} s: {rate / 1e6:.2f} million events/s. Asked: 1.")


def small(options):
    connections = options.connections
    say(f"## Gateway: {connections} connections\n")
    idle = idle_memory(min(connections, CONFORMANCE_MAX))
    bench = GatewayBench()
    try:
        bench.begin_gateways(2 * connections)
        bench.register(connections)
        before, after, latency, alone = users_part(bench, connections, options.rate, options.seconds)
        times, bursts = operators_part(bench, connections, options.rounds)
    finally:
        bench.close()
    say_broadcast(connections, times, bursts)
    say_latency(connections, options.rate, latency, alone)
    user = (after["private"] - before["private"]) / connections
    kernel = {name: (after[name] - before[name]) / connections for name in ("Slab", "buffers")}
    say_memory(idle, user, f"{kernel['Slab']:.0f} bytes of slab, {kernel['buffers']:.0f} of buffers")
    say()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("connections", type=int)
    parser.add_argument("--rounds", type=int, default=15, help="broadcasts, of each sender")
    parser.add_argument("--rate", type=int, default=1000, help="events a second to single users")
    parser.add_argument("--seconds", type=int, default=10, help="of them")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended then, too
    if not in_namespace():
        enter_namespace()
        assert options.connections <= ONE_PROCESS, "so many need a network namespace of their own, and unshare --net fails here"
        say("No network namespace: the firewall's and the connection tracking's work is in the figures.\n")
    else:
        set_up_namespace()
    began = time.monotonic()
    raise_descriptors()
    (small if options.connections <= ONE_PROCESS else gateway_big.run)(options)
    say(f"The whole run took {time.monotonic() - began:.0f} s.")


if __name__ == "__main__":
    main()
