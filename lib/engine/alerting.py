"""Who is told when something is wrong."""

from lib.engine.stack import Stack
from lib.resources import cloudwatch, sns


def alerts_topic(stack: Stack, region: str, *, email: str = "") -> sns.Topic:
    """Describe the topic that a pipeline's alarms tell, and whom it mails.

    Args:
        stack: The pipeline.
        region: Where its alarms are.
        email: An address to mail, which AWS asks to confirm first; empty for none.

    Returns:
        The topic.
    """
    publishers = {"cloudwatch.amazonaws.com": cloudwatch.alarm_arns(stack.scope, region)}
    topic = stack.add(sns.Topic("alerts", region, publishers=publishers))
    if email:
        stack.add(sns.Subscription("alerts", region, topic=topic, endpoint=email, protocol="email"))
    return topic
