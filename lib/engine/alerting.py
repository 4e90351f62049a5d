"""Who is told when something is wrong."""

from lib.engine.stack import Stack
from lib.resources import cloudwatch, sns


def alerts_topic(stack: Stack, region: str, *, email: str = "", wanted: bool = True) -> sns.Topic:
    """Describe the topic that a pipeline's alarms tell, and whom it mails.

    Args:
        stack: The pipeline.
        region: Where its alarms are.
        email: An address to mail, which AWS asks to confirm first; empty for none.
        wanted: Whether there shall be one; if not, it is deleted with its subscriptions.

    Returns:
        The topic.
    """
    publishers = {"cloudwatch.amazonaws.com": cloudwatch.alarm_arns(stack.scope, region)}
    topic = stack.add(sns.Topic("alerts", region, publishers=publishers), wanted)
    if email:
        mail = sns.Subscription("alerts", region, topic=topic, endpoint=email, protocol="email")
        stack.add(mail, wanted)
    return topic
