"""The body of "Send a message" as its page tells it, for the emulator: nothing else is taken.

The page shows the text [seed]; the other four are the sibling's (wire.py).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel


class _Page(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", alias_generator=to_camel)


Words = Annotated[str, Field(min_length=1)]
Url = Annotated[str, Field(pattern="^https?://[^ ]+$")]


class TextMessage(_Page):
    """A text."""

    type: Literal["text"]
    text: Words
    message_tag: Literal["ACCOUNT_UPDATE", "POST_PURCHASE_UPDATE", "CONFIRMED_EVENT_UPDATE"] | None = None


class Attachment(_Page):
    """A file to fetch."""

    type: Literal["image", "video", "audio", "file"]
    url: Url


class AttachmentMessage(_Page):
    """A medium."""

    type: Literal["attachment"]
    attachment: Attachment


class QuickReplyMessage(_Page):
    """A text, and words to answer it with."""

    type: Literal["quick_reply"]
    title: Words
    replies: Annotated[list[Words], Field(min_length=1)]


class CustomPayloadMessage(_Page):
    """What the channel itself takes."""

    type: Literal["custom_payload"]
    payload: Annotated[dict[str, Any], Field(min_length=1)]


class Template(_Page):
    """A template WhatsApp has approved."""

    name: Words
    language_code: Words
    components: list[dict[str, Any]] = []


class TemplateMessage(_Page):
    """A template, filled."""

    type: Literal["whatsapp_template"]
    template: Template


Content: TypeAlias = Annotated[
    TextMessage | AttachmentMessage | QuickReplyMessage | CustomPayloadMessage | TemplateMessage,
    Field(discriminator="type"),
]


class Body(_Page):
    """The whole; without `channel_id` it goes to the channel the contact wrote on last."""

    channel_id: int | None = None
    message: Content


_BODY: TypeAdapter[Body] = TypeAdapter(Body)


def read_body(data: bytes) -> Body:
    """The body of a request.

    Raises:
        ValueError: it is not what the page says; the text is the place.
    """
    try:
        return _BODY.validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc'])) or 'body'}: {first['msg']}") from None
