"""What of the three frameworks is safe without being asked for, and where that is to be seen.

Ours is seen in tests; theirs in the source of the versions that were read, and in the tests beside their bots.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

FRAMEWORKS: Final = ("threadbridge", "aiogram", "bolt")
LOOKED_AT: Final = "2026-11-30"
"""When the tests of all three last passed, and these were the newest releases."""
VERSIONS: Final[Mapping[str, str]] = {"aiogram": "3.31.0", "slack_bolt": "1.30.0", "slack_sdk": "3.47.0"}
"""What was read and run."""

COLUMNS: Final = ("killed", "repeated", "at once", "together", "API down", "restart", "forged")

CELLS: Final[Mapping[str, str]] = {
    "echo": "●○○ ●○○ ●◐◐ --- ●○◐ --- ---",
    "greeting": "●○○ ●○○ ●◐◐ --- ●○◐ --- ---",
    "menu": "●○○ ●○○ ●◐◐ --- ●○◐ ●●● ◐◐◐",
    "catalogue": "●○○ ●○○ ●◐◐ --- ●○◐ ●●● ●○◐",
    "order": "●○○ ●○○ ●◐◐ ●○○ ●○◐ ●○○ ---",
    "reminder": "●○◐ ●○○ ●◐◐ ●○○ ●○◐ ●○● ---",
    "approval": "●○○ ●○○ ●◐◐ ●○○ ●○◐ ●○○ ●○◐",
    "survey": "●○○ ●○? ●◐● ●○- ●○◐ ●○● ---",
    "photos": "●○○ ●○○ ●◐◐ ●○○ ●○◐ ●○○ ---",
    "helpdesk": "●○○ ●○○ ●◐◐ ●○○ ●○◐ ●○○ ---",
    "sorry": "●○○ ●○○ ●◐◐ --- ●○◐ --- ---",
    "tip": "●○○ ●○○ ●◐◐ ●○○ ●○◐ ●○○ ---",
}
"""Each bot's columns, in each the three frameworks: yes, partly, no, nothing to lose (-), not found out (?)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What one framework does about one column: sentences, a line of its source, and a test that shows it."""

    framework: str
    says: str
    line: str = ""
    """Where: the file in its package, and the number of the line."""
    reads: str = ""
    """What stands in that line, so that a later version is noticed."""
    test: str = ""


