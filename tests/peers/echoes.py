"""A small workflow that touches every path a payload takes: argument, activity, heartbeat, signal, query, failure."""

from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError


@workflow.defn
class EchoWorkflow:
    """Answers what an activity answers, once it was told to go on."""

    def __init__(self) -> None:
        self._told: list[str] = []

    @workflow.run
    async def run(self, text: str) -> str:
        await workflow.wait_condition(lambda: bool(self._told))
        answer: str = await workflow.execute_activity(
            "echo",
            text + self._told[0],
            result_type=str,
            start_to_close_timeout=timedelta(seconds=10),
            heartbeat_timeout=timedelta(seconds=5),
            retry_policy=RetryPolicy(maximum_attempts=2, initial_interval=timedelta(milliseconds=10)),
        )
        if answer.endswith("fail"):
            raise ApplicationError("refused: " + text, text)
        return answer

    @workflow.signal
    def tell(self, word: str) -> None:
        self._told.append(word)

    @workflow.query
    def told(self) -> list[str]:
        return self._told


@workflow.defn
class WayfarerWorkflow:
    """Schedules an activity on whatever queue it is told."""

    @workflow.run
    async def run(self, queue: str) -> str:
        answer: str = await workflow.execute_activity(
            "echo", "x", result_type=str, task_queue=queue, start_to_close_timeout=timedelta(seconds=5)
        )
        return answer


@activity.defn(name="echo")
async def echo(text: str) -> str:
    """Beats with the text; fails at the first attempt, then answers what the heartbeat had kept."""
    if activity.info().attempt == 1:
        activity.heartbeat(text)
        raise RuntimeError("first: " + text)
    return str(activity.info().heartbeat_details[0])
