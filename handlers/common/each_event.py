"""Doing something for every event of a message, whatever becomes of the others."""

from collections.abc import Callable, Iterable

from aws_lambda_powertools import Logger

from common.events import ObjectEvent


def for_each_event(
    events: Iterable[ObjectEvent],
    do: Callable[[ObjectEvent], None],
    logger: Logger,
    message: str,
    facts: Callable[[ObjectEvent, Exception], dict] = lambda event, _: {"version": event.version_id},
) -> None:
    """Do something for each event; the failure of one is logged, and does not hold up the others.

    Neither does a record that cannot be read: the message fails after all others are done. That a probe came
    is logged, and nothing is done for it. Other threads may do so for other messages meanwhile.

    Args:
        events: What a message names, as `object_events` yields it.
        do: What to do.
        logger: A Powertools Logger.
        message: Of the group of what was raised.
        facts: Returns what to log of a failure besides bucket and key.

    Raises:
        ValueError: Nothing in the message could be read.
        ExceptionGroup: Some failed.
    """
    failures, done = [], 0
    try:
        for event in events:
            done += 1
            if event.is_probe:
                logger.info("probe", bucket=event.bucket, probe=event.key, event_name=event.event_name)
                continue
            told_later = _told_later(event)
            logger.thread_safe_append_keys(**told_later)
            try:
                do(event)
            except Exception as error:
                logger.exception("failed", bucket=event.bucket, key=event.key, **facts(event, error))
                failures.append(error)
            finally:
                logger.thread_safe_remove_keys(told_later)
    except ValueError as unreadable:
        if not done:
            raise
        logger.exception("unreadable record")
        failures.append(unreadable)
    if failures:
        raise ExceptionGroup(message, failures)


def _told_later(event: ObjectEvent) -> dict[str, bool]:
    """Return what each line says of an event that S3 did not send, but for instance a backfill."""
    return {"told_later": True} if event.sent_time else {}
