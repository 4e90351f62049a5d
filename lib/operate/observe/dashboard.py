"""The dashboard: CloudWatch's page of graphs over all pipelines that are deployed. No calls."""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from lib.operate import facts
from lib.operate.observe import cost, usage
from lib.operate.pipelines import FunctionName, Pipeline
from lib.parameters import Parameters
from lib.resources import prices
from lib.resources.sqs import Queue

NAMESPACE, DIMENSION = "runbook", "service"  # of the handlers' own metrics
COLUMNS, WIDTH, HEIGHT = 3, 8, 6  # a row of the dashboard has 24 units
PERIOD_S = 60
Widget = dict


def body(parameters: Parameters, pipelines: Iterable[Pipeline]) -> dict:
    """Return a dashboard.

    Args:
        parameters: `observe.hours` says how far back it shows; the pipelines' own decide on their cost.
        pipelines: Those to show.

    Returns:
        Its body: up to six graphs for each pipeline, below a line of text, fewer if its handlers count
        nothing. See
        https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
    """
    widgets, top = [], 0
    for pipeline in pipelines:
        ends = [end.name for end in (pipeline.source, pipeline.destination) if end]
        text = f"## {pipeline.name}: {' → '.join(ends)}"
        widgets.append(_placed(0, top, 24, 1, {"type": "text", "properties": {"markdown": text}}))
        for number, graph in enumerate(_graphs(parameters, pipeline)):
            row, column = divmod(number, COLUMNS)
            widgets.append(_placed(column * WIDTH, top + 1 + row * HEIGHT, WIDTH, HEIGHT, graph))
        top += 1 + 2 * HEIGHT
    return {"start": f"-PT{parameters.observe.hours}H", "widgets": widgets}


def what(function: FunctionName) -> str:
    """Return the name of a function's handler."""
    return facts.handler_of(function.name)


def _placed(x: int, y: int, width: int, height: int, widget: Widget) -> Widget:
    return {"x": x, "y": y, "width": width, "height": height, **widget}


def _graphs(parameters: Parameters, pipeline: Pipeline) -> Iterator[Widget]:
    functions = pipeline.functions
    if lag := list(_lag(functions)):
        yield _graph(functions[0].region, "lag of half, and of 99 of 100 objects, ms", lag)
    if throughput := list(_throughput(functions)):
        yield _graph(functions[0].region, "throughput, a minute", throughput, "Sum")
    if functions:
        yield _graph(functions[0].region, "errors and throttles", list(_errors(functions)), "Sum")
    if functions or pipeline.working:
        yield _waiting(pipeline)
    dead = [_queue("ApproximateNumberOfMessagesVisible", each.queue) for each in pipeline.dead_letters]
    brake = any(each.kind == "holding" for each in pipeline.dead_letters)
    title = "not done: dead letters, failures" + (", held by the brake" if brake else "")
    if dead:
        yield _graph(pipeline.dead_letters[0].queue.region, title, dead)
    yield from _cost(parameters, pipeline)


def _graph(region: str, title: str, metrics: list, stat: str = "Maximum") -> Widget:
    properties = {"view": "timeSeries", "region": region, "title": title, "period": PERIOD_S, "stat": stat}
    return {"type": "metric", "properties": {**properties, "metrics": metrics}}


def _ours(metric: str, function: FunctionName, shown: Mapping[str, object] = MappingProxyType({})) -> list:
    """Return one of our own metrics for a graph; `shown` has CloudWatch's rendering properties.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Metric-Widget-Structure.html
    """
    return [NAMESPACE, metric, DIMENSION, function.name, {"label": f"{what(function)}: {metric}", **shown}]


def _lag(functions: Iterable[FunctionName]) -> Iterator[list]:
    for function in functions:
        said = facts.of_function(function.name)
        if said and said.lag:
            for stat in ("p50", "p99"):
                yield _ours(said.lag, function, {"stat": stat, "label": f"{what(function)}: {stat}"})


def _throughput(functions: Iterable[FunctionName]) -> Iterator[list]:
    for function in functions:
        if said := facts.of_function(function.name):
            for metric in said.counts:
                yield _ours(metric, function)


def _errors(functions: Iterable[FunctionName]) -> Iterator[list]:
    for function in functions:
        for metric in ("Errors", "Throttles"):
            label = {"label": f"{what(function)}: {metric}"}
            yield ["AWS/Lambda", metric, "FunctionName", function.name, label]


def _waiting(pipeline: Pipeline) -> Widget:
    """How much waits and how long: in the pipeline's queues, or in the one that Lambda itself keeps.

    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    """
    if queues := pipeline.working:
        metrics = []
        for queue in queues:
            names = ("ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage")
            depth, age = (_queue(name, queue) for name in names)
            which = f"{queue.what}: " if len(queues) > 1 else ""
            depth[-1]["label"] = f"{which}messages"
            age[-1] = {"label": f"{which}age of the oldest, s", "yAxis": "right"}
            metrics += [depth, age]
        noun = "queue" if len(queues) == 1 else "queues"
        return _graph(queues[0].region, f"{noun}: depth and age", metrics)
    metrics = [
        ["AWS/Lambda", "AsyncEventAge", "FunctionName", each.name, {"label": f"{what(each)}: age, ms"}]
        for each in pipeline.functions
    ]
    return _graph(pipeline.functions[0].region, "Lambda's own queue: age", metrics)


def _queue(metric: str, queue: Queue) -> list:
    return ["AWS/SQS", metric, "QueueName", queue.name, {"label": queue.what}]


def _cost(parameters: Parameters, pipeline: Pipeline) -> Iterator[Widget]:
    """What the objects since the left edge have cost: counted objects and bytes, times prices."""
    said = facts.counting(pipeline.name)
    function = next((each for each in pipeline.functions if said and what(each) == said.name), None)
    if said is None or function is None:
        return
    hidden = {"visible": False, "stat": "Sum"}
    metrics = [_ours(said.work, function, {"id": "objects", **hidden})]
    usd_per_object, usd_per_byte = _rates(parameters, pipeline.name)
    expression = f"FILL(objects, 0) * {usd_per_object:.12f}"
    if usd_per_byte and said.bytes:
        metrics.append(_ours(said.bytes, function, {"id": "bytes", **hidden}))
        expression += f" + FILL(bytes, 0) * {usd_per_byte:.18f}"
    total = {"expression": f"RUNNING_SUM({expression})", "label": "US dollars", "id": "usd"}
    title = f"cost so far, an estimate (prices of {prices.looked_up()})"
    yield _graph(function.region, title, [[total], *metrics])


def _rates(parameters: Parameters, pipeline: str) -> tuple[float, float]:
    """Return the cost of an object without its bytes, and of each byte that goes to another region."""
    one = usage.per_object(parameters, pipeline, 0)
    byte = usage.per_object(parameters, pipeline, 1)
    sent = {name: amount for name, amount in byte.items() if name.startswith("transfer")}
    return sum(cost.of(one).values()), sum(cost.of(sent).values())