FACTS: Final[Mapping[str, tuple[str, tuple[Fact, ...]]]] = {
    "killed": (
        "The webhook was answered 200, and the process dies before the handler ends.",
        (
            Fact(
                framework="threadbridge",
                says="200 comes after the commit, and the restarted process goes on from there.",
                test="tests/acceptance/compare/test_killed.py::test_killed_after_every_200_each_bot_goes_on_where_it_was",
            ),
            Fact(
                framework="aiogram",
                says=(
                    "200 comes first, and the update is a task in memory.\n"
                    "With `handle_in_background=False` 200 waits for the handler (55 seconds at most), and Telegram "
                    "repeats what was not answered."
                ),
                line="aiogram/webhook/aiohttp_server.py:216",
                reads="handle_in_background: bool = True",
                test="tests/acceptance/compare/aiogram/test_bots.py::test_200_is_answered_before_the_handler_ends",
            ),
            Fact(
                framework="bolt",
                says=(
                    "Bolt acknowledges an event before its listener runs, as a task in memory.\n"
                    "It acknowledges a press, a command or a form when the listener asks for it, here at its start.\n"
                    "With `process_before_response=True` the answer waits for the listener, and is 500 when it "
                    "fails.\n"
                    "A reminder that was handed to Slack is Slack's."
                ),
                line="slack_bolt/listener/asyncio_runner.py:106",
                reads="await ack()",
                test="tests/acceptance/compare/bolt/test_bots.py::test_200_is_answered_before_the_listener_ends",
            ),
        ),
    ),
    "repeated": (
        "The same webhook comes twice.",
        (
            Fact(
                framework="threadbridge",
                says="It is one event, one turn and one reply.",
                test="tests/acceptance/compare/test_bots.py::test_a_repeated_webhook_changes_nothing",
            ),
            Fact(
                framework="aiogram",
                says="`update_id` moves the offset of long polling, and has no other use.",
                line="aiogram/dispatcher/dispatcher.py:254",
                reads="get_updates.offset = update.update_id + 1",
                test="tests/acceptance/compare/aiogram/test_bots.py::test_a_repeated_update_is_answered_again",
            ),
            Fact(
                framework="bolt",
                says=(
                    "The listener may read `event_id` and `X-Slack-Retry-Num`.\n"
                    "Bolt itself only writes that header, in Socket Mode.\n"
                    "Whether Slack ever repeats a command or a form was not found out, hence the question mark at "
                    "the survey."
                ),
                line="slack_bolt/adapter/socket_mode/internals.py:21",
                reads='headers["x-slack-retry-num"] = str(req.retry_attempt)',
                test="tests/acceptance/compare/bolt/test_bots.py::test_a_repeated_request_is_answered_again",
            ),
        ),
    ),
    "at once": (
        "The same person sends two messages at once.",
        (
            Fact(
                framework="threadbridge",
                says="They are handled one after the other, and answered in the order they came.",
                test="tests/acceptance/compare/test_bots.py::test_messages_at_once_are_answered_one_after_the_other",
            ),
            Fact(
                framework="aiogram",
                says=(
                    "Both are handled at the same time, and replies may overtake each other.\n"
                    "The storage in memory happens to save the state of these bots.\n"
                    "A storage that takes a moment to answer loses one of two updates.\n"
                    "`events_isolation=SimpleEventIsolation()` is one argument, and ends both within a process."
                ),
                line="aiogram/dispatcher/dispatcher.py:91",
                reads="events_isolation=events_isolation or DisabledEventIsolation()",
                test=(
                    "tests/acceptance/compare/aiogram/test_bots.py::"
                    "test_of_two_at_once_one_is_lost_when_the_storage_takes_a_moment"
                ),
            ),
            Fact(
                framework="bolt",
                says=(
                    "Each request is a task of its own, and Bolt offers no lock.\n"
                    "These bots keep their state between two `await`s, so only the order of replies is at stake.\n"
                    "The survey is one form, handed in at once."
                ),
                line="slack_bolt/listener/asyncio_runner.py:137",
                reads="asyncio.ensure_future(run_ack_function_asynchronously(",
            ),
        ),
    ),
    "together": (
        "The bot's state and its replies are kept together or not at all.",
        (
            Fact(
                framework="threadbridge",
                says="State, dialog, replies and timers are one transaction; the process may die before or after it.",
                test=(
                    "tests/acceptance/compare/test_bots.py::test_a_process_that_dies_anywhere_takes_neither_state_nor_reply_along"
                ),
            ),
            Fact(
                framework="aiogram",
                says="The state is written at once, and the reply is another request, which may fail.",
                line="aiogram/fsm/context.py:13",
                reads="await self.storage.set_state(key=self.key, state=state)",
                test="tests/acceptance/compare/aiogram/test_bots.py::test_state_is_kept_where_its_reply_was_not_sent",
            ),
            Fact(
                framework="bolt",
                says="State is the author's own business, and `say` is a request, which may fail.",
                line="slack_bolt/context/say/async_say.py:58",
                reads="return await self.client.chat_postMessage(",
                test="tests/acceptance/compare/bolt/test_bots.py::test_state_is_kept_where_its_reply_was_not_sent",
            ),
        ),
    ),
    "API down": (
        "The platform's API cannot be reached while the bot answers.",
        (
            Fact(
                framework="threadbridge",
                says=(
                    "The reply waits in the outbox and is tried again, under the same key and in its place.\n"
                    "It is given up after a number of tries, and is then a dead letter that can be replayed."
                ),
                test="tests/acceptance/compare/test_bots.py::test_a_reply_is_repeated_until_the_provider_can_be_reached",
            ),
            Fact(
                framework="aiogram",
                says="The request raises in the handler, and the reply is gone, unless the author tries again.",
                line="aiogram/client/session/aiohttp.py:176",
                reads="raise TelegramNetworkError(",
                test="tests/acceptance/compare/aiogram/test_bots.py::test_a_reply_that_cannot_be_sent_is_gone",
            ),
            Fact(
                framework="bolt",
                says=(
                    "A connection that breaks is tried once more, at once.\n"
                    "429, 500 and 503 are not, and Bolt keeps nothing.\n"
                    "More handlers for that are in the package and can be added."
                ),
                line="slack_sdk/http_retry/builtin_async_handlers.py:111",
                reads="return [AsyncConnectionErrorRetryHandler()]",
                test="tests/acceptance/compare/bolt/test_bots.py::test_a_reply_that_cannot_be_sent_is_gone",
            ),
        ),
    ),
    "restart": (
        "The process is restarted in the middle of the dialog.",
        (
            Fact(
                framework="threadbridge",
                says="The contact notices nothing: state, waiting dialogs, buttons and reminders are in the database.",
                test="tests/acceptance/compare/test_bots.py::test_a_restart_after_every_step_is_not_noticed",
            ),
            Fact(
                framework="aiogram",
                says=(
                    "The storage is memory by default; `RedisStorage` or `MongoStorage` is one argument and one "
                    "more server.\n"
                    "A reminder is a task in memory in any case: there is no scheduler.\n"
                    "Buttons carry what they need, so menu and catalogue go on."
                ),
                line="aiogram/dispatcher/dispatcher.py:89",
                reads="storage=storage or MemoryStorage()",
                test="tests/acceptance/compare/aiogram/test_bots.py::test_a_restart_forgets_the_conversation",
            ),
            Fact(
                framework="bolt",
                says=(
                    "No storage for a conversation's state was found in Bolt, so the author provides it; here it "
                    "is a dict.\n"
                    "Slack keeps the reminder, the form and the buttons, so reminder, survey, menu and catalogue "
                    "go on."
                ),
                test=(
                    "tests/acceptance/compare/bolt/test_bots.py::test_a_restart_is_not_noticed_where_slack_keeps_what_matters"
                ),
            ),
        ),
    ),
    "forged": (
        "A press comes in with a key that the bot never gave to this conversation.",
        (
            Fact(
                framework="threadbridge",
                says=(
                    "A typed key is signed for its conversation; another one is stale, and does nothing.\n"
                    "A plain key, as in the menu, is taken as it comes by the rule that names it.\n"
                    "Without an inbound secret an account has no route at all."
                ),
                test="tests/acceptance/compare/test_bots.py::test_a_press_that_was_made_up_does_nothing",
            ),
            Fact(
                framework="aiogram",
                says=(
                    "Callback data is taken as it comes: the field's own description warns of that.\n"
                    "The webhook's secret is checked only when one is given.\n"
                    "The menu's data says nothing that could be abused."
                ),
                line="aiogram/types/callback_query.py:35",
                reads="can contain no callback buttons with this data",
                test="tests/acceptance/compare/aiogram/test_bots.py::test_made_up_data_is_taken",
            ),
            Fact(
                framework="bolt",
                says=(
                    "The request has to be signed by Slack, always and within five minutes.\n"
                    "The value in it is taken as it comes; whether Slack lets a client change it was not found out."
                ),
                line="slack_bolt/middleware/request_verification/async_request_verification.py:32",
                reads="if self.verifier.is_valid(body, timestamp, signature):",
                test="tests/acceptance/compare/bolt/test_bots.py::test_a_request_that_slack_did_not_sign_is_refused",
            ),
        ),
    ),
}
"""Of each column: what happens, and what each framework does about it."""


