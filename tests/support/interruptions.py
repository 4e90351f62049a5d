"""A pipeline stopped at any of its calls to AWS, run again, and compared with one that nobody disturbed."""

import functools
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from lib.engine.inventory import Inventory
from lib.engine.stack import Stack
from lib.local.deployer import new_session
from lib.parameters import Parameters
from lib.target import Target, connect
from support.calls import Killed, is_write
from support.described import describe
from support.somebodys import Somebodys

BEFORE, AFTER = "before-call", "after-call"
NUMBER = "number of the call"  # in what botocore keeps of it


@dataclass
class Death:
    """Ends a run at one of its calls, like `kill -9`: whatever the run still tries is refused, too.

    Attributes:
        number: At which call, counted from 1; 0 for never.
        event: BEFORE it is sent, or AFTER AWS has done it and before the run hears of it.
        made: The names of the calls so far.
        end: What ends the run.
    """

    number: int = 0
    event: str = AFTER
    made: list[str] = field(default_factory=list)
    is_dead: bool = False
    end: Callable[[], None] | None = None
    _one_counts: threading.Lock = field(default_factory=threading.Lock)

    def set(self, number: int = 0, event: str = AFTER) -> None:
        """Live again, up to another call."""
        self.number, self.event, self.is_dead = number, event, False
        self.made.clear()

    def before(self, model: Any, context: dict, **_: Any) -> None:
        if self.is_dead:
            raise Killed(model.name)
        with self._one_counts:  # what is read in threads is, too
            self.made.append(model.name)
            context[NUMBER] = len(self.made)
        self._at(BEFORE, model, context)

    def after(self, model: Any, context: dict, **_: Any) -> None:
        self._at(AFTER, model, context)

    def _at(self, event: str, model: Any, context: dict) -> None:
        if (event, context.get(NUMBER)) == (self.event, self.number):
            self.is_dead = True
            if self.end:
                self.end()
            raise Killed(model.name)


def mortal(target: Target, death: Death) -> Target:
    """Return the target with clients of its own, whose calls can be the last ones."""
    key = target.session.get_credentials()
    session = new_session(key.access_key, key.secret_key)
    session.events.register(BEFORE, death.before)
    session.events.register(AFTER, death.after)
    return Target(**{**vars(target), "session": session, "_clients": {}})


@dataclass(frozen=True)
class Point:
    """Where a run is stopped: at which of its calls, and on which side of it."""

    number: int
    event: str
    call: str


