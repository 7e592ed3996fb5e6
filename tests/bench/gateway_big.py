"""More connections than one process may have: many gateways on one Redis, in a network namespace of its own.

First all connections are users': what they cost, and one user's event. Then all are operators', who hear everything: the broadcast.
"""
import os
import statistics
import time

from gateway_parts import all_complete, memory_row, one_user, open_sockets, publish_to_client, say_latency
from gateway_stand import FRAME_BYTES, GatewayBench, Records, close_all, gateways_for, machine
from stand import row, say, wait_until

MEMORY_LEFT = 3 << 29  # bytes: below 1.5 GB of available memory nobody connects any more
CONNECT_S = 600
PAYABLE = 2000  # users who are paid
RATE, SECONDS = 50, 8
ROUNDS = 5


def open_all(crowd):
    """Until all are connected, or memory ends: how many are, and how long that took."""
    began, enough = time.monotonic(), False
    while True:
        reports = [one.report() for one in crowd]
        if all(report["under_way"] == 0 and report["open"] + report["closed"] >= one.count for one, report in zip(crowd, reports)):
            break
        assert time.monotonic() - began < CONNECT_S, reports
        if not enough and machine()["MemAvailable"] < MEMORY_LEFT:
            enough = True
            for one in crowd:
                one.tell("enough")
                one.count = one.hear("open", 60)["clients"]
        time.sleep(0.2)
    took = time.monotonic() - began
    opened = sum(report["open"] for report in reports)
    assert sum(report["closed"] for report in reports) == 0, reports
    return opened, took, enough


def share(empty, before, after, connections):
    """Bytes a connection, by whose they are. What the kernel has is held to the state in which nobody had ever connected: it keeps memory of
    those who have gone."""
    return {"gateways": (after["private"] - before["private"]) / connections, "slab": (after["Slab"] - empty["Slab"]) / connections,
            "buffers": (after["buffers"] - empty["buffers"]) / connections,
            "all": (after["used"] - empty["used"]) / connections}


def connected(bench, empty, connections, *options, **more):
    """All of them, and what they cost."""
    before = memory_row(bench)
    crowd = bench.listeners(connections, *options, **more)
    try:
        opened, took, enough = open_all(crowd)
        time.sleep(2)
        cost = share(empty, before, memory_row(bench), opened)
    except BaseException:
        close_all(crowd)
        raise
    if enough:
        say(f"The memory was at its end with {opened} of {connections}; it goes on with these.\n")
    return crowd, {"count": opened, "took": took, "cost": cost, "left": machine()["MemAvailable"]}


def gone(crowd):
    close_all(crowd)
    wait_until(lambda: open_sockets() < 2000, 300, "all sockets closed")


def users_part(bench, empty, connections):
    crowd, figures = connected(bench, empty, connections, "--user", "u")
    try:
        for seconds in (2, SECONDS):
            latency = one_user(bench, crowd, min(PAYABLE, figures["count"]), RATE, seconds)
        bench.wait_listening()
        alone = publish_to_client(bench, crowd, figures["count"], 300)
        for one in crowd:
            one.settled()
    finally:
        gone(crowd)
    return figures, latency, alone


def operators_part(bench, empty, connections):
    crowd, figures = connected(bench, empty, connections, "--ops", source=2000)
    records, times = Records(bench.folder), []
    try:
        bench.wait_listening()
        for _ in range(ROUNDS):
            body = records.make(1)
            for one in crowd:
                one.expect(records.path)
            times.append(all_complete(crowd, bench.publish(body), 300))
        for one in crowd:
            one.settled()
    finally:
        gone(crowd)
    return figures, times


def say_connections(name, figures):
    cost = figures["cost"]
    row(name, figures["count"], f"{figures['took']:.0f} s", f"{figures['count'] / figures['took']:.0f}/s", f"{cost['gateways']:.0f}",
        f"{cost['slab']:.0f}", f"{cost['buffers']:.0f}", f"{cost['all']:.0f}", f"{figures['left'] / 2 ** 30:.1f} GB")


def run(options):
    count = gateways_for(options.connections)
    per_process = -(-options.connections // count)
    say(f"## Gateway: {options.connections} connections, {count} gateways, {os.cpu_count()} cores\n")
    bench = GatewayBench()
    try:
        # A user's presence is renewed three times in its TTL: a million of them every 10 s would be most of what Redis can do, and a million
        # pings every 25 s most of what these cores can.
        bench.begin_gateways(per_process, count, PRESENCE_TTL="1h", GATEWAY_PING="10m", GATEWAY_RESTART_SPREAD="0s")
        bench.register(min(PAYABLE, options.connections))
        empty = memory_row(bench)
        users, latency, alone = users_part(bench, empty, options.connections)
        say_latency(users["count"], RATE, latency, alone)
        say()
        row("tokens", "connections", "all connected after", "rate", "user memory of the gateways, bytes each", "slab of the kernel, both ends",
            "buffers", "all memory, clients included", "memory left")
        row(*["---"] * 9)
        say_connections("users'", users)
        bench.restart_gateways()
        operators, times = operators_part(bench, empty, options.connections)
    finally:
        bench.close()
    say_connections("operators'", operators)
    best, median = min(times), statistics.median(times)
    say(f"\nA frame of {FRAME_BYTES} bytes to all {operators['count']}, every byte compared: {', '.join(f'{t / 1e6:.2f}' for t in times)} s to "
        f"the last client: {operators['count'] * 1e6 / median:.0f} deliveries/s (best {operators['count'] * 1e6 / best:.0f}).")
