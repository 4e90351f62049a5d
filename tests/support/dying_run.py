"""A process that deploys or destroys a pipeline until it is killed, for test_crash.py."""

import os
import signal
import sys

from lib.engine.inventory import Inventory
from lib.parameters import Parameters
from lib.target import connect
from support.described import describe
from support.interruptions import Death, mortal

pipeline, env, what, number, event = sys.argv[1:]
parameters = Parameters.check({"env": env})
death = Death(end=lambda: os.kill(os.getpid(), signal.SIGKILL))
target = mortal(connect(parameters), death)
stack = describe(pipeline, target, parameters)
death.set(int(number), event)
if what == "deploy":
    stack.apply()
else:
    Inventory(target, parameters).destroy()
