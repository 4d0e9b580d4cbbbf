"""Hearing a spoken digit: a time-delay neural network that comes along, run as a stream."""

from penchant.listening._listener import SILENCE as SILENCE
from penchant.listening._listener import Listener as Listener
from penchant.listening._listener import write_listener as write_listener

__all__ = ["SILENCE", "Listener", "write_listener"]
