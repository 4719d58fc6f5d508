"""An assistant that answers with a language model: durable, within budgets, with plain functions as its tools."""

from __future__ import annotations

from .assistant import Assistant, to_person
from .models import Endpoint, Model, ModelFailed
from .money import Limits, Prices
from .recording import Recorded
from .tools import Tool, tool

__all__ = ["Assistant", "Endpoint", "Limits", "Model", "ModelFailed", "Prices", "Recorded", "Tool", "to_person", "tool"]
