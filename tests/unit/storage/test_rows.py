"""Rows that are made field by field, because dataclasses.replace is slow."""

from __future__ import annotations

from dataclasses import fields, replace

from bridge.events import Contact, ThreadRef
from bridge.planning.choices import Choice
from bridge.store.records import Hold, ThreadRow
from storage.rows import committed


def test_a_committed_thread_keeps_every_field_but_its_version() -> None:
    contact = Contact(id="ann", name="Ann B.")
    thread = ThreadRow(
        id=7,
        ref=ThreadRef("shop", "konnek", "whatsapp", "ann"),
        state=b'{"a":1}',
        step="asked",
        version=3,
        choices=(Choice(number=1, key="k", title="K"),),
        address={"reply_token": "t"},
        last_heard=11,
        heard=2,
        dialog=b"{}",
        members=b"[]",
        hold=Hold(note="n", taken_seq=5),
        opted_out=9,
        contact=Contact(id="ann", name="Ann"),
        contact_id=4,
        person=b"{}",
        named=b"[]",
        leads_to=8,
        lost=("bob",),
    )
    unchanged = ThreadRow(id=0, ref=thread.ref)
    names = {field.name for field in fields(ThreadRow)} - {"ref"}
    assert not [name for name in names if getattr(thread, name) == getattr(unchanged, name)]
    left = committed(thread, contact)
    assert (left, left.contact) == (replace(thread, version=4), contact)
