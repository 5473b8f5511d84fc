"""The simulation of scaling, against queueing theory and against itself."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import simpy

from training import sim_scale
from training.scale_autoscaler import Autoscaler
from training.scale_chart import CHART, COMPONENTS, NoScaling, Policy, Scaling, scalings
from training.scale_pools import Gateways, Pool, Task

STAGES = {"plan": 1.0, "guide": 2.0, "shape": 3.0, "texture": 2.0, "refine": 4.0, "package": 1.0}
COLD = dict.fromkeys(COMPONENTS, 30.0)
SCALING = Scaling(
    fewest=1,
    most=8,
    target=2,
    polling=15,
    cooldown=300,
    up=(Policy(pods=2, percent=0, seconds=60), Policy(pods=0, percent=1, seconds=60)),
    down=(Policy(pods=1, percent=0, seconds=60),),
    stabilisation=120,
    gpus=1,
    places=1,
)
SCALINGS = dict.fromkeys(COMPONENTS, SCALING) | {"gateway": replace(SCALING, places=4, target=4, gpus=0)}


def busy_day(seed: int = 3) -> tuple[list[float], list[sim_scale.Steps]]:
    rng = np.random.default_rng(seed)
    arrivals = sim_scale.day(600, 600, 3600, rng)
    return arrivals, sim_scale.works(len(arrivals), STAGES, 0.3, rng)


def waits(servers: int, load: float, tasks: int) -> float:
    """Mean time in the queue of a pool with service times of 1 s and Poisson arrivals [s]."""
    env = simpy.Environment()
    pool = Pool(env, places=1, cold_start=0)
    pool.start(servers)
    found = []

    def call():
        task = Task(env.event(), env.now, seconds=1.0)
        pool.put(task)
        yield task.done
        found.append(env.now - task.since - 1.0)

    def arrive():
        rng = np.random.default_rng(1)
        for pause in rng.exponential(1 / (load * servers), tasks):
            yield env.timeout(pause)
            env.process(call())

    env.process(arrive())
    env.run()
    return float(np.mean(found))


def test_one_server_of_fixed_time_waits_as_pollaczek_and_khinchine_say() -> None:
    load = 0.7
    assert waits(1, load, 40_000) == pytest.approx(load / (2 * (1 - load)), rel=0.04)


def test_several_servers_of_fixed_time_wait_as_cosmetatos_says() -> None:
    servers, load = 4, 0.8
    offered = servers * load
    last = offered**servers / math.factorial(servers) / (1 - load)
    erlang_c = last / (sum(offered**k / math.factorial(k) for k in range(servers)) + last)
    exponential = erlang_c / (servers * (1 - load))
    correction = 1 + (1 - load) * (servers - 1) * (math.sqrt(4 + 5 * servers) - 2) / (16 * load * servers)
    assert waits(servers, load, 40_000) == pytest.approx(exponential / 2 * correction, rel=0.05)


def test_nothing_is_lost_while_replicas_come_and_go() -> None:
    arrivals, work = busy_day()
    outcome = sim_scale.simulate(arrivals, work, SCALINGS, COLD)
    shortest = [sum(seconds for _, seconds in steps) for steps in work]
    assert outcome.cold_starts > 5
    assert len(outcome.latencies) == len(arrivals)
    assert all(took >= least - 1e-6 for took, least in zip(outcome.latencies, shortest, strict=True))
    assert outcome.gpu_hours >= sum(seconds for steps in work for name, seconds in steps if name != "gateway") / 3600


def test_the_same_seed_gives_the_same_day() -> None:
    assert sim_scale.simulate(*busy_day(), SCALINGS, COLD) == sim_scale.simulate(*busy_day(), SCALINGS, COLD)
    assert busy_day(3) != busy_day(4)


def test_enough_fixed_replicas_leave_only_the_work() -> None:
    arrivals, work = busy_day()
    alone = dict.fromkeys(COMPONENTS, SCALING)  # a gateway packages one at a time
    outcome = sim_scale.simulate(arrivals, work, alone, COLD, dict.fromkeys(COMPONENTS, 60))
    needed = [sum(seconds for _, seconds in steps) for steps in work]
    assert outcome.latencies == pytest.approx(needed)
    assert outcome.cold_starts == 0


def test_what_a_gateway_leaves_another_finishes() -> None:
    env = simpy.Environment()
    server, gateways = Pool(env, places=1, cold_start=0), Gateways(env, places=1, cold_start=0)
    server.start(2)
    gateways.start(2)
    tasks = [Task(env.event(), 0, steps=sim_scale.deque([(server, 10.0), (server, 10.0)])) for _ in range(2)]
    for task in tasks:
        gateways.put(task)
    env.run(until=15)
    gateways.scale(1)
    env.run(until=simpy.AllOf(env, [task.done for task in tasks]))
    # The one that stays ends at 20; then it begins the other's second stage, which was cut off, anew.
    assert env.now == 30
    assert gateways.pending == 0


def test_replicas_come_at_once_within_the_policy_and_go_one_a_minute_after_a_while() -> None:
    demand = 16.0
    autoscaler = Autoscaler(SCALING, lambda: demand)
    replicas, seen = 1, []
    for look in range(60):
        if look == 12:
            demand = 2.0
        replicas = autoscaler.decide(look * 15.0, replicas)
        seen.append(replicas)
    assert seen[0] == 3  # two more, or twice as many
    assert seen[4] == 6  # a minute later twice as many
    assert max(seen) == SCALING.most
    fewer = [look for look in range(1, 60) if seen[look] < seen[look - 1]]
    assert fewer[0] * 15 > 11 * 15 + SCALING.stabilisation
    assert min(np.diff(fewer)) * 15 >= 60 and seen[fewer[0]] == seen[fewer[0] - 1] - 1


def test_the_last_replica_goes_after_the_cooldown_and_comes_back_with_demand() -> None:
    demand = 0.0
    autoscaler = Autoscaler(replace(SCALING, fewest=0), lambda: demand)
    replicas = [autoscaler.decide(look * 15.0, 1) for look in range(21)]
    assert replicas[19] == 1 and replicas[20] == 0
    demand = 0.5
    assert autoscaler.decide(400.0, 0) == 1


def test_the_chart_says_how_production_scales() -> None:
    found = scalings([CHART / "values-production.yaml"])
    assert found["gateway"].places == found["gateway"].target == 8
    assert found["vlm"].gpus == 1 and found["gateway"].gpus == 0
    assert found["part_dit"].down == (Policy(pods=1, percent=0, seconds=60),)


def test_a_profile_without_autoscaling_is_refused() -> None:
    with pytest.raises(NoScaling, match=r"gateway\.autoscaling\.enabled"):
        scalings([CHART / "values-local.yaml"])


def test_hardware_without_times_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(sim_scale.NotMeasured, match="has no table tpu"):
        sim_scale.hardware("tpu")
    path = tmp_path / "times.toml"
    path.write_text("[new]\nstages = {plan = 1}\ncold_starts = {}\n")
    with pytest.raises(sim_scale.NotMeasured, match=r"new\.stages lacks guide, package"):
        sim_scale.hardware("new", path)