class Subject:
    """A pipeline in an environment of its own, deployed and destroyed again and again.

    Attributes:
        not_reached: The points that a run did not come to, on an AWS that is late: how often a call has to be
            repeated there, and so how many there are, differs.
    """

    def __init__(
        self,
        pipeline: str,
        env: str,
        adopted: Mapping[str, Somebodys] = {},
        late_s: float = 0,
        **section: object,
    ):
        """Describe it, deploy and destroy it once undisturbed, and remember how that was.

        Args:
            pipeline: Such as `migrate`.
            env: An environment that nobody else uses.
            adopted: The buckets that it adopts, by the parameters that name them.
            late_s: How long what is there may look otherwise, in seconds.
            section: What else the pipeline's own section is given.
        """
        self.pipeline, self.death, self.adopted, self.late_s = pipeline, Death(), adopted, late_s
        self.not_reached: list[Point] = []
        self.theirs = self._theirs()
        section |= {parameter: bucket.name for parameter, bucket in adopted.items()}
        self.parameters = Parameters.check({"env": env, pipeline: section})
        self.target = mortal(connect(self.parameters), self.death)
        self.described = describe(pipeline, self.target, self.parameters, **section)
        self.death.set()
        self.deploy()
        self.deploy_points = self._points()
        time.sleep(late_s)
        self.deployed = self.inventory()
        self.death.set()
        self.destroy()
        self.destroy_points = self._points()
        self.require_nothing("undisturbed")

    def _points(self) -> list[Point]:
        """Before the first write, and after every call from there on.

        That is also before each write: a read changes nothing, and whatever is made is read first, once the
        ledger has noted what is intended.
        """
        made = list(self.death.made)
        first = next(number for number, name in enumerate(made, 1) if is_write(name))
        after = [Point(number, AFTER, made[number - 1]) for number in range(first, len(made) + 1)]
        return [Point(first, BEFORE, made[first - 1]), *after]

    def stack(self, target: Target | None = None) -> Stack:
        """The same resources, nothing known of them, for a target."""
        stack = Stack(target or self.target, self.parameters, self.pipeline)
        stack.resources = dict(self.described.resources)
        stack.unwanted = dict(self.described.unwanted)
        return stack

    def deploy(self, target: Target | None = None) -> None:
        self.stack(target).apply()

    def destroy(self, target: Target | None = None) -> None:
        Inventory(target or self.target, self.parameters).destroy()

    def inventory(self) -> list[tuple]:
        """Everything of our name, once for each time that it is there."""
        items = Inventory(self.target, self.parameters).existing()
        return sorted((item.found.arn, str(item.found.tags), item.is_ours) for item in items)

    def interrupt(self, run: Callable[[], None], point: Point | None) -> None:
        """Stop a run at a point; without one, do nothing."""
        if point is None:
            return
        self.death.set(point.number, point.event)
        try:
            run()
        except Killed:
            return
        finally:
            self.death.set()
        if not self.late_s:
            raise AssertionError(f"{self.pipeline} ended before {point}")
        self.not_reached.append(point)

    def cycle(self, deploying: Point | None, destroying: Point | None) -> None:
        """Deploy, stopped once, and again; destroy, stopped once, and again: the end is as if undisturbed."""
        self.interrupt(self.deploy, deploying)
        self.deploy()
        self.require_deployed(f"{self.pipeline}: deploy stopped at {deploying}")
        self.interrupt(self.destroy, destroying)
        self.destroy()
        self.require_nothing(f"{self.pipeline}: destroy stopped at {destroying}")

    def disturbed_cycle(self, target: Target, fault: str) -> None:
        """Deploy and destroy by a target whose calls are disturbed; neither notices."""
        self.deploy(target)
        self.require_deployed(f"{self.pipeline}: deployed with {fault}")
        self.destroy(target)
        self.require_nothing(f"{self.pipeline}: destroyed with {fault}")

    def require_deployed(self, when: str) -> None:
        looked_again = Retrying(
            retry=retry_if_exception_type(AssertionError),
            stop=stop_after_delay(self.late_s),
            wait=wait_fixed(self.late_s / 10),
            reraise=True,
        )
        looked_again(self._require_deployed, when)

    def _require_deployed(self, when: str) -> None:
        plan = self.stack().plan()
        differing = [(step.resource, step.changes) for step in plan if step.action != "unchanged"]
        assert not differing, (when, differing)
        assert self.inventory() == self.deployed, when
        states = {arn: facts["state"] for arn, facts in self.stack().ledger.entries().items()}
        assert set(states.values()) == {"made"}, (when, states)
        made = {arn for arn, one in self.described.resources.items() if one.is_made}
        assert made <= states.keys(), when

    def require_nothing(self, when: str) -> None:
        sleep = time.sleep if self.late_s else functools.partial(refuse, when)
        proof = Inventory(self.target, self.parameters).prove_empty(sleep=sleep)
        assert proof["not ours"].sum() == 0, when
        assert self._theirs() == self.theirs, when

    def _theirs(self) -> dict[str, tuple]:
        """All configuration, byte for byte, and all objects of the buckets that are adopted."""
        return {name: (each.configuration(), each.objects()) for name, each in self.adopted.items()}


@functools.cache
def subject(pipeline: str) -> Subject:
    """Return a pipeline that the tests share; each leaves nothing of it."""
    return Subject(pipeline, f"x{pipeline}")


def refuse(when: str, seconds: float) -> None:
    raise AssertionError(f"{when}: something is left")