def misquoted(package: str) -> list[str]:
    """The lines of an installed package that do not read as they are said to; none are looked at in other versions."""
    spec = find_spec(package)
    if spec is None or spec.origin is None or version(package) != VERSIONS[package]:
        return []
    root = Path(spec.origin).parents[1]
    quoted = [fact for _, facts in FACTS.values() for fact in facts if fact.line.startswith(f"{package}/")]
    return [each.line for each in quoted if each.reads not in _line(root, each.line)]


def _line(root: Path, where: str) -> str:
    path, _, number = where.partition(":")
    return (root / path).read_text("utf-8").splitlines()[int(number) - 1]


BETTER: Final = (
    (
        "Editing in place",
        (
            "`edit_text` and `respond(replace_original=True)` turn the catalogue's page in the message itself.\n"
            "threadbridge can only send another one."
        ),
    ),
    (
        "Forms",
        (
            "Slack's modal asks all three questions of the survey at once, and keeps the answers until the form is "
            "handed in.\n"
            "threadbridge asks one question after the other."
        ),
    ),
    ("Time", "`chat.scheduleMessage` leaves the waiting to Slack, so a reminder there needs no store at all."),
    (
        "People",
        (
            "In Slack a colleague simply writes in the channel, so Bolt's helpdesk is complete.\n"
            "Ours counts on the gateway's own inbox.\n"
            "aiogram's has to carry the messages to a group and back."
        ),
    ),
    (
        "Changed code",
        (
            "A conversation of a state and some data goes on after most changes of the code.\n"
            "A dialog here is compared with its past.\n"
            "Where the new code differs, it begins again, ends, or goes to a person.\n"
            "Rules with `step=` avoid that, for authors who prefer them."
        ),
    ),
    (
        "Depth",
        (
            "aiogram has every method of Telegram's API as a typed class (payments, inline mode, stickers, topics).\n"
            "Bolt has all of Slack's (home tabs, shortcuts, workflows, installing into many workspaces).\n"
            "threadbridge has the common ground of five gateways, and `Raw` for the rest."
        ),
    ),
    (
        "Where it runs",
        (
            "Bolt has adapters for other web frameworks and for functions in the cloud.\n"
            "Socket Mode needs no public URL, and neither does aiogram's long polling.\n"
            "threadbridge is a process that stays, behind a URL of its own."
        ),
    ),
    (
        "Company",
        (
            "Both have years of use, many users, plug-ins and answers on the web.\n"
            "threadbridge is new, and has been tried against emulators only."
        ),
    ),
)
"""Where the others are ahead: a word, and sentences."""
